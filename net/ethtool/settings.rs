// SPDX-License-Identifier: GPL-2.0

//! Settings beside the link: rings, channels, private flags, tunables, messages.

use super::{
    Operations,
    Table, //
};
use crate::{
    bindings,
    net::driver::{
        self,
        Why, //
    }, //
};
use kernel::{
    bindings::net_device,
    error::from_result,
    prelude::*, //
};

/// Messages about the driver (`NETIF_MSG_DRV`).
pub(crate) const MESSAGES_DRIVER: u32 = 1 << 0;
/// Messages about what was found (`NETIF_MSG_PROBE`).
pub(crate) const MESSAGES_PROBE: u32 = 1 << 1;
/// Messages about the link (`NETIF_MSG_LINK`).
pub(crate) const MESSAGES_LINK: u32 = 1 << 2;

/// The lengths of the rings in descriptors: what `struct ethtool_ringparam` has of one receive and one
/// transmit ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RingParameters {
    /// The receive ring.
    pub(crate) rx: u32,
    /// Its greatest length.
    pub(crate) rx_max: u32,
    /// The transmit ring.
    pub(crate) tx: u32,
    /// Its greatest length.
    pub(crate) tx_max: u32,
}

/// The callbacks about settings.
impl<T: driver::Operations> Table<T> {
    /// `get_ts_info()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_ts_info(
        dev: *mut net_device,
        info: *mut bindings::kernel_ethtool_ts_info,
    ) -> c_int {
        // SAFETY: This is an ethtool callback.
        unsafe { bindings::ethtool_op_get_ts_info(dev.cast(), info) }
    }

    /// `get_msglevel()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_msglevel(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, _| T::Ethtool::message_level(this)) }
    }

    /// `set_msglevel()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_msglevel(dev: *mut net_device, level: u32) {
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, _| T::Ethtool::set_message_level(this, level)) };
    }

    /// `get_channels()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_channels(
        _dev: *mut net_device,
        channels: *mut bindings::ethtool_channels,
    ) {
        // SAFETY: The core passes a structure that is the callback's to fill in, zeroed.
        let channels = unsafe { &mut *channels };
        // A device of this layer has one NAPI, for one queue of each kind.
        channels.max_combined = 1;
        channels.combined_count = 1;
    }

    /// `set_channels()`: it can stay as it is.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_channels(
        _dev: *mut net_device,
        channels: *mut bindings::ethtool_channels,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile.
            let channels = unsafe { &*channels };
            let others = [channels.rx_count, channels.tx_count, channels.other_count];
            if channels.combined_count != 1 || others != [0; 3] {
                return Err(EINVAL);
            }
            Ok(0)
        })
    }

    /// `get_ringparam()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_ringparam(
        dev: *mut net_device,
        parameters: *mut bindings::ethtool_ringparam,
        _more: *mut bindings::kernel_ethtool_ringparam,
        _extack: *mut bindings::netlink_ext_ack,
    ) {
        // SAFETY: This is an ethtool callback.
        let rings = unsafe {
            Self::with(dev, |this, cx, up| {
                T::Ethtool::ring_parameters(this, cx, up)
            })
        };
        // SAFETY: The core passes a structure that is the callback's to fill in, zeroed.
        let parameters = unsafe { &mut *parameters };
        parameters.rx_max_pending = rings.rx_max;
        parameters.rx_pending = rings.rx;
        parameters.tx_max_pending = rings.tx_max;
        parameters.tx_pending = rings.tx;
    }

    /// `set_ringparam()`.
    ///
    /// The core has compared each length with the greatest one. What else there could be to set of a
    /// ring it refuses, since `supported_ring_params` is empty.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_ringparam(
        dev: *mut net_device,
        parameters: *mut bindings::ethtool_ringparam,
        _more: *mut bindings::kernel_ethtool_ringparam,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes null, or what the user's answer is made from afterwards.
            let mut why = unsafe { Why::from_raw(extack) };
            // SAFETY: The core passes a structure that does not change meanwhile.
            let parameters = unsafe { &*parameters };
            if parameters.rx_mini_pending != 0 || parameters.rx_jumbo_pending != 0 {
                return Err(EINVAL);
            }
            let (rx, tx) = (parameters.rx_pending, parameters.tx_pending);
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_ring_parameters(this, cx, up, rx, tx, &mut why)
                })
            }?;
            Ok(0)
        })
    }

    /// `get_priv_flags()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_priv_flags(dev: *mut net_device) -> u32 {
        // SAFETY: This is an ethtool callback.
        unsafe { Self::with(dev, |this, _, _| T::Ethtool::private_flags(this)) }
    }

    /// `set_priv_flags()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_priv_flags(dev: *mut net_device, flags: u32) -> c_int {
        const { assert!(T::Ethtool::PRIVATE_FLAGS.len() <= 32) };
        from_result(|| {
            // By the old ioctl the core passes on any bits.
            let named = (1u64 << T::Ethtool::PRIVATE_FLAGS.len()) - 1;
            if u64::from(flags) & !named != 0 {
                return Err(EINVAL);
            }
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_private_flags(this, cx, up, flags)
                })
            }?;
            // The features may depend on them.
            //
            // SAFETY: The core holds the instance lock, and RTNL, which `op_needs_rtnl` asks for.
            unsafe { driver::Device::<T>::from_raw(dev.cast()).offer_features() };
            // SAFETY: The device is valid, and both locks are held.
            unsafe { bindings::netdev_update_features(dev.cast()) };
            Ok(0)
        })
    }

    /// `get_tunable()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_tunable(
        dev: *mut net_device,
        tunable: *const bindings::ethtool_tunable,
        data: *mut c_void,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile.
            if unsafe { (*tunable).id } != bindings::tunable_id_ETHTOOL_RX_COPYBREAK {
                return Err(EOPNOTSUPP);
            }
            // SAFETY: This is an ethtool callback.
            let bytes = unsafe { Self::with(dev, |this, _, _| T::Ethtool::rx_copybreak(this)) };
            // SAFETY: The core has made room for a value of this tunable, which it knows is a `u32`.
            unsafe { data.cast::<u32>().write(bytes) };
            Ok(0)
        })
    }

    /// `set_tunable()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_tunable(
        dev: *mut net_device,
        tunable: *const bindings::ethtool_tunable,
        data: *const c_void,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile.
            if unsafe { (*tunable).id } != bindings::tunable_id_ETHTOOL_RX_COPYBREAK {
                return Err(EOPNOTSUPP);
            }
            // SAFETY: The core has copied a value of this tunable, which it knows is a `u32`.
            let bytes = unsafe { data.cast::<u32>().read() };
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_rx_copybreak(this, cx, up, bytes)
                })
            }?;
            Ok(0)
        })
    }
}
