// SPDX-License-Identifier: GPL-2.0

//! Rings of frames to send, of all versions: what a slot asks for, which slot is next, when it is free again.
//!
//! ```text
//!                        the program               next, start                complete
//!      TP_STATUS_AVAILABLE --------> SEND_REQUEST -----------> SENDING -----------------> AVAILABLE
//!                                     ^   |   |   `- skip ----------------------------------^
//!                                     |   |   `- refuse -> WRONG_FORMAT, until the program changes that
//!                                     `---' retry
//! ```
//!
//! One task at a time sends, with [`Sender`] locked. It takes the slots in turn. They are done in any order
//! and in any context, as late as after the socket has been closed: whoever can call
//! [`Transmit::complete`] holds a reference to the ring.
//!
//! Whether a slot is on its way is known privately. The program could ask again for a frame that is, which
//! AF_PACKET sends a second time. Here each slot has the memory for one frame on its way, so it waits until
//! the first is done, whose completion gives the slot back unsent.
//!
//! The file has no kernel types beyond the prelude and atomics, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::words::{
    after,
    allocate,
    at,
    status,
    Words, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed,
        Release, //
    },
};

/// The header of a slot, of which each word was read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// `tp_next_offset` of version 3, else zero.
    pub(crate) next_offset: u32,
    /// `tp_len`.
    pub(crate) len: u32,
    /// `tp_mac`, or `tp_net` for `SOCK_DGRAM`; needed with `PACKET_TX_HAS_OFF` only.
    pub(crate) offset: u16,
}

/// What limits the frames in a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The length of a slot.
    slot: u32,
    /// Where the frame begins at the earliest.
    first: u32,
    /// How long a frame may be.
    longest: u32,
    /// Whether the header says where it begins, `PACKET_TX_HAS_OFF`.
    has_offset: bool,
}

/// Where in its slot a frame lies.
///
/// # Invariants
///
/// All of it is in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    offset: u32,
    len: u32,
}

impl Limits {
    /// Limits for slots of `slot` bytes, in which frames begin `first` bytes behind the start: the length
    /// of the header of the version, `tp_hdrlen` without the address that belongs to it.
    ///
    /// `device` is the longest frame that the device takes, with its header and a VLAN tag; `None` if a
    /// `virtio_net_hdr` says how a longer one is to be cut.
    pub(crate) fn new(slot: u32, first: u32, device: Option<u32>, has_offset: bool) -> Self {
        let room = slot.saturating_sub(first);
        Self {
            slot,
            first,
            longest: device.map_or(room, |device| device.min(room)),
            has_offset,
        }
    }

    /// Checks a header.
    ///
    /// # Errors
    ///
    /// In this order: `EINVAL` for slots that vary in length; `EMSGSIZE` for a frame that is too long;
    /// `EINVAL` for one that does not begin behind the header and end in the slot.
    pub(crate) fn check(&self, header: Header) -> Result<Extent> {
        if header.next_offset != 0 {
            return Err(EINVAL);
        }
        if header.len > self.longest {
            return Err(EMSGSIZE);
        }
        let mut offset = self.first;
        if self.has_offset {
            offset = header.offset.into();
            let last = self.slot.checked_sub(header.len).ok_or(EINVAL)?;
            if offset < self.first || offset > last {
                return Err(EINVAL);
            }
        }
        // INVARIANT: `offset` is at most `slot - len`: checked here, or since `longest` is at most what is
        // left of the slot behind `first`.
        Ok(Extent {
            offset,
            len: header.len,
        })
    }
}

impl Extent {
    /// Where it begins.
    pub(crate) fn offset(self) -> u32 {
        self.offset
    }

    /// How long it is.
    pub(crate) fn len(self) -> u32 {
        self.len
    }

    /// What is behind the first `len` bytes, which are a `virtio_net_hdr`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are less.
    pub(crate) fn behind(self, len: u32) -> Result<Self> {
        // INVARIANT: The end stays where it is.
        Ok(Self {
            len: self.len.checked_sub(len).ok_or(EINVAL)?,
            offset: self.offset.wrapping_add(len),
        })
    }
}

/// Adds the length of a frame to what one `send()` returns. `None` if that would not be positive any more;
/// then the call ends before this frame.
pub(crate) fn add_length(sum: u32, frame: Extent) -> Option<u32> {
    let sum = sum.checked_add(frame.len())?;
    i32::try_from(sum).is_ok().then_some(sum)
}

/// The slots of a ring of frames to send.
pub(crate) struct Transmit {
    count: u32,
    /// A copy of the position of [`Sender`], for who has not locked that.
    position: Atomic<u32>,
    /// How many frames are on their way.
    pending: Atomic<u32>,
    /// For each slot, whether its frame is on its way.
    busy: KVVec<Atomic<bool>>,
}

/// Which slot is next. Whoever sends has it locked.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    position: u32,
}

/// A slot that asks to be sent, the next one.
///
/// It stays the next one if it is dropped, and goes on asking.
#[must_use]
pub(crate) struct Request<'a> {
    ring: &'a Transmit,
    sender: &'a mut Sender,
}

/// A slot whose frame was given to the device.
///
/// The caller says what became of it: [`Self::accepted`], or [`Self::retry`].
#[must_use]
pub(crate) struct Started<'a>(Request<'a>);

impl Transmit {
    /// A ring of `count` slots, in memory that is all zeros.
    ///
    /// # Errors
    ///
    /// `EINVAL` without slots, `ENOMEM`.
    pub(crate) fn new(count: u32) -> Result<(Self, Sender)> {
        let transmit = Self {
            count,
            position: Atomic::new(0),
            pending: Atomic::new(0),
            busy: allocate(count, || Atomic::new(false))?,
        };
        Ok((transmit, Sender::default()))
    }

    /// The next slot, if it asks to be sent.
    ///
    /// If it does not, and the caller may wait, it waits for a completion as long as there is anything
    /// [`Self::pending`], and asks again.
    pub(crate) fn next<'a, W: Words>(
        &'a self,
        sender: &'a mut Sender,
        words: &W,
    ) -> Option<Request<'a>> {
        if words.load(sender.position) != status::SEND_REQUEST {
            return None;
        }
        // ORDERING: Acquire, after the word. `complete` marks the slot before it tells the program, so a
        // program that has waited for that is not kept waiting here. It pairs with the release there: all
        // that was kept for the last frame of the slot is free.
        let is_busy = at(&self.busy, sender.position)?.load(Acquire);
        (!is_busy).then_some(Request { ring: self, sender })
    }

    /// The frame of a slot has left, or was lost: the slot is the program's. `timestamp` is the bit that
    /// says which time its header has, or zero; that time is written before.
    ///
    /// The caller then wakes who waits for it. Nothing happens if nothing was on its way.
    pub(crate) fn complete<W: Words>(&self, words: &W, index: u32, timestamp: u32) {
        let Some(busy) = at(&self.busy, index) else {
            return;
        };
        // ORDERING: Full has the release that `next` explains.
        if !busy.xchg(false, Full) {
            return;
        }
        words.store(index, status::AVAILABLE | timestamp);
        // ORDERING: Release. Who finds nothing pending sees all slots given back.
        self.pending.fetch_sub(1, Release);
    }

    /// How many frames are on their way.
    pub(crate) fn pending(&self) -> u32 {
        // ORDERING: Acquire pairs with the release in `complete`.
        self.pending.load(Acquire)
    }

    /// Whether the next slot is the program's, which is when `poll()` says that there is room. A slot that
    /// has got a time stamp is not, as in AF_PACKET.
    // ORDERING: Relaxed. Another slot may be the next at once.
    pub(crate) fn is_writable<W: Words>(&self, words: &W) -> bool {
        words.load(self.position.load(Relaxed)) == status::AVAILABLE
    }
}

impl<'a> Request<'a> {
    /// Its number.
    pub(crate) fn index(&self) -> u32 {
        self.sender.position
    }

    /// There is something wrong with it: the program is told, and has to put it right.
    pub(crate) fn refuse<W: Words>(self, words: &W) {
        words.store(self.index(), status::WRONG_FORMAT);
    }

    /// There is something wrong with it, and the program does not care (`PACKET_LOSS`).
    pub(crate) fn skip<W: Words>(self, words: &W) {
        words.store(self.index(), status::AVAILABLE);
        self.advance();
    }

    /// The frame is about to be given to the device. From here on it may be completed.
    pub(crate) fn start<W: Words>(self, words: &W) -> Started<'a> {
        if let Some(busy) = at(&self.ring.busy, self.index()) {
            // ORDERING: Relaxed. Whoever completes the frame got it from here.
            busy.store(true, Relaxed);
            self.ring.pending.add(1, Relaxed);
        }
        words.store(self.index(), status::SENDING);
        Started(self)
    }

    fn advance(self) {
        let next = after(self.index(), self.ring.count);
        self.sender.position = next;
        self.ring.position.store(next, Relaxed);
    }
}

impl Started<'_> {
    /// The device has taken it, or has yet to say what became of it: the next slot is the next.
    pub(crate) fn accepted(self) {
        self.0.advance();
    }

    /// The device has not taken it, and nobody has it any more: the slot asks again. Returns `false` if
    /// somebody still has it, whose completion counts; then this is [`Self::accepted`].
    pub(crate) fn retry<W: Words>(self, words: &W) -> bool {
        // ORDERING: Acquire pairs with the release in `complete`.
        let is_busy = at(&self.0.ring.busy, self.0.index()).is_some_and(|busy| busy.load(Acquire));
        if is_busy {
            self.0.advance();
        } else {
            words.store(self.0.index(), status::SEND_REQUEST);
        }
        !is_busy
    }
}
