// SPDX-License-Identifier: GPL-2.0

//! Tests of the versions.

use super::VERSIONS;
use crate::packet::ring::version::{
    align_packet,
    align_slot,
    Version, //
};
use kernel::prelude::*;

#[test]
fn there_are_three_versions() {
    for (number, version) in VERSIONS.into_iter().enumerate() {
        assert_eq!(Version::parse(number as i32), Ok(version));
        assert_eq!(version.number(), number as u32);
    }
    for number in [3, -1, 0x100, 0x10000, i32::MIN, i32::MAX] {
        assert_eq!(Version::parse(number), Err(EINVAL));
    }
    assert_eq!(Version::default(), Version::V1);
}

/// Against `sizeof` and `TPACKET_HDRLEN`, `TPACKET2_HDRLEN`, `TPACKET3_HDRLEN` of the header file.
#[test]
fn lengths_are_those_of_the_header_file() {
    assert_eq!(VERSIONS.map(Version::header), [32, 32, 48]);
    assert_eq!(VERSIONS.map(Version::address), [32, 32, 48]);
    assert_eq!(VERSIONS.map(Version::prefix), [52, 52, 68]);
    // `tp_hdrlen - sizeof(struct sockaddr_ll)`.
    assert_eq!(VERSIONS.map(Version::transmit_data), [32, 32, 48]);
}

#[test]
fn rounding_up_never_wraps() {
    for (align, unit) in [(align_slot as fn(u64) -> u64, 16), (align_packet, 8)] {
        for length in (0..100).chain([u64::from(u32::MAX) - 3, u64::from(u32::MAX)]) {
            let expected = u128::from(length).div_ceil(unit) * unit;
            assert_eq!(u128::from(align(length)), expected);
        }
        assert_eq!(u128::from(align(u64::MAX)) % unit, 0);
        assert!(align(u64::MAX) > u64::MAX - 16);
    }
}
