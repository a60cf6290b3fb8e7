// SPDX-License-Identifier: GPL-2.0

//! Errors of the kernel.

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(i32);

impl Error {
    /// Returns the number as C code returns it: negative.
    pub fn to_errno(self) -> i32 {
        -self.0
    }
}

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Self {
        code::EINVAL
    }
}

impl From<crate::alloc::AllocError> for Error {
    fn from(_: crate::alloc::AllocError) -> Self {
        code::ENOMEM
    }
}

/// A result with an error of the kernel.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

pub mod code {
    //! The numbers, as on x86-64.

    use super::Error;

    pub const EPERM: Error = Error(1);
    pub const EIO: Error = Error(5);
    pub const ENOMEM: Error = Error(12);
    pub const EFAULT: Error = Error(14);
    pub const EBUSY: Error = Error(16);
    pub const ENODEV: Error = Error(19);
    pub const EINVAL: Error = Error(22);
    pub const ENOSPC: Error = Error(28);
    pub const EBADFD: Error = Error(77);
    pub const EMSGSIZE: Error = Error(90);
    pub const ENOPROTOOPT: Error = Error(92);
    pub const EOPNOTSUPP: Error = Error(95);
    pub const ENETDOWN: Error = Error(100);
    pub const ENOBUFS: Error = Error(105);
    pub const ETIMEDOUT: Error = Error(110);
    pub const EALREADY: Error = Error(114);
}
