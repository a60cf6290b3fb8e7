// SPDX-License-Identifier: GPL-2.0

//! What exists while an interface is up, and the ways up and down.

use super::{
    context::{
        Locked,
        Timer, //
    },
    device::Private,
    Device,
    Events,
    Interrupt,
    Operations,
    Quiet, //
};
use crate::{
    bindings,
    ext::irq,
    net::queue, //
};
use core::{
    cell::UnsafeCell,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    sync::atomic::{
        Relaxed,
        Release, //
    },
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

/// How long after a restart has failed the next one is tried, in milliseconds.
const RETRY_MS: u32 = 5000;

/// The three parts that [`Operations::open`] makes.
pub(crate) struct Parts<Up, Rx, Tx> {
    /// An initialiser for [`Operations::Up`]; a value is passed as `Ok(value)`.
    pub(crate) up: Up,
    /// The value of [`Operations::Rx`].
    pub(crate) rx: Rx,
    /// The value of [`Operations::Tx`].
    pub(crate) tx: Tx,
}

/// What exists while an interface is up.
///
/// # Invariants
///
/// - `dev` is the device that the value was made for, and outlives it.
/// - `tx` is accessed only with the lock of the transmit queue held. It is `Some` exactly while
///   `parked` is `None`, but for the moment of handing it over.
/// - `parked` and `irq` are accessed only with the instance lock held.
/// - `rx` is accessed only by the NAPI poll, while NAPI is enabled; or with the instance lock held,
///   while it is disabled. NAPI is enabled exactly while `parked` is `None`.
#[pin_data]
pub(in crate::net) struct Running<T: Operations> {
    dev: NonNull<bindings::net_device>,
    /// The transmit part while the interface works.
    tx: UnsafeCell<Option<T::Tx>>,
    /// The transmit part while the interface is halted.
    parked: UnsafeCell<Option<T::Tx>>,
    rx: UnsafeCell<T::Rx>,
    irq: UnsafeCell<Option<irq::Registration>>,
    #[pin]
    up: T::Up,
}

// SAFETY: `up` is `Sync`; the other parts are `Send`, and by the type invariant each is accessed by
// one thread at a time.
unsafe impl<T: Operations> Sync for Running<T> {}

impl<T: Operations> Running<T> {
    /// What all contexts share.
    #[inline]
    pub(in crate::net) fn up(&self) -> &T::Up {
        &self.up
    }

    /// The transmit part; `None` while the interface is halted.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of the transmit queue while it uses the answer, and must not
    /// have another one.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub(in crate::net) unsafe fn tx(&self) -> Option<&mut T::Tx> {
        // SAFETY: By the type invariant the lock makes the caller the only one.
        unsafe { (*self.tx.get()).as_mut() }
    }

    /// The receive part.
    ///
    /// # Safety
    ///
    /// The caller must be the NAPI poll of the device, before `napi_complete_done()`, and must not
    /// have another one.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub(in crate::net) unsafe fn rx(&self) -> &mut T::Rx {
        // SAFETY: NAPI runs one poll at a time, and by the type invariant nobody else has access.
        unsafe { &mut *self.rx.get() }
    }

    /// Halts the interface, unless it is halted, and replaces its rings.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, and `self` must be what `dev` is running.
    pub(super) unsafe fn replace(&self, dev: &Device<T>, rx: T::Rx, tx: T::Tx) {
        // SAFETY: By this function's contract.
        unsafe { self.halt(dev) };
        // SAFETY: The interface is halted, so by the type invariant NAPI is disabled and the caller's
        // lock makes it the only one.
        unsafe { *self.rx.get() = rx };
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        unsafe { *self.parked.get() = Some(tx) };
    }

    /// Brings the interface up: `ndo_open()`.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held.
    pub(super) unsafe fn open(dev: &Device<T>) -> Result {
        // SAFETY: The caller holds the lock, and nothing exists yet that could be dropped.
        let mut cx = unsafe { Locked::assume(dev) };
        let parts = dev.private().open(&mut cx)?;
        let raw = NonNull::new(dev.as_raw()).ok_or(ENODEV)?;
        // INVARIANT: NAPI is disabled, `tx` is `None` and `parked` is `Some`.
        let running: Pin<KBox<Self>> = KBox::pin_init(
            try_pin_init!(Running {
                dev: raw,
                tx: UnsafeCell::new(None),
                parked: UnsafeCell::new(Some(parts.tx)),
                rx: UnsafeCell::new(parts.rx),
                irq: UnsafeCell::new(None),
                up <- parts.up,
            }? Error),
            GFP_KERNEL,
        )?;

        let running: *mut Self = running.into_foreign().cast();
        // SAFETY: `running` stays valid until `release` below.
        let this = unsafe { &*running };
        // ORDERING: Release pairs with the acquire in `Device::running`.
        dev.area().running.store(running, Release);

        // SAFETY: The caller holds the lock; `this` is the device's, new and halted.
        let result = unsafe { this.request_irq(dev) }
            // SAFETY: As above.
            .and_then(|()| unsafe { this.go_up(dev) });
        if let Err(error) = result {
            // SAFETY: The caller holds the lock; the interface is halted.
            unsafe { Self::release(dev) };
            return Err(error);
        }
        // SAFETY: The caller holds the lock; NAPI lives until after `release`.
        unsafe { Self::link_queues(dev, dev.area().common.napi.get()) };
        // SAFETY: The device is valid; the core has not activated its queue yet, so nobody waits to be
        // woken.
        unsafe { bindings::netif_tx_start_queue(queue::raw(dev)) };
        Ok(())
    }

    /// Brings the interface down: `ndo_stop()`.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held.
    pub(super) unsafe fn close(dev: &Device<T>) {
        // SAFETY: The caller holds the lock.
        if let Some(running) = unsafe { dev.running() } {
            // SAFETY: The caller holds the lock; `running` is the device's.
            unsafe { running.halt(dev) };
            // SAFETY: The caller holds the lock; the interface is halted now.
            unsafe { Self::release(dev) };
        }
        dev.carrier_off();
    }

    /// Halts the interface, unless it is halted, and starts it again.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, and `self` must be what `dev` is running.
    pub(super) unsafe fn restart(&self, dev: &Device<T>) -> Result {
        // SAFETY: By this function's contract.
        unsafe { self.halt(dev) };
        // SAFETY: By this function's contract; the interface is halted now.
        unsafe { self.resume(dev) }
    }

    /// Starts a halted interface whose queue the core has activated.
    ///
    /// # Safety
    ///
    /// As for `go_up`.
    pub(super) unsafe fn resume(&self, dev: &Device<T>) -> Result {
        // SAFETY: By this function's contract.
        unsafe { self.go_up(dev) }?;
        // SAFETY: The device and its queue are valid.
        unsafe { bindings::netif_tx_wake_queue(queue::raw(dev)) };
        Ok(())
    }

    /// Whether the interface is halted.
    ///
    /// # Safety
    ///
    /// The instance lock of the device must be held.
    pub(super) unsafe fn is_halted(&self) -> bool {
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        unsafe { (*self.parked.get()).is_some() }
    }

    /// Has a restart of a halted interface tried in a while. The next `halt` takes that back.
    ///
    /// # Safety
    ///
    /// As for `restart`, and the interface must be halted.
    pub(super) unsafe fn retry_later(&self, dev: &Device<T>) {
        // SAFETY: The timer is set up. Who starts the interface or ends it has called `halt` before.
        unsafe { bindings::timer_start_ms(dev.area().retry.get(), RETRY_MS) };
    }

    /// Requests the interrupt line, if there is one.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, and `self` must be what `dev` is running.
    unsafe fn request_irq(&self, dev: &Device<T>) -> Result {
        let Some(line) = dev.private().irq() else {
            return Ok(());
        };
        let cookie = core::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: The device is valid; its name is inside of it, as long as it lives.
        let name = unsafe { (&raw const (*dev.as_raw()).name).cast() };
        // SAFETY:
        // - `release` drops the registration before `self`, which is what the handler uses.
        // - The line is a part of the private data, which lives longer, as does the name.
        // - The cookie is the address of `self`, so it is unique.
        let registration =
            unsafe { irq::Registration::shared(line, handle_interrupt::<T>, name, cookie) };
        let registration = registration?;
        let number = c_int::try_from(registration.number()).unwrap_or(-1);
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        unsafe { *self.irq.get() = Some(registration) };
        // SAFETY: NAPI is added, and the caller holds the lock.
        unsafe { bindings::netif_napi_set_irq_locked(dev.area().common.napi.get(), number) };
        Ok(())
    }

    /// Tells the core which NAPI serves the two queues, for who asks by netlink.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held. `napi` must be null, or the NAPI of `dev`.
    unsafe fn link_queues(dev: &Device<T>, napi: *mut bindings::napi_struct) {
        for direction in [
            bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
            bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
        ] {
            // SAFETY: The caller guarantees it; each device of the layer has one queue each way.
            unsafe { bindings::netif_queue_set_napi(dev.as_raw(), 0, direction, napi) };
        }
    }

    /// Halted to working, but for the transmit queue's state.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, `self` must be what `dev` is running, and the
    /// interface must be halted, with `halt` called since the last failure.
    pub(super) unsafe fn go_up(&self, dev: &Device<T>) -> Result {
        let txq = queue::raw(dev);
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        let parked = unsafe { &mut *self.parked.get() };
        let quiet = Quiet {
            dev,
            up: &self.up,
            // SAFETY: The interface is halted, so by the type invariant NAPI is disabled and the
            // caller's lock makes it the only one.
            rx: unsafe { &mut *self.rx.get() },
            tx: parked.as_mut().ok_or(EBUSY)?,
        };
        dev.private().start(quiet)?;
        if T::HAS_POOL {
            // SAFETY: As above.
            if let Some(pool) = T::pool(unsafe { &mut *self.rx.get() }) {
                // SAFETY: NAPI is disabled, and `halt` undoes it when it is again.
                unsafe { pool.serve(dev) };
            }
        }

        // SAFETY: The queue is valid, and the task is in process context.
        unsafe { bindings::netif_tx_lock_queue_bh(txq) };
        // SAFETY: The lock is held.
        unsafe { *self.tx.get() = parked.take() };
        // The ring is empty. Whoever has called this wakes the queue.
        dev.area().common.stops.note_wake();
        // The watchdog counts from now.
        //
        // SAFETY: The queue is valid.
        unsafe { bindings::txq_trans_update(txq) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::netif_tx_unlock_queue_bh(txq) };

        // SAFETY: NAPI is added and disabled, and the caller holds the lock.
        unsafe { bindings::napi_enable_locked(dev.area().common.napi.get()) };
        dev.private().unmask(&self.up);
        if T::HAS_TICK {
            // SAFETY: The timer is set up.
            unsafe { start_tick(dev) };
        }
        Ok(())
    }

    /// Working to halted. If it is halted, no restart is tried again from here on.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, and `self` must be what `dev` is running.
    pub(super) unsafe fn halt(&self, dev: &Device<T>) {
        let txq = queue::raw(dev);
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        let parked = unsafe { &mut *self.parked.get() };
        if parked.is_some() {
            // SAFETY: The timer is set up, and its function takes no lock that the task holds.
            unsafe { bindings::timer_delete_sync(dev.area().retry.get()) };
            return;
        }

        if T::HAS_TICK {
            // It starts itself again, and the call waits for that too.
            //
            // SAFETY: The timer is set up, and its function takes no lock that the task holds.
            unsafe { bindings::timer_delete_sync(dev.area().tick.get()) };
        }

        // SAFETY: The queue is valid, and the task is in process context.
        unsafe { bindings::netif_tx_lock_queue_bh(txq) };
        // SAFETY: The queue is valid.
        unsafe { bindings::netif_tx_stop_queue(txq) };
        // SAFETY: The lock is held.
        *parked = unsafe { (*self.tx.get()).take() };
        // SAFETY: The lock was taken above.
        unsafe { bindings::netif_tx_unlock_queue_bh(txq) };

        // SAFETY: NAPI is added and enabled, and the caller holds the lock.
        unsafe { bindings::napi_disable_locked(dev.area().common.napi.get()) };
        if T::HAS_POOL {
            // SAFETY: NAPI is disabled, so by the type invariant the caller's lock makes it the only one.
            if let Some(pool) = T::pool(unsafe { &mut *self.rx.get() }) {
                // SAFETY: NAPI is disabled.
                unsafe { pool.retire() };
            }
        }
        // A poll may still be on its way from `napi_complete_done()` through `unmask`, and a
        // transmission on its way out.
        //
        // SAFETY: The task is in process context.
        unsafe { bindings::synchronize_net() };

        dev.private().mask(&self.up);
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        if let Some(irq) = unsafe { &*self.irq.get() } {
            irq.synchronize();
        }

        let Some(tx) = parked.as_mut() else {
            return;
        };
        dev.private().stop(Quiet {
            dev,
            up: &self.up,
            // SAFETY: NAPI is disabled, so by the type invariant the caller's lock makes it the only
            // one.
            rx: unsafe { &mut *self.rx.get() },
            tx,
        });

        // The bytes that the queue accounts for will never complete.
        //
        // SAFETY: The queue is valid, and nobody sends or completes.
        unsafe { bindings::netdev_tx_reset_queue(txq) };
    }

    /// Frees the interrupt line and drops what `dev` is running.
    ///
    /// # Safety
    ///
    /// The instance lock of `dev` must be held, and the interface must be halted.
    unsafe fn release(dev: &Device<T>) {
        // ORDERING: Relaxed, since the instance lock orders it after the store of the pointer.
        let running = dev.area().running.load(Relaxed);
        if running.is_null() {
            return;
        }
        // SAFETY: The caller holds the lock.
        unsafe { Self::link_queues(dev, null_mut()) };
        // SAFETY: By the invariant of `Private`; it stays valid until it is dropped below.
        let this = unsafe { &*running };
        // SAFETY: By the type invariant the caller's lock makes it the only one.
        if let Some(irq) = unsafe { (*this.irq.get()).take() } {
            // SAFETY: NAPI is added, and the caller holds the lock.
            unsafe { bindings::netif_napi_set_irq_locked(dev.area().common.napi.get(), -1) };
            // Waits for the handler, the last one but for readers of the pointer to use `this`.
            drop(irq);
        }

        // ORDERING: Relaxed, since nothing was written that a reader of null could need.
        dev.area().running.store(null_mut(), Relaxed);
        // SAFETY: The task is in process context.
        unsafe { bindings::synchronize_net() };
        // SAFETY: The pointer came from `into_foreign` in `open`. Nobody finds it any more, and all
        // who had found it have ended: the handler with its line, the others with the grace period.
        drop(unsafe { Pin::<KBox<Self>>::from_foreign(running.cast()) });
    }
}

/// Has the timer fire once.
///
/// # Safety
///
/// The timer of `dev` must be set up.
unsafe fn start_tick<T: Operations>(dev: &Device<T>) {
    let ms = dev.private().tick_ms();
    // SAFETY: The caller guarantees it.
    unsafe { bindings::timer_start_ms(dev.area().tick.get(), ms) };
}

/// The function of the timer.
///
/// # Safety
///
/// `timer` must be the `tick` of a device that was set up for `T`, and the caller a timer interrupt.
pub(super) unsafe extern "C" fn tick<T: Operations>(timer: *mut bindings::timer_list) {
    if !T::HAS_TICK {
        return;
    }
    // SAFETY: The caller guarantees that `timer` is that field of the private area, which is where
    // `netdev_priv()` of the device is.
    let area = unsafe { kernel::container_of!(Opaque::cast_from(timer), Private<T>, tick) };
    // SAFETY: It is that of a device which is set up for `T`, and works, so it is registered.
    let dev = unsafe { Device::<T>::of_private(area.cast_mut()) };
    // SAFETY: A timer runs with bottom halves disabled: an RCU read section.
    if let Some(running) = unsafe { dev.running() } {
        // SAFETY: This is the timer.
        let cx = unsafe { Timer::assume(dev) };
        dev.private().tick(running.up(), &cx);
        // SAFETY: The timer is set up; who halts the interface waits for this function.
        unsafe { start_tick(dev) };
    }
}

/// The function of the timer that has a restart tried again, which needs process context.
///
/// # Safety
///
/// `timer` must be the `retry` of a device that was set up for `T`, and the caller a timer interrupt.
pub(super) unsafe extern "C" fn retry<T: Operations>(timer: *mut bindings::timer_list) {
    // SAFETY: The caller guarantees that `timer` is that field of the private area, which is where
    // `netdev_priv()` of the device is.
    let area = unsafe { kernel::container_of!(Opaque::cast_from(timer), Private<T>, retry) };
    // SAFETY: It is that of a device which is set up for `T`, and up, so it is registered.
    let dev = unsafe { Device::<T>::of_private(area.cast_mut()) };
    // SAFETY: A timer runs in softirq with interrupts enabled.
    unsafe { dev.schedule_work(Events::RETRY) };
}

/// # Safety
///
/// `cookie` must be the address of a `Running<T>` that stays valid until this returns, and the caller
/// must be an interrupt handler.
unsafe extern "C" fn handle_interrupt<T: Operations>(
    _irq: c_int,
    cookie: *mut c_void,
) -> bindings::irqreturn_t {
    // SAFETY: The caller guarantees it.
    let running = unsafe { &*cookie.cast::<Running<T>>() };
    // SAFETY: By the invariant of `Running` the device is valid.
    let dev = unsafe { Device::<T>::from_raw(running.dev.as_ptr()) };
    // SAFETY: The caller guarantees it.
    let hard = unsafe { irq::Hard::assume() };
    dev.private()
        .interrupt(running.up(), &Interrupt::new(dev, hard))
        .into_raw()
}
