// SPDX-License-Identifier: GPL-2.0

//! Packets.

use kernel::{
    dma::Coherent,
    prelude::*, //
};
use std::cell::Cell;

thread_local! {
    static UNEXPLAINED: Cell<usize> = const { Cell::new(0) };
    static STAMPED: Cell<bool> = const { Cell::new(false) };
}

/// How many packets of this thread were dropped without a reason.
pub(crate) fn unexplained() -> usize {
    UNEXPLAINED.get()
}

/// Whether a packet of this thread was given the time of its sending, since the last call.
pub(crate) fn take_stamp() -> bool {
    STAMPED.take()
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    NotSpecified,
    PktTooBig,
}

/// A packet with one owner.
#[derive(Debug)]
pub(crate) struct SkBuff {
    data: Vec<u8>,
    settled: bool,
}

impl SkBuff {
    /// A packet to send.
    pub(crate) fn from_bytes(data: Vec<u8>) -> Self {
        Self {
            data,
            settled: false,
        }
    }

    pub(crate) fn len(&self) -> u32 {
        self.data.len() as u32
    }

    pub(crate) fn consume(mut self) {
        self.settled = true;
    }

    pub(crate) fn drop_reason(mut self, reason: DropReason) {
        self.settled = reason != DropReason::NotSpecified;
    }

    pub(crate) fn tx_timestamp(&self) {
        STAMPED.set(true);
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
            bytes[..self.data.len()].copy_from_slice(&self.data);
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
