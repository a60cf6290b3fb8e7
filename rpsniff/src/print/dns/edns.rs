// SPDX-License-Identifier: GPL-2.0

//! The options of an OPT record (RFC 6891).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    super::{
        names::{self, Hex, Table, V6},
        put,
        view::{Truncated, View},
        Line, Printed,
    },
    put_name,
};

const OPTIONS: &Table = &[
    (1, "LLQ"),
    (2, "UL"),
    (3, "NSID"),
    (5, "DAU"),
    (6, "DHU"),
    (7, "N3U"),
    (8, "ECS"),
    (9, "EXPIRE"),
    (10, "COOKIE"),
    (11, "KEEPALIVE"),
    (12, "PADDING"),
    (13, "CHAIN"),
    (14, "KEY-TAG"),
    (16, "CLIENT-TAG"),
    (17, "SERVER-TAG"),
];

const CLIENT_SUBNET: u16 = 8;
const EXPIRE: u16 = 9;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const PADDING: u16 = 12;
const CHAIN: u16 = 13;
const KEY_TAG: u16 = 14;

/// The options from `start` to `end` of the message.
pub fn print(line: &mut Line<'_>, view: &View<'_>, start: usize, end: usize) -> Printed {
    if start == end {
        return Ok(());
    }
    line.out.push_str(" [");
    let mut at = start;
    while at < end {
        if at > start {
            line.out.push(',');
        }
        let code = view.u16(at)?;
        match names::find(OPTIONS, code) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "Opt{code}"),
        }
        let len = usize::from(view.u16(at + 2)?);
        let value = View::new(view.slice(at + 4, len)?, len);
        if len > 0 {
            line.out.push(' ');
            put_value(line, code, &value)?;
        }
        at += 4 + len;
    }
    line.out.push(']');
    Ok(())
}

fn put_value(line: &mut Line<'_>, code: u16, value: &View<'_>) -> Printed {
    let len = value.len();
    match (code, len) {
        (CLIENT_SUBNET, _) => {
            if !client_subnet(line, value)? {
                line.invalid();
            }
        }
        // A cookie of the client has 8 bytes, one of the server 8 to 32 more.
        (COOKIE, 8) => put!(line, "{}", Hex(value.bytes())),
        (COOKIE, 16..=40) => put!(
            line,
            "{} {}",
            Hex(value.slice(0, 8)?),
            Hex(value.skip(8).bytes())
        ),
        (KEEPALIVE, 2) => {
            let tenths = value.u16(0)?;
            put!(line, "{}.{} sec", tenths / 10, tenths % 10);
        }
        (EXPIRE, 4) => put!(line, "{} sec", value.u32(0)?),
        (PADDING, _) => put!(line, "({len})"),
        (KEY_TAG, _) if len % 2 == 0 => {
            let tags: Vec<String> = (0..len)
                .step_by(2)
                .map(|at| value.u16(at).map(|tag| tag.to_string()))
                .collect::<Result<_, Truncated>>()?;
            line.out.push_str(&tags.join(" "));
        }
        (COOKIE | KEEPALIVE | EXPIRE | KEY_TAG, _) => line.invalid(),
        (CHAIN, _) => {
            put_name(line, value, 0)?;
        }
        _ => put!(line, "{}", Hex(value.bytes())),
    }
    Ok(())
}

/// RFC 7871. Returns false if the option cannot be.
fn client_subnet(line: &mut Line<'_>, value: &View<'_>) -> Result<bool, Truncated> {
    if value.len() < 4 {
        return Ok(false);
    }
    let (family, source, scope) = (value.u16(0)?, value.u8(2)?, value.u8(3)?);
    let bits = match family {
        1 => 32,
        2 => 128,
        _ => return Ok(false),
    };
    let address = value.skip(4).bytes();
    if source > bits || scope > bits || address.len() != usize::from(source).div_ceil(8) {
        return Ok(false);
    }
    // Bytes of the address that are all zero at the end are left out.
    let mut octets = [0; 16];
    if let Some(known) = octets.get_mut(..address.len()) {
        known.copy_from_slice(address);
    }
    let [a, b, c, d, ..] = octets;
    if family == 1 {
        put!(line, "{}", Ipv4Addr::new(a, b, c, d));
    } else {
        put!(line, "{}", V6(Ipv6Addr::from(octets)));
    }
    put!(line, "/{source}/{scope}");
    Ok(true)
}
