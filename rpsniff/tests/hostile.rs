// SPDX-License-Identifier: GPL-2.0

//! No bytes, however hostile, make the program panic, hang or write without bound.

#![allow(missing_docs)]

use proptest::prelude::*;
use rpsniff::{
    frame::{Frame, Timestamp},
    link::Link,
    print::{clock::Format, Printer, Style},
    source::message::{insert_tag, Info, Tag},
};

mod common;

const LINKS: [Link; 9] = [
    Link::Ethernet,
    Link::Raw,
    Link::Ipv4,
    Link::Ipv6,
    Link::LinuxSll,
    Link::LinuxSll2,
    Link::Null,
    Link::Loop,
    Link::Other(147),
];

fn styles() -> Vec<Style> {
    let mut styles = Vec::new();
    for verbose in 0..4 {
        for quiet in 0..3 {
            styles.push(Style {
                verbose,
                quiet,
                ether: verbose % 2 == 0,
                time: Format::from_count(verbose + quiet),
                hex: quiet,
                hex_ascii: verbose,
                ascii: u8::from(verbose == 0),
                number: quiet == 1,
                nanoseconds: quiet == 2,
                ..Style::default()
            });
        }
    }
    styles
}

fn print_all(data: &[u8], wire_len: u32, time: Timestamp) {
    for link in LINKS {
        for style in styles() {
            let mut out = String::new();
            let frame = Frame {
                time,
                wire_len,
                data,
                packet_type: None,
            };
            Printer::new(style).print(link, &frame, &mut out);
            assert!(out.ends_with('\n'));
            // A line in hex and one of text for each 16 bytes, and what is decoded: names in DNS
            // repeat, but only backwards.
            assert!(out.len() < 4096 + data.len() * 2048, "{}", out.len());
        }
    }
}

fn time() -> impl Strategy<Value = Timestamp> {
    (any::<i64>(), 0u32..1_000_000_000).prop_map(|(seconds, nanoseconds)| Timestamp {
        seconds,
        nanoseconds,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn noise_is_printed(
        data in prop::collection::vec(any::<u8>(), 0..200),
        more in 0u32..70_000,
        time in time(),
    ) {
        print_all(&data, data.len() as u32 + more, time);
    }

    #[test]
    fn damaged_packets_are_printed(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
        more in prop::sample::select(vec![0u32, 1, 4, 1500]),
    ) {
        let corpus = [common::corpus(), common::summary_frames()].concat();
        let mut frame = which.get(&corpus).clone();
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let length = frame.len() as u32;
        frame.truncate(keep.index(frame.len()) + 1);
        print_all(&frame, length + more, Timestamp::default());
        // The same bytes behind no header, and behind a cooked one.
        print_all(frame.get(14..).unwrap_or(&frame), length, Timestamp::default());
        print_all(&[&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &frame[..]]
            .concat(), length + 20, Timestamp::default());
    }

    #[test]
    fn any_lengths_of_a_record_are_printed(
        data in prop::collection::vec(any::<u8>(), 0..60),
        wire_len in any::<u32>(),
    ) {
        print_all(&data, wire_len, Timestamp::default());
    }

    #[test]
    fn any_control_messages_are_read(
        mut control in prop::collection::vec(any::<u64>(), 0..32),
        cut in 0usize..8,
        small in any::<bool>(),
    ) {
        if small {
            // Lengths that are likely to be taken for right.
            control.iter_mut().step_by(2).for_each(|word| *word %= 64);
        }
        let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Info::parse(&bytes[..bytes.len().saturating_sub(cut)]);
    }

    #[test]
    fn tags_are_inserted_into_frames_of_any_length(
        data in prop::collection::vec(any::<u8>(), 0..40),
        start in 0usize..50,
        tpid in any::<u16>(),
        tci in any::<u16>(),
    ) {
        let mut buffer = data.clone();
        let (begin, grown) = insert_tag(&mut buffer, start, Tag { tpid, tci });
        if grown == 0 {
            prop_assert_eq!(begin, start);
            prop_assert_eq!(&buffer, &data);
        } else {
            prop_assert_eq!(begin + 4, start);
            prop_assert_eq!(&buffer[begin..begin + 12], &data[start..start + 12]);
            let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
            prop_assert_eq!(&buffer[begin + 12..begin + 16], &tag[..]);
            prop_assert_eq!(&buffer[start + 12..], &data[start + 12..]);
        }
    }
}

#[test]
fn each_packet_is_printed_when_cut_anywhere() {
    for frame in common::corpus() {
        for keep in 0..=frame.len() {
            let mut out = String::new();
            for style in [Style::default(), styles()[10]] {
                Printer::new(style).print(
                    Link::Ethernet,
                    &Frame {
                        time: Timestamp::default(),
                        wire_len: frame.len() as u32,
                        data: &frame[..keep],
                        packet_type: None,
                    },
                    &mut out,
                );
            }
        }
    }
}
