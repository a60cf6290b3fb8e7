// SPDX-License-Identifier: GPL-2.0

//! Tests of the pure logic of `rtl8139_rs`, one file a module, and what two of them share.

mod chip;
mod eeprom;
mod intr_mask;
mod mdio;
mod mii;
mod missed;
mod oracle;
mod rx_filter;
mod rx_ring;
mod tx_slots;
