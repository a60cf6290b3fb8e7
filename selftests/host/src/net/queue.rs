// SPDX-License-Identifier: GPL-2.0

//! The transmit queue, with its byte queue limit.

use super::skbuff::{
    DropReason,
    SkBuff, //
};

/// What became of a frame to send.
#[must_use]
#[derive(Debug)]
pub(crate) enum Xmit {
    Queued,
    Dropped(SkBuff, DropReason),
    Busy(SkBuff),
}

/// The state of the queue.
#[derive(Debug)]
pub(crate) struct Queue {
    stopped: bool,
    /// Bytes that were reported as given to the device, and not as done.
    in_flight: u32,
    /// With so many bytes in flight the queue stands, from the report of them on.
    limit: u32,
    limited: bool,
    /// Another frame comes right after this one.
    more: bool,
    /// The poll is to be scheduled.
    kick: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            stopped: false,
            in_flight: 0,
            limit: u32::MAX,
            limited: false,
            more: false,
            kick: false,
        }
    }

    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    pub(super) fn set_more(&mut self, more: bool) {
        self.more = more;
    }

    pub(super) fn take_kick(&mut self) -> bool {
        std::mem::take(&mut self.kick)
    }

    pub(super) fn restart(&mut self) {
        self.stopped = false;
        self.in_flight = 0;
        self.limited = false;
    }

    /// Whether the stack may send.
    pub(super) fn runs(&self) -> bool {
        !self.stopped && !self.limited
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// The queue, with its lock held.
pub(crate) struct TxQueue<'a>(&'a mut Queue);

impl<'a> TxQueue<'a> {
    pub(super) fn new(queue: &'a mut Queue) -> Self {
        Self(queue)
    }

    pub(crate) fn more(&self) -> bool {
        self.0.more
    }

    pub(crate) fn schedule_napi(&mut self) -> bool {
        self.0.kick = true;
        true
    }

    pub(crate) fn stop(&mut self) {
        self.0.stopped = true;
    }

    pub(crate) fn wake(&mut self) {
        self.0.stopped = false;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.stopped
    }

    pub(crate) fn sent(&mut self, bytes: u32) {
        self.0.in_flight += bytes;
        self.0.limited = self.0.in_flight >= self.0.limit;
    }

    pub(crate) fn completed(&mut self, _packets: u32, bytes: u32) {
        assert!(
            bytes <= self.0.in_flight,
            "{bytes} bytes are done, and {} were reported",
            self.0.in_flight
        );
        self.0.in_flight -= bytes;
        self.0.limited &= self.0.in_flight >= self.0.limit;
    }
}
