// SPDX-License-Identifier: GPL-2.0

//! Lines are those of tcpdump, byte by byte, for each protocol that has a printer.
//!
//! The expected text is committed. Where tcpdump of the version that it was made with is installed,
//! the same files are given to it as well, and the committed text itself is checked; to make it
//! anew, run the tests with `RPSNIFF_BLESS=1` on such a machine.

#![allow(missing_docs)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use pcap_file::DataLink;

mod common;

const TCPDUMP: &str = "tcpdump version 4.99.5";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn run(program: &str, options: &[&str], file: &Path) -> String {
    let output: Output = Command::new(program)
        .args(options)
        .arg("-r")
        .arg(file)
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {options:?}: {errors}");
    String::from_utf8(output.stdout).expect("ASCII")
}

fn has_tcpdump() -> bool {
    Command::new("tcpdump")
        .arg("--version")
        .output()
        .is_ok_and(|output| {
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).contains(TCPDUMP)
        })
}

/// Compares with `tests/data/<golden>`, and that with tcpdump.
fn check(golden: &str, options: &[&str], link: DataLink, frames: &[Vec<u8>], snaplen: usize) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("frames.pcap");
    common::write_pcap(&file, link, frames, snaplen);
    let ours = run(env!("CARGO_BIN_EXE_rpsniff"), options, &file);
    if has_tcpdump() {
        let theirs = run("tcpdump", &[&["-nn"], options].concat(), &file);
        if env::var_os("RPSNIFF_BLESS").is_some() {
            fs::create_dir_all(data("")).unwrap();
            fs::write(data(golden), &theirs).unwrap();
        }
        compare("tcpdump", &theirs, &ours);
    } else {
        eprintln!("{TCPDUMP} is not here: comparing with the committed text only");
    }
    let committed = fs::read_to_string(data(golden)).expect(golden);
    compare(golden, &committed, &ours);
}

fn compare(name: &str, expected: &str, ours: &str) {
    for (number, (expected, ours)) in expected.lines().zip(ours.lines()).enumerate() {
        assert_eq!(ours, expected, "line {} differs from {name}", number + 1);
    }
    assert_eq!(ours.lines().count(), expected.lines().count(), "{name}");
}

fn ethernet(golden: &str, options: &[&str]) {
    check(
        golden,
        options,
        DataLink::ETHERNET,
        &common::corpus(),
        262_144,
    );
}

#[test]
fn plain_lines() {
    ethernet("plain.txt", &[]);
}

#[test]
fn summaries() {
    // With -v tcpdump goes on with what these say.
    let frames = common::summary_frames();
    check(
        "summaries.txt",
        &["-t"],
        DataLink::ETHERNET,
        &frames,
        262_144,
    );
    check(
        "summaries-quick.txt",
        &["-t", "-q"],
        DataLink::ETHERNET,
        &frames,
        262_144,
    );
    check(
        "summaries-cut.txt",
        &["-t"],
        DataLink::ETHERNET,
        &frames,
        60,
    );
}

#[test]
fn with_the_link_layer_header() {
    ethernet("link-layer.txt", &["-e", "-t"]);
}

#[test]
fn verbose() {
    ethernet("verbose.txt", &["-v", "-t"]);
}

#[test]
fn quick() {
    ethernet("quick.txt", &["-q", "-t"]);
}

#[test]
fn quick_with_the_link_layer_header() {
    ethernet("quick-link-layer.txt", &["-q", "-e", "-t"]);
}

#[test]
fn absolute_sequence_numbers() {
    ethernet("absolute.txt", &["-S", "-t", "tcp"]);
}

#[test]
fn time_stamps_and_numbers() {
    ethernet("seconds.txt", &["-tt", "udp"]);
    ethernet("since-previous.txt", &["-ttt", "--nano", "udp"]);
    ethernet("date.txt", &["-tttt", "-#", "udp"]);
    ethernet("since-first.txt", &["-ttttt", "udp"]);
}

#[test]
fn bytes() {
    ethernet("hex.txt", &["-t", "-x", "arp or tcp"]);
    ethernet("hex-link-layer.txt", &["-t", "-xx", "arp or tcp"]);
    ethernet("ascii.txt", &["-t", "-X", "vlan or tcp"]);
    ethernet("ascii-link-layer.txt", &["-t", "-XX", "vlan or tcp"]);
    ethernet("text.txt", &["-t", "-A", "tcp"]);
}

#[test]
fn filters_on_files() {
    ethernet("filtered.txt", &["-t", "-e", "vlan and udp port 2000"]);
    ethernet("counted.txt", &["-t", "-c", "3", "icmp"]);
}

#[test]
fn cut_packets() {
    for snaplen in [14, 20, 34, 40, 54, 60, 80] {
        check(
            &format!("cut-{snaplen}.txt"),
            &["-t"],
            DataLink::ETHERNET,
            &common::corpus(),
            snaplen,
        );
    }
}

#[test]
fn other_link_types() {
    let packets: Vec<Vec<u8>> = common::corpus()
        .into_iter()
        .filter(|frame| frame.len() > 34 && matches!(frame[12..14], [8, 0] | [0x86, 0xdd]))
        .collect();
    let raw: Vec<Vec<u8>> = packets.iter().map(|frame| frame[14..].to_vec()).collect();
    check("raw.txt", &["-t"], DataLink::RAW, &raw, 262_144);
    let sll: Vec<Vec<u8>> = packets
        .iter()
        .enumerate()
        .map(|(index, frame)| {
            let header = [0, index as u8 % 5, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
            [&header[..], &frame[12..]].concat()
        })
        .collect();
    check("sll.txt", &["-t"], DataLink::LINUX_SLL, &sll, 262_144);
    check(
        "sll-link-layer.txt",
        &["-t", "-e"],
        DataLink::LINUX_SLL,
        &sll,
        262_144,
    );
    let null: Vec<Vec<u8>> = packets
        .iter()
        .map(|frame| {
            let family = if frame[12] == 8 { 2 } else { 30 };
            [&[family, 0, 0, 0][..], &frame[14..]].concat()
        })
        .collect();
    check("null.txt", &["-t"], DataLink::NULL, &null, 262_144);
}
