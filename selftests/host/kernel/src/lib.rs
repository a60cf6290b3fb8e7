// SPDX-License-Identifier: GPL-2.0

//! The part of the `kernel` crate that the modules' own files use, for the host.
//!
//! Names, signatures and numbers are those of `rust/kernel/`. Pure logic needs no more than errors and
//! memory. What the driver needs beyond that, registers, coherent memory, locks and time, is here so
//! that the driver's own source runs against a model of the chip: [`io::Registers`] and [`dma::Bus`] are
//! the ends that a test takes hold of, and [`time`] is a clock that only stands on when somebody waits.
//!
//! With the feature `loom` the locks and atomics are those of loom.

#![forbid(unsafe_code)]

pub mod alloc;
pub mod device;
pub mod dma;
pub mod error;
pub mod init;
pub mod io;
pub mod num;
pub mod pci;
pub mod print;
pub mod sync;
pub mod time;

pub mod prelude {
    //! What every file of the kernel imports.

    pub use crate::alloc::{
        KBox,
        KVVec,
        KVec,
        GFP_KERNEL,
        __GFP_NOWARN, //
    };
    pub use crate::error::{
        code::*,
        Error,
        Result, //
    };
    pub use crate::init::{
        PinInit,
        Zeroable, //
    };
    pub use crate::{
        dev_dbg,
        dev_err,
        try_pin_init, //
    };
    pub use core::pin::Pin;
    pub use kernel_macros::{
        pin_data,
        vtable, //
    };
    pub use std::ffi::CStr;
}
