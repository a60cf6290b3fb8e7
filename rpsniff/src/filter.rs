// SPDX-License-Identifier: GPL-2.0

//! Filter expressions: compiled by libpcap, run by the kernel.
//!
//! libpcap is the reference for the language and compiles it here for a handle that is not open on
//! any device. What it does for a device of its own, fitting the program to where the kernel keeps
//! VLAN tags and cooked headers, is done by [`vlan`] and [`cooked`].

use thiserror::Error;

use crate::link::Link;

pub mod bpf;
pub mod cooked;
pub mod disassemble;
pub mod vlan;

use bpf::{extension, size, Assembler, Insn};

/// Why a filter cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// libpcap's message about the expression.
    #[error("{0}")]
    Expression(String),
    /// The program does not fit.
    #[error(transparent)]
    Program(#[from] bpf::Error),
    /// The expression cannot be moved to a frame whose tag was taken out.
    #[error(
        "this filter reads link-layer bytes at a computed offset, which cannot be combined with \
         `vlan` on a live interface: save with `vlan` alone and filter again with -r"
    )]
    VlanAccess,
    /// The expression cannot be moved to a packet without its cooked header.
    #[error(
        "this filter reads parts of the link-layer header that a capture on `any` does not have \
         in the kernel: name an interface with -i"
    )]
    CookedAccess,
}

/// Which packets a capture wants, by their way through the interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Direction {
    /// All.
    #[default]
    Both,
    /// Received ones.
    In,
    /// Sent ones.
    Out,
}

/// A compiled filter expression, for the bytes that a file has.
#[derive(Clone, Debug)]
pub struct Program {
    instructions: Vec<Insn>,
    mentions_vlan: bool,
}

impl Program {
    /// Compiles `expression` for `link`.
    ///
    /// # Errors
    ///
    /// [`Error::Expression`] with libpcap's message.
    pub fn compile(expression: &str, link: Link, optimize: bool) -> Result<Self, Error> {
        let expression_error = |error: pcap::Error| match error {
            pcap::Error::PcapError(text) => Error::Expression(text),
            other => Error::Expression(other.to_string()),
        };
        let program = pcap::Capture::dead(pcap::Linktype(link.dlt()))
            .and_then(|handle| handle.compile(expression, optimize))
            .map_err(expression_error)?;
        // The crate shows an instruction only as the line that `tcpdump -ddd` prints for it.
        let instructions = program
            .get_instructions()
            .iter()
            .map(|instruction| parse(&instruction.to_string()))
            .collect::<Option<Vec<_>>>()
            .ok_or(bpf::Error::Malformed)?;
        Ok(Self {
            instructions,
            mentions_vlan: vlan::is_mentioned(expression),
        })
    }

    /// The instructions as libpcap compiled them.
    pub fn instructions(&self) -> &[Insn] {
        &self.instructions
    }
}

fn parse(line: &str) -> Option<Insn> {
    let mut numbers = line.split(' ');
    let insn = Insn {
        code: numbers.next()?.parse().ok()?,
        jt: numbers.next()?.parse().ok()?,
        jf: numbers.next()?.parse().ok()?,
        k: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(insn)
}

/// What a socket is to deliver.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The filter expression, if there is one.
    pub program: Option<&'a Program>,
    /// What the frames begin with.
    pub link: Link,
    /// Bytes of each packet that are kept.
    pub snaplen: u32,
    /// The wanted direction.
    pub direction: Direction,
    /// Index of the loopback interface: its packets pass a packet socket twice, as sent and as
    /// received, and are shown once.
    pub loopback: Option<u32>,
}

/// The program for `SO_ATTACH_FILTER`.
///
/// # Errors
///
/// What [`vlan::relocate`] and [`cooked::relocate`] return, and the limits of the kernel.
pub fn for_socket(selection: &Selection<'_>) -> Result<Vec<Insn>, Error> {
    let mut assembler = Assembler::new();
    select_direction(&mut assembler, selection);
    match selection.program {
        None => assembler.plain(bpf::RET_K, selection.snaplen),
        Some(program) => {
            // libpcap returns the snapshot length of its handle for a match.
            let instructions: Vec<Insn> = program
                .instructions
                .iter()
                .map(|insn| match insn.code {
                    bpf::RET_K if insn.k != 0 => Insn {
                        k: selection.snaplen,
                        ..*insn
                    },
                    _ => *insn,
                })
                .collect();
            match selection.link {
                Link::Ethernet if program.mentions_vlan => {
                    vlan::relocate(&mut assembler, &instructions)?;
                }
                Link::LinuxSll2 => cooked::relocate(&mut assembler, &instructions)?,
                _ => assembler.program(&instructions, |assembler, insn| {
                    assembler.plain(insn.code, insn.k);
                    Ok::<(), Error>(())
                })?,
            }
        }
    }
    Ok(assembler.assemble()?)
}

/// Drops what goes the unwanted way, and the sent half of loopback traffic.
fn select_direction(assembler: &mut Assembler, selection: &Selection<'_>) {
    const SENT: u32 = libc::PACKET_OUTGOING as u32;
    let pkttype = extension(libc::SKF_AD_PKTTYPE);
    let ifindex = extension(libc::SKF_AD_IFINDEX);

    let drop = assembler.label();
    let take = assembler.label();
    let wanted = assembler.label();
    match (selection.direction, selection.loopback) {
        (Direction::Both, None) => return,
        (Direction::Both, Some(loopback)) => {
            assembler.plain(bpf::LD_ABS | size::W, ifindex);
            assembler.branch(bpf::JEQ_K, loopback, wanted, take);
            assembler.bind(wanted);
            assembler.plain(bpf::LD_ABS | size::W, pkttype);
            assembler.branch(bpf::JEQ_K, SENT, drop, take);
        }
        (Direction::In, _) => {
            assembler.plain(bpf::LD_ABS | size::W, pkttype);
            assembler.branch(bpf::JEQ_K, SENT, drop, take);
        }
        (Direction::Out, loopback) => {
            assembler.plain(bpf::LD_ABS | size::W, pkttype);
            assembler.branch(bpf::JEQ_K, SENT, wanted, drop);
            assembler.bind(wanted);
            match loopback {
                None => assembler.goto(take),
                Some(loopback) => {
                    assembler.plain(bpf::LD_ABS | size::W, ifindex);
                    assembler.branch(bpf::JEQ_K, loopback, drop, take);
                }
            }
        }
    }
    assembler.bind(drop);
    assembler.plain(bpf::RET_K, 0);
    assembler.bind(take);
}
