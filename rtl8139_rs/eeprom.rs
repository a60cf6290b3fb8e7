// SPDX-License-Identifier: GPL-2.0

//! The serial EEPROM that holds the card's address.
//!
//! A 93C46 (64 words) or a 93C56 (256 words) hangs on four wires that the chip shows in one
//! register. A read is a start bit, the opcode `10` and the address, most significant bit first;
//! then the memory answers with a zero and 16 bits, most significant bit first. The address has six
//! bits in the small one and eight in the large one, and nothing says which it is: word 0 is a
//! signature, so a read with eight bits that finds it tells.
//!
//! Source: datasheets of the 93C46 and 93C56; RTL8139C(L) datasheet, section "93C46 (93C56)
//! commands and contents".

#![forbid(unsafe_code)]

/// Word 0 of a programmed EEPROM.
pub(crate) const SIGNATURE: u16 = 0x8129;

/// The first of the three words that hold the address of the card.
const MAC_WORD: u8 = 7;

/// The opcode of a read, with the start bit in front.
const READ: u32 = 0b110;
/// Number of bits of the opcode with its start bit.
const READ_BITS: u32 = 3;

/// The wires between the chip and its EEPROM.
pub(crate) trait Wires {
    /// Drives the wires to the memory, and holds them for at least half a clock cycle.
    fn drive(&mut self, state: State);

    /// What the memory answers.
    fn sense(&mut self) -> bool;
}

/// The wires that the driver drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Chip select: a command runs while it is set.
    pub(crate) select: bool,
    /// The clock; data is taken when it rises.
    pub(crate) clock: bool,
    /// Data to the memory.
    pub(crate) data: bool,
}

/// How many bits an address has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// A 93C46.
    Six,
    /// A 93C56.
    Eight,
}

impl Width {
    fn bits(self) -> u32 {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }
}

/// Shifts out the lowest `count` bits of `word`.
fn shift_out<W: Wires>(wires: &mut W, word: u32, count: u32) {
    for i in (0..count).rev() {
        let idle = State {
            select: true,
            clock: false,
            data: word.wrapping_shr(i) & 1 != 0,
        };
        wires.drive(idle);
        wires.drive(State {
            clock: true,
            ..idle
        });
    }
}

/// Reads the word at `address`.
pub(crate) fn read<W: Wires>(wires: &mut W, width: Width, address: u8) -> u16 {
    let idle = State {
        select: true,
        ..State::default()
    };
    wires.drive(State::default());
    wires.drive(idle);

    let command = (READ << width.bits()) | u32::from(address);
    shift_out(wires, command, READ_BITS.wrapping_add(width.bits()));
    wires.drive(idle);

    let mut word = 0u16;
    for _ in 0..u16::BITS {
        wires.drive(State {
            clock: true,
            ..idle
        });
        word = word.wrapping_shl(1) | u16::from(wires.sense());
        wires.drive(idle);
    }
    wires.drive(State::default());
    word
}

/// Finds out which memory it is; `None` if neither reading shows the signature.
pub(crate) fn probe<W: Wires>(wires: &mut W) -> Option<Width> {
    [Width::Eight, Width::Six]
        .into_iter()
        .find(|&width| read(wires, width, 0) == SIGNATURE)
}

/// Reads the address of the card. It may be nonsense: see [`is_valid_mac`].
pub(crate) fn read_mac<W: Wires>(wires: &mut W, width: Width) -> [u8; 6] {
    let mut word = |i: u8| read(wires, width, MAC_WORD.wrapping_add(i)).to_le_bytes();
    let ([a, b], [c, d], [e, f]) = (word(0), word(1), word(2));
    [a, b, c, d, e, f]
}

/// Whether an interface may have this address: not zero and not a group address
/// (`is_valid_ether_addr()`).
pub(crate) fn is_valid_mac(mac: &[u8; 6]) -> bool {
    let [first, ..] = mac;
    first & 1 == 0 && mac.iter().any(|&byte| byte != 0)
}
