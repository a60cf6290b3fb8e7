// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` asks of a driver.

use super::driver::{
    self,
    Locked,
    Why, //
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

pub(crate) const MESSAGES_DRIVER: u32 = 1 << 0;
pub(crate) const MESSAGES_PROBE: u32 = 1 << 1;
pub(crate) const MESSAGES_LINK: u32 = 1 << 2;

/// What can wake the machine, numbered as `WAKE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake(u32);

impl Wake {
    pub(crate) const PHY: Self = Self(1 << 0);
    pub(crate) const UNICAST: Self = Self(1 << 1);
    pub(crate) const MULTICAST: Self = Self(1 << 2);
    pub(crate) const BROADCAST: Self = Self(1 << 3);
    pub(crate) const MAGIC: Self = Self(1 << 5);

    pub(crate) const fn none() -> Self {
        Self(0)
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What can wake the machine, and what is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WakeOnLan {
    pub(crate) supported: Wake,
    pub(crate) wanted: Wake,
}

/// The counters of the MAC of which a driver may know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MacStats {
    pub(crate) frames_transmitted_ok: Option<u64>,
    pub(crate) octets_transmitted_ok: Option<u64>,
    pub(crate) frames_received_ok: Option<u64>,
    pub(crate) octets_received_ok: Option<u64>,
    pub(crate) multicast_frames_received_ok: Option<u64>,
    pub(crate) broadcast_frames_received_ok: Option<u64>,
    pub(crate) frame_check_sequence_errors: Option<u64>,
    pub(crate) alignment_errors: Option<u64>,
    pub(crate) single_collision_frames: Option<u64>,
    pub(crate) multiple_collision_frames: Option<u64>,
    pub(crate) frames_lost_in_receiver: Option<u64>,
    pub(crate) frames_lost_in_transmitter: Option<u64>,
    pub(crate) late_collisions: Option<u64>,
    pub(crate) frames_aborted_by_collisions: Option<u64>,
    pub(crate) carrier_sense_errors: Option<u64>,
}

/// The lengths of the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingParameters {
    pub(crate) rx: u32,
    pub(crate) rx_max: u32,
    pub(crate) tx: u32,
    pub(crate) tx_max: u32,
}

/// What a driver answers.
pub(crate) trait Operations<T: driver::Operations> {
    const STATISTICS: &'static [&'static CStr];
    const REGISTERS_LEN: usize;
    const EEPROM_MAGIC: u32;
    const PRIVATE_FLAGS: &'static [&'static CStr];

    fn more_statistics(this: &T) -> &'static [&'static CStr];
    fn statistics(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>, values: &mut [u64]);
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
    fn mac_stats(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> MacStats;
    fn private_flags(this: &T) -> u32;
    fn set_private_flags(
        this: &T,
        cx: &mut Locked<'_, T>,
        up: Option<&T::Up>,
        flags: u32,
    ) -> Result;
    fn ring_parameters(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> RingParameters;
    fn set_ring_parameters(
        this: &T,
        cx: &mut Locked<'_, T>,
        up: Option<&T::Up>,
        rx: u32,
        tx: u32,
        why: &mut Why,
    ) -> Result;
    fn rx_copybreak(this: &T) -> u32;
    fn set_rx_copybreak(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>, bytes: u32)
        -> Result;
    fn eeprom_len(this: &T) -> usize;
    fn eeprom(
        this: &T,
        cx: &mut Locked<'_, T>,
        up: Option<&T::Up>,
        offset: usize,
        data: &mut [u8],
    ) -> Result;
    fn set_eeprom(
        this: &T,
        cx: &mut Locked<'_, T>,
        up: Option<&T::Up>,
        offset: usize,
        data: &[u8],
    ) -> Result;
    fn message_level(this: &T) -> u32;
    fn set_message_level(this: &T, level: u32);
    fn wake_on_lan(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>) -> WakeOnLan;
    fn set_wake_on_lan(this: &T, cx: &mut Locked<'_, T>, up: Option<&T::Up>, wake: Wake) -> Result;
}
