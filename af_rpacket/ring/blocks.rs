// SPDX-License-Identifier: GPL-2.0

//! Rings of version 3, received: which place in which block a packet gets.
//!
//! One block is filled at a time, the active one. A packet that does not fit closes it, and so does a
//! timer; then the next one is opened, if the program has given it back. If not, the ring is frozen, and
//! packets are lost until it has.
//!
//! A packet gets its place without a lock, by a compare-exchange of the block's [`Cursor`]: only one block
//! is open at a time, and the cursor of a block says all there is to say about it, so it does not matter
//! what has happened since it was read. All else is done under a lock that the caller has, which [`Slow`]
//! is behind: once for a block, or for each packet that is lost.
//!
//! A block is published by whoever is the last to copy a packet into it ([`Block`]), so nobody waits.
//!
//! Blocks may thus be published in another order than they were filled in. A program that waits for one
//! that is late would be told by `poll()` that there is something, if a later one were there already, and
//! spin. So [`Blocks::is_readable`] says no while any is late: when it comes, the program is woken.
//!
//! The file has no kernel types beyond the prelude and atomics, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    block::Block,
    cursor::{
        Cursor,
        Length,
        MAX_FILL,
        UNIT, //
    },
    place::{
        Place,
        Publication, //
    },
    words::{
        after,
        allocate,
        at,
        before,
        has_room,
        status,
        Counts,
        Drops,
        Words, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
};

/// The numbers that make a ring of version 3.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many blocks there are.
    pub(crate) count: u32,
    /// How long each is, a multiple of 8.
    pub(crate) size: u32,
    /// Where its first packet begins, behind its header and the part that is the program's, a multiple of 8.
    pub(crate) first: u32,
}

/// The blocks of a ring.
///
/// # Invariants
///
/// - At most one block is open, that is `active`. Unless the ring is frozen, it is open whenever the lock
///   is free.
/// - At most `capacity` of a block is filled.
pub(crate) struct Blocks {
    /// Which block is filled, or is the next to be, if the ring is frozen.
    active: Atomic<u32>,
    /// How many blocks are closed and not published.
    unpublished: Atomic<u32>,
    count: u32,
    /// Where the first packet of a block begins, in bytes.
    first: u32,
    /// How much fits behind that, in units.
    capacity: u32,
    blocks: KVVec<Block>,
    /// What did not get a place.
    pub(crate) drops: Drops,
}

/// What changes only under the lock.
#[derive(Debug)]
pub(crate) struct Slow {
    /// No block was free when one was to be opened.
    frozen: bool,
    next_seq: u64,
    /// How many packets are in all the blocks that were closed, and of all when that was last read.
    closed: u32,
    read: u32,
    freezes: u32,
}

/// What [`Blocks::reserve_slow`] did.
#[must_use]
pub(crate) struct Outcome<'a> {
    /// The place, if the packet is not lost.
    pub(crate) place: Option<Place<'a>>,
    /// A block to publish.
    pub(crate) publication: Option<Publication<'a>>,
}

impl Blocks {
    /// A ring in memory that is all zeros, whose first block is opened at the time `now`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for impossible numbers, `ENOMEM`.
    pub(crate) fn new(shape: Shape, now: u64) -> Result<(Self, Slow)> {
        let capacity = shape.size.checked_sub(shape.first).ok_or(EINVAL)? / UNIT;
        if capacity == 0 || shape.size % UNIT != 0 || shape.first % UNIT != 0 {
            return Err(EINVAL);
        }
        let mut slow = Slow {
            frozen: true,
            next_seq: 1,
            closed: 0,
            read: 0,
            freezes: 0,
        };
        // INVARIANT: All are closed, and the first one is opened, which ends the frost.
        let blocks = Self {
            active: Atomic::new(0),
            unpublished: Atomic::new(0),
            count: shape.count,
            first: shape.first,
            capacity: capacity.min(MAX_FILL),
            blocks: allocate(shape.count, Block::new)?,
            drops: Drops::new(),
        };
        blocks.open(&mut slow, 0, Cursor::EMPTY, now);
        Ok((blocks, slow))
    }

    /// Takes a place for a packet of `length` bytes, its header included, in the open block.
    ///
    /// `None` if it does not fit or there is no open block: then [`Self::reserve_slow`].
    #[inline]
    pub(crate) fn reserve(&self, length: u32) -> Option<Place<'_>> {
        let length = Length::new(length)?;
        loop {
            // ORDERING: Relaxed. A block that is not active any more is closed, or it is open again, and
            // then active.
            let index = self.active.load(Relaxed);
            let block = self.block(index)?;
            let old = block.cursor();
            if block.advance(old, old.append(length, self.capacity)?) {
                return Some(self.place(index, old, length));
            }
        }
    }

    /// The same for a packet that [`Self::reserve`] has no place for, under the lock: closes the block, and
    /// opens the next one.
    ///
    /// The caller counts a packet that is lost. `now` tells the time.
    #[cold]
    pub(crate) fn reserve_slow<W: Words>(
        &self,
        slow: &mut Slow,
        words: &W,
        length: u32,
        now: impl FnOnce() -> u64,
    ) -> Outcome<'_> {
        let mut outcome = Outcome {
            place: None,
            publication: None,
        };
        let index = self.active.load(Relaxed);
        let fits = |packet: &Length| packet.units() <= self.capacity;
        let Some(packet) = Length::new(length).filter(fits) else {
            return outcome;
        };

        let now = if slow.frozen {
            if !self.is_free(words, index) {
                return outcome;
            }
            let now = now();
            self.open(slow, index, Cursor::EMPTY, now);
            now
        } else {
            now()
        };
        // There may be a new block since the caller has looked.
        outcome.place = self.reserve(length);
        if outcome.place.is_some() {
            return outcome;
        }

        // The packet gets the first place in the next block before anybody else, even if there is just
        // enough room; so AF_PACKET does, which also closes an empty block for such a packet.
        outcome.publication = self.close(slow, index, false);
        let next = after(index, self.count);
        if self.dispatch(slow, words, next, Cursor::first(packet), now) {
            outcome.place = Some(self.place(next, Cursor::EMPTY, packet));
        }
        outcome
    }

    /// Closes the block because time is up, and opens the next one, under the lock. A block without packets
    /// stays open. Returns a block to publish.
    ///
    /// The timer is armed by a packet with [`Place::is_first`], and does not need to be armed again here:
    /// in a frozen ring all packets are published, and the next one opens a block as well as this does.
    pub(crate) fn retire<W: Words>(
        &self,
        slow: &mut Slow,
        words: &W,
        now: u64,
    ) -> Option<Publication<'_>> {
        let index = self.active.load(Relaxed);
        if slow.frozen {
            if self.is_free(words, index) {
                self.open(slow, index, Cursor::EMPTY, now);
            }
            return None;
        }
        if self.open_packets() == 0 {
            return None;
        }
        let publication = self.close(slow, index, true);
        let next = after(index, self.count);
        self.dispatch(slow, words, next, Cursor::EMPTY, now);
        publication
    }

    /// Whether there is something to read for `poll()`: the block before the active one is not the
    /// kernel's. The one that is read next is not late, either.
    pub(crate) fn is_readable<W: Words>(&self, words: &W) -> bool {
        // ORDERING: Acquire pairs with the release in `publish`, and the word is read after it. Who closes a
        // block moves `active` before the block can be published. So a program that waits sees the block,
        // or is woken for it.
        let is_late = self.unpublished.load(Acquire) != 0;
        let previous = before(self.active.load(Relaxed), self.count);
        !is_late && words.load(previous) != status::KERNEL
    }

    /// Whether the block is the kernel's that lies a part of the ring ahead: see [`has_room`].
    #[inline]
    pub(crate) fn has_room<W: Words>(&self, words: &W, pow_off: u32) -> bool {
        // ORDERING: Relaxed. It may be another one at once.
        has_room(words, self.active.load(Relaxed), self.count, pow_off)
    }

    /// Reads and clears the statistics, under the lock. A packet counts from when it gets a place.
    pub(crate) fn statistics(&self, slow: &mut Slow) -> Counts {
        let received = slow.closed.wrapping_add(self.open_packets());
        let counts = Counts {
            received: received.wrapping_sub(slow.read),
            dropped: self.drops.take(),
            freezes: slow.freezes,
        };
        slow.read = received;
        slow.freezes = 0;
        counts
    }

    /// How many packets the open block has. Under the lock, which keeps it open.
    fn open_packets(&self) -> u32 {
        self.block(self.active.load(Relaxed))
            .map(Block::cursor)
            .filter(|cursor| !cursor.is_closed())
            .map_or(0, Cursor::packets)
    }

    /// Whether a block can be opened: it was published, if ever filled, and the program has given it back.
    fn is_free<W: Words>(&self, words: &W, index: u32) -> bool {
        self.block(index).is_some_and(Block::is_free) && words.load(index) & status::USER == 0
    }

    /// Opens a block that is free, and is the active one or about to be.
    fn open(&self, slow: &mut Slow, index: u32, cursor: Cursor, now: u64) {
        let Some(block) = self.block(index) else {
            return;
        };
        block.open(cursor, slow.next_seq, now);
        slow.next_seq = slow.next_seq.wrapping_add(1);
        slow.frozen = false;
    }

    /// Opens the next block, or freezes the ring; `active` is there already.
    fn dispatch<W: Words>(
        &self,
        slow: &mut Slow,
        words: &W,
        next: u32,
        cursor: Cursor,
        now: u64,
    ) -> bool {
        if self.is_free(words, next) {
            self.open(slow, next, cursor, now);
        } else {
            slow.frozen = true;
            slow.freezes = slow.freezes.wrapping_add(1);
        }
        !slow.frozen
    }

    /// Closes the open block, and makes the next one active.
    fn close(&self, slow: &mut Slow, index: u32, time_up: bool) -> Option<Publication<'_>> {
        let block = self.block(index)?;
        let cursor = block.shut(self.drops.any(), time_up);
        slow.closed = slow.closed.wrapping_add(cursor.packets());

        self.unpublished.add(1, Relaxed);
        self.active.store(after(index, self.count), Relaxed);
        block.settle(cursor).then(|| self.publication(index, block))
    }

    /// What to publish of a closed block whose packets are all copied. For the one who has found that.
    pub(super) fn publication(&self, index: u32, block: &Block) -> Publication<'_> {
        let content = block.content();
        Publication {
            ring: self,
            block: index,
            seq: content.seq,
            packets: content.cursor.packets(),
            length: self.offset(content.cursor.filled()),
            last: content.cursor.last().map(|units| self.offset(units)),
            opened: content.opened,
            status: content.cursor.status(),
        }
    }

    /// The place of a packet that was put behind `old`.
    #[inline]
    fn place(&self, block: u32, old: Cursor, length: Length) -> Place<'_> {
        Place {
            ring: self,
            block,
            offset: self.offset(old.filled()),
            length: length.bytes(),
            is_first: old.packets() == 0,
        }
    }

    /// Where something is in a block, in bytes, that lies so many units behind the first packet.
    #[inline]
    fn offset(&self, units: u32) -> u32 {
        // At most the size of a block.
        self.first.wrapping_add(units.wrapping_mul(UNIT))
    }

    /// The private state of a block.
    #[inline]
    pub(super) fn block(&self, index: u32) -> Option<&Block> {
        at(&self.blocks, index)
    }

    /// A block is not late any more.
    // ORDERING: Release. Who finds that none is late sees the status.
    pub(super) fn on_time(&self) {
        self.unpublished.fetch_sub(1, Release);
    }
}
