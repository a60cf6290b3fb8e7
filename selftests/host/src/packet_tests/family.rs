// SPDX-License-Identifier: GPL-2.0

//! Tests of the family number.

use crate::packet::family::{
    Number,
    AF_PACKET, //
};
use kernel::prelude::*;

#[test]
fn only_numbers_that_the_kernel_has_room_for_are_taken() {
    for number in 1..=45 {
        assert_eq!(
            Number::new(number).map(Number::number),
            Ok(u16::try_from(number).unwrap())
        );
    }
    for number in [i32::MIN, -65511, -1, 0, 46, 99, 65536 + 25, i32::MAX] {
        assert_eq!(Number::new(number), Err(EINVAL), "{number}");
    }
}

#[test]
fn own_number_and_that_of_af_packet_are_accepted() {
    let family = Number::new(25).unwrap();
    for number in 0..=u16::MAX {
        assert_eq!(family.accepts(number), number == AF_PACKET || number == 25);
    }
}
