// SPDX-License-Identifier: GPL-2.0

//! A value that softirqs read without a lock, and a task exchanges for another: RCU.
//!
//! ```text
//!     Boxed --replace()--> Published --replace()--> Retired --synchronize()--> Boxed
//!     one owner            read by many             read by some, no new ones  one owner
//! ```
//!
//! A reader has the value for as long as it has a [`ReadSection`]: the guard of [`rcu::read_lock`], or the
//! token of a context in which bottom halves are off. Such a context is a read section of RCU too, on all
//! kernels: a grace period waits for each of them. So the hook of a packet or of a timer, which has that
//! token, need do nothing.
//!
//! Whoever takes a value out gets a [`Retired`] one, which readers may still have. In a task it becomes a
//! value of its own again, after a grace period. A dropped one is freed after a grace period by itself,
//! in a softirq: the value's own `Drop` must not sleep. The code of that is the module's, so a module
//! waits for it before it goes, by [`rcu::rcu_barrier`], as the registration of a family does.
//!
//! A [`Published`] alone does not let a task look at the value and sleep: it might be replaced. Where
//! there is a mutex for those who replace it, which is the rule, that is a [`Guarded`] one: who has the
//! mutex has the value, too.
//!
//! A writer that exchanges several values and waits for each does it cheaply by exchanging all of them first:
//! the first wait is then a wait for the others.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::{
    bindings,
    net::context::{
        BottomHalf,
        Process, //
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        lock::{
            self,
            mutex::MutexBackend, //
        },
        rcu,
        Mutex, //
    },
};

/// A read section of RCU: no grace period that begins while a value of such a type exists ends before the
/// value does.
///
/// # Safety
///
/// That must be true of all values of the implementing type. They must stay in their thread.
pub(crate) unsafe trait ReadSection {}

// SAFETY: While the guard exists, the lock is held.
unsafe impl ReadSection for rcu::Guard {}

// SAFETY: While the token exists, bottom halves are off. A CPU that is in such a context does not report
// to RCU that it is in none, be the kernel preemptible or not (there is one RCU for both since Linux
// 4.20). With PREEMPT_RT, where it may be preempted, turning bottom halves off takes the lock of RCU.
unsafe impl ReadSection for BottomHalf<'_> {}

/// What is allocated for a value.
#[pin_data]
struct Node<T> {
    rcu: bindings::callback_head,
    #[pin]
    value: T,
}

/// A value in memory of its own, with one owner.
///
/// # Invariants
///
/// The pointer came from a `KBox<Node<T>>` that this value owns, and is pinned.
#[must_use]
pub(crate) struct Boxed<T: Send + Sync + 'static>(NonNull<Node<T>>);

// SAFETY: It owns the `T`, which is `Send`.
unsafe impl<T: Send + Sync + 'static> Send for Boxed<T> {}

// SAFETY: It lends the `T`, which is `Sync`.
unsafe impl<T: Send + Sync + 'static> Sync for Boxed<T> {}

impl<T: Send + Sync + 'static> Boxed<T> {
    /// Allocates a value and initialises it where it is to stay.
    pub(crate) fn pin_init<E>(value: impl PinInit<T, E>, flags: Flags) -> Result<Self>
    where
        Error: From<E>,
    {
        let node = KBox::try_pin_init(
            try_pin_init!(Node {
                rcu: pin_init::zeroed(),
                value <- value,
            }? Error),
            flags,
        )?;
        // SAFETY: The value is not moved: only `Drop` makes the box again.
        let node = unsafe { Pin::into_inner_unchecked(node) };
        // INVARIANT: The pointer is the box's.
        Ok(Self(NonNull::from(KBox::leak(node))))
    }

    /// Allocates a value.
    pub(crate) fn new(value: T, flags: Flags) -> Result<Self> {
        Self::pin_init::<core::convert::Infallible>(value, flags)
    }

    /// The value, to be changed.
    #[inline]
    pub(crate) fn as_mut(&mut self) -> Pin<&mut T> {
        // SAFETY: By the type invariant the node is valid and nobody else has it.
        let value = unsafe { &mut (*self.0.as_ptr()).value };
        // SAFETY: By the type invariant the node is pinned, and so are its fields.
        unsafe { Pin::new_unchecked(value) }
    }

    /// Gives the node away.
    #[inline]
    fn into_raw(self) -> NonNull<Node<T>> {
        ManuallyDrop::new(self).0
    }
}

impl<T: Send + Sync + 'static> Deref for Boxed<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the node is valid.
        unsafe { &(*self.0.as_ptr()).value }
    }
}

impl<T: Send + Sync + 'static> Drop for Boxed<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the node is a box that this value owns.
        drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
    }
}

/// A place for a value that readers find.
///
/// # Invariants
///
/// The pointer is null or that of a [`Boxed`] which this value owns.
pub(crate) struct Published<T: Send + Sync + 'static> {
    node: Atomic<*mut Node<T>>,
    _owns: PhantomData<Boxed<T>>,
}

impl<T: Send + Sync + 'static> Published<T> {
    /// A place with nothing in it.
    #[inline]
    pub(crate) const fn empty() -> Self {
        // INVARIANT: It is null.
        Self {
            node: Atomic::new(core::ptr::null_mut()),
            _owns: PhantomData,
        }
    }

    /// The value, if there is one. It stays valid until the end of `section`, whoever replaces it meanwhile.
    #[inline]
    pub(crate) fn load<'a>(&'a self, _section: &'a impl ReadSection) -> Option<&'a T> {
        // ORDERING: Pairs with that of `replace`: who sees the pointer sees the value.
        let node = NonNull::new(self.node.load(Acquire))?;
        // SAFETY: By the type invariant the value was there when it was looked for, which was in the
        // section. Who replaces it frees it after a grace period, which does not end before the section
        // does; and it is not freed with `self`, which is borrowed.
        Some(unsafe { &(*node.as_ptr()).value })
    }

    /// Puts a value there, or nothing, and takes out what was there. Does not sleep.
    pub(crate) fn replace(&self, value: Option<Boxed<T>>) -> Option<Retired<T>> {
        let new = value.map_or(core::ptr::null_mut(), |value| value.into_raw().as_ptr());
        // INVARIANT: The pointer is that of a `Boxed` that was given away.
        // ORDERING: The release publishes the value, and the acquire has us see it as it was made by who
        // published the old one. Full, since the grace period is to begin after the exchange.
        let old = NonNull::new(self.node.xchg(new, Full))?;
        // INVARIANT: The node was owned by `self`, and no new reader finds it.
        Some(Retired {
            node: old,
            // SAFETY: The call has no conditions.
            cookie: unsafe { bindings::get_state_synchronize_rcu() },
        })
    }
}

impl<T: Send + Sync + 'static> Drop for Published<T> {
    fn drop(&mut self) {
        // A reader borrows this value, so there are none.
        if let Some(node) = NonNull::new(*self.node.get_mut()) {
            // INVARIANT: By the type invariant the pointer is that of a `Boxed`, which is given back.
            drop(Boxed(node));
        }
    }
}

/// A place for a value that readers find, with a mutex for those who replace it. The mutex guards an `S`,
/// too.
#[pin_data]
pub(crate) struct Guarded<T: Send + Sync + 'static, S> {
    published: Published<T>,
    #[pin]
    lock: Mutex<S>,
}

impl<T: Send + Sync + 'static, S> Guarded<T, S> {
    /// Makes one, with nothing in it, of a [`new_mutex!`](kernel::new_mutex).
    pub(crate) fn new(lock: impl PinInit<Mutex<S>>) -> impl PinInit<Self> {
        pin_init!(Self {
            published: Published::empty(),
            lock <- lock,
        })
    }

    /// The value, if there is one: see [`Published::load`].
    #[inline]
    pub(crate) fn load<'a>(&'a self, section: &'a impl ReadSection) -> Option<&'a T> {
        self.published.load(section)
    }

    /// Takes the mutex. Sleeps.
    pub(crate) fn lock(&self, _context: &mut Process<'_>) -> Writer<'_, T, S> {
        // INVARIANT: The value is replaced by a `Writer` only, and this has the mutex.
        Writer {
            published: &self.published,
            state: self.lock.lock(),
        }
    }
}

/// The held mutex of a [`Guarded`] value, until dropped. It dereferences to what else that guards.
///
/// # Invariants
///
/// Nobody else replaces the value.
pub(crate) struct Writer<'a, T: Send + Sync + 'static, S> {
    published: &'a Published<T>,
    state: lock::Guard<'a, S, MutexBackend>,
}

impl<T: Send + Sync + 'static, S> Writer<'_, T, S> {
    /// The value, if there is one.
    pub(crate) fn value(&self) -> Option<&T> {
        // ORDERING: Whoever published it had the mutex.
        let node = NonNull::new(self.published.node.load(Acquire))?;
        // SAFETY: By the invariant of `Published` the value is there, and by that of this type it stays
        // there until it is replaced by this value, which is borrowed.
        Some(unsafe { &(*node.as_ptr()).value })
    }

    /// Replaces the value: see [`Published::replace`].
    pub(crate) fn replace(&mut self, value: Option<Boxed<T>>) -> Option<Retired<T>> {
        self.published.replace(value)
    }
}

impl<T: Send + Sync + 'static, S> Deref for Writer<'_, T, S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.state
    }
}

impl<T: Send + Sync + 'static, S: Unpin> DerefMut for Writer<'_, T, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        &mut self.state
    }
}

/// A value that was taken out, and that readers may still have.
///
/// # Invariants
///
/// The pointer is that of a [`Boxed`] that this value owns. The grace period that `cookie` stands for began
/// after the last reader could find it.
#[must_use = "dropped, it is freed after a grace period"]
pub(crate) struct Retired<T: Send + Sync + 'static> {
    node: NonNull<Node<T>>,
    cookie: c_ulong,
}

// SAFETY: It owns the `T`, which is `Send`.
unsafe impl<T: Send + Sync + 'static> Send for Retired<T> {}

// SAFETY: It lends the `T`, which is `Sync`.
unsafe impl<T: Send + Sync + 'static> Sync for Retired<T> {}

impl<T: Send + Sync + 'static> Retired<T> {
    /// Waits until nobody reads the value. Sleeps, unless that time has come already.
    pub(crate) fn synchronize(self, _context: &mut Process<'_>) -> Boxed<T> {
        if !self.is_quiet() {
            rcu::synchronize_rcu();
        }
        // INVARIANT: By the type invariant the pointer is that of a `Boxed`, and nobody else has it any more.
        Boxed(ManuallyDrop::new(self).node)
    }

    /// The value, if nobody can be reading it any more; otherwise this again.
    pub(crate) fn try_reclaim(self) -> Result<Boxed<T>, Self> {
        if self.is_quiet() {
            // INVARIANT: As in `synchronize`.
            Ok(Boxed(ManuallyDrop::new(self).node))
        } else {
            Err(self)
        }
    }

    /// Whether the grace period is over.
    fn is_quiet(&self) -> bool {
        // SAFETY: The call takes a value of `get_state_synchronize_rcu()`.
        unsafe { bindings::poll_state_synchronize_rcu(self.cookie) }
    }
}

impl<T: Send + Sync + 'static> Deref for Retired<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the node is valid; others read it at most.
        unsafe { &(*self.node.as_ptr()).value }
    }
}

impl<T: Send + Sync + 'static> Drop for Retired<T> {
    fn drop(&mut self) {
        let node = self.node.as_ptr();
        if self.is_quiet() {
            // INVARIANT: As in `synchronize`.
            drop(Boxed(self.node));
            return;
        }
        // SAFETY: The node is valid by the type invariant and belongs to the callback from now on. `rcu`
        // is used for nothing else.
        unsafe { bindings::call_rcu(&raw mut (*node).rcu, Some(free_callback::<T>)) };
    }
}

/// Frees what a [`Retired`] owned: a grace period has passed. Softirq.
///
/// # Safety
///
/// `head` must be the `rcu` of a [`Node`] whose owner was a `Retired<T>` that was dropped.
unsafe extern "C" fn free_callback<T: Send + Sync + 'static>(head: *mut bindings::callback_head) {
    // SAFETY: The caller guarantees that `head` is that field.
    let node = unsafe { kernel::container_of!(head, Node<T>, rcu) };
    // INVARIANT: The pointer was that of a `Boxed` which nobody has any more.
    // SAFETY: A pointer into a box is not null.
    drop(Boxed(unsafe { NonNull::new_unchecked(node) }));
}
