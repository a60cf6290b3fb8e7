// SPDX-License-Identifier: GPL-2.0

//! The EEPROM of the card.

use crate::driver::eeprom::{
    State,
    Wires, //
};

/// A 93C46 or 93C56 as its datasheet describes it.
#[derive(Clone)]
pub(crate) struct Memory {
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
    /// A memory with addresses of so many bits, whose first words are `words`.
    pub(crate) fn new(address_bits: u32, words: &[u16]) -> Self {
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

    /// Whether the memory waits for the rest of a command.
    pub(crate) fn is_selected(&self) -> bool {
        self.before.select
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
