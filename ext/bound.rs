// SPDX-License-Identifier: GPL-2.0

//! Values that must end before their device is unbound.
//!
//! A registration that borrows resources of a bound device (`'bound`) must be undone before the
//! device is unbound. Its `Drop` does that, but in Rust a value may be leaked in safe code
//! (`core::mem::forget()`), and then C would go on calling into memory that is gone. A constructor
//! of such a type can therefore not simply return the value. It returns an [`Init`]: a recipe that
//! the bus adapter, and nobody else, turns into a value at a place that it owns and will drop.

use kernel::prelude::*;

/// A recipe for a value of type `D` that only a bus adapter may carry out.
pub(crate) trait Init<D> {
    /// Turns the recipe into an initialiser.
    ///
    /// # Safety
    ///
    /// The value that the initialiser makes must be dropped before any lifetime in `D` ends; in
    /// particular it must not be leaked.
    unsafe fn into_init(self) -> impl PinInit<D, Error>;
}
