// SPDX-License-Identifier: GPL-2.0

//! Lengths: how much of a frame is copied, and how long one may be.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use kernel::prelude::*;

/// The length of a VLAN tag, `VLAN_HLEN`.
const VLAN_HLEN: usize = 4;

/// The length of a frame check sequence that the program gives itself (`SO_NOFCS`).
const FCS_LEN: usize = 4;

/// The length of an IPv6 header, the longest of the fixed network headers.
const IPV6_HLEN: usize = 40;

/// What one `recvmsg()` hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// How many bytes are copied.
    pub(crate) length: u32,
    /// Whether the buffer was too short, which `MSG_TRUNC` in `msg_flags` tells.
    pub(crate) truncated: bool,
}

impl Copy {
    /// Fits what was kept of a frame into a buffer.
    pub(crate) fn new(kept: u32, buffer: usize) -> Self {
        let room = u32::try_from(buffer).unwrap_or(u32::MAX);
        Self {
            length: kept.min(room),
            truncated: kept > room,
        }
    }

    /// What `recvmsg()` returns: with `MSG_TRUNC` among its flags, the length that a long enough
    /// buffer would have received.
    pub(crate) fn returned(self, kept: u32, asked_for_length: bool) -> u32 {
        if asked_for_length {
            kept
        } else {
            self.length
        }
    }
}

/// What limits the frames that a socket may send through a device.
///
/// Each value is read from the device once for a frame: a bonding device changes its header length
/// when its first member joins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The MTU of the device.
    pub(crate) mtu: usize,
    /// The length of its link layer header.
    pub(crate) hard_header: usize,
    /// The shortest link layer header that it takes.
    pub(crate) min_header: usize,
    /// Whether the program writes the link layer header itself (`SOCK_RAW`).
    pub(crate) raw: bool,
    /// Whether the program writes the frame check sequence as well (`SO_NOFCS`).
    pub(crate) own_fcs: bool,
}

/// How long a frame is, compared with the MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It fits.
    Fits,
    /// It fits only if the four bytes too many are a VLAN tag, which shows when the header is
    /// there: [`Fit::check`].
    NeedsTag,
}

impl Fit {
    /// Decides the open case: `tagged` tells whether the frame has an 802.1Q header. It is asked
    /// only if the answer matters.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the frame is too long.
    pub(crate) fn check(self, tagged: impl FnOnce() -> bool) -> Result {
        if self == Self::NeedsTag && !tagged() {
            return Err(EMSGSIZE);
        }
        Ok(())
    }
}

impl Limits {
    /// The length of the header that the program writes.
    pub(crate) fn own_header(&self) -> usize {
        if self.raw {
            self.hard_header
        } else {
            0
        }
    }

    /// Checks the length of a frame against the MTU.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it is too long even for a frame with a VLAN tag.
    pub(crate) fn fit(&self, length: usize) -> Result<Fit> {
        let fcs = if self.own_fcs { FCS_LEN } else { 0 };
        let longest = self
            .mtu
            .saturating_add(self.own_header())
            .saturating_add(fcs);

        if length <= longest {
            Ok(Fit::Fits)
        } else if length <= longest.saturating_add(VLAN_HLEN) {
            Ok(Fit::NeedsTag)
        } else {
            Err(EMSGSIZE)
        }
    }

    /// Whether a raw frame is so short that its network header cannot be told from its link layer
    /// header, on a device with link layer headers of several lengths.
    pub(crate) fn is_ambiguous(&self, length: usize) -> bool {
        length < self.own_header().saturating_add(IPV6_HLEN) && self.min_header != self.hard_header
    }
}
