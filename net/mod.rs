// SPDX-License-Identifier: GPL-2.0

//! Networking: what `rust/kernel/net/` lacks.
//!
//! Each module here is written as if it were in `rust/kernel/net/` of the kernel's tree. The types
//! of one side of the network stack do not need those of the other; both need the first three:
//!
//! | module | what | in C |
//! |---|---|---|
//! | [`context`] | tokens: proof that code runs where it may call what it calls | comments |
//! | [`skbuff`] | a packet with one owner | `struct sk_buff` |
//! | [`device`] | a network interface, as anyone may see it | `struct net_device` |

#![allow(unsafe_code)]
// Both modules of this project compile this folder; each uses its own part of it.
#![allow(dead_code)]

pub(crate) mod context;
pub(crate) mod device;
pub(crate) mod skbuff;
