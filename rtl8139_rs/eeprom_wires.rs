// SPDX-License-Identifier: GPL-2.0

//! The EEPROM as the chip shows it: its wires are bits of a register.
//!
//! As long as the driver has the wires, the chip can neither get at memory nor at the network, so nothing is read
//! of the EEPROM while the chip runs. What `ethtool` shows was read before: not when the driver got the card,
//! which wants to know the address alone, but at the first start, or when it is asked for before that. All of it
//! takes 6 ms in QEMU and more on a bus, where each of some 8000 accesses takes around a microsecond.

#![forbid(unsafe_code)]

use super::{
    eeprom::{
        self,
        Wires, //
    },
    gate::Up,
    hw::{
        set_clock,
        Bar,
        Hw, //
    },
    nic::Nic,
    regs::{
        self,
        EepromMode, //
    },
};
use crate::net::driver::Locked;
use kernel::{
    io::Io,
    prelude::*,
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta, //
    },
};

impl<'bound> Hw<'bound> {
    /// The address of the card, from its EEPROM or else from the registers that the chip loaded from
    /// there; `None` if both are nonsense.
    pub(crate) fn permanent_mac(&self) -> Option<[u8; 6]> {
        let read = |width| self.with_eeprom(|wires| eeprom::read_mac(wires, width));
        self.eeprom()
            .map(read)
            .filter(eeprom::is_valid_mac)
            .or_else(|| Some(self.mac()).filter(eeprom::is_valid_mac))
    }

    /// Finds out which EEPROM there is. In probe.
    pub(super) fn find_eeprom(&self) -> Option<eeprom::Width> {
        self.with_eeprom(|wires| eeprom::probe(wires))
    }

    /// Calls `f` with the wires of the EEPROM. Not while the chip runs.
    fn with_eeprom<R>(&self, f: impl FnOnce(&mut EepromWires<'_, 'bound>) -> R) -> R {
        let result = f(&mut EepromWires(&self.bar));
        // Gives the wires back to the chip.
        self.bar
            .write_reg(regs::CR9346::zeroed().with_mode(EepromMode::Normal));
        result
    }

    /// Reads all of the EEPROM; `None` if it does not answer. Process context, under the instance lock, while
    /// the chip is halted.
    fn read_eeprom(&self, width: eeprom::Width) -> Option<eeprom::Contents> {
        set_clock(&self.bar, true);
        let contents = self.with_eeprom(|wires| eeprom::Contents::read(wires, width));
        self.rest();
        contents
    }

    /// Writes the EEPROM. Process context, under the instance lock, while the chip is halted.
    ///
    /// It takes some milliseconds for each word. Fails with `EIO` at the first that the memory does not
    /// take, and QEMU's takes none; with `EINVAL` if the signature would be lost.
    fn write_eeprom(&self, contents: &mut eeprom::Contents, offset: usize, data: &[u8]) -> Result {
        set_clock(&self.bar, true);
        let result = self.with_eeprom(|wires| contents.write(wires, offset, data));
        self.rest();
        result.map_err(|why| match why {
            eeprom::NotWritten::Refused => EIO,
            eeprom::NotWritten::Signature => EINVAL,
        })
    }
}

impl Nic<'_> {
    /// The length of the EEPROM in bytes; zero if there is none.
    pub(crate) fn eeprom_bytes(&self) -> usize {
        self.hw.eeprom().map_or(0, eeprom::Width::len)
    }

    /// Reads the EEPROM, unless that was done. Under the instance lock, while the chip is halted.
    pub(super) fn know_eeprom(&self) {
        let mut known = self.eeprom.lock();
        if let (None, Some(width)) = (&*known, self.hw.eeprom()) {
            *known = self.hw.read_eeprom(width);
        }
    }

    /// Copies what is in the EEPROM from byte `offset` on.
    ///
    /// # Errors
    ///
    /// - `EOPNOTSUPP`: there is none.
    /// - `EIO`: it has not answered when it was to be read.
    pub(crate) fn copy_eeprom(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        offset: usize,
        data: &mut [u8],
    ) -> Result {
        self.eeprom_if_there(cx, up)?;
        let known = self.eeprom.lock();
        known.as_ref().ok_or(EIO)?.copy_to(offset, data);
        Ok(())
    }

    /// Writes `data` to the EEPROM from byte `offset` on.
    ///
    /// # Errors
    ///
    /// As [`Self::copy_eeprom`], and:
    ///
    /// - `EBUSY`: the interface is up. Meanwhile the chip could neither receive nor send.
    /// - `EINVAL`: the card would not be known again.
    /// - `EIO`: the memory does not take it.
    pub(crate) fn change_eeprom(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        offset: usize,
        data: &[u8],
    ) -> Result {
        if up.is_some() {
            return Err(EBUSY);
        }
        self.eeprom_if_there(cx, up)?;
        match &mut *self.eeprom.lock() {
            Some(known) => self.hw.write_eeprom(known, offset, data),
            None => Err(EIO),
        }
    }

    /// Fails with `EOPNOTSUPP` if there is no EEPROM. Sees to it that it is known, if that is possible now.
    fn eeprom_if_there(&self, _cx: &mut Locked<'_, Self>, up: Option<&Up>) -> Result {
        self.hw.eeprom().ok_or(EOPNOTSUPP)?;
        if up.is_none() {
            self.place.restore_registers();
            self.know_eeprom();
        }
        Ok(())
    }
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
