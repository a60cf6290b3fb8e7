// SPDX-License-Identifier: GPL-2.0

//! The contexts of a driver's callbacks.
//!
//! Each of these values exists only while its callback runs, and carries the device that it is
//! about: what it allows cannot be done elsewhere, nor to another device.

use super::{
    running::Running,
    Device,
    Operations, //
};
use crate::{
    bindings,
    ext::irq,
    net::{
        context::Process,
        napi,
        queue::{
            self,
            TxQueue, //
        },
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::BitOr, //
};
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// A set of kinds of deferred work, which the driver numbers as it likes.
///
/// ```ignore
/// const RESET: Events = Events::bit::<0>();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events(usize);

impl Events {
    /// The layer's own kind: an interface that a failed restart has left halted is to be started again.
    pub(super) const RETRY: Self = Self(1 << (usize::BITS - 1));

    /// The kind with number `N`, below that of the last bit of a machine word, which is the layer's.
    pub(crate) const fn bit<const N: u32>() -> Self {
        const { assert!(N < usize::BITS - 1) };
        Self(1 << N)
    }

    /// Whether all kinds of `other` are in the set.
    #[inline]
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether [`Self::RETRY`] is in a set that comes from the core, and the kinds of the driver.
    pub(super) fn from_raw(raw: usize) -> (bool, Self) {
        (Self(raw).contains(Self::RETRY), Self(raw & !Self::RETRY.0))
    }
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<T: Operations> Device<T> {
    /// Has the core call [`Operations::work`] soon, from process context.
    ///
    /// # Safety
    ///
    /// The caller must not be in a hard interrupt, and interrupts must be enabled.
    #[inline]
    pub(in crate::net) unsafe fn schedule_work(&self, events: Events) {
        // SAFETY: The device is valid by its invariant, and the caller guarantees the context. A
        // device that is being unregistered is left alone by the call.
        unsafe { bindings::netdev_work_sched(self.as_raw(), events.0) };
    }
}

/// A control operation: process context, the instance lock of the device is held.
///
/// # Invariants
///
/// While a value of this type exists, its thread holds the instance lock of `dev`.
pub(crate) struct Locked<'a, T: Operations> {
    dev: &'a Device<T>,
    _not_send: NotThreadSafe,
}

impl<'a, T: Operations> Locked<'a, T> {
    /// Asserts that the instance lock is held.
    ///
    /// # Safety
    ///
    /// The current task must hold the instance lock of `dev` for `'a`, and what exists while the
    /// interface is up must not be dropped during `'a`.
    #[inline]
    pub(in crate::net) unsafe fn assume(dev: &'a Device<T>) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            dev,
            _not_send: NotThreadSafe,
        }
    }

    /// The device.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.dev
    }

    /// What exists while the interface is up; `None` when it is down.
    #[inline]
    pub(crate) fn up(&self) -> Option<&'a T::Up> {
        // SAFETY: By the type invariant the instance lock is held, for `'a`.
        let running = unsafe { self.dev.running() }?;
        Some(running.up())
    }

    /// Proof that the task may sleep. It borrows this token: whoever uses it to take a spinlock has
    /// no second one to sleep with.
    #[inline]
    pub(crate) fn process(&mut self) -> Process<'_> {
        // SAFETY: By the type invariant the task holds a mutex; the layer makes no value of this type
        // in an atomic section.
        unsafe { Process::assume() }
    }

    /// Calls `f` with the transmit part and the queue, under the lock of the queue.
    ///
    /// `None` if the interface is down or halted: what it had given to its device is accounted for then.
    pub(crate) fn lock_tx<R>(
        &mut self,
        f: impl FnOnce(&mut T::Tx, &mut TxQueue<'_>) -> R,
    ) -> Option<R> {
        let txq = queue::raw(self.dev);
        // SAFETY: The queue is valid. The task holds a mutex, so it is in process context; `self` is borrowed
        // mutably, so it does not hold the lock yet.
        unsafe { bindings::netif_tx_lock_queue_bh(txq) };
        // SAFETY: The lock is held until below, with bottom halves disabled.
        let result = unsafe { napi::with_tx(self.dev, |_, tx, queue| f(tx, queue)) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::netif_tx_unlock_queue_bh(txq) };
        result
    }

    /// Schedules deferred work.
    pub(crate) fn schedule_work(&self, events: Events) {
        // SAFETY: The task holds a mutex, so it is in process context with interrupts enabled.
        unsafe { self.dev.schedule_work(events) };
    }

    /// Stops the interface and starts it again, from the rings up: for recovery, and for changes that
    /// the hardware only takes when it is halted.
    ///
    /// [`Operations::stop`] and [`Operations::start`] are called with nothing else running.
    ///
    /// # Errors
    ///
    /// - `ENETDOWN`: the interface is down; there is nothing to restart.
    /// - `ENODEV`: the hardware is detached.
    /// - What [`Operations::start`] returned. The interface then stays up for the user but halted.
    ///   Another restart starts it again, and the layer has one tried each few seconds, by
    ///   [`Operations::retry`], whether or not there is a link: until one works, the hardware is
    ///   detached, or the interface goes down.
    pub(crate) fn restart(&self) -> Result {
        // SAFETY: By the type invariant the instance lock is held.
        let running = unsafe { self.dev.running() }.ok_or(ENETDOWN)?;
        if !self.dev.is_present() {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariant the instance lock is held, and `running` is the device's.
        unsafe { running.restart(self.dev) }.inspect_err(|_| self.retry_later())
    }

    /// Replaces the rings of an interface that is up by others, made before: halts it, and starts it
    /// with these. For a change of their size.
    ///
    /// # Errors
    ///
    /// Those of [`Locked::restart`]; the new rings are there all the same.
    pub(crate) fn replace(&self, rx: T::Rx, tx: T::Tx) -> Result {
        // SAFETY: By the type invariant the instance lock is held.
        let running = unsafe { self.dev.running() }.ok_or(ENETDOWN)?;
        // SAFETY: By the type invariant the instance lock is held, and `running` is the device's.
        unsafe { running.replace(self.dev, rx, tx) };
        self.restart()
    }

    /// Sets the limits of the MTU, in bytes.
    pub(crate) fn set_mtu_limits(&self, min: u32, max: u32) {
        // SAFETY: The device is valid, and readers do not mind to see one limit before the other.
        unsafe { (&raw mut (*self.dev.as_raw()).min_mtu).write_volatile(min) };
        // SAFETY: As above.
        unsafe { (&raw mut (*self.dev.as_raw()).max_mtu).write_volatile(max) };
    }

    /// Says whether programs can be attached that look at received frames, and frames of others be sent, if
    /// that changes: see [`Config::xdp`](super::Config::xdp).
    pub(crate) fn offer_xdp(&self, yes: bool) {
        // SAFETY: By the type invariant the instance lock is held.
        unsafe { self.dev.offer_xdp(yes) };
    }

    /// What exists while the interface is up, if it is halted although its hardware is there.
    fn halted(&self) -> Option<&'a Running<T>> {
        // SAFETY: By the type invariant the instance lock is held.
        let running = unsafe { self.dev.running() }?;
        // SAFETY: By the type invariant the instance lock is held, and `running` is the device's.
        let halted = unsafe { running.is_halted() };
        (halted && self.dev.is_present()).then_some(running)
    }

    /// Has a restart that has failed tried again in a while; nothing if none has.
    pub(super) fn retry_later(&self) {
        if let Some(running) = self.halted() {
            // SAFETY: By the type invariant the instance lock is held, and `running` is the device's.
            unsafe { running.retry_later(self.dev) };
        }
    }

    /// Has the driver try again now; and in a while, if that is of no use, whatever the reason.
    pub(super) fn retry(&mut self) {
        if let Some(running) = self.halted() {
            self.dev.private().retry(self, running.up());
            self.retry_later();
        }
    }

    /// Halts the interface if it is up, and hides the hardware from the stack: it does not answer any
    /// more, or must not be touched. The interface stays as it is for the user.
    ///
    /// [`Registration::attach`](super::Registration::attach) undoes it.
    pub(crate) fn detach(&self) {
        // SAFETY: The device is valid.
        unsafe { bindings::netif_device_detach(self.dev.as_raw()) };
        // SAFETY: By the type invariant the instance lock is held.
        if let Some(running) = unsafe { self.dev.running() } {
            // SAFETY: By the type invariant the instance lock is held, and `running` is the device's.
            unsafe { running.halt(self.dev) };
        }
    }

    /// Undoes [`Locked::detach`], see [`Registration::attach`](super::Registration::attach).
    pub(super) fn attach(&self) -> Result {
        self.detach();
        // SAFETY: By the type invariant the instance lock is held.
        let running = unsafe { self.dev.running() };
        let result = running.map_or(Ok(()), |running| {
            // SAFETY: By the type invariant the instance lock is held; `running` is the device's, and has been
            // halted just now.
            unsafe { running.go_up(self.dev) }
        });
        // This wakes the queue, once: it may be stopped again at once.
        //
        // SAFETY: The device is valid.
        unsafe { bindings::netif_device_attach(self.dev.as_raw()) };
        if result.is_err() {
            // SAFETY: The device and its queue are valid.
            unsafe { bindings::netif_tx_stop_queue(queue::raw(self.dev)) };
            self.retry_later();
        }
        result
    }
}

/// What the user is told when a request fails, beside the error: `struct netlink_ext_ack`.
pub(crate) struct Why(*mut bindings::netlink_ext_ack);

impl Why {
    /// # Safety
    ///
    /// `extack` must be null, or valid as long as the value is used.
    #[inline]
    pub(in crate::net) unsafe fn from_raw(extack: *mut bindings::netlink_ext_ack) -> Self {
        Self(extack)
    }

    /// Says it: `NL_SET_ERR_MSG()`.
    pub(crate) fn say(&mut self, message: &'static CStr) {
        if self.0.is_null() {
            return;
        }
        // SAFETY: By the contract of `from_raw` the structure is valid, and this call's.
        unsafe { (*self.0)._msg = message.as_char_ptr() };
    }
}

/// Nothing else of the interface runs: no poll, no transmission. (A handler of a shared interrupt
/// line may, but the device is masked.)
pub(crate) struct Quiet<'a, T: Operations> {
    /// The device.
    pub(crate) dev: &'a Device<T>,
    /// What all contexts share.
    pub(crate) up: &'a T::Up,
    /// The part of the NAPI poll.
    pub(crate) rx: &'a mut T::Rx,
    /// The part of the holder of the transmit lock.
    pub(crate) tx: &'a mut T::Tx,
}

impl<T: Operations> Quiet<'_, T> {
    /// Proof that the task may sleep. It borrows this token: whoever uses it to take a spinlock has
    /// no second one to sleep with.
    #[inline]
    pub(crate) fn process(&mut self) -> Process<'_> {
        // SAFETY: The layer halts and starts an interface in process context, holding nothing but
        // mutexes.
        unsafe { Process::assume() }
    }
}

/// A hard interrupt of the device's line.
pub(crate) struct Interrupt<'a, T: Operations> {
    dev: &'a Device<T>,
    hard: irq::Hard<'a>,
}

impl<'a, T: Operations> Interrupt<'a, T> {
    #[inline]
    pub(super) fn new(dev: &'a Device<T>, hard: irq::Hard<'a>) -> Self {
        Self { dev, hard }
    }

    /// The device.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.dev
    }

    /// The context.
    #[inline]
    pub(crate) fn hard(&self) -> &irq::Hard<'a> {
        &self.hard
    }

    /// Claims the next poll: `napi_schedule_prep()`.
    ///
    /// `None` if NAPI is disabled or already scheduled. In the latter case the poll runs once more
    /// after the one that may be running, so nothing is lost; but it does not run *now*, so a
    /// level-triggered interrupt must be masked or acknowledged to end.
    #[inline]
    pub(crate) fn prepare_napi(&self) -> Option<NapiPrepared<'_>> {
        let napi = self.dev.area().common.napi.get();
        // SAFETY: NAPI was added before the line was requested, and is deleted after it is freed.
        unsafe { bindings::napi_schedule_prep(napi) }.then(|| NapiPrepared {
            // INVARIANT: The call above has claimed the poll.
            napi,
            _lifetime: PhantomData,
        })
    }

    /// Schedules the poll; `false` if it was not scheduled anew, see [`Interrupt::prepare_napi`].
    #[inline]
    pub(crate) fn schedule_napi(&self) -> bool {
        match self.prepare_napi() {
            Some(prepared) => {
                prepared.schedule();
                true
            }
            None => false,
        }
    }
}

/// A poll that was claimed but not scheduled yet: the moment to mask the device.
///
/// Dropping it schedules the poll, too, since a claimed poll that never runs would block NAPI.
///
/// # Invariants
///
/// The owner has claimed the next poll of `napi` (`NAPI_STATE_SCHED`), in a hard interrupt that lasts
/// for `'a`.
#[must_use = "the poll is scheduled when this is dropped"]
pub(crate) struct NapiPrepared<'a> {
    napi: *mut bindings::napi_struct,
    _lifetime: PhantomData<&'a ()>,
}

impl NapiPrepared<'_> {
    /// Lets the poll run.
    #[inline]
    pub(crate) fn schedule(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariant the poll is claimed, and interrupts are off.
        unsafe { bindings::__napi_schedule_irqoff(this.napi) };
    }
}

impl Drop for NapiPrepared<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the poll is claimed, and interrupts are off.
        unsafe { bindings::__napi_schedule_irqoff(self.napi) };
    }
}

/// A timer of the device has fired, that of [`Operations::tick`] or the transmit watchdog: softirq.
pub(crate) struct Timer<'a, T: Operations> {
    dev: &'a Device<T>,
    _not_send: NotThreadSafe,
}

impl<'a, T: Operations> Timer<'a, T> {
    /// Asserts the context.
    ///
    /// # Safety
    ///
    /// The caller must be a timer of `dev`, for `'a`.
    #[inline]
    pub(super) unsafe fn assume(dev: &'a Device<T>) -> Self {
        Self {
            dev,
            _not_send: NotThreadSafe,
        }
    }

    /// The device.
    #[inline]
    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.dev
    }

    /// Schedules deferred work.
    #[inline]
    pub(crate) fn schedule_work(&self, events: Events) {
        // SAFETY: A timer runs in softirq with interrupts enabled.
        unsafe { self.dev.schedule_work(events) };
    }

    /// Lets the poll run soon, as if the device had raised its interrupt.
    #[inline]
    pub(crate) fn kick_napi(&self) {
        // SAFETY: NAPI was added before the device was registered; scheduling it is sound in any
        // state, and a softirq runs what it has scheduled.
        unsafe { bindings::napi_schedule_bh(self.dev.area().common.napi.get()) };
    }
}
