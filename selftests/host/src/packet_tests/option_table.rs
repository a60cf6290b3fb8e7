// SPDX-License-Identifier: GPL-2.0

//! Tests of the table of all options.

use crate::packet::membership;
use crate::packet::option::{
    Statistics,
    SOL_PACKET, //
};
use crate::packet::option_table::{
    Query,
    Reply,
    Setting,
    Socket, //
};
use crate::packet::ring::geometry;
use crate::packet::ring::layout::VnetHeader;
use crate::packet::ring::version::Version;
use kernel::prelude::*;
use proptest::prelude::*;

/// The options of the header file, by number. Those without a name are none.
const NAMES: [Option<&str>; 26] = [
    None,
    Some("ADD_MEMBERSHIP"),
    Some("DROP_MEMBERSHIP"),
    None,
    None,
    Some("RX_RING"),
    Some("STATISTICS"),
    Some("COPY_THRESH"),
    Some("AUXDATA"),
    Some("ORIGDEV"),
    Some("VERSION"),
    Some("HDRLEN"),
    Some("RESERVE"),
    Some("TX_RING"),
    Some("LOSS"),
    Some("VNET_HDR"),
    None,
    Some("TIMESTAMP"),
    Some("FANOUT"),
    Some("TX_HAS_OFF"),
    Some("QDISC_BYPASS"),
    Some("ROLLOVER_STATS"),
    Some("FANOUT_DATA"),
    Some("IGNORE_OUTGOING"),
    Some("VNET_HDR_SZ"),
    None,
];

/// Those that can only be read.
const READ_ONLY: [&str; 3] = ["STATISTICS", "HDRLEN", "ROLLOVER_STATS"];

/// Those that can only be written.
const WRITE_ONLY: [&str; 5] = [
    "ADD_MEMBERSHIP",
    "DROP_MEMBERSHIP",
    "RX_RING",
    "TX_RING",
    "FANOUT_DATA",
];

fn number(name: &str) -> i32 {
    NAMES.iter().position(|known| *known == Some(name)).unwrap() as i32
}

/// A socket that may have all options.
const OPEN: Socket = Socket {
    raw: true,
    version: Version::V1,
    has_ring: false,
    in_group: true,
    rolls_over: true,
};

const WITH_RING: Socket = Socket {
    has_ring: true,
    ..OPEN
};

fn copy_from(bytes: &[u8]) -> impl FnOnce(&mut [u8]) -> Result + '_ {
    |to| {
        assert!(to.len() <= bytes.len(), "more is read than there is");
        to.copy_from_slice(&bytes[..to.len()]);
        Ok(())
    }
}

fn set_bytes(socket: &Socket, name: &str, bytes: &[u8]) -> Result<Setting> {
    let copy = copy_from(bytes);
    Setting::parse(socket, SOL_PACKET, number(name), bytes.len(), copy)
}

fn set(socket: &Socket, name: &str, value: i32) -> Result<Setting> {
    set_bytes(socket, name, &value.to_ne_bytes())
}

/// With an argument that cannot be read.
fn set_unreadable(socket: &Socket, name: &str, length: usize) -> Result<Setting> {
    Setting::parse(socket, SOL_PACKET, number(name), length, |_| Err(EFAULT))
}

fn get(socket: &Socket, number: i32) -> Result<Query> {
    Query::parse(socket, SOL_PACKET, number, Ok(4), copy_from(&[0; 4]))
}

#[test]
fn exactly_the_options_of_the_header_file_exist() {
    for number in (-1000..1000).chain([i32::MIN, i32::MAX]) {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let name = NAMES.get(index).copied().flatten();
        let writable = name.is_some_and(|name| !READ_ONLY.contains(&name));
        let readable = name.is_some_and(|name| !WRITE_ONLY.contains(&name));

        let parsed = Setting::parse(&OPEN, SOL_PACKET, number, 16, |_| Ok(()));
        assert_eq!(parsed == Err(ENOPROTOOPT), !writable, "{number} {name:?}");
        let parsed = get(&OPEN, number);
        assert_eq!(parsed == Err(ENOPROTOOPT), !readable, "{number} {name:?}");
        assert_eq!(parsed.is_ok(), readable, "{number} {name:?}");
    }
}

#[test]
fn other_levels_are_refused_before_anything_else() {
    let closed = Socket {
        raw: false,
        in_group: false,
        rolls_over: false,
        ..WITH_RING
    };
    for level in [0, 1, 6, 17, 262, 264, -1] {
        for number in 0..30 {
            let parsed = Setting::parse(&closed, level, number, 0, |_| Err(EFAULT));
            assert_eq!(parsed, Err(ENOPROTOOPT));
            let parsed = Query::parse(&closed, level, number, Err(EINVAL), |_| Err(EFAULT));
            assert_eq!(parsed, Err(ENOPROTOOPT));
        }
    }
}

/// For each option, which lengths are refused before the argument is read.
#[test]
fn arguments_have_the_lengths_that_they_must_have() {
    type Fits = fn(usize) -> bool;
    let exactly: Fits = |length| length == 4;
    let at_least: Fits = |length| length >= 4;

    for (name, fits, fault) in [
        ("ADD_MEMBERSHIP", (|length| length >= 16) as Fits, EFAULT),
        ("DROP_MEMBERSHIP", |length| length >= 16, EFAULT),
        ("COPY_THRESH", exactly, EFAULT),
        ("AUXDATA", at_least, EFAULT),
        ("ORIGDEV", at_least, EFAULT),
        ("VERSION", exactly, EFAULT),
        ("RESERVE", exactly, EFAULT),
        ("LOSS", exactly, EFAULT),
        ("VNET_HDR", at_least, EFAULT),
        ("VNET_HDR_SZ", at_least, EFAULT),
        ("TIMESTAMP", exactly, EFAULT),
        ("TX_HAS_OFF", exactly, EFAULT),
        ("QDISC_BYPASS", exactly, EFAULT),
        ("IGNORE_OUTGOING", exactly, EFAULT),
    ] {
        // A ring changes nothing before the value was read.
        for socket in [OPEN, WITH_RING] {
            for length in (0..50).chain([usize::MAX]) {
                let expected = if fits(length) { fault } else { EINVAL };
                let parsed = set_unreadable(&socket, name, length);
                assert_eq!(parsed, Err(expected), "{name} {length}");
            }
        }
    }
}

#[test]
fn rings_have_the_structure_of_their_version() {
    type Make = fn(geometry::Request) -> Setting;

    for (name, make) in [
        ("RX_RING", Setting::RxRing as Make),
        ("TX_RING", Setting::TxRing),
    ] {
        for (version, least) in [(Version::V1, 16), (Version::V2, 16), (Version::V3, 28)] {
            // A ring of the other direction may exist: geometry looks at that.
            for has_ring in [false, true] {
                let socket = Socket {
                    version,
                    has_ring,
                    ..OPEN
                };
                let bytes: Vec<u8> = (0..40).collect();
                for length in 0..40 {
                    let parsed = set_bytes(&socket, name, &bytes[..length]);
                    let copy = copy_from(&bytes[..length]);
                    let request = geometry::Request::parse(version, length, copy);
                    assert_eq!(parsed, request.map(make));
                    assert_eq!(parsed.is_ok(), length >= least);
                }
                assert_eq!(set_unreadable(&socket, name, 28), Err(EINVAL));
            }
        }
    }
}

#[test]
fn memberships_are_passed_on() {
    let bytes = [0; 16];
    let request = || membership::Request::parse(16, copy_from(&bytes)).unwrap();
    for socket in [OPEN, WITH_RING] {
        let parsed = set_bytes(&socket, "ADD_MEMBERSHIP", &bytes);
        assert_eq!(parsed, Ok(Setting::AddMembership(request())));
        let parsed = set_bytes(&socket, "DROP_MEMBERSHIP", &bytes);
        assert_eq!(parsed, Ok(Setting::DropMembership(request())));
    }
}

const INTS: [i32; 12] = [0, 1, 2, 3, 10, 11, 12, -1, 256, 1 << 16, i32::MIN, i32::MAX];

#[test]
fn flags_take_any_int() {
    type Make = fn(bool) -> Setting;

    for (name, make) in [
        ("AUXDATA", Setting::Auxdata as Make),
        ("ORIGDEV", Setting::OrigDev),
        ("LOSS", Setting::Loss),
        ("TX_HAS_OFF", Setting::TxHasOffset),
        ("QDISC_BYPASS", Setting::QdiscBypass),
    ] {
        for value in INTS {
            assert_eq!(set(&OPEN, name, value), Ok(make(value != 0)), "{name}");
        }
    }
    // What follows is not looked at.
    let parsed = set_bytes(&OPEN, "AUXDATA", &[0, 0, 0, 0, 1]);
    assert_eq!(parsed, Ok(Setting::Auxdata(false)));
}

#[test]
fn numbers_take_what_they_must() {
    for value in INTS {
        let parsed = set(&OPEN, "COPY_THRESH", value);
        assert_eq!(parsed, Ok(Setting::CopyThreshold(value)));
        let parsed = set(&OPEN, "TIMESTAMP", value);
        assert_eq!(parsed, Ok(Setting::Timestamp(value)));

        let parsed = set(&OPEN, "VERSION", value);
        assert_eq!(parsed, Version::parse(value).map(Setting::Version));
        assert_eq!(parsed.is_ok(), (0..3).contains(&value));

        let parsed = set(&OPEN, "RESERVE", value);
        let expected = u32::try_from(value).map(Setting::Reserve);
        assert_eq!(parsed, expected.map_err(|_| EINVAL));

        let parsed = set(&OPEN, "IGNORE_OUTGOING", value);
        match value {
            0 | 1 => assert_eq!(parsed, Ok(Setting::IgnoreOutgoing(value == 1))),
            _ => assert_eq!(parsed, Err(EINVAL)),
        }

        let parsed = set(&OPEN, "VNET_HDR", value);
        let header = match value {
            0 => VnetHeader::None,
            _ => VnetHeader::Plain,
        };
        assert_eq!(parsed, Ok(Setting::VnetHeader(header)));

        let parsed = set(&OPEN, "VNET_HDR_SZ", value);
        assert_eq!(parsed, VnetHeader::parse(value).map(Setting::VnetHeader));
        assert_eq!(parsed.is_ok(), [0, 10, 12].contains(&value));
    }
}

#[test]
fn what_rings_depend_on_cannot_change_while_there_is_one() {
    for name in ["VERSION", "RESERVE", "LOSS", "VNET_HDR", "VNET_HDR_SZ"] {
        for value in INTS {
            // A wrong value is wrong first.
            let expected = set(&OPEN, name, value).and(Err(EBUSY));
            assert_eq!(set(&WITH_RING, name, value), expected, "{name} {value}");
        }
    }
    for value in INTS {
        let parsed = set(&WITH_RING, "TX_HAS_OFF", value);
        assert_eq!(parsed, Ok(Setting::Ignored));
    }
    for name in [
        "COPY_THRESH",
        "AUXDATA",
        "ORIGDEV",
        "TIMESTAMP",
        "QDISC_BYPASS",
        "IGNORE_OUTGOING",
    ] {
        for value in INTS {
            assert_eq!(set(&WITH_RING, name, value), set(&OPEN, name, value));
        }
    }
}

#[test]
fn only_raw_sockets_have_virtio_headers() {
    let datagram = Socket { raw: false, ..OPEN };
    for name in ["VNET_HDR", "VNET_HDR_SZ"] {
        assert_eq!(set_unreadable(&datagram, name, 4), Err(EINVAL));
        assert_eq!(set(&datagram, name, 0), Err(EINVAL));
    }
    // All else is the same.
    for name in NAMES.into_iter().flatten() {
        if !name.starts_with("VNET") {
            assert_eq!(set(&datagram, name, 1), set(&OPEN, name, 1));
        }
    }
    for number in 0..30 {
        assert_eq!(get(&datagram, number), get(&OPEN, number));
    }
}

#[test]
fn groups_read_their_arguments_themselves() {
    let alone = Socket {
        in_group: false,
        ..OPEN
    };
    for length in [0, 4, 8, 100] {
        for (name, setting) in [
            ("FANOUT", Setting::Fanout),
            ("FANOUT_DATA", Setting::FanoutData),
        ] {
            for socket in [OPEN, WITH_RING] {
                let parsed = Setting::parse(&socket, SOL_PACKET, number(name), length, |_| {
                    panic!("{name} was read")
                });
                assert_eq!(parsed, Ok(setting.clone()));
            }
        }
        let parsed = set_unreadable(&alone, "FANOUT", length);
        assert_eq!(parsed, Ok(Setting::Fanout));
        let parsed = set_unreadable(&alone, "FANOUT_DATA", length);
        assert_eq!(parsed, Err(EINVAL));
    }
}

#[test]
fn what_was_set_can_be_read_back() {
    for (name, query) in [
        ("STATISTICS", Query::Statistics),
        ("COPY_THRESH", Query::CopyThreshold),
        ("AUXDATA", Query::Auxdata),
        ("ORIGDEV", Query::OrigDev),
        ("VERSION", Query::Version),
        ("HDRLEN", Query::HeaderLength(Version::V1)),
        ("RESERVE", Query::Reserve),
        ("LOSS", Query::Loss),
        ("VNET_HDR", Query::HasVnetHeader),
        ("VNET_HDR_SZ", Query::VnetHeaderSize),
        ("TIMESTAMP", Query::Timestamp),
        ("FANOUT", Query::Fanout),
        ("TX_HAS_OFF", Query::TxHasOffset),
        ("QDISC_BYPASS", Query::QdiscBypass),
        ("ROLLOVER_STATS", Query::RolloverStatistics),
        ("IGNORE_OUTGOING", Query::IgnoreOutgoing),
    ] {
        for socket in [OPEN, WITH_RING] {
            assert_eq!(get(&socket, number(name)), Ok(query));
        }
    }
}

#[test]
fn header_length_is_asked_with_a_version() {
    let hdrlen = number("HDRLEN");
    let get = |version: i32, room| {
        let bytes = version.to_ne_bytes();
        Query::parse(&OPEN, SOL_PACKET, hdrlen, Ok(room), copy_from(&bytes))
    };
    for value in INTS {
        let expected = Version::parse(value).map(Query::HeaderLength);
        for room in [4, 5, 100, usize::MAX] {
            assert_eq!(get(value, room), expected);
        }
        for room in 0..4 {
            assert_eq!(get(value, room), Err(EINVAL));
        }
    }
    let unreadable = |room| Query::parse(&OPEN, SOL_PACKET, hdrlen, Ok(room), |_| Err(EFAULT));
    assert_eq!(unreadable(4), Err(EFAULT));
    assert_eq!(unreadable(3), Err(EINVAL));
}

#[test]
fn only_header_length_needs_room_or_reads_anything() {
    for (number, name) in NAMES.into_iter().enumerate() {
        if name == Some("HDRLEN") {
            continue;
        }
        let parsed = Query::parse(&OPEN, SOL_PACKET, number as i32, Ok(0), |_| {
            panic!("{name:?} was read")
        });
        assert_eq!(parsed, get(&OPEN, number as i32));
    }
}

#[test]
fn negative_room_is_refused_before_an_unknown_option() {
    for number in [0, 1, 3, 6, 11, 21, 999] {
        let parsed = Query::parse(&OPEN, SOL_PACKET, number, Err(EINVAL), |_| Err(EFAULT));
        assert_eq!(parsed, Err(EINVAL));
    }
}

#[test]
fn rollover_statistics_need_something_that_rolls_over() {
    let socket = Socket {
        rolls_over: false,
        ..OPEN
    };
    for number in 0..30 {
        let expected = match get(&OPEN, number) {
            Ok(Query::RolloverStatistics) => Err(EINVAL),
            other => other,
        };
        assert_eq!(get(&socket, number), expected);
    }
}

#[test]
fn replies_have_the_fields_of_their_structures() {
    let statistics = Statistics {
        queued: 5,
        dropped: 2,
    };
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_ne_bytes()).collect() };
    for version in [Version::V1, Version::V2] {
        let reply = Reply::statistics(statistics, 9, version);
        assert_eq!(reply.as_bytes(), words(&[7, 2]));
    }
    let reply = Reply::statistics(statistics, 9, Version::V3);
    assert_eq!(reply.as_bytes(), words(&[7, 2, 9]));

    let reply = Reply::rollover(1 << 40, 2, u64::MAX);
    let expected: Vec<u8> = [1u64 << 40, 2, u64::MAX]
        .iter()
        .flat_map(|field| field.to_ne_bytes())
        .collect();
    assert_eq!(reply.as_bytes(), expected);
}

proptest! {
    #[test]
    fn hostile_options_are_refused_or_understood(
        number in prop_oneof![0..30i32, any::<i32>()],
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        (raw, has_ring, in_group, rolls_over) in any::<(bool, bool, bool, bool)>(),
        version in 0..3i32,
        room: usize,
    ) {
        let version = Version::parse(version).unwrap();
        let socket = Socket { raw, version, has_ring, in_group, rolls_over };
        let exists = NAMES.get(number as usize).copied().flatten().is_some();

        let copy = copy_from(&bytes);
        let set = Setting::parse(&socket, SOL_PACKET, number, bytes.len(), copy);
        prop_assert!(exists || set == Err(ENOPROTOOPT));
        let get = Query::parse(&socket, SOL_PACKET, number, Ok(room), |_| Ok(()));
        prop_assert!(exists || get == Err(ENOPROTOOPT));
    }
}
