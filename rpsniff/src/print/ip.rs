// SPDX-License-Identifier: GPL-2.0

//! IPv4, and what an IP protocol number stands for.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{Ipv4Header, Ipv4HeaderSlice};

use super::{
    checksum::{self, Verdict},
    icmp, icmp6, igmp, ip6,
    names::{self, Table, IP_PROTOCOLS},
    put, tcp, udp,
    view::{Truncated, View},
    Line, Printed,
};

/// Numbers of the protocols that are printed.
#[allow(missing_docs, reason = "the names say it all")]
pub mod proto {
    pub const ICMP: u8 = libc::IPPROTO_ICMP as u8;
    pub const IGMP: u8 = libc::IPPROTO_IGMP as u8;
    pub const IPIP: u8 = libc::IPPROTO_IPIP as u8;
    pub const TCP: u8 = libc::IPPROTO_TCP as u8;
    pub const UDP: u8 = libc::IPPROTO_UDP as u8;
    pub const DCCP: u8 = libc::IPPROTO_DCCP as u8;
    pub const IPV6: u8 = libc::IPPROTO_IPV6 as u8;
    pub const ICMPV6: u8 = libc::IPPROTO_ICMPV6 as u8;
    pub const NONE: u8 = libc::IPPROTO_NONE as u8;
    pub const SCTP: u8 = libc::IPPROTO_SCTP as u8;
}

/// The network layer around a transport segment.
#[derive(Clone, Copy)]
pub struct Outer {
    /// Source.
    pub source: IpAddr,
    /// Destination, the last one if the packet is routed through others.
    pub destination: IpAddr,
    /// Whether the addresses are on the line already, so that only ports are missing.
    pub addressed: bool,
    /// Whether the segment is part of a datagram.
    pub fragmented: bool,
}

/// Bytes of a header without options.
const MIN_LEN: usize = Ipv4Header::MIN_LEN;

/// Whether the printer of the protocol writes the addresses itself, with the ports.
pub fn writes_addresses(protocol: u8) -> bool {
    matches!(
        protocol,
        proto::TCP | proto::UDP | proto::SCTP | proto::DCCP
    )
}

/// The bits of a fragment's place in the field that they share with the flags.
const OFFSET: u16 = 0x1fff;

const FLAGS: &Table = &[(0x2000, "+"), (0x4000, "DF"), (0x8000, "rsvd")];

/// An IPv4 packet.
pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "ip";
    if !line.style.ether {
        line.out.push_str("IP ");
    }
    if view.len() < MIN_LEN {
        put!(line, " [length {} < {}]", view.len(), MIN_LEN);
        line.invalid();
        return Ok(());
    }
    let first = view.u8(0)?;
    if first >> 4 != 4 {
        put!(line, " [version {} != 4]", first >> 4);
        line.invalid();
        return Ok(());
    }
    let header_len = usize::from(first & 0xf) * 4;
    if header_len < MIN_LEN {
        put!(line, " [header length {header_len} < {}]", MIN_LEN);
        line.invalid();
        return Ok(());
    }
    let total = usize::from(view.u16(2)?);
    if total > view.len() {
        put!(line, "[total length {total} > length {}]", view.len());
        line.invalid();
        line.out.push(' ');
    }
    // A packet that the card is to cut into segments passes with a length of 0.
    let is_tso = total == 0;
    if !is_tso && total < header_len {
        put!(line, " [total length {total} < {header_len}]");
        line.invalid();
        return Ok(());
    }
    let fixed = view.array::<MIN_LEN>(0)?;
    let view = if is_tso { view } else { view.limit(total) };
    let len = if is_tso { view.len() } else { total };
    let Ok(header) = Ipv4HeaderSlice::from_slice(view.bytes()) else {
        return cut_header(line, &fixed, &view, header_len);
    };
    let source = header.source_addr();
    let destination = header.destination_addr();
    let protocol = header.protocol().0;
    let flags = view.u16(6)?;
    if line.style.verbose > 0 {
        put_details(line, &header, flags, view.len(), is_tso);
        line.out.push_str("\n    ");
    }
    let offset = header.fragments_offset().value();
    if offset != 0 {
        if line.style.quiet <= 1 {
            put!(line, "{source} > {destination}: ip-proto-{protocol}");
        }
        return Ok(());
    }
    if !writes_addresses(protocol) {
        put!(line, "{source} > {destination}: ");
    }
    let mut payload = view.skip(header_len);
    payload = View::new(payload.bytes(), len - header_len);
    let outer = Outer {
        source: source.into(),
        destination: destination.into(),
        addressed: false,
        fragmented: header.more_fragments(),
    };
    transport(line, protocol, payload, &outer)
}

/// A packet whose options were not captured.
fn cut_header(
    line: &mut Line<'_>,
    fixed: &[u8; MIN_LEN],
    view: &View<'_>,
    header_len: usize,
) -> Printed {
    let [_, _, _, _, _, _, _, _, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
    let source = Ipv4Addr::new(s0, s1, s2, s3);
    let destination = Ipv4Addr::new(d0, d1, d2, d3);
    if view.u16(6)? & OFFSET != 0 {
        put!(line, "{source} > {destination}: ip-proto-{protocol}");
        return Ok(());
    }
    if !writes_addresses(protocol) {
        put!(line, "{source} > {destination}: ");
    }
    put!(
        line,
        " [remaining caplen({}) < header length({header_len})]",
        view.bytes().len()
    );
    Err(Truncated)
}

/// `-v`.
fn put_details(
    line: &mut Line<'_>,
    header: &Ipv4HeaderSlice<'_>,
    flags: u16,
    length: usize,
    is_tso: bool,
) {
    let ecn = header.ecn().value();
    let tos = (header.dcp().value() << 2) | ecn;
    put!(line, "(tos 0x{tos:x}");
    line.out.push_str(match ecn {
        1 => ",ECT(1)",
        2 => ",ECT(0)",
        3 => ",CE",
        _ => "",
    });
    if header.ttl() > 0 {
        put!(line, ", ttl {}", header.ttl());
    }
    let protocol = header.protocol().0;
    put!(
        line,
        ", id {}, offset {}, flags [{}], proto {} ({protocol})",
        header.identification(),
        header.fragments_offset().byte_offset(),
        names::flags(FLAGS, flags & 0xe000, ", ", "none"),
        names::find(IP_PROTOCOLS, protocol).unwrap_or("unknown")
    );
    if is_tso {
        put!(line, ", length {length} [was 0, presumed TSO]");
    } else {
        put!(line, ", length {}", header.total_len());
    }
    if !header.options().is_empty() {
        line.out.push_str(", options (");
        put_options(line, View::new(header.options(), header.options().len()));
        line.out.push(')');
    }
    if !line.style.trust_checksums {
        let field = header.header_checksum();
        if let Verdict::ShouldBe(right) = checksum::plain(header.slice(), field) {
            put!(line, ", bad cksum {field:x} (->{right:x})!");
        }
    }
    line.out.push(')');
}

const OPTIONS: &Table = &[
    (0, "EOL"),
    (1, "NOP"),
    (7, "RR"),
    (68, "timestamp"),
    (130, "security"),
    (131, "LSRR"),
    (137, "SSRR"),
    (148, "RA"),
];

fn put_options(line: &mut Line<'_>, options: View<'_>) {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const ROUTES: [u8; 3] = [7, 131, 137];
    const ROUTER_ALERT: u8 = 148;
    let mut rest = options;
    let mut separator = "";
    while let Ok(kind) = rest.u8(0) {
        line.out.push_str(separator);
        separator = ",";
        match names::find(OPTIONS, kind) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "unknown {kind}"),
        }
        if kind == END {
            return;
        }
        let len = if kind == NOP {
            1
        } else {
            let len = usize::from(rest.u8(1).unwrap_or(0));
            if len < 2 || len > rest.len() {
                put!(line, " [bad length {len}]");
                return;
            }
            len
        };
        let option = rest.limit(len);
        if ROUTES.contains(&kind) {
            put_route(line, &option);
        } else if kind == ROUTER_ALERT {
            match option.u16(2) {
                Ok(0) => {}
                Ok(value) => put!(line, " value {value}"),
                Err(Truncated) => put!(line, " [bad length {len}]"),
            }
        }
        rest = rest.skip(len);
    }
}

fn put_route(line: &mut Line<'_>, option: &View<'_>) {
    let len = option.len();
    let Ok(pointer) = option.u8(2) else {
        put!(line, " [bad length {len}]");
        return;
    };
    if (len + 1) % 4 != 0 {
        put!(line, " [bad length {len}]");
    }
    let at = pointer.wrapping_sub(1);
    if at < 3 || (at + 1) % 4 != 0 || usize::from(at) > len + 1 {
        put!(line, " [bad ptr {pointer}]");
    }
    for start in (3..len).step_by(4) {
        let Ok(address) = option.array::<4>(start) else {
            return;
        };
        put!(line, " {}", Ipv4Addr::from(address));
        if usize::from(at) > start {
            line.out.push(',');
        }
    }
}

/// What follows an IP protocol number.
pub fn transport(line: &mut Line<'_>, protocol: u8, view: View<'_>, outer: &Outer) -> Printed {
    let is_v4 = outer.source.is_ipv4();
    match (protocol, is_v4) {
        (proto::TCP, _) => tcp::print(line, view, outer),
        (proto::UDP, _) => udp::print(line, view, outer),
        (proto::ICMP, true) => icmp::print(line, view, outer),
        (proto::ICMPV6, false) => icmp6::print(line, view, outer),
        (proto::IGMP, true) => igmp::print(line, view),
        (proto::ICMP | proto::IGMP, false) | (proto::ICMPV6, true) => {
            put!(
                line,
                "[{} requires {}]",
                names::find(IP_PROTOCOLS, protocol).unwrap_or("unknown"),
                if is_v4 { "IPv6" } else { "IPv4" }
            );
            line.invalid();
            Ok(())
        }
        (proto::IPIP, _) => print(line, view),
        (proto::IPV6, _) => ip6::print(line, view),
        (proto::NONE, _) => {
            line.out.push_str("no next header");
            Ok(())
        }
        _ => {
            if writes_addresses(protocol) && !outer.addressed {
                put!(
                    line,
                    "{} > {}: ",
                    names::Address(outer.source),
                    names::Address(outer.destination)
                );
            }
            put!(line, " ip-proto-{protocol} {}", view.len());
            Ok(())
        }
    }
}
