// SPDX-License-Identifier: GPL-2.0

//! What a start sets, whatever was there before, and what becomes of a chip that does not start.

use crate::driver::regs;
use crate::model::chip::{
    Fate,
    Kind, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::driver::{
    Features,
    RxMode, //
};
use kernel::io::Registers;

const TCR: usize = 0x40;
const MULINT: usize = 0x5c;
/// What the driver sets of TCR; the rest says which chip it is.
const TCR_OURS: u32 = 0x0300_07f0;

#[test]
fn what_others_have_left_in_the_registers_is_overwritten() {
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.write(MULINT, 2, 0x0fff);
    hardware.card.write(TCR, 4, 0);
    let mut machine = Machine::up(&hardware);
    let tcr = regs::TCR::standard().into_raw();
    assert_ne!(tcr & TCR_OURS, 0);
    assert_eq!(hardware.card.read(TCR, 4) & TCR_OURS, tcr & TCR_OURS);
    // No interrupt in the middle of a frame.
    assert_eq!(hardware.card.read(MULINT, 2) & 0x0fff, 0);
    assert!(machine.works());
    machine.check_manners();
}

/// One half of the chip runs, and would write into the ring, which is freed.
#[test]
fn a_chip_of_which_one_half_does_not_start_is_halted() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.bounded(|dev| dev.close());
    machine.tell(Lie::TransmitterDead);
    assert!(machine.bounded(|dev| dev.open()).is_err());
    assert_eq!(machine.peer_sends(100), Fate::Ignored);
    machine.check_manners();
    hardware.card.chip().come_to_its_senses();
    machine.bounded(|dev| dev.open()).unwrap();
    assert!(machine.works());
}

/// Set while the interface is down.
#[test]
fn damaged_frames_that_are_wanted_are_let_in_from_the_start() {
    const RCR: usize = 0x44;
    const DAMAGED: u32 = (1 << 5) | (1 << 4);
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    for wanted in [Features::RXALL, Features::none()] {
        machine.bounded(|dev| dev.close());
        machine.dev.set_features(wanted).unwrap();
        machine.bounded(|dev| dev.open()).unwrap();
        machine.settle();
        let expected = if wanted == Features::none() {
            0
        } else {
            DAMAGED
        };
        assert_eq!(hardware.card.read(RCR, 4) & DAMAGED, expected);
    }
    assert!(machine.works());
}

/// The count of missed frames is a register, which nobody may touch of a chip that is down.
#[test]
fn the_counters_of_an_interface_that_is_down_cost_no_access() {
    let hardware = Hardware::new(Kind::Silicon);
    let machine = proven(&hardware);
    machine.tell(Lie::Missed(3));
    machine.bounded(|dev| dev.close());
    let before = hardware.card.chip().accesses;
    assert_eq!(machine.dev.stats64().rx_missed_errors, 3);
    assert_eq!(hardware.card.chip().accesses, before);
}

/// A chip that was reset knows no address of memory, so no new filter may start its receiver.
#[test]
fn a_new_filter_is_not_set_in_a_chip_that_was_reset() {
    let mode = RxMode {
        promiscuous: true,
        all_multicast: false,
        groups: &[],
    };
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    hardware.card.chip().power_on();
    machine.dev.set_rx_mode(&mode).unwrap();
    machine.poll();
    assert_eq!(machine.peer_sends(100), Fate::Ignored);
    machine.settle();
    assert_eq!(machine.resets(), 1);
    assert!(machine.works());
    machine.check_manners();
}

/// A chip that is to wake the machine scans each frame for the pattern that does, and delivers none.
#[test]
fn a_chip_that_waits_for_frames_that_wake_is_woken() {
    const CR9346: usize = 0x50;
    const UNLOCKED: u32 = 0xc0;
    // LWAKE, and no power management; magic packets; the pattern.
    const CONFIGS: [(usize, u32, u32); 3] =
        [(0x52, 1 << 4, 1), (0x59, 1 << 5, 0), (0x5a, 1 << 2, 0)];
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.write(CR9346, 1, UNLOCKED);
    for (config, asleep, _) in CONFIGS {
        hardware.card.write(config, 1, asleep);
    }
    hardware.card.write(CR9346, 1, 0);
    let mut machine = Machine::up(&hardware);
    for (config, _, awake) in CONFIGS {
        assert_eq!(hardware.card.read(config, 1), awake, "{config:#x}");
    }
    assert!(machine.works());
    machine.check_manners();
}

/// The chip itself knows the one of its EEPROM.
#[test]
fn an_address_that_was_set_meanwhile_is_told_to_the_chip() {
    const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 7];
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.bounded(|dev| dev.close());
    machine.dev.set_mac(OTHER).unwrap();
    hardware.card.chip().power_on();
    machine.bounded(|dev| dev.open()).unwrap();
    assert_eq!(machine.peer_sends_to(OTHER, 100), Fate::Stored);
    machine.settle();
    assert!(machine.works());
}
