// SPDX-License-Identifier: GPL-2.0

//! Chip and driver share memory, and registers order their accesses to it: [`Io`] is `readw()` and
//! `writel()`.
//!
//! A frame below the position that was read from CBR is whole: the driver sees what the chip wrote
//! before it moved on. A frame whose slot is kicked is whole: the chip sees what the driver wrote before.

use super::model;
use crate::driver::{
    regs,
    rx_ring::{
        Accept,
        Next,
        RxRing, //
    },
};
use kernel::{
    io::{
        register::Array,
        Io,
        Registers, //
    },
    pci::Bar,
    sync::weak, //
};
use loom::sync::atomic::{
    fence,
    AtomicU32,
    Ordering, //
};
use loom::thread;
use std::sync::Arc;

/// A frame of 60 bytes has the length 64 in its header, and the next header is 68 bytes further.
const HEADER: u32 = (64 << 16) | 1;
const NEXT: u32 = 68;

/// The header of a frame, one word of it, and the two registers.
struct Chip {
    header: AtomicU32,
    data: AtomicU32,
    cbr: AtomicU32,
    tsd: AtomicU32,
}

impl Chip {
    fn new() -> Self {
        Self {
            header: AtomicU32::new(0),
            data: AtomicU32::new(0),
            cbr: AtomicU32::new(0),
            tsd: AtomicU32::new(0),
        }
    }
}

// On the bus a device's writes to memory do not overtake each other, and its answer to a read comes
// after the writes before it: hence the fences on the chip's side.
impl Registers for Chip {
    fn read(&self, offset: usize, _width: usize) -> u32 {
        assert_eq!(offset, regs::CBR.offset());
        self.cbr.load(Ordering::Relaxed)
    }

    fn write(&self, offset: usize, _width: usize, value: u32) {
        assert_eq!(offset, regs::TSD::at(0).offset());
        self.tsd.store(value, Ordering::Relaxed);
    }
}

fn receive() {
    model(6, || {
        let chip = Arc::new(Chip::new());
        let other = chip.clone();
        let wire = thread::spawn(move || {
            other.header.store(HEADER, Ordering::Relaxed);
            other.data.store(42, Ordering::Relaxed);
            fence(Ordering::Release);
            other.cbr.store(NEXT, Ordering::Relaxed);
        });
        let bar = Bar::<{ regs::SIZE }>::new(&*chip);
        let mut ring = RxRing::new();
        ring.observe(bar.read(regs::CBR).into_raw());
        if !ring.is_drained() {
            let header = chip.header.load(Ordering::Relaxed);
            let next = ring.decode(header, Accept::default());
            assert!(matches!(next, Next::Frame(_)), "an old header: {next:?}");
            assert_eq!(chip.data.load(Ordering::Relaxed), 42, "old data");
        }
        wire.join().unwrap();
    });
}

fn transmit() {
    model(6, || {
        let chip = Arc::new(Chip::new());
        let other = chip.clone();
        let wire = thread::spawn(move || {
            if other.tsd.load(Ordering::Relaxed) != 0 {
                fence(Ordering::Acquire);
                assert_eq!(other.data.load(Ordering::Relaxed), 42, "old data is sent");
            }
        });
        let bar = Bar::<{ regs::SIZE }>::new(&*chip);
        chip.data.store(42, Ordering::Relaxed);
        bar.write(regs::TSD::at(0), regs::TSD::from(60));
        wire.join().unwrap();
    });
}

#[test]
fn a_frame_below_the_snapshot_is_whole() {
    receive();
}

#[test]
#[should_panic(expected = "an old header")]
fn fails_if_the_read_of_a_register_orders_nothing() {
    weak::without(Ordering::Acquire, receive);
}

#[test]
fn a_frame_that_is_kicked_is_whole() {
    transmit();
}

#[test]
#[should_panic(expected = "old data is sent")]
fn fails_if_the_write_of_a_register_orders_nothing() {
    weak::without(Ordering::Release, transmit);
}
