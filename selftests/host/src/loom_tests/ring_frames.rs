// SPDX-License-Identifier: GPL-2.0

//! Several producers fill the slots of a ring while a program reads them, honest or not.
//!
//! A slot has one owner at a time, who sees all that was done to it before. No frame is lost while there is
//! room.

use super::model;
use crate::packet::ring::{
    frames::{
        Frames,
        LastRead, //
    },
    words::{
        status::{
            KERNEL,
            USER, //
        },
        Words, //
    },
};
use kernel::sync::{
    atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    weak, //
};
use loom::{
    cell::UnsafeCell,
    thread, //
};
use std::sync::atomic::Ordering;
use std::sync::Arc;

struct Scene {
    ring: Frames,
    words: Vec<Atomic<u32>>,
    /// Loom ends the test if two write to a slot at once, or one after the other without an order.
    contents: Vec<UnsafeCell<u32>>,
}

impl Words for Scene {
    fn load(&self, index: u32) -> u32 {
        self.words[index as usize].load(Acquire)
    }

    fn store(&self, index: u32, status: u32) {
        self.words[index as usize].store(status, Release);
    }
}

impl Scene {
    /// A ring in which `laps` laps were filled and read, at least one.
    fn new(count: u32, laps: u32) -> Self {
        let scene = Self {
            ring: Frames::new(count).unwrap(),
            words: (0..count).map(|_| Atomic::new(KERNEL)).collect(),
            contents: (0..count).map(|_| UnsafeCell::new(0)).collect(),
        };
        scene
            .words
            .iter()
            .for_each(|word| word.store(KERNEL, Relaxed));
        for _ in 0..laps {
            assert!((0..count).all(|_| scene.produce()));
            assert!((0..count).all(|index| scene.read(index)));
        }
        scene
    }

    fn produce(&self) -> bool {
        let Some(slot) = self.ring.reserve(self) else {
            return false;
        };
        self.contents[slot.index() as usize].with_mut(|_| ());
        slot.publish(self, USER);
        true
    }

    /// An honest program: it touches a slot that it has.
    fn read(&self, index: u32) -> bool {
        if self.load(index) != USER {
            return false;
        }
        self.contents[index as usize].with_mut(|_| ());
        self.store(index, KERNEL);
        true
    }
}

/// Two producers and an honest program.
// That the contents are not `Sync` is what the ring makes up for.
#[allow(clippy::arc_with_non_send_sync)]
fn two_producers_and_a_program(count: u32, laps: u32, frames: u32, preemptions: usize) {
    model(preemptions, move || {
        let scene = Arc::new(Scene::new(count, laps));
        let other = scene.clone();
        let producer = thread::spawn(move || (0..frames).filter(|_| other.produce()).count());
        let other = scene.clone();
        let program = thread::spawn(move || {
            let mut read = 0;
            for _ in 0..2 {
                read += usize::from(other.read(read as u32 % count));
            }
            read
        });
        let mut received = usize::from(scene.produce());
        received += producer.join().unwrap();
        let mut read = program.join().unwrap();
        // In turn, and nothing is left behind.
        while scene.read(read as u32 % count) {
            read += 1;
        }
        assert_eq!(read, received, "a frame was lost or read twice");
        let counts = scene.ring.statistics(&mut LastRead::default());
        assert_eq!(counts.received as usize, received + (laps * count) as usize);
    });
}

#[test]
fn a_slot_has_one_owner_and_is_read_whole() {
    two_producers_and_a_program(1, 1, 2, 3);
    two_producers_and_a_program(2, 2, 2, 2);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_without_acquire() {
    weak::without(Ordering::Acquire, || {
        two_producers_and_a_program(1, 1, 2, 3)
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_without_release() {
    weak::without(Ordering::Release, || {
        two_producers_and_a_program(1, 1, 2, 3)
    });
}

/// A program that says of each slot that it has given it back.
#[allow(clippy::arc_with_non_send_sync)]
fn a_hostile_program(count: u32, frames: u32, preemptions: usize) {
    model(preemptions, move || {
        let scene = Arc::new(Scene::new(count, 1));
        let other = scene.clone();
        let producer = thread::spawn(move || (0..frames).filter(|_| other.produce()).count());
        let other = scene.clone();
        let program = thread::spawn(move || {
            (0..count).for_each(|index| other.store(index, KERNEL));
        });
        for _ in 0..frames {
            scene.produce();
        }
        producer.join().unwrap();
        program.join().unwrap();
    });
}

#[test]
fn a_slot_has_one_owner_whatever_the_program_says() {
    a_hostile_program(1, 1, 4);
    a_hostile_program(1, 2, 2);
    a_hostile_program(2, 2, 2);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_if_the_turn_is_not_acquired() {
    weak::without(Ordering::Acquire, || a_hostile_program(1, 1, 3));
}

/// Each of two producers gets a slot in a ring that has two, whichever position it has seen.
#[test]
#[allow(clippy::arc_with_non_send_sync)]
fn no_frame_is_lost_while_there_is_room() {
    model(6, || {
        for count in [2, 3] {
            let scene = Arc::new(Scene::new(count, 1));
            let other = scene.clone();
            let producer = thread::spawn(move || other.produce());
            assert!(scene.produce(), "a frame was lost");
            assert!(producer.join().unwrap(), "a frame was lost");
        }
    });
}

/// Who reads the statistics misses no frame.
#[test]
#[allow(clippy::arc_with_non_send_sync)]
fn each_frame_is_counted_once() {
    model(6, || {
        let scene = Arc::new(Scene::new(2, 1));
        let other = scene.clone();
        let producer = thread::spawn(move || (other.produce(), other.produce()));
        let mut last = LastRead::default();
        let mut received = scene.ring.statistics(&mut last).received;
        assert_eq!(producer.join().unwrap(), (true, true));
        received += scene.ring.statistics(&mut last).received;
        assert_eq!(received, 4);
    });
}
