// SPDX-License-Identifier: GPL-2.0

//! What the driver uses of `ext/`, for the host.

#[path = "../../../ext/claim.rs"]
pub(crate) mod claim;

pub(crate) mod dma {
    //! Checked access to coherent memory: as in the kernel, without pointers. And memory that is lent.

    use kernel::{
        device::{
            Bound,
            Device, //
        },
        dma::{
            Coherent,
            Loan, //
        },
        prelude::*, //
    };
    use std::marker::PhantomData;

    /// A piece of a packet that the device may read until this is dropped.
    pub(crate) struct Mapping<'bound> {
        loan: Loan,
        _dev: PhantomData<&'bound Device<Bound>>,
    }

    impl<'bound> Mapping<'bound> {
        /// Not in the kernel, where memory itself is mapped: lends a copy, since a packet that is lent
        /// does not change.
        pub(crate) fn of_bytes(dev: &'bound Device<Bound>, bytes: &[u8]) -> Result<Self> {
            Ok(Self {
                loan: dev.bus().map(bytes.to_vec())?,
                _dev: PhantomData,
            })
        }

        pub(crate) fn address(&self) -> u64 {
            self.loan.address()
        }

        pub(crate) fn len(&self) -> u32 {
            self.loan.size() as u32
        }
    }

    pub(crate) fn read_u32(buffer: &Coherent<[u8]>, offset: usize) -> Result<u32> {
        if offset % 4 != 0 {
            return Err(EINVAL);
        }
        buffer.with_bytes(offset, 4, |bytes| {
            let mut word = [0; 4];
            word.copy_from_slice(bytes);
            u32::from_le_bytes(word)
        })
    }

    pub(crate) fn write_u32(buffer: &Coherent<[u8]>, offset: usize, value: u32) -> Result {
        if offset % 4 != 0 {
            return Err(EINVAL);
        }
        buffer.with_bytes(offset, 4, |bytes| {
            bytes.copy_from_slice(&value.to_le_bytes())
        })
    }
}

pub(crate) mod irq {
    //! Interrupt lines.

    use std::marker::PhantomData;

    /// What an interrupt handler found.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Return {
        None,
        Handled,
    }

    /// An interrupt line of a bound device.
    pub(crate) struct Line<'bound>(PhantomData<&'bound ()>);

    impl Line<'_> {
        pub(crate) fn new() -> Self {
            Self(PhantomData)
        }

        pub(crate) fn number(&self) -> u32 {
            11
        }
    }
}

pub(crate) mod pci {
    //! Devices on the bus.

    use crate::driver::place::PCI_COMMAND;
    use kernel::{
        device::Bound,
        io::Io,
        pci::Device, //
    };

    /// An enabled device.
    pub(crate) struct Enabled<'bound>(&'bound Device<Bound>);

    impl<'bound> Enabled<'bound> {
        pub(crate) fn new(device: &'bound Device<Bound>) -> Self {
            Self(device)
        }

        pub(crate) fn device(&self) -> &'bound Device<Bound> {
            self.0
        }

        pub(crate) fn set_wakeup(&self, _wakes: bool) {}

        pub(crate) fn set_master(&self) {
            self.let_be_master(true);
        }

        pub(crate) fn clear_master(&self) {
            self.let_be_master(false);
        }

        fn let_be_master(&self, may: bool) {
            let config = self.0.config_space();
            let command = config.read(PCI_COMMAND);
            config.write_reg(command.with_master(may));
        }
    }
}

pub(crate) mod registers {
    //! The registers of a card, which do not lie unless the model does.

    use kernel::{
        io::{
            self,
            Io, //
        },
        pci::Bar, //
    };

    /// Where registers are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Space {
        Memory,
        Ports,
    }

    /// A mapped region of `SIZE` bytes.
    pub(crate) struct Registers<'a, const SIZE: usize> {
        bar: Bar<'a, SIZE>,
        space: Space,
    }

    impl<'a, const SIZE: usize> Registers<'a, SIZE> {
        /// The region in `space` in which `registers` answers.
        pub(crate) fn new(registers: &'a (dyn io::Registers + Send), space: Space) -> Self {
            Self {
                bar: Bar::new(registers),
                space,
            }
        }

        pub(crate) fn space(&self) -> Space {
            self.space
        }
    }

    impl<const SIZE: usize> Io for Registers<'_, SIZE> {
        fn registers(&self) -> &dyn io::Registers {
            self.bar.registers()
        }

        fn size(&self) -> usize {
            SIZE
        }
    }
}
