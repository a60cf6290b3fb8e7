// SPDX-License-Identifier: GPL-2.0

//! How the driver gets at the registers: in memory, or else by I/O ports.
//!
//! A card shows its registers in two regions. That in memory is the faster one, and is used wherever it
//! works. It does not where the bus has found no place for it, where something else has it, or where nothing
//! answers there: bridges are known that pass on ports alone. Each card is asked for itself.

#![forbid(unsafe_code)]

use crate::ext::registers::Space;
use kernel::prelude::*;

/// A region of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Where the registers are in it.
    pub(crate) space: Space,
    /// Its number (*base address register*).
    pub(crate) bar: u32,
}

/// The registers in memory.
pub(crate) const MEMORY: Region = Region {
    space: Space::Memory,
    bar: 1,
};

/// The registers as I/O ports.
pub(crate) const PORTS: Region = Region {
    space: Space::Ports,
    bar: 0,
};

/// Why there is no way to the chip.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    /// Why not in memory.
    pub(crate) memory: Error,
    /// Why not by I/O ports.
    pub(crate) ports: Error,
}

/// Has `reach` look for the chip in memory, and by I/O ports if it is not found there. Returns what it
/// returns, and why it is not in memory if it is not.
///
/// `reach` leaves nothing of a region behind in which it has not found the chip: the device is enabled
/// anew for the other one.
pub(crate) fn find<T>(
    mut reach: impl FnMut(Region) -> Result<T>,
) -> Result<(T, Option<Error>), Unreachable> {
    let memory = match reach(MEMORY) {
        Ok(found) => return Ok((found, None)),
        Err(error) => error,
    };
    match reach(PORTS) {
        Ok(found) => Ok((found, Some(memory))),
        Err(ports) => Err(Unreachable { memory, ports }),
    }
}
