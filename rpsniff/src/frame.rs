// SPDX-License-Identifier: GPL-2.0

//! A captured packet, wherever it comes from.

/// A point in time: seconds and nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds of the second, below 10^9.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// The present, by the system's clock.
    pub fn now() -> Self {
        let now = jiff::Timestamp::now();
        Self {
            seconds: now.as_second(),
            nanoseconds: now.subsec_nanosecond().unsigned_abs(),
        }
    }
}

/// The way of a packet and its addressee, as `sll_pkttype` says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketType {
    /// To this host.
    Host,
    /// To all.
    Broadcast,
    /// To a group.
    Multicast,
    /// To somebody else.
    OtherHost,
    /// From this host.
    Outgoing,
    /// A number that has no meaning in a capture.
    Other(u8),
}

impl From<u8> for PacketType {
    fn from(number: u8) -> Self {
        match number {
            libc::PACKET_HOST => Self::Host,
            libc::PACKET_BROADCAST => Self::Broadcast,
            libc::PACKET_MULTICAST => Self::Multicast,
            libc::PACKET_OTHERHOST => Self::OtherHost,
            libc::PACKET_OUTGOING => Self::Outgoing,
            other => Self::Other(other),
        }
    }
}

/// A captured packet.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// Its length on the wire, in bytes.
    pub wire_len: u32,
    /// The bytes that were captured, at most `wire_len`.
    pub data: &'a [u8],
    /// Its way, if the source knows it.
    pub packet_type: Option<PacketType>,
}
