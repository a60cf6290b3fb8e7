// SPDX-License-Identifier: GPL-2.0

//! Counters that are 64 bits wide and never torn.
//!
//! C keeps such counters in `u64_stats_t`, which one context writes, and guards them with a
//! `struct u64_stats_sync`. On a machine with 64-bit words that guard is empty, and a counter is a
//! plain word that is loaded and stored whole. Here a counter is an atomic word: the same instructions
//! on such a machine, and right on all others.
//!
//! [`Traffic`] counts packets and bytes on the hot path, for one writer, by a load and a store;
//! the type of the writer is part of its type, so that there is one. [`Counter`] counts what is rare,
//! from any context, by an atomic addition.
//!
//! Counters live in the driver's private data and not in what exists while the interface is up: they
//! are read at any time, and must not start anew when the interface does.
//!
//! ```ignore
//! struct Nic {
//!     received: stats::Traffic<stats::Receive>,
//!     ring_full: stats::Counter,
//! }
//!
//! // In the poll:
//! self.received.add(napi, 1, len);
//! self.ring_full.increment();
//! // In `stats64`:
//! (stats.rx_packets, stats.rx_bytes) = self.received.get();
//! ```
//!
//! C headers: [`include/linux/u64_stats_sync.h`](srctree/include/linux/u64_stats_sync.h),
//! [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h)

use crate::{
    bindings,
    net::{
        driver::Operations,
        napi::Poll,
        queue::TxQueue, //
    },
};
use core::marker::PhantomData;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The NAPI poll is the writer.
pub(crate) struct Receive;

/// The holder of the lock of the transmit queue is the writer.
pub(crate) struct Transmit;

/// A context of which there is one at a time: the writer of [`Traffic<Role>`](Traffic).
pub(crate) trait Writer<Role> {}

impl<T: Operations> Writer<Receive> for Poll<'_, T> {}
impl Writer<Transmit> for TxQueue<'_> {}

/// Packets and bytes in one direction, counted by one writer.
pub(crate) struct Traffic<Role> {
    packets: Atomic<u64>,
    bytes: Atomic<u64>,
    _role: PhantomData<fn(Role)>,
}

impl<Role> Traffic<Role> {
    /// Counters at zero.
    pub(crate) fn new() -> Self {
        Self {
            packets: Atomic::new(0),
            bytes: Atomic::new(0),
            _role: PhantomData,
        }
    }

    /// Counts `packets` of together `bytes`.
    #[inline]
    pub(crate) fn add(&self, _writer: &mut impl Writer<Role>, packets: u32, bytes: u32) {
        // ORDERING: Relaxed. There is one writer, and readers only need each value whole.
        let add = |counter: &Atomic<u64>, n: u32| {
            counter.store(counter.load(Relaxed).wrapping_add(u64::from(n)), Relaxed);
        };
        add(&self.packets, packets);
        add(&self.bytes, bytes);
    }

    /// Packets and bytes so far. The two need not belong to the same moment.
    pub(crate) fn get(&self) -> (u64, u64) {
        // ORDERING: Relaxed, see `add`.
        (self.packets.load(Relaxed), self.bytes.load(Relaxed))
    }
}

/// Counts what is rare, from any context.
pub(crate) struct Counter(Atomic<u64>);

impl Counter {
    /// A counter at zero.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts one.
    #[inline]
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    /// Counts `n`.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // ORDERING: Relaxed, since nothing else depends on the value.
        self.0.add(n, Relaxed);
    }

    /// The count so far.
    pub(crate) fn get(&self) -> u64 {
        // ORDERING: Relaxed, see `add`.
        self.0.load(Relaxed)
    }
}

/// What the receive queue and the transmit queue of a device have counted (`ip -s link` shows the same as
/// part of [`Stats64`]).
pub(crate) struct QueueStats {
    /// Packets received and given to the stack.
    pub(crate) rx_packets: u64,
    /// Bytes of those, from the first of the header.
    pub(crate) rx_bytes: u64,
    /// Packets for which there was no memory.
    pub(crate) rx_alloc_fail: u64,
    /// Packets sent.
    pub(crate) tx_packets: u64,
    /// Bytes of those.
    pub(crate) tx_bytes: u64,
    /// Packets that the device has cut into segments.
    pub(crate) tx_cut_packets: u64,
    /// Bytes of those, before.
    pub(crate) tx_cut_bytes: u64,
    /// The segments that they became.
    pub(crate) tx_segments: u64,
    /// Bytes of those.
    pub(crate) tx_segment_bytes: u64,
}

macro_rules! stats64 {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// The counters of an interface: `struct rtnl_link_stats64`, of which a driver sets what it
        /// knows.
        #[derive(Default)]
        pub(crate) struct Stats64 {
            $($(#[$doc])* pub(crate) $field: u64,)*
        }

        impl Stats64 {
            pub(super) fn store(self, to: &mut bindings::rtnl_link_stats64) {
                $(to.$field = self.$field;)*
            }
        }
    };
}

stats64! {
    /// Frames received and given to the stack.
    rx_packets,
    /// Frames given to the device and sent.
    tx_packets,
    /// Bytes of those received, from the first of the header.
    rx_bytes,
    /// Bytes of those sent.
    tx_bytes,
    /// Frames received wrong, for all reasons.
    rx_errors,
    /// Frames not sent, for all reasons.
    tx_errors,
    /// Frames received right and dropped by the driver.
    rx_dropped,
    /// Frames dropped before they reached the device.
    tx_dropped,
    /// Multicast frames received.
    multicast,
    /// Collisions.
    collisions,
    /// Received wrong: too short or too long.
    rx_length_errors,
    /// Received wrong: the device's ring was full.
    rx_over_errors,
    /// Received wrong: checksum.
    rx_crc_errors,
    /// Received wrong: not a whole number of bytes.
    rx_frame_errors,
    /// Received wrong: the device's own buffer was full.
    rx_fifo_errors,
    /// Received wrong: counted by the device as missed.
    rx_missed_errors,
    /// Not sent: too many collisions, or given up by the device.
    tx_aborted_errors,
    /// Not sent: no carrier.
    tx_carrier_errors,
    /// Not sent: memory was too slow.
    tx_fifo_errors,
    /// Not sent: no heartbeat.
    tx_heartbeat_errors,
    /// Not sent: a collision came too late.
    tx_window_errors,
}
