// SPDX-License-Identifier: GPL-2.0

//! The three layouts of a ring, and the lengths of their headers.
//!
//! | | V1 | V2 | V3 |
//! |---|---|---|---|
//! | header of a frame: `PACKET_HDRLEN` | 32 | 32 | 48 |
//! | `struct sockaddr_ll` begins at | 32 | 32 | 48 |
//! | and ends at: `TPACKET_HDRLEN` and the like | 52 | 52 | 68 |
//!
//! All lengths are in bytes. Those of V1 are of a 64-bit kernel: its header begins with an
//! `unsigned long`, so a 32-bit program cannot use it there.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::super::address;
use kernel::prelude::*;

/// What the size of a slot is a multiple of, and where in it a frame may begin:
/// `TPACKET_ALIGNMENT`.
pub(crate) const SLOT_ALIGNMENT: u32 = 16;

/// What the place of a frame in a block of V3 is a multiple of.
pub(crate) const PACKET_ALIGNMENT: u32 = 8;

/// `sizeof(struct sockaddr_ll)`.
pub(crate) const ADDRESS_SIZE: u32 = address::SIZE as u32;

/// Rounds up to a multiple of [`SLOT_ALIGNMENT`]. What is too long for that is rounded down to the
/// last multiple that there is.
pub(crate) const fn align_slot(length: u64) -> u64 {
    const MASK: u64 = SLOT_ALIGNMENT as u64 - 1;

    length.saturating_add(MASK) & !MASK
}

/// Rounds up to a multiple of [`PACKET_ALIGNMENT`], like [`align_slot`].
pub(crate) const fn align_packet(length: u64) -> u64 {
    const MASK: u64 = PACKET_ALIGNMENT as u64 - 1;

    length.saturating_add(MASK) & !MASK
}

/// The layout of a socket's rings: `PACKET_VERSION`. A new socket has V1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// `struct tpacket_hdr`: slots; the status is an `unsigned long`, times are in microseconds.
    #[default]
    V1,
    /// `struct tpacket2_hdr`: slots; times are in nanoseconds, and there is a VLAN tag.
    V2,
    /// `struct tpacket3_hdr`: blocks with frames of any length to receive, slots to send.
    V3,
}

impl Version {
    /// Reads the number that `PACKET_VERSION` sets and that `PACKET_HDRLEN` asks about.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such version.
    pub(crate) fn parse(number: i32) -> Result<Self> {
        match number {
            0 => Ok(Self::V1),
            1 => Ok(Self::V2),
            2 => Ok(Self::V3),
            _ => Err(EINVAL),
        }
    }

    /// The number by which programs know it.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::V1 => 0,
            Self::V2 => 1,
            Self::V3 => 2,
        }
    }

    /// The length of a frame's header, which `PACKET_HDRLEN` answers.
    pub(crate) const fn header(self) -> u32 {
        match self {
            Self::V1 | Self::V2 => 32,
            Self::V3 => 48,
        }
    }

    /// Where in a slot the address of the frame begins: behind the header.
    ///
    /// AF_PACKET rounds the length of the header up to [`SLOT_ALIGNMENT`]; on 64 bit there is
    /// nothing to round.
    pub(crate) const fn address(self) -> u32 {
        self.header()
    }

    /// Where the address ends, if the link layer address has 8 bytes at most. No slot is shorter,
    /// and no frame begins before.
    pub(crate) const fn prefix(self) -> u32 {
        match self {
            Self::V1 | Self::V2 => 52,
            Self::V3 => 68,
        }
    }

    /// Where in a slot a program puts a frame that is to be sent, unless `PACKET_TX_HAS_OFF` lets
    /// it say so: there is no address then.
    pub(crate) const fn transmit_data(self) -> u32 {
        self.header()
    }
}

const _: () = {
    let versions = [Version::V1, Version::V2, Version::V3];
    let mut i = 0;
    while i < versions.len() {
        let version = versions[i];
        assert!(version.header() % SLOT_ALIGNMENT == 0);
        assert!(version.prefix() == version.address() + ADDRESS_SIZE);
        i += 1;
    }
};
