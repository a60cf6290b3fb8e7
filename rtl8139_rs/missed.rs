// SPDX-License-Identifier: GPL-2.0

//! The chip's count of frames that found no room.
//!
//! RxMissed is a counter of 24 bits that wraps. The driver does not clear it while the interface is up, so
//! that a reader has no side effect on the chip; the total is kept by differences. It is read whenever the chip
//! is looked after, far more often than it could wrap.

#![forbid(unsafe_code)]

/// The bits of the register that count.
const MASK: u32 = 0x00ff_ffff;

/// So many frames at most are missed between two reads; it would take a minute at the least.
const MOST: u32 = MASK / 2;

/// The total, and what the register said when it was last read.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    last: u32,
    total: u64,
}

impl Missed {
    /// Follows a register that has just been cleared; the total is kept.
    pub(crate) fn restart(&mut self) {
        self.last = 0;
    }

    /// Takes in the value `register` of RxMissed.
    ///
    /// A device that is gone answers with all bits set in the part that is always zero; that is not
    /// counted. Nor is a value that is less than the last: the chip was reset, or in QEMU, where one that is
    /// not there reads as zero, it is gone. What it counts from there on is counted when it exceeds the last.
    pub(crate) fn update(&mut self, register: u32) {
        if register & !MASK != 0 {
            return;
        }
        let new = register.wrapping_sub(self.last) & MASK;
        if new > MOST {
            return;
        }
        self.last = register;
        self.total = self.total.wrapping_add(new.into());
    }

    /// All frames missed since the driver was bound.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}
