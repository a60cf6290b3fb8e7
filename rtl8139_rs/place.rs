// SPDX-License-Identifier: GPL-2.0

//! The card's place on the bus: where it answers, and whether it may read and write memory.
//!
//! Configuration space says both. Any tool can change that, and a card without power forgets it. A card that
//! answers elsewhere does not hear that it is to stop, and one that is no bus master moves no frame, so the
//! driver looks at it wherever it depends on it.
//!
//! The card becomes a bus master when its interface goes up for the first time. It ceases to be one when it is
//! halted and does not confirm that: else it would go on to use memory that is freed.

#![forbid(unsafe_code)]

use super::hw::Health;
use crate::ext::{
    pci::Enabled,
    registers::Space, //
};
use kernel::{
    device::Bound,
    io::{
        register,
        Io, //
    },
    pci::Device,
    prelude::*, //
};

register! {
    /// The command register in configuration space.
    pub(crate) PCI_COMMAND(u16) @ 0x04 {
        /// The device may not drive its interrupt line.
        10:10 silent => bool;
        /// The device may read and write memory.
        2:2 master => bool;
        /// The device answers in its memory regions.
        1:1 memory => bool;
        /// The device answers in its regions of I/O ports.
        0:0 ports => bool;
    }

    /// The status register in configuration space; a written one clears.
    PCI_STATUS(u16) @ 0x06 {
        15:0 value;
    }

    /// Where the registers are as I/O ports.
    PCI_BASE_ADDRESS_0(u32) @ 0x10 {
        31:0 value;
    }

    /// Where the registers are in memory.
    PCI_BASE_ADDRESS_1(u32) @ 0x14 {
        31:0 value;
    }
}

impl PCI_COMMAND {
    /// What is read where nothing answers: the card is gone.
    fn is_all_ones(self) -> bool {
        self.into_raw() == u16::MAX
    }

    /// Whether the device answers in `space`.
    fn answers(self, space: Space) -> bool {
        match space {
            Space::Memory => self.memory(),
            Space::Ports => self.ports(),
        }
    }

    /// Has the device answer in `space`, or not.
    fn with_answers(self, space: Space, answers: bool) -> Self {
        match space {
            Space::Memory => self.with_memory(answers),
            Space::Ports => self.with_ports(answers),
        }
    }
}

/// Where the device answers in `space`.
fn base_address(device: &Device<Bound>, space: Space) -> u32 {
    let config = device.config_space();
    match space {
        Space::Memory => config.read(PCI_BASE_ADDRESS_1).into_raw(),
        Space::Ports => config.read(PCI_BASE_ADDRESS_0).into_raw(),
    }
}

/// Sets that.
fn set_base_address(device: &Device<Bound>, space: Space, address: u32) {
    let config = device.config_space();
    match space {
        Space::Memory => config.write_reg(PCI_BASE_ADDRESS_1::from(address)),
        Space::Ports => config.write_reg(PCI_BASE_ADDRESS_0::from(address)),
    }
}

/// The place that the bus has given to a card.
pub(crate) struct Place<'bound> {
    space: Space,
    /// The base address register.
    address: u32,
    /// The device is disabled with this value.
    enabled: Enabled<'bound>,
}

impl<'bound> Place<'bound> {
    /// That of a card which was found in `space`.
    pub(crate) fn of(enabled: Enabled<'bound>, space: Space) -> Self {
        Self {
            space,
            address: base_address(enabled.device(), space),
            enabled,
        }
    }

    /// The device on the bus.
    pub(crate) fn device(&self) -> &'bound Device<Bound> {
        self.enabled.device()
    }

    /// Has the bus pass on that the card wants to wake the machine, or not. Process context.
    pub(crate) fn set_wakeup(&self, wakes: bool) {
        self.enabled.set_wakeup(wakes);
    }

    /// Whether a card with this command register answers where it is asked.
    fn is_heard(&self, command: PCI_COMMAND) -> bool {
        command.answers(self.space) && base_address(self.device(), self.space) == self.address
    }

    /// Whether the card is there, and has its place; of one that does, the chip itself may be asked further.
    pub(crate) fn health(&self) -> Health {
        let command = self.device().config_space().read(PCI_COMMAND);
        if command.is_all_ones() {
            Health::Gone
        } else if self.is_heard(command) && command.master() {
            Health::Well
        } else {
            Health::Stopped
        }
    }

    /// Has a card that does not answer where it is asked do so again. Returns whether there was anything to do.
    /// Any context.
    ///
    /// The handler and a control operation may do so at the same time: both write the same.
    pub(crate) fn restore_registers(&self) -> bool {
        let config = self.device().config_space();
        let command = config.read(PCI_COMMAND);
        if command.is_all_ones() || self.is_heard(command) {
            return false;
        }
        // What is at the address where it answers now may be another's.
        config.write_reg(command.with_answers(self.space, false));
        set_base_address(self.device(), self.space, self.address);
        config.write_reg(command.with_answers(self.space, true));
        true
    }

    /// Gives the card of an interface that is up all of its place again, if it has lost some. Returns whether
    /// it had. Any context.
    pub(crate) fn restore(&self) -> bool {
        let unheard = self.restore_registers();
        let config = self.device().config_space();
        let command = config.read(PCI_COMMAND);
        let idle = !command.master();
        if idle {
            config.write_reg(command.with_master(true));
        }
        unheard || idle
    }

    /// Makes the card a bus master, which may read and write memory, and lets it interrupt. Process context.
    pub(crate) fn give_memory(&self) {
        self.enabled.set_master();
        self.silence(false);
    }

    /// Takes the interrupt line from a card that does not hear anything else, or gives it back. Any context. (Cards
    /// older than PCI 2.3 do not hear that either.)
    pub(crate) fn silence(&self, silent: bool) {
        let config = self.device().config_space();
        let command = config.read(PCI_COMMAND);
        if command.silent() != silent && !command.is_all_ones() {
            config.write_reg(command.with_silent(silent));
        }
    }

    /// Ends that it is a bus master: whatever it does, it does not get at memory. Process context.
    pub(crate) fn take_memory(&self) {
        self.enabled.clear_master();
    }

    /// Clears and reports the error that the bus has noted.
    pub(crate) fn clear_error(&self) {
        let config = self.device().config_space();
        let status = config.read(PCI_STATUS);
        config.write_reg(status);
        dev_err!(
            self.device(),
            "error on the bus, status {:#06x}\n",
            status.into_raw()
        );
    }
}
