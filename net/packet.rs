// SPDX-License-Identifier: GPL-2.0

//! Packets that others may have too: [`Packet`], a socket buffer that can only be read.
//!
//! The stack hands one `struct sk_buff` to each packet hook in turn, and two readers may look at the
//! head of one receive queue with `MSG_PEEK`. Such a packet must not be changed by any of them, so
//! all that they get is a `&Packet`. An [`SkBuff`] has one owner and lends
//! itself as a `&Packet`.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    net::{
        device::Device,
        skbuff::SkBuff, //
    },
};
use core::ops::Deref;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A 16-bit number in network byte order: `__be16`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Be16(u16);

impl Be16 {
    /// Takes a value that is in network byte order already.
    #[inline]
    pub(crate) const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// The value as it is stored, in network byte order.
    #[inline]
    pub(crate) const fn raw(self) -> u16 {
        self.0
    }

    /// Converts from the byte order of the CPU: `htons()`.
    #[inline]
    pub(crate) const fn from_host(host: u16) -> Self {
        Self(host.to_be())
    }

    /// Converts to the byte order of the CPU: `ntohs()`.
    #[inline]
    pub(crate) const fn to_host(self) -> u16 {
        u16::from_be(self.0)
    }
}

/// The state of a packet's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// Nobody has looked at it.
    Unknown,
    /// It is not complete; the sending device is to complete it (`CHECKSUM_PARTIAL`).
    Partial,
    /// The receiving device has found it correct.
    Valid,
}

/// An 802.1Q or 802.1ad tag that was taken out of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VlanTag {
    /// Priority, drop eligibility and VLAN number (TCI).
    pub(crate) tci: u16,
    /// The Ethernet type of the tag (TPID): `ETH_P_8021Q` or `ETH_P_8021AD`.
    pub(crate) tpid: u16,
}

/// A packet that may be read, and that others may have too: `struct sk_buff`.
///
/// # Invariants
///
/// The `struct sk_buff` is initialised, and a count of its references is owned by who lends this
/// reference. Its header fields and data do not change while the reference lives.
#[repr(transparent)]
pub(crate) struct Packet(Opaque<bindings::sk_buff>);

impl Packet {
    /// Borrows the packet at `ptr`.
    ///
    /// # Safety
    ///
    /// For `'a` the pointer must be to a packet as the invariant of the type describes it.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::sk_buff) -> &'a Self {
        // CAST: `Packet` is a transparent wrapper of `struct sk_buff`.
        // SAFETY: The caller guarantees that the packet is valid for `'a`.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// The C object.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.get()
    }

    /// The length from the data pointer on, over all fragments, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: By the type invariant the packet is valid.
        unsafe { (*self.as_raw()).len }
    }

    /// What memory the packet is charged with, in bytes.
    #[inline]
    pub(crate) fn truesize(&self) -> u32 {
        // SAFETY: By the type invariant the packet is valid.
        unsafe { (*self.as_raw()).truesize }
    }

    /// The protocol: the Ethernet type of the frame, or one of the pseudo types below 1536.
    #[inline]
    pub(crate) fn protocol(&self) -> Be16 {
        // SAFETY: By the type invariant the packet is valid.
        Be16(unsafe { (*self.as_raw()).__bindgen_anon_4.headers.as_ref().protocol })
    }

    /// The protocol behind all VLAN headers that the packet still has.
    ///
    /// It is what a reader of packets without link header wants to know.
    pub(crate) fn inner_protocol(&self) -> Be16 {
        // SAFETY: By the type invariant the packet is valid; the call only reads it.
        Be16(unsafe { bindings::packet_inner_protocol(self.as_raw()) })
    }

    /// For whom the packet is: `PACKET_HOST`, `PACKET_BROADCAST` and so on.
    #[inline]
    pub(crate) fn packet_type(&self) -> u8 {
        // SAFETY: By the type invariant the packet is valid.
        unsafe {
            (*self.as_raw())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .pkt_type()
        }
    }

    /// Where the network header begins, counted from the data pointer. Negative if before it.
    #[inline]
    pub(crate) fn network_offset(&self) -> i32 {
        // SAFETY: By the type invariant the packet is valid.
        let (head, data) = unsafe { ((*self.as_raw()).head, (*self.as_raw()).data) };
        // SAFETY: By the type invariant the packet is valid.
        let header = unsafe {
            (*self.as_raw())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .network_header
        };
        let data_offset = (data as usize).wrapping_sub(head as usize);
        // CAST: Both offsets are within one buffer, whose size fits 32 bits.
        usize::from(header).wrapping_sub(data_offset) as i32
    }

    /// The VLAN tag that the device or the stack took out of the frame.
    #[inline]
    pub(crate) fn vlan_tag(&self) -> Option<VlanTag> {
        let mut tag = VlanTag { tci: 0, tpid: 0 };
        // SAFETY: By the type invariant the packet is valid; the call writes the tag if there is one.
        unsafe { bindings::packet_vlan_tag(self.as_raw(), &mut tag.tci, &mut tag.tpid) }
            .then_some(tag)
    }

    /// The state of the checksum.
    pub(crate) fn checksum(&self) -> Checksum {
        // SAFETY: By the type invariant the packet is valid.
        let state = unsafe {
            (*self.as_raw())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .ip_summed()
        };
        if state == bindings::CHECKSUM_PARTIAL as u8 {
            return Checksum::Partial;
        }
        // SAFETY: By the type invariant the packet is valid; the call only reads it.
        if unsafe { bindings::skb_csum_unnecessary(self.as_raw()) } {
            Checksum::Valid
        } else {
            Checksum::Unknown
        }
    }

    /// Whether the packet stands for several TCP segments.
    pub(crate) fn is_gso_tcp(&self) -> bool {
        // SAFETY: By the type invariant the packet is valid; the call only reads it.
        unsafe { bindings::skb_is_gso_tcp(self.as_raw()) }
    }

    /// Copies `to.len()` bytes from `offset` on, counted from the data pointer, over all fragments.
    ///
    /// Fails with `EFAULT` when the packet is shorter than that.
    pub(crate) fn copy_bits(&self, offset: u32, to: &mut [u8]) -> Result {
        let offset = c_int::try_from(offset).map_err(|_| EFAULT)?;
        let len = c_int::try_from(to.len()).map_err(|_| EFAULT)?;
        // SAFETY: By the type invariant the packet is valid, and `to` may be written for `len` bytes;
        // the call checks both numbers against the length of the packet.
        to_result(unsafe {
            bindings::skb_copy_bits(self.as_raw(), offset, to.as_mut_ptr().cast(), len)
        })
    }

    /// Copies `to.len()` bytes from `offset` on, counted from the link header.
    ///
    /// `None` when the packet has no link header, or ends before.
    pub(crate) fn copy_from_link(&self, offset: u16, to: &mut [u8]) -> Option<()> {
        let len = c_uint::try_from(to.len()).ok()?;
        // SAFETY: By the type invariant the packet is valid, and `to` may be written for `len` bytes;
        // the call checks the range against the packet.
        unsafe {
            bindings::packet_header_copy(
                self.as_raw(),
                c_uint::from(offset),
                to.as_mut_ptr().cast(),
                len,
            )
        }
        .then_some(())
    }

    /// The TCI of the outermost VLAN header that is still in the frame, or 0.
    ///
    /// `device` is the device that the packet is reported for. Only where the length of its link
    /// header is fixed can the VLAN header be found.
    pub(crate) fn vlan_tci_in_header(&self, device: &Device) -> u16 {
        let offset = if device.min_header_len() == device.hard_header_len() || device.is_vlan() {
            device.min_header_len()
        } else {
            return 0;
        };
        // A header counts only if all of it is there: the TCI, and the type of what follows.
        let mut header = [0u8; 4];
        match self.copy_from_link(offset, &mut header) {
            Some(()) => {
                let [high, low, ..] = header;
                u16::from_be_bytes([high, low])
            }
            None => 0,
        }
    }
}

impl Deref for SkBuff {
    type Target = Packet;

    #[inline]
    fn deref(&self) -> &Packet {
        // SAFETY: The packet is valid by the invariant of `SkBuff`, and the borrow keeps its only owner
        // from changing it.
        unsafe { Packet::from_raw(self.as_raw()) }
    }
}
