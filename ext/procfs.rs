// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc/net`, which every network namespace has for itself.
//!
//! C headers: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h),
//! [`include/linux/seq_file_net.h`](srctree/include/linux/seq_file_net.h)

use crate::{
    bindings,
    net::{
        context::Process,
        namespace::Namespace, //
    },
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    seq_file::SeqFile, //
};

/// What a file in `/proc/net` shows.
pub(crate) trait Show: 'static {
    /// Prints the whole file, as it is for `namespace`. Process context.
    ///
    /// The text goes to a buffer in the kernel. If that is too small, what was printed is forgotten and
    /// the function is called again with a larger one.
    fn show(namespace: &Namespace, file: &SeqFile, context: &mut Process<'_>);
}

/// A file in the `/proc/net` of one namespace, until this is dropped.
///
/// # Invariants
///
/// `directory` is the `/proc/net` of a namespace that outlives this value, and has an entry `name` that
/// this value owns.
pub(crate) struct NetFile {
    directory: NonNull<bindings::proc_dir_entry>,
    name: &'static CStr,
}

// SAFETY: A file may be removed in any thread.
unsafe impl Send for NetFile {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for NetFile {}

impl NetFile {
    /// Makes a file that everybody may read. Process context.
    ///
    /// Fails with `ENOMEM`, also when the name is taken.
    ///
    /// # Safety
    ///
    /// The caller must drop the value before the namespace ends: it belongs into a
    /// [`pernet::State`](crate::net::pernet::State).
    pub(crate) unsafe fn new<S: Show>(namespace: &Namespace, name: &'static CStr) -> Result<Self> {
        // SAFETY: The namespace is valid by its invariant, and has its directory from the start.
        let directory = unsafe { (*namespace.as_raw()).proc_net }.cast();
        // SAFETY: The directory and the name are valid; the callback fits the data, which is none.
        let entry = unsafe {
            bindings::proc_create_net_single(
                name.as_char_ptr(),
                0o444,
                directory,
                Some(Self::show_callback::<S>),
                core::ptr::null_mut(),
            )
        };
        if entry.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: The entry was just made, and the caller guarantees that the namespace outlives it.
        Ok(Self {
            directory: NonNull::new(directory).ok_or(ENOMEM)?,
            name,
        })
    }

    /// # Safety
    ///
    /// Only the kernel may call it, for a file made by `proc_create_net_single()`.
    unsafe extern "C" fn show_callback<S: Show>(
        file: *mut bindings::seq_file,
        _position: *mut c_void,
    ) -> c_int {
        // SAFETY: Such a file has its namespace, to which it holds a reference, as private data.
        let namespace = unsafe { Namespace::from_raw((*file).private.cast()) };
        // SAFETY: A file is read in process context, with no spinlock held.
        let mut context = unsafe { Process::assume() };
        // SAFETY: The kernel lends the file to this thread for the call.
        S::show(namespace, unsafe { SeqFile::from_raw(file) }, &mut context);
        0
    }
}

impl Drop for NetFile {
    /// Waits for those who are reading the file, and removes it.
    fn drop(&mut self) {
        // SAFETY: By the type invariant the directory has this entry, and it is ours to remove.
        unsafe { bindings::remove_proc_entry(self.name.as_char_ptr(), self.directory.as_ptr()) };
    }
}
