// SPDX-License-Identifier: GPL-2.0

//! PCI drivers.
//!
//! [`kernel::pci`] has the device, its memory regions, configuration space and interrupt vectors;
//! all of that is used as it is. Its driver adapter, however, knows neither subsystem ids, nor
//! shutdown, power management or error handlers, ends the driver's data after the bus has taken the
//! device's interrupt away, and refuses `new_id`. The one here has these.
//!
//! # A PCI driver
//!
//! 1. List the ids with [`pci_device_table!`](crate::pci_device_table).
//! 2. Implement [`Driver`] with `#[vtable]`: `probe` makes the driver's data, which the adapter owns
//!    from then on and drops in the bus's `remove` callback, after [`Driver::unbind`].
//! 3. Declare the module with [`module_pci_driver!`](crate::module_pci_driver).
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use crate::{
    bindings,
    ext::{
        bound,
        registers::{
            self,
            Space, //
        }, //
    },
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    device::{
        self,
        Bound,
        Core,
        CoreInternal, //
    },
    device_id::RawDeviceId,
    dma::{
        Device as _,
        DmaMask, //
    },
    driver,
    error::{
        from_result,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    pci::Device,
    prelude::*,
    types::{
        ForeignOwnable,
        Opaque, //
    },
    ThisModule, //
};

/// One line of the table of devices that a driver serves: `struct pci_device_id`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceId(bindings::pci_device_id);

// SAFETY: `DeviceId` is a transparent wrapper of `struct pci_device_id`.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::pci_device_id;
}

impl DeviceId {
    /// Matches any number.
    pub(crate) const ANY: u32 = !0;

    /// A device by vendor and device number; [`DeviceId::ANY`] matches all.
    pub(crate) const fn new(vendor: u32, device: u32) -> Self {
        Self(bindings::pci_device_id {
            vendor,
            device,
            subvendor: Self::ANY,
            subdevice: Self::ANY,
            class: 0,
            class_mask: 0,
            driver_data: 0,
            override_only: 0,
        })
    }

    /// Narrows the match to one subsystem.
    pub(crate) const fn subsystem(mut self, vendor: u32, device: u32) -> Self {
        self.0.subvendor = vendor;
        self.0.subdevice = device;
        self
    }

    /// Narrows the match to devices whose class has the value `class` under `mask`.
    pub(crate) const fn class(mut self, class: u32, mask: u32) -> Self {
        self.0.class = class;
        self.0.class_mask = mask;
        self
    }

    /// A number of the driver's own, which it gets back in [`Driver::probe`].
    ///
    /// It is a number, not a pointer, so that an id written to `new_id` without one gets 0, which
    /// must therefore be the number of at least one line of the table.
    pub(crate) const fn data(mut self, data: usize) -> Self {
        self.0.driver_data = data;
        self
    }
}

/// A table of ids, ended by an empty one.
pub(crate) type IdTable = &'static dyn kernel::device_id::IdTable<DeviceId, ()>;

/// Declares the table of ids, and the module aliases by which user space finds the module.
///
/// ```ignore
/// pci_device_table!(TABLE, [DeviceId::new(0x10ec, 0x8139)]);
/// ```
#[macro_export]
macro_rules! pci_device_table {
    ($name:ident, [$($id:expr),* $(,)?]) => {
        kernel::module_device_table!("pci", $crate::ext::pci::DeviceId, $name, @none, [$($id),*]);
    };
}

/// Declares a module that has one PCI driver. The arguments are those of `module!`.
#[macro_export]
macro_rules! module_pci_driver {
    ($($f:tt)*) => {
        kernel::module_driver!(<T>, $crate::ext::pci::Adapter<T>, { $($f)* });
    };
}

/// The state of the bus when an error is reported (`pci_channel_state_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelState {
    /// Input and output work.
    Normal,
    /// Input and output are blocked; a reset may help.
    Frozen,
    /// The device is gone for good.
    PermanentFailure,
}

/// What a driver asks for after an error (`pci_ers_result_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Recovery {
    /// The driver can go on without a reset.
    CanRecover = bindings::pci_ers_result_PCI_ERS_RESULT_CAN_RECOVER,
    /// The device must be reset.
    NeedReset = bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
    /// The device cannot be saved.
    Disconnect = bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
    /// The device works again.
    Recovered = bindings::pci_ers_result_PCI_ERS_RESULT_RECOVERED,
}

/// A PCI driver.
///
/// All callbacks run in process context with the device's lock held, so none runs at the same time
/// as another one for the same device.
#[vtable]
pub(crate) trait Driver: 'static {
    /// What the driver keeps for a bound device. `'bound` ends when the device is unbound.
    type Data<'bound>: Send + 'bound;

    /// The devices that the driver serves.
    const ID_TABLE: IdTable;

    /// The number of address bits that the device can drive; the adapter sets the DMA masks before
    /// it calls [`Driver::probe`].
    const DMA_BITS: u32;

    /// The same for memory that is lent to the device (*streaming* mappings), if it can drive more bits
    /// there.
    const STREAMING_DMA_BITS: u32 = Self::DMA_BITS;

    /// Takes over a device. `id` is the [`data`](DeviceId::data) of the id that matched; it is 0
    /// when the device was forced on the driver (`driver_override`).
    ///
    /// The device is neither enabled nor a bus master: see [`Enabled`]. On failure all that was made
    /// is dropped, and the next driver may try.
    fn probe<'bound>(
        pdev: &'bound Device<Core<'_>>,
        id: usize,
    ) -> Result<impl bound::Init<Self::Data<'bound>> + 'bound>;

    /// The device is about to be unbound; `data` is dropped after this.
    fn unbind<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) {}

    /// The machine goes down or starts another kernel: the device must stop using memory.
    fn shutdown<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The system goes to sleep. The bus saves the configuration space and sets the power state
    /// afterwards. Needs [`Driver::resume`].
    fn suspend<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The system woke up; the bus has restored the configuration space.
    fn resume<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The bus found an error of the device: stop using it. Needs [`Driver::error_resume`].
    fn error_detected<'bound>(
        _pdev: &'bound Device<Core<'_>>,
        _data: Pin<&Self::Data<'bound>>,
        _state: ChannelState,
    ) -> Recovery {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The device was reset, and its configuration space is again as the bus had left it for
    /// [`Driver::probe`]: bring it into the state after that.
    fn slot_reset<'bound>(
        _pdev: &'bound Device<Core<'_>>,
        _data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The device is going to be reset, as a user has it (`reset` in its folder of sysfs): stop using it.
    /// Needs [`Driver::reset_done`].
    fn reset_prepare<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// It was reset, or could not be, and its configuration space is as it was: use the device again.
    fn reset_done<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Recovery has ended: use the device again.
    fn error_resume<'bound>(_pdev: &'bound Device<Core<'_>>, _data: Pin<&Self::Data<'bound>>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The kind of the region with the number `bar`; `None` if the device has no such region.
pub(super) fn space_of(pdev: &Device<Bound>, bar: u32) -> Option<Space> {
    if bar >= bindings::PCI_NUM_RESOURCES {
        return None;
    }
    // SAFETY: The device is bound, so it is valid, and has regions up to that number.
    let flags = unsafe { bindings::pci_resource_flags(as_raw(pdev), bar) };
    // CAST: Both kinds are among the lower bits of a longer word.
    if flags as u32 & bindings::IORESOURCE_MEM != 0 {
        Some(Space::Memory)
    } else if flags as u32 & bindings::IORESOURCE_IO != 0 {
        Some(Space::Ports)
    } else {
        None
    }
}

/// A device whose regions are enabled.
///
/// Dropping it takes bus mastering away, so that the device cannot touch memory any more, and
/// disables the device. It should be the last field of what uses the device.
///
/// # Invariants
///
/// The device was enabled by this value, and is disabled by nobody else.
pub(crate) struct Enabled<'bound>(&'bound Device<Bound>);

impl<'bound> Enabled<'bound> {
    /// Has a device answer in its regions in `space`.
    ///
    /// For ports these are all its regions (`pci_enable_device()`): the bus has no function for them alone.
    /// A region of memory for which the bus has found no place does not hinder that, since it is not on
    /// the device's list any more.
    pub(crate) fn new(pdev: &'bound Device<Core<'_>>, space: Space) -> Result<Self> {
        match space {
            Space::Memory => pdev.enable_device_mem()?,
            // SAFETY: The device is being bound, so it is valid.
            Space::Ports => to_result(unsafe { bindings::pci_enable_device(as_raw(pdev)) })?,
        }
        // INVARIANT: The device has just been enabled.
        Ok(Self(pdev))
    }

    /// The device.
    #[inline]
    pub(crate) fn device(&self) -> &'bound Device<Bound> {
        self.0
    }

    /// Lets the device read and write memory: `pci_set_master()`.
    pub(crate) fn set_master(&self) {
        // SAFETY: The device is bound, so it is valid.
        unsafe { bindings::pci_set_master(as_raw(self.0)) };
    }

    /// Keeps the device from reading and writing memory: `pci_clear_master()`.
    pub(crate) fn clear_master(&self) {
        // SAFETY: The device is bound, so it is valid.
        unsafe { bindings::pci_clear_master(as_raw(self.0)) };
    }

    /// Has the bus pass on that the device wants to wake the machine, or not:
    /// `device_set_wakeup_enable()`. Process context.
    ///
    /// Whether the bus can, it has found out by itself when it met the device (`pci_pm_init()`, or the
    /// firmware's tables): where it cannot, nothing happens, and the device is left to what wires it may
    /// have of its own.
    pub(crate) fn set_wakeup(&self, wakes: bool) {
        let dev: &device::Device<Bound> = self.0.as_ref();
        // CAST: `Device` is a transparent wrapper of an `Opaque<device>`, which is one of `device`.
        let dev = core::ptr::from_ref(dev).cast_mut().cast();
        // SAFETY: The device is bound, so it is valid. It fails if the bus cannot wake the machine, or
        // if there is no memory for what counts how often it did.
        unsafe { bindings::device_set_wakeup_enable(dev, wakes) };
    }
}

/// The machine goes off: lets the device sleep, and wake it if it may (`pci_prepare_to_sleep()`). For
/// [`Driver::shutdown`], after which the device is not touched any more.
///
/// When the machine starts anew instead, the device stays as its firmware expects it, awake.
pub(crate) fn sleep_at_power_off(pdev: &Device<Core<'_>>) {
    let state = &raw const bindings::system_state;
    // SAFETY: A word of the kernel's, which is read as it is: it does not change any more when the machine
    // goes down.
    if unsafe { state.read_volatile() } == bindings::system_states_SYSTEM_POWER_OFF {
        // SAFETY: The device is bound, so it is valid. If it cannot sleep, the machine goes off anyway.
        unsafe { bindings::pci_prepare_to_sleep(as_raw(pdev)) };
    }
}

impl Drop for Enabled<'_> {
    fn drop(&mut self) {
        // What the driver wanted ends with it.
        self.set_wakeup(false);
        self.clear_master();
        // SAFETY: The device is bound, and by the type invariant this value has enabled it.
        unsafe { bindings::pci_disable_device(as_raw(self.0)) };
    }
}

fn as_raw<Ctx: device::DeviceContext>(pdev: &Device<Ctx>) -> *mut bindings::pci_dev {
    // CAST: `Device` is a transparent wrapper of an `Opaque<pci_dev>`, which is one of `pci_dev`.
    core::ptr::from_ref(pdev).cast_mut().cast()
}

/// Connects a [`Driver`] with the PCI bus; see [`module_pci_driver!`](crate::module_pci_driver).
pub(crate) struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `struct pci_driver` is a C type, and `DEVICE_DRIVER_OFFSET` is where its `driver` field is.
// - `T::Data` is what `probe_callback` stores as the device's private data.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::pci_driver;
    type DriverData<'bound> = T::Data<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(bindings::pci_driver, driver);
}

// SAFETY: `unregister` undoes a successful `register`.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        pdrv: &Opaque<bindings::pci_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let pdrv = pdrv.get();
        // SAFETY: The structure is not registered yet, so this function has it for itself.
        let fields = unsafe { &mut *pdrv };
        fields.name = name.as_char_ptr();
        fields.id_table = T::ID_TABLE.as_ptr();
        fields.probe = Some(Self::probe_callback);
        fields.remove = Some(Self::remove_callback);
        if T::HAS_SHUTDOWN {
            fields.shutdown = Some(Self::shutdown_callback);
        }
        if T::HAS_SUSPEND {
            fields.driver.pm = &Self::PM;
        }
        if T::HAS_ERROR_DETECTED || T::HAS_RESET_PREPARE {
            fields.err_handler = &Self::ERROR_HANDLERS;
        }

        registers::rules::create(name);
        // SAFETY: The caller keeps the structure in place until `unregister`; name, table and
        // callbacks are static.
        to_result(unsafe {
            bindings::__pci_register_driver(pdrv, module.as_ptr(), name.as_char_ptr())
        })
        .inspect_err(|_| registers::rules::remove())
    }

    unsafe fn unregister(pdrv: &Opaque<bindings::pci_driver>) {
        // SAFETY: The caller has registered the driver.
        unsafe { bindings::pci_unregister_driver(pdrv.get()) };
        registers::rules::remove();
    }
}

impl<T: Driver> Adapter<T> {
    /// As `SYSTEM_SLEEP_PM_OPS()`: hibernation stops and starts a device as sleep does.
    const PM: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend_callback),
        resume: Some(Self::resume_callback),
        freeze: Some(Self::suspend_callback),
        thaw: Some(Self::resume_callback),
        poweroff: Some(Self::suspend_callback),
        restore: Some(Self::resume_callback),
        ..pin_init::zeroed()
    };

    const ERROR_HANDLERS: bindings::pci_error_handlers = bindings::pci_error_handlers {
        error_detected: if T::HAS_ERROR_DETECTED {
            Some(Self::error_detected_callback)
        } else {
            None
        },
        reset_prepare: if T::HAS_RESET_PREPARE {
            Some(Self::reset_prepare_callback)
        } else {
            None
        },
        reset_done: if T::HAS_RESET_DONE {
            Some(Self::reset_done_callback)
        } else {
            None
        },
        slot_reset: if T::HAS_SLOT_RESET {
            Some(Self::slot_reset_callback)
        } else {
            None
        },
        resume: if T::HAS_ERROR_RESUME {
            Some(Self::error_resume_callback)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// Calls `f` with the device and the driver's data.
    ///
    /// # Safety
    ///
    /// `pdev` must be the argument of a callback that the bus makes between a successful probe and
    /// the end of remove, with the device's lock held.
    unsafe fn with_data<R>(
        pdev: *mut bindings::pci_dev,
        f: impl for<'a> FnOnce(&'a Device<Core<'_>>, Pin<&T::Data<'a>>) -> R,
    ) -> R {
        // SAFETY: The bus keeps the device during the callback, which is made in the core context.
        let pdev = unsafe { &*pdev.cast::<Device<CoreInternal<'_>>>() };
        // SAFETY: By this function's contract `probe_callback` has stored a `T::Data`, and
        // `remove_callback` has not dropped it yet.
        let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data<'_>>() };
        f(pdev, data)
    }

    extern "C" fn probe_callback(
        pdev: *mut bindings::pci_dev,
        id: *const bindings::pci_device_id,
    ) -> c_int {
        // SAFETY: The bus keeps the device during the callback, which is made in the core context.
        let pdev = unsafe { &*pdev.cast::<Device<CoreInternal<'_>>>() };
        // SAFETY: The bus passes the id that matched.
        let id = unsafe { (*id).driver_data };

        from_result(|| {
            let mask = DmaMask::try_new(T::DMA_BITS)?;
            let core: &Device<Core<'_>> = pdev;
            // SAFETY: No driver has the device yet, so none allocates memory for it meanwhile.
            unsafe { core.dma_set_mask_and_coherent(mask) }?;
            if T::STREAMING_DMA_BITS != T::DMA_BITS {
                let mask = DmaMask::try_new(T::STREAMING_DMA_BITS)?;
                // SAFETY: As above.
                unsafe { core.dma_set_mask(mask) }?;
            }

            let recipe = T::probe(pdev, id)?;
            // SAFETY: The adapter is the owner of the value: `remove_callback` drops it, while the
            // device is still bound.
            let init = unsafe { bound::Init::into_init(recipe) };
            pdev.as_ref().set_drvdata(init)?;
            Ok(0)
        })
    }

    extern "C" fn remove_callback(pdev: *mut bindings::pci_dev) {
        // SAFETY: The bus calls this once after a successful probe.
        unsafe { Self::with_data(pdev, |pdev, data| T::unbind(pdev, data)) };

        // The data goes here and not after the callback, as `kernel::pci` has it: the bus takes
        // away the device's interrupt when the callback returns.
        //
        // SAFETY: The bus keeps the device during the callback.
        let dev = unsafe { &raw mut (*pdev).dev };
        // SAFETY: `dev` is the device's own `struct device`.
        let data = unsafe { bindings::dev_get_drvdata(dev) };
        // SAFETY: As above; nobody finds the data after this.
        unsafe { bindings::dev_set_drvdata(dev, core::ptr::null_mut()) };
        // SAFETY: `set_drvdata()` has made the pointer of a `Pin<KBox<T::Data>>`, and its last borrow
        // ended with `T::unbind`.
        drop(unsafe { Pin::<KBox<T::Data<'_>>>::from_foreign(data.cast()) });
    }

    extern "C" fn shutdown_callback(pdev: *mut bindings::pci_dev) {
        // SAFETY: The bus calls this for a bound device.
        unsafe { Self::with_data(pdev, |pdev, data| T::shutdown(pdev, data)) };
    }

    /// The PCI device that `dev` is a part of.
    fn pci_dev_of(dev: *mut bindings::device) -> *mut bindings::pci_dev {
        // The device of a PCI driver is the `dev` field of a `struct pci_dev`.
        dev.wrapping_byte_sub(offset_of!(bindings::pci_dev, dev))
            .cast()
    }

    extern "C" fn suspend_callback(dev: *mut bindings::device) -> c_int {
        from_result(|| {
            // SAFETY: The driver core calls this for a bound device, with its lock held.
            unsafe { Self::with_data(Self::pci_dev_of(dev), |pdev, data| T::suspend(pdev, data)) }?;
            Ok(0)
        })
    }

    extern "C" fn resume_callback(dev: *mut bindings::device) -> c_int {
        from_result(|| {
            // SAFETY: The driver core calls this for a bound device, with its lock held.
            unsafe { Self::with_data(Self::pci_dev_of(dev), |pdev, data| T::resume(pdev, data)) }?;
            Ok(0)
        })
    }

    extern "C" fn error_detected_callback(
        pdev: *mut bindings::pci_dev,
        state: bindings::pci_channel_state_t,
    ) -> bindings::pci_ers_result_t {
        let state = match state {
            bindings::pci_channel_io_normal => ChannelState::Normal,
            bindings::pci_channel_io_frozen => ChannelState::Frozen,
            _ => ChannelState::PermanentFailure,
        };
        // SAFETY: The bus calls this for a bound device, with its lock held.
        let result =
            unsafe { Self::with_data(pdev, |pdev, data| T::error_detected(pdev, data, state)) };
        result as bindings::pci_ers_result_t
    }

    extern "C" fn slot_reset_callback(pdev: *mut bindings::pci_dev) -> bindings::pci_ers_result_t {
        // The bus saves what is restored here when it adds the device.
        //
        // SAFETY: The bus calls this for a device that it keeps, with its lock held.
        unsafe { bindings::pci_restore_state(pdev) };
        // SAFETY: The bus calls this for a bound device, with its lock held.
        let result = unsafe { Self::with_data(pdev, |pdev, data| T::slot_reset(pdev, data)) };
        result as bindings::pci_ers_result_t
    }

    extern "C" fn reset_prepare_callback(pdev: *mut bindings::pci_dev) {
        // SAFETY: The bus calls this for a bound device, with its lock held.
        unsafe { Self::with_data(pdev, |pdev, data| T::reset_prepare(pdev, data)) };
    }

    extern "C" fn reset_done_callback(pdev: *mut bindings::pci_dev) {
        // SAFETY: The bus calls this for a bound device, with its lock held.
        unsafe { Self::with_data(pdev, |pdev, data| T::reset_done(pdev, data)) };
    }

    extern "C" fn error_resume_callback(pdev: *mut bindings::pci_dev) {
        // SAFETY: The bus calls this for a bound device, with its lock held.
        unsafe { Self::with_data(pdev, |pdev, data| T::error_resume(pdev, data)) };
    }
}
