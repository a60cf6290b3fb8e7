// SPDX-License-Identifier: GPL-2.0

//! Tests of the state machine of the receive hook.

mod model;
mod search;
mod stories;
