// SPDX-License-Identifier: GPL-2.0

//! BPF programs that a family runs on packets by itself, beside the filter of a socket.
//!
//! User space supplies them, as instructions (classic) or as the descriptor of a loaded program
//! (eBPF); the kernel has checked both by the time that there is a [`Program`]. What its answer means
//! is for the family to say.
//!
//! A program that is exchanged while packets arrive is kept in a place that is read under RCU, and
//! dropped after a grace period. Its drop does not sleep.
//!
//! C header: [`include/linux/filter.h`](srctree/include/linux/filter.h)

use crate::{
    bindings,
    net::{
        context::{
            BottomHalf,
            Process, //
        },
        packet_type::Received,
        sockopt::OptionValue, //
    },
};
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
};

/// A BPF program that may be run on packets.
///
/// # Invariants
///
/// The pointer is to a complete program, of which this value owns one reference: a program of the type of
/// socket filters, or one that was made from classic instructions.
#[must_use]
pub(crate) struct Program(NonNull<bindings::bpf_prog>);

// SAFETY: A program is not bound to a thread.
unsafe impl Send for Program {}

// SAFETY: A shared reference only runs the program, which may be done on several CPUs at a time.
unsafe impl Sync for Program {}

impl Program {
    /// Makes a program of classic instructions: `value` is a `struct sock_fprog`, or the one of 32 bits in
    /// the system call of such a program.
    ///
    /// Fails with `EINVAL` if the value has another length, or the instructions are wrong; with `EFAULT`
    /// if either cannot be read; with `ENOMEM`.
    #[inline]
    pub(crate) fn classic(value: OptionValue<'_>, _context: &mut Process<'_>) -> Result<Self> {
        let mut described: bindings::sock_fprog = pin_init::zeroed();
        let len = c_int::try_from(value.len()).map_err(|_| EINVAL)?;
        // SAFETY: The value has that many bytes, or is in user space, where the copy checks each access.
        to_result(unsafe {
            bindings::copy_bpf_fprog_from_user(&raw mut described, value.as_raw(), len)
        })?;
        let mut program = core::ptr::null_mut();
        // SAFETY: The description is ours; the instructions are in user space, and copied and checked by
        // the call, which may sleep.
        to_result(unsafe {
            bindings::bpf_prog_create_from_user(&raw mut program, &raw mut described, None, false)
        })?;
        // INVARIANT: The call has made a program, with one reference.
        Ok(Self(NonNull::new(program).ok_or(ENOMEM)?))
    }

    /// Takes a reference to the loaded program that the current task has open as `descriptor`.
    ///
    /// Fails with `EBADF` if it has no such descriptor, with `EINVAL` if that is no program, or one of
    /// another type than `BPF_PROG_TYPE_SOCKET_FILTER`.
    #[inline]
    pub(crate) fn open(descriptor: u32, _context: &mut Process<'_>) -> Result<Self> {
        // SAFETY: The call takes any number; it is a task that calls.
        let program = from_err_ptr(unsafe {
            bindings::bpf_prog_get_type_dev(
                descriptor,
                bindings::bpf_prog_type_BPF_PROG_TYPE_SOCKET_FILTER,
                false,
            )
        })?;
        // INVARIANT: The call has taken a reference to a program of that type.
        Ok(Self(NonNull::new(program).ok_or(EINVAL)?))
    }

    /// Runs the program on a packet, from its data pointer on, and returns what it says.
    ///
    /// The program may write to the control block of the packet, which nobody relies on here, but not to
    /// its data.
    #[inline]
    pub(crate) fn run(&self, packet: &mut Received<'_>, _bottom_half: &mut BottomHalf<'_>) -> u32 {
        // SAFETY: Both are valid by their invariants, and nobody else uses the packet.
        unsafe { bindings::packet_program_run(self.0.as_ptr(), packet.as_raw()) }
    }
}

impl Drop for Program {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The reference that this value owns is given back. Nobody runs the program by it.
        unsafe { bindings::bpf_prog_destroy(self.0.as_ptr()) };
    }
}
