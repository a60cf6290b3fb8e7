// SPDX-License-Identifier: GPL-2.0

//! ICMPv6, with neighbour discovery and multicast listener discovery.

use super::{
    checksum::{self, Verdict},
    dns, hex,
    ip::{proto, Outer},
    listener::{self, Address},
    names::{self, Mac, Table, V6},
    put,
    view::{Truncated, View},
    Line, Printed,
};

const UNREACHABLE: u8 = 1;
const TOO_BIG: u8 = 2;
const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;
const ECHO: u8 = 128;
const ECHO_REPLY: u8 = 129;
const MLD_QUERY: u8 = 130;
const MLD_REPORT: u8 = 131;
const MLD_DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const MLDV2_REPORT: u8 = 143;

const TYPES: &Table = &[
    (1, "destination unreachable"),
    (2, "packet too big"),
    (3, "time exceeded in-transit"),
    (4, "parameter problem"),
    (128, "echo request"),
    (129, "echo reply"),
    (130, "multicast listener query"),
    (131, "multicast listener report"),
    (132, "multicast listener done"),
    (133, "router solicitation"),
    (134, "router advertisement"),
    (135, "neighbor solicitation"),
    (136, "neighbor advertisement"),
    (137, "redirect"),
    (138, "router renumbering"),
    (139, "node information query"),
    (140, "node information reply"),
    (141, "inverse neighbor solicitation"),
    (142, "inverse neighbor advertisement"),
    (143, "multicast listener report v2"),
    (144, "ha discovery request"),
    (145, "ha discovery reply"),
    (146, "mobile router solicitation"),
    (147, "mobile router advertisement"),
    (155, "RPL"),
    (200, "mtrace response"),
    (201, "mtrace message"),
];

/// Where the packet that an error message quotes begins, and fields of its header.
const QUOTED: usize = 8;
const QUOTED_NEXT: usize = QUOTED + 6;
const QUOTED_SOURCE: usize = QUOTED + 8;
const QUOTED_DESTINATION: usize = QUOTED + 24;
const QUOTED_PAYLOAD: usize = QUOTED + 40;

fn address(view: &View<'_>, at: usize) -> Result<V6, Truncated> {
    V6::read(view, at)
}

/// An ICMPv6 message.
pub fn print(line: &mut Line<'_>, view: View<'_>, outer: &Outer) -> Printed {
    line.protocol = "icmp6";
    let len = view.len();
    if len == 0 {
        line.out.push_str("ICMP6, length 0");
        line.invalid();
        return Ok(());
    }
    let verbose = line.style.verbose > 0;
    if verbose && !outer.fragmented {
        if let Ok(message) = view.slice(0, len) {
            let field = view.u16(2)?;
            let (source, destination) = (outer.source, outer.destination);
            match checksum::transport(source, destination, proto::ICMPV6, message, field) {
                Verdict::Correct => line.out.push_str("[icmp6 sum ok] "),
                Verdict::ShouldBe(right) => {
                    put!(line, "[bad icmp6 cksum 0x{field:04x} -> 0x{right:04x}!] ");
                }
            }
        }
    }
    let kind = view.u8(0)?;
    match names::find(TYPES, kind) {
        Some(name) => put!(line, "ICMP6, {name}"),
        None => put!(line, "ICMP6, unknown icmp6 type ({kind})"),
    }
    // Those whose options follow on lines of their own have the length in front of them.
    if verbose && (ROUTER_SOLICITATION..=REDIRECT).contains(&kind) {
        put!(line, ", length {len}");
    }
    let code = view.u8(1)?;
    match kind {
        UNREACHABLE => {
            if !unreachable(line, &view, code)? {
                hex::plain(line.out, view.bytes());
                return Ok(());
            }
        }
        TOO_BIG => put!(line, ", mtu {}", view.u32(4)?),
        TIME_EXCEEDED => match code {
            0 => put!(line, " for {}", address(&view, QUOTED_DESTINATION)?),
            1 => line.out.push_str(" (reassembly)"),
            _ => put!(line, ", unknown code ({code})"),
        },
        PARAMETER_PROBLEM => {
            address(&view, QUOTED_DESTINATION)?;
            let octet = view.u32(4)?;
            match code {
                0 => put!(line, ", erroneous - octet {octet}"),
                1 => put!(line, ", next header - octet {octet}"),
                2 => put!(line, ", option - octet {octet}"),
                3 => put!(line, ", incomplete header chain - octet {octet}"),
                _ => put!(line, ", code-#{code}"),
            }
        }
        ECHO | ECHO_REPLY => put!(line, ", id {}, seq {}", view.u16(4)?, view.u16(6)?),
        MLD_QUERY if len == 24 => mld(line, &view)?,
        MLD_QUERY if len >= 28 => {
            line.out.push_str(" v2");
            mldv2_query(line, &view)?;
        }
        MLD_QUERY => put!(line, " unknown-version (len {len}) "),
        MLD_REPORT | MLD_DONE => mld(line, &view)?,
        MLDV2_REPORT => mldv2_report(line, &view)?,
        ROUTER_SOLICITATION if verbose => options(line, &view, 8)?,
        ROUTER_ADVERTISEMENT if verbose => {
            router_advertisement(line, &view)?;
            options(line, &view, 16)?;
        }
        ROUTER_SOLICITATION | ROUTER_ADVERTISEMENT => {}
        NEIGHBOR_SOLICITATION => {
            put!(line, ", who has {}", address(&view, 8)?);
            if verbose {
                options(line, &view, 24)?;
            }
        }
        NEIGHBOR_ADVERTISEMENT => {
            put!(line, ", tgt is {}", address(&view, 8)?);
            if verbose {
                const FLAGS: &Table = &[
                    (0x8000_0000, "router"),
                    (0x4000_0000, "solicited"),
                    (0x2000_0000, "override"),
                ];
                let flags = names::flags(FLAGS, view.u32(4)?, ", ", "none");
                put!(line, ", Flags [{flags}]");
                options(line, &view, 24)?;
            }
        }
        REDIRECT => {
            put!(line, ", {} to {}", address(&view, 24)?, address(&view, 8)?);
            if verbose {
                options(line, &view, 40)?;
            }
        }
        _ => {
            put!(line, ", length {len}");
            if line.style.verbose <= 1 {
                hex::plain(line.out, view.bytes());
            }
            return Ok(());
        }
    }
    if !verbose {
        put!(line, ", length {len}");
    }
    Ok(())
}

/// Returns false for a code without a meaning.
fn unreachable(line: &mut Line<'_>, view: &View<'_>, code: u8) -> Result<bool, Truncated> {
    let name = match code {
        0 => "unreachable route",
        1 => " unreachable prohibited",
        2 => "beyond scope",
        3 => "unreachable address",
        4 => "unreachable port",
        _ => {
            put!(line, ", unknown unreach code ({code})");
            return Ok(line.style.verbose > 1);
        }
    };
    put!(line, ", {name}");
    match code {
        2 => put!(
            line,
            " {}, source address {}",
            address(view, QUOTED_DESTINATION)?,
            address(view, QUOTED_SOURCE)?
        ),
        4 => {
            let (protocol, at) = transport(view)?;
            let port = view.u16(at + 2)?;
            let target = address(view, QUOTED_DESTINATION)?;
            let name = if protocol == proto::TCP { "tcp" } else { "udp" };
            put!(line, ", {target} {name} port {port}");
        }
        _ => put!(line, " {}", address(view, QUOTED_DESTINATION)?),
    }
    Ok(true)
}

/// Where TCP or UDP begins in the quoted packet.
fn transport(view: &View<'_>) -> Result<(u8, usize), Truncated> {
    const HOP_BY_HOP: u8 = libc::IPPROTO_HOPOPTS as u8;
    const DESTINATION: u8 = libc::IPPROTO_DSTOPTS as u8;
    const ROUTING: u8 = libc::IPPROTO_ROUTING as u8;
    const FRAGMENT: u8 = libc::IPPROTO_FRAGMENT as u8;
    let mut next = view.u8(QUOTED_NEXT)?;
    let mut at = QUOTED_PAYLOAD;
    loop {
        let header = at;
        at += match next {
            proto::TCP | proto::UDP => return Ok((next, at)),
            HOP_BY_HOP | DESTINATION | ROUTING => (usize::from(view.u8(at + 1)?) + 1) * 8,
            FRAGMENT if view.u16(at + 2)? & 0xfff8 == 0 => 8,
            _ => return Err(Truncated),
        };
        next = view.u8(header)?;
    }
}

fn mld(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let Ok(group) = address(view, 8) else {
        return Ok(());
    };
    put!(line, "max resp delay: {} addr: {group}", view.u16(4)?);
    Ok(())
}

fn mldv2_query(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let verbose = line.style.verbose > 0;
    if verbose {
        let code = view.u16(4)?;
        let delay = if code < 0x8000 {
            u32::from(code)
        } else {
            u32::from(code & 0x0fff | 0x1000) << (((code >> 12) & 7) + 3)
        };
        put!(line, " [max resp delay={delay}]");
    }
    put!(line, " [gaddr {}", address(view, 8)?);
    if verbose {
        let flags = view.u8(24)?;
        if flags & 8 != 0 {
            line.out.push_str(" sflag");
        }
        if flags & 7 != 0 {
            put!(line, " robustness={}", flags & 7);
        }
        put!(line, " qqi={}", listener::time(view.u8(25)?));
    }
    listener::query_sources::<V6>(line, view, 26)?;
    line.out.push(']');
    Ok(())
}

fn mldv2_report(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    let len = view.len();
    if len < 8 {
        put!(line, " [invalid len {len}]");
        return Ok(());
    }
    listener::report::<V6>(line, view, 2)
}

fn preference(flags: u8) -> &'static str {
    match (flags >> 3) & 3 {
        0 => "medium",
        1 => "high",
        2 => "rsv",
        _ => "low",
    }
}

fn router_advertisement(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    const FLAGS: &Table = &[
        (0x80, "managed"),
        (0x40, "other stateful"),
        (0x20, "home agent"),
        (0x02, "ipv6 only"),
    ];
    let flags = view.u8(5)?;
    put!(
        line,
        "\n\thop limit {}, Flags [{}], pref {}, router lifetime {}s, reachable time {}ms, \
         retrans timer {}ms",
        view.u8(4)?,
        names::flags(FLAGS, flags, ", ", "none"),
        preference(flags),
        view.u16(6)?,
        view.u32(8)?,
        view.u32(12)?
    );
    Ok(())
}

/// A time in seconds, or for ever.
fn lifetime(seconds: u32) -> String {
    if seconds == u32::MAX {
        "infinity".to_owned()
    } else {
        format!("{seconds}s")
    }
}

/// The options of a neighbour discovery message, which begin at `at`.
fn options(line: &mut Line<'_>, view: &View<'_>, at: usize) -> Printed {
    const OPTIONS: &Table = &[
        (1, "source link-address"),
        (2, "destination link-address"),
        (3, "prefix info"),
        (4, "redirected header"),
        (5, "mtu"),
        (7, "advertisement interval"),
        (8, "homeagent information"),
        (24, "route info"),
        (25, "rdnss"),
        (31, "dnssl"),
    ];
    let mut rest = view.skip(at);
    while !rest.bytes().is_empty() {
        let units = rest.u8(1)?;
        let kind = rest.u8(0)?;
        let len = usize::from(units) * 8;
        if len == 0 {
            return Err(Truncated);
        }
        let option = View::new(rest.slice(0, len)?, len);
        put!(
            line,
            "\n\t  {} option ({kind}), length {len} ({units}): ",
            names::find(OPTIONS, kind).unwrap_or("unknown")
        );
        match kind {
            1 | 2 => put!(line, "{}", Mac(option.skip(2).bytes())),
            3 => prefix(line, &option)?,
            5 => {
                put!(line, " {}", option.u32(4)?);
                if units != 1 {
                    line.out.push_str("bad option length");
                }
            }
            7 => put!(line, " {}ms", option.u32(4)?),
            8 => put!(
                line,
                " preference {}, lifetime {}",
                option.u16(4)?,
                option.u16(6)?
            ),
            24 => route(line, &option)?,
            25 => {
                put!(line, " lifetime {}s,", option.u32(4)?);
                for index in 0..usize::from((units - 1) / 2) {
                    put!(line, " addr: {}", address(&option, 8 + index * 16)?);
                }
            }
            31 => {
                put!(line, " lifetime {}s, domain(s):", option.u32(4)?);
                let mut at = 8;
                while option.u8(at).is_ok_and(|first| first != 0) {
                    line.out.push(' ');
                    at = dns::put_name(line, &option, at)?;
                }
            }
            _ => {
                hex::indented(line.out, "\n\t    ", option.skip(2).bytes());
            }
        }
        rest = rest.skip(len);
    }
    Ok(())
}

fn prefix(line: &mut Line<'_>, option: &View<'_>) -> Printed {
    const FLAGS: &Table = &[(0x80, "onlink"), (0x40, "auto"), (0x20, "router")];
    put!(
        line,
        "{}/{}{}, Flags [{}], valid time {}, pref. time {}",
        address(option, 16)?,
        option.u8(2)?,
        if option.len() == 32 { "" } else { "badlen" },
        names::flags(FLAGS, option.u8(3)?, ", ", "none"),
        lifetime(option.u32(4)?),
        lifetime(option.u32(8)?)
    );
    Ok(())
}

fn route(line: &mut Line<'_>, option: &View<'_>) -> Printed {
    // The prefix is as long as the option has room for.
    let mut octets = [0; 16];
    let bytes = option.skip(8).bytes();
    octets
        .get_mut(..bytes.len())
        .ok_or(Truncated)?
        .copy_from_slice(bytes);
    put!(
        line,
        " {}/{}, pref={}, lifetime={}",
        V6(octets.into()),
        option.u8(2)?,
        preference(option.u8(3)?),
        lifetime(option.u32(4)?)
    );
    Ok(())
}
