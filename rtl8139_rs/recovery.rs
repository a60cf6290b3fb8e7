// SPDX-License-Identifier: GPL-2.0

//! Recovery: how the card is, and what is done if it is not well.
//!
//! A chip that was reset behind the driver's back, or a card that has lost its place on the bus, answers
//! nothing, or moves no frame, and does not say so: it is looked after from time to time. The answer is
//! always the same, a reset, in process context. A card that is not there any more is hidden from the
//! stack.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    hw::Health,
    nic::Nic,
    path::{
        self,
        Rx, //
    },
};
use crate::{
    ext::registers::Space,
    net::{
        driver::{
            Events,
            Locked, //
        },
        napi::Poll, //
    },
    netdev_err, //
};
use kernel::{
    io::{
        register,
        Io, //
    },
    prelude::*, //
};

/// The chip is to be reset, to recover.
pub(crate) const RESET: Events = Events::bit::<0>();
/// The chip has reported an error on the bus.
pub(crate) const BUS_ERROR: Events = Events::bit::<1>();
/// The device has ceased to answer.
pub(crate) const GONE: Events = Events::bit::<2>();

register! {
    /// The command register in configuration space.
    PCI_COMMAND(u16) @ 0x04 {
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
}

impl Nic<'_> {
    /// Whether the card answers where it is asked, and may read and write memory.
    fn has_place(&self, command: PCI_COMMAND) -> bool {
        let answers = match self.hw.bar.space() {
            Space::Memory => command.memory(),
            Space::Ports => command.ports(),
        };
        answers && command.master()
    }

    /// How the card is: the chip, and its place on the bus.
    fn health(&self) -> Health {
        let command = self.pdev().config_space().read(PCI_COMMAND);
        if command.into_raw() == u16::MAX {
            Health::Gone
        } else if !self.has_place(command) {
            Health::Stopped
        } else {
            self.hw.health()
        }
    }

    /// Gives the card its place on the bus again, if it has lost that. Returns whether it had. Any context.
    ///
    /// The handler and a control operation may do so at the same time: both write the same.
    pub(crate) fn restore_place(&self) -> bool {
        let config = self.pdev().config_space();
        let command = config.read(PCI_COMMAND);
        let lost = !self.has_place(command);
        if lost {
            let command = match self.hw.bar.space() {
                Space::Memory => command.with_memory(true),
                Space::Ports => command.with_ports(true),
            };
            config.write_reg(command.with_master(true));
        }
        lost
    }

    /// Whether the card is there, once it has its place on the bus again. While nothing else uses it.
    pub(crate) fn answers(&self) -> bool {
        self.restore_place();
        self.health() != Health::Gone
    }

    /// Clears and reports the error that the bus has noted.
    pub(crate) fn clear_bus_error(&self) {
        let config = self.pdev().config_space();
        let status = config.read(PCI_STATUS);
        config.write_reg(status);
        dev_err!(
            self.pdev(),
            "error on the bus, status {:#06x}\n",
            status.into_raw()
        );
    }

    /// Looks after the card, in the poll. Returns whether it is well; what is to be done if it is not is
    /// scheduled, and nothing else may be read of it until then.
    pub(crate) fn is_well(&self, up: &Up, rx: &mut Rx<'_>, napi: &Poll<'_, Self>) -> bool {
        // What else is read of a chip that does not answer is no truth: a position in the ring, say.
        // And one that was reset knows no address of memory, so it must not be made to receive.
        match self.health() {
            Health::Well => {
                up.renew(&self.hw);
                true
            }
            Health::Stopped => {
                path::distrust(rx);
                napi.schedule_work(RESET);
                false
            }
            Health::Gone => {
                up.note_gone(&self.hw);
                napi.schedule_work(GONE);
                false
            }
        }
    }

    /// Resets the chip, with all frames in flight. It gets its place on the bus back on the way down.
    ///
    /// What fails is tried again in a while, unless the card is not there any more.
    pub(crate) fn recover(&self, cx: &mut Locked<'_, Self>) {
        self.counters.resets.increment();
        if let Err(error) = cx.restart() {
            netdev_err!(cx.dev(), "reset failed: {:?}\n", error);
            if self.health() == Health::Gone {
                self.give_up(cx);
            }
        }
    }

    /// Looks at a card again that has ceased to answer.
    pub(crate) fn recover_or_give_up(&self, cx: &mut Locked<'_, Self>) {
        // A single word of all ones may be the bus's, not the card's.
        if self.health() == Health::Gone {
            self.give_up(cx);
        } else {
            self.recover(cx);
        }
    }

    /// Hides a card that is not there any more from the stack.
    fn give_up(&self, cx: &mut Locked<'_, Self>) {
        netdev_err!(cx.dev(), "the device does not answer any more\n");
        cx.dev().carrier_off();
        cx.detach();
    }
}
