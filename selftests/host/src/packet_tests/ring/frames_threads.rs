// SPDX-License-Identifier: GPL-2.0

//! Rings of versions 1 and 2 with several producers and a program, as fast as they can.

use super::Memory;
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
use std::sync::atomic::{
    AtomicBool,
    AtomicU64,
    Ordering, //
};
use std::thread;

const PRODUCERS: u64 = 3;
const FRAMES: u64 = 3_000;
/// How many words a frame has.
const LEN: usize = 6;

struct Scene {
    memory: Memory,
    ring: Frames,
    contents: Vec<[AtomicU64; LEN]>,
}

impl Scene {
    fn new(count: u32) -> Self {
        Self {
            memory: Memory::new(count),
            ring: Frames::new(count).unwrap(),
            contents: (0..count)
                .map(|_| std::array::from_fn(|_| AtomicU64::new(0)))
                .collect(),
        }
    }

    /// Puts frames into the ring, and sees that nobody else writes to the same slot. Returns how many.
    fn produce(&self, producer: u64) -> u64 {
        let mut received = 0;
        for number in 0..FRAMES {
            let Some(slot) = self.ring.reserve(&self.memory) else {
                self.ring.drops.count();
                thread::yield_now();
                continue;
            };
            let words = &self.contents[slot.index() as usize];
            let value = (producer << 32) | number;
            for word in words {
                word.store(value, Ordering::Relaxed);
            }
            if number % 64 == producer {
                thread::yield_now();
            }
            for word in words {
                assert_eq!(word.load(Ordering::Relaxed), value, "two owners");
            }
            slot.publish(&self.memory, USER);
            received += 1;
        }
        received
    }
}

/// Runs the producers, with a program beside them. Returns what the program returns at its end.
fn run<T: Send>(scene: &Scene, program: impl FnOnce(&AtomicBool) -> T + Send) -> (u64, T) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let program = scope.spawn(|| program(&over));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| scope.spawn(move || scene.produce(producer)))
            .collect();
        let received = producers
            .into_iter()
            .map(|producer| producer.join().unwrap())
            .sum();
        over.store(true, Ordering::Release);
        (received, program.join().unwrap())
    })
}

/// An honest program reads each frame once, whole, in the order in which its producer had it.
#[test]
fn nothing_is_torn_or_out_of_order() {
    for count in [1, 2, 7, 64] {
        let scene = Scene::new(count);
        let (received, read) = run(&scene, |over| {
            let mut next = [0; PRODUCERS as usize];
            let mut read = 0u64;
            let mut slot = 0;
            loop {
                // Looked at first: what is published before it is set is read.
                let is_over = over.load(Ordering::Acquire);
                if scene.memory.load(slot) == KERNEL {
                    if is_over {
                        return read;
                    }
                    thread::yield_now();
                    continue;
                }
                let words = &scene.contents[slot as usize];
                let value = words[0].load(Ordering::Relaxed);
                for word in words {
                    assert_eq!(word.load(Ordering::Relaxed), value, "torn");
                }
                let (producer, number) = ((value >> 32) as usize, value & u64::from(u32::MAX));
                assert!(number >= next[producer], "out of order");
                next[producer] = number + 1;
                scene.memory.store(slot, KERNEL);
                slot = (slot + 1) % count;
                read += 1;
            }
        });
        assert_eq!(read, received);
        let counts = scene.ring.statistics(&mut LastRead::default());
        assert_eq!(u64::from(counts.received), received);
        assert_eq!(
            u64::from(counts.dropped),
            PRODUCERS * FRAMES - received,
            "each frame is received or lost"
        );
        assert!(received > 0);
    }
}

/// A program that writes to the status words as it likes harms nobody but itself.
#[test]
fn a_hostile_program_gives_no_slot_two_owners() {
    for count in [1, 2, 3] {
        let scene = Scene::new(count);
        run(&scene, |over| {
            let mut random = 1u32;
            while !over.load(Ordering::Acquire) {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let word = if random >> 30 == 3 { USER } else { KERNEL };
                scene.memory.store((random >> 8) % count, word);
                if (random >> 16) & 7 == 0 {
                    thread::yield_now();
                }
            }
        });
    }
}
