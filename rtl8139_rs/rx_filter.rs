// SPDX-License-Identifier: GPL-2.0

//! Which destination addresses the chip accepts.
//!
//! The chip compares unicast with its own address, and looks multicast up in a hash table of 64
//! bits: the upper six bits of the CRC of the address, as the frame check sequence computes it,
//! are the number of the bit. A set bit lets other addresses through as well; the stack sorts them
//! out.
//!
//! Source: RTL8139C(L) datasheet, sections "Receive Configuration Register" and "MAR7-0".

#![forbid(unsafe_code)]

/// With more groups than this the table is nearly full, and all multicast is let through.
const MAX_GROUPS: usize = 32;

/// What the chip is to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// All unicast, not only that for the own address.
    pub(crate) promiscuous: bool,
    /// The table decides which multicast.
    pub(crate) multicast: bool,
    /// Damaged frames and runts.
    pub(crate) errors: bool,
    /// The hash table, bit `n` for hash `n`.
    pub(crate) table: u64,
}

impl Filter {
    /// Accepts frames for the own address and broadcast.
    pub(crate) const fn station() -> Self {
        Self {
            promiscuous: false,
            multicast: false,
            errors: false,
            table: 0,
        }
    }

    /// Accepts damaged frames and runts in addition, or not.
    pub(crate) fn errors(self, errors: bool) -> Self {
        Self { errors, ..self }
    }

    /// Accepts all multicast in addition.
    pub(crate) fn all_multicast(self) -> Self {
        Self {
            multicast: true,
            table: u64::MAX,
            ..self
        }
    }

    /// Accepts everything that is not damaged.
    pub(crate) fn promiscuous(self) -> Self {
        Self {
            promiscuous: true,
            ..self.all_multicast()
        }
    }

    /// Accepts the multicast group `address` in addition.
    pub(crate) fn group(self, address: &[u8; 6]) -> Self {
        Self {
            multicast: true,
            table: self.table | 1u64.wrapping_shl(hash(address)),
            ..self
        }
    }

    /// Accepts these multicast groups in addition.
    pub(crate) fn groups<'a>(self, addresses: impl ExactSizeIterator<Item = &'a [u8; 6]>) -> Self {
        if addresses.len() > MAX_GROUPS {
            self.all_multicast()
        } else {
            addresses.fold(self, Self::group)
        }
    }

    /// The two registers MAR0 and MAR4.
    pub(crate) fn words(self) -> (u32, u32) {
        // CAST: The halves of the table.
        (self.table as u32, (self.table >> 32) as u32)
    }
}

/// The number of the bit for a group: the upper six bits of `ether_crc()`.
pub(crate) fn hash(address: &[u8; 6]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in address {
        // The wire carries the least significant bit of each byte first.
        for i in 0..u8::BITS {
            let bit = u32::from(byte.wrapping_shr(i) & 1);
            let carry = (crc >> 31) ^ bit;
            crc = crc.wrapping_shl(1) ^ (carry.wrapping_neg() & 0x04c1_1db7);
        }
    }
    crc >> 26
}
