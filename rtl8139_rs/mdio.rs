// SPDX-License-Identifier: GPL-2.0

//! The management bus of a card whose transceiver is a chip of its own: the RTL8129.
//!
//! Two wires, clock and data, carry frames of 64 bits as IEEE 802.3 clause 22 describes them: 32
//! ones, a start, an operation, the address of the transceiver, the number of the register, a
//! turnaround of two bits in which the direction of the data wire changes, and 16 bits of data, most
//! significant bit first. A transceiver drives the data wire after a rising edge of the clock.

#![forbid(unsafe_code)]

/// Number of addresses on the bus.
pub(crate) const ADDRESSES: u8 = 32;

/// BMSR, by which a transceiver is found.
const STATUS: u8 = 1;

/// Start of a frame and the operation *read*.
const READ: u32 = 0b0110;
/// Start of a frame and the operation *write*.
const WRITE: u32 = 0b0101;
/// The turnaround of a write.
const TURNAROUND: u32 = 0b10;

/// The wires of the bus.
pub(crate) trait Wires {
    /// Drives the clock, and the data wire unless `data` is `None`; holds them for at least half a
    /// clock cycle (200 ns).
    fn drive(&mut self, clock: bool, data: Option<bool>);

    /// What is on the data wire.
    fn sense(&mut self) -> bool;
}

/// Shifts out the lowest `count` bits of `word`.
fn shift_out<W: Wires>(wires: &mut W, word: u32, count: u32) {
    for i in (0..count).rev() {
        let bit = Some(word.wrapping_shr(i) & 1 != 0);
        wires.drive(false, bit);
        wires.drive(true, bit);
    }
}

/// Shifts in one bit.
fn shift_in<W: Wires>(wires: &mut W) -> bool {
    wires.drive(false, None);
    let bit = wires.sense();
    wires.drive(true, None);
    bit
}

/// Begins a frame: all but the data.
fn begin<W: Wires>(wires: &mut W, operation: u32, phy: u8, register: u8) {
    // A transceiver that has lost its place finds it again by the ones.
    shift_out(wires, u32::MAX, 32);
    shift_out(wires, operation, 4);
    shift_out(wires, phy.into(), 5);
    shift_out(wires, register.into(), 5);
}

/// Reads `register` of the transceiver at the address `phy`, both below 32.
///
/// `None` if nothing answers there: the answer to the turnaround is a zero, and the wire rests at
/// one.
pub(crate) fn read<W: Wires>(wires: &mut W, phy: u8, register: u8) -> Option<u16> {
    begin(wires, READ, phy, register);
    // In the first bit of the turnaround nobody drives the wire.
    shift_in(wires);
    let silent = shift_in(wires);
    let word = (0..u16::BITS).fold(0u16, |word, _| {
        word.wrapping_shl(1) | u16::from(shift_in(wires))
    });
    // The wire rests for a bit.
    shift_in(wires);
    (!silent).then_some(word)
}

/// Writes `value` to `register` of the transceiver at the address `phy`, both below 32.
pub(crate) fn write<W: Wires>(wires: &mut W, phy: u8, register: u8, value: u16) {
    begin(wires, WRITE, phy, register);
    shift_out(wires, TURNAROUND, 2);
    shift_out(wires, value.into(), u16::BITS);
    shift_in(wires);
}

/// Finds the first transceiver.
pub(crate) fn scan<W: Wires>(wires: &mut W) -> Option<u8> {
    (0..ADDRESSES).find(|&phy| {
        // A status of all zeros or all ones is what some boards answer where nothing is.
        read(wires, phy, STATUS).is_some_and(|status| status != 0 && status != u16::MAX)
    })
}
