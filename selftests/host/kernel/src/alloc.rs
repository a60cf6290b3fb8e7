// SPDX-License-Identifier: GPL-2.0

//! Memory that may not be there.

use std::cell::Cell;
use std::ops::{
    BitOr,
    Deref,
    DerefMut, //
};

thread_local! {
    /// How many allocations of this thread succeed yet.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Makes each allocation of this thread fail, or succeed again.
pub fn exhaust(exhausted: bool) {
    LEFT.set(exhausted.then_some(0));
}

/// Lets so many allocations of this thread succeed yet, and then each fail.
pub fn exhaust_after(allocations: usize) {
    LEFT.set(Some(allocations));
}

/// Not in the kernel: an allocation by what stands for C code.
pub fn allocate() -> Result<(), AllocError> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => Err(AllocError),
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}

/// An allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// How to allocate.
#[derive(Clone, Copy, Debug)]
pub struct Flags;

/// The allocation may sleep.
pub const GFP_KERNEL: Flags = Flags;

/// A failure is not worth a word in the log.
pub const __GFP_NOWARN: Flags = Flags;

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, _other: Self) -> Self {
        self
    }
}

/// A value in memory of `kmalloc()`.
#[derive(Debug)]
pub struct KBox<T>(Box<T>);

impl<T> KBox<T> {
    /// Moves `value` to new memory.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
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

/// Values in memory of `kmalloc()`, in a row.
#[derive(Debug)]
pub struct KVec<T>(Vec<T>);

impl<T> KVec<T> {
    /// No room, which needs no memory.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Room for `capacity` values.
    pub fn with_capacity(capacity: usize, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
        Ok(Self(Vec::with_capacity(capacity)))
    }

    /// Appends a value.
    pub fn push(&mut self, value: T, _flags: Flags) -> Result<(), AllocError> {
        if self.0.len() == self.0.capacity() {
            allocate()?;
        }
        self.0.push(value);
        Ok(())
    }

    /// Appends a value, if that needs no memory.
    pub fn push_within_capacity(&mut self, value: T) -> Result<(), kvec::PushError<T>> {
        if self.0.len() == self.0.capacity() {
            return Err(kvec::PushError(value));
        }
        self.0.push(value);
        Ok(())
    }

    /// Takes the value at this index out; those behind it move up.
    pub fn remove(&mut self, i: usize) -> Result<T, kvec::RemoveError> {
        if i >= self.0.len() {
            return Err(kvec::RemoveError);
        }
        Ok(self.0.remove(i))
    }

    /// Drops all values, and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Values in memory of `kvmalloc()`, in a row. Here it comes from the same place.
pub type KVVec<T> = KVec<T>;

pub mod kvec {
    //! What can go wrong with a [`KVec`](super::KVec).

    /// There is no room; the value comes back.
    #[derive(Debug)]
    pub struct PushError<T>(pub T);

    /// There is no such value.
    #[derive(Debug)]
    pub struct RemoveError;
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<'a, T> IntoIterator for &'a KVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut KVec<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}
