// SPDX-License-Identifier: GPL-2.0

//! Wake on LAN.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    hw::{
        set_clock,
        Hw, //
    },
    nic::Nic,
    regs,
    rx_filter::Filter, //
};
use crate::net::{
    driver::Locked,
    ethtool::Wake, //
};
use kernel::{
    io::Io,
    sync::atomic::Relaxed, //
};

impl Hw<'_> {
    /// What the chip can wake the machine by.
    pub(crate) fn wakes_by(&self) -> Wake {
        if !self.chip.has_lwake {
            return Wake::none();
        }
        Wake::PHY
            .with(Wake::UNICAST)
            .with(Wake::MULTICAST)
            .with(Wake::BROADCAST)
            .with(Wake::MAGIC)
    }

    /// Sets what wakes the machine, in a chip that can.
    pub(super) fn set_wake(&self, wake: Wake) {
        let config3 = self.bar.read(regs::CONFIG3);
        let config5 = self.bar.read(regs::CONFIG5);
        self.unlocked(|bar| {
            bar.write_reg(
                config3
                    .with_magic(wake.contains(Wake::MAGIC))
                    .with_link(wake.contains(Wake::PHY)),
            );
            bar.write_reg(
                config5
                    .with_broadcast(wake.contains(Wake::BROADCAST))
                    .with_multicast(wake.contains(Wake::MULTICAST))
                    .with_unicast(wake.contains(Wake::UNICAST)),
            );
        });
    }

    /// Has a chip that is halted look for what is to wake the machine, in frames for `mac`, and for the groups
    /// of `filter`.
    ///
    /// [`Self::start`] and [`Self::disarm_wake`] undo it.
    pub(crate) fn arm_wake(&self, mac: &[u8; 6], filter: Filter, wake: Wake) {
        // Without a clock it hears nothing; and if it was without power while its interface was down, it knows
        // nothing.
        set_clock(&self.bar, true);
        self.set_power();
        self.set_mac(mac);
        self.set_table(filter);
        // It looks only into frames that it accepts. The receiver is off, so none gets to memory.
        self.bar.write_reg(
            regs::RCR::closed()
                .with_station(true)
                .with_broadcast(true)
                .with_multicast(wake.contains(Wake::MULTICAST)),
        );
        self.set_wake(wake);
    }

    /// Has a chip that is halted look for nothing any more.
    pub(crate) fn disarm_wake(&self) {
        self.set_wake(Wake::none());
        self.bar.write_reg(regs::RCR::closed());
        self.rest();
    }
}

impl Nic<'_> {
    /// What is to wake the machine.
    pub(crate) fn wake(&self, _cx: &Locked<'_, Self>) -> Wake {
        // ORDERING: Relaxed. The instance lock, which the token stands for, orders reads and writes.
        Wake::from_bits(self.wake.load(Relaxed))
    }

    /// Sets what is to wake the machine, when it sleeps.
    pub(crate) fn set_wake(&self, _cx: &Locked<'_, Self>, wake: Wake) {
        // ORDERING: Relaxed, see `wake`.
        self.wake.store(wake.bits(), Relaxed);
        self.place.set_wakeup(!wake.is_empty());
    }

    /// The machine goes to sleep, and the chip is halted: it is told what to wake for. Returns whether
    /// there is anything.
    pub(crate) fn arm_wake(&self, cx: &Locked<'_, Self>, up: Option<&Up>) -> bool {
        let wake = self.wake(cx);
        if wake.is_empty() {
            return false;
        }
        // For an interface that is down nobody has said which groups.
        let filter = up.map_or(Filter::station().all_multicast(), Up::filter);
        self.hw.arm_wake(&cx.dev().mac(), filter, wake);
        true
    }

    /// The machine is awake.
    pub(crate) fn disarm_wake(&self, cx: &Locked<'_, Self>) {
        if !self.wake(cx).is_empty() {
            self.hw.disarm_wake();
        }
    }
}
