// SPDX-License-Identifier: GPL-2.0

//! Contexts as types.
//!
//! Much of the network stack may be called only in one context: under RTNL, in process context where
//! sleeping is allowed, in softirq with bottom halves off, in a hard interrupt. In C a comment says
//! so. Here a function asks for a token, a value without size that exists only in that context; what
//! is called elsewhere does not compile.
//!
//! A token is lent: the callback that runs in a context receives `&mut Token<'_>`, so it cannot be
//! kept for later nor sent to another thread, and while a spinlock has borrowed it nothing that sleeps
//! can have it. Tokens that belong to one abstraction live beside it (the
//! one of a NAPI poll, of the transmit lock, of a hard interrupt handler); those that many share
//! live here.

use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// A context of a task: no softirq and no hard interrupt. Spinlocks may be held.
///
/// It is what a lock needs that the kernel takes without regard to softirqs: one that came in between
/// would wait for the task that it interrupted. The tokens of this module that are of a task implement
/// it, and so does the guard of a lock that was taken with one of them.
///
/// # Safety
///
/// A value of the implementing type must exist in a task only.
pub(crate) unsafe trait TaskContext {}

// SAFETY: What may sleep is a task.
unsafe impl TaskContext for Process<'_> {}

// SAFETY: The holder of a mutex is a task.
unsafe impl TaskContext for Rtnl<'_> {}

/// A context that is no hard interrupt, with interrupts enabled: a lock that softirqs take as well may be
/// taken here, by who turns them off.
///
/// # Safety
///
/// A value of the implementing type must exist in such a context only.
pub(crate) unsafe trait SoftirqSafe {}

// SAFETY: What may sleep is a task, with interrupts enabled.
unsafe impl SoftirqSafe for Process<'_> {}

// SAFETY: The holder of a mutex is a task, with interrupts enabled.
unsafe impl SoftirqSafe for Rtnl<'_> {}

// SAFETY: A hard interrupt has no such token.
unsafe impl SoftirqSafe for BottomHalf<'_> {}

/// A context in which the task may sleep: no spinlock is held, and it is in no RCU read section.
///
/// # Safety
///
/// A value of the implementing type must exist in such a context only. A lock that is taken must borrow
/// it.
pub(crate) unsafe trait SleepContext: TaskContext {}

// SAFETY: By the type invariant the task may sleep.
unsafe impl SleepContext for Process<'_> {}

// SAFETY: The holder of a mutex may sleep; see `Rtnl::process`.
unsafe impl SleepContext for Rtnl<'_> {}

/// Proof that the current task may sleep: process context, no spinlock held, no RCU read section.
///
/// # Invariants
///
/// While a value of this type exists, its thread may sleep.
pub(crate) struct Process<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Process<'_> {
    /// Asserts that the current task may sleep.
    ///
    /// # Safety
    ///
    /// The caller must be in process context, must hold no spinlock and no RCU read lock, and must
    /// not enter such a section while the token can be used.
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: The caller guarantees it.
        Self(PhantomData, NotThreadSafe)
    }
}

/// Proof that the current task holds the RTNL mutex (`rtnl_lock()`).
///
/// RTNL serialises changes of the configuration of all network devices. Holding it implies process
/// context: [`Rtnl::process`].
///
/// # Invariants
///
/// While a value of this type exists, its thread holds the RTNL mutex.
pub(crate) struct Rtnl<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Rtnl<'_> {
    /// Asserts that RTNL is held.
    ///
    /// # Safety
    ///
    /// The current task must hold the RTNL mutex for as long as the token can be used.
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: The caller guarantees it.
        Self(PhantomData, NotThreadSafe)
    }

    /// A task that holds a mutex may sleep. The proof borrows this token: whoever uses it to take a
    /// spinlock has no second one to sleep with.
    #[inline]
    pub(crate) fn process(&mut self) -> Process<'_> {
        // SAFETY: RTNL is a mutex, so its holder is in process context; callbacks that run under RTNL
        // in an atomic section receive no `Rtnl` token.
        unsafe { Process::assume() }
    }
}

/// Proof that bottom halves are disabled on this CPU: softirq context, or `local_bh_disable()`.
///
/// # Invariants
///
/// While a value of this type exists, its thread runs with bottom halves disabled.
pub(crate) struct BottomHalf<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl BottomHalf<'_> {
    /// Asserts that bottom halves are disabled.
    ///
    /// # Safety
    ///
    /// Bottom halves must stay disabled on the current CPU for as long as the token can be used.
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: The caller guarantees it.
        Self(PhantomData, NotThreadSafe)
    }
}
