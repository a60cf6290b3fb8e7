// SPDX-License-Identifier: GPL-2.0

use crate::driver::intr_mask::{bits, IntrMask};
use std::collections::HashMap;

/// How many frames arrive.
const FRAMES: u8 = 3;

/// Where the handler is, in the order of the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Handler {
    Idle,
    Ack(u16),
    Note(u16),
    Schedule,
    Defer,
    ScheduleAgain,
}

/// Where a poll is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Poll {
    Idle,
    TakeNotes,
    Snapshot,
    Consume(u8),
    Complete,
    Resume,
}

/// A chip with a receive ring, one handler, and polls on two CPUs: a poll may begin while another
/// one is between its completion and its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    coming: u8,
    in_ring: u8,
    isr: u16,
    imr: u16,
    deferred: bool,
    notes: u16,
    handler: Handler,
    scheduled: bool,
    missed: bool,
    polls: [Poll; 2],
}

impl World {
    fn new() -> Self {
        let mut mask = IntrMask::new(false);
        World {
            coming: FRAMES,
            in_ring: 0,
            isr: 0,
            imr: mask.open().unwrap(),
            deferred: false,
            notes: 0,
            handler: Handler::Idle,
            scheduled: false,
            missed: false,
            polls: [Poll::Idle; 2],
        }
    }

    /// The shadow, with the change that the code under test makes of it.
    fn change(&mut self, change: impl FnOnce(&mut IntrMask) -> Option<u16>) {
        let mut mask = IntrMask::new(false);
        mask.open();
        if self.deferred {
            mask.defer();
        }
        if let Some(value) = change(&mut mask) {
            self.imr = value;
        }
        self.deferred = mask.value() & bits::RX_OK == 0;
    }

    /// `napi_schedule_prep()`.
    fn schedule(&mut self) -> bool {
        if self.scheduled {
            self.missed = true;
            return false;
        }
        self.scheduled = true;
        true
    }

    fn handler(&self) -> Option<World> {
        let mut to = self.clone();
        to.handler = match self.handler {
            Handler::Idle if self.isr & self.imr != 0 => Handler::Ack(self.isr),
            Handler::Idle => return None,
            Handler::Ack(events) => {
                to.isr &= !events;
                Handler::Note(events)
            }
            Handler::Note(events) => {
                to.notes |= events;
                Handler::Schedule
            }
            Handler::Schedule if to.schedule() => Handler::Idle,
            Handler::Schedule => Handler::Defer,
            Handler::Defer => {
                to.change(IntrMask::defer);
                Handler::ScheduleAgain
            }
            Handler::ScheduleAgain => {
                to.schedule();
                Handler::Idle
            }
        };
        Some(to)
    }

    fn poll(&self, cpu: usize) -> Option<World> {
        let mut to = self.clone();
        let working = |poll: &Poll| !matches!(poll, Poll::Idle | Poll::Resume);
        to.polls[cpu] = match self.polls[cpu] {
            // The scheduled poll runs once, on one CPU.
            Poll::Idle if self.scheduled && !self.polls.iter().any(working) => Poll::TakeNotes,
            Poll::Idle => return None,
            Poll::TakeNotes => {
                to.notes = 0;
                Poll::Snapshot
            }
            Poll::Snapshot => Poll::Consume(self.in_ring),
            Poll::Consume(frames) => {
                to.in_ring -= frames;
                Poll::Complete
            }
            // `napi_complete_done()`.
            Poll::Complete if self.missed => {
                to.missed = false;
                Poll::TakeNotes
            }
            Poll::Complete => {
                to.scheduled = false;
                Poll::Resume
            }
            Poll::Resume => {
                to.change(IntrMask::open);
                Poll::Idle
            }
        };
        Some(to)
    }

    fn frame(&self) -> Option<World> {
        (self.coming > 0).then(|| {
            let mut to = self.clone();
            to.coming -= 1;
            to.in_ring += 1;
            to.isr |= bits::RX_OK;
            to
        })
    }
}

/// The largest number of handler runs on any path from `world`; checks every end.
///
/// Recursion without an end would be an interrupt storm: a state that leads to itself without a
/// frame. `None` in the map marks a state whose paths are being followed.
fn worst(world: &World, seen: &mut HashMap<World, Option<usize>>) -> usize {
    match seen.get(world) {
        Some(Some(known)) => return *known,
        Some(None) => panic!("an interrupt storm: {world:?}"),
        None => {}
    }
    seen.insert(world.clone(), None);

    let begins = world.handler == Handler::Idle;
    let handler = world
        .handler()
        .map(|to| worst(&to, seen) + usize::from(begins));
    let others = [world.poll(0), world.poll(1), world.frame()];
    let quiet = handler.is_none() && others[..2].iter().all(Option::is_none);
    let others = others
        .into_iter()
        .flatten()
        .map(|to| worst(&to, seen))
        .max();

    if quiet {
        assert_eq!(world.in_ring, 0, "frames are left in the ring: {world:?}");
        assert_eq!(
            world.imr & bits::RX_OK,
            bits::RX_OK,
            "left masked: {world:?}"
        );
    }
    let result = handler.into_iter().chain(others).max().unwrap_or(0);
    seen.insert(world.clone(), Some(result));
    result
}

#[test]
fn no_interleaving_loses_a_frame_or_storms() {
    let mut seen = HashMap::new();
    let runs = worst(&World::new(), &mut seen);
    assert!(seen.len() > 1000, "only {} states", seen.len());
    // A frame interrupts at most once.
    assert_eq!(runs, usize::from(FRAMES));
}

#[test]
fn a_chip_that_is_down_may_not_interrupt() {
    let mut mask = IntrMask::new(false);
    assert_eq!(mask.value(), 0);
    assert_eq!(mask.open(), Some(0x804b | bits::LINK_CHANGE));
    assert_eq!(mask.close(), Some(0));
}

#[test]
fn going_up_forgets_what_was() {
    let mut mask = IntrMask::new(false);
    mask.open();
    mask.defer();
    mask.arm_tx(true);
    mask.close();
    let fresh = IntrMask::new(false).open();
    assert_eq!(mask.open(), fresh);
}

#[test]
fn an_underrun_is_not_taken_for_a_link_change() {
    let mut mask = IntrMask::new(true);
    let plain = IntrMask::new(false).open();
    assert_eq!(mask.open(), plain.map(|value| value & !bits::LINK_CHANGE));
    assert_eq!(mask.defer(), Some(0));
    mask.close();
    assert_eq!(mask.open(), plain.map(|value| value & !bits::LINK_CHANGE));
}

#[test]
fn writes_the_register_only_for_a_change() {
    let mut mask = IntrMask::new(false);
    let live = mask.open();
    assert_eq!(mask.open(), None);
    assert_eq!(mask.defer(), Some(0));
    assert_eq!(mask.defer(), None);
    // Armed while deferred: written when the poll is complete.
    assert_eq!(mask.arm_tx(true), None);
    assert_eq!(mask.open(), live.map(|value| value | bits::TX_OK));
    assert_eq!(mask.arm_tx(true), None);
    assert_eq!(mask.arm_tx(false), live);
}
