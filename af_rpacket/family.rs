// SPDX-License-Identifier: GPL-2.0

//! The number of the address family.
//!
//! The kernel's own packet sockets hold number 17. This family takes another one, by default 25,
//! which no code in the kernel's tree uses since WANPIPE left it, and which the tools know by name.
//! A program that only had its `socket()` call redirected still writes and expects 17 in
//! `sll_family`, so that is accepted wherever the own number is, and 17 is what is reported.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use kernel::prelude::*;

/// The family of the kernel's packet sockets, `AF_PACKET`.
pub(crate) const AF_PACKET: u16 = 17;

/// The number of families that the kernel has room for, `AF_MAX`.
const AF_MAX: u16 = 46;

/// A family number that may be registered.
///
/// # Invariants
///
/// The number is greater than zero and less than `AF_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u16);

impl Number {
    /// Checks a number that was given as a module parameter.
    ///
    /// `sock_register()` itself would take a negative number as an index.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such family.
    pub(crate) fn new(number: i32) -> Result<Self> {
        match u16::try_from(number) {
            // INVARIANT: The pattern is the invariant.
            Ok(number @ 1..AF_MAX) => Ok(Self(number)),
            _ => Err(EINVAL),
        }
    }

    /// The number.
    pub(crate) fn number(self) -> u16 {
        self.0
    }

    /// Whether an address with this `sll_family` is one of ours.
    pub(crate) fn accepts(self, sll_family: u16) -> bool {
        sll_family == AF_PACKET || sll_family == self.0
    }
}
