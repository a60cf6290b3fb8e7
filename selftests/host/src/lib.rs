// SPDX-License-Identifier: GPL-2.0

//! The pure logic of the modules, compiled for the host so that `cargo test` can run it.
//!
//! Each module of the kernel that has no kernel types is included from its place by `#[path]`: there
//! is one source. A file of tests stands beside for each of them.

// The modules use all of it, the tests only what is worth testing by itself.
#![allow(dead_code)]
#![forbid(unsafe_code)]

mod driver;
#[cfg(test)]
mod driver_tests;
mod packet;
#[cfg(test)]
mod packet_tests;
