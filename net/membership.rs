// SPDX-License-Identifier: GPL-2.0

//! Memberships: a socket wants a device to receive more than what is for the host.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bindings,
    net::{
        context::Rtnl,
        device::Device,
        namespace::Namespace, //
    },
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The longest link-layer address, in bytes.
pub(crate) const ADDRESS_MAX: usize = bindings::MAX_ADDR_LEN as usize;

/// What a device is to receive beside what is for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: it is noted, and changes nothing.
    Nothing,
    /// Everything.
    Promiscuous,
    /// Everything that is sent to a group.
    AllMulticast,
    /// What is sent to this group.
    Multicast([u8; ADDRESS_MAX]),
    /// What is sent to this host address.
    Unicast([u8; ADDRESS_MAX]),
}

/// A device was told to receive more. It must be told to stop: see [`leave`](Membership::leave).
///
/// The device is not kept alive. It is found again by its index; when it goes away, so do its
/// memberships, and whoever has one must give it up on `NETDEV_UNREGISTER`, since an index can be used
/// again.
#[derive(Debug)]
#[must_use = "a device that was told to receive more must be told to stop"]
pub(crate) struct Membership {
    index: c_int,
    kind: Kind,
}

impl Membership {
    /// Has `device` receive `kind`, until [`leave`](Self::leave). May sleep.
    ///
    /// Addresses have as many bytes as the device's have. Fails with the errors of the device, and with
    /// `ENOMEM`.
    pub(crate) fn join(device: &Device, kind: Kind, rtnl: &mut Rtnl<'_>) -> Result<Self> {
        change(device, &kind, true, rtnl)?;
        Ok(Self {
            index: device.ifindex(),
            kind,
        })
    }

    /// The index of the device.
    #[inline]
    pub(crate) fn index(&self) -> c_int {
        self.index
    }

    /// What the device was told to receive.
    #[inline]
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Has the device stop, if it is still there. May sleep.
    pub(crate) fn leave(self, namespace: &Namespace, rtnl: &mut Rtnl<'_>) {
        let index = self.index;
        let device = namespace
            .device_under_rtnl(index, rtnl)
            .map(|listed| kernel::sync::aref::ARef::from(&*listed));
        if let Some(device) = device {
            self.leave_device(&device, rtnl);
        }
    }

    /// Has `device` stop, on the notification that it goes away: then it cannot be found any more. May
    /// sleep. It does nothing if the membership is another device's.
    pub(crate) fn leave_device(self, device: &Device, rtnl: &mut Rtnl<'_>) {
        if device.ifindex() == self.index {
            // A device that refuses to receive less can go on.
            let _ = change(device, &self.kind, false, rtnl);
        }
    }
}

/// Tells `device` to receive `kind`, or to stop.
fn change(device: &Device, kind: &Kind, join: bool, _rtnl: &mut Rtnl<'_>) -> Result {
    let dev = device.as_raw();
    let step = if join { 1 } else { -1 };
    to_result(match (kind, join) {
        (Kind::Nothing, _) => 0,
        (Kind::Promiscuous, _) => {
            // SAFETY: The device is valid by its invariant, and RTNL is held.
            unsafe { bindings::dev_set_promiscuity(dev, step) }
        }
        (Kind::AllMulticast, _) => {
            // SAFETY: As above.
            unsafe { bindings::dev_set_allmulti(dev, step) }
        }
        (Kind::Multicast(address), true) => {
            // SAFETY: As above; of the address, which has `MAX_ADDR_LEN` bytes, `addr_len` are read.
            unsafe { bindings::dev_mc_add(dev, address.as_ptr()) }
        }
        (Kind::Multicast(address), false) => {
            // SAFETY: As above.
            unsafe { bindings::dev_mc_del(dev, address.as_ptr()) }
        }
        (Kind::Unicast(address), true) => {
            // SAFETY: As above.
            unsafe { bindings::dev_uc_add(dev, address.as_ptr()) }
        }
        (Kind::Unicast(address), false) => {
            // SAFETY: As above.
            unsafe { bindings::dev_uc_del(dev, address.as_ptr()) }
        }
    })
}
