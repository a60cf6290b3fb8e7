// SPDX-License-Identifier: GPL-2.0

//! Tests of `struct sockaddr_ll`.

use crate::packet::address::{
    Bind,
    Destination,
    Report,
    MAX_ADDRESS,
    MAX_SIZE,
    SIZE, //
};
use crate::packet::family::Number;
use kernel::prelude::*;
use proptest::prelude::*;

fn family() -> Number {
    Number::new(25).unwrap()
}

/// Lays out a `struct sockaddr_ll` with a longer or shorter address.
fn layout(family: u16, protocol: u16, ifindex: i32, halen: u8, address: &[u8]) -> Vec<u8> {
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(protocol.to_ne_bytes());
    bytes.extend(ifindex.to_ne_bytes());
    bytes.extend(772u16.to_ne_bytes());
    bytes.extend([4, halen]);
    bytes.extend(address);
    bytes
}

#[test]
fn bind_takes_17_and_the_own_number() {
    for number in [17, 25] {
        let bytes = layout(number, 3u16.to_be(), 7, 0, &[0; 8]);
        assert_eq!(bytes.len(), SIZE);
        let expected = Bind {
            protocol: 3u16.to_be(),
            ifindex: 7,
        };
        assert_eq!(Bind::parse(&bytes, family()), Ok(expected));
    }
    for number in [0, 1, 2, 16, 18, 24, 26, u16::MAX] {
        let bytes = layout(number, 3, 7, 0, &[0; 8]);
        assert_eq!(Bind::parse(&bytes, family()), Err(EINVAL), "{number}");
    }
}

#[test]
fn bind_needs_the_whole_structure() {
    let bytes = layout(17, 3, 7, 6, &[1; 40]);
    for length in 0..bytes.len() {
        assert_eq!(
            Bind::parse(&bytes[..length], family()).is_ok(),
            length >= SIZE,
            "{length}"
        );
    }
}

#[test]
fn destination_needs_the_address_that_it_announces() {
    for halen in 0..=255 {
        for length in [0, 8, 9, 20, 32, 116] {
            let bytes = layout(17, 3, 7, halen, &vec![9; length]);
            let enough = bytes.len() >= SIZE && length >= usize::from(halen);
            assert_eq!(
                Destination::parse(&bytes).is_ok(),
                enough,
                "{halen} {length}"
            );
        }
    }
}

#[test]
fn destination_ignores_the_family() {
    for number in [0, 2, 17, 25, 99] {
        assert!(Destination::parse(&layout(number, 3, 7, 6, &[1; 8])).is_ok());
    }
}

#[test]
fn destination_is_checked_against_the_device_by_what_was_given() {
    // The length of the name counts, not what `sll_halen` says.
    let destination = Destination::parse(&layout(17, 3, 7, 0, &[5; 8])).unwrap();
    assert!(destination.check_address(6).is_ok());
    assert!(destination.check_address(8).is_ok());
    assert_eq!(destination.check_address(9), Err(EINVAL));
    assert_eq!(destination.address[..8], [5; 8]);
    assert_eq!(destination.address[8..], [0; MAX_ADDRESS - 8]);
}

fn report(halen: u8) -> Report {
    let mut address = [0; MAX_ADDRESS];
    for (index, byte) in address.iter_mut().enumerate().take(halen.into()) {
        *byte = u8::try_from(index).unwrap() + 1;
    }
    Report {
        protocol: 0x0800u16.to_be(),
        ifindex: -1,
        hatype: 772,
        pkttype: 4,
        halen,
        address,
    }
}

#[test]
fn report_says_17_and_has_the_layout_of_the_structure() {
    let bytes = report(6).encode();
    let expected = layout(17, 0x0800u16.to_be(), -1, 6, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(bytes[..18], expected);
    assert_eq!(bytes[18..], [0; MAX_SIZE - 18]);
}

#[test]
fn name_is_not_padded_and_source_is() {
    for (halen, name, source) in [
        (0, 12, 20),
        (6, 18, 20),
        (8, 20, 20),
        (20, 32, 32),
        (32, 44, 44),
    ] {
        assert_eq!(report(halen).name_length(), name);
        assert_eq!(report(halen).source_length(), source);
    }
    // No device has addresses that are longer; a report never gets longer either.
    assert_eq!(report(255).source_length(), MAX_SIZE);
}

proptest! {
    #[test]
    fn hostile_addresses_are_refused_or_read_exactly(
        bytes in prop::collection::vec(any::<u8>(), 0..=128),
    ) {
        if let Ok(bind) = Bind::parse(&bytes, family()) {
            prop_assert!(bytes.len() >= SIZE);
            prop_assert_eq!(&bind.protocol.to_ne_bytes(), &bytes[2..4]);
            prop_assert_eq!(&bind.ifindex.to_ne_bytes(), &bytes[4..8]);
        }
        if let Ok(destination) = Destination::parse(&bytes) {
            let given = &bytes[12..];
            prop_assert!(given.len() >= usize::from(bytes[11]));
            for (index, byte) in destination.address.iter().enumerate() {
                prop_assert_eq!(*byte, given.get(index).copied().unwrap_or(0));
            }
            prop_assert!(destination.check_address(given.len()).is_ok());
            prop_assert!(destination.check_address(given.len() + 1).is_err());
        }
    }
}
