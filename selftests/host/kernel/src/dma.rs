// SPDX-License-Identifier: GPL-2.0

//! Memory that a device reads and writes.
//!
//! [`Bus`] is what lies between the two: it knows which addresses are memory, and notes each access
//! beside it, by the device or by the driver.

use crate::{
    alloc::{
        allocate,
        Flags, //
    },
    device::Device,
    error::{
        code::{
            EINVAL,
            ENOMEM, //
        },
        Result, //
    },
};
use std::marker::PhantomData;
use std::sync::{
    Arc,
    Mutex, //
};

/// An address on the bus.
pub type DmaAddress = u64;

/// A piece of memory, and its address on the bus.
struct Piece {
    address: u32,
    bytes: Vec<u8>,
    /// What the device may do with it.
    access: Access,
}

/// What a device may do with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Read,
    /// Read and write it.
    Both,
}

#[derive(Default)]
struct Memory {
    pieces: Vec<Piece>,
    next: u32,
    strays: Vec<String>,
    /// How many pieces can be lent yet.
    room: Option<usize>,
    /// What the driver has written, while somebody wants to know.
    written: Option<Vec<(u32, Vec<u8>)>>,
}

impl Memory {
    fn bytes(&mut self, address: u32, len: usize, access: Access) -> Option<&mut [u8]> {
        self.pieces.iter_mut().find_map(|piece| {
            if access == Access::Both && piece.access == Access::Read {
                return None;
            }
            let offset = usize::try_from(address.checked_sub(piece.address)?).ok()?;
            piece.bytes.get_mut(offset..offset.checked_add(len)?)
        })
    }
}

/// The memory that a device can reach.
#[derive(Clone, Default)]
pub struct Bus(Arc<Mutex<Memory>>);

impl Bus {
    /// A bus without memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// The device writes. What is not in memory goes nowhere, and is noted.
    pub fn device_writes(&self, address: u32, data: &[u8]) {
        let mut memory = self.0.lock().unwrap();
        match memory.bytes(address, data.len(), Access::Both) {
            Some(bytes) => bytes.copy_from_slice(data),
            None => memory
                .strays
                .push(format!("the device writes to {address:#x}")),
        }
    }

    /// The device reads. What is not in memory is all ones, and is noted.
    pub fn device_reads(&self, address: u32, len: usize) -> Vec<u8> {
        let mut memory = self.0.lock().unwrap();
        match memory.bytes(address, len, Access::Read) {
            Some(bytes) => bytes.to_vec(),
            None => {
                memory.strays.push(format!("the device reads {address:#x}"));
                vec![0xff; len]
            }
        }
    }

    /// Puts `bytes` where the device reaches them, until the result is dropped.
    pub fn lend(&self, bytes: Vec<u8>, access: Access) -> Loan {
        let mut memory = self.0.lock().unwrap();
        let len = bytes.len();
        // A page between two pieces belongs to nobody.
        let address = memory.next + 0x1000;
        memory.next = (address + len as u32).next_multiple_of(0x1000);
        memory.pieces.push(Piece {
            address,
            bytes,
            access,
        });
        Loan {
            bus: self.clone(),
            address,
            len,
        }
    }

    /// As [`Bus::lend`], for a streaming mapping: there may be no room.
    pub fn map(&self, bytes: Vec<u8>) -> Result<Loan> {
        let mut memory = self.0.lock().unwrap();
        match &mut memory.room {
            None => {}
            Some(0) => return Err(ENOMEM),
            Some(room) => *room -= 1,
        }
        drop(memory);
        Ok(self.lend(bytes, Access::Read))
    }

    /// Lets so many streaming mappings be made yet.
    pub fn limit_mappings(&self, room: Option<usize>) {
        self.0.lock().unwrap().room = room;
    }

    /// From here on it is noted what the driver writes, and where.
    pub fn watch(&self) {
        self.0.lock().unwrap().written = Some(Vec::new());
    }

    /// What the driver has written since, in its order; what was there already is not among it.
    pub fn take_written(&self) -> Vec<(u32, Vec<u8>)> {
        self.0.lock().unwrap().written.take().unwrap_or_default()
    }

    /// What was accessed beside the memory.
    pub fn strays(&self) -> Vec<String> {
        self.0.lock().unwrap().strays.clone()
    }

    /// How many pieces of memory there are.
    pub fn pieces(&self) -> usize {
        self.0.lock().unwrap().pieces.len()
    }

    /// How many of them the device may only read.
    pub fn mappings(&self) -> usize {
        let memory = self.0.lock().unwrap();
        let lent = memory
            .pieces
            .iter()
            .filter(|piece| piece.access == Access::Read);
        lent.count()
    }

    /// How many bytes there are from `address` on in the piece of memory that it is in.
    pub fn extent(&self, address: u32) -> Option<usize> {
        let memory = self.0.lock().unwrap();
        memory.pieces.iter().find_map(|piece| {
            let offset = usize::try_from(address.checked_sub(piece.address)?).ok()?;
            piece.bytes.len().checked_sub(offset)
        })
    }
}

/// Memory that the device reaches. Not in the kernel, where there are several kinds.
pub struct Loan {
    bus: Bus,
    address: u32,
    len: usize,
}

impl Loan {
    pub fn address(&self) -> u64 {
        self.address.into()
    }

    pub fn size(&self) -> usize {
        self.len
    }

    /// Calls `f` with the `len` bytes from `offset` on; an access beside the memory fails, and is noted.
    pub fn with_bytes<R>(
        &self,
        offset: usize,
        len: usize,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R> {
        let mut memory = self.bus.0.lock().unwrap();
        let address = self.address.wrapping_add(offset as u32);
        match memory.bytes(address, len, Access::Read) {
            Some(bytes) => {
                let before = bytes.to_vec();
                let result = f(bytes);
                if before != bytes {
                    let after = bytes.to_vec();
                    if let Some(written) = &mut memory.written {
                        written.push((address, after));
                    }
                }
                Ok(result)
            }
            None => {
                let stray = format!("the driver accesses {len} bytes at offset {offset}");
                memory.strays.push(stray);
                Err(EINVAL)
            }
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut memory = self.bus.0.lock().unwrap();
        let address = self.address;
        memory.pieces.retain(|piece| piece.address != address);
    }
}

/// Memory that driver and device see alike.
pub struct Coherent<T: ?Sized> {
    loan: Loan,
    _type: PhantomData<T>,
}

impl Coherent<[u8]> {
    pub fn zeroed_slice<C>(device: &Device<C>, len: usize, _flags: Flags) -> Result<Self> {
        allocate()?;
        Ok(Self {
            loan: device.bus().lend(vec![0; len], Access::Both),
            _type: PhantomData,
        })
    }

    pub fn size(&self) -> usize {
        self.loan.size()
    }

    pub fn dma_address(&self) -> u64 {
        self.loan.address()
    }

    /// Not in the kernel, where the layer below the driver has a pointer. As [`Loan::with_bytes`].
    pub fn with_bytes<R>(
        &self,
        offset: usize,
        len: usize,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R> {
        self.loan.with_bytes(offset, len, f)
    }
}
