// SPDX-License-Identifier: GPL-2.0

//! Packets as lines of text, in tcpdump's form.
//!
//! Each protocol has a module with a function that writes what it understands of a [`View`] and
//! hands the rest to the next. One that runs into the end of the captured bytes returns
//! [`Truncated`], and the line ends with the protocol's name in `[|...]`.

use std::fmt::Write as _;

use crate::{
    cli::{Cli, MAX_SNAPLEN},
    frame::Frame,
    interfaces::Names,
    link::Link,
};

pub mod arp;
pub mod checksum;
pub mod clock;
pub mod cooked;
pub mod dns;
pub mod ethernet;
pub mod hex;
pub mod icmp;
pub mod icmp6;
pub mod igmp;
pub mod ip;
pub mod ip6;
pub mod listener;
pub mod llc;
pub mod names;
pub mod tcp;
pub mod udp;
pub mod view;

use clock::{Clock, Format};
use view::{Truncated, View};

/// What a printer function returns.
pub type Printed = Result<(), Truncated>;

/// How packets are shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// `-e`: the link-layer header.
    pub ether: bool,
    /// `-q`, by number.
    pub quiet: u8,
    /// `-v`, by number.
    pub verbose: u8,
    /// `-t`.
    pub time: Format,
    /// `--nano`.
    pub nanoseconds: bool,
    /// `-#`.
    pub number: bool,
    /// `-S`.
    pub absolute_seq: bool,
    /// `-K`.
    pub trust_checksums: bool,
    /// `-x`, by number.
    pub hex: u8,
    /// `-X`, by number.
    pub hex_ascii: u8,
    /// `-A`, by number.
    pub ascii: u8,
}

impl From<&Cli> for Style {
    fn from(cli: &Cli) -> Self {
        Self {
            ether: cli.ether,
            quiet: cli.quick,
            verbose: cli.verbose,
            time: Format::from_count(cli.time),
            nanoseconds: cli.nano,
            number: cli.number,
            absolute_seq: cli.absolute_tcp_sequence_numbers,
            trust_checksums: cli.dont_verify_checksums,
            hex: cli.hex,
            hex_ascii: cli.hex_ascii,
            ascii: cli.ascii,
        }
    }
}

impl Style {
    /// Whether a packet that has no printer is left without its bytes: they are shown anyway, or
    /// little is wanted.
    fn omits_unknown(&self) -> bool {
        self.hex > 0 || self.hex_ascii > 0 || self.quiet > 0
    }
}

/// Prints packets, and remembers what later lines depend on.
pub struct Printer {
    style: Style,
    clock: Clock,
    interfaces: Names,
    flows: tcp::Flows,
    packets: u64,
}

/// The line that is being written.
pub struct Line<'a> {
    /// How it is written.
    pub style: Style,
    /// The text so far.
    pub out: &'a mut String,
    /// The protocol that is being decoded, for the mark of a truncated packet.
    pub protocol: &'static str,
    /// Bytes of the link-layer header.
    pub link_header: usize,
    /// Names of interfaces.
    pub interfaces: &'a mut Names,
    /// The TCP conversations of the packets so far.
    pub flows: &'a mut tcp::Flows,
}

/// Adds formatted text to a [`Line`].
macro_rules! put {
    ($line:expr, $($args:tt)*) => {{
        // Writing to a string cannot fail.
        let _ = ::std::fmt::Write::write_fmt($line.out, ::std::format_args!($($args)*));
    }};
}
pub(crate) use put;

impl Line<'_> {
    /// The mark of something that the protocol does not allow.
    pub fn invalid(&mut self) {
        self.out.push_str(" (invalid)");
    }

    /// The mark of a packet that ends too early.
    pub fn truncated(&mut self) {
        put!(self, " [|{}]", self.protocol);
    }

    /// A packet that has no printer, in hex and ASCII, unless they are omitted.
    pub fn unknown(&mut self, view: &View<'_>) {
        if !self.style.omits_unknown() {
            hex::with_ascii(self.out, view.bytes());
        }
    }
}

impl Printer {
    /// A printer that has seen nothing.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            clock: Clock::new(style.time, style.nanoseconds),
            interfaces: Names::default(),
            flows: tcp::Flows::default(),
            packets: 0,
        }
    }

    /// Adds the line, or lines, for `frame` to `out`.
    pub fn print(&mut self, link: Link, frame: &Frame<'_>, out: &mut String) {
        self.packets += 1;
        if self.style.number {
            let _ = write!(out, "{:5}  ", self.packets);
        }
        if let Some(problems) = problems(frame) {
            let _ = writeln!(out, "[Invalid header: {problems}]");
            return;
        }
        self.clock.print(frame.time, out);
        let mut line = Line {
            style: self.style,
            out,
            protocol: "",
            link_header: 0,
            interfaces: &mut self.interfaces,
            flows: &mut self.flows,
        };
        let view = View::new(frame.data, frame.wire_len as usize);
        if link_layer(&mut line, link, view).is_err() {
            line.truncated();
            line.link_header = 0;
        }
        let header = line.link_header;
        let payload = frame.data.get(header..).unwrap_or_default();
        let bytes = |count: u8| if count > 1 { frame.data } else { payload };
        let style = self.style;
        if style.hex_ascii > 0 {
            hex::with_ascii(out, bytes(style.hex_ascii));
        } else if style.hex > 0 {
            hex::plain(out, bytes(style.hex));
        } else if style.ascii > 0 && !bytes(style.ascii).is_empty() {
            hex::ascii(out, bytes(style.ascii));
        }
        out.push('\n');
    }
}

/// What is wrong with the lengths of a record, which a damaged file can have.
fn problems(frame: &Frame<'_>) -> Option<String> {
    let (captured, length) = (frame.data.len(), frame.wire_len as usize);
    let most = MAX_SNAPLEN as usize;
    let problems: Vec<String> = [
        (captured == 0).then(|| "caplen==0".to_owned()),
        (length == 0).then(|| "len==0".to_owned()),
        (length != 0 && length < captured).then(|| format!("len({length}) < caplen({captured})")),
        (captured > most).then(|| format!("caplen({captured}) > {most}")),
        (length > most).then(|| format!("len({length}) > {most}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!problems.is_empty()).then(|| problems.join(", "))
}

fn link_layer(line: &mut Line<'_>, link: Link, view: View<'_>) -> Printed {
    match link {
        Link::Ethernet => ethernet::print(line, view),
        Link::Raw | Link::Ipv4 | Link::Ipv6 => cooked::print_raw(line, view),
        Link::LinuxSll => cooked::print_v1(line, view),
        Link::LinuxSll2 => cooked::print_v2(line, view),
        Link::Null => cooked::print_null(line, view, u32::from_le_bytes),
        Link::Loop => cooked::print_null(line, view, u32::from_be_bytes),
        Link::Other(_) => {
            line.unknown(&view);
            Ok(())
        }
    }
}
