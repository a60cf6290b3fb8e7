// SPDX-License-Identifier: GPL-2.0

//! Tests of the table of options.

use crate::packet::membership::Request;
use crate::packet::option::{
    Query,
    Setting,
    Statistics,
    SOL_PACKET, //
};
use kernel::prelude::*;
use proptest::prelude::*;

/// Calls `setsockopt()` with these bytes.
fn set(number: i32, bytes: &[u8]) -> Result<Setting> {
    Setting::parse(SOL_PACKET, number, bytes.len(), |to| {
        to.copy_from_slice(&bytes[..to.len()]);
        Ok(())
    })
}

/// Calls `setsockopt()` with an address that cannot be read.
fn set_unreadable(number: i32, length: usize) -> Result<Setting> {
    Setting::parse(SOL_PACKET, number, length, |_| Err(EFAULT))
}

fn get(number: i32) -> Result<Query> {
    Query::parse(SOL_PACKET, number, Ok(4))
}

const EXISTING: [i32; 6] = [1, 2, 6, 8, 9, 23];

#[test]
fn unknown_options_are_refused_before_anything_else() {
    for number in (-1000..1000).chain([i32::MIN, i32::MAX]) {
        if EXISTING.contains(&number) {
            continue;
        }
        assert_eq!(set_unreadable(number, 0), Err(ENOPROTOOPT), "{number}");
        assert_eq!(get(number), Err(ENOPROTOOPT), "{number}");
    }
}

#[test]
fn other_levels_are_refused_before_anything_else() {
    for level in [0, 1, 6, 17, 262, 264, -1] {
        for number in EXISTING {
            let parsed = Setting::parse(level, number, 0, |_| Err(EFAULT));
            assert_eq!(parsed, Err(ENOPROTOOPT));
            assert_eq!(Query::parse(level, number, Err(EINVAL)), Err(ENOPROTOOPT));
        }
    }
}

#[test]
fn auxdata_and_origdev_take_any_int_and_more() {
    type Make = fn(bool) -> Setting;

    for (number, setting) in [(8, Setting::Auxdata as Make), (9, Setting::OrigDev)] {
        for length in 0..4 {
            assert_eq!(set_unreadable(number, length), Err(EINVAL));
        }
        assert_eq!(set_unreadable(number, 4), Err(EFAULT));
        for value in [0, 1, 2, -1, i32::MIN] {
            let mut bytes = value.to_ne_bytes().to_vec();
            assert_eq!(set(number, &bytes), Ok(setting(value != 0)));
            bytes.extend([0xff; 5]);
            assert_eq!(set(number, &bytes), Ok(setting(value != 0)));
        }
    }
}

#[test]
fn ignore_outgoing_takes_exactly_0_or_1() {
    for length in [0, 3, 5, 8] {
        assert_eq!(set_unreadable(23, length), Err(EINVAL));
    }
    assert_eq!(set_unreadable(23, 4), Err(EFAULT));
    assert_eq!(
        set(23, &0i32.to_ne_bytes()),
        Ok(Setting::IgnoreOutgoing(false))
    );
    assert_eq!(
        set(23, &1i32.to_ne_bytes()),
        Ok(Setting::IgnoreOutgoing(true))
    );
    for value in [2, -1, i32::MAX] {
        assert_eq!(set(23, &value.to_ne_bytes()), Err(EINVAL));
    }
}

#[test]
fn statistics_can_only_be_read_and_memberships_only_written() {
    assert_eq!(set_unreadable(6, 8), Err(ENOPROTOOPT));
    assert_eq!(get(6), Ok(Query::Statistics));
    assert_eq!(get(1), Err(ENOPROTOOPT));
    assert_eq!(get(2), Err(ENOPROTOOPT));
}

#[test]
fn membership_is_passed_on() {
    let bytes = [0; 16];
    let request = || {
        Request::parse(16, |to| {
            to.copy_from_slice(&bytes);
            Ok(())
        })
        .unwrap()
    };
    assert_eq!(set(1, &bytes), Ok(Setting::AddMembership(request())));
    assert_eq!(set(2, &bytes), Ok(Setting::DropMembership(request())));
}

#[test]
fn switches_can_be_read_back() {
    assert_eq!(get(8), Ok(Query::Auxdata));
    assert_eq!(get(9), Ok(Query::OrigDev));
    assert_eq!(get(23), Ok(Query::IgnoreOutgoing));
}

#[test]
fn negative_length_is_refused_before_an_unknown_option() {
    for number in [6, 8, 999] {
        assert_eq!(Query::parse(SOL_PACKET, number, Err(EINVAL)), Err(EINVAL));
    }
    // Any room is enough, even none: the value is cut off.
    assert_eq!(Query::parse(SOL_PACKET, 6, Ok(0)), Ok(Query::Statistics));
}

#[test]
fn statistics_count_what_was_dropped_as_arrived() {
    let mut statistics = Statistics::default();
    for _ in 0..5 {
        statistics.count_queued();
    }
    for _ in 0..2 {
        statistics.count_dropped();
    }
    let mut expected = 7u32.to_ne_bytes().to_vec();
    expected.extend(2u32.to_ne_bytes());
    assert_eq!(statistics.encode().as_slice(), expected);

    let mut wrapped = Statistics {
        queued: u32::MAX,
        dropped: u32::MAX,
    };
    assert_eq!(wrapped.encode()[..4], (u32::MAX - 1).to_ne_bytes());
    wrapped.count_queued();
    wrapped.count_dropped();
    assert_eq!(wrapped, Statistics::default());
}

proptest! {
    #[test]
    fn hostile_options_are_refused_or_understood(
        level in prop_oneof![Just(SOL_PACKET), any::<i32>()],
        number in prop_oneof![0..70i32, any::<i32>()],
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        room: usize,
    ) {
        let parsed = Setting::parse(level, number, bytes.len(), |to| {
            prop_assert_copy(to, &bytes)
        });
        if parsed.is_ok() {
            prop_assert!(level == SOL_PACKET && EXISTING.contains(&number));
        }
        if Query::parse(level, number, Ok(room)).is_ok() {
            prop_assert!(level == SOL_PACKET && EXISTING.contains(&number));
        }
    }
}

/// No more is ever asked for than was given.
fn prop_assert_copy(to: &mut [u8], from: &[u8]) -> Result {
    assert!(to.len() <= from.len());
    to.copy_from_slice(&from[..to.len()]);
    Ok(())
}
