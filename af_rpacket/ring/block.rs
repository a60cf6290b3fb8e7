// SPDX-License-Identifier: GPL-2.0

//! What is known privately about a block of a ring of version 3, and who publishes it.
//!
//! Nobody waits for the others who copy packets into a block. `pending` goes down by one when a packet is
//! copied, and up by the number of packets when the block is closed. So it is zero after that when, and only
//! when, all of them are copied; whoever brings it there, the one who closed or the last one who copied,
//! owns the block, writes its header and gives it to the program.
//!
//! ```text
//!                open                  close                   publish               the program
//!      free ---------------> open --------------> closed ------------------> free, USER -----> free
//!      FREE     [pending:    0, -1 .. -n          n - copied .. 0            FREE]
//! ```
//!
//! Zero does not mean that the block is free: it is when it has been published, by the last thing that the
//! owner does, and the program has given it back. Until it is published the word of the program still says
//! `TP_STATUS_KERNEL`, from before.

#![forbid(unsafe_code)]

use super::cursor::Cursor;
use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Full,
    Relaxed,
    Release, //
};

/// `pending` of a block that nobody fills, or has filled and not published.
const FREE: i32 = i32::MAX;

/// What is known about a block. Each has a cache line, since one is filled while others are finished.
///
/// # Invariants
///
/// - `cursor` holds a [`Cursor`].
/// - While the block is open, `pending` is what was copied, negative; while it is closed and not published,
///   what is not copied yet. Else it is [`FREE`].
#[repr(align(64))]
pub(super) struct Block {
    cursor: Atomic<u64>,
    pending: Atomic<i32>,
    seq: Atomic<u64>,
    opened: Atomic<u64>,
}

/// What a closed block holds.
pub(super) struct Content {
    pub(super) cursor: Cursor,
    /// Its number in the order in which blocks were opened.
    pub(super) seq: u64,
    /// When it was opened.
    pub(super) opened: u64,
}

impl Block {
    /// A block that was never opened.
    pub(super) const fn new() -> Self {
        // INVARIANT: It is free.
        Self {
            cursor: Atomic::new(Cursor::SHUT.into_raw()),
            pending: Atomic::new(FREE),
            seq: Atomic::new(0),
            opened: Atomic::new(0),
        }
    }

    /// How far it is filled.
    // ORDERING: Relaxed. A cursor says all there is to say about the block, and is tried by an exchange.
    #[inline]
    pub(super) fn cursor(&self) -> Cursor {
        Cursor::from_raw(self.cursor.load(Relaxed))
    }

    /// Moves the cursor on for one more packet, unless it is not `old` any more.
    #[inline]
    pub(super) fn advance(&self, old: Cursor, new: Cursor) -> bool {
        // ORDERING: Acquire pairs with the release in `open`: the program is done with the block.
        self.cursor
            .cmpxchg(old.into_raw(), new.into_raw(), Acquire)
            .is_ok()
    }

    /// Whether it was published, if it was ever filled.
    // ORDERING: Acquire pairs with the release in `published`: the status that was written is seen, and
    // whoever wrote to the block is done.
    pub(super) fn is_free(&self) -> bool {
        self.pending.load(Acquire) == FREE
    }

    /// Opens it. It must be free, and the program must have given it back.
    pub(super) fn open(&self, cursor: Cursor, seq: u64, now: u64) {
        self.seq.store(seq, Relaxed);
        self.opened.store(now, Relaxed);
        self.pending.store(0, Relaxed);
        // ORDERING: Release. Who gets a place in the block sees it as prepared above, and as the program
        // left it.
        self.cursor.store(cursor.into_raw(), Release);
    }

    /// Lets nobody get a place any more. [`Self::settle`] follows.
    pub(super) fn shut(&self, losing: bool, time_up: bool) -> Cursor {
        // An exchange for a cursor that nobody can move, and then the one that says how far it had come:
        // a loop could go on for as long as there is room.
        // ORDERING: Relaxed. What those do who have a place is waited for in `pending`.
        let cursor = Cursor::from_raw(self.cursor.xchg(Cursor::SHUT.into_raw(), Relaxed))
            .close(losing, time_up);
        self.cursor.store(cursor.into_raw(), Relaxed);
        cursor
    }

    /// Begins to count what is not copied yet of a block that was shut. Whether that is nothing: then the
    /// caller owns the block.
    // ORDERING: Full is a release for what the one who will own the block has to see, and an acquire if
    // that is the caller, for what was copied.
    pub(super) fn settle(&self, cursor: Cursor) -> bool {
        // Less than 2^20.
        let packets = cursor.packets() as i32;
        self.pending.fetch_add(packets, Full).wrapping_add(packets) == 0
    }

    /// A packet was copied. Whether it was the last one of a closed block: then the caller owns it.
    // ORDERING: Full is a release for the packet, and an acquire for all the others if it is the last.
    #[inline]
    pub(super) fn copied(&self) -> bool {
        self.pending.fetch_sub(1, Full) == 1
    }

    /// What it holds, for its owner.
    // ORDERING: Relaxed. Who owns it found that with an acquire.
    pub(super) fn content(&self) -> Content {
        Content {
            cursor: self.cursor(),
            seq: self.seq.load(Relaxed),
            opened: self.opened.load(Relaxed),
        }
    }

    /// It was given to the program, by its owner.
    // ORDERING: Release. Who finds it free sees the status that stands in it, and writes to it after the
    // owner did.
    pub(super) fn published(&self) {
        self.pending.store(FREE, Release);
    }
}
