// SPDX-License-Identifier: GPL-2.0

//! The EEPROM of the card.

use crate::driver::eeprom::{
    State,
    Wires, //
};
use kernel::time::{
    self,
    Delta,
    Instant,
    Monotonic, //
};

/// How long the memory takes to write a word.
const WRITE_TIME: Delta = Delta::from_millis(5);

/// A 93C46 or 93C56 as its datasheet describes it.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) words: Vec<u16>,
    address_bits: u32,
    /// As QEMU's: a write is not obeyed, and the memory says for ever that it is not ready.
    read_only: bool,
    before: State,
    started: bool,
    taken: u32,
    input: u32,
    output: Option<(u16, u32)>,
    answer: bool,
    /// Writes are obeyed.
    pub(crate) enabled: bool,
    /// Since when it has been writing.
    busy: Option<Instant<Monotonic>>,
    /// How many words it was told to write.
    pub(crate) writes: usize,
}

impl Memory {
    /// A memory with addresses of so many bits, whose first words are `words`.
    pub(crate) fn new(address_bits: u32, words: &[u16]) -> Self {
        let mut all = vec![0xffff; 1 << address_bits];
        all[..words.len()].copy_from_slice(words);
        Self {
            words: all,
            address_bits,
            read_only: false,
            before: State::default(),
            started: false,
            taken: 0,
            input: 0,
            output: None,
            answer: true,
            enabled: false,
            busy: None,
            writes: 0,
        }
    }

    /// One that cannot be written.
    pub(crate) fn read_only(self) -> Self {
        Self {
            read_only: true,
            ..self
        }
    }

    /// Whether the memory waits for the rest of a command.
    pub(crate) fn is_selected(&self) -> bool {
        self.before.select
    }

    fn is_busy(&self) -> bool {
        self.busy
            .is_some_and(|since| self.read_only || since.elapsed() < WRITE_TIME)
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
        if self.taken == 0 {
            assert!(
                self.read_only || !self.is_busy(),
                "a command while it writes"
            );
            self.busy = None;
            self.answer = true;
        }
        self.input = (self.input << 1) | u32::from(data);
        self.taken += 1;
        if self.taken == 2 + self.address_bits && self.opcode() == 0b10 {
            self.output = Some((self.words[self.address()], 16));
            self.answer = false;
        }
    }

    /// The opcode of a command whose address was taken.
    fn opcode(&self) -> u32 {
        self.input >> self.address_bits
    }

    fn address(&self) -> usize {
        (self.input & ((1 << self.address_bits) - 1)) as usize
    }

    /// Does what ends with the command.
    fn execute(&mut self) {
        let command = 2 + self.address_bits;
        if self.taken == command && self.opcode() == 0b00 {
            match self.address() >> (self.address_bits - 2) {
                0b00 => self.enabled = false,
                0b11 => self.enabled = true,
                other => panic!("all of the memory: {other:#b}"),
            }
        } else if self.taken == command + 16 {
            let word = self.input as u16;
            self.input >>= 16;
            assert_eq!(self.opcode(), 0b01, "not a write");
            self.writes += 1;
            if self.enabled {
                self.busy = Some(Instant::now());
                let at = self.address();
                if !self.read_only {
                    self.words[at] = word;
                }
            }
        } else if self.taken > 0 {
            assert!(self.output.is_some(), "a command that does not end");
        }
    }
}

impl Wires for Memory {
    fn drive(&mut self, state: State) {
        if !state.select {
            self.execute();
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
        self.answer && !self.is_busy()
    }

    fn pause(&mut self) {
        time::pass(1000);
    }
}
