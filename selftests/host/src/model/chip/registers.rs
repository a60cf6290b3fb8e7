// SPDX-License-Identifier: GPL-2.0

//! The registers of the chip: what is read, and what a write does.
//!
//! Each answers at its width only, and those of the configuration are locked.

use super::{
    bit,
    Chip,
    Kind,
    RING, //
};

impl Chip {
    fn reset(&mut self) {
        self.cr = 0;
        self.imr = 0;
        self.isr = 0;
        self.rcr = 0;
        self.tcr &= 0x7cc0_0000;
        self.tsd = [bit::TSD_OWN; 4];
        self.queued.clear();
        self.next = 0;
        self.stands = false;
        self.missed_a_write = false;
        self.cbr = 0;
        self.begin_ring();
        self.leave_cplus();
        self.reset_tally();
        self.resetting = if self.lies.reset_hangs { usize::MAX } else { 2 };
    }

    fn write_cr(&mut self, value: u8) {
        if value & bit::CR_RESET != 0 {
            if self.cr & bit::CR_RECEIVE != 0 && self.place.is_master() {
                // By an old start, whose memory may be gone.
                self.violation("the chip could write to memory before it was reset".to_string());
            }
            return self.reset();
        }
        let begins = |bit: u8| {
            let anew = self.kind == Kind::Qemu || self.cr & bit == 0;
            value & bit != 0 && anew
        };
        let (receive, transmit) = (begins(bit::CR_RECEIVE), begins(bit::CR_TRANSMIT));
        let starts = value & bit::CR_RECEIVE != 0 && self.cr & bit::CR_RECEIVE == 0;
        self.cr = value & (bit::CR_RECEIVE | bit::CR_TRANSMIT);
        if self.lies.transmitter_dead {
            self.stop_transmitter();
        }
        if starts {
            self.begin_ring();
        }
        self.begin_descriptors(receive, transmit);
    }

    pub(super) fn answer(&mut self, offset: usize, width: usize) -> u32 {
        if let Some(value) = self.answer_cplus(offset, width) {
            return value;
        }
        match (offset, width) {
            (0x00 | 0x04, 4) => self.idr[offset / 4],
            (0x08 | 0x0c, 4) => self.mar[offset / 4 - 2],
            (0x10 | 0x14 | 0x18 | 0x1c, 4) => self.tsd[offset / 4 - 4],
            (0x20 | 0x24 | 0x28 | 0x2c, 4) => self.tsa[offset / 4 - 8],
            (0x30, 4) => self.rbstart,
            (0x37, 1) => {
                let reset = self.resetting > 0;
                self.resetting = self
                    .resetting
                    .saturating_sub(usize::from(!self.lies.reset_hangs));
                let empty = u8::from(self.cbr == self.read);
                u32::from(self.cr | empty | if reset { bit::CR_RESET } else { 0 })
            }
            (0x38, 2) => (self.read as u32).wrapping_sub(16) & 0xffff,
            (0x3a, 2) => match self.lies.cbr.take() {
                Some(cbr) => cbr.into(),
                None => self.cbr as u32,
            },
            (0x3c, 2) => self.imr.into(),
            (0x3e, 2) => {
                self.breathe();
                self.shown = self.isr | self.lies.stuck;
                self.shown.into()
            }
            (0x40, 4) => self.tcr,
            (0x44, 4) => self.rcr,
            (0x4c, 4) => self.mpc,
            (0x50, 1) => u32::from(self.cr9346 & !1) | u32::from(self.eeprom_answers()),
            (0x52, 1) => self.config[0].into(),
            (0x58, 1) => 0xd0 | (u32::from(!self.link) << 2),
            (0x59, 1) => self.config[1].into(),
            (0x5a, 1) => self.config[2].into(),
            (0xd8, 1) => self.config[3].into(),
            (0x5c, 2) => self.mulint.into(),
            (0x60, 2) => match self.lies.tsad.take() {
                Some(tsad) => tsad.into(),
                None if self.hides && self.imr & bit::ISR_TX_OK != 0 => {
                    self.hides = false;
                    0
                }
                None => self.tsad().into(),
            },
            (0x62 | 0x64 | 0x66 | 0x68 | 0x6a, 2) => self.phy[(offset - 0x62) / 2].into(),
            _ => {
                self.violation(format!("a read of {width} bytes at {offset:#x}"));
                0
            }
        }
    }

    fn eeprom_answers(&self) -> bool {
        use crate::driver::eeprom::Wires;
        // The wire is pulled up.
        let mut memory = self.eeprom.clone();
        self.lies.deaf_eeprom || memory.sense()
    }

    pub(super) fn take(&mut self, offset: usize, width: usize, value: u32) {
        use crate::driver::eeprom::{State, Wires};
        if self.take_cplus(offset, width, value) {
            return;
        }
        match (offset, width) {
            (0x00 | 0x04 | 0x52 | 0x59 | 0x5a | 0x62, _) if !self.is_unlocked() => {
                self.violation(format!("a write to {offset:#x}, which is locked"));
            }
            (0x00 | 0x04, 4) => self.idr[offset / 4] = value,
            (0x08 | 0x0c, 4) => self.mar[offset / 4 - 2] = value,
            (0x10 | 0x14 | 0x18 | 0x1c, 4) => self.kick(offset / 4 - 4, value),
            (0x20 | 0x24 | 0x28 | 0x2c, 4) => self.tsa[offset / 4 - 8] = value,
            (0x30, 4) => self.rbstart = value,
            (0x37, 1) => self.write_cr(value as u8),
            (0x38, 2) => {
                self.read = (value as usize + 16) % RING;
                if self.read % 4 != 0 {
                    self.violation(format!("CAPR is {value:#x}"));
                }
            }
            (0x3c, 2) => self.imr = value as u16,
            (0x3e, 2) => {
                let events = value as u16;
                if events & !self.shown != 0 {
                    self.violation(format!("{events:#x} is acknowledged unseen"));
                }
                self.isr &= !events;
            }
            (0x40, 4) => {
                self.stands &= value & 1 == 0;
                self.tcr = (self.tcr & 0x7cc0_0000) | (value & !0x7cc0_0001);
            }
            (0x44, 4) => {
                if value & bit::RCR_NOWRAP == 0 || (value >> 11) & 3 != 2 {
                    self.violation(format!("the ring is another one: RCR is {value:#x}"));
                }
                self.rcr = value;
                if self.kind == Kind::Qemu {
                    self.begin_ring();
                }
            }
            (0x4c, 4) => self.mpc = 0,
            (0x50, 1) => {
                self.cr9346 = value as u8;
                if value >> 6 == 2 && self.cr != 0 {
                    self.violation("the EEPROM's wires are used while the chip runs".to_string());
                }
                let bit = |n: u32| (value >> n) & 1 != 0;
                self.eeprom.drive(State {
                    select: bit(3),
                    clock: bit(2),
                    data: bit(1),
                });
            }
            (0x52, 1) => self.config[0] = value as u8,
            (0x59, 1) => self.config[1] = value as u8,
            (0x5a, 1) => self.config[2] = value as u8,
            (0xd8, 1) => self.config[3] = value as u8,
            (0x5b, 1) => self.running = value as u8 != b'H',
            (0x5c, 2) => self.mulint = value as u16,
            (0x62 | 0x66, 2) => self.phy[(offset - 0x62) / 2] = value as u16,
            _ => self.violation(format!("a write of {width} bytes at {offset:#x}")),
        }
    }
}
