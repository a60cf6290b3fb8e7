// SPDX-License-Identifier: GPL-2.0

//! One context fills a ring and stops the queue, another empties it and wakes the queue, without a lock.
//!
//! No wake-up is lost: when the stop and the reclaim happen at the same time, a queue whose ring is empty
//! in the end is awake.

use super::model;
use crate::net::flow::{
    maybe_stop,
    maybe_wake,
    Queue, //
};
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    smp_mb,
    weak, //
};
use loom::thread;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// How many frames the ring takes.
const SIZE: u32 = 1;

struct Driver {
    stopped: Atomic<bool>,
    filled: Atomic<u32>,
    emptied: Atomic<u32>,
    /// Whether `maybe_stop` looks at the ring again.
    looks_again: bool,
}

impl Driver {
    fn new(looks_again: bool) -> Self {
        let driver = Self {
            stopped: Atomic::new(false),
            filled: Atomic::new(0),
            emptied: Atomic::new(0),
            looks_again,
        };
        driver.stopped.store(false, Relaxed);
        driver.filled.store(0, Relaxed);
        driver.emptied.store(0, Relaxed);
        driver
    }

    fn free(&self) -> u32 {
        let in_flight = self
            .filled
            .load(Relaxed)
            .wrapping_sub(self.emptied.load(Relaxed));
        SIZE.wrapping_sub(in_flight)
    }

    fn transmit(&self) {
        self.filled.store(self.filled.load(Relaxed) + 1, Relaxed);
        let looks = std::cell::Cell::new(0);
        let free = || {
            looks.set(looks.get() + 1);
            if looks.get() > 1 && !self.looks_again {
                return 0;
            }
            self.free()
        };
        maybe_stop(self, free, 1, 1);
    }

    fn reclaim(&self) {
        if self.filled.load(Relaxed) == self.emptied.load(Relaxed) {
            return;
        }
        self.emptied.store(self.emptied.load(Relaxed) + 1, Relaxed);
        smp_mb();
        maybe_wake(self, || self.free(), 1);
    }
}

impl Queue for Driver {
    fn stop_mb(&self) {
        self.stopped.store(true, Relaxed);
        smp_mb();
    }

    fn start(&self) {
        self.stopped.store(false, Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    fn wake(&self) {
        self.stopped.store(false, Relaxed);
    }
}

fn stop_against_reclaim(looks_again: bool) {
    model(6, move || {
        let driver = Arc::new(Driver::new(looks_again));
        let other = driver.clone();
        let reclaim = thread::spawn(move || other.reclaim());
        driver.transmit();
        reclaim.join().unwrap();
        // The device is done with what is left, and interrupts: that is a reclaim as well.
        if driver.free() < SIZE {
            driver.reclaim();
        }
        assert!(!driver.is_stopped(), "a wake-up was lost");
    });
}

#[test]
fn no_wake_up_is_lost() {
    stop_against_reclaim(true);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn fails_without_the_barriers() {
    weak::without(Ordering::SeqCst, || stop_against_reclaim(true));
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn fails_without_the_second_look() {
    stop_against_reclaim(false);
}
