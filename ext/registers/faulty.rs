// SPDX-License-Identifier: GPL-2.0

//! Registers that lie, see the [module above](super).

use super::space::{
    Backend as Truth,
    Mapped,
    Space,
    View as TrueView, //
};
use crate::bindings;
use kernel::{
    io::{
        IoBackend,
        IoBase,
        IoCapable,
        Region, //
    },
    ptr::KnownSize, //
};

/// As [`Mapped`], and each access asks the rules first.
pub(crate) struct Registers<'a, const SIZE: usize>(Mapped<'a, SIZE>);

impl<'a, const SIZE: usize> Registers<'a, SIZE> {
    #[inline]
    pub(super) fn new(region: Mapped<'a, SIZE>) -> Self {
        Self(region)
    }

    /// As [`Mapped::space`].
    #[inline]
    pub(crate) fn space(&self) -> Space {
        self.0.space()
    }
}

impl<'a, const SIZE: usize> IoBase<'a> for &'a Registers<'_, SIZE> {
    type Backend = Backend;
    type Target = Region<SIZE>;

    #[inline]
    fn as_view(self) -> View<'a, Region<SIZE>> {
        let inner = (&self.0).as_view();
        View {
            inner,
            base: Truth::as_ptr(inner).cast::<u8>().addr(),
        }
    }
}

/// A part of the region, which knows where that begins.
pub(crate) struct View<'a, T: ?Sized> {
    inner: TrueView<'a, T>,
    base: usize,
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

/// The accesses.
pub(crate) struct Backend;

impl IoBackend for Backend {
    type View<'a, T: ?Sized + KnownSize> = View<'a, T>;

    #[inline]
    fn as_ptr<'a, T: ?Sized + KnownSize>(view: View<'a, T>) -> *mut T {
        Truth::as_ptr(view.inner)
    }

    #[inline]
    unsafe fn project_view<'a, T: ?Sized + KnownSize, U: ?Sized + KnownSize>(
        view: Self::View<'a, T>,
        ptr: *mut U,
    ) -> Self::View<'a, U> {
        View {
            // SAFETY: The caller guarantees that `ptr` is a projection of what `as_ptr` returns, which
            // is the pointer of the inner view.
            inner: unsafe { Truth::project_view(view.inner, ptr) },
            base: view.base,
        }
    }
}

/// What the rules say about one access.
struct Verdict {
    /// It reaches the card.
    reaches: bool,
    clear: u32,
    set: u32,
}

impl Verdict {
    #[inline]
    fn ask<T>(view: View<'_, T>, write: bool) -> Self {
        let offset = Truth::as_ptr(view.inner).addr().wrapping_sub(view.base);
        let (mut clear, mut set) = (0, 0);
        // CAST: A region is smaller than 4 GiB.
        //
        // SAFETY: The two words are valid for writes. May be called in any context.
        let reaches =
            unsafe { bindings::register_fault(offset as u32, write, &raw mut clear, &raw mut set) };
        Self {
            reaches,
            clear,
            set,
        }
    }
}

macro_rules! accesses {
    ($($ty:ty),*) => {$(
        impl IoCapable<$ty> for Backend {
            #[inline]
            fn io_read(view: View<'_, $ty>) -> $ty {
                let verdict = Verdict::ask(view, false);
                let value = if verdict.reaches {
                    Truth::io_read(view.inner)
                } else {
                    <$ty>::MAX
                };
                // CAST: The bits that the register has.
                value & !(verdict.clear as $ty) | verdict.set as $ty
            }

            #[inline]
            fn io_write(view: View<'_, $ty>, value: $ty) {
                let verdict = Verdict::ask(view, true);
                if verdict.reaches {
                    // CAST: As above.
                    let value = value & !(verdict.clear as $ty) | verdict.set as $ty;
                    Truth::io_write(view.inner, value);
                }
            }
        }
    )*};
}

accesses!(u8, u16, u32);
