// SPDX-License-Identifier: GPL-2.0

//! Rings of version 3 against a model of AF_PACKET.
//!
//! Packets are copied when they like, after others, after their block was closed. As long as a block is late
//! for that reason, it is to a program as if nothing had been published; else all is as in the model, in
//! which copying takes no time.

use super::{
    blocks_model::{
        Model,
        Published, //
    },
    Memory,
};
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
use kernel::prelude::*;
use proptest::prelude::*;

const SIZE: u32 = 1024;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A packet of so many bytes.
    Receive(u32),
    /// One of those that are being copied is done, in any order.
    Finish(usize),
    /// One of the blocks that are ready is published.
    Publish(usize),
    Tick,
    /// The program gives back a block that it has.
    GiveBack(usize),
    Statistics,
}

struct Scene<'a> {
    ring: &'a Blocks,
    slow: Slow,
    memory: Memory,
    model: Model,
    copying: Vec<Place<'a>>,
    ready: Vec<Publication<'a>>,
    published: Vec<Published>,
    now: u64,
}

impl<'a> Scene<'a> {
    fn new(ring: &'a (Blocks, Shape), slow: Slow) -> Self {
        let (ring, shape) = ring;
        Self {
            ring,
            slow,
            memory: Memory::new(shape.count),
            model: Model::new(shape.count as usize, shape.size, shape.first, 0),
            copying: Vec::new(),
            ready: Vec::new(),
            published: Vec::new(),
            now: 0,
        }
    }

    fn receive(&mut self, bytes: u32) {
        let place = self.ring.reserve(bytes).or_else(|| {
            let outcome = self
                .ring
                .reserve_slow(&mut self.slow, &self.memory, bytes, || self.now);
            self.ready.extend(outcome.publication);
            outcome.place
        });
        let expected = self.model.receive(bytes, self.now);
        let is = place.as_ref().map(|place| {
            (
                place.block() as usize,
                place.offset(),
                place.length(),
                place.is_first(),
            )
        });
        assert_eq!(is, expected);
        match place {
            Some(place) => self.copying.push(place),
            None => self.ring.drops.count(),
        }
    }

    fn finish(&mut self, which: usize) {
        if !self.copying.is_empty() {
            let place = self.copying.swap_remove(which % self.copying.len());
            self.ready.extend(place.finish());
        }
    }

    fn publish(&mut self, which: usize) {
        if self.ready.is_empty() {
            return;
        }
        let publication = self.ready.swap_remove(which % self.ready.len());
        assert!(self
            .copying
            .iter()
            .all(|place| place.block() != publication.block));
        self.published.push(Published {
            block: publication.block as usize,
            seq: publication.seq,
            packets: publication.packets,
            length: publication.length,
            last: publication.last,
            opened: publication.opened,
            status: publication.status(),
        });
        publication.publish(&self.memory);
    }

    fn step(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Receive(bytes) => self.receive(bytes),
            Step::Finish(which) => self.finish(which),
            Step::Publish(which) => self.publish(which),
            Step::Tick => {
                let closed = self.ring.retire(&mut self.slow, &self.memory, self.now);
                self.ready.extend(closed);
                self.model.tick(self.now);
            }
            Step::GiveBack(which) => {
                let block = which % self.model.words.len();
                // It never looks at one that it does not have.
                if self.memory.load(block as u32) & USER != 0 {
                    self.memory.store(block as u32, KERNEL);
                    self.model.words[block] = KERNEL;
                }
            }
            Step::Statistics => {
                assert_eq!(
                    self.ring.statistics(&mut self.slow),
                    self.model.statistics()
                );
            }
        }
        self.check();
    }

    fn check(&self) {
        let late: Vec<usize> = self
            .model
            .published
            .iter()
            .filter(|header| self.published.iter().all(|other| other.seq != header.seq))
            .map(|header| header.block)
            .collect();
        let expected: Vec<u32> = self
            .model
            .words
            .iter()
            .enumerate()
            .map(|(block, word)| if late.contains(&block) { KERNEL } else { *word })
            .collect();
        assert_eq!(self.memory.all(), expected);
        assert_eq!(
            self.ring.is_readable(&self.memory),
            late.is_empty() && self.model.is_readable()
        );
        for (pow_off, ahead) in [(0, 0), (2, expected.len() >> 2)] {
            let block = (self.model.active() + ahead) % expected.len();
            assert_eq!(
                self.ring.has_room(&self.memory, pow_off),
                expected[block] == KERNEL
            );
        }
    }

    /// Everybody is done.
    fn settle(&mut self) {
        while !self.copying.is_empty() {
            self.finish(0);
        }
        while !self.ready.is_empty() {
            self.publish(0);
        }
        self.check();
        self.step(Step::Statistics);
        self.published.sort_by_key(|header| header.seq);
        assert_eq!(self.published, self.model.published);
    }
}

/// Lengths that a layout can come to: at least a header, at most all of a block.
fn length(first: u32) -> impl Strategy<Value = u32> {
    let longest = SIZE - first;
    prop_oneof![
        6 => 68u32..300,
        2 => 68..=longest,
        1 => longest - 17..=longest,
    ]
}

fn step(first: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => length(first).prop_map(Step::Receive),
        8 => any::<usize>().prop_map(Step::Finish),
        4 => any::<usize>().prop_map(Step::Publish),
        2 => Just(Step::Tick),
        6 => any::<usize>().prop_map(Step::GiveBack),
        1 => Just(Step::Statistics),
    ]
}

fn shape(count: u32, first: u32) -> Shape {
    Shape {
        count,
        size: SIZE,
        first,
    }
}

fn ring(shape: Shape) -> ((Blocks, Shape), Slow) {
    let (ring, slow) = Blocks::new(shape, 0).unwrap();
    ((ring, shape), slow)
}

proptest! {
    #[test]
    fn places_and_blocks_are_those_of_af_packet(
        count in 1u32..6,
        (first, steps) in prop_oneof![Just(48u32), Just(56), Just(512)].prop_flat_map(|first| {
            (Just(first), proptest::collection::vec(step(first), 0..300))
        }),
    ) {
        let (ring, slow) = ring(shape(count, first));
        let mut scene = Scene::new(&ring, slow);
        for step in steps {
            scene.step(step);
        }
        scene.settle();
    }

    /// Whatever a program writes, no place overlaps with another one, each is in its block, and a block is
    /// published when all of it is copied.
    #[test]
    fn a_hostile_program_harms_itself_only(
        count in 1u32..4,
        steps in proptest::collection::vec(
            (step(48), any::<usize>(), prop_oneof![2 => Just(None), 1 => (0u32..4).prop_map(Some)]),
            0..300,
        ),
    ) {
        let (ring, mut slow) = Blocks::new(shape(count, 48), 0).unwrap();
        let memory = Memory::new(count);
        let mut copying: Vec<Place<'_>> = Vec::new();
        let mut ready: Vec<Publication<'_>> = Vec::new();
        for (step, which, word) in steps {
            if let Some(word) = word {
                memory.store((which % count as usize) as u32, word);
            }
            match step {
                Step::Receive(bytes) => {
                    let place = ring.reserve(bytes).or_else(|| {
                        let outcome = ring.reserve_slow(&mut slow, &memory, bytes, || 0);
                        ready.extend(outcome.publication);
                        outcome.place
                    });
                    let Some(place) = place else { continue };
                    assert!(place.length() >= bytes);
                    assert!(place.offset() >= 48 && place.offset() + place.length() <= SIZE);
                    assert!(ready.iter().all(|block| block.block != place.block()));
                    for other in copying.iter().filter(|other| other.block() == place.block()) {
                        assert!(
                            other.offset() + other.length() <= place.offset()
                                || place.offset() + place.length() <= other.offset()
                        );
                    }
                    copying.push(place);
                }
                Step::Finish(_) if !copying.is_empty() => {
                    ready.extend(copying.swap_remove(which % copying.len()).finish());
                }
                Step::Publish(_) if !ready.is_empty() => {
                    let publication = ready.swap_remove(which % ready.len());
                    assert!(copying.iter().all(|place| place.block() != publication.block));
                    publication.publish(&memory);
                }
                Step::Tick => ready.extend(ring.retire(&mut slow, &memory, 0)),
                _ => {}
            }
        }
    }
}

fn receive<'a>(
    ring: &'a Blocks,
    slow: &mut Slow,
    memory: &Memory,
    bytes: u32,
) -> (Option<Place<'a>>, Option<Publication<'a>>) {
    match ring.reserve(bytes) {
        Some(place) => (Some(place), None),
        None => {
            let outcome = ring.reserve_slow(slow, memory, bytes, || 0);
            (outcome.place, outcome.publication)
        }
    }
}

/// A packet that just fits into a block gets one for itself. It closes an empty one, which the program sees.
#[test]
fn a_packet_as_long_as_a_block_closes_an_empty_one() {
    let (ring, mut slow) = Blocks::new(shape(3, 48), 7).unwrap();
    let memory = Memory::new(3);
    let (place, publication) = receive(&ring, &mut slow, &memory, SIZE - 48);
    let place = place.unwrap();
    assert_eq!((place.block(), place.offset()), (1, 48));
    let empty = publication.unwrap();
    assert_eq!(
        (empty.block, empty.packets, empty.last, empty.length),
        (0, 0, None, 48)
    );
    assert_eq!(empty.opened, 7);
    empty.publish(&memory);
    assert!(place.finish().is_none());
    // One unit less does not close anything.
    let (ring, mut slow) = Blocks::new(shape(3, 48), 0).unwrap();
    let (place, publication) = receive(&ring, &mut slow, &memory, SIZE - 48 - 8);
    assert_eq!(place.unwrap().block(), 0);
    assert!(publication.is_none());
}

/// A packet that is longer than a block is lost, and leaves the ring as it was.
#[test]
fn a_packet_longer_than_a_block_is_lost() {
    let (ring, mut slow) = Blocks::new(shape(2, 48), 0).unwrap();
    let memory = Memory::new(2);
    for bytes in [SIZE - 47, SIZE, 1 << 20, u32::MAX - 7, u32::MAX] {
        let (place, publication) = receive(&ring, &mut slow, &memory, bytes);
        assert!(place.is_none() && publication.is_none());
    }
    let (place, _) = receive(&ring, &mut slow, &memory, 100);
    assert_eq!(place.unwrap().offset(), 48);
}

/// Nothing is lost of a length, and a count, in the largest of blocks; one of more than 64 MiB is closed
/// when so much of it is full.
#[test]
fn large_blocks_are_filled() {
    for size in [1 << 26, 1 << 27, (1 << 31) - 4096] {
        let shape = Shape {
            count: 2,
            size,
            first: 48,
        };
        let limit = size.min(48 + (1 << 26));
        for bytes in [68, 1500, (1 << 20) - 8] {
            let (ring, mut slow) = Blocks::new(shape, 0).unwrap();
            let memory = Memory::new(2);
            let length = u32::next_multiple_of(bytes, 8);
            let (mut packets, mut offset) = (0, 48);
            let publication = loop {
                let (place, publication) = receive(&ring, &mut slow, &memory, bytes);
                let place = place.unwrap();
                if place.block() == 1 {
                    assert!(publication.is_none());
                    break place;
                }
                assert_eq!((place.offset(), place.length()), (offset, length));
                assert_eq!(place.is_first(), packets == 0);
                packets += 1;
                offset += length;
                // All but one are copied at once.
                if packets != 1 {
                    assert!(place.finish().is_none());
                }
            };
            assert!(offset + length >= limit && offset < limit);
            assert_eq!(publication.offset(), 48);
            assert_eq!(ring.statistics(&mut slow).received, packets + 1);
        }
    }
}

/// The last one who copies publishes, even if the block was closed long ago; until then the ring is frozen
/// when it comes to that block.
#[test]
fn a_block_is_published_by_the_last_who_copies() {
    let (ring, mut slow) = Blocks::new(shape(2, 48), 0).unwrap();
    let memory = Memory::new(2);
    let (late, _) = receive(&ring, &mut slow, &memory, 100);
    let late = late.unwrap();
    let (early, _) = receive(&ring, &mut slow, &memory, 100);
    assert!(early.unwrap().finish().is_none());
    assert!(ring.retire(&mut slow, &memory, 0).is_none());
    let (other, _) = receive(&ring, &mut slow, &memory, 100);
    assert_eq!(other.as_ref().unwrap().block(), 1);
    assert!(other.unwrap().finish().is_none());
    let other = ring.retire(&mut slow, &memory, 0).unwrap();
    assert_eq!((other.block, other.packets), (1, 1));
    other.publish(&memory);

    // Block 0 is late, and nobody may have it. That block 1 is there does not make a program spin.
    assert_eq!(ring.statistics(&mut slow).freezes, 1);
    assert!(!ring.is_readable(&memory));
    memory.store(1, KERNEL);
    let (none, _) = receive(&ring, &mut slow, &memory, 100);
    assert!(none.is_none());
    let block = late.finish().unwrap();
    let (none, _) = receive(&ring, &mut slow, &memory, 100);
    assert!(none.is_none(), "it is being published");
    assert_eq!((block.block, block.packets, block.length), (0, 2, 48 + 208));
    block.publish(&memory);
    let (none, _) = receive(&ring, &mut slow, &memory, 100);
    assert!(none.is_none(), "the program has it");
    memory.store(0, KERNEL);
    let (place, _) = receive(&ring, &mut slow, &memory, 100);
    assert_eq!(place.unwrap().block(), 0);
}

#[test]
fn a_ring_has_blocks_and_memory() {
    let new = |count, size, first| Blocks::new(Shape { count, size, first }, 0).err();
    assert_eq!(new(0, 4096, 48), Some(EINVAL));
    assert_eq!(new(1, 4096, 4104), Some(EINVAL));
    assert_eq!(new(1, 4096, 4096), Some(EINVAL));
    assert_eq!(new(1, 4096, 52), Some(EINVAL));
    assert_eq!(new(1, 4100, 48), Some(EINVAL));
    kernel::alloc::exhaust(true);
    let result = new(1, 4096, 48);
    kernel::alloc::exhaust(false);
    assert_eq!(result, Some(ENOMEM));
}
