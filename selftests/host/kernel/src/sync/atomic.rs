// SPDX-License-Identifier: GPL-2.0

//! Atomics of the kernel, whose orderings are types.

use super::{
    imp::atomic::{
        self as imp,
        Ordering as Imp, //
    },
    weak, //
};
use std::sync::OnceLock;

/// No ordering with other accesses.
pub struct Relaxed;
/// What follows is done after it.
pub struct Acquire;
/// What stands before it is done before it.
pub struct Release;
/// Both, and more.
pub struct Full;

/// Any ordering, for an exchange.
pub trait Ordering {
    const IMP: Imp;
}

impl Ordering for Relaxed {
    const IMP: Imp = Imp::Relaxed;
}
impl Ordering for Acquire {
    const IMP: Imp = Imp::Acquire;
}
impl Ordering for Release {
    const IMP: Imp = Imp::Release;
}
impl Ordering for Full {
    const IMP: Imp = Imp::SeqCst;
}

/// An ordering that a load can have.
pub trait AcquireOrRelaxed: Ordering {}
impl AcquireOrRelaxed for Acquire {}
impl AcquireOrRelaxed for Relaxed {}

/// An ordering that a store can have.
pub trait ReleaseOrRelaxed: Ordering {}
impl ReleaseOrRelaxed for Release {}
impl ReleaseOrRelaxed for Relaxed {}

/// A type that an [`Atomic`] can hold.
pub trait AtomicType: Copy {
    type Cell;
    fn cell(value: Self) -> Self::Cell;
    fn load(cell: &Self::Cell, ordering: Imp) -> Self;
    fn store(cell: &Self::Cell, value: Self, ordering: Imp);
    fn swap(cell: &Self::Cell, value: Self, ordering: Imp) -> Self;
    fn exchange(cell: &Self::Cell, old: Self, new: Self, ordering: Imp) -> Result<Self, Self>;
}

/// A type that can be added to.
pub trait AtomicAdd: AtomicType {
    fn fetch_add(cell: &Self::Cell, value: Self, ordering: Imp) -> Self;
    fn fetch_sub(cell: &Self::Cell, value: Self, ordering: Imp) -> Self;
}

macro_rules! atomic {
    ($($type:ty: $cell:ty,)*) => {$(
        impl AtomicType for $type {
            type Cell = $cell;

            fn cell(value: Self) -> $cell {
                <$cell>::new(value)
            }

            fn load(cell: &$cell, ordering: Imp) -> Self {
                cell.load(ordering)
            }

            fn store(cell: &$cell, value: Self, ordering: Imp) {
                cell.store(value, ordering);
            }

            fn swap(cell: &$cell, value: Self, ordering: Imp) -> Self {
                cell.swap(value, ordering)
            }

            fn exchange(
                cell: &$cell,
                old: Self,
                new: Self,
                ordering: Imp,
            ) -> Result<Self, Self> {
                cell.compare_exchange(old, new, ordering, Imp::Relaxed)
            }
        }
    )*};
}

atomic! {
    bool: imp::AtomicBool,
    i32: imp::AtomicI32,
    u32: imp::AtomicU32,
    u64: imp::AtomicU64,
    usize: imp::AtomicUsize,
}

macro_rules! add {
    ($($type:ty)*) => {$(
        impl AtomicAdd for $type {
            fn fetch_add(cell: &Self::Cell, value: Self, ordering: Imp) -> Self {
                cell.fetch_add(value, ordering)
            }

            fn fetch_sub(cell: &Self::Cell, value: Self, ordering: Imp) -> Self {
                cell.fetch_sub(value, ordering)
            }
        }
    )*};
}

add!(i32 u32 u64 usize);

/// An atomic `T`.
///
/// In a constant it is made when it is first used, since loom makes none before a test runs. That use
/// must not race with another one; a test begins with one.
pub struct Atomic<T: AtomicType> {
    initial: T,
    cell: OnceLock<T::Cell>,
}

impl<T: AtomicType> Atomic<T> {
    pub const fn new(initial: T) -> Self {
        Self {
            initial,
            cell: OnceLock::new(),
        }
    }

    fn cell(&self) -> &T::Cell {
        self.cell.get_or_init(|| T::cell(self.initial))
    }

    pub fn load<O: AcquireOrRelaxed>(&self, _ordering: O) -> T {
        T::load(self.cell(), weak::ordering(O::IMP))
    }

    pub fn store<O: ReleaseOrRelaxed>(&self, value: T, _ordering: O) {
        T::store(self.cell(), value, weak::ordering(O::IMP));
    }

    pub fn xchg<O: Ordering>(&self, value: T, _ordering: O) -> T {
        T::swap(self.cell(), value, weak::ordering(O::IMP))
    }

    pub fn cmpxchg<O: Ordering>(&self, old: T, new: T, _ordering: O) -> Result<T, T> {
        T::exchange(self.cell(), old, new, weak::ordering(O::IMP))
    }
}

impl<T: AtomicAdd> Atomic<T> {
    pub fn add(&self, value: T, _ordering: Relaxed) {
        T::fetch_add(self.cell(), value, Imp::Relaxed);
    }

    pub fn fetch_add<O: Ordering>(&self, value: T, _ordering: O) -> T {
        T::fetch_add(self.cell(), value, weak::ordering(O::IMP))
    }

    pub fn fetch_sub<O: Ordering>(&self, value: T, _ordering: O) -> T {
        T::fetch_sub(self.cell(), value, weak::ordering(O::IMP))
    }
}
