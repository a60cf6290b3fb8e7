// SPDX-License-Identifier: GPL-2.0

use crate::driver::eeprom::{is_valid_mac, probe, read, read_mac, State, Width, Wires, SIGNATURE};
use proptest::prelude::*;

/// A 93C46 or 93C56 as its datasheet describes it.
struct Memory {
    words: Vec<u16>,
    address_bits: u32,
    before: State,
    started: bool,
    taken: u32,
    input: u32,
    output: Option<(u16, u32)>,
    answer: bool,
}

impl Memory {
    fn new(address_bits: u32, words: &[u16]) -> Self {
        let mut all = vec![0xffff; 1 << address_bits];
        all[..words.len()].copy_from_slice(words);
        Self {
            words: all,
            address_bits,
            before: State::default(),
            started: false,
            taken: 0,
            input: 0,
            output: None,
            answer: true,
        }
    }

    fn rise(&mut self, data: bool) {
        if let Some((word, left)) = &mut self.output {
            if *left > 0 {
                *left -= 1;
                self.answer = (*word >> *left) & 1 != 0;
            }
            return;
        }
        if !self.started {
            self.started = data;
            return;
        }
        self.input = (self.input << 1) | u32::from(data);
        self.taken += 1;
        if self.taken == 2 + self.address_bits {
            assert_eq!(self.input >> self.address_bits, 0b10, "not a read");
            let address = self.input & ((1 << self.address_bits) - 1);
            self.output = Some((self.words[address as usize], 16));
            self.answer = false;
        }
    }
}

impl Wires for Memory {
    fn drive(&mut self, state: State) {
        if !state.select {
            self.started = false;
            self.taken = 0;
            self.input = 0;
            self.output = None;
            self.answer = true;
        } else if state.clock && !self.before.clock {
            self.rise(state.data);
        }
        self.before = state;
    }

    fn sense(&mut self) -> bool {
        self.answer
    }
}

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
        prop_assert!(!memory.before.select);
        prop_assert_eq!(read(&mut memory, Width::Six, 0), words[0]);
    }
}
