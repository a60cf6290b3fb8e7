// SPDX-License-Identifier: GPL-2.0

use crate::driver::eeprom::{is_valid_mac, probe, read, read_mac, State, Width, Wires, SIGNATURE};
use crate::model::eeprom::Memory;
use proptest::prelude::*;

/// Wires with nothing at their end.
struct Stuck(bool);

impl Wires for Stuck {
    fn drive(&mut self, _state: State) {}

    fn sense(&mut self) -> bool {
        self.0
    }
}

const CARD: [u16; 10] = [
    SIGNATURE, 0x10ec, 0x8139, 0, 0, 0, 0, 0x5452, 0x3412, 0x7856,
];

#[test]
fn tells_the_small_memory_from_the_large_one() {
    assert_eq!(probe(&mut Memory::new(6, &CARD)), Some(Width::Six));
    assert_eq!(probe(&mut Memory::new(8, &CARD)), Some(Width::Eight));
}

#[test]
fn finds_nothing_where_nothing_is() {
    assert_eq!(probe(&mut Stuck(false)), None);
    assert_eq!(probe(&mut Stuck(true)), None);
    assert_eq!(probe(&mut Memory::new(6, &[0xffff; 4])), None);
}

#[test]
fn reads_the_address_in_the_order_of_the_wire() {
    for (bits, width) in [(6, Width::Six), (8, Width::Eight)] {
        let mac = read_mac(&mut Memory::new(bits, &CARD), width);
        assert_eq!(mac, [0x52, 0x54, 0x12, 0x34, 0x56, 0x78]);
        assert!(is_valid_mac(&mac));
    }
}

#[test]
fn knows_addresses_that_no_card_has() {
    assert!(!is_valid_mac(&[0; 6]));
    assert!(!is_valid_mac(&[0xff; 6]));
    assert!(!is_valid_mac(&[0x01, 0, 0x5e, 0, 0, 1]));
    assert!(is_valid_mac(&[0, 0, 0, 0, 0, 1]));
}

proptest! {
    #[test]
    fn reads_every_word(words in proptest::collection::vec(any::<u16>(), 64), address in 0u8..64) {
        let mut memory = Memory::new(6, &words);
        prop_assert_eq!(read(&mut memory, Width::Six, address), words[usize::from(address)]);
        // The memory is left deselected, ready for the next command.
        prop_assert!(!memory.is_selected());
        prop_assert_eq!(read(&mut memory, Width::Six, 0), words[0]);
    }
}
