// SPDX-License-Identifier: GPL-2.0

//! The program as its user meets it: options, files, exit codes, messages.

#![allow(missing_docs)]

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use pcap_file::DataLink;
use tempfile::TempDir;

mod common;

struct Files {
    directory: TempDir,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = Self { directory };
        common::write_pcap(
            &files.path("corpus.pcap"),
            DataLink::ETHERNET,
            &common::corpus(),
            262_144,
        );
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn rpsniff(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpsniff"));
    command.args(arguments).env("TZ", "UTC");
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = rpsniff(arguments).output().unwrap();
    (
        status.code().expect("no signal"),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn help_and_version_go_to_standard_output() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!(
        (code, out.as_str()),
        (0, concat!("rpsniff ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    for flag in ["-h", "--help"] {
        let (code, out, err) = run(&[flag]);
        assert_eq!((code, err.as_str()), (0, ""));
        for option in [
            "-i",
            "-c",
            "-w",
            "-r",
            "-s",
            "-e",
            "-x",
            "-U",
            "--family",
            "Exit status",
        ] {
            assert!(out.contains(option), "{flag}: {option}");
        }
    }
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [
        &["--no-such-option"][..],
        &["-c", "0"],
        &["-s", "262145"],
        &["--family", "inet"],
        &["--family", "rpacket:46"],
        &["-Q", "up"],
        &["-r", "file", "-i", "lo"],
        &["--count"],
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.starts_with("error: "), "{err}");
    }
}

#[test]
fn errors_exit_with_1_and_say_what_is_wrong() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let corpus = corpus.to_str().unwrap();
    let garbage = files.path("garbage");
    fs::write(&garbage, b"this is no capture file").unwrap();
    let nowhere = "/no/such/directory/file";
    for (arguments, message) in [
        (&["-r", nowhere][..], "No such file"),
        (
            &["-r", garbage.to_str().unwrap()],
            "garbage: unknown file format",
        ),
        (&["-r", corpus, "udp and"], "syntax error"),
        (&["-r", corpus, "port", "nonsense"], "nonsense"),
        (&["-r", corpus, "-w", nowhere], nowhere),
        (&["-r", corpus, "-F", nowhere], nowhere),
        (&["-r", corpus, "inbound"], "inbound"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.contains(message), "{arguments:?}: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn what_is_read_is_not_overwritten() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let before = fs::read(&corpus).unwrap();
    let link = files.path("link");
    std::os::unix::fs::symlink(&corpus, &link).unwrap();
    for (input, output) in [(&corpus, &corpus), (&corpus, &link), (&link, &corpus)] {
        let (code, _, err) = run(&[
            "-r",
            input.to_str().unwrap(),
            "-w",
            output.to_str().unwrap(),
        ]);
        assert_eq!(code, 1);
        assert!(err.contains("is the file that is read"), "{err}");
        assert_eq!(fs::read(&corpus).unwrap(), before);
    }
    let mut from_stdin = rpsniff(&["-r", "-", "-w", corpus.to_str().unwrap()]);
    let status = from_stdin
        .stdin(fs::File::open(&corpus).unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(fs::read(&corpus).unwrap(), before);
}

#[test]
fn a_family_that_is_not_there_is_named_with_what_to_do() {
    // 45 is below AF_MAX; af_rpacket takes it only if somebody asked for that.
    let (code, _, err) = run(&["--family", "rpacket:13", "-i", "lo"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("family 13") && err.contains("af_rpacket.ko"),
        "{err}"
    );
}

#[test]
fn interfaces_are_listed_with_numbers_and_states() {
    let (code, out, err) = run(&["-D"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("lo ["), "{out}");
    for (number, line) in out.lines().enumerate() {
        assert!(line.starts_with(&format!("{}.", number + 1)), "{line}");
    }
    assert!(out.lines().last().unwrap().contains(".any ("), "{out}");
}

#[test]
fn the_count_is_exact() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let corpus = corpus.to_str().unwrap();
    for count in ["1", "7"] {
        let (code, out, _) = run(&["-r", corpus, "-t", "-c", count, "icmp6"]);
        assert_eq!(code, 0);
        assert_eq!(out.lines().count().to_string(), count);
    }
    let all = common::corpus().len();
    let (code, out, _) = run(&["-r", corpus, "--count"]);
    assert_eq!((code, out), (0, format!("{all} packets\n")));
    let (_, out, _) = run(&["-r", corpus, "--count", "icmp[0] = 42"]);
    assert_eq!(out, "1 packet\n");
}

#[test]
fn a_file_can_be_filtered_into_another() {
    let files = Files::new();
    let (corpus, tcp) = (files.path("corpus.pcap"), files.path("tcp.pcapng"));
    let (corpus, tcp) = (corpus.to_str().unwrap(), tcp.to_str().unwrap());
    let (code, out, _) = run(&["-r", corpus, "-w", tcp, "tcp"]);
    assert_eq!((code, out.as_str()), (0, ""));
    let direct = run(&["-r", corpus, "--nano", "tcp"]);
    let copied = run(&["-r", tcp, "--nano"]);
    assert!(!direct.1.is_empty());
    assert_eq!(direct.1, copied.1);
    // With --print both happen.
    let (_, out, _) = run(&["-r", corpus, "-w", tcp, "--print", "--nano", "tcp"]);
    assert_eq!(out, direct.1);
    // The expression may come from a file, and options may follow it.
    let expression = files.path("expression");
    fs::write(&expression, "tcp\n").unwrap();
    let (_, out, _) = run(&["-r", corpus, "-F", expression.to_str().unwrap(), "--nano"]);
    assert_eq!(out, direct.1);
    let (_, out, _) = run(&["tcp", "--nano", "-r", corpus]);
    assert_eq!(out, direct.1);
}

#[test]
fn packets_are_cut_to_the_snapshot_length() {
    let files = Files::new();
    let (corpus, cut) = (files.path("corpus.pcap"), files.path("cut.pcapng"));
    let (corpus, cut) = (corpus.to_str().unwrap(), cut.to_str().unwrap());
    run(&["-r", corpus, "-s", "34", "-w", cut, "tcp"]);
    let (_, out, _) = run(&["-r", cut, "-t"]);
    assert!(out.lines().all(|line| line.contains(" [|")), "{out}");
    assert!(out.lines().count() > 10);
}

#[test]
fn files_go_through_pipes() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let expected = run(&["-r", corpus.to_str().unwrap(), "--nano"]).1;
    let mut writer = rpsniff(&["-r", "-", "-w", "-", "-U"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut reader = rpsniff(&["-r", "-", "--nano"])
        .stdin(writer.stdout.take().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bytes = fs::read(&corpus).unwrap();
    writer.stdin.take().unwrap().write_all(&bytes).unwrap();
    let mut out = String::new();
    reader
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert!(writer.wait().unwrap().success());
    assert!(reader.wait().unwrap().success());
    assert_eq!(out, expected);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let mut child = rpsniff(&["-r", corpus.to_str().unwrap(), "-v", "-X", "-l"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn compiled_filters_are_shown_in_three_forms() {
    let files = Files::new();
    let corpus = files.path("corpus.pcap");
    let corpus = corpus.to_str().unwrap();
    let (code, out, _) = run(&["-r", corpus, "-d", "ip"]);
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "(000) ldh      [12]\n\
         (001) jeq      #0x800           jt 2\tjf 3\n\
         (002) ret      #65535\n\
         (003) ret      #0\n"
    );
    let (_, out, _) = run(&["-r", corpus, "-dd", "ip"]);
    assert_eq!(
        out,
        "{ 0x28, 0, 0, 0x0000000c },\n\
         { 0x15, 0, 1, 0x00000800 },\n\
         { 0x6, 0, 0, 0x0000ffff },\n\
         { 0x6, 0, 0, 0x00000000 },\n"
    );
    let (_, out, _) = run(&["-r", corpus, "-ddd", "ip"]);
    assert_eq!(out, "4\n40 0 0 12\n21 0 1 2048\n6 0 0 65535\n6 0 0 0\n");
}

#[test]
fn link_types_without_a_printer_can_only_be_copied() {
    let files = Files::new();
    let (usb, copy) = (files.path("usb.pcap"), files.path("copy.pcapng"));
    common::write_pcap(&usb, DataLink::USB_LINUX, &[vec![7; 60]], 262_144);
    let (usb, copy) = (usb.to_str().unwrap(), copy.to_str().unwrap());
    let (code, out, err) = run(&["-r", usb]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("use -w"), "{err}");
    assert_eq!(run(&["-r", usb, "-w", copy]).0, 0);
    let (code, out, _) = run(&["-r", copy, "--count"]);
    assert_eq!((code, out.as_str()), (0, "1 packet\n"));
}
