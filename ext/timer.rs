// SPDX-License-Identifier: GPL-2.0

//! Timers that fire in a softirq: [`Timer`], a `struct hrtimer` around what it is for.
//!
//! The timers of the `kernel` crate (`kernel::time::hrtimer`) belong to who arms them: each time, that
//! one gets a handle that disarms the timer when it is dropped, and waits for that. A timer that is armed
//! for each block of a ring, by the softirq that puts the first packet into it, has nobody who could keep
//! such a handle or wait. Here the timer belongs to the value that it is around, and ends with it:
//!
//! - It is armed from anywhere, also from its own [`Alarm::fire`]. Armed again, it fires at the time of
//!   the later call only.
//! - [`Timer::disarm`] is for who may sleep: it waits for a call of `fire` that is running.
//! - A dropped timer was disarmed. By then nobody has a reference to it, so nobody arms it again but `fire`
//!   itself, which is waited for.
//!
//! Times are those of the clock that begins when the machine starts, and does not jump (`CLOCK_MONOTONIC`).
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use crate::{
    bindings,
    net::context::{
        BottomHalf,
        Process, //
    },
};
use core::ops::Deref;
use kernel::{
    prelude::*,
    time::{
        hrtimer::HrTimerExpires,
        Delta,
        Instant,
        Monotonic, //
    },
    types::Opaque, //
};

/// What a timer is for. It may be shared with who arms the timer.
pub(crate) trait Alarm: Send + Sync + Sized + 'static {
    /// The time has come. Softirq.
    ///
    /// Calls of one timer never overlap. `timer` must not be dropped here: it would wait for itself.
    fn fire(timer: &Timer<Self>, bottom_half: &mut BottomHalf<'_>);
}

/// A timer, and what it is for, to which it dereferences.
///
/// Its `Drop` waits for [`Alarm::fire`], so it must not run in a hard interrupt, nor under a lock that `fire`
/// takes.
///
/// # Invariants
///
/// `timer` is initialised, and calls `fire_callback::<T>`.
#[pin_data(PinnedDrop)]
pub(crate) struct Timer<T: Alarm> {
    #[pin]
    timer: Opaque<bindings::hrtimer>,
    #[pin]
    content: T,
}

// SAFETY: A timer is not bound to a thread, and the content is `Send`.
unsafe impl<T: Alarm> Send for Timer<T> {}

// SAFETY: The kernel locks a timer; the content is `Sync`.
unsafe impl<T: Alarm> Sync for Timer<T> {}

impl<T: Alarm> Timer<T> {
    /// A timer that is not armed.
    pub(crate) fn new<E>(content: impl PinInit<T, E>) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(Self {
            // INVARIANT: The call initialises the timer, with this function.
            timer <- Opaque::ffi_init(|timer: *mut bindings::hrtimer| {
                // SAFETY: `timer` may be written, and stays where it is.
                unsafe {
                    bindings::hrtimer_setup(
                        timer,
                        Some(fire_callback::<T>),
                        bindings::CLOCK_MONOTONIC as bindings::clockid_t,
                        bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
                    )
                };
            }),
            content <- content,
        }? Error)
    }

    /// Has the timer fire at `time`, or at once if that is past; not at an earlier one that it was armed
    /// for. Any context.
    pub(crate) fn arm_at(&self, time: Instant<Monotonic>) {
        // SAFETY: By the type invariant the timer is initialised. It is disarmed before it ends.
        unsafe {
            bindings::hrtimer_start_range_ns(
                self.timer.get(),
                time.as_nanos(),
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT,
            )
        };
    }

    /// Has the timer fire after `delay`. As [`arm_at`](Self::arm_at) in all else.
    pub(crate) fn arm_after(&self, delay: Delta) {
        // SAFETY: As in `arm_at`.
        unsafe {
            bindings::hrtimer_start_range_ns(
                self.timer.get(),
                delay.as_nanos(),
                0,
                bindings::hrtimer_mode_HRTIMER_MODE_REL_SOFT,
            )
        };
    }

    /// Has the timer fire when the clock next shows a multiple of `period`, as one does that fires
    /// periodically since the machine was started. As [`arm_at`](Self::arm_at) in all else.
    pub(crate) fn arm_at_multiple(&self, period: Delta) {
        let now = Instant::<Monotonic>::now();
        let past = now.as_nanos().checked_rem(period.as_nanos()).unwrap_or(0);
        // A time at the end of days is one that never comes.
        self.arm_at(now + Delta::from_nanos(period.as_nanos().wrapping_sub(past)));
    }

    /// Disarms the timer, and waits for [`Alarm::fire`] if that is running. Says whether it was armed.
    ///
    /// Who has a reference can arm it again at any time.
    pub(crate) fn disarm(&self, _context: &mut Process<'_>) -> bool {
        self.cancel()
    }

    fn cancel(&self) -> bool {
        // SAFETY: By the type invariant the timer is initialised.
        unsafe { bindings::hrtimer_cancel(self.timer.get()) != 0 }
    }
}

impl<T: Alarm> Deref for Timer<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.content
    }
}

#[pinned_drop]
impl<T: Alarm> PinnedDrop for Timer<T> {
    fn drop(self: Pin<&mut Self>) {
        self.cancel();
    }
}

/// A timer fires: `hrtimer::function`.
///
/// # Safety
///
/// Only the kernel may call it, in a softirq, for the `timer` of a [`Timer<T>`].
unsafe extern "C" fn fire_callback<T: Alarm>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    let timer = Opaque::cast_from(timer).cast_mut();
    // SAFETY: The caller guarantees that it is that field.
    let timer = unsafe { kernel::container_of!(timer, Timer<T>, timer) };
    // SAFETY: Whoever ends the timer waits until this function has returned.
    let timer = unsafe { &*timer };
    // SAFETY: A timer of this mode fires in a softirq.
    let mut bottom_half = unsafe { BottomHalf::assume() };
    T::fire(timer, &mut bottom_half);
    // Who arms it again sets the time under the lock of the timer, which this function could not.
    bindings::hrtimer_restart::HRTIMER_NORESTART
}
