// SPDX-License-Identifier: GPL-2.0

//! Messages about an interface.
//!
//! As `dev_info!` and its kin, with the name of the interface and of the device below it:
//!
//! ```ignore
//! netdev_info!(dev, "link up, {} Mbit/s\n", speed);
//! ```
//!
//! `dev` is a reference to a [`Device`], or to a driver's own device. Any context.
//!
//! C header: [`include/net/net_debug.h`](srctree/include/net/net_debug.h)

use crate::{
    bindings,
    net::device::Device, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// How important a message is.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warning,
    /// Normal, but worth a look.
    Notice,
    /// For information.
    Info,
}

/// Prints one message; the macros of this module call it.
#[doc(hidden)]
pub(crate) fn print(dev: &Device, level: Level, args: fmt::Arguments<'_>) {
    let print = match level {
        Level::Error => bindings::netdev_err,
        Level::Warning => bindings::netdev_warn,
        Level::Notice => bindings::netdev_notice,
        Level::Info => bindings::netdev_info,
    };
    // SAFETY: The device is valid by its invariant; `%pA` takes a pointer to a `fmt::Arguments`, which
    // lives until the call returns.
    unsafe {
        print(
            dev.as_raw(),
            c"%pA".as_char_ptr(),
            (&raw const args).cast::<c_void>(),
        )
    };
}

/// Prints an error of an interface.
#[macro_export]
macro_rules! netdev_err {
    ($dev:expr, $($f:tt)*) => {
        $crate::net::print::print(
            $dev,
            $crate::net::print::Level::Error,
            ::kernel::prelude::fmt!($($f)*),
        )
    };
}

/// Prints a warning about an interface.
#[macro_export]
macro_rules! netdev_warn {
    ($dev:expr, $($f:tt)*) => {
        $crate::net::print::print(
            $dev,
            $crate::net::print::Level::Warning,
            ::kernel::prelude::fmt!($($f)*),
        )
    };
}

/// Prints a warning about an interface, unless too many were printed just now.
///
/// For what the other end of the cable can provoke.
#[macro_export]
macro_rules! netdev_warn_ratelimited {
    ($dev:expr, $($f:tt)*) => {
        if $crate::net::print::may_print() {
            $crate::netdev_warn!($dev, $($f)*)
        }
    };
}

/// Prints a notice about an interface.
#[macro_export]
macro_rules! netdev_notice {
    ($dev:expr, $($f:tt)*) => {
        $crate::net::print::print(
            $dev,
            $crate::net::print::Level::Notice,
            ::kernel::prelude::fmt!($($f)*),
        )
    };
}

/// Prints information about an interface.
#[macro_export]
macro_rules! netdev_info {
    ($dev:expr, $($f:tt)*) => {
        $crate::net::print::print(
            $dev,
            $crate::net::print::Level::Info,
            ::kernel::prelude::fmt!($($f)*),
        )
    };
}
