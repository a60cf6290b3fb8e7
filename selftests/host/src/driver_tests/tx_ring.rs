// SPDX-License-Identifier: GPL-2.0

use super::oracle::{explore, Oracle};
use crate::driver::tx_ring::{flush, reap, Port, TxRing};
use proptest::prelude::*;
use std::collections::VecDeque;

/// The length of the ring, unless a test wants another, and the most pieces of a frame.
const LEN: u16 = 8;
const MOST: u16 = 3;

/// A descriptor in use.
#[derive(Clone, Copy, Debug)]
struct InUse {
    /// The length of the frame, in its last descriptor.
    ends: u32,
    done: bool,
}

/// The chip, the handler and the poll around the ring.
///
/// What runs elsewhere is given its chance before each action of the code under test.
struct World<'a> {
    oracle: Option<&'a mut Oracle>,
    /// How many steps the others may still take.
    steps: usize,
    /// From the ring's tail on.
    descriptors: VecDeque<InUse>,
    /// The chip was told to look, and has found all descriptors sent since.
    rung: bool,
    /// The chip sends before the doorbell returns.
    synchronous: bool,
    latched: bool,
    armed: bool,
    /// The handler has acknowledged a completion, and the poll has not looked at its note.
    noted: bool,
    /// The poll waits for the lock of the queue.
    poll_waits: bool,
    /// With so many bytes in flight the byte queue limit stops the queue.
    limit: u32,
    reported: u32,
    stopped: bool,
    limited: bool,
    /// Frames that were collected, and their bytes.
    done: (usize, u32),
    doorbells: usize,
    arms: usize,
    reports: usize,
}

impl World<'_> {
    fn new(limit: u32) -> Self {
        World {
            oracle: None,
            steps: 5,
            descriptors: VecDeque::new(),
            rung: false,
            synchronous: false,
            latched: false,
            armed: false,
            noted: false,
            poll_waits: false,
            limit,
            reported: 0,
            stopped: false,
            limited: false,
            done: (0, 0),
            doorbells: 0,
            arms: 0,
            reports: 0,
        }
    }

    fn synchronous(limit: u32) -> Self {
        World {
            synchronous: true,
            ..Self::new(limit)
        }
    }

    /// What the driver does in `ndo_start_xmit`.
    fn send(&mut self, ring: &mut TxRing, pieces: u16, bytes: u32, more: bool) {
        assert!(self.runs(), "sent on a stopped queue");
        assert!(pieces <= ring.free(), "a queue that runs has no room");
        for piece in 1..=pieces {
            let last = piece == pieces;
            self.descriptors.push_back(InUse {
                ends: if last { bytes } else { 0 },
                done: false,
            });
        }
        ring.push(pieces, bytes);
        flush(ring, self, more);
    }

    /// The chip is done with a frame.
    fn chip_sends(&mut self) {
        let waiting = self.descriptors.iter_mut().filter(|d| !d.done);
        for descriptor in waiting {
            descriptor.done = true;
            if descriptor.ends > 0 {
                self.latched = true;
                return;
            }
        }
        self.rung = false;
    }

    fn has_work(&self) -> bool {
        self.rung && self.descriptors.iter().any(|d| !d.done)
    }

    /// The handler, which acknowledges what it sees even if it was called for another reason.
    fn handler(&mut self) {
        if std::mem::take(&mut self.latched) {
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
        while self.steps > 0 {
            let mut steps: Vec<fn(&mut Self)> = Vec::new();
            if self.has_work() {
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

    fn runs(&self) -> bool {
        !self.stopped && !self.limited
    }

    /// The poll gets the lock, if it waits for it.
    fn let_the_poll_in(&mut self, ring: &mut TxRing) {
        if std::mem::take(&mut self.poll_waits) {
            reap(ring, self);
        }
    }

    /// Lets everything happen that happens without a new frame.
    fn settle(&mut self, ring: &mut TxRing) {
        self.oracle = None;
        loop {
            if self.poll_waits {
                self.let_the_poll_in(ring);
            } else if self.noted {
                self.poll();
            } else if self.latched && self.armed {
                self.handler();
            } else if self.has_work() {
                self.chip_sends();
            } else {
                break;
            }
        }
    }
}

impl Port for World<'_> {
    fn ring_doorbell(&mut self) {
        self.others();
        self.rung = true;
        self.doorbells += 1;
        while self.synchronous && self.has_work() {
            self.chip_sends();
        }
    }

    fn take_done(&mut self, ring: &mut TxRing) -> Option<u32> {
        self.others();
        let descriptor = self.descriptors.front().filter(|d| d.done)?;
        let bytes = descriptor.ends;
        self.descriptors.pop_front();
        ring.pop();
        self.done.0 += usize::from(bytes > 0);
        self.done.1 += bytes;
        Some(bytes)
    }

    fn arm(&mut self, armed: bool) {
        self.others();
        assert_ne!(self.armed, armed, "that is so already");
        self.armed = armed;
        self.arms += 1;
    }

    fn sent(&mut self, bytes: u32) {
        self.others();
        assert!(!self.descriptors.is_empty(), "told of nothing");
        self.reported += bytes;
        self.limited = self.reported >= self.limit;
        self.reports += 1;
    }

    fn completed(&mut self, _frames: u32, bytes: u32) {
        // The kernel ends a machine whose driver says that more is done than it has sent.
        assert!(bytes <= self.reported, "more is done than was sent");
        self.reported -= bytes;
        self.limited &= self.reported >= self.limit;
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

/// With a chip that keeps up, neither an interrupt nor the limit knows of a frame.
#[test]
fn a_frame_costs_a_doorbell_when_the_chip_keeps_up() {
    for pieces in 1..=MOST {
        let (mut world, mut ring) = (World::synchronous(1), TxRing::new(LEN, MOST));
        for _ in 0..100 {
            world.send(&mut ring, pieces, 60, false);
            assert!(world.runs());
            assert_eq!(ring.used(), 0);
        }
        assert_eq!((world.doorbells, world.arms, world.reports), (100, 0, 0));
        assert_eq!(world.done, (100, 6000));
    }
}

#[test]
fn a_burst_has_one_doorbell() {
    for burst in 1..=5 {
        let (mut world, mut ring) = (World::new(u32::MAX), TxRing::new(LEN, MOST));
        for frame in 1..=burst {
            assert_eq!((world.doorbells, world.arms, world.reports), (0, 0, 0));
            world.send(&mut ring, 1, 60, frame < burst);
        }
        assert_eq!((world.doorbells, world.arms, world.reports), (1, 1, 1));
        assert_eq!(world.reported, 60 * burst);
        world.settle(&mut ring);
        assert_eq!((ring.used(), world.reported, world.armed), (0, 0, false));
    }
}

/// A frame that is dropped ends a burst, too; and one that is dropped alone costs nothing.
#[test]
fn a_dropped_frame_rings_for_those_before_it() {
    let (mut world, mut ring) = (World::new(u32::MAX), TxRing::new(LEN, MOST));
    flush(&mut ring, &mut world, false);
    assert_eq!((world.doorbells, world.arms, world.reports), (0, 0, 0));
    world.send(&mut ring, 2, 60, true);
    assert_eq!(world.doorbells, 0);
    flush(&mut ring, &mut world, true);
    assert_eq!(world.doorbells, 0);
    flush(&mut ring, &mut world, false);
    assert_eq!((world.doorbells, world.arms, world.reports), (1, 1, 1));
    // Nothing new.
    flush(&mut ring, &mut world, false);
    assert_eq!((world.doorbells, world.arms), (1, 1));
    assert_eq!(world.reported, 60);
}

/// The stack's word that more comes does not count when the queue is stopped.
#[test]
fn a_ring_that_is_short_is_told_of_at_once() {
    let (mut world, mut ring) = (World::new(u32::MAX), TxRing::new(LEN, MOST));
    world.send(&mut ring, 3, 60, true);
    assert_eq!((world.doorbells, world.stopped), (0, false));
    world.send(&mut ring, 3, 60, true);
    assert!(ring.is_short());
    assert_eq!(
        (world.doorbells, world.stopped, world.armed),
        (1, true, true)
    );
    world.chip_sends();
    world.handler();
    world.poll();
    world.let_the_poll_in(&mut ring);
    assert!(world.runs(), "there is room for most frames");
    assert!(world.armed);
    world.settle(&mut ring);
    assert!(!world.armed);
}

/// One that gets its room back before the doorbell returns never stops for others to see.
#[test]
fn a_ring_that_is_short_and_then_empty_runs() {
    let (mut world, mut ring) = (World::synchronous(u32::MAX), TxRing::new(LEN, MOST));
    for _ in 0..50 {
        world.send(&mut ring, 3, 60, true);
        world.send(&mut ring, 3, 60, true);
        assert!(world.runs());
        assert_eq!(ring.used(), 0);
    }
    assert_eq!((world.doorbells, world.arms), (50, 0));
}

#[test]
fn a_restart_begins_with_the_first_descriptor() {
    let mut ring = TxRing::new(LEN, MOST);
    ring.push(3, 60);
    ring.pop();
    assert_eq!((ring.tail(), ring.used(), ring.at(0)), (1, 2, 3));
    ring.restart();
    assert_eq!((ring.tail(), ring.used(), ring.at(0)), (0, 0, 0));
    assert_eq!(ring.free(), LEN);
    // Nothing of before is told of.
    let mut world = World::new(u32::MAX);
    flush(&mut ring, &mut world, false);
    reap(&mut ring, &mut world);
    assert_eq!((world.doorbells, world.arms, world.reports), (0, 0, 0));
}

#[test]
fn places_are_in_turn_at_every_length() {
    for len in 1..=64 {
        let mut ring = TxRing::new(len, 1);
        for place in 0..3 * len {
            assert_eq!(ring.at(0), place % len);
            assert_eq!(ring.at(len - 1), (place + len - 1) % len);
            ring.push(1, 60);
            assert_eq!((ring.tail(), ring.free()), (place % len, len - 1));
            ring.pop();
        }
    }
}

/// Whatever the chip, the handler and the poll do between any two steps, up to five of theirs, the
/// queue runs again, and each frame is accounted once.
#[test]
fn no_interleaving_stalls_the_queue() {
    for (limit, pieces) in [(u32::MAX, 3), (u32::MAX, 1), (1, 1), (100, 2)] {
        let mut stops = 0;
        let runs = explore(|oracle| {
            let (mut world, mut ring) = (World::new(limit), TxRing::new(LEN, MOST));
            let mut sent = 0;
            world.oracle = Some(oracle);
            while sent < 3 && world.runs() {
                world.send(&mut ring, pieces, 60, false);
                sent += 1;
                stops += usize::from(!world.runs());
                // The lock is free.
                world.others();
                world.let_the_poll_in(&mut ring);
            }
            world.settle(&mut ring);
            assert!(world.runs(), "the queue has stalled");
            // What is seen only by the next frame is no loss, but is not told of either.
            assert_eq!(world.reported == 0, ring.used() == 0);

            for _ in 0..4 {
                world.send(&mut ring, 1, 60, false);
                world.settle(&mut ring);
                assert!(world.runs());
                sent += 1;
            }
            assert_eq!(world.done, (sent, 60 * sent as u32));
            assert_eq!((ring.used(), world.reported, world.armed), (0, 0, false));
        });
        assert!(runs > 100, "only {runs} interleavings");
        assert!(stops > 0 || (pieces == 1 && limit == u32::MAX));
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send(u16, u32, bool),
    ChipSends,
    Handler,
    Poll,
    Reap,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..=MOST, 1u32..2000, any::<bool>())
            .prop_map(|(pieces, bytes, more)| Step::Send(pieces, bytes, more)),
        4 => Just(Step::ChipSends),
        2 => Just(Step::Handler),
        2 => Just(Step::Poll),
        1 => Just(Step::Reap),
    ]
}

proptest! {
    /// At each moment the books agree with what there is, and in the end all is sent and the queue runs.
    #[test]
    fn the_books_agree_at_every_length(
        steps in proptest::collection::vec(any_step(), 1..200),
        len in MOST + 2..=64,
        limit in prop_oneof![Just(1u32), 1u32..5000, Just(u32::MAX)],
    ) {
        let (mut world, mut ring) = (World::new(limit), TxRing::new(len, MOST));
        let (mut sent, mut bytes, mut promised) = (0, 0, false);
        for step in steps {
            match step {
                Step::Send(pieces, of_this, more) if world.runs() => {
                    world.send(&mut ring, pieces, of_this, more);
                    sent += 1;
                    bytes += of_this;
                    promised = more && world.runs();
                    if !promised {
                        prop_assert_eq!(world.reported == 0, ring.used() == 0);
                        prop_assert!(world.armed || ring.used() == 0);
                    }
                }
                Step::ChipSends if world.has_work() => world.chip_sends(),
                Step::Handler => world.handler(),
                Step::Poll => {
                    world.poll();
                    world.let_the_poll_in(&mut ring);
                }
                Step::Reap => {
                    reap(&mut ring, &mut world);
                    prop_assert!(!world.armed || ring.used() > 0);
                }
                _ => {}
            }
            prop_assert_eq!(usize::from(ring.used()), world.descriptors.len());
            prop_assert!(world.reported <= bytes - world.done.1);
        }
        if promised && world.runs() {
            world.send(&mut ring, 1, 60, false);
            sent += 1;
            bytes += 60;
        }
        world.settle(&mut ring);
        prop_assert!(world.runs(), "the queue has stalled");
        prop_assert_eq!(world.done, (sent, bytes));
        prop_assert_eq!((ring.used(), world.reported, world.armed), (0, 0, false));
    }
}
