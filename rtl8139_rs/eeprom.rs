// SPDX-License-Identifier: GPL-2.0

//! The serial EEPROM that holds the card's address.
//!
//! A 93C46 (64 words) or a 93C56 (128 words) hangs on four wires that the chip shows in one
//! register. A read is a start bit, the opcode `10` and the address, most significant bit first;
//! then the memory answers with a zero and 16 bits, most significant bit first. The address has six
//! bits in the small one and eight in the large one, and nothing says which it is: word 0 is a
//! signature, so a read with eight bits that finds it tells.
//!
//! A write is a start bit, the opcode `01`, the address and 16 bits. It begins when the memory is
//! deselected, which takes some milliseconds; selected again, the memory answers with a one when it is
//! ready. It ignores a write that was not enabled by a command of its own before.
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
/// That of a write.
const WRITE: u32 = 0b101;
/// That of what has no address: the two upper bits of the address say what.
const OTHER: u32 = 0b100;
/// Number of bits of the opcode with its start bit.
const OPCODE_BITS: u32 = 3;

/// Writes are ignored from here on.
const DISABLE_WRITES: u32 = 0b00;
/// Writes are obeyed from here on.
const ENABLE_WRITES: u32 = 0b11;

/// How many words the large memory has.
const MAX_WORDS: usize = 128;

/// How often [`Wires::pause`] is called at most for one write: twice what the datasheets allow.
const MAX_PAUSES: usize = 20;

/// The wires between the chip and its EEPROM.
pub(crate) trait Wires {
    /// Drives the wires to the memory, and holds them for at least half a clock cycle.
    fn drive(&mut self, state: State);

    /// What the memory answers.
    fn sense(&mut self) -> bool;

    /// Lets about a millisecond go by. The task may sleep.
    fn pause(&mut self);
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
    /// A 93C56, which ignores the first.
    Eight,
}

impl Width {
    fn bits(self) -> u32 {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }

    /// How many words the memory has.
    const fn words(self) -> usize {
        match self {
            Self::Six => 64,
            Self::Eight => MAX_WORDS,
        }
    }

    /// The same in bytes.
    pub(crate) fn len(self) -> usize {
        self.words().saturating_mul(2)
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

/// The memory is selected, and nothing happens.
const IDLE: State = State {
    select: true,
    clock: false,
    data: false,
};

/// Selects the memory and gives it a command, of which it may want more.
fn command<W: Wires>(wires: &mut W, width: Width, opcode: u32, address: u32) {
    wires.drive(State::default());
    wires.drive(IDLE);
    let command = (opcode << width.bits()) | address;
    shift_out(wires, command, OPCODE_BITS.wrapping_add(width.bits()));
    wires.drive(IDLE);
}

/// Reads the word at `address`.
pub(crate) fn read<W: Wires>(wires: &mut W, width: Width, address: u8) -> u16 {
    command(wires, width, READ, address.into());
    let mut word = 0u16;
    for _ in 0..u16::BITS {
        wires.drive(State {
            clock: true,
            ..IDLE
        });
        word = word.wrapping_shl(1) | u16::from(wires.sense());
        wires.drive(IDLE);
    }
    wires.drive(State::default());
    word
}

/// Has the memory obey writes, or ignore them, as it does when it gets power.
fn allow_writes<W: Wires>(wires: &mut W, width: Width, allow: bool) {
    let what = if allow { ENABLE_WRITES } else { DISABLE_WRITES };
    command(wires, width, OTHER, what << width.bits().saturating_sub(2));
    wires.drive(State::default());
}

/// Writes `word` at `address`, and waits until the memory is ready or should be. Whether it has taken
/// the word, only reading it tells.
fn write<W: Wires>(wires: &mut W, width: Width, address: u8, word: u16) {
    command(wires, width, WRITE, address.into());
    shift_out(wires, word.into(), u16::BITS);
    // It begins now.
    wires.drive(State::default());
    wires.drive(IDLE);
    for _ in 0..MAX_PAUSES {
        if wires.sense() {
            break;
        }
        wires.pause();
    }
    wires.drive(State::default());
}

/// Why nothing, or not all, was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// The memory has not taken a word.
    Refused,
    /// Nobody would know the memory again without its signature: neither the chip nor this driver.
    Signature,
}

/// The word at `address`, which is `word` now, after `data` was written from byte `offset` on.
fn with_bytes(word: u16, address: u8, offset: usize, data: &[u8]) -> u16 {
    let mut bytes = word.to_le_bytes();
    for (byte, at) in bytes
        .iter_mut()
        .zip(usize::from(address).saturating_mul(2)..)
    {
        let new = at.checked_sub(offset).and_then(|at| data.get(at));
        *byte = new.copied().unwrap_or(*byte);
    }
    u16::from_le_bytes(bytes)
}

/// What is in the memory, as it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    width: Width,
    words: [u16; MAX_WORDS],
}

impl Contents {
    /// Reads all of a memory that [`probe`] has found. `None` if it does not answer any more.
    ///
    /// It takes 54 changes of the wires for each word of the small memory, 58 for each of the large one.
    pub(crate) fn read<W: Wires>(wires: &mut W, width: Width) -> Option<Self> {
        let answers = |wires: &mut W| read(wires, width, 0) == SIGNATURE;
        if !answers(wires) {
            return None;
        }
        let mut words = [0; MAX_WORDS];
        for (word, address) in words.iter_mut().take(width.words()).zip(0..) {
            *word = read(wires, width, address);
        }
        answers(wires).then_some(Self { width, words })
    }

    /// Copies the bytes from `offset` on to `data`. A word has its lower byte first.
    pub(crate) fn copy_to(&self, offset: usize, data: &mut [u8]) {
        let words = self.words.iter().take(self.width.words());
        let bytes = words.flat_map(|word| word.to_le_bytes());
        for (to, from) in data.iter_mut().zip(bytes.skip(offset)) {
            *to = from;
        }
    }

    /// Writes `data` to the memory from byte `offset` on, reads what it has written, and keeps that.
    ///
    /// A word that is as it shall be is not written: that would only wear it out. The first that the
    /// memory does not take ends it, so that it does not take long.
    pub(crate) fn write<W: Wires>(
        &mut self,
        wires: &mut W,
        offset: usize,
        data: &[u8],
    ) -> Result<(), NotWritten> {
        let width = self.width;
        if with_bytes(SIGNATURE, 0, offset, data) != SIGNATURE {
            return Err(NotWritten::Signature);
        }
        allow_writes(wires, width, true);
        let result = self
            .words
            .iter_mut()
            .take(width.words())
            .zip(0..)
            .try_for_each(|(kept, address)| {
                let word = with_bytes(*kept, address, offset, data);
                if word == *kept {
                    return Ok(());
                }
                write(wires, width, address, word);
                *kept = read(wires, width, address);
                if *kept == word {
                    Ok(())
                } else {
                    Err(NotWritten::Refused)
                }
            });
        allow_writes(wires, width, false);
        result
    }
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
