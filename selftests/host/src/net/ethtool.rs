// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` asks of a driver.

use super::driver::{
    self,
    Locked, //
};
use kernel::prelude::*;

/// Link modes, numbered as `ADVERTISED_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkModes(u32);

impl LinkModes {
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

/// Whether both ends may send at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplex {
    Half,
    Full,
    Unknown,
}

/// What the cable is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Mii,
    Other(u8),
}

/// The settings of a link.
#[derive(Clone, Debug)]
pub(crate) struct LinkSettings {
    pub(crate) speed: Option<u32>,
    pub(crate) duplex: Duplex,
    pub(crate) autoneg: bool,
    pub(crate) port: Port,
    pub(crate) phy_address: u8,
    pub(crate) clause_22: bool,
    pub(crate) supported: LinkModes,
    pub(crate) advertising: LinkModes,
    pub(crate) lp_advertising: LinkModes,
}

/// What a driver answers.
pub(crate) trait Operations<T: driver::Operations> {
    const STATISTICS: &'static [&'static CStr];
    const REGISTERS_LEN: usize;

    fn statistics(this: &T, up: Option<&T::Up>, values: &mut [u64]);
    fn registers(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>, dump: &mut [u8]) -> u32;
    fn link(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> bool;
    fn link_settings(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> Result<LinkSettings>;
    fn set_link_settings(
        this: &T,
        cx: &mut Locked<'_, T>,
        up: Option<&T::Up>,
        settings: &LinkSettings,
    ) -> Result;
    fn restart_autoneg(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> Result;
}
