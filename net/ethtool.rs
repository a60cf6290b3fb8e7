// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` asks of a driver.
//!
//! A driver implements [`Operations`] for what its hardware knows, beside
//! [`driver::Operations`], and names the type there. Driver name, bus
//! and version need no callback: the core finds them by itself. Software timestamping is reported for
//! every driver.
//!
//! # Locking
//!
//! All callbacks run in process context under the instance lock of the device, without RTNL. The
//! interface may be down; then the `Up` part is `None`.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use crate::{
    bindings,
    net::driver::{
        self,
        Locked, //
    },
};
use core::{
    marker::PhantomData,
    ops::{
        BitAnd,
        BitOr, //
    },
};
use kernel::{
    bindings::net_device,
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
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

/// What `ethtool` can ask of the driver `T`; all of it is optional.
#[vtable]
pub(crate) trait Operations<T: driver::Operations> {
    /// The names of the counters of `ethtool -S`, of up to 31 bytes each.
    const STATISTICS: &'static [&'static CStr] = &[];

    /// The length of the register dump in bytes.
    const REGISTERS_LEN: usize = 0;

    /// Fills in the counters, in the order of [`Operations::STATISTICS`], as many as there are names.
    fn statistics(_this: &T, _up: Option<&T::Up>, _values: &mut [u64]) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Fills in the register dump, of [`Operations::REGISTERS_LEN`] bytes, and returns the version of
    /// its layout.
    fn registers(_this: &T, _cx: &mut Locked<'_, T>, _up: Option<&T::Up>, _dump: &mut [u8]) -> u32 {
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

    /// The kinds of messages that the driver prints (`NETIF_MSG_*`).
    fn message_level(_this: &T) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets what [`Operations::message_level`] reports.
    fn set_message_level(_this: &T, _level: u32) {
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

impl<T: driver::Operations> Table<T> {
    const OPS: bindings::ethtool_ops = bindings::ethtool_ops {
        // The default of `get_link` waits for the link watch, which is under RTNL.
        op_needs_rtnl: if <T::Ethtool as Operations<T>>::HAS_LINK {
            0
        } else {
            // ETHTOOL_OP_NEEDS_RTNL_GLINK
            1 << 8
        },
        get_link: if <T::Ethtool as Operations<T>>::HAS_LINK {
            Some(Self::get_link)
        } else {
            Some(Self::get_link_default)
        },
        get_ts_info: Some(Self::get_ts_info),
        get_sset_count: if <T::Ethtool as Operations<T>>::HAS_STATISTICS {
            Some(Self::get_sset_count)
        } else {
            None
        },
        get_strings: if <T::Ethtool as Operations<T>>::HAS_STATISTICS {
            Some(Self::get_strings)
        } else {
            None
        },
        get_ethtool_stats: if <T::Ethtool as Operations<T>>::HAS_STATISTICS {
            Some(Self::get_ethtool_stats)
        } else {
            None
        },
        get_regs_len: if <T::Ethtool as Operations<T>>::HAS_REGISTERS {
            Some(Self::get_regs_len)
        } else {
            None
        },
        get_regs: if <T::Ethtool as Operations<T>>::HAS_REGISTERS {
            Some(Self::get_regs)
        } else {
            None
        },
        get_link_ksettings: if <T::Ethtool as Operations<T>>::HAS_LINK_SETTINGS {
            Some(Self::get_link_ksettings)
        } else {
            None
        },
        set_link_ksettings: if <T::Ethtool as Operations<T>>::HAS_SET_LINK_SETTINGS {
            Some(Self::set_link_ksettings)
        } else {
            None
        },
        nway_reset: if <T::Ethtool as Operations<T>>::HAS_RESTART_AUTONEG {
            Some(Self::nway_reset)
        } else {
            None
        },
        get_msglevel: if <T::Ethtool as Operations<T>>::HAS_MESSAGE_LEVEL {
            Some(Self::get_msglevel)
        } else {
            None
        },
        set_msglevel: if <T::Ethtool as Operations<T>>::HAS_SET_MESSAGE_LEVEL {
            Some(Self::set_msglevel)
        } else {
            None
        },
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

    /// `get_link()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_link(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback.
        u32::from(unsafe { Self::with(dev, |this, cx, up| T::Ethtool::link(this, cx, up)) })
    }

    /// `get_link()`, for a driver that does not say.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_link_default(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback, under RTNL as `op_needs_rtnl` asks for.
        unsafe { bindings::ethtool_op_get_link(dev.cast()) }
    }

    /// `get_ts_info()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_ts_info(
        dev: *mut net_device,
        info: *mut bindings::kernel_ethtool_ts_info,
    ) -> c_int {
        // SAFETY: This is an ethtool callback.
        unsafe { bindings::ethtool_op_get_ts_info(dev.cast(), info) }
    }

    /// `get_sset_count()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_sset_count(_dev: *mut net_device, set: c_int) -> c_int {
        from_result(|| {
            if set != bindings::ethtool_stringset_ETH_SS_STATS as c_int {
                return Err(EOPNOTSUPP);
            }
            Ok(c_int::try_from(T::Ethtool::STATISTICS.len())?)
        })
    }

    /// `get_strings()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_strings(_dev: *mut net_device, set: u32, data: *mut u8) {
        if set != bindings::ethtool_stringset_ETH_SS_STATS {
            return;
        }
        const LEN: usize = bindings::ETH_GSTRING_LEN as usize;
        // SAFETY: The core has made room for as many names as `get_sset_count` said, zeroed.
        let names = unsafe {
            core::slice::from_raw_parts_mut(data.cast::<[u8; LEN]>(), T::Ethtool::STATISTICS.len())
        };
        for (to, name) in names.iter_mut().zip(T::Ethtool::STATISTICS) {
            // The last byte stays zero.
            for (to, from) in to.iter_mut().take(LEN - 1).zip(name.to_bytes()) {
                *to = *from;
            }
        }
    }

    /// `get_ethtool_stats()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_ethtool_stats(
        dev: *mut net_device,
        _stats: *mut bindings::ethtool_stats,
        data: *mut u64,
    ) {
        // SAFETY: The core has made room for as many values as `get_sset_count` said, zeroed.
        let values = unsafe { core::slice::from_raw_parts_mut(data, T::Ethtool::STATISTICS.len()) };
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, up| T::Ethtool::statistics(this, up, values)) };
    }

    /// `get_regs_len()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_regs_len(_dev: *mut net_device) -> c_int {
        c_int::try_from(T::Ethtool::REGISTERS_LEN).unwrap_or(0)
    }

    /// `get_regs()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_regs(
        dev: *mut net_device,
        regs: *mut bindings::ethtool_regs,
        data: *mut c_void,
    ) {
        // SAFETY: The core has made room for as many bytes as `get_regs_len` said, zeroed.
        let dump = unsafe {
            core::slice::from_raw_parts_mut(data.cast::<u8>(), T::Ethtool::REGISTERS_LEN)
        };
        // SAFETY: This is an ethtool callback.
        let version = unsafe {
            Self::with(dev, |this, cx, up| {
                T::Ethtool::registers(this, cx, up, dump)
            })
        };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        unsafe { (*regs).version = version };
    }

    /// `get_link_ksettings()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_link_ksettings(
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
    unsafe extern "C" fn set_link_ksettings(
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
    unsafe extern "C" fn nway_reset(dev: *mut net_device) -> c_int {
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

    /// `get_msglevel()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn get_msglevel(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, _| T::Ethtool::message_level(this)) }
    }

    /// `set_msglevel()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn set_msglevel(dev: *mut net_device, level: u32) {
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, _| T::Ethtool::set_message_level(this, level)) };
    }
}
