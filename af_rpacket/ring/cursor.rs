// SPDX-License-Identifier: GPL-2.0

//! How far a block of a ring of version 3 is filled, in one word.
//!
//! ```text
//!      63      62       61        60          44 43         24 23          0
//!     | closed | losing | time up | last packet | packets     | filled     |
//! ```
//!
//! `filled` is where the next packet goes, counted from the first one; it and the length of the last packet
//! count units of 8 bytes, to which all packets are aligned. The three bits on the left say how the block
//! was closed.
//!
//! One word has to hold it all, so that a packet gets its place by one compare-exchange, and whoever closes
//! the block knows all about it. A block of more than 64 MiB is for that reason closed when so much of it
//! is filled.

#![forbid(unsafe_code)]

use super::words::status;

/// What packets are aligned to, in bytes: `V3_ALIGNMENT`.
pub(crate) const UNIT: u32 = 8;

/// How much of a block is filled at most, in units.
pub(super) const MAX_FILL: u32 = 1 << 23;

const FILLED_MASK: u64 = (1 << 24) - 1;
const PACKETS: u32 = 24;
const PACKETS_MASK: u64 = (1 << 20) - 1;
const LAST: u32 = 44;
const LAST_MASK: u64 = (1 << 17) - 1;
const TIME_UP: u64 = 1 << 61;
const LOSING: u64 = 1 << 62;
const CLOSED: u64 = 1 << 63;

/// The length of a packet in its block, header and padding included, in units.
///
/// # Invariants
///
/// From 9 to 2^17 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length(u32);

impl Length {
    /// 72 bytes: a header and an address, `TPACKET3_HDRLEN`. It bounds the number of packets in a block.
    const MIN: u32 = 9;
    /// One unit less than 1 MiB, which is more than any packet of a network device.
    const MAX: u32 = (1 << 17) - 1;

    /// Rounds up the length of a packet that has `bytes`; `None` if it is too long for any block.
    #[inline]
    pub(super) fn new(bytes: u32) -> Option<Self> {
        // INVARIANT: Both bounds are checked.
        let units = bytes.div_ceil(UNIT);
        (units <= Self::MAX).then_some(Self(if units < Self::MIN { Self::MIN } else { units }))
    }

    /// In units.
    #[inline]
    pub(super) fn units(self) -> u32 {
        self.0
    }

    /// In bytes.
    #[inline]
    pub(super) fn bytes(self) -> u32 {
        self.0.wrapping_mul(UNIT)
    }
}

/// How far a block is filled.
///
/// # Invariants
///
/// At most [`MAX_FILL`] is filled. So there are at most `MAX_FILL / 9` packets, which is less than 2^20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor(u64);

impl Cursor {
    /// An open block without packets.
    pub(super) const EMPTY: Self = Self(0);
    /// A block that is closed.
    pub(super) const SHUT: Self = Self(CLOSED);

    /// What is in an atomic that holds only cursors.
    #[inline]
    pub(super) fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// For an atomic.
    #[inline]
    pub(super) const fn into_raw(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// How much is filled, in units.
    #[inline]
    pub(super) fn filled(self) -> u32 {
        (self.0 & FILLED_MASK) as u32
    }

    /// How many packets there are.
    #[inline]
    pub(super) fn packets(self) -> u32 {
        ((self.0 >> PACKETS) & PACKETS_MASK) as u32
    }

    /// Where the last packet begins, in units; `None` if there is none.
    pub(super) fn last(self) -> Option<u32> {
        match ((self.0 >> LAST) & LAST_MASK) as u32 {
            0 => None,
            length => Some(self.filled().wrapping_sub(length)),
        }
    }

    /// The status that a program sees when the block is published.
    pub(super) fn status(self) -> u32 {
        let bit = |bit, value| if self.0 & bit != 0 { value } else { 0 };
        status::USER | bit(LOSING, status::LOSING) | bit(TIME_UP, status::BLK_TMO)
    }

    /// One more packet, if the block is open and something is left of its `capacity` after that.
    ///
    /// Not even a packet that would just fit gets in, as in AF_PACKET, except by [`Self::first`].
    #[inline]
    pub(super) fn append(self, packet: Length, capacity: u32) -> Option<Self> {
        let filled = self.filled().wrapping_add(packet.units());
        (filled < capacity && !self.is_closed()).then_some(self.with(packet))
    }

    /// An open block with one packet. It must fit.
    pub(super) fn first(packet: Length) -> Self {
        Self::EMPTY.with(packet)
    }

    /// The same, closed: a status is made of the other two.
    pub(super) fn close(self, losing: bool, time_up: bool) -> Self {
        let bit = |bit, set| if set { bit } else { 0 };
        Self(self.0 | CLOSED | bit(LOSING, losing) | bit(TIME_UP, time_up))
    }

    #[inline]
    fn with(self, packet: Length) -> Self {
        let length = u64::from(packet.units());
        let others = self.0 & ((1 << LAST) - 1);
        // INVARIANT: The caller has checked what is filled then. None of the fields overflows.
        Self(others.wrapping_add(1 << PACKETS).wrapping_add(length) | (length << LAST))
    }
}
