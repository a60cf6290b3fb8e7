// SPDX-License-Identifier: GPL-2.0

//! Names for numbers, and addresses, as tcpdump writes them.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Numbers and their names.
pub type Table = [(u32, &'static str)];

/// The name of `number`.
pub fn find(table: &Table, number: impl Into<u32>) -> Option<&'static str> {
    let number = number.into();
    table
        .iter()
        .find(|(value, _)| *value == number)
        .map(|(_, name)| *name)
}

/// The names of the bits of `bits`, with `separator` between them, or `none`.
pub fn flags(table: &Table, bits: impl Into<u32>, separator: &str, none: &str) -> String {
    let bits = bits.into();
    let names: Vec<&str> = table
        .iter()
        .filter(|(bit, _)| bits & bit == *bit)
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        none.to_owned()
    } else {
        names.join(separator)
    }
}

/// An Ethernet address, or one of another length in the same form.
pub struct Mac<'a>(pub &'a [u8]);

impl fmt::Display for Mac<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("<empty>");
        }
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index > 0 { ":" } else { "" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// An IPv6 address in the form of `inet_ntop(3)`, which writes one that embeds an IPv4 address
/// behind twelve zero bytes in dotted form, where the standard library does not.
pub struct V6(pub Ipv6Addr);

impl fmt::Display for V6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.segments() {
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                write!(f, "::{a}.{b}.{c}.{d}")
            }
            _ => self.0.fmt(f),
        }
    }
}

/// An address of either version.
pub struct Address(pub IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => V6(address).fmt(f),
        }
    }
}

/// Bytes as text, with marks for those that do not print: `^A` for a control character, `M-` in
/// front of the others.
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            if !byte.is_ascii() {
                f.write_str("M-")?;
            }
            let ascii = byte & 0x7f;
            if ascii.is_ascii_graphic() || ascii == b' ' {
                write!(f, "{}", char::from(ascii))?;
            } else {
                write!(f, "^{}", char::from(ascii ^ 0x40))?;
            }
        }
        Ok(())
    }
}

/// Bytes in hex without spaces.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// EtherTypes.
pub const ETHERTYPES: &Table = &[
    (0x0600, "NS"),
    (0x0800, "IPv4"),
    (0x0806, "ARP"),
    (0x6001, "MOP DL"),
    (0x6002, "MOP RC"),
    (0x6003, "DN"),
    (0x6004, "LAT"),
    (0x6558, "TEB"),
    (0x8035, "Reverse ARP"),
    (0x809b, "Appletalk"),
    (0x80f3, "Appletalk ARP"),
    (0x8100, "802.1Q"),
    (0x8137, "IPX"),
    (0x86dd, "IPv6"),
    (0x8808, "MPCP"),
    (0x8809, "Slow Protocols"),
    (0x880b, "PPP"),
    (0x8847, "MPLS unicast"),
    (0x8848, "MPLS multicast"),
    (0x8863, "PPPoE D"),
    (0x8864, "PPPoE S"),
    (0x8870, "Jumbo"),
    (0x888e, "EAPOL"),
    (0x8899, "Realtek protocols"),
    (0x88a2, "AoE"),
    (0x88a8, "802.1Q-QinQ"),
    (0x88ca, "TIPC"),
    (0x88cc, "LLDP"),
    (0x88e5, "802.1AE MACsec"),
    (0x88f7, "PTP"),
    (0x8902, "CFM"),
    (0x893a, "IEEE1905.1"),
    (0x894f, "NSH"),
    (0x9000, "Loopback"),
    (0x9100, "802.1Q-9100"),
    (0x9200, "802.1Q-9200"),
];

/// IP protocols.
pub const IP_PROTOCOLS: &Table = &[
    (0, "Options"),
    (1, "ICMP"),
    (2, "IGMP"),
    (4, "IPIP"),
    (6, "TCP"),
    (8, "EGP"),
    (9, "IGRP"),
    (17, "UDP"),
    (33, "DCCP"),
    (41, "IPv6"),
    (43, "Routing"),
    (44, "Fragment"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (55, "Mobile IP"),
    (58, "ICMPv6"),
    (62, "Mobile IP (old)"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (103, "PIM"),
    (108, "Compressed IP"),
    (112, "VRRP"),
    (113, "PGM"),
    (132, "SCTP"),
    (135, "Mobility"),
    (143, "Ethernet"),
];
