// SPDX-License-Identifier: GPL-2.0

//! The link: speed, duplex, negotiation.

use super::{
    Operations,
    Table, //
};
use crate::{
    bindings,
    net::driver, //
};
use core::ops::{
    BitAnd,
    BitOr, //
};
use kernel::{
    bindings::net_device,
    error::from_result,
    prelude::*, //
};

/// Speed and duplex that a link can have, and what belongs to them: the first 32 link modes, in the
/// numbering of `ADVERTISED_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkModes(u32);

impl LinkModes {
    /// 10 Mbit/s, half duplex, over twisted pair.
    pub(crate) const TEN_HALF: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_10baseT_Half_BIT);
    /// 10 Mbit/s, full duplex.
    pub(crate) const TEN_FULL: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_10baseT_Full_BIT);
    /// 100 Mbit/s, half duplex.
    pub(crate) const HUNDRED_HALF: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_100baseT_Half_BIT);
    /// 100 Mbit/s, full duplex.
    pub(crate) const HUNDRED_FULL: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_100baseT_Full_BIT);
    /// Autonegotiation.
    pub(crate) const AUTONEG: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Autoneg_BIT);
    /// A twisted-pair port.
    pub(crate) const TP: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_TP_BIT);
    /// A port with a media independent interface.
    pub(crate) const MII: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_MII_BIT);
    /// Symmetric pause frames.
    pub(crate) const PAUSE: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Pause_BIT);
    /// Asymmetric pause frames.
    pub(crate) const ASYM_PAUSE: Self =
        Self::bit(bindings::ethtool_link_mode_bit_indices_ETHTOOL_LINK_MODE_Asym_Pause_BIT);

    const fn bit(bit: u32) -> Self {
        Self(1 << bit)
    }

    /// No mode.
    pub(crate) const fn none() -> Self {
        Self(0)
    }

    /// The set of these bits, numbered as `ADVERTISED_*`.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits of the set, numbered as `ADVERTISED_*`.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The modes in either set; as `|`, for constants.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for LinkModes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for LinkModes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Whether both ends may send at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duplex {
    /// One at a time.
    Half,
    /// Both.
    Full,
    /// Not known, because there is no link.
    Unknown,
}

/// What the cable is plugged into (`PORT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Twisted pair.
    TwistedPair,
    /// A transceiver behind a media independent interface.
    Mii,
    /// Something else, by its number.
    Other(u8),
}

/// The settings of a link: `struct ethtool_link_ksettings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkSettings {
    /// In Mbit/s; `None` if there is no link.
    pub(crate) speed: Option<u32>,
    /// The duplex mode.
    pub(crate) duplex: Duplex,
    /// Whether the settings are negotiated with the other end.
    pub(crate) autoneg: bool,
    /// The port in use.
    pub(crate) port: Port,
    /// The address of the transceiver on the management bus.
    pub(crate) phy_address: u8,
    /// Whether the transceiver is managed as clause 22 says.
    pub(crate) clause_22: bool,
    /// What the hardware can do.
    pub(crate) supported: LinkModes,
    /// What is offered to the other end.
    pub(crate) advertising: LinkModes,
    /// What the other end offers.
    pub(crate) lp_advertising: LinkModes,
}

impl LinkSettings {
    fn store(&self, to: &mut bindings::ethtool_link_ksettings) {
        // CAST: The numbers are small, and -1 means unknown.
        to.base.speed = self.speed.unwrap_or(bindings::SPEED_UNKNOWN as u32);
        to.base.duplex = match self.duplex {
            Duplex::Half => bindings::DUPLEX_HALF,
            Duplex::Full => bindings::DUPLEX_FULL,
            Duplex::Unknown => bindings::DUPLEX_UNKNOWN,
        } as u8;
        to.base.port = match self.port {
            Port::TwistedPair => bindings::PORT_TP as u8,
            Port::Mii => bindings::PORT_MII as u8,
            Port::Other(port) => port,
        };
        to.base.autoneg = u8::from(self.autoneg);
        to.base.phy_address = self.phy_address;
        if self.clause_22 {
            to.base.mdio_support = bindings::ETH_MDIO_SUPPORTS_C22 as u8;
        }
        let modes = &mut to.link_modes;
        for (mask, modes) in [
            (&mut modes.supported, self.supported),
            (&mut modes.advertising, self.advertising),
            (&mut modes.lp_advertising, self.lp_advertising),
        ] {
            // SAFETY: `mask` is a whole bitmap of link modes, which the call overwrites.
            unsafe {
                bindings::ethtool_convert_legacy_u32_to_link_mode(mask.as_mut_ptr(), modes.0)
            };
        }
    }

    /// `None` if a mode is asked for that is not among the first 32, which no driver here has.
    fn load(from: &bindings::ethtool_link_ksettings) -> Option<Self> {
        let modes = |mask: &[c_ulong]| {
            let mut modes = 0;
            // SAFETY: `mask` is a whole bitmap of link modes, which the call reads.
            let complete = unsafe {
                bindings::ethtool_convert_link_mode_to_legacy_u32(&mut modes, mask.as_ptr())
            };
            complete.then_some(LinkModes(modes))
        };
        Some(Self {
            // CAST: As in `store`.
            speed: (from.base.speed != bindings::SPEED_UNKNOWN as u32).then_some(from.base.speed),
            duplex: match u32::from(from.base.duplex) {
                bindings::DUPLEX_HALF => Duplex::Half,
                bindings::DUPLEX_FULL => Duplex::Full,
                _ => Duplex::Unknown,
            },
            autoneg: u32::from(from.base.autoneg) == bindings::AUTONEG_ENABLE,
            port: match u32::from(from.base.port) {
                bindings::PORT_TP => Port::TwistedPair,
                bindings::PORT_MII => Port::Mii,
                _ => Port::Other(from.base.port),
            },
            phy_address: from.base.phy_address,
            clause_22: u32::from(from.base.mdio_support) & bindings::ETH_MDIO_SUPPORTS_C22 != 0,
            supported: modes(&from.link_modes.supported).unwrap_or_default(),
            advertising: modes(&from.link_modes.advertising)?,
            lp_advertising: modes(&from.link_modes.lp_advertising).unwrap_or_default(),
        })
    }
}

/// The callbacks about the link.
impl<T: driver::Operations> Table<T> {
    /// `get_link()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_link(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback.
        u32::from(unsafe { Self::with(dev, |this, cx, up| T::Ethtool::link(this, cx, up)) })
    }

    /// `get_link()`, for a driver that does not say.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_link_default(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback, under RTNL as `op_needs_rtnl` asks for.
        unsafe { bindings::ethtool_op_get_link(dev.cast()) }
    }

    /// `get_link_ksettings()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_link_ksettings(
        dev: *mut net_device,
        settings: *mut bindings::ethtool_link_ksettings,
    ) -> c_int {
        from_result(|| {
            // SAFETY: This is an ethtool callback.
            let link =
                unsafe { Self::with(dev, |this, cx, up| T::Ethtool::link_settings(this, cx, up)) };
            // SAFETY: The core passes a structure that is the callback's to fill in.
            link?.store(unsafe { &mut *settings });
            Ok(0)
        })
    }

    /// `set_link_ksettings()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_link_ksettings(
        dev: *mut net_device,
        settings: *const bindings::ethtool_link_ksettings,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile.
            let link = LinkSettings::load(unsafe { &*settings }).ok_or(EINVAL)?;
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_link_settings(this, cx, up, &link)
                })
            }?;
            Ok(0)
        })
    }

    /// `nway_reset()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn nway_reset(dev: *mut net_device) -> c_int {
        from_result(|| {
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::restart_autoneg(this, cx, up)
                })
            }?;
            Ok(0)
        })
    }
}
