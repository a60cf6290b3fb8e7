// SPDX-License-Identifier: GPL-2.0

//! The right to something of which there is one: a `static` that is registered with C, say.
//!
//! C writes to such a `static` while it is registered, and keeps no lock of its own between one
//! registration and the next. Who wants to register it takes the claim first, and gives it back when C
//! has let go of it.
//!
//! The file has no kernel types beyond the atomic, so that `selftests/host` runs it under loom.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Release, //
};

/// A claim that one owner at a time has.
pub(crate) struct Claim(Atomic<bool>);

impl Claim {
    /// A claim that nobody has.
    pub(crate) const fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Takes the claim; `false` if somebody has it.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        // ORDERING: Acquire pairs with the release in `give_back`: the new owner comes after all that
        // the last one did.
        self.0.cmpxchg(false, true, Acquire).is_ok()
    }

    /// Gives it back. Only its owner calls this.
    pub(crate) fn give_back(&self) {
        // ORDERING: Release pairs with the acquire in `take`.
        self.0.store(false, Release);
    }
}
