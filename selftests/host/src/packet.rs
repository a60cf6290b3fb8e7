// SPDX-License-Identifier: GPL-2.0

//! The pure logic of `af_rpacket`.

#[path = "../../../af_rpacket/address.rs"]
pub(crate) mod address;
#[path = "../../../af_rpacket/auxdata.rs"]
pub(crate) mod auxdata;
#[path = "../../../af_rpacket/family.rs"]
pub(crate) mod family;
#[path = "../../../af_rpacket/fanout/mod.rs"]
pub(crate) mod fanout;
#[path = "../../../af_rpacket/length.rs"]
pub(crate) mod length;
#[path = "../../../af_rpacket/membership.rs"]
pub(crate) mod membership;
#[path = "../../../af_rpacket/option.rs"]
pub(crate) mod option;
#[path = "../../../af_rpacket/option_table.rs"]
pub(crate) mod option_table;
#[path = "../../../af_rpacket/ring/mod.rs"]
pub(crate) mod ring;
#[path = "../../../af_rpacket/state.rs"]
pub(crate) mod state;
