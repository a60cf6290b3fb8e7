// SPDX-License-Identifier: GPL-2.0

//! Checked access to coherent memory that a device reads and writes.
//!
//! The device may write at any moment, so no reference to such memory may exist. Each access here
//! checks its range, touches the memory once, and yields a value of its own.

use kernel::{
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
