// SPDX-License-Identifier: GPL-2.0

//! NAPI: the poll and its state.

use super::{
    driver::{
        Device,
        Events,
        Operations, //
    },
    queue::TxQueue, //
};
use kernel::{
    dma::Coherent,
    prelude::*, //
};
use std::marker::PhantomData;

/// An Ethernet header, in bytes.
const HEADER_LEN: usize = 14;

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    Done,
    Again,
}

/// The three bits of NAPI's state that matter.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) enabled: bool,
    scheduled: bool,
    missed: bool,
    /// What was missed is forgotten: for a test that must fail then.
    pub(super) lossy: bool,
}

impl State {
    /// `napi_schedule_prep()`.
    pub(super) fn claim(&mut self) -> bool {
        if !self.enabled {
            return false;
        }
        self.missed |= self.scheduled && !self.lossy;
        !std::mem::replace(&mut self.scheduled, true)
    }

    /// `napi_complete_done()`: whether no further poll is due.
    pub(super) fn complete(&mut self) -> bool {
        self.scheduled = std::mem::take(&mut self.missed);
        !self.scheduled
    }

    pub(super) fn is_scheduled(&self) -> bool {
        self.scheduled
    }

    pub(super) fn disable(&mut self) {
        *self = Self {
            lossy: self.lossy,
            ..Self::default()
        };
    }
}

/// One run of the poll.
pub(crate) struct Poll<'a, T: Operations> {
    dev: &'a Device<T>,
    budget: u32,
    work: u32,
}

impl<'a, T: Operations> Poll<'a, T> {
    pub(super) fn new(dev: &'a Device<T>, budget: u32) -> Self {
        Self {
            dev,
            budget,
            work: 0,
        }
    }

    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.dev
    }

    pub(crate) fn remaining(&self) -> u32 {
        self.budget - self.work
    }

    pub(crate) fn slot(&mut self) -> Option<Slot<'_, 'a, T>> {
        (self.work < self.budget).then_some(Slot { poll: self })
    }

    pub(crate) fn copy_frame(
        &mut self,
        from: &Coherent<[u8]>,
        offset: usize,
        len: u32,
    ) -> Result<Incoming<'a>> {
        let len = len as usize;
        if len < HEADER_LEN {
            return Err(EINVAL);
        }
        let data = from.with_bytes(offset, len, |bytes| bytes.to_vec())?;
        if self.dev.is_out_of_memory() {
            return Err(ENOMEM);
        }
        Ok(Incoming {
            data,
            _poll: PhantomData,
        })
    }

    pub(crate) fn lock_tx<R>(
        &mut self,
        f: impl FnOnce(&mut T::Tx, &mut TxQueue<'_>) -> R,
    ) -> Option<R> {
        self.dev.with_tx(f)
    }

    pub(crate) fn schedule_work(&self, events: Events) {
        self.dev.schedule_work(events);
    }
}

/// A received packet.
#[must_use]
pub(crate) struct Incoming<'a> {
    data: Vec<u8>,
    _poll: PhantomData<&'a mut ()>,
}

/// The permission to receive one frame.
#[must_use]
pub(crate) struct Slot<'p, 'a, T: Operations> {
    poll: &'p mut Poll<'a, T>,
}

impl<'a, T: Operations> Slot<'_, 'a, T> {
    pub(crate) fn receive(self, packet: Incoming<'a>) {
        self.poll.dev.receive(packet.data);
        self.skip();
    }

    pub(crate) fn skip(self) {
        self.poll.work += 1;
    }
}
