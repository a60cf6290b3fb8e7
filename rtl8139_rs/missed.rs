// SPDX-License-Identifier: GPL-2.0

//! The chip's count of frames that found no room.
//!
//! RxMissed is a counter of 24 bits that wraps. It is never cleared while the interface is up, so
//! that a reader has no side effect on the chip; the total is kept by differences.

#![forbid(unsafe_code)]

/// The bits of the register that count.
const MASK: u32 = 0x00ff_ffff;

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
    /// counted.
    pub(crate) fn update(&mut self, register: u32) {
        if register & !MASK != 0 {
            return;
        }
        let new = register.wrapping_sub(self.last) & MASK;
        self.last = register;
        self.total = self.total.wrapping_add(new.into());
    }

    /// All frames missed since the driver was bound.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}
