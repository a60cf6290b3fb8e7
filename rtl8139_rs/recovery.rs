// SPDX-License-Identifier: GPL-2.0

//! Recovery: how the card is, and what is done if it is not well.
//!
//! A chip that was reset behind the driver's back, or a card that has lost its place on the bus, answers
//! nothing, or moves no frame, and does not say so: it is looked after from time to time. The answer is
//! always the same, a reset, in process context. A card that is not there any more is hidden from the
//! stack.

#![forbid(unsafe_code)]

use super::{
    gate::{
        Notes,
        Source,
        Up, //
    },
    hw::Health,
    intr_mask::bits,
    nic::Nic,
    path::{
        self,
        Rx, //
    },
};
use crate::{
    net::{
        driver::{
            Device,
            Events,
            Locked, //
        },
        napi::Poll, //
    },
    netdev_err,
    netdev_info, //
};
use kernel::sync::atomic::Relaxed;

/// The chip is to be reset, to recover.
pub(crate) const RESET: Events = Events::bit::<0>();
/// The chip has reported an error on the bus.
pub(crate) const BUS_ERROR: Events = Events::bit::<1>();
/// The card has not answered: it is to be looked at once more, and reset or given up.
pub(crate) const DOUBT: Events = Events::bit::<2>();

impl Nic<'_> {
    /// How the card is: its place on the bus, and the chip.
    fn health(&self) -> Health {
        match self.place.health() {
            Health::Well => self.hw.health(),
            other => other,
        }
    }

    /// Whether the card is there, once it can be heard again.
    pub(crate) fn answers(&self) -> bool {
        self.place.restore_registers();
        self.place.health() != Health::Gone && self.hw.health() != Health::Gone
    }

    /// Stops the chip, and returns where the receiver has written to. Process context.
    pub(crate) fn halt(&self) -> u16 {
        let (end, stopped) = self.hw.halt();
        if stopped.is_err() {
            self.place.take_memory();
        }
        end
    }

    /// Looks after the card, in the poll. Returns whether it is well; what is to be done if it is not is
    /// scheduled, and nothing else may be read of it until then.
    pub(crate) fn is_well(&self, up: &Up, rx: &mut Rx<'_>, napi: &Poll<'_, Self>) -> bool {
        // What else is read of a chip that does not answer is no truth: a position in the ring, say.
        // And one that was reset knows no address of memory, so it must not be made to receive.
        match self.health() {
            Health::Well => {
                up.renew(&self.hw);
                true
            }
            Health::Stopped => {
                path::distrust(rx);
                napi.schedule_work(RESET);
                false
            }
            Health::Gone => {
                up.note_doubt(&self.hw);
                napi.schedule_work(DOUBT);
                false
            }
        }
    }

    /// Whether an interrupt of which the chip says nothing may be that of a card which does not answer. Such
    /// a card is made to leave the line alone, and the poll is to look at it. For the handler.
    pub(crate) fn claims_interrupt(&self, up: &Up, source: Source) -> bool {
        if source == Source::Other {
            return false;
        }
        // A card that has lost its memory space may hold the line, and nothing that is written to it would
        // end that: this cannot wait for the poll.
        if !self.place.restore() {
            if source == Source::Unclear && self.hw.is_there() {
                return false;
            }
            // It has its place, and yet it hears nothing.
            self.place.silence(true);
        }
        up.note_doubt(&self.hw);
        true
    }

    /// Has an error on the bus answered, if there is one and it is time. In the poll.
    pub(crate) fn look_for_bus_error(&self, up: &Up, napi: &Poll<'_, Self>, notes: &Notes) {
        let reported = notes.events & bits::SYSTEM_ERROR != 0;
        if reported {
            self.counters.bus_errors.increment();
        }
        if up.answers_bus_error(reported, notes.tick) {
            napi.schedule_work(BUS_ERROR);
        }
    }

    /// Whether a chip that has not started did so before. What is tried every few seconds is not said each time.
    pub(crate) fn is_first_failure(&self) -> bool {
        // ORDERING: Relaxed. The instance lock orders it.
        let before = self.has_failed.load(Relaxed);
        self.has_failed.store(true, Relaxed);
        !before
    }

    /// The user asks anew, and is answered.
    pub(crate) fn forget_failure(&self) {
        // ORDERING: Relaxed, see above.
        self.has_failed.store(false, Relaxed);
    }

    /// The chip has started.
    pub(crate) fn note_success(&self, dev: &Device<Self>) {
        // ORDERING: Relaxed, see above.
        if self.has_failed.load(Relaxed) {
            self.has_failed.store(false, Relaxed);
            netdev_info!(dev, "the chip has started\n");
        }
    }

    /// Resets the chip, with all frames in flight. It gets its place on the bus back on the way down.
    ///
    /// What fails is tried again in a while, unless the card is not there any more.
    pub(crate) fn recover(&self, cx: &mut Locked<'_, Self>) {
        self.counters.resets.increment();
        if cx.restart().is_err() && !self.answers() {
            self.give_up(cx);
        }
    }

    /// Looks at a card again that has not answered.
    pub(crate) fn recover_or_give_up(&self, cx: &mut Locked<'_, Self>) {
        // A single word of all ones may be the bus's, not the card's.
        if self.answers() {
            self.recover(cx);
        } else {
            self.give_up(cx);
        }
    }

    /// Hides a card that is not there any more from the stack.
    fn give_up(&self, cx: &mut Locked<'_, Self>) {
        netdev_err!(cx.dev(), "the device does not answer any more\n");
        cx.dev().carrier_off();
        cx.detach();
    }
}
