// SPDX-License-Identifier: GPL-2.0

//! The chip as a whole: power, reset, address, receiver.
//!
//! Nothing here is on the path of a frame. Configuration registers are behind a lock in the chip, so
//! whoever unlocks them must be alone; all functions that do run in probe or under the instance lock
//! of the interface.

#![forbid(unsafe_code)]

use super::{
    chip::{
        self,
        Chip, //
    },
    eeprom,
    regs::{
        self,
        EepromMode,
        Loopback, //
    },
    rx_filter::Filter,
    transceiver::{
        self,
        Transceiver, //
    },
};
use crate::{
    ext::registers::Registers,
    net::ethtool::Wake, //
};
use kernel::{
    dma::DmaAddress,
    io::{
        poll::read_poll_timeout,
        register::Array,
        Io, //
    },
    prelude::*,
    time::Delta, //
};

/// The register file.
pub(crate) type Bar<'bound> = Registers<'bound, { regs::SIZE }>;

/// Which card it is, as far as it matters beside the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Board {
    /// Any with a chip of the RTL8139 family, which has a transceiver inside.
    Rtl8139,
    /// One with an RTL8129, whose transceiver is a chip of its own and does not report that the link
    /// has changed.
    Rtl8129,
}

impl Board {
    /// The number in the table of ids.
    pub(crate) const fn id(self) -> usize {
        match self {
            Self::Rtl8139 => 0,
            Self::Rtl8129 => 1,
        }
    }

    /// The inverse of [`Self::id`].
    pub(crate) fn from_id(id: usize) -> Self {
        if id == Self::Rtl8129.id() {
            Self::Rtl8129
        } else {
            Self::Rtl8139
        }
    }
}

/// How a chip is that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It receives and sends.
    Well,
    /// It does not: it was reset, or it has lost its place on the bus.
    Stopped,
    /// It is not there: what is read is all ones.
    Gone,
}

/// The chip.
pub(crate) struct Hw<'bound> {
    /// Its registers.
    pub(crate) bar: Bar<'bound>,
    /// What is known of it.
    pub(crate) chip: &'static Chip,
    /// By what it was known, bits of TCR.
    version: u32,
    board: Board,
    transceiver: Transceiver,
    eeprom: Option<eeprom::Width>,
}

/// Where the chip finds what it works with, and so the mode that it works in; addresses on the bus.
pub(crate) enum Memory {
    /// The classic mode.
    Classic {
        /// The receive ring.
        ring: u32,
        /// The frames of the four slots.
        slots: [u32; 4],
    },
    /// The C+ mode.
    CPlus {
        /// The receive descriptors.
        receive: u64,
        /// The transmit descriptors.
        transmit: u64,
        /// What is done to frames on their way.
        offloads: Offloads,
    },
}

/// What a chip in the C+ mode does to received frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offloads {
    /// Takes the VLAN tag off.
    pub(crate) vlan: bool,
    /// Checks the checksum.
    pub(crate) checksum: bool,
}

impl<'bound> Hw<'bound> {
    /// Wakes a chip, finds out which it is and resets it.
    ///
    /// Fails with `EIO` if nothing answers.
    pub(crate) fn new(bar: Bar<'bound>, board: Board) -> Result<Self> {
        set_clock(&bar, true);
        let tcr = bar.read(regs::TCR).into_raw();
        if tcr == u32::MAX {
            return Err(EIO);
        }
        let mut hw = Self {
            bar,
            chip: chip::identify(tcr),
            version: tcr & chip::VERSION_MASK,
            board,
            transceiver: Transceiver::Internal,
            eeprom: None,
        };
        hw.set_power();
        hw.reset()?;
        if board == Board::Rtl8129 {
            hw.transceiver = transceiver::find(&hw.bar);
        }
        hw.eeprom = hw.find_eeprom();
        Ok(hw)
    }

    /// The name of what was found.
    pub(crate) fn name(&self) -> &'static str {
        match self.board {
            Board::Rtl8139 => self.chip.name,
            Board::Rtl8129 => "RTL-8129",
        }
    }

    /// Where the transceiver is.
    pub(crate) fn transceiver(&self) -> Transceiver {
        self.transceiver
    }

    /// Which EEPROM there is.
    pub(crate) fn eeprom(&self) -> Option<eeprom::Width> {
        self.eeprom
    }

    /// Whether the chip does not report changes of the link, so that it must be looked at.
    pub(crate) fn polls_link(&self) -> bool {
        self.board == Board::Rtl8129
    }

    /// Runs `f` with the configuration registers unlocked.
    pub(super) fn unlocked<R>(&self, f: impl FnOnce(&Bar<'bound>) -> R) -> R {
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Unlocked));
        let result = f(&self.bar);
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Normal));
        result
    }

    /// Brings the chip out of what firmware or another driver may have left: powered down, or
    /// scanning frames for those that wake a machine.
    pub(super) fn set_power(&self) {
        let config1 = self.bar.read(regs::CONFIG1);
        if !self.chip.has_lwake {
            let awake = config1.with_sleep(false).with_power(false);
            self.unlocked(|bar| bar.write_reg(awake));
            return;
        }
        let config4 = self.bar.read(regs::CONFIG4);
        self.unlocked(|bar| {
            bar.write_reg(config1.with_lwake(false).with_power(true));
            bar.write_reg(config4.with_lwptn(false));
        });
        self.set_wake(Wake::none());
    }

    /// Stops the clock of a chip that is halted, where it can be stopped.
    pub(super) fn rest(&self) {
        if self.chip.halts_clock {
            set_clock(&self.bar, false);
        }
    }

    /// Resets the chip, and waits until it is done. Process context.
    ///
    /// Receiver and transmitter are off afterwards, and nothing is enabled to interrupt; what the multicast
    /// table is, [`Self::open_receiver`] has to say. Fails with `EIO` if that takes longer than 10 ms, a hundred
    /// times what the datasheet allows, or if nothing answers: what is read then may be all ones or zero, as if
    /// the reset had ended, but never what was written.
    pub(crate) fn reset(&self) -> Result {
        self.bar.write_reg(regs::CR::zeroed().with_reset(true));
        read_poll_timeout(
            || Ok(self.bar.read(regs::CR)),
            |cr| !cr.reset(),
            Delta::from_micros(10),
            Delta::from_millis(10),
        )
        .map_err(|_| EIO)?;
        // Any value that is neither.
        let kept = 0x5aa5_8139;
        self.bar.write(regs::MAR::at(0), regs::MAR::from(kept));
        if self.bar.read(regs::MAR::at(0)).into_raw() == kept {
            Ok(())
        } else {
            Err(EIO)
        }
    }

    /// The address that the chip answers to.
    pub(super) fn mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.bar.read(regs::IDR0).into_raw().to_le_bytes();
        let [e, f, ..] = self.bar.read(regs::IDR4).into_raw().to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// Sets the address that the chip answers to.
    pub(crate) fn set_mac(&self, mac: &[u8; 6]) {
        let &[a, b, c, d, e, f] = mac;
        self.unlocked(|bar| {
            bar.write_reg(regs::IDR0::from(u32::from_le_bytes([a, b, c, d])));
            bar.write_reg(regs::IDR4::from(u32::from_le_bytes([e, f, 0, 0])));
        });
    }

    /// Resets a chip that is to be started. Whatever it was told before, of memory, counts no more.
    pub(crate) fn wake_up(&self, mac: &[u8; 6]) -> Result {
        set_clock(&self.bar, true);
        self.reset()?;
        self.set_power();
        self.set_mac(mac);
        Ok(())
    }

    /// Starts a chip after [`Self::wake_up`]. Its interrupt stays masked, and its receiver accepts nothing before
    /// [`Self::open_receiver`].
    pub(crate) fn start(&self, memory: &Memory, loopback: Loopback) -> Result {
        match *memory {
            Memory::Classic { ring, slots } => self.set_classic(ring, slots),
            Memory::CPlus {
                receive,
                transmit,
                offloads,
            } => self.set_cplus(receive, transmit, offloads),
        }
        self.bar.write_reg(regs::MPC::zeroed());
        // No interrupt in the middle of a frame.
        self.bar
            .update(regs::MULINT, |mulint| mulint.with_const_early::<0>());

        // The configurations take effect only in a chip whose receiver and transmitter run.
        self.bar
            .write_reg(regs::CR::zeroed().with_receive(true).with_transmit(true));
        self.bar
            .write_reg(regs::TCR::standard().with_loopback(loopback));

        let cr = self.bar.read(regs::CR);
        if !cr.receive() || !cr.transmit() || cr.reset() {
            return Err(EIO);
        }
        Ok(())
    }

    /// The chip is in the classic mode after a reset, unless the C+ mode is entered.
    fn set_classic(&self, ring: u32, slots: [u32; 4]) {
        self.bar.write_reg(regs::RBSTART::from(ring));
        for (i, &address) in slots.iter().enumerate() {
            if let Some(location) = regs::TSA::try_at(i) {
                self.bar.write(location, regs::TSA::from(address));
            }
        }
    }

    /// Enters the C+ mode. In it the registers of the addresses have another meaning, so it is entered
    /// first. A receiver or transmitter that starts begins with the first descriptor.
    fn set_cplus(&self, receive: u64, transmit: u64, offloads: Offloads) {
        self.set_offloads(offloads);
        // CAST: Both words of the address.
        let words = |address: u64| [address as u32, (address >> 32) as u32];
        for (i, word) in words(receive).into_iter().enumerate() {
            if let Some(location) = regs::RDSAR::try_at(i) {
                self.bar.write(location, regs::RDSAR::from(word));
            }
        }
        for (i, word) in words(transmit).into_iter().enumerate() {
            if let Some(location) = regs::TNPDS::try_at(i) {
                self.bar.write(location, regs::TNPDS::from(word));
            }
            if let Some(location) = regs::THPDS::try_at(i) {
                self.bar.write(location, regs::THPDS::zeroed());
            }
        }
        self.bar
            .write_reg(regs::ETTHR::zeroed().with_const_threshold::<8>());
    }

    /// Sets what a chip in the C+ mode does to received frames; one that is not enters it. It holds for
    /// the frames that come after.
    pub(crate) fn set_offloads(&self, offloads: Offloads) {
        self.bar.write_reg(
            regs::CPCR::zeroed()
                .with_receive_vlan(offloads.vlan)
                .with_receive_checksum(offloads.checksum)
                .with_dual_address(size_of::<DmaAddress>() > 4)
                .with_read_multiple(true)
                .with_receive(true)
                .with_transmit(true),
        );
    }

    /// Whether what answers is the chip: where nothing is, QEMU answers with zero, a bus with ones. Any context.
    pub(crate) fn is_there(&self) -> bool {
        self.bar.read(regs::TCR).into_raw() & chip::VERSION_MASK == self.version
    }

    /// How the chip is that was started.
    pub(crate) fn health(&self) -> Health {
        let cr = self.bar.read(regs::CR);
        if cr.into_raw() == u8::MAX {
            Health::Gone
        } else if !cr.receive() || !cr.transmit() {
            Health::Stopped
        } else {
            Health::Well
        }
    }

    /// Sets the filter of a receiver that runs. In the classic mode the ring is empty afterwards.
    pub(crate) fn open_receiver(&self, filter: Filter) {
        self.set_table(filter);
        self.bar.write_reg(
            regs::RCR::closed()
                .with_station(true)
                .with_broadcast(true)
                .with_multicast(filter.multicast)
                .with_all(filter.promiscuous)
                .with_errors(filter.errors)
                .with_runts(filter.errors),
        );
    }

    /// Sets the multicast hash table.
    pub(crate) fn set_table(&self, filter: Filter) {
        let (low, high) = filter.words();
        self.bar.write(regs::MAR::at(0), regs::MAR::from(low));
        self.bar.write(regs::MAR::at(1), regs::MAR::from(high));
    }

    /// Stops the receiver, calls `while_stopped`, and starts it with `filter`. Any context.
    ///
    /// `while_stopped` gets to know where the receiver has written to, a value of CBR: what is below was
    /// received, and is nowhere noted any more.
    ///
    /// This is how the position in the ring is found again, and the only way to change the filter:
    /// QEMU empties the ring at each write of the configuration, chips when the receiver starts. It
    /// starts without accepting anything, so that both agree that it begins at offset 0.
    pub(crate) fn restart_receiver(&self, filter: Filter, while_stopped: impl FnOnce(u16)) {
        let transmit = regs::CR::zeroed().with_transmit(true);
        self.bar.write_reg(transmit);
        while_stopped(self.bar.read(regs::CBR).into_raw());
        self.bar.write_reg(regs::RCR::closed());
        self.bar.write_reg(transmit.with_receive(true));
        self.open_receiver(filter);
    }

    /// Stops the chip: no access to memory and no frame any more. Process context. Returns where the
    /// receiver has written to, as [`Self::restart_receiver`], and whether the chip has stopped.
    pub(crate) fn halt(&self) -> (u16, Result) {
        self.bar.write_reg(regs::IMR::zeroed());
        self.bar.write_reg(regs::CR::zeroed());
        let end = self.bar.read(regs::CBR).into_raw();
        // A transfer that has begun goes on after that. The reset ends it.
        let stopped = self.reset();
        self.rest();
        (end, stopped)
    }
}

/// Lets the clock run, or stops it.
pub(super) fn set_clock(bar: &Bar<'_>, run: bool) {
    bar.write_reg(regs::HLTCLK::from(if run { b'R' } else { b'H' }));
}
