// SPDX-License-Identifier: GPL-2.0

//! Tests of what is written before a frame and at the head of a block.
//!
//! The tables of fields are `offsetof` and `sizeof` of each, as a C compiler has them for
//! `include/uapi/linux/if_packet.h` on x86-64.

use crate::packet::address::Report;
use crate::packet::auxdata::{
    Checksum,
    VlanTag, //
};
use crate::packet::ring::header::*;
use crate::packet::ring::version::Version;
use crate::packet::ring::words::status;
use proptest::prelude::*;

type Fields = &'static [(&'static str, usize, usize)];

const TPACKET_HDR: Fields = &[
    ("tp_status", 0, 8),
    ("tp_len", 8, 4),
    ("tp_snaplen", 12, 4),
    ("tp_mac", 16, 2),
    ("tp_net", 18, 2),
    ("tp_sec", 20, 4),
    ("tp_usec", 24, 4),
];

const TPACKET2_HDR: Fields = &[
    ("tp_status", 0, 4),
    ("tp_len", 4, 4),
    ("tp_snaplen", 8, 4),
    ("tp_mac", 12, 2),
    ("tp_net", 14, 2),
    ("tp_sec", 16, 4),
    ("tp_nsec", 20, 4),
    ("tp_vlan_tci", 24, 2),
    ("tp_vlan_tpid", 26, 2),
    ("tp_padding", 28, 4),
];

const TPACKET3_HDR: Fields = &[
    ("tp_next_offset", 0, 4),
    ("tp_sec", 4, 4),
    ("tp_nsec", 8, 4),
    ("tp_snaplen", 12, 4),
    ("tp_len", 16, 4),
    ("tp_status", 20, 4),
    ("tp_mac", 24, 2),
    ("tp_net", 26, 2),
    ("tp_rxhash", 28, 4),
    ("tp_vlan_tci", 32, 4),
    ("tp_vlan_tpid", 36, 2),
    ("hv1.tp_padding", 38, 2),
    ("tp_padding", 40, 8),
];

const SOCKADDR_LL: Fields = &[
    ("sll_family", 0, 2),
    ("sll_protocol", 2, 2),
    ("sll_ifindex", 4, 4),
    ("sll_hatype", 8, 2),
    ("sll_pkttype", 10, 1),
    ("sll_halen", 11, 1),
    ("sll_addr", 12, 8),
];

const BLOCK_DESC: Fields = &[
    ("version", 0, 4),
    ("offset_to_priv", 4, 4),
    ("block_status", 8, 4),
    ("num_pkts", 12, 4),
    ("offset_to_first_pkt", 16, 4),
    ("blk_len", 20, 4),
    ("seq_num", 24, 8),
    ("ts_first_pkt.ts_sec", 32, 4),
    ("ts_first_pkt.ts_nsec", 36, 4),
    ("ts_last_pkt.ts_sec", 40, 4),
    ("ts_last_pkt.ts_nsec", 44, 4),
];

/// What is in memory that nobody wrote to.
const STALE: u8 = 0xee;

/// A slot or block to which some arrays were written.
struct Memory(Vec<u8>);

impl Memory {
    fn new(length: usize) -> Self {
        Self(vec![STALE; length])
    }

    fn store(mut self, offset: u32, words: &[u32]) -> Self {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.0[offset as usize..][..bytes.len()].copy_from_slice(&bytes);
        self
    }

    /// The value of a field of a structure that begins at `base`.
    fn field(&self, fields: Fields, base: usize, name: &str) -> u64 {
        let (_, offset, size) = fields.iter().find(|field| field.0 == name).unwrap();
        let bytes = &self.0[base + offset..][..*size];
        match *size {
            1 => bytes[0].into(),
            2 => u16::from_ne_bytes(bytes.try_into().unwrap()).into(),
            4 => u32::from_ne_bytes(bytes.try_into().unwrap()).into(),
            8 => u64::from_ne_bytes(bytes.try_into().unwrap()),
            _ => panic!("no number has {size} bytes"),
        }
    }
}

const ADDRESS: Report = Report {
    protocol: 0x0a0b,
    ifindex: 0x0c0d_0e0f,
    hatype: 0x1011,
    pkttype: 0x12,
    halen: 6,
    address: {
        let mut address = [0; 32];
        let mut i = 0;
        while i < 32 {
            address[i] = 0x40 + i as u8;
            i += 1;
        }
        address
    },
};

fn frame(address: &Report) -> Frame<'_> {
    Frame {
        length: 0x2021_2223,
        kept: 0x2425_2627,
        mac: 0x2829,
        net: 0x2a2b,
        time: Time {
            seconds: 0x2c2d_2e2f,
            nanoseconds: 987_654_321,
        },
        clock: Clock::Copied,
        checksum: Checksum::Unknown,
        gso_tcp: false,
        vlan: Some(VlanTag {
            tci: 0x3031,
            tpid: 0x3233,
        }),
        hash: 0x3435_3637,
        address,
    }
}

fn assert_address(memory: &Memory, base: usize) {
    let get = |name| memory.field(SOCKADDR_LL, base, name);
    assert_eq!(get("sll_family"), 17);
    assert_eq!(get("sll_protocol"), 0x0a0b);
    assert_eq!(get("sll_ifindex"), 0x0c0d_0e0f);
    assert_eq!(get("sll_hatype"), 0x1011);
    assert_eq!(get("sll_pkttype"), 0x12);
    assert_eq!(get("sll_halen"), 6);
    assert_eq!(memory.0[base + 12..][..8], ADDRESS.address[..8]);
    // Nothing beyond.
    assert_eq!(memory.0[base + 20..], [STALE; 12]);
}

#[test]
fn v1_fields_are_where_the_structure_has_them() {
    let frame = frame(&ADDRESS);
    let memory = Memory::new(64).store(Frame::V1_OFFSET, &frame.v1());
    let get = |name| memory.field(TPACKET_HDR, 0, name);

    assert_eq!(memory.0[..8], [STALE; 8], "the status is not written yet");
    assert_eq!(get("tp_len"), 0x2021_2223);
    assert_eq!(get("tp_snaplen"), 0x2425_2627);
    assert_eq!(get("tp_mac"), 0x2829);
    assert_eq!(get("tp_net"), 0x2a2b);
    assert_eq!(get("tp_sec"), 0x2c2d_2e2f);
    assert_eq!(get("tp_usec"), 987_654);
    assert_eq!(memory.0[28..32], [0; 4]);
    assert_address(&memory, 32);
}

#[test]
fn v2_fields_are_where_the_structure_has_them() {
    let frame = frame(&ADDRESS);
    let memory = Memory::new(64).store(Frame::V2_OFFSET, &frame.v2());
    let get = |name| memory.field(TPACKET2_HDR, 0, name);

    assert_eq!(memory.0[..4], [STALE; 4], "the status is not written yet");
    assert_eq!(get("tp_len"), 0x2021_2223);
    assert_eq!(get("tp_snaplen"), 0x2425_2627);
    assert_eq!(get("tp_mac"), 0x2829);
    assert_eq!(get("tp_net"), 0x2a2b);
    assert_eq!(get("tp_sec"), 0x2c2d_2e2f);
    assert_eq!(get("tp_nsec"), 987_654_321);
    assert_eq!(get("tp_vlan_tci"), 0x3031);
    assert_eq!(get("tp_vlan_tpid"), 0x3233);
    assert_eq!(get("tp_padding"), 0);
    assert_address(&memory, 32);
}

#[test]
fn v3_fields_are_where_the_structure_has_them() {
    let frame = frame(&ADDRESS);
    let memory = Memory::new(80).store(0, &frame.v3(0x3839_3a3b));
    let get = |name| memory.field(TPACKET3_HDR, 0, name);

    assert_eq!(get("tp_next_offset"), 0x3839_3a3b);
    assert_eq!(get("tp_sec"), 0x2c2d_2e2f);
    assert_eq!(get("tp_nsec"), 987_654_321);
    assert_eq!(get("tp_snaplen"), 0x2425_2627);
    assert_eq!(get("tp_len"), 0x2021_2223);
    assert_eq!(get("tp_status"), 0x51);
    assert_eq!(get("tp_mac"), 0x2829);
    assert_eq!(get("tp_net"), 0x2a2b);
    assert_eq!(get("tp_rxhash"), 0x3435_3637);
    assert_eq!(get("tp_vlan_tci"), 0x3031);
    assert_eq!(get("tp_vlan_tpid"), 0x3233);
    assert_eq!(get("hv1.tp_padding"), 0);
    assert_eq!(get("tp_padding"), 0);
    assert_address(&memory, 48);
}

/// The bytes that a little-endian machine sees: a frame of an Ethernet device.
#[test]
#[cfg(target_endian = "little")]
fn v2_slot_has_these_bytes() {
    let mut address = Report {
        protocol: 0x0800u16.to_be(),
        ifindex: 2,
        hatype: 1,
        pkttype: 0,
        halen: 6,
        address: [0; 32],
    };
    address.address[..6].copy_from_slice(&[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    let frame = Frame {
        length: 98,
        kept: 64,
        mac: 66,
        net: 80,
        time: Time {
            seconds: 0x6500_0000,
            nanoseconds: 1,
        },
        clock: Clock::Software,
        checksum: Checksum::Valid,
        gso_tcp: false,
        vlan: None,
        hash: 0,
        address: &address,
    };
    let status = frame.status(Version::V2, true, false);
    let memory = Memory::new(52)
        .store(Frame::V2_OFFSET, &frame.v2())
        .store(0, &[status]);
    #[rustfmt::skip]
    let expected = [
        0x85, 0, 0, 0x20,
        98, 0, 0, 0,
        64, 0, 0, 0,
        66, 0, 80, 0,
        0, 0, 0, 0x65,
        1, 0, 0, 0,
        0, 0, 0, 0,
        0, 0, 0, 0,
        17, 0, 0x08, 0x00,
        2, 0, 0, 0,
        1, 0, 0, 6,
        0x52, 0x54, 0, 0x12,
        0x34, 0x56, 0, 0,
    ];
    assert_eq!(memory.0, expected);
}

#[test]
fn status_bits_are_those_of_the_header_file() {
    assert_eq!((status::KERNEL, status::AVAILABLE), (0, 0));
    assert_eq!((TP_STATUS_USER, TP_STATUS_COPY, status::LOSING), (1, 2, 4));
    assert_eq!((TP_STATUS_CSUMNOTREADY, TP_STATUS_CSUM_VALID), (8, 128));
    assert_eq!((TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID), (16, 64));
    assert_eq!((status::BLK_TMO, TP_STATUS_GSO_TCP), (32, 256));
    assert_eq!(TP_STATUS_TS_SOFTWARE, 0x2000_0000);
    assert_eq!(TP_STATUS_TS_RAW_HARDWARE, 0x8000_0000);
    assert_eq!(status::SEND_REQUEST, 1);
    assert_eq!((status::SENDING, status::WRONG_FORMAT), (2, 4));
}

#[test]
fn status_tells_what_is_known_of_the_frame() {
    let with = |change: fn(&mut Frame<'_>)| {
        let mut frame = frame(&ADDRESS);
        frame.vlan = None;
        change(&mut frame);
        let status = frame.status(Version::V2, false, false);
        // The header of V3 has the same.
        assert_eq!(frame.v3(0)[5], status);
        status
    };
    assert_eq!(with(|_| ()), 1);
    assert_eq!(with(|frame| frame.checksum = Checksum::NotReady), 1 | 8);
    assert_eq!(with(|frame| frame.checksum = Checksum::Valid), 1 | 128);
    assert_eq!(with(|frame| frame.gso_tcp = true), 1 | 256);
    assert_eq!(with(|frame| frame.clock = Clock::Software), 1 | (1 << 29));
    assert_eq!(with(|frame| frame.clock = Clock::Hardware), 1 | (1 << 31));
    assert_eq!(
        with(|frame| frame.vlan = Some(VlanTag { tci: 0, tpid: 0 })),
        1 | 16 | 64
    );

    let frame = frame(&ADDRESS);
    assert_eq!(frame.status(Version::V2, true, false), 0x51 | 4);
    assert_eq!(frame.status(Version::V2, false, true), 0x51 | 2);
    // V1 has no place for a tag, so it does not say that there is one.
    assert_eq!(frame.status(Version::V1, true, true), 1 | 2 | 4);
}

#[test]
fn without_a_tag_its_fields_are_zero() {
    let frame = Frame {
        vlan: None,
        ..frame(&ADDRESS)
    };
    assert_eq!(frame.v2()[5], 0);
    assert_eq!(frame.v3(0)[8..10], [0, 0]);
}

#[test]
fn long_address_is_cut_where_there_is_no_room() {
    for (halen, room, expected) in [
        (0, 32, 8..8),
        (6, 32, 8..8),
        (8, 32, 8..8),
        (9, 32, 8..9),
        (20, 32, 8..20),
        (20, 12, 8..12),
        (20, 8, 8..8),
        (20, 0, 8..8),
        (32, 32, 8..32),
        (255, 255, 8..32),
    ] {
        let address = Report { halen, ..ADDRESS };
        let frame = frame(&address);
        let rest = frame.rest_of_address(room);
        assert_eq!(rest, &ADDRESS.address[expected], "{halen} {room}");
    }
}

const DESCRIPTOR: Descriptor = Descriptor {
    sequence: 0x0102_0304_0506_0708,
    first_packet: 0x1011_1213,
    packets: 0x1415_1617,
    length: 0x1819_1a1b,
    opened: Time {
        seconds: 0x1c1d_1e1f,
        nanoseconds: 0x2021_2223,
    },
    last: Time {
        seconds: 0x2425_2627,
        nanoseconds: 0x2829_2a2b,
    },
};

#[test]
fn opened_block_has_all_but_its_end() {
    let memory = Memory::new(56)
        .store(Descriptor::IDENTITY_OFFSET, &Descriptor::IDENTITY)
        .store(Descriptor::FIELDS_OFFSET, &DESCRIPTOR.opening());
    let get = |name| memory.field(BLOCK_DESC, 0, name);

    assert_eq!((get("version"), get("offset_to_priv")), (2, 48));
    assert_eq!(memory.0[8..12], [STALE; 4], "the status stays");
    assert_eq!(get("num_pkts"), 0);
    assert_eq!(get("offset_to_first_pkt"), 0x1011_1213);
    assert_eq!(get("blk_len"), 0x1011_1213);
    assert_eq!(get("seq_num"), 0x0102_0304_0506_0708);
    assert_eq!(get("ts_first_pkt.ts_sec"), 0x1c1d_1e1f);
    assert_eq!(get("ts_first_pkt.ts_nsec"), 0x2021_2223);
    assert_eq!(memory.0[40..], [STALE; 16]);
}

#[test]
fn closed_block_says_what_is_in_it() {
    let memory = Memory::new(56).store(Descriptor::FIELDS_OFFSET, &DESCRIPTOR.closing());
    let get = |name| memory.field(BLOCK_DESC, 0, name);

    assert_eq!(memory.0[..12], [STALE; 12], "the status comes last");
    assert_eq!(get("num_pkts"), 0x1415_1617);
    assert_eq!(get("offset_to_first_pkt"), 0x1011_1213);
    assert_eq!(get("blk_len"), 0x1819_1a1b);
    assert_eq!(get("seq_num"), 0x0102_0304_0506_0708);
    assert_eq!(get("ts_first_pkt.ts_sec"), 0x1c1d_1e1f);
    assert_eq!(get("ts_first_pkt.ts_nsec"), 0x2021_2223);
    assert_eq!(get("ts_last_pkt.ts_sec"), 0x2425_2627);
    assert_eq!(get("ts_last_pkt.ts_nsec"), 0x2829_2a2b);
    assert_eq!(memory.0[48..], [STALE; 8]);

    let status = BLOCK_DESC.iter().find(|field| field.0 == "block_status");
    assert_eq!(status.unwrap().1, Descriptor::STATUS_OFFSET as usize);
}

#[test]
fn status_of_a_block_says_why_it_is_handed_over() {
    assert_eq!(Descriptor::status(false, false), 1);
    assert_eq!(Descriptor::status(true, false), 1 | 32);
    assert_eq!(Descriptor::status(false, true), 1 | 4);
    assert_eq!(Descriptor::status(true, true), 1 | 4 | 32);
}

proptest! {
    /// Reading the fields back gives what was written, for all values.
    #[test]
    fn headers_say_what_they_were_given(
        (length, kept, mac, net) in any::<(u32, u32, u16, u16)>(),
        (seconds, nanoseconds, hash, next) in any::<(u32, u32, u32, u32)>(),
        (tci, tpid, protocol, hatype) in any::<(u16, u16, u16, u16)>(),
        (ifindex, pkttype, halen) in any::<(i32, u8, u8)>(),
    ) {
        let address = Report { protocol, ifindex, hatype, pkttype, halen, ..ADDRESS };
        let frame = Frame {
            length, kept, mac, net, hash,
            time: Time { seconds, nanoseconds },
            vlan: Some(VlanTag { tci, tpid }),
            ..frame(&address)
        };
        let memories = [
            (TPACKET_HDR, 32, Memory::new(96).store(Frame::V1_OFFSET, &frame.v1())),
            (TPACKET2_HDR, 32, Memory::new(96).store(Frame::V2_OFFSET, &frame.v2())),
            (TPACKET3_HDR, 48, Memory::new(96).store(0, &frame.v3(next))),
        ];
        let values = [
            ("tp_len", length), ("tp_snaplen", kept), ("tp_mac", mac.into()),
            ("tp_net", net.into()), ("tp_sec", seconds), ("tp_nsec", nanoseconds),
            ("tp_usec", nanoseconds / 1000), ("tp_vlan_tci", tci.into()),
            ("tp_vlan_tpid", tpid.into()), ("tp_rxhash", hash), ("tp_next_offset", next),
        ];
        for (fields, base, memory) in memories {
            for (name, value) in values {
                if fields.iter().any(|field| field.0 == name) {
                    prop_assert_eq!(memory.field(fields, 0, name), u64::from(value), "{}", name);
                }
            }
            let get = |name| memory.field(SOCKADDR_LL, base, name);
            prop_assert_eq!(get("sll_protocol"), u64::from(protocol));
            prop_assert_eq!(get("sll_ifindex"), u64::from(ifindex as u32));
            prop_assert_eq!(get("sll_hatype"), u64::from(hatype));
            prop_assert_eq!(get("sll_pkttype"), u64::from(pkttype));
            prop_assert_eq!(get("sll_halen"), u64::from(halen));
        }
    }
}
