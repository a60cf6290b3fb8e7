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
}

pub mod prelude {
    //! What every file of the kernel imports.

    pub use crate::alloc::{
        KBox,
        GFP_KERNEL, //
    };
    pub use crate::error::{
        code::*,
        Error,
        Result, //
    };
}
