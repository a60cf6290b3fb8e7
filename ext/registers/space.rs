// SPDX-License-Identifier: GPL-2.0

//! A region of memory or of I/O ports, see the [module above](super).

use crate::{
    bindings,
    ext::pci, //
};
use kernel::{
    device::Bound,
    io::{
        IoBackend,
        IoBase,
        IoCapable,
        Mmio,
        MmioBackend,
        Region, //
    },
    pci::{
        Bar,
        Device, //
    },
    prelude::*,
    ptr::KnownSize, //
};

/// Where registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// In memory.
    Memory,
    /// In the space of I/O ports, which not every architecture has.
    Ports,
}

impl Space {
    /// Whether this kernel can reach I/O ports.
    pub(crate) const HAS_PORTS: bool = cfg!(CONFIG_HAS_IOPORT_MAP);

    /// Asks in the order of what is likely, and of ports only where there can be any.
    #[inline]
    fn is_ports(self) -> bool {
        Self::HAS_PORTS && self == Self::Ports
    }
}

/// A region of a device that is requested and mapped, whichever kind it is.
///
/// The `kernel` crate's [`Bar`] requests, maps, unmaps and releases either kind, since `pci_iomap()` does.
/// But it accesses what it has mapped as memory, and what stands for a port is no address. So it is
/// hidden here.
///
/// # Invariants
///
/// `space` is the kind of the region that `bar` has mapped.
pub(crate) struct Mapped<'a, const SIZE: usize> {
    bar: Bar<'a, SIZE>,
    space: Space,
}

impl<'a, const SIZE: usize> Mapped<'a, SIZE> {
    /// Requests and maps the region with the number `bar`; errors are those of [`map`](super::map).
    pub(super) fn new(pdev: &'a Device<Bound>, bar: u32, name: &'static CStr) -> Result<Self> {
        let space = pci::space_of(pdev, bar)
            .filter(|space| *space == Space::Memory || Space::HAS_PORTS)
            .ok_or(ENODEV)?;
        // INVARIANT: The kind of a region does not change while a driver has the device.
        Ok(Self {
            bar: pdev.iomap_region_sized::<SIZE>(bar, name)?,
            space,
        })
    }

    /// Where the registers are.
    #[inline]
    pub(crate) fn space(&self) -> Space {
        self.space
    }
}

impl<'a, const SIZE: usize> IoBase<'a> for &'a Mapped<'_, SIZE> {
    type Backend = Backend;
    type Target = Region<SIZE>;

    #[inline]
    fn as_view(self) -> View<'a, Region<SIZE>> {
        // INVARIANT: By the type invariant of `Mapped`; it is the whole region.
        View {
            inner: (&self.bar).as_view(),
            space: self.space,
        }
    }
}

/// A part of a region.
///
/// # Invariants
///
/// What `inner` points to is in a mapped region of the kind `space`.
pub(crate) struct View<'a, T: ?Sized> {
    inner: Mmio<'a, T>,
    space: Space,
}

impl<T: ?Sized> Copy for View<'_, T> {}

impl<T: ?Sized> Clone for View<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: ?Sized + KnownSize> IoBase<'a> for View<'a, T> {
    type Backend = Backend;
    type Target = T;

    #[inline]
    fn as_view(self) -> Self {
        self
    }
}

/// The accesses. To memory as the `kernel` crate has them, after one branch that is always the same.
///
/// Either kind is little-endian, and ordered alike: what stands before a write to a register is done to
/// memory before that, also to a port (`Documentation/driver-api/device-io.rst`: `iowrite32()` has the
/// order of `writel()`, whatever it accesses), and what follows a read is done after it. A write to a port
/// is not posted, where the bus keeps to that, so that a read which brings a write to the card is needed
/// for memory alone, and does no harm here.
pub(crate) struct Backend;

impl IoBackend for Backend {
    type View<'a, T: ?Sized + KnownSize> = View<'a, T>;

    #[inline]
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: View<'a, T>) -> *mut T {
        MmioBackend::as_ptr(view.inner)
    }

    #[inline]
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U> {
        // INVARIANT: A projection is in the same region.
        View {
            // SAFETY: The caller guarantees that `ptr` is a projection of what `as_ptr` returns, which
            // is the pointer of the inner view.
            inner: unsafe { MmioBackend::project_view(view.inner, ptr) },
            space: view.space,
        }
    }
}

macro_rules! accesses {
    ($($ty:ty: $read:ident, $write:ident;)*) => {
        /// Those to ports. Each takes a microsecond on a bus, so that a call is nothing. (Inline, so that a
        /// module that has no driver does not call for the helpers.)
        mod ports {
            use super::*;

            $(
                #[cold]
                #[inline]
                pub(super) fn $read(view: View<'_, $ty>) -> $ty {
                    let port = MmioBackend::as_ptr(view.inner).cast_const().cast();
                    // CAST: As many bits as the register has.
                    //
                    // SAFETY: By the type invariant the pointer is to a part of a region that
                    // `pci_iomap()` has mapped, of either kind.
                    unsafe { bindings::$read(port) as $ty }
                }

                #[cold]
                #[inline]
                pub(super) fn $write(view: View<'_, $ty>, value: $ty) {
                    let port = MmioBackend::as_ptr(view.inner).cast();
                    // SAFETY: As above.
                    unsafe { bindings::$write(value, port) };
                }
            )*
        }

        $(
            impl IoCapable<$ty> for Backend {
                #[inline]
                fn io_read(view: View<'_, $ty>) -> $ty {
                    if view.space.is_ports() {
                        ports::$read(view)
                    } else {
                        MmioBackend::io_read(view.inner)
                    }
                }

                #[inline]
                fn io_write(view: View<'_, $ty>, value: $ty) {
                    if view.space.is_ports() {
                        ports::$write(view, value);
                    } else {
                        MmioBackend::io_write(view.inner, value);
                    }
                }
            }
        )*
    };
}

accesses! {
    u8: ioread8, iowrite8;
    u16: ioread16, iowrite16;
    u32: ioread32, iowrite32;
}
