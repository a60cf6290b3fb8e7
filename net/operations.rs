// SPDX-License-Identifier: GPL-2.0

//! System calls on a socket: [`Operations`], and the table of C that leads to them.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use crate::{
    bindings,
    net::{
        context::Process,
        mapping::NewMapping,
        message::Message,
        sock::{
            Protocol,
            Sock, //
        },
        socket::Family,
        sockopt::{
            OptionReply,
            OptionValue, //
        },
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    slice, //
};
use kernel::{
    error::from_result,
    prelude::*,
    transmute::FromBytes, //
};

/// The size of the kernel's buffer for the address of a socket (`struct sockaddr_storage`).
pub(crate) const ADDRESS_MAX: usize = 128;

/// The address that a caller passed: `struct sockaddr`, copied into the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Address<'a>(&'a [u8]);

impl<'a> Address<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes of the address, as many as the caller passed: at most [`ADDRESS_MAX`], maybe none.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The address as a `T`, or `EINVAL` when it is shorter than that. More bytes are ignored.
    #[inline]
    pub(crate) fn read<T: FromBytes + Copy>(&self) -> Result<T> {
        T::from_bytes_copy_prefix(self.0)
            .map(|(value, _)| value)
            .ok_or(EINVAL)
    }
}

/// The buffer for an address that a caller asked for.
pub(crate) struct Name<'a> {
    buffer: &'a mut [u8; ADDRESS_MAX],
    len: usize,
}

impl Name<'_> {
    /// Answers with these bytes, or fails with `EINVAL` if they are more than [`ADDRESS_MAX`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result {
        self.buffer
            .get_mut(..bytes.len())
            .ok_or(EINVAL)?
            .copy_from_slice(bytes);
        self.len = bytes.len();
        Ok(())
    }
}

/// The system calls on a socket of the protocol `T`: `struct proto_ops`.
///
/// All of them run in process context and may run at the same time for one socket. What is not here
/// (`connect()`, `listen()`, `accept()`, `socketpair()`, `shutdown()`) answers `EOPNOTSUPP`, and
/// `SIOCGSTAMP` answers with the time of the last packet. The options of `SOL_SOCKET` are the core's.
#[vtable]
pub(crate) trait Operations<T: Protocol>: 'static {
    /// `bind()`.
    fn bind(sock: &Sock<T>, address: Address<'_>, context: &mut Process<'_>) -> Result;

    /// `getsockname()`, or `getpeername()` if `peer`.
    fn getname(
        sock: &Sock<T>,
        peer: bool,
        name: &mut Name<'_>,
        context: &mut Process<'_>,
    ) -> Result;

    /// `sendmsg()` of `len` bytes. Returns how many were sent.
    fn sendmsg(
        sock: &Sock<T>,
        message: &mut Message<'_>,
        len: usize,
        context: &mut Process<'_>,
    ) -> Result<usize>;

    /// `recvmsg()` into `len` bytes, with the flags `MSG_*` of the call.
    fn recvmsg(
        sock: &Sock<T>,
        message: &mut Message<'_>,
        len: usize,
        flags: c_int,
        context: &mut Process<'_>,
    ) -> Result<usize>;

    /// `poll()`: the events `EPOLL*` that are to be added to those of a socket with a receive queue
    /// (`datagram_poll()`), which are passed as `mask`.
    fn poll(sock: &Sock<T>, mask: u32, context: &mut Process<'_>) -> u32 {
        let _ = (sock, context);
        mask
    }

    /// `ioctl()`. `ENOIOCTLCMD` passes the command on to the devices.
    ///
    /// Without it, the commands are those of [`Ioctl::datagram`].
    fn ioctl(sock: &Sock<T>, call: Ioctl<'_>, context: &mut Process<'_>) -> Result<c_int> {
        call.datagram(sock, context)
    }

    /// `setsockopt()` at a level other than `SOL_SOCKET`. Without it: `EOPNOTSUPP`.
    fn setsockopt(
        sock: &Sock<T>,
        level: c_int,
        name: c_int,
        value: OptionValue<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        let _ = (sock, level, name, value, context);
        Err(EOPNOTSUPP)
    }

    /// `getsockopt()` at a level other than `SOL_SOCKET`. Without it: `EOPNOTSUPP`.
    fn getsockopt(
        sock: &Sock<T>,
        level: c_int,
        name: c_int,
        reply: &mut OptionReply<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        let _ = (sock, level, name, reply, context);
        Err(EOPNOTSUPP)
    }

    /// `mmap()`: inserts memory into `mapping`, or fails. Without it: `ENODEV`.
    ///
    /// The lock of the process's memory is held, so memory of the program must not be touched.
    fn mmap(sock: &Sock<T>, mapping: NewMapping<'_>, context: &mut Process<'_>) -> Result {
        let _ = (sock, mapping, context);
        Err(ENODEV)
    }
}

/// The arguments of an `ioctl()`.
pub(crate) struct Ioctl<'a> {
    socket: *mut bindings::socket,
    command: u32,
    argument: usize,
    _socket: PhantomData<&'a ()>,
}

impl Ioctl<'_> {
    /// The command, `SIOC*`.
    #[inline]
    pub(crate) fn command(&self) -> u32 {
        self.command
    }

    /// The argument, which for most commands is an address in user space.
    #[inline]
    pub(crate) fn argument(&self) -> usize {
        self.argument
    }

    /// Writes a number to where the argument points, or fails with `EFAULT`.
    pub(crate) fn reply(&self, value: c_int) -> Result<c_int> {
        use kernel::uaccess::{
            UserPtr,
            UserSlice, //
        };
        UserSlice::new(UserPtr::from_addr(self.argument), size_of::<c_int>())
            .writer()
            .write(&value)?;
        Ok(0)
    }

    /// The commands of a packet socket: `SIOCOUTQ`, `SIOCINQ`, and those that configure IPv4, which
    /// have always worked on such sockets too.
    pub(crate) fn datagram<T: Protocol>(
        &self,
        sock: &Sock<T>,
        context: &mut Process<'_>,
    ) -> Result<c_int> {
        match self.command {
            bindings::SIOCOUTQ => self.reply(sock.send_memory()),
            bindings::SIOCINQ => self.reply(sock.first_len(context)),
            bindings::SIOCADDRT
            | bindings::SIOCDELRT
            | bindings::SIOCDARP
            | bindings::SIOCGARP
            | bindings::SIOCSARP
            | bindings::SIOCGIFADDR
            | bindings::SIOCSIFADDR
            | bindings::SIOCGIFBRDADDR
            | bindings::SIOCSIFBRDADDR
            | bindings::SIOCGIFNETMASK
            | bindings::SIOCSIFNETMASK
            | bindings::SIOCGIFDSTADDR
            | bindings::SIOCSIFDSTADDR
            | bindings::SIOCSIFFLAGS => {
                // SAFETY: The socket is the one that the call came for, and lives as long as `self`.
                // The IPv4 layer uses it to find the namespace, and reads user memory with care.
                let result =
                    unsafe { bindings::inet_dgram_ioctl(self.socket, self.command, self.argument) };
                kernel::error::to_result(result)?;
                Ok(result)
            }
            _ => Err(ENOIOCTLCMD),
        }
    }
}

/// The system calls of one set of socket types, as C sees them: `struct proto_ops`. It must be a
/// `static`.
pub(crate) struct Table<T: Protocol> {
    ops: UnsafeCell<bindings::proto_ops>,
    _protocol: PhantomData<fn() -> T>,
}

// SAFETY: The table is written before its family is registered, and only read from then on.
unsafe impl<T: Protocol> Sync for Table<T> {}

impl<T: Protocol> Table<T> {
    /// The table that leads to `O`.
    pub(crate) const fn new<O: Operations<T>>() -> Self {
        Self {
            ops: UnsafeCell::new(bindings::proto_ops {
                release: Some(Family::<T>::release_callback),
                bind: Some(Callbacks::<T, O>::bind),
                connect: Some(bindings::sock_no_connect),
                socketpair: Some(bindings::sock_no_socketpair),
                accept: Some(bindings::sock_no_accept),
                getname: Some(Callbacks::<T, O>::getname),
                poll: if O::HAS_POLL {
                    Some(Callbacks::<T, O>::poll)
                } else {
                    Some(bindings::datagram_poll)
                },
                ioctl: Some(Callbacks::<T, O>::ioctl),
                gettstamp: Some(bindings::sock_gettstamp),
                listen: Some(bindings::sock_no_listen),
                shutdown: Some(bindings::sock_no_shutdown),
                setsockopt: if O::HAS_SETSOCKOPT {
                    Some(Callbacks::<T, O>::setsockopt)
                } else {
                    None
                },
                getsockopt_iter: if O::HAS_GETSOCKOPT {
                    Some(Callbacks::<T, O>::getsockopt)
                } else {
                    None
                },
                sendmsg: Some(Callbacks::<T, O>::sendmsg),
                recvmsg: Some(Callbacks::<T, O>::recvmsg),
                mmap: if O::HAS_MMAP {
                    Some(Callbacks::<T, O>::mmap)
                } else {
                    Some(bindings::sock_no_mmap)
                },
                ..pin_init::zeroed()
            }),
            _protocol: PhantomData,
        }
    }

    /// The C object.
    pub(super) fn as_raw(&self) -> *const bindings::proto_ops {
        self.ops.get().cast_const()
    }

    /// Fills in what is known at run time only.
    ///
    /// # Safety
    ///
    /// The family of the table must not be registered, and no socket may have the table.
    pub(super) unsafe fn prepare(&self, module: &'static ThisModule, number: c_int) {
        // SAFETY: The caller guarantees that nobody uses the table.
        unsafe { (*self.ops.get()).family = number };
        // SAFETY: As above.
        unsafe { (*self.ops.get()).owner = module.as_ptr() };
    }
}

/// The functions that C calls, for the operations `O`.
///
/// The contract of each is that only the kernel may call it, from a table of [`Table::new`], with a
/// socket of the family of `T`, in process context.
struct Callbacks<T: Protocol, O: Operations<T>>(PhantomData<fn() -> (T, O)>);

impl<T: Protocol, O: Operations<T>> Callbacks<T, O> {
    /// The socket of a call, and the token of its context.
    ///
    /// # Safety
    ///
    /// `socket` must be valid for `'a`, and have this table; the context must be that of a system call.
    #[inline]
    unsafe fn enter<'a>(socket: *mut bindings::socket) -> (&'a Sock<T>, Process<'a>) {
        // SAFETY: The caller guarantees that the socket is valid.
        let sk = unsafe { (*socket).sk };
        // SAFETY: A `struct socket` with this table was made by the family, and owns a reference to its
        // `sock` until it is released, which does not happen during a call.
        let sock = unsafe { Sock::from_raw(sk.cast()) };
        // SAFETY: The caller guarantees that this is a system call: no lock is held.
        (sock, unsafe { Process::assume() })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `address` must have `len` bytes.
    unsafe extern "C" fn bind(
        socket: *mut bindings::socket,
        address: *mut bindings::sockaddr_unsized,
        len: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            let len = usize::try_from(len).map_err(|_| EINVAL)?.min(ADDRESS_MAX);
            // SAFETY: The core has copied the address, of that length, into a buffer of its own.
            let bytes = unsafe { slice::from_raw_parts(address.cast::<u8>(), len) };
            O::bind(sock, Address(bytes), &mut context)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `address` must be a `struct sockaddr_storage`.
    unsafe extern "C" fn getname(
        socket: *mut bindings::socket,
        address: *mut bindings::sockaddr,
        peer: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: All callers pass a `struct sockaddr_storage` that is theirs.
            let buffer = unsafe { &mut *address.cast::<[u8; ADDRESS_MAX]>() };
            let mut name = Name { buffer, len: 0 };
            O::getname(sock, peer != 0, &mut name, &mut context)?;
            // CAST: At most `ADDRESS_MAX`.
            Ok(name.len as c_int)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `message` must be a message to send.
    unsafe extern "C" fn sendmsg(
        socket: *mut bindings::socket,
        message: *mut bindings::msghdr,
        len: usize,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: The core lends the message for the call.
            let mut message = unsafe { Message::from_raw(message) };
            let sent = O::sendmsg(sock, &mut message, len, &mut context)?;
            c_int::try_from(sent).map_err(|_| EOVERFLOW)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `message` must be a message to be received into.
    unsafe extern "C" fn recvmsg(
        socket: *mut bindings::socket,
        message: *mut bindings::msghdr,
        len: usize,
        flags: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: The core lends the message for the call.
            let mut message = unsafe { Message::from_raw(message) };
            let received = O::recvmsg(sock, &mut message, len, flags, &mut context)?;
            c_int::try_from(received).map_err(|_| EOVERFLOW)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `file` and `wait` are as `poll()` passes them.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        socket: *mut bindings::socket,
        wait: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: By the contract of this function.
        let (sock, mut context) = unsafe { Self::enter(socket) };
        // SAFETY: The arguments are passed on unchanged.
        let mask = unsafe { bindings::datagram_poll(file, socket, wait) };
        O::poll(sock, mask, &mut context)
    }

    /// # Safety
    ///
    /// See [`Callbacks`].
    unsafe extern "C" fn ioctl(
        socket: *mut bindings::socket,
        command: c_uint,
        argument: c_ulong,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            let call = Ioctl {
                socket,
                command,
                argument,
                _socket: PhantomData,
            };
            O::ioctl(sock, call, &mut context)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `value` and `len` are as `setsockopt()` passes them.
    unsafe extern "C" fn setsockopt(
        socket: *mut bindings::socket,
        level: c_int,
        name: c_int,
        value: bindings::sockptr_t,
        len: c_uint,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: The core passes a value of that length, in user space or its own.
            let value = unsafe { OptionValue::from_raw(value, len) };
            O::setsockopt(sock, level, name, value, &mut context)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `option` must be a `sockopt_t` that the core has filled in.
    unsafe extern "C" fn getsockopt(
        socket: *mut bindings::socket,
        level: c_int,
        name: c_int,
        option: *mut bindings::sockopt_t,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: The core lends the option for the call.
            let mut reply = unsafe { OptionReply::from_raw(option) };
            O::getsockopt(sock, level, name, &mut reply, &mut context)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Callbacks`]; `vma` must be a mapping of this socket that is being made.
    unsafe extern "C" fn mmap(
        _file: *mut bindings::file,
        socket: *mut bindings::socket,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the contract of this function. The lock of the process's memory is a sleeping one.
            let (sock, mut context) = unsafe { Self::enter(socket) };
            // SAFETY: The mapping is being made until this returns.
            let mapping = unsafe { NewMapping::new(vma, sock) };
            O::mmap(sock, mapping, &mut context)?;
            Ok(0)
        })
    }
}
