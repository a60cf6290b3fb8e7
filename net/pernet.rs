// SPDX-License-Identifier: GPL-2.0

//! What a module keeps for each network namespace.
//!
//! To keep a value for each namespace, a module must do three things:
//!
//! 1. implement [`State`] for the type of the value;
//! 2. declare a `static` [`Storage`] of it, and name it as [`State::STORAGE`];
//! 3. own a [`Registration`] for as long as it needs the values.
//!
//! The kernel then calls [`State::init`] for each namespace that exists or comes into being, and the
//! value is dropped when its namespace ends or the registration is dropped. A socket family gets all
//! that from [`socket::Registration`](super::socket::Registration).
//!
//! C headers: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h),
//! [`include/net/netns/generic.h`](srctree/include/net/netns/generic.h)

use crate::{
    bindings,
    ext::{
        claim::Claim,
        static_ref::StaticRef, //
    },
    net::namespace::Namespace, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
};

/// A value for each network namespace.
pub(crate) trait State: Sized + Send + Sync + 'static {
    /// The storage of this type.
    const STORAGE: StaticRef<Storage<Self>>;

    /// Makes the value for `namespace`, which is not in use yet. Process context.
    ///
    /// An error makes the creation of the namespace fail, or the registration.
    fn init(namespace: &Namespace) -> impl PinInit<Self, Error>;
}

/// What the kernel needs to know about one [`State`]. It must be a `static`.
///
/// # Invariants
///
/// `id` is constant while the operations are registered.
pub(crate) struct Storage<S: State> {
    ops: UnsafeCell<bindings::pernet_operations>,
    id: UnsafeCell<c_uint>,
    claim: Claim,
    _state: PhantomData<fn() -> S>,
}

// SAFETY: The kernel serialises its access to the operations by a lock of its own, and `id` is
// constant from the registration on.
unsafe impl<S: State> Sync for Storage<S> {}

impl<S: State> Storage<S> {
    /// The storage, not registered yet.
    pub(crate) const fn new() -> Self {
        const {
            // The kernel allocates the value by `kzalloc()`, which aligns it for any C type, and takes
            // the size 0 for "no value".
            assert!(align_of::<S>() <= align_of::<u64>());
            assert!(size_of::<S>() > 0);
        };
        Self {
            ops: UnsafeCell::new(pin_init::zeroed()),
            id: UnsafeCell::new(0),
            claim: Claim::new(),
            _state: PhantomData,
        }
    }

    /// The value of a namespace.
    ///
    /// # Safety
    ///
    /// The caller must guarantee that [`State::init`] has succeeded for this namespace, and that the
    /// value is not dropped before the last use of the result. Both hold while the [`Registration`]
    /// exists and a counted reference to the namespace, or one of its devices, is held.
    #[inline]
    pub(super) unsafe fn get<'a>(&self, namespace: &'a Namespace) -> &'a S {
        // SAFETY: By the type invariant the id is constant, as the caller says that it is registered.
        let id = unsafe { *self.id.get() };
        // SAFETY: The namespace is valid by its invariant, and the id is registered.
        let ptr = unsafe { bindings::net_generic(namespace.as_raw(), id) };
        // SAFETY: The caller guarantees that the value there is initialised and not dropped for `'a`.
        unsafe { &*ptr.cast::<S>() }
    }

    /// # Safety
    ///
    /// Only the kernel may call it, as `pernet_operations::init` of the storage of `S`.
    unsafe extern "C" fn init_callback(net: *mut bindings::net) -> c_int {
        from_result(|| {
            // SAFETY: The kernel lends a namespace that it is setting up.
            let namespace = unsafe { Namespace::from_raw(net) };
            // SAFETY: The kernel has assigned the id before it calls this function.
            let id = unsafe { *S::STORAGE.id.get() };
            // SAFETY: The namespace is valid, and the kernel has allocated the memory for this id.
            let slot = unsafe { bindings::net_generic(net, id) };
            // SAFETY: `slot` is memory of the size of an `S`, aligned as `new` has checked, which
            // nobody else uses yet; it stays where it is until the exit callback.
            unsafe { pin_init::raw_try_init(slot.cast::<S>(), S::init(namespace)) }?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only the kernel may call it, as `pernet_operations::exit` of the storage of `S`.
    unsafe extern "C" fn exit_callback(net: *mut bindings::net) {
        // SAFETY: The id is constant while the operations are registered.
        let id = unsafe { *S::STORAGE.id.get() };
        // SAFETY: The namespace is valid during the callback, and the id is registered.
        let slot = unsafe { bindings::net_generic(net, id) };
        // SAFETY: The init callback has initialised the value, the kernel calls this function once for
        // each such call, and nobody uses the value any more, as the contract of `get` says.
        unsafe { core::ptr::drop_in_place(slot.cast::<S>()) };
    }
}

/// A registered [`State`]: each namespace has its value until this is dropped.
///
/// # Invariants
///
/// The operations of the storage of `S` are registered, by this value alone.
#[must_use = "the values are dropped when the registration is"]
pub(crate) struct Registration<S: State>(PhantomData<fn() -> S>);

impl<S: State> Registration<S> {
    /// Makes the value of each namespace that exists. Process context.
    ///
    /// Fails with what [`State::init`] returns, with `ENOMEM`, or with `EBUSY` when the type is
    /// registered already.
    pub(crate) fn new() -> Result<Self> {
        let storage = S::STORAGE.get();
        if !storage.claim.take() {
            return Err(EBUSY);
        }
        let ops = bindings::pernet_operations {
            init: Some(Storage::<S>::init_callback),
            exit: Some(Storage::<S>::exit_callback),
            id: storage.id.get(),
            size: size_of::<S>(),
            ..pin_init::zeroed()
        };
        // SAFETY: Nothing else touches the storage: it is not registered, and the claim makes this the
        // only caller.
        unsafe { *storage.ops.get() = ops };
        // SAFETY: The operations are complete and live in a `static` until they are unregistered.
        let result = to_result(unsafe { bindings::register_pernet_subsys(storage.ops.get()) });
        if let Err(error) = result {
            storage.claim.give_back();
            return Err(error);
        }
        // INVARIANT: The operations were just registered.
        Ok(Self(PhantomData))
    }
}

impl<S: State> Drop for Registration<S> {
    fn drop(&mut self) {
        let storage = S::STORAGE.get();
        // SAFETY: By the type invariant the operations are registered.
        unsafe { bindings::unregister_pernet_subsys(storage.ops.get()) };
        storage.claim.give_back();
    }
}
