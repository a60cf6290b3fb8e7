// SPDX-License-Identifier: GPL-2.0

//! What a test asks of an interface, and how it sets the stage.

use super::{
    Device,
    Operations, //
};
use crate::net::napi::Received;

impl<T: Operations> Device<T> {
    /// The stack polls by a timer before the device may interrupt again, or not.
    pub(crate) fn defer_interrupts(&self, deferred: bool) {
        self.outside.lock().unwrap().deferred = deferred;
    }

    /// The card was taken out, and one is there again.
    pub(crate) fn replug(&self) {
        self.outside.lock().unwrap().detached = false;
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.napi.lock().is_scheduled()
    }

    /// Whether the stack has something to send to: up, not halted, not stopped, with a link.
    pub(crate) fn may_send(&self) -> bool {
        self.running().is_some_and(|running| {
            let tx = running.tx.lock();
            self.carrier_ok() && tx.part.is_some() && tx.queue.runs()
        })
    }

    /// Sets the byte queue limit.
    pub(crate) fn limit_queue(&self, bytes: u32) {
        if let Some(running) = self.running() {
            running.tx.lock().queue.set_limit(bytes);
        }
    }

    /// Bytes in flight, as the byte queue limit has them.
    pub(crate) fn in_flight(&self) -> u32 {
        self.running()
            .map_or(0, |running| running.tx.lock().queue.in_flight())
    }

    /// The frames that a program has redirected, since the last call.
    pub(crate) fn take_redirected(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outside.lock().unwrap().redirected)
    }

    /// Lets so many frames more be redirected.
    pub(crate) fn limit_redirects(&self, room: usize) {
        self.outside.lock().unwrap().room_to_redirect = room;
    }

    /// Takes the frames that the stack was given.
    pub(crate) fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut self.outside.lock().unwrap().received)
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.outside.lock().unwrap().messages.clone()
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.outside.lock().unwrap().detached
    }

    /// Has NAPI forget that it was to be scheduled while it was, or remember it again.
    pub(crate) fn lose_missed(&self, lossy: bool) {
        self.napi.lock().lossy = lossy;
    }

    /// Lets no packet be made any more, or again.
    pub(crate) fn exhaust(&self, out_of_memory: bool) {
        self.outside.lock().unwrap().memory = out_of_memory.then_some(0);
    }

    /// Lets so many packets and pages be made yet.
    pub(crate) fn exhaust_after(&self, allocations: usize) {
        self.outside.lock().unwrap().memory = Some(allocations);
    }
}
