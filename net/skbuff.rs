// SPDX-License-Identifier: GPL-2.0

//! Packets: [`SkBuff`], a socket buffer with one owner.
//!
//! A packet moves through the stack by handing over its owner. Each function that takes an
//! [`SkBuff`] by value has consumed it; who holds one must hand it on, [`SkBuff::consume`] it, or
//! drop it with a reason. A value that simply goes out of scope is freed as
//! [`DropReason::NotSpecified`]: sound, but invisible to who looks for lost packets, so each loss
//! should name its reason.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::bindings;
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// Why a packet was dropped: the part of `enum skb_drop_reason` that this project uses.
///
/// `dropwatch` and the tracepoint `skb:kfree_skb` show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum DropReason {
    /// No reason was given.
    NotSpecified = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED,
    /// No memory.
    NoMem = bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM,
    /// The device is not ready: down, detached or without a ring.
    DevReady = bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY,
    /// The frame is longer than the device can send.
    PktTooBig = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_BIG,
    /// The frame is shorter than its headers.
    PktTooSmall = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL,
    /// The socket's filter said no.
    SocketFilter = bindings::skb_drop_reason_SKB_DROP_REASON_SOCKET_FILTER,
    /// The socket's receive buffer is full.
    SocketRcvBuff = bindings::skb_drop_reason_SKB_DROP_REASON_SOCKET_RCVBUFF,
    /// A packet socket could not take it.
    PacketSockError = bindings::skb_drop_reason_SKB_DROP_REASON_PACKET_SOCK_ERROR,
}

/// A packet with one owner: `struct sk_buff`.
///
/// # Invariants
///
/// - The pointer is to an initialised `struct sk_buff`, and this value owns one count of its
///   references.
/// - The count is the only one: nobody else reads or writes the structure. (Its data may still be
///   shared with a clone.)
#[repr(transparent)]
#[must_use = "a packet that is not handed on is dropped without a reason"]
pub(crate) struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A `struct sk_buff` is not bound to a thread, and this value is its only owner.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// Takes over the packet at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `struct sk_buff`; the caller hands over its only
    /// reference count.
    #[inline]
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: The caller guarantees it.
        Self(ptr)
    }

    /// Gives the packet away to C, which must free it.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        ManuallyDrop::new(self).0
    }

    /// The C object, still owned by this value.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// The length of the packet in bytes, over all its fragments.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: By the type invariant the packet is valid.
        unsafe { (*self.as_raw()).len }
    }

    /// Frees the packet: it reached its destination. Any context.
    #[inline]
    pub(crate) fn consume(self) {
        // SAFETY: `into_raw` hands over the only reference count, which the call gives up.
        unsafe {
            bindings::dev_kfree_skb_any_reason(
                self.into_raw().as_ptr(),
                bindings::skb_drop_reason_SKB_CONSUMED,
            )
        };
    }

    /// Frees the packet: it was lost, and this is why. Any context.
    #[inline]
    pub(crate) fn drop_reason(self, reason: DropReason) {
        // SAFETY: `into_raw` hands over the only reference count, which the call gives up.
        unsafe { bindings::dev_kfree_skb_any_reason(self.into_raw().as_ptr(), reason as u32) };
    }

    /// Copies `to.len()` bytes of the packet, from `offset` on, over all its fragments.
    ///
    /// Fails with `EFAULT` when the packet is shorter than that.
    pub(crate) fn copy_bits(&self, offset: u32, to: &mut [u8]) -> Result {
        let offset = c_int::try_from(offset).map_err(|_| EFAULT)?;
        let len = c_int::try_from(to.len()).map_err(|_| EFAULT)?;
        // SAFETY: By the type invariant the packet is valid, and `to` may be written for `len` bytes;
        // the call checks both numbers against the length of the packet.
        let ret =
            unsafe { bindings::skb_copy_bits(self.as_raw(), offset, to.as_mut_ptr().cast(), len) };
        kernel::error::to_result(ret)
    }

    /// Makes a second packet that shares this one's data; `None` when there is no memory.
    ///
    /// Allocates without sleeping (`GFP_ATOMIC`), for any context but a hard interrupt.
    #[inline]
    pub(crate) fn try_clone(&self) -> Option<SkBuff> {
        // SAFETY: By the type invariant the packet is valid.
        let ptr = unsafe { bindings::skb_clone(self.as_raw(), bindings::GFP_ATOMIC) };
        // INVARIANT: A new clone has one reference count, which the call handed to us.
        NonNull::new(ptr).map(Self)
    }
}

impl Drop for SkBuff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant this value owns the only reference count; it ends here.
        unsafe {
            bindings::dev_kfree_skb_any_reason(self.as_raw(), DropReason::NotSpecified as u32)
        };
    }
}
