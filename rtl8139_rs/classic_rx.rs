// SPDX-License-Identifier: GPL-2.0

//! Receiving in the classic mode: from the ring to the stack.
//!
//! All of it runs in the NAPI poll, which owns the ring: [`Rx`] is reached through the poll's
//! `&mut`, or while nothing else of the interface runs.
//!
//! Register accesses: one read of CBR for a batch, however many frames it has; one write of CAPR for
//! each quarter of the ring, after an overflow, and each time that the chip is looked after.

#![forbid(unsafe_code)]

use super::{
    gate::Notes,
    hw::Health,
    intr_mask::bits,
    nic::Nic,
    recovery::RESET,
    regs,
    rx_filter::Filter,
    rx_ring::{
        self,
        Accept,
        Frame,
        Lost,
        Next,
        RxRing, //
    },
};
use crate::{
    ext::dma,
    net::{
        driver::Features,
        napi::{
            Poll,
            Verdict, //
        },
    }, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    io::Io,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// The receive ring.
pub(crate) struct Rx {
    ring: RxRing,
    memory: Coherent<[u8]>,
    /// The chip was found stopped: what is in the ring, and where it says it is, is not to be believed.
    stale: bool,
    /// What the receiver accepts now.
    filter: Filter,
    /// When the interface went up; the beginning of the time that the ring is told.
    epoch: Instant<Monotonic>,
}

impl Rx {
    /// Allocates a ring.
    pub(crate) fn new(dev: &Device<Bound>) -> Result<Self> {
        Ok(Self {
            ring: RxRing::new(),
            memory: Coherent::zeroed_slice(dev, rx_ring::BUFFER_LEN, GFP_KERNEL)?,
            stale: false,
            filter: Filter::station(),
            epoch: Instant::now(),
        })
    }

    /// The address of the ring on the bus.
    pub(crate) fn address(&self) -> Result<u32> {
        Ok(u32::try_from(self.memory.dma_address())?)
    }

    /// Has no header stand where a receiver begins that is not running.
    ///
    /// What stands there is an old one, of a frame that was delivered, and a chip whose position was
    /// not reset would have it taken for a new one.
    pub(crate) fn clear(&self) {
        // It is inside the buffer.
        let _ = dma::write_u32(&self.memory, 0, 0);
    }

    /// Counts what is in the ring of a receiver that was stopped at `end`, a value of CBR, and
    /// [clears](Self::clear) it.
    pub(crate) fn abandon(&mut self, nic: &Nic<'_>, end: u16) {
        // Where a chip is that was reset says nothing of what it had received.
        if !self.stale {
            let bytes = self.ring.give_up(end);
            nic.counters.rx_discarded_bytes.add(bytes.into());
        }
        self.clear();
    }

    /// The chip has lost its way, and is to be reset. Until it has been started again nothing is
    /// received: an old frame would be taken for a new one.
    pub(crate) fn distrust(&mut self) {
        self.ring.forget();
        self.stale = true;
    }

    /// Follows a chip whose receiver has just been started with `filter`.
    pub(crate) fn restart(&mut self, filter: Filter) {
        self.ring.restart();
        self.stale = false;
        self.filter = filter;
    }

    /// For how long the interface has been up, in microseconds.
    fn now_us(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros_ceil()).unwrap_or(0)
    }

    /// Sets a filter that the stack has asked for.
    pub(crate) fn set_filter(&mut self, nic: &Nic<'_>, filter: Filter) {
        let table_only = Filter {
            table: self.filter.table,
            ..filter
        };
        if table_only == self.filter {
            nic.hw.set_table(filter);
            self.filter = filter;
            return;
        }
        // Frames in the ring are lost; they were accepted by a filter that is no longer wanted.
        nic.hw
            .restart_receiver(filter, |end| self.abandon(nic, end));
        self.restart(filter);
    }

    /// Receives what is in the ring, up to the budget.
    pub(crate) fn receive<'bound>(
        &mut self,
        nic: &Nic<'bound>,
        napi: &mut Poll<'_, Nic<'bound>>,
        notes: &Notes,
    ) -> Verdict {
        nic.count_overflows(notes.events);
        if self.stale {
            return Verdict::Done;
        }
        // A poll that nobody asked for looks at the ring, unless it goes on with what it has seen.
        let unprompted = notes.is_unprompted() && self.ring.is_drained();
        self.ring.note(notes.concerns_rx() || unprompted);

        let features = napi.dev().features();
        let accept = Accept {
            errors: features.contains(Features::RXALL),
            fcs: features.contains(Features::RXFCS),
        };
        let mut verdict = Verdict::Done;
        while napi.remaining() > 0 {
            if self.ring.wants_snapshot() {
                // The one read of the batch. It also orders what follows after what the chip has
                // written before it moved on.
                self.ring.observe(nic.hw.bar.read(regs::CBR).into_raw());
                // Frames that no interrupt has told of: or the position is that of a chip that was reset.
                if unprompted && !self.ring.is_drained() && nic.hw.health() == Health::Stopped {
                    self.distrust();
                    napi.schedule_work(RESET);
                }
            }
            if self.ring.is_drained() {
                break;
            }
            let Ok(header) = dma::read_u32(&self.memory, self.ring.header_offset()) else {
                break;
            };
            match self.ring.decode(header, accept) {
                Next::Frame(frame) => self.deliver(nic, napi, frame),
                Next::Partial => self.ring.forget(),
                Next::InProgress => {
                    nic.counters.rx_dma_waits.increment();
                    let now = self.now_us();
                    if self.ring.keep_waiting(now) {
                        verdict = Verdict::Again;
                    } else {
                        self.resync(nic, napi, Lost::FifoHung);
                    }
                    break;
                }
                Next::Lost(lost) => self.resync(nic, napi, lost),
            }
        }

        if let Some(offset) = self.ring.release(notes.wants_position()) {
            nic.hw.bar.write_reg(regs::CAPR::from(offset));
        }
        verdict
    }

    /// Gives a frame to the stack.
    fn deliver<'bound>(
        &mut self,
        nic: &Nic<'bound>,
        napi: &mut Poll<'_, Nic<'bound>>,
        frame: Frame,
    ) {
        let status = frame.status();
        if !status.is_ok() {
            nic.counters.rx_errors.increment();
            nic.count_damage(status);
        }
        // CAST: At most `MAX_FRAME_LEN + FCS_LEN`.
        let len = frame.len() as u32;
        let skb = napi.copy_frame(&self.memory, frame.offset(), len);
        self.ring.consume(frame);
        if skb.is_ok() {
            nic.received.add(napi, 1, len);
        }
        let Some(slot) = napi.slot() else {
            return;
        };
        match skb {
            Ok(skb) => {
                if skb.is_multicast() {
                    nic.counters.multicast.increment();
                }
                slot.receive(skb);
            }
            Err(error) => {
                // A runt without a whole Ethernet header is nothing that the stack could take.
                if error == EINVAL && status.is_ok() {
                    nic.counters.rx_errors.increment();
                    nic.counters.rx_length_errors.increment();
                } else if error != EINVAL {
                    nic.counters.rx_dropped.increment();
                }
                slot.skip();
            }
        }
    }

    /// Finds the position in the ring again, after it was lost.
    fn resync<'bound>(&mut self, nic: &Nic<'bound>, napi: &Poll<'_, Nic<'bound>>, lost: Lost) {
        dev_dbg!(nic.pdev(), "receive ring out of step: {:?}\n", lost);
        nic.counters.rx_resyncs.increment();
        nic.counters.rx_errors.increment();
        if let Lost::BadStatus(status) = lost {
            nic.count_damage(status);
        }
        let filter = self.filter;
        if nic.hw.health() == Health::Stopped {
            // It was reset, and knows no address of memory any more.
            self.distrust();
            napi.schedule_work(RESET);
            return;
        }
        nic.hw
            .restart_receiver(filter, |end| self.abandon(nic, end));
        self.restart(filter);
    }
}

impl Nic<'_> {
    fn count_damage(&self, status: rx_ring::RxStatus) {
        if status.is_crc_error() {
            self.counters.rx_crc_errors.increment();
        }
        if status.is_frame_error() {
            self.counters.rx_frame_errors.increment();
        }
        if status.is_runt() || status.is_too_long() {
            self.counters.rx_length_errors.increment();
        }
    }

    /// Counts overflows that the chip has reported.
    pub(crate) fn count_overflows(&self, events: u16) {
        if events & bits::RX_OVERFLOW != 0 {
            self.counters.rx_ring_overflows.increment();
        }
        if events & bits::RX_FIFO_OVERFLOW != 0 {
            self.counters.rx_fifo_overflows.increment();
        }
    }
}
