// SPDX-License-Identifier: GPL-2.0

//! Rings of versions 1 and 2 against a model: the steps of AF_PACKET under its lock, one after the other.

use super::Memory;
use crate::packet::ring::{
    frames::{
        Frames,
        LastRead,
        Slot, //
    },
    words::{
        status::{
            KERNEL,
            USER, //
        },
        Counts,
        Words, //
    },
};
use kernel::prelude::*;
use proptest::prelude::*;

/// What AF_PACKET keeps: a position, and a map of the slots that are being filled.
struct Model {
    head: usize,
    owned: Vec<bool>,
    words: Vec<u32>,
    received: u32,
    dropped: u32,
}

impl Model {
    fn new(count: usize) -> Self {
        Self {
            head: 0,
            owned: vec![false; count],
            words: vec![KERNEL; count],
            received: 0,
            dropped: 0,
        }
    }

    fn reserve(&mut self) -> Option<usize> {
        let slot = self.head;
        if self.words[slot] != KERNEL || self.owned[slot] {
            self.dropped += 1;
            return None;
        }
        self.owned[slot] = true;
        self.head = (slot + 1) % self.words.len();
        self.received += 1;
        Some(slot)
    }

    fn publish(&mut self, slot: usize, status: u32) {
        self.words[slot] = status;
        self.owned[slot] = false;
    }

    fn is_readable(&self) -> bool {
        let count = self.words.len();
        self.words[(self.head + count - 1) % count] != KERNEL
    }

    fn has_room(&self, pow_off: u32) -> bool {
        let count = self.words.len();
        let ahead = if pow_off == 0 { 0 } else { count >> pow_off };
        self.words[(self.head + ahead) % count] == KERNEL
    }

    fn statistics(&mut self) -> Counts {
        Counts {
            received: std::mem::take(&mut self.received),
            dropped: std::mem::take(&mut self.dropped),
            freezes: 0,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    /// One of those that are being filled, in any order.
    Publish(usize, u32),
    /// The program gives back a slot, or writes what it likes.
    Write(usize, u32),
    Statistics,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Reserve),
        4 => (any::<usize>(), 1u32..0x200).prop_map(|(which, bits)| Step::Publish(which, bits | USER)),
        4 => any::<usize>().prop_map(|which| Step::Write(which, KERNEL)),
        1 => (any::<usize>(), 0u32..4).prop_map(|(which, word)| Step::Write(which, word)),
        1 => Just(Step::Statistics),
    ]
}

fn play(count: u32, steps: &[Step]) {
    let memory = Memory::new(count);
    let ring = Frames::new(count).unwrap();
    let mut last = LastRead::default();
    let mut model = Model::new(count as usize);
    let mut filling: Vec<Slot<'_>> = Vec::new();

    for step in steps {
        match *step {
            Step::Reserve => {
                let slot = ring.reserve(&memory);
                assert_eq!(
                    slot.as_ref().map(|slot| slot.index() as usize),
                    model.reserve()
                );
                match slot {
                    Some(slot) => filling.push(slot),
                    None => ring.drops.count(),
                }
            }
            Step::Publish(which, status) if !filling.is_empty() => {
                let slot = filling.swap_remove(which % filling.len());
                model.publish(slot.index() as usize, status);
                slot.publish(&memory, status);
            }
            Step::Publish(..) => {}
            Step::Write(which, word) => {
                let slot = which % count as usize;
                model.words[slot] = word;
                memory.store(slot as u32, word);
            }
            Step::Statistics => {
                assert_eq!(ring.statistics(&mut last), model.statistics());
            }
        }
        assert_eq!(memory.all(), model.words);
        assert_eq!(ring.is_readable(&memory), model.is_readable());
        for pow_off in [0, 2] {
            assert_eq!(ring.has_room(&memory, pow_off), model.has_room(pow_off));
        }
        assert_eq!(ring.drops.any(), model.dropped != 0);
    }
    assert_eq!(ring.statistics(&mut last), model.statistics());
}

proptest! {
    #[test]
    fn slots_are_those_of_af_packet(
        count in 1u32..10,
        steps in proptest::collection::vec(step(), 0..300),
    ) {
        play(count, &steps);
    }
}

/// A slot that is being filled when its turn comes again, whatever its status says, is not free.
#[test]
fn a_slot_has_one_owner() {
    for count in 1..5 {
        let memory = Memory::new(count);
        let ring = Frames::new(count).unwrap();
        let late = ring.reserve(&memory).unwrap();
        for _ in 1..count {
            let slot = ring.reserve(&memory).unwrap();
            slot.publish(&memory, USER);
        }
        for _ in 0..3 {
            (0..count).for_each(|index| memory.store(index, KERNEL));
            assert!(ring.reserve(&memory).is_none());
        }
        late.publish(&memory, USER);
        assert!(ring.reserve(&memory).is_none());
        memory.store(0, KERNEL);
        assert_eq!(ring.reserve(&memory).unwrap().index(), 0);
    }
}

/// What one owner does not publish is lost, and no more.
#[test]
fn a_slot_that_is_dropped_is_free_in_the_next_lap() {
    let memory = Memory::new(2);
    let ring = Frames::new(2).unwrap();
    for _ in 0..3 {
        drop(ring.reserve(&memory).unwrap());
        assert_eq!(memory.all(), [KERNEL, KERNEL]);
        ring.reserve(&memory).unwrap().publish(&memory, USER);
        assert_eq!(memory.all(), [KERNEL, USER]);
        memory.store(1, KERNEL);
    }
}

#[test]
fn a_ring_has_slots_and_memory() {
    assert_eq!(Frames::new(0).err(), Some(EINVAL));
    kernel::alloc::exhaust(true);
    let result = Frames::new(8).err();
    kernel::alloc::exhaust(false);
    assert_eq!(result, Some(ENOMEM));
}

/// All counters have 32 bits and wrap; a lap and a slot have 32 bits together.
#[test]
fn the_count_of_frames_goes_on_after_many_laps() {
    let memory = Memory::new(3);
    let ring = Frames::new(3).unwrap();
    let mut last = LastRead::default();
    for frame in 0..10_000 {
        let slot = ring.reserve(&memory).unwrap();
        assert_eq!(slot.index(), frame % 3);
        slot.publish(&memory, KERNEL);
        if frame % 1000 == 999 {
            assert_eq!(ring.statistics(&mut last).received, 1000);
        }
    }
}
