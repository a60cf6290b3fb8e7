// SPDX-License-Identifier: GPL-2.0

//! The values of socket options, on their way in and out.
//!
//! They lie in user space, or in the kernel if a BPF program supplies them; each byte is copied once.
//!
//! C headers: [`include/linux/sockptr.h`](srctree/include/linux/sockptr.h),
//! [`include/linux/net.h`](srctree/include/linux/net.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
};

/// The value that `setsockopt()` passes.
///
/// # Invariants
///
/// The pointer is the one that the core passed to the call, which lasts for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct OptionValue<'a> {
    value: bindings::sockptr_t,
    len: u32,
    _call: PhantomData<&'a ()>,
}

impl OptionValue<'_> {
    /// Takes over the arguments of `setsockopt()`.
    ///
    /// # Safety
    ///
    /// If `value` is a kernel pointer, `len` bytes there must be readable for `'a`.
    pub(super) unsafe fn from_raw(value: bindings::sockptr_t, len: c_uint) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            value,
            len,
            _call: PhantomData,
        }
    }

    /// The length that the caller claims, in bytes (`optlen`).
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The C value, for a call that copies from it.
    #[inline]
    pub(super) fn as_raw(&self) -> bindings::sockptr_t {
        self.value
    }

    /// Copies the first `to.len()` bytes.
    ///
    /// Fails with `EINVAL` when the value is shorter, with `EFAULT` when it cannot be read.
    pub(crate) fn read_bytes(&self, to: &mut [u8]) -> Result {
        // CAST: `usize` has at least 32 bits.
        if to.len() > self.len as usize {
            return Err(EINVAL);
        }
        // SAFETY: `to` may be written for its length. The pointer is the core's, and what lies behind
        // it has that many bytes, or is in user space, where the copy checks each access.
        let result =
            unsafe { bindings::copy_from_sockptr(to.as_mut_ptr().cast(), self.value, to.len()) };
        if result != 0 {
            return Err(EFAULT);
        }
        Ok(())
    }

    /// Copies a `T` from the beginning.
    ///
    /// Fails with `EINVAL` when the value is shorter, with `EFAULT` when it cannot be read.
    pub(crate) fn read<T: FromBytes + AsBytes + Default>(&self) -> Result<T> {
        let mut value = T::default();
        self.read_bytes(T::as_bytes_mut(&mut value))?;
        Ok(value)
    }
}

/// The buffer of `getsockopt()`, whose content it may also read.
///
/// # Invariants
///
/// The pointer is to a `sockopt_t` that the core has filled in and lent for `'a`.
pub(crate) struct OptionReply<'a> {
    option: *mut bindings::sockopt_t,
    _call: PhantomData<&'a mut ()>,
}

impl OptionReply<'_> {
    /// Takes over the argument of `getsockopt_iter`.
    ///
    /// # Safety
    ///
    /// `option` must be valid and used by nobody else for `'a`.
    pub(super) unsafe fn from_raw(option: *mut bindings::sockopt_t) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            option,
            _call: PhantomData,
        }
    }

    /// The size of the caller's buffer in bytes (`optlen`), or `EINVAL` when it is negative.
    #[inline]
    pub(crate) fn len(&self) -> Result<usize> {
        // SAFETY: By the type invariant the option is valid.
        usize::try_from(unsafe { (*self.option).optlen }).map_err(|_| EINVAL)
    }

    /// Reads a `T` from the caller's buffer: some options have an argument.
    ///
    /// Fails with `EINVAL` when the buffer is shorter, with `EFAULT` when it cannot be read.
    pub(crate) fn read<T: FromBytes + AsBytes + Default>(&mut self) -> Result<T> {
        if self.len()? < size_of::<T>() {
            return Err(EINVAL);
        }
        let mut value = T::default();
        // SAFETY: By the type invariant the iterator is valid, a source, and lent to this value.
        let source = unsafe { IovIterSource::from_raw(&raw mut (*self.option).iter_in) };
        if source.copy_from_iter(T::as_bytes_mut(&mut value)) != size_of::<T>() {
            return Err(EFAULT);
        }
        Ok(value)
    }

    /// Answers with `bytes`, or as many of them as the buffer holds, and says how many these are.
    ///
    /// Fails with `EINVAL` when the size of the buffer is negative, with `EFAULT` when it cannot be
    /// written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result {
        let len = self.len()?.min(bytes.len());
        let bytes = bytes.get(..len).ok_or(EINVAL)?;
        // CAST: It is not above the old value, which had the same type.
        // SAFETY: By the type invariant the option is valid and lent to this value.
        unsafe { (*self.option).optlen = len as c_int };
        // SAFETY: By the type invariant the iterator is valid, a destination, and lent to this value.
        let destination = unsafe { IovIterDest::from_raw(&raw mut (*self.option).iter_out) };
        if destination.copy_to_iter(bytes) != len {
            return Err(EFAULT);
        }
        Ok(())
    }

    /// Answers with a number, as most options do.
    pub(crate) fn write_int(&mut self, value: c_int) -> Result {
        self.write(&value.to_ne_bytes())
    }
}
