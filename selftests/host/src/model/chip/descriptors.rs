// SPDX-License-Identifier: GPL-2.0

//! The C+ mode: descriptors in memory, which chip and driver own in turn.
//!
//! Both chips take descriptors in their order, and begin with the first when receiver or transmitter starts.
//! QEMU begins anew with each write of the command register, writes the second word of a receive descriptor
//! after it has cleared OWN, and leaves the bits of the command in the status of a frame that it has sent.
//! Silicon spreads a frame over as many buffers as it takes.

use super::{
    bit,
    crc,
    Chip,
    Ending,
    Fate,
    Kind,
    Model, //
};
use crate::net::skbuff::take_stamps;

const OWN: u32 = 1 << 31;
const END_OF_RING: u32 = 1 << 30;
const FIRST: u32 = 1 << 29;
const LAST: u32 = 1 << 28;
/// What the chip is to compute of a frame.
const WORK: u32 = 0x0fff_0000;
/// In the second word of a receive descriptor: a tag was taken off.
const TAG_AVAILABLE: u32 = 1 << 16;
/// In that of a transmit descriptor: insert the tag.
const INSERT_TAG: u32 = 1 << 17;

const TX_UNDERRUN: u32 = 1 << 25;
const TX_ERROR: u32 = 1 << 23;
const TX_LATE: u32 = 1 << 22;
const TX_NO_LINK: u32 = 1 << 21;
const TX_EXCESSIVE: u32 = 1 << 20;

/// Both ways work with descriptors.
const CPCR_ON: u16 = 3;
const CPCR_VLAN: u16 = 1 << 6;

/// The transmit descriptors of normal priority are to be looked at.
const TPPOLL_NORMAL: u8 = 1 << 6;

/// The longest ring.
const MOST: usize = 64;

/// The shortest frame on the wire.
const MIN_FRAME_LEN: usize = 60;

/// What a chip in the C+ mode knows beside its registers.
#[derive(Default)]
pub(super) struct State {
    pub(super) command: u16,
    pub(super) threshold: u8,
    pub(super) receive: [u32; 2],
    rx_next: usize,
    tx_next: usize,
    /// The transmitter was told to look, and has not found a descriptor of the driver yet.
    polls: bool,
    /// Frames with the time of their sending that were not sent yet.
    stamps: usize,
    /// A second word that is not written yet, and the address of its descriptor.
    late: Option<(u32, u32)>,
    /// A first word that is held back.
    hung: Option<(u32, u32)>,
}

/// A ring, as the chip finds it.
#[derive(Clone, Copy)]
struct Ring {
    what: &'static str,
    base: u32,
}

impl Ring {
    fn address(self, at: usize) -> u32 {
        self.base.wrapping_add(16 * at as u32)
    }
}

/// A frame with a tag behind the addresses.
pub(crate) fn tagged(frame: &[u8], tag: u16) -> Vec<u8> {
    let tag = tag.to_be_bytes();
    [&frame[..12], &[0x81, 0, tag[0], tag[1]], &frame[12..]].concat()
}

impl Chip {
    pub(super) fn is_cplus(&self) -> bool {
        self.cplus.command & CPCR_ON == CPCR_ON
    }

    fn rx_ring(&self) -> Ring {
        Ring {
            what: "receive",
            base: self.cplus.receive[0],
        }
    }

    fn tx_ring(&self) -> Ring {
        Ring {
            what: "transmit",
            base: self.tsa[0],
        }
    }

    /// Ends the C+ mode.
    pub(super) fn leave_cplus(&mut self) {
        self.cplus = State::default();
        // The frames that are lost.
        take_stamps();
    }

    /// Receiver or transmitter starts, or QEMU takes it for that.
    pub(super) fn begin_descriptors(&mut self, receive: bool, transmit: bool) {
        if !self.is_cplus() {
            return;
        }
        if receive {
            self.cplus.rx_next = 0;
            self.check_ring(self.rx_ring(), self.cplus.receive[1]);
        }
        if transmit {
            self.cplus.tx_next = 0;
            self.check_ring(self.tx_ring(), self.tsa[1]);
        }
    }

    fn check_ring(&mut self, ring: Ring, high: u32) {
        let Ring { what, base } = ring;
        if base == 0 || base % 256 != 0 || high != 0 {
            self.violation(format!("the {what} ring is at {high:#x} {base:#x}"));
        }
        if !(1..=MOST).contains(&self.len_of(ring)) {
            self.violation(format!("the {what} ring has no descriptor, or too many"));
        }
    }

    /// How many descriptors there is memory for.
    fn len_of(&self, ring: Ring) -> usize {
        self.bus.extent(ring.base).unwrap_or(0) / 16
    }

    fn word(&self, ring: Ring, at: usize, word: u32) -> u32 {
        let bytes = self.bus.device_reads(ring.address(at) + 4 * word, 4);
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    fn set_word(&mut self, address: u32, value: u32) {
        self.bus.device_writes(address, &value.to_le_bytes());
    }

    /// The address of the buffer of a descriptor.
    fn buffer(&mut self, ring: Ring, at: usize) -> u32 {
        let (low, high) = (self.word(ring, at, 2), self.word(ring, at, 3));
        if low == 0 || high != 0 {
            let what = ring.what;
            self.violation(format!("a {what} buffer is at {high:#x} {low:#x}"));
        }
        low
    }

    /// The descriptor after the one at `at`, whose first word is `first`.
    fn after(&mut self, ring: Ring, at: usize, first: u32) -> usize {
        let (end, last) = (first & END_OF_RING != 0, at + 1 >= self.len_of(ring));
        if end != last {
            let what = ring.what;
            self.violation(format!("the end of the {what} ring is not marked at {at}"));
        }
        if end {
            0
        } else {
            at + 1
        }
    }

    /// Time goes by: what was begun with a descriptor is finished.
    pub(super) fn finish_descriptor(&mut self) {
        if let Some((address, word)) = self.cplus.late.take() {
            self.set_word(address + 4, word);
        }
    }

    // ---- Receiver ----

    /// Writes a frame to the buffers of the next descriptors.
    pub(super) fn fill_buffers(&mut self, frame: &[u8]) -> Fate {
        self.finish_descriptor();
        let mut data = frame.to_vec();
        let mut tag = 0;
        if self.cplus.command & CPCR_VLAN != 0 && data.len() >= 18 && data[12..14] == [0x81, 0] {
            tag = TAG_AVAILABLE | u32::from(u16::from_le_bytes([data[14], data[15]]));
            data.drain(12..16);
        }
        data.extend(crc(&data));

        let Some(buffers) = self.find_room(data.len()) else {
            self.mpc = (self.mpc + 1) & 0x00ff_ffff;
            self.report(bit::ISR_OVERFLOW);
            return Fate::Missed;
        };
        let ring = self.rx_ring();
        let mut rest = &data[..];
        for (number, &(at, first)) in buffers.iter().enumerate() {
            let space = (first & 0x1fff) as usize;
            let (piece, more) = rest.split_at(space.min(rest.len()));
            let address = self.buffer(ring, at);
            self.bus.device_writes(address, piece);
            rest = more;

            let mut status = first & END_OF_RING;
            status |= if number == 0 { FIRST } else { 0 };
            // The last has the length of all.
            status |= match rest {
                [] => LAST | data.len() as u32,
                _ => piece.len() as u32,
            };
            if let Some(lie) = self.lies.status.take() {
                status = (status & END_OF_RING) | (lie & !(OWN | END_OF_RING));
            }
            // What the driver wrote there stays, beside the tag.
            let mut second = self.word(ring, at, 1) & !TAG_AVAILABLE;
            if tag != 0 {
                second = (second & !0xffff) | tag;
            }
            self.write_back(ring.address(at), status, second);
            self.cplus.rx_next = self.after(ring, at, first);
        }
        self.report(bit::ISR_RX_OK);
        Fate::Stored
    }

    /// Goes on behind the next descriptor, which stays the chip's.
    pub(super) fn leave_a_descriptor_out(&mut self) {
        let (ring, at) = (self.rx_ring(), self.cplus.rx_next);
        let first = self.word(ring, at, 0);
        self.cplus.rx_next = self.after(ring, at, first);
    }

    /// The next descriptors, as many as it takes for so many bytes, with their first words.
    fn find_room(&mut self, mut len: usize) -> Option<Vec<(usize, u32)>> {
        let ring = self.rx_ring();
        let mut at = self.cplus.rx_next;
        let mut found = Vec::new();
        loop {
            let first = self.word(ring, at, 0);
            let held = self.cplus.hung.map(|(address, _)| address);
            if first & OWN == 0 || held == Some(ring.address(at)) || found.len() >= MOST {
                return None;
            }
            let space = (first & 0x1fff) as usize;
            if space == 0 || space % 8 != 0 || first & (FIRST | LAST) != 0 {
                self.violation(format!("the command of a receive descriptor is {first:#x}"));
                return None;
            }
            found.push((at, first));
            if len <= space {
                return Some(found);
            }
            if self.kind == Kind::Qemu {
                return None;
            }
            len -= space;
            at = self.after(ring, at, first);
        }
    }

    /// Gives a receive descriptor to the driver.
    fn write_back(&mut self, address: u32, status: u32, second: u32) {
        if self.lies.hangs {
            self.lies.hangs = false;
            self.finish_hung();
            self.set_word(address + 4, second);
            self.cplus.hung = Some((address, status));
            return;
        }
        match self.kind {
            Kind::Silicon => {
                self.set_word(address + 4, second);
                self.set_word(address, status);
            }
            Kind::Qemu => {
                self.finish_descriptor();
                self.set_word(address, status);
                self.cplus.late = Some((address, second));
            }
        }
    }

    /// The descriptor that was held back is given to the driver.
    pub(super) fn finish_hung(&mut self) {
        if let Some((address, status)) = self.cplus.hung.take() {
            self.set_word(address, status);
        }
    }

    // ---- Transmitter ----

    /// The driver has the chip look at the transmit descriptors.
    pub(super) fn doorbell(&mut self, value: u8) {
        if value != TPPOLL_NORMAL {
            self.violation(format!("TPPOLL is {value:#x}"));
        }
        if self.cr & bit::CR_TRANSMIT == 0 {
            return;
        }
        if !self.is_cplus() {
            self.violation("a doorbell in the classic mode".to_string());
            return;
        }
        self.cplus.polls = true;
        if self.kind == Kind::Qemu {
            while self.send() {}
        }
    }

    /// Sends the frame in the next descriptors, if there is one. Returns whether it did.
    pub(super) fn send_descriptors(&mut self) -> bool {
        self.finish_descriptor();
        if !self.cplus.polls {
            return false;
        }
        let Some(pieces) = self.collect_pieces() else {
            self.cplus.polls = false;
            return false;
        };
        // A program that waits for the time of the sending would wait for ever.
        self.cplus.stamps += take_stamps();
        match self.cplus.stamps.checked_sub(1) {
            Some(left) => self.cplus.stamps = left,
            None => self.violation("a frame is sent without a time stamp".to_string()),
        }

        let ring = self.tx_ring();
        let mut frame = Vec::new();
        for &(at, first) in &pieces {
            let address = self.buffer(ring, at);
            frame.extend(self.bus.device_reads(address, (first & 0xffff) as usize));
        }
        let work = pieces[0].1 & WORK;
        if frame.len() < MIN_FRAME_LEN {
            self.violation(format!("{} bytes are a runt", frame.len()));
        }
        let second = self.word(ring, pieces[0].0, 1);
        if second & INSERT_TAG != 0 {
            frame = tagged(&frame, (second as u16).swap_bytes());
        }

        let ending = self.lies.ending.take().unwrap_or(Ending::Sent);
        self.count_sent(ending);
        let outcome = match ending {
            Ending::Sent => 0,
            Ending::Underrun => TX_ERROR | TX_UNDERRUN,
            Ending::Late => TX_ERROR | TX_LATE | (1 << 16),
            Ending::Aborted => TX_ERROR | TX_EXCESSIVE | (0xf << 16),
            Ending::NoLink => TX_ERROR | TX_NO_LINK,
        };
        for &(at, first) in &pieces {
            let kept = match self.kind {
                Kind::Silicon => first & (END_OF_RING | FIRST | LAST),
                Kind::Qemu => {
                    let errors = TX_ERROR | TX_UNDERRUN | TX_LATE | TX_NO_LINK | TX_EXCESSIVE;
                    first & !(OWN | errors)
                }
            };
            let outcome = if first & LAST != 0 { outcome } else { 0 };
            self.set_word(ring.address(at), kept | outcome);
            self.cplus.tx_next = self.after(ring, at, first);
        }
        if matches!(ending, Ending::Aborted | Ending::NoLink) {
            self.report(bit::ISR_TX_ERR);
        } else {
            self.put_on_the_wire(frame, work);
            self.report(bit::ISR_TX_OK);
        }
        true
    }

    /// The descriptors of the next frame, with their first words, if there is one.
    fn collect_pieces(&mut self) -> Option<Vec<(usize, u32)>> {
        let ring = self.tx_ring();
        let mut at = self.cplus.tx_next;
        let mut pieces: Vec<(usize, u32)> = Vec::new();
        loop {
            let first = self.word(ring, at, 0);
            if first & OWN == 0 {
                if !pieces.is_empty() {
                    self.violation("a frame was given in part".to_string());
                }
                return None;
            }
            if (first & FIRST != 0) != pieces.is_empty() {
                self.violation("a frame begins without FS, or in another one".to_string());
                return None;
            }
            if first & 0xffff == 0 || pieces.len() >= MOST {
                self.violation("a piece is empty, or the frame has no end".to_string());
                return None;
            }
            if let Some(&(before, other)) = pieces.first() {
                let same_tag = self.word(ring, at, 1) == self.word(ring, before, 1);
                if first & WORK != other & WORK || !same_tag {
                    self.violation("the pieces of a frame want different things".to_string());
                }
            }
            pieces.push((at, first));
            if first & LAST != 0 {
                return Some(pieces);
            }
            at = self.after(ring, at, first);
        }
    }

    // ---- Registers ----

    pub(super) fn answer_cplus(&mut self, offset: usize, width: usize) -> Option<u32> {
        Some(match (self.model, offset, width) {
            (Model::CPlus, 0x10 | 0x14, 4) if self.is_cplus() => {
                self.answer_tally((offset - 0x10) / 4)
            }
            (Model::CPlus, 0xe0, 2) => self.cplus.command.into(),
            (Model::CPlus, 0xe4 | 0xe8, 4) => self.cplus.receive[(offset - 0xe4) / 4],
            (Model::CPlus, 0xec, 1) => self.cplus.threshold.into(),
            _ => return None,
        })
    }

    /// Takes a write that is one of the C+ mode. Returns whether it was.
    pub(super) fn take_cplus(&mut self, offset: usize, width: usize, value: u32) -> bool {
        if self.model != Model::CPlus {
            return false;
        }
        match (offset, width) {
            (0xe0, 2) => self.cplus.command = value as u16,
            (0xe4 | 0xe8, 4) if self.is_cplus() => {
                self.cplus.receive[(offset - 0xe4) / 4] = value;
            }
            (0xec, 1) => self.cplus.threshold = value as u8,
            (0x10 | 0x14, 4) if self.is_cplus() => self.take_tally((offset - 0x10) / 4, value),
            (0xd9, 1) => self.doorbell(value as u8),
            // What has no meaning there: slots, ring and its position.
            (0x10..0x20 | 0x30 | 0x38, _) if self.is_cplus() => {
                self.violation(format!("a write to {offset:#x} in the C+ mode"));
            }
            _ => return false,
        }
        true
    }
}
