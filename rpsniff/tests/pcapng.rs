// SPDX-License-Identifier: GPL-2.0

//! Files that are written are read the same by two other implementations: pcap-parser, which is
//! Rust, and libpcap, which tcpdump uses.

#![allow(missing_docs)]

use std::{fs, path::Path};

use pcap_parser::{
    parse_pcapng, Block, InterfaceDescriptionBlock, InterfaceStatisticsBlock, OptionCode,
    PcapNGOption,
};
use proptest::prelude::*;
use rpsniff::{
    file::Reader,
    frame::{Frame, PacketType, Timestamp},
    link::Link,
    pcapng::{Interface, Writer},
    stats::{Counters, Report},
};

mod common;

/// A packet that is written, or was read back.
#[derive(Clone, Debug, PartialEq)]
struct Packet {
    time: Timestamp,
    wire_len: u32,
    data: Vec<u8>,
}

fn interface() -> Interface {
    Interface {
        link: Link::Ethernet,
        snaplen: 1234,
        name: Some("veth0".to_owned()),
        filter: Some("udp port 53".to_owned()),
    }
}

fn write(packets: &[Packet], kinds: &[PacketType], report: Option<&Report>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, &interface()).unwrap();
    for (index, packet) in packets.iter().enumerate() {
        writer
            .packet(&Frame {
                time: packet.time,
                wire_len: packet.wire_len,
                data: &packet.data,
                packet_type: kinds.get(index).copied(),
            })
            .unwrap();
    }
    writer.finish(report).unwrap();
    file
}

fn packets() -> Vec<Packet> {
    common::corpus()
        .into_iter()
        .enumerate()
        .map(|(index, data)| Packet {
            time: Timestamp {
                seconds: 1_700_000_000 + index as i64,
                nanoseconds: 999_999_999 - index as u32,
            },
            wire_len: data.len() as u32 + index as u32 % 3,
            data,
        })
        .collect()
}

fn report() -> Report {
    Report {
        captured: 7,
        counters: Counters {
            received: 5_000_000_009,
            dropped: 2,
        },
    }
}

fn blocks(file: &[u8]) -> Vec<Block<'_>> {
    let (rest, capture) = parse_pcapng(file).expect("well formed");
    assert!(rest.is_empty());
    capture
        .sections
        .into_iter()
        .flat_map(|section| section.blocks)
        .collect()
}

fn option<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a [u8]> {
    options
        .iter()
        .find(|option| option.code == OptionCode(code))
        .and_then(|option| option.as_bytes().ok())
}

fn number(options: &[PcapNGOption<'_>], code: u16) -> u64 {
    u64::from_le_bytes(
        option(options, code)
            .expect("an option")
            .try_into()
            .unwrap(),
    )
}

/// A time stamp outside of packets: the high half first, in any byte order.
fn stamp(bytes: &[u8]) -> u64 {
    let half = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    (half(0) << 32) | half(4)
}

fn nanoseconds(time: Timestamp) -> u64 {
    time.seconds as u64 * 1_000_000_000 + u64::from(time.nanoseconds)
}

#[test]
fn the_interface_is_described() {
    let file = write(&[], &[], None);
    let blocks = blocks(&file);
    let [Block::SectionHeader(section), Block::InterfaceDescription(description)] = &blocks[..]
    else {
        panic!("{} blocks", blocks.len());
    };
    assert!(option(&section.options, 4)
        .unwrap()
        .starts_with(b"rpsniff "));
    let InterfaceDescriptionBlock {
        linktype,
        snaplen,
        options,
        if_tsresol,
        ..
    } = description;
    assert_eq!((linktype.0, *snaplen, *if_tsresol), (1, 1234, 9));
    assert_eq!(option(options, 2), Some(&b"veth0"[..]));
    assert_eq!(option(options, 11), Some(&b"\0udp port 53"[..]));
}

#[test]
fn packets_keep_their_order_bytes_lengths_and_nanoseconds() {
    let packets = packets();
    let kinds = [
        PacketType::Host,
        PacketType::Broadcast,
        PacketType::Multicast,
        PacketType::OtherHost,
        PacketType::Outgoing,
        PacketType::Other(9),
    ];
    let file = write(&packets, &kinds, None);
    let blocks = blocks(&file);
    // Direction and reception type, as `epb_flags` numbers them.
    let expected = [
        Some(0b101),
        Some(0b1101),
        Some(0b1001),
        Some(0b10001),
        Some(2),
        None,
        None,
    ];
    let mut read = Vec::new();
    for block in &blocks[2..] {
        let Block::EnhancedPacket(packet) = block else {
            panic!("{block:?}");
        };
        if let Some(expected) = expected.get(read.len()) {
            let flags = option(&packet.options, 2)
                .map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
            assert_eq!(flags, *expected);
        }
        let time = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
        read.push(Packet {
            time: Timestamp {
                seconds: (time / 1_000_000_000) as i64,
                nanoseconds: (time % 1_000_000_000) as u32,
            },
            wire_len: packet.origlen,
            data: packet.data[..packet.caplen as usize].to_vec(),
        });
    }
    assert_eq!(read, packets);
}

#[test]
fn the_statistics_are_at_the_end() {
    let packets = packets();
    let file = write(&packets, &[], Some(&report()));
    let blocks = blocks(&file);
    let Some(Block::InterfaceStatistics(InterfaceStatisticsBlock {
        if_id,
        ts_high,
        ts_low,
        options,
        ..
    })) = blocks.last()
    else {
        panic!("{:?}", blocks.last());
    };
    let first = nanoseconds(packets[0].time);
    let last = nanoseconds(packets[packets.len() - 1].time);
    assert_eq!(*if_id, 0);
    assert_eq!((u64::from(*ts_high) << 32) | u64::from(*ts_low), last);
    assert_eq!(stamp(option(options, 2).unwrap()), first);
    assert_eq!(stamp(option(options, 3).unwrap()), last);
    let numbers: Vec<u64> = (4..=8).map(|code| number(options, code)).collect();
    assert_eq!(numbers, [5_000_000_009, 0, 5_000_000_009, 2, 7]);
}

fn read_back(path: &Path, expression: &str) -> Vec<Packet> {
    let mut reader = Reader::open(path.to_str().unwrap(), expression, true).unwrap();
    assert_eq!(reader.link(), Link::Ethernet);
    let mut packets = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        packets.push(Packet {
            time: frame.time,
            wire_len: frame.wire_len,
            data: frame.data.to_vec(),
        });
    }
    packets
}

#[test]
fn libpcap_reads_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.pcapng");
    let packets = packets();
    fs::write(&path, write(&packets, &[], Some(&report()))).unwrap();
    assert_eq!(read_back(&path, ""), packets);
    let arp: Vec<Packet> = packets
        .into_iter()
        .filter(|packet| packet.data.get(12..14) == Some(&[8, 6]))
        .collect();
    assert!(!arp.is_empty());
    assert_eq!(read_back(&path, "arp"), arp);
}

#[test]
fn a_file_that_ends_inside_a_packet_is_an_error_after_what_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.pcapng");
    let file = write(&packets(), &[], None);
    fs::write(&path, &file[..file.len() - 10]).unwrap();
    let mut reader = Reader::open(path.to_str().unwrap(), "", true).unwrap();
    let mut whole = 0;
    let error = loop {
        match reader.next_frame() {
            Ok(Some(_)) => whole += 1,
            Ok(None) => panic!("no error"),
            Err(error) => break error,
        }
    };
    assert_eq!(whole, packets().len() - 1);
    assert!(error.to_string().contains("truncated"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_packets_are_read_back(
        packets in prop::collection::vec(
            (0i64..9_000_000_000, 0u32..1_000_000_000, prop::collection::vec(any::<u8>(), 1..90), 0u32..9)
                .prop_map(|(seconds, nanoseconds, data, more)| Packet {
                    time: Timestamp { seconds, nanoseconds },
                    wire_len: data.len() as u32 + more,
                    data,
                }),
            0..20,
        ),
    ) {
        let file = write(&packets, &[], Some(&report()));
        let blocks = blocks(&file);
        prop_assert_eq!(blocks.len(), packets.len() + 3);
        for (block, packet) in blocks[2..].iter().zip(&packets) {
            let Block::EnhancedPacket(read) = block else { panic!("{block:?}") };
            prop_assert_eq!(&read.data[..read.caplen as usize], &packet.data[..]);
            let time = (u64::from(read.ts_high) << 32) | u64::from(read.ts_low);
            prop_assert_eq!(time, nanoseconds(packet.time));
        }
    }
}
