// SPDX-License-Identifier: GPL-2.0

//! ICMP.

use std::net::Ipv4Addr;

use super::{
    checksum::{self, Verdict},
    ip::{self, proto, Outer},
    names::{self, Table},
    put,
    view::{Truncated, View},
    Line, Printed,
};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const SOURCE_QUENCH: u8 = 4;
const REDIRECT: u8 = 5;
const ECHO: u8 = 8;
const ROUTER_ADVERTISEMENT: u8 = 9;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;
const TIMESTAMP: u8 = 13;
const TIMESTAMP_REPLY: u8 = 14;
const MASK_REPLY: u8 = 18;

const TYPES: &Table = &[
    (0, "echo reply"),
    (4, "source quench"),
    (8, "echo request"),
    (10, "router solicitation"),
    (13, "time stamp request"),
    (14, "time stamp reply"),
    (15, "information request"),
    (16, "information reply"),
    (17, "address mask request"),
];

/// Where the packet that an error message quotes begins, and fields of its header.
const QUOTED: usize = 8;
const QUOTED_PROTOCOL: usize = QUOTED + 9;
const QUOTED_DESTINATION: usize = QUOTED + 16;

fn address(view: &View<'_>, at: usize) -> Result<Ipv4Addr, Truncated> {
    view.array::<4>(at).map(Ipv4Addr::from)
}

/// An ICMP message.
pub fn print(line: &mut Line<'_>, view: View<'_>, outer: &Outer) -> Printed {
    line.protocol = "icmp";
    let text = describe(&view)?;
    put!(line, "ICMP {text}, length {}", view.len());
    if line.style.verbose == 0 {
        return Ok(());
    }
    if !outer.fragmented {
        if let Ok(message) = view.slice(0, view.len()) {
            let field = view.u16(2)?;
            if let Verdict::ShouldBe(right) = checksum::plain(message, field) {
                put!(line, " (wrong icmp cksum {field:x} (->{right:x})!)");
            }
        }
    }
    let is_error = matches!(
        view.u8(0)?,
        UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM
    );
    if is_error {
        line.out.push_str("\n\t");
        let quoted = view.skip(QUOTED);
        let len = quoted.u16(2)?.into();
        ip::print(line, View::new(quoted.bytes(), len))?;
    }
    Ok(())
}

fn describe(view: &View<'_>) -> Result<String, Truncated> {
    let kind = view.u8(0)?;
    let code = view.u8(1)?;
    Ok(match kind {
        ECHO | ECHO_REPLY => format!(
            "echo {}, id {}, seq {}",
            if kind == ECHO { "request" } else { "reply" },
            view.u16(4)?,
            view.u16(6)?
        ),
        UNREACHABLE => unreachable(view, code)?,
        REDIRECT => {
            let gateway = address(view, 4)?;
            let target = address(view, QUOTED_DESTINATION)?;
            match code {
                0 => format!("redirect {target} to net {gateway}"),
                1 => format!("redirect {target} to host {gateway}"),
                2 => format!("redirect-tos {target} to net {gateway}"),
                3 => format!("redirect-tos {target} to host {gateway}"),
                _ => format!("redirect-#{code} {target} to {gateway}"),
            }
        }
        ROUTER_ADVERTISEMENT => router_advertisement(view)?,
        TIME_EXCEEDED => {
            address(view, QUOTED_DESTINATION)?;
            match code {
                0 => "time exceeded in-transit".to_owned(),
                1 => "ip reassembly time exceeded".to_owned(),
                _ => format!("time exceeded-#{code}"),
            }
        }
        PARAMETER_PROBLEM if code != 0 => format!("parameter problem - code {code}"),
        PARAMETER_PROBLEM => format!("parameter problem - octet {}", view.u8(4)?),
        MASK_REPLY => format!("address mask is 0x{:08x}", view.u32(8)?),
        TIMESTAMP => format!("time stamp query id {} seq {}", view.u16(4)?, view.u16(6)?),
        TIMESTAMP_REPLY => format!(
            "time stamp reply id {} seq {}: org {}, recv {}, xmit {}",
            view.u16(4)?,
            view.u16(6)?,
            time(view.u32(8)?),
            time(view.u32(12)?),
            time(view.u32(16)?)
        ),
        _ => names::find(TYPES, kind).map_or_else(|| format!("type-#{kind}"), str::to_owned),
    })
}

/// Milliseconds since midnight.
fn time(milliseconds: u32) -> String {
    let seconds = milliseconds / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        milliseconds % 1000
    )
}

fn unreachable(view: &View<'_>, code: u8) -> Result<String, Truncated> {
    let target = address(view, QUOTED_DESTINATION)?;
    Ok(match code {
        0 => format!("net {target} unreachable"),
        1 => format!("host {target} unreachable"),
        2 => format!(
            "{target} protocol {} unreachable",
            view.u8(QUOTED_PROTOCOL)?
        ),
        3 => {
            let header_len = usize::from(view.u8(QUOTED)? & 0xf) * 4;
            let port = view.u16(QUOTED + header_len + 2)?;
            match view.u8(QUOTED_PROTOCOL)? {
                proto::TCP => format!("{target} tcp port {port} unreachable"),
                proto::UDP => format!("{target} udp port {port} unreachable"),
                protocol => format!("{target} protocol {protocol} port {port} unreachable"),
            }
        }
        4 => match view.u16(6)? {
            0 => format!("{target} unreachable - need to frag"),
            mtu => format!("{target} unreachable - need to frag (mtu {mtu})"),
        },
        5 => format!("{target} unreachable - source route failed"),
        6 => format!("net {target} unreachable - unknown"),
        7 => format!("host {target} unreachable - unknown"),
        8 => format!("{target} unreachable - source host isolated"),
        9 => format!("net {target} unreachable - admin prohibited"),
        10 => format!("host {target} unreachable - admin prohibited"),
        11 => format!("net {target} unreachable - tos prohibited"),
        12 => format!("host {target} unreachable - tos prohibited"),
        13 => format!("host {target} unreachable - admin prohibited filter"),
        14 => format!("host {target} unreachable - host precedence violation"),
        15 => format!("host {target} unreachable - precedence cutoff"),
        _ => format!("{target} unreachable - #{code}"),
    })
}

fn router_advertisement(view: &View<'_>) -> Result<String, Truncated> {
    use std::fmt::Write as _;

    let lifetime = view.u16(6)?;
    let mut text = "router advertisement lifetime ".to_owned();
    let (hours, minutes, seconds) = (lifetime / 3600, lifetime / 60 % 60, lifetime % 60);
    let _ = match lifetime {
        0..60 => write!(text, "{seconds}"),
        60..3600 => write!(text, "{minutes}:{seconds:02}"),
        _ => write!(text, "{hours}:{minutes:02}:{seconds:02}"),
    };
    let count = view.u8(4)?;
    let _ = write!(text, " {count}:");
    // Each entry has two words of 32 bits.
    let size = view.u8(5)?;
    if size != 2 {
        let _ = write!(text, " [size {size}]");
        return Ok(text);
    }
    for index in 0..usize::from(count) {
        let at = 8 + index * 8;
        let _ = write!(text, " {{{} {}}}", address(view, at)?, view.u32(at + 4)?);
    }
    Ok(text)
}
