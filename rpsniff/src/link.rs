// SPDX-License-Identifier: GPL-2.0

//! Link types: what a captured packet begins with.

use pcap_file::DataLink;

/// Bytes of a `LINUX_SLL2` header.
pub const SLL2_LEN: usize = 20;

/// Interfaces that carry IP without a header (`linux/if_arp.h`).
const ARPHRD_RAWIP: u16 = 519;

/// A link type that can be printed, and for some, captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// Ethernet.
    Ethernet,
    /// An IPv4 or IPv6 header.
    Raw,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// A cooked header, version 1.
    LinuxSll,
    /// A cooked header, version 2.
    LinuxSll2,
    /// A BSD loopback header in the byte order of the machine that captured.
    Null,
    /// A BSD loopback header in network byte order.
    Loop,
    /// Anything else, by libpcap's number. It can be copied, not printed.
    Other(i32),
}

/// One row for each link type that has a name here: libpcap's number (`DLT_`) on this system, the
/// number in a file (`LINKTYPE_`), name and description as libpcap gives them.
const TABLE: [(Link, i32, u32, &str, &str); 8] = [
    (Link::Null, 0, 0, "NULL", "BSD loopback"),
    (Link::Ethernet, 1, 1, "EN10MB", "Ethernet"),
    (Link::Raw, 12, 101, "RAW", "Raw IP"),
    (Link::Loop, 108, 108, "LOOP", "OpenBSD loopback"),
    (Link::LinuxSll, 113, 113, "LINUX_SLL", "Linux cooked v1"),
    (Link::Ipv4, 228, 228, "IPV4", "Raw IPv4"),
    (Link::Ipv6, 229, 229, "IPV6", "Raw IPv6"),
    (Link::LinuxSll2, 276, 276, "LINUX_SLL2", "Linux cooked v2"),
];

impl Link {
    /// The link type with libpcap's number `dlt`.
    pub fn from_dlt(dlt: i32) -> Self {
        TABLE
            .iter()
            .find(|row| row.1 == dlt)
            .map_or(Self::Other(dlt), |row| row.0)
    }

    /// How frames of an interface of the `ARPHRD_` type are captured: with their own header, or as
    /// a cooked capture where that header is nothing a file can name.
    pub fn of_interface(arphrd: u16) -> Self {
        match arphrd {
            libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Self::Ethernet,
            libc::ARPHRD_NONE | ARPHRD_RAWIP => Self::Raw,
            _ => Self::LinuxSll2,
        }
    }

    /// libpcap's number.
    pub fn dlt(self) -> i32 {
        match self {
            Self::Other(dlt) => dlt,
            _ => TABLE
                .iter()
                .find(|row| row.0 == self)
                .map_or(-1, |row| row.1),
        }
    }

    /// The number in a file.
    pub fn data_link(self) -> DataLink {
        match self {
            Self::Other(dlt) => DataLink::from(dlt as u32),
            _ => TABLE
                .iter()
                .find(|row| row.0 == self)
                .map_or(DataLink::NULL, |row| DataLink::from(row.2)),
        }
    }

    /// Name and description, as in `EN10MB (Ethernet)`.
    pub fn describe(self) -> String {
        match self {
            Self::Other(dlt) => {
                let linktype = pcap::Linktype(dlt);
                match (linktype.get_name(), linktype.get_description()) {
                    (Ok(name), Ok(description)) => format!("{name} ({description})"),
                    (Ok(name), Err(_)) => name,
                    _ => dlt.to_string(),
                }
            }
            _ => TABLE
                .iter()
                .find(|row| row.0 == self)
                .map_or_else(String::new, |row| format!("{} ({})", row.3, row.4)),
        }
    }
}
