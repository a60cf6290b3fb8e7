// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the socket side, by means of the [example](example) of a family.
//!
//! It is compiled into one module only, by its crate root, since a suite has one name.

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

#[path = "socket_example.rs"]
pub(super) mod example;
#[path = "packet_group_kunit.rs"]
mod groups;

use crate::{
    bindings,
    net::{
        context::Process,
        namespace::Namespace,
        rtnl,
        sock::Sock,
        socket::Registration, //
    },
};
use core::{
    ptr::NonNull,
    sync::atomic::Ordering, //
};
use example::{
    Probe,
    DROPPED,
    MADE,
    NO_MEMORY, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
};

static MODULE: ThisModule = <crate::LocalModule as kernel::ModuleMetadata>::THIS_MODULE;

/// The level of the options of a [`Probe`].
pub(super) const LEVEL: c_int = 300;

/// A free family number (`AF_SNA`).
const NUMBER: c_int = 22;

/// A socket as user space has it.
pub(super) struct TestSocket(pub(super) NonNull<bindings::socket>);

/// An address of the form that a [`Probe`] knows.
pub(super) fn address(index: c_int) -> [u8; 8] {
    let [a, b, c, d] = index.to_ne_bytes();
    let [e, f] = (NUMBER as u16).to_ne_bytes();
    [e, f, 0, 0, a, b, c, d]
}

impl TestSocket {
    pub(super) fn new(kind: bindings::sock_type, protocol: c_int, of_kernel: bool) -> Result<Self> {
        let mut socket = core::ptr::null_mut();
        let kind = kind as c_int;
        kernel::error::to_result(if of_kernel {
            let net = &raw mut bindings::init_net;
            // SAFETY: The first namespace lives for ever, and `socket` may be written.
            unsafe { bindings::sock_create_kern(net, NUMBER, kind, protocol, &raw mut socket) }
        } else {
            // SAFETY: `socket` may be written.
            unsafe { bindings::sock_create(NUMBER, kind, protocol, &raw mut socket) }
        })?;
        Ok(Self(NonNull::new(socket).ok_or(EINVAL)?))
    }

    pub(super) fn sock(&self) -> &Sock<Probe> {
        // SAFETY: The socket lives until it is released in `drop`.
        let sk = unsafe { (*self.0.as_ptr()).sk };
        // SAFETY: It was made by the family of `Probe`.
        unsafe { Sock::from_raw(sk.cast()) }
    }

    pub(super) fn bind(&self, address: &mut [u8]) -> Result {
        // SAFETY: The socket is ours; the address has that length.
        kernel::error::to_result(unsafe {
            bindings::kernel_bind(
                self.0.as_ptr(),
                address.as_mut_ptr().cast(),
                address.len() as c_int,
            )
        })
    }

    pub(super) fn send(&self, index: c_int, data: &mut [u8]) -> Result<usize> {
        let mut name = [0u8; 128];
        for (to, from) in name.iter_mut().zip(address(index)) {
            *to = from;
        }
        let mut message = bindings::msghdr {
            msg_name: name.as_mut_ptr().cast(),
            msg_namelen: 8,
            ..Default::default()
        };
        let mut vector = bindings::kvec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: data.len(),
        };
        // SAFETY: The socket, the message and the buffer are ours for the call.
        let sent = unsafe {
            bindings::kernel_sendmsg(
                self.0.as_ptr(),
                &raw mut message,
                &raw mut vector,
                1,
                data.len(),
            )
        };
        kernel::error::to_result(sent)?;
        usize::try_from(sent).map_err(|_| EINVAL)
    }

    /// The bytes that were received, and the four that were noted with the packet.
    pub(super) fn receive(&self, data: &mut [u8], flags: u32) -> Result<(usize, u32)> {
        let mut name = [0u8; 128];
        let mut message = bindings::msghdr {
            msg_name: name.as_mut_ptr().cast(),
            ..Default::default()
        };
        let mut vector = bindings::kvec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: data.len(),
        };
        // SAFETY: The socket, the message and the buffers are ours for the call.
        let received = unsafe {
            bindings::kernel_recvmsg(
                self.0.as_ptr(),
                &raw mut message,
                &raw mut vector,
                1,
                data.len(),
                (flags | bindings::MSG_DONTWAIT) as c_int,
            )
        };
        kernel::error::to_result(received)?;
        let [a, b, c, d, ..] = name;
        Ok((
            usize::try_from(received).map_err(|_| EINVAL)?,
            u32::from_ne_bytes([a, b, c, d]),
        ))
    }

    pub(super) fn set_option(&self, level: c_int, name: c_int, value: &mut [u8]) -> Result {
        // SAFETY: The socket is ours, and the value is in kernel memory of that length.
        kernel::error::to_result(unsafe {
            bindings::do_sock_setsockopt(
                self.0.as_ptr(),
                false,
                level,
                name,
                kernel_pointer(value.as_mut_ptr()),
                value.len() as c_int,
            )
        })
    }

    /// The length that the kernel says an option has.
    fn option(&self, name: c_int, value: &mut [u8]) -> Result<usize> {
        let mut len = value.len() as c_int;
        // SAFETY: The socket is ours, and the value is in kernel memory of that length.
        kernel::error::to_result(unsafe {
            bindings::do_sock_getsockopt(
                self.0.as_ptr(),
                false,
                LEVEL,
                name,
                kernel_pointer(value.as_mut_ptr()),
                kernel_pointer((&raw mut len).cast()),
            )
        })?;
        usize::try_from(len).map_err(|_| EINVAL)
    }
}

/// A `sockptr_t` into the kernel.
fn kernel_pointer(to: *mut u8) -> bindings::sockptr_t {
    let mut pointer = bindings::sockptr_t::default();
    pointer.__bindgen_anon_1.kernel = to.cast();
    pointer.set_is_kernel(true);
    pointer
}

impl Drop for TestSocket {
    fn drop(&mut self) {
        // SAFETY: The socket is ours to release.
        unsafe { bindings::sock_release(self.0.as_ptr()) };
    }
}

/// How many states were dropped, after all that is on its way to be.
fn dropped() -> u32 {
    rcu::rcu_barrier();
    // ORDERING: Pairs with the `Release` in the drop.
    DROPPED.load(Ordering::Acquire)
}

pub(super) fn register() -> Result<Registration<Probe>> {
    Registration::new(&MODULE, NUMBER)
}

/// The loopback device, up.
pub(super) struct Loopback {
    pub(super) index: c_int,
    was_up: bool,
}

impl Loopback {
    pub(super) fn up() -> Result<Self> {
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let rtnl = rtnl::lock(&mut context);
        let namespace = Namespace::init();
        let device = namespace.device_under_rtnl(1, &rtnl).ok_or(ENODEV)?;
        let was_up = device.is_up();
        // SAFETY: The device is registered and RTNL is held.
        kernel::error::to_result(unsafe {
            bindings::dev_open(device.as_raw(), core::ptr::null_mut())
        })?;
        Ok(Self { index: 1, was_up })
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if self.was_up {
            return;
        }
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let rtnl = rtnl::lock(&mut context);
        let namespace = Namespace::init();
        if let Some(device) = namespace.device_under_rtnl(self.index, &rtnl) {
            // SAFETY: The device is registered and RTNL is held.
            unsafe { bindings::dev_close(device.as_raw()) };
        }
    }
}

/// A frame of an experimental Ethernet type, to nobody.
pub(super) fn frame<const N: usize>() -> [u8; N] {
    let mut frame = [0u8; N];
    for (number, byte) in frame.iter_mut().enumerate() {
        // CAST: The pattern repeats.
        *byte = number as u8;
    }
    for (to, from) in frame
        .iter_mut()
        .zip([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5])
    {
        *to = from;
    }
    frame
}

#[kunit_tests(rnet_socket)]
mod tests {
    use super::*;

    const RAW: bindings::sock_type = bindings::sock_type_SOCK_RAW;
    const DGRAM: bindings::sock_type = bindings::sock_type_SOCK_DGRAM;

    fn made() -> u32 {
        // ORDERING: The same task has written it.
        MADE.load(Ordering::Relaxed)
    }

    #[test]
    fn each_state_is_made_once_and_dropped_once() -> Result {
        let _family = register()?;
        for of_kernel in [false, true] {
            let (made_before, dropped_before) = (made(), dropped());
            let socket = TestSocket::new(RAW, 0, of_kernel)?;
            assert_eq!(made(), made_before.wrapping_add(1));
            assert_eq!(dropped(), dropped_before);
            drop(socket);
            assert_eq!(made(), made_before.wrapping_add(1));
            assert_eq!(dropped(), dropped_before.wrapping_add(1));
        }
        Ok(())
    }

    #[test]
    fn a_reference_keeps_the_state() -> Result {
        let _family = register()?;
        let before = dropped();
        let socket = TestSocket::new(RAW, 0, false)?;
        let reference: ARef<Sock<Probe>> = ARef::from(socket.sock());
        drop(socket);
        assert_eq!(dropped(), before);
        // The state is still there to be read.
        // ORDERING: A counter that nothing depends on.
        assert_eq!(reference.seen.load(Ordering::Relaxed), 0);
        drop(reference);
        assert_eq!(dropped(), before.wrapping_add(1));
        Ok(())
    }

    #[test]
    fn a_refused_socket_leaves_nothing() -> Result {
        let _family = register()?;
        let (made_before, dropped_before) = (made(), dropped());
        assert_eq!(
            TestSocket::new(DGRAM, 0, false).err(),
            Some(ESOCKTNOSUPPORT)
        );
        // The kernel's memory for the socket exists by then, the state does not.
        assert_eq!(TestSocket::new(RAW, NO_MEMORY, false).err(), Some(ENOMEM));
        assert_eq!(made(), made_before);
        assert_eq!(dropped(), dropped_before);
        Ok(())
    }

    #[test]
    fn a_family_needs_a_free_number_in_range() -> Result {
        for number in [-1, 0, 46, 1000, c_int::MIN, c_int::MAX] {
            assert_eq!(
                Registration::<Probe>::new(&MODULE, number).err(),
                Some(EINVAL)
            );
        }
        // AF_UNIX has an owner on every kernel.
        assert_eq!(Registration::<Probe>::new(&MODULE, 1).err(), Some(EEXIST));
        let family = register()?;
        assert_eq!(family.number(), NUMBER);
        assert_eq!(register().err(), Some(EBUSY));
        drop(family);
        assert_eq!(TestSocket::new(RAW, 0, false).err(), Some(EAFNOSUPPORT));
        // What failed above has left nothing behind.
        drop(register()?);
        Ok(())
    }

    #[test]
    fn the_namespace_lists_its_sockets() -> Result {
        let _family = register()?;
        let sockets: [TestSocket; 3] = [
            TestSocket::new(RAW, 0, false)?,
            TestSocket::new(RAW, 0, false)?,
            TestSocket::new(RAW, 0, true)?,
        ];
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let mut count = 0u32;
        let siblings = sockets[0].sock().siblings();
        siblings.for_each(&mut context, |_, _| count = count.wrapping_add(1));
        assert_eq!(count, 3);
        let [first, second, third] = sockets;
        drop(second);
        let mut seen = [false; 2];
        first.sock().siblings().for_each(&mut context, |sock, _| {
            seen[0] |= core::ptr::eq(sock, first.sock());
            seen[1] |= core::ptr::eq(sock, third.sock());
        });
        assert_eq!(seen, [true; 2]);
        Ok(())
    }

    #[test]
    fn addresses_and_options_reach_the_family() -> Result {
        let _family = register()?;
        let socket = TestSocket::new(RAW, 0, false)?;
        // Too short to be an address of this family.
        assert_eq!(socket.bind(&mut [0; 7]).err(), Some(EINVAL));
        assert_eq!(socket.bind(&mut address(c_int::MAX)).err(), Some(ENODEV));

        assert_eq!(
            socket.set_option(LEVEL, 0, &mut [1, 2, 3]).err(),
            Some(EINVAL)
        );
        socket.set_option(LEVEL, 0, &mut 7u32.to_ne_bytes())?;
        let mut value = [0xffu8; 8];
        assert_eq!(socket.option(0, &mut value)?, 4);
        assert_eq!(value[..4], 7u32.to_ne_bytes());
        assert_eq!(value[4..], [0xff; 4]);
        // A short buffer gets as much as fits.
        let mut short = [0xffu8; 2];
        assert_eq!(socket.option(0, &mut short)?, 2);
        assert_eq!(short, 7u32.to_ne_bytes()[..2]);
        // The buffer is read, too.
        let mut value = 41u32.to_ne_bytes();
        assert_eq!(socket.option(2, &mut value)?, 4);
        assert_eq!(u32::from_ne_bytes(value), 42);
        assert_eq!(socket.option(2, &mut [0; 3]).err(), Some(EINVAL));
        assert_eq!(socket.option(9, &mut value).err(), Some(ENOPROTOOPT));
        Ok(())
    }

    #[test]
    fn a_hook_receives_what_others_send() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let sender = TestSocket::new(RAW, 0, false)?;
        let receiver = TestSocket::new(RAW, 0, false)?;
        receiver.bind(&mut address(loopback.index))?;

        let mut sent = frame::<100>();
        assert_eq!(sender.send(loopback.index, &mut sent)?, 100);
        // The frame is seen on its way out, and again on its way in.
        let mut data = [0u8; 200];
        assert_eq!(receiver.receive(&mut data, bindings::MSG_PEEK)?, (100, 100));
        assert_eq!(data[..100], sent);
        data = [0; 200];
        assert_eq!(receiver.receive(&mut data, 0)?, (100, 100));
        assert_eq!(data[..100], sent);
        let mut queued = [0u8; 8];
        assert_eq!(receiver.option(1, &mut queued)?, 8);
        assert!(u64::from_ne_bytes(queued) >= 1);
        // The sender has no hook.
        assert_eq!(sender.receive(&mut data, 0).err(), Some(EAGAIN));
        Ok(())
    }

    #[test]
    fn a_socket_does_not_see_what_it_sends() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let socket = TestSocket::new(RAW, 0, false)?;
        let witness = TestSocket::new(RAW, 0, false)?;
        socket.bind(&mut address(loopback.index))?;
        witness.bind(&mut address(loopback.index))?;
        let mut sent = frame::<64>();
        socket.send(loopback.index, &mut sent)?;
        // What goes out is shown to the witness only. (It comes in again without its sender, and is
        // then shown to both.)
        let mut data = [0u8; 64];
        // ORDERING: Counters that nothing depends on.
        let own = socket.sock().seen.load(Ordering::Relaxed);
        let other = witness.sock().seen.load(Ordering::Relaxed);
        assert!(other > own);
        assert_eq!(witness.receive(&mut data, 0)?.0, 64);
        Ok(())
    }

    #[test]
    fn several_hooks_see_the_same_frame() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let sender = TestSocket::new(RAW, 0, false)?;
        let receivers: [TestSocket; 3] = [
            TestSocket::new(RAW, 0, false)?,
            TestSocket::new(RAW, 0, false)?,
            TestSocket::new(RAW, 0, false)?,
        ];
        for receiver in &receivers {
            receiver.bind(&mut address(loopback.index))?;
        }
        let mut sent = frame::<300>();
        sender.send(loopback.index, &mut sent)?;
        // Each hook moved the data pointer of the one packet, and put it back for the next.
        for receiver in &receivers {
            let mut data = [0u8; 400];
            assert_eq!(receiver.receive(&mut data, 0)?, (300, 300));
            assert_eq!(data[..300], sent);
        }
        Ok(())
    }

    #[test]
    fn a_detached_hook_can_be_used_again() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let sender = TestSocket::new(RAW, 0, false)?;
        let receiver = TestSocket::new(RAW, 0, false)?;
        let before = dropped();
        for _ in 0..3 {
            receiver.bind(&mut address(loopback.index))?;
            sender.send(loopback.index, &mut frame::<64>())?;
            assert!(receiver.receive(&mut [0; 64], 0).is_ok());
            // SAFETY: Tests run in process context, with no lock held.
            let context = unsafe { Process::assume() };
            receiver.sock().unhook(&context);
            while receiver.receive(&mut [0; 64], 0).is_ok() {}
            sender.send(loopback.index, &mut frame::<64>())?;
            assert_eq!(receiver.receive(&mut [0; 64], 0).err(), Some(EAGAIN));
        }
        // A hook that is on when the socket is closed keeps nothing of it.
        receiver.bind(&mut address(loopback.index))?;
        drop(receiver);
        assert_eq!(dropped(), before.wrapping_add(1));
        Ok(())
    }

    #[test]
    fn packets_on_their_way_keep_the_socket() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let before = dropped();
        let sender = TestSocket::new(RAW, 0, false)?;
        for _ in 0..50 {
            sender.send(loopback.index, &mut frame::<1000>())?;
        }
        drop(sender);
        assert_eq!(dropped(), before.wrapping_add(1));
        Ok(())
    }

    #[test]
    fn frames_that_are_too_short_are_refused() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        let sender = TestSocket::new(RAW, 0, false)?;
        assert_eq!(sender.send(loopback.index, &mut []).err(), Some(EINVAL));
        assert_eq!(
            sender.send(c_int::MAX, &mut frame::<64>()).err(),
            Some(ENXIO)
        );
        Ok(())
    }
}
