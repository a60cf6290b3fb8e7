// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions beside networking that the `kernel` crate lacks.
//!
//! Each module here is written as if it were in `rust/kernel/` of the kernel's tree.

#![allow(unsafe_code)]
// Both modules of this project compile this folder; each uses its own part of it.
#![allow(dead_code)]
