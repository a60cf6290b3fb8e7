// SPDX-License-Identifier: GPL-2.0

//! Tests of the groups of sockets that share frames.

mod af_packet;
mod choice;
mod groups;
mod request;
mod rollover;
