// SPDX-License-Identifier: GPL-2.0

//! A card that is not there: the chip, its configuration space, what it may lie about, and the machine
//! around it.

pub(crate) mod chip;
pub(crate) mod config;
pub(crate) mod eeprom;
pub(crate) mod lie;
pub(crate) mod machine;
