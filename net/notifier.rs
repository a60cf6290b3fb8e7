// SPDX-License-Identifier: GPL-2.0

//! Notifications about net devices: one comes up, goes down, goes away.
//!
//! Whoever keeps a reference to a device must give it back when the device goes away, or the
//! unregistration waits for ever; and whoever keeps a packet hook on one must remove it, or the kernel
//! stops with a BUG. So a user of devices implements [`Handler`], declares a `static` [`Block`], and
//! owns a [`Registration`]. A socket family gets that from
//! [`socket::Registration`](super::socket::Registration).
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bindings,
    ext::{
        claim::Claim,
        static_ref::StaticRef, //
    },
    net::{
        context::Rtnl,
        device::Device,
        namespace::Listed, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What happened to a device.
#[derive(Clone, Copy)]
pub(crate) enum Kind<'a> {
    /// It is up (`NETDEV_UP`). It is also listed: packet hooks may be put on it.
    Up(Listed<'a>),
    /// It is down (`NETDEV_DOWN`).
    Down,
    /// It goes away, or moves to another namespace (`NETDEV_UNREGISTER`): references to it and packet
    /// hooks on it must be gone when the handler returns. It may be sent more than once.
    Unregister,
    /// Something else, as `NETDEV_*` numbers it.
    Other(c_ulong),
}

/// A notification.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    device: &'a Device,
    kind: Kind<'a>,
}

impl<'a> Event<'a> {
    /// The device that it is about.
    #[inline]
    pub(crate) fn device(&self) -> &'a Device {
        self.device
    }

    /// What happened.
    #[inline]
    pub(crate) fn kind(&self) -> Kind<'a> {
        self.kind
    }
}

/// Who listens to notifications.
pub(crate) trait Handler: Sized + 'static {
    /// The block of this handler.
    const BLOCK: StaticRef<Block<Self>>;

    /// Something happened to a device. Process context, under RTNL.
    ///
    /// The event cannot be refused. At the time of the registration, the events that led to the
    /// present state of each device are replayed.
    fn event(event: &Event<'_>, rtnl: &mut Rtnl<'_>);
}

/// The list node of one [`Handler`]. It must be a `static`.
pub(crate) struct Block<H: Handler> {
    block: UnsafeCell<bindings::notifier_block>,
    claim: Claim,
    _handler: PhantomData<fn() -> H>,
}

// SAFETY: The kernel serialises its access to the block by RTNL, and the claim makes the registration
// exclusive.
unsafe impl<H: Handler> Sync for Block<H> {}

impl<H: Handler> Block<H> {
    /// The block, not registered yet.
    pub(crate) const fn new() -> Self {
        Self {
            block: UnsafeCell::new(pin_init::zeroed()),
            claim: Claim::new(),
            _handler: PhantomData,
        }
    }

    /// # Safety
    ///
    /// Only the kernel may call it, as the callback of a netdevice notifier.
    unsafe extern "C" fn callback(
        _block: *mut bindings::notifier_block,
        message: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let info = info.cast::<bindings::netdev_notifier_info>();
        // SAFETY: The netdevice notifier passes a valid `struct netdev_notifier_info`, whose device
        // exists while the callback runs.
        let device = unsafe { Device::from_raw((*info).dev.cast()) };
        let kind = match message as bindings::netdev_cmd {
            // SAFETY: A device that comes up is listed in its namespace, and RTNL, under which it would
            // be unlisted, is held until the callback returns.
            bindings::netdev_cmd_NETDEV_UP => Kind::Up(unsafe { Listed::new(device) }),
            bindings::netdev_cmd_NETDEV_DOWN => Kind::Down,
            bindings::netdev_cmd_NETDEV_UNREGISTER => Kind::Unregister,
            _ => Kind::Other(message),
        };
        // SAFETY: Netdevice notifiers are called under RTNL, which is held until they return.
        let mut rtnl = unsafe { Rtnl::assume() };
        H::event(&Event { device, kind }, &mut rtnl);
        bindings::NOTIFY_DONE as c_int
    }
}

/// A [`Handler`] that is listening, until this is dropped.
///
/// # Invariants
///
/// The block of `H` is registered, by this value alone.
#[must_use = "the handler is unregistered when the registration is dropped"]
pub(crate) struct Registration<H: Handler>(PhantomData<fn() -> H>);

impl<H: Handler> Registration<H> {
    /// Begins to listen. Process context; takes RTNL.
    ///
    /// Fails with `EBUSY` when the handler is registered already.
    pub(crate) fn new() -> Result<Self> {
        let block = H::BLOCK.get();
        if !block.claim.take() {
            return Err(EBUSY);
        }
        // SAFETY: Nothing else touches the block: it is not registered, and the claim makes this the
        // only caller.
        unsafe { (*block.block.get()).notifier_call = Some(Block::<H>::callback) };
        // SAFETY: The block is complete and lives in a `static` until it is unregistered.
        let result = to_result(unsafe { bindings::register_netdevice_notifier(block.block.get()) });
        if let Err(error) = result {
            block.claim.give_back();
            return Err(error);
        }
        // INVARIANT: The block was just registered.
        Ok(Self(PhantomData))
    }
}

impl<H: Handler> Drop for Registration<H> {
    fn drop(&mut self) {
        let block = H::BLOCK.get();
        // SAFETY: By the type invariant the block is registered.
        unsafe { bindings::unregister_netdevice_notifier(block.block.get()) };
        block.claim.give_back();
    }
}
