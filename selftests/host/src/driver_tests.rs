// SPDX-License-Identifier: GPL-2.0

//! Tests of `rtl8139_rs`: one file for each module of pure logic, and those that run all of the
//! driver against the model of the chip.

mod access;
mod books;
mod chip;
mod cplus;
mod cplus_rx;
mod cplus_tx;
mod descriptor;
mod eeprom;
mod ethtool;
mod intr_mask;
mod lying_chip;
mod mdio;
mod mii;
mod missed;
mod oracle;
mod place;
mod recovery;
mod rx_filter;
mod rx_ring;
mod start;
mod tally;
mod truthful_chip;
mod tx_ring;
mod tx_slots;
mod xdp;
