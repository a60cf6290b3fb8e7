// SPDX-License-Identifier: GPL-2.0

//! Configuration space of the card.

use kernel::io::Registers;
use std::sync::Mutex;

/// The command register, and the status with an error on the bus to be cleared.
pub(crate) struct Config(Mutex<[u32; 2]>);

impl Config {
    const COMMAND: usize = 0x04;
    const STATUS: usize = 0x06;

    /// Of a card that answers in its memory regions, and may read and write memory.
    pub(crate) fn new() -> Self {
        Self(Mutex::new([0x0007, 0xa290]))
    }
}

impl Registers for Config {
    fn read(&self, offset: usize, width: usize) -> u32 {
        assert_eq!(width, 2);
        let [command, status] = *self.0.lock().unwrap();
        match offset {
            Self::COMMAND => command,
            Self::STATUS => status,
            _ => panic!("nobody reads {offset:#x}"),
        }
    }

    fn write(&self, offset: usize, width: usize, value: u32) {
        assert_eq!(width, 2);
        let [command, status] = &mut *self.0.lock().unwrap();
        match offset {
            Self::COMMAND => *command = value,
            Self::STATUS => *status &= !value,
            _ => panic!("nobody writes {offset:#x}"),
        }
    }
}
