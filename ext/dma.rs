// SPDX-License-Identifier: GPL-2.0

//! Memory that a device reads and writes.
//!
//! Coherent memory is the driver's and the device's at once. The device may write at any moment, so no
//! reference to such memory may exist. Each access here checks its range, touches the memory once, and
//! yields a value of its own.
//!
//! Streaming memory is lent to a device: [`Mapping`].

use crate::bindings;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    prelude::*, //
};

/// The address of the `len` bytes from `offset` on, if they are inside the buffer.
#[inline]
pub(crate) fn range(buffer: &Coherent<[u8]>, offset: usize, len: usize) -> Result<*mut u8> {
    let end = offset.checked_add(len).ok_or(EINVAL)?;
    if end > buffer.size() {
        return Err(EINVAL);
    }
    // CAST: A slice of bytes begins with its first byte. `wrapping_add` needs no proof; the address is
    // inside the buffer by the check above.
    Ok(buffer.as_mut_ptr().cast::<u8>().wrapping_add(offset))
}

/// Reads the little-endian word at `offset`, in one access.
///
/// `offset` must be a multiple of four and inside the buffer, else the answer is `EINVAL`.
#[inline]
pub(crate) fn read_u32(buffer: &Coherent<[u8]>, offset: usize) -> Result<u32> {
    let word = range(buffer, offset, size_of::<u32>())?.cast::<u32>();
    if !word.is_aligned() {
        return Err(EINVAL);
    }
    // SAFETY: `range` has checked that the word is inside the buffer, which lives as long as the
    // borrow; it is aligned. The device may write meanwhile, hence one volatile access.
    Ok(u32::from_le(unsafe { word.read_volatile() }))
}

/// Writes `value` as a little-endian word at `offset`, in one access.
///
/// `offset` must be a multiple of four and inside the buffer, else the answer is `EINVAL`. The write
/// is not ordered with others: a barrier (`kernel::sync::barrier::dma_mb`) must follow where the
/// device is told about it.
#[inline]
pub(crate) fn write_u32(buffer: &Coherent<[u8]>, offset: usize, value: u32) -> Result {
    let word = range(buffer, offset, size_of::<u32>())?.cast::<u32>();
    if !word.is_aligned() {
        return Err(EINVAL);
    }
    // SAFETY: As in `read_u32`.
    unsafe { word.write_volatile(value.to_le()) };
    Ok(())
}

/// Memory of somebody else's that a device may read until this is dropped: a streaming mapping.
///
/// Whoever has one keeps the memory as it is meanwhile: a device that reads memory which was given to
/// another use reads nonsense, or where an IOMMU forbids it, nothing.
///
/// # Invariants
///
/// The `len` bytes at `address` are mapped for `dev`, to be read, and this value unmaps them.
pub(crate) struct Mapping<'bound> {
    dev: &'bound Device<Bound>,
    address: u64,
    len: u32,
}

impl<'bound> Mapping<'bound> {
    /// Takes over a mapping that was just made.
    ///
    /// Fails with `ENOMEM` if it was not: there is no room in a window of addresses or a bounce buffer.
    ///
    /// # Safety
    ///
    /// `address` must be what `dma_map_page()` has returned for `dev`, `len` and `DMA_TO_DEVICE`.
    #[inline]
    pub(crate) unsafe fn from_raw(
        dev: &'bound Device<Bound>,
        address: u64,
        len: u32,
    ) -> Result<Self> {
        // SAFETY: The device is valid.
        if unsafe { bindings::dma_map_failed(as_raw(dev), address) } {
            return Err(ENOMEM);
        }
        // INVARIANT: The caller guarantees it, and the mapping did not fail.
        Ok(Self { dev, address, len })
    }

    /// Where the device finds the memory.
    #[inline]
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// How much it is, in bytes.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}

impl Drop for Mapping<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the memory is mapped, and nobody else unmaps it.
        unsafe { bindings::dma_unmap_to_device(as_raw(self.dev), self.address, self.len) };
    }
}

/// The C object of a device.
#[inline]
pub(crate) fn as_raw(dev: &Device<Bound>) -> *mut bindings::device {
    // CAST: `Device` is a transparent wrapper of an `Opaque<device>`, which is one of `device`.
    core::ptr::from_ref(dev).cast_mut().cast()
}
