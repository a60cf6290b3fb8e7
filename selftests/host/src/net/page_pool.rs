// SPDX-License-Identifier: GPL-2.0

//! Pages that a device writes received frames to.

use super::{
    context::Process,
    driver::{
        Device,
        Operations, //
    },
    napi::{
        Incoming,
        Poll,
        HEADER_LEN, //
    },
    xdp::View, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    dma::{
        Access,
        Bus,
        Loan, //
    },
    prelude::*, //
};
use std::marker::PhantomData;

/// What of one page, or two, holds a frame, on x86-64.
const CAPACITIES: [u32; 2] = [4096 - 256 - 320, 8192 - 256 - 320];

/// What is in a page that nobody has written to.
const POISON: u8 = 0xa5;

/// What the layer tells of the poll, which is nothing here.
pub(crate) struct Link;

/// Pages for one receive ring.
pub(crate) struct Pool<'bound> {
    link: Link,
    bus: Bus,
    capacity: u32,
    /// Programs may look into the buffers.
    for_programs: bool,
    _dev: PhantomData<&'bound device::Device<Bound>>,
}

impl<'bound> Pool<'bound> {
    pub(crate) fn new<T: Operations>(
        _dev: &Device<T>,
        parent: &'bound device::Device<Bound>,
        _buffers: u32,
        len: u32,
    ) -> Result<Self> {
        let capacity = CAPACITIES
            .into_iter()
            .find(|&capacity| capacity >= len)
            .ok_or(EINVAL)?;
        kernel::alloc::allocate()?;
        Ok(Self {
            link: Link,
            bus: parent.bus().clone(),
            capacity,
            for_programs: false,
            _dev: PhantomData,
        })
    }

    pub(crate) fn for_programs<T: Operations>(
        dev: &Device<T>,
        parent: &'bound device::Device<Bound>,
        buffers: u32,
        len: u32,
    ) -> Result<Self> {
        assert!(len <= Self::program_capacity());
        Ok(Self {
            for_programs: true,
            ..Self::new(dev, parent, buffers, len)?
        })
    }

    pub(crate) fn program_capacity() -> u32 {
        CAPACITIES[0]
    }

    pub(super) fn is_for_programs(&self) -> bool {
        self.for_programs
    }

    pub(crate) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) fn fill(&mut self, _cx: &Process<'_>) -> Result<Buffer<'bound>> {
        kernel::alloc::allocate()?;
        Ok(self.buffer())
    }

    pub(crate) fn take<T: Operations>(&mut self, napi: &Poll<'_, T>) -> Result<Buffer<'bound>> {
        napi.dev().allocate()?;
        Ok(self.buffer())
    }

    fn buffer(&self) -> Buffer<'bound> {
        let page = vec![POISON; self.capacity as usize];
        Buffer {
            loan: self.bus.lend(page, Access::Both),
            _dev: PhantomData,
        }
    }
}

/// A page of a pool, mapped for the device to write a frame to.
pub(crate) struct Buffer<'bound> {
    loan: Loan,
    _dev: PhantomData<&'bound device::Device<Bound>>,
}

impl Buffer<'_> {
    pub(crate) fn address(&self) -> u64 {
        self.loan.address()
    }

    /// What a program has left is still as the device would find it.
    pub(crate) fn give_again(&mut self) {}

    /// Writes a frame to it.
    pub(super) fn put(&mut self, frame: &[u8]) {
        let written = self
            .loan
            .with_bytes(0, frame.len(), |bytes| bytes.copy_from_slice(frame));
        written.expect("room for what the program has made of it");
    }

    pub(super) fn frame(&self, len: u32) -> Result<Vec<u8>> {
        let len = len as usize;
        if !(HEADER_LEN..=self.loan.size()).contains(&len) {
            return Err(EINVAL);
        }
        self.loan.with_bytes(0, len, |bytes| bytes.to_vec())
    }
}

impl<'a, T: Operations> Poll<'a, T> {
    pub(crate) fn copy_received(
        &mut self,
        buffer: &mut Buffer<'_>,
        view: View,
    ) -> Result<Incoming<'a>> {
        let frame = buffer.frame(view.len())?;
        self.dev().allocate()?;
        Ok(Incoming::new(frame))
    }

    /// The packet is read at once, and the page of it gone: a device that writes there still goes astray.
    pub(crate) fn take_received<'bound>(
        &mut self,
        buffer: Buffer<'bound>,
        view: View,
    ) -> Result<Incoming<'a>, (Error, Buffer<'bound>)> {
        let frame = buffer
            .frame(view.len())
            .and_then(|frame| self.dev().allocate().map(|()| frame));
        match frame {
            Ok(frame) => Ok(Incoming::new(frame)),
            Err(error) => Err((error, buffer)),
        }
    }
}
