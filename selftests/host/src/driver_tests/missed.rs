// SPDX-License-Identifier: GPL-2.0

use crate::driver::missed::Missed;

#[test]
fn counts_differences_across_the_wrap() {
    let mut missed = Missed::default();
    missed.update(5);
    assert_eq!(missed.total(), 5);
    missed.update(0x007f_ffff);
    missed.update(0x00ff_fff0);
    missed.update(2);
    assert_eq!(missed.total(), 0x0100_0002);
}

#[test]
fn reading_twice_counts_once() {
    let mut missed = Missed::default();
    missed.update(7);
    missed.update(7);
    assert_eq!(missed.total(), 7);
}

#[test]
fn keeps_the_total_when_the_register_is_cleared() {
    let mut missed = Missed::default();
    missed.update(7);
    missed.restart();
    missed.update(1);
    assert_eq!(missed.total(), 8);
}

#[test]
fn does_not_count_what_a_device_that_is_gone_answers() {
    let mut missed = Missed::default();
    missed.update(7);
    missed.update(u32::MAX);
    assert_eq!(missed.total(), 7);
    missed.update(8);
    assert_eq!(missed.total(), 8);
}

/// As of a card in QEMU that has lost its place on the bus, and has it back.
#[test]
fn does_not_count_again_what_was_zero_in_between() {
    let mut missed = Missed::default();
    missed.update(11);
    missed.update(0);
    assert_eq!(missed.total(), 11);
    missed.update(11);
    assert_eq!(missed.total(), 11);
    missed.update(0);
    missed.update(13);
    assert_eq!(missed.total(), 13);
}
