// SPDX-License-Identifier: GPL-2.0

//! The transceiver as the chip shows it: five registers of its own for the one inside, the wires of a
//! management bus for the one of an RTL8129.

#![forbid(unsafe_code)]

use super::{
    hw::{
        Bar,
        Hw, //
    },
    mdio, mii, regs,
};
use kernel::{
    io::Io,
    prelude::*,
    time::{
        delay::udelay,
        Delta, //
    },
};

/// Where the transceiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transceiver {
    /// In the chip.
    Internal,
    /// On the management bus, at this address.
    External(u8),
}

/// Finds the transceiver of a chip that has none inside; if there is none, what the chip's own registers say
/// is taken for it.
pub(super) fn find(bar: &Bar<'_>) -> Transceiver {
    mdio::scan(&mut MdioWires(bar)).map_or(Transceiver::Internal, Transceiver::External)
}

impl Hw<'_> {
    /// Whether there is a link.
    ///
    /// Not from CSCR, whose bit for a change QEMU never sets. Any context for an internal
    /// transceiver, process context for an external one, whose bus is slow.
    pub(crate) fn has_link(&self) -> bool {
        match self.transceiver() {
            Transceiver::Internal => !self.bar.read(regs::MSR).no_link(),
            Transceiver::External(_) => mii::Link::decode(self.link_registers()).up,
        }
    }

    /// The transceiver's registers that decide about the link. Context as for [`Self::has_link`].
    pub(crate) fn link_registers(&self) -> mii::Registers {
        // The status latches that the link was down; the second read is what is.
        self.read_phy(mii::Register::Status);
        mii::Registers {
            control: self.read_phy(mii::Register::Control),
            status: self.read_phy(mii::Register::Status),
            advertise: self.read_phy(mii::Register::Advertise),
            partner: self.read_phy(mii::Register::Partner),
        }
    }

    /// Reads a register of the transceiver.
    pub(crate) fn read_phy(&self, register: mii::Register) -> u16 {
        match self.transceiver() {
            Transceiver::Internal => self.read_internal_phy(register),
            Transceiver::External(phy) => self.read_bus(phy, register.number()),
        }
    }

    /// Writes a register of the transceiver; those that cannot be written ignore it.
    pub(crate) fn write_phy(&self, register: mii::Register, value: u16) {
        match self.transceiver() {
            Transceiver::Internal => self.write_internal_phy(register, value),
            Transceiver::External(phy) => self.write_bus(phy, register.number(), value),
        }
    }

    /// Reads a register of the transceiver at the address `phy` of the bus; all ones if there is
    /// none. Process context, under the instance lock or before there is an interface.
    pub(crate) fn read_bus(&self, phy: u8, register: u8) -> u16 {
        mdio::read(&mut MdioWires(&self.bar), phy, register).unwrap_or(u16::MAX)
    }

    /// Writes a register of the transceiver at the address `phy` of the bus. Context as for
    /// [`Self::read_bus`].
    pub(crate) fn write_bus(&self, phy: u8, register: u8, value: u16) {
        mdio::write(&mut MdioWires(&self.bar), phy, register, value);
    }

    fn read_internal_phy(&self, register: mii::Register) -> u16 {
        match register {
            mii::Register::Control => self.bar.read(regs::BMCR).into_raw(),
            mii::Register::Status => self.bar.read(regs::BMSR).into_raw(),
            mii::Register::Advertise => self.bar.read(regs::ANAR).into_raw(),
            mii::Register::Partner => self.bar.read(regs::ANLPAR).into_raw(),
            mii::Register::Expansion => self.bar.read(regs::ANER).into_raw(),
        }
    }

    fn write_internal_phy(&self, register: mii::Register, value: u16) {
        match register {
            mii::Register::Control => {
                self.unlocked(|bar| bar.write_reg(regs::BMCR::from(value)));
            }
            mii::Register::Status => self.bar.write_reg(regs::BMSR::from(value)),
            mii::Register::Advertise => self.bar.write_reg(regs::ANAR::from(value)),
            mii::Register::Partner => self.bar.write_reg(regs::ANLPAR::from(value)),
            mii::Register::Expansion => self.bar.write_reg(regs::ANER::from(value)),
        }
    }
}

/// The wires of the management bus, in the chip's register.
struct MdioWires<'a, 'bound>(&'a Bar<'bound>);

impl mdio::Wires for MdioWires<'_, '_> {
    fn drive(&mut self, clock: bool, data: Option<bool>) {
        self.0.write_reg(
            regs::MDIO::zeroed()
                .with_drive(data.is_some())
                .with_data(data.unwrap_or(false))
                .with_clock(clock),
        );
        // Brings the write to the chip before the time begins: half a cycle of 500 kHz.
        self.0.read(regs::MDIO);
        udelay(Delta::from_micros(1));
    }

    fn sense(&mut self) -> bool {
        self.0.read(regs::MDIO).answer()
    }
}
