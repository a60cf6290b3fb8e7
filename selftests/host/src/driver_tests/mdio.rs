// SPDX-License-Identifier: GPL-2.0

use crate::driver::mdio::{read, scan, write, Wires};
use proptest::prelude::*;

/// A bus with transceivers, as clause 22 describes them.
struct Bus {
    /// Address and registers of each.
    phys: Vec<(u8, [u16; 32])>,
    clock: bool,
    ones: u32,
    /// The bits of the frame so far, without its preamble.
    bits: Vec<bool>,
    /// What the transceiver that is addressed puts on the wire, or nothing.
    answer: Option<bool>,
    /// The driver has driven the wire at the same time.
    collided: bool,
}

impl Bus {
    fn new(phys: &[(u8, [u16; 32])]) -> Self {
        Self {
            phys: phys.to_vec(),
            clock: false,
            ones: 0,
            bits: Vec::new(),
            answer: None,
            collided: false,
        }
    }

    fn number(&self, from: usize, count: usize) -> usize {
        let bits = &self.bits[from..from + count];
        bits.iter()
            .fold(0, |number, &bit| (number << 1) | usize::from(bit))
    }

    fn rise(&mut self, data: Option<bool>) {
        // The wire rests at one.
        let bit = data.or(self.answer).unwrap_or(true);
        if self.bits.is_empty() && (bit || self.ones < 32) {
            self.ones = if bit { self.ones + 1 } else { 0 };
            return;
        }
        self.bits.push(bit);
        self.answer = None;
        let len = self.bits.len();
        if len < 14 {
            return;
        }
        let (start, address, register) = (
            self.number(0, 4),
            self.number(4, 5) as u8,
            self.number(9, 5),
        );
        let phy = self.phys.iter_mut().find(|(at, _)| *at == address);
        if let (0b0110, Some((_, registers))) = (start, &phy) {
            // The first bit of the turnaround belongs to nobody, the second is a zero.
            self.answer = match len {
                15 => Some(false),
                16..=31 => Some((registers[register] >> (31 - len)) & 1 != 0),
                _ => None,
            };
        }
        if len == 32 {
            if start == 0b0101 {
                assert_eq!(self.number(14, 2), 0b10, "turnaround");
                let value = self.number(16, 16) as u16;
                if let Some((_, registers)) = self.phys.iter_mut().find(|(at, _)| *at == address) {
                    registers[register] = value;
                }
            }
            self.bits.clear();
            self.ones = 0;
        }
    }
}

impl Wires for Bus {
    fn drive(&mut self, clock: bool, data: Option<bool>) {
        self.collided |= data.is_some() && self.answer.is_some();
        if clock && !self.clock {
            self.rise(data);
        }
        self.clock = clock;
    }

    fn sense(&mut self) -> bool {
        self.answer.unwrap_or(true)
    }
}

fn registers(seed: u16) -> [u16; 32] {
    std::array::from_fn(|i| seed.wrapping_mul(i as u16 + 1))
}

#[test]
fn finds_the_first_transceiver() {
    assert_eq!(
        scan(&mut Bus::new(&[(3, registers(0x1235)), (9, registers(7))])),
        Some(3)
    );
    assert_eq!(scan(&mut Bus::new(&[(31, registers(0x1235))])), Some(31));
}

#[test]
fn finds_nothing_on_an_empty_bus() {
    assert_eq!(scan(&mut Bus::new(&[])), None);
    // Addresses at which a board answers nonsense.
    assert_eq!(
        scan(&mut Bus::new(&[(4, [0; 32]), (5, [u16::MAX; 32])])),
        None
    );
}

#[test]
fn an_address_without_transceiver_is_silent() {
    let mut bus = Bus::new(&[(1, registers(3))]);
    assert_eq!(read(&mut bus, 2, 1), None);
    assert_eq!(read(&mut bus, 1, 1), Some(6));
}

#[test]
fn a_write_to_one_leaves_the_other() {
    let mut bus = Bus::new(&[(1, registers(3)), (2, registers(5))]);
    write(&mut bus, 1, 0, 0x1200);
    assert_eq!(read(&mut bus, 1, 0), Some(0x1200));
    assert_eq!(read(&mut bus, 2, 0), Some(5));
    write(&mut bus, 30, 0, 1);
    assert_eq!(read(&mut bus, 2, 0), Some(5));
}

proptest! {
    #[test]
    fn what_is_written_is_read(phy in 0u8..32, register in 0u8..32, before: u16, value: u16) {
        let mut bus = Bus::new(&[(phy, registers(before))]);
        prop_assert_eq!(read(&mut bus, phy, register), Some(registers(before)[usize::from(register)]));
        write(&mut bus, phy, register, value);
        prop_assert_eq!(read(&mut bus, phy, register), Some(value));
        prop_assert!(!bus.collided, "two have driven the wire");
    }

    #[test]
    fn a_transceiver_that_lost_its_place_finds_it_again(
        noise in proptest::collection::vec(any::<bool>(), 0..40),
    ) {
        let mut bus = Bus::new(&[(7, registers(0x4321))]);
        for bit in noise {
            bus.drive(false, Some(bit));
            bus.drive(true, Some(bit));
        }
        // A frame that noise had begun takes in at most the first frame.
        read(&mut bus, 7, 2);
        prop_assert_eq!(read(&mut bus, 7, 1), Some(registers(0x4321)[1]));
    }
}
