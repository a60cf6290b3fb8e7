// SPDX-License-Identifier: GPL-2.0

//! Tests of the modes.

use crate::packet::fanout::choice::{
    choose,
    Facts,
    Mode,
    Turn, //
};
use proptest::prelude::*;
use std::num::NonZeroU32;

/// A frame of which all is known, and what was asked for.
#[derive(Clone, Debug, Default)]
struct Frame {
    hash: u32,
    cpu: u32,
    queue: u16,
    random: u32,
    program: Option<u32>,
    asked: Vec<&'static str>,
}

impl Facts for Frame {
    fn flow_hash(&mut self) -> u32 {
        self.asked.push("hash");
        self.hash
    }

    fn cpu(&mut self) -> u32 {
        self.asked.push("cpu");
        self.cpu
    }

    fn queue(&mut self) -> u16 {
        self.asked.push("queue");
        self.queue
    }

    fn random_below(&mut self, limit: NonZeroU32) -> u32 {
        self.asked.push("random");
        self.random % limit
    }

    fn program(&mut self) -> Option<u32> {
        self.asked.push("program");
        self.program
    }
}

/// All modes, by number.
const MODES: [Mode; 8] = [
    Mode::Hash,
    Mode::RoundRobin,
    Mode::Cpu,
    Mode::Rollover,
    Mode::Random,
    Mode::Queue,
    Mode::ClassicProgram,
    Mode::ExtendedProgram,
];

fn members(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn chosen(mode: Mode, number: u32, mut frame: Frame) -> u32 {
    choose(mode, members(number), &Turn::new(), &mut frame)
}

#[test]
fn modes_have_the_numbers_of_af_packet() {
    for (number, mode) in MODES.iter().enumerate() {
        assert_eq!(mode.number() as usize, number);
        assert_eq!(Mode::from_number(number as u8), Some(*mode));
    }
    assert!((8..=255).all(|number| Mode::from_number(number).is_none()));
}

#[test]
fn hash_uses_its_high_bits() {
    let frame = |hash| Frame {
        hash,
        ..Frame::default()
    };
    for (hash, expected) in [
        (0, 0),
        (0x3fff_ffff, 0),
        (0x4000_0000, 1),
        (0x7fff_ffff, 1),
        (0x8000_0000, 2),
        (u32::MAX, 3),
    ] {
        assert_eq!(chosen(Mode::Hash, 4, frame(hash)), expected);
    }
    assert_eq!(chosen(Mode::Hash, 65536, frame(u32::MAX)), 65535);
}

#[test]
fn second_member_has_the_first_turn() {
    let turn = Turn::new();
    let mut frame = Frame::default();
    let order: Vec<_> = (0..7)
        .map(|_| choose(Mode::RoundRobin, members(3), &turn, &mut frame))
        .collect();
    assert_eq!(order, [1, 2, 0, 1, 2, 0, 1]);
    assert!(frame.asked.is_empty());
}

#[test]
fn group_without_program_gives_all_to_its_first_member() {
    for mode in [Mode::ClassicProgram, Mode::ExtendedProgram] {
        assert_eq!(chosen(mode, 5, Frame::default()), 0);
        let frame = Frame {
            program: Some(13),
            ..Frame::default()
        };
        assert_eq!(chosen(mode, 5, frame), 3);
    }
}

#[test]
fn nothing_is_asked_that_the_mode_does_not_need() {
    let asked = MODES.map(|mode| {
        let mut frame = Frame::default();
        choose(mode, members(3), &Turn::new(), &mut frame);
        frame.asked
    });
    assert_eq!(
        asked.each_ref().map(Vec::as_slice),
        [
            &["hash"][..],
            &[],
            &["cpu"],
            &[],
            &["random"],
            &["queue"],
            &["program"],
            &["program"]
        ]
    );
}

/// A device that lies about the range of its random numbers does not lead out of the group.
#[test]
fn random_number_out_of_range_is_harmless() {
    struct Liar;

    impl Facts for Liar {
        fn flow_hash(&mut self) -> u32 {
            u32::MAX
        }

        fn cpu(&mut self) -> u32 {
            u32::MAX
        }

        fn queue(&mut self) -> u16 {
            u16::MAX
        }

        fn random_below(&mut self, _limit: NonZeroU32) -> u32 {
            u32::MAX
        }

        fn program(&mut self) -> Option<u32> {
            Some(u32::MAX)
        }
    }

    for mode in MODES {
        for number in [1, 2, 3, 65536] {
            assert!(choose(mode, members(number), &Turn::new(), &mut Liar) < number);
        }
    }
}

/// `fanout_demux_*()`, by its text. `turn` is the number of the turn.
fn model(mode: Mode, number: u32, turn: u32, frame: &Frame) -> u32 {
    match mode {
        Mode::Hash => (u64::from(frame.hash) * u64::from(number) / (1 << 32)) as u32,
        Mode::RoundRobin => turn % number,
        Mode::Cpu => frame.cpu % number,
        Mode::Rollover => 0,
        Mode::Random => frame.random % number,
        Mode::Queue => u32::from(frame.queue) % number,
        Mode::ClassicProgram | Mode::ExtendedProgram => match frame.program {
            Some(answer) => answer % number,
            None => 0,
        },
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let program = prop::option::of(any::<u32>());
    (
        any::<u32>(),
        any::<u32>(),
        any::<u16>(),
        any::<u32>(),
        program,
    )
        .prop_map(|(hash, cpu, queue, random, program)| Frame {
            hash,
            cpu,
            queue,
            random,
            program,
            asked: Vec::new(),
        })
}

proptest! {
    #[test]
    fn chooses_as_af_packet_does(
        mode in prop::sample::select(&MODES[..]),
        frames in prop::collection::vec((any_frame(), 1u32..=65536), 1..40),
    ) {
        let turn = Turn::new();
        for (number, (mut frame, size)) in frames.into_iter().enumerate() {
            let expected = model(mode, size, number as u32 + 1, &frame);
            let found = choose(mode, members(size), &turn, &mut frame);
            prop_assert_eq!(found, expected);
            prop_assert!(found < size);
            prop_assert!(frame.asked.len() <= 1);
        }
    }
}
