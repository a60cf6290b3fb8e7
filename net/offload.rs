// SPDX-License-Identifier: GPL-2.0

//! What a frame that is to be sent asks of the device: its pieces, its checksum, its segments, its tag.
//!
//! A driver that offers [`Features`] for these finds out here what a frame needs. What its hardware can
//! do for some frames only, it says in
//! [`Operations::features_check`](crate::net::driver::Operations::features_check), for each frame before
//! it comes: the stack then does that in software.
//!
//! C headers: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h),
//! [`include/linux/if_vlan.h`](srctree/include/linux/if_vlan.h)

use crate::{
    bindings,
    ext::dma::{
        self,
        Mapping, //
    },
    net::{
        driver::Features,
        skbuff::SkBuff, //
    },
};
use core::{
    marker::PhantomData,
    num::NonZeroU16, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    prelude::*, //
};

/// Most pieces of a frame: its linear part, and its fragments.
pub(crate) const MAX_PIECES: usize = bindings::MAX_SKB_FRAGS as usize + 1;

/// The checksum that the stack has left to the device (`CHECKSUM_PARTIAL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// None.
    Done,
    /// That of a TCP segment in IPv4, right behind the Ethernet header.
    Tcp4,
    /// That of a UDP datagram in IPv4, right behind the Ethernet header.
    Udp4,
    /// Another one.
    Other,
}

/// The segments that a packet is to be cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    /// The most bytes of payload in one.
    pub(crate) size: NonZeroU16,
    /// How many there are.
    pub(crate) number: u32,
    /// The length of all of them together, in bytes, each with its headers.
    pub(crate) bytes: u32,
}

impl SkBuff {
    /// The length of the first piece, in bytes. It begins with the Ethernet header.
    #[inline]
    pub(crate) fn head_len(&self) -> u32 {
        // SAFETY: By the type invariant the packet is valid.
        unsafe { bindings::skb_headlen(self.as_raw()) }
    }

    /// The number of pieces; not above [`MAX_PIECES`].
    #[inline]
    pub(crate) fn pieces(&self) -> usize {
        // SAFETY: By the type invariant the packet is valid.
        let frags = unsafe { bindings::skb_nr_frags(self.as_raw()) };
        // CAST: The field has eight bits.
        frags as usize + 1
    }

    /// Lends the first piece, which must not be empty, to the device to read.
    #[inline]
    pub(crate) fn map_head<'bound>(&self, dev: &'bound Device<Bound>) -> Result<Mapping<'bound>> {
        let len = self.head_len();
        if len == 0 {
            return Err(EINVAL);
        }
        // SAFETY: Packet and device are valid, and the piece is not empty.
        let address = unsafe { bindings::skb_map_head(dma::as_raw(dev), self.as_raw()) };
        // SAFETY: The mapping was just made.
        unsafe { Mapping::from_raw(dev, address, len) }
    }

    /// Lends the fragment with this number to the device to read: `skb_frag_dma_map()`.
    ///
    /// `EINVAL` if there is no such fragment.
    #[inline]
    pub(crate) fn map_fragment<'bound>(
        &self,
        dev: &'bound Device<Bound>,
        number: usize,
    ) -> Result<Mapping<'bound>> {
        if number.saturating_add(1) >= self.pieces() {
            return Err(EINVAL);
        }
        let mut len = 0;
        // CAST: By the check above it is below 256.
        let number = number as u32;
        // SAFETY: Packet and device are valid, and there is such a fragment.
        let address =
            unsafe { bindings::skb_map_frag(dma::as_raw(dev), self.as_raw(), number, &mut len) };
        // SAFETY: The mapping was just made.
        unsafe { Mapping::from_raw(dev, address, len) }
    }

    /// Makes the frame at least `len` bytes long, with zeros: `skb_put_padto()`. Any context.
    ///
    /// Fails with `ENOMEM`, or `EINVAL` for more than 64 KiB; the frame is as it was then.
    #[inline]
    pub(crate) fn pad_to(&mut self, len: u32) -> Result {
        // The C function takes what is missing for a signed number.
        if len > 1 << 16 {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariant the packet is valid, and nobody else changes it.
        to_result(unsafe { bindings::skb_pad_keep(self.as_raw(), len) })
    }

    /// The tag that the device is to insert: priority and number of the VLAN.
    #[inline]
    pub(crate) fn vlan_tag(&self) -> Option<u16> {
        let mut tag = 0;
        // SAFETY: By the type invariant the packet is valid.
        unsafe { bindings::skb_vlan_tag(self.as_raw(), &mut tag) }.then_some(tag)
    }

    /// The segments that the device is to cut a packet of TCP into, if it is (TSO).
    #[inline]
    pub(crate) fn segments(&self) -> Option<Segments> {
        let size = self.outgoing().segment_size()?;
        // SAFETY: By the type invariant the packet is valid; the call looks at what it is before it looks
        // for headers.
        let headers = unsafe { bindings::skb_tcp_headers(self.as_raw()) };
        // SAFETY: By the type invariant the packet is valid.
        let number = unsafe { bindings::skb_gso_segs(self.as_raw()) }.max(1);
        let repeated = number.wrapping_sub(1).wrapping_mul(headers);
        Some(Segments {
            size,
            number,
            bytes: self.len().wrapping_add(repeated),
        })
    }

    /// The checksum that the device is to compute.
    #[inline]
    pub(crate) fn checksum(&self) -> Checksum {
        // SAFETY: By the type invariant the packet is valid.
        if !unsafe { bindings::skb_csum_partial(self.as_raw()) } {
            return Checksum::Done;
        }
        // SAFETY: As above.
        match u32::from(unsafe { bindings::skb_csum_ipv4_protocol(self.as_raw()) }) {
            bindings::IPPROTO_TCP => Checksum::Tcp4,
            bindings::IPPROTO_UDP => Checksum::Udp4,
            _ => Checksum::Other,
        }
    }

    /// Computes the checksum that was left to the device: `skb_checksum_help()`.
    ///
    /// Fails with `ENOMEM`, or `EINVAL` if there is no place for it in the packet.
    #[inline]
    pub(crate) fn compute_checksum(&mut self) -> Result {
        // SAFETY: By the type invariant the packet is valid, and nobody else changes it.
        to_result(unsafe { bindings::skb_checksum_help(self.as_raw()) })
    }

    #[inline]
    fn outgoing(&self) -> Outgoing<'_> {
        // SAFETY: By the type invariant the packet is valid as long as it is borrowed.
        unsafe { Outgoing::from_raw(self.as_raw()) }
    }
}

/// A frame that is to be sent, and is looked at before.
///
/// # Invariants
///
/// The pointer is to a valid packet for `'a`.
pub(crate) struct Outgoing<'a>(*mut bindings::sk_buff, PhantomData<&'a ()>);

impl Outgoing<'_> {
    /// # Safety
    ///
    /// `skb` must be valid for the lifetime of the result.
    #[inline]
    pub(super) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // INVARIANT: The caller guarantees it.
        Self(skb, PhantomData)
    }

    /// The most bytes of payload in a segment, for a packet that the device is to cut.
    #[inline]
    pub(crate) fn segment_size(&self) -> Option<NonZeroU16> {
        // SAFETY: By the type invariant the packet is valid.
        let size = unsafe { bindings::skb_gso_size(self.0) };
        // CAST: The field has sixteen bits.
        NonZeroU16::new(size as u16)
    }

    /// Whether the frame on the wire will have a VLAN tag that the device does not insert, but finds
    /// in the data, before all that it looks for.
    ///
    /// `features` are those that hold for the frame.
    #[inline]
    pub(crate) fn is_tagged_in_band(&self, features: Features) -> bool {
        // SAFETY: By the type invariant the packet is valid.
        unsafe { bindings::skb_tagged_in_band(self.0, features.into_raw()) }
    }
}
