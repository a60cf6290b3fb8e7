// SPDX-License-Identifier: GPL-2.0

//! Memory that a device reads and writes.
//!
//! [`Bus`] is what lies between the two: it knows which addresses are memory, and notes each access
//! beside it, by the device or by the driver.

use crate::{
    alloc::{
        is_exhausted,
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

/// A piece of memory, and its address on the bus.
struct Piece {
    address: u32,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Memory {
    pieces: Vec<Piece>,
    next: u32,
    strays: Vec<String>,
}

impl Memory {
    fn bytes(&mut self, address: u32, len: usize) -> Option<&mut [u8]> {
        self.pieces.iter_mut().find_map(|piece| {
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
        match memory.bytes(address, data.len()) {
            Some(bytes) => bytes.copy_from_slice(data),
            None => memory
                .strays
                .push(format!("the device writes to {address:#x}")),
        }
    }

    /// The device reads. What is not in memory is all ones, and is noted.
    pub fn device_reads(&self, address: u32, len: usize) -> Vec<u8> {
        let mut memory = self.0.lock().unwrap();
        match memory.bytes(address, len) {
            Some(bytes) => bytes.to_vec(),
            None => {
                memory.strays.push(format!("the device reads {address:#x}"));
                vec![0xff; len]
            }
        }
    }

    /// What was accessed beside the memory.
    pub fn strays(&self) -> Vec<String> {
        self.0.lock().unwrap().strays.clone()
    }

    /// How many pieces of memory there are.
    pub fn pieces(&self) -> usize {
        self.0.lock().unwrap().pieces.len()
    }
}

/// Memory that driver and device see alike.
pub struct Coherent<T: ?Sized> {
    bus: Bus,
    address: u32,
    len: usize,
    _type: PhantomData<T>,
}

impl Coherent<[u8]> {
    pub fn zeroed_slice<C>(device: &Device<C>, len: usize, _flags: Flags) -> Result<Self> {
        if is_exhausted() {
            return Err(ENOMEM);
        }
        let bus = device.bus().clone();
        let mut memory = bus.0.lock().unwrap();
        // A page between two pieces belongs to nobody.
        let address = memory.next + 0x1000;
        memory.next = (address + len as u32).next_multiple_of(0x1000);
        memory.pieces.push(Piece {
            address,
            bytes: vec![0; len],
        });
        drop(memory);
        Ok(Self {
            bus,
            address,
            len,
            _type: PhantomData,
        })
    }

    pub fn size(&self) -> usize {
        self.len
    }

    pub fn dma_address(&self) -> u64 {
        self.address.into()
    }

    /// Not in the kernel, where the layer below the driver has a pointer. Calls `f` with the `len` bytes
    /// from `offset` on; an access beside the memory fails, and is noted.
    pub fn with_bytes<R>(
        &self,
        offset: usize,
        len: usize,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R> {
        let mut memory = self.bus.0.lock().unwrap();
        let address = self.address.wrapping_add(offset as u32);
        match memory.bytes(address, len) {
            Some(bytes) => Ok(f(bytes)),
            None => {
                let stray = format!("the driver accesses {len} bytes at offset {offset}");
                memory.strays.push(stray);
                Err(EINVAL)
            }
        }
    }
}

impl<T: ?Sized> Drop for Coherent<T> {
    fn drop(&mut self) {
        let mut memory = self.bus.0.lock().unwrap();
        let address = self.address;
        memory.pieces.retain(|piece| piece.address != address);
    }
}
