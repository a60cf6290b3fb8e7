// SPDX-License-Identifier: GPL-2.0

//! What is counted beside packets and bytes.
//!
//! `ip -s link` shows the sums that `struct rtnl_link_stats64` defines, `ethtool -S` each counter.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    missed::Missed,
    nic::Nic,
    path::{
        self,
        Tx, //
    },
    regs, //
};
use crate::net::{
    driver::Locked,
    stats::{
        Counter,
        QueueStats,
        Stats64, //
    },
};
use kernel::{
    io::Io,
    prelude::*, //
};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident $name:literal,)*) => {
        /// Counters that any context may increment; all of them are rare.
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $field: Counter,)*
        }

        impl Counters {
            /// The names of the counters, as `ethtool -S` shows them.
            pub(crate) const NAMES: &'static [&'static CStr] = &[$($name,)*];

            /// Counters at zero.
            pub(crate) fn new() -> Self {
                Self { $($field: Counter::new(),)* }
            }

            /// The counts, in the order of [`Self::NAMES`].
            pub(crate) fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$field.get(),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Damaged frames, and losses of the position in the ring.
    rx_errors c"rx_errors",
    /// Frames for which there was no memory.
    rx_dropped c"rx_dropped",
    /// Frames whose check sequence did not match.
    rx_crc_errors c"rx_crc_errors",
    /// Frames with an invalid symbol or a part of a byte.
    rx_frame_errors c"rx_frame_errors",
    /// Runts, and frames longer than the chip takes.
    rx_length_errors c"rx_length_errors",
    /// Multicast frames.
    multicast c"rx_multicast",
    /// Times that the receive ring had no room.
    rx_ring_overflows c"rx_ring_overflows",
    /// Times that the receive FIFO had no room.
    rx_fifo_overflows c"rx_fifo_overflows",
    /// Times that the position in the receive ring was lost and found again.
    rx_resyncs c"rx_resyncs",
    /// Bytes of the receive ring, headers included, that were given up when the receiver was stopped or
    /// its position lost.
    rx_discarded_bytes c"rx_discarded_bytes",
    /// Times that the poll met a frame that was still on its way from the FIFO.
    rx_dma_waits c"rx_dma_waits",
    /// Frames that the chip did not send, or not as it should, each counted once.
    tx_errors c"tx_errors",
    /// Frames to send that were dropped.
    tx_dropped c"tx_dropped",
    /// Frames given up after too many collisions.
    tx_aborted c"tx_aborted",
    /// Frames that were in the chip when it was halted or reset.
    tx_lost c"tx_lost",
    /// Frames given up because the carrier was lost.
    tx_carrier_errors c"tx_carrier_errors",
    /// Frames for which memory was too slow.
    tx_underruns c"tx_underruns",
    /// Collisions that came too late.
    tx_window_errors c"tx_window_errors",
    /// Collisions.
    collisions c"collisions",
    /// Times that the transmit watchdog fired.
    tx_timeouts c"tx_timeouts",
    /// Errors on the PCI bus.
    bus_errors c"bus_errors",
    /// Times that the chip was reset to recover.
    resets c"resets",
    /// Interrupts that met a poll that was scheduled already.
    irqs_deferred c"irqs_deferred",
    /// Received frames that a program has let through to the stack.
    xdp_pass c"rx_xdp_pass",
    /// Received frames that a program has dropped.
    xdp_drop c"rx_xdp_drop",
    /// Received frames that were dropped because the program went wrong.
    xdp_aborted c"rx_xdp_aborted",
    /// Received frames that a program has sent again.
    xdp_tx c"rx_xdp_tx",
    /// Received frames that a program would have sent again, but that could not be sent.
    xdp_tx_errors c"rx_xdp_tx_errors",
    /// Received frames that a program has passed on to another device or CPU.
    xdp_redirect c"rx_xdp_redirect",
    /// Received frames that a program would have passed on, but that could not be.
    xdp_redirect_errors c"rx_xdp_redirect_errors",
    /// Frames sent that programs of other devices have passed on to this one.
    xdp_xmit c"tx_xdp_xmit",
    /// Such frames that could not be sent.
    xdp_xmit_errors c"tx_xdp_xmit_errors",
}

impl Counters {
    /// Adds what is known here to the statistics of the interface.
    pub(crate) fn report(&self, stats: &mut Stats64) {
        stats.multicast = self.multicast.get();
        stats.collisions = self.collisions.get();

        stats.rx_dropped = self.rx_dropped.get();
        stats.rx_length_errors = self.rx_length_errors.get();
        stats.rx_over_errors = self.rx_ring_overflows.get();
        stats.rx_crc_errors = self.rx_crc_errors.get();
        stats.rx_frame_errors = self.rx_frame_errors.get();
        stats.rx_fifo_errors = self.rx_fifo_overflows.get();
        stats.rx_errors = self.rx_errors.get().wrapping_add(stats.rx_fifo_errors);

        stats.tx_dropped = self.tx_dropped.get();
        stats.tx_aborted_errors = self.tx_aborted.get();
        stats.tx_carrier_errors = self.tx_carrier_errors.get();
        stats.tx_fifo_errors = self.tx_underruns.get();
        stats.tx_window_errors = self.tx_window_errors.get();
        stats.tx_errors = self.tx_errors.get().wrapping_add(self.tx_lost.get());
    }
}

/// The count of missed frames, and whether the register may be read.
#[derive(Default)]
pub(crate) struct MissedFrames {
    count: Missed,
    running: bool,
}

impl Nic<'_> {
    /// All frames that found no room in the chip, since the driver was bound.
    pub(crate) fn missed_frames(&self) -> u64 {
        let mut missed = self.missed.lock();
        if missed.running {
            let register = self.hw.bar.read(regs::MPC).into_raw();
            missed.count.update(register);
        }
        missed.count.total()
    }

    /// The chip was started: its count of missed frames is zero, and may be read.
    pub(super) fn begin_missed(&self) {
        let mut missed = self.missed.lock();
        missed.count.restart();
        missed.running = true;
    }

    /// The chip is going to be halted.
    pub(super) fn end_missed(&self) {
        let mut missed = self.missed.lock();
        missed.count.update(self.hw.bar.read(regs::MPC).into_raw());
        missed.running = false;
    }

    /// How many frames were sent well. What the chip has given up does not count, nor what it has not ended
    /// yet and could still lose: so nothing has to be taken back.
    pub(super) fn sent_well(&self, cx: &mut Locked<'_, Self>, up: Option<&Up>) -> u64 {
        let without = |pending: u64| {
            let (sent, _) = self.sent.get();
            let failed = self
                .counters
                .tx_aborted
                .get()
                .wrapping_add(self.counters.tx_lost.get());
            sent.saturating_sub(failed.wrapping_add(pending))
        };
        // All of it changes under this lock. On a quiet wire nobody else looks for what was sent.
        let working = up.and_then(|up| {
            cx.lock_tx(|tx, queue| {
                path::reap(self, up, tx, queue);
                without(match tx {
                    Tx::Classic(tx) => tx.pending(),
                    Tx::CPlus(tx) => tx.pending(),
                })
            })
        });
        working.unwrap_or_else(|| without(0))
    }

    /// What `ip -s link` shows.
    pub(super) fn count(&self, stats: &mut Stats64) {
        (stats.rx_packets, stats.rx_bytes) = self.received.get();
        (stats.tx_packets, stats.tx_bytes) = self.sent.get();
        self.counters.report(stats);
        stats.rx_missed_errors = self.missed_frames();
    }

    /// The same by queue, and what is counted for queues alone.
    pub(super) fn count_by_queue(&self) -> QueueStats {
        let (rx_packets, rx_bytes) = self.received.get();
        let (tx_packets, tx_bytes) = self.sent.get();
        let (tx_cut_packets, tx_cut_bytes) = self.cut.get();
        let (tx_segments, tx_segment_bytes) = self.segments.get();
        QueueStats {
            rx_packets,
            rx_bytes,
            rx_alloc_fail: self.counters.rx_dropped.get(),
            tx_packets,
            tx_bytes,
            tx_cut_packets,
            tx_cut_bytes,
            tx_segments,
            tx_segment_bytes,
        }
    }
}
