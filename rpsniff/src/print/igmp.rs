// SPDX-License-Identifier: GPL-2.0

//! IGMP.

use std::net::Ipv4Addr;

use super::{
    checksum::{self, Verdict},
    names::{self, Table},
    put,
    view::{Truncated, View},
    Line, Printed,
};

/// What a group record of a version 3 report says, and one of an MLD report likewise.
pub const RECORDS: &Table = &[
    (1, "is_in"),
    (2, "is_ex"),
    (3, "to_in"),
    (4, "to_ex"),
    (5, "allow"),
    (6, "block"),
];

fn address(view: &View<'_>, at: usize) -> Result<Ipv4Addr, Truncated> {
    view.array::<4>(at).map(Ipv4Addr::from)
}

/// An IGMP message.
pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "igmp";
    if line.style.quiet > 0 {
        line.out.push_str("igmp");
        return Ok(());
    }
    let len = view.len();
    match view.u8(0)? {
        0x11 if len >= 12 => {
            line.out.push_str("igmp query v3");
            query_v3(line, &view)?;
        }
        0x11 => {
            line.out.push_str("igmp query");
            match view.u8(1)? {
                0 => line.out.push_str(" v1"),
                100 => line.out.push_str(" v2"),
                tenths => put!(line, " v2 [max resp time {tenths}]"),
            }
            let group = address(&view, 4)?;
            if !group.is_unspecified() {
                put!(line, " [gaddr {group}]");
            }
            if len != 8 {
                put!(line, " [len {len}]");
            }
        }
        0x12 => {
            put!(line, "igmp v1 report {}", address(&view, 4)?);
            if len != 8 {
                put!(line, " [len {len}]");
            }
        }
        0x16 => put!(line, "igmp v2 report {}", address(&view, 4)?),
        0x17 => put!(line, "igmp leave {}", address(&view, 4)?),
        0x22 => {
            line.out.push_str("igmp v3 report");
            report_v3(line, &view)?;
        }
        other => put!(line, "igmp-{other}"),
    }
    if line.style.verbose > 0 && len >= 4 {
        if let Ok(message) = view.slice(0, len) {
            let field = view.u16(2)?;
            if checksum::plain(message, field) != Verdict::Correct {
                put!(line, " bad igmp cksum {field:x}!");
            }
        }
    }
    Ok(())
}

fn query_v3(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let len = view.len();
    if len % 4 != 0 {
        put!(line, " [invalid len {len}]");
        return Ok(());
    }
    let code = view.u8(1)?;
    if code != 100 {
        // Above 127 the code is a floating point number: three bits of exponent, four of mantissa.
        let tenths = if code < 128 {
            u32::from(code)
        } else {
            u32::from(code & 0x0f | 0x10) << (((code >> 4) & 7) + 3)
        };
        if tenths < 600 {
            put!(line, " [max resp time {}.{}s]", tenths / 10, tenths % 10);
        } else {
            put!(line, " [max resp time {}]", Duration(tenths / 10));
        }
    }
    let group = address(view, 4)?;
    if group.is_unspecified() {
        return Ok(());
    }
    put!(line, " [gaddr {group}");
    let sources = usize::from(view.u16(10)?);
    if sources > 0 {
        if len < 12 + sources * 4 {
            line.out.push_str(" [invalid number of sources]");
        } else if line.style.verbose > 1 {
            put_sources(line, view, 12, sources)?;
        } else {
            put!(line, ", {sources} source(s)");
        }
    }
    line.out.push(']');
    Ok(())
}

fn report_v3(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let len = view.len();
    if len < 16 || len % 4 != 0 {
        put!(line, " [invalid len {len}]");
        return Ok(());
    }
    let groups = view.u16(6)?;
    put!(line, ", {groups} group record(s)");
    if line.style.verbose == 0 {
        return Ok(());
    }
    let mut at = 8;
    for _ in 0..groups {
        if len < at + 8 {
            line.out.push_str(" [invalid number of groups]");
            return Ok(());
        }
        put!(line, " [gaddr {}", address(view, at + 4)?);
        let kind = view.u8(at)?;
        match names::find(RECORDS, kind) {
            Some(name) => put!(line, " {name}"),
            None => put!(line, "  [v3-report-#{kind}]"),
        }
        let sources = usize::from(view.u16(at + 2)?);
        if len < at + 8 + sources * 4 {
            put!(line, " [invalid number of sources {sources}]");
            return Ok(());
        }
        if line.style.verbose == 1 {
            put!(line, ", {sources} source(s)");
        } else {
            put_sources(line, view, at + 8, sources)?;
        }
        line.out.push(']');
        at += 8 + sources * 4;
    }
    Ok(())
}

fn put_sources(line: &mut Line<'_>, view: &View<'_>, at: usize, count: usize) -> Printed {
    line.out.push_str(" {");
    for index in 0..count {
        put!(line, " {}", address(view, at + index * 4)?);
    }
    line.out.push_str(" }");
    Ok(())
}

/// Seconds in the form `1h30m`.
pub struct Duration(pub u32);

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(u32, char); 6] = [
            (31_536_000, 'y'),
            (604_800, 'w'),
            (86_400, 'd'),
            (3_600, 'h'),
            (60, 'm'),
            (1, 's'),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, letter) in UNITS {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}
