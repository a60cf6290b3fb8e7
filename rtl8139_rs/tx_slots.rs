// SPDX-License-Identifier: GPL-2.0

//! The four transmit slots.
//!
//! The classic transmitter has four slots. Each has an address register (TSA0 to TSA3) and a
//! status register (TSD0 to TSD3); writing the length of a frame to the status register sends it.
//! The chip works through the slots in turn. One register of 16 bits, TSAD, tells the state of all
//! four at once, so that one read serves four frames.
//!
//! A completion needs attention only when it is waited for: when all slots are in use. So the
//! interrupt for a sent frame stays disarmed otherwise. When a frame is sent before the next one is
//! queued, as every frame is in QEMU and most are on a quiet wire, sending costs one register write,
//! and one read in every fourth frame.
//!
//! The byte queue limit (BQL) is told of a frame when it matters: a frame that stops the queue is
//! reported as in flight, all others when they are found done. What is reported as in flight is thus
//! always waited for, and nothing stays in flight on a quiet wire.
//!
//! [`submit`] and [`reap`] are that policy, and [`Port`] is what they drive. Both run with the lock
//! of the transmit queue held, in `ndo_start_xmit` and in the NAPI poll: nothing else touches the
//! slots, and stopping cannot race with waking. What is left is the race with the chip and with an
//! interrupt handler that acknowledges a completion, and `submit` closes it: it looks again after it
//! has armed the interrupt.
//!
//! Sources: RTL8139C(L) datasheet, sections "Transmit Status Register" and "Transmit Status of All
//! Descriptors Register".

#![forbid(unsafe_code)]

/// Number of slots.
pub(crate) const SLOTS: usize = 4;

/// Number of slots, as the counters count them.
const SLOTS_U8: u8 = SLOTS as u8;

/// Shortest frame on the wire without its frame check sequence, in bytes; the chip does not pad.
pub(crate) const MIN_FRAME_LEN: usize = 60;

/// Longest frame that is sent, in bytes, without the frame check sequence that the chip appends.
pub(crate) const MAX_FRAME_LEN: usize = 1792;

/// Length of the memory of one slot in bytes.
pub(crate) const SLOT_LEN: usize = MAX_FRAME_LEN;

/// Length of the memory of all slots in bytes.
pub(crate) const BUFFER_LEN: usize = SLOT_LEN * SLOTS;

/// The number of a slot.
///
/// # Invariants
///
/// Below [`SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u8);

impl Slot {
    /// All slots, in the order in which the chip uses them.
    // INVARIANT: All four are below `SLOTS`.
    pub(crate) const ALL: [Self; SLOTS] = [Self(0), Self(1), Self(2), Self(3)];

    /// The number of the slot.
    pub(crate) fn index(self) -> usize {
        self.0.into()
    }

    /// Offset of the memory of the slot in the memory of all slots.
    pub(crate) fn offset(self) -> usize {
        // At most 3 * 1792.
        self.index().wrapping_mul(SLOT_LEN)
    }

    /// The slot `n` places further.
    fn ahead(self, n: u8) -> Self {
        // INVARIANT: `SLOTS` is a power of two, so that the mask is the remainder.
        Self(self.0.wrapping_add(n) & (SLOTS_U8 - 1))
    }
}

/// How the transmission of a frame ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The frame was sent.
    Sent,
    /// The frame was sent, but the FIFO ran empty on the way.
    Underrun,
    /// The chip gave up after too many collisions, and waits to be told to go on.
    Aborted,
}

/// The value of TSAD, the state of all slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AllStatus(u16);

impl AllStatus {
    /// Wraps what was read from the register.
    pub(crate) fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// Whether the value is what a device that is gone answers: no chip has sent, run empty and
    /// aborted in all slots at once.
    pub(crate) fn is_all_ones(self) -> bool {
        self.0 == u16::MAX
    }

    /// How the frame in `slot` ended, or `None` while it is on its way.
    pub(crate) fn outcome(self, slot: Slot) -> Option<Outcome> {
        let bit = |first: u16| self.0 & (first << slot.0) != 0;

        if bit(1 << 4) {
            Some(Outcome::Aborted)
        } else if bit(1 << 8) {
            Some(Outcome::Underrun)
        } else if bit(1 << 12) {
            Some(Outcome::Sent)
        } else {
            None
        }
    }
}

/// A frame that the chip has done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// The slot that is free again.
    pub(crate) slot: Slot,
    /// The length that was accounted when the frame was queued.
    pub(crate) len: u16,
    /// How it ended.
    pub(crate) outcome: Outcome,
}

/// The threshold and the length in a transmit status register.
///
/// The chip begins to send when that many bytes are in its FIFO; each underrun raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold(u8);

impl Threshold {
    /// 256 bytes, in the unit of 32 bytes that the register has.
    const DEFAULT: u8 = 8;
    /// 1536 bytes, which is more than a frame of the usual length.
    const MAX: u8 = 48;
    /// 64 bytes.
    const STEP: u8 = 2;

    /// The field of the register, in units of 32 bytes.
    pub(crate) fn units(self) -> u8 {
        self.0
    }

    fn raise(&mut self) {
        self.0 = self.0.saturating_add(Self::STEP).min(Self::MAX);
    }
}

/// Which slots are in use.
///
/// # Invariants
///
/// - `in_flight <= SLOTS`; the slots in use are `tail` and the `in_flight - 1` slots behind it.
/// - `reported` is the length of the frames in flight that the byte queue limit knows of. They are
///   the first of those in flight; if there are any, `armed` is set.
#[derive(Debug)]
pub(crate) struct TxSlots {
    /// The slot whose frame was queued first.
    tail: Slot,
    in_flight: u8,
    lens: [u16; SLOTS],
    threshold: Threshold,
    reported: u32,
    /// Whether the interrupt for a sent frame is armed.
    armed: bool,
}

impl TxSlots {
    /// Creates the slots of a transmitter that has just been reset: it begins with the first.
    pub(crate) const fn new() -> Self {
        // INVARIANT: No slot is in use.
        Self {
            tail: Slot(0),
            in_flight: 0,
            lens: [0; SLOTS],
            threshold: Threshold(Threshold::DEFAULT),
            reported: 0,
            armed: false,
        }
    }

    /// Follows the chip, which has been reset, and forgets the frames in flight.
    pub(crate) fn restart(&mut self) {
        // The threshold is kept: the bus is as slow as it was.
        *self = Self {
            threshold: self.threshold,
            ..Self::new()
        };
    }

    /// Gives up the frames in flight, whose state is `status`, before the chip is reset. `done` is
    /// called for those that the chip is done with; returns how many others there were.
    pub(crate) fn abandon(&mut self, status: AllStatus, mut done: impl FnMut(Done)) -> u8 {
        if !status.is_all_ones() {
            while let Some(ended) = self.pop(status) {
                done(ended);
            }
        }
        let lost = self.in_flight;
        self.restart();
        lost
    }

    /// The slot for the next frame, if one is free.
    pub(crate) fn free_slot(&self) -> Option<Slot> {
        (self.in_flight < SLOTS_U8).then(|| self.tail.ahead(self.in_flight))
    }

    /// Number of frames that the chip has not been seen to be done with.
    pub(crate) fn in_flight(&self) -> u8 {
        self.in_flight
    }

    /// The threshold for the next frame.
    pub(crate) fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Takes the slot that [`Self::free_slot`] named, for a frame of `len` bytes.
    fn take(&mut self, len: u16) -> Option<Slot> {
        let slot = self.free_slot()?;
        *self.lens.get_mut(slot.index())? = len;
        // INVARIANT: `free_slot` found `in_flight < SLOTS`.
        self.in_flight = self.in_flight.wrapping_add(1);
        Some(slot)
    }

    /// The length of all frames in flight.
    fn bytes_in_flight(&self) -> u32 {
        (0..self.in_flight)
            .filter_map(|i| self.lens.get(self.tail.ahead(i).index()))
            .fold(0, |sum, &len| sum.wrapping_add(len.into()))
    }

    /// Gives back the slot that was queued first, if its frame is done.
    fn pop(&mut self, status: AllStatus) -> Option<Done> {
        if self.in_flight == 0 {
            return None;
        }
        let slot = self.tail;
        let outcome = status.outcome(slot)?;
        let len = *self.lens.get(slot.index())?;

        if outcome == Outcome::Underrun {
            self.threshold.raise();
        }
        // INVARIANT: `in_flight` is not zero, and the slots in use begin one further.
        self.tail = slot.ahead(1);
        self.in_flight = self.in_flight.wrapping_sub(1);
        Some(Done { slot, len, outcome })
    }
}

/// What the policy drives: the chip's registers and the transmit queue of the network device.
///
/// All methods are called with the lock of the transmit queue held.
pub(crate) trait Port {
    /// Writes the length to the status register of `slot`, which sends the frame in its memory.
    fn kick(&mut self, slot: Slot, len: u16, threshold: Threshold);

    /// Reads TSAD.
    fn status(&mut self) -> AllStatus;

    /// Arms or disarms the interrupt for a sent frame.
    fn arm(&mut self, armed: bool);

    /// Accounts a frame that is done, and makes a chip that has aborted go on.
    fn done(&mut self, done: Done);

    /// Tells the byte queue limit that `bytes` more are in flight, which may stop the queue.
    fn sent(&mut self, bytes: u32);

    /// Tells the byte queue limit how much of that is done with, which may let the queue run again.
    fn completed(&mut self, frames: u32, bytes: u32);

    /// Stops the queue: `ndo_start_xmit` is not called until it is woken.
    fn stop(&mut self);

    /// Lets a queue that was stopped run again.
    fn wake(&mut self);
}

/// Sends the frame of `len` bytes whose data stands in the memory of [`TxSlots::free_slot`].
///
/// `len` is the length on the wire, padding included. Returns `false` if no slot is free, which a
/// caller that was called with a running queue never sees.
pub(crate) fn submit<P: Port>(slots: &mut TxSlots, port: &mut P, len: u16) -> bool {
    let Some(slot) = slots.take(len) else {
        return false;
    };
    port.kick(slot, len, slots.threshold());
    if slots.in_flight < SLOTS_U8 {
        return true;
    }
    // One read for four frames.
    collect(slots, port);
    if slots.in_flight < SLOTS_U8 {
        return true;
    }

    // Nothing will look at the slots again unless a completion interrupts.
    port.stop();
    if !slots.armed {
        slots.armed = true;
        port.arm(true);
    }
    // INVARIANT: All frames in flight are reported, and the interrupt is armed.
    let bytes = slots.bytes_in_flight();
    port.sent(bytes.wrapping_sub(slots.reported));
    slots.reported = bytes;

    // A frame that ended before the interrupt was armed may have been acknowledged unseen, by a
    // handler that ran for another reason. One that ends from here on interrupts.
    collect(slots, port);
    if slots.in_flight < SLOTS_U8 {
        port.wake();
    }
    true
}

/// Collects what the chip is done with, and wakes the queue.
///
/// Called from the NAPI poll when the chip has reported the end of a frame and the interrupt for it
/// is armed, or when it has reported an error.
pub(crate) fn reap<P: Port>(slots: &mut TxSlots, port: &mut P) {
    collect(slots, port);
    if slots.in_flight < SLOTS_U8 {
        port.wake();
    }
    if slots.armed && slots.in_flight == 0 {
        slots.armed = false;
        port.arm(false);
    }
}

/// Gives back all slots that are done.
fn collect<P: Port>(slots: &mut TxSlots, port: &mut P) {
    if slots.in_flight == 0 {
        return;
    }
    let status = port.status();
    if status.is_all_ones() {
        return;
    }

    let (mut frames, mut bytes) = (0u32, 0u32);
    while let Some(done) = slots.pop(status) {
        frames = frames.wrapping_add(1);
        bytes = bytes.wrapping_add(done.len.into());
        port.done(done);
    }
    if frames == 0 {
        return;
    }
    // INVARIANT: Frames are done in the order in which they were queued, so those that were reported
    // are done first.
    if bytes > slots.reported {
        port.sent(bytes.wrapping_sub(slots.reported));
    }
    slots.reported = slots.reported.saturating_sub(bytes);
    port.completed(frames, bytes);
}
