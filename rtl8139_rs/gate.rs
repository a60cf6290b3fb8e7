// SPDX-License-Identifier: GPL-2.0

//! What the contexts share while the interface is up: the interrupt mask and notes for the poll.
//!
//! # Locking
//!
//! The handler, the poll, a transmission and control operations meet in one lock, [`Up::gate`],
//! which disables interrupts. It is held for a few instructions and at most two register accesses,
//! so that the mask register always has the value that its shadow says. No other lock is taken
//! inside.

#![forbid(unsafe_code)]

use super::{
    hw::Hw,
    intr_mask::{
        self,
        bits,
        IntrMask, //
    },
    regs,
    rx_filter::Filter,
    tally, //
};
use kernel::{
    io::Io,
    new_mutex, new_spinlock_irq,
    prelude::*,
    sync::{
        Mutex,
        SpinLockIrq, //
    },
};

/// What the handler and control operations have for the poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notes {
    /// What the chip has reported since the last poll; bits of ISR.
    pub(crate) events: u16,
    /// It is time to look after chip and link.
    pub(crate) tick: bool,
    /// The filter to set.
    pub(crate) filter: Option<Filter>,
    /// The card has not answered: whether it is there is to be found out.
    pub(crate) doubtful: bool,
    /// The transmitter waits for a completion.
    pub(crate) tx_armed: bool,
}

impl Notes {
    /// Whether there may be something new in the receive ring: the chip said so, or it is time to look.
    pub(crate) fn concerns_rx(&self) -> bool {
        self.tick || self.events & intr_mask::RX_EVENTS != 0
    }

    /// Whether nobody said anything: the poll goes on, or was not caused by an interrupt.
    pub(crate) fn is_unprompted(&self) -> bool {
        !self.tick && self.events == 0
    }

    /// Whether the chip is to be told how far the ring was read, however little that is.
    ///
    /// A chip without room must be told at once, since nothing more comes that would have it told;
    /// QEMU also holds back what it has queued until then. And a chip that has a wrong idea of the
    /// position receives nothing and says nothing, so it is told from time to time.
    pub(crate) fn wants_position(&self) -> bool {
        self.tick || self.events & bits::RX_OVERFLOW != 0
    }

    /// Whether to look for what was sent. Not for a completion that nobody waits for. One that somebody waits
    /// for may have come although nobody said so, while the interrupt is masked.
    pub(crate) fn concerns_tx(&self) -> bool {
        let awaited = if self.tx_armed {
            intr_mask::TX_EVENTS
        } else {
            bits::TX_ERR
        };
        self.events & awaited != 0 || (self.tx_armed && self.is_unprompted())
    }
}

/// Whose interrupt it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The chip's; what it reports is noted for the poll.
    Chip,
    /// Another device's on the same line.
    Other,
    /// Another device's, or that of a card that does not answer: it is time to make sure.
    Unclear,
    /// That of a card that does not answer, or that is not there any more.
    Silent,
}

/// How many interrupts may be another device's before it is made sure that they are, a power of two.
///
/// The kernel gives the line up after 100000 that are nobody's.
const MOST_FOREIGN: u16 = 256;

/// What is behind the lock.
struct Gate {
    mask: IntrMask,
    events: u16,
    tick: bool,
    /// The filter that the stack wants.
    filter: Filter,
    /// The poll has not set it yet.
    filter_is_new: bool,
    /// The card has not answered.
    doubtful: bool,
    /// Interrupts that were another device's, as it seemed.
    foreign: u16,
    /// An error on the bus has not been answered yet.
    bus_error: bool,
    /// One was answered since the chip was last looked after.
    bus_error_answered: bool,
}

/// What exists while the interface is up and all contexts share.
#[pin_data]
pub(crate) struct Up {
    #[pin]
    gate: SpinLockIrq<Gate>,
    /// Where a chip in the C+ mode writes its counters. Taken under the instance lock.
    #[pin]
    pub(super) tally: Mutex<Option<tally::Dump>>,
}

/// Writes the mask register if its value has changed.
fn write_mask(hw: &Hw<'_>, value: Option<u16>) {
    // A late write costs one interrupt that finds nothing, a read to hurry it costs one each time.
    if let Some(value) = value {
        hw.bar.write_reg(regs::IMR::from(value));
    }
}

impl Up {
    /// A gate that is closed, for a receiver that accepts `filter`. `polls_link` is that of the chip; `tally` is
    /// for a chip in the C+ mode.
    pub(crate) fn new(
        filter: Filter,
        polls_link: bool,
        tally: Option<tally::Dump>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            tally <- new_mutex!(tally),
            gate <- new_spinlock_irq!(Gate {
                mask: IntrMask::new(polls_link),
                events: 0,
                tick: false,
                filter,
                filter_is_new: false,
                doubtful: false,
                foreign: 0,
                bus_error: false,
                bus_error_answered: false,
            }),
        }? Error)
    }

    /// Acknowledges what the chip reports, and notes it for the poll. For the handler.
    ///
    /// A card that does not answer cannot be silenced here: whoever is told so gives it its place on the
    /// bus back, and then calls [`Self::note_doubt`].
    pub(crate) fn acknowledge(&self, hw: &Hw<'_>) -> Source {
        let mut gate = self.gate.lock();
        // One read: what there is to do. It cannot be saved, the line may be another device's.
        let events = hw.bar.read(regs::ISR).into_raw();
        let enabled = gate.mask.value();
        if events == u16::MAX {
            return if gate.mask.is_live() {
                Source::Silent
            } else {
                Source::Other
            };
        }
        if events & enabled == 0 {
            // What is never enabled and yet is there has been enabled by somebody else, and would
            // interrupt for ever.
            let stray = events & !intr_mask::KNOWN_EVENTS;
            if stray != 0 {
                hw.bar.write_reg(regs::ISR::from(stray));
                if stray & !intr_mask::BY_THE_WAY != 0 {
                    return Source::Chip;
                }
                // What a chip reports by the way was hardly enabled by anybody; and now it is not.
                write_mask(hw, Some(enabled));
            }
            // And what is known but not enabled cannot have interrupted, unless the chip has another
            // mask than it should have; then, too, it would interrupt for ever.
            if events & intr_mask::KNOWN_EVENTS != 0 {
                write_mask(hw, Some(enabled));
            }
            // In QEMU a card that does not answer reads as zero. To ask for its place on the bus each time
            // would double the price of another device's interrupts.
            gate.foreign = gate.foreign.wrapping_add(1);
            return if gate.foreign % MOST_FOREIGN == 0 && gate.mask.is_live() {
                Source::Unclear
            } else {
                Source::Other
            };
        }
        // One write, before the poll looks at the ring: what comes later latches again.
        hw.bar.write_reg(regs::ISR::from(events));
        gate.events |= events;
        Source::Chip
    }

    /// The handler found the poll scheduled already, or the poll goes on without being asked.
    pub(crate) fn defer(&self, hw: &Hw<'_>) {
        let mut gate = self.gate.lock();
        let value = gate.mask.defer();
        write_mask(hw, value);
    }

    /// The chip may interrupt: the poll is complete, or the interface has gone up.
    pub(crate) fn open(&self, hw: &Hw<'_>) {
        let mut gate = self.gate.lock();
        if gate.doubtful {
            return;
        }
        let value = gate.mask.open();
        write_mask(hw, value);
    }

    /// The chip may not interrupt any more.
    pub(crate) fn close(&self, hw: &Hw<'_>) {
        let mut gate = self.gate.lock();
        let value = gate.mask.close();
        gate.events = 0;
        gate.tick = false;
        // Whether it answers is found out anew by who starts it the next time.
        gate.doubtful = false;
        write_mask(hw, value);
    }

    /// The transmitter begins or ceases to wait for a completion.
    pub(crate) fn arm_tx(&self, hw: &Hw<'_>, armed: bool) {
        let mut gate = self.gate.lock();
        let value = gate.mask.arm_tx(armed);
        write_mask(hw, value);
    }

    /// Takes what was noted for the poll.
    pub(crate) fn take_notes(&self) -> Notes {
        let mut gate = self.gate.lock();
        let notes = Notes {
            events: gate.events,
            tick: gate.tick,
            filter: gate.filter_is_new.then_some(gate.filter),
            doubtful: gate.doubtful,
            tx_armed: gate.mask.tx_armed(),
        };
        gate.events = 0;
        gate.tick = false;
        gate.filter_is_new = false;
        notes
    }

    /// Notes events for the poll as if the chip had reported them; it must then be scheduled.
    pub(crate) fn note(&self, events: u16) {
        self.gate.lock().events |= events;
    }

    /// Whether it is time to answer an error on the bus: `reported` if there is a new one, and `tick` if it
    /// is time to look after the chip.
    ///
    /// The answer is a reset. If that does not help, the next error comes at once, so there is one for each
    /// time that the chip is looked after, and what is reported in between waits for the next.
    pub(crate) fn answers_bus_error(&self, reported: bool, tick: bool) -> bool {
        let mut gate = self.gate.lock();
        gate.bus_error |= reported;
        if tick {
            gate.bus_error_answered = false;
        }
        let due = gate.bus_error && !gate.bus_error_answered;
        if due {
            gate.bus_error = false;
            gate.bus_error_answered = true;
        }
        due
    }

    /// Notes that it is time to look after the chip; the poll must then be scheduled.
    pub(crate) fn note_tick(&self) {
        self.gate.lock().tick = true;
    }

    /// Sets the mask register again to what it should be. For a chip that is looked after: if it has
    /// lost the value, it would say nothing any more.
    pub(crate) fn renew(&self, hw: &Hw<'_>) {
        let gate = self.gate.lock();
        write_mask(hw, Some(gate.mask.value()));
    }

    /// Notes that the card has not answered. Until it is started again nothing else is asked of it.
    pub(crate) fn note_doubt(&self, hw: &Hw<'_>) {
        let mut gate = self.gate.lock();
        gate.doubtful = true;
        gate.mask.close();
        // Even if that is no change: what was written to a card that did not answer is not there.
        write_mask(hw, Some(gate.mask.value()));
    }

    /// Whether the card has not answered, and has not been started since.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.gate.lock().doubtful
    }

    /// Notes a filter for the poll, which must then be scheduled.
    pub(crate) fn set_filter(&self, filter: Filter) {
        let mut gate = self.gate.lock();
        gate.filter_is_new |= gate.filter != filter;
        gate.filter = filter;
    }

    /// The filter that the stack wants.
    pub(crate) fn filter(&self) -> Filter {
        self.gate.lock().filter
    }
}
