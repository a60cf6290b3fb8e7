// SPDX-License-Identifier: GPL-2.0

//! Counters: nothing that was counted is lost, and a count never goes back.

use super::model;
use crate::net::stats::{
    Counter,
    Traffic,
    Writer, //
};
use loom::thread;
use std::sync::Arc;

/// The role of a writer, and the writer of which there is one.
struct Role;
struct One;
impl Writer<Role> for One {}

#[test]
fn any_context_counts_what_is_rare() {
    model(6, || {
        let counter = Arc::new(Counter::new());
        counter.add(1);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let counter = counter.clone();
                thread::spawn(move || counter.increment())
            })
            .collect();
        let seen = counter.get();
        assert!((1..=3).contains(&seen));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(counter.get(), 3);
    });
}

/// Two writers of what has one, by type, so that only a test can do it.
fn traffic(writers: u64) {
    model(6, move || {
        let traffic = Arc::new(Traffic::<Role>::new());
        traffic.add(&mut One, 1, 60);
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                let traffic = traffic.clone();
                thread::spawn(move || traffic.add(&mut One, 1, 60))
            })
            .collect();
        let (before, after) = (traffic.get(), traffic.get());
        assert!(
            before.0 <= after.0 && before.1 <= after.1,
            "a count goes back"
        );
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(
            traffic.get(),
            (1 + writers, 60 * (1 + writers)),
            "a frame was not counted"
        );
    });
}

#[test]
fn one_writer_counts_without_a_locked_instruction() {
    traffic(1);
}

#[test]
#[should_panic(expected = "a frame was not counted")]
fn fails_with_two_writers() {
    traffic(2);
}
