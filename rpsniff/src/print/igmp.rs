// SPDX-License-Identifier: GPL-2.0

//! IGMP.

use std::net::Ipv4Addr;

use super::{
    checksum::{self, Verdict},
    listener::{self, Address},
    put,
    view::{Truncated, View},
    Line, Printed,
};

fn address(view: &View<'_>, at: usize) -> Result<Ipv4Addr, Truncated> {
    Ipv4Addr::read(view, at)
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
        let tenths = listener::time(code);
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
    listener::query_sources::<Ipv4Addr>(line, view, 10)?;
    line.out.push(']');
    Ok(())
}

fn report_v3(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let len = view.len();
    if len < 16 || len % 4 != 0 {
        put!(line, " [invalid len {len}]");
        return Ok(());
    }
    listener::report::<Ipv4Addr>(line, view, 3)
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
