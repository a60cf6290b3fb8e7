// SPDX-License-Identifier: GPL-2.0

//! A member that has no room for a frame, and who takes it instead.
//!
//! With the mode `ROLLOVER` each frame goes to who has room. With the flag of that name a frame goes
//! to the member that the mode has chosen, unless that one is nearly full. Then the others are asked,
//! one after another, beginning with the one that helped the last time; if nobody has room, the first
//! choice must take it, and loses it.
//!
//! | room | the chosen member |
//! |---|---|
//! | [`Room::Normal`] | takes the frame |
//! | [`Room::Low`] | takes it, unless it is of a huge flow: one that fills the member all by itself |
//! | [`Room::None`] | gives it away |
//!
//! A huge flow is one that more than half of the entries of a small [`History`] are of. Each frame
//! that finds low room looks there, and then replaces an entry by chance.
//!
//! Only who has normal room helps. To find that out touches memory of the other member, so who was
//! seen without is marked by its [`Pressure`], and not asked again until its program has made room.
//!
//! All of it is shared by all CPUs without a lock, as estimates may be: two frames at one time may
//! both be given away, or a turn may be forgotten. The counters are exact.
//!
//! The file has no kernel types beyond the prelude and atomics, so that `selftests/host` runs it as
//! well.

#![forbid(unsafe_code)]

use core::num::NonZeroU32;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// How much room a member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// None: a frame would be lost.
    None,
    /// Less than a quarter.
    Low,
    /// Enough.
    Normal,
}

/// The part of its memory that a member has free when its room is normal, as a shift: a quarter.
pub(crate) const QUARTER: u32 = 2;

impl Room {
    /// The room in a receive queue, of which `used` bytes of `limit` are taken, beside a frame that
    /// takes `frame`.
    pub(crate) fn in_queue(limit: i32, used: i32, frame: u32) -> Self {
        let limit = i64::from(limit);
        let left = limit - i64::from(used) - i64::from(frame);

        if left > limit >> QUARTER {
            Self::Normal
        } else if left > 0 {
            Self::Low
        } else {
            Self::None
        }
    }

    /// The room in a ring: whether the place a quarter of the ring ahead is free, and whether the next
    /// one is, which is asked only if it matters.
    pub(crate) fn in_ring(ahead_is_free: bool, next_is_free: impl FnOnce() -> bool) -> Self {
        if ahead_is_free {
            Self::Normal
        } else if next_is_free() {
            Self::Low
        } else {
            Self::None
        }
    }
}

/// Whether a member was seen without normal room since its program last made some.
pub(crate) struct Pressure(Atomic<bool>);

impl Pressure {
    /// There is none.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Whether it is known that there is no room.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // ORDERING: An estimate; nothing else depends on the value.
        self.0.load(Relaxed)
    }

    /// Notes what was seen. The memory is written to only if that is news.
    #[inline]
    pub(crate) fn note(&self, room: Room) {
        let pressed = room != Room::Normal;

        if self.is_on() != pressed {
            // ORDERING: As for the load.
            self.0.store(pressed, Relaxed);
        }
    }

    /// The program has taken something: ends the pressure if `room`, which is only asked if there was
    /// pressure, is normal.
    #[inline]
    pub(crate) fn relieve(&self, room: impl FnOnce() -> Room) {
        if self.is_on() && room() == Room::Normal {
            // ORDERING: As for the load.
            self.0.store(false, Relaxed);
        }
    }
}

/// How many entries a history has: as many as fit into one line of the cache.
pub(crate) const HISTORY: usize = 16;

/// The flows that a member had when it had low room: a sample.
struct History([Atomic<u32>; HISTORY]);

impl History {
    fn new() -> Self {
        Self(core::array::from_fn(|_| Atomic::new(0)))
    }

    /// Whether the flow of this hash is a huge one; the sample has it from now on.
    fn is_huge(&self, hash: u32, victim: u32) -> bool {
        // ORDERING: A sample; nothing else depends on its entries.
        let seen = self.0.iter().filter(|entry| entry.load(Relaxed) == hash);
        let huge = seen.count() > HISTORY / 2;

        if let Some(entry) = self.0.get(victim as usize) {
            // Do not write to the line of the cache for nothing.
            if entry.load(Relaxed) != hash {
                entry.store(hash, Relaxed);
            }
        }
        huge
    }
}

/// The members that have a place, by number.
pub(crate) trait Peers {
    /// Whether the member was seen without room: [`Pressure::is_on`].
    fn is_pressed(&mut self, member: u32) -> bool;

    /// The room that the member has for the frame, which its [`Pressure`] must be told.
    fn room(&mut self, member: u32) -> Room;

    /// The hash of the frame's flow. Any will do; one that the device has computed costs nothing.
    fn flow_hash(&mut self) -> u32;

    /// A random number below `limit`.
    fn random_below(&mut self, limit: NonZeroU32) -> u32;
}

/// What a member of a group with rollover remembers of the frames that it was chosen for.
pub(crate) struct Rollover {
    /// Who helped last.
    cursor: Atomic<u32>,
    moved: Atomic<u64>,
    huge: Atomic<u64>,
    failed: Atomic<u64>,
    history: History,
}

/// `sizeof(struct tpacket_rollover_stats)`.
pub(crate) const STATISTICS: usize = 24;

impl Rollover {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self {
            cursor: Atomic::new(0),
            moved: Atomic::new(0),
            huge: Atomic::new(0),
            failed: Atomic::new(0),
            history: History::new(),
        }
    }

    /// Who takes a frame in the mode `ROLLOVER`, of so many members. `self` is of the first of them.
    pub(crate) fn whoever(&self, members: NonZeroU32, peers: &mut impl Peers) -> u32 {
        self.search(members, None, peers).unwrap_or(0)
    }

    /// Who takes a frame for which `chosen`, whose `self` is, was chosen, of so many members.
    pub(crate) fn instead_of(
        &self,
        chosen: u32,
        members: NonZeroU32,
        peers: &mut impl Peers,
    ) -> u32 {
        const ENTRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(HISTORY as u32 - 1);

        let huge = match peers.room(chosen) {
            Room::Normal => return chosen,
            Room::Low => {
                let hash = peers.flow_hash();
                let victim = peers.random_below(ENTRIES);
                if !self.history.is_huge(hash, victim) {
                    return chosen;
                }
                true
            }
            Room::None => false,
        };

        match self.search(members, Some(chosen), peers) {
            Some(found) => {
                if huge {
                    count(&self.huge);
                }
                found
            }
            None => chosen,
        }
    }

    /// Looks for a member with normal room, beginning with who had it the last time.
    fn search(
        &self,
        members: NonZeroU32,
        skip: Option<u32>,
        peers: &mut impl Peers,
    ) -> Option<u32> {
        // ORDERING: A hint; whoever is found there is asked.
        let begin = self.cursor.load(Relaxed).min(members.get() - 1);

        // Once around.
        let found = (begin..members.get()).chain(0..begin).find(|&member| {
            skip != Some(member) && !peers.is_pressed(member) && peers.room(member) == Room::Normal
        });
        match found {
            Some(member) => {
                if member != begin {
                    // ORDERING: As for the load.
                    self.cursor.store(member, Relaxed);
                }
                count(&self.moved);
            }
            None => count(&self.failed),
        }
        found
    }

    /// A `struct tpacket_rollover_stats`: how many frames were given away, how many of these were of a
    /// huge flow, and how many nobody had room for. They are not cleared.
    pub(crate) fn statistics(&self) -> [u8; STATISTICS] {
        // ORDERING: Three counters that may be read at slightly different times.
        let counts = [&self.moved, &self.huge, &self.failed].map(|count| count.load(Relaxed));
        let mut bytes = [0; STATISTICS];

        let counts = counts.map(u64::to_ne_bytes);
        for (to, from) in bytes.iter_mut().zip(counts.iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}

#[inline]
fn count(counter: &Atomic<u64>) {
    // ORDERING: Nothing else depends on the value.
    counter.add(1, Relaxed);
}
