// SPDX-License-Identifier: GPL-2.0

//! What somebody owns in a ring of version 3: a place for a packet, or a block that is to be published.

#![forbid(unsafe_code)]

use super::{
    blocks::Blocks,
    words::Words, //
};

/// A place for one packet that nobody else writes to, in a block that is not published before
/// [`Self::finish`].
///
/// What can fail comes before: a block with a place that is never finished stops the ring.
#[must_use]
pub(crate) struct Place<'a> {
    pub(super) ring: &'a Blocks,
    pub(super) block: u32,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) is_first: bool,
}

/// A block that is to be published, and all that its header says.
///
/// Whoever has it writes that, and zero as `tp_next_offset` of the last packet. Then [`Self::publish`].
#[must_use]
pub(crate) struct Publication<'a> {
    pub(super) ring: &'a Blocks,
    /// Which block.
    pub(crate) block: u32,
    /// `seq_num`.
    pub(crate) seq: u64,
    /// `num_pkts`.
    pub(crate) packets: u32,
    /// `blk_len`.
    pub(crate) length: u32,
    /// Where the last packet begins, which has the time for `ts_last_pkt`. What stands there decides
    /// nothing, so it is read from the ring: a private copy would cost each packet a shared word, and an
    /// order among those who copy. `None` in a block without packets, which has the time of now.
    pub(crate) last: Option<u32>,
    /// When it was opened, for `ts_first_pkt`.
    pub(crate) opened: u64,
    /// `block_status`.
    pub(super) status: u32,
}

impl<'a> Place<'a> {
    /// In which block it is.
    #[inline]
    pub(crate) fn block(&self) -> u32 {
        self.block
    }

    /// Where in the block it begins, in bytes.
    #[inline]
    pub(crate) fn offset(&self) -> u32 {
        self.offset
    }

    /// How long it is, which is what `tp_next_offset` says.
    #[inline]
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// Whether it is the first one in its block: then the caller arms the timer for [`Blocks::retire`].
    #[inline]
    pub(crate) fn is_first(&self) -> bool {
        self.is_first
    }

    /// The packet is copied. Returns the block if it is to be published.
    #[inline]
    pub(crate) fn finish(self) -> Option<Publication<'a>> {
        let block = self.ring.block(self.block)?;
        block
            .copied()
            .then(|| self.ring.publication(self.block, block))
    }
}

impl Publication<'_> {
    /// `block_status`, which [`Self::publish`] writes.
    pub(crate) fn status(&self) -> u32 {
        self.status
    }

    /// Gives the block to the program. Then the caller wakes it.
    pub(crate) fn publish<W: Words>(self, words: &W) {
        words.store(self.block, self.status);
        if let Some(block) = self.ring.block(self.block) {
            block.published();
        }
        self.ring.on_time();
    }
}
