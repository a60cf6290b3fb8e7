// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum};

use crate::{family::Family, filter::Direction};

/// The largest packet that is kept, as in tcpdump (`MAXIMUM_SNAPLEN`).
pub const MAX_SNAPLEN: u32 = 262_144;

/// Prints or saves the packets that pass an interface.
///
/// Packets are captured through the socket family of af_rpacket.ko, or with `--family packet`
/// through the kernel's own. Options and output are those of tcpdump where it has them; addresses
/// and ports are always shown as numbers.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// Listen on this interface, or on all of them if it is `any`
    ///
    /// Without this option the first interface that is up is taken, the loopback last.
    #[arg(short = 'i', long, value_name = "INTERFACE", conflicts_with = "read")]
    pub interface: Option<String>,

    /// Socket family: rpacket, rpacket:NUMBER or packet
    ///
    /// Without a NUMBER, rpacket is 25, which the module takes if it is not told another one.
    #[arg(long, value_name = "FAMILY", default_value = "rpacket")]
    pub family: Family,

    /// List the interfaces and exit
    #[arg(short = 'D', long)]
    pub list_interfaces: bool,

    /// Exit after this many packets
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub packets: Option<u64>,

    /// Print only the number of packets in the file that is read
    #[arg(long, requires = "read", conflicts_with = "write")]
    pub count: bool,

    /// Keep this many bytes of each packet; 0 stands for 262144
    #[arg(
        short = 's',
        long = "snapshot-length",
        value_name = "SNAPLEN",
        default_value_t = MAX_SNAPLEN,
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_SNAPLEN)),
        hide_default_value = true
    )]
    snaplen: u32,

    /// Do not put the interface into promiscuous mode
    #[arg(short = 'p', long)]
    pub no_promiscuous_mode: bool,

    /// Capture packets of this direction only
    #[arg(short = 'Q', long, value_name = "DIRECTION", default_value = "inout")]
    pub direction: Way,

    /// Size of the socket's receive buffer in KiB
    #[arg(
        short = 'B',
        long,
        value_name = "KIB",
        value_parser = clap::value_parser!(u32).range(1..=1_048_576)
    )]
    pub buffer_size: Option<u32>,

    /// Save the packets to this pcapng file instead of printing them; `-` is standard output
    #[arg(short = 'w', value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Print the packets even if they are saved
    #[arg(long)]
    pub print: bool,

    /// Hand each packet to the file, or each line to the output, as soon as it is there
    #[arg(short = 'U', long)]
    pub packet_buffered: bool,

    /// Hand each line to the output as soon as it is there
    #[arg(short = 'l')]
    pub line_buffered: bool,

    /// Read packets from this pcap or pcapng file; `-` is standard input
    #[arg(short = 'r', value_name = "FILE")]
    pub read: Option<String>,

    /// Read the filter expression from this file
    #[arg(short = 'F', value_name = "FILE", conflicts_with = "expression")]
    pub filter_file: Option<PathBuf>,

    /// Print the compiled filter and exit: -dd as a C array, -ddd as decimal numbers
    #[arg(short = 'd', action = ArgAction::Count)]
    pub dump: u8,

    /// Do not optimize the filter
    #[arg(short = 'O', long)]
    pub no_optimize: bool,

    /// Print the link-layer header
    #[arg(short = 'e')]
    pub ether: bool,

    /// Do not look up names; this is always so
    #[arg(short = 'n', action = ArgAction::Count)]
    pub numeric: u8,

    /// Print less of each packet
    #[arg(short = 'q', long, action = ArgAction::Count)]
    pub quick: u8,

    /// Print more of each packet; twice for more
    #[arg(short = 'v', action = ArgAction::Count)]
    pub verbose: u8,

    /// -t no time, -tt seconds since 1970, -ttt since the last packet, -tttt with the date,
    /// -ttttt since the first packet
    #[arg(short = 't', action = ArgAction::Count)]
    pub time: u8,

    /// Print time stamps with nanoseconds
    #[arg(long)]
    pub nano: bool,

    /// Print the number of each packet
    #[arg(short = '#', long)]
    pub number: bool,

    /// Print absolute TCP sequence numbers
    #[arg(short = 'S', long)]
    pub absolute_tcp_sequence_numbers: bool,

    /// Do not verify checksums
    #[arg(short = 'K', long)]
    pub dont_verify_checksums: bool,

    /// Print the bytes in hex; -xx with the link-layer header
    #[arg(short = 'x', action = ArgAction::Count)]
    pub hex: u8,

    /// Print the bytes in hex and ASCII; -XX with the link-layer header
    #[arg(short = 'X', action = ArgAction::Count)]
    pub hex_ascii: u8,

    /// Print the bytes in ASCII; -AA with the link-layer header
    #[arg(short = 'A', action = ArgAction::Count)]
    pub ascii: u8,

    /// Which packets to take, in the language of pcap-filter(7)
    #[arg(value_name = "EXPRESSION")]
    expression: Vec<String>,
}

const AFTER_HELP: &str = "\
SIGINT (Ctrl-C), SIGTERM and SIGHUP end a capture: the file is complete and the counters are
printed. SIGUSR1 prints the counters and goes on.

Exit status: 0 if all went well, 1 on an error, 2 if the command line is wrong.";

/// A direction, by its name on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// Received packets.
    In,
    /// Sent packets.
    Out,
    /// Both.
    Inout,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::In => Self::In,
            Way::Out => Self::Out,
            Way::Inout => Self::Both,
        }
    }
}

impl Cli {
    /// Bytes that are kept of each packet.
    pub fn snaplen(&self) -> u32 {
        if self.snaplen == 0 {
            MAX_SNAPLEN
        } else {
            self.snaplen
        }
    }

    /// The words of the filter expression.
    pub fn expression(&self) -> String {
        self.expression.join(" ")
    }
}
