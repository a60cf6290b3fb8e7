// SPDX-License-Identifier: GPL-2.0

//! Producers fill the blocks of a ring, a timer closes them, a program reads them; copies are late.
//!
//! A place has one owner at a time. Each packet is in one block that is published, once, after it was
//! copied.

use super::model;
use crate::packet::ring::{
    blocks::{
        Blocks,
        Shape,
        Slow, //
    },
    place::{
        Place,
        Publication, //
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
    weak,
    Mutex, //
};
use loom::{
    cell::UnsafeCell,
    thread, //
};
use std::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};
use std::sync::Arc;

const FIRST: u32 = 48;
const PACKET: u32 = 72;
/// How many packets a block takes. It must not be full to the last byte.
const PACKETS: u32 = 2;
const SIZE: u32 = FIRST + PACKETS * PACKET + 8;

struct Scene {
    ring: Blocks,
    slow: Mutex<Slow>,
    words: Vec<Atomic<u32>>,
    /// The places. Loom ends the test if two use one at once, or one after the other without an order.
    contents: Vec<UnsafeCell<()>>,
    headers: Vec<UnsafeCell<()>>,
    /// What stands in them: whether there is a packet that nobody has read yet, and how many there are.
    /// Loom does not see these, and orders nothing by them.
    full: Vec<AtomicBool>,
    packets: Vec<AtomicU32>,
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
    /// A ring of which every block was filled and read once.
    fn new(count: u32) -> Self {
        let shape = Shape {
            count,
            size: SIZE,
            first: FIRST,
        };
        let (ring, slow) = Blocks::new(shape, 0).unwrap();
        let places = || 0..count * PACKETS;
        let scene = Self {
            ring,
            slow: Mutex::unlocked(slow),
            words: (0..count).map(|_| Atomic::new(KERNEL)).collect(),
            contents: places().map(|_| UnsafeCell::new(())).collect(),
            headers: (0..count).map(|_| UnsafeCell::new(())).collect(),
            full: places().map(|_| AtomicBool::new(false)).collect(),
            packets: (0..count).map(|_| AtomicU32::new(0)).collect(),
        };
        scene
            .words
            .iter()
            .for_each(|word| word.store(KERNEL, Relaxed));
        for index in 0..count {
            assert!(scene.produce());
            scene.tick();
            assert_eq!(scene.read(index), Some(1));
        }
        // One block is always frozen.
        scene.tick();
        assert_eq!(scene.statistics(), count);
        scene
    }

    fn statistics(&self) -> u32 {
        self.ring.statistics(&mut self.slow.lock()).received
    }

    fn reserve(&self) -> Option<Place<'_>> {
        if let Some(place) = self.ring.reserve(PACKET) {
            return Some(place);
        }
        let mut slow = self.slow.lock();
        let outcome = self.ring.reserve_slow(&mut slow, self, PACKET, || 0);
        drop(slow);
        self.publish(outcome.publication);
        outcome.place
    }

    /// Receives a packet, unless it is lost.
    fn produce(&self) -> bool {
        let Some(place) = self.reserve() else {
            return false;
        };
        let number = place.block() * PACKETS + (place.offset() - FIRST) / PACKET;
        self.contents[number as usize].with_mut(|_| ());
        let was_full = self.full[number as usize].swap(true, Ordering::Relaxed);
        assert!(!was_full, "a packet was written over");
        self.publish(place.finish());
        true
    }

    fn tick(&self) {
        let mut slow = self.slow.lock();
        let publication = self.ring.retire(&mut slow, self, 0);
        drop(slow);
        self.publish(publication);
    }

    fn publish(&self, publication: Option<Publication<'_>>) {
        if let Some(publication) = publication {
            let block = publication.block as usize;
            self.headers[block].with_mut(|_| ());
            self.packets[block].store(publication.packets, Ordering::Relaxed);
            publication.publish(self);
        }
    }

    /// An honest program reads a block that it has, and gives it back. Returns how many packets it had.
    fn read(&self, index: u32) -> Option<u32> {
        if self.load(index) & USER == 0 {
            return None;
        }
        let block = index as usize;
        self.headers[block].with_mut(|_| ());
        let packets = self.packets[block].load(Ordering::Relaxed);
        for place in index * PACKETS..index * PACKETS + packets {
            self.contents[place as usize].with_mut(|_| ());
            let was_full = self.full[place as usize].swap(false, Ordering::Relaxed);
            assert!(was_full, "a packet was not copied");
        }
        self.store(index, KERNEL);
        Some(packets)
    }

    /// Reads what there is, in turn. The first of `turns` that is not there yet ends it.
    fn read_all(&self, next: &mut u32, turns: usize) -> u32 {
        let count = self.words.len() as u32;
        let mut sum = 0;
        for _ in 0..turns {
            let Some(packets) = self.read(*next) else {
                break;
            };
            *next = (*next + 1) % count;
            sum += packets;
        }
        sum
    }
}

/// Packets of two producers, `first` of which are there before, with a timer and a program.
// That the contents are not `Sync` is what the ring makes up for.
#[allow(clippy::arc_with_non_send_sync)]
fn everything(count: u32, first: u32, packets: u32, ticks: bool, reads: bool, preemptions: usize) {
    model(preemptions, move || {
        let scene = Arc::new(Scene::new(count));
        let mut received = (0..first).filter(|_| scene.produce()).count();
        let other = scene.clone();
        let producer = thread::spawn(move || (0..packets).filter(|_| other.produce()).count());
        let other = scene.clone();
        let program = thread::spawn(move || {
            let mut next = 0;
            let mut read = 0;
            if ticks {
                other.tick();
            }
            if reads {
                read += other.read_all(&mut next, 2);
            }
            (next, read)
        });
        received += usize::from(scene.produce());
        received += producer.join().unwrap();
        let (mut next, mut read) = program.join().unwrap();

        // What is left, and once more for a block that was frozen.
        read += scene.read_all(&mut next, 8);
        assert!(!scene.ring.is_readable(&*scene));
        scene.tick();
        read += scene.read_all(&mut next, 8);
        scene.tick();
        read += scene.read_all(&mut next, 8);
        assert_eq!(read as usize, received, "a packet was lost or read twice");
        assert_eq!(scene.statistics() as usize, received);
    });
}

/// A block is closed for a packet, by either producer, while the other one still copies.
#[test]
fn the_last_who_copies_publishes() {
    everything(2, 1, 1, false, false, 4);
    everything(2, 1, 2, false, false, 3);
}

/// A timer closes a block while both copy.
#[test]
fn the_timer_waits_for_nobody() {
    everything(2, 0, 1, true, false, 4);
    everything(1, 0, 1, true, false, 3);
}

/// A program gives back the block that producers wait for.
#[test]
fn a_block_is_reused_when_all_are_done_with_it() {
    everything(1, 2, 1, false, true, 3);
    everything(1, 0, 1, true, true, 2);
    everything(2, 3, 1, false, true, 3);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_without_acquire() {
    weak::without(Ordering::Acquire, || everything(1, 2, 1, false, true, 3));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_without_release() {
    weak::without(Ordering::Release, || everything(1, 2, 1, false, true, 3));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_if_the_count_of_copies_orders_nothing() {
    weak::without(Ordering::SeqCst, || everything(1, 1, 1, true, true, 3));
}

/// A program that gives back blocks that it does not have.
#[test]
#[allow(clippy::arc_with_non_send_sync)]
fn a_place_has_one_owner_whatever_the_program_says() {
    model(2, || {
        let scene = Arc::new(Scene::new(1));
        // It is written over, since the program claims to have read it.
        let produce = |scene: &Scene| {
            if let Some(place) = scene.reserve() {
                let number = (place.offset() - FIRST) / PACKET;
                scene.contents[number as usize].with_mut(|_| ());
                scene.publish(place.finish());
            }
        };
        produce(&scene);
        let other = scene.clone();
        let producer = thread::spawn(move || produce(&other));
        let other = scene.clone();
        let program = thread::spawn(move || {
            other.store(0, KERNEL);
            other.tick();
            other.store(0, KERNEL);
        });
        produce(&scene);
        produce(&scene);
        producer.join().unwrap();
        program.join().unwrap();
    });
}
