// SPDX-License-Identifier: GPL-2.0

//! The RTL8139, as the driver sees it from the bus.
//!
//! There are two models of it: [`Model`]. In the classic mode, which both have, the receiver copies frames
//! with header and check sequence into the ring, and the transmitter takes the slots in turn: [`classic`].
//! In the C+ mode both work through descriptors: [`descriptors`]. What chips of two makers do differently is
//! [`Kind`]. Whatever no driver may do is noted as a violation.
//!
//! The chip tells the truth unless [`Chip::lies`] say otherwise.

use super::{
    config::Config,
    eeprom::Memory,
    lie::Lies, //
};
use crate::driver::{
    rx_filter::hash,
    rx_ring::RING_LEN, //
};
use crate::net::skbuff::take_stamps;
use kernel::{
    dma::Bus,
    io::Registers,
    sync::SpinLockIrq, //
};
use std::collections::VecDeque;
use std::sync::{
    Mutex,
    MutexGuard, //
};

mod classic;
mod descriptors;
mod registers;
pub(crate) mod tally;

pub(crate) use self::descriptors::tagged;

const RING: usize = RING_LEN as usize;

/// Where the registers are whose writes send a frame.
const TSD: std::ops::Range<usize> = 0x10..0x20;

/// The address in the EEPROM.
pub(crate) const MAC: [u8; 6] = [0x52, 0x54, 0x12, 0x34, 0x56, 0x78];

/// Bits of the registers.
mod bit {
    pub(super) const CR_RESET: u8 = 0x10;
    pub(super) const CR_RECEIVE: u8 = 0x08;
    pub(super) const CR_TRANSMIT: u8 = 0x04;
    pub(super) const RCR_ALL: u32 = 1 << 0;
    pub(super) const RCR_STATION: u32 = 1 << 1;
    pub(super) const RCR_MULTICAST: u32 = 1 << 2;
    pub(super) const RCR_BROADCAST: u32 = 1 << 3;
    pub(super) const RCR_NOWRAP: u32 = 1 << 7;
    pub(super) const TSD_OWN: u32 = 1 << 13;
    pub(super) const TSD_UNDERRUN: u32 = 1 << 14;
    pub(super) const TSD_OK: u32 = 1 << 15;
    pub(super) const TSD_LATE: u32 = 1 << 29;
    pub(super) const TSD_ABORTED: u32 = 1 << 30;
    pub(super) const TSD_CARRIER_LOST: u32 = 1 << 31;
    pub(super) const ISR_RX_OK: u16 = 1 << 0;
    pub(super) const ISR_TX_OK: u16 = 1 << 2;
    pub(super) const ISR_TX_ERR: u16 = 1 << 3;
    pub(super) const ISR_OVERFLOW: u16 = 1 << 4;
    pub(super) const ISR_LINK: u16 = 1 << 5;
    pub(super) const ISR_FIFO: u16 = 1 << 6;
    pub(super) const ISR_SYSTEM_ERROR: u16 = 1 << 15;
}

/// Whose habits the chip has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Realtek's: the ring begins anew when the receiver starts; a frame is sent after a while.
    Silicon,
    /// QEMU's: the ring begins anew with each write of the receiver's configuration; a frame is sent
    /// before the write that sends it returns.
    Qemu,
}

/// Which chip it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// An RTL8139C, which has the classic mode alone.
    C,
    /// An RTL8139C+.
    CPlus,
}

impl Model {
    /// The version in the transmit configuration.
    fn version(self) -> u32 {
        match self {
            Self::C => 0x7400_0000,
            Self::CPlus => 0x7480_0000,
        }
    }
}

/// All models.
pub(crate) const MODELS: [Model; 2] = [Model::C, Model::CPlus];

/// All chips that there are.
pub(crate) const CHIPS: [(Kind, Model); 4] = [
    (Kind::Silicon, Model::C),
    (Kind::Qemu, Model::C),
    (Kind::Silicon, Model::CPlus),
    (Kind::Qemu, Model::CPlus),
];

/// How the transmission of a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Sent,
    /// The frame was sent, but memory was slow.
    Underrun,
    /// Given up after too many collisions.
    Aborted,
    /// Sent, with a collision that came too late.
    Late,
    /// Given up because there is no link.
    NoLink,
}

/// What became of a frame that came over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in the ring, or in buffers.
    Stored,
    /// There was no room.
    Missed,
    /// The receiver does not run, or the filter does not let it through.
    Ignored,
}

pub(crate) struct Chip {
    kind: Kind,
    model: Model,
    bus: Bus,
    place: Config,
    pub(crate) lies: Lies,
    idr: [u32; 2],
    mar: [u32; 2],
    tsd: [u32; 4],
    tsa: [u32; 4],
    rbstart: u32,
    cr: u8,
    /// How far the driver has read, as it said.
    read: usize,
    /// Where the chip writes.
    cbr: usize,
    imr: u16,
    isr: u16,
    /// What the driver has read of it last.
    shown: u16,
    tcr: u32,
    rcr: u32,
    mpc: u32,
    cr9346: u8,
    pub(crate) eeprom: Memory,
    config: [u8; 4],
    running: bool,
    link: bool,
    mulint: u16,
    phy: [u16; 5],
    /// How often CR says yet that the reset goes on.
    resetting: usize,
    /// Slots with frames that were not sent yet.
    queued: VecDeque<usize>,
    next: usize,
    /// The transmitter waits to be told to go on.
    stands: bool,
    /// A header to be put right, and its address.
    in_progress: Option<(u32, [u8; 4])>,
    hides: bool,
    /// Something was written while the card did not answer, and it was not reset since.
    missed_a_write: bool,
    cplus: descriptors::State,
    tally: tally::Tally,
    /// What was sent.
    pub(crate) wire: Vec<Vec<u8>>,
    /// What the chip was to compute for each of those, as the command says; nothing in the classic mode.
    pub(crate) work: Vec<u32>,
    /// How many registers were accessed.
    pub(crate) accesses: usize,
    /// What no driver may do, and this one did.
    pub(crate) violations: Vec<String>,
}

impl Chip {
    fn new(kind: Kind, model: Model, bus: Bus, place: Config) -> Self {
        // Those of a chip that was there before.
        take_stamps();
        let words = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
        let mut rom = [0u16; 10];
        rom[0] = 0x8129;
        for (word, bytes) in rom[7..].iter_mut().zip(MAC.chunks(2)) {
            *word = words(bytes);
        }
        let eeprom = Memory::new(6, &rom);
        Self {
            kind,
            model,
            bus,
            place,
            lies: Lies::default(),
            idr: [
                u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]]),
                words(&MAC[4..]).into(),
            ],
            mar: [0; 2],
            tsd: [bit::TSD_OWN; 4],
            tsa: [0; 4],
            rbstart: 0,
            cr: 0,
            read: 0,
            cbr: 0,
            imr: 0,
            isr: 0,
            shown: 0,
            tcr: model.version(),
            rcr: 0,
            mpc: 0,
            cr9346: 0,
            eeprom: match kind {
                Kind::Silicon => eeprom,
                Kind::Qemu => eeprom.read_only(),
            },
            config: [0; 4],
            running: true,
            link: true,
            mulint: 0,
            phy: [0x1000, 0x782d, 0x05e1, 0x45e1, 1],
            resetting: 0,
            queued: VecDeque::new(),
            next: 0,
            stands: false,
            in_progress: None,
            hides: false,
            missed_a_write: false,
            cplus: descriptors::State::default(),
            tally: tally::Tally::default(),
            wire: Vec::new(),
            work: Vec::new(),
            accesses: 0,
            violations: Vec::new(),
        }
    }

    fn violation(&mut self, what: String) {
        self.violations.push(what);
    }

    fn is_unlocked(&self) -> bool {
        self.cr9346 >> 6 == 3
    }

    /// Whether the interrupt line is active.
    pub(crate) fn interrupts(&mut self) -> bool {
        if self.lies.gone {
            return false;
        }
        self.isr |= self.lies.stuck;
        self.isr & self.imr != 0 && !self.place.is_silent()
    }

    /// Latches events, now or a little later.
    fn report(&mut self, events: u16) {
        if self.lies.late > 0 {
            self.lies.withheld |= events;
        } else {
            self.isr |= events;
        }
    }

    /// The interrupt mask.
    pub(crate) fn mask(&self) -> u16 {
        self.imr
    }

    /// Shows no slot as done when it is next asked with the interrupt for a sent frame armed: as if the
    /// driver did not look again after it has armed it.
    pub(crate) fn hide_second_look(&mut self, hide: bool) {
        self.hides = hide;
    }

    /// Enables events that the driver has not enabled.
    pub(crate) fn enable(&mut self, events: u16) {
        self.imr |= events;
    }

    /// Latches events out of nowhere.
    pub(crate) fn pretend(&mut self, events: u16) {
        self.isr |= events;
    }

    /// Lets time pass for what is withheld.
    fn breathe(&mut self) {
        if self.lies.late > 0 {
            self.lies.late -= 1;
            if self.lies.late == 0 {
                self.isr |= std::mem::take(&mut self.lies.withheld);
            }
        }
    }

    /// Plugs the cable, or pulls it.
    pub(crate) fn set_link(&mut self, link: bool) {
        if self.link != link {
            self.link = link;
            self.phy[1] ^= 1 << 2;
            self.report(bit::ISR_LINK);
        }
    }

    /// Forgets where the driver reads, and takes the ring for nearly full. With descriptors, leaves one out.
    pub(crate) fn lose_position(&mut self) {
        self.read = (self.cbr + 4) % RING;
        // One that has no power, or does not receive, has no ring.
        let on = self.cr & bit::CR_RECEIVE != 0 && self.running && !self.lies.gone;
        if on && self.is_cplus() && self.place.is_master() {
            self.leave_a_descriptor_out();
        }
    }

    /// Stops the receiver, as a chip does that has lost its place on the bus.
    pub(crate) fn stop_receiver(&mut self) {
        self.cr &= !bit::CR_RECEIVE;
    }

    /// Stops the transmitter likewise.
    pub(crate) fn stop_transmitter(&mut self) {
        self.cr &= !bit::CR_TRANSMIT;
    }

    /// Stops the transmitter in the middle of a frame.
    pub(crate) fn stand_still(&mut self) {
        self.stands = true;
    }

    /// Takes bits of the command register on the bus away.
    pub(crate) fn lose_place(&mut self, bits: u16) {
        self.place.lose(bits);
    }

    /// Forgets which events may interrupt.
    pub(crate) fn lose_mask(&mut self) {
        self.imr = 0;
    }

    /// Reports an error on the bus.
    pub(crate) fn fail_on_the_bus(&mut self) {
        self.place.note_error();
        self.report(bit::ISR_SYSTEM_ERROR);
    }

    /// The count of missed frames jumps.
    pub(crate) fn miss(&mut self, frames: u32) {
        self.mpc = self.mpc.wrapping_add(frames) & 0x00ff_ffff;
    }

    /// Is another chip from here on, by the value of TxConfig.
    pub(crate) fn become_chip(&mut self, version: u32) {
        self.tcr = version;
    }

    /// What the EEPROM does not lose: everything else is as after power-on.
    pub(crate) fn power_on(&mut self) {
        let fresh = Self::new(self.kind, self.model, self.bus.clone(), self.place.clone());
        let before = std::mem::replace(self, fresh);
        self.eeprom.words = before.eeprom.words;
        self.wire = before.wire;
        self.work = before.work;
        self.accesses = before.accesses;
        self.violations = before.violations;
    }

    // ---- Receiver ----

    fn lets_through(&self, frame: &[u8]) -> bool {
        let address: [u8; 6] = frame[..6].try_into().expect("a frame has an address");
        let own = [self.idr[0].to_le_bytes(), self.idr[1].to_le_bytes()].concat();
        if address == [0xff; 6] {
            self.rcr & bit::RCR_BROADCAST != 0
        } else if address[0] & 1 != 0 {
            let bit = hash(&address) as usize;
            self.rcr & bit::RCR_MULTICAST != 0 && (self.mar[bit / 32] >> (bit % 32)) & 1 != 0
        } else {
            self.rcr & bit::RCR_ALL != 0
                || (self.rcr & bit::RCR_STATION != 0 && address == own[..6])
        }
    }

    /// A frame, without its check sequence, comes over the wire.
    pub(crate) fn receive(&mut self, frame: &[u8]) -> Fate {
        let on = self.cr & bit::CR_RECEIVE != 0 && self.running && self.link && !self.lies.gone;
        if !on || !self.lets_through(frame) {
            return Fate::Ignored;
        }
        if !self.place.is_master() {
            // It stays in the FIFO, where there is no room for another one.
            self.mpc = (self.mpc + 1) & 0x00ff_ffff;
            self.report(bit::ISR_FIFO);
            return Fate::Missed;
        }
        if self.is_cplus() {
            let fate = self.fill_buffers(frame);
            self.count_received(frame, fate);
            fate
        } else {
            self.fill_ring(frame)
        }
    }

    // ---- Transmitter ----

    /// Sends the next frame, if there is one. Returns whether it did.
    pub(crate) fn send(&mut self) -> bool {
        let able = self.cr & bit::CR_TRANSMIT != 0 && self.place.is_master();
        if !able || self.stands || self.lies.silent || self.lies.gone {
            return false;
        }
        if self.is_cplus() {
            self.send_descriptors()
        } else {
            self.send_slot()
        }
    }

    /// A frame was sent, after the chip has done this work.
    fn put_on_the_wire(&mut self, frame: Vec<u8>, work: u32) {
        self.wire.push(frame);
        self.work.push(work);
    }
}

/// The frame check sequence, in the order of the wire.
fn crc(frame: &[u8]) -> [u8; 4] {
    let sum = frame.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ ((crc & 1).wrapping_neg() & 0xedb8_8320)
        })
    });
    (!sum).to_le_bytes()
}

/// The chip on the bus.
pub(crate) struct Card {
    chip: Mutex<Chip>,
    /// Under loom each access is a moment at which others may run, once a test has begun.
    shared: std::sync::atomic::AtomicBool,
    moment: SpinLockIrq<()>,
}

impl Card {
    pub(crate) fn new(kind: Kind, model: Model, bus: Bus, place: Config) -> Self {
        Self {
            chip: Mutex::new(Chip::new(kind, model, bus, place)),
            shared: false.into(),
            moment: SpinLockIrq::unlocked(()),
        }
    }

    /// From here on others may run between any two accesses.
    pub(crate) fn share(&self, shared: bool) {
        self.shared
            .store(shared, std::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn chip(&self) -> MutexGuard<'_, Chip> {
        if self.shared.load(std::sync::atomic::Ordering::Relaxed) {
            drop(self.moment.lock());
        }
        self.chip.lock().unwrap()
    }
}

impl Registers for Card {
    fn read(&self, offset: usize, width: usize) -> u32 {
        let mut chip = self.chip();
        chip.accesses += 1;
        chip.finish_descriptor();
        if chip.lies.gone {
            return u32::MAX;
        }
        if !chip.place.answers() {
            // What nobody answers is read as all ones from a bus, and as zero in QEMU.
            return match chip.kind {
                Kind::Silicon => u32::MAX,
                Kind::Qemu => 0,
            };
        }
        chip.answer(offset, width)
    }

    fn write(&self, offset: usize, width: usize, value: u32) {
        let mut chip = self.chip();
        chip.accesses += 1;
        chip.finish_descriptor();
        // A program that waits for the time of the sending would wait for ever.
        if TSD.contains(&offset) && !chip.is_cplus() && take_stamps() == 0 {
            chip.violation("a frame is sent without a time stamp".to_string());
        }
        if !chip.lies.gone && chip.place.answers() {
            chip.take(offset, width, value);
        } else {
            chip.missed_a_write = true;
        }
    }
}
