// SPDX-License-Identifier: GPL-2.0

//! What a frame that is to be sent asks of the device.

use super::{
    driver::Features,
    skbuff::SkBuff, //
};
use crate::ext::dma::Mapping;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    prelude::*, //
};
use std::num::NonZeroU16;

/// Most pieces of a frame: `MAX_SKB_FRAGS`, and the linear part.
pub(crate) const MAX_PIECES: usize = 18;

/// The length of the headers that a packet to be cut has, in bytes.
const HEADERS_LEN: u32 = 54;

/// The checksum that the stack has left to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Checksum {
    #[default]
    Done,
    Tcp4,
    Udp4,
    Other,
}

/// The segments that a packet is to be cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segments {
    pub(crate) size: NonZeroU16,
    pub(crate) number: u32,
    pub(crate) bytes: u32,
}

/// What a frame asks for beside being sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    pub(crate) checksum: Checksum,
    pub(crate) segment: Option<NonZeroU16>,
    pub(crate) tag: Option<u16>,
    /// A tag is in the data.
    pub(crate) tagged_in_band: bool,
}

impl SkBuff {
    /// A packet in pieces. The first one begins with the Ethernet header.
    pub(crate) fn from_pieces(pieces: Vec<Vec<u8>>, wishes: Wishes) -> Self {
        assert!((1..=MAX_PIECES).contains(&pieces.len()));
        Self {
            pieces,
            wishes,
            settled: false,
        }
    }

    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    pub(crate) fn map_head<'bound>(&self, dev: &'bound Device<Bound>) -> Result<Mapping<'bound>> {
        self.map_piece(dev, 0)
    }

    pub(crate) fn map_fragment<'bound>(
        &self,
        dev: &'bound Device<Bound>,
        number: usize,
    ) -> Result<Mapping<'bound>> {
        self.map_piece(dev, number + 1)
    }

    fn map_piece<'bound>(
        &self,
        dev: &'bound Device<Bound>,
        number: usize,
    ) -> Result<Mapping<'bound>> {
        let piece = self.pieces.get(number).ok_or(EINVAL)?;
        if piece.is_empty() {
            return Err(EINVAL);
        }
        Mapping::of_bytes(dev, piece)
    }

    pub(crate) fn pad_to(&mut self, len: u32) -> Result {
        if self.len() < len {
            kernel::alloc::allocate()?;
            // A packet in pieces is made one of a single piece.
            let mut whole = self.pieces.concat();
            whole.resize(len as usize, 0);
            self.pieces = vec![whole];
        }
        Ok(())
    }

    pub(crate) fn vlan_tag(&self) -> Option<u16> {
        self.wishes.tag
    }

    pub(crate) fn segments(&self) -> Option<Segments> {
        let size = self.wishes.segment?;
        let payload = self.len().saturating_sub(HEADERS_LEN);
        let number = payload.div_ceil(size.get().into()).max(1);
        Some(Segments {
            size,
            number,
            bytes: self.len() + (number - 1) * HEADERS_LEN,
        })
    }

    pub(crate) fn checksum(&self) -> Checksum {
        self.wishes.checksum
    }

    pub(crate) fn compute_checksum(&mut self) -> Result {
        kernel::alloc::allocate()?;
        self.wishes.checksum = Checksum::Done;
        Ok(())
    }
}

/// A frame that is to be sent, and is looked at before.
pub(crate) struct Outgoing<'a>(&'a Wishes);

impl<'a> Outgoing<'a> {
    pub(crate) fn new(wishes: &'a Wishes) -> Self {
        Self(wishes)
    }

    pub(crate) fn segment_size(&self) -> Option<NonZeroU16> {
        self.0.segment
    }

    /// A tag that the device is to insert is not in the data then, and one that the driver said it would
    /// not is.
    pub(crate) fn is_tagged_in_band(&self, features: Features) -> bool {
        let left_to_device = features.contains(Features::VLAN_TX);
        self.0.tagged_in_band || (self.0.tag.is_some() && !left_to_device)
    }
}
