// SPDX-License-Identifier: GPL-2.0

//! A network interface, as anyone may see it.
//!
//! [`Device`] is what the rest of the stack knows of an interface: name, index, address, flags. Who
//! writes a driver owns more of it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bindings,
    net::{
        context::Rtnl,
        namespace::Namespace, //
    },
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

/// A network interface: `struct net_device`.
///
/// A value of this type is never owned; it is borrowed from C for the length of a callback, or kept
/// alive by an [`ARef<Device>`](kernel::sync::aref::ARef), which is a counted reference
/// (`dev_hold()`). An interface that is being unregistered waits for such references: who keeps one
/// for long must listen to the netdevice notifier and give it back on `NETDEV_UNREGISTER`.
///
/// # Invariants
///
/// The `struct net_device` is initialised and its memory stays valid for the lifetime of the
/// reference.
#[repr(transparent)]
pub(crate) struct Device(Opaque<bindings::net_device>);

// SAFETY: A counted reference to a net device may be given back in any thread.
unsafe impl Send for Device {}

// SAFETY: The methods of `Device` read fields that are constant while the device is registered, and by
// volatile reads those that C reads and writes without a lock as well.
unsafe impl Sync for Device {}

// SAFETY: `dev_hold()` keeps the memory of the device until the matching `dev_put()`, and each
// `struct net_device` is counted.
unsafe impl AlwaysRefCounted for Device {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::dev_hold(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a count and gives it up, so the device is valid until here.
        unsafe { bindings::dev_put(obj.cast().as_ptr()) };
    }
}

impl Device {
    /// Borrows the device at `ptr`.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `struct net_device` that stays valid for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // CAST: `Device` is a transparent wrapper of `struct net_device`.
        // SAFETY: The caller guarantees that the pointer is valid for `'a`.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// The C object.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// The number that user space knows the interface by; at least 1, unique in its namespace.
    #[inline]
    pub(crate) fn ifindex(&self) -> c_int {
        // SAFETY: By the type invariant the device is valid.
        unsafe { (*self.as_raw()).ifindex }
    }

    /// The flags `IFF_*` as the kernel keeps them. They may change at any time unless RTNL is held.
    #[inline]
    pub(crate) fn flags(&self) -> u32 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        unsafe { (&raw const (*self.as_raw()).flags).read_volatile() }
    }

    /// Whether the interface is administratively up (`IFF_UP`).
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        self.flags() & bindings::net_device_flags_IFF_UP != 0
    }

    /// The largest payload of the link layer, in bytes.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        unsafe { (&raw const (*self.as_raw()).mtu).read_volatile() }
    }

    /// The hardware type `ARPHRD_*`.
    #[inline]
    pub(crate) fn hardware_type(&self) -> u16 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does: a bond
        // takes on the type of its first port.
        unsafe { (&raw const (*self.as_raw()).type_).read_volatile() }
    }

    /// The length of a link-layer address, in bytes.
    #[inline]
    pub(crate) fn addr_len(&self) -> u8 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as for the type.
        unsafe { (&raw const (*self.as_raw()).addr_len).read_volatile() }
    }

    /// The length of the link-layer header that the device puts before a packet, in bytes.
    #[inline]
    pub(crate) fn hard_header_len(&self) -> u16 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        unsafe { (&raw const (*self.as_raw()).hard_header_len).read_volatile() }
    }

    /// The least length of a link-layer header of this device, in bytes.
    #[inline]
    pub(crate) fn min_header_len(&self) -> u16 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        u16::from(unsafe { (&raw const (*self.as_raw()).min_header_len).read_volatile() })
    }

    /// The bytes that the device wants behind a packet.
    #[inline]
    pub(crate) fn needed_tailroom(&self) -> u16 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        unsafe { (&raw const (*self.as_raw()).needed_tailroom).read_volatile() }
    }

    /// The bytes to reserve before a packet whose link header has `header_len` bytes:
    /// `LL_RESERVED_SPACE_EX()`.
    #[inline]
    pub(crate) fn reserved_headroom(&self, header_len: u16) -> u32 {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::ll_reserved_space(self.as_raw(), c_uint::from(header_len)) }
    }

    /// Whether the link layer has a header that others may see: `dev_has_header()`.
    #[inline]
    pub(crate) fn has_header(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::dev_has_header(self.as_raw()) }
    }

    /// Whether it is a VLAN on top of another device.
    pub(crate) fn is_vlan(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::is_vlan_dev(self.as_raw()) }
    }

    /// Whether it can send a frame whose checksum (FCS) the sender has supplied.
    pub(crate) fn supports_no_fcs(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_supports_nofcs(self.as_raw()) }
    }

    /// Copies the link-layer address into `to` and returns its length in bytes.
    ///
    /// It may be half changed unless RTNL is held, as for each reader in C.
    pub(crate) fn copy_address(&self, to: &mut [u8; bindings::MAX_ADDR_LEN as usize]) -> u8 {
        let len = self.addr_len().min(bindings::MAX_ADDR_LEN as u8);
        // SAFETY: By the type invariant the device is valid; its address is valid until the device is
        // freed.
        let address = unsafe { (*self.as_raw()).dev_addr };
        for (offset, byte) in to.iter_mut().take(usize::from(len)).enumerate() {
            // SAFETY: The address has at least `addr_len` bytes, and `offset` is less; a byte is read
            // in one piece.
            *byte = unsafe { address.add(offset).read_volatile() };
        }
        len
    }

    /// Whether the device is in `namespace`. It may move at any time unless RTNL is held.
    #[inline]
    pub(crate) fn is_in(&self, namespace: &Namespace) -> bool {
        self.namespace_address() == namespace.as_raw().addr()
    }

    /// The address of the namespace that the device is in at this moment, to be compared.
    #[inline]
    pub(super) fn namespace_address(&self) -> usize {
        // SAFETY: By the type invariant the device is valid. The pointer is not followed.
        unsafe { (&raw const (*self.as_raw()).nd_net.net).read_volatile() }.addr()
    }

    /// The namespace that the device is in. It cannot move, nor can the namespace end, under RTNL.
    #[inline]
    pub(crate) fn namespace<'a>(&'a self, _rtnl: &'a Rtnl<'_>) -> &'a Namespace {
        // SAFETY: By the type invariant the device is valid.
        let current = unsafe { (*self.as_raw()).nd_net.net };
        // SAFETY: A device moves under RTNL only, which the caller holds for `'a`, and a namespace does
        // not end while it has devices.
        unsafe { Namespace::from_raw(current) }
    }
}
