// SPDX-License-Identifier: GPL-2.0

//! Counters: those of the driver, by name, and those that a standard defines.

use super::{
    Operations,
    Table, //
};
use crate::{
    bindings,
    net::driver, //
};
use kernel::{
    bindings::net_device,
    error::from_result,
    prelude::*, //
};

/// A group of counters; what the driver does not know is `None`, and is not shown.
macro_rules! group {
    (
        $(#[$doc:meta])*
        $name:ident for $raw:ident {
            $($(#[$field_doc:meta])* $field:ident => $to:ident,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: Option<u64>,)*
        }

        impl $name {
            /// Sets what is known; the core has set all counters to `ETHTOOL_STAT_NOT_SET`.
            fn store(&self, to: &mut bindings::$raw) {
                $(if let Some(count) = self.$field {
                    to.__bindgen_anon_1.stats.$to = count;
                })*
            }
        }
    };
}

group! {
    /// The counters of the MAC, IEEE 802.3 clauses 30.3.1.1.2 to 30.3.1.1.30.
    ///
    /// Octets are those of whole frames, from the address of the destination to the check sequence, as
    /// other drivers count.
    MacStats for ethtool_eth_mac_stats {
        /// `aFramesTransmittedOK`.
        frames_transmitted_ok => FramesTransmittedOK,
        /// `aSingleCollisionFrames`.
        single_collision_frames => SingleCollisionFrames,
        /// `aMultipleCollisionFrames`.
        multiple_collision_frames => MultipleCollisionFrames,
        /// `aFramesReceivedOK`.
        frames_received_ok => FramesReceivedOK,
        /// `aFrameCheckSequenceErrors`.
        frame_check_sequence_errors => FrameCheckSequenceErrors,
        /// `aAlignmentErrors`.
        alignment_errors => AlignmentErrors,
        /// `aOctetsTransmittedOK`.
        octets_transmitted_ok => OctetsTransmittedOK,
        /// `aFramesWithDeferredXmissions`.
        frames_with_deferred_transmissions => FramesWithDeferredXmissions,
        /// `aLateCollisions`.
        late_collisions => LateCollisions,
        /// `aFramesAbortedDueToXSColls`: given up after too many collisions.
        frames_aborted_by_collisions => FramesAbortedDueToXSColls,
        /// `aFramesLostDueToIntMACXmitError`.
        frames_lost_in_transmitter => FramesLostDueToIntMACXmitError,
        /// `aCarrierSenseErrors`.
        carrier_sense_errors => CarrierSenseErrors,
        /// `aOctetsReceivedOK`.
        octets_received_ok => OctetsReceivedOK,
        /// `aFramesLostDueToIntMACRcvError`.
        frames_lost_in_receiver => FramesLostDueToIntMACRcvError,
        /// `aMulticastFramesXmittedOK`.
        multicast_frames_transmitted_ok => MulticastFramesXmittedOK,
        /// `aBroadcastFramesXmittedOK`.
        broadcast_frames_transmitted_ok => BroadcastFramesXmittedOK,
        /// `aFramesWithExcessiveDeferral`.
        frames_with_excessive_deferral => FramesWithExcessiveDeferral,
        /// `aMulticastFramesReceivedOK`.
        multicast_frames_received_ok => MulticastFramesReceivedOK,
        /// `aBroadcastFramesReceivedOK`.
        broadcast_frames_received_ok => BroadcastFramesReceivedOK,
        /// `aInRangeLengthErrors`.
        in_range_length_errors => InRangeLengthErrors,
        /// `aOutOfRangeLengthField`.
        out_of_range_length_field => OutOfRangeLengthField,
        /// `aFrameTooLongErrors`.
        frame_too_long_errors => FrameTooLongErrors,
    }
}

group! {
    /// The counters of the PHY, IEEE 802.3 clause 30.3.2.1.
    PhyStats for ethtool_eth_phy_stats {
        /// `aSymbolErrorDuringCarrier`.
        symbol_error_during_carrier => SymbolErrorDuringCarrier,
    }
}

group! {
    /// The counters of RFC 2819. Frames are not counted by their length.
    RmonStats for ethtool_rmon_stats {
        /// `etherStatsUndersizePkts`.
        undersize_packets => undersize_pkts,
        /// `etherStatsOversizePkts`.
        oversize_packets => oversize_pkts,
        /// `etherStatsFragments`.
        fragments => fragments,
        /// `etherStatsJabbers`.
        jabbers => jabbers,
    }
}

/// The strings of a set: those that all devices have, and the others.
type Names = [&'static [&'static CStr]; 2];

/// How many strings they are.
fn count(names: Names) -> usize {
    let [all, more] = names;
    all.len().saturating_add(more.len())
}

/// The callbacks about counters, and about all that has names.
impl<T: driver::Operations> Table<T> {
    /// The strings of a set, one after the other; `None` if the driver has no such set.
    ///
    /// # Safety
    ///
    /// `dev` must be the argument of an ethtool callback of a device of `T`.
    unsafe fn names(dev: *mut net_device, set: u32) -> Option<Names> {
        match set {
            bindings::ethtool_stringset_ETH_SS_STATS
                if <T::Ethtool as Operations<T>>::HAS_STATISTICS =>
            {
                // SAFETY: By this function's contract.
                Some(unsafe { Self::statistics_names(dev) })
            }
            bindings::ethtool_stringset_ETH_SS_PRIV_FLAGS
                if <T::Ethtool as Operations<T>>::HAS_PRIVATE_FLAGS =>
            {
                Some([T::Ethtool::PRIVATE_FLAGS, &[]])
            }
            _ => None,
        }
    }

    /// The names of the counters of a device.
    ///
    /// # Safety
    ///
    /// As for `names`.
    unsafe fn statistics_names(dev: *mut net_device) -> Names {
        let more = if <T::Ethtool as Operations<T>>::HAS_MORE_STATISTICS {
            // CAST: The types are one in C; the other one is complete.
            // SAFETY: The caller guarantees it.
            let dev = unsafe { driver::Device::<T>::from_raw(dev.cast()) };
            T::Ethtool::more_statistics(dev.private())
        } else {
            &[]
        };
        [T::Ethtool::STATISTICS, more]
    }

    /// `get_sset_count()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_sset_count(dev: *mut net_device, set: c_int) -> c_int {
        from_result(|| {
            let set = u32::try_from(set)?;
            // SAFETY: This is an ethtool callback.
            let names = unsafe { Self::names(dev, set) }.ok_or(EOPNOTSUPP)?;
            Ok(c_int::try_from(count(names))?)
        })
    }

    /// `get_strings()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_strings(dev: *mut net_device, set: u32, data: *mut u8) {
        const LEN: usize = bindings::ETH_GSTRING_LEN as usize;
        // SAFETY: This is an ethtool callback.
        let Some(names) = (unsafe { Self::names(dev, set) }) else {
            return;
        };
        // SAFETY: The core has made room for as many names as `get_sset_count` said, zeroed.
        let room =
            unsafe { core::slice::from_raw_parts_mut(data.cast::<[u8; LEN]>(), count(names)) };
        for (to, name) in room.iter_mut().zip(names.iter().copied().flatten()) {
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
    pub(super) unsafe extern "C" fn get_ethtool_stats(
        dev: *mut net_device,
        _stats: *mut bindings::ethtool_stats,
        data: *mut u64,
    ) {
        // SAFETY: This is an ethtool callback.
        let names = unsafe { Self::statistics_names(dev) };
        // SAFETY: The core has made room for as many values as `get_sset_count` said, zeroed.
        let values = unsafe { core::slice::from_raw_parts_mut(data, count(names)) };
        // SAFETY: This is an ethtool callback.
        unsafe {
            Self::with(dev, |this, cx, up| {
                T::Ethtool::statistics(this, cx, up, values)
            })
        };
    }

    /// `get_eth_mac_stats()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_eth_mac_stats(
        dev: *mut net_device,
        stats: *mut bindings::ethtool_eth_mac_stats,
    ) {
        // SAFETY: This is an ethtool callback.
        let known = unsafe { Self::with(dev, |this, cx, up| T::Ethtool::mac_stats(this, cx, up)) };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        known.store(unsafe { &mut *stats });
    }

    /// `get_eth_phy_stats()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_eth_phy_stats(
        dev: *mut net_device,
        stats: *mut bindings::ethtool_eth_phy_stats,
    ) {
        // SAFETY: This is an ethtool callback.
        let known = unsafe { Self::with(dev, |this, cx, up| T::Ethtool::phy_stats(this, cx, up)) };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        known.store(unsafe { &mut *stats });
    }

    /// `get_rmon_stats()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_rmon_stats(
        dev: *mut net_device,
        stats: *mut bindings::ethtool_rmon_stats,
        _ranges: *mut *const bindings::ethtool_rmon_hist_range,
    ) {
        // SAFETY: This is an ethtool callback.
        let known = unsafe { Self::with(dev, |this, cx, up| T::Ethtool::rmon_stats(this, cx, up)) };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        known.store(unsafe { &mut *stats });
    }
}
