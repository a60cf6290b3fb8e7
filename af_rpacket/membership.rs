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
use kernel::prelude::*;

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
    next: Link<M>,
}

type Link<M> = Option<KBox<Entry<M>>>;

/// The memory of a membership that is being added.
#[derive(Debug)]
pub(crate) struct Place<M>(KBox<Entry<M>>);

/// What is to be done for a request to add a membership.
#[must_use]
#[derive(Debug)]
pub(crate) enum Admission<M> {
    /// Nothing: the device was told already, and the request was counted.
    Counted,
    /// Nothing to tell the device: [`List::insert`] this with `None`.
    Noted(Place<M>),
    /// Tell the device this, and [`List::insert`] what it answers.
    Join(Filter, Place<M>),
}

/// Memberships, of a socket or on their way out. `M` is what has to be given back to a device in the
/// end.
///
/// The list does not speak to a device itself: what protects the list need not be held meanwhile. It
/// is linked, so that entries move from one to another without memory: a device that goes away takes
/// those of all sockets in one pass.
///
/// # Locking
///
/// The list of a socket changes under RTNL only, under which devices change their receive filters. So
/// what [`List::admit`] found is still so at [`List::insert`].
#[derive(Debug)]
pub(crate) struct List<M>(Link<M>);

impl<M> List<M> {
    /// Makes an empty list.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Whether there is no membership.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
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
    ) -> Result<Admission<M>> {
        let address_length = address_length.ok_or(ENODEV)?;
        if request.length > address_length {
            return Err(EINVAL);
        }

        let mut at = self.0.as_deref_mut();
        while let Some(entry) = at {
            if entry.request == *request {
                entry.count = entry.count.checked_add(1).ok_or(ENOBUFS)?;
                return Ok(Admission::Counted);
            }
            at = entry.next.as_deref_mut();
        }

        // Memory comes first: what a device was told must not get lost for the lack of it.
        let entry = Entry {
            request: request.clone(),
            count: 1,
            joined: None,
            next: None,
        };
        let place = Place(KBox::new(entry, GFP_KERNEL).map_err(|_| ENOBUFS)?);
        request.check_address(address_length)?;
        Ok(match request.filter() {
            Some(filter) => Admission::Join(filter, place),
            None => Admission::Noted(place),
        })
    }

    /// Ends what [`Self::admit`] began.
    pub(crate) fn insert(&mut self, place: Place<M>, joined: Option<M>) {
        let Place(mut entry) = place;
        entry.joined = joined;
        self.push(entry);
    }

    /// Drops a membership. That there is none is not an error. Returns what to give back to the
    /// device, if this was the last of its kind.
    pub(crate) fn remove(&mut self, request: &Request) -> Option<M> {
        let mut at = &mut self.0;
        while at.as_ref().is_some_and(|entry| entry.request != *request) {
            at = &mut at.as_mut()?.next;
        }
        let entry = at.as_mut()?;
        entry.count = entry.count.saturating_sub(1);
        if entry.count > 0 {
            return None;
        }
        unlink(at)?.joined.take()
    }

    /// Moves the memberships of one device to `to`.
    pub(crate) fn move_device(&mut self, ifindex: i32, to: &mut Self) {
        let mut at = &mut self.0;
        while let Some(entry) = at {
            if entry.request.ifindex != ifindex {
                // Looked up anew, since the borrow of `entry` cannot be given up in one branch.
                at = match at {
                    Some(entry) => &mut entry.next,
                    None => return,
                };
            } else if let Some(entry) = unlink(at) {
                to.push(entry);
            }
        }
    }

    /// Drops memberships until there is something to give back to a device, which is returned;
    /// `None` when the list is empty.
    pub(crate) fn pop(&mut self) -> Option<M> {
        loop {
            let joined = unlink(&mut self.0)?.joined.take();
            if joined.is_some() {
                return joined;
            }
        }
    }

    fn push(&mut self, mut entry: KBox<Entry<M>>) {
        entry.next = self.0.take();
        self.0 = Some(entry);
    }
}

impl<M> Drop for List<M> {
    /// One entry after another: each would drop the next one inside of it, however many there are.
    fn drop(&mut self) {
        while unlink(&mut self.0).is_some() {}
    }
}

/// Takes the first entry out of the list that begins at `at`.
fn unlink<M>(at: &mut Link<M>) -> Link<M> {
    let mut entry = at.take()?;
    *at = entry.next.take();
    Some(entry)
}
