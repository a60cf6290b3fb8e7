// SPDX-License-Identifier: GPL-2.0

//! Tests of what a program asks for.

use super::{
    ask,
    bytes,
    request,
    socket,
    VERSIONS, //
};
use crate::packet::ring::geometry::{
    retire_time,
    Change,
    Request,
    Socket, //
};
use crate::packet::ring::version::Version;
use kernel::prelude::*;
use proptest::prelude::*;

/// A ring that every version has: 2 blocks of 4 slots.
const GOOD: [u32; 7] = [8192, 2, 2048, 8, 0, 0, 0];

/// The rules, in numbers that cannot overflow.
fn is_allowed(socket: &Socket, words: [u32; 7]) -> bool {
    let [block, blocks, slot, slots, _, private, _] = words.map(u128::from);
    let header = match socket.version {
        Version::V1 | Version::V2 => 32 + 20,
        Version::V3 => 48 + 20,
    };
    let least = header + u128::from(socket.reserve);
    let head = 48 + private.div_ceil(8) * 8;

    (1..1 << 31).contains(&block)
        && block % u128::from(socket.page) == 0
        && (socket.version != Version::V3 || head + least <= block)
        && slot >= least
        && slot % 16 == 0
        && block / slot > 0
        && (block / slot) * blocks < 1 << 32
        && (block / slot) * blocks == slots
}

/// What must hold of each ring that is made.
fn assert_sound(socket: &Socket, words: [u32; 7]) {
    let geometry = ask(socket, words).unwrap();
    let [block, blocks, slot, slots, ..] = words;

    assert_eq!(geometry.version(), socket.version);
    assert_eq!(geometry.reserve(), socket.reserve);
    assert_eq!(geometry.block_size(), block);
    assert_eq!(geometry.blocks(), blocks);
    assert_eq!(geometry.frame_size(), slot);
    assert_eq!(geometry.frames(), slots);
    assert_eq!(geometry.frames_per_block().get(), block / slot);
    assert_eq!(
        u128::from(geometry.total()),
        u128::from(block) * u128::from(blocks)
    );

    // Slots lie one behind the other, in order, each in one block.
    let some = (0..slots.min(50)).chain(slots.saturating_sub(50)..slots);
    let mut before = None;
    for index in some {
        let place = geometry.place(index).unwrap();
        assert!(place.block < blocks);
        assert!(u64::from(place.offset) + u64::from(slot) <= u64::from(block));
        let start = u128::from(place.block) * u128::from(block) + u128::from(place.offset);
        if let Some((last, end)) = before {
            assert!(index != last + 1 || start >= end);
        }
        before = Some((index, start + u128::from(slot)));
    }
    let last = geometry.place(slots - 1).unwrap();
    assert_eq!(last.block, blocks - 1);
    for index in [slots, slots.saturating_add(1), u32::MAX] {
        assert!(geometry.place(index).is_none() || index < slots);
    }

    let least = socket.version.prefix() + socket.reserve;
    assert!(geometry.max_frame() >= least);
    if socket.version == Version::V3 {
        let private = u64::from(words[5]);
        assert_eq!(
            u64::from(geometry.first_packet()),
            48 + private.div_ceil(8) * 8
        );
        assert_eq!(geometry.first_packet() + geometry.max_frame(), block);
        // So a frame that was made to fit does so rounded up, too.
        assert_eq!(geometry.max_frame() % 8, 0);
    } else {
        assert_eq!((geometry.first_packet(), geometry.max_frame()), (0, slot));
    }
    assert_eq!(
        geometry.check_transmit().is_ok(),
        socket.version != Version::V3 || words[4..] == [0; 3]
    );
}

fn compare(socket: &Socket, words: [u32; 7]) {
    if is_allowed(socket, words) {
        assert_sound(socket, words);
    } else {
        assert_eq!(ask(socket, words), Err(EINVAL), "{words:?} {socket:?}");
    }
}

#[test]
fn argument_must_have_the_structure_and_may_have_more() {
    for version in VERSIONS {
        let least = if version == Version::V3 { 28 } else { 16 };
        for length in 0..least {
            let parsed = Request::parse(version, length, |_| panic!("too short to be read"));
            assert_eq!(parsed, Err(EINVAL));
        }
        for length in [least, least + 1, 100, usize::MAX] {
            let parsed = Request::parse(version, length, |to| {
                assert_eq!(to.len(), least);
                Ok(())
            });
            assert_eq!(parsed, Ok(Request::default()));
        }
    }
}

#[test]
fn argument_that_cannot_be_read_is_invalid_not_a_fault() {
    for version in VERSIONS {
        let parsed = Request::parse(version, 28, |_| Err(EFAULT));
        assert_eq!(parsed, Err(EINVAL));
    }
}

#[test]
fn slots_versions_do_not_read_what_is_for_blocks() {
    let words = [8192, 2, 2048, 8, 1, 2, 3];
    for version in [Version::V1, Version::V2] {
        assert_eq!(request(version, words), request(version, GOOD));
        let geometry = ask(&socket(version), words).unwrap();
        assert_eq!(geometry.check_transmit(), Ok(()));
        assert!(!geometry.wants_hash());
    }
    assert_ne!(request(Version::V3, words), request(Version::V3, GOOD));
}

#[test]
fn busy_comes_before_the_numbers_where_the_original_has_it() {
    let bad = [1, 1, 1, 1, 0, 0, 0];
    let none = [0; 7];
    let none_of_some = [0, 0, 0, 1, 0, 0, 0];

    for version in VERSIONS {
        let free = socket(version);
        let check = |socket: &Socket, words| request(version, words).check(socket);
        for (mapped, in_flight) in [(true, false), (false, true), (true, true)] {
            let busy = Socket {
                mapped,
                in_flight,
                ..free
            };
            for words in [GOOD, bad, none, none_of_some] {
                assert_eq!(check(&busy, words), Err(EBUSY));
            }
        }

        let exists = Socket {
            exists: true,
            ..free
        };
        assert_eq!(check(&exists, GOOD), Err(EBUSY));
        assert_eq!(check(&exists, bad), Err(EBUSY));
        for socket in [free, exists] {
            assert_eq!(check(&socket, none), Ok(Change::Remove));
            assert_eq!(check(&socket, [4096, 0, 7, 0, 1, 1, 1]), Ok(Change::Remove));
            assert_eq!(check(&socket, none_of_some), Err(EINVAL));
        }
        assert_eq!(check(&free, bad), Err(EINVAL));
        assert!(check(&free, GOOD).is_ok());
    }
}

#[test]
fn rings_are_as_the_rules_have_them() {
    const BLOCK: [u32; 16] = [
        0,
        1,
        16,
        2048,
        4095,
        4096,
        4097,
        6144,
        8192,
        12288,
        65536,
        0x7fff_f000,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_1000,
        0xffff_f000,
    ];
    const SLOT: [u32; 18] = [
        0,
        1,
        16,
        32,
        48,
        52,
        64,
        68,
        80,
        88,
        96,
        112,
        1536,
        4096,
        4112,
        8192,
        0x8000_0000,
        0xffff_fff0,
    ];
    const BLOCKS: [u32; 7] = [1, 2, 3, 64, 0x10000, 0x7fff_ffff, u32::MAX];
    const PRIVATE: [u32; 7] = [0, 1, 8, 3968, 3980, 3981, u32::MAX];

    let mut allowed = 0;
    for version in VERSIONS {
        for reserve in [0, 1, 12, 16, 4000, i32::MAX as u32] {
            let socket = Socket {
                reserve,
                ..socket(version)
            };
            for (block, slot) in BLOCK.iter().flat_map(|b| SLOT.map(|s| (*b, s))) {
                for (blocks, private) in BLOCKS.iter().flat_map(|n| PRIVATE.map(|p| (*n, p))) {
                    let fits = block.checked_div(slot).unwrap_or(0);
                    let right = fits.wrapping_mul(blocks);
                    for slots in [right, right.wrapping_add(1), right.wrapping_sub(1), fits] {
                        let words = [block, blocks, slot, slots, 0, private, 0];
                        allowed += usize::from(is_allowed(&socket, words));
                        compare(&socket, words);
                    }
                }
            }
        }
    }
    // Not all is refused.
    assert!(allowed > 1000, "{allowed}");
}

#[test]
fn slots_are_exactly_as_many_as_fit() {
    // Of 4096 bytes, 3 slots of 1360 leave 16 over.
    let geometry = ask(&socket(Version::V2), [4096, 3, 1360, 9, 0, 0, 0]).unwrap();
    let places = (0..9).map(|index| geometry.place(index).unwrap());
    let places: Vec<_> = places.map(|place| (place.block, place.offset)).collect();
    assert_eq!(places[..4], [(0, 0), (0, 1360), (0, 2720), (1, 0)]);
    assert_eq!(places[8], (2, 2720));
    for slots in [8, 10] {
        let refused = ask(&socket(Version::V2), [4096, 3, 1360, slots, 0, 0, 0]);
        assert_eq!(refused, Err(EINVAL));
    }
}

#[test]
fn blocks_are_whole_pages_of_this_machine() {
    for (page, block, result) in [
        (4096, 4096, true),
        (16384, 4096, false),
        (65536, 16384, false),
        (65536, 65536, true),
        (0, 4096, false),
    ] {
        let socket = Socket {
            page,
            ..socket(Version::V2)
        };
        let words = [block, 1, block, 1, 0, 0, 0];
        assert_eq!(ask(&socket, words).is_ok(), result, "{page} {block}");
    }
}

/// A private area for which the sum wraps once made a frame be written before its block.
#[test]
fn private_area_of_any_size_never_wraps() {
    let ask = |private| ask(&socket(Version::V3), [4096, 2, 4096, 2, 100, private, 0]);
    assert_eq!(ask(512).unwrap().first_packet(), 48 + 512);

    // As large as can be: the header of a frame still fits.
    assert_eq!(ask(3976).unwrap().first_packet(), 48 + 3976);
    assert_eq!(ask(3976).unwrap().max_frame(), 72);
    for private in [3977, 3984, 4096, 0x7fff_ffff, 0x8000_0000, 0x8000_0fff]
        .into_iter()
        .chain(u32::MAX - 200..=u32::MAX)
    {
        assert_eq!(ask(private), Err(EINVAL), "{private}");
    }
}

/// What is reserved counts for each slot, so a slot never is shorter than what is before its frame.
#[test]
fn reserved_bytes_must_fit_in_slots_and_blocks() {
    for version in VERSIONS {
        let try_reserve = |reserve| {
            let socket = Socket {
                reserve,
                ..socket(version)
            };
            ask(&socket, GOOD).is_ok()
        };
        assert!(try_reserve(2048 - version.prefix()));
        assert!(!try_reserve(2048 - version.prefix() + 1));
        assert!(!try_reserve(i32::MAX as u32));
        assert!(!try_reserve(u32::MAX));
    }
}

#[test]
fn transmit_ring_of_v3_takes_no_extras() {
    for (time, private, features) in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (9, 9, 9)] {
        let words = [8192, 2, 2048, 8, time, private, features];
        // All right so far: AF_PACKET allocates the memory first.
        let geometry = ask(&socket(Version::V3), words).unwrap();
        assert_eq!(geometry.check_transmit(), Err(EINVAL));
    }
    let geometry = ask(&socket(Version::V3), GOOD).unwrap();
    assert_eq!(geometry.check_transmit(), Ok(()));
}

#[test]
fn first_bit_of_the_features_asks_for_hashes_and_others_for_nothing() {
    for (features, wants) in [(0, false), (1, true), (2, false), (u32::MAX, true)] {
        let words = [8192, 2, 2048, 8, 0, 0, features];
        let geometry = ask(&socket(Version::V3), words).unwrap();
        assert_eq!(geometry.wants_hash(), wants);
    }
}

#[test]
fn time_that_was_given_is_kept_and_no_device_asked() {
    for time in [1, 2, 1000, u32::MAX] {
        let words = [8192, 2, 2048, 8, time, 0, 0];
        let geometry = ask(&socket(Version::V3), words).unwrap();
        let kept = geometry.retire_ms(|| panic!("asked for nothing"));
        assert_eq!(kept.get(), time);
    }
    let geometry = ask(&socket(Version::V3), GOOD).unwrap();
    assert_eq!(geometry.retire_ms(|| Some(1000)).get(), 1);
    assert_eq!(geometry.retire_ms(|| None).get(), 8);
}

#[test]
fn default_time_is_what_a_block_takes_on_the_link() {
    const MIB: u32 = 1 << 20;

    for (block, speed, expected) in [
        (MIB, None, 8),
        (MIB, Some(u32::MAX), 8),
        (MIB, Some(0), 8),
        (MIB, Some(100), 8),
        (MIB, Some(999), 8),
        (MIB, Some(1000), 9),
        (MIB, Some(1999), 9),
        (MIB, Some(2500), 5),
        (MIB, Some(10_000), 1),
        (MIB, Some(i32::MAX as u32), 1),
        (4 * MIB, Some(10_000), 4),
        (4096, Some(1000), 1),
        (0x7fff_f000, Some(1000), 16384),
        (0x7fff_f000, Some(400_000), 41),
    ] {
        let time = retire_time(block, speed).get();
        assert_eq!(time, expected, "{block} {speed:?}");
    }
}

/// Mostly numbers for which something is near a limit.
fn hostile() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0..0x20000u32,
        (0..32u32, -64..64i32).prop_map(|(bit, near)| (1u32 << bit).wrapping_add_signed(near)),
        (1..64u32).prop_map(|pages| pages * 4096),
        (1..64u32).prop_map(|sixteen| sixteen * 16),
    ]
}

/// Rings that are nearly right: the slots are those that fit.
fn nearly_right() -> impl Strategy<Value = [u32; 7]> {
    let sizes = (1..0x80000u32, 1..0x1000u32, hostile(), hostile());
    (sizes, 0..4096u32, any::<u32>()).prop_map(|(sizes, private, features)| {
        let (pages, sixteens, blocks, time) = sizes;
        let (block, slot) = (pages.wrapping_mul(4096), sixteens * 16);
        let slots = (block / slot).wrapping_mul(blocks);
        [block, blocks, slot, slots, time, private, features]
    })
}

proptest! {
    #[test]
    fn any_request_is_judged_by_the_rules(
        number in 0..3usize,
        reserve in prop_oneof![Just(0), 0..5000u32, hostile()],
        words in prop_oneof![
            prop::array::uniform7(hostile()),
            nearly_right(),
        ],
    ) {
        let socket = Socket { reserve, ..socket(VERSIONS[number]) };
        let words = if words[1] == 0 { [words[0], 1, words[2], words[3], 0, 0, 0] } else { words };
        compare(&socket, words);
    }

    #[test]
    fn default_time_is_never_zero_and_never_wraps(block: u32, speed: Option<u32>) {
        let expected = match speed {
            Some(speed) if speed >= 1000 && speed != u32::MAX => {
                u128::from(block) * 8 / 1_048_576 / u128::from(speed / 1000) + 1
            }
            _ => 8,
        };
        prop_assert_eq!(u128::from(retire_time(block, speed).get()), expected);
    }

    #[test]
    fn fields_are_where_the_structure_has_them(words: [u32; 7]) {
        let all = bytes(&words);
        let parse = |version, all: &[u8]| Request::parse(version, all.len(), |to| {
            to.copy_from_slice(&all[..to.len()]);
            Ok(())
        });
        let parsed = parse(Version::V3, &all).unwrap();
        let same = request(Version::V3, words);
        prop_assert_eq!(parsed, same);
        // Each field counts.
        for field in 0..7 {
            let mut other = words;
            other[field] ^= 1;
            prop_assert_ne!(request(Version::V3, other), same);
            prop_assert_eq!(request(Version::V2, other) == request(Version::V2, words), field >= 4);
        }
    }
}
