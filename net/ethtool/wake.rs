// SPDX-License-Identifier: GPL-2.0

//! What wakes the machine.

use super::{
    Operations,
    Table, //
};
use crate::{
    bindings,
    net::driver, //
};
use core::ops::BitOr;
use kernel::{
    bindings::net_device,
    error::from_result,
    prelude::*, //
};

/// A set of what can wake the machine, numbered as `WAKE_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wake(u32);

impl Wake {
    /// The link comes.
    pub(crate) const PHY: Self = Self(bindings::WAKE_PHY);
    /// A frame for the station.
    pub(crate) const UNICAST: Self = Self(bindings::WAKE_UCAST);
    /// A frame for a group.
    pub(crate) const MULTICAST: Self = Self(bindings::WAKE_MCAST);
    /// A frame for all.
    pub(crate) const BROADCAST: Self = Self(bindings::WAKE_BCAST);
    /// A magic packet: one with the station's address sixteen times in it.
    pub(crate) const MAGIC: Self = Self(bindings::WAKE_MAGIC);

    /// Nothing.
    pub(crate) const fn none() -> Self {
        Self(0)
    }

    /// The set of these bits, numbered as `WAKE_*`.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits of the set, numbered as `WAKE_*`.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// What is in either set; as `|`, for constants.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in the set.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Wake {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

/// What can wake the machine, and what is to: `struct ethtool_wolinfo`, without a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WakeOnLan {
    /// What the hardware can do. The core refuses all else.
    pub(crate) supported: Wake,
    /// What is asked for.
    pub(crate) wanted: Wake,
}

/// The callbacks about waking.
impl<T: driver::Operations> Table<T> {
    /// `get_wol()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_wol(
        dev: *mut net_device,
        info: *mut bindings::ethtool_wolinfo,
    ) {
        // SAFETY: This is an ethtool callback.
        let wake = unsafe { Self::with(dev, |this, cx, up| T::Ethtool::wake_on_lan(this, cx, up)) };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        let info = unsafe { &mut *info };
        info.supported = wake.supported.bits();
        info.wolopts = wake.wanted.bits();
    }

    /// `set_wol()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_wol(
        dev: *mut net_device,
        info: *mut bindings::ethtool_wolinfo,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile. What is set in it, it
            // has compared with what `get_wol` says.
            let wake = Wake::from_bits(unsafe { (*info).wolopts });
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_wake_on_lan(this, cx, up, wake)
                })
            }?;
            Ok(0)
        })
    }
}
