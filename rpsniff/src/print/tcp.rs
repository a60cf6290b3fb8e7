// SPDX-License-Identifier: GPL-2.0

//! TCP.

use std::{collections::HashMap, net::IpAddr};

use etherparse::TcpHeader;

use super::{
    checksum::{self, Verdict},
    dns,
    ip::{proto, Outer},
    names::{self, Address, Hex, Table, Text},
    put,
    view::{Truncated, View},
    Line, Printed,
};

/// Bytes of a header without options.
const MIN_LEN: usize = TcpHeader::MIN_LEN;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

const FLAGS: &Table = &[
    (0x01, "F"),
    (0x02, "S"),
    (0x04, "R"),
    (0x08, "P"),
    (0x10, "."),
    (0x20, "U"),
    (0x40, "E"),
    (0x80, "W"),
];

/// Conversations that are remembered for relative sequence numbers.
///
/// Their number is bounded: a flood of spoofed segments must not fill the memory. When the bound
/// is reached all are forgotten, and numbers begin anew.
#[derive(Default)]
pub struct Flows {
    map: HashMap<Ends, Start>,
}

/// More conversations than this are not remembered.
const MOST_FLOWS: usize = 1 << 18;

/// Both ends of a conversation, the one with the lower port, or else address, first.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Ends {
    low: (u16, IpAddr),
    high: (u16, IpAddr),
}

/// The sequence numbers that a conversation began with, that of the lower end first.
#[derive(Clone, Copy)]
struct Start {
    low: u32,
    high: u32,
}

/// Sequence numbers as they are shown.
#[derive(Clone, Copy)]
struct Shown {
    seq: u32,
    ack: u32,
    /// What the other end's numbers count from.
    other: u32,
}

impl Flows {
    /// Makes the numbers of a segment that acknowledges relative, or remembers a new conversation
    /// and leaves them as they are.
    fn relate(
        &mut self,
        source: (u16, IpAddr),
        target: (u16, IpAddr),
        shown: Shown,
        syn: bool,
    ) -> Shown {
        let reversed = source.0 > target.0 || source.0 == target.0 && source.1 > target.1;
        let ends = if reversed {
            Ends {
                low: target,
                high: source,
            }
        } else {
            Ends {
                low: source,
                high: target,
            }
        };
        let other = |start: Start| if reversed { start.low } else { start.high };
        match self.map.get(&ends) {
            Some(start) if !syn => {
                let own = if reversed { start.high } else { start.low };
                Shown {
                    seq: shown.seq.wrapping_sub(own),
                    ack: shown.ack.wrapping_sub(other(*start)),
                    other: other(*start),
                }
            }
            _ => {
                let acknowledged = shown.ack.wrapping_sub(1);
                let start = if reversed {
                    Start {
                        low: acknowledged,
                        high: shown.seq,
                    }
                } else {
                    Start {
                        low: shown.seq,
                        high: acknowledged,
                    }
                };
                if self.map.len() >= MOST_FLOWS {
                    self.map.clear();
                }
                self.map.insert(ends, start);
                Shown {
                    other: other(start),
                    ..shown
                }
            }
        }
    }
}

/// A TCP segment.
pub fn print(line: &mut Line<'_>, view: View<'_>, outer: &Outer) -> Printed {
    line.protocol = "tcp";
    let (source, target) = (Address(outer.source), Address(outer.destination));
    let (Ok(sport), Ok(dport)) = (view.u16(0), view.u16(2)) else {
        put!(line, "{source} > {target}:");
        return Err(Truncated);
    };
    if outer.addressed {
        put!(line, "{sport} > {dport}: ");
    } else {
        put!(line, "{source}.{sport} > {target}.{dport}: ");
    }
    let fixed = View::new(view.slice(0, MIN_LEN)?, view.len());
    let header_len = usize::from(fixed.u8(12)? >> 4) * 4;
    let len = view.len();
    if header_len < MIN_LEN {
        put!(
            line,
            " tcp {} [bad hdr length {header_len} - too short, < {}]",
            (len as u32).wrapping_sub(header_len as u32),
            MIN_LEN
        );
        return Ok(());
    }
    let is_long = header_len > len;
    if line.style.quiet > 0 {
        put!(line, "tcp {}", (len as u32).wrapping_sub(header_len as u32));
        if is_long {
            put!(line, " [bad hdr length {header_len} - too long, > {len}]");
        }
        return Ok(());
    }
    let flags = fixed.u8(13)?;
    put!(line, "Flags [{}]", names::flags(FLAGS, flags, "", "none"));
    let mut shown = Shown {
        seq: fixed.u32(4)?,
        ack: fixed.u32(8)?,
        other: 0,
    };
    if !line.style.absolute_seq && flags & ACK != 0 {
        shown = line.flows.relate(
            (sport, outer.source),
            (dport, outer.destination),
            shown,
            flags & SYN != 0,
        );
    }
    if is_long {
        put!(line, " [bad hdr length {header_len} - too long, > {len}]");
        return Ok(());
    }
    if line.style.verbose > 0 && !line.style.trust_checksums && !outer.fragmented {
        if let Ok(segment) = view.slice(0, len) {
            let field = fixed.u16(16)?;
            put!(line, ", cksum 0x{field:04x}");
            match checksum::transport(outer.source, outer.destination, proto::TCP, segment, field) {
                Verdict::Correct => line.out.push_str(" (correct)"),
                Verdict::ShouldBe(right) => put!(line, " (incorrect -> 0x{right:04x})"),
            }
        }
    }
    let data_len = len - header_len;
    if line.style.verbose > 1 || data_len > 0 || flags & (SYN | FIN | RST) != 0 {
        put!(line, ", seq {}", shown.seq);
        if data_len > 0 {
            put!(line, ":{}", shown.seq.wrapping_add(data_len as u32));
        }
    }
    if flags & ACK != 0 {
        put!(line, ", ack {}", shown.ack);
    }
    put!(line, ", win {}", fixed.u16(14)?);
    if flags & URG != 0 {
        put!(line, ", urg {}", fixed.u16(18)?);
    }
    if header_len > MIN_LEN {
        line.out.push_str(", options [");
        let options = view.limit(header_len).skip(MIN_LEN);
        let end = match put_options(line, options, shown.other)? {
            Options::Good => "]",
            Options::Bad { first: true } => "[bad opt]",
            Options::Bad { first: false } => "[bad opt]]",
            Options::Cut { first } => {
                line.truncated();
                if first {
                    ""
                } else {
                    ">"
                }
            }
        };
        line.out.push_str(end);
        if end != "]" {
            return Ok(());
        }
    }
    put!(line, ", length {data_len}");
    if data_len == 0 {
        return Ok(());
    }
    if view.bytes().len() < header_len {
        put!(
            line,
            " [remaining caplen({}) < header length({header_len})]",
            view.bytes().len()
        );
        return Err(Truncated);
    }
    let data = view.skip(header_len);
    if flags & RST != 0 && line.style.verbose > 0 {
        put_reset(line, &data);
    } else if sport == dns::PORT || dport == dns::PORT {
        dns::print_over_tcp(line, data)?;
    }
    Ok(())
}

/// The text that some systems put into a reset.
fn put_reset(line: &mut Line<'_>, data: &View<'_>) {
    const MOST: usize = 30;
    let complete = data.bytes().len() >= data.len();
    line.out.push_str(if complete { " [RST" } else { " [!RST" });
    if data.len() > MOST {
        line.out.push('+');
    }
    put!(line, " {}]", Text(data.limit(MOST).bytes()));
}

/// Whether all options could be read.
enum Options {
    Good,
    /// One has a length that cannot be; nothing is known about those behind it.
    Bad {
        first: bool,
    },
    /// The value of one was not captured.
    Cut {
        first: bool,
    },
}

const END: u8 = 0;
const NOP: u8 = 1;
const SACK: u8 = 5;
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;

const OPTIONS: &Table = &[
    (0, "eol"),
    (1, "nop"),
    (2, "mss"),
    (3, "wscale"),
    (4, "sackOK"),
    (5, "sack"),
    (6, "echo"),
    (7, "echoreply"),
    (8, "TS"),
    (11, "cc"),
    (12, "ccnew"),
    (13, "ccecho"),
    (19, "md5"),
    (20, "scps"),
    (28, "uto"),
    (29, "tcp-ao"),
    (30, "mptcp"),
    (34, "tfo"),
    (254, "exp"),
];

fn put_options(line: &mut Line<'_>, options: View<'_>, other: u32) -> Result<Options, Truncated> {
    let mut rest = options;
    let mut first = true;
    while !rest.is_empty() {
        if !first {
            line.out.push(',');
        }
        let kind = rest.u8(0)?;
        let (len, head) = if matches!(kind, END | NOP) {
            (1, 1)
        } else if rest.len() < 2 {
            return Ok(Options::Bad { first });
        } else {
            (usize::from(rest.u8(1)?), 2)
        };
        if len < head || len > rest.len() {
            return Ok(Options::Bad { first });
        }
        match names::find(OPTIONS, kind) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "unknown-{kind}"),
        }
        let value = rest.limit(len).skip(head);
        let used = match put_option(line, kind, value, other) {
            Ok(Some(used)) => used,
            Ok(None) => return Ok(Options::Bad { first }),
            Err(Truncated) => return Ok(Options::Cut { first }),
        };
        if used != value.len() {
            put!(line, "[len {len}]");
        }
        if kind == END {
            break;
        }
        rest = rest.skip(len);
        first = false;
    }
    Ok(Options::Good)
}

/// The value of an option. Returns how many bytes it took, or nothing if it is too short.
fn put_option(
    line: &mut Line<'_>,
    kind: u8,
    value: View<'_>,
    other: u32,
) -> Result<Option<usize>, Truncated> {
    // Bytes that the option's value has to have.
    let fixed = match kind {
        2 | 20 | 28 => 2,
        3 => 1,
        6 | 7 | 11 | 12 | 13 => 4,
        8 => 8,
        19 => 16,
        END | NOP | 4 => 0,
        _ => value.len(),
    };
    if fixed > value.len() {
        return Ok(None);
    }
    match kind {
        END | NOP | 4 => {}
        2 => put!(line, " {}", value.u16(0)?),
        3 => put!(line, " {}", value.u8(0)?),
        SACK => {
            if fixed % 8 != 0 {
                line.out.push_str(" invalid sack");
                return Ok(Some(fixed));
            }
            put!(line, " {} ", fixed / 8);
            for at in (0..fixed).step_by(8) {
                put!(
                    line,
                    "{{{}:{}}}",
                    value.u32(at)?.wrapping_sub(other),
                    value.u32(at + 4)?.wrapping_sub(other)
                );
            }
        }
        6 | 7 | 11 | 12 | 13 => put!(line, " {}", value.u32(0)?),
        8 => put!(line, " val {} ecr {}", value.u32(0)?, value.u32(4)?),
        // tcpdump's words for a signature that it has no secret to check with.
        19 => put!(
            line,
            " shared secret not supplied with -M, can't check - {}",
            Hex(value.slice(0, 16)?)
        ),
        20 => put!(line, " cap {:02x} id {}", value.u8(0)?, value.u8(1)?),
        28 => {
            let field = value.u16(0)?;
            // The lowest bit says minutes.
            let seconds = u32::from(field >> 1) * if field & 1 != 0 { 60 } else { 1 };
            put!(line, " 0x{field:x} {seconds}");
        }
        29 => {
            if fixed < 2 {
                line.invalid();
            } else {
                put!(line, " keyid {} rnextkeyid {}", value.u8(0)?, value.u8(1)?);
                if fixed > 2 {
                    put!(line, " mac 0x{}", Hex(value.slice(2, fixed - 2)?));
                }
            }
        }
        FAST_OPEN => {
            line.out.push(' ');
            put_fast_open(line, value)?;
        }
        EXPERIMENT => {
            if fixed < 2 {
                return Ok(None);
            }
            line.out.push('-');
            match value.u16(0)? {
                0xf989 => {
                    line.out.push_str("tfo");
                    put_fast_open(line, value.skip(2))?;
                }
                magic => put!(line, "{magic:04x}"),
            }
        }
        _ => {
            if fixed > 0 {
                put!(line, " 0x{}", Hex(value.slice(0, fixed)?));
            }
        }
    }
    Ok(Some(fixed))
}

fn put_fast_open(line: &mut Line<'_>, cookie: View<'_>) -> Printed {
    match cookie.len() {
        0 => line.out.push_str(" cookiereq"),
        len @ 4..=16 if len % 2 == 0 => put!(line, " cookie {}", Hex(cookie.slice(0, len)?)),
        _ => line.invalid(),
    }
    Ok(())
}
