// SPDX-License-Identifier: GPL-2.0

//! Where in a slot a frame lies, and how much of it is kept.
//!
//! All that a program is told of a frame is at the beginning of its slot, [`Version::prefix`] bytes.
//! Then the frame follows, so that its network header is aligned, with room before it that depends
//! on the socket:
//!
//! | | network header | link layer header |
//! |---|---|---|
//! | `SOCK_DGRAM` | `align(prefix) + 16 + reserve` | left out |
//! | `SOCK_RAW` | `align(prefix + max(link, 16)) + reserve + vnet` | `link` bytes before |
//!
//! `link` is the length of the frame's link layer header, `reserve` the value of `PACKET_RESERVE`,
//! and `vnet` the size that was set with `PACKET_VNET_HDR` or `PACKET_VNET_HDR_SZ`. `reserve` and
//! `vnet` are not rounded.
//!
//! A `struct virtio_net_hdr` of 10 bytes ends where the link layer header begins. AF_PACKET puts it
//! there for a size of 12 as well, though the structure of that size would begin 12 bytes before;
//! programs that look for it there find two bytes that nobody wrote.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    super::address::{
        ADDRESS_OFFSET,
        MAX_ADDRESS, //
    },
    geometry::Geometry,
    version::{
        align_slot,
        Version, //
    }, //
};
use kernel::prelude::*;

/// The least room for a link layer header, of which Ethernet needs 14.
const MIN_LINK: u32 = 16;

/// How far before the frame the virtio header begins: `sizeof(struct virtio_net_hdr)`.
const VNET_BEFORE: u16 = 10;

/// The header that tells about offloads before a frame: `PACKET_VNET_HDR_SZ`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VnetHeader {
    /// There is none.
    #[default]
    None,
    /// `struct virtio_net_hdr`.
    Plain,
    /// `struct virtio_net_hdr_mrg_rxbuf`, which has the number of buffers as well.
    Mergeable,
}

impl VnetHeader {
    /// Reads the size that `PACKET_VNET_HDR_SZ` sets.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no header of this size.
    pub(crate) fn parse(size: i32) -> Result<Self> {
        match size {
            0 => Ok(Self::None),
            10 => Ok(Self::Plain),
            12 => Ok(Self::Mergeable),
            _ => Err(EINVAL),
        }
    }

    /// Its length in bytes.
    pub(crate) const fn size(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Plain => 10,
            Self::Mergeable => 12,
        }
    }
}

/// What a socket wants of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// `SOCK_DGRAM`: from the network header.
    Datagram,
    /// `SOCK_RAW`: all, with this header before it.
    Raw(VnetHeader),
}

/// How the slots of a ring for received frames are used. None of it changes while there is a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    version: Version,
    parts: Parts,
    reserve: u32,
    /// The length of a slot; with V3 of an empty block.
    room: u32,
}

/// Where one frame lies: offsets in bytes from where its slot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Where the kept bytes begin, `tp_mac`. Beyond the slot, with V1 and V2, if not even a header
    /// has room; then nothing is kept.
    pub(crate) mac: u16,
    /// Where the network header is, or would be if it was kept: `tp_net`.
    pub(crate) net: u16,
    /// How many bytes of the frame are kept, `tp_snaplen`.
    pub(crate) kept: u32,
    /// Where the virtio header begins, 10 bytes.
    pub(crate) vnet: Option<u16>,
    /// V1 and V2: whether the slot was too short for what the filter wants to keep.
    pub(crate) cut: bool,
    /// How many bytes of a link layer address have room in the slot before anything else: 8 to 32.
    ///
    /// AF_PACKET does not ask. An address of more than 8 bytes overwrites the first bytes of the
    /// frame there, if a long link layer header leaves no room.
    pub(crate) address_room: u8,
}

impl Layout {
    /// The layout of received frames in a ring of this geometry.
    pub(crate) fn new(geometry: &Geometry, parts: Parts) -> Self {
        Self {
            version: geometry.version(),
            parts,
            reserve: geometry.reserve(),
            room: geometry.max_frame(),
        }
    }

    /// Places a frame of which the filter wants to keep `wanted` bytes, counted from the link layer
    /// header for `SOCK_RAW`, else from the network header. `link` is the length of its link layer
    /// header: the distance of the network header, as it is, not what the device usually has.
    ///
    /// `None` if the network header would be beyond what 16 bits can tell. Such a frame is lost;
    /// AF_PACKET counts it in `tp_drops` and tells nobody else.
    pub(crate) fn place(&self, link: u32, wanted: u32) -> Option<Placed> {
        let prefix = u64::from(self.version.prefix());
        let reserve = u64::from(self.reserve);
        let (before, net, vnet) = match self.parts {
            Parts::Datagram => {
                let net = align_slot(prefix).saturating_add(MIN_LINK.into());
                (0, net.saturating_add(reserve), VnetHeader::None)
            }
            Parts::Raw(vnet) => {
                let net = align_slot(prefix.saturating_add(link.max(MIN_LINK).into()));
                let behind = reserve.saturating_add(vnet.size().into());
                (link, net.saturating_add(behind), vnet)
            }
        };
        // All are lengths of at most 32 bits, so nothing saturated.
        let net = u16::try_from(net).ok()?;
        let mac = net.checked_sub(u16::try_from(before).ok()?)?;

        let left = self.room.checked_sub(mac.into());
        let is_short = left.is_none_or(|left| left < wanted);
        let slots = self.version != Version::V3;

        // Without room for the frame there is none for a header before it. With slots, the frame's
        // place stays what it would be; a block is filled to its end.
        let mac = match left {
            None if !slots => u16::try_from(self.room).ok()?,
            _ => mac,
        };
        let vnet = match (vnet, left) {
            (VnetHeader::None, _) | (_, None) => None,
            _ => mac.checked_sub(VNET_BEFORE),
        };
        Some(Placed {
            mac,
            net,
            kept: wanted.min(left.unwrap_or(0)),
            vnet,
            cut: is_short && slots,
            address_room: self.address_room(vnet.unwrap_or(mac)),
        })
    }

    /// How many bytes of a link layer address have room before `next`.
    fn address_room(&self, next: u16) -> u8 {
        const LONGEST: u8 = MAX_ADDRESS as u8;

        let end = u32::from(next).min(self.room);
        let room = end
            .saturating_sub(self.version.address())
            .saturating_sub(ADDRESS_OFFSET as u32);
        u8::try_from(room).unwrap_or(LONGEST).min(LONGEST)
    }
}

impl Placed {
    /// How many bytes of a block of V3 the frame takes, with all that is before it; not rounded up.
    pub(crate) fn length(&self) -> u32 {
        self.kept.saturating_add(self.mac.into())
    }

    /// Whether the whole frame is queued as well, for `recvmsg()`: if the slot was too short,
    /// `PACKET_COPY_THRESH` was set to anything but zero, and the queue `has_room`, which is asked
    /// last. Then `TP_STATUS_COPY` tells, if the frame got a slot.
    pub(crate) fn wants_copy(&self, threshold: i32, has_room: impl FnOnce() -> bool) -> bool {
        self.cut && threshold != 0 && has_room()
    }
}
