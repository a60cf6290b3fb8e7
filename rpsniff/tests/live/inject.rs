// SPDX-License-Identifier: GPL-2.0

//! Frames that go out of an interface as they are. The one place of the tests that talks to the
//! kernel by itself.

#![allow(unsafe_code, clippy::multiple_unsafe_ops_per_block)]

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

pub struct Injector(OwnedFd);

impl Injector {
    pub fn new(interface: &str) -> Self {
        let name = CString::new(interface).unwrap();
        // SAFETY: `name` is a string that outlives the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        assert_ne!(index, 0, "{interface}");
        // SAFETY: The call takes no memory; its result is checked below.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: The descriptor was just opened and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: All zeroes is a `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = index as i32;
        let length = mem::size_of_val(&address) as u32;
        // SAFETY: `address` lives through the call and has this length.
        let bound = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
        assert_eq!(bound, 0, "{}", io::Error::last_os_error());
        Self(socket)
    }

    pub fn send(&self, frame: &[u8]) {
        // SAFETY: `frame` lives through the call and has this length.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
    }
}
