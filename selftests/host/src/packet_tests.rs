// SPDX-License-Identifier: GPL-2.0

//! Tests of the pure logic of `af_rpacket`, one file a module.

mod address;
mod auxdata;
mod family;
mod fanout;
mod length;
mod membership;
mod option;
mod option_table;
mod ring;
mod state;
