// SPDX-License-Identifier: GPL-2.0

//! Ethernet frames, VLAN tags, and what an EtherType stands for.

use etherparse::{Ethernet2Header, Ethernet2HeaderSlice, SingleVlanHeader, SingleVlanHeaderSlice};

use super::{
    arp, ip, ip6, llc,
    names::{self, Mac, ETHERTYPES},
    put,
    view::{Truncated, View},
    Line, Printed,
};

/// The largest number that is a length instead of an EtherType.
pub const MAX_LENGTH: u16 = 1500;

/// EtherTypes of VLAN tags.
const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// EtherType of a jumbo frame with an LLC header.
const JUMBO: u16 = 0x8870;

/// Bytes of an Ethernet header.
const HEADER: usize = Ethernet2Header::LEN;
/// Bytes of a tag with the EtherType behind it.
const TAG: usize = SingleVlanHeader::LEN;

/// Source and destination of the frame around what is printed.
#[derive(Clone, Copy)]
pub struct Addresses {
    /// Source.
    pub source: [u8; 6],
    /// Destination.
    pub destination: [u8; 6],
}

/// Writes a VLAN tag's control information.
pub fn put_tag(line: &mut Line<'_>, tci: u16) {
    let dei = if tci & 0x1000 != 0 { ", DEI" } else { "" };
    put!(line, "vlan {}, p {}{dei}, ", tci & 0xfff, tci >> 13);
}

fn put_type(line: &mut Line<'_>, ethertype: u16) {
    match (names::find(ETHERTYPES, ethertype), line.style.quiet) {
        (name, 0) => put!(
            line,
            "ethertype {} (0x{ethertype:04x})",
            name.unwrap_or("Unknown")
        ),
        (Some(name), _) => put!(line, "{name}"),
        (None, _) => put!(line, "Unknown Ethertype (0x{ethertype:04x})"),
    }
}

/// An Ethernet frame.
pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "ether";
    let frame_len = view.len();
    let header = Ethernet2HeaderSlice::from_slice(view.bytes()).map_err(|_| Truncated)?;
    let addresses = Addresses {
        source: header.source(),
        destination: header.destination(),
    };
    let mut kind = header.ether_type().0;
    let mut view = view.skip(HEADER);
    let mut header_len = HEADER;

    if line.style.ether {
        put_addresses(line, &addresses);
    }
    let mut has_length = false;
    while TAGS.contains(&kind) {
        let Ok(tag) = SingleVlanHeaderSlice::from_slice(view.limit(view.len()).bytes()) else {
            line.protocol = "vlan";
            line.truncated();
            line.link_header += header_len + view.bytes().len();
            return Ok(());
        };
        if line.style.ether {
            put_type(line, kind);
            if has_length {
                line.out.push_str(", ");
            } else {
                put!(line, ", length {frame_len}: ");
                has_length = true;
            }
            put_tag(line, view.u16(0)?);
        }
        kind = tag.ether_type().0;
        view = view.skip(TAG);
        header_len += TAG;
    }

    if kind <= MAX_LENGTH {
        let view = view.limit(kind.into());
        if line.style.ether {
            line.out.push_str("802.3");
            if !has_length {
                put!(line, ", length {}: ", view.len());
            }
        }
        header_len += print_llc(line, view, &addresses)?;
    } else if kind == JUMBO {
        header_len += print_llc(line, view, &addresses)?;
    } else {
        if line.style.ether {
            put_type(line, kind);
            if has_length {
                line.out.push_str(", ");
            } else {
                put!(line, ", length {frame_len}: ");
            }
        }
        if !print_type(line, kind, view)? {
            if !line.style.ether {
                put_addresses(line, &addresses);
                put_type(line, kind);
                put!(line, ", length {frame_len}: ");
            }
            line.unknown(&view);
        }
    }
    line.link_header += header_len;
    Ok(())
}

fn put_addresses(line: &mut Line<'_>, addresses: &Addresses) {
    put!(
        line,
        "{} > {}, ",
        Mac(&addresses.source),
        Mac(&addresses.destination)
    );
}

fn print_llc(
    line: &mut Line<'_>,
    view: View<'_>,
    addresses: &Addresses,
) -> Result<usize, Truncated> {
    let llc::Outcome { header, known } = llc::print(line, view, Some(addresses))?;
    if !known {
        line.unknown(&view);
    }
    Ok(header)
}

/// What follows an EtherType. Returns false if nothing is known about it and nothing was written.
pub fn print_type(line: &mut Line<'_>, kind: u16, view: View<'_>) -> Result<bool, Truncated> {
    match i32::from(kind) {
        libc::ETH_P_IP => ip::print(line, view)?,
        libc::ETH_P_IPV6 => ip6::print(line, view)?,
        libc::ETH_P_ARP | libc::ETH_P_RARP => arp::print(line, view)?,
        _ => return Ok(false),
    }
    Ok(true)
}
