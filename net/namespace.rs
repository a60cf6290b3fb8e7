// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and the devices in them.
//!
//! A socket and a device belong to one namespace, and all look-ups by name or index happen in one. A
//! module can keep something for each of them: see [`pernet`](super::pernet).
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::{
    bindings,
    net::{
        context::Rtnl,
        device::Device, //
    },
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
    types::Opaque,
};

/// A network namespace: `struct net`.
///
/// It is lent by what keeps it alive: a socket, a device, a callback. There is no counted reference to
/// one, since a callback that runs while a namespace is made or ends has one whose count is zero.
///
/// # Invariants
///
/// The `struct net` is initialised and its memory stays valid for the lifetime of the reference.
#[repr(transparent)]
pub(crate) struct Namespace(Opaque<bindings::net>);

// SAFETY: The methods of `Namespace` call C functions that may be called from several threads.
unsafe impl Sync for Namespace {}

impl PartialEq for Namespace {
    /// Whether both are the same namespace: `net_eq()`.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Namespace {
    /// Borrows the namespace at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `struct net` that stays valid for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // CAST: `Namespace` is a transparent wrapper of `struct net`.
        // SAFETY: The caller guarantees that the pointer is valid for `'a`.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// The namespace that the machine boots with.
    pub(crate) fn init() -> &'static Self {
        // SAFETY: `init_net` is initialised long before any module is loaded, and never ends.
        unsafe { Self::from_raw(&raw mut bindings::init_net) }
    }

    /// The C object.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Whether the current task may use raw packets here: `CAP_NET_RAW` in the user namespace that
    /// owns this one. Process context. The answer may be logged by the audit system.
    pub(crate) fn may_use_raw_packets(&self) -> bool {
        // SAFETY: By the type invariant the namespace is valid.
        unsafe { bindings::net_ns_capable(self.as_raw(), bindings::CAP_NET_RAW as c_int) }
    }

    /// Looks a device up by its index, within an RCU read section.
    ///
    /// What is found is [`Listed`] for as long as the section lasts.
    #[inline]
    pub(crate) fn find_device<'r>(
        &self,
        index: c_int,
        _section: &'r rcu::Guard,
    ) -> Option<Listed<'r>> {
        // SAFETY: By the type invariant the namespace is valid, and the guard says that this is an
        // RCU read section.
        let ptr = unsafe { bindings::dev_get_by_index_rcu(self.as_raw(), index) };
        // SAFETY: A device that was found stays valid until the end of the section, hence for `'r`.
        let device = unsafe { Device::from_raw(NonNull::new(ptr)?.as_ptr()) };
        // INVARIANT: The look-up has found it in the list of its namespace.
        Some(Listed(device))
    }

    /// A counted reference to the device with this index. Any context but a hard interrupt.
    #[inline]
    pub(crate) fn device(&self, index: c_int) -> Option<ARef<Device>> {
        let section = rcu::read_lock();
        self.find_device(index, &section)
            .map(|device| ARef::from(&*device))
    }

    /// Looks a device up by its index under RTNL, which keeps it registered while the token is lent.
    pub(crate) fn device_under_rtnl<'r>(
        &self,
        index: c_int,
        _rtnl: &'r Rtnl<'_>,
    ) -> Option<Listed<'r>> {
        // SAFETY: By the type invariant the namespace is valid, and the token says that RTNL is held.
        let ptr = unsafe { bindings::__dev_get_by_index(self.as_raw(), index) };
        // SAFETY: A device is unregistered under RTNL, which the caller holds for `'r`.
        let device = unsafe { Device::from_raw(NonNull::new(ptr)?.as_ptr()) };
        // INVARIANT: It was found, and nothing can unregister it while RTNL is held.
        Some(Listed(device))
    }
}

/// A device that is in the list of its namespace: the notification that it goes away
/// (`NETDEV_UNREGISTER`) is still to come.
///
/// A packet hook on a device must be gone when that notification ends. So a hook takes a device in
/// this form only, and the family's handler of the notification will see it.
///
/// # Invariants
///
/// For `'r` either an RCU read section lasts, in which the device was found in the list of its
/// namespace, or RTNL is held and the device is registered. The device is unlisted under RTNL, then
/// a grace period passes, then the notification is sent: it cannot be sent before `'r` ends.
#[derive(Clone, Copy)]
pub(crate) struct Listed<'r>(&'r Device);

impl<'r> Listed<'r> {
    /// Takes the device of a notification that is sent while it is registered.
    ///
    /// # Safety
    ///
    /// For `'r` RTNL must be held, and the device be listed.
    pub(super) unsafe fn new(device: &'r Device) -> Self {
        // INVARIANT: The caller guarantees it.
        Self(device)
    }
}

impl Deref for Listed<'_> {
    type Target = Device;

    #[inline]
    fn deref(&self) -> &Device {
        self.0
    }
}
