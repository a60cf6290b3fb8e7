// SPDX-License-Identifier: GPL-2.0

//! The groups of one network namespace, by number.
//!
//! A group is here from the request that made it until its last member is closed. The table is under
//! a lock that may sleep: to make a group takes memory. The binding of a socket is under a spinlock,
//! and is asked last; so a request has two halves:
//!
//! ```text
//!     Table::prepare(request) ---> Admission ---> admit(what the socket is bound to) ---> the group
//!       finds or makes the group    |
//!       may sleep                   +---> dropped: a group that was made for it goes again
//! ```
//!
//! `G` is a counted reference to a group; what that is, the user of this file knows.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    super::state::Target,
    members::Members,
    request::{
        free_id,
        Description,
        Request, //
    },
};
use kernel::prelude::*;

/// A group in the table.
struct Entry<G> {
    description: Description,
    /// What its first member was bound to; `None` until it has one.
    target: Option<Target>,
    members: Members,
    group: G,
}

/// The groups of a namespace.
///
/// # Invariants
///
/// No two have the same number. While no [`Admission`] exists, each has a member.
pub(crate) struct Table<G> {
    /// Where the search for a free number begins.
    next: u16,
    entries: KVec<Entry<G>>,
}

impl<G> Table<G> {
    /// Makes the table of a new namespace.
    pub(crate) const fn new() -> Self {
        Self {
            next: 0,
            entries: KVec::new(),
        }
    }

    fn position(&self, id: u16) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.description.id == id)
    }

    /// Finds the group that a program asks for, or makes it, by `make`. `is_member` says whether the
    /// socket is in a group.
    ///
    /// # Errors
    ///
    /// Those of [`Request::group_id`] and [`Request::description`], `ENOMEM` without memory, what `make`
    /// returns, in this order.
    pub(crate) fn prepare<'a>(
        &'a mut self,
        request: &'a Request,
        is_member: bool,
        make: impl FnOnce(&Description) -> Result<G>,
    ) -> Result<Admission<'a, G>> {
        let entries = &self.entries;
        let next = &mut self.next;
        let id = request.group_id(is_member, || {
            free_id(next, |id| {
                entries.iter().all(|entry| entry.description.id != id)
            })
        })?;

        let existing = self.position(id).and_then(|index| self.entries.get(index));
        let made = existing.is_none();
        let description = request.description(id, existing.map(|entry| &entry.description))?;
        if made {
            // INVARIANT: There is no group of this number, and there will be an `Admission`.
            let entry = Entry {
                target: None,
                members: Members::new(description.max_members),
                group: make(&description)?,
                description,
            };
            self.entries.push(entry, GFP_KERNEL)?;
        }
        Ok(Admission {
            table: self,
            request,
            id,
        })
    }

    /// A member of the group with this number is closed, which has no place any more. Returns the group
    /// if that was the last one: it is to be ended.
    pub(crate) fn part(&mut self, id: u16) -> Option<G> {
        let index = self.position(id)?;

        self.entries.get_mut(index)?.members.part();
        self.remove_empty(index)
    }

    /// What the group with this number is, who is in it, and the group.
    pub(crate) fn get(&self, id: u16) -> Option<(&Description, &Members, &G)> {
        let entry = self.entries.get(self.position(id)?)?;

        Some((&entry.description, &entry.members, &entry.group))
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn remove_empty(&mut self, index: usize) -> Option<G> {
        if !self.entries.get(index)?.members.is_empty() {
            return None;
        }
        self.entries.remove(index).ok().map(|entry| entry.group)
    }
}

/// A group that was found for a request, while the table is locked.
///
/// # Invariants
///
/// The table has a group of the number `id`.
#[must_use]
pub(crate) struct Admission<'a, G> {
    table: &'a mut Table<G>,
    request: &'a Request,
    id: u16,
}

impl<G: Clone> Admission<'_, G> {
    /// Counts the socket as a member, which is bound to `target`, and returns a reference to the group.
    /// Does not sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if such a socket cannot be a member, `ENOSPC` if there are too many.
    pub(crate) fn admit(self, target: Target) -> Result<G> {
        let index = self.table.position(self.id).ok_or(EINVAL)?;
        let entry = self.table.entries.get_mut(index).ok_or(EINVAL)?;
        let of_group = entry.target.unwrap_or(target);

        entry.description.admit(self.request, of_group, target)?;
        entry.members.join()?;
        entry.target = Some(of_group);
        Ok(entry.group.clone())
    }
}

impl<G> Drop for Admission<'_, G> {
    fn drop(&mut self) {
        // Nobody ever joined a group that is empty now: there is nothing to be ended.
        if let Some(index) = self.table.position(self.id) {
            drop(self.table.remove_empty(index));
        }
    }
}
