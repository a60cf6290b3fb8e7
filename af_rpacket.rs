// SPDX-License-Identifier: GPL-2.0

//! Packet socket family.

#![deny(unsafe_code)]

use kernel::prelude::*;

mod bindings;
mod ext;
mod net;

module! {
    type: Rpacket,
    name: "af_rpacket",
    authors: ["The rtl8139_rs and af_rpacket founders"],
    description: "Packet socket family",
    license: "GPL",
}

struct Rpacket;

impl kernel::Module for Rpacket {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
