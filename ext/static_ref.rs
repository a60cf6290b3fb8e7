// SPDX-License-Identifier: GPL-2.0

//! References to a `static` that a trait can have as a constant.
//!
//! What C links into its lists (a notifier block, the operations of a namespace, a socket family) is
//! a `static`, and a callback without a data pointer must find the same one again. A function of the
//! trait that returns it could return another one each time, and safe code could so have C use memory
//! that is not registered. A constant cannot change: it names one `static` for each type.
//!
//! Up to Rust 1.90 a constant may not hold a reference to a `static` with interior mutability, but it
//! may hold a raw pointer. [`StaticRef`] is that pointer.

use core::ops::Deref;

/// A reference to a `static`.
///
/// # Invariants
///
/// The pointer came from a `&'static T`.
pub(crate) struct StaticRef<T: 'static>(*const T);

impl<T> StaticRef<T> {
    /// The reference to `object`.
    pub(crate) const fn new(object: &'static T) -> Self {
        // INVARIANT: This is such a reference.
        Self(object)
    }

    /// The object, for as long as the program runs.
    #[inline]
    pub(crate) const fn get(&self) -> &'static T {
        // SAFETY: By the type invariant the pointer is valid for ever, and for shared access.
        unsafe { &*self.0 }
    }
}

impl<T> Deref for StaticRef<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.get()
    }
}
