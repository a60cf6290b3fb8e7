// SPDX-License-Identifier: GPL-2.0

use super::oracle::{explore, Oracle};
use crate::driver::tx_slots::{
    reap, submit, AllStatus, Done, Outcome, Port, Slot, Threshold, TxSlots, SLOTS,
};
use std::collections::VecDeque;

const LEN: u16 = 60;

/// When the byte queue limit stops the queue.
#[derive(Clone, Copy, PartialEq)]
enum Limit {
    Never,
    /// With so many frames in flight.
    Frames(u32),
}

/// The chip, the handler and the poll around the slots.
///
/// What runs elsewhere is given its chance before each action of the code under test.
struct World<'a> {
    oracle: Option<&'a mut Oracle>,
    /// How many steps the others may still take.
    steps: usize,
    /// Frames that the chip has not sent.
    queued: VecDeque<Slot>,
    tsad: u16,
    /// The slot that the chip will take next.
    next: usize,
    /// The chip has latched a completion.
    latched: bool,
    /// The interrupt is enabled.
    armed: bool,
    /// The handler has acknowledged a completion, and the poll has not looked at its note.
    noted: bool,
    /// The poll waits for the lock of the queue.
    poll_waits: bool,
    limit: Limit,
    /// Frames in flight that the byte queue limit knows of.
    reported: u32,
    stopped: bool,
    limited: bool,
    done: Vec<Done>,
    reads: usize,
    kicks: usize,
    arms: usize,
}

impl World<'_> {
    fn new(limit: Limit) -> Self {
        World {
            oracle: None,
            steps: 6,
            queued: VecDeque::new(),
            tsad: 0x000f,
            next: 0,
            latched: false,
            armed: false,
            noted: false,
            poll_waits: false,
            limit,
            reported: 0,
            stopped: false,
            limited: false,
            done: Vec::new(),
            reads: 0,
            kicks: 0,
            arms: 0,
        }
    }

    fn chip_sends(&mut self) {
        if let Some(slot) = self.queued.pop_front() {
            self.tsad |= 0x1000 << slot.index();
            self.latched = true;
        }
    }

    /// The handler, which acknowledges what it sees even if it was called for another reason.
    fn handler(&mut self) {
        if self.latched {
            self.latched = false;
            self.noted = true;
        }
    }

    /// The poll as far as the lock of the queue, which it takes only if a completion is awaited.
    fn poll(&mut self) {
        if std::mem::take(&mut self.noted) && self.armed {
            self.poll_waits = true;
        }
    }

    /// Lets the others take any number of steps.
    fn others(&mut self) {
        let Some(oracle) = self.oracle.take() else {
            return;
        };
        loop {
            if self.steps == 0 {
                break;
            }
            let mut steps: Vec<fn(&mut Self)> = Vec::new();
            if !self.queued.is_empty() {
                steps.push(Self::chip_sends);
            }
            if self.latched {
                steps.push(Self::handler);
            }
            if self.noted {
                steps.push(Self::poll);
            }
            match oracle.choose(steps.len() + 1) {
                0 => break,
                n => {
                    self.steps -= 1;
                    steps[n - 1](self);
                }
            }
        }
        self.oracle = Some(oracle);
    }

    fn update_limit(&mut self) {
        self.limited = match self.limit {
            Limit::Never => false,
            Limit::Frames(frames) => self.reported >= frames,
        };
    }

    fn runs(&self) -> bool {
        !self.stopped && !self.limited
    }

    /// Lets everything happen that happens without a new frame.
    fn settle(&mut self, slots: &mut TxSlots) {
        self.oracle = None;
        loop {
            if self.poll_waits {
                self.poll_waits = false;
                reap(slots, self);
            } else if self.noted {
                self.poll();
            } else if self.latched && self.armed {
                self.handler();
            } else if !self.queued.is_empty() {
                self.chip_sends();
            } else {
                break;
            }
        }
    }
}

impl Port for World<'_> {
    fn kick(&mut self, slot: Slot, len: u16, _threshold: Threshold) {
        self.others();
        assert!(!self.stopped, "sent on a stopped queue");
        assert_eq!(slot.index(), self.next, "the chip takes the slots in turn");
        assert!(!self.queued.contains(&slot), "the slot is in use");
        assert_eq!(len, LEN);
        self.next = (self.next + 1) % SLOTS;
        self.tsad &= !(0x1110 << slot.index());
        self.queued.push_back(slot);
        self.kicks += 1;
    }

    fn status(&mut self) -> AllStatus {
        self.others();
        self.reads += 1;
        AllStatus::new(self.tsad)
    }

    fn arm(&mut self, armed: bool) {
        self.others();
        assert_ne!(self.armed, armed);
        self.armed = armed;
        self.arms += 1;
    }

    fn done(&mut self, done: Done) {
        self.done.push(done);
    }

    fn sent(&mut self, bytes: u32) {
        self.others();
        assert_eq!(bytes % u32::from(LEN), 0);
        self.reported += bytes / u32::from(LEN);
        self.update_limit();
    }

    fn completed(&mut self, frames: u32, bytes: u32) {
        assert_eq!(bytes, frames * u32::from(LEN));
        self.reported -= frames;
        self.update_limit();
    }

    fn stop(&mut self) {
        self.others();
        self.stopped = true;
    }

    fn wake(&mut self) {
        self.others();
        self.stopped = false;
    }
}

/// Sends `count` frames through a chip that sends each before the register write returns, as QEMU
/// does.
fn send_synchronously(limit: Limit, count: usize) -> World<'static> {
    let (mut world, mut slots) = (World::new(limit), TxSlots::new());
    for _ in 0..count {
        assert!(world.runs());
        // The completion is in the status before the driver looks again.
        assert!(submit(&mut slots, &mut Synchronous(&mut world), LEN));
    }
    world
}

/// A chip that sends within the kick.
struct Synchronous<'a, 'b>(&'a mut World<'b>);

impl Port for Synchronous<'_, '_> {
    fn kick(&mut self, slot: Slot, len: u16, threshold: Threshold) {
        self.0.kick(slot, len, threshold);
        self.0.chip_sends();
    }
    fn status(&mut self) -> AllStatus {
        self.0.status()
    }
    fn arm(&mut self, armed: bool) {
        self.0.arm(armed)
    }
    fn done(&mut self, done: Done) {
        self.0.done(done)
    }
    fn sent(&mut self, bytes: u32) {
        self.0.sent(bytes);
    }
    fn completed(&mut self, frames: u32, bytes: u32) {
        self.0.completed(frames, bytes);
    }
    fn stop(&mut self) {
        self.0.stop()
    }
    fn wake(&mut self) {
        self.0.wake()
    }
}

#[test]
fn a_frame_costs_a_write_and_a_quarter_of_a_read() {
    let world = send_synchronously(Limit::Never, 400);
    assert_eq!((world.kicks, world.reads, world.arms), (400, 100, 0));
    assert!(world.runs());
}

#[test]
fn nothing_is_reported_in_flight_when_the_chip_keeps_up() {
    for count in 1..20 {
        let world = send_synchronously(Limit::Frames(1), count);
        assert_eq!((world.reported, world.arms), (0, 0));
        assert!(world.runs());
    }
}

/// Whatever the chip, the handler and the poll do between any two steps, up to six of theirs, the
/// queue runs again, and each frame is accounted once.
#[test]
fn no_interleaving_stalls_the_queue() {
    for limit in [Limit::Never, Limit::Frames(1), Limit::Frames(3)] {
        let mut stops = 0;
        let runs = explore(|oracle| {
            let (mut world, mut slots) = (World::new(limit), TxSlots::new());
            let mut sent = 0;
            // The chip is slow with the first frames.
            while sent < 3 {
                assert!(submit(&mut slots, &mut world, LEN));
                sent += 1;
            }
            world.oracle = Some(oracle);
            while sent < 5 && world.runs() {
                assert!(submit(&mut slots, &mut world, LEN));
                sent += 1;
                stops += usize::from(!world.runs());
                // The lock is free.
                world.others();
                if std::mem::take(&mut world.poll_waits) {
                    reap(&mut slots, &mut world);
                }
            }
            world.settle(&mut slots);
            assert!(world.runs(), "the queue has stalled");

            // One more round brings the rest home.
            for _ in 0..SLOTS {
                assert!(submit(&mut slots, &mut world, LEN));
                world.settle(&mut slots);
                assert!(world.runs());
                sent += 1;
            }
            assert_eq!(world.done.len() + usize::from(slots.in_flight()), sent);
            assert_eq!(world.reported, 0, "what is done is reported as in flight");
        });
        assert!(runs > 100, "only {runs} interleavings");
        assert!(stops > 0, "the queue was never stopped");
    }
}

#[test]
fn the_interrupt_is_armed_once_and_disarmed_when_idle() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    for _ in 0..SLOTS {
        assert!(submit(&mut slots, &mut world, LEN));
    }
    assert!(world.stopped && world.armed);
    for left in (0..SLOTS).rev() {
        world.chip_sends();
        world.handler();
        world.poll();
        assert!(std::mem::take(&mut world.poll_waits));
        reap(&mut slots, &mut world);
        assert!(!world.stopped);
        assert_eq!(world.armed, left > 0);
    }
    assert_eq!(world.arms, 2);
}

#[test]
fn no_slot_is_given_twice() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    for _ in 0..SLOTS {
        assert!(submit(&mut slots, &mut world, LEN));
    }
    assert_eq!(slots.free_slot(), None);
    world.stopped = false;
    assert!(!submit(&mut slots, &mut world, LEN));
    assert_eq!(world.kicks, SLOTS);
}

#[test]
fn a_restart_begins_with_the_first_slot_and_keeps_the_threshold() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    let threshold = slots.threshold();
    assert!(submit(&mut slots, &mut world, LEN));
    world.queued.clear();
    world.tsad |= 0x0100;
    reap(&mut slots, &mut world);
    assert_ne!(slots.threshold(), threshold);
    let raised = slots.threshold();
    assert!(submit(&mut slots, &mut world, LEN));
    slots.restart();
    assert_eq!(slots.in_flight(), 0);
    assert_eq!(slots.free_slot().map(Slot::index), Some(0));
    assert_eq!(slots.threshold(), raised);
}

#[test]
fn frames_that_were_sent_unseen_are_not_lost() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    for _ in 0..3 {
        assert!(submit(&mut slots, &mut world, LEN));
    }
    world.chip_sends();
    // The second one was aborted, and the third waits behind it.
    world.tsad |= 0x0020;
    let mut ended = Vec::new();
    let lost = slots.abandon(AllStatus::new(world.tsad), |done| ended.push(done.outcome));
    assert_eq!(lost, 1);
    assert_eq!(ended, [Outcome::Sent, Outcome::Aborted]);
    assert_eq!(slots.in_flight(), 0);

    assert!(submit(&mut slots, &mut World::new(Limit::Never), LEN));
    let lost = slots.abandon(AllStatus::new(u16::MAX), |_| {
        unreachable!("it may be on its way")
    });
    assert_eq!(lost, 1);
}

#[test]
fn status_is_decoded_by_slot() {
    for slot in Slot::ALL {
        let n = slot.index();
        assert_eq!(AllStatus::new(0x000f).outcome(slot), None);
        assert_eq!(
            AllStatus::new(0x1000 << n).outcome(slot),
            Some(Outcome::Sent)
        );
        assert_eq!(
            AllStatus::new(0x0100 << n).outcome(slot),
            Some(Outcome::Underrun)
        );
        assert_eq!(
            AllStatus::new(0x0010 << n).outcome(slot),
            Some(Outcome::Aborted)
        );
        // What QEMU shows after the first frame.
        let qemu = AllStatus::new(0x100f).outcome(slot);
        assert_eq!(qemu, (n == 0).then_some(Outcome::Sent));
    }
}

#[test]
fn the_threshold_rises_with_each_underrun_up_to_a_frame() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    let mut before = slots.threshold().units();
    assert_eq!(before, 8);
    for _ in 0..40 {
        let slot = slots.free_slot().unwrap();
        assert!(submit(&mut slots, &mut world, LEN));
        world.queued.clear();
        world.tsad |= 0x0100 << slot.index();
        reap(&mut slots, &mut world);
        let now = slots.threshold().units();
        assert!(now == before + 2 || now == 48);
        before = now;
    }
    assert_eq!(before, 48);
}

#[test]
fn a_device_that_is_gone_completes_nothing() {
    let (mut world, mut slots) = (World::new(Limit::Never), TxSlots::new());
    assert!(submit(&mut slots, &mut world, LEN));
    world.tsad = u16::MAX;
    reap(&mut slots, &mut world);
    assert_eq!(slots.in_flight(), 1);
    assert!(world.done.is_empty());
}

#[test]
fn memory_of_the_slots_does_not_overlap() {
    use crate::driver::tx_slots::{BUFFER_LEN, MAX_FRAME_LEN, SLOT_LEN};
    for (n, slot) in Slot::ALL.into_iter().enumerate() {
        assert_eq!(slot.offset(), n * SLOT_LEN);
        assert!(slot.offset() + MAX_FRAME_LEN <= BUFFER_LEN);
        assert_eq!(
            slot.offset() % 4,
            0,
            "the address registers want a multiple of four"
        );
    }
}
