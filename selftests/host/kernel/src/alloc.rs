// SPDX-License-Identifier: GPL-2.0

//! Memory that may not be there.

use std::cell::Cell;
use std::ops::{
    Deref,
    DerefMut, //
};

thread_local! {
    static EXHAUSTED: Cell<bool> = const { Cell::new(false) };
}

/// Makes each allocation of this thread fail, or succeed again.
pub fn exhaust(exhausted: bool) {
    EXHAUSTED.set(exhausted);
}

/// An allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// How to allocate.
#[derive(Clone, Copy, Debug)]
pub struct Flags;

/// The allocation may sleep.
pub const GFP_KERNEL: Flags = Flags;

/// A value in memory of `kmalloc()`.
#[derive(Debug)]
pub struct KBox<T>(Box<T>);

impl<T> KBox<T> {
    /// Moves `value` to new memory.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        if EXHAUSTED.get() {
            return Err(AllocError);
        }
        Ok(Self(Box::new(value)))
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(crate) fn is_exhausted() -> bool {
    EXHAUSTED.get()
}
