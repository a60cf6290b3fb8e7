// SPDX-License-Identifier: GPL-2.0

//! What can be read of the device as it is: its registers and its EEPROM.

use super::{
    Operations,
    Table, //
};
use crate::{
    bindings,
    net::driver, //
};
use kernel::{
    bindings::net_device,
    error::from_result,
    prelude::*, //
};

/// The callbacks about registers and EEPROM.
impl<T: driver::Operations> Table<T> {
    /// `get_regs_len()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_regs_len(_dev: *mut net_device) -> c_int {
        c_int::try_from(T::Ethtool::REGISTERS_LEN).unwrap_or(0)
    }

    /// `get_regs()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_regs(
        dev: *mut net_device,
        regs: *mut bindings::ethtool_regs,
        data: *mut c_void,
    ) {
        // SAFETY: The core has made room for as many bytes as `get_regs_len` said, zeroed.
        let dump = unsafe {
            core::slice::from_raw_parts_mut(data.cast::<u8>(), T::Ethtool::REGISTERS_LEN)
        };
        // SAFETY: This is an ethtool callback.
        let version = unsafe {
            Self::with(dev, |this, cx, up| {
                T::Ethtool::registers(this, cx, up, dump)
            })
        };
        // SAFETY: The core passes a structure that is the callback's to fill in.
        unsafe { (*regs).version = version };
    }

    /// `get_eeprom_len()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_eeprom_len(dev: *mut net_device) -> c_int {
        // SAFETY: This is an ethtool callback.
        let len = unsafe { Self::with(dev, |this, _, _| T::Ethtool::eeprom_len(this)) };
        c_int::try_from(len).unwrap_or(0)
    }

    /// `get_eeprom()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn get_eeprom(
        dev: *mut net_device,
        eeprom: *mut bindings::ethtool_eeprom,
        data: *mut u8,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that nobody else has.
            let eeprom = unsafe { &mut *eeprom };
            let (offset, len) = (
                usize::try_from(eeprom.offset)?,
                usize::try_from(eeprom.len)?,
            );
            // SAFETY: The core has made room for as many bytes as it asks for, zeroed.
            let data = unsafe { core::slice::from_raw_parts_mut(data, len) };
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::eeprom(this, cx, up, offset, data)
                })
            }?;
            eeprom.magic = T::Ethtool::EEPROM_MAGIC;
            Ok(0)
        })
    }

    /// `set_eeprom()`.
    ///
    /// # Safety
    ///
    /// Only the core may call it, as [`Table`] says.
    pub(super) unsafe extern "C" fn set_eeprom(
        dev: *mut net_device,
        eeprom: *mut bindings::ethtool_eeprom,
        data: *mut u8,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The core passes a structure that does not change meanwhile.
            let eeprom = unsafe { &*eeprom };
            if eeprom.magic != T::Ethtool::EEPROM_MAGIC {
                return Err(EINVAL);
            }
            let (offset, len) = (
                usize::try_from(eeprom.offset)?,
                usize::try_from(eeprom.len)?,
            );
            // SAFETY: The core has copied as many bytes as it says, and does not change them meanwhile.
            let data = unsafe { core::slice::from_raw_parts(data, len) };
            // SAFETY: This is an ethtool callback.
            unsafe {
                Self::with(dev, |this, cx, up| {
                    T::Ethtool::set_eeprom(this, cx, up, offset, data)
                })
            }?;
            Ok(0)
        })
    }
}
