// SPDX-License-Identifier: GPL-2.0

//! XDP in the C+ mode: programs that look at received frames before the stack does, and frames that they
//! send.
//!
//! A program is attached by `ip link set IF xdp ...`. A frame that it drops, sends or passes on to another
//! device never becomes a packet. Other devices' programs can pass frames on to this one, too.
//!
//! The chip takes no VLAN tag off while a program is attached: the program sees it in the frame.
//!
//! Frames of programs are in the same transmit ring as those of the stack, under the same lock; there is no
//! other. They leave it enough room for a packet, so that the queue is never stopped for them; and while it
//! is stopped, none comes. The chip is told of them once for each poll.

#![forbid(unsafe_code)]

use super::{
    cplus_rx::{
        self,
        Lost,
        Rx, //
    },
    cplus_tx::{
        Tx,
        MIN_FRAME_LEN,
        MOST_PIECES, //
    },
    descriptor::{
        self,
        Contents,
        Work, //
    },
    gate::Up,
    nic::Nic,
    path,
    settings, //
};
use crate::net::{
    driver::{
        Locked,
        Why, //
    },
    napi::{
        Incoming,
        Poll, //
    },
    page_pool::Buffer,
    queue::TxQueue,
    xdp::{
        Action,
        Frame,
        Frames,
        Program,
        View, //
    },
};
use kernel::{
    alloc::kvec::PushError,
    prelude::*, //
};

impl<'bound> Rx<'bound> {
    /// Lets the program look at the frame of `len` bytes in the next descriptor's buffer, and does what it
    /// wants. Makes a packet of what it lets through. The buffer in the ring is fit to receive again.
    #[inline(never)]
    pub(super) fn judge<'a>(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        napi: &mut Poll<'a, Nic<'bound>>,
        program: Program<'a>,
        len: u32,
    ) -> Result<Result<Incoming<'a>>, Lost> {
        let counters = &nic.counters;
        let buffer = self
            .buffers
            .get_mut(usize::from(self.next))
            .ok_or(Lost::Damaged)?;
        let Ok((action, view)) = napi.run(program, &self.pool, buffer, len) else {
            // No frame has such a length.
            return Ok(Err(EINVAL));
        };
        if action == Action::Pass {
            counters.xdp_pass.increment();
            let packet = self.packet_of(nic, napi, view);
            if packet.is_err() {
                self.give_again();
            }
            return Ok(packet);
        }
        // All frames count that were received, also those that nobody sees.
        nic.received.add(napi, 1, len);

        let (goes_on, counter) = match action {
            Action::Transmit => match self.send_again(nic, up, napi, view) {
                Some(()) => (true, &counters.xdp_tx),
                None => (false, &counters.xdp_tx_errors),
            },
            Action::Redirect => match self.redirect(napi, program, view) {
                Some(()) => (true, &counters.xdp_redirect),
                None => (false, &counters.xdp_redirect_errors),
            },
            Action::Abort => (false, &counters.xdp_aborted),
            // What passes has left above.
            Action::Drop | Action::Pass => (false, &counters.xdp_drop),
        };
        counter.increment();
        if !goes_on {
            napi.report_lost(program, action);
            self.give_again();
        }
        Err(Lost::Taken)
    }

    /// The chip may write to the buffer of the next descriptor again.
    fn give_again(&mut self) {
        if let Some(buffer) = self.buffers.get_mut(usize::from(self.next)) {
            buffer.give_again();
        }
    }

    /// Takes the buffer of the next descriptor, and puts a fresh one there; if there is none, the old one stays.
    fn take_full(&mut self, napi: &mut Poll<'_, Nic<'bound>>) -> Option<Buffer<'bound>> {
        let buffer = self.buffers.get_mut(usize::from(self.next))?;
        let fresh = self.pool.take(napi).ok()?;
        Some(core::mem::replace(buffer, fresh))
    }

    /// Passes the frame on to where the program has said; `None` if that is not possible.
    fn redirect<'a>(
        &mut self,
        napi: &mut Poll<'a, Nic<'bound>>,
        program: Program<'a>,
        view: View,
    ) -> Option<()> {
        let full = self.take_full(napi)?;
        napi.redirect(program, &self.pool, full, view).ok()
    }

    /// Sends the frame from where it came; `None` if that is not possible.
    fn send_again(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        napi: &mut Poll<'_, Nic<'bound>>,
        view: View,
    ) -> Option<()> {
        let full = self.take_full(napi)?;
        let frame = Frame::from_received(&self.pool, full, view, MIN_FRAME_LEN).ok()?;
        napi.lock_tx(|tx, queue| {
            let queued = path::make_room(nic, up, tx, queue)
                .then(|| path::send_frame(nic, tx, queue, frame).ok());
            queued.flatten()
        })
        .flatten()?;
        self.unflushed = true;
        Some(())
    }
}

/// The frames of programs in the transmit ring, each beside its descriptor, where there is no packet. The byte
/// queue limit does not know of them.
pub(super) struct InFlight<'bound> {
    frames: KVec<Option<Frame<'bound>>>,
    /// Those that were sent, but could not be dropped yet. What comes after them in the ring does not wait: it may
    /// be the last words of a kernel that panics.
    late: KVec<Frame<'bound>>,
}

impl<'bound> InFlight<'bound> {
    /// For a ring of `len` descriptors.
    pub(super) fn new(len: u16) -> Result<Self> {
        let mut frames = KVec::with_capacity(len.into(), GFP_KERNEL)?;
        for _ in 0..len {
            frames.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            frames,
            late: KVec::with_capacity(len.into(), GFP_KERNEL)?,
        })
    }

    /// The frame is at the descriptor `at`.
    fn put(&mut self, at: usize, frame: Frame<'bound>) {
        if let Some(place) = self.frames.get_mut(at) {
            *place = Some(frame);
        }
    }

    /// The chip is done with the descriptor `at`. Returns whether there was a frame; `None` if that must be asked
    /// again later, since frames may not be dropped here and too many wait for it.
    #[inline]
    pub(super) fn land(&mut self, at: u16, may_drop: impl FnOnce() -> bool) -> Option<bool> {
        let place = self.frames.get_mut(usize::from(at))?;
        let Some(frame) = place.take() else {
            return Some(false);
        };
        if may_drop() {
            return Some(true);
        }
        if let Err(PushError(frame)) = self.late.push_within_capacity(frame) {
            *place = Some(frame);
            return None;
        }
        Some(true)
    }

    /// Whether some were sent that could not be dropped yet.
    #[inline]
    pub(super) fn has_late_ones(&self) -> bool {
        !self.late.is_empty()
    }

    /// Drops them.
    #[cold]
    pub(super) fn drop_late_ones(&mut self) {
        self.late.clear();
    }

    /// How many there are that the chip is not done with.
    pub(super) fn number(&self) -> u64 {
        // CAST: No more than descriptors.
        self.frames.iter().flatten().count() as u64
    }

    /// Drops all, for a chip that was halted. Returns how many were not sent.
    pub(super) fn give_up(&mut self) -> u64 {
        self.late.clear();
        let unsent = self.frames.iter_mut().filter_map(Option::take);
        // CAST: No more than descriptors.
        unsent.count() as u64
    }
}

impl<'bound> Tx<'bound> {
    /// Sends a frame of a program, of which the chip is told by [`Self::flush`]. Gives it back if it is too
    /// short, too long, or if there is no room.
    pub(crate) fn send_frame(
        &mut self,
        nic: &Nic<'bound>,
        queue: &mut TxQueue<'_>,
        frame: Frame<'bound>,
    ) -> Result<(), Frame<'bound>> {
        let len = frame.len();
        if !(MIN_FRAME_LEN..=settings::CPLUS_MAX_FRAME).contains(&len) || !self.has_room() {
            return Err(frame);
        }
        let address = frame.address();
        let at = usize::from(self.ring.at(0));
        let Some(entry) = self.entries.get_mut(at) else {
            return Err(frame);
        };
        let Some(mine) = entry.mine.take() else {
            return Err(frame);
        };
        self.frames.put(at, frame);
        self.table.give(
            mine,
            Contents {
                command: descriptor::send_command(Work::None, 0, 1, len),
                extra: descriptor::insert_tag(None),
                address,
            },
        );
        self.ring.push(1, 0);
        nic.sent.add(queue, 1, len);
        Ok(())
    }

    /// Makes room for a frame of a program, if that is possible now.
    pub(crate) fn make_room(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        queue: &mut TxQueue<'_>,
    ) -> bool {
        if !self.has_room() || queue.is_stopped() {
            self.reap(nic, up, queue);
        }
        // Whoever comes while the stack waits for its turn would take each place that becomes free.
        self.has_room() && !queue.is_stopped()
    }

    /// Whether a packet of the stack would find room behind one more frame.
    fn has_room(&self) -> bool {
        self.ring.free() > MOST_PIECES
    }
}

impl<'bound> Nic<'bound> {
    /// Gets buffers for programs, or ones that are not. See [`Operations::set_xdp`].
    ///
    /// # Errors
    ///
    /// - `EOPNOTSUPP`: in the classic mode there is no place for programs.
    /// - `EINVAL`: the MTU is too large.
    /// - `ENOMEM`, and what [`Locked::replace`] fails with.
    ///
    /// [`Operations::set_xdp`]: crate::net::driver::Operations::set_xdp
    pub(crate) fn prepare_for_programs(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        attached: bool,
        why: &mut Why,
    ) -> Result {
        let mtu = cx.dev().mtu();
        if attached && self.settings.is_classic() {
            why.say(c"no native XDP without descriptor rings; xdpgeneric works");
            return Err(EOPNOTSUPP);
        }
        if attached && !cplus_rx::has_room_for_programs(mtu) {
            why.say(c"the MTU is too large for XDP: a frame must be in one page");
            return Err(EINVAL);
        }
        self.settings.set_programs(attached);
        if up.is_none() {
            return Ok(());
        }
        let result = self.replace_rings(cx, mtu);
        if result.is_err() {
            self.settings.set_programs(false);
        }
        result
    }

    /// Sends frames that programs of other devices have passed on to this one. See
    /// [`Operations::send_frames`](crate::net::driver::Operations::send_frames).
    pub(crate) fn send_frames_of_others(
        &self,
        up: &Up,
        tx: &mut path::Tx<'bound>,
        queue: &mut TxQueue<'_>,
        frames: &mut Frames<'_>,
    ) {
        let dev = self.pdev().as_ref();
        while path::make_room(self, up, tx, queue) {
            let Some(frame) = frames.take(dev, MIN_FRAME_LEN) else {
                break;
            };
            let count = match path::send_frame(self, tx, queue, frame) {
                Ok(()) => &self.counters.xdp_xmit,
                Err(_) => &self.counters.xdp_xmit_errors,
            };
            count.increment();
        }
        // CAST: A machine word has 64 bits at most.
        let unsent = frames.unsent() as u64;
        if unsent > 0 {
            self.counters.xdp_xmit_errors.add(unsent);
        }
        path::flush(self, up, tx, queue);
    }
}
