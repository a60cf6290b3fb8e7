// SPDX-License-Identifier: GPL-2.0

//! A row of places that receivers look at without a lock while members come and go.
//!
//! Members have the places from 0 on, without a gap. Who comes is given the first free place; when
//! one goes, the member with the last place moves to the place that has become free:
//!
//! ```text
//!     A B C D .      push(E): A B C D E      remove(B): A E C D (E)
//! ```
//!
//! The place that became free behind the last one keeps what was there. A receiver reads the number of
//! members first, and a place after that; if a member goes in between, it may find one that is gone,
//! or one that it would have found elsewhere. So what a place holds has to stay valid until each
//! receiver that began before it was removed is done: for an RCU grace period.
//!
//! A place holds a word that is not zero, and different for each member; what it means is for the user
//! of this file to know. The file has no kernel types beyond the prelude and atomics, so that
//! `selftests/host` runs it as well, and under loom.

use core::ops::Deref;
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// Places in the memory `M`, whose length is how many there are.
pub(crate) struct Places<M> {
    memory: M,
    taken: Atomic<u32>,
}

impl<M: Deref<Target = [Atomic<usize>]>> Places<M> {
    /// All places are free.
    pub(crate) fn new(memory: M) -> Self {
        Self {
            memory,
            taken: Atomic::new(0),
        }
    }

    /// How many members there are: they have the places below that.
    #[inline]
    pub(crate) fn taken(&self) -> u32 {
        // ORDERING: Pairs with the `Release` of `push`: whoever sees the number sees the places.
        self.taken.load(Acquire)
    }

    /// What is in a place, which must be below [`taken`](Self::taken) as this receiver has read it.
    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<usize> {
        // CAST: `usize` has at least 32 bits.
        let word = self.memory.get(place as usize)?;
        // ORDERING: Pairs with the `Release` of `push` and `remove`: what the word stands for was made
        // before it was written.
        match word.load(Acquire) {
            0 => None,
            word => Some(word),
        }
    }

    /// Gives a place to `word`, and returns whether it is the first member.
    ///
    /// Only one caller may be in here or in [`remove`](Self::remove) at a time.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if no place is free.
    pub(crate) fn push(&self, word: usize) -> Result<bool> {
        // ORDERING: Only the caller changes the number.
        let taken = self.taken.load(Relaxed);
        let place = self.memory.get(taken as usize).ok_or(ENOSPC)?;

        // ORDERING: Pairs with the `Acquire` of `get`.
        place.store(word, Release);
        // ORDERING: Pairs with the `Acquire` of `taken`: the place is filled first. `taken` is below the
        // number of places, so the sum does not wrap.
        self.taken.store(taken.wrapping_add(1), Release);
        Ok(taken == 0)
    }

    /// Takes its place away from `word`. Returns whether nobody is left, or `None` if it has no place.
    ///
    /// Only one caller may be in here or in [`push`](Self::push) at a time.
    pub(crate) fn remove(&self, word: usize) -> Option<bool> {
        // ORDERING: Only the caller changes the number and the places.
        let taken = self.taken.load(Relaxed);
        let members = self.memory.get(..taken as usize)?;
        let place = members.iter().find(|place| place.load(Relaxed) == word)?;
        let last = members.last()?.load(Relaxed);

        // ORDERING: Pairs with the `Acquire` of `get`.
        place.store(last, Release);
        // The place is filled first: a receiver that sees the lower number finds the last one in it.
        // ORDERING: Pairs with the `Acquire` of `taken`. `taken` is not zero, or nothing was found.
        self.taken.store(taken.wrapping_sub(1), Release);
        Some(taken == 1)
    }
}
