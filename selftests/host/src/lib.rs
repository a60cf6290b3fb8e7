// SPDX-License-Identifier: GPL-2.0

//! The modules' own files, compiled for the host so that `cargo test` can run them.
//!
//! Each is included from its place by `#[path]`: there is one source. Pure logic needs little of the
//! `kernel` crate; a file of tests stands beside for each. The driver is there as a whole, with
//! [`ext`] and [`net`] in the place of the layer, and its tests run it against a model of the chip.

// The modules use all of it, the tests only what is worth testing by itself.
#![allow(dead_code)]
#![forbid(unsafe_code)]

mod bindings;
mod driver;
#[cfg(all(test, not(feature = "loom")))]
mod driver_tests;
mod ext;
#[cfg(all(test, feature = "loom"))]
mod loom_tests;
#[cfg(test)]
mod model;
mod net;
mod packet;
#[cfg(all(test, not(feature = "loom")))]
mod packet_tests;

// As the module's crate root has them.
pub(crate) use self::net::{
    netdev_err,
    netdev_info, //
};
