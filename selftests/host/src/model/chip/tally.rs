// SPDX-License-Identifier: GPL-2.0

//! What an RTL8139C+ counts by itself, and writes to memory when it is told to.
//!
//! QEMU writes at once, and begins at zero with each reset. Silicon takes a while, and a reset leaves the counts
//! alone.

use super::{
    Chip,
    Ending,
    Fate,
    Kind, //
};

/// Has the chip write.
const DUMP: u32 = 1 << 3;

/// How often the register says that the chip is not done.
const READS: usize = 3;

/// A count: where it is, and its width in bytes.
pub(crate) type Count = (usize, usize);

pub(crate) const TX_OK: Count = (0, 8);
pub(crate) const RX_OK: Count = (8, 8);
const TX_ERR: Count = (16, 8);
const RX_ERR: Count = (24, 4);
const RX_FIFO: Count = (28, 2);
pub(crate) const FRAME_ALIGN: Count = (30, 2);
pub(crate) const TX_OK_1COL: Count = (32, 4);
pub(crate) const TX_OK_MCOL: Count = (36, 4);
const RX_OK_PHYS: Count = (40, 8);
const RX_OK_BCAST: Count = (48, 8);
const RX_OK_MCAST: Count = (56, 4);
const TX_ABORT: Count = (60, 2);
const TX_UNDERRUN: Count = (62, 2);

/// The counts, and the register.
pub(super) struct Tally {
    counts: [u8; 64],
    register: [u32; 2],
    /// How often the register says yet that it is not done.
    left: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            counts: [0; 64],
            register: [0; 2],
            left: 0,
        }
    }
}

impl Chip {
    /// Adds to a count, which wraps.
    pub(crate) fn count(&mut self, (offset, width): Count, by: u64) {
        let field = &mut self.tally.counts[offset..][..width];
        let mut value = [0; 8];
        value[..width].copy_from_slice(field);
        let value = u64::from_le_bytes(value).wrapping_add(by).to_le_bytes();
        field.copy_from_slice(&value[..width]);
    }

    pub(super) fn count_received(&mut self, frame: &[u8], fate: Fate) {
        match fate {
            Fate::Stored => {
                self.count(RX_OK, 1);
                self.count(
                    match frame {
                        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, ..] => RX_OK_BCAST,
                        [first, ..] if first & 1 != 0 => RX_OK_MCAST,
                        _ => RX_OK_PHYS,
                    },
                    1,
                );
            }
            Fate::Missed => {
                self.count(RX_FIFO, 1);
                if self.kind == Kind::Qemu {
                    self.count(RX_ERR, 1);
                }
            }
            Fate::Ignored => {}
        }
    }

    pub(super) fn count_sent(&mut self, ending: Ending) {
        match ending {
            Ending::Sent | Ending::Late => self.count(TX_OK, 1),
            Ending::Underrun => {
                self.count(TX_OK, 1);
                self.count(TX_UNDERRUN, 1);
            }
            Ending::Aborted => {
                self.count(TX_ERR, 1);
                self.count(TX_ABORT, 1);
            }
            Ending::NoLink => self.count(TX_ERR, 1),
        }
    }

    /// A reset ends what the chip writes.
    pub(super) fn reset_tally(&mut self) {
        self.tally.register = [0; 2];
        if self.kind == Kind::Qemu {
            self.tally.counts = [0; 64];
        }
    }

    pub(super) fn answer_tally(&mut self, word: usize) -> u32 {
        if word == 0 && self.tally.register[0] & DUMP != 0 && !self.lies.tally_hangs {
            self.tally.left -= 1;
            if self.tally.left == 0 {
                self.finish_dump();
            }
        }
        self.tally.register[word]
    }

    pub(super) fn take_tally(&mut self, word: usize, value: u32) {
        if self.tally.register[0] & DUMP != 0 {
            self.violation("a dump of the counters during another".to_string());
        }
        self.tally.register[word] = value;
        if word == 0 && value & DUMP != 0 {
            if value & 0x37 != 0 {
                self.violation(format!("the counters are to be written to {value:#x}"));
            }
            self.tally.left = READS;
            if self.kind == Kind::Qemu && !self.lies.tally_hangs {
                self.finish_dump();
            }
        }
    }

    /// Writes the counts, if they are to be written.
    pub(in crate::model) fn finish_dump(&mut self) {
        let [low, high] = self.tally.register;
        if low & DUMP == 0 {
            return;
        }
        self.tally.register[0] &= !DUMP;
        if high != 0 {
            self.violation(format!(
                "the counters are to be written to {high:#x} {low:#x}"
            ));
        }
        if self.place.is_master() && !self.lies.tally_lost {
            self.bus.device_writes(low & !0x3f, &self.tally.counts);
        }
    }
}
