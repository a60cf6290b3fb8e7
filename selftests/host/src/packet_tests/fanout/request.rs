// SPDX-License-Identifier: GPL-2.0

//! Tests of what `PACKET_FANOUT` and `PACKET_FANOUT_DATA` take.

use crate::packet::fanout::{
    choice::Mode,
    request::{
        free_id,
        Description,
        Program,
        Request, //
    }, //
};
use crate::packet::state::Target;
use kernel::prelude::*;
use proptest::prelude::*;

const ROLLOVER: u32 = 0x1000;
const UNIQUE_ID: u32 = 0x2000;
const IGNORE_OUTGOING: u32 = 0x4000;
const DEFRAG: u32 = 0x8000;

const BOUND: Target = Target {
    protocol: 3,
    ifindex: 1,
};

fn parse_bytes(bytes: &[u8]) -> Result<Request> {
    Request::parse(bytes.len(), |to| {
        assert_eq!(to.len(), bytes.len());
        to.copy_from_slice(bytes);
        Ok(())
    })
}

/// As a program writes it: `id | type << 16`.
fn parse(id: u32, kind: u32) -> Result<Request> {
    parse_bytes(&(id | (kind << 16)).to_ne_bytes())
}

fn parse_limit(id: u32, kind: u32, limit: u32) -> Result<Request> {
    let mut bytes = (id | (kind << 16)).to_ne_bytes().to_vec();
    bytes.extend(limit.to_ne_bytes());
    parse_bytes(&bytes)
}

fn new_group(request: Request) -> Result<Description> {
    let id = request.group_id(false, || Some(9))?;
    request.description(id, None)
}

#[test]
fn length_is_checked_before_the_argument_is_read() {
    for length in (0..64).filter(|length| ![4, 8].contains(length)) {
        let parsed = Request::parse(length, |_| panic!("it was read"));
        assert_eq!(parsed, Err(EINVAL), "{length}");
    }
    for length in [4, 8] {
        assert_eq!(Request::parse(length, |_| Err(EFAULT)), Err(EFAULT));
    }
}

#[test]
fn unknown_modes_are_refused_and_unknown_flags_are_not() {
    for mode in 8..=255 {
        assert_eq!(parse(1, mode), Err(EINVAL), "{mode}");
    }
    for flag in [0x100, 0x200, 0x400, 0x800] {
        let group = new_group(parse(1, flag).unwrap()).unwrap();
        // They are reported back, and all members must have them.
        assert_eq!(group.encode(), (1 | (flag << 16)) as i32);
        assert_eq!(
            parse(1, 0).unwrap().description(1, Some(&group)),
            Err(EINVAL)
        );
    }
}

#[test]
fn rollover_is_a_mode_or_a_flag() {
    assert_eq!(parse(1, 3 | ROLLOVER), Err(EINVAL));
    for mode in [0, 1, 2, 4, 5, 6, 7] {
        assert!(!parse(1, mode).unwrap().rolls_over());
        let request = parse(1, mode | ROLLOVER).unwrap();
        assert!(request.rolls_over());
        assert!(new_group(request).unwrap().flags.rollover());
    }
    assert!(parse(1, 3).unwrap().rolls_over());
}

#[test]
fn member_is_refused_before_its_request_is_looked_at() {
    let request = parse(5, UNIQUE_ID).unwrap();
    let asked = request.group_id(true, || panic!("asked for a number"));
    assert_eq!(asked, Err(EALREADY));
}

#[test]
fn unique_id_is_for_who_gives_none_and_is_not_reported_back() {
    let request = parse(5, UNIQUE_ID).unwrap();
    assert_eq!(request.group_id(false, || Some(1)), Err(EINVAL));

    let request = parse(0, 1 | UNIQUE_ID | DEFRAG).unwrap();
    assert_eq!(request.group_id(false, || None), Err(ENOMEM));
    assert_eq!(request.group_id(false, || Some(77)), Ok(77));
    let group = request.description(77, None).unwrap();
    assert_eq!(group.encode() as u32, 77 | ((1 | DEFRAG) << 16));
    // Others join by that number, and without the flag.
    let other = parse(77, 1 | DEFRAG).unwrap();
    assert_eq!(other.description(77, Some(&group)), Ok(group));
}

#[test]
fn without_the_flag_no_number_is_looked_for() {
    let request = parse(0, 0).unwrap();
    assert_eq!(request.group_id(false, || panic!("asked")), Ok(0));
}

#[test]
fn flags_mean_what_they_say() {
    let flags = |kind| new_group(parse(1, kind).unwrap()).unwrap().flags;
    assert!(flags(IGNORE_OUTGOING).ignore_outgoing());
    assert!(flags(DEFRAG).defragment());
    let none = flags(0);
    assert!(!none.ignore_outgoing() && !none.defragment() && !none.rollover());
}

#[test]
fn limit_is_256_unless_one_is_given() {
    let limit = |given| new_group(parse_limit(1, 0, given)?).map(|group| group.max_members);
    assert_eq!(new_group(parse(1, 0).unwrap()).unwrap().max_members, 256);
    assert_eq!(limit(0), Ok(256));
    assert_eq!(limit(1), Ok(1));
    assert_eq!(limit(65536), Ok(65536));
    assert_eq!(limit(65537), Err(EINVAL));
    assert_eq!(limit(u32::MAX), Err(EINVAL));
}

#[test]
fn who_joins_wants_the_same_limit_or_none() {
    let group = new_group(parse_limit(1, 0, 5).unwrap()).unwrap();
    for (limit, expected) in [
        (0, Ok(group)),
        (5, Ok(group)),
        (4, Err(EINVAL)),
        (65537, Err(EINVAL)),
    ] {
        let request = parse_limit(1, 0, limit).unwrap();
        assert_eq!(request.description(1, Some(&group)), expected);
    }
}

#[test]
fn members_are_bound_alike_and_want_the_same_mode() {
    let request = parse(1, 2).unwrap();
    let group = new_group(request).unwrap();
    assert_eq!(group.admit(&request, BOUND, BOUND), Ok(()));

    let other_mode = parse(1, 1).unwrap();
    // Found out later than wrong flags are.
    assert_eq!(other_mode.description(1, Some(&group)), Ok(group));
    assert_eq!(group.admit(&other_mode, BOUND, BOUND), Err(EINVAL));
    for (protocol, ifindex) in [(4, 1), (3, 2), (3, 0)] {
        let target = Target { protocol, ifindex };
        assert_eq!(group.admit(&request, BOUND, target), Err(EINVAL));
    }
    let unbound = Target {
        protocol: 0,
        ifindex: 1,
    };
    assert_eq!(group.admit(&request, unbound, unbound), Err(EINVAL));
}

#[test]
fn program_is_taken_by_the_modes_that_run_one() {
    let modes = (0..8).map(|number| Mode::from_number(number).unwrap());
    for mode in modes.map(Some).chain([None]) {
        let runs = matches!(
            mode,
            Some(Mode::ClassicProgram | Mode::ExtendedProgram) //
        );
        if !runs {
            // Even if the filter is locked, and with any length.
            for locked in [false, true] {
                assert_eq!(Program::taken_by(mode, locked, 0), Err(EINVAL));
            }
            continue;
        }
        assert_eq!(Program::taken_by(mode, true, 0), Err(EPERM));
    }
    let classic = Some(Mode::ClassicProgram);
    for length in [0, 4, 8, 16, 1000] {
        // The kernel knows what length a program has here.
        assert_eq!(
            Program::taken_by(classic, false, length),
            Ok(Program::Classic)
        );
    }
    let extended = Some(Mode::ExtendedProgram);
    assert_eq!(Program::taken_by(extended, false, 4), Ok(Program::Extended));
    for length in [0, 3, 5, 8] {
        assert_eq!(Program::taken_by(extended, false, length), Err(EINVAL));
    }
}

#[test]
fn free_numbers_are_taken_in_turn() {
    let mut next = 0;
    assert_eq!(free_id(&mut next, |_| true), Some(0));
    assert_eq!(free_id(&mut next, |id| id > 4), Some(5));
    assert_eq!(next, 6);
    next = u16::MAX;
    assert_eq!(free_id(&mut next, |_| true), Some(u16::MAX));
    assert_eq!(next, 0);
    next = 100;
    assert_eq!(free_id(&mut next, |id| id < 3), Some(0));
    assert_eq!(next, 1);
    assert_eq!(free_id(&mut next, |_| false), None);
    assert_eq!(next, 1);
}

proptest! {
    /// What is read back is what was asked for, but for the flag of the request.
    #[test]
    fn what_is_accepted_is_reported_back(
        bytes in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let Ok(request) = parse_bytes(&bytes) else { return Ok(()) };
        let argument = u32::from_ne_bytes(bytes[..4].try_into().unwrap());
        if argument & (UNIQUE_ID << 16) != 0 {
            return Ok(());
        }
        prop_assert_eq!(request.group_id(false, || None), Ok(argument as u16));
        if let Ok(group) = new_group(request) {
            prop_assert_eq!(group.encode() as u32, argument);
            prop_assert!((1..=65536).contains(&group.max_members));
        }
    }
}
