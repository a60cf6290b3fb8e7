// SPDX-License-Identifier: GPL-2.0

//! The receive filter that the stack asks for.

use crate::{
    bindings,
    net::device::Device, //
};
use core::marker::PhantomData;

/// What an interface shall receive, as of one moment.
///
/// # Invariants
///
/// The lists are well-formed and do not change for `'a`.
pub(crate) struct RxMode<'a> {
    flags: u32,
    unicast: &'a bindings::netdev_hw_addr_list,
    multicast: &'a bindings::netdev_hw_addr_list,
}

impl<'a> RxMode<'a> {
    /// What `dev` shall receive: its flags, and the addresses in the two lists.
    ///
    /// # Safety
    ///
    /// For `'a`, both pointers must be to well-formed lists of Ethernet addresses that do not change.
    pub(super) unsafe fn new(
        dev: &Device,
        unicast: *const bindings::netdev_hw_addr_list,
        multicast: *const bindings::netdev_hw_addr_list,
    ) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            flags: dev.flags(),
            // SAFETY: The caller guarantees that the list is valid for `'a`.
            unicast: unsafe { &*unicast },
            // SAFETY: The caller guarantees that the list is valid for `'a`.
            multicast: unsafe { &*multicast },
        }
    }

    /// Receive everything.
    pub(crate) fn promiscuous(&self) -> bool {
        self.flags & bindings::net_device_flags_IFF_PROMISC != 0
    }

    /// Receive all multicast frames.
    pub(crate) fn all_multicast(&self) -> bool {
        self.flags & bindings::net_device_flags_IFF_ALLMULTI != 0
    }

    /// The unicast addresses to receive beside the interface's own.
    pub(crate) fn unicast(&self) -> Addresses<'a> {
        // INVARIANT: By the invariant of `RxMode`.
        Addresses::new(self.unicast)
    }

    /// The multicast addresses to receive.
    pub(crate) fn multicast(&self) -> Addresses<'a> {
        // INVARIANT: By the invariant of `RxMode`.
        Addresses::new(self.multicast)
    }
}

/// Iterates over a list of Ethernet addresses.
///
/// # Invariants
///
/// - `next` is `head`, or the `list` field of a `struct netdev_hw_addr` in the list of `head`.
/// - The list does not change for `'a`.
pub(crate) struct Addresses<'a> {
    head: *const bindings::list_head,
    next: *const bindings::list_head,
    left: usize,
    _list: PhantomData<&'a bindings::netdev_hw_addr_list>,
}

impl<'a> Addresses<'a> {
    fn new(list: &'a bindings::netdev_hw_addr_list) -> Self {
        let head = &raw const list.list;
        Self {
            head,
            next: list.list.next.cast_const(),
            left: usize::try_from(list.count).unwrap_or(0),
            _list: PhantomData,
        }
    }
}

impl<'a> Iterator for Addresses<'a> {
    type Item = &'a [u8; 6];

    fn next(&mut self) -> Option<&'a [u8; 6]> {
        if core::ptr::eq(self.next, self.head) {
            return None;
        }
        // `list` is the first field of `struct netdev_hw_addr`, but nothing relies on that.
        let entry = self
            .next
            .wrapping_byte_sub(core::mem::offset_of!(bindings::netdev_hw_addr, list))
            .cast::<bindings::netdev_hw_addr>();
        // SAFETY: By the type invariant `next` is the field of an entry, which lives for `'a`.
        let entry = unsafe { &*entry };
        // INVARIANT: The list is well-formed, so what follows an entry is an entry or the head.
        self.next = entry.list.next.cast_const();
        self.left = self.left.saturating_sub(1);
        entry.addr.first_chunk()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Addresses<'_> {}
