// SPDX-License-Identifier: GPL-2.0

//! Rings of frames to send, against a model of AF_PACKET.

use super::Memory;
use crate::packet::ring::{
    transmit::{
        add_length,
        Header,
        Limits,
        Sender,
        Transmit, //
    },
    words::{
        status::{
            AVAILABLE,
            SENDING,
            SEND_REQUEST,
            WRONG_FORMAT, //
        },
        Words, //
    },
};
use kernel::prelude::*;
use proptest::prelude::*;

/// What becomes of a frame that is given to the device.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It is on its way.
    Flies,
    /// It is done before the call returns.
    Done,
    /// The device did not take it, and it is gone.
    Refused,
    /// The device did not take it, but somebody still has it.
    RefusedLate,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The program asks for a slot to be sent, if it has it.
    Ask(usize),
    /// One turn of the loop of `sendmsg()`.
    Send(Fate),
    /// One turn for a slot that is wrong, with or without `PACKET_LOSS`.
    Wrong(bool),
    /// One of those on their way is done, in any order, with a time stamp or without.
    Complete(usize, u32),
}

/// What AF_PACKET keeps, and the status of each slot.
struct Model {
    head: usize,
    words: Vec<u32>,
    flying: Vec<usize>,
}

impl Model {
    fn asks(&self) -> bool {
        self.words[self.head] == SEND_REQUEST
    }

    fn advance(&mut self) {
        self.head = (self.head + 1) % self.words.len();
    }

    fn complete(&mut self, slot: usize, timestamp: u32) {
        self.words[slot] = AVAILABLE | timestamp;
        self.flying.retain(|other| *other != slot);
    }

    fn send(&mut self, fate: Fate) {
        if !self.asks() {
            return;
        }
        let slot = self.head;
        self.words[slot] = SENDING;
        self.flying.push(slot);
        match fate {
            Fate::Flies | Fate::RefusedLate => self.advance(),
            Fate::Done => {
                self.complete(slot, 0);
                self.advance();
            }
            Fate::Refused => {
                self.complete(slot, 0);
                self.words[slot] = SEND_REQUEST;
            }
        }
    }

    fn wrong(&mut self, loss: bool) {
        if !self.asks() {
            return;
        }
        if loss {
            self.words[self.head] = AVAILABLE;
            self.advance();
        } else {
            self.words[self.head] = WRONG_FORMAT;
        }
    }
}

fn send(ring: &Transmit, sender: &mut Sender, memory: &Memory, fate: Fate) -> Option<u32> {
    let request = ring.next(sender, memory)?;
    let index = request.index();
    let started = request.start(memory);
    match fate {
        Fate::Flies => started.accepted(),
        Fate::Done => {
            ring.complete(memory, index, 0);
            started.accepted();
        }
        Fate::Refused => {
            ring.complete(memory, index, 0);
            assert!(started.retry(memory));
        }
        Fate::RefusedLate => assert!(!started.retry(memory)),
    }
    Some(index)
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => Just(Fate::Flies),
        2 => Just(Fate::Done),
        1 => Just(Fate::Refused),
        1 => Just(Fate::RefusedLate),
    ];
    prop_oneof![
        6 => any::<usize>().prop_map(Step::Ask),
        6 => fate.prop_map(Step::Send),
        1 => any::<bool>().prop_map(Step::Wrong),
        4 => (any::<usize>(), prop_oneof![3 => Just(0u32), 1 => Just(1 << 29), 1 => Just(1 << 31)])
            .prop_map(|(which, bit)| Step::Complete(which, bit)),
    ]
}

proptest! {
    #[test]
    fn slots_are_those_of_af_packet(
        count in 1u32..6,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let memory = Memory::new(count);
        let (ring, mut sender) = Transmit::new(count).unwrap();
        let mut model = Model {
            head: 0,
            words: vec![AVAILABLE; count as usize],
            flying: Vec::new(),
        };
        for step in steps {
            match step {
                Step::Ask(which) => {
                    let slot = which % count as usize;
                    if model.words[slot] != SENDING {
                        model.words[slot] = SEND_REQUEST;
                        memory.store(slot as u32, SEND_REQUEST);
                    }
                }
                Step::Send(fate) => {
                    let expected = model.asks().then_some(model.head as u32);
                    assert_eq!(send(&ring, &mut sender, &memory, fate), expected);
                    model.send(fate);
                }
                Step::Wrong(loss) => {
                    if let Some(request) = ring.next(&mut sender, &memory) {
                        if loss {
                            request.skip(&memory);
                        } else {
                            request.refuse(&memory);
                        }
                    }
                    model.wrong(loss);
                }
                Step::Complete(which, bit) if !model.flying.is_empty() => {
                    let slot = model.flying[which % model.flying.len()];
                    ring.complete(&memory, slot as u32, bit);
                    model.complete(slot, bit);
                }
                Step::Complete(..) => {}
            }
            assert_eq!(memory.all(), model.words);
            assert_eq!(ring.pending() as usize, model.flying.len());
            assert_eq!(ring.is_writable(&memory), model.words[model.head] == AVAILABLE);
        }
    }

    /// Whatever a program writes, a slot has one frame on its way, and the number of those is right.
    #[test]
    fn a_hostile_program_sends_no_slot_twice(
        count in 1u32..4,
        steps in proptest::collection::vec((step(), any::<usize>(), 0u32..5), 0..200),
    ) {
        let memory = Memory::new(count);
        let (ring, mut sender) = Transmit::new(count).unwrap();
        let mut flying: Vec<u32> = Vec::new();
        for (step, which, word) in steps {
            memory.store((which % count as usize) as u32, word);
            match step {
                Step::Send(fate) => {
                    let sent = send(&ring, &mut sender, &memory, fate);
                    if let (Fate::Flies | Fate::RefusedLate, Some(slot)) = (fate, sent) {
                        assert!(!flying.contains(&slot));
                        flying.push(slot);
                    }
                }
                Step::Complete(which, bit) if !flying.is_empty() => {
                    let slot = flying.swap_remove(which % flying.len());
                    ring.complete(&memory, slot, bit);
                    // Once more does no harm.
                    ring.complete(&memory, slot, bit);
                }
                _ => {}
            }
            assert_eq!(ring.pending() as usize, flying.len());
        }
    }

    /// The checks of AF_PACKET, in numbers that cannot overflow, and with its errors in their order.
    #[test]
    fn headers_are_checked_as_in_af_packet(
        slot in (7u32..400).prop_map(|units| units * 16),
        first in prop_oneof![Just(32u32), Just(48)],
        device in prop_oneof![Just(None), (0u32..2000).prop_map(Some), Just(Some(u32::MAX))],
        has_offset: bool,
        next_offset in prop_oneof![8 => Just(0u32), 1 => any::<u32>()],
        len in prop_oneof![4 => 0u32..2000, 2 => 0u32..7000, 1 => any::<u32>()],
        offset in prop_oneof![4 => 20u16..200, 2 => 0u16..7000, 1 => any::<u16>()],
    ) {
        let room = i64::from(slot) - i64::from(first);
        let longest = device.map_or(room, |device| room.min(device.into()));
        let (wide, at) = (i64::from(len), i64::from(offset));
        let expected = if next_offset != 0 {
            Err(EINVAL)
        } else if wide > longest {
            Err(EMSGSIZE)
        } else if !has_offset {
            Ok(first)
        } else if at < first.into() || at > i64::from(slot) - wide {
            Err(EINVAL)
        } else {
            Ok(offset.into())
        };
        let extent = Limits::new(slot, first, device, has_offset).check(Header {
            next_offset,
            len,
            offset,
        });
        assert_eq!(extent.map(|extent| extent.offset()), expected);
        if let Ok(extent) = extent {
            assert_eq!(extent.len(), len);
            assert!(extent.offset() + extent.len() <= slot);
            match extent.behind(10) {
                Ok(rest) => {
                    assert_eq!(rest.offset() + rest.len(), extent.offset() + len);
                    assert_eq!(rest.len() + 10, len);
                }
                Err(error) => assert!(error == EINVAL && len < 10),
            }
        }
    }
}

/// A slot that is on its way waits until that is done; its completion gives it back.
#[test]
fn a_slot_that_is_on_its_way_is_not_sent_again() {
    let memory = Memory::new(1);
    let (ring, mut sender) = Transmit::new(1).unwrap();
    memory.store(0, SEND_REQUEST);
    assert_eq!(send(&ring, &mut sender, &memory, Fate::Flies), Some(0));
    memory.store(0, SEND_REQUEST);
    assert_eq!(send(&ring, &mut sender, &memory, Fate::Flies), None);
    assert_eq!(ring.pending(), 1);
    ring.complete(&memory, 0, 0);
    assert_eq!((memory.all(), ring.pending()), (vec![AVAILABLE], 0));
    assert!(ring.is_writable(&memory));
}

/// A slot with a time stamp is not writable, as in AF_PACKET.
#[test]
fn a_time_stamp_is_told() {
    let memory = Memory::new(1);
    let (ring, mut sender) = Transmit::new(1).unwrap();
    memory.store(0, SEND_REQUEST);
    send(&ring, &mut sender, &memory, Fate::Flies);
    ring.complete(&memory, 0, 1 << 29);
    assert_eq!(memory.all(), [1 << 29]);
    assert!(!ring.is_writable(&memory));
}

/// Frames on their way outlive the one who sends, and complete when they like.
#[test]
fn completions_outlive_the_sender() {
    let memory = Memory::new(3);
    let ring = {
        let (ring, mut sender) = Transmit::new(3).unwrap();
        for slot in 0..3 {
            memory.store(slot, SEND_REQUEST);
            send(&ring, &mut sender, &memory, Fate::Flies);
        }
        ring
    };
    for (slot, left) in [(1, 2), (2, 1), (0, 0)] {
        ring.complete(&memory, slot, 0);
        assert_eq!(ring.pending(), left);
    }
    assert_eq!(memory.all(), [AVAILABLE; 3]);
}

/// What one call returns is positive.
#[test]
fn a_call_sends_less_than_2_gib() {
    let limits = Limits::new(1 << 31, 32, None, false);
    let extent = |len| {
        limits
            .check(Header {
                next_offset: 0,
                len,
                offset: 0,
            })
            .unwrap()
    };
    assert_eq!(add_length(0, extent(1500)), Some(1500));
    assert_eq!(
        add_length(i32::MAX as u32 - 1500, extent(1500)),
        Some(i32::MAX as u32)
    );
    assert_eq!(add_length(i32::MAX as u32 - 1499, extent(1500)), None);
    assert_eq!(add_length(u32::MAX, extent(1)), None);
}

#[test]
fn a_ring_has_slots_and_memory() {
    assert_eq!(Transmit::new(0).err(), Some(EINVAL));
    kernel::alloc::exhaust(true);
    let result = Transmit::new(8).err();
    kernel::alloc::exhaust(false);
    assert_eq!(result, Some(ENOMEM));
}
