// SPDX-License-Identifier: GPL-2.0

//! The pure logic of `rtl8139_rs`.

#[path = "../../../rtl8139_rs/chip.rs"]
pub(crate) mod chip;
#[path = "../../../rtl8139_rs/eeprom.rs"]
pub(crate) mod eeprom;
#[path = "../../../rtl8139_rs/intr_mask.rs"]
pub(crate) mod intr_mask;
#[path = "../../../rtl8139_rs/mdio.rs"]
pub(crate) mod mdio;
#[path = "../../../rtl8139_rs/mii.rs"]
pub(crate) mod mii;
#[path = "../../../rtl8139_rs/missed.rs"]
pub(crate) mod missed;
#[path = "../../../rtl8139_rs/rx_filter.rs"]
pub(crate) mod rx_filter;
#[path = "../../../rtl8139_rs/rx_ring.rs"]
pub(crate) mod rx_ring;
#[path = "../../../rtl8139_rs/tx_slots.rs"]
pub(crate) mod tx_slots;
