// SPDX-License-Identifier: GPL-2.0

//! A spinlock that process context and softirqs share.
//!
//! The `kernel` crate has [`SpinLock`](kernel::sync::SpinLock), which leaves bottom halves on, and
//! `SpinLockIrq`, which switches interrupts off. Data that system calls and the receive path of the
//! network share needs what lies between: `spin_lock_bh()`. A plain spinlock there is a deadlock, as
//! soon as a packet arrives on the CPU whose task holds it.
//!
//! Which of the two functions is right depends on where the code runs, and that is in its token: see
//! [`LockContext`]. The guard borrows the token for itself. So in process context the token, which
//! every sleeping call asks for, is out of reach while the lock is held, and sleeping under the lock
//! does not compile. No token of a hard interrupt implements [`LockContext`]: there the lock could
//! deadlock with its own holder.
//!
//! How one is made, taken and nested: `a_lock_in_process_context_turns_bottom_halves_off` in
//! `net/socket_kunit.rs`.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::{
    bindings,
    net::context::{
        BottomHalf,
        Process,
        Rtnl,
        TaskContext, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
    pin::Pin,
};
use kernel::{
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// A context in which a [`SpinLockBh`] may be taken.
///
/// # Safety
///
/// A token of the implementing type must exist only outside of hard interrupts and with interrupts
/// enabled. If `BOTTOM_HALVES_OFF` is true, bottom halves are disabled while it exists.
pub(crate) unsafe trait LockContext {
    /// Whether bottom halves are known to be off, so that the plain spinlock is enough.
    const BOTTOM_HALVES_OFF: bool;
}

// SAFETY: Process context is no hard interrupt.
unsafe impl LockContext for Process<'_> {
    const BOTTOM_HALVES_OFF: bool = false;
}

// SAFETY: The holder of a mutex is in process context.
unsafe impl LockContext for Rtnl<'_> {
    const BOTTOM_HALVES_OFF: bool = false;
}

// SAFETY: The invariant of `BottomHalf` says that bottom halves are off; a hard interrupt has no such
// token.
unsafe impl LockContext for BottomHalf<'_> {
    const BOTTOM_HALVES_OFF: bool = true;
}

/// A spinlock around a `T`, taken with bottom halves off: `spin_lock_bh()`.
///
/// Made by [`new_spinlock_bh!`]. Each place that makes one is a lock class of its own for lockdep.
#[pin_data]
pub(crate) struct SpinLockBh<T: ?Sized> {
    #[pin]
    lock: Opaque<bindings::spinlock_t>,
    #[pin]
    _pin: PhantomPinned,
    data: UnsafeCell<T>,
}

// SAFETY: The lock has no tie to a thread, so it moves between threads when its content does.
unsafe impl<T: ?Sized + Send> Send for SpinLockBh<T> {}

// SAFETY: The lock serialises all access to its content, so `T` need only be movable between threads.
unsafe impl<T: ?Sized + Send> Sync for SpinLockBh<T> {}

impl<T> SpinLockBh<T> {
    /// Initialises the lock; [`new_spinlock_bh!`] supplies name and class.
    pub(crate) fn new(
        data: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- Opaque::ffi_init(|slot| {
                // SAFETY: `slot` may be written, and both name and key live forever.
                unsafe { bindings::__spin_lock_init(slot, name.as_char_ptr(), key.as_ptr()) }
            }),
            _pin: PhantomPinned,
            data: UnsafeCell::new(data),
        })
    }
}

impl<T: ?Sized> SpinLockBh<T> {
    /// Takes the lock, spinning until it is free.
    ///
    /// The guard borrows `context`. To call what needs a token while the lock is held, use
    /// [`Guard::split`].
    #[inline]
    pub(crate) fn lock<'a, C: LockContext>(&'a self, context: &'a mut C) -> Guard<'a, T, C> {
        let _ = context;
        if C::BOTTOM_HALVES_OFF {
            // SAFETY: The lock was initialised by `new`, and bottom halves are off by the contract of
            // `LockContext`.
            unsafe { bindings::spin_lock(self.lock.get()) };
        } else {
            // SAFETY: The lock was initialised by `new`; this is no hard interrupt, by the contract
            // of `LockContext`.
            unsafe { bindings::spin_lock_bh(self.lock.get()) };
        }
        // INVARIANT: The lock was just taken, in the way that `C` asks for.
        Guard {
            lock: self,
            // SAFETY: Bottom halves are off until the guard is dropped, and it owns the token.
            bottom_half: unsafe { BottomHalf::assume() },
            _context: PhantomData,
        }
    }

    /// The content, without the lock: the exclusive reference says that nobody else has access.
    #[inline]
    pub(crate) fn get_mut(self: Pin<&mut Self>) -> &mut T {
        // SAFETY: Nothing is moved out of the pinned lock; its content is not structurally pinned.
        unsafe { self.get_unchecked_mut() }.data.get_mut()
    }
}

/// The held lock: access to its content, until dropped.
///
/// # Invariants
///
/// This value owns `lock`, taken as `C::BOTTOM_HALVES_OFF` says.
#[must_use = "the lock is released at once when the guard is not kept"]
pub(crate) struct Guard<'a, T: ?Sized, C: LockContext> {
    lock: &'a SpinLockBh<T>,
    bottom_half: BottomHalf<'a>,
    _context: PhantomData<&'a mut C>,
}

// SAFETY: A shared guard gives shared access to the content and nothing else.
unsafe impl<T: ?Sized + Sync, C: LockContext> Sync for Guard<'_, T, C> {}

// SAFETY: The guard exists where the token that it borrows does.
unsafe impl<T: ?Sized, C: LockContext + TaskContext> TaskContext for Guard<'_, T, C> {}

impl<T: ?Sized, C: LockContext> Guard<'_, T, C> {
    /// The content, and the token of the context that the lock itself creates: bottom halves are off
    /// while it is held. With it a second lock can be taken inside.
    #[inline]
    pub(crate) fn split(&mut self) -> (&mut T, &mut BottomHalf<'_>) {
        // SAFETY: By the type invariant this value owns the lock, hence the content.
        let data = unsafe { &mut *self.lock.data.get() };
        let bottom_half: *mut BottomHalf<'_> = (&raw mut self.bottom_half).cast();
        // SAFETY: The token is a field of `self`, borrowed for as long as the result lives; only its
        // lifetime parameter, which is a marker, is shortened.
        (data, unsafe { &mut *bottom_half })
    }
}

impl<T: ?Sized, C: LockContext> Deref for Guard<'_, T, C> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant this value owns the lock, hence the content.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized, C: LockContext> DerefMut for Guard<'_, T, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant this value owns the lock, hence the content.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized, C: LockContext> Drop for Guard<'_, T, C> {
    #[inline]
    fn drop(&mut self) {
        if C::BOTTOM_HALVES_OFF {
            // SAFETY: By the type invariant this value owns the lock, taken by `spin_lock()`.
            unsafe { bindings::spin_unlock(self.lock.lock.get()) };
        } else {
            // SAFETY: By the type invariant this value owns the lock, taken by `spin_lock_bh()`.
            unsafe { bindings::spin_unlock_bh(self.lock.lock.get()) };
        }
    }
}

/// Makes the initialiser of a [`SpinLockBh`] with a lock class of its own.
///
/// The name is what lockdep reports; without one it is the place in the source.
#[allow(unused_macros)] // Not each module has such a lock.
macro_rules! new_spinlock_bh {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::ext::lock::SpinLockBh::new(
            $inner, ::kernel::optional_name!($($name)?), ::kernel::static_lock_class!())
    };
}
#[allow(unused_imports)] // As above.
pub(crate) use new_spinlock_bh;
