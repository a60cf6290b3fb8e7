// SPDX-License-Identifier: GPL-2.0

//! Devices.

use crate::dma::Bus;
use std::marker::PhantomData;

/// A driver is bound.
pub struct Bound;

/// A device, as any bus has it.
pub struct Device<C> {
    bus: Bus,
    _context: PhantomData<C>,
}

impl<C> Device<C> {
    pub(crate) fn new(bus: Bus) -> Self {
        Self {
            bus,
            _context: PhantomData,
        }
    }

    /// Not in the kernel: the bus that its memory is on.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }
}
