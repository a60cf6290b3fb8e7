// SPDX-License-Identifier: GPL-2.0

//! `struct sockaddr_ll`: the address of a packet socket, and of a frame.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | `sll_family` | 17, or the own number where a program gives it |
//! | 2 | `sll_protocol` | network byte order; kept as the program gave it |
//! | 4 | `sll_ifindex` | |
//! | 8 | `sll_hatype` | `ARPHRD_*` of the device |
//! | 10 | `sll_pkttype` | `PACKET_HOST`, ... |
//! | 11 | `sll_halen` | |
//! | 12 | `sll_addr` | declared with 8 bytes, 32 at most on the wire |
//!
//! The structure has 20 bytes. Longer link layer addresses (InfiniBand) go beyond its end, up to
//! 44 bytes, and each call has its own rule for the length; the functions here say which.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::family::{
    Number,
    AF_PACKET, //
};
use kernel::prelude::*;

/// `sizeof(struct sockaddr_ll)`.
pub(crate) const SIZE: usize = 20;

/// The offset of `sll_addr`.
pub(crate) const ADDRESS_OFFSET: usize = 12;

/// The longest link layer address, `MAX_ADDR_LEN`.
pub(crate) const MAX_ADDRESS: usize = 32;

/// The longest address that is ever reported.
pub(crate) const MAX_SIZE: usize = ADDRESS_OFFSET + MAX_ADDRESS;

/// Returns the two bytes at `offset` as a number in host byte order.
fn field_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

/// Returns the four bytes at `offset` as a number in host byte order.
fn field_i32(bytes: &[u8], offset: usize) -> Option<i32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(i32::from_ne_bytes(*field))
}

/// What a program asks for with `bind()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    /// The protocol in network byte order; zero keeps the one that the socket has.
    pub(crate) protocol: u16,
    /// The device; zero stands for all of them.
    pub(crate) ifindex: i32,
}

impl Bind {
    /// Reads the address that was given to `bind()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are less than 20 bytes or the family is neither 17 nor `family`.
    pub(crate) fn parse(bytes: &[u8], family: Number) -> Result<Self> {
        if bytes.len() < SIZE {
            return Err(EINVAL);
        }
        if !family.accepts(field_u16(bytes, 0).ok_or(EINVAL)?) {
            return Err(EINVAL);
        }
        Ok(Self {
            protocol: field_u16(bytes, 2).ok_or(EINVAL)?,
            ifindex: field_i32(bytes, 4).ok_or(EINVAL)?,
        })
    }
}

/// Where a program wants a frame to be sent: the `msg_name` of `sendmsg()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The protocol in network byte order.
    pub(crate) protocol: u16,
    /// The device.
    pub(crate) ifindex: i32,
    /// The link layer address, padded with zeros. As many bytes of it as the device's addresses
    /// have are used; `sll_halen` does not limit them.
    pub(crate) address: [u8; MAX_ADDRESS],
    /// How many bytes of `address` the program gave.
    given: usize,
}

impl Destination {
    /// Reads the address that was given to `sendmsg()`. The family is not looked at.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are less than 20 bytes, or less than `sll_halen` says.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < SIZE {
            return Err(EINVAL);
        }
        let halen = bytes.get(ADDRESS_OFFSET - 1).ok_or(EINVAL)?;
        let given = bytes.get(ADDRESS_OFFSET..).ok_or(EINVAL)?;
        if given.len() < usize::from(*halen) {
            return Err(EINVAL);
        }

        let mut address = [0; MAX_ADDRESS];
        for (to, from) in address.iter_mut().zip(given) {
            *to = *from;
        }
        Ok(Self {
            protocol: field_u16(bytes, 2).ok_or(EINVAL)?,
            ifindex: field_i32(bytes, 4).ok_or(EINVAL)?,
            address,
            given: given.len(),
        })
    }

    /// Checks that there is an address for a device whose addresses have `length` bytes, so that
    /// a `SOCK_DGRAM` socket can build a header with it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is too short.
    pub(crate) fn check_address(&self, length: usize) -> Result {
        if self.given < length {
            return Err(EINVAL);
        }
        Ok(())
    }
}

/// An address that is reported to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The protocol in network byte order.
    pub(crate) protocol: u16,
    /// The device.
    pub(crate) ifindex: i32,
    /// `ARPHRD_*` of the device.
    pub(crate) hatype: u16,
    /// `PACKET_HOST` and the like; zero in the address of a socket.
    pub(crate) pkttype: u8,
    /// How many bytes `address` has, at most [`MAX_ADDRESS`].
    pub(crate) halen: u8,
    /// The link layer address, padded with zeros.
    pub(crate) address: [u8; MAX_ADDRESS],
}

impl Report {
    /// Writes the address as a program reads it, padded with zeros.
    pub(crate) fn encode(&self) -> [u8; MAX_SIZE] {
        let [family0, family1] = AF_PACKET.to_ne_bytes();
        let [protocol0, protocol1] = self.protocol.to_ne_bytes();
        let [index0, index1, index2, index3] = self.ifindex.to_ne_bytes();
        let [hatype0, hatype1] = self.hatype.to_ne_bytes();
        let mut bytes = [0; MAX_SIZE];

        // Whole arrays, since this is done for each frame that a program receives.
        if let Some((head, rest)) = bytes.split_first_chunk_mut() {
            *head = [
                family0,
                family1,
                protocol0,
                protocol1,
                index0,
                index1,
                index2,
                index3,
                hatype0,
                hatype1,
                self.pkttype,
                self.halen,
            ];
            if let Some(address) = rest.first_chunk_mut() {
                *address = self.address;
            }
        }
        bytes
    }

    /// How many bytes `getsockname()` returns: the address is not padded to the structure.
    pub(crate) fn name_length(&self) -> usize {
        ADDRESS_OFFSET + usize::from(self.halen).min(MAX_ADDRESS)
    }

    /// How many bytes `recvmsg()` returns: never less than the structure has.
    pub(crate) fn source_length(&self) -> usize {
        self.name_length().max(SIZE)
    }
}
