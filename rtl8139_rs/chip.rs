// SPDX-License-Identifier: GPL-2.0

//! Which chip it is.
//!
//! The hardware version stands in seven bits of TxConfig. The table is that of the datasheets of
//! RTL8139C and RTL8139D, as `rtl_chip_info[]` of
//! [`drivers/net/ethernet/realtek/8139too.c`](srctree/drivers/net/ethernet/realtek/8139too.c) has
//! it, with the 8139C+ of
//! [`drivers/net/ethernet/realtek/8139cp.c`](srctree/drivers/net/ethernet/realtek/8139cp.c) in addition.

#![forbid(unsafe_code)]

/// What differs between the chips.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chip {
    /// The name on the chip.
    pub(crate) name: &'static str,
    /// The version bits of TxConfig.
    version: u32,
    /// HltClk can stop the clock.
    pub(crate) halts_clock: bool,
    /// Has Config4 and the power management of the B and later: LWAKE, magic packets.
    pub(crate) has_lwake: bool,
    /// Has descriptor rings, and what comes with them, beside the classic ones.
    pub(crate) has_descriptors: bool,
}

/// Bits 30 to 26, 23 and 22 of TxConfig, by which chips are told from one another.
pub(crate) const VERSION_MASK: u32 = 0x7cc0_0000;

/// The seven bits, as the datasheets list them.
const fn version(upper: u32, lower: u32) -> u32 {
    (upper << 26) | (lower << 22)
}

/// What an unknown chip is taken for: the oldest, which needs the most care.
static UNKNOWN: Chip = Chip {
    name: "RTL-8139 (unknown version)",
    version: 0,
    halts_clock: true,
    has_lwake: false,
    has_descriptors: false,
};

const fn chip(name: &'static str, version: u32, halts_clock: bool, has_lwake: bool) -> Chip {
    Chip {
        name,
        version,
        halts_clock,
        has_lwake,
        has_descriptors: false,
    }
}

const fn with_descriptors(chip: Chip) -> Chip {
    Chip {
        has_descriptors: true,
        ..chip
    }
}

/// All chips that are known.
static CHIPS: [Chip; 11] = [
    chip("RTL-8139", version(0b10000, 0b00), true, false),
    chip("RTL-8139 rev K", version(0b11000, 0b00), true, false),
    chip("RTL-8139A", version(0b11100, 0b00), true, false),
    chip("RTL-8139A rev G", version(0b11100, 0b10), true, false),
    chip("RTL-8139B", version(0b11110, 0b00), false, true),
    chip("RTL-8130", version(0b11111, 0b00), false, true),
    chip("RTL-8139C", version(0b11101, 0b00), false, true),
    with_descriptors(chip("RTL-8139C+", version(0b11101, 0b10), false, true)),
    chip("RTL-8100", version(0b11110, 0b10), false, true),
    chip("RTL-8100B/8139D", version(0b11101, 0b01), true, true),
    chip("RTL-8101", version(0b11101, 0b11), false, true),
];

/// Identifies the chip by the value of TxConfig.
pub(crate) fn identify(tx_config: u32) -> &'static Chip {
    let found = tx_config & VERSION_MASK;
    CHIPS
        .iter()
        .find(|chip| chip.version == found)
        .unwrap_or(&UNKNOWN)
}
