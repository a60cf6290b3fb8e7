// SPDX-License-Identifier: GPL-2.0

//! A network namespace for each test, and captures in it that do not outlive the test.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use pcap_parser::{parse_pcapng, Block};
use tempfile::TempDir;

use crate::{common, inject::Injector};

const INSIDE: &str = "RPSNIFF_TEST_NAMESPACE";

pub fn ip(arguments: &str) -> bool {
    Command::new("ip")
        .args(arguments.split(' '))
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether an interface is in the operational state that comes after the carrier.
fn is_up(interface: &str) -> bool {
    let output = Command::new("ip")
        .args(["-o", "link", "show", "dev", interface])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).contains(" state UP ")
}

/// Runs `body` in a network namespace with lo up, and a pair of interfaces, ra and rb, up.
pub fn in_namespace(name: &str, body: impl FnOnce(&Bench)) {
    if env::var_os(INSIDE).is_some() {
        // Without IPv6 nothing but the test sends.
        let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        assert!(ip("link set lo up"));
        assert!(ip(
            "link add name ra address 02:00:00:00:00:01 type veth peer name rb"
        ));
        assert!(ip("link set rb address 02:00:00:00:00:02"));
        assert!(ip("link set ra up") && ip("link set rb up"));
        // Before the kernel has noticed the carrier, what is sent is dropped without a word.
        let deadline = Instant::now() + Duration::from_secs(40);
        while !["ra", "rb"].into_iter().all(is_up) {
            assert!(Instant::now() < deadline, "the pair does not come up");
            thread::sleep(Duration::from_millis(10));
        }
        // The state is shown just before the queue works, under the RTNL mutex, which this takes.
        assert!(ip("link set ra up") && ip("link set rb up"));
        let directory = tempfile::tempdir().unwrap();
        body(&Bench { directory });
        return;
    }
    let namespace = |command: &mut Command| {
        let output = command.env(INSIDE, "1").output();
        let text = output.as_ref().map_or_else(ToString::to_string, |output| {
            String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
        });
        (output.is_ok_and(|output| output.status.success()), text)
    };
    let mut probe = Command::new("unshare");
    probe.args([
        "-n", "ip", "link", "add", "name", "ra", "type", "veth", "peer", "name", "rb",
    ]);
    let (works, why) = namespace(&mut probe);
    if !works {
        skip(&format!(
            "no network namespace with a veth pair can be made: {}",
            why.trim()
        ));
        return;
    }
    // A capture that does not end shall not hold up the others: it goes with its whole group.
    let mut again = Command::new("timeout");
    again
        .args(["--signal=KILL", "120", "unshare", "-n"])
        .arg(env::current_exe().unwrap());
    let (passed, text) = namespace(again.args([name, "--exact", "--nocapture"]));
    for line in text.lines().filter(|line| line.starts_with("SKIPPED")) {
        let _ = writeln!(io::stderr(), "{line}");
    }
    assert!(passed, "{text}");
}

/// Says why a test, or a part of it, is left out, past what catches the output of tests.
pub fn skip(why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}

pub struct Bench {
    pub directory: TempDir,
}

/// A process that does not outlive its test, even if that fails.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A capture that is running, and what it has said so far.
pub struct Capture {
    pub child: Process,
    pub heading: String,
    pub errors: BufReader<ChildStderr>,
}

pub struct Finished {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Bench {
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let family = env::var("RPSNIFF_FAMILY").unwrap_or_else(|_| "packet".to_owned());
        // Under nohup(1), which the tests may have been started with, SIGHUP would be ignored.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_rpsniff")])
            .args(["--family", &family])
            .args(arguments)
            .current_dir(self.directory.path())
            .env("TZ", "UTC")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a capture and waits until it listens.
    pub fn start(&self, arguments: &[&str]) -> Capture {
        let mut child = Process(self.command(arguments).spawn().unwrap());
        let mut errors = BufReader::new(child.0.stderr.take().unwrap());
        let mut heading = String::new();
        errors.read_line(&mut heading).unwrap();
        assert!(heading.starts_with("rpsniff: listening on "), "{heading}");
        Capture {
            child,
            heading,
            errors,
        }
    }

    /// Runs a capture that ends by itself.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let output = self.command(arguments).output().unwrap();
        Finished {
            status: output.status,
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Capture {
    pub fn signal(&self, name: &str) {
        let pid = self.child.0.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(status.success());
    }

    pub fn finish(mut self) -> Finished {
        let mut stdout = self.child.0.stdout.take().unwrap();
        let reader = thread::spawn(move || {
            let mut out = String::new();
            stdout.read_to_string(&mut out).unwrap();
            out
        });
        let mut err = String::new();
        self.errors.read_to_string(&mut err).unwrap();
        Finished {
            status: self.child.0.wait().unwrap(),
            out: reader.join().unwrap(),
            err,
        }
    }

    pub fn stop(self) -> Finished {
        self.signal("-INT");
        self.finish()
    }
}

impl Finished {
    pub fn assert_counts(&self, captured: usize, received: usize, dropped: usize) {
        let line = |number: usize, what: &str| {
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} packet{plural} {what}\n")
        };
        let expected = line(captured, "captured")
            + &line(received, "received by filter")
            + &line(dropped, "dropped by kernel");
        assert!(self.err.contains(&expected), "{}", self.err);
    }
}

/// The packets of a file, and whether it ends with statistics.
pub fn read(path: &Path) -> (Vec<(u64, usize, Vec<u8>)>, bool) {
    let file = fs::read(path).unwrap();
    let (rest, capture) = parse_pcapng(&file).expect("a whole file");
    assert!(rest.is_empty());
    let mut packets = Vec::new();
    let mut complete = false;
    for block in capture.sections.iter().flat_map(|section| &section.blocks) {
        complete = matches!(block, Block::InterfaceStatistics(_));
        if let Block::EnhancedPacket(packet) = block {
            let time = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
            let data = packet.data[..packet.caplen as usize].to_vec();
            packets.push((time, packet.origlen as usize, data));
        }
    }
    (packets, complete)
}

pub fn bytes(path: &Path) -> Vec<Vec<u8>> {
    read(path).0.into_iter().map(|packet| packet.2).collect()
}

pub fn numbered(count: u16) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| common::udp4(1000, 2000, &number.to_be_bytes()))
        .collect()
}

pub fn send_all(interface: &str, frames: &[Vec<u8>]) {
    let injector = Injector::new(interface);
    frames.iter().for_each(|frame| injector.send(frame));
    wait_until_handed_out();
}

/// Waits until the kernel has handed out what virtual devices have received. Usually that happens before
/// the sender's call returns; a busy machine leaves it to a kernel thread.
fn wait_until_handed_out() {
    // The twelfth column is how many packets wait on that processor.
    let waits = |line: &str| {
        line.split_whitespace()
            .nth(11)
            .is_some_and(|n| n != "00000000")
    };
    for _ in 0..200 {
        let table = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
        if !table.lines().any(waits) {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    // What was last taken from there may be on its way to the socket.
    thread::sleep(Duration::from_millis(10));
}
