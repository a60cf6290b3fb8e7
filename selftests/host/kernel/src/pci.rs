// SPDX-License-Identifier: GPL-2.0

//! Devices on the PCI bus.

use crate::{
    device,
    dma::Bus,
    io::{
        Io,
        Registers, //
    },
};
use std::marker::PhantomData;

/// A device with its two regions of registers.
pub struct Device<C> {
    device: device::Device<C>,
    config: Box<dyn Registers + Send>,
    _context: PhantomData<C>,
}

impl<C> Device<C> {
    /// A device that moves memory over `bus`, and answers in configuration space by `config`.
    pub fn new(bus: Bus, config: Box<dyn Registers + Send>) -> Self {
        Self {
            device: device::Device::new(bus),
            config,
            _context: PhantomData,
        }
    }

    pub fn config_space(&self) -> ConfigSpace<'_> {
        ConfigSpace(&*self.config)
    }

    pub fn revision_id(&self) -> u8 {
        0x10
    }
}

impl<C> AsRef<device::Device<C>> for Device<C> {
    fn as_ref(&self) -> &device::Device<C> {
        &self.device
    }
}

/// The registers in configuration space.
pub struct ConfigSpace<'a>(&'a dyn Registers);

impl Io for ConfigSpace<'_> {
    fn registers(&self) -> &dyn Registers {
        self.0
    }

    fn size(&self) -> usize {
        256
    }
}

/// A mapped region of `SIZE` bytes.
pub struct Bar<'a, const SIZE: usize>(&'a (dyn Registers + Send));

impl<'a, const SIZE: usize> Bar<'a, SIZE> {
    /// The region in which `registers` answers.
    pub fn new(registers: &'a (dyn Registers + Send)) -> Self {
        Self(registers)
    }
}

impl<const SIZE: usize> Io for Bar<'_, SIZE> {
    fn registers(&self) -> &dyn Registers {
        self.0
    }

    fn size(&self) -> usize {
        SIZE
    }
}
