// SPDX-License-Identifier: GPL-2.0

//! The counters of single queues, `struct netdev_stat_ops`.
//!
//! A driver here has one queue in each direction, from registration on. So the counters of the queue are
//! those of the device, and none belong to a queue that is no more. The driver has all of them but how often
//! the queue was stopped and woken, which the layer counts.
//!
//! C header: [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)

use super::{
    Device,
    Operations, //
};
use crate::bindings::{
    net_device,
    netdev_queue_stats_rx,
    netdev_queue_stats_tx,
    netdev_stat_ops, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// The callbacks of the devices of `T`.
///
/// The core calls each of them with a device that [`super::Registration`] has set up and not yet
/// unregistered, under its instance lock.
pub(super) struct Table<T>(PhantomData<T>);

impl<T: Operations> Table<T> {
    const OPS: netdev_stat_ops = netdev_stat_ops {
        get_queue_stats_rx: Some(Self::receive),
        get_queue_stats_tx: Some(Self::transmit),
        get_base_stats: Some(Self::base),
    };

    /// The table, if the driver counts.
    pub(super) const fn get() -> Option<&'static netdev_stat_ops> {
        if T::HAS_QUEUE_STATS {
            Some(&Self::OPS)
        } else {
            None
        }
    }

    /// `get_queue_stats_rx()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn receive(
        dev: *mut net_device,
        _queue: c_int,
        to: *mut netdev_queue_stats_rx,
    ) {
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The core passes a structure that is the callback's to fill in. What is not set means
        // that it is not known.
        let to = unsafe { &mut *to };
        let stats = dev.private().queue_stats();
        to.packets = stats.rx_packets;
        to.bytes = stats.rx_bytes;
        to.alloc_fail = stats.rx_alloc_fail;
    }

    /// `get_queue_stats_tx()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn transmit(
        dev: *mut net_device,
        _queue: c_int,
        to: *mut netdev_queue_stats_tx,
    ) {
        // SAFETY: The device is one of ours.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: As in `receive`.
        let to = unsafe { &mut *to };
        let stats = dev.private().queue_stats();
        to.packets = stats.tx_packets;
        to.bytes = stats.tx_bytes;
        to.hw_gso_packets = stats.tx_cut_packets;
        to.hw_gso_bytes = stats.tx_cut_bytes;
        to.hw_gso_wire_packets = stats.tx_segments;
        to.hw_gso_wire_bytes = stats.tx_segment_bytes;
        (to.stop, to.wake) = dev.area().common.stops.get();
    }

    /// `get_base_stats()`: what to add to the sums of the queues. Only what is set here is summed up.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    unsafe extern "C" fn base(
        _dev: *mut net_device,
        rx: *mut netdev_queue_stats_rx,
        tx: *mut netdev_queue_stats_tx,
    ) {
        // SAFETY: As in `receive`.
        let rx = unsafe { &mut *rx };
        // SAFETY: As in `receive`.
        let tx = unsafe { &mut *tx };
        (rx.packets, rx.bytes, rx.alloc_fail) = (0, 0, 0);
        (tx.packets, tx.bytes) = (0, 0);
        (tx.hw_gso_packets, tx.hw_gso_bytes) = (0, 0);
        (tx.hw_gso_wire_packets, tx.hw_gso_wire_bytes) = (0, 0);
        (tx.stop, tx.wake) = (0, 0);
    }
}
