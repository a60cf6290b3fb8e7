// SPDX-License-Identifier: GPL-2.0

//! The link, as the stack and the user know it.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    mdio,
    mii,
    nic::Nic,
    transceiver::Transceiver, //
};
use crate::{
    net::{
        driver,
        ethtool::MESSAGES_LINK, //
    },
    netdev_info, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

impl Nic<'_> {
    /// What the poll looks at from time to time, whether or not anything was said: the link, unless that is the
    /// affair of who holds the instance lock, and the count of missed frames.
    #[cold]
    pub(super) fn look_around(&self, dev: &driver::Device<Self>) {
        self.missed_frames();
        if !self.hw.polls_link() {
            self.check_link(dev);
        }
    }

    /// Finds out whether there is a link, and tells the stack and the log of a change.
    ///
    /// Not to be called by two at a time: in the poll where the chip reports changes, under the
    /// instance lock where it does not, or while nothing else runs.
    pub(crate) fn check_link(&self, dev: &driver::Device<Self>) {
        let up = self.hw.has_link();
        let link = mii::Link::decode(self.hw.link_registers());
        // ORDERING: Relaxed, see where it is read.
        self.half_duplex.store(up && !link.full_duplex, Relaxed);
        if up == dev.carrier_ok() {
            return;
        }
        let tell = self.messages() & MESSAGES_LINK != 0;
        if up {
            if tell {
                let duplex = if link.full_duplex { "full" } else { "half" };
                netdev_info!(
                    dev,
                    "link up, {} Mbit/s, {} duplex\n",
                    link.speed.mbps(),
                    duplex
                );
            }
            dev.carrier_on();
        } else {
            if tell {
                netdev_info!(dev, "link down\n");
            }
            dev.carrier_off();
        }
    }

    /// The number under which user space knows the transceiver.
    pub(crate) fn phy_address(&self) -> u8 {
        match self.hw.transceiver() {
            Transceiver::Internal => mii::PHY_ADDRESS,
            Transceiver::External(address) => address,
        }
    }

    /// Reads a register of the transceiver at the address `phy`, for the user, while the interface is up.
    /// Under the instance lock.
    pub(crate) fn read_mii(&self, up: Option<&Up>, phy: u8, reg: u8) -> Result<u16> {
        if up.is_none() {
            return Err(EINVAL);
        }
        Ok(match (self.hw.transceiver(), phy) {
            // A register that the transceiver does not have reads as zero.
            (Transceiver::Internal, mii::PHY_ADDRESS) => {
                mii::Register::from_number(reg.into()).map_or(0, |reg| self.hw.read_phy(reg))
            }
            (Transceiver::External(_), 0..mdio::ADDRESSES) => self.hw.read_bus(phy, reg),
            _ => u16::MAX,
        })
    }

    /// Writes one likewise. What cannot be written ignores it.
    pub(crate) fn write_mii(&self, up: Option<&Up>, phy: u8, reg: u8, value: u16) -> Result {
        if up.is_none() {
            return Err(EINVAL);
        }
        match (self.hw.transceiver(), phy) {
            (Transceiver::Internal, mii::PHY_ADDRESS) => {
                if let Some(reg) = mii::Register::from_number(reg.into()) {
                    self.hw.write_phy(reg, value);
                }
            }
            (Transceiver::External(_), 0..mdio::ADDRESSES) => self.hw.write_bus(phy, reg, value),
            _ => {}
        }
        Ok(())
    }
}
