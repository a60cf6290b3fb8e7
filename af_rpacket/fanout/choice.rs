// SPDX-License-Identifier: GPL-2.0

//! Which member of a group a frame is for.
//!
//! [`choose`] answers for the members that have a place now, numbered from 0. What it has to know
//! about the frame and the CPU it asks [`Facts`] for, and nothing that the mode does not need: a flow
//! hash costs a look at all headers of the frame.
//!
//! The file has no kernel types beyond the prelude and atomics, so that `selftests/host` runs it as
//! well.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// How a group chooses: the low byte of the type in `PACKET_FANOUT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By a hash of the flow.
    Hash = 0,
    /// In turn.
    RoundRobin = 1,
    /// By the CPU.
    Cpu = 2,
    /// Whoever has room: see [`rollover`](super::rollover).
    Rollover = 3,
    /// By chance.
    Random = 4,
    /// By the queue of the device.
    Queue = 5,
    /// By a classic BPF program.
    ClassicProgram = 6,
    /// By an eBPF program.
    ExtendedProgram = 7,
}

impl Mode {
    /// The mode with this number, if there is one.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Hash,
            1 => Self::RoundRobin,
            2 => Self::Cpu,
            3 => Self::Rollover,
            4 => Self::Random,
            5 => Self::Queue,
            6 => Self::ClassicProgram,
            7 => Self::ExtendedProgram,
            _ => return None,
        })
    }

    /// The number of the mode.
    pub(crate) const fn number(self) -> u8 {
        // CAST: The numbers are those above.
        self as u8
    }
}

/// What a mode may have to know. Each method is called at most once for a frame.
pub(crate) trait Facts {
    /// A hash of the frame's flow that is the same for both of its directions.
    fn flow_hash(&mut self) -> u32;

    /// The number of this CPU.
    fn cpu(&mut self) -> u32;

    /// The queue of the device that the frame came in by, or goes out by.
    fn queue(&mut self) -> u16;

    /// A random number below `limit`.
    fn random_below(&mut self, limit: NonZeroU32) -> u32;

    /// What the program of the group says, if it has one.
    fn program(&mut self) -> Option<u32>;
}

/// Whose turn it is.
pub(crate) struct Turn(Atomic<u32>);

impl Turn {
    /// Makes the turn of a new group.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// The next turn. The first is 1: with two members or more the second one begins.
    #[inline]
    fn next(&self) -> u32 {
        // ORDERING: A number that each frame takes once; nothing else depends on it.
        self.0.fetch_add(1, Relaxed).wrapping_add(1)
    }
}

/// Maps a 32-bit hash to a number below `limit`, by its high bits: `reciprocal_scale()`.
#[inline]
fn scale(hash: u32, limit: NonZeroU32) -> u32 {
    let scaled = (u64::from(hash) * u64::from(limit.get())) >> 32;
    // CAST: A product of two 32-bit numbers has at most 32 bits above its lower 32.
    scaled as u32
}

/// The member that a frame is for, of so many; a number below `members`.
///
/// In [`Mode::Rollover`] that is the one whose memory of the last choice counts.
#[inline]
pub(crate) fn choose(mode: Mode, members: NonZeroU32, turn: &Turn, facts: &mut impl Facts) -> u32 {
    match mode {
        Mode::Hash => scale(facts.flow_hash(), members),
        Mode::RoundRobin => turn.next() % members,
        Mode::Cpu => facts.cpu() % members,
        Mode::Rollover => 0,
        // Whatever it says: the result is used as a place.
        Mode::Random => facts.random_below(members) % members,
        Mode::Queue => u32::from(facts.queue()) % members,
        Mode::ClassicProgram | Mode::ExtendedProgram => {
            facts.program().map_or(0, |answer| answer % members)
        }
    }
}
