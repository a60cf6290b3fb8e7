// SPDX-License-Identifier: GPL-2.0

//! The part of the `kernel` crate's prelude that pure logic uses, for the host.
//!
//! Names, signatures and numbers are those of `rust/kernel/`. A module that needs more than this is
//! not pure enough for a host test.

#![forbid(unsafe_code)]

pub mod error {
    //! Errors of the kernel.

    /// An error number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Error(i32);

    impl Error {
        /// Returns the number as C code returns it: negative.
        pub fn to_errno(self) -> i32 {
            -self.0
        }
    }

    /// A result with an error of the kernel.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    pub mod code {
        //! The numbers, as on x86-64.

        use super::Error;

        pub const EBUSY: Error = Error(16);
        pub const ENODEV: Error = Error(19);
        pub const EFAULT: Error = Error(14);
        pub const EINVAL: Error = Error(22);
        pub const EBADFD: Error = Error(77);
        pub const EMSGSIZE: Error = Error(90);
        pub const ENOPROTOOPT: Error = Error(92);
        pub const ENOBUFS: Error = Error(105);
    }
}

pub mod alloc {
    //! A vector whose growth can fail.

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

    /// There is no such element.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RemoveError;

    /// How to allocate.
    #[derive(Clone, Copy, Debug)]
    pub struct Flags;

    impl core::ops::BitOr for Flags {
        type Output = Self;

        fn bitor(self, _other: Self) -> Self {
            self
        }
    }

    /// The allocation may sleep.
    pub const GFP_KERNEL: Flags = Flags;

    pub mod flags {
        //! More of them.

        /// A failure is not reported in the log.
        pub const __GFP_NOWARN: super::Flags = super::Flags;
    }

    /// A vector in memory of `kmalloc()`.
    #[derive(Clone, Debug)]
    pub struct KVec<T>(Vec<T>);

    impl<T> KVec<T> {
        /// Makes an empty vector.
        pub const fn new() -> Self {
            Self(Vec::new())
        }

        /// Makes room for more elements.
        pub fn reserve(&mut self, additional: usize, _flags: Flags) -> Result<(), AllocError> {
            if EXHAUSTED.get() {
                return Err(AllocError);
            }
            self.0.reserve(additional);
            Ok(())
        }

        /// Appends an element.
        pub fn push(&mut self, value: T, flags: Flags) -> Result<(), AllocError> {
            if self.0.len() == self.0.capacity() {
                self.reserve(1, flags)?;
            }
            self.0.push(value);
            Ok(())
        }

        /// Removes the last element.
        pub fn pop(&mut self) -> Option<T> {
            self.0.pop()
        }

        /// Removes an element.
        pub fn remove(&mut self, index: usize) -> Result<T, RemoveError> {
            if index < self.0.len() {
                Ok(self.0.remove(index))
            } else {
                Err(RemoveError)
            }
        }
    }

    impl<T> Default for KVec<T> {
        fn default() -> Self {
            Self::new()
        }
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
}

pub mod prelude {
    //! What every file of the kernel imports.

    pub use crate::alloc::{
        KVec,
        GFP_KERNEL, //
    };
    pub use crate::error::{
        code::*,
        Error,
        Result, //
    };
}
