// SPDX-License-Identifier: GPL-2.0

//! A packet sniffer for the rpacket and packet socket families.
//!
//! A packet goes from its source to where it is wanted:
//!
//! ```text
//! source (live)  }                     { print (lines, as tcpdump writes them)
//! file (-r)      } -> Frame -> run  -> { pcapng (-w)
//! ```
//!
//! [`source`] captures on a packet socket, with the program that [`filter`] makes from an
//! expression; [`mod@file`] reads what was captured earlier. [`run`] moves [`frame::Frame`]s and
//! counts them, [`print`] decodes them, [`pcapng`] saves them.
//!
//! Packets are hostile: outside of [`sys`], the one module that talks to the kernel without a safe
//! crate between, there is no `unsafe`, no indexing and nothing else that can panic on them.

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod cli;
pub mod family;
pub mod file;
pub mod filter;
pub mod frame;
pub mod interfaces;
pub mod link;
pub mod pcapng;
pub mod print;
pub mod run;
pub mod signals;
pub mod source;
pub mod stats;
mod sys;
