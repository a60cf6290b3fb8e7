// SPDX-License-Identifier: GPL-2.0

//! XDP: programs of the user that look at received frames before anything else does.
//!
//! A program sees a frame where the device has written it, and may change it, in length, too. Then it says
//! what is to become of it: it goes on as a packet, it is sent again from where it came, it goes to another
//! device or CPU, or it is dropped. None of the last three ever becomes a packet, so they cost little.
//!
//! # A driver with XDP
//!
//! 1. Offer it: [`Config::xdp`](crate::net::driver::Config::xdp), and implement
//!    [`Operations::set_xdp`] and [`Operations::send_frames`].
//! 2. While a program is attached, have buffers that a program may look into:
//!    [`Pool::for_programs`](crate::net::page_pool::Pool::for_programs).
//! 3. In the poll, if there is a [`Poll::program`], let it look ([`Poll::run`]), and do as it says:
//!    make a packet of what it has left, with the [`View`] that it has left ([`Poll::copy_received`],
//!    [`Poll::take_received`]); send it, as a [`Frame`]; pass it on ([`Poll::redirect`]); or use the
//!    buffer again ([`Buffer::give_again`]).
//! 4. Send a [`Frame`] as any other: it has an address for the device, and is dropped when it was sent.
//!
//! The layer owns the program. It is attached after the driver has its buffers, and taken away before they
//! may change.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h),
//! Documentation: [`networking/xdp-rx-metadata.rst`](srctree/Documentation/networking/xdp-rx-metadata.rst)

use crate::{
    bindings,
    ext::dma::{
        self,
        Mapping, //
    },
    net::{
        driver::{
            Device,
            Operations, //
        },
        napi::Poll,
        page_pool::{
            Buffer,
            Pool, //
        },
        queue::TxQueue, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    error::to_result,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed, //
    },
    types::Opaque, //
};

/// Where the frame is in its buffer.
///
/// What a program has left is checked when it is used, so that a wrong one cannot do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// What is before the frame, in bytes.
    pub(super) start: u32,
    pub(super) len: u32,
    /// What of that, right before the frame, a program has left for those that come after it.
    pub(super) meta: u32,
    /// A program has seen it: the memory is the CPU's already.
    pub(super) seen: bool,
}

impl View {
    /// A frame of `len` bytes, as the device has written it.
    #[inline]
    pub(crate) fn whole(len: u32) -> Self {
        Self {
            start: bindings::XDP_PACKET_HEADROOM,
            len,
            meta: 0,
            seen: false,
        }
    }

    /// The length of the frame, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Whether a program has left something before the frame, which is lost when the frame is copied.
    #[inline]
    pub(crate) fn has_meta(&self) -> bool {
        self.meta != 0
    }

    #[inline]
    fn to_raw(self) -> bindings::rnet_xdp_view {
        bindings::rnet_xdp_view {
            start: self.start,
            len: self.len,
            meta: self.meta,
        }
    }
}

/// What a program wants for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It goes to the stack.
    Pass,
    /// It is dropped.
    Drop,
    /// It is dropped, since the program went wrong. That was reported.
    Abort,
    /// It is sent, by the device that has received it.
    Transmit,
    /// It goes to where the program has said, by [`Poll::redirect`].
    Redirect,
}

/// The program of an interface. Only the poll runs it.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    program: NonNull<bindings::bpf_prog>,
    _poll: PhantomData<&'a ()>,
}

/// The place where an interface keeps its program, with a count of it.
///
/// # Invariants
///
/// Null, or a program of which a count is ours. What was here is valid until one grace period after it has
/// been replaced.
pub(super) struct Slot(Atomic<*mut bindings::bpf_prog>);

impl Slot {
    /// Whether there is a program. Stays so as long as the instance lock is held.
    #[inline]
    pub(super) fn is_taken(&self) -> bool {
        // ORDERING: Relaxed. Only the pointer is looked at.
        !self.0.load(Relaxed).is_null()
    }

    /// Replaces the program.
    ///
    /// # Safety
    ///
    /// `program` must be null, or a valid program of which a count is handed over. The instance lock must
    /// be held.
    #[inline]
    unsafe fn replace(&self, program: *mut bindings::bpf_prog) {
        // ORDERING: Full. Who sees the pointer sees the program; the acquire in `program` pairs with it.
        let old = self.0.xchg(program, Full);
        if !old.is_null() {
            // SAFETY: By the type invariant the count was ours. The program is freed a grace period later.
            unsafe { bindings::bpf_prog_put(old) };
        }
    }
}

/// Attaches, replaces or takes away the program of `dev`: `XDP_SETUP_PROG`.
///
/// # Safety
///
/// RTNL and the instance lock of `dev` must be held. `program` must be null, or a valid program of which a
/// count is handed over if this succeeds.
pub(super) unsafe fn attach<T: Operations>(
    dev: &Device<T>,
    program: *mut bindings::bpf_prog,
    prepare: impl FnOnce(bool) -> Result,
) -> Result {
    let slot = &dev.area().program;
    match (slot.is_taken(), !program.is_null()) {
        (false, true) => {
            prepare(true)?;
            // SAFETY: The caller guarantees it.
            unsafe { slot.replace(program) };
        }
        (true, false) => {
            // SAFETY: The caller guarantees it.
            unsafe { slot.replace(program) };
            // Nothing depends on it: the driver has more than it needs if this fails.
            let _ = prepare(false);
        }
        // SAFETY: The caller guarantees it.
        _ => unsafe { slot.replace(program) },
    }
    Ok(())
}

/// What the core knows of a receive queue whose buffers programs look into: `struct xdp_rxq_info`.
///
/// # Invariants
///
/// It is registered, for a pool that exists.
pub(super) struct RxQueue(Pin<KBox<Opaque<bindings::xdp_rxq_info>>>);

// SAFETY: What is registered is not bound to a thread.
unsafe impl Send for RxQueue {}

impl RxQueue {
    /// Registers the receive queue of `dev`, with buffers from `pool`. Process context.
    ///
    /// # Safety
    ///
    /// The pool must be valid, and be destroyed after the value is dropped.
    pub(super) unsafe fn new<T: Operations>(
        dev: &Device<T>,
        pool: NonNull<bindings::page_pool>,
    ) -> Result<Self> {
        let info = KBox::pin(Opaque::new(pin_init::zeroed()), GFP_KERNEL)?;
        // SAFETY: The memory is zeroed and does not move; the caller guarantees the rest.
        to_result(unsafe { bindings::xdp_rxq_info_reg(info.get(), dev.as_raw(), pool.as_ptr()) })?;
        // INVARIANT: It was registered just now.
        Ok(Self(info))
    }

    #[inline]
    fn as_raw(&self) -> *mut bindings::xdp_rxq_info {
        self.0.get()
    }
}

impl Drop for RxQueue {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is registered. Frames that were redirected do not refer to it.
        unsafe { bindings::xdp_rxq_info_unreg(self.as_raw()) };
    }
}

impl<'a, T: Operations> Poll<'a, T> {
    /// The program that is to look at each frame, if there is one.
    #[inline]
    pub(crate) fn program(&self) -> Option<Program<'a>> {
        // ORDERING: Acquire pairs with the exchange in `Slot::replace`.
        let program = self.dev().area().program.0.load(Acquire);
        Some(Program {
            program: NonNull::new(program)?,
            _poll: PhantomData,
        })
    }

    /// Lets the program look at the frame of `len` bytes that the device has written to `buffer`.
    ///
    /// What it says must be done before the program looks at another frame.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: the frame is shorter than an Ethernet header, or longer than the buffer; or the
    ///   buffer is not from `pool`, or that is not for programs.
    /// - `EBUSY`: the pool is another poll's.
    pub(crate) fn run(
        &mut self,
        program: Program<'a>,
        pool: &Pool<'_>,
        buffer: &mut Buffer<'_>,
        len: u32,
    ) -> Result<(Action, View)> {
        let queue = pool.queue_in(self, buffer)?;
        let view = View::whole(len);
        buffer.check(view)?;
        let mut view = view.to_raw();
        // SAFETY: The program is valid: this is the poll, with bottom halves disabled, in which it was
        // found. The buffer and its queue are those of `pool`, which this poll alone takes pages from, and the
        // frame is inside of the buffer.
        let action = unsafe {
            bindings::xdp_run(
                program.program.as_ptr(),
                queue.as_raw(),
                buffer.pool(),
                buffer.page(),
                &raw mut view,
            )
        };
        let action = match action {
            bindings::xdp_action_XDP_PASS => Action::Pass,
            bindings::xdp_action_XDP_DROP => Action::Drop,
            bindings::xdp_action_XDP_TX => Action::Transmit,
            bindings::xdp_action_XDP_REDIRECT => Action::Redirect,
            wrong => {
                self.report(program, wrong);
                Action::Abort
            }
        };
        let view = View {
            start: view.start,
            len: view.len,
            meta: view.meta,
            seen: true,
        };
        Ok((action, view))
    }

    #[cold]
    fn report(&self, program: Program<'a>, action: bindings::xdp_action) {
        // SAFETY: Device and program are valid.
        unsafe { bindings::xdp_report(self.dev().as_raw(), program.program.as_ptr(), action) };
    }

    /// Says to who traces it (`xdp:xdp_exception`) that a frame was lost that the program wanted to go on. Of an
    /// [`Action::Abort`] that was said.
    pub(crate) fn report_lost(&self, program: Program<'a>, action: Action) {
        match action {
            Action::Transmit => self.report(program, bindings::xdp_action_XDP_TX),
            Action::Redirect => self.report(program, bindings::xdp_action_XDP_REDIRECT),
            Action::Pass | Action::Drop | Action::Abort => {}
        }
    }

    /// Passes a frame on to where the program has just said, with its buffer. On failure the buffer comes back.
    ///
    /// Frames are collected on their way. The layer sends them off at the end of the poll.
    pub(crate) fn redirect<'bound>(
        &mut self,
        program: Program<'a>,
        pool: &Pool<'bound>,
        buffer: Buffer<'bound>,
        view: View,
    ) -> Result<(), Buffer<'bound>> {
        let queue = match pool.queue_in(self, &buffer) {
            Ok(queue) if buffer.check(view).is_ok() => queue,
            _ => return Err(buffer),
        };
        // Also if this fails: of a frame for several devices, some may have a copy.
        self.note_redirect();
        // SAFETY: As in `run`. The frame with what is before it is inside of the buffer, by the check.
        let result = unsafe {
            bindings::xdp_redirect(
                self.dev().as_raw(),
                program.program.as_ptr(),
                queue.as_raw(),
                buffer.pool(),
                buffer.page(),
                &view.to_raw(),
            )
        };
        if to_result(result).is_err() {
            return Err(buffer);
        }
        // Whoever has the frame returns the page.
        buffer.into_page();
        Ok(())
    }
}

/// A frame to send that is no packet, in one piece, where the device may read it.
///
/// Dropping it gives its memory back. Not with interrupts disabled, as in netpoll:
/// [`TxQueue::may_drop_frames`].
///
/// # Invariants
///
/// - `frame` is valid, in one piece, and ours.
/// - The device may read the `len` bytes at `address` as long as the value exists.
pub(crate) struct Frame<'bound> {
    frame: NonNull<bindings::xdp_frame>,
    address: u64,
    len: u32,
    /// For a frame in memory that was not the device's before.
    mapping: Option<Mapping<'bound>>,
}

// SAFETY: A frame is not bound to a thread.
unsafe impl Send for Frame<'_> {}

impl<'bound> Frame<'bound> {
    /// Makes a frame to send of one that was received, with zeros up to `pad_to` bytes if it is shorter.
    ///
    /// Gives the buffer back if what the program has left is not a frame that could be sent.
    #[inline]
    pub(crate) fn from_received(
        pool: &Pool<'bound>,
        buffer: Buffer<'bound>,
        view: View,
        pad_to: u32,
    ) -> Result<Self, Buffer<'bound>> {
        let queue = match pool.queue_of(&buffer) {
            Ok(queue) if buffer.check(view).is_ok() => queue,
            _ => return Err(buffer),
        };
        // SAFETY: The buffer and its queue are those of `pool`; the frame with what is before it is inside
        // of the buffer, by the check. The call writes to what is before the frame.
        let frame = unsafe {
            bindings::xdp_to_frame(queue.as_raw(), buffer.pool(), buffer.page(), &view.to_raw())
        };
        let Some(frame) = NonNull::new(frame) else {
            return Err(buffer);
        };
        // SAFETY: The frame is valid, and ours with the buffer.
        if !unsafe { bindings::xdp_frame_pad(frame.as_ptr(), pad_to) } {
            return Err(buffer);
        }
        let raw = buffer.pool();
        // The frame returns the page.
        buffer.into_page();
        // INVARIANT: A pool for programs has its pages mapped both ways, until they return.
        Ok(Self {
            frame,
            // SAFETY: The frame is in a page of this pool.
            address: unsafe { bindings::xdp_frame_address(raw, frame.as_ptr()) },
            // SAFETY: The frame is valid.
            len: unsafe { bindings::xdp_frame_len(frame.as_ptr()) },
            mapping: None,
        })
    }

    /// Where the device finds the frame.
    #[inline]
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// The length of the frame, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}

impl Drop for Frame<'_> {
    #[inline]
    fn drop(&mut self) {
        // The device cannot read it any more before it is another's.
        self.mapping = None;
        // SAFETY: By the type invariant the frame is ours, and is given up.
        unsafe { bindings::xdp_return_frame(self.frame.as_ptr()) };
    }
}

/// The frames that another device's programs have for this one: the argument of
/// [`Operations::send_frames`].
///
/// Those that are not taken are given up by the core.
///
/// # Invariants
///
/// The first `number` pointers at `frames` are to valid frames. Of these the first `taken` are not ours any
/// more.
pub(crate) struct Frames<'a> {
    frames: *const *mut bindings::xdp_frame,
    number: usize,
    taken: usize,
    /// How many of those that were taken could not be sent.
    unfit: usize,
    _call: PhantomData<&'a ()>,
}

impl Frames<'_> {
    /// # Safety
    ///
    /// `frames` must have `number` pointers to valid frames, which are handed over as they are taken.
    #[inline]
    pub(super) unsafe fn from_raw(frames: *const *mut bindings::xdp_frame, number: usize) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            frames,
            number,
            taken: 0,
            unfit: 0,
            _call: PhantomData,
        }
    }

    /// How many were taken.
    #[inline]
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// How many were not sent: those that were not taken yet, and those that nobody could send.
    #[inline]
    pub(crate) fn unsent(&self) -> usize {
        self.number
            .saturating_sub(self.taken)
            .saturating_add(self.unfit)
    }

    /// Takes the next one, and lends it to `dev`, with zeros up to `pad_to` bytes if it is shorter.
    ///
    /// One that has no room to be filled up, or is in several pieces, is given up. `None` if there is no other,
    /// or if it cannot be lent: then those after it are not taken either.
    #[inline]
    pub(crate) fn take<'bound>(
        &mut self,
        dev: &'bound device::Device<Bound>,
        pad_to: u32,
    ) -> Option<Frame<'bound>> {
        while self.taken < self.number {
            // SAFETY: By the type invariant there are more pointers than were taken.
            let frame = NonNull::new(unsafe { self.frames.add(self.taken).read() })?;
            // SAFETY: By the type invariant the frame is valid, and nobody else uses it.
            let in_pieces = unsafe { bindings::xdp_frame_in_pieces(frame.as_ptr()) };
            // SAFETY: As above.
            if in_pieces || !unsafe { bindings::xdp_frame_pad(frame.as_ptr(), pad_to) } {
                // INVARIANT: The frame is ours now, and given up.
                self.taken = self.taken.wrapping_add(1);
                self.unfit = self.unfit.wrapping_add(1);
                // SAFETY: As above.
                unsafe { bindings::xdp_return_frame(frame.as_ptr()) };
                continue;
            }
            // SAFETY: As above.
            let len = unsafe { bindings::xdp_frame_len(frame.as_ptr()) };
            // SAFETY: The device is valid, and so is the frame.
            let address = unsafe { bindings::xdp_frame_map(dma::as_raw(dev), frame.as_ptr()) };
            // SAFETY: This is what the call has returned for this device, length and direction.
            let mapping = unsafe { Mapping::from_raw(dev, address, len) }.ok()?;
            // INVARIANT: The frame is the result's now.
            self.taken = self.taken.wrapping_add(1);
            return Some(Frame {
                frame,
                address,
                len,
                mapping: Some(mapping),
            });
        }
        None
    }
}

impl TxQueue<'_> {
    /// Whether a [`Frame`] may be dropped here: interrupts are enabled, as they are but in netpoll.
    #[inline]
    pub(crate) fn may_drop_frames(&self) -> bool {
        // SAFETY: It only reads a flag of the CPU.
        !unsafe { bindings::irqs_disabled() }
    }
}
