// SPDX-License-Identifier: GPL-2.0

//! The driver's handler and its poll, with a chip that receives meanwhile.
//!
//! No event is lost: when handler, poll and chip meet in any order, each frame is delivered without
//! another one that would have to come, and the chip may interrupt again in the end.

use super::model;
use crate::driver::nic::Nic;
use crate::model::{
    chip::{
        Kind,
        MAC, //
    },
    machine::{
        frame,
        Hardware,
        Machine, //
    },
};
use crate::net::driver::Device;
use loom::thread;
use std::sync::Arc;

/// What can run by itself, until nothing can.
fn settle(hardware: &Hardware, dev: &Device<Nic<'_>>) {
    for _ in 0..20 {
        let interrupts = hardware.card.chip().interrupts();
        if interrupts {
            dev.interrupt();
        }
        if !dev.poll() && !interrupts {
            return;
        }
    }
    panic!("it does not come to rest");
}

fn receives(frames: usize, lossy: bool) {
    model(4, move || {
        // Who runs in a thread must live for ever as far as the compiler knows.
        let hardware: &'static Hardware = Box::leak(Box::new(Hardware::new(Kind::Silicon)));
        let dev = Arc::new(Machine::up(hardware).dev);
        dev.lose_missed(lossy);
        // The poll of the first frame is about to run.
        hardware.card.chip().receive(&frame(MAC, 0, 60));
        dev.interrupt();
        hardware.card.share(true);

        let wire = thread::spawn(move || {
            for number in 1..frames {
                hardware.card.chip().receive(&frame(MAC, number, 60));
            }
        });
        let other = dev.clone();
        let cpu = thread::spawn(move || {
            for _ in 0..frames {
                if hardware.card.chip().interrupts() {
                    other.interrupt();
                }
            }
        });
        for _ in 0..2 {
            dev.poll();
        }
        wire.join().unwrap();
        cpu.join().unwrap();
        hardware.card.share(false);

        settle(hardware, &dev);
        assert_eq!(
            dev.take_received().len(),
            frames,
            "a frame is left in the ring"
        );
        assert_ne!(hardware.card.chip().mask() & 1, 0, "left masked");
        dev.close();
    });
}

#[test]
fn no_event_is_lost() {
    receives(3, false);
}

/// The second attempt of the handler to schedule the poll is worth what NAPI remembers of it.
#[test]
#[should_panic(expected = "left")]
fn fails_if_a_missed_schedule_is_forgotten() {
    receives(3, true);
}
