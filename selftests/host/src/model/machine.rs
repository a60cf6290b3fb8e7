// SPDX-License-Identifier: GPL-2.0

//! A machine with one card, its driver, and a peer at the other end of the wire.
//!
//! Each frame carries a number and its length decides the rest of it, so that whatever arrives can be
//! compared with what was sent. The machine counts how often the handler runs and how many registers are
//! accessed, and ends the test when either has no bound.

use super::chip::{
    tagged,
    Card,
    Fate,
    Kind,
    Model,
    MAC, //
};
use super::config::Config;
use super::lie::Lie;
use crate::{
    driver::{
        hw::{
            Board,
            Hw, //
        },
        nic::Nic,
        settings, //
    },
    ext::{
        irq,
        pci::Enabled,
        registers::{
            Registers,
            Space, //
        }, //
    },
    net::{
        driver::Device,
        napi::Received,
        offload::Wishes,
        queue::Xmit,
        skbuff::{
            unexplained,
            SkBuff, //
        },
    },
};
use kernel::{
    device::Bound,
    dma::Bus,
    pci,
    prelude::*,
    time, //
};

/// No call into the driver accesses more registers than this. The most is a start of a chip whose EEPROM
/// is read, 66 words, and whose reset does not end: three times 10 ms, in steps of 10 us.
const MOST_ACCESSES: usize = 8200 + 3200;

/// So many interrupts in a row may be taken for another device's by mistake.
const FOREIGN: usize = 256;

/// The card and the bus under it, which live longer than the driver.
pub(crate) struct Hardware {
    bus: Bus,
    pub(crate) card: Card,
    pub(crate) config: Config,
    device: pci::Device<Bound>,
    space: Space,
}

impl Hardware {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::of(kind, Model::C)
    }

    pub(crate) fn of(kind: Kind, model: Model) -> Self {
        Self::reached(kind, model, Space::Memory)
    }

    /// A card that the driver reaches in that space.
    pub(crate) fn reached(kind: Kind, model: Model, space: Space) -> Self {
        let (bus, config) = (Bus::new(), Config::new(space));
        Self {
            space,
            card: Card::new(kind, model, bus.clone(), config.clone()),
            device: pci::Device::new(bus.clone(), Box::new(config.clone())),
            bus,
            config,
        }
    }

    /// The registers of the card.
    pub(crate) fn registers<const SIZE: usize>(&self) -> Registers<'_, SIZE> {
        Registers::new(&self.card, self.space)
    }

    /// What was accessed beside memory, and what no driver may do with the chip.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let violations = self.card.chip().violations.clone();
        [self.bus.strays(), violations].concat()
    }

    pub(crate) fn pieces_of_memory(&self) -> usize {
        self.bus.pieces()
    }

    /// The bus that the card is on.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }
}

/// The machine.
pub(crate) struct Machine<'a> {
    pub(crate) hardware: &'a Hardware,
    pub(crate) dev: Device<Nic<'a>>,
    /// All frames that the peer has sent, by number.
    sent: Vec<Vec<u8>>,
    /// Those of them that are in the ring, or were.
    stored: usize,
    missed: usize,
    /// The numbers of the frames that arrived.
    arrived: Vec<usize>,
    /// All that the stack was given, as it was given.
    pub(crate) packets: Vec<Received>,
    /// All frames that the stack has given to the driver.
    given: Vec<Vec<u8>>,
    /// The stack has said that another frame comes right after the last.
    promised: bool,
    /// What the driver said of them.
    queued: usize,
    refused: usize,
    /// Runs of the handler since the last poll.
    interrupts: usize,
    /// Whether frames with lies in their header may arrive.
    pub(crate) gullible: bool,
}

/// The frame with this number, for `address`.
pub(crate) fn frame(address: [u8; 6], number: usize, len: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(len);
    frame.extend(address);
    frame.extend([0x02, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.extend((number as u32).to_le_bytes());
    while frame.len() < len {
        frame.push((number * 31 + frame.len() * 7) as u8);
    }
    frame.truncate(len);
    frame
}

impl<'a> Machine<'a> {
    /// Binds the driver to the card. `None` if it does not want it.
    pub(crate) fn new(hardware: &'a Hardware) -> Result<Self> {
        let hw = Hw::new(hardware.registers(), Board::Rtl8139)?;
        let mac = hw.permanent_mac();
        let config = settings::config(mac, hw.chip.has_descriptors);
        let nic = Nic::new(hw, irq::Line::new(), Enabled::new(&hardware.device)).make()?;
        Ok(Self {
            hardware,
            dev: Device::new(nic, &config),
            sent: Vec::new(),
            stored: 0,
            missed: 0,
            arrived: Vec::new(),
            packets: Vec::new(),
            promised: false,
            given: Vec::new(),
            queued: 0,
            refused: 0,
            interrupts: 0,
            gullible: false,
        })
    }

    /// A machine whose interface is up.
    pub(crate) fn up(hardware: &'a Hardware) -> Self {
        let machine = Self::new(hardware).expect("a chip that answers");
        machine.bounded(|dev| dev.open()).expect("it goes up");
        machine
    }

    /// Calls into the driver, which must not access registers without an end.
    pub(crate) fn bounded<R>(&self, f: impl FnOnce(&Device<Nic<'a>>) -> R) -> R {
        let before = self.hardware.card.chip().accesses;
        let result = f(&self.dev);
        let accesses = self.hardware.card.chip().accesses - before;
        assert!(accesses <= MOST_ACCESSES, "{accesses} accesses in one call");
        result
    }

    pub(crate) fn tell(&self, lie: Lie) {
        self.hardware.card.chip().tell(lie);
    }

    // ---- What may happen ----

    /// The peer sends a frame to `address`.
    pub(crate) fn peer_sends_to(&mut self, address: [u8; 6], len: usize) -> Fate {
        let frame = frame(address, self.sent.len(), len);
        let fate = self.hardware.card.chip().receive(&frame);
        self.stored += usize::from(fate == Fate::Stored);
        self.missed += usize::from(fate == Fate::Missed);
        self.sent.push(frame);
        fate
    }

    /// The peer sends a frame with a VLAN tag to the card.
    pub(crate) fn peer_sends_tagged(&mut self, len: usize, tag: u16) -> Fate {
        let frame = tagged(&frame(self.dev.mac(), self.sent.len(), len), tag);
        let fate = self.hardware.card.chip().receive(&frame);
        self.stored += usize::from(fate == Fate::Stored);
        self.missed += usize::from(fate == Fate::Missed);
        self.sent.push(frame);
        fate
    }

    /// The peer sends a frame to the card.
    pub(crate) fn peer_sends(&mut self, len: usize) -> Fate {
        self.peer_sends_to(self.dev.mac(), len)
    }

    /// The stack sends a frame, if the queue runs. Returns whether it did.
    pub(crate) fn stack_sends(&mut self, len: usize) -> bool {
        self.stack_sends_pieces(&[len], Wishes::default(), false)
    }

    /// The same with a frame in pieces that wants something of the chip; `more` if another comes after it.
    pub(crate) fn stack_sends_pieces(
        &mut self,
        pieces: &[usize],
        wishes: Wishes,
        more: bool,
    ) -> bool {
        if !self.dev.may_send() {
            return false;
        }
        let mut frame = frame([2, 0, 0, 0, 0, 1], self.given.len(), pieces.iter().sum());
        let mut rest = &frame[..];
        let pieces = pieces.iter().map(|&len| {
            let (piece, more) = rest.split_at(len);
            rest = more;
            piece.to_vec()
        });
        let skb = SkBuff::from_pieces(pieces.collect(), wishes);
        self.promised = more;
        let answer = self.bounded(|dev| dev.send_packet(skb, more));
        // The chip does not pad.
        frame.resize(frame.len().max(60), 0);
        if let Some(tag) = wishes.tag {
            frame = tagged(&frame, tag);
        }
        match answer {
            Some(Xmit::Queued) => {
                self.given.push(frame);
                self.queued += 1;
            }
            Some(Xmit::Dropped(skb, reason)) => {
                skb.drop_reason(reason);
                self.refused += 1;
            }
            Some(Xmit::Busy(_)) => panic!("a queue that runs has no room"),
            None => {}
        }
        true
    }

    /// The handler runs if the line is active. Returns whether it did.
    pub(crate) fn interrupt(&mut self) -> bool {
        if !self.hardware.card.chip().interrupts() {
            return false;
        }
        self.interrupts += 1;
        assert!(
            self.interrupts <= 2,
            "an interrupt storm: the line is active, and no poll runs between"
        );
        let mut answer = self.bounded(|dev| dev.interrupt());
        for _ in 0..FOREIGN {
            // What is read of a card that does not answer may be what another device's interrupt looks like.
            if answer == irq::Return::Handled || self.hardware.config.answers() {
                break;
            }
            answer = self.bounded(|dev| dev.interrupt());
        }
        assert_eq!(
            answer,
            irq::Return::Handled,
            "nobody cares for the interrupt"
        );
        true
    }

    /// The poll runs if it is scheduled. Returns whether it did.
    pub(crate) fn poll(&mut self) -> bool {
        let ran = self.bounded(|dev| dev.poll());
        if ran {
            self.interrupts = 0;
        }
        for received in self.dev.take_received() {
            self.check(&received);
            self.packets.push(received);
        }
        ran
    }

    /// Deferred work runs if there is any. Returns whether it did.
    pub(crate) fn work(&mut self) -> bool {
        let worked = self.bounded(|dev| dev.do_work());
        if worked {
            self.interrupts = 0;
        }
        worked
    }

    /// The chip sends a frame if it has one. Returns whether it did.
    pub(crate) fn chip_sends(&mut self) -> bool {
        self.hardware.card.chip().send()
    }

    /// Eight seconds go by.
    pub(crate) fn tick(&mut self) {
        time::pass(8_000_000);
        self.bounded(|dev| dev.tick(8000));
    }

    /// Lets everything happen that happens by itself, for a while.
    pub(crate) fn settle(&mut self) {
        // The frame that the stack has spoken of, unless the queue is stopped.
        if self.promised {
            self.promised = false;
            self.stack_sends(60);
        }
        // Enough for all that a test has begun. What goes on for ever, as a chip does that always has
        // something to report, is left alone then; `interrupt` and `bounded` watch over it.
        for _ in 0..300 {
            while self.interrupt() {}
            time::pass(100);
            if !(self.poll() | self.work() | self.chip_sends()) {
                break;
            }
        }
    }

    // ---- What must be ----

    /// Compares a frame that the stack was given with what the peer has sent.
    fn check(&mut self, received: &Received) {
        if self.gullible {
            return;
        }
        let whole = match received.tag {
            Some(tag) => tagged(&received.frame, tag),
            None => received.frame.clone(),
        };
        let at = if whole[12..14] == [0x81, 0] { 18 } else { 14 };
        let number = whole[at..at + 4].try_into().expect("a frame with a number");
        let number = u32::from_le_bytes(number) as usize;
        assert!(
            self.sent.get(number).is_some_and(|sent| *sent == whole),
            "not what was sent: {} bytes with the number {number}",
            whole.len()
        );
        if let Some(&last) = self.arrived.last() {
            assert!(last < number, "frame {number} arrived after frame {last}");
        }
        self.arrived.push(number);
    }

    /// The frames that arrived, by number.
    pub(crate) fn arrived(&self) -> &[usize] {
        &self.arrived
    }

    /// How many frames were put into the ring, and how many found no room there.
    pub(crate) fn offered(&self) -> (usize, usize) {
        (self.stored, self.missed)
    }

    /// How many frames the driver took from the stack, and how many it refused.
    pub(crate) fn taken(&self) -> (usize, usize) {
        (self.queued, self.refused)
    }

    /// The frames on the wire are some of those that the driver took, whole and in their order.
    /// Returns how many of them are missing.
    pub(crate) fn lost_on_the_way_out(&self) -> usize {
        let chip = self.hardware.card.chip();
        let mut given = self.given.iter();
        for frame in &chip.wire {
            assert!(
                given.any(|g| g == frame),
                "not what was given, or not in its order"
            );
        }
        self.given.len() - chip.wire.len()
    }

    /// How often the driver has reset the chip, as it has counted.
    pub(crate) fn resets(&self) -> u64 {
        self.dev.private().counters.resets.get()
    }

    /// Whatever the chip says, this holds.
    pub(crate) fn check_manners(&self) {
        assert_eq!(self.hardware.complaints(), [""; 0]);
        assert_eq!(unexplained(), 0, "packets were dropped without a reason");
    }

    /// No access went beside memory.
    pub(crate) fn check_memory(&self) {
        assert_eq!(self.hardware.bus.strays(), [""; 0]);
        assert_eq!(unexplained(), 0, "packets were dropped without a reason");
    }

    /// Frames go both ways.
    pub(crate) fn works(&mut self) -> bool {
        self.gullible = false;
        let (arrived, wire) = (self.arrived.len(), self.hardware.card.chip().wire.len());
        for _ in 0..3 {
            self.peer_sends(100);
            if !self.stack_sends(100) {
                return false;
            }
            self.settle();
        }
        self.arrived.len() == arrived + 3 && self.hardware.card.chip().wire.len() == wire + 3
    }

    /// Has what is left of lies in the ring go through: frames that are not looked at.
    pub(crate) fn flush(&mut self) {
        self.gullible = true;
        for _ in 0..30 {
            self.peer_sends(100);
            self.settle();
        }
        self.gullible = false;
    }

    /// What a card does that is left alone for a while: it is looked after, and the watchdog of its
    /// queue fires.
    pub(crate) fn let_it_recover(&mut self) {
        self.hardware.card.chip().come_to_its_senses();
        self.settle();
        self.tick();
        self.settle();
        self.bounded(|dev| dev.watchdog());
        self.settle();
    }

    /// Down and up again, which an administrator can always do. A card that was gone is found anew.
    pub(crate) fn try_down_and_up(&mut self) {
        self.bounded(|dev| dev.close());
        self.interrupts = 0;
        self.dev.replug();
        // A chip that does not start says so.
        let _ = self.bounded(|dev| dev.open());
    }

    /// As [`Machine::try_down_and_up`], with a chip that tells the truth.
    pub(crate) fn down_and_up(&mut self) {
        self.bounded(|dev| dev.close());
        self.interrupts = 0;
        self.dev.replug();
        self.bounded(|dev| dev.open()).expect("it goes up");
    }

    /// The address in the EEPROM is the interface's.
    pub(crate) fn has_its_own_address(&self) -> bool {
        self.dev.mac() == MAC
    }
}

/// A machine whose interface is up and has worked: three frames went each way.
pub(crate) fn proven(hardware: &Hardware) -> Machine<'_> {
    let mut machine = Machine::up(hardware);
    machine.settle();
    assert!(machine.works());
    machine
}
