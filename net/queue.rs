// SPDX-License-Identifier: GPL-2.0

//! The transmit queue of an interface.
//!
//! The stack hands frames to a driver one at a time, under the lock of the queue. When its ring is
//! full, the driver stops the queue; when frames were sent, it wakes it. Both are simple when they
//! happen under the lock, which the poll can take, too
//! ([`Poll::lock_tx`](crate::net::napi::Poll::lock_tx)): nobody fills the ring while somebody else
//! empties it, so the state of the queue always fits the ring. Drivers that empty the ring without the
//! lock use [`TxQueue::maybe_stop`] on one side and
//! [`Poll::completed_wake`](crate::net::napi::Poll::completed_wake) on the other, which have the
//! barriers that keep the queue from stalling.
//!
//! Each byte that was sent must be reported twice, in [`TxQueue::sent`] and, when the device is done
//! with it, in [`TxQueue::completed`]: byte queue limits (BQL) keep the ring just full enough. What
//! never completes because the ring was reset is accounted for by the layer.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)

use crate::{
    bindings,
    ext::dma,
    net::{
        device::Device,
        driver,
        flow,
        skbuff::{
            DropReason,
            SkBuff, //
        },
        stats::Counter, //
    },
};
use core::marker::PhantomData;
use kernel::{
    dma::Coherent,
    prelude::*,
    types::NotThreadSafe,
    warn_on, //
};

/// What became of a frame to send.
#[must_use]
pub(crate) enum Xmit {
    /// The driver has it: it is in the ring, or was copied there and consumed.
    Queued,
    /// It cannot be sent. The layer frees it with this reason; the driver counts it.
    Dropped(SkBuff, DropReason),
    /// The ring is full; the stack keeps the frame and tries again (`NETDEV_TX_BUSY`).
    ///
    /// A driver that stops its queue in time never needs it.
    Busy(SkBuff),
}

/// How often a driver has stopped its queue, since its ring was full, and how often frames were let come
/// again after that.
///
/// What the layer itself does to the queue of an interface that is halted is no such stop. It ends one: an
/// interface that is started has an empty ring.
pub(super) struct Stops {
    stopped: Counter,
    /// The queue stands while these are fewer.
    woken: Counter,
}

impl Stops {
    /// The driver stops the queue, which may stand already.
    #[inline]
    fn note_stop(&self) {
        if self.stopped.get() <= self.woken.get() {
            self.stopped.increment();
        }
    }

    /// Frames may come again, if they could not.
    #[inline]
    pub(super) fn note_wake(&self) {
        if self.woken.get() < self.stopped.get() {
            self.woken.increment();
        }
    }

    /// Both counts.
    #[inline]
    pub(super) fn get(&self) -> (u64, u64) {
        (self.stopped.get(), self.woken.get())
    }
}

/// The queue of `dev`: the layer's devices have one.
#[inline]
pub(super) fn raw(dev: &Device) -> *mut bindings::netdev_queue {
    // SAFETY: By the invariant of `Device` it is valid; the array of queues has one element at least,
    // and is replaced never.
    unsafe { (*dev.as_raw())._tx }
}

/// Reports `packets` of together `bytes` as sent by the device, with a full barrier.
///
/// # Safety
///
/// `txq` must be valid, and nobody else may report to it at the same time.
#[inline]
pub(super) unsafe fn completed(txq: *mut bindings::netdev_queue, packets: u32, bytes: u32) {
    // The kernel stops with a `BUG` when more bytes complete than were queued. A driver that
    // miscounts shall not do that.
    #[cfg(CONFIG_BQL)]
    let bytes = {
        // SAFETY: The caller guarantees that the queue is valid. The other side only ever adds to
        // `num_queued`.
        let queued = unsafe { (&raw const (*txq).dql.num_queued).read_volatile() };
        // SAFETY: As above; only the caller's side writes this field.
        let done = unsafe { (*txq).dql.num_completed };
        let limit = queued.wrapping_sub(done);
        if warn_on!(bytes > limit) {
            limit
        } else {
            bytes
        }
    };
    // SAFETY: The caller guarantees it; `bytes` are outstanding.
    unsafe { bindings::netdev_txq_completed_mb(txq, packets, bytes) };
}

/// The transmit queue, as it may be used without its lock.
///
/// # Invariants
///
/// The pointer is to a valid queue for `'a`.
pub(super) struct Lockless<'a>(*mut bindings::netdev_queue, &'a Stops);

impl<'a> Lockless<'a> {
    /// The queue of `dev`.
    ///
    /// # Safety
    ///
    /// `dev` must have been set up by [`crate::net::driver::Registration`].
    #[inline]
    pub(super) unsafe fn new(dev: &'a Device) -> Self {
        // SAFETY: The caller guarantees it.
        let stops = unsafe { driver::stops_of(dev) };
        // INVARIANT: The queue lives as long as its device.
        Self(raw(dev), stops)
    }
}

impl flow::Queue for Lockless<'_> {
    #[inline]
    fn stop_mb(&self) {
        self.1.note_stop();
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_stop_queue_mb(self.0) };
    }

    #[inline]
    fn start(&self) {
        self.1.note_wake();
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_start_queue(self.0) };
    }

    #[inline]
    fn is_stopped(&self) -> bool {
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_queue_stopped(self.0) }
    }

    #[inline]
    fn wake(&self) {
        self.1.note_wake();
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_wake_queue(self.0) };
    }
}

/// The transmit queue, with its lock held.
///
/// # Invariants
///
/// - `txq` is the queue of `dev`, which is one of the layer's devices.
/// - While a value of this type exists, its thread holds the lock of the queue, with bottom halves or
///   interrupts disabled.
pub(crate) struct TxQueue<'a> {
    txq: *mut bindings::netdev_queue,
    dev: &'a Device,
    _lock: PhantomData<&'a mut bindings::netdev_queue>,
    _not_send: NotThreadSafe,
}

impl<'a> TxQueue<'a> {
    /// Asserts that the lock of the queue of `dev` is held.
    ///
    /// # Safety
    ///
    /// - `dev` must have been set up by [`crate::net::driver::Registration`].
    /// - The current thread must hold the lock for `'a`, with bottom halves or interrupts disabled.
    #[inline]
    pub(super) unsafe fn assume(dev: &'a Device) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            txq: raw(dev),
            dev,
            _lock: PhantomData,
            _not_send: NotThreadSafe,
        }
    }

    /// The interface.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device {
        self.dev
    }

    #[inline]
    fn stops(&self) -> &'a Stops {
        // SAFETY: By the type invariant it is one of the layer's devices.
        unsafe { driver::stops_of(self.dev) }
    }

    /// Stops the queue: no frame comes until it is woken.
    #[inline]
    pub(crate) fn stop(&mut self) {
        self.stops().note_stop();
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_stop_queue(self.txq) };
    }

    /// Lets frames come again, and has the stack send what waits.
    #[inline]
    pub(crate) fn wake(&mut self) {
        self.stops().note_wake();
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_wake_queue(self.txq) };
    }

    /// Whether the driver has stopped the queue.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::netif_tx_queue_stopped(self.txq) }
    }

    /// Reports `bytes` as given to the device.
    #[inline]
    pub(crate) fn sent(&mut self, bytes: u32) {
        // SAFETY: By the type invariant the queue is valid and its lock is held.
        unsafe { bindings::netdev_tx_sent_queue(self.txq, bytes) };
    }

    /// Reports `packets` of together `bytes` as sent by the device.
    ///
    #[inline]
    pub(crate) fn completed(&mut self, packets: u32, bytes: u32) {
        // SAFETY: By the type invariant the queue is valid and its lock is held.
        unsafe { completed(self.txq, packets, bytes) };
    }

    /// Whether the stack has another frame that comes right after this one: a driver that has to tell its
    /// device of frames may do so once for all (`netdev_xmit_more()`).
    #[inline]
    pub(crate) fn more(&self) -> bool {
        // SAFETY: By the type invariant the thread sends, and stays on its CPU.
        unsafe { bindings::netdev_xmit_more() }
    }

    /// Stops the queue if fewer than `stop` places are free, unless at least `start` became free
    /// meanwhile: `netif_txq_maybe_stop()`.
    ///
    /// For drivers that reap without the lock. `free` must look at the ring anew each time, and the
    /// ring must be up to date before the call. Returns whether the queue was left stopped.
    #[inline]
    pub(crate) fn maybe_stop(&mut self, free: impl Fn() -> u32, stop: u32, start: u32) -> bool {
        // SAFETY: By the type invariant it is one of the layer's devices.
        let queue = unsafe { Lockless::new(self.dev) };
        flow::maybe_stop(&queue, free, stop, start)
    }

    /// Schedules the poll: for a device that raises no interrupt, or not for this.
    ///
    /// Returns whether it was scheduled anew. It is not when NAPI is disabled or already scheduled; in
    /// the latter case it runs once more.
    #[inline]
    pub(crate) fn schedule_napi(&mut self) -> bool {
        let napi = driver::napi_of(self.dev);
        // SAFETY: By the type invariant `napi` was added; claiming it is sound in any state and context.
        let claimed = unsafe { bindings::napi_schedule_prep(napi) };
        if claimed {
            // SAFETY: The poll was claimed just now.
            unsafe { bindings::__napi_schedule(napi) };
        }
        claimed
    }

    /// Tells the watchdog that something was sent just now.
    ///
    /// The stack does so for each frame; a driver needs it when it keeps the queue stopped for longer
    /// than the watchdog allows, for a good reason.
    #[inline]
    pub(crate) fn trans_update(&mut self) {
        // SAFETY: By the type invariant the queue is valid and its lock is held.
        unsafe { bindings::txq_trans_update(self.txq) };
    }
}

impl SkBuff {
    /// Reports to who asked for it when the frame is given to the device: `skb_tx_timestamp()`.
    ///
    /// To be called as late as possible before the device may send.
    #[inline]
    pub(crate) fn tx_timestamp(&self) {
        // SAFETY: The packet is valid by its invariant.
        unsafe { bindings::skb_tx_timestamp(self.as_raw()) };
    }

    /// Copies the frame to `offset` in `to`, with zeros up to `pad_to` bytes if it is shorter, and
    /// with the checksum that the stack left to the hardware. Returns the length with padding.
    ///
    /// A driver that sends from a buffer of its own uses it: with this, it can offer
    /// [`Features::SG`](crate::net::driver::Features::SG) and
    /// [`Features::HW_CSUM`](crate::net::driver::Features::HW_CSUM) without hardware for them.
    /// `EINVAL` if the result would not be inside the buffer.
    #[inline]
    pub(crate) fn copy_and_csum_to(
        &self,
        to: &Coherent<[u8]>,
        offset: usize,
        pad_to: u32,
    ) -> Result<u32> {
        let len = self.len().max(pad_to);
        let start = dma::range(to, offset, usize::try_from(len)?)?;
        // SAFETY: The packet is valid by its invariant, and `range` has checked that `len` bytes, all
        // that the call writes, are inside the buffer, of which no reference exists.
        unsafe { bindings::skb_copy_and_csum_pad(self.as_raw(), start, pad_to) };
        Ok(len)
    }
}
