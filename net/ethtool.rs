// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` asks of a driver.
//!
//! A driver implements [`Operations`] for what its hardware knows, beside
//! [`driver::Operations`], and names the type there. Driver name, bus
//! and version need no callback: the core finds them by itself. Software timestamping is reported for
//! every driver, and so is the one channel that every interface of this layer has.
//!
//! | file | what |
//! |---|---|
//! | `link` | speed, duplex, negotiation |
//! | `stats` | counters with names, and those that IEEE 802.3 and RFC 2819 define |
//! | `settings` | rings, channels, private flags, tunables, messages |
//! | `wake` | frames that wake the machine |
//! | `memory` | what can be read of the device: registers, EEPROM |
//!
//! # Locking
//!
//! All callbacks run in process context under the instance lock of the device, without RTNL. The
//! interface may be down; then the `Up` part is `None`. That lock is all that
//! [`Locked::restart`] needs, so a setting may restart the interface.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

mod link;
mod memory;
mod settings;
mod stats;
mod wake;

pub(crate) use self::{
    link::{
        Duplex,
        LinkModes,
        LinkSettings,
        Port, //
    },
    settings::{
        RingParameters,
        MESSAGES_DRIVER,
        MESSAGES_LINK,
        MESSAGES_PROBE, //
    },
    stats::{
        MacStats,
        PhyStats,
        RmonStats, //
    },
    wake::{
        Wake,
        WakeOnLan, //
    },
};

use crate::{
    bindings,
    net::driver::{
        self,
        Locked,
        Why, //
    },
};
use core::marker::PhantomData;
use kernel::{
    bindings::net_device,
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

/// What `ethtool` can ask of the driver `T`; all of it is optional.
#[vtable]
pub(crate) trait Operations<T: driver::Operations> {
    /// The names of the counters of `ethtool -S`, of up to 31 bytes each.
    const STATISTICS: &'static [&'static CStr] = &[];

    /// The names of the private flags, of up to 31 bytes each: at most 32, from the lowest bit up.
    const PRIVATE_FLAGS: &'static [&'static CStr] = &[];

    /// The length of the register dump in bytes.
    const REGISTERS_LEN: usize = 0;

    /// What user space must say to write the EEPROM, and gets to know when it reads it.
    const EEPROM_MAGIC: u32 = 0;

    /// The names of further counters, which not each device of the driver has. Always the same for one device.
    fn more_statistics(_this: &T) -> &'static [&'static CStr] {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Fills in the counters, in the order of [`Operations::STATISTICS`] and then of
    /// [`Operations::more_statistics`], as many as there are names.
    fn statistics(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>, _values: &mut [u64]) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the counters of the MAC that IEEE 802.3 defines (`ethtool -S --groups eth-mac`).
    fn mac_stats(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> MacStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports those of the PHY (`ethtool -S --groups eth-phy`).
    fn phy_stats(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> PhyStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the counters of RFC 2819 (`ethtool -S --groups rmon`).
    fn rmon_stats(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> RmonStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Fills in the register dump, of [`Operations::REGISTERS_LEN`] bytes, and returns the version of
    /// its layout.
    fn registers(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>, _dump: &mut [u8]) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The length of the EEPROM in bytes; 0 if the device has none. Needs [`Operations::eeprom`].
    fn eeprom_len(_this: &T) -> usize {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads the EEPROM from `offset` on. All of `data` is inside of it.
    fn eeprom(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _offset: usize,
        _data: &mut [u8],
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes the EEPROM from `offset` on. All of `data` is inside of it, and not empty; user space has
    /// said [`Operations::EEPROM_MAGIC`].
    fn set_eeprom(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _offset: usize,
        _data: &[u8],
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Whether there is a link, as the hardware says now. By default, what the stack believes.
    fn link(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> bool {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the settings of the link.
    fn link_settings(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
    ) -> Result<LinkSettings> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Changes the settings of the link. Nothing about them was checked.
    fn set_link_settings(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _settings: &LinkSettings,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Negotiates the link anew (`ethtool -r`).
    fn restart_autoneg(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The kinds of messages that the driver prints (`NETIF_MSG_*`), as [`MESSAGES_LINK`].
    fn message_level(_this: &T) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets what [`Operations::message_level`] reports.
    fn set_message_level(_this: &T, _level: u32) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Which frames and events can wake the machine, and which are to.
    fn wake_on_lan(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> WakeOnLan {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets what is to wake the machine: a part of what [`Operations::wake_on_lan`] says is supported.
    fn set_wake_on_lan(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _wake: Wake,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the lengths of the rings.
    fn ring_parameters(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>) -> RingParameters {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the lengths of the rings, in descriptors: at most what [`Operations::ring_parameters`] says,
    /// but any number below, zero included.
    fn set_ring_parameters(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _rx: u32,
        _tx: u32,
        _why: &mut Why,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The private flags that are set, numbered as [`Operations::PRIVATE_FLAGS`].
    fn private_flags(_this: &T) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets the private flags. None is set that has no name. Afterwards the features are looked at again,
    /// which may depend on them: [`driver::Operations::fix_features`].
    fn set_private_flags(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _flags: u32,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Up to which length a received frame is copied (`ETHTOOL_RX_COPYBREAK`), in bytes.
    fn rx_copybreak(_this: &T) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets what [`Operations::rx_copybreak`] reports.
    fn set_rx_copybreak(
        _this: &T,
        _cx: &mut Locked<'_, T>,
        _up: Option<&T::Up>,
        _bytes: u32,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// For a driver that has nothing to say to `ethtool` beyond what the core knows.
pub(crate) struct Nothing;

#[vtable]
impl<T: driver::Operations> Operations<T> for Nothing {}

/// The table of C callbacks of a driver.
///
/// The core calls each of them with a device that [`driver::Registration`] has set up for `T` and not
/// yet unregistered, under its instance lock.
pub(super) struct Table<T>(PhantomData<T>);

/// A callback, if the driver has the method for it.
macro_rules! offered {
    ($has:ident, $callback:ident) => {
        if <T::Ethtool as Operations<T>>::$has {
            Some(Self::$callback)
        } else {
            None
        }
    };
}

/// `ETHTOOL_OP_NEEDS_RTNL_SPFLAGS`.
const NEEDS_RTNL_SPFLAGS: u32 = 1 << 1;
/// `ETHTOOL_OP_NEEDS_RTNL_GLINK`.
const NEEDS_RTNL_GLINK: u32 = 1 << 8;

impl<T: driver::Operations> Table<T> {
    /// Whether there are strings to name.
    const HAS_STRINGS: bool = <T::Ethtool as Operations<T>>::HAS_STATISTICS
        || <T::Ethtool as Operations<T>>::HAS_PRIVATE_FLAGS;

    const OPS: bindings::ethtool_ops = bindings::ethtool_ops {
        // The default of `get_link` waits for the link watch, and the features, which may depend on the
        // private flags, are looked at again: both is under RTNL. Nothing else needs it: what a setting may
        // do is to restart the interface, whose calls of the core ask for the instance lock alone, and the
        // number of queues, which the core changes under RTNL, is fixed.
        op_needs_rtnl: if <T::Ethtool as Operations<T>>::HAS_LINK {
            0
        } else {
            NEEDS_RTNL_GLINK
        } | if <T::Ethtool as Operations<T>>::HAS_SET_PRIVATE_FLAGS {
            NEEDS_RTNL_SPFLAGS
        } else {
            0
        },
        get_link: if <T::Ethtool as Operations<T>>::HAS_LINK {
            Some(Self::get_link)
        } else {
            Some(Self::get_link_default)
        },
        get_ts_info: Some(Self::get_ts_info),
        get_channels: Some(Self::get_channels),
        set_channels: Some(Self::set_channels),
        get_sset_count: if Self::HAS_STRINGS {
            Some(Self::get_sset_count)
        } else {
            None
        },
        get_strings: if Self::HAS_STRINGS {
            Some(Self::get_strings)
        } else {
            None
        },
        get_ethtool_stats: offered!(HAS_STATISTICS, get_ethtool_stats),
        get_eth_mac_stats: offered!(HAS_MAC_STATS, get_eth_mac_stats),
        get_eth_phy_stats: offered!(HAS_PHY_STATS, get_eth_phy_stats),
        get_rmon_stats: offered!(HAS_RMON_STATS, get_rmon_stats),
        get_regs_len: offered!(HAS_REGISTERS, get_regs_len),
        get_regs: offered!(HAS_REGISTERS, get_regs),
        get_eeprom_len: offered!(HAS_EEPROM_LEN, get_eeprom_len),
        get_eeprom: offered!(HAS_EEPROM, get_eeprom),
        set_eeprom: offered!(HAS_SET_EEPROM, set_eeprom),
        get_link_ksettings: offered!(HAS_LINK_SETTINGS, get_link_ksettings),
        set_link_ksettings: offered!(HAS_SET_LINK_SETTINGS, set_link_ksettings),
        nway_reset: offered!(HAS_RESTART_AUTONEG, nway_reset),
        get_msglevel: offered!(HAS_MESSAGE_LEVEL, get_msglevel),
        set_msglevel: offered!(HAS_SET_MESSAGE_LEVEL, set_msglevel),
        get_wol: offered!(HAS_WAKE_ON_LAN, get_wol),
        set_wol: offered!(HAS_SET_WAKE_ON_LAN, set_wol),
        get_ringparam: offered!(HAS_RING_PARAMETERS, get_ringparam),
        set_ringparam: offered!(HAS_SET_RING_PARAMETERS, set_ringparam),
        get_priv_flags: offered!(HAS_PRIVATE_FLAGS, get_priv_flags),
        set_priv_flags: offered!(HAS_SET_PRIVATE_FLAGS, set_priv_flags),
        get_tunable: offered!(HAS_RX_COPYBREAK, get_tunable),
        set_tunable: offered!(HAS_SET_RX_COPYBREAK, set_tunable),
        ..pin_init::zeroed()
    };

    /// The table.
    pub(super) const fn get() -> &'static bindings::ethtool_ops {
        &Self::OPS
    }

    /// Calls `f` in the context of an ethtool callback.
    ///
    /// # Safety
    ///
    /// `dev` must be the argument of an ethtool callback of a device of `T`, which lasts until this
    /// returns.
    unsafe fn with<R>(
        dev: *mut net_device,
        f: impl FnOnce(&T, &mut Locked<'_, T>, Option<&T::Up>) -> R,
    ) -> R {
        // CAST: The types are one in C; the other one is complete.
        // SAFETY: The caller guarantees it.
        let dev = unsafe { driver::Device::<T>::from_raw(dev.cast()) };
        // SAFETY: The core calls ethtool callbacks of a device that asked for it with the instance lock
        // held; nothing is dropped before `ndo_stop()`, which takes the lock, too.
        let mut cx = unsafe { Locked::assume(dev) };
        let up = cx.up();
        f(dev.private(), &mut cx, up)
    }
}
