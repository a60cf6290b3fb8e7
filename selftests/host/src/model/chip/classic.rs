// SPDX-License-Identifier: GPL-2.0

//! The classic mode: the receive ring and the four slots.

use super::{
    bit,
    crc,
    Chip,
    Ending,
    Fate,
    Kind,
    RING, //
};

impl Chip {
    // ---- Receiver ----

    pub(super) fn begin_ring(&mut self) {
        if !self.lies.stale_cbr {
            self.cbr = 0;
        }
        self.read = self.cbr;
        self.in_progress = None;
    }

    /// Copies a frame into the ring.
    pub(super) fn fill_ring(&mut self, frame: &[u8]) -> Fate {
        let total = (frame.len() + 8).next_multiple_of(4);
        let room = (self.read + RING - self.cbr) % RING;
        if room != 0 && total >= room {
            self.mpc = (self.mpc + 1) & 0x00ff_ffff;
            self.report(bit::ISR_OVERFLOW);
            return Fate::Missed;
        }
        let stored = frame.len() as u16 + 4;
        let truth = header(1, stored);
        let shown = match self.lies.header.take() {
            Some((status, stored)) => header(status, stored),
            None => truth,
        };
        let at = self.rbstart + self.cbr as u32;
        self.bus
            .device_writes(at, &[&shown, frame, &crc(frame)].concat());
        if self.lies.hangs {
            self.lies.hangs = false;
            self.in_progress = Some((at, truth));
            self.bus.device_writes(at, &header(0, 0xfff0));
        }
        self.cbr = (self.cbr + total) % RING;
        self.report(bit::ISR_RX_OK);
        Fate::Stored
    }

    /// The frame that was in progress arrives.
    pub(crate) fn finish_transfer(&mut self) {
        self.finish_hung();
        if let Some((at, header)) = self.in_progress.take() {
            self.bus.device_writes(at, &header);
        }
    }

    // ---- Transmitter ----

    pub(super) fn kick(&mut self, slot: usize, value: u32) {
        if self.cr & bit::CR_TRANSMIT == 0 {
            return;
        }
        if slot != self.next && !self.missed_a_write {
            let next = self.next;
            self.violation(format!("slot {slot} was sent, and {next} is the next"));
        }
        if self.queued.contains(&slot) {
            self.violation(format!("slot {slot} was sent twice"));
        }
        self.tsd[slot] = value & 0x003f_1fff;
        self.next = (slot + 1) % 4;
        self.queued.push_back(slot);
        if self.kind == Kind::Qemu {
            self.send();
        }
    }

    /// Sends the frame in the next slot, if there is one. Returns whether it did.
    pub(super) fn send_slot(&mut self) -> bool {
        let Some(slot) = self.queued.pop_front() else {
            return false;
        };
        let len = (self.tsd[slot] & 0x1fff) as usize;
        let frame = self.bus.device_reads(self.tsa[slot], len);
        let ending = self.lies.ending.take().unwrap_or(Ending::Sent);
        let status = match ending {
            Ending::Sent => bit::TSD_OK,
            Ending::Underrun => bit::TSD_OK | bit::TSD_UNDERRUN,
            Ending::Late => bit::TSD_OK | bit::TSD_LATE | (1 << 24),
            Ending::Aborted | Ending::NoLink => bit::TSD_ABORTED | (0xf << 24),
        };
        self.tsd[slot] |= bit::TSD_OWN | bit::TSD_CARRIER_LOST | status;
        if status & bit::TSD_ABORTED != 0 {
            self.stands = true;
            self.report(bit::ISR_TX_ERR);
        } else {
            self.put_on_the_wire(frame, 0);
            self.report(bit::ISR_TX_OK);
        }
        true
    }

    /// Whether frames wait in the slots.
    pub(crate) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    pub(super) fn tsad(&self) -> u16 {
        let bits = |first: u32, bit: u32| {
            (0..4).fold(0u32, |word, slot| {
                word | (u32::from(self.tsd[slot] & bit != 0) << (first + slot as u32))
            })
        };
        let word = bits(0, bit::TSD_OWN)
            | bits(4, bit::TSD_ABORTED)
            | bits(8, bit::TSD_UNDERRUN)
            | bits(12, bit::TSD_OK);
        word as u16
    }
}

fn header(status: u16, stored: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (status.to_le_bytes(), stored.to_le_bytes());
    [a, b, c, d]
}
