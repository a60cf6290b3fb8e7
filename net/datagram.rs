// SPDX-License-Identifier: GPL-2.0

//! Packets on their way from the receive queue to the user.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    net::{
        context::Process,
        message::Message,
        packet::Packet,
        sock::{
            Protocol,
            Sock, //
        },
    },
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A packet that was in the receive queue of a socket.
///
/// It may still be there (`MSG_PEEK`), and others may look at it at the same time, so it is read-only.
///
/// # Invariants
///
/// The pointer is to a packet that [`Sock::enqueue`] has put into the queue of `sock`, of which this
/// value owns one count. Whoever has another count only reads it.
pub(crate) struct Datagram<'a, T: Protocol> {
    skb: NonNull<bindings::sk_buff>,
    sock: &'a Sock<T>,
}

impl<T: Protocol> Sock<T> {
    /// Takes the first packet out of the receive queue, waiting for one if need be.
    ///
    /// Of the flags, `MSG_PEEK` leaves it in the queue, and `MSG_DONTWAIT` does not wait. Fails with
    /// the error that was reported for the socket, with `EAGAIN` after the receive timeout, with
    /// `EINTR` or to be restarted on a signal.
    pub(crate) fn receive<'a>(
        &'a self,
        flags: c_int,
        _context: &mut Process<'_>,
    ) -> Result<Datagram<'a, T>> {
        let mut error: c_int = 0;
        // CAST: Flags are a set of bits.
        // SAFETY: The socket is valid by its invariant, and the token says that sleeping is allowed.
        let skb =
            unsafe { bindings::skb_recv_datagram(self.as_raw(), flags as c_uint, &raw mut error) };
        match NonNull::new(skb) {
            // INVARIANT: Only `enqueue` puts packets into this queue, and the call counts the reference.
            Some(skb) => Ok(Datagram { skb, sock: self }),
            None => {
                to_result(error)?;
                Err(EAGAIN)
            }
        }
    }
}

impl<T: Protocol> Deref for Datagram<'_, T> {
    type Target = Packet;

    #[inline]
    fn deref(&self) -> &Packet {
        // SAFETY: By the type invariant the packet is valid, and nobody changes it.
        unsafe { Packet::from_raw(self.skb.as_ptr()) }
    }
}

impl<T: Protocol> Datagram<'_, T> {
    /// What was noted about the packet when it was queued.
    #[inline]
    pub(crate) fn control(&self) -> &T::Control {
        // SAFETY: By the type invariant the packet is valid; only a pointer is made.
        let block = unsafe { (&raw const (*self.skb.as_ptr()).cb).cast::<T::Control>() };
        // SAFETY: By the type invariant `enqueue` has written a `T::Control` there, and the core writes
        // to the last four bytes only, which it does not reach.
        unsafe { &*block }
    }

    /// Copies the first `len` bytes to the user. Process context; may sleep.
    ///
    /// Fails with `EFAULT` when the user's memory cannot be written, or when the packet is shorter.
    pub(crate) fn copy_to(
        &self,
        message: &mut Message<'_>,
        len: u32,
        _context: &mut Process<'_>,
    ) -> Result {
        if len > self.len() {
            return Err(EFAULT);
        }
        let len = c_int::try_from(len).map_err(|_| EFAULT)?;
        // SAFETY: The packet is valid and has that many bytes; the message lends its iterator, and the
        // task may sleep.
        to_result(unsafe {
            bindings::skb_copy_datagram_iter(self.skb.as_ptr(), 0, message.iter(), len)
        })
    }

    /// Adds the control messages that every socket can have: time stamps, the count of lost packets,
    /// the mark, the priority. It also notes the time of the packet for `SIOCGSTAMP`.
    pub(crate) fn put_controls(&self, message: &mut Message<'_>) {
        // SAFETY: Message, socket and packet are valid by their invariants; the call reads the
        // packet, and notes the time of now in it if it has none, which nothing here refers to.
        unsafe {
            bindings::sock_recv_cmsgs(message.as_raw(), self.sock.as_raw(), self.skb.as_ptr())
        };
    }
}

impl<T: Protocol> Drop for Datagram<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this value owns one count; it ends here.
        unsafe { bindings::skb_free_datagram(self.sock.as_raw(), self.skb.as_ptr()) };
    }
}
