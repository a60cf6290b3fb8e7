// SPDX-License-Identifier: GPL-2.0

//! A receiver looks for a member while others come and go.
//!
//! What it finds is a member that was made before it was found, that is in the group, or left after the
//! receiver began. Receivers are a lock of readers here, and a grace period is the writer: what a place
//! stands for is only undone then.

use super::model;
use crate::net::places::Places;
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    weak, //
};
use loom::{
    sync::RwLock,
    thread, //
};
use std::sync::{
    atomic::Ordering,
    Arc, //
};

const MEMBERS: usize = 3;

struct Group {
    places: Places<Vec<Atomic<usize>>>,
    /// Whether a member, known by its word, is alive. A plain word: only what the places order makes
    /// it be seen.
    alive: [Atomic<bool>; MEMBERS + 1],
    receivers: RwLock<()>,
}

impl Group {
    fn new() -> Self {
        let group = Self {
            places: Places::new((0..MEMBERS).map(|_| Atomic::new(0)).collect()),
            alive: std::array::from_fn(|_| Atomic::new(false)),
            receivers: RwLock::new(()),
        };
        // Each is used before another thread has it.
        for place in 0..MEMBERS as u32 {
            assert_eq!(group.places.get(place), None);
        }
        assert_eq!(group.places.taken(), 0);
        for alive in &group.alive {
            assert!(!alive.load(Relaxed));
        }
        group
    }

    fn enter(&self, member: usize) {
        self.alive[member].store(true, Relaxed);
        self.places.push(member).unwrap();
    }

    fn leave(&self, member: usize, waits: bool) {
        self.places.remove(member).unwrap();
        if waits {
            drop(self.receivers.write().unwrap());
        }
        self.alive[member].store(false, Relaxed);
    }

    /// A frame arrives, for the last of those who are there.
    fn receive(&self) {
        let _section = self.receivers.read().unwrap();
        let taken = self.places.taken();
        if let Some(last) = taken.checked_sub(1) {
            for place in 0..=last {
                let member = self.places.get(place).expect("a receiver found nobody");
                assert!(
                    self.alive[member].load(Relaxed),
                    "a receiver found who is gone"
                );
            }
        }
    }
}

fn receive_against(change: impl Fn(&Group) + Send + Sync + Copy + 'static) {
    model(3, move || {
        let group = Arc::new(Group::new());
        group.enter(1);
        group.enter(2);
        let other = group.clone();
        let receiver = thread::spawn(move || other.receive());
        change(&group);
        receiver.join().unwrap();
    });
}

#[test]
fn member_that_enters_is_there() {
    receive_against(|group| group.enter(3));
}

#[test]
fn member_that_leaves_stays_until_receivers_are_done() {
    receive_against(|group| group.leave(1, true));
    receive_against(|group| group.leave(2, true));
}

#[test]
fn all_may_leave_and_another_one_enter() {
    receive_against(|group| {
        group.leave(1, true);
        group.leave(2, true);
        group.enter(3);
    });
}

#[test]
#[should_panic(expected = "a receiver found who is gone")]
fn fails_without_a_grace_period() {
    receive_against(|group| group.leave(1, false));
}

#[test]
#[should_panic(expected = "a receiver found")]
fn fails_if_the_place_is_not_released() {
    weak::without(Ordering::Release, || {
        receive_against(|group| group.enter(3))
    });
}

#[test]
#[should_panic(expected = "a receiver found")]
fn fails_if_the_place_is_not_acquired() {
    weak::without(Ordering::Acquire, || {
        receive_against(|group| group.enter(3))
    });
}
