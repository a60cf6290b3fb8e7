// SPDX-License-Identifier: GPL-2.0

//! Locks, atomics and fences: those of `std`, or those of loom.

#[cfg(feature = "loom")]
use loom::sync as imp;
#[cfg(not(feature = "loom"))]
use std::sync as imp;

pub mod atomic;

/// A spinlock that disables interrupts.
pub struct SpinLockIrq<T>(imp::Mutex<T>);

/// A held lock.
pub type Guard<'a, T> = imp::MutexGuard<'a, T>;

impl<T> SpinLockIrq<T> {
    /// Not in the kernel, where a lock is initialised in its place.
    pub fn unlocked(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap()
    }
}

/// A lock whose holder may sleep.
pub struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    /// Not in the kernel, where a lock is initialised in its place.
    pub fn unlocked(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap()
    }
}

/// An initialiser for a lock.
#[macro_export]
macro_rules! new_mutex {
    ($value:expr) => {
        Ok::<_, $crate::error::Error>($crate::sync::Mutex::unlocked($value))
    };
}

/// An initialiser for a lock.
#[macro_export]
macro_rules! new_spinlock_irq {
    ($value:expr) => {
        Ok::<_, $crate::error::Error>($crate::sync::SpinLockIrq::unlocked($value))
    };
}

#[cfg(feature = "loom")]
pub mod weak;
#[cfg(not(feature = "loom"))]
mod weak {
    //! Nothing is weaker than it says.

    use std::sync::atomic::Ordering;

    pub(super) fn ordering(ordering: Ordering) -> Ordering {
        ordering
    }
}

/// A full barrier, as `smp_mb()` and the helpers in C that have one.
pub fn smp_mb() {
    fence::fence(imp::atomic::Ordering::SeqCst);
}

pub mod barrier {
    //! Barriers between the driver and a device.

    use super::{
        fence,
        imp::atomic::Ordering, //
    };

    /// Between reads.
    pub struct Read;
    /// Between writes.
    pub struct Write;

    /// What a barrier orders.
    pub trait Kind {
        const IMP: Ordering;
    }

    impl Kind for Read {
        const IMP: Ordering = Ordering::Acquire;
    }

    impl Kind for Write {
        const IMP: Ordering = Ordering::Release;
    }

    /// Orders accesses to memory that a device reads and writes.
    pub fn dma_mb<K: Kind>(_: K) {
        fence::fence(K::IMP);
    }
}

pub(crate) mod fence {
    //! What an access to a register orders.

    use super::{
        imp::atomic::{
            self,
            Ordering, //
        },
        weak, //
    };

    pub(super) fn fence(ordering: Ordering) {
        match weak::ordering(ordering) {
            Ordering::Relaxed => {}
            ordering => atomic::fence(ordering),
        }
    }

    pub(crate) fn after_read() {
        fence(Ordering::Acquire);
    }

    pub(crate) fn before_write() {
        fence(Ordering::Release);
    }
}
