// SPDX-License-Identifier: GPL-2.0

//! The driver sends while the chip completes, the handler acknowledges and the poll collects.
//!
//! No slot is freed twice (the queue's account would not hold), no wake-up is lost: when `start_xmit`
//! stops the queue and the reclaim runs at the same time, the queue ends awake.

use super::model;
use crate::model::{
    chip::Kind,
    machine::{
        frame,
        Hardware,
        Machine, //
    },
};
use loom::thread;
use std::sync::Arc;

/// The chip sends while the fourth and last slot is taken.
fn stop_against_completion(limit: u32, blind: bool) {
    model(4, move || {
        let hardware: &'static Hardware = Box::leak(Box::new(Hardware::new(Kind::Silicon)));
        let dev = Arc::new(Machine::up(hardware).dev);
        dev.limit_queue(limit);
        for number in 0..3 {
            assert!(dev.send(frame([2; 6], number, 60)).is_some());
        }
        // The handler runs for another reason, and acknowledges whatever there is.
        hardware.card.chip().pretend(1);
        hardware.card.share(true);
        hardware.card.chip().hide_second_look(blind);

        let wire = thread::spawn(move || {
            for _ in 0..4 {
                hardware.card.chip().send();
            }
        });
        let other = dev.clone();
        let cpu = thread::spawn(move || {
            other.interrupt();
            other.poll();
        });
        assert!(dev.send(frame([2; 6], 3, 60)).is_some());
        wire.join().unwrap();
        cpu.join().unwrap();
        hardware.card.share(false);
        hardware.card.chip().hide_second_look(false);

        for _ in 0..8 {
            hardware.card.chip().send();
            if hardware.card.chip().interrupts() {
                dev.interrupt();
            }
            dev.poll();
        }
        assert!(dev.may_send(), "the queue has stalled");
        assert_eq!(hardware.card.chip().wire.len(), 4);
        dev.close();
    });
}

/// All slots are taken, and the handler interrupts the poll that collects them.
#[test]
fn a_completion_during_the_poll_is_not_forgotten() {
    model(4, || {
        let hardware: &'static Hardware = Box::leak(Box::new(Hardware::new(Kind::Silicon)));
        let dev = Arc::new(Machine::up(hardware).dev);
        for number in 0..4 {
            assert!(dev.send(frame([2; 6], number, 60)).is_some());
        }
        assert!(!dev.may_send());
        // The poll is about to run, for a frame that is received.
        hardware.card.chip().pretend(1);
        dev.interrupt();
        hardware.card.share(true);

        let other = dev.clone();
        let cpu = thread::spawn(move || {
            for _ in 0..4 {
                hardware.card.chip().send();
            }
            if hardware.card.chip().interrupts() {
                other.interrupt();
            }
        });
        dev.poll();
        cpu.join().unwrap();
        hardware.card.share(false);
        for _ in 0..4 {
            if hardware.card.chip().interrupts() {
                dev.interrupt();
            }
            dev.poll();
        }
        assert!(dev.may_send(), "the queue has stalled");
        dev.close();
    });
}

#[test]
fn the_queue_ends_awake() {
    stop_against_completion(u32::MAX, false);
}

#[test]
fn the_queue_ends_awake_with_a_byte_queue_limit() {
    stop_against_completion(100, false);
}

#[test]
#[should_panic(expected = "the queue has stalled")]
fn fails_without_the_second_look() {
    stop_against_completion(u32::MAX, true);
}
