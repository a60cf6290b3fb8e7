// SPDX-License-Identifier: GPL-2.0

//! Access to [`SharedMemory`]: a [`Place`] is a range of bytes, a [`Word`] one number.

use super::{
    page,
    SharedMemory, //
};
use crate::{
    bindings,
    net::packet::Packet, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        compiler_fence,
        Ordering, //
    },
};
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        atomic_load,
        atomic_store,
        Acquire,
        Relaxed,
        Release, //
    },
};

/// Some bytes of shared memory.
///
/// # Invariants
///
/// The `len` bytes at `start` are in one block of a [`SharedMemory`] that is borrowed for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    start: NonNull<u8>,
    len: u32,
    _memory: PhantomData<&'a SharedMemory>,
}

// SAFETY: As for `SharedMemory`.
unsafe impl Send for Place<'_> {}

// SAFETY: As for `SharedMemory`.
unsafe impl Sync for Place<'_> {}

impl<'a> Place<'a> {
    /// # Safety
    ///
    /// The `len` bytes at `start` must be in one block of the memory.
    #[inline]
    pub(super) unsafe fn new(_memory: &'a SharedMemory, start: NonNull<u8>, len: u32) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            start,
            len,
            _memory: PhantomData,
        }
    }

    /// How many bytes it has.
    #[inline]
    pub(crate) fn len(self) -> u32 {
        self.len
    }

    /// `len` of these bytes, from `offset` on. Fails with `EINVAL` when there are fewer.
    #[inline]
    pub(crate) fn part(self, offset: u32, len: u32) -> Result<Self> {
        // INVARIANT: These bytes are among those of `self`.
        Ok(Self {
            start: self.range(offset, len as usize)?,
            len,
            _memory: PhantomData,
        })
    }

    /// The number at `offset`. Fails with `EINVAL` when it is not in the place, or not aligned.
    #[inline]
    pub(crate) fn word<W: Integer>(self, offset: u32) -> Result<Word<'a, W>> {
        let at = self.range(offset, size_of::<W>())?.cast::<W>();
        if !at.is_aligned() {
            return Err(EINVAL);
        }
        // INVARIANT: The word is in the place, and aligned.
        Ok(Word {
            at,
            _memory: PhantomData,
        })
    }

    /// Writes these bytes from `offset` on. Fails with `EINVAL` when there is not so much room.
    #[inline]
    pub(crate) fn write(self, offset: u32, bytes: &[u8]) -> Result {
        let to = self.range(offset, bytes.len())?;
        // SAFETY: By the type invariant the memory is valid, and the range was checked. A slice of the
        // kernel's is not in it, for no reference to such memory exists. A program may write there
        // meanwhile: the bytes are then its own mixture, which nobody in the kernel relies on.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Writes `len` zeroes from `offset` on. Fails with `EINVAL` when there is not so much room.
    #[inline]
    pub(crate) fn zero(self, offset: u32, len: u32) -> Result {
        let to = self.range(offset, len as usize)?;
        // SAFETY: As in `write`.
        unsafe { core::ptr::write_bytes(to.as_ptr(), 0, len as usize) };
        Ok(())
    }

    /// Copies `len` bytes of a packet here, to `offset` on: those from `from` on, counted from the
    /// packet's data pointer.
    ///
    /// Fails with `EINVAL` when there is not so much room, with `EFAULT` when the packet is shorter.
    #[inline]
    pub(crate) fn copy_packet(self, offset: u32, packet: &Packet, from: u32, len: u32) -> Result {
        let to = self.range(offset, len as usize)?;
        let from = c_int::try_from(from).map_err(|_| EFAULT)?;
        let len = c_int::try_from(len).map_err(|_| EFAULT)?;
        // SAFETY: The packet is valid by its invariant, and the call checks the range against its length.
        // Here, all is as in `write`.
        to_result(unsafe {
            bindings::skb_copy_bits(packet.as_raw(), from, to.as_ptr().cast(), len)
        })
    }

    /// Reads `N` bytes from `offset` on, once: what a program writes later does not reach the result.
    ///
    /// Fails with `EINVAL` when there are fewer.
    #[inline]
    pub(crate) fn read<const N: usize>(self, offset: u32) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_into(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads as many bytes as `to` has, as [`read`](Self::read) does.
    #[inline]
    pub(crate) fn read_into(self, offset: u32, to: &mut [u8]) -> Result {
        // SAFETY: A slice may be written, and is not in shared memory: no reference to that exists.
        unsafe { self.read_raw(offset, to.as_mut_ptr(), to.len()) }
    }

    /// Reads `len` bytes from `offset` on to `to`, as [`read`](Self::read) does.
    ///
    /// # Safety
    ///
    /// `to` must be valid for `len` bytes, none of them in shared memory.
    #[inline]
    pub(in crate::net) unsafe fn read_raw(self, offset: u32, to: *mut u8, len: usize) -> Result {
        let from = self.range(offset, len)?;
        // SAFETY: By the type invariant the memory is valid, and the range was checked. Any bytes are
        // right. The caller guarantees the rest.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, len) };
        // ORDERING: For the compiler alone. It knows that the copy is equal to the memory, and could read
        // that again in place of the copy; behind this fence it must assume that the memory has changed.
        compiler_fence(Ordering::SeqCst);
        Ok(())
    }

    /// The page that the place begins in, where in it, and how many bytes of the place are in it; `None`
    /// if the place is empty.
    ///
    /// The page lives as long as the borrow, and longer for who takes a reference.
    #[inline]
    pub(in crate::net) fn first_fragment(self) -> Option<(*mut bindings::page, u32, u32)> {
        if self.len == 0 {
            return None;
        }
        let start = self.start.as_ptr();
        // SAFETY: By the type invariant the place is in a block, and it has a first byte.
        let page = unsafe { page(start) };
        let offset = start.addr() % PAGE_SIZE;
        // CAST: Both are at most a page.
        let room = PAGE_SIZE.wrapping_sub(offset) as u32;
        Some((page, offset as u32, room.min(self.len)))
    }

    /// The first of `len` bytes from `offset` on, if all of them are in the place.
    #[inline]
    fn range(self, offset: u32, len: usize) -> Result<NonNull<u8>> {
        let room = (self.len as usize).checked_sub(offset as usize);
        if room.is_none_or(|room| len > room) {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariant so many bytes are in one allocation, and this is one of them or
        // the end.
        Ok(unsafe { self.start.add(offset as usize) })
    }
}

/// A number of a kind that the kernel and a program can share: one access reads or writes all of it.
pub(crate) trait Integer: Copy + sealed::Sealed {
    /// Reads it. See the methods of [`Word`].
    ///
    /// # Safety
    ///
    /// `at` must be valid and aligned; who else in the kernel accesses it does it by this trait.
    unsafe fn load(at: *mut Self, acquire: bool) -> Self;

    /// Writes it. See the methods of [`Word`].
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load).
    unsafe fn store(at: *mut Self, value: Self, release: bool);
}

mod sealed {
    pub(crate) trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for usize {}
}

macro_rules! integer {
    ($type:ty) => {
        impl Integer for $type {
            #[inline(always)]
            unsafe fn load(at: *mut Self, acquire: bool) -> Self {
                if acquire {
                    // SAFETY: The caller guarantees what the call asks for.
                    unsafe { atomic_load(at, Acquire) }
                } else {
                    // SAFETY: As above.
                    unsafe { atomic_load(at, Relaxed) }
                }
            }

            #[inline(always)]
            unsafe fn store(at: *mut Self, value: Self, release: bool) {
                if release {
                    // SAFETY: The caller guarantees what the call asks for.
                    unsafe { atomic_store(at, value, Release) }
                } else {
                    // SAFETY: As above.
                    unsafe { atomic_store(at, value, Relaxed) }
                }
            }
        }
    };
}

integer!(u32);
integer!(usize);

/// A number in shared memory, which each access reads or writes at once.
///
/// # Invariants
///
/// `at` is aligned, and in a [`SharedMemory`] that is borrowed for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a, W: Integer> {
    at: NonNull<W>,
    _memory: PhantomData<&'a SharedMemory>,
}

// SAFETY: As for `SharedMemory`.
unsafe impl<W: Integer> Send for Word<'_, W> {}

// SAFETY: As for `SharedMemory`.
unsafe impl<W: Integer> Sync for Word<'_, W> {}

impl<W: Integer> Word<'_, W> {
    /// Reads the number. What the program wrote before it wrote this value is seen by what follows.
    #[inline]
    pub(crate) fn load_acquire(self) -> W {
        // ORDERING: Pairs with a release, or a barrier, of the program.
        // SAFETY: By the type invariant.
        unsafe { W::load(self.at.as_ptr(), true) }
    }

    /// Reads the number, which says nothing about the rest of the memory.
    #[inline]
    pub(crate) fn load(self) -> W {
        // ORDERING: None is promised.
        // SAFETY: By the type invariant.
        unsafe { W::load(self.at.as_ptr(), false) }
    }

    /// Writes the number. A program that reads it sees what was written before, too.
    #[inline]
    pub(crate) fn store_release(self, value: W) {
        // ORDERING: Pairs with an acquire, or a barrier, of the program.
        // SAFETY: By the type invariant.
        unsafe { W::store(self.at.as_ptr(), value, true) }
    }

    /// Writes the number, which says nothing about the rest of the memory.
    #[inline]
    pub(crate) fn store(self, value: W) {
        // ORDERING: None is promised.
        // SAFETY: By the type invariant.
        unsafe { W::store(self.at.as_ptr(), value, false) }
    }
}
