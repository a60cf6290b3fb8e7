// SPDX-License-Identifier: GPL-2.0

//! Sending in the classic mode: from the stack to the slots.
//!
//! A frame is copied into the memory of a slot, where its checksum is computed on the way, and its
//! packet is freed at once. The alternative, to let the chip read the packet itself, costs a
//! register write for its address and wants it aligned.
//!
//! All of it runs with the lock of the transmit queue held; the poll takes that lock when there is
//! something to collect, which is rare. [`tx_slots`] has the policy.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    nic::Nic,
    regs,
    tx_slots::{
        self,
        AllStatus,
        Done,
        Outcome,
        Port,
        Slot,
        Threshold,
        TxSlots, //
    },
};
use crate::net::{
    queue::{
        TxQueue,
        Xmit, //
    },
    skbuff::{
        DropReason,
        SkBuff, //
    },
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    io::{
        register::Array,
        Io, //
    },
    prelude::*,
    sync::atomic::Relaxed,
};

/// The transmit slots.
pub(crate) struct Tx {
    slots: TxSlots,
    memory: Coherent<[u8]>,
}

impl Tx {
    /// Allocates the memory of the slots.
    pub(crate) fn new(dev: &Device<Bound>) -> Result<Self> {
        Ok(Self {
            slots: TxSlots::new(),
            memory: Coherent::zeroed_slice(dev, tx_slots::BUFFER_LEN, GFP_KERNEL)?,
        })
    }

    /// The addresses of the slots on the bus.
    pub(crate) fn addresses(&self) -> Result<[u32; tx_slots::SLOTS]> {
        let base = self.memory.dma_address();
        // The buffer was allocated below 4 GiB as a whole.
        let last = base.saturating_add(tx_slots::BUFFER_LEN as u64);
        u32::try_from(last)?;
        // CAST: By the check above.
        Ok(Slot::ALL.map(|slot| base.wrapping_add(slot.offset() as u64) as u32))
    }

    /// Follows a chip that has been reset.
    pub(crate) fn restart(&mut self) {
        self.slots.restart();
    }

    /// Gives up the frames in flight before the chip is halted, and counts those that were not sent.
    pub(crate) fn abandon(&mut self, nic: &Nic<'_>) {
        if self.slots.in_flight() > 0 {
            let status = AllStatus::new(nic.hw.bar.read(regs::TSAD).into_raw());
            let lost = self.slots.abandon(status, |done| nic.account(done));
            nic.counters.tx_lost.add(lost.into());
        }
    }

    /// Frames that were counted as sent, and that the chip may still give up or lose.
    pub(crate) fn pending(&self) -> u64 {
        self.slots.in_flight().into()
    }

    /// Sends a frame.
    pub(crate) fn send(
        &mut self,
        nic: &Nic<'_>,
        up: &Up,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        // CAST: Both are constants below 2^16.
        const MAX: u32 = tx_slots::MAX_FRAME_LEN as u32;
        const MIN: u32 = tx_slots::MIN_FRAME_LEN as u32;

        if skb.len() > MAX {
            nic.counters.tx_dropped.increment();
            return Xmit::Dropped(skb, DropReason::PktTooBig);
        }
        let Some(slot) = self.slots.free_slot() else {
            // The queue is stopped when the last slot is taken, so this is not reached.
            queue.stop();
            return Xmit::Busy(skb);
        };
        let Ok(len) = skb.copy_and_csum_to(&self.memory, slot.offset(), MIN) else {
            nic.counters.tx_dropped.increment();
            return Xmit::Dropped(skb, DropReason::NotSpecified);
        };
        skb.tx_timestamp();
        skb.consume();

        nic.sent.add(queue, 1, len);
        let mut port = ChipPort { nic, up, queue };
        // CAST: `len` is at most `MAX`.
        tx_slots::submit(&mut self.slots, &mut port, len as u16);
        Xmit::Queued
    }

    /// Collects what the chip is done with.
    pub(crate) fn reap(&mut self, nic: &Nic<'_>, up: &Up, queue: &mut TxQueue<'_>) {
        let mut port = ChipPort { nic, up, queue };
        tx_slots::reap(&mut self.slots, &mut port);
    }
}

impl Nic<'_> {
    /// Counts what became of a frame.
    #[cold]
    fn account(&self, done: Done) {
        let counters = &self.counters;
        match done.outcome {
            Outcome::Sent => {}
            Outcome::Underrun => counters.tx_underruns.increment(),
            Outcome::Aborted => counters.tx_aborted.increment(),
        }
        // ORDERING: Relaxed. The worst that a stale value costs is the count of a collision.
        if done.outcome != Outcome::Aborted && !self.half_duplex.load(Relaxed) {
            return;
        }

        // In half duplex a second read for each frame: only its own register counts collisions.
        if let Some(location) = regs::TSD::try_at(done.slot.index()) {
            let tsd = self.hw.bar.read(location);
            counters.collisions.add(tsd.collisions().get().into());
            if tsd.out_of_window() {
                counters.tx_window_errors.increment();
            }
            if tsd.out_of_window() || done.outcome == Outcome::Aborted {
                counters.tx_errors.increment();
            }
            if done.outcome == Outcome::Aborted && tsd.carrier_lost() {
                counters.tx_carrier_errors.increment();
            }
        }
    }

    /// The same, and has a transmitter go on that has given up the frame, and stands still until it is
    /// told to.
    #[cold]
    fn account_and_go_on(&self, done: Done) {
        self.account(done);
        if done.outcome == Outcome::Aborted {
            // The rest of its configuration is in the same register.
            self.hw
                .bar
                .update(regs::TCR, |tcr| tcr.with_clear_abort(true));
        }
    }
}

/// What the policy drives.
struct ChipPort<'a, 'q, 'bound> {
    nic: &'a Nic<'bound>,
    up: &'a Up,
    queue: &'a mut TxQueue<'q>,
}

impl Port for ChipPort<'_, '_, '_> {
    fn kick(&mut self, slot: Slot, len: u16, threshold: Threshold) {
        let Some(location) = regs::TSD::try_at(slot.index()) else {
            return;
        };
        let tsd = u32::from(len) | (u32::from(threshold.units()) << regs::TSD::THRESHOLD_SHIFT);
        // The one access for the frame. A register write is ordered after the writes to memory before
        // it, so the chip sees the frame.
        self.nic.hw.bar.write(location, regs::TSD::from(tsd));
    }

    fn status(&mut self) -> AllStatus {
        AllStatus::new(self.nic.hw.bar.read(regs::TSAD).into_raw())
    }

    fn arm(&mut self, armed: bool) {
        self.up.arm_tx(&self.nic.hw, armed);
    }

    #[inline]
    fn done(&mut self, done: Done) {
        // There is something to count of the others alone.
        //
        // ORDERING: Relaxed. The worst that a stale value costs is the count of a collision.
        if done.outcome != Outcome::Sent || self.nic.half_duplex.load(Relaxed) {
            self.nic.account_and_go_on(done);
        }
    }

    fn sent(&mut self, bytes: u32) {
        self.queue.sent(bytes);
    }

    fn completed(&mut self, frames: u32, bytes: u32) {
        self.queue.completed(frames, bytes);
    }

    fn stop(&mut self) {
        self.queue.stop();
    }

    fn wake(&mut self) {
        if self.queue.is_stopped() {
            self.queue.wake();
        }
    }
}
