// SPDX-License-Identifier: GPL-2.0

//! What the driver uses of `net/`, for the host: the same types with a small network stack behind them.
//!
//! It keeps the promises that `net/` makes: what is called in which context, one poll at a time, the
//! transmit part only under the lock of the queue, nothing else while the interface is halted. What a
//! driver must not do ends the test: to complete bytes that it has not reported, to send with a queue
//! that is stopped, to receive beyond the budget.

pub(crate) mod driver;
pub(crate) mod ethtool;
#[path = "../../../net/flow.rs"]
pub(crate) mod flow;
pub(crate) mod napi;
pub(crate) mod offload;
pub(crate) mod page_pool;
#[path = "../../../net/places.rs"]
pub(crate) mod places;
pub(crate) mod queue;
pub(crate) mod skbuff;
#[path = "../../../net/stats.rs"]
pub(crate) mod stats;
pub(crate) mod xdp;

/// A message of an interface. On the host it is formatted and noted.
macro_rules! netdev_info {
    ($dev:expr, $($arguments:tt)*) => { $dev.note(format!($($arguments)*)) };
}
pub(crate) use netdev_info;

/// An error of an interface.
macro_rules! netdev_err {
    ($dev:expr, $($arguments:tt)*) => { $dev.note(format!($($arguments)*)) };
}
pub(crate) use netdev_err;

pub(crate) mod context {
    //! Tokens of contexts.

    /// Process context.
    pub(crate) struct Process<'a>(pub(super) std::marker::PhantomData<&'a ()>);
}
