// SPDX-License-Identifier: GPL-2.0

//! A ring of version 3 with several producers, a timer and a program, as fast as they can.

use super::Memory;
use crate::packet::ring::{
    blocks::{
        Blocks,
        Shape,
        Slow, //
    },
    place::Publication,
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
use std::sync::Mutex;
use std::thread;

const PRODUCERS: u64 = 3;
const PACKETS: u64 = 3_000;
const FIRST: u32 = 48;

/// The words of a packet: its length in words, itself included, and then its number in all others.
struct Scene {
    memory: Memory,
    ring: Blocks,
    slow: Mutex<Slow>,
    size: u32,
    contents: Vec<AtomicU64>,
}

impl Scene {
    fn new(count: u32, size: u32) -> Self {
        let first = FIRST;
        let (ring, slow) = Blocks::new(Shape { count, size, first }, 0).unwrap();
        Self {
            memory: Memory::new(count),
            ring,
            slow: Mutex::new(slow),
            size,
            contents: (0..count * size / 8).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The words of a block from an offset in bytes on.
    fn words(&self, block: u32, offset: u32, length: u32) -> &[AtomicU64] {
        let start = ((block * self.size + offset) / 8) as usize;
        &self.contents[start..start + (length / 8) as usize]
    }

    /// The header is the first words of the block: number of packets, length, number of the block.
    fn publish(&self, publication: Option<Publication<'_>>) {
        let Some(publication) = publication else {
            return;
        };
        let header = self.words(publication.block, 0, FIRST);
        header[0].store(publication.packets.into(), Ordering::Relaxed);
        header[1].store(publication.length.into(), Ordering::Relaxed);
        header[2].store(publication.seq, Ordering::Relaxed);
        publication.publish(&self.memory);
    }

    /// Puts packets into the ring, and sees that nobody else writes to the same place. Returns how many.
    fn produce(&self, producer: u64) -> u64 {
        let mut random = producer as u32;
        let mut received = 0;
        for number in 0..PACKETS {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let length = 72 + (random >> 24);
            let place = self.ring.reserve(length).or_else(|| {
                let mut slow = self.slow.lock().unwrap();
                let outcome = self
                    .ring
                    .reserve_slow(&mut slow, &self.memory, length, || 0);
                drop(slow);
                self.publish(outcome.publication);
                outcome.place
            });
            let Some(place) = place else {
                self.ring.drops.count();
                thread::yield_now();
                continue;
            };
            let words = self.words(place.block(), place.offset(), place.length());
            let value = (producer << 32) | number;
            words[0].store(words.len() as u64, Ordering::Relaxed);
            for word in &words[1..] {
                word.store(value, Ordering::Relaxed);
            }
            if (random >> 8) & 63 == 0 {
                thread::yield_now();
            }
            for word in &words[1..] {
                assert_eq!(word.load(Ordering::Relaxed), value, "two owners");
            }
            self.publish(place.finish());
            received += 1;
        }
        received
    }

    fn tick(&self) {
        let mut slow = self.slow.lock().unwrap();
        let publication = self.ring.retire(&mut slow, &self.memory, 0);
        drop(slow);
        self.publish(publication);
    }

    /// Reads a block that is the program's. Returns how many packets it has.
    fn read(&self, block: u32, seq: u64, next: &mut [u64]) -> u64 {
        let header = self.words(block, 0, FIRST);
        let [packets, length, its_seq] =
            [0, 1, 2].map(|word: usize| header[word].load(Ordering::Relaxed));
        assert_eq!(its_seq, seq);
        let mut offset = FIRST;
        for _ in 0..packets {
            let first = self.words(block, offset, 16);
            let words = first[0].load(Ordering::Relaxed) as u32;
            let value = first[1].load(Ordering::Relaxed);
            for word in &self.words(block, offset, words * 8)[1..] {
                assert_eq!(word.load(Ordering::Relaxed), value, "torn");
            }
            let (producer, number) = ((value >> 32) as usize, value & u64::from(u32::MAX));
            assert!(number >= next[producer], "out of order");
            next[producer] = number + 1;
            offset += words * 8;
        }
        assert_eq!(u64::from(offset), length);
        packets
    }
}

/// Runs producers and a timer, with a program beside them. Returns what was received, and what the program
/// returns at its end; `over` is set when all packets are published.
fn run<T: Send>(scene: &Scene, program: impl FnOnce(&AtomicBool) -> T + Send) -> (u64, T) {
    let [done, over] = [AtomicBool::new(false), AtomicBool::new(false)];
    thread::scope(|scope| {
        let program = scope.spawn(|| program(&over));
        let timer = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                scene.tick();
                thread::yield_now();
            }
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| scope.spawn(move || scene.produce(producer)))
            .collect();
        let received = producers
            .into_iter()
            .map(|producer| producer.join().unwrap())
            .sum();
        done.store(true, Ordering::Release);
        timer.join().unwrap();
        scene.tick();
        over.store(true, Ordering::Release);
        (received, program.join().unwrap())
    })
}

/// An honest program reads each packet once, whole, in the order in which its producer had it, and the
/// blocks in the order in which they were opened.
#[test]
fn nothing_is_torn_lost_or_out_of_order() {
    for (count, size) in [(1, 512), (2, 512), (3, 4096), (8, 1024)] {
        let scene = Scene::new(count, size);
        let (received, read) = run(&scene, |over| {
            let mut next = [0; PRODUCERS as usize];
            let (mut block, mut seq, mut read) = (0, 1, 0);
            loop {
                // Looked at first: what is published before it is set is read.
                let is_over = over.load(Ordering::Acquire);
                if scene.memory.load(block) & USER == 0 {
                    if is_over {
                        return read;
                    }
                    thread::yield_now();
                    continue;
                }
                read += scene.read(block, seq, &mut next);
                scene.memory.store(block, KERNEL);
                block = (block + 1) % count;
                seq += 1;
            }
        });
        assert_eq!(read, received);
        let counts = scene.ring.statistics(&mut scene.slow.lock().unwrap());
        assert_eq!(u64::from(counts.received), received);
        assert_eq!(u64::from(counts.dropped), PRODUCERS * PACKETS - received);
        assert!(received > 0);
    }
}

/// A program that writes to the status words as it likes harms nobody but itself.
#[test]
fn a_hostile_program_gives_no_place_two_owners() {
    for count in [1, 2, 3] {
        let scene = Scene::new(count, 512);
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
