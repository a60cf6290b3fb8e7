// SPDX-License-Identifier: GPL-2.0

//! A spinlock that only tasks take.
//!
//! Where softirqs take a lock too, a task must turn them off while it holds it, which costs more than
//! the lock itself. A [`TaskLock`] asks for a token of a [`TaskContext`], so no softirq can take it,
//! and the plain [`SpinLock`] of the `kernel` crate is enough.
//!
//! The guard borrows the token. So the token of a task that may sleep, for which every sleeping call
//! asks, is out of reach while the lock is held, and sleeping under the lock does not compile.

use crate::net::context::TaskContext;
use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        lock::{
            self,
            spinlock::SpinLockBackend, //
        },
        SpinLock, //
    },
};

/// A spinlock around a `T` that only tasks take: `spin_lock()`.
#[pin_data]
pub(crate) struct TaskLock<T> {
    #[pin]
    lock: SpinLock<T>,
}

impl<T> TaskLock<T> {
    /// Makes one of a [`new_spinlock!`](kernel::new_spinlock).
    pub(crate) fn new(lock: impl PinInit<SpinLock<T>>) -> impl PinInit<Self> {
        pin_init!(Self { lock <- lock })
    }

    /// Takes the lock, spinning until it is free. The guard borrows `context`.
    #[inline]
    pub(crate) fn lock<'a, C: TaskContext>(&'a self, context: &'a mut C) -> Guard<'a, T, C> {
        let _ = context;
        Guard {
            content: self.lock.lock(),
            _context: PhantomData,
        }
    }
}

/// The held lock: access to its content, until dropped.
#[must_use = "the lock is released at once when the guard is not kept"]
pub(crate) struct Guard<'a, T, C: TaskContext> {
    content: lock::Guard<'a, T, SpinLockBackend>,
    _context: PhantomData<&'a mut C>,
}

// SAFETY: The guard exists where the token that it borrows does.
unsafe impl<T, C: TaskContext> TaskContext for Guard<'_, T, C> {}

impl<T, C: TaskContext> Deref for Guard<'_, T, C> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.content
    }
}

impl<T: Unpin, C: TaskContext> DerefMut for Guard<'_, T, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.content
    }
}
