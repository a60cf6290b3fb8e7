// SPDX-License-Identifier: GPL-2.0

//! Packets.

use super::offload::Wishes;
use kernel::{
    dma::Coherent,
    prelude::*, //
};
use std::cell::Cell;

thread_local! {
    static UNEXPLAINED: Cell<usize> = const { Cell::new(0) };
    static STAMPS: Cell<usize> = const { Cell::new(0) };
}

/// How many packets of this thread were dropped without a reason.
pub(crate) fn unexplained() -> usize {
    UNEXPLAINED.get()
}

/// A packet was given the time of its sending, or it is a frame that nobody wants to know it of.
pub(super) fn note_stamp() {
    STAMPS.set(STAMPS.get() + 1);
}

/// How many packets of this thread were given the time of their sending, since the last call.
pub(crate) fn take_stamps() -> usize {
    STAMPS.take()
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    NotSpecified,
    NoMem,
    DevReady,
    PktTooBig,
}

/// A packet with one owner.
#[derive(Debug)]
pub(crate) struct SkBuff {
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) wishes: Wishes,
    pub(super) settled: bool,
}

impl SkBuff {
    /// A packet to send.
    pub(crate) fn from_bytes(data: Vec<u8>) -> Self {
        Self::from_pieces(vec![data], Wishes::default())
    }

    pub(crate) fn len(&self) -> u32 {
        self.pieces.iter().map(Vec::len).sum::<usize>() as u32
    }

    pub(crate) fn consume(mut self) {
        self.settled = true;
    }

    pub(crate) fn drop_reason(mut self, reason: DropReason) {
        self.settled = reason != DropReason::NotSpecified;
    }

    pub(crate) fn tx_timestamp(&self) {
        note_stamp();
    }

    pub(crate) fn copy_and_csum_to(
        &self,
        to: &Coherent<[u8]>,
        offset: usize,
        pad_to: u32,
    ) -> Result<u32> {
        let len = self.len().max(pad_to);
        to.with_bytes(offset, len as usize, |bytes| {
            bytes.fill(0);
            let data = self.pieces.concat();
            bytes[..data.len()].copy_from_slice(&data);
        })?;
        Ok(len)
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        if !self.settled {
            UNEXPLAINED.set(UNEXPLAINED.get() + 1);
        }
    }
}
