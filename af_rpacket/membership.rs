// SPDX-License-Identifier: GPL-2.0

//! Memberships: what a socket has its devices receive beyond what is meant for them.
//!
//! A program asks with `PACKET_ADD_MEMBERSHIP` for one more multicast or unicast address, for all
//! multicast frames or for all frames of a device, and takes it back with `PACKET_DROP_MEMBERSHIP`
//! or by closing the socket. The same request twice counts two and needs two drops. The device is
//! told of the first and of the last.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::address::MAX_ADDRESS;
use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*, //
};

/// The offset of `mr_address` in `struct packet_mreq`.
const ADDRESS_OFFSET: usize = 8;

/// `sizeof(struct packet_mreq)`.
const MIN_SIZE: usize = 16;

/// The length of a request with the longest address.
const MAX_SIZE: usize = ADDRESS_OFFSET + MAX_ADDRESS;

const PACKET_MR_MULTICAST: u16 = 0;
const PACKET_MR_PROMISC: u16 = 1;
const PACKET_MR_ALLMULTI: u16 = 2;
const PACKET_MR_UNICAST: u16 = 3;

/// What a device is to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Frames for a multicast address, which is padded with zeros.
    Multicast([u8; MAX_ADDRESS]),
    /// Frames for a further unicast address, which is padded with zeros.
    Unicast([u8; MAX_ADDRESS]),
    /// All multicast frames.
    AllMulti,
    /// All frames.
    Promiscuous,
}

/// One membership that a program asks for, `struct packet_mreq`.
///
/// Two requests are equal if they ask for the same. What a program put behind the address does not
/// count.
///
/// # Invariants
///
/// `length` is at most [`MAX_ADDRESS`], and all bytes of `address` behind it are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    ifindex: i32,
    kind: u16,
    length: usize,
    address: [u8; MAX_ADDRESS],
}

impl Request {
    /// Reads the argument of `PACKET_ADD_MEMBERSHIP` or `PACKET_DROP_MEMBERSHIP`, which has
    /// `length` bytes. `copy` fills a slice with the first of them.
    ///
    /// # Errors
    ///
    /// `EINVAL` for less than 16 bytes, what `copy` returns (`EFAULT`), `EINVAL` if the address is
    /// longer than the argument, in this order.
    pub(crate) fn parse(length: usize, copy: impl FnOnce(&mut [u8]) -> Result) -> Result<Self> {
        if length < MIN_SIZE {
            return Err(EINVAL);
        }
        let mut bytes = [0; MAX_SIZE];
        let given = bytes.get_mut(..length.min(MAX_SIZE)).ok_or(EINVAL)?;
        copy(given)?;
        let given = given.len();

        let (ifindex, rest) = bytes.split_first_chunk().ok_or(EINVAL)?;
        let (kind, rest) = rest.split_first_chunk().ok_or(EINVAL)?;
        let (length, rest) = rest.split_first_chunk().ok_or(EINVAL)?;
        let address: &[u8; MAX_ADDRESS] = rest.first_chunk().ok_or(EINVAL)?;

        let length = usize::from(u16::from_ne_bytes(*length));
        if given < length.saturating_add(ADDRESS_OFFSET) {
            return Err(EINVAL);
        }
        let mut padded = [0; MAX_ADDRESS];
        for (to, from) in padded.iter_mut().zip(address.iter().take(length)) {
            *to = *from;
        }

        // INVARIANT: At most `MAX_SIZE` bytes were given, and `ADDRESS_OFFSET` of them are fixed.
        Ok(Self {
            ifindex: i32::from_ne_bytes(*ifindex),
            kind: u16::from_ne_bytes(*kind),
            length,
            address: padded,
        })
    }

    /// The device that is meant.
    pub(crate) fn ifindex(&self) -> i32 {
        self.ifindex
    }

    /// What the device is to receive, or `None` for a kind that is not known: that one is accepted
    /// and counted, and has no effect.
    fn filter(&self) -> Option<Filter> {
        match self.kind {
            PACKET_MR_MULTICAST => Some(Filter::Multicast(self.address)),
            PACKET_MR_PROMISC => Some(Filter::Promiscuous),
            PACKET_MR_ALLMULTI => Some(Filter::AllMulti),
            PACKET_MR_UNICAST => Some(Filter::Unicast(self.address)),
            _ => None,
        }
    }

    /// Checks that the address, if the kind needs one, is as long as those of the device.
    fn check_address(&self, address_length: usize) -> Result {
        match self.filter() {
            Some(Filter::Multicast(_) | Filter::Unicast(_)) if self.length != address_length => {
                Err(EINVAL)
            }
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Entry<M> {
    request: Request,
    /// How often it was added and not dropped, never zero.
    count: u32,
    /// What the device was told; `None` for a kind that is not known.
    joined: Option<M>,
}

/// What is to be done for a request to add a membership.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Nothing: the device was told already, and the request was counted.
    Counted,
    /// Nothing to tell the device: [`List::insert`] the request with `None`.
    Noted,
    /// Tell the device this, and [`List::insert`] the request with what it answers.
    Join(Filter),
}

/// The memberships of a socket. `M` is what has to be given back to a device in the end.
///
/// The list does not speak to a device itself: what protects the list need not be held meanwhile.
///
/// # Locking
///
/// The list changes under RTNL only, under which devices change their receive filters. So what
/// [`List::admit`] found is still so at [`List::insert`].
#[derive(Debug)]
pub(crate) struct List<M>(KVec<Entry<M>>);

impl<M> List<M> {
    /// Makes an empty list.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// Whether there is no membership.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins to add a membership. `address_length` is the length of the device's link layer
    /// addresses, or `None` if there is no such device.
    ///
    /// # Errors
    ///
    /// `ENODEV` without a device, `EINVAL` if the address is longer than the device's, `ENOBUFS`
    /// without memory, `EINVAL` if an address is needed and too short, in this order.
    pub(crate) fn admit(
        &mut self,
        request: &Request,
        address_length: Option<usize>,
    ) -> Result<Admission> {
        let address_length = address_length.ok_or(ENODEV)?;
        if request.length > address_length {
            return Err(EINVAL);
        }

        if let Some(entry) = self.0.iter_mut().find(|entry| entry.request == *request) {
            entry.count = entry.count.checked_add(1).ok_or(ENOBUFS)?;
            return Ok(Admission::Counted);
        }

        // Memory comes first: what a device was told must not get lost for the lack of it. How much is
        // up to the program, so that there is none is not worth a warning.
        self.0
            .reserve(1, GFP_KERNEL | __GFP_NOWARN)
            .map_err(|_| ENOBUFS)?;
        request.check_address(address_length)?;
        Ok(match request.filter() {
            Some(filter) => Admission::Join(filter),
            None => Admission::Noted,
        })
    }

    /// Ends what [`Self::admit`] began.
    ///
    /// # Errors
    ///
    /// Gives `joined` back if there is no memory, which `admit` has reserved.
    pub(crate) fn insert(&mut self, request: Request, joined: Option<M>) -> Result<(), Option<M>> {
        if self.0.reserve(1, GFP_KERNEL | __GFP_NOWARN).is_err() {
            return Err(joined);
        }
        // There is room, so nothing is lost here.
        let _ = self.0.push(
            Entry {
                request,
                count: 1,
                joined,
            },
            GFP_KERNEL,
        );
        Ok(())
    }

    /// Drops a membership. That there is none is not an error. Returns what to give back to the
    /// device, if this was the last of its kind.
    pub(crate) fn remove(&mut self, request: &Request) -> Option<M> {
        let (index, entry) = self
            .0
            .iter_mut()
            .enumerate()
            .find(|(_, entry)| entry.request == *request)?;

        entry.count = entry.count.saturating_sub(1);
        if entry.count > 0 {
            return None;
        }
        self.0.remove(index).ok()?.joined
    }

    /// Drops memberships of one device until there is something to give back to it, which is
    /// returned; `None` when there is none left.
    pub(crate) fn pop_device(&mut self, ifindex: i32) -> Option<M> {
        self.pop_where(|request| request.ifindex == ifindex)
    }

    /// Drops memberships until there is something to give back to a device, which is returned;
    /// `None` when the list is empty.
    pub(crate) fn pop(&mut self) -> Option<M> {
        self.pop_where(|_| true)
    }

    fn pop_where(&mut self, chosen: impl Fn(&Request) -> bool) -> Option<M> {
        // From the end, and with what is last in the place of what is dropped: a program may have
        // made the list long, and RTNL is held.
        for index in (0..self.0.len()).rev() {
            if !self
                .0
                .get(index)
                .is_some_and(|entry| chosen(&entry.request))
            {
                continue;
            }
            let last = self.0.len().saturating_sub(1);
            self.0.swap(index, last);
            if let Some(joined) = self.0.pop()?.joined {
                return Some(joined);
            }
        }
        None
    }
}
