// SPDX-License-Identifier: GPL-2.0

//! NAPI: receiving in softirq, without an interrupt for each frame.
//!
//! A device raises an interrupt; its handler schedules the poll; the poll receives up to a budget of
//! frames, and is called again until it has found less. Meanwhile the device need not interrupt: whether the
//! driver keeps it from that at once, or when it does it a second time, is the driver's choice.
//!
//! Three things go wrong in drivers, and are not expressible here. A poll cannot exceed its budget:
//! to receive a frame it needs a [`Slot`], of which there are as many as the budget. It cannot return a
//! number that does not fit what it did: it returns a [`Verdict`], and the layer finds the number. And
//! it cannot touch the receive ring after completion, when the next poll may already run on another
//! CPU: the layer completes, after the poll has returned and its `&mut Rx` has ended.
//!
//! The life of NAPI (adding, enabling, disabling, deleting, linking to queue and interrupt) is the
//! layer's own affair; see [`crate::net::driver`].
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! Documentation: [`networking/napi.rst`](srctree/Documentation/networking/napi.rst)

use crate::{
    bindings,
    ext::dma,
    net::{
        driver::{
            Device,
            Events,
            Operations, //
        },
        flow,
        queue::{
            self,
            TxQueue, //
        },
        skbuff::SkBuff, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    dma::Coherent,
    prelude::*,
    types::NotThreadSafe, //
};

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// Nothing more to do: the device may raise its interrupt again.
    ///
    /// If the whole budget was used, the poll is called again all the same.
    Done,
    /// Call again, though the budget was not used up.
    Again,
}

/// One run of the NAPI poll, with its budget.
///
/// # Invariants
///
/// - While a value of this type exists, its thread is the NAPI poll of `dev`, before completion, with
///   bottom halves disabled and interrupts enabled.
/// - `work` is not above `budget`.
pub(crate) struct Poll<'a, T: Operations> {
    dev: &'a Device<T>,
    budget: u32,
    work: u32,
    /// Frames are on their way that a program has redirected.
    redirected: bool,
    _not_send: NotThreadSafe,
}

impl<'a, T: Operations> Poll<'a, T> {
    /// Asserts the context.
    ///
    /// # Safety
    ///
    /// The caller must be the NAPI poll of `dev`, before completion, for `'a`.
    #[inline]
    unsafe fn assume(dev: &'a Device<T>, budget: u32) -> Self {
        // INVARIANT: The caller guarantees the context, and nothing was done yet.
        Self {
            dev,
            budget,
            work: 0,
            redirected: false,
            _not_send: NotThreadSafe,
        }
    }

    /// The device.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.dev
    }

    /// How many frames may still be received in this run.
    #[inline]
    pub(crate) fn remaining(&self) -> u32 {
        self.budget.saturating_sub(self.work)
    }

    /// How many frames were received in this run.
    #[inline]
    pub(crate) fn received(&self) -> u32 {
        self.work
    }

    /// The permission to receive one frame, or `None` when the budget is used up.
    #[inline]
    pub(crate) fn slot(&mut self) -> Option<Slot<'_, 'a, T>> {
        (self.work < self.budget).then_some(Slot { poll: self })
    }

    #[inline]
    pub(super) fn napi(&self) -> *mut bindings::napi_struct {
        self.dev.area().common.napi.get()
    }

    /// Makes a packet of the received Ethernet frame at `offset` in `from`, `len` bytes long.
    ///
    /// The packet is what the stack expects from a driver: of this interface, with protocol and
    /// packet type set, and the data after the header.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: the frame is not inside the buffer, or shorter than an Ethernet header.
    /// - `ENOMEM`: there is no memory; the frame is lost, and should be counted.
    #[inline]
    pub(crate) fn copy_frame(
        &mut self,
        from: &Coherent<[u8]>,
        offset: usize,
        len: u32,
    ) -> Result<Incoming<'a>> {
        self.copy_frame_in_two(from, (offset, len), (0, 0))
    }

    /// As [`Poll::copy_frame`], for a frame that wraps around the end of its ring: each piece is an
    /// offset and a length, and the second may be empty.
    #[inline]
    pub(crate) fn copy_frame_in_two(
        &mut self,
        from: &Coherent<[u8]>,
        head: (usize, u32),
        tail: (usize, u32),
    ) -> Result<Incoming<'a>> {
        let len = head.1.checked_add(tail.1).ok_or(EINVAL)?;
        if len < bindings::ETH_HLEN {
            return Err(EINVAL);
        }
        let head_start = dma::range(from, head.0, usize::try_from(head.1)?)?;
        let tail_start = dma::range(from, tail.0, usize::try_from(tail.1)?)?;
        // SAFETY: `range` has checked that both pieces are inside the buffer, which the borrow keeps.
        unsafe { self.copy_raw((head_start, head.1), (tail_start, tail.1)) }
    }

    /// As [`Poll::copy_frame`], for a frame in ordinary memory.
    #[inline]
    pub(crate) fn copy_slice(&mut self, frame: &[u8]) -> Result<Incoming<'a>> {
        let len = u32::try_from(frame.len())?;
        if len < bindings::ETH_HLEN {
            return Err(EINVAL);
        }
        // SAFETY: The slice may be read for its length; an empty piece is not read.
        unsafe { self.copy_raw((frame.as_ptr(), len), (frame.as_ptr(), 0)) }
    }

    /// Makes a packet of two pieces of memory.
    ///
    /// # Safety
    ///
    /// Both pieces must be readable for their length, and together be as long as an Ethernet header.
    #[inline]
    unsafe fn copy_raw(
        &mut self,
        head: (*const u8, u32),
        tail: (*const u8, u32),
    ) -> Result<Incoming<'a>> {
        // SAFETY: By the type invariant this is the poll of the device's NAPI; the caller guarantees
        // the rest.
        let skb = unsafe {
            bindings::napi_copy_frame(
                self.napi(),
                head.0.cast::<c_void>(),
                head.1,
                tail.0.cast::<c_void>(),
                tail.1,
            )
        };
        // SAFETY: The call made a packet of the interface, with protocol and packet type set.
        unsafe { Incoming::from_raw(skb) }
    }

    /// Frees a packet that was sent. Cheaper here than [`SkBuff::consume`].
    #[inline]
    pub(crate) fn consume(&mut self, skb: SkBuff) {
        let budget = c_int::try_from(self.budget).unwrap_or(1);
        // SAFETY: The packet and its only reference are given away; a budget that is not zero says
        // that this is the NAPI poll, which holds by the type invariant.
        unsafe { bindings::napi_consume_skb(skb.into_raw().as_ptr(), budget) };
    }

    /// Calls `f` with the transmit part and the queue, under the lock of the queue.
    ///
    /// `None` if the interface is being halted: there is no transmit part any more.
    #[inline]
    pub(crate) fn lock_tx<R>(
        &mut self,
        f: impl FnOnce(&mut T::Tx, &mut TxQueue<'_>) -> R,
    ) -> Option<R> {
        // SAFETY: By the type invariant this is the NAPI poll, so bottom halves are disabled; `self`
        // is borrowed mutably, so this thread does not hold the lock yet.
        unsafe { lock_tx(self.dev, |_, tx, queue| f(tx, queue)) }
    }

    /// Notes that a program has redirected a frame.
    #[inline]
    pub(super) fn note_redirect(&mut self) {
        self.redirected = true;
    }

    /// Reports frames as sent, and wakes the queue if it is stopped and at least `start` places are
    /// free: `netif_txq_completed_wake()`.
    ///
    /// For drivers that reap without the lock; see [`TxQueue::maybe_stop`]. `free` must look at the
    /// ring anew, and the ring must be up to date before the call.
    #[inline]
    pub(crate) fn completed_wake(
        &mut self,
        packets: u32,
        bytes: u32,
        free: impl Fn() -> u32,
        start: u32,
    ) {
        let txq = queue::raw(self.dev);
        // ORDERING: The places must be visible as free before the queue is looked at; the call has a
        // full barrier, which pairs with the one in `flow::maybe_stop`.
        //
        // SAFETY: The queue is valid; the poll is the only one to complete.
        unsafe { queue::completed(txq, packets, bytes) };
        if packets > 0 {
            // SAFETY: A device that is polled was set up by the layer.
            let queue = unsafe { queue::Lockless::new(self.dev) };
            flow::maybe_wake(&queue, free, start);
        }
    }

    /// Schedules deferred work, [`Operations::work`].
    #[inline]
    pub(crate) fn schedule_work(&self, events: Events) {
        // SAFETY: By the type invariant this is softirq with interrupts enabled.
        unsafe { self.dev.schedule_work(events) };
    }
}

/// A received packet, ready for the stack: see [`Poll::copy_frame`].
///
/// It names its device without a reference of its own, so it cannot be kept beyond the poll.
///
/// # Invariants
///
/// The packet is what the stack expects from a driver: of the interface that is polled for `'a`, with
/// protocol and packet type set, and the data after the Ethernet header, which is in the linear part.
#[must_use = "a packet that is not given to the stack is dropped without a reason"]
pub(crate) struct Incoming<'a> {
    skb: SkBuff,
    _poll: PhantomData<&'a mut ()>,
    _not_send: NotThreadSafe,
}

impl Incoming<'_> {
    /// Takes over a packet that was made just now; `ENOMEM` if there is none.
    ///
    /// # Safety
    ///
    /// `skb` must be null, or a packet with one reference, ours, that is what the type's invariant says
    /// for the poll that the result names.
    #[inline]
    pub(super) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Result<Self> {
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // INVARIANT: The caller guarantees it.
        Ok(Self {
            // SAFETY: The caller hands over the only reference.
            skb: unsafe { SkBuff::from_raw(skb) },
            _poll: PhantomData,
            _not_send: NotThreadSafe,
        })
    }

    /// The C object, still owned by this value.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.skb.as_raw()
    }

    /// Whether the frame was sent to a group, broadcast excepted.
    #[inline]
    pub(crate) fn is_multicast(&self) -> bool {
        // SAFETY: By the type invariant the packet is valid.
        let kind = unsafe {
            (*self.as_raw())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .pkt_type()
        };
        u32::from(kind) == bindings::PACKET_MULTICAST
    }
}

/// The permission to receive one frame. One that is neither used nor skipped is given back.
#[must_use = "a slot that is not used is given back"]
pub(crate) struct Slot<'p, 'a, T: Operations> {
    poll: &'p mut Poll<'a, T>,
}

impl<'a, T: Operations> Slot<'_, 'a, T> {
    /// Gives a packet to the stack: `napi_gro_receive()`.
    #[inline]
    pub(crate) fn receive(self, packet: Incoming<'a>) {
        // SAFETY: By the invariant of `Poll` this is the poll of that NAPI; the packet and its only
        // reference are given away.
        unsafe { bindings::napi_gro_receive(self.poll.napi(), packet.skb.into_raw().as_ptr()) };
        self.skip();
    }

    /// Uses the slot up for a frame that was dropped: that was work, too.
    #[inline]
    pub(crate) fn skip(self) {
        // INVARIANT: A slot exists only while `work` is below `budget`, and it is the only one.
        self.poll.work = self.poll.work.wrapping_add(1);
    }
}

/// Calls `f` with the transmit part of `dev` and the queue, under the lock of the queue; `None` if the
/// interface is down or being halted.
///
/// # Safety
///
/// Bottom halves must be disabled, and the thread must not hold the lock.
#[inline]
pub(super) unsafe fn lock_tx<T: Operations, R>(
    dev: &Device<T>,
    f: impl FnOnce(&T::Up, &mut T::Tx, &mut TxQueue<'_>) -> R,
) -> Option<R> {
    let txq = queue::raw(dev);
    // SAFETY: The caller guarantees it.
    unsafe { bindings::netif_tx_lock_queue(txq) };
    // SAFETY: The lock is held until below.
    let result = unsafe { with_tx(dev, f) };
    // SAFETY: The lock was taken above.
    unsafe { bindings::netif_tx_unlock_queue(txq) };
    result
}

/// Calls `f` with the transmit part of `dev`, if there is one.
///
/// # Safety
///
/// The lock of the transmit queue must be held, with bottom halves or interrupts disabled.
#[inline]
pub(super) unsafe fn with_tx<T: Operations, R>(
    dev: &Device<T>,
    f: impl FnOnce(&T::Up, &mut T::Tx, &mut TxQueue<'_>) -> R,
) -> Option<R> {
    // SAFETY: Bottom halves or interrupts are disabled, which is an RCU read section.
    let running = unsafe { dev.running() }?;
    // SAFETY: The lock is held, and this is the only access under it.
    let tx = unsafe { running.tx() }?;
    // SAFETY: The lock is held.
    let mut queue = unsafe { TxQueue::assume(dev) };
    Some(f(running.up(), tx, &mut queue))
}

/// The poll of netpoll, which sends kernel messages: interrupts are off, and nothing may be received.
///
/// # Safety
///
/// Interrupts must be disabled.
unsafe fn netpoll<T: Operations>(dev: &Device<T>) {
    if !T::HAS_NETPOLL {
        return;
    }
    let txq = queue::raw(dev);
    // The holder of the lock may be what this has interrupted.
    //
    // SAFETY: The queue is valid.
    if !unsafe { bindings::netif_tx_trylock_queue(txq) } {
        return;
    }
    // SAFETY: The lock is held until below, and interrupts are disabled.
    unsafe { with_tx(dev, |up, tx, queue| dev.private().netpoll(up, tx, queue)) };
    // SAFETY: The lock was taken above.
    unsafe { bindings::netif_tx_unlock_queue(txq) };
}

/// # Safety
///
/// The caller must be the core, which polls a NAPI that [`add`] has added.
unsafe extern "C" fn poll<T: Operations>(napi: *mut bindings::napi_struct, budget: c_int) -> c_int {
    // CAST: The field has a pointer to the opaque type of `kernel::bindings`.
    // SAFETY: The caller passes a valid NAPI, whose device is the one that it was added to.
    let dev = unsafe { Device::<T>::from_raw((*napi).dev.cast()) };
    let limit = match u32::try_from(budget) {
        Ok(limit @ 1..) => limit,
        _ => {
            // SAFETY: Only netpoll polls without a budget, and it has disabled interrupts.
            unsafe { netpoll(dev) };
            return 0;
        }
    };

    // SAFETY: The poll runs with bottom halves disabled, which is an RCU read section.
    let Some(running) = (unsafe { dev.running() }) else {
        // NAPI is disabled before the value goes, so there is nothing to be done here.
        //
        // SAFETY: This is the poll.
        unsafe { bindings::napi_complete_done(napi, 0) };
        return 0;
    };

    let work = {
        // SAFETY: This is the poll, before completion; `cx` ends with this block.
        let mut cx = unsafe { Poll::assume(dev, limit) };
        // SAFETY: As above, and there is no other reference.
        let rx = unsafe { running.rx() };
        let verdict = dev.private().poll(running.up(), rx, &mut cx);
        if cx.redirected {
            // SAFETY: This is the poll, which has redirected them.
            unsafe { bindings::xdp_do_flush() };
        }
        if verdict == Verdict::Again || cx.work >= limit {
            return budget;
        }
        cx.work
    };
    if T::HAS_HOLD_OFF && work > 0 && is_deferred(dev) {
        // Before completion: afterwards another poll may unmask.
        hold_off(dev, running.up());
    }
    let work = c_int::try_from(work).unwrap_or(0);
    // SAFETY: This is the poll, and its budget was not used up.
    if unsafe { bindings::napi_complete_done(napi, work) } {
        dev.private().unmask(running.up());
    }
    work
}

/// Has the driver mask the device's interrupt.
#[cold]
fn hold_off<T: Operations>(dev: &Device<T>, up: &T::Up) {
    dev.private().hold_off(up);
}

/// Whether the user wants the stack to poll by a timer for a while before the device interrupts again
/// (`napi_defer_hard_irqs`, `gro_flush_timeout`).
#[inline]
fn is_deferred<T: Operations>(dev: &Device<T>) -> bool {
    let napi = dev.area().common.napi.get();
    // SAFETY: The NAPI is valid; the field is read once, as C does.
    let times = unsafe { (&raw const (*napi).defer_hard_irqs).read_volatile() };
    // SAFETY: As above.
    times > 0 && unsafe { (&raw const (*napi).gro_flush_timeout).read_volatile() } > 0
}

/// Adds the NAPI of `dev`, disabled.
///
/// # Safety
///
/// `dev` must be set up for `T`, not be registered, and have no NAPI yet.
pub(super) unsafe fn add<T: Operations>(dev: &Device<T>) {
    // SAFETY: The NAPI is zeroed memory inside the device's private area; the device has one queue
    // pair, whose index is 0.
    unsafe {
        bindings::netif_napi_add_config(
            dev.as_raw(),
            dev.area().common.napi.get(),
            Some(poll::<T>),
            0,
        )
    };
}

/// Deletes the NAPI of `dev`. Waits for a grace period.
///
/// # Safety
///
/// NAPI must have been added, and be disabled.
pub(super) unsafe fn delete<T: Operations>(dev: &Device<T>) {
    // SAFETY: The caller guarantees it.
    unsafe { bindings::netif_napi_del(dev.area().common.napi.get()) };
}
