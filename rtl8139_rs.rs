// SPDX-License-Identifier: GPL-2.0

//! Realtek RTL8139 Ethernet driver.

#![deny(unsafe_code)]

use kernel::prelude::*;

mod bindings;
mod ext;
mod net;

module! {
    type: Rtl8139,
    name: "rtl8139_rs",
    authors: ["The rtl8139_rs and af_rpacket founders"],
    description: "Realtek RTL8139 Ethernet driver",
    license: "GPL",
}

struct Rtl8139;

impl kernel::Module for Rtl8139 {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
