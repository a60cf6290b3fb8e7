// SPDX-License-Identifier: GPL-2.0

//! Stopping and waking a queue when two contexts work on its ring without a lock.
//!
//! One fills the ring, finds it full and stops the queue; the other empties it, finds the queue stopped
//! and wakes it. Each writes one thing and looks at what the other writes: ring and queue. If both looked
//! before both had written, the queue would be stopped with an empty ring, for ever. So both have a full
//! barrier between writing and looking, and who has stopped the queue looks at the ring once more.
//!
//! The file has no kernel types, so that `selftests/host` runs it under loom. In C:
//! `netif_txq_maybe_stop()` and `netif_txq_completed_wake()` of
//! [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h).

/// A queue that can be stopped.
pub(crate) trait Queue {
    /// Stops it, with a full barrier after that.
    fn stop_mb(&self);

    /// Undoes a stop, before anybody waits for it.
    fn start(&self);

    /// Whether it is stopped.
    fn is_stopped(&self) -> bool;

    /// Lets it run, and has what waits be sent.
    fn wake(&self);
}

/// Stops `queue` if fewer than `stop` places are free, unless at least `start` became free meanwhile.
///
/// For who fills the ring. Returns whether the queue was left stopped.
pub(crate) fn maybe_stop(
    queue: &impl Queue,
    free: impl Fn() -> u32,
    stop: u32,
    start: u32,
) -> bool {
    if free() >= stop {
        return false;
    }
    // ORDERING: The stop must be visible before the ring is looked at again; the call has a full
    // barrier after it, which pairs with the one that the caller of `maybe_wake` has.
    queue.stop_mb();
    if free() < start {
        return true;
    }
    queue.start();
    false
}

/// Wakes `queue` if it is stopped and at least `start` places are free.
///
/// For who empties the ring. The places must be free before the call, and a full barrier between.
pub(crate) fn maybe_wake(queue: &impl Queue, free: impl Fn() -> u32, start: u32) {
    if free() >= start && queue.is_stopped() {
        queue.wake();
    }
}
