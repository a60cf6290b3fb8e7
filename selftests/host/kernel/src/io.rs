// SPDX-License-Identifier: GPL-2.0

//! Registers, and who answers when they are read.

use crate::{
    error::{
        code::EINVAL,
        Result, //
    },
    sync::fence, //
};
use register::{
    Fixed,
    Location,
    Register,
    Word, //
};

/// A device, as the bus sees it. `width` is in bytes: 1, 2 or 4.
pub trait Registers: Sync {
    /// Answers a read.
    fn read(&self, offset: usize, width: usize) -> u32;

    /// Takes a write.
    fn write(&self, offset: usize, width: usize, value: u32);
}

/// Access to registers.
///
/// As `readl()` and `writel()`: what follows a read in the program is done after it, and what stands
/// before a write is done before it.
pub trait Io {
    /// Who answers.
    fn registers(&self) -> &dyn Registers;

    /// Length of the region in bytes.
    fn size(&self) -> usize;

    fn read<R: Register>(&self, location: Location<R>) -> R {
        assert!(location.offset() + R::Raw::WIDTH <= self.size());
        let word = self.registers().read(location.offset(), R::Raw::WIDTH);
        fence::after_read();
        R::from_word(R::Raw::from_u32(word))
    }

    fn write<R: Register>(&self, location: Location<R>, value: R) {
        assert!(location.offset() + R::Raw::WIDTH <= self.size());
        fence::before_write();
        self.registers()
            .write(location.offset(), R::Raw::WIDTH, value.word().into_u32());
    }

    fn write_reg<R: Fixed>(&self, value: R) {
        self.write(Location::new(R::OFFSET), value);
    }

    fn update<R: Register>(&self, location: Location<R>, change: impl FnOnce(R) -> R) {
        let value = self.read(location);
        self.write(location, change(value));
    }

    fn try_read16(&self, offset: usize) -> Result<u16> {
        if offset % 2 != 0 || offset + 2 > self.size() {
            return Err(EINVAL);
        }
        Ok(self.registers().read(offset, 2) as u16)
    }

    fn try_read32(&self, offset: usize) -> Result<u32> {
        if offset % 4 != 0 || offset + 4 > self.size() {
            return Err(EINVAL);
        }
        Ok(self.registers().read(offset, 4))
    }
}

pub use kernel_macros::register;

pub mod register {
    //! What a register is. The macro makes the types.

    use std::marker::PhantomData;

    /// The type of a register's value.
    pub trait Word: Copy {
        /// In bytes.
        const WIDTH: usize;
        fn from_u32(word: u32) -> Self;
        fn into_u32(self) -> u32;
    }

    macro_rules! word {
        ($($type:ty)*) => {$(
            impl Word for $type {
                const WIDTH: usize = size_of::<$type>();

                fn from_u32(word: u32) -> Self {
                    word as $type
                }

                fn into_u32(self) -> u32 {
                    self.into()
                }
            }
        )*};
    }

    word!(u8 u16 u32);

    /// A register's value, by the name of the register.
    pub trait Register: Copy {
        type Raw: Word;
        fn from_word(raw: Self::Raw) -> Self;
        fn word(self) -> Self::Raw;
    }

    /// A register of which there is one.
    pub trait Fixed: Register {
        const OFFSET: usize;
    }

    /// Where a register is.
    #[derive(Debug)]
    pub struct Location<R>(usize, PhantomData<R>);

    impl<R> Clone for Location<R> {
        fn clone(&self) -> Self {
            *self
        }
    }

    impl<R> Copy for Location<R> {}

    impl<R> Location<R> {
        pub const fn new(offset: usize) -> Self {
            Self(offset, PhantomData)
        }

        pub const fn offset(&self) -> usize {
            self.0
        }
    }

    /// Registers in a row.
    pub trait Array: Register {
        const BASE: usize;
        const COUNT: usize;

        fn try_at(index: usize) -> Option<Location<Self>> {
            (index < Self::COUNT)
                .then(|| Location::new(Self::BASE + index * <Self::Raw as Word>::WIDTH))
        }

        fn at(index: usize) -> Location<Self> {
            Self::try_at(index).expect("a register of the array")
        }
    }
}

pub mod poll {
    //! Waiting for a device.

    use crate::{
        error::{
            code::ETIMEDOUT,
            Result, //
        },
        time::{
            self,
            Delta, //
        },
    };

    /// Asks `read` until `done` says so, every `interval`, for `timeout`.
    pub fn read_poll_timeout<T>(
        mut read: impl FnMut() -> Result<T>,
        mut done: impl FnMut(&T) -> bool,
        interval: Delta,
        timeout: Delta,
    ) -> Result<T> {
        let mut waited = 0;
        loop {
            let value = read()?;
            if done(&value) {
                return Ok(value);
            }
            if waited > timeout.as_micros_ceil() {
                return Err(ETIMEDOUT);
            }
            time::pass(interval.as_micros_ceil() as u64);
            waited += interval.as_micros_ceil();
        }
    }
}
