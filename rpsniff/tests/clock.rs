// SPDX-License-Identifier: GPL-2.0

//! Time stamps in time zones, with signs, and at the ends of what they can say.

#![allow(missing_docs)]

use jiff::tz::{offset, TimeZone};
use rpsniff::{
    frame::Timestamp,
    print::clock::{Clock, Format},
};

fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
    Timestamp {
        seconds,
        nanoseconds,
    }
}

/// What a clock that is so many hours east of Greenwich writes for these in turn.
fn written(format: Format, nanoseconds: bool, hours: i8, times: &[Timestamp]) -> Vec<String> {
    let mut clock = Clock::with_zone(format, nanoseconds, TimeZone::fixed(offset(hours)));
    times
        .iter()
        .map(|time| {
            let mut out = String::new();
            clock.print(*time, &mut out);
            out
        })
        .collect()
}

#[test]
fn the_time_of_the_day_is_local() {
    let times = [at(1_700_000_000, 123_456_789), at(1_700_000_000, 5)];
    let print = |format, hours| written(format, false, hours, &times);
    assert_eq!(
        print(Format::TimeOfDay, 0),
        ["22:13:20.123456 ", "22:13:20.000000 "]
    );
    assert_eq!(
        print(Format::TimeOfDay, 2),
        ["00:13:20.123456 ", "00:13:20.000000 "]
    );
    assert_eq!(
        print(Format::Date, 2),
        ["2023-11-15 00:13:20.123456 ", "2023-11-15 00:13:20.000000 "]
    );
    assert_eq!(
        print(Format::Epoch, 2),
        ["1700000000.123456 ", "1700000000.000000 "]
    );
    assert_eq!(print(Format::Nothing, 2), ["", ""]);
    assert_eq!(
        written(Format::TimeOfDay, true, 0, &times),
        ["22:13:20.123456789 ", "22:13:20.000000005 "]
    );
}

#[test]
fn differences_have_a_sign() {
    let times = [
        at(100, 999_999_999),
        at(101, 1_000),
        at(99, 0),
        at(3_800, 0),
    ];
    assert_eq!(
        written(Format::SincePrevious, false, 5, &times),
        [
            " 00:00:00.000000 ",
            " 00:00:00.000002 ",
            "-00:00:02.000001 ",
            " 01:01:41.000000 "
        ]
    );
    assert_eq!(
        written(Format::SinceFirst, true, 5, &times),
        [
            " 00:00:00.000000000 ",
            " 00:00:00.000001001 ",
            "-00:00:01.999999999 ",
            " 01:01:39.000000001 "
        ]
    );
}

#[test]
fn impossible_times_are_written_as_numbers() {
    let text = written(Format::Date, false, 0, &[at(i64::MAX, 0)]);
    assert_eq!(text, [format!("[{}].000000 ", i64::MAX)]);
}
