// SPDX-License-Identifier: GPL-2.0

//! Packet sockets: the parts, in the order in which a frame passes them.

#![forbid(unsafe_code)]

pub(crate) mod family;
pub(crate) mod socket;

mod binding;
mod state;

mod hook;
mod queue;
mod recv;
mod send;

mod membership;
mod option;
mod sockopt;

mod address;
mod auxdata;
mod length;
