// SPDX-License-Identifier: GPL-2.0

use crate::driver::rx_filter::{hash, Filter};
use proptest::prelude::*;

/// CRC-32 of IEEE 802.3 in its usual, reflected form; the hash is defined by the other one.
fn crc32_reflected(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 != 0 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn hashes_known_groups() {
    // All hosts, the IPv6 all nodes group, mDNS and broadcast; computed with zlib.
    for (address, bit) in [
        ([0x01, 0x00, 0x5e, 0x00, 0x00, 0x01], 31),
        ([0x33, 0x33, 0x00, 0x00, 0x00, 0x01], 62),
        ([0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb], 15),
        ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 63),
    ] {
        assert_eq!(hash(&address), bit);
    }
}

#[test]
fn a_station_hears_no_multicast() {
    assert_eq!(Filter::station().words(), (0, 0));
    assert!(!Filter::station().multicast && !Filter::station().promiscuous);
}

#[test]
fn all_multicast_is_not_promiscuous() {
    let filter = Filter::station().all_multicast();
    assert!(filter.multicast && !filter.promiscuous);
    assert_eq!(filter.words(), (u32::MAX, u32::MAX));
    assert!(filter.promiscuous().promiscuous && filter.promiscuous().multicast);
}

#[test]
fn too_many_groups_are_all_multicast() {
    let groups: Vec<[u8; 6]> = (0..33).map(|last| [1, 0, 0x5e, 0, 0, last]).collect();
    let most = Filter::station().groups(groups[..32].iter());
    let table = groups[..32]
        .iter()
        .fold(0, |table, group| table | (1 << hash(group)));
    assert_eq!((most.multicast, most.table), (true, table));
    assert_ne!(table, u64::MAX);
    assert_eq!(
        Filter::station().groups(groups.iter()),
        Filter::station().all_multicast()
    );
    assert_eq!(Filter::station().groups([].iter()), Filter::station());
}

#[test]
fn damaged_frames_are_beside_all_else() {
    let filter = Filter::station().promiscuous().errors(true);
    assert!(filter.errors && filter.promiscuous);
    assert_eq!(filter.errors(false), Filter::station().promiscuous());
}

proptest! {
    #[test]
    fn hash_is_the_upper_bits_of_the_reversed_crc(address: [u8; 6]) {
        prop_assert_eq!(hash(&address), crc32_reflected(&address).reverse_bits() >> 26);
    }

    #[test]
    fn a_group_sets_its_bit_and_no_other(groups: Vec<[u8; 6]>) {
        let filter = groups.iter().fold(Filter::station(), |filter, group| filter.group(group));
        let wanted = groups.iter().fold(0u64, |table, group| table | (1 << hash(group)));
        prop_assert_eq!(filter.table, wanted);
        prop_assert_eq!(filter.multicast, !groups.is_empty());
        let (low, high) = filter.words();
        prop_assert_eq!(u64::from(low) | (u64::from(high) << 32), wanted);
    }
}
