// SPDX-License-Identifier: GPL-2.0

//! The count of missed frames is read at any time, while the chip, whose register it is, is restarted.
//!
//! The total never goes back, and the frames of both lives of the chip are in it.

use super::model;
use crate::model::{
    chip::Kind,
    machine::{
        Hardware,
        Machine, //
    },
};
use loom::thread;
use std::sync::Arc;

#[test]
fn a_reader_against_a_restart() {
    model(4, || {
        let hardware: &'static Hardware = Box::leak(Box::new(Hardware::new(Kind::Silicon)));
        let dev = Arc::new(Machine::up(hardware).dev);
        hardware.card.chip().miss(5);
        assert_eq!(dev.stats64().rx_missed_errors, 5);
        hardware.card.share(true);

        let other = dev.clone();
        let reader = thread::spawn(move || {
            let before = other.stats64().rx_missed_errors;
            let after = other.stats64().rx_missed_errors;
            assert!(before <= after, "{before} frames, then {after}");
            assert!(after <= 7, "frames were counted twice");
        });
        hardware.card.chip().miss(1);
        dev.restart().unwrap();
        hardware.card.chip().miss(1);
        reader.join().unwrap();
        hardware.card.share(false);
        assert_eq!(dev.stats64().rx_missed_errors, 7);
        dev.close();
    });
}
