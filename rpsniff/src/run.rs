// SPDX-License-Identifier: GPL-2.0

//! The program: from the options to the last line.

use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, StdoutLock, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use thiserror::Error;

use crate::{
    cli::Cli,
    file::{self, Reader},
    filter::{self, bpf::Insn, disassemble, Program},
    frame::{Frame, Timestamp},
    interfaces,
    link::Link,
    pcapng::{self, Interface},
    print::{Printer, Style},
    signals::{Request, Signals},
    source::{self, Event, Live, Prepared},
    stats::{Counters, Report},
};

/// Why the program ends with a failure.
#[derive(Debug, Error)]
pub enum Error {
    /// A live capture failed.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] file::Error),
    /// A filter could not be compiled.
    #[error(transparent)]
    Filter(#[from] filter::Error),
    /// A file could not be written, or another operation on it failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// Something that does not depend on the options failed.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// What is read would be overwritten.
    #[error("{0} is the file that is read: write to another one")]
    Overwrites(String),
    /// Packets of the file cannot be printed.
    #[error("packet printing is not supported for link type {0}: use -w")]
    Unprintable(String),
}

/// Whether the reader of the output has gone away, which ends the program without a complaint.
fn is_closed(error: &Error) -> bool {
    let (Error::Output(error) | Error::File { source: error, .. }) = error else {
        return false;
    };
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Does what the command line says.
///
/// # Errors
///
/// As [`Error`] lists them.
pub fn run(cli: &Cli) -> Result<(), Error> {
    if cli.list_interfaces {
        let list = interfaces::list().map_err(|error| Error::System("interfaces", error))?;
        return io::stdout()
            .write_all(list.as_bytes())
            .map_err(Error::Output);
    }
    let expression = match &cli.filter_file {
        None => cli.expression(),
        Some(path) => fs::read_to_string(path).map_err(|error| file_error(path, error))?,
    };
    let expression = expression.trim();
    match &cli.read {
        Some(path) => read(cli, path, expression),
        None => capture(cli, expression),
    }
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.display().to_string(),
        source,
    }
}

/// Where packets go.
struct Sink<'a> {
    link: Link,
    printer: Option<(Printer, BufWriter<StdoutLock<'a>>)>,
    writer: Option<(pcapng::Writer<Box<dyn Write>>, &'a Path)>,
    flush_lines: bool,
    flush_packets: bool,
    line: String,
    packets: u64,
}

impl<'a> Sink<'a> {
    fn new(cli: &'a Cli, interface: &Interface) -> Result<Self, Error> {
        let writer = match cli.write.as_deref() {
            None => None,
            Some(path) => {
                let output: Box<dyn Write> = if path == Path::new("-") {
                    Box::new(io::stdout())
                } else {
                    Box::new(File::create(path).map_err(|error| file_error(path, error))?)
                };
                let output: Box<dyn Write> = Box::new(BufWriter::new(output));
                let mut writer = pcapng::Writer::new(output, interface)
                    .map_err(|error| file_error(path, error))?;
                // Whoever reads along learns at once what is coming.
                writer.flush().map_err(|error| file_error(path, error))?;
                Some((writer, path))
            }
        };
        let is_wanted = (cli.print || writer.is_none()) && !cli.count;
        if is_wanted && matches!(interface.link, Link::Other(_)) {
            return Err(Error::Unprintable(interface.link.describe()));
        }
        let stdout = io::stdout();
        let flush_lines = cli.line_buffered || cli.packet_buffered || stdout.is_terminal();
        Ok(Self {
            link: interface.link,
            printer: is_wanted.then(|| {
                (
                    Printer::new(Style::from(cli)),
                    BufWriter::new(stdout.lock()),
                )
            }),
            writer,
            flush_lines,
            flush_packets: cli.packet_buffered,
            line: String::new(),
            packets: 0,
        })
    }

    fn packet(&mut self, frame: &Frame<'_>) -> Result<(), Error> {
        self.packets += 1;
        if let Some((writer, path)) = &mut self.writer {
            writer
                .packet(frame)
                .and_then(|()| {
                    if self.flush_packets {
                        writer.flush()
                    } else {
                        Ok(())
                    }
                })
                .map_err(|error| file_error(path, error))?;
        }
        if let Some((printer, output)) = &mut self.printer {
            self.line.clear();
            printer.print(self.link, frame, &mut self.line);
            output
                .write_all(self.line.as_bytes())
                .and_then(|()| {
                    if self.flush_lines {
                        output.flush()
                    } else {
                        Ok(())
                    }
                })
                .map_err(Error::Output)?;
        }
        Ok(())
    }

    fn finish(self, report: Option<&Report>) -> Result<(), Error> {
        if let Some((writer, path)) = self.writer {
            writer
                .finish(report)
                .map_err(|error| file_error(path, error))?;
        }
        if let Some((_, mut output)) = self.printer {
            output.flush().map_err(Error::Output)?;
        }
        Ok(())
    }
}

/// Whether both are one regular file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        _ => false,
    }
}

/// `-r`.
fn read(cli: &Cli, path: &str, expression: &str) -> Result<(), Error> {
    let input = if path == "-" { "/dev/stdin" } else { path };
    if let Some(output) = cli.write.as_deref() {
        if is_same_file(Path::new(input), output) {
            return Err(Error::Overwrites(output.display().to_string()));
        }
    }
    let mut reader = Reader::open(path, expression, !cli.no_optimize)?;
    if cli.dump > 0 {
        let program = Program::compile(expression, reader.link(), !cli.no_optimize)?;
        return dump(cli.dump, program.instructions());
    }
    eprintln!(
        "reading from file {path}, link-type {}",
        reader.link().describe()
    );
    let mut sink = Sink::new(
        cli,
        &Interface {
            link: reader.link(),
            snaplen: cli.snaplen(),
            name: None,
            filter: (!expression.is_empty()).then(|| expression.to_owned()),
        },
    )?;
    let limit = cli.packets.unwrap_or(u64::MAX);
    let mut outcome = Ok(());
    while sink.packets < limit {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let data = frame.data.get(..cli.snaplen() as usize);
                let frame = Frame {
                    data: data.unwrap_or(frame.data),
                    ..frame
                };
                if let Err(error) = sink.packet(&frame) {
                    return if is_closed(&error) {
                        Ok(())
                    } else {
                        Err(error)
                    };
                }
            }
            Ok(None) => break,
            // What was read before the damage is shown.
            Err(error) => {
                outcome = Err(error.into());
                break;
            }
        }
    }
    if cli.count {
        let plural = if sink.packets == 1 { "" } else { "s" };
        writeln!(io::stdout(), "{} packet{plural}", sink.packets).map_err(Error::Output)?;
    }
    match sink.finish(None) {
        Err(error) if !is_closed(&error) => Err(error),
        _ => outcome,
    }
}

/// A live capture.
fn capture(cli: &Cli, expression: &str) -> Result<(), Error> {
    let options = source::Options {
        family: cli.family,
        interface: cli.interface.clone(),
        snaplen: cli.snaplen(),
        promiscuous: !cli.no_promiscuous_mode,
        direction: cli.direction.into(),
        buffer: cli.buffer_size.map(|kib| kib as usize * 1024),
        expression: expression.to_owned(),
        optimize: !cli.no_optimize,
    };
    let prepared = Prepared::new(&options)?;
    if cli.dump > 0 {
        return dump(cli.dump, &prepared.socket_filter(&options)?);
    }
    let mut signals = Signals::new().map_err(|error| Error::System("signals", error))?;
    let mut live = prepared.start(&options)?;
    let mut sink = Sink::new(
        cli,
        &Interface {
            link: live.link(),
            snaplen: cli.snaplen(),
            name: Some(live.interface().to_owned()),
            filter: (!expression.is_empty()).then(|| expression.to_owned()),
        },
    )?;
    eprintln!(
        "rpsniff: listening on {}, link-type {}, snapshot length {} bytes, family {}",
        live.interface(),
        live.link().describe(),
        cli.snaplen(),
        cli.family
    );
    let outcome = pump(cli, &mut live, &mut sink, &mut signals);
    // However the capture ended, its file is completed and its counters are shown.
    let counters = live.counters();
    let report = Report {
        captured: sink.packets,
        counters: counters
            .as_ref()
            .map_or(Counters::default(), |counters| *counters),
    };
    let finished = sink.finish(Some(&report));
    eprint!("{report}");
    for result in [outcome, finished] {
        match result {
            Err(error) if !is_closed(&error) => return Err(error),
            _ => {}
        }
    }
    counters.map(drop).map_err(Error::from)
}

/// Moves packets until the count is reached, a signal says stop, or the interface is gone.
fn pump(
    cli: &Cli,
    live: &mut Live,
    sink: &mut Sink<'_>,
    signals: &mut Signals,
) -> Result<(), Error> {
    let limit = cli.packets.unwrap_or(u64::MAX);
    while sink.packets < limit {
        if live.wait(signals.descriptor())? == Event::Signal {
            match signals.take() {
                Request::Stop => return drain(live, sink, limit, Timestamp::now()),
                Request::Report => report(live, sink)?,
                Request::None => {}
            }
            continue;
        }
        if let Err(error) = deliver(live, sink, limit, None) {
            // The kernel reports the end of an interface before the packets that it had queued.
            if matches!(
                error,
                Error::Source(source::Error::WentDown(_) | source::Error::Disappeared(_))
            ) {
                drain(live, sink, limit, Timestamp::now())?;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Delivers what is queued, up to what came in before `end`.
fn drain(live: &mut Live, sink: &mut Sink<'_>, limit: u64, end: Timestamp) -> Result<(), Error> {
    while sink.packets < limit {
        if !deliver(live, sink, limit, Some(end))? {
            break;
        }
    }
    Ok(())
}

/// Delivers one batch and returns whether there may be more.
fn deliver(
    live: &mut Live,
    sink: &mut Sink<'_>,
    limit: u64,
    end: Option<Timestamp>,
) -> Result<bool, Error> {
    let count = live.receive(limit - sink.packets)?;
    for index in 0..count {
        let Some(frame) = live.frame(index) else {
            continue;
        };
        if end.is_some_and(|end| frame.time > end) {
            return Ok(false);
        }
        sink.packet(&frame)?;
    }
    Ok(count > 0)
}

/// Shows the counters in one line, as tcpdump does on a signal.
fn report(live: &mut Live, sink: &Sink<'_>) -> Result<(), Error> {
    let report = Report {
        captured: sink.packets,
        counters: live.counters()?,
    };
    let lines = report.to_string();
    eprintln!("rpsniff: {}", lines.lines().collect::<Vec<_>>().join(", "));
    Ok(())
}

/// `-d`.
fn dump(level: u8, program: &[Insn]) -> Result<(), Error> {
    let lines = |format: fn(&Insn) -> String| program.iter().map(format).collect::<String>();
    let text = match level {
        1 => disassemble::listing(program),
        2 => lines(|Insn { code, jt, jf, k }| format!("{{ {code:#x}, {jt}, {jf}, 0x{k:08x} }},\n")),
        _ => {
            let numbers = lines(|Insn { code, jt, jf, k }| format!("{code} {jt} {jf} {k}\n"));
            format!("{}\n{numbers}", program.len())
        }
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::Output)
}
