// SPDX-License-Identifier: GPL-2.0

//! Tests of lengths.

use crate::packet::length::{
    Copy,
    Fit,
    Limits, //
};
use kernel::prelude::*;
use proptest::prelude::*;

const ETHERNET: Limits = Limits {
    mtu: 1500,
    hard_header: 14,
    min_header: 14,
    raw: true,
    own_fcs: false,
};

#[test]
fn short_buffer_truncates_and_says_so() {
    let cases = [
        // kept, buffer, length, truncated, returned, returned for MSG_TRUNC
        (60, 100, 60, false, 60, 60),
        (60, 60, 60, false, 60, 60),
        (60, 59, 59, true, 59, 60),
        (60, 0, 0, true, 0, 60),
        (0, 0, 0, false, 0, 0),
    ];
    for (kept, buffer, length, truncated, returned, asked) in cases {
        let copy = Copy::new(kept, buffer);
        assert_eq!(copy, Copy { length, truncated });
        assert_eq!(copy.returned(kept, false), returned);
        assert_eq!(copy.returned(kept, true), asked);
    }
}

#[test]
fn raw_frame_may_have_mtu_and_header_and_one_tag() {
    assert_eq!(ETHERNET.fit(0), Ok(Fit::Fits));
    assert_eq!(ETHERNET.fit(1514), Ok(Fit::Fits));
    assert_eq!(ETHERNET.fit(1515), Ok(Fit::NeedsTag));
    assert_eq!(ETHERNET.fit(1518), Ok(Fit::NeedsTag));
    assert_eq!(ETHERNET.fit(1519), Err(EMSGSIZE));
    assert_eq!(ETHERNET.fit(usize::MAX), Err(EMSGSIZE));
}

#[test]
fn datagram_has_no_header_of_its_own() {
    let limits = Limits {
        raw: false,
        ..ETHERNET
    };
    assert_eq!(limits.own_header(), 0);
    assert_eq!(limits.fit(1500), Ok(Fit::Fits));
    assert_eq!(limits.fit(1504), Ok(Fit::NeedsTag));
    assert_eq!(limits.fit(1505), Err(EMSGSIZE));
}

#[test]
fn own_frame_check_sequence_makes_room_for_itself() {
    let limits = Limits {
        own_fcs: true,
        ..ETHERNET
    };
    assert_eq!(limits.fit(1518), Ok(Fit::Fits));
    assert_eq!(limits.fit(1522), Ok(Fit::NeedsTag));
    assert_eq!(limits.fit(1523), Err(EMSGSIZE));
}

#[test]
fn tag_is_looked_for_only_if_it_matters() {
    assert_eq!(Fit::Fits.check(|| panic!("asked for nothing")), Ok(()));
    assert_eq!(Fit::NeedsTag.check(|| true), Ok(()));
    assert_eq!(Fit::NeedsTag.check(|| false), Err(EMSGSIZE));
}

#[test]
fn short_raw_frame_is_ambiguous_where_headers_vary() {
    assert!(!ETHERNET.is_ambiguous(20));
    let variable = Limits {
        min_header: 1,
        ..ETHERNET
    };
    assert!(variable.is_ambiguous(53));
    assert!(!variable.is_ambiguous(54));
}

proptest! {
    #[test]
    fn no_length_overflows(
        mtu in any::<u32>(), hard_header: u16, min_header: u8, raw: bool, own_fcs: bool,
        length: usize, kept: u32, buffer: usize,
    ) {
        let limits = Limits {
            mtu: mtu as usize,
            hard_header: hard_header.into(),
            min_header: min_header.into(),
            raw,
            own_fcs,
        };
        let header = if raw { u128::from(hard_header) } else { 0 };
        let longest = u128::from(mtu) + header + if own_fcs { 4 } else { 0 };
        let expected = match length as u128 {
            length if length <= longest => Ok(Fit::Fits),
            length if length <= longest + 4 => Ok(Fit::NeedsTag),
            _ => Err(EMSGSIZE),
        };
        prop_assert_eq!(limits.fit(length), expected);

        let copy = Copy::new(kept, buffer);
        prop_assert!(copy.length <= kept && copy.length as usize <= buffer);
        prop_assert_eq!(copy.truncated, copy.length < kept);
    }
}
