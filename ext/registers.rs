// SPDX-License-Identifier: GPL-2.0

//! The registers of a card, in one of its regions: of memory, or of I/O ports.
//!
//! [`Registers`] is a region of either kind, which costs one branch for each access more than the `kernel`
//! crate's own [`Bar`](kernel::pci::Bar), which knows memory alone. In a kernel that injects faults
//! (`CONFIG_FAULT_INJECTION_DEBUG_FS`) it is a wrapper of the same interface, whose registers can
//! be made to lie: each access asks the rules that `bindings/helpers/registers.c` describes. That is how
//! the tests have a card disappear, abort a transmission or report an error of the bus. A driver uses
//! the same methods either way, and sees no difference.

use kernel::{
    device::Bound,
    pci::Device,
    prelude::*, //
};

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
mod faulty;
mod space;

pub(crate) use self::space::Space;

/// A region whose first `SIZE` bytes are accessed without a check at run time.
#[cfg(not(CONFIG_FAULT_INJECTION_DEBUG_FS))]
pub(crate) type Registers<'a, const SIZE: usize> = self::space::Mapped<'a, SIZE>;

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
pub(crate) use self::faulty::Registers;

/// Requests and maps the region with the number `bar`.
///
/// Fails with `ENODEV` if the device has no such region or this kernel cannot reach its kind, with
/// `EBUSY` if somebody else has it, with `ENOMEM` if it cannot be mapped, and with `EINVAL` if it is
/// shorter than `SIZE`.
#[inline]
pub(crate) fn map<'a, const SIZE: usize>(
    pdev: &'a Device<Bound>,
    bar: u32,
    name: &'static CStr,
) -> Result<Registers<'a, SIZE>> {
    let region = space::Mapped::new(pdev, bar, name);
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    let region = region.map(Registers::new);
    region
}

/// The rules of one driver's registers, from before its first probe to after its last remove.
pub(super) mod rules {
    use super::*;

    // Inline, so that a module that has no driver does not call for the helpers.

    /// Makes the files that the rules are written to.
    #[inline]
    pub(in crate::ext) fn create(_driver: &'static CStr) {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        // SAFETY: The name is static. A module registers its driver once, and removes the rules
        // afterwards.
        unsafe {
            crate::bindings::register_faults_create(_driver.as_char_ptr())
        };
    }

    /// Removes them.
    #[inline]
    pub(in crate::ext) fn remove() {
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        // SAFETY: They were created, and no driver is registered that could ask them.
        unsafe {
            crate::bindings::register_faults_remove()
        };
    }
}
