// SPDX-License-Identifier: GPL-2.0

//! Rings of versions 1 and 2, received: which slot a frame gets.
//!
//! Slots are filled in turn. A slot whose status is not `TP_STATUS_KERNEL` is the program's, and then the
//! ring is full, whatever lies behind it. Several processors may fill slots at once, and be done in any
//! order. There is no lock:
//!
//! - `position` says which slot is next, and in which lap around the ring. Whoever moves it one further by
//!   a compare-exchange owns the slot that it said.
//! - `turns` says for each slot whether it is free for laps with an even or an odd number. Its owner
//!   changes that as the very last thing. So a slot that somebody still fills, when all others have been
//!   filled once more, is not free in the next lap; and since `position` does not pass it then, no
//!   position is ever more than one lap ahead of a slot, and one bit is enough.
//!
//! A slot needs no mark that it is being filled, which would have to appear at the same time as
//! `position` moves: that `position` has moved is the mark.
//!
//! ```text
//!     turns  | even | odd  | odd  | even |      position: lap 3, slot 2
//!               |      |      |      `--- taken in lap 2 and still being filled: not free for lap 3
//!               |      |      `---------- free for lap 3: the next, if the program agrees
//!               |      `----------------- taken in lap 3 and still being filled
//!               `------------------------ taken in lap 3 and done: free for lap 4
//! ```
//!
//! The file has no kernel types beyond the prelude and atomics, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::words::{
    after,
    allocate,
    at,
    before,
    has_room,
    status,
    Counts,
    Drops,
    Words, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed,
        Release, //
    },
};

/// A slot of a lap: the number of the lap in the upper half, that of the slot in the lower one.
///
/// It would take a processor that stands still for 2^32 laps to take one for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position(u64);

impl Position {
    fn new(lap: u32, index: u32) -> Self {
        Self((u64::from(lap) << 32) | u64::from(index))
    }

    fn index(self) -> u32 {
        (self.0 & u64::from(u32::MAX)) as u32
    }

    fn lap(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// For which laps the slot is free now: `true` for odd ones.
    fn turn(self) -> bool {
        self.lap() & 1 != 0
    }

    /// The next one in a ring of `count` slots.
    fn next(self, count: u32) -> Self {
        match after(self.index(), count) {
            0 => Self::new(self.lap().wrapping_add(1), 0),
            index => Self::new(self.lap(), index),
        }
    }
}

/// The slots of a ring of version 1 or 2.
///
/// # Invariants
///
/// - `turns` has `count` elements, which is not zero, and the slot of `position` is below `count`.
/// - Let `lap` be the lap of `position`, or the one before for the slots from that of `position` on: the
///   last lap in which the slot was taken. Its turn is that of `lap` while it is filled, and that of
///   `lap + 1` after that.
pub(crate) struct Frames {
    position: Atomic<u64>,
    count: u32,
    turns: KVVec<Atomic<bool>>,
    /// What did not get a slot.
    pub(crate) drops: Drops,
}

/// How many frames had been received when the statistics were last read. Whoever reads them has it locked.
#[derive(Debug, Default)]
pub(crate) struct LastRead(u32);

/// A slot that nobody else fills, until it is published.
///
/// What can fail comes before: the program waits for the slots in turn, so that it would wait for one that
/// is dropped unpublished until the next lap fills it. The ring goes on.
#[must_use]
pub(crate) struct Slot<'a> {
    ring: &'a Frames,
    position: Position,
}

impl Frames {
    /// A ring of `count` slots, in memory that is all zeros.
    ///
    /// # Errors
    ///
    /// `EINVAL` without slots, `ENOMEM`.
    pub(crate) fn new(count: u32) -> Result<Self> {
        // INVARIANT: No slot was ever taken, as if lap -1 had been.
        Ok(Self {
            position: Atomic::new(0),
            count,
            turns: allocate(count, || Atomic::new(false))?,
            drops: Drops::new(),
        })
    }

    /// Takes the next slot, unless it is the program's or somebody is still filling it: then the frame is
    /// lost, and the caller counts it.
    #[inline]
    pub(crate) fn reserve<W: Words>(&self, words: &W) -> Option<Slot<'_>> {
        loop {
            // ORDERING: Acquire, and the exchange below is a release. Who moved `position` here had seen
            // the slot given up in the lap before the last, so what is read below is not older than that.
            let position = Position(self.position.load(Acquire));
            let turn = at(&self.turns, position.index())?;

            // ORDERING: Acquire pairs with the release in `Slot::drop`: the status is not older than the
            // one that the last owner wrote, and all that it wrote before is done. The program's word is
            // read with acquire as well: what it did to the slot is done when it is written to.
            let is_free = turn.load(Acquire) == position.turn()
                && words.load(position.index()) == status::KERNEL;
            if !is_free {
                // It may be a slot that others have filled since `position` was read.
                // ORDERING: Relaxed is enough, since both loads above are acquire.
                if self.position.load(Relaxed) == position.0 {
                    return None;
                }
                continue;
            }

            // ORDERING: Full has the release and the acquire that are explained above.
            let next = position.next(self.count);
            if self.position.cmpxchg(position.0, next.0, Full).is_ok() {
                return Some(Slot {
                    ring: self,
                    position,
                });
            }
        }
    }

    /// Whether the slot that was filled last is not the kernel's, which is when `poll()` says that there is
    /// something to read.
    pub(crate) fn is_readable<W: Words>(&self, words: &W) -> bool {
        words.load(before(self.index(), self.count)) != status::KERNEL
    }

    /// Whether the slot is the kernel's that lies a part of the ring ahead: see [`has_room`].
    #[inline]
    pub(crate) fn has_room<W: Words>(&self, words: &W, pow_off: u32) -> bool {
        has_room(words, self.index(), self.count, pow_off)
    }

    /// Reads and clears the statistics. A frame counts from when it gets a slot.
    pub(crate) fn statistics(&self, last: &mut LastRead) -> Counts {
        // ORDERING: Relaxed. The lock that `last` is behind keeps this from going backwards.
        let position = Position(self.position.load(Relaxed));
        let received = position
            .lap()
            .wrapping_mul(self.count)
            .wrapping_add(position.index());
        let counts = Counts {
            received: received.wrapping_sub(last.0),
            dropped: self.drops.take(),
            freezes: 0,
        };
        last.0 = received;
        counts
    }

    /// The slot that is next.
    // ORDERING: Relaxed. It may be another one at once, and nothing is read that depends on it but the
    // program's word.
    #[inline]
    fn index(&self) -> u32 {
        Position(self.position.load(Relaxed)).index()
    }
}

impl Slot<'_> {
    /// Its number.
    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.position.index()
    }

    /// Gives the slot to the program, with a status that says so.
    #[inline]
    pub(crate) fn publish<W: Words>(self, words: &W, status: u32) {
        words.store(self.index(), status);
    }
}

impl Drop for Slot<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(turn) = at(&self.ring.turns, self.index()) {
            // ORDERING: Release. Who sees the slot free for the next lap sees the status that stands in
            // it, and writes to it after this owner did.
            turn.store(!self.position.turn(), Release);
        }
    }
}
