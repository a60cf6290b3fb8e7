// SPDX-License-Identifier: GPL-2.0

//! `rtl8139_rs`, all of it but the crate root.

#[path = "../../../rtl8139_rs/chip.rs"]
pub(crate) mod chip;
#[path = "../../../rtl8139_rs/counters.rs"]
pub(crate) mod counters;
#[path = "../../../rtl8139_rs/eeprom.rs"]
pub(crate) mod eeprom;
#[path = "../../../rtl8139_rs/ethtool.rs"]
pub(crate) mod ethtool;
#[path = "../../../rtl8139_rs/gate.rs"]
pub(crate) mod gate;
#[path = "../../../rtl8139_rs/hw.rs"]
pub(crate) mod hw;
#[path = "../../../rtl8139_rs/intr_mask.rs"]
pub(crate) mod intr_mask;
#[path = "../../../rtl8139_rs/mdio.rs"]
pub(crate) mod mdio;
#[path = "../../../rtl8139_rs/mii.rs"]
pub(crate) mod mii;
#[path = "../../../rtl8139_rs/missed.rs"]
pub(crate) mod missed;
#[path = "../../../rtl8139_rs/nic.rs"]
pub(crate) mod nic;
#[path = "../../../rtl8139_rs/regs.rs"]
pub(crate) mod regs;
#[path = "../../../rtl8139_rs/rx.rs"]
pub(crate) mod rx;
#[path = "../../../rtl8139_rs/rx_filter.rs"]
pub(crate) mod rx_filter;
#[path = "../../../rtl8139_rs/rx_ring.rs"]
pub(crate) mod rx_ring;
#[path = "../../../rtl8139_rs/tx.rs"]
pub(crate) mod tx;
#[path = "../../../rtl8139_rs/tx_slots.rs"]
pub(crate) mod tx_slots;
