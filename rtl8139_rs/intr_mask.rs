// SPDX-License-Identifier: GPL-2.0

//! When the chip may interrupt.
//!
//! The usual NAPI driver masks its receive interrupt in the handler and unmasks it when the poll is
//! complete: two register writes for each interrupt, and most interrupts on a lightly loaded wire
//! bring one frame. This driver masks lazily. The handler acknowledges and schedules the poll; only
//! if the poll is already scheduled, so that an interrupt can do no good, the handler masks. An
//! interrupt for one frame costs no write to the mask, and a level-triggered line cannot storm: a
//! poll cycle sees at most two interrupts. That holds for a chip, too, that reports an event for ever,
//! whatever is acknowledged, since the handler masks all of them.
//!
//! The order makes it lossless:
//!
//! 1. the handler acknowledges what it read, so that later events latch again;
//! 2. it notes the events for the poll, then tries to schedule the poll;
//! 3. if that fails, it masks, *then tries again*. Either the second attempt succeeds, and that poll
//!    unmasks; or it fails, and then NAPI has noted a missed event: the poll that runs cannot
//!    complete without another round, which begins after the mask was set, and unmasks.
//! 4. The poll takes the notes, works, and unmasks only after `napi_complete_done()` said yes.
//!
//! Where the user wants the stack to poll by a timer for a while (`napi_defer_hard_irqs`), the poll masks
//! before it completes, and the last one of these polls unmasks.
//!
//! The interrupt for sent frames is armed on request, by who fills the transmit slots
//! ([`tx_slots`](super::tx_slots)) or, in the C+ mode, the transmit ring ([`tx_ring`](super::tx_ring)).
//!
//! [`IntrMask`] is the shadow of the register, since reading the register costs more than
//! remembering it. It says what to write; its owner keeps the lock.

#![forbid(unsafe_code)]

/// The bits of ISR and IMR that this driver uses.
pub(crate) mod bits {
    /// A frame was received.
    pub(crate) const RX_OK: u16 = 1 << 0;
    /// A frame was received with an error.
    pub(crate) const RX_ERR: u16 = 1 << 1;
    /// A frame was sent.
    pub(crate) const TX_OK: u16 = 1 << 2;
    /// A frame could not be sent.
    pub(crate) const TX_ERR: u16 = 1 << 3;
    /// The receive ring has no room.
    pub(crate) const RX_OVERFLOW: u16 = 1 << 4;
    /// The link changed; in the old chips also: the receiver ran behind (*packet underrun*).
    pub(crate) const LINK_CHANGE: u16 = 1 << 5;
    /// The receive FIFO has no room.
    pub(crate) const RX_FIFO_OVERFLOW: u16 = 1 << 6;
    /// An error on the PCI bus.
    pub(crate) const SYSTEM_ERROR: u16 = 1 << 15;
}

/// The events that have the poll look at the receive ring.
pub(crate) const RX_EVENTS: u16 =
    bits::RX_OK | bits::RX_ERR | bits::RX_OVERFLOW | bits::RX_FIFO_OVERFLOW;

/// Those of them that may interrupt.
///
/// Not the overflow of the ring: when it happens, frames are in the ring and the poll is due, and
/// looks at the latched bit then. An interrupt would only delay it. QEMU takes the bit in the mask
/// for a wish to be given frames that find no room, and then delivers later ones before them.
/// (A chip with a wrong idea of the driver's position takes an empty ring for full: that is what the
/// driver looks after from time to time.)
const RX_INTERRUPTS: u16 = RX_EVENTS & !bits::RX_OVERFLOW;

/// The events that have the poll look for what was sent: in the transmit slots, or the ring of the C+ mode.
pub(crate) const TX_EVENTS: u16 = bits::TX_OK | bits::TX_ERR;

/// The events that come seldom; each of them is dealt with by the poll, or by work that it schedules.
const RARE_EVENTS: u16 = bits::LINK_CHANGE | bits::SYSTEM_ERROR;

/// Events that come with others and say nothing: no transmit descriptor is left (C+), and a reserved one
/// that some chips raise.
pub(crate) const BY_THE_WAY: u16 = (1 << 7) | (1 << 10);

/// All events that this driver knows what to do about.
pub(crate) const KNOWN_EVENTS: u16 = RX_EVENTS | TX_EVENTS | RARE_EVENTS;

/// The shadow of IMR.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IntrMask {
    /// What comes seldom.
    rare: u16,
    /// The interface is up.
    live: bool,
    /// The handler found the poll scheduled already, or the stack polls by a timer.
    deferred: bool,
    /// The transmitter waits for a completion.
    tx_armed: bool,
}

impl IntrMask {
    /// Creates the shadow of a chip that may not interrupt yet. One whose link must be polled has
    /// another meaning for the bit of the link.
    pub(crate) const fn new(polls_link: bool) -> Self {
        Self {
            rare: if polls_link {
                RARE_EVENTS & !bits::LINK_CHANGE
            } else {
                RARE_EVENTS
            },
            live: false,
            deferred: false,
            tx_armed: false,
        }
    }

    /// The value of the register.
    pub(crate) fn value(&self) -> u16 {
        match (self.live, self.deferred, self.tx_armed) {
            (false, _, _) => 0,
            // One rare event that cannot be acknowledged would interrupt for ever.
            (true, true, _) => 0,
            (true, false, false) => self.rare | RX_INTERRUPTS | bits::TX_ERR,
            (true, false, true) => self.rare | RX_INTERRUPTS | TX_EVENTS,
        }
    }

    /// The interface is up.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Makes a change, and returns what to write to the register if that changes its value.
    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Option<u16> {
        let before = self.value();
        change(self);
        let after = self.value();
        (after != before).then_some(after)
    }

    /// The interface goes down; afterwards nothing is deferred or armed.
    pub(crate) fn close(&mut self) -> Option<u16> {
        self.change(|mask| {
            *mask = Self {
                live: false,
                deferred: false,
                tx_armed: false,
                ..*mask
            }
        })
    }

    /// The handler interrupted a poll that is already scheduled, or the poll goes on by a timer.
    pub(crate) fn defer(&mut self) -> Option<u16> {
        self.change(|mask| mask.deferred = true)
    }

    /// The poll is complete, or the interface has gone up.
    pub(crate) fn open(&mut self) -> Option<u16> {
        self.change(|mask| {
            mask.live = true;
            mask.deferred = false;
        })
    }

    /// Whether the transmitter waits for a completion.
    pub(crate) fn tx_armed(&self) -> bool {
        self.tx_armed
    }

    /// The transmitter begins or ceases to wait for a completion.
    pub(crate) fn arm_tx(&mut self, armed: bool) -> Option<u16> {
        self.change(|mask| mask.tx_armed = armed)
    }
}
