// SPDX-License-Identifier: GPL-2.0

//! UDP.

use etherparse::UdpHeader;

use super::{
    checksum::{self, Verdict},
    dns,
    ip::{proto, Outer},
    names::{Address, Mac},
    put,
    view::{Truncated, View},
    Line, Printed,
};

const DHCP_PORTS: [u16; 2] = [67, 68];
const NTP_PORT: u16 = 123;

/// A UDP datagram.
pub fn print(line: &mut Line<'_>, view: View<'_>, outer: &Outer) -> Printed {
    line.protocol = "udp";
    let (source, target) = (Address(outer.source), Address(outer.destination));
    let (Ok(sport), Ok(dport)) = (view.u16(0), view.u16(2)) else {
        if !outer.addressed {
            put!(line, "{source} > {target}: ");
        }
        return Err(Truncated);
    };
    if outer.addressed {
        put!(line, "{sport} > {dport}: ");
    } else {
        put!(line, "{source}.{sport} > {target}.{dport}: ");
    }
    if view.len() < UdpHeader::LEN {
        put!(line, "truncated-udp {}", view.len());
        return Ok(());
    }
    let stated = match usize::from(view.u16(4)?) {
        // A jumbo datagram.
        0 if view.len() > usize::from(u16::MAX) => view.len(),
        stated => stated,
    };
    let Some(stated) = stated.checked_sub(UdpHeader::LEN) else {
        put!(line, "truncated-udplength {stated}");
        return Ok(());
    };
    view.slice(0, UdpHeader::LEN)?;
    let payload = view.skip(UdpHeader::LEN).limit(stated);
    if !outer.fragmented && !line.style.trust_checksums {
        put_checksum(line, &view, payload.len(), outer)?;
    }
    if line.style.quiet == 0 {
        if sport == dns::PORT || dport == dns::PORT {
            return dns::print(line, payload, dns::Kind::Unicast);
        }
        if sport == dns::MULTICAST_PORT || dport == dns::MULTICAST_PORT {
            return dns::print(line, payload, dns::Kind::Multicast);
        }
        let has = |ports: &[u16]| ports.contains(&sport) || ports.contains(&dport);
        if has(&DHCP_PORTS) {
            return dhcp(line, &payload);
        }
        if has(&[NTP_PORT]) {
            return ntp(line, &payload);
        }
    }
    if stated > payload.len() && !outer.fragmented {
        put!(line, "UDP, bad length {stated} > {}", payload.len());
    } else {
        put!(line, "UDP, length {stated}");
    }
    Ok(())
}

/// BOOTP and DHCP: who asks or answers. What they say is not decoded, even with -v.
fn dhcp(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    line.protocol = "bootp";
    const REQUEST: u8 = 1;
    let operation = view.u8(0)?;
    match operation {
        REQUEST => line.out.push_str("BOOTP/DHCP, Request"),
        2 => line.out.push_str("BOOTP/DHCP, Reply"),
        _ => put!(line, "BOOTP/DHCP, unknown (0x{operation:02x})"),
    }
    // The client's address, if it is an Ethernet address.
    if (operation, view.u8(1)?, view.u8(2)?) == (REQUEST, 1, 6) {
        put!(line, " from {}", Mac(view.slice(28, 6)?));
    }
    put!(line, ", length {}", view.len());
    Ok(())
}

/// NTP: version and mode. The times are not decoded, even with -v.
fn ntp(line: &mut Line<'_>, view: &View<'_>) -> Printed {
    line.protocol = "ntp";
    const MODES: [&str; 8] = [
        "unspecified",
        "symmetric active",
        "symmetric passive",
        "Client",
        "Server",
        "Broadcast",
        "Control Message",
        "Reserved",
    ];
    let first = view.u8(0)?;
    put!(line, "NTPv{}", (first >> 3) & 7);
    let mode = MODES.get(usize::from(first & 7)).unwrap_or(&"Unknown mode");
    put!(line, ", {mode}, length {}", view.len());
    Ok(())
}

/// Verifies the checksum with -v on IPv6, where there must be one, and with -vv on IPv4.
fn put_checksum(line: &mut Line<'_>, view: &View<'_>, payload: usize, outer: &Outer) -> Printed {
    let is_v4 = outer.source.is_ipv4();
    if line.style.verbose < if is_v4 { 2 } else { 1 } {
        return Ok(());
    }
    let field = view.u16(6)?;
    if is_v4 && field == 0 {
        line.out.push_str("[no cksum] ");
    } else if let Ok(datagram) = view.slice(0, payload + UdpHeader::LEN) {
        match checksum::transport(outer.source, outer.destination, proto::UDP, datagram, field) {
            Verdict::Correct => line.out.push_str("[udp sum ok] "),
            Verdict::ShouldBe(right) => {
                put!(line, "[bad udp cksum 0x{field:04x} -> 0x{right:04x}!] ");
            }
        }
    }
    Ok(())
}
