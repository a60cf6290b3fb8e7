// SPDX-License-Identifier: GPL-2.0

//! The transmit ring of the C+ mode: which descriptors are in use, and when to look at them.
//!
//! A frame takes a descriptor for each of its pieces. Descriptors are used in turn, and the chip is done
//! with them in the same order. One register write, the *doorbell*, has the chip look for new ones, for
//! one frame or for many: while the stack says that another frame comes at once, it waits.
//!
//! A frame that was sent is seen in memory, so looking costs no register. The driver looks right after
//! the doorbell: in QEMU all frames are sent by then, and neither an interrupt nor the byte queue limit
//! need ever know of them. Only if frames are left, the interrupt for a sent frame is armed and the limit
//! is told; the interrupt is disarmed when nothing is in flight any more.
//!
//! [`flush`] and [`reap`] are that policy, and [`Port`] is what they drive. Both run with the lock of the
//! transmit queue held.

#![forbid(unsafe_code)]

/// The books of a ring.
///
/// # Invariants
///
/// - `used <= len`; the descriptors in use are `tail` and the `used - 1` behind it.
/// - `reported` is how much of `bytes` the byte queue limit knows of, as frames that were first.
#[derive(Debug)]
pub(crate) struct TxRing {
    len: u16,
    /// The descriptor that was used first.
    tail: u16,
    used: u16,
    /// The length of all frames in the ring.
    bytes: u32,
    reported: u32,
    /// The chip has not been told of some frames.
    silent: bool,
    /// The interrupt for a sent frame is armed.
    armed: bool,
    /// The queue is stopped when a frame with this many pieces might find no room.
    stop_below: u16,
}

impl TxRing {
    /// A ring of `len` descriptors, none of which is in use, for frames of up to `most_pieces`.
    pub(crate) const fn new(len: u16, most_pieces: u16) -> Self {
        Self {
            len,
            tail: 0,
            used: 0,
            bytes: 0,
            reported: 0,
            silent: false,
            armed: false,
            stop_below: most_pieces,
        }
    }

    /// Follows a chip that has been reset, and begins with the first descriptor.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.len, self.stop_below);
    }

    /// How many descriptors are free.
    pub(crate) fn free(&self) -> u16 {
        self.len.wrapping_sub(self.used)
    }

    /// How many descriptors are in use.
    pub(crate) fn used(&self) -> u16 {
        self.used
    }

    /// The descriptor that was used first.
    pub(crate) fn tail(&self) -> u16 {
        self.tail
    }

    /// The descriptor for piece `n` of the next frame.
    pub(crate) fn at(&self, n: u16) -> u16 {
        self.wrap(self.wrap(self.tail.wrapping_add(self.used)).wrapping_add(n))
    }

    /// Notes that the next `pieces` descriptors are in use, for a frame of `bytes`.
    pub(crate) fn push(&mut self, pieces: u16, bytes: u32) {
        // INVARIANT: The caller has looked at `free`.
        self.used = self.used.wrapping_add(pieces).min(self.len);
        self.bytes = self.bytes.wrapping_add(bytes);
        self.silent = true;
    }

    /// Notes that the chip is done with the descriptor at `tail`.
    pub(crate) fn pop(&mut self) {
        self.tail = self.wrap(self.tail.wrapping_add(1));
        self.used = self.used.saturating_sub(1);
    }

    /// `at` for the ring's end is its beginning; `at` is below twice the length.
    fn wrap(&self, at: u16) -> u16 {
        if at >= self.len {
            at.wrapping_sub(self.len)
        } else {
            at
        }
    }

    /// Whether a frame might find no room.
    pub(crate) fn is_short(&self) -> bool {
        self.free() < self.stop_below
    }

    /// Whether there is room again, for more than one frame.
    fn has_room(&self) -> bool {
        self.free() >= self.stop_below.max(self.len / 2)
    }
}

/// What the policy drives: the chip and the transmit queue of the network device.
///
/// All methods are called with the lock of the transmit queue held.
pub(crate) trait Port {
    /// Has the chip look for new frames.
    fn ring_doorbell(&mut self);

    /// Takes back the next descriptor that the chip is done with: [`TxRing::pop`] was called for it.
    ///
    /// `None` if it is not; else the length of the frame whose last one it was, or 0.
    fn take_done(&mut self, ring: &mut TxRing) -> Option<u32>;

    /// Arms or disarms the interrupt for a sent frame.
    fn arm(&mut self, armed: bool);

    /// Tells the byte queue limit that `bytes` more are in flight, which may stop the queue.
    fn sent(&mut self, bytes: u32);

    /// Tells the byte queue limit that `bytes` of those are not any more, in `frames` frames.
    fn completed(&mut self, frames: u32, bytes: u32);

    /// Stops the queue: `ndo_start_xmit` is not called until it is woken.
    fn stop(&mut self);

    /// Lets a queue that was stopped run again.
    fn wake(&mut self);
}

/// Settles what `ndo_start_xmit` has done; `more` if it is called again at once.
#[inline(always)]
pub(crate) fn flush<P: Port>(ring: &mut TxRing, port: &mut P, more: bool) {
    let short = ring.is_short();
    if short {
        // Before the chip is looked at: who finds room there wakes the queue.
        port.stop();
    } else if more {
        return;
    }
    if ring.silent {
        ring.silent = false;
        port.ring_doorbell();
    }
    collect(ring, port);
    if ring.used > 0 {
        if !ring.armed {
            ring.armed = true;
            port.arm(true);
        }
        let unknown = ring.bytes.wrapping_sub(ring.reported);
        if unknown > 0 {
            port.sent(unknown);
            ring.reported = ring.bytes;
        }
        // A frame that ended before the interrupt was armed may have been acknowledged unseen.
        collect(ring, port);
    }
    if short && ring.has_room() {
        port.wake();
    }
}

/// Collects what the chip is done with, and wakes the queue.
pub(crate) fn reap<P: Port>(ring: &mut TxRing, port: &mut P) {
    // The frame for which the chip was to be told of those before it may not have come.
    let silent = core::mem::take(&mut ring.silent);
    if silent {
        port.ring_doorbell();
    }
    collect(ring, port);
    if silent && ring.used > 0 && !ring.armed {
        ring.armed = true;
        port.arm(true);
        collect(ring, port);
    }
    if ring.has_room() {
        port.wake();
    }
    if ring.armed && ring.used == 0 {
        ring.armed = false;
        port.arm(false);
    }
}

/// Takes back all descriptors that the chip is done with.
fn collect<P: Port>(ring: &mut TxRing, port: &mut P) {
    let (mut frames, mut bytes) = (0u32, 0u32);
    while ring.used > 0 {
        let Some(len) = port.take_done(ring) else {
            break;
        };
        if len > 0 {
            frames = frames.wrapping_add(1);
            bytes = bytes.wrapping_add(len);
        }
    }
    ring.bytes = ring.bytes.wrapping_sub(bytes);
    // INVARIANT: Frames are done in the order in which they were queued, so those that were reported are
    // done first.
    let known = bytes.min(ring.reported);
    if known > 0 {
        ring.reported = ring.reported.wrapping_sub(known);
        port.completed(frames, known);
    }
}
