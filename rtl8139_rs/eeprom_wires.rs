// SPDX-License-Identifier: GPL-2.0

//! The EEPROM as the chip shows it: its wires are bits of a register.

#![forbid(unsafe_code)]

use super::{
    eeprom::{
        self,
        Wires, //
    },
    hw::{
        set_clock,
        Bar,
        Hw, //
    },
    regs::{
        self,
        EepromMode, //
    },
};
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
