// SPDX-License-Identifier: GPL-2.0

//! The chip as a whole: power, reset, address, transceiver.
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
    eeprom::{
        self,
        Wires, //
    },
    mdio, mii,
    regs::{
        self,
        EepromMode,
        Loopback, //
    },
    rx_filter::Filter,
};
use crate::{
    ext::registers::Registers,
    net::ethtool::Wake, //
};
use kernel::{
    io::{
        poll::read_poll_timeout,
        register::Array,
        Io, //
    },
    prelude::*,
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta, //
    },
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

/// Where the transceiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transceiver {
    /// In the chip.
    Internal,
    /// On the management bus, at this address.
    External(u8),
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
    board: Board,
    transceiver: Transceiver,
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
    /// Fails with `EIO` if nothing answers: what is read then may be all ones or zero, but never what was
    /// written.
    pub(crate) fn new(bar: Bar<'bound>, board: Board) -> Result<Self> {
        set_clock(&bar, true);
        let tcr = bar.read(regs::TCR).into_raw();
        if tcr == u32::MAX {
            return Err(EIO);
        }
        let mut hw = Self {
            bar,
            chip: chip::identify(tcr),
            board,
            transceiver: Transceiver::Internal,
        };
        hw.set_power();
        hw.reset()?;
        // Any value that is neither; a start sets the table.
        let kept = 0x5aa5_8139;
        hw.bar.write(regs::MAR::at(0), regs::MAR::from(kept));
        if hw.bar.read(regs::MAR::at(0)).into_raw() != kept {
            return Err(EIO);
        }
        if board == Board::Rtl8129 {
            if let Some(address) = mdio::scan(&mut MdioWires(&hw.bar)) {
                hw.transceiver = Transceiver::External(address);
            }
        }
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

    /// Whether the chip does not report changes of the link, so that it must be looked at.
    pub(crate) fn polls_link(&self) -> bool {
        self.board == Board::Rtl8129
    }

    /// Runs `f` with the configuration registers unlocked.
    fn unlocked<R>(&self, f: impl FnOnce(&Bar<'bound>) -> R) -> R {
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Unlocked));
        let result = f(&self.bar);
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Normal));
        result
    }

    /// Brings the chip out of what firmware or another driver may have left: powered down, or
    /// scanning frames for those that wake a machine.
    fn set_power(&self) {
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
    fn set_wake(&self, wake: Wake) {
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

    /// Has a chip that is halted look for what is to wake the machine, in frames for `mac`.
    ///
    /// [`Self::start`] and [`Self::disarm_wake`] undo it.
    pub(crate) fn arm_wake(&self, mac: &[u8; 6], wake: Wake) {
        // Without a clock it hears nothing.
        set_clock(&self.bar, true);
        self.set_mac(mac);
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

    /// Stops the clock of a chip that is halted, where it can be stopped.
    fn rest(&self) {
        if self.chip.halts_clock {
            set_clock(&self.bar, false);
        }
    }

    /// Resets the chip, and waits until it is done. Process context.
    ///
    /// Receiver and transmitter are off afterwards, and nothing is enabled to interrupt. Fails with
    /// `EIO` if that takes longer than 10 ms, a hundred times what the datasheet allows, or if the
    /// device is gone.
    pub(crate) fn reset(&self) -> Result {
        self.bar.write_reg(regs::CR::zeroed().with_reset(true));
        read_poll_timeout(
            || Ok(self.bar.read(regs::CR)),
            |cr| !cr.reset(),
            Delta::from_micros(10),
            Delta::from_millis(10),
        )
        .map_err(|_| EIO)?;
        Ok(())
    }

    /// The address of the card, from its EEPROM or else from the registers that the chip loaded from
    /// there; `None` if both are nonsense.
    pub(crate) fn permanent_mac(&self) -> Option<[u8; 6]> {
        let from_eeprom = self.with_eeprom(|wires| {
            let width = eeprom::probe(wires)?;
            Some(eeprom::read_mac(wires, width))
        });
        from_eeprom
            .filter(eeprom::is_valid_mac)
            .or_else(|| Some(self.mac()).filter(eeprom::is_valid_mac))
    }

    /// Calls `f` with the wires of the EEPROM. As long as it has them, the chip cannot get at memory: not
    /// while it runs.
    fn with_eeprom<R>(&self, f: impl FnOnce(&mut EepromWires<'_, 'bound>) -> R) -> R {
        let result = f(&mut EepromWires(&self.bar));
        // Gives the wires back to the chip.
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Normal));
        result
    }

    /// Reads all of the EEPROM; `None` if there is none. In probe: see [`Self::with_eeprom`].
    pub(crate) fn read_eeprom(&self) -> Option<eeprom::Contents> {
        self.with_eeprom(|wires| eeprom::Contents::read(wires))
    }

    /// Writes the EEPROM. Process context, under the instance lock, while the chip is halted.
    ///
    /// It takes some milliseconds for each word. Fails with `EIO` at the first that the memory does not
    /// take: QEMU's takes none.
    pub(crate) fn write_eeprom(
        &self,
        contents: &mut eeprom::Contents,
        offset: usize,
        data: &[u8],
    ) -> Result {
        set_clock(&self.bar, true);
        let result = self.with_eeprom(|wires| contents.write(wires, offset, data));
        self.rest();
        result.map_err(|eeprom::NotWritten| EIO)
    }

    /// The address that the chip answers to.
    fn mac(&self) -> [u8; 6] {
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

    /// Resets and starts the chip; its interrupt stays masked.
    pub(crate) fn start(
        &self,
        memory: &Memory,
        mac: &[u8; 6],
        filter: Filter,
        loopback: Loopback,
    ) -> Result {
        set_clock(&self.bar, true);
        self.reset()?;
        self.set_power();
        self.set_mac(mac);

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
        self.open_receiver(filter);

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
                .with_dual_address(size_of::<usize>() > 4)
                .with_read_multiple(true)
                .with_receive(true)
                .with_transmit(true),
        );
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
    /// receiver has written to, as [`Self::restart_receiver`].
    pub(crate) fn halt(&self) -> u16 {
        self.bar.write_reg(regs::IMR::zeroed());
        self.bar.write_reg(regs::CR::zeroed());
        let end = self.bar.read(regs::CBR).into_raw();
        // A transfer that has begun goes on after that. The reset ends it; if a chip does not come
        // back from its reset, it is beyond help.
        let _ = self.reset();
        self.rest();
        end
    }

    /// Whether there is a link.
    ///
    /// Not from CSCR, whose bit for a change QEMU never sets. Any context for an internal
    /// transceiver, process context for an external one, whose bus is slow.
    pub(crate) fn has_link(&self) -> bool {
        match self.transceiver {
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
        match self.transceiver {
            Transceiver::Internal => self.read_internal_phy(register),
            Transceiver::External(phy) => self.read_bus(phy, register.number()),
        }
    }

    /// Writes a register of the transceiver; those that cannot be written ignore it.
    pub(crate) fn write_phy(&self, register: mii::Register, value: u16) {
        match self.transceiver {
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

/// Lets the clock run, or stops it.
fn set_clock(bar: &Bar<'_>, run: bool) {
    bar.write_reg(regs::HLTCLK::from(if run { b'R' } else { b'H' }));
}

/// The wires of the EEPROM, in the chip's register.
struct EepromWires<'a, 'bound>(&'a Bar<'bound>);

impl Wires for EepromWires<'_, '_> {
    fn drive(&mut self, state: eeprom::State) {
        self.0.write_reg(
            regs::CR9346::zeroed()
                .with_mode(EepromMode::Program)
                .with_select(state.select)
                .with_clock(state.clock)
                .with_data(state.data),
        );
        // Brings the write to the chip before the time begins: half a cycle of 500 kHz.
        self.0.read(regs::CR9346);
        udelay(Delta::from_micros(1));
    }

    fn sense(&mut self) -> bool {
        self.0.read(regs::CR9346).answer()
    }

    fn pause(&mut self) {
        fsleep(Delta::from_millis(1));
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
