// SPDX-License-Identifier: GPL-2.0

//! The descriptors of the C+ mode, and who owns them.
//!
//! Receiver and transmitter have a ring each of up to 64 descriptors of 16 bytes:
//!
//! ```text
//!         31 30 29 28 27       16 15                 0
//!   +0   |OWN|EOR|FS|LS| offloads | length of buffer  |   command; the chip writes back a status
//!   +4   |             VLAN tag, and whether          |
//!   +8   |      address of the buffer, low word       |
//!  +12   |      address of the buffer, high word      |
//! ```
//!
//! OWN says whose the descriptor is. The driver sets it, and from then on the chip may read or write all
//! of the descriptor and its buffer; the chip clears it, and touches neither any more. EOR is in the last
//! descriptor of a ring. A frame in several buffers has FS in its first descriptor and LS in its last.
//!
//! [`Table`] is such a ring in memory. A place in it that the driver owns is a value, [`Mine`]: the driver
//! gets one by [`Table::take`], which finds OWN cleared, and loses it by [`Table::give`], which sets OWN.
//! So nothing is written to a descriptor that the chip has. (Who takes the same one twice before giving it has
//! two values, of one that is the driver's all the same; the rings keep one beside each descriptor.) The order
//! that memory needs between OWN and the rest is in these two.
//!
//! Sources: RTL8139C+ datasheet, sections "Transmit Descriptor" and "Receive Descriptor".

#![forbid(unsafe_code)]

use crate::ext::dma;
use core::num::NonZeroU16;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    prelude::*,
    sync::barrier::{
        dma_mb,
        Read,
        Write, //
    },
};

/// Length of a descriptor, in bytes.
const LEN: usize = 16;

/// The most descriptors that a ring may have.
pub(crate) const MAX_DESCRIPTORS: u16 = 64;

/// The bits of the first word that both kinds have.
mod bits {
    /// The descriptor is the chip's.
    pub(super) const OWN: u32 = 1 << 31;
    /// The last descriptor of the ring.
    pub(super) const END_OF_RING: u32 = 1 << 30;
    /// The first of a frame.
    pub(super) const FIRST: u32 = 1 << 29;
    /// The last of a frame.
    pub(super) const LAST: u32 = 1 << 28;
}

/// A place in a ring whose descriptor the driver owns.
#[derive(Debug)]
#[must_use = "a descriptor that is not given to the chip again stops the ring"]
pub(crate) struct Mine(u16);

/// A ring of descriptors.
pub(crate) struct Table {
    memory: Coherent<[u8]>,
    len: u16,
}

/// What the driver writes to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The first word, without OWN and EOR.
    pub(crate) command: u32,
    /// The second word.
    pub(crate) extra: u32,
    /// Where the buffer is, on the bus.
    pub(crate) address: u64,
}

impl Table {
    /// Allocates a ring of `len` descriptors, from 1 to [`MAX_DESCRIPTORS`].
    pub(crate) fn new(dev: &Device<Bound>, len: u16) -> Result<Self> {
        if !(1..=MAX_DESCRIPTORS).contains(&len) {
            return Err(EINVAL);
        }
        // The chip wants a multiple of 256 for the address; this is one of pages.
        let memory = Coherent::zeroed_slice(dev, LEN.wrapping_mul(len.into()), GFP_KERNEL)?;
        Ok(Self { memory, len })
    }

    /// Where the ring is, on the bus.
    pub(crate) fn address(&self) -> u64 {
        self.memory.dma_address()
    }

    /// The number of descriptors.
    pub(crate) fn len(&self) -> u16 {
        self.len
    }

    /// The place that is `n` places after `at`; `n` is at most the length of the ring.
    pub(crate) fn ahead(&self, at: u16, n: u16) -> u16 {
        let to = at.wrapping_add(n);
        if to >= self.len {
            to.wrapping_sub(self.len)
        } else {
            to
        }
    }

    /// Takes all descriptors away from a chip that is halted.
    pub(crate) fn reclaim(&mut self) -> impl Iterator<Item = Mine> {
        (0..self.len).map(Mine)
    }

    /// Has a chip that is to be started find no descriptor of its own. It must be halted.
    pub(crate) fn clear(&mut self) {
        for at in 0..self.len {
            self.set_word(at, 0, 0);
        }
    }

    fn word(&self, at: u16, word: usize) -> u32 {
        let offset = usize::from(at).wrapping_mul(LEN).wrapping_add(word);
        // All places are inside the memory; what is not there is the chip's.
        dma::read_u32(&self.memory, offset).unwrap_or(bits::OWN)
    }

    fn set_word(&mut self, at: u16, word: usize, value: u32) {
        let offset = usize::from(at).wrapping_mul(LEN).wrapping_add(word);
        // All places are inside the memory.
        let _ = dma::write_u32(&self.memory, offset, value);
    }

    /// Takes the descriptor at `at`, if the chip is done with it, and the status that it wrote there.
    #[inline]
    pub(crate) fn take(&mut self, at: u16) -> Option<(Mine, u32)> {
        let status = self.word(at, 0);
        if status & bits::OWN != 0 {
            return None;
        }
        // What the chip wrote before it cleared OWN, to descriptor and buffer, is read after OWN.
        dma_mb(Read);
        Some((Mine(at), status))
    }

    /// The second word of a descriptor that was taken.
    #[inline]
    pub(crate) fn extra(&self, mine: &Mine) -> u32 {
        self.word(mine.0, 4)
    }

    /// Gives a descriptor to the chip.
    #[inline]
    pub(crate) fn give(&mut self, mine: Mine, contents: Contents) {
        let Mine(at) = mine;
        // CAST: Both words of the address.
        self.set_word(at, 8, contents.address as u32);
        self.set_word(at, 12, (contents.address >> 32) as u32);
        self.set_word(at, 4, contents.extra);
        // The chip sees the rest, of this descriptor and of those given before, when it sees OWN.
        dma_mb(Write);
        let end = if at.wrapping_add(1) == self.len {
            bits::END_OF_RING
        } else {
            0
        };
        self.set_word(at, 0, contents.command | end | bits::OWN);
    }
}

/// The command of a receive descriptor whose buffer has `len` bytes; the chip takes 13 bits of that.
pub(crate) fn receive_command(len: u32) -> u32 {
    len.min(0x1fff) & !7
}

/// The second word of a receive descriptor that the chip has not written yet: it has no such tag.
pub(crate) const NO_EXTRA: u32 = u32::MAX;

/// What the chip says of a received frame: the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RxStatus(u32);

impl RxStatus {
    /// Wraps what was taken.
    pub(crate) fn new(word: u32) -> Self {
        Self(word)
    }

    fn bit(self, bit: u32) -> bool {
        (self.0 >> bit) & 1 != 0
    }

    /// Whether all of the frame is in this one buffer.
    pub(crate) fn is_whole(self) -> bool {
        self.0 & (bits::FIRST | bits::LAST) == bits::FIRST | bits::LAST
    }

    /// Whether the frame is damaged: also if the chip's own buffer had no room for all of it (bit 22).
    pub(crate) fn is_bad(self) -> bool {
        self.bit(20) || self.bit(22)
    }

    /// The check sequence does not match.
    pub(crate) fn is_crc_error(self) -> bool {
        self.bit(18)
    }

    /// Not a whole number of bytes.
    pub(crate) fn is_frame_error(self) -> bool {
        self.bit(27)
    }

    /// Shorter than any frame should be.
    pub(crate) fn is_runt(self) -> bool {
        self.bit(19)
    }

    /// Longer than any frame should be.
    pub(crate) fn is_too_long(self) -> bool {
        self.bit(21)
    }

    /// The length of the frame with its check sequence, in bytes.
    pub(crate) fn len(self) -> u32 {
        self.0 & 0x1fff
    }

    /// Whether the chip has looked at the checksum of a TCP segment or UDP datagram, and found it right.
    pub(crate) fn has_good_checksum(self) -> bool {
        match (self.0 >> 16) & 3 {
            1 => !self.bit(13) && !self.bit(15),
            2 => !self.bit(14) && !self.bit(15),
            _ => false,
        }
    }
}

/// The tag in the second word of a receive descriptor, if the chip took one off the frame.
pub(crate) fn received_tag(extra: u32) -> Option<u16> {
    // CAST: The lower half of the word, which has the tag in the order of the wire.
    (extra != NO_EXTRA && extra & (1 << 16) != 0).then_some((extra as u16).swap_bytes())
}

/// The second word of the transmit descriptors of a frame with, or without, a tag to insert.
pub(crate) fn insert_tag(tag: Option<u16>) -> u32 {
    tag.map_or(0, |tag| (1 << 17) | u32::from(tag.swap_bytes()))
}

/// The longest payload of a segment that the chip can be told.
pub(crate) const MAX_SEGMENT: u16 = 0x7ff;

/// What the chip is to compute of a frame that it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing.
    None,
    /// The checksums of IP and TCP.
    Tcp,
    /// Segments of TCP, each with its headers, with so many bytes of payload.
    Segments(NonZeroU16),
}

impl Work {
    /// The bits of the command; they are the same in all descriptors of a frame.
    pub(crate) fn bits(self) -> u32 {
        const IP: u32 = 1 << 18;
        match self {
            Self::None => 0,
            Self::Tcp => IP | (1 << 16),
            // The segment's length is in the place of the other bits; the checksums go without saying.
            Self::Segments(len) => (1 << 27) | (u32::from(len.get().min(MAX_SEGMENT)) << 16),
        }
    }
}

/// The command of a transmit descriptor with `len` bytes, up to 65535: the piece with the number `piece`
/// of `pieces` of a frame.
pub(crate) fn send_command(work: Work, piece: usize, pieces: usize, len: u32) -> u32 {
    let mut command = work.bits() | (len & 0xffff);
    if piece == 0 {
        command |= bits::FIRST;
    }
    if piece.wrapping_add(1) == pieces {
        command |= bits::LAST;
    }
    command
}

/// What the chip says of a frame that it has sent, or not: the first word of its last descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TxStatus(u32);

impl TxStatus {
    /// Wraps what was taken.
    pub(crate) fn new(word: u32) -> Self {
        Self(word)
    }

    fn bit(self, bit: u32) -> bool {
        (self.0 >> bit) & 1 != 0
    }

    /// Whether one of the errors below happened.
    pub(crate) fn is_bad(self) -> bool {
        self.bit(23) || self.is_underrun()
    }

    /// Memory was too slow.
    pub(crate) fn is_underrun(self) -> bool {
        self.bit(25)
    }

    /// A collision came too late.
    pub(crate) fn is_out_of_window(self) -> bool {
        self.bit(22)
    }

    /// There was no link.
    pub(crate) fn has_no_link(self) -> bool {
        self.bit(21)
    }

    /// Given up after too many collisions.
    pub(crate) fn is_aborted(self) -> bool {
        self.bit(20)
    }

    /// The number of collisions.
    pub(crate) fn collisions(self) -> u32 {
        (self.0 >> 16) & 0xf
    }
}
