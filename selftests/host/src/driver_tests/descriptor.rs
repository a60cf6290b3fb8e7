// SPDX-License-Identifier: GPL-2.0

use crate::driver::descriptor::{
    insert_tag, receive_command, received_tag, send_command, Contents, RxStatus, Table, TxStatus,
    Work, MAX_DESCRIPTORS, MAX_SEGMENT, NO_EXTRA,
};
use crate::ext::registers::Space;
use crate::model::config::Config;
use kernel::{device::Bound, dma::Bus, pci, prelude::*};
use proptest::prelude::*;
use std::num::NonZeroU16;

const OWN: u32 = 1 << 31;
const END_OF_RING: u32 = 1 << 30;
const FIRST: u32 = 1 << 29;
const LAST: u32 = 1 << 28;

const ANY: Contents = Contents {
    command: 0x5f0,
    extra: 0x0102_0304,
    address: 0x1234_5678_9abc_def0,
};

fn device(bus: &Bus) -> pci::Device<Bound> {
    pci::Device::new(bus.clone(), Box::new(Config::new(Space::Memory)))
}

/// A word of a descriptor, as the chip sees it.
fn word(bus: &Bus, table: &Table, at: u16, word: u32) -> u32 {
    let address = table.address() as u32 + u32::from(at) * 16 + word * 4;
    let bytes = bus.device_reads(address, 4);
    u32::from_le_bytes(bytes.try_into().unwrap())
}

/// The chip writes the first word.
fn write_back(bus: &Bus, table: &Table, at: u16, value: u32) {
    let address = table.address() as u32 + u32::from(at) * 16;
    bus.device_writes(address, &value.to_le_bytes());
}

#[test]
fn the_last_descriptor_of_each_ring_ends_it() {
    for len in 1..=MAX_DESCRIPTORS {
        let bus = Bus::new();
        let device = device(&bus);
        let mut table = Table::new(device.as_ref(), len).unwrap();
        assert_eq!((table.len(), table.address() % 256), (len, 0));
        let all: Vec<_> = table.reclaim().collect();
        assert_eq!(all.len(), len.into());
        for mine in all {
            table.give(mine, ANY);
        }
        for at in 0..len {
            let end = if at == len - 1 { END_OF_RING } else { 0 };
            assert_eq!(word(&bus, &table, at, 0), OWN | end | ANY.command);
        }
        assert_eq!(bus.strays(), [""; 0]);
    }
}

#[test]
fn a_ring_has_one_descriptor_at_least_and_64_at_most() {
    let bus = Bus::new();
    let device = device(&bus);
    for len in [0, 65, u16::MAX] {
        assert_eq!(Table::new(device.as_ref(), len).err(), Some(EINVAL));
    }
    kernel::alloc::exhaust(true);
    assert_eq!(Table::new(device.as_ref(), 1).err(), Some(ENOMEM));
    kernel::alloc::exhaust(false);
    assert_eq!(bus.pieces(), 0);
}

/// The descriptor is the chip's from there until it clears OWN.
#[test]
fn what_was_given_is_taken_when_the_chip_is_done() {
    for len in [1, 2, 5, 64] {
        let bus = Bus::new();
        let device = device(&bus);
        let mut table = Table::new(device.as_ref(), len).unwrap();
        for at in 0..len {
            // Memory is zeroed, so at first all are the driver's.
            let (mine, status) = table.take(at).expect("it is not the chip's");
            assert_eq!(status, 0);
            table.give(mine, ANY);
            assert!(table.take(at).is_none());
            assert_eq!(word(&bus, &table, at, 1), 0x0102_0304);
            assert_eq!(word(&bus, &table, at, 2), 0x9abc_def0);
            assert_eq!(word(&bus, &table, at, 3), 0x1234_5678);
            write_back(&bus, &table, at, 0x3000_0040);
            let (mine, status) = table.take(at).expect("the chip is done");
            assert_eq!((status, table.extra(&mine)), (0x3000_0040, 0x0102_0304));
            table.give(mine, ANY);
        }
        // A chip that is started anew finds none.
        table.clear();
        assert!((0..len).all(|at| word(&bus, &table, at, 0) & OWN == 0));
        // What is beside the ring is never the driver's.
        assert!(table.take(len).is_none());
    }
}

#[test]
fn places_are_in_turn_at_every_length() {
    for len in 1..=MAX_DESCRIPTORS {
        let bus = Bus::new();
        let device = device(&bus);
        let table = Table::new(device.as_ref(), len).unwrap();
        for at in 0..len {
            for n in 0..=len {
                assert_eq!(table.ahead(at, n), (at + n) % len);
            }
        }
    }
}

/// Thirteen bits, in units of eight bytes.
#[test]
fn a_buffer_is_never_said_to_be_longer_than_it_is() {
    for len in 0..0x4000 {
        let command = receive_command(len);
        assert!(command <= len && command <= 0x1ff8);
        assert_eq!(command % 8, 0);
        assert!(command + 8 > len.min(0x1fff));
    }
}

#[test]
fn a_status_is_decoded_bit_by_bit() {
    let whole = RxStatus::new(FIRST | LAST | 0x1fff);
    assert!(whole.is_whole() && !whole.is_bad());
    assert_eq!(whole.len(), 0x1fff);
    for part in [0, FIRST, LAST] {
        assert!(!RxStatus::new(part).is_whole());
    }
    type Bit = fn(RxStatus) -> bool;
    let receive: [(u32, Bit); 4] = [
        (18, RxStatus::is_crc_error),
        (19, RxStatus::is_runt),
        (21, RxStatus::is_too_long),
        (27, RxStatus::is_frame_error),
    ];
    type TxBit = fn(TxStatus) -> bool;
    let transmit: [(u32, TxBit); 4] = [
        (20, TxStatus::is_aborted),
        (21, TxStatus::has_no_link),
        (22, TxStatus::is_out_of_window),
        (25, TxStatus::is_underrun),
    ];
    for bit in 0..32 {
        let word = 1u32 << bit;
        for (own, question) in receive {
            assert_eq!(question(RxStatus::new(word)), bit == own, "bit {bit}");
        }
        for (own, question) in transmit {
            assert_eq!(question(TxStatus::new(word)), bit == own, "bit {bit}");
        }
    }
    // The summaries, and what they do not say.
    for bit in 0..32 {
        let word = 1u32 << bit;
        assert_eq!(
            RxStatus::new(word).is_bad(),
            [20, 22].contains(&bit),
            "bit {bit}"
        );
        assert_eq!(
            TxStatus::new(word).is_bad(),
            [23, 25].contains(&bit),
            "bit {bit}"
        );
    }
    assert_eq!(TxStatus::new(0x000a_0000).collisions(), 10);
    assert_eq!(TxStatus::new(!0x000f_0000).collisions(), 0);
}

/// Of IP alone nothing follows for what is in it.
#[test]
fn a_checksum_is_good_only_where_the_chip_has_looked() {
    const BAD_TCP: u32 = 1 << 13;
    const BAD_UDP: u32 = 1 << 14;
    const BAD_IP: u32 = 1 << 15;
    for protocol in 0..4u32 {
        for bad in (0..8).map(|bits| bits << 13) {
            let good = match protocol {
                1 => bad & (BAD_TCP | BAD_IP) == 0,
                2 => bad & (BAD_UDP | BAD_IP) == 0,
                _ => false,
            };
            let status = RxStatus::new((protocol << 16) | bad);
            assert_eq!(status.has_good_checksum(), good, "{protocol} {bad:#x}");
        }
    }
}

#[test]
fn the_work_is_encoded() {
    assert_eq!(Work::None.bits(), 0);
    assert_eq!(Work::Tcp.bits(), 0x0005_0000);
    let segments = |len| Work::Segments(NonZeroU16::new(len).unwrap()).bits();
    assert_eq!(segments(1), 0x0801_0000);
    assert_eq!(segments(1448), 0x0da8_0000);
    assert_eq!(segments(MAX_SEGMENT), 0x0fff_0000);
    // A longer one does not reach into other bits.
    assert_eq!(segments(u16::MAX), 0x0fff_0000);
}

proptest! {
    /// A tag goes in the order of the wire, so both ways swap it.
    #[test]
    fn a_tag_survives(tag: u16) {
        prop_assert_eq!(insert_tag(Some(tag)), (1 << 17) | u32::from(tag.swap_bytes()));
        // A chip writes zeros in the upper half, QEMU leaves what was there.
        for upper in [0, 0xfffe_0000] {
            let extra = upper | (1 << 16) | u32::from(tag.swap_bytes());
            // All ones is what was not written: the VLAN 4095 is none.
            prop_assert_eq!(received_tag(extra), (extra != NO_EXTRA).then_some(tag));
            prop_assert_eq!(received_tag(extra & !(1 << 16)), None);
        }
    }

    #[test]
    fn the_pieces_of_a_frame_are_marked(len in 1u32..0x10000, pieces in 1usize..20) {
        for piece in 0..pieces {
            let command = send_command(Work::Tcp, piece, pieces, len);
            prop_assert_eq!(command & 0xffff, len);
            prop_assert_eq!(command & FIRST != 0, piece == 0);
            prop_assert_eq!(command & LAST != 0, piece == pieces - 1);
            prop_assert_eq!(command & 0x0fff_0000, Work::Tcp.bits());
            prop_assert_eq!(command & (OWN | END_OF_RING), 0);
        }
    }
}

#[test]
fn no_tag_is_none() {
    assert_eq!(insert_tag(None), 0);
    assert_eq!(received_tag(NO_EXTRA), None);
    assert_eq!(received_tag(0), None);
}
