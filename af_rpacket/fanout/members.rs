// SPDX-License-Identifier: GPL-2.0

//! Who is in a group: counted apart from who receives.
//!
//! A socket is a member from `PACKET_FANOUT` until it is closed. It receives only while its binding
//! says that it should: not while its device is down. So there are two numbers:
//!
//! ```text
//!              join()            the device is up
//!     socket --------> member ------------------------> member with a place
//!                     |      ^                          |
//!                     |      +--------------------------+
//!              part() |            the device is down
//!                     v
//!                  (closed)
//! ```
//!
//! - [`Members`] counts the members. It has the limit of the group, and knows when the group ends. It
//!   is under the lock of the groups of a namespace, which may sleep.
//! - The places are the layer's (`net/places.rs`): a receiver looks at them without a lock, and only
//!   members in a place can be chosen. The hook of the group is in the kernel's list while a place is
//!   taken. Places change under the spinlock of the group, since a device that goes up or down does so
//!   under that of a binding.
//!
//! There are as many places as there may be members, so who is a member is never refused one.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use kernel::prelude::*;

/// The members of a group, with a place or without.
///
/// # Invariants
///
/// `joined` is not above `limit`.
#[derive(Debug)]
pub(crate) struct Members {
    limit: u32,
    joined: u32,
}

impl Members {
    /// Makes a group without members, for at most `limit` of them.
    pub(crate) const fn new(limit: u32) -> Self {
        // INVARIANT: Zero is not above anything.
        Self { limit, joined: 0 }
    }

    /// A socket becomes a member, without a place yet.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the group is full.
    pub(crate) fn join(&mut self) -> Result {
        if self.joined >= self.limit {
            return Err(ENOSPC);
        }
        // INVARIANT: It was below the limit.
        self.joined += 1;
        Ok(())
    }

    /// A member that has no place any more is closed.
    pub(crate) fn part(&mut self) {
        // INVARIANT: It does not grow.
        self.joined = self.joined.saturating_sub(1);
    }

    /// How many there are.
    pub(crate) fn joined(&self) -> u32 {
        self.joined
    }

    /// Whether nobody is in the group: then it ends, and its number is free.
    pub(crate) fn is_empty(&self) -> bool {
        self.joined == 0
    }
}
