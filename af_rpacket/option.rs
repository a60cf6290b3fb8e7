// SPDX-License-Identifier: GPL-2.0

//! The options of level `SOL_PACKET`: one table, and the checks that it asks for.
//!
//! An option that is not in [`TABLE`] does not exist: `ENOPROTOOPT`. Programs probe for options and
//! take another way when they are missing, so none is ever accepted without effect. Numbers below
//! 64 are those of AF_PACKET; additions of this family would be numbered from 64 up.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::membership::Request;
use kernel::prelude::*;

/// The level of these options in `setsockopt()`, and of the control messages of this family.
pub(crate) const SOL_PACKET: i32 = 263;

/// The number of the auxiliary data option, and of the control message that it asks for.
pub(crate) const PACKET_AUXDATA: i32 = 8;

/// The number of the control message with a transmit timestamp from the error queue.
pub(crate) const PACKET_TX_TIMESTAMP: i32 = 16;

/// `sizeof(int)`.
const INT: usize = 4;

/// A checked `setsockopt()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Have a device receive more than what is meant for it.
    AddMembership(Request),
    /// Take that back.
    DropMembership(Request),
    /// Send a control message with each frame.
    Auxdata(bool),
    /// Report the device on which a frame arrived first.
    OrigDev(bool),
    /// Leave out the frames that the machine sends.
    IgnoreOutgoing(bool),
}

/// A checked `getsockopt()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// How many frames arrived and were dropped since the last query: `struct tpacket_stats`.
    Statistics,
    /// See [`Setting::Auxdata`]: an `int`, as those that follow.
    Auxdata,
    /// See [`Setting::OrigDev`].
    OrigDev,
    /// See [`Setting::IgnoreOutgoing`].
    IgnoreOutgoing,
}

/// What `setsockopt()` takes, and what that means.
enum Takes {
    /// The option can only be read.
    Nothing,
    /// An `int`, of which only zero is false; what follows it is not looked at.
    Bool(fn(bool) -> Setting),
    /// Exactly one `int`, 0 or 1.
    StrictBool(fn(bool) -> Setting),
    /// A `struct packet_mreq`, or a longer one with a longer address.
    Membership(fn(Request) -> Setting),
}

struct Entry {
    number: i32,
    takes: Takes,
    /// What `getsockopt()` asks for; `None` if the option can only be written.
    gives: Option<Query>,
}

impl Entry {
    const fn new(number: i32, takes: Takes, gives: Option<Query>) -> Self {
        Self {
            number,
            takes,
            gives,
        }
    }
}

/// The options, by number.
#[rustfmt::skip]
static TABLE: [Entry; 6] = [
    Entry::new(1, Takes::Membership(Setting::AddMembership), None),
    Entry::new(2, Takes::Membership(Setting::DropMembership), None),
    Entry::new(6, Takes::Nothing, Some(Query::Statistics)),
    Entry::new(PACKET_AUXDATA, Takes::Bool(Setting::Auxdata), Some(Query::Auxdata)),
    Entry::new(9, Takes::Bool(Setting::OrigDev), Some(Query::OrigDev)),
    Entry::new(23, Takes::StrictBool(Setting::IgnoreOutgoing), Some(Query::IgnoreOutgoing)),
];

fn find(number: i32) -> Result<&'static Entry> {
    TABLE
        .iter()
        .find(|entry| entry.number == number)
        .ok_or(ENOPROTOOPT)
}

/// Reads one `int`.
fn int(copy: impl FnOnce(&mut [u8]) -> Result) -> Result<i32> {
    let mut bytes = [0; INT];
    copy(&mut bytes)?;
    Ok(i32::from_ne_bytes(bytes))
}

impl Setting {
    /// Checks one `setsockopt()` with an argument of `length` bytes. `copy` fills a slice with the
    /// first of them; it is not called if their number is wrong already.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an unknown level or option, `EINVAL` for a wrong length, what `copy`
    /// returns (`EFAULT`), `EINVAL` for a wrong value, in this order.
    pub(crate) fn parse(
        level: i32,
        number: i32,
        length: usize,
        copy: impl FnOnce(&mut [u8]) -> Result,
    ) -> Result<Self> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        match find(number)?.takes {
            Takes::Nothing => Err(ENOPROTOOPT),
            Takes::Bool(setting) => {
                if length < INT {
                    return Err(EINVAL);
                }
                Ok(setting(int(copy)? != 0))
            }
            Takes::StrictBool(setting) => {
                if length != INT {
                    return Err(EINVAL);
                }
                match int(copy)? {
                    0 => Ok(setting(false)),
                    1 => Ok(setting(true)),
                    _ => Err(EINVAL),
                }
            }
            Takes::Membership(setting) => Ok(setting(Request::parse(length, copy)?)),
        }
    }
}

impl Query {
    /// Checks one `getsockopt()`. `room` is the number of bytes that there is room for, or what is
    /// wrong with it.
    ///
    /// Room for less than the value has is not an error: the value is cut off.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an unknown level, what is wrong with `room` (`EINVAL` if it is negative),
    /// `ENOPROTOOPT` for an unknown option, in this order.
    pub(crate) fn parse(level: i32, number: i32, room: Result<usize>) -> Result<Self> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        room?;
        find(number)?.gives.ok_or(ENOPROTOOPT)
    }
}

/// What [`Query::Statistics`] reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// How many frames were queued for the program.
    pub(crate) queued: u32,
    /// How many frames passed the filter and were lost.
    pub(crate) dropped: u32,
}

impl Statistics {
    /// `sizeof(struct tpacket_stats)`.
    pub(crate) const SIZE: usize = 8;

    /// Counts a frame that was queued.
    pub(crate) fn count_queued(&mut self) {
        self.queued = self.queued.wrapping_add(1);
    }

    /// Counts a frame that was lost.
    pub(crate) fn count_dropped(&mut self) {
        self.dropped = self.dropped.wrapping_add(1);
    }

    /// Writes a `struct tpacket_stats`. Its `tp_packets` includes those that were dropped; the
    /// counters have 32 bits and wrap.
    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        let fields = [
            self.queued.wrapping_add(self.dropped).to_ne_bytes(),
            self.dropped.to_ne_bytes(),
        ];
        let mut bytes = [0; Self::SIZE];

        for (to, from) in bytes.iter_mut().zip(fields.iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}
