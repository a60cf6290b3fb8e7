// SPDX-License-Identifier: GPL-2.0

//! Tests of where in a slot a frame lies.

use super::{
    ask,
    socket,
    VERSIONS, //
};
use crate::packet::ring::geometry::{
    Geometry,
    Socket, //
};
use crate::packet::ring::layout::{
    Layout,
    Parts,
    Placed,
    VnetHeader, //
};
use crate::packet::ring::version::{
    align_packet,
    Version, //
};
use kernel::prelude::*;
use proptest::prelude::*;

const RAW: Parts = Parts::Raw(VnetHeader::None);

/// One block of one slot, or of one frame, of this many bytes.
fn ring(version: Version, reserve: u32, slot: u32) -> Geometry {
    let socket = Socket {
        reserve,
        ..socket(version)
    };
    // The private area of V3 leaves as much of the block as a slot has.
    let head = if version == Version::V3 { 48 } else { 0 };
    let block = (head + slot).next_multiple_of(4096);
    let words = [block, 1, slot, block / slot, 0, block - head - slot, 0];
    let geometry = ask(&socket, words).unwrap();
    assert_eq!(geometry.max_frame(), slot);
    geometry
}

fn place(geometry: &Geometry, parts: Parts, link: u32, wanted: u32) -> Placed {
    Layout::new(geometry, parts).place(link, wanted).unwrap()
}

#[test]
fn virtio_headers_have_two_sizes() {
    assert_eq!(VnetHeader::parse(0), Ok(VnetHeader::None));
    assert_eq!(VnetHeader::parse(10), Ok(VnetHeader::Plain));
    assert_eq!(VnetHeader::parse(12), Ok(VnetHeader::Mergeable));
    for size in (-20..30).chain([i32::MIN, i32::MAX, 256 + 10]) {
        match VnetHeader::parse(size) {
            Ok(header) => assert_eq!(header.size(), size as u32),
            Err(error) => {
                assert_eq!(error, EINVAL);
                assert!(![0, 10, 12].contains(&size));
            }
        }
    }
}

/// `mac`, `net` for Ethernet are known numbers, which programs may have as constants.
#[test]
fn ethernet_frames_are_where_they_always_were() {
    for (version, datagram, raw) in [
        (Version::V1, 80, 66),
        (Version::V2, 80, 66),
        (Version::V3, 96, 82),
    ] {
        let geometry = ring(version, 0, 2048);
        let placed = place(&geometry, Parts::Datagram, 14, 100);
        assert_eq!((placed.mac, placed.net), (datagram, datagram));
        let placed = place(&geometry, RAW, 14, 114);
        assert_eq!((placed.mac, placed.net), (raw, raw + 14));
        assert_eq!((placed.kept, placed.vnet, placed.cut), (114, None, false));
        assert_eq!(placed.length(), u32::from(raw) + 114);
    }
}

#[test]
fn network_header_is_aligned_whatever_is_before() {
    let geometry = ring(Version::V2, 0, 2048);
    for (link, mac, net) in [
        // Without a header there is room for one all the same.
        (0, 80, 80),
        (4, 76, 80),
        (14, 66, 80),
        // With a VLAN tag in the frame.
        (18, 62, 80),
        (28, 52, 80),
        (29, 67, 96),
        (40, 56, 96),
    ] {
        let placed = place(&geometry, RAW, link, 100);
        assert_eq!((placed.mac, placed.net), (mac, net), "{link}");
        // A datagram has none of it.
        assert_eq!(place(&geometry, Parts::Datagram, link, 100).mac, 80);
    }
}

#[test]
fn reserved_bytes_and_virtio_header_come_on_top_without_rounding() {
    for (reserve, header, mac, net) in [
        (7, VnetHeader::None, 73, 87),
        (0, VnetHeader::Plain, 76, 90),
        (0, VnetHeader::Mergeable, 78, 92),
        (100, VnetHeader::Mergeable, 178, 192),
    ] {
        let geometry = ring(Version::V2, reserve, 2048);
        let placed = place(&geometry, Parts::Raw(header), 14, 100);
        assert_eq!((placed.mac, placed.net), (mac, net));
        // 10 bytes before the frame for both: a quirk.
        let vnet = (header != VnetHeader::None).then_some(mac - 10);
        assert_eq!(placed.vnet, vnet);

        let placed = place(&geometry, Parts::Datagram, 14, 100);
        let net = 80 + reserve as u16;
        assert_eq!(
            (placed.mac, placed.net, placed.vnet),
            (net, net, None),
            "{reserve}"
        );
    }
}

/// With reserved bytes that lead beyond 16 bits, a frame was once written before its slot.
#[test]
fn frame_that_16_bits_cannot_place_is_lost() {
    for version in VERSIONS {
        let header = if version == Version::V3 { 96 } else { 80 };
        let slot = 1 << 20;
        let largest = 65535 - header;
        for (reserve, fits) in [
            (largest, true),
            (largest + 1, false),
            (65535, false),
            (65536, false),
            (65536 + 1000, false),
            (slot - 100, false),
        ] {
            let geometry = ring(version, reserve, slot);
            for parts in [Parts::Datagram, RAW] {
                let placed = Layout::new(&geometry, parts).place(14, 100);
                assert_eq!(placed.is_some(), fits, "{reserve} {parts:?}");
            }
            if fits {
                // The virtio header counts.
                let parts = Parts::Raw(VnetHeader::Plain);
                assert_eq!(Layout::new(&geometry, parts).place(14, 100), None);
                // So does the link layer header, in steps of 16.
                assert!(Layout::new(&geometry, RAW).place(28, 100).is_some());
                assert_eq!(Layout::new(&geometry, RAW).place(29, 100), None);
            }
        }
        let geometry = ring(version, 0, slot);
        for link in [65536, 1 << 31, u32::MAX] {
            assert_eq!(Layout::new(&geometry, RAW).place(link, 100), None);
        }
    }
}

#[test]
fn slot_cuts_what_is_too_long_and_offers_the_whole() {
    let geometry = ring(Version::V2, 0, 256);
    for (wanted, kept, cut) in [
        (0, 0, false),
        (190, 190, false),
        (191, 190, true),
        (u32::MAX, 190, true),
    ] {
        let placed = place(&geometry, RAW, 14, wanted);
        assert_eq!((placed.mac, placed.kept, placed.cut), (66, kept, cut));
        assert_eq!(placed.wants_copy(1, || true), cut);
        assert_eq!(placed.wants_copy(-1, || true), cut);
        assert!(!placed.wants_copy(1, || false));
        assert!(!placed.wants_copy(0, || panic!("asked for nothing")));
        if !cut {
            assert!(!placed.wants_copy(1, || panic!("asked for nothing")));
        }
    }
}

#[test]
fn slot_without_room_keeps_nothing_and_has_no_virtio_header() {
    let parts = Parts::Raw(VnetHeader::Plain);
    // The frame would begin at 76: with 80 bytes there is room, with 64 none.
    let placed = place(&ring(Version::V2, 0, 80), parts, 14, 100);
    assert_eq!((placed.mac, placed.kept, placed.cut), (76, 4, true));
    assert_eq!(placed.vnet, Some(66));

    let placed = place(&ring(Version::V2, 0, 64), parts, 14, 100);
    assert_eq!((placed.mac, placed.net, placed.kept), (76, 90, 0));
    assert_eq!((placed.vnet, placed.cut), (None, true));
    // Even an empty frame is too long then.
    assert!(place(&ring(Version::V2, 0, 64), parts, 14, 0).cut);

    // It ends exactly there: the virtio header stays.
    let geometry = ring(Version::V2, 4, 80);
    let placed = place(&geometry, parts, 14, 100);
    assert_eq!((placed.mac, placed.kept, placed.vnet), (80, 0, Some(70)));
}

#[test]
fn block_keeps_what_fits_and_offers_no_copy() {
    let parts = Parts::Raw(VnetHeader::Plain);
    // The frame would begin at 92.
    let placed = place(&ring(Version::V3, 0, 256), parts, 14, 1000);
    assert_eq!((placed.mac, placed.kept, placed.cut), (92, 164, false));
    assert_eq!((placed.vnet, placed.length()), (Some(82), 256));
    assert!(!placed.wants_copy(1, || panic!("asked for nothing")));

    // Without room for it, the frame is at the end of the block, and empty.
    let placed = place(&ring(Version::V3, 0, 80), parts, 14, 1000);
    assert_eq!((placed.mac, placed.net, placed.kept), (80, 106, 0));
    assert_eq!((placed.vnet, placed.length()), (None, 80));
}

#[test]
fn long_address_never_reaches_the_frame() {
    // The address begins at 32, its link layer part at 44.
    for (link, slot, parts, room) in [
        (14, 2048, Parts::Datagram, 32),
        (14, 2048, RAW, 66 - 44),
        (28, 2048, RAW, 8),
        (14, 2048, Parts::Raw(VnetHeader::Plain), 66 - 44),
        (14, 64, Parts::Datagram, 64 - 44),
    ] {
        let placed = place(&ring(Version::V2, 0, slot), parts, link, 100);
        assert_eq!(placed.address_room, room, "{link} {slot} {parts:?}");
    }
}

/// The rules, in numbers that cannot overflow: `mac`, `net`, kept bytes, whether there is a virtio
/// header; `None` if the frame is lost.
fn rules(
    geometry: &Geometry,
    parts: Parts,
    link: u32,
    wanted: u32,
) -> Option<(i128, i128, i128, bool)> {
    let blocks = geometry.version() == Version::V3;
    let header = if blocks { 68 } else { 52 };
    let round = |length: i128| (length + 15) / 16 * 16;
    let (reserve, link) = (i128::from(geometry.reserve()), i128::from(link));
    let (mut mac, net, mut vnet) = match parts {
        Parts::Datagram => {
            let net = round(header) + 16 + reserve;
            (net, net, false)
        }
        Parts::Raw(vnet) => {
            let net = round(header + link.max(16)) + reserve + i128::from(vnet.size());
            (net - link, net, vnet.size() != 0)
        }
    };
    if net > 0xffff {
        return None;
    }
    let room = i128::from(geometry.max_frame());
    let mut kept = i128::from(wanted);
    if mac + kept > room {
        kept = room - mac;
        if kept < 0 {
            kept = 0;
            vnet = false;
            if blocks {
                mac = room;
            }
        }
    }
    Some((mac, net, kept, vnet))
}

/// A ring of any size, with what its socket has.
fn rings() -> impl Strategy<Value = Geometry> {
    let reserve = prop_oneof![Just(0), 0..200u32, 0..70_000u32];
    let more = prop_oneof![0..20u32, 0..200u32, 0..0x10000u32];
    (0..3usize, reserve, more).prop_map(|(number, reserve, more)| {
        let version = VERSIONS[number];
        let least = version.prefix() + reserve;
        let slot = least.next_multiple_of(16) + more * 16;
        ring(version, reserve, slot)
    })
}

fn any_parts() -> impl Strategy<Value = Parts> {
    prop_oneof![
        Just(Parts::Datagram),
        Just(RAW),
        Just(Parts::Raw(VnetHeader::Plain)),
        Just(Parts::Raw(VnetHeader::Mergeable)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn nothing_ever_lies_outside_its_slot(
        geometry in rings(),
        parts in any_parts(),
        link in prop_oneof![0..64u32, 0..70_000u32, any::<u32>()],
        wanted in prop_oneof![0..3000u32, 0..200_000u32, any::<u32>()],
    ) {
        let placed = Layout::new(&geometry, parts).place(link, wanted);
        let expected = rules(&geometry, parts, link, wanted);
        let Some(placed) = placed else {
            prop_assert_eq!(expected, None);
            return Ok(());
        };
        let (mac, net) = (placed.mac.into(), placed.net.into());
        let (kept, vnet) = (placed.kept.into(), placed.vnet.is_some());
        prop_assert_eq!(Some((mac, net, kept, vnet)), expected);

        // What is written, in the order in which it lies there.
        let version = geometry.version();
        let (mac, kept) = (u64::from(placed.mac), u64::from(placed.kept));
        let address = u64::from(version.address() + 12);
        let mut written = vec![
            (0, u64::from(version.prefix())),
            (address + 8, address + u64::from(placed.address_room)),
        ];
        if let Some(vnet) = placed.vnet {
            written.push((u64::from(vnet), u64::from(vnet) + 10));
        }
        if kept != 0 {
            written.push((mac, mac + kept));
        }
        let end = match version {
            Version::V1 | Version::V2 => u64::from(geometry.frame_size()),
            Version::V3 => u64::from(placed.length()),
        };
        let mut before = 0;
        for (from, to) in written {
            prop_assert!(before <= from && from <= to && to <= end);
            before = to;
        }
        prop_assert!((8..=32).contains(&placed.address_room));

        // An empty block has room for it.
        if version == Version::V3 {
            let room = u64::from(geometry.max_frame());
            prop_assert!(align_packet(placed.length().into()) <= room);
        }
        let is_short = mac + u64::from(wanted) > u64::from(geometry.max_frame());
        prop_assert_eq!(placed.cut, is_short && version != Version::V3);
    }
}
