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
pub(super) const HEADER_LEN: usize = 14;

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
        self.dev.allocate()?;
        Ok(Incoming::new(data))
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

/// What the stack is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) frame: Vec<u8>,
    /// The VLAN tag that the device has taken off.
    pub(crate) tag: Option<u16>,
    /// The device has looked at the checksum.
    pub(crate) checksum_good: bool,
}

/// A received packet.
#[must_use]
pub(crate) struct Incoming<'a> {
    received: Received,
    _poll: PhantomData<&'a mut ()>,
}

impl Incoming<'_> {
    pub(super) fn new(frame: Vec<u8>) -> Self {
        Self {
            received: Received {
                frame,
                tag: None,
                checksum_good: false,
            },
            _poll: PhantomData,
        }
    }

    pub(crate) fn is_multicast(&self) -> bool {
        let address = &self.received.frame[..6];
        address[0] & 1 != 0 && address != [0xff; 6]
    }

    pub(crate) fn set_vlan_tag(&mut self, tag: u16) {
        self.received.tag = Some(tag);
    }

    pub(crate) fn set_checksum_good(&mut self) {
        self.received.checksum_good = true;
    }
}

/// The permission to receive one frame.
#[must_use]
pub(crate) struct Slot<'p, 'a, T: Operations> {
    poll: &'p mut Poll<'a, T>,
}

impl<'a, T: Operations> Slot<'_, 'a, T> {
    pub(crate) fn receive(self, packet: Incoming<'a>) {
        self.poll.dev.receive(packet.received);
        self.skip();
    }

    pub(crate) fn skip(self) {
        self.poll.work += 1;
    }
}
