// SPDX-License-Identifier: GPL-2.0

//! The words of the shared memory that the logic of the rings looks at, and what was lost.
//!
//! A program can write to all of the memory at any time. So the logic reaches for one word only, the
//! status, which says whose a slot or a block is; whatever else decides anything is kept in private
//! memory. The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Values of a status word that decide something.
pub(crate) mod status {
    /// Received: the slot or block is the kernel's.
    pub(crate) const KERNEL: u32 = 0;
    /// Received: it is the program's.
    pub(crate) const USER: u32 = 1 << 0;
    /// Received: frames were lost since the statistics were read.
    pub(crate) const LOSING: u32 = 1 << 2;
    /// Received: the block was closed because time was up.
    pub(crate) const BLK_TMO: u32 = 1 << 5;

    /// To send: the slot is the program's.
    pub(crate) const AVAILABLE: u32 = 0;
    /// To send: the program wants the frame to be sent.
    pub(crate) const SEND_REQUEST: u32 = 1 << 0;
    /// To send: the frame is on its way.
    pub(crate) const SENDING: u32 = 1 << 1;
    /// To send: there is something wrong with the slot.
    pub(crate) const WRONG_FORMAT: u32 = 1 << 2;
}

/// The status words of the slots, or of the blocks, of one ring.
///
/// The word of version 1 is a `long`. As in C, the lower half of it is what counts when it is read, and
/// what is written is the 32 bits with their sign.
pub(crate) trait Words {
    /// Reads the word of slot or block `index`, once.
    ///
    /// What follows is done after it: a slot that a program has given back is written to later.
    fn load(&self, index: u32) -> u32;

    /// Writes the word of slot or block `index`.
    ///
    /// What stands before it is done before it: the program sees what the slot holds.
    fn store(&self, index: u32, status: u32);
}

/// Frames that passed the filter and were lost, since the statistics were read.
pub(crate) struct Drops(Atomic<u32>);

impl Drops {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// One more.
    pub(crate) fn count(&self) {
        self.0.add(1, Relaxed);
    }

    /// Whether there are any, which `TP_STATUS_LOSING` tells.
    // ORDERING: Relaxed, here and elsewhere: a counter orders nothing.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.0.load(Relaxed) != 0
    }

    /// How many there were, and none from now on.
    pub(crate) fn take(&self) -> u32 {
        self.0.xchg(0, Relaxed)
    }
}

/// What happened since it was last asked for, for `PACKET_STATISTICS`. All wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many frames got a place in the ring; the program is told the sum of these and the lost ones.
    pub(crate) received: u32,
    /// How many were lost.
    pub(crate) dropped: u32,
    /// How often the program was so late that no block was free.
    pub(crate) freezes: u32,
}

/// The private state of slot or block `index`.
#[inline]
pub(super) fn at<T>(all: &[T], index: u32) -> Option<&T> {
    all.get(usize::try_from(index).ok()?)
}

/// The one behind `index` of `count`, which begin again behind the last.
#[inline]
pub(super) fn after(index: u32, count: u32) -> u32 {
    let next = index.wrapping_add(1);
    if next < count {
        next
    } else {
        0
    }
}

/// The one before `index` of `count`.
#[inline]
pub(super) fn before(index: u32, count: u32) -> u32 {
    index.checked_sub(1).unwrap_or(count.wrapping_sub(1))
}

/// Whether the slot or block is the kernel's that lies a part of the ring ahead of `index`: a quarter for
/// a `pow_off` of 2, nothing for 0.
///
/// This is how a fanout group sees whether a member can take more. Somebody may be filling it.
#[inline]
pub(super) fn has_room<W: Words>(words: &W, index: u32, count: u32, pow_off: u32) -> bool {
    let ahead = match pow_off {
        0 => 0,
        pow_off => count.checked_shr(pow_off).unwrap_or(0),
    };
    let left = count.saturating_sub(index);
    let index = if ahead < left {
        index.wrapping_add(ahead)
    } else {
        ahead.wrapping_sub(left)
    };
    words.load(index) == status::KERNEL
}

/// Private state for each of `count` slots or blocks.
///
/// # Errors
///
/// `EINVAL` if there are none or too many, `ENOMEM`.
pub(super) fn allocate<T>(count: u32, new: impl Fn() -> T) -> Result<KVVec<T>> {
    if count == 0 {
        return Err(EINVAL);
    }
    // No program may fill the log by asking for too much.
    let flags = GFP_KERNEL | __GFP_NOWARN;
    let mut all = KVVec::with_capacity(usize::try_from(count).map_err(|_| EINVAL)?, flags)?;
    for _ in 0..count {
        all.push(new(), flags)?;
    }
    Ok(all)
}
