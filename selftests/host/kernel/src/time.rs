// SPDX-License-Identifier: GPL-2.0

//! Time. The clock of a thread stands still until somebody waits, so that no test waits in earnest.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static NOW_US: Cell<u64> = const { Cell::new(0) };
}

/// Lets time pass.
pub fn pass(us: u64) {
    NOW_US.set(NOW_US.get() + us);
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta {
    us: i64,
}

impl Delta {
    pub const fn from_micros(us: i64) -> Self {
        Self { us }
    }

    pub const fn from_millis(ms: i64) -> Self {
        Self { us: ms * 1000 }
    }

    pub const fn as_micros_ceil(self) -> i64 {
        self.us
    }
}

/// A clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic;

/// A moment on the clock `C`.
#[derive(Clone, Copy, Debug)]
pub struct Instant<C> {
    us: u64,
    _clock: PhantomData<C>,
}

impl<C> Instant<C> {
    pub fn now() -> Self {
        Self {
            us: NOW_US.get(),
            _clock: PhantomData,
        }
    }

    pub fn elapsed(&self) -> Delta {
        Delta::from_micros((NOW_US.get() - self.us) as i64)
    }
}

pub mod delay {
    //! Waiting.

    use super::Delta;

    /// Sleeps for so long.
    pub fn fsleep(delta: Delta) {
        super::pass(delta.as_micros_ceil() as u64);
    }

    /// Waits for so long, without sleep.
    pub fn udelay(delta: Delta) {
        super::pass(delta.as_micros_ceil() as u64);
    }
}
