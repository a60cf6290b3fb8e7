// SPDX-License-Identifier: GPL-2.0

//! `mmap()` on a socket: a program sees [`SharedMemory`] in its own.
//!
//! The hook [`Operations::mmap`](super::operations::Operations::mmap) is lent a [`NewMapping`], and either
//! inserts memory into it or fails. All pages are inserted at once, so there are no page faults later, and
//! each has a reference of the mapping's own: the memory may be dropped while it is mapped.
//!
//! # How many mappings there are
//!
//! A ring must not be exchanged for another while a program looks at it: it would go on to look at the old
//! one. So each socket has a count of its mappings ([`Sock::mappings`]). A process that forks has its
//! mappings twice, `munmap()` of a part in the middle makes two of one, and the count follows. A mapping
//! has a reference to its file, and the file to the socket: a socket that is being released has none.
//!
//! The count becomes one while the hook runs. So a hook that reads the memory out of a lock, and inserts it
//! under that, cannot miss who looks at the count under the same lock and takes the memory away. That
//! lock is taken under the lock of the process's memory (`mmap_lock`): who holds it must not touch memory
//! of the program, or the two wait for each other.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::{
    bindings,
    net::{
        shared_memory::SharedMemory,
        sock::{
            Protocol,
            Sock, //
        },
    },
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    mm::virt::VmaNew,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::NotThreadSafe, //
};

/// How many mappings of a socket there are.
pub(super) struct Mappings(Atomic<usize>);

impl Mappings {
    // ORDERING, of all three: nothing but the number is passed on. Who must not see zero while a mapping is
    // being made has a lock for it; the pages of a mapping have references of their own.
    #[inline]
    fn add(&self) {
        self.0.add(1, Relaxed);
    }

    #[inline]
    fn remove(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    #[inline]
    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl<T: Protocol> Sock<T> {
    /// How many mappings of the socket there are, in all processes.
    ///
    /// As long as it is zero, only `mmap()` can change that: see the documentation of the module.
    #[inline]
    pub(crate) fn mappings(&self) -> usize {
        self.mapping_count().count()
    }
}

/// A mapping that a program is making.
///
/// # Invariants
///
/// The mapping is being made, by a call of `mmap()` on a socket whose count and whose `operations` these
/// are.
pub(crate) struct NewMapping<'a> {
    vma: &'a VmaNew,
    mappings: &'a Mappings,
    operations: &'static bindings::vm_operations_struct,
    _not_send: NotThreadSafe,
}

impl<'a> NewMapping<'a> {
    /// # Safety
    ///
    /// `vma` must be what the kernel has passed to `mmap()` on `sock`, for as long as the result is used.
    #[inline]
    pub(super) unsafe fn new<T: Protocol>(
        vma: *mut bindings::vm_area_struct,
        sock: &'a Sock<T>,
    ) -> Self {
        // INVARIANT: The caller guarantees it.
        Self {
            // SAFETY: The caller guarantees that it is being made.
            vma: unsafe { VmaNew::from_raw(vma) },
            mappings: sock.mapping_count(),
            operations: Callbacks::<T>::OPERATIONS,
            _not_send: NotThreadSafe,
        }
    }

    /// Shows all of `memories`, one behind the other. It succeeds at most once for a mapping.
    ///
    /// Fails with `EINVAL` unless the program asks for just as much, from the beginning on, or if there
    /// is no memory; with `ENOMEM` if there is none for the page tables.
    pub(crate) fn insert(self, memories: &[&SharedMemory]) -> Result {
        let vma = self.vma.as_ptr();
        let len = self.vma.end().wrapping_sub(self.vma.start());
        let expected = memories
            .iter()
            .try_fold(0usize, |sum, memory| sum.checked_add(memory.len()));
        // SAFETY: By the type invariant the mapping is valid, and nobody else has it yet.
        let pages_before = unsafe { (*vma).vm_pgoff };
        if pages_before != 0 || len == 0 || expected != Some(len) {
            return Err(EINVAL);
        }
        self.vma.set_mixedmap();
        let mut address = self.vma.start();
        for page in memories.iter().flat_map(|memory| memory.pages()) {
            // SAFETY: The mapping is being made, and may have such pages since `set_mixedmap`; the page
            // is valid as long as the memory is borrowed, and the call takes a reference of its own. It
            // checks the address. On failure, the kernel takes out again what was inserted.
            to_result(unsafe { bindings::vm_insert_page(vma, address, page) })?;
            address = address.wrapping_add(PAGE_SIZE);
        }
        self.mappings.add();
        // SAFETY: The mapping is being made, so nobody else has it. Its operations are of the socket's
        // protocol.
        unsafe { (*vma).vm_ops = self.operations };
        Ok(())
    }
}

/// What C calls when a mapping of a socket of the protocol `T` is copied, and when one ends.
struct Callbacks<T: Protocol>(PhantomData<fn() -> T>);

impl<T: Protocol> Callbacks<T> {
    const OPERATIONS: &'static bindings::vm_operations_struct = &bindings::vm_operations_struct {
        open: Some(Self::open),
        close: Some(Self::close),
        ..pin_init::zeroed()
    };

    /// The socket that is mapped.
    ///
    /// # Safety
    ///
    /// The mapping must be valid for `'a`, and have these operations.
    unsafe fn sock<'a>(vma: *mut bindings::vm_area_struct) -> Option<&'a Sock<T>> {
        // SAFETY: The caller guarantees that the mapping is valid; its file does not change.
        let file = unsafe { (*vma).vm_file };
        // SAFETY: A mapping has a reference to its file until after it was closed.
        let socket = unsafe { bindings::sock_from_file(file) };
        if socket.is_null() {
            return None;
        }
        // SAFETY: The socket lives as long as its file.
        let sk = unsafe { (*socket).sk };
        if sk.is_null() {
            return None;
        }
        // SAFETY: Only mappings of a socket of `T` are given these operations. It is released with the last
        // reference to the file, after this mapping.
        Some(unsafe { Sock::from_raw(sk.cast()) })
    }

    /// # Safety
    ///
    /// Only the kernel may call it, for a mapping that has these operations.
    unsafe extern "C" fn open(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the contract of this function.
        if let Some(sock) = unsafe { Self::sock(vma) } {
            sock.mapping_count().add();
        }
    }

    /// # Safety
    ///
    /// Only the kernel may call it, for a mapping that has these operations.
    unsafe extern "C" fn close(vma: *mut bindings::vm_area_struct) {
        // SAFETY: By the contract of this function.
        if let Some(sock) = unsafe { Self::sock(vma) } {
            sock.mapping_count().remove();
        }
    }
}
