// SPDX-License-Identifier: GPL-2.0

//! The packet that a hook is given.
//!
//! The kernel gives one packet to all hooks in turn, so a [`Received`] packet can only be read. The
//! one exception that reception needs is [`View`]: for the filter, the data pointer is moved to the
//! header that the socket wants to see first, and moved back when the view is dropped. That is sound
//! because the hooks of one packet are called one after another, by one CPU. Who wants to keep the
//! packet turns the view into an [`SkBuff`], which costs a clone if others have the packet too.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    net::{
        context::BottomHalf,
        device::Device,
        namespace::Namespace,
        packet::Packet,
        skbuff::{
            DropReason,
            SkBuff, //
        },
    },
};
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// A packet that a hook was given: read-only, since other hooks are given the same one.
///
/// Dropped, it goes on its way.
///
/// # Invariants
///
/// The pointer is to an initialised `struct sk_buff` of which this value owns one count. While the
/// value lives, nobody else reads or writes the packet: whoever owns another count is the caller of the
/// hook, or waits for its return.
pub(crate) struct Received<'a> {
    skb: NonNull<bindings::sk_buff>,
    device: &'a Device,
    original_device: &'a Device,
    _not_send: NotThreadSafe,
}

impl Deref for Received<'_> {
    type Target = Packet;

    #[inline]
    fn deref(&self) -> &Packet {
        // SAFETY: The packet is valid by the type invariant, and does not change while it is borrowed.
        unsafe { Packet::from_raw(self.skb.as_ptr()) }
    }
}

impl<'a> Received<'a> {
    /// # Safety
    ///
    /// The caller hands over one count of the packet, whose devices are these. While the value lives, nobody else
    /// may read or write the packet.
    #[inline(always)]
    pub(super) unsafe fn new(
        skb: NonNull<bindings::sk_buff>,
        device: &'a Device,
        original_device: &'a Device,
    ) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            skb,
            device,
            original_device,
            _not_send: NotThreadSafe,
        }
    }

    /// The device that the packet came in through or goes out through.
    #[inline]
    pub(crate) fn device(&self) -> &'a Device {
        self.device
    }

    /// The device that the packet came in through at first, below bonds, bridges and VLANs.
    #[inline]
    pub(crate) fn original_device(&self) -> &'a Device {
        self.original_device
    }

    /// Puts the fragments of an IPv4 packet together: `IP_DEFRAG_AF_PACKET`. Anything else comes back as it
    /// is, and so does an IPv4 packet that is none.
    ///
    /// `None` if fragments are missing yet: then the packet was kept. With the last one the whole packet
    /// comes back. A packet that others have too is cloned first, and dropped if there is no memory.
    ///
    /// `namespace` is that of the packet's device. The device may be another one for each fragment; that
    /// of the last is reported.
    #[inline]
    pub(crate) fn defragment(
        self,
        namespace: &Namespace,
        _bottom_half: &mut BottomHalf<'_>,
    ) -> Option<Self> {
        let (device, original_device) = (self.device, self.original_device);
        // SAFETY: The namespace is valid. The count of the packet goes to the call, and nobody else uses
        // the packet.
        let skb = unsafe { bindings::packet_defragment(namespace.as_raw(), self.into_raw()) };
        // INVARIANT: What comes back is this packet, or one that nobody else has, with one count for us.
        Some(Self {
            skb: NonNull::new(skb)?,
            device,
            original_device,
            _not_send: NotThreadSafe,
        })
    }

    /// Looks at the packet from `layer` on.
    ///
    /// `None` if the packet does not have that header where it says; then it was dropped.
    #[inline]
    pub(crate) fn view(self, layer: Layer) -> Option<View<'a>> {
        let skb = self.skb.as_ptr();
        // SAFETY: By the type invariant the packet is valid.
        let (data, len) = unsafe { ((*skb).data, (*skb).len) };
        // A device without link header hides it: what a hook sees is the network header.
        if self.device.has_header() {
            // SAFETY: By the type invariant nobody else uses the packet; the view restores it.
            let moved = unsafe { bindings::packet_view(skb, matches!(layer, Layer::Link)) };
            if !moved {
                return None;
            }
        }
        // INVARIANT: `data` and `len` are what they were.
        Some(View {
            packet: ManuallyDrop::new(self),
            data,
            len,
        })
    }

    /// The C object, whose count the caller takes over.
    #[inline]
    fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).skb.as_ptr()
    }
}

impl Drop for Received<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant this value owns one count; it ends here.
        unsafe { bindings::consume_skb(self.skb.as_ptr()) };
    }
}

/// The header from which on a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The header of the link layer, if the device has one: what `SOCK_RAW` sees.
    Link,
    /// The header of the network layer: what `SOCK_DGRAM` sees.
    Network,
}

/// A received packet whose data begins at a chosen header. Dropped, the packet is as it was.
///
/// # Invariants
///
/// `packet` is initialised until the drop; `data` and `len` are what its data pointer and length were.
pub(crate) struct View<'a> {
    packet: ManuallyDrop<Received<'a>>,
    data: *mut u8,
    len: u32,
}

impl Deref for View<'_> {
    type Target = Packet;

    #[inline]
    fn deref(&self) -> &Packet {
        &self.packet
    }
}

impl<'a> View<'a> {
    /// The device that the packet came in through or goes out through.
    #[inline]
    pub(crate) fn device(&self) -> &'a Device {
        self.packet.device
    }

    /// The device that the packet came in through at first, below bonds, bridges and VLANs.
    #[inline]
    pub(crate) fn original_device(&self) -> &'a Device {
        self.packet.original_device
    }

    /// Writes the sender's link-layer address to `to` and returns its length, which may be 0.
    #[inline]
    pub(crate) fn link_address(&self, to: &mut [u8; bindings::MAX_ADDR_LEN as usize]) -> u8 {
        // SAFETY: The packet is valid and has its device; no link layer has an address longer than
        // `MAX_ADDR_LEN`.
        let len = unsafe { bindings::packet_link_address(self.as_raw(), to.as_mut_ptr()) };
        u8::try_from(len).unwrap_or(0)
    }

    /// Gives up the packet: it was lost, and this is why. It is restored first.
    #[inline]
    pub(crate) fn drop_reason(self, reason: DropReason) {
        let skb = self.restore().into_raw();
        // SAFETY: The count that the packet owned is given up here.
        unsafe { bindings::kfree_skb_reason(skb, reason as u32) };
    }

    /// Makes the packet the caller's own, with its data as this view shows it, at most `snap_len`
    /// bytes of it.
    ///
    /// If others have the packet too, it is restored for them, and cloned. `ENOMEM` when that or the
    /// cutting fails; the packet was dropped then, as a loss of the socket.
    #[inline]
    pub(crate) fn into_packet(self, snap_len: u32) -> Result<SkBuff> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the count of the packet goes to the call. Nobody else uses
        // the packet, and `data` and `len` are what they were, by the type invariant.
        let skb = unsafe {
            bindings::packet_take(
                this.as_raw(),
                this.data,
                this.len,
                snap_len,
                DropReason::PacketSockError as u32,
            )
        };
        // SAFETY: A packet that the call returns has one count, and it is ours.
        Ok(unsafe { SkBuff::from_raw(NonNull::new(skb).ok_or(ENOMEM)?) })
    }

    /// Moves the data pointer back.
    #[inline]
    fn restore(self) -> Received<'a> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and not used after this call.
        unsafe { Self::take(&mut this) }
    }

    /// # Safety
    ///
    /// `packet` must be initialised; it is not any more when this returns.
    #[inline]
    unsafe fn take(this: &mut Self) -> Received<'a> {
        let skb = this.packet.skb.as_ptr();
        // SAFETY: By the invariant of `Received` nobody else uses the packet, and by that of `View` this
        // is what it was.
        unsafe { (*skb).data = this.data };
        // SAFETY: As above.
        unsafe { (*skb).len = this.len };
        // SAFETY: The caller guarantees that the field is initialised and not used again.
        unsafe { ManuallyDrop::take(&mut this.packet) }
    }
}

impl Drop for View<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The field is initialised until here, by the type invariant.
        drop(unsafe { Self::take(self) });
    }
}
