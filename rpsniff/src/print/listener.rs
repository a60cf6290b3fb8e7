// SPDX-License-Identifier: GPL-2.0

//! What a host listens to: the parts that IGMPv3 and MLDv2 have in common but for their addresses.

use std::fmt::Display;
use std::net::Ipv4Addr;

use super::{
    names::{self, Table, V6},
    put,
    view::{Truncated, View},
    Line, Printed,
};

/// An address of a group or of a source.
pub trait Address: Display + Sized {
    /// Its length in bytes.
    const LEN: usize;

    /// The address at `at`.
    fn read(view: &View<'_>, at: usize) -> Result<Self, Truncated>;
}

impl Address for Ipv4Addr {
    const LEN: usize = 4;

    fn read(view: &View<'_>, at: usize) -> Result<Self, Truncated> {
        view.array::<4>(at).map(Self::from)
    }
}

impl Address for V6 {
    const LEN: usize = 16;

    fn read(view: &View<'_>, at: usize) -> Result<Self, Truncated> {
        view.array::<16>(at).map(|octets| V6(octets.into()))
    }
}

/// A time in one byte: above 127 a floating point number, three bits of exponent, four of mantissa.
pub fn time(code: u8) -> u32 {
    if code < 128 {
        u32::from(code)
    } else {
        u32::from(code & 0x0f | 0x10) << (((code >> 4) & 7) + 3)
    }
}

/// The sources of a query, whose count is at `at` and which follow it.
pub fn query_sources<A: Address>(line: &mut Line<'_>, view: &View<'_>, at: usize) -> Printed {
    let count = usize::from(view.u16(at)?);
    let first = at + 2;
    if count == 0 {
        return Ok(());
    }
    if view.len() < first + count * A::LEN {
        line.out.push_str(" [invalid number of sources]");
        return Ok(());
    }
    sources::<A>(line, view, first, count, line.style.verbose > 1)
}

/// The group records of a report. `version` is that of the protocol.
pub fn report<A: Address>(line: &mut Line<'_>, view: &View<'_>, version: u8) -> Printed {
    const RECORDS: &Table = &[
        (1, "is_in"),
        (2, "is_ex"),
        (3, "to_in"),
        (4, "to_ex"),
        (5, "allow"),
        (6, "block"),
    ];
    let groups = view.u16(6)?;
    put!(line, ", {groups} group record(s)");
    if line.style.verbose == 0 {
        return Ok(());
    }
    let len = view.len();
    let mut at = 8;
    for _ in 0..groups {
        let first = at + 4 + A::LEN;
        if len < first {
            line.out.push_str(" [invalid number of groups]");
            return Ok(());
        }
        put!(line, " [gaddr {}", A::read(view, at + 4)?);
        let kind = view.u8(at)?;
        match names::find(RECORDS, kind) {
            Some(name) => put!(line, " {name}"),
            None => put!(line, "  [v{version}-report-#{kind}]"),
        }
        let count = usize::from(view.u16(at + 2)?);
        at = first + count * A::LEN;
        if len < at {
            put!(line, " [invalid number of sources {count}]");
            return Ok(());
        }
        sources::<A>(line, view, first, count, line.style.verbose > 1)?;
        line.out.push(']');
    }
    Ok(())
}

/// The sources one by one, or how many they are.
fn sources<A: Address>(
    line: &mut Line<'_>,
    view: &View<'_>,
    first: usize,
    count: usize,
    each: bool,
) -> Printed {
    if !each {
        put!(line, ", {count} source(s)");
        return Ok(());
    }
    line.out.push_str(" {");
    for index in 0..count {
        put!(line, " {}", A::read(view, first + index * A::LEN)?);
    }
    line.out.push_str(" }");
    Ok(())
}
