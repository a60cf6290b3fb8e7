// SPDX-License-Identifier: GPL-2.0

//! Tests of members that are full, and of who helps them.

use crate::packet::fanout::rollover::{
    Peers,
    Pressure,
    Rollover,
    Room,
    HISTORY, //
};
use proptest::prelude::*;
use std::num::NonZeroU32;

/// Members with so much room each, a frame of this flow, and random numbers.
struct Group {
    rooms: Vec<Room>,
    pressure: Vec<Pressure>,
    hash: u32,
    random: u32,
    asked: Vec<u32>,
}

impl Group {
    fn new(rooms: &[Room]) -> Self {
        Self {
            rooms: rooms.to_vec(),
            pressure: rooms.iter().map(|_| Pressure::new()).collect(),
            hash: 0,
            random: 0,
            asked: Vec::new(),
        }
    }

    fn size(&self) -> NonZeroU32 {
        NonZeroU32::new(self.rooms.len() as u32).unwrap()
    }

    fn pressed(&self) -> Vec<bool> {
        self.pressure.iter().map(Pressure::is_on).collect()
    }
}

impl Peers for Group {
    fn is_pressed(&mut self, member: u32) -> bool {
        self.pressure[member as usize].is_on()
    }

    fn room(&mut self, member: u32) -> Room {
        self.asked.push(member);
        let room = self.rooms[member as usize];
        self.pressure[member as usize].note(room);
        room
    }

    fn flow_hash(&mut self) -> u32 {
        self.hash
    }

    fn random_below(&mut self, limit: NonZeroU32) -> u32 {
        // Each place of the history in turn.
        self.random += 1;
        self.random % limit
    }
}

/// The three counters, as they are read.
fn statistics(rollover: &Rollover) -> [u64; 3] {
    let bytes = rollover.statistics();
    let mut counts = [0; 3];
    for (count, bytes) in counts.iter_mut().zip(bytes.chunks(8)) {
        *count = u64::from_ne_bytes(bytes.try_into().unwrap());
    }
    counts
}

use Room::{
    Low,
    None as Full,
    Normal, //
};

#[test]
fn room_in_a_queue_is_normal_above_a_quarter() {
    for (used, frame, expected) in [
        (0, 0, Normal),
        (749, 0, Normal),
        (750, 0, Low),
        (700, 50, Low),
        (999, 0, Low),
        (1000, 0, Full),
        (999, 1, Full),
        (5000, 5000, Full),
        (i32::MAX, u32::MAX, Full),
    ] {
        assert_eq!(
            Room::in_queue(1000, used, frame),
            expected,
            "{used} {frame}"
        );
    }
    assert_eq!(Room::in_queue(i32::MIN, 0, 0), Full);
}

#[test]
fn room_in_a_ring_looks_ahead_first() {
    assert_eq!(Room::in_ring(true, || panic!("asked for nothing")), Normal);
    assert_eq!(Room::in_ring(false, || true), Low);
    assert_eq!(Room::in_ring(false, || false), Full);
}

#[test]
fn pressure_ends_when_the_program_has_made_room() {
    let pressure = Pressure::new();
    pressure.relieve(|| panic!("asked without pressure"));
    pressure.note(Low);
    assert!(pressure.is_on());
    pressure.relieve(|| Low);
    assert!(pressure.is_on());
    pressure.relieve(|| Normal);
    assert!(!pressure.is_on());
    pressure.note(Full);
    pressure.note(Normal);
    assert!(!pressure.is_on());
}

#[test]
fn member_with_room_takes_what_is_its_own() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Normal; 3]);
    assert_eq!(rollover.instead_of(1, group.size(), &mut group), 1);
    assert_eq!(group.asked, [1]);
    assert_eq!(statistics(&rollover), [0, 0, 0]);
}

#[test]
fn full_member_is_helped_by_who_helped_last() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Full, Full, Normal, Normal]);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 2);
    group.asked.clear();
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 2);
    assert_eq!(group.asked, [0, 2]);

    // That one is full now: the next is asked, and the search goes around.
    group.rooms = vec![Full, Normal, Full, Full];
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 0);
    assert_eq!(statistics(&rollover), [2, 0, 1]);
    assert_eq!(group.pressed(), [true, true, true, true]);
    group.pressure[1].relieve(|| Normal);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 1);
    assert_eq!(statistics(&rollover), [3, 0, 1]);
}

#[test]
fn who_is_under_pressure_is_not_asked() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Full, Normal, Normal]);
    group.pressure[1].note(Low);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 2);
    assert_eq!(group.asked, [0, 2]);
}

#[test]
fn helper_that_is_gone_is_not_asked() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Full, Full, Full, Normal]);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 3);
    let mut group = Group::new(&[Full, Normal]);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 1);
}

#[test]
fn only_a_huge_flow_is_moved_from_low_room() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Low, Normal]);
    group.hash = 77;
    // More than half of the sample, which has one more entry of it after each frame.
    for _ in 0..=HISTORY / 2 {
        assert_eq!(rollover.instead_of(0, group.size(), &mut group), 0);
    }
    assert_eq!(statistics(&rollover), [0, 0, 0]);
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 1);
    assert_eq!(statistics(&rollover), [1, 1, 0]);

    group.hash = 78;
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 0);
    // A member without any room gives away what is not huge, too, and that is not counted as huge.
    group.rooms[0] = Full;
    assert_eq!(rollover.instead_of(0, group.size(), &mut group), 1);
    assert_eq!(statistics(&rollover), [2, 1, 0]);
}

#[test]
fn mode_rollover_fills_one_after_another() {
    let rollover = Rollover::new();
    let mut group = Group::new(&[Normal; 3]);
    assert_eq!(rollover.whoever(group.size(), &mut group), 0);
    group.rooms[0] = Low;
    assert_eq!(rollover.whoever(group.size(), &mut group), 1);
    group.rooms = vec![Normal, Full, Full];
    // The first has room again, but it is still under pressure.
    assert_eq!(rollover.whoever(group.size(), &mut group), 0);
    assert_eq!(statistics(&rollover), [2, 0, 1]);
}

/// Its program makes room at that moment: the frame is on its way to another member.
#[test]
fn chosen_member_is_asked_once() {
    struct Emptying(Vec<u32>);

    impl Peers for Emptying {
        fn is_pressed(&mut self, _member: u32) -> bool {
            false
        }

        fn room(&mut self, member: u32) -> Room {
            self.0.push(member);
            if self.0 == [0] {
                Full
            } else {
                Normal
            }
        }

        fn flow_hash(&mut self) -> u32 {
            0
        }

        fn random_below(&mut self, _limit: NonZeroU32) -> u32 {
            0
        }
    }

    let rollover = Rollover::new();
    let mut peers = Emptying(Vec::new());
    let members = NonZeroU32::new(3).unwrap();
    assert_eq!(rollover.instead_of(0, members, &mut peers), 1);
    assert_eq!(peers.0, [0, 1]);
}

/// `fanout_demux_rollover()` and what it calls, by its text.
struct Model {
    pressure: Vec<bool>,
    cursor: Vec<usize>,
    counts: Vec<[u64; 3]>,
    history: Vec<[u32; 16]>,
}

impl Model {
    fn has_room(&mut self, rooms: &[Room], member: usize) -> Room {
        self.pressure[member] = rooms[member] != Normal;
        rooms[member]
    }

    fn flow_is_huge(&mut self, member: usize, hash: u32, victim: usize) -> bool {
        let count = self.history[member].iter().filter(|h| **h == hash).count();
        self.history[member][victim] = hash;
        count > 8
    }

    fn demux(
        &mut self,
        rooms: &[Room],
        idx: usize,
        try_self: bool,
        hash: u32,
        victim: usize,
    ) -> usize {
        let num = rooms.len();
        let mut room = Full;
        let mut skip = None;
        if try_self {
            room = self.has_room(rooms, idx);
            if room == Normal || (room == Low && !self.flow_is_huge(idx, hash, victim)) {
                return idx;
            }
            skip = Some(idx);
        }
        let j = self.cursor[idx].min(num - 1);
        let mut i = j;
        loop {
            if Some(i) != skip && !self.pressure[i] && self.has_room(rooms, i) == Normal {
                if i != j {
                    self.cursor[idx] = i;
                }
                self.counts[idx][0] += 1;
                if room == Low {
                    self.counts[idx][1] += 1;
                }
                return i;
            }
            i += 1;
            if i == num {
                i = 0;
            }
            if i == j {
                break;
            }
        }
        self.counts[idx][2] += 1;
        idx
    }
}

fn any_room() -> impl Strategy<Value = Room> {
    prop::sample::select(vec![Full, Low, Normal])
}

proptest! {
    #[test]
    fn moves_as_af_packet_does(
        mode: bool,
        frames in prop::collection::vec(
            (
                prop::collection::vec(any_room(), 6),
                1usize..=6,
                0usize..6,
                0u32..3,
                prop::option::of(0usize..6),
            ),
            1..120,
        ),
    ) {
        let members: Vec<Rollover> = (0..6).map(|_| Rollover::new()).collect();
        let mut group = Group::new(&[Normal; 6]);
        let mut model = Model {
            pressure: vec![false; 6],
            cursor: vec![0; 6],
            counts: vec![[0; 3]; 6],
            history: vec![[0; 16]; 6],
        };

        for (rooms, size, chosen, hash, reader) in frames {
            if let Some(reader) = reader {
                group.pressure[reader].relieve(|| rooms[reader]);
                model.pressure[reader] &= rooms[reader] != Normal;
            }
            group.rooms = rooms[..size].to_vec();
            group.hash = hash;
            let chosen = if mode { 0 } else { chosen % size };
            let victim = (group.random as usize + 1) % HISTORY;
            let expected = model.demux(&group.rooms, chosen, !mode, hash, victim);
            let rollover = &members[chosen];
            let found = if mode {
                rollover.whoever(group.size(), &mut group)
            } else {
                rollover.instead_of(chosen as u32, group.size(), &mut group)
            };
            prop_assert_eq!(found as usize, expected);
            prop_assert_eq!(group.pressed(), model.pressure.clone());
            prop_assert_eq!(statistics(rollover), model.counts[chosen]);
        }
    }
}
