// SPDX-License-Identifier: GPL-2.0

//! The RTNL mutex, which serialises changes of the configuration of net devices.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use crate::{
    bindings,
    net::context::{
        Process,
        Rtnl, //
    },
};
use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
};

/// RTNL, held until dropped. It dereferences to the token that other functions ask for.
///
/// # Invariants
///
/// The current task holds the RTNL mutex, and this value releases it.
#[must_use = "RTNL is released at once when the guard is not kept"]
pub(crate) struct Guard<'a> {
    token: Rtnl<'a>,
    _process: PhantomData<&'a mut Process<'a>>,
}

/// Takes RTNL; sleeps until it is free.
///
/// It must not be taken by who holds a lock that is taken under RTNL, above all the lock of a list of
/// sockets ([`Sockets`](super::socket::Sockets)).
pub(crate) fn lock<'a>(_process: &'a mut Process<'_>) -> Guard<'a> {
    // SAFETY: The token says that the task may sleep, which is all that the call needs.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: RTNL was just taken.
    Guard {
        // SAFETY: RTNL is held until the guard is dropped, and the token is lent by the guard.
        token: unsafe { Rtnl::assume() },
        _process: PhantomData,
    }
}

impl<'a> Deref for Guard<'a> {
    type Target = Rtnl<'a>;

    #[inline]
    fn deref(&self) -> &Rtnl<'a> {
        &self.token
    }
}

impl DerefMut for Guard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.token
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the task holds RTNL, which this value is to release.
        unsafe { bindings::rtnl_unlock() };
    }
}
