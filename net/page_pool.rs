// SPDX-License-Identifier: GPL-2.0

//! Pages that a device writes received frames to, and that come back when the frames were read.
//!
//! A driver keeps a [`Buffer`] in each descriptor of its receive ring. When the device has filled one, it
//! either copies a short frame out of it and gives the same buffer to the device again
//! ([`Poll::copy_received`]), or takes a fresh one from the [`Pool`] and makes a packet of the full one
//! ([`Poll::take_received`]). The packet takes the page along, and the page returns to its pool, mapped
//! as it is, when the packet is freed: in the long run nothing is allocated and nothing mapped.
//!
//! The layer tells pool and poll of one another while the interface works, for which it asks the driver:
//! [`Operations::pool`].
//!
//! C header: [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h),
//! Documentation: [`networking/page_pool.rst`](srctree/Documentation/networking/page_pool.rst)

use crate::{
    bindings,
    ext::dma,
    net::{
        context::Process,
        driver::{
            Device,
            Operations, //
        },
        napi::{
            Incoming,
            Poll, //
        },
        xdp::{
            RxQueue,
            View, //
        },
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    error::from_err_ptr,
    prelude::*, //
};

/// What a packet made of a page keeps before the frame, in bytes, for headers that the stack may add.
const HEADROOM: u32 = bindings::XDP_PACKET_HEADROOM;

/// How much of `1 << order` pages holds a frame, in bytes: not the headroom, and not what `struct sk_buff`
/// keeps at the end.
#[inline]
fn capacity(order: u32) -> u32 {
    // SAFETY: The call only computes.
    unsafe { bindings::page_pool_capacity(order, HEADROOM) }
}

/// Pages for one receive ring.
///
/// # Invariants
///
/// `pool` is valid, and destroyed by this value alone.
pub(crate) struct Pool<'bound> {
    pool: Link,
    capacity: u32,
    /// What the core knows of the ring, if programs look into the buffers; the pages are mapped both ways
    /// then.
    queue: Option<RxQueue>,
    _dev: PhantomData<&'bound device::Device<Bound>>,
}

// SAFETY: A pool is not bound to a thread, and all that needs to be done by one at a time takes `&mut`.
unsafe impl Send for Pool<'_> {}

impl<'bound> Pool<'bound> {
    /// Makes a pool for a ring of `buffers`, each for a frame of up to `len` bytes, of the interface
    /// `dev` of the device `parent`. Process context.
    ///
    /// Fails with `EINVAL` if a frame is longer than two pages.
    #[inline]
    pub(crate) fn new<T: Operations>(
        dev: &Device<T>,
        parent: &'bound device::Device<Bound>,
        buffers: u32,
        len: u32,
    ) -> Result<Self> {
        let order = (0..=1)
            .find(|&order| capacity(order) >= len)
            .ok_or(EINVAL)?;
        Self::create(dev, parent, buffers, order, false)
    }

    /// As [`Pool::new`], with buffers that programs may look into, and that can be sent from.
    ///
    /// Fails with `EINVAL` if a frame is longer than [`Pool::program_capacity`].
    pub(crate) fn for_programs<T: Operations>(
        dev: &Device<T>,
        parent: &'bound device::Device<Bound>,
        buffers: u32,
        len: u32,
    ) -> Result<Self> {
        if len > Self::program_capacity() {
            return Err(EINVAL);
        }
        let mut pool = Self::create(dev, parent, buffers, 0, true)?;
        // SAFETY: The pool is valid, and destroyed after the queue is dropped: `Pool::drop`.
        pool.queue = Some(unsafe { RxQueue::new(dev, pool.pool.0) }?);
        Ok(pool)
    }

    /// How long a frame may be that a program looks into, in bytes: it is in one page.
    #[inline]
    pub(crate) fn program_capacity() -> u32 {
        capacity(0)
    }

    fn create<T: Operations>(
        dev: &Device<T>,
        parent: &'bound device::Device<Bound>,
        buffers: u32,
        order: u32,
        both_ways: bool,
    ) -> Result<Self> {
        let capacity = capacity(order);
        // SAFETY: The devices are valid.
        let pool = from_err_ptr(unsafe {
            bindings::page_pool_new(
                dev.as_raw(),
                dma::as_raw(parent),
                order,
                buffers,
                HEADROOM,
                capacity,
                both_ways,
            )
        })?;
        // INVARIANT: The pool is new.
        Ok(Self {
            pool: Link(NonNull::new(pool).ok_or(ENOMEM)?),
            capacity,
            queue: None,
            _dev: PhantomData,
        })
    }

    /// The receive queue for programs, with proof that `buffer` is one of its pool; `EINVAL` if not.
    #[inline]
    pub(super) fn queue_of(&self, buffer: &Buffer<'_>) -> Result<&RxQueue> {
        if buffer.pool != self.pool.0 {
            return Err(EINVAL);
        }
        self.queue.as_ref().ok_or(EINVAL)
    }

    /// The same in the poll; `EBUSY` if the pool is another one's.
    #[inline]
    pub(super) fn queue_in<T: Operations>(
        &self,
        napi: &Poll<'_, T>,
        buffer: &Buffer<'_>,
    ) -> Result<&RxQueue> {
        if self.pool.served() != napi.napi() {
            return Err(EBUSY);
        }
        self.queue_of(buffer)
    }

    /// What the layer tells of the poll: see [`Operations::pool`].
    #[inline]
    pub(crate) fn link(&mut self) -> &mut Link {
        &mut self.pool
    }

    /// How long a frame in a buffer of this pool may be, in bytes.
    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Takes a buffer for a ring that is being made. `EBUSY` once the pool is in use: then only the poll does.
    #[inline]
    pub(crate) fn fill(&mut self, _cx: &Process<'_>) -> Result<Buffer<'bound>> {
        if !self.pool.served().is_null() {
            return Err(EBUSY);
        }
        self.alloc(bindings::GFP_KERNEL)
    }

    /// Takes a buffer, in the poll. `EBUSY` if the pool is another one's.
    #[inline]
    pub(crate) fn take<T: Operations>(&mut self, napi: &Poll<'_, T>) -> Result<Buffer<'bound>> {
        if self.pool.served() != napi.napi() {
            return Err(EBUSY);
        }
        self.alloc(bindings::GFP_ATOMIC | bindings::__GFP_NOWARN)
    }

    #[inline]
    fn alloc(&mut self, flags: bindings::gfp_t) -> Result<Buffer<'bound>> {
        // SAFETY: By the type invariant the pool is valid, and `&mut` makes this the only allocation.
        let page = unsafe { bindings::page_pool_alloc_pages(self.pool.0.as_ptr(), flags) };
        // INVARIANT: The page was taken from this pool, for us.
        Ok(Buffer {
            pool: self.pool.0,
            page: NonNull::new(page).ok_or(ENOMEM)?,
            capacity: self.capacity,
            _dev: PhantomData,
        })
    }
}

impl Drop for Pool<'_> {
    #[inline]
    fn drop(&mut self) {
        self.queue = None;
        // SAFETY: By the type invariant the pool is valid, and nobody allocates any more. It goes on to
        // exist until the last page has returned.
        unsafe { bindings::page_pool_destroy(self.pool.0.as_ptr()) };
    }
}

/// The end of a pool that is linked to a poll.
///
/// # Invariants
///
/// The pool is valid as long as the value is borrowed from it.
pub(crate) struct Link(NonNull<bindings::page_pool>);

impl Link {
    /// Lets packets that were read on the CPU of the poll of `dev` return their pages without a lock
    /// (`page_pool_enable_direct_recycling()`). Only that poll takes buffers then.
    ///
    /// # Safety
    ///
    /// The NAPI of `dev` must be disabled, and [`Link::retire`] be called after it is disabled again, before
    /// the pool is dropped.
    #[inline]
    pub(super) unsafe fn serve<T: Operations>(&mut self, dev: &Device<T>) {
        // SAFETY: By the type invariant the pool is valid; the caller guarantees the rest.
        unsafe {
            bindings::page_pool_enable_direct_recycling(
                self.0.as_ptr(),
                dev.area().common.napi.get(),
            )
        };
    }

    /// Undoes [`Link::serve`], if it was called (`page_pool_disable_direct_recycling()`).
    ///
    /// # Safety
    ///
    /// The NAPI that the pool serves must be disabled.
    #[inline]
    pub(super) unsafe fn retire(&mut self) {
        // SAFETY: By the type invariant the pool is valid; the caller guarantees the rest.
        unsafe { bindings::page_pool_disable_direct_recycling(self.0.as_ptr()) };
    }

    /// The NAPI that the pool serves, or null.
    #[inline]
    fn served(&self) -> *mut bindings::napi_struct {
        // SAFETY: By the type invariant the pool is valid.
        unsafe { bindings::page_pool_napi(self.0.as_ptr()) }
    }
}

/// A page of a pool, or two, mapped for the device to write a frame to.
///
/// Dropping it returns it to the pool.
///
/// # Invariants
///
/// `page` was taken from `pool` and has not returned, so that the pool exists; it is ours alone, and
/// holds a frame of `capacity` bytes.
pub(crate) struct Buffer<'bound> {
    pool: NonNull<bindings::page_pool>,
    page: NonNull<bindings::page>,
    capacity: u32,
    _dev: PhantomData<&'bound device::Device<Bound>>,
}

// SAFETY: A page is not bound to a thread.
unsafe impl Send for Buffer<'_> {}

impl Buffer<'_> {
    /// Where the device may write the frame.
    #[inline]
    pub(crate) fn address(&self) -> u64 {
        // SAFETY: By the type invariant the page is one of a pool's, which maps its pages.
        let page = unsafe { bindings::page_pool_get_dma_addr(self.page.as_ptr()) };
        page.wrapping_add(u64::from(HEADROOM))
    }

    /// The device may write to it again, though a program has looked into it.
    #[inline]
    pub(crate) fn give_again(&mut self) {
        // SAFETY: By the type invariant the page is one of the pool's, and ours.
        unsafe { bindings::page_pool_give_again(self.pool(), self.page()) };
    }

    #[inline]
    pub(super) fn pool(&self) -> *mut bindings::page_pool {
        self.pool.as_ptr()
    }

    #[inline]
    pub(super) fn page(&self) -> *mut bindings::page {
        self.page.as_ptr()
    }

    /// Gives the page to somebody who returns it to the pool.
    #[inline]
    pub(super) fn into_page(self) {
        let _ = ManuallyDrop::new(self);
    }

    /// Checks where a frame is in it, and how long.
    #[inline]
    pub(super) fn check(&self, view: View) -> Result {
        let room = HEADROOM
            .wrapping_add(self.capacity)
            .checked_sub(view.start)
            .ok_or(EINVAL)?;
        if (bindings::ETH_HLEN..=room).contains(&view.len) && view.meta <= view.start {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }
}

impl Drop for Buffer<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the page is this value's, and returns to the pool that it is of.
        unsafe { bindings::page_pool_put_full_page(self.pool.as_ptr(), self.page.as_ptr(), false) };
    }
}

impl<'a, T: Operations> Poll<'a, T> {
    /// Makes a packet with a copy of the frame in `buffer`, which the device can be given again.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: the frame is shorter than an Ethernet header, or longer than the buffer.
    /// - `ENOMEM`: there is no memory; the frame is lost, and should be counted.
    #[inline]
    pub(crate) fn copy_received(
        &mut self,
        buffer: &mut Buffer<'_>,
        view: View,
    ) -> Result<Incoming<'a>> {
        buffer.check(view)?;
        // SAFETY: By the invariant of `Poll` this is the poll of that NAPI; the page is the buffer's,
        // of that pool, and the frame inside of it.
        let skb = unsafe {
            bindings::page_pool_copy_frame(
                self.napi(),
                buffer.pool.as_ptr(),
                buffer.page.as_ptr(),
                view.start,
                view.len,
                view.seen,
            )
        };
        // SAFETY: The call made a packet of the interface, with protocol and packet type set.
        unsafe { Incoming::from_raw(skb) }
    }

    /// Makes a packet of `buffer` itself, with the frame that is in it.
    ///
    /// # Errors
    ///
    /// Those of [`Poll::copy_received`], with the buffer, in which the frame still is.
    #[inline]
    pub(crate) fn take_received<'bound>(
        &mut self,
        buffer: Buffer<'bound>,
        view: View,
    ) -> Result<Incoming<'a>, (Error, Buffer<'bound>)> {
        if let Err(error) = buffer.check(view) {
            return Err((error, buffer));
        }
        // SAFETY: As in `copy_received`.
        let skb = unsafe {
            bindings::page_pool_build_frame(
                self.napi(),
                buffer.pool.as_ptr(),
                buffer.page.as_ptr(),
                view.start,
                view.len,
                view.seen,
                view.meta,
            )
        };
        // SAFETY: The call made a packet of the interface, with protocol and packet type set.
        match unsafe { Incoming::from_raw(skb) } {
            Ok(packet) => {
                // The packet returns the page.
                buffer.into_page();
                Ok(packet)
            }
            Err(error) => Err((error, buffer)),
        }
    }
}

impl Incoming<'_> {
    /// The device has taken a tag off the frame: priority and number of the VLAN.
    #[inline]
    pub(crate) fn set_vlan_tag(&mut self, tag: u16) {
        // SAFETY: By the type invariant the packet is valid and ours.
        unsafe { bindings::skb_set_vlan_tag(self.as_raw(), tag) };
    }

    /// The device has found the checksum of the TCP segment or UDP datagram right.
    #[inline]
    pub(crate) fn set_checksum_good(&mut self) {
        // SAFETY: By the type invariant the packet is valid and ours.
        unsafe { bindings::skb_set_csum_unnecessary(self.as_raw()) };
    }
}
