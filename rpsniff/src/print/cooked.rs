// SPDX-License-Identifier: GPL-2.0

//! Link types without a header of their own: Linux cooked captures and BSD loopback.

use super::{
    ethernet::{self, MAX_LENGTH},
    ip, ip6, llc,
    names::{self, Mac, Table, ETHERTYPES},
    put,
    view::{Truncated, View},
    Line, Printed,
};
use crate::link::SLL2_LEN;

const PACKET_TYPES: &Table = &[(0, "In"), (1, "B"), (2, "M"), (3, "P"), (4, "Out")];

/// Protocol numbers that stand for frames without an EtherType.
const RAW_802_3: u16 = libc::ETH_P_802_3 as u16;
const LLC_802_2: u16 = libc::ETH_P_802_2 as u16;
/// EtherType of a VLAN tag.
const TAG: u16 = libc::ETH_P_8021Q as u16;

/// Fields of a cooked header that both versions have.
struct Header<'a> {
    packet_type: u16,
    protocol: u16,
    /// The sender's address if it has the length of an Ethernet address.
    address: Option<&'a [u8]>,
    /// Version 2 only.
    ifindex: Option<u32>,
}

impl Header<'_> {
    fn direction(&self) -> &'static str {
        names::find(PACKET_TYPES, self.packet_type).unwrap_or("?")
    }

    /// `-e`.
    fn put(&self, line: &mut Line<'_>, length: usize) {
        match self.ifindex {
            None => put!(line, "{:>3} ", self.direction()),
            Some(ifindex) => put!(line, "ifindex {ifindex} "),
        }
        if let Some(address) = self.address {
            put!(line, "{} ", Mac(address));
        }
        if line.style.quiet > 0 {
            return;
        }
        match self.protocol {
            RAW_802_3 => line.out.push_str("802.3"),
            LLC_802_2 => line.out.push_str("802.2"),
            protocol => put!(
                line,
                "ethertype {} (0x{protocol:04x})",
                names::find(ETHERTYPES, protocol)
                    .filter(|_| protocol > MAX_LENGTH)
                    .unwrap_or("Unknown")
            ),
        }
        put!(line, ", length {length}: ");
    }
}

/// `LINUX_SLL`.
pub fn print_v1(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "sll";
    const LEN: usize = etherparse::LinuxSllHeader::LEN;
    view.slice(0, LEN)?;
    let header = Header {
        packet_type: view.u16(0)?,
        protocol: view.u16(14)?,
        address: (view.u16(4)? == 6).then(|| view.slice(6, 6)).transpose()?,
        ifindex: None,
    };
    if line.style.ether {
        header.put(line, view.len());
    }
    payload(line, &header, view, LEN)
}

/// `LINUX_SLL2`.
///
/// The header has the number of the interface and not its name, which is that of this machine's
/// interface of the number, even if the file comes from another.
pub fn print_v2(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "sll2";
    view.slice(0, SLL2_LEN)?;
    let ifindex = view.u32(4)?;
    let header = Header {
        packet_type: view.u8(10)?.into(),
        protocol: view.u16(0)?,
        address: (view.u8(11)? == 6).then(|| view.slice(12, 6)).transpose()?,
        ifindex: Some(ifindex),
    };
    let name = line.interfaces.find(ifindex).unwrap_or("?");
    put!(line, "{name:<5} {:<3} ", header.direction());
    if line.style.ether {
        header.put(line, view.len());
    }
    payload(line, &header, view, SLL2_LEN)
}

fn payload(line: &mut Line<'_>, header: &Header<'_>, frame: View<'_>, len: usize) -> Printed {
    let mut header_len = len;
    let mut protocol = header.protocol;
    let mut view = frame.skip(len);
    while protocol == TAG {
        let Ok(tci) = view.u16(0) else {
            break;
        };
        let Ok(inner) = view.u16(2) else {
            line.protocol = "vlan";
            line.truncated();
            line.link_header += header_len + view.bytes().len();
            return Ok(());
        };
        if line.style.ether {
            ethernet::put_tag(line, tci);
        }
        protocol = if inner <= MAX_LENGTH {
            LLC_802_2
        } else {
            inner
        };
        if line.style.quiet == 0 {
            let name = names::find(ETHERTYPES, protocol).unwrap_or("Unknown");
            put!(line, "ethertype {name}, ");
        }
        view = view.skip(4);
        header_len += 4;
    }
    let known = match protocol {
        LLC_802_2 => {
            let outcome = llc::print(line, view, None)?;
            header_len += outcome.header;
            if !outcome.known {
                line.unknown(&view);
            }
            true
        }
        ..=MAX_LENGTH => {
            line.unknown(&view);
            true
        }
        _ => ethernet::print_type(line, protocol, view)?,
    };
    if !known {
        if !line.style.ether {
            header.put(line, frame.len());
        }
        line.unknown(&view);
    }
    line.link_header += header_len;
    Ok(())
}

/// A BSD loopback header: the address family, in an order of bytes that the caller knows.
pub fn print_null(line: &mut Line<'_>, view: View<'_>, order: fn([u8; 4]) -> u32) -> Printed {
    line.protocol = "null";
    let mut family = order(view.array(0)?);
    // A file from a machine of the other byte order has the number reversed.
    if family & 0xffff_0000 != 0 {
        family = family.swap_bytes();
    }
    // IPv6 has a number of its own on each system.
    const FAMILIES: &Table = &[(2, "IPv4"), (24, "IPv6"), (28, "IPv6"), (30, "IPv6")];
    let name = names::find(FAMILIES, family);
    let describe = |line: &mut Line<'_>| {
        if line.style.quiet > 0 {
            put!(line, "{}", name.unwrap_or("Unknown"));
        } else {
            put!(line, "AF {} ({family})", name.unwrap_or("Unknown"));
        }
        put!(line, ", length {}: ", view.len());
    };
    if line.style.ether {
        describe(line);
    }
    let payload = view.skip(4);
    match name {
        Some("IPv4") => ip::print(line, payload)?,
        Some(_) => ip6::print(line, payload)?,
        None => {
            if !line.style.ether {
                describe(line);
            }
            line.unknown(&payload);
        }
    }
    line.link_header += 4;
    Ok(())
}

/// An IPv4 or IPv6 packet, by the version in its first byte.
pub fn print_raw(line: &mut Line<'_>, view: View<'_>) -> Printed {
    if line.style.ether {
        line.out.push_str("ip: ");
    }
    match view.u8(0).map(|first| first >> 4) {
        Ok(4) => ip::print(line, view),
        Ok(6) => ip6::print(line, view),
        Ok(version) => {
            put!(line, "unknown ip {version}");
            Ok(())
        }
        Err(Truncated) => {
            put!(line, "truncated-ip {}", view.len());
            Ok(())
        }
    }
}
