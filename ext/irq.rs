// SPDX-License-Identifier: GPL-2.0

//! Interrupt lines.
//!
//! `kernel::irq` requests a line when its registration is made and ties the registration to where
//! the handler's data lives. A network driver requests its line in `ndo_open()` and frees it in
//! `ndo_stop()`, and its handler borrows from what exists in between; the layer that owns that
//! ([`crate::net::driver`]) uses [`Registration`] from here. A driver sees a [`Line`], which it
//! keeps with its other bus resources, and what its handler returns, [`Return`].
//!
//! C header: [`include/linux/interrupt.h`](srctree/include/linux/interrupt.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    device,
    error::to_result,
    irq::IrqRequest,
    pci::{
        IrqType,
        IrqTypes,
        IrqVectorRegistration, //
    },
    prelude::*,
    types::NotThreadSafe, //
};

/// What an interrupt handler found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// The interrupt was not from this device (`IRQ_NONE`).
    ///
    /// A line on which too many interrupts are nobody's is switched off by the kernel.
    None,
    /// The device had raised it (`IRQ_HANDLED`).
    Handled,
}

impl Return {
    pub(crate) fn into_raw(self) -> bindings::irqreturn_t {
        match self {
            Self::None => bindings::irqreturn::IRQ_NONE,
            Self::Handled => bindings::irqreturn::IRQ_HANDLED,
        }
    }
}

/// Proof that the code runs in an interrupt handler: local interrupts are disabled.
///
/// (With forced threading the handler is a thread that the kernel runs under the same conditions.)
///
/// # Invariants
///
/// While a value of this type exists, its thread runs with local interrupts disabled, or on
/// `PREEMPT_RT` in an interrupt thread.
pub(crate) struct Hard<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Hard<'_> {
    /// Asserts that the code runs in an interrupt handler.
    ///
    /// # Safety
    ///
    /// The caller must be an interrupt handler and must not return while the token can be used.
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: The caller guarantees it.
        Self(PhantomData, NotThreadSafe)
    }
}

/// An interrupt line of a bound device, not requested yet.
///
/// Owns the allocation of the vector, where the bus has such a thing.
///
/// # Invariants
///
/// `irq` is a line of the device that `vectors` belong to, and stays so while the value exists.
pub(crate) struct Line<'bound> {
    irq: u32,
    /// Given back on drop.
    _vectors: IrqVectorRegistration<'bound>,
}

impl<'bound> Line<'bound> {
    /// The legacy interrupt (INTA to INTD) of a PCI device; the line may be shared with others.
    pub(crate) fn intx(pdev: &'bound kernel::pci::Device<device::Bound>) -> Result<Self> {
        let vectors = pdev.alloc_irq_vectors(1, 1, IrqTypes::default().with(IrqType::Intx))?;
        let irq = IrqRequest::from(vectors.index(0)?).irq();
        // INVARIANT: `irq` was resolved from `vectors`, which live as long as the value.
        Ok(Self {
            irq,
            _vectors: vectors,
        })
    }

    /// The number that `/proc/interrupts` shows.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.irq
    }
}

/// A requested interrupt line: its handler may run until this value is dropped.
///
/// # Invariants
///
/// `irq` was requested with the cookie `cookie`, and has not been freed.
pub(crate) struct Registration {
    irq: u32,
    cookie: *mut c_void,
}

// SAFETY: A line may be freed from any thread that may sleep.
unsafe impl Send for Registration {}

impl Registration {
    /// Requests `line`, shared with others. `handler` may run before this returns.
    ///
    /// # Safety
    ///
    /// - Until the returned value is dropped, `handler` must be sound to call with `cookie`, in a
    ///   hard interrupt, on any CPU, one call at a time.
    /// - The returned value must be dropped before `line` is, and before what `name` points to ends.
    /// - `cookie` must be unique among the handlers of the line.
    pub(crate) unsafe fn shared(
        line: &Line<'_>,
        handler: unsafe extern "C" fn(c_int, *mut c_void) -> bindings::irqreturn_t,
        name: *const kernel::ffi::c_char,
        cookie: *mut c_void,
    ) -> Result<Self> {
        // SAFETY: By the invariant of `Line` the number is a line of a bound device, and the caller
        // guarantees that handler, cookie and name live until `free_irq()`.
        to_result(unsafe {
            bindings::request_threaded_irq(
                line.irq,
                Some(handler),
                None,
                bindings::IRQF_SHARED as c_ulong,
                name,
                cookie,
            )
        })?;
        // INVARIANT: The request succeeded.
        Ok(Self {
            irq: line.irq,
            cookie,
        })
    }

    /// The number of the line.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.irq
    }

    /// Waits until no handler of this line is running on any CPU. May sleep.
    pub(crate) fn synchronize(&self) {
        // SAFETY: By the type invariant the line is requested.
        unsafe { bindings::synchronize_irq(self.irq) };
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Waits for running handlers, so none uses the cookie after this.
        //
        // SAFETY: By the type invariant the line was requested with this cookie and is freed once.
        unsafe { bindings::free_irq(self.irq, self.cookie) };
    }
}
