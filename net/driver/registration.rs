// SPDX-License-Identifier: GPL-2.0

//! Making a net device known to the stack.

use super::{
    device::Private,
    ndo,
    queue_stats,
    running,
    Config,
    Device,
    Locked,
    Operations, //
};
use crate::{
    bindings,
    ext::bound,
    net::{
        ethtool,
        napi,
        queue, //
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    device::{
        self,
        Bound, //
    },
    error::to_result,
    prelude::*, //
};

/// A registered net device, with its driver's private data `T`.
///
/// Dropping it unregisters the device, which brings the interface down and waits for all users; then
/// drops the private data; then frees the device. So nothing that a callback can reach goes before the
/// last callback has ended.
///
/// # Invariants
///
/// - `dev` was made for `T`, its private area is initialised, and this value owns it.
/// - `dev` is registered.
pub(crate) struct Registration<'bound, T: Operations> {
    dev: NonNull<bindings::net_device>,
    _bound: PhantomData<(&'bound device::Device<Bound>, T)>,
}

// SAFETY: A net device may be unregistered from any thread, and the private data is `Send`.
unsafe impl<T: Operations> Send for Registration<'_, T> {}

// SAFETY: A shared reference gives access to the device and the private data, which are `Sync`.
unsafe impl<T: Operations> Sync for Registration<'_, T> {}

/// The recipe of a [`Registration`]; see [`bound::Init`].
pub(crate) struct Recipe<'bound, T, I> {
    parent: Option<&'bound device::Device<Bound>>,
    config: Config,
    data: I,
    _data: PhantomData<fn() -> T>,
}

impl<'bound, T: Operations + 'bound> Registration<'bound, T> {
    /// Describes a net device of the bus device `parent`, with the private data that `data`
    /// initialises (a value is passed as `Ok(value)`).
    ///
    /// The bus adapter makes it and registers it; it appears as `eth%d`, down and without carrier,
    /// and can be brought up at once.
    #[expect(clippy::new_ret_no_self)]
    pub(crate) fn new<I: PinInit<T, Error>>(
        parent: &'bound device::Device<Bound>,
        config: Config,
        data: I,
    ) -> Recipe<'bound, T, I> {
        Recipe {
            parent: Some(parent),
            config,
            data,
            _data: PhantomData,
        }
    }

    /// Describes a net device without a bus device.
    pub(crate) fn without_parent<I: PinInit<T, Error>>(
        config: Config,
        data: I,
    ) -> Recipe<'bound, T, I> {
        Recipe {
            parent: None,
            config,
            data,
            _data: PhantomData,
        }
    }

    /// The device.
    pub(crate) fn device(&self) -> &Device<T> {
        // SAFETY: By the type invariant the device is registered, as long as `self` exists.
        unsafe { Device::from_raw(self.dev.as_ptr()) }
    }

    /// Calls `f` as a control operation, for callbacks of the bus.
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut Locked<'_, T>) -> R) -> R {
        // SAFETY: The lock is held while the closure runs, and the interface goes down under it only.
        self.with_lock(|dev| f(&mut unsafe { Locked::assume(dev) }))
    }

    /// Halts the interface if it is up, and hides the hardware from the stack; it stays up for the
    /// user. For suspend and shutdown: see [`Locked::detach`].
    pub(crate) fn detach(&self) {
        self.locked(|cx| cx.detach());
    }

    /// Undoes [`Registration::detach`]: starts the interface again if it is up.
    ///
    /// Fails with what [`Operations::start`] has returned. The interface is then as after a
    /// [`Locked::restart`] that has failed: it is halted, and the layer has a restart tried again.
    pub(crate) fn attach(&self) -> Result {
        let result = self.locked(|cx| cx.attach());
        self.renew_rx_mode();
        result
    }

    /// Has the core ask for [`Operations::set_rx_mode`] again: it does not ask a device that is hidden for what
    /// has changed meanwhile.
    fn renew_rx_mode(&self) {
        let dev = self.device().as_raw();
        // SAFETY: The task is in process context and holds neither lock, see `with_lock`.
        unsafe { bindings::rtnl_lock() };
        // The flags stay as they are; that the filter is set in the course of it does not depend on it.
        //
        // SAFETY: The device is valid.
        let flags = unsafe { bindings::netif_get_flags(dev) };
        // SAFETY: RTNL is held, and the instance lock is not.
        let _ = unsafe { bindings::dev_change_flags(dev, flags, core::ptr::null_mut()) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::rtnl_unlock() };
    }

    /// Calls `f` with RTNL and the instance lock held.
    fn with_lock<R>(&self, f: impl FnOnce(&Device<T>) -> R) -> R {
        let dev = self.device();
        // SAFETY: The task is in process context and holds neither lock: drivers call this from bus
        // callbacks only.
        unsafe { bindings::rtnl_lock() };
        // SAFETY: The device is valid.
        unsafe { bindings::netdev_lock(dev.as_raw()) };
        let result = f(dev);
        // SAFETY: The lock was taken above.
        unsafe { bindings::netdev_unlock(dev.as_raw()) };
        // SAFETY: The lock was taken above.
        unsafe { bindings::rtnl_unlock() };
        result
    }
}

impl<'bound, T, I> bound::Init<Registration<'bound, T>> for Recipe<'bound, T, I>
where
    T: Operations + 'bound,
    I: PinInit<T, Error>,
{
    unsafe fn into_init(self) -> impl PinInit<Registration<'bound, T>, Error> {
        // SAFETY: The slot is written exactly if the closure returns `Ok`, and the value need not stay
        // at its place.
        unsafe {
            pin_init::pin_init_from_closure(move |slot: *mut Registration<'bound, T>| {
                slot.write(Registration {
                    dev: register(self)?,
                    _bound: PhantomData,
                });
                Ok(())
            })
        }
    }
}

/// Makes and registers the device of `recipe`.
fn register<T, I>(recipe: Recipe<'_, T, I>) -> Result<NonNull<bindings::net_device>>
where
    T: Operations,
    I: PinInit<T, Error>,
{
    // The private area of a net device is aligned to a cache line.
    const { assert!(align_of::<Private<T>>() <= 64) };

    let size = c_int::try_from(size_of::<Private<T>>())?;
    // SAFETY: Allocates a device with one transmit and one receive queue.
    let dev = unsafe { bindings::alloc_etherdev_mqs(size, 1, 1) };
    let dev = NonNull::new(dev).ok_or(ENOMEM)?;
    let area = Device::<T>::private_of(dev);

    // The rest of the area is valid when zeroed, as it is.
    //
    // SAFETY: The area has the size of a `Private<T>`, and the field is not initialised yet.
    let result =
        unsafe { pin_init::raw_try_init((&raw mut (*area).data).cast::<T>(), recipe.data) };
    if let Err(error) = result {
        // SAFETY: The device was allocated above and nobody knows it.
        unsafe { bindings::free_netdev(dev.as_ptr()) };
        return Err(error);
    }

    // SAFETY: The device is not registered yet, so this function has it for itself.
    unsafe { configure::<T>(dev.as_ptr(), recipe.parent, &recipe.config) };
    // SAFETY: The device was set up for `T` above, and is not registered yet.
    unsafe { Device::<T>::from_raw(dev.as_ptr()).offer_xdp(recipe.config.xdp) };
    // SAFETY: The timer is zeroed memory inside the private area, and nobody has started it.
    unsafe { bindings::timer_setup((*area).tick.get(), Some(running::tick::<T>)) };
    // SAFETY: As above.
    unsafe { bindings::timer_setup((*area).retry.get(), Some(running::retry::<T>)) };
    // SAFETY: The device was set up for `T` above, including its private data.
    unsafe { napi::add(Device::<T>::from_raw(dev.as_ptr())) };
    // As whenever the interface does not work: not everybody who sends waits until it is up.
    //
    // SAFETY: The device has a queue, and nobody knows it yet.
    unsafe { bindings::netif_tx_stop_queue(queue::raw(Device::<T>::from_raw(dev.as_ptr()))) };
    // SAFETY: The device is set up.
    let result = to_result(unsafe { bindings::register_netdev(dev.as_ptr()) });
    if let Err(error) = result {
        // SAFETY: The device is not registered, and this function has it for itself.
        unsafe { free::<T>(dev) };
        return Err(error);
    }
    let registration = Registration::<T> {
        // INVARIANT: The device was registered just now.
        dev,
        _bound: PhantomData,
    };
    // SAFETY: Both locks are held.
    registration.with_lock(|device| unsafe { device.offer_features() });
    let device = registration.device();
    if T::HAS_REGISTERED {
        device.private().registered(device);
    }
    Ok(ManuallyDrop::new(registration).dev)
}

/// Fills in what the core reads of a new device.
///
/// # Safety
///
/// `dev` must be an allocated Ethernet device for `T` that is not registered and nobody else has.
unsafe fn configure<T: Operations>(
    dev: *mut bindings::net_device,
    parent: Option<&device::Device<Bound>>,
    config: &Config,
) {
    // SAFETY: The caller has the device for itself, until it is registered.
    let fields = unsafe { &mut *dev };
    fields.netdev_ops = ndo::Table::<T>::get(config.xdp);
    fields.ethtool_ops = ethtool::Table::<T>::get();
    if let Some(ops) = queue_stats::Table::<T>::get() {
        fields.stat_ops = ops;
    }
    fields.request_ops_lock = true;
    fields.min_mtu = config.min_mtu;
    fields.max_mtu = config.max_mtu;
    // SAFETY: Converts between units, without side effects.
    let timeout = unsafe { bindings::__msecs_to_jiffies(config.watchdog_ms) };
    fields.watchdog_timeo = c_int::try_from(timeout).unwrap_or(c_int::MAX);
    fields.features = config.features.into_raw();
    fields.hw_features = config.hw_features.into_raw();
    fields.vlan_features = config.vlan_features.into_raw();
    if let Some(size) = config.tso_max_size {
        // SAFETY: The caller has the device for itself.
        unsafe { bindings::netif_set_tso_max_size(dev, size) };
    }
    if let Some(parent) = parent {
        // `SET_NETDEV_DEV()`.
        //
        // CAST: `Device` is a transparent wrapper of an `Opaque<device>`, which is one of `device`.
        fields.dev.parent = core::ptr::from_ref(parent).cast_mut().cast();
    }

    // An address may be changed while the interface is up, if it may be changed at all: the driver
    // decides in its callback.
    let mut flags = bindings::netdev_priv_flags_IFF_LIVE_ADDR_CHANGE;
    if config.unicast_filter {
        flags |= bindings::netdev_priv_flags_IFF_UNICAST_FLT;
    }
    // SAFETY: The caller has the device for itself.
    unsafe { bindings::netdev_add_priv_flags(dev, flags) };

    // SAFETY: The call reads six bytes.
    let valid = |mac: &&[u8; 6]| unsafe { bindings::is_valid_ether_addr(mac.as_ptr()) };
    match config.mac.as_ref().filter(valid) {
        // SAFETY: The device is not registered, so no lock is needed; the call reads six bytes.
        Some(mac) => unsafe { bindings::eth_hw_addr_set(dev, mac.as_ptr()) },
        // SAFETY: The device is not registered, so no lock is needed.
        None => unsafe { bindings::eth_hw_addr_random(dev) },
    }
    // SAFETY: The device is valid.
    unsafe { bindings::netif_carrier_off(dev) };
}

/// Deletes the NAPI, drops the private data and frees the device.
///
/// # Safety
///
/// `dev` must be set up for `T` with a NAPI, and must not be registered any more.
unsafe fn free<T: Operations>(dev: NonNull<bindings::net_device>) {
    // SAFETY: The device is set up for `T` until the end of this function; its interface is down, so
    // NAPI is disabled.
    unsafe { napi::delete(Device::<T>::from_raw(dev.as_ptr())) };
    let area = Device::<T>::private_of(dev);
    // SAFETY: The data is initialised, and no callback runs any more.
    unsafe { core::ptr::drop_in_place((*area).data.get()) };
    // SAFETY: The device is not registered, and its owner gives it up.
    unsafe { bindings::free_netdev(dev.as_ptr()) };
}

impl<T: Operations> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the device is registered.
        unsafe { bindings::unregister_netdev(self.dev.as_ptr()) };
        // SAFETY: The device was unregistered just now, and by the type invariant it is ours.
        unsafe { free::<T>(self.dev) };
    }
}
