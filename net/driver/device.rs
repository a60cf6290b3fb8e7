// SPDX-License-Identifier: GPL-2.0

//! A driver's own net device.

use super::{
    running::Running,
    Features,
    Operations, //
};
use crate::{
    bindings,
    net::{
        context::Process,
        device,
        queue,
        xdp, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

/// What of [`Private`] is there whatever the driver is.
#[repr(C)]
pub(crate) struct Common {
    /// The one NAPI instance; added before the device is registered.
    pub(in crate::net) napi: Opaque<bindings::napi_struct>,
    /// How often the driver has stopped the queue.
    pub(in crate::net) stops: queue::Stops,
}

/// What the layer keeps in the private area of a net device (`netdev_priv()`).
///
/// # Invariants
///
/// - `running` is null, or points to a value that stays valid until one grace period after the
///   pointer was set to null, which happens under the instance lock.
/// - `data` is initialised from before the device is registered until after it was unregistered,
///   and does not move meanwhile.
/// - `tick` and `retry` are set up before the device is registered. `tick` is pending or running only
///   while the interface works, `retry` only while it is up and halted.
#[repr(C)]
pub(crate) struct Private<T: Operations> {
    /// The first field, see [`common_of`].
    pub(in crate::net) common: Common,
    /// The timer of [`Operations::tick`].
    pub(super) tick: Opaque<bindings::timer_list>,
    /// The timer that has a failed restart tried again.
    pub(super) retry: Opaque<bindings::timer_list>,
    /// The features that the user could switch if the driver had no say in it; zero until the device has
    /// been registered.
    pub(super) switchable: Atomic<u64>,
    /// The program that looks at received frames.
    pub(in crate::net) program: xdp::Slot,
    /// What exists while the interface is up.
    pub(super) running: Atomic<*mut Running<T>>,
    /// The driver's private data.
    pub(super) data: UnsafeCell<T>,
}

/// Where a device of the layer has that.
#[inline]
fn common_of(dev: &device::Device) -> *mut Common {
    // SAFETY: By the invariant of `device::Device` the device is valid.
    let area = unsafe { &raw mut (*dev.as_raw()).priv_ };
    area.cast()
}

/// The NAPI of a device of the layer, whatever its driver.
#[inline]
pub(in crate::net) fn napi_of(dev: &device::Device) -> *mut bindings::napi_struct {
    // CAST: The first field.
    common_of(dev).cast()
}

/// How often the queue of a device was stopped, whatever its driver.
///
/// # Safety
///
/// `dev` must have been set up by [`super::Registration`].
#[inline]
pub(in crate::net) unsafe fn stops_of(dev: &device::Device) -> &queue::Stops {
    // SAFETY: The caller guarantees that the private area holds a `Private`, whose first field it is.
    unsafe { &(*common_of(dev)).stops }
}

/// A net device whose driver is `T`.
///
/// Dereferences to [`device::Device`], which is what anyone sees of it.
///
/// # Invariants
///
/// - The `struct net_device` is valid while the reference is.
/// - Its private area holds a [`Private<T>`] whose `data` is initialised.
#[repr(transparent)]
pub(crate) struct Device<T: Operations>(device::Device, PhantomData<T>);

impl<T: Operations> Deref for Device<T> {
    type Target = device::Device;

    #[inline]
    fn deref(&self) -> &device::Device {
        &self.0
    }
}

impl<T: Operations> Device<T> {
    /// Borrows the device at `dev`.
    ///
    /// # Safety
    ///
    /// For `'a`, `dev` must be a net device that [`super::Registration`] has set up for `T`, and
    /// that has not been unregistered.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Self {
        // CAST: `Device<T>` is a transparent wrapper of `struct net_device`.
        // SAFETY: The caller guarantees that the pointer is valid for `'a`.
        unsafe { &*dev.cast::<Self>() }
    }

    /// The layer's part of the private area of `dev`: `netdev_priv()`.
    #[inline]
    pub(super) fn private_of(dev: NonNull<bindings::net_device>) -> *mut Private<T> {
        // SAFETY: Only the address of the field is computed, inside the allocation of the device.
        let area = unsafe { &raw mut (*dev.as_ptr()).priv_ };
        area.cast()
    }

    /// The device that has this private area: `netdev_from_priv()`.
    ///
    /// # Safety
    ///
    /// As for [`Device::from_raw`], for the device that `area` is of.
    #[inline]
    pub(super) unsafe fn of_private<'a>(area: *mut Private<T>) -> &'a Self {
        let offset = core::mem::offset_of!(bindings::net_device, priv_);
        // SAFETY: The caller guarantees that the area is at this place of a device.
        let dev = unsafe { area.byte_sub(offset) };
        // SAFETY: As above.
        unsafe { Self::from_raw(dev.cast()) }
    }

    #[inline]
    pub(crate) fn area(&self) -> &Private<T> {
        // SAFETY: By the type invariant the device is valid.
        let area = unsafe { &raw mut (*self.as_raw()).priv_ };
        // SAFETY: By the type invariant the private area holds a `Private<T>`.
        unsafe { &*area.cast::<Private<T>>() }
    }

    /// The driver's private data.
    #[inline]
    pub(crate) fn private(&self) -> &T {
        // SAFETY: By the invariant of `Private` the data is initialised, and it is only read while
        // the device is registered.
        unsafe { &*self.area().data.get() }
    }

    /// What exists while the interface is up, or `None`.
    ///
    /// # Safety
    ///
    /// The caller must hold the instance lock, or be inside an RCU read section (bottom halves or
    /// interrupts off), for as long as it uses the answer.
    #[inline]
    pub(in crate::net) unsafe fn running(&self) -> Option<&Running<T>> {
        // ORDERING: Acquire pairs with the release in `Running::open`: who sees the pointer sees
        // the value behind it.
        let running = self.area().running.load(Acquire);
        // SAFETY: By the invariant of `Private` the value is valid as long as the caller's lock or
        // read section lasts.
        unsafe { running.as_ref() }
    }

    /// Tells the stack that there is a link. Any context.
    #[inline]
    pub(crate) fn carrier_on(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_carrier_on(self.as_raw()) };
    }

    /// Tells the stack that there is no link. Any context.
    #[inline]
    pub(crate) fn carrier_off(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_carrier_off(self.as_raw()) };
    }

    /// Whether the stack believes that there is a link.
    #[inline]
    pub(crate) fn carrier_ok(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_carrier_ok(self.as_raw()) }
    }

    /// Whether the hardware is there: not suspended and not removed.
    #[inline]
    pub(crate) fn is_present(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_device_present(self.as_raw()) }
    }

    /// Whether the device has been registered, and not been unregistered.
    #[inline]
    pub(super) fn is_registered(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netdev_registered(self.as_raw()) }
    }

    /// Whether the interface is up, or on its way up or down (`netif_running()`).
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::netif_running(self.as_raw()) }
    }

    /// The features that are on now.
    #[inline]
    pub(crate) fn features(&self) -> Features {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        Features::from_raw(unsafe { (&raw const (*self.as_raw()).features).read_volatile() })
    }

    /// Offers the user to switch what [`Operations::fix_features`] lets through of all that can be switched,
    /// and no more: the rest is shown as fixed.
    ///
    /// # Safety
    ///
    /// The caller must hold RTNL and the instance lock, of a device that is registered.
    pub(in crate::net) unsafe fn offer_features(&self) {
        if !T::HAS_FIX_FEATURES {
            return;
        }
        let switchable = &self.area().switchable;
        // ORDERING: Relaxed. It is read and written under the instance lock.
        if switchable.load(Relaxed) == 0 {
            // The first time. The core has completed what is switchable.
            //
            // SAFETY: By the type invariant the device is valid; writers hold RTNL.
            switchable.store(unsafe { (*self.as_raw()).hw_features }, Relaxed);
        }
        let all = Features::from_raw(switchable.load(Relaxed));
        let offered = all & self.private().fix_features(all);
        // SAFETY: By the type invariant the device is valid; writers hold RTNL.
        unsafe { (&raw mut (*self.as_raw()).hw_features).write_volatile(offered.into_raw()) };
    }

    /// Says whether programs can be attached, and frames that are no packets be sent.
    ///
    /// # Safety
    ///
    /// The caller must hold the instance lock, or the device must not be registered yet.
    pub(in crate::net) unsafe fn offer_xdp(&self, yes: bool) {
        let offered = if yes {
            bindings::netdev_xdp_act_NETDEV_XDP_ACT_BASIC
                | bindings::netdev_xdp_act_NETDEV_XDP_ACT_REDIRECT
                | bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT
        } else {
            0
        };
        // SAFETY: By the type invariant the device is valid; the caller guarantees the rest.
        unsafe { bindings::xdp_set_features_flag_locked(self.as_raw(), offered) };
    }

    /// The MTU, in bytes.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: By the type invariant the device is valid; the field is read once, as C does.
        unsafe { (&raw const (*self.as_raw()).mtu).read_volatile() }
    }

    /// The Ethernet address of the interface. It may be changing meanwhile, unless the instance lock
    /// is held.
    pub(crate) fn mac(&self) -> [u8; 6] {
        // SAFETY: By the type invariant the device is valid; an Ethernet device's address has six
        // bytes at least (`MAX_ADDR_LEN`), at a place that never changes. They may be changing, so they
        // are read as C reads them.
        unsafe { (*self.as_raw()).dev_addr.cast::<[u8; 6]>().read_volatile() }
    }

    /// Lets the poll run soon, as if the device had raised its interrupt.
    ///
    /// For a driver that found work in process context: one that polls a device without interrupt,
    /// or that has just put the hardware right. Returns whether the poll was scheduled anew; it is
    /// not when NAPI is disabled or already scheduled (then it runs once more).
    pub(crate) fn kick_napi(&self, _cx: &Process<'_>) -> bool {
        // SAFETY: NAPI was added before the device was registered; scheduling it is sound in any
        // state.
        unsafe { bindings::napi_schedule_bh(self.area().common.napi.get()) }
    }
}
