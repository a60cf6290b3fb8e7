// SPDX-License-Identifier: GPL-2.0

//! Configuration space of the card: its place on the bus, which it can lose.

use crate::ext::registers::Space as Way;
use kernel::io::Registers;
use std::sync::{
    Arc,
    Mutex,
    MutexGuard, //
};

/// The bit of the command register that has the card answer by I/O ports.
pub(crate) const PORTS: u16 = 1 << 0;
/// That which has it answer in its memory region.
pub(crate) const MEMORY: u16 = 1 << 1;
/// That which lets it read and write memory.
pub(crate) const MASTER: u16 = 1 << 2;
/// That which keeps it from its interrupt line.
const SILENT: u16 = 1 << 10;

/// The card was the master of a transfer that nobody answered; a bit of the status.
const MASTER_ABORT: u16 = 1 << 13;
/// The bits of the status that a written one clears.
const ERRORS: u16 = 0xf900;

/// The base address registers, as the bus sets them: of I/O ports, which the lowest bit says, and of memory.
const BASES: [u32; 2] = [0xc001, 0xfebf_1000];

struct Space {
    /// The bit by which the driver reaches the card.
    way: u16,
    command: u16,
    bases: [u32; 2],
    status: u16,
    /// A bridge above does not pass on what is for the card, which its configuration space does not show.
    shut_off: bool,
    accesses: usize,
}

/// The command register, the two addresses, and the status with an error on the bus to be cleared. Clones are the same card's.
#[derive(Clone)]
pub(crate) struct Config(Arc<Mutex<Space>>);

impl Config {
    const COMMAND: usize = 0x04;
    const STATUS: usize = 0x06;
    const BASE: usize = 0x10;

    /// Of a card that answers where the driver asks it, and nowhere else.
    pub(crate) fn new(way: Way) -> Self {
        let way = match way {
            Way::Memory => MEMORY,
            Way::Ports => PORTS,
        };
        Self(Arc::new(Mutex::new(Space {
            way,
            command: way,
            bases: BASES,
            status: 0x0290,
            shut_off: false,
            accesses: 0,
        })))
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.0.lock().unwrap()
    }

    /// The bit of the command register that has the card answer where the driver asks it.
    pub(crate) fn way(&self) -> u16 {
        self.space().way
    }

    /// Whether the card answers where the driver asks it.
    pub(crate) fn answers(&self) -> bool {
        let space = self.space();
        let base = if space.way == PORTS { 0 } else { 1 };
        space.command & space.way != 0 && space.bases[base] == BASES[base] && !space.shut_off
    }

    /// A bridge above ceases to pass on what is for the card, or does so again.
    pub(crate) fn shut_off(&self, shut_off: bool) {
        self.space().shut_off = shut_off;
    }

    /// The card is moved to other addresses.
    pub(crate) fn move_away(&self) {
        self.space().bases = [0xd001, 0xfe00_0000];
    }

    /// The command register.
    pub(crate) fn command(&self) -> u16 {
        self.space().command
    }

    /// Whether the card may read and write memory.
    pub(crate) fn is_master(&self) -> bool {
        self.space().command & MASTER != 0
    }

    /// Whether the card may not interrupt.
    pub(crate) fn is_silent(&self) -> bool {
        self.space().command & SILENT != 0
    }

    /// How often the driver asked or wrote.
    pub(crate) fn accesses(&self) -> usize {
        self.space().accesses
    }

    /// Takes bits of the command register away.
    pub(crate) fn lose(&self, bits: u16) {
        self.space().command &= !bits;
    }

    /// A transfer of the card fails.
    pub(crate) fn note_error(&self) {
        self.space().status |= MASTER_ABORT;
    }

    /// Whether an error is noted.
    pub(crate) fn has_error(&self) -> bool {
        self.space().status & ERRORS != 0
    }
}

impl Registers for Config {
    fn read(&self, offset: usize, width: usize) -> u32 {
        assert_eq!(width, if offset < Self::BASE { 2 } else { 4 });
        let mut space = self.space();
        space.accesses += 1;
        match offset {
            Self::COMMAND => space.command.into(),
            Self::STATUS => space.status.into(),
            0x10 | 0x14 => space.bases[(offset - Self::BASE) / 4],
            _ => panic!("nobody reads {offset:#x}"),
        }
    }

    fn write(&self, offset: usize, width: usize, value: u32) {
        assert_eq!(width, if offset < Self::BASE { 2 } else { 4 });
        let mut space = self.space();
        space.accesses += 1;
        match offset {
            Self::COMMAND => space.command = value as u16,
            Self::STATUS => space.status &= !(value as u16 & ERRORS),
            0x10 | 0x14 => {
                assert!(
                    space.command & space.way == 0,
                    "it answers while it is moved"
                );
                space.bases[(offset - Self::BASE) / 4] = value;
            }
            _ => panic!("nobody writes {offset:#x}"),
        }
    }
}
