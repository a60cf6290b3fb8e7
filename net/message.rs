// SPDX-License-Identifier: GPL-2.0

//! Messages: [`Message`], what `sendmsg()` and `recvmsg()` work on.
//!
//! C header: [`include/linux/socket.h`](srctree/include/linux/socket.h)

use crate::{
    bindings,
    net::operations::{
        Address,
        ADDRESS_MAX, //
    },
};
use core::{
    marker::PhantomData,
    slice, //
};
use kernel::prelude::*;

/// A message: `struct msghdr`. Its data is in user space, its address in the kernel.
///
/// # Invariants
///
/// The pointer is to a `struct msghdr` that the core has filled in and lent for `'a`. Its name, if it
/// has one, lies in a buffer of [`ADDRESS_MAX`] bytes.
pub(crate) struct Message<'a> {
    message: *mut bindings::msghdr,
    _call: PhantomData<&'a mut ()>,
}

impl Message<'_> {
    /// Takes over the argument of a system call.
    ///
    /// # Safety
    ///
    /// For `'a` the pointer must be as the invariant of the type says, and used by nobody else.
    pub(super) unsafe fn from_raw(message: *mut bindings::msghdr) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            message,
            _call: PhantomData,
        }
    }

    /// The C object.
    #[inline]
    pub(super) fn as_raw(&mut self) -> *mut bindings::msghdr {
        self.message
    }

    /// The place where the data is, or goes to.
    #[inline]
    pub(super) fn iter(&mut self) -> *mut bindings::iov_iter {
        // SAFETY: By the type invariant the message is valid; only a pointer is made.
        unsafe { &raw mut (*self.message).msg_iter }
    }

    /// The flags `MSG_*`. In a message to be received, those that the caller will see.
    #[inline]
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: By the type invariant the message is valid.
        unsafe { (*self.message).msg_flags }
    }

    /// Whether the call must not wait (`MSG_DONTWAIT`).
    #[inline]
    pub(crate) fn dont_wait(&self) -> bool {
        self.flags() & bindings::MSG_DONTWAIT != 0
    }

    /// Tells the receiver that it does not get all of the packet (`MSG_TRUNC`).
    #[inline]
    pub(crate) fn set_truncated(&mut self) {
        // SAFETY: By the type invariant the message is valid and lent to this value.
        unsafe { (*self.message).msg_flags |= bindings::MSG_TRUNC };
    }

    /// Whether the message has control messages, which `Cookie::read_control` of
    /// [`transmit`](super::transmit) reads.
    #[inline]
    pub(crate) fn has_control(&self) -> bool {
        // SAFETY: By the type invariant the message is valid.
        unsafe { (*self.message).msg_controllen != 0 }
    }

    /// The address that the sender wants the message to go to, if it names one.
    #[inline]
    pub(crate) fn address(&self) -> Option<Address<'_>> {
        // SAFETY: By the type invariant the message is valid.
        let (name, len) = unsafe { ((*self.message).msg_name, (*self.message).msg_namelen) };
        if name.is_null() {
            return None;
        }
        let len = usize::try_from(len).unwrap_or(0).min(ADDRESS_MAX);
        // SAFETY: The core has copied an address of that length into its buffer, which is not changed
        // while `self` is borrowed.
        Some(Address::new(unsafe {
            slice::from_raw_parts(name.cast::<u8>(), len)
        }))
    }

    /// Whether the receiver wants to know where the message came from.
    #[inline]
    pub(crate) fn wants_address(&self) -> bool {
        // SAFETY: By the type invariant the message is valid.
        unsafe { !(*self.message).msg_name.is_null() }
    }

    /// Tells the receiver where the message came from, if it wants to know.
    ///
    /// Fails with `EINVAL` if the address is longer than [`ADDRESS_MAX`].
    pub(crate) fn set_address(&mut self, address: &[u8]) -> Result {
        if !self.wants_address() {
            return Ok(());
        }
        if address.len() > ADDRESS_MAX {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariant the message is valid.
        let name = unsafe { (*self.message).msg_name };
        // SAFETY: By the type invariant the buffer has `ADDRESS_MAX` bytes, and nobody else uses it.
        unsafe {
            core::ptr::copy_nonoverlapping(address.as_ptr(), name.cast::<u8>(), address.len())
        };
        // CAST: At most `ADDRESS_MAX`.
        // SAFETY: By the type invariant the message is valid and lent to this value.
        unsafe { (*self.message).msg_namelen = address.len() as c_int };
        Ok(())
    }

    /// Adds a control message. If there is no room, the receiver is told so (`MSG_CTRUNC`).
    ///
    /// A buffer of the receiver that cannot be written is ignored, as everywhere in the kernel.
    pub(crate) fn put_control(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        let Ok(len) = c_int::try_from(data.len()) else {
            return;
        };
        // SAFETY: By the type invariant the message is valid and lent to this value; the call reads
        // `len` bytes of `data` and does not change them.
        unsafe {
            bindings::put_cmsg(
                self.message,
                level,
                kind,
                len,
                data.as_ptr().cast_mut().cast(),
            )
        };
    }
}
