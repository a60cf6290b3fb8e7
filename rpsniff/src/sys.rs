// SPDX-License-Identifier: GPL-2.0

//! System calls on packet sockets that no safe crate offers.
//!
//! This is the only module with `unsafe`. It knows how to hand memory to the kernel and nothing
//! about captures: every function takes and returns owned or borrowed Rust values, and what the
//! kernel writes is bounded here by the buffer that was handed in.

#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    mem::{size_of, zeroed},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use libc::{c_int, c_void, socklen_t};

/// The most messages that one system call receives.
pub const SLOTS: usize = 32;

/// Room for the ancillary data of one message: a time stamp and `PACKET_AUXDATA`, with much to
/// spare, aligned as `struct cmsghdr` has to be.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; 256]);

/// Types that the kernel may fill with any bytes and that have no padding of their own.
///
/// # Safety
///
/// - Each bit pattern of the type's size is a value of the type.
/// - The type has no padding, so that reading it as bytes reads initialised memory only.
unsafe trait Plain: Copy {}

// SAFETY: Integers have no padding and no invalid values.
unsafe impl Plain for c_int {}
// SAFETY: `int`, `unsigned short`, `unsigned short` and eight bytes: 16 bytes without padding,
// each made of integers.
unsafe impl Plain for libc::packet_mreq {}
// SAFETY: Two 32-bit integers.
unsafe impl Plain for libc::tpacket_stats {}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn set_option<T: Plain>(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: `value` is borrowed for the call and is `size_of::<T>()` initialised bytes, by the
    // contract of `Plain`; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast::<c_void>(),
            size_of::<T>() as socklen_t,
        )
    };
    check(result).map(drop)
}

/// Sets an option whose value is an `int`.
///
/// # Errors
///
/// The errno of `setsockopt(2)`.
pub fn set_int(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    set_option(socket, level, name, &value)
}

/// Joins promiscuous mode on `ifindex` for as long as the socket lives (`PACKET_MR_PROMISC`).
///
/// # Errors
///
/// The errno of `setsockopt(2)`.
pub fn join_promiscuous(socket: BorrowedFd<'_>, ifindex: c_int) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: ifindex,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(
        socket,
        libc::SOL_PACKET,
        libc::PACKET_ADD_MEMBERSHIP,
        &membership,
    )
}

/// Attaches a classic BPF program (`SO_ATTACH_FILTER`).
///
/// # Errors
///
/// `E2BIG` without a system call if the program does not fit a `struct sock_fprog`, else the errno
/// of `setsockopt(2)`.
pub fn attach_filter(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let fprog = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `fprog` describes `program`, which is borrowed for the call, with its own length;
    // the kernel copies the instructions and writes neither.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&fprog).cast::<c_void>(),
            size_of::<libc::sock_fprog>() as socklen_t,
        )
    };
    check(result).map(drop)
}

/// Binds to the interface `ifindex` (0: all of them) and the protocol, in host byte order.
///
/// The address family in the address is `AF_PACKET`, which both families accept.
///
/// # Errors
///
/// The errno of `bind(2)`.
pub fn bind(socket: BorrowedFd<'_>, ifindex: c_int, protocol: u16) -> io::Result<()> {
    // SAFETY: `struct sockaddr_ll` is made of integers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = ifindex;
    // SAFETY: `address` is borrowed for the call and as long as the length says.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            std::ptr::from_ref(&address).cast::<libc::sockaddr>(),
            size_of::<libc::sockaddr_ll>() as socklen_t,
        )
    };
    check(result).map(drop)
}

/// Reads and clears the packet and drop counters of the socket (`PACKET_STATISTICS`).
///
/// The first number includes the second.
///
/// # Errors
///
/// The errno of `getsockopt(2)`.
pub fn take_statistics(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let mut stats = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of::<libc::tpacket_stats>() as socklen_t;
    // SAFETY: The kernel writes at most `length` bytes, which is the size of `stats`, and any
    // bytes are a value of it by the contract of `Plain`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            std::ptr::from_mut(&mut stats).cast::<c_void>(),
            &mut length,
        )
    };
    check(result)?;
    Ok((stats.tp_packets, stats.tp_drops))
}

/// A `struct ifreq` for `name`, and the field that the request fills read by `get`.
fn interface_request<T>(
    socket: BorrowedFd<'_>,
    name: &str,
    request: libc::Ioctl,
    get: impl FnOnce(&libc::ifreq) -> T,
) -> io::Result<T> {
    // SAFETY: `struct ifreq` is made of integers, arrays and a union of such, and a null pointer
    // is allowed in it: all zeroes is a value.
    let mut ifreq: libc::ifreq = unsafe { zeroed() };
    // The last byte stays zero: the kernel takes the name as a string.
    if name.len() >= ifreq.ifr_name.len() || name.contains('\0') {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in ifreq.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: All requests of this module take a `struct ifreq`, which is borrowed for the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &mut ifreq) };
    check(result)?;
    Ok(get(&ifreq))
}

/// The `IFF_` flags of an interface (`SIOCGIFFLAGS`), of which the kernel reports 16 bits here.
///
/// # Errors
///
/// The errno of `ioctl(2)`, `ENODEV` if there is no such interface.
pub fn interface_flags(socket: BorrowedFd<'_>, name: &str) -> io::Result<c_int> {
    interface_request(socket, name, libc::SIOCGIFFLAGS, |ifreq| {
        // SAFETY: `SIOCGIFFLAGS` fills `ifru_flags`, and the union was all zeroes before.
        let flags = unsafe { ifreq.ifr_ifru.ifru_flags };
        c_int::from(flags as u16)
    })
}

/// The `ARPHRD_` type of an interface (`SIOCGIFHWADDR`).
///
/// # Errors
///
/// The errno of `ioctl(2)`, `ENODEV` if there is no such interface.
pub fn interface_type(socket: BorrowedFd<'_>, name: &str) -> io::Result<u16> {
    interface_request(socket, name, libc::SIOCGIFHWADDR, |ifreq| {
        // SAFETY: `SIOCGIFHWADDR` fills `ifru_hwaddr`, and the union was all zeroes before.
        let address = unsafe { ifreq.ifr_ifru.ifru_hwaddr };
        address.sa_family
    })
}

/// The interfaces of this network namespace, by index and name.
///
/// # Errors
///
/// The errno of `if_nameindex(3)`.
pub fn interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: The function has no precondition.
    let first = unsafe { libc::if_nameindex() };
    if first.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut list = Vec::new();
    let mut entry = first;
    loop {
        // SAFETY: `entry` starts at the first element and moves on only after one that is not the
        // last, and the array is freed below: it is within a live array.
        let libc::if_nameindex { if_index, if_name } = unsafe { *entry };
        if if_name.is_null() {
            break;
        }
        // SAFETY: The C library promises a string for each element but the last, which lives until
        // the array is freed; it is copied before that.
        let name = unsafe { CStr::from_ptr(if_name) };
        list.push((if_index, name.to_string_lossy().into_owned()));
        // SAFETY: This element is not the last, so the next is within the array.
        entry = unsafe { entry.add(1) };
    }
    // SAFETY: `first` came from `if_nameindex()`, is freed once, and `entry` is not used again.
    unsafe { libc::if_freenameindex(first) };
    Ok(list)
}

/// Buffers for receiving several messages with one system call.
///
/// Each slot has room for `capacity` bytes of packet behind `headroom` bytes that the kernel does
/// not write, so that a header can be put in front of a packet without moving it.
pub struct Batch {
    headroom: usize,
    stride: usize,
    data: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    control: Vec<Control>,
    headers: [Header; SLOTS],
}

/// What the kernel said about one received message.
#[derive(Clone, Copy, Default)]
struct Header {
    length: usize,
    control: usize,
    name: usize,
}

/// One received message.
pub struct Message<'a> {
    /// The headroom and the packet behind it, of `headroom + captured` bytes.
    pub buffer: &'a mut [u8],
    /// Length of the message before it was cut to the size of the buffer.
    pub length: usize,
    /// The control messages, as the kernel lays them out.
    pub control: &'a [u8],
    /// The sender's address.
    pub name: libc::sockaddr_ll,
}

impl Batch {
    /// Makes [`SLOTS`] slots.
    pub fn new(headroom: usize, capacity: usize) -> Self {
        let stride = headroom + capacity;
        // SAFETY: `struct sockaddr_storage` is made of integers, for which all zeroes is a value.
        let name: libc::sockaddr_storage = unsafe { zeroed() };
        Self {
            headroom,
            stride,
            // Zeroed by the allocator: pages that no packet reaches are never touched.
            data: vec![0; SLOTS * stride],
            names: vec![name; SLOTS],
            control: vec![Control([0; 256]); SLOTS],
            headers: [Header::default(); SLOTS],
        }
    }

    /// Receives up to `max` messages that are ready now, without waiting.
    ///
    /// Returns their number, which is 0 only if `max` is.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, else the errno of `recvmmsg(2)`.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, max: usize) -> io::Result<usize> {
        let count = max.min(SLOTS);
        // SAFETY: `struct iovec` is a pointer and an integer, for which all zeroes is a value.
        let mut vectors: [libc::iovec; SLOTS] = unsafe { zeroed() };
        for (vector, slot) in vectors
            .iter_mut()
            .zip(self.data.chunks_exact_mut(self.stride))
        {
            let room = slot.get_mut(self.headroom..).unwrap_or_default();
            vector.iov_base = room.as_mut_ptr().cast::<c_void>();
            vector.iov_len = room.len();
        }
        // SAFETY: `struct mmsghdr` is made of integers and pointers, for which all zeroes is a
        // value.
        let mut messages: [libc::mmsghdr; SLOTS] = unsafe { zeroed() };
        for (((message, vector), name), control) in messages
            .iter_mut()
            .zip(&mut vectors)
            .zip(&mut self.names)
            .zip(&mut self.control)
        {
            message.msg_hdr.msg_name = std::ptr::from_mut(name).cast::<c_void>();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as socklen_t;
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_control = control.0.as_mut_ptr().cast::<c_void>();
            message.msg_hdr.msg_controllen = control.0.len() as _;
        }
        // SAFETY: `messages` has at least `count` elements, and each describes a name, a buffer and
        // a control area of its own with their true lengths, which live in `self` and in
        // `vectors`, borrowed exclusively and not otherwise used until after the call.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                std::ptr::null_mut(),
            )
        };
        let received = check(result)? as usize;
        for (header, message) in self.headers.iter_mut().zip(&messages).take(received) {
            *header = Header {
                length: message.msg_len as usize,
                control: message.msg_hdr.msg_controllen,
                name: message.msg_hdr.msg_namelen as usize,
            };
        }
        Ok(received)
    }

    /// The message in slot `index`, as the last [`Batch::receive`] left it.
    pub fn message(&mut self, index: usize) -> Option<Message<'_>> {
        let header = *self.headers.get(index)?;
        let start = index * self.stride;
        let captured = header.length.min(self.stride - self.headroom);
        let control = &self.control.get(index)?.0;
        Some(Message {
            buffer: self.data.get_mut(start..start + self.headroom + captured)?,
            length: header.length,
            control: control.get(..header.control).unwrap_or(control),
            name: sockaddr_ll(self.names.get(index)?, header.name),
        })
    }
}

/// The link-layer address in `storage`, with what the kernel did not write left zero.
fn sockaddr_ll(storage: &libc::sockaddr_storage, length: usize) -> libc::sockaddr_ll {
    // SAFETY: `struct sockaddr_ll` is made of integers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    if length >= size_of::<libc::sockaddr_ll>() {
        // SAFETY: `sockaddr_storage` is larger than `sockaddr_ll` and aligned for every address
        // type, it is initialised (zeroed when made), and any bytes are a `sockaddr_ll`.
        address = unsafe { *std::ptr::from_ref(storage).cast::<libc::sockaddr_ll>() };
    }
    address
}

/// Takes the pending error of a socket (`SO_ERROR`), which reading clears.
///
/// # Errors
///
/// The pending error itself, or the errno of `getsockopt(2)`.
pub fn pending_error(socket: impl AsFd) -> io::Result<()> {
    match rustix::net::sockopt::socket_error(socket) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(errno)) | Err(errno) => Err(errno.into()),
    }
}
