// SPDX-License-Identifier: GPL-2.0

//! All options of level `SOL_PACKET`: the table that takes the place of that in `option.rs`.
//!
//! The module does not have it yet: an option is accepted only when it has its effect, and rings and
//! groups are still being built. Numbers and checks, their order and their errors are those of
//! AF_PACKET, of which these are surprising:
//!
//! - a ring's argument that cannot be read is `EINVAL`, not `EFAULT`;
//! - the rest of an argument is an error for some options and is passed over for others;
//! - `PACKET_TX_HAS_OFF` has no effect while there is a ring, and says nothing;
//! - `PACKET_HDRLEN` is asked with a version in the buffer for the answer.
//!
//! An option that is not in [`TABLE`] does not exist: `ENOPROTOOPT`. `PACKET_RECV_OUTPUT` (3) and
//! `PACKET_TX_TIMESTAMP` (16) have a number and are not options.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    membership,
    option::{
        Statistics,
        SOL_PACKET, //
    },
    ring::{
        geometry,
        layout::VnetHeader,
        version::Version, //
    }, //
};
use kernel::prelude::*;

/// `sizeof(int)`.
const INT: usize = 4;

/// What an option is checked against: the state of the socket. Whoever asks holds the lock under
/// which it changes until the setting has its effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    /// Whether it is a `SOCK_RAW` socket.
    pub(crate) raw: bool,
    /// `PACKET_VERSION`.
    pub(crate) version: Version,
    /// Whether it has a ring, of any direction.
    pub(crate) has_ring: bool,
    /// Whether it is the member of a group.
    pub(crate) in_group: bool,
    /// Whether there are statistics of packets that went to another member.
    pub(crate) rolls_over: bool,
}

/// A checked `setsockopt()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Have a device receive more than what is meant for it.
    AddMembership(membership::Request),
    /// Take that back.
    DropMembership(membership::Request),
    /// Make or take away the ring for received frames.
    RxRing(geometry::Request),
    /// The same for frames to be sent.
    TxRing(geometry::Request),
    /// Queue frames that a slot is too short for: any value but zero.
    CopyThreshold(i32),
    /// Send a control message with each frame.
    Auxdata(bool),
    /// Report the device on which a frame arrived first.
    OrigDev(bool),
    /// The layout of rings to come.
    Version(Version),
    /// Bytes before each frame in a ring that are the program's own; up to [`i32::MAX`].
    Reserve(u32),
    /// Pass over frames in a ring that cannot be sent.
    Loss(bool),
    /// The header before each frame that tells about offloads.
    VnetHeader(VnetHeader),
    /// Which times frames in a ring get: `SOF_TIMESTAMPING_*`, others without effect.
    Timestamp(i32),
    /// Become the member of a group. The argument is still to be read.
    Fanout,
    /// Give the group a program. The argument is still to be read.
    FanoutData,
    /// Frames in a transmit ring say where in their slot they begin.
    TxHasOffset(bool),
    /// Send without a queueing discipline.
    QdiscBypass(bool),
    /// Leave out the frames that the machine sends.
    IgnoreOutgoing(bool),
    /// Nothing is to be done.
    Ignored,
}

/// A checked `getsockopt()`. The answer is an `int` where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// How many frames arrived and were dropped since the last query: [`Reply::statistics`].
    Statistics,
    /// See [`Setting::CopyThreshold`].
    CopyThreshold,
    /// See [`Setting::Auxdata`].
    Auxdata,
    /// See [`Setting::OrigDev`].
    OrigDev,
    /// See [`Setting::Version`].
    Version,
    /// The length of a frame's header in this version, [`Version::header`].
    HeaderLength(Version),
    /// See [`Setting::Reserve`].
    Reserve,
    /// See [`Setting::Loss`].
    Loss,
    /// Whether there is a header that tells about offloads.
    HasVnetHeader,
    /// Its length.
    VnetHeaderSize,
    /// See [`Setting::Timestamp`].
    Timestamp,
    /// The group: its number, kind and flags, or zero.
    Fanout,
    /// See [`Setting::TxHasOffset`].
    TxHasOffset,
    /// See [`Setting::QdiscBypass`].
    QdiscBypass,
    /// How many packets went to another member: [`Reply::rollover`].
    RolloverStatistics,
    /// See [`Setting::IgnoreOutgoing`].
    IgnoreOutgoing,
}

/// What `setsockopt()` takes, and what that means.
enum Takes {
    /// The option can only be read.
    Nothing,
    /// Exactly one `int`.
    Int(fn(i32) -> Result<Setting>),
    /// The same, of which only zero is false.
    Flag(fn(bool) -> Setting),
    /// The same; what follows the `int` is not looked at.
    LooseFlag(fn(bool) -> Setting),
    /// An `int` and what follows it, for `SOCK_RAW` only; else `EINVAL` before anything else.
    RawInt(fn(i32) -> Result<Setting>),
    /// A `struct packet_mreq`, or a longer one with a longer address.
    Membership(fn(membership::Request) -> Setting),
    /// A `struct tpacket_req`, with V3 a `struct tpacket_req3`.
    Ring(fn(geometry::Request) -> Setting),
    /// What `fanout` knows to read.
    Group(Setting),
    /// The same, for members of a group only; else `EINVAL`.
    Member(Setting),
}

/// What becomes of an option whose value is right, if the socket has a ring.
enum WithRing {
    /// Rings do not matter to it, or it looks at them itself.
    Same,
    /// `EBUSY`.
    Busy,
    /// Nothing, without an error.
    Ignored,
}

/// What `getsockopt()` gives.
enum Gives {
    /// The option can only be written.
    Nothing,
    /// This.
    Value(Query),
    /// The length for a version that the program passes, an `int`.
    HeaderLength,
    /// The statistics of a group that has them; else `EINVAL`.
    Rollover,
}

struct Entry {
    number: i32,
    takes: Takes,
    with_ring: WithRing,
    gives: Gives,
}

impl Entry {
    const fn new(number: i32, takes: Takes, with_ring: WithRing, gives: Gives) -> Self {
        Self {
            number,
            takes,
            with_ring,
            gives,
        }
    }
}

use Gives::Value;
use Takes::{
    Flag,
    Group,
    Int,
    LooseFlag,
    Member,
    Membership,
    RawInt,
    Ring, //
};
use WithRing::{
    Busy,
    Same, //
};

/// The options, by number.
#[rustfmt::skip]
static TABLE: [Entry; 21] = [
    Entry::new(1, Membership(Setting::AddMembership), Same, Gives::Nothing),
    Entry::new(2, Membership(Setting::DropMembership), Same, Gives::Nothing),
    Entry::new(5, Ring(Setting::RxRing), Same, Gives::Nothing),
    Entry::new(6, Takes::Nothing, Same, Value(Query::Statistics)),
    Entry::new(7, Int(|value| Ok(Setting::CopyThreshold(value))), Same, Value(Query::CopyThreshold)),
    Entry::new(8, LooseFlag(Setting::Auxdata), Same, Value(Query::Auxdata)),
    Entry::new(9, LooseFlag(Setting::OrigDev), Same, Value(Query::OrigDev)),
    Entry::new(10, Int(version), Busy, Value(Query::Version)),
    Entry::new(11, Takes::Nothing, Same, Gives::HeaderLength),
    Entry::new(12, Int(reserve), Busy, Value(Query::Reserve)),
    Entry::new(13, Ring(Setting::TxRing), Same, Gives::Nothing),
    Entry::new(14, Flag(Setting::Loss), Busy, Value(Query::Loss)),
    Entry::new(15, RawInt(vnet_header), Busy, Value(Query::HasVnetHeader)),
    Entry::new(17, Int(|value| Ok(Setting::Timestamp(value))), Same, Value(Query::Timestamp)),
    Entry::new(18, Group(Setting::Fanout), Same, Value(Query::Fanout)),
    Entry::new(19, Flag(Setting::TxHasOffset), WithRing::Ignored, Value(Query::TxHasOffset)),
    Entry::new(20, Flag(Setting::QdiscBypass), Same, Value(Query::QdiscBypass)),
    Entry::new(21, Takes::Nothing, Same, Gives::Rollover),
    Entry::new(22, Member(Setting::FanoutData), Same, Gives::Nothing),
    Entry::new(23, Int(ignore_outgoing), Same, Value(Query::IgnoreOutgoing)),
    Entry::new(24, RawInt(vnet_header_size), Busy, Value(Query::VnetHeaderSize)),
];

fn version(value: i32) -> Result<Setting> {
    Ok(Setting::Version(Version::parse(value)?))
}

/// An `unsigned int` up to [`i32::MAX`].
fn reserve(value: i32) -> Result<Setting> {
    Ok(Setting::Reserve(u32::try_from(value)?))
}

fn vnet_header(value: i32) -> Result<Setting> {
    Ok(Setting::VnetHeader(match value {
        0 => VnetHeader::None,
        _ => VnetHeader::Plain,
    }))
}

fn vnet_header_size(value: i32) -> Result<Setting> {
    Ok(Setting::VnetHeader(VnetHeader::parse(value)?))
}

fn ignore_outgoing(value: i32) -> Result<Setting> {
    match value {
        0 => Ok(Setting::IgnoreOutgoing(false)),
        1 => Ok(Setting::IgnoreOutgoing(true)),
        _ => Err(EINVAL),
    }
}

fn find(number: i32) -> Result<&'static Entry> {
    TABLE
        .iter()
        .find(|entry| entry.number == number)
        .ok_or(ENOPROTOOPT)
}

/// Reads one `int` of an argument for which there are `length` bytes.
fn int(length: usize, copy: impl FnOnce(&mut [u8]) -> Result) -> Result<i32> {
    if length < INT {
        return Err(EINVAL);
    }
    let mut bytes = [0; INT];
    copy(&mut bytes)?;
    Ok(i32::from_ne_bytes(bytes))
}

impl Setting {
    /// Checks one `setsockopt()` with an argument of `length` bytes. `copy` fills a slice with the
    /// first of them; it is not called if their number is wrong already, nor for
    /// [`Setting::Fanout`] and [`Setting::FanoutData`].
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an unknown level or option, `EINVAL` for a socket that cannot have the
    /// option, `EINVAL` for a wrong length, what `copy` returns (`EFAULT`; `EINVAL` for a ring),
    /// `EINVAL` for a wrong value, `EBUSY` for a socket that has a ring, in this order.
    pub(crate) fn parse(
        socket: &Socket,
        level: i32,
        number: i32,
        length: usize,
        copy: impl FnOnce(&mut [u8]) -> Result,
    ) -> Result<Self> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        let entry = find(number)?;
        let setting = match &entry.takes {
            Takes::Nothing => return Err(ENOPROTOOPT),
            Int(_) | Flag(_) if length != INT => return Err(EINVAL),
            RawInt(_) if !socket.raw => return Err(EINVAL),
            Member(_) if !socket.in_group => return Err(EINVAL),
            Int(setting) | RawInt(setting) => setting(int(length, copy)?)?,
            Flag(setting) | LooseFlag(setting) => setting(int(length, copy)? != 0),
            Membership(setting) => setting(membership::Request::parse(length, copy)?),
            Ring(setting) => setting(geometry::Request::parse(socket.version, length, copy)?),
            Group(setting) | Member(setting) => setting.clone(),
        };
        match entry.with_ring {
            Busy if socket.has_ring => Err(EBUSY),
            WithRing::Ignored if socket.has_ring => Ok(Self::Ignored),
            _ => Ok(setting),
        }
    }
}

impl Query {
    /// Checks one `getsockopt()`. `room` is the number of bytes that there is room for, or what is
    /// wrong with it; `copy` fills a slice with what is there now, if the option asks for it.
    ///
    /// Room for less than the value has is not an error, but for `PACKET_HDRLEN`: the value is cut
    /// off.
    ///
    /// # Errors
    ///
    /// `ENOPROTOOPT` for an unknown level, what is wrong with `room` (`EINVAL` if it is negative),
    /// `ENOPROTOOPT` for an unknown option, in this order. Then, for `PACKET_HDRLEN`, `EINVAL` for
    /// less room than an `int` has, what `copy` returns (`EFAULT`), `EINVAL` for an unknown version;
    /// for `PACKET_ROLLOVER_STATS`, `EINVAL` for a socket that has none.
    pub(crate) fn parse(
        socket: &Socket,
        level: i32,
        number: i32,
        room: Result<usize>,
        copy: impl FnOnce(&mut [u8]) -> Result,
    ) -> Result<Self> {
        if level != SOL_PACKET {
            return Err(ENOPROTOOPT);
        }
        let room = room?;
        match find(number)?.gives {
            Gives::Nothing => Err(ENOPROTOOPT),
            Value(query) => Ok(query),
            Gives::HeaderLength => Ok(Self::HeaderLength(Version::parse(int(room, copy)?)?)),
            Gives::Rollover if socket.rolls_over => Ok(Self::RolloverStatistics),
            Gives::Rollover => Err(EINVAL),
        }
    }
}

/// An answer of `getsockopt()` that is not an `int`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    bytes: [u8; Self::MAX_SIZE],
    length: usize,
}

impl Reply {
    /// `sizeof(struct tpacket_rollover_stats)`, the longest.
    const MAX_SIZE: usize = 24;

    /// `struct tpacket_stats`, for V3 `struct tpacket_stats_v3` with the number of times that the
    /// ring was full.
    pub(crate) fn statistics(statistics: Statistics, freezes: u32, version: Version) -> Self {
        let length = match version {
            Version::V1 | Version::V2 => Statistics::SIZE,
            Version::V3 => Statistics::SIZE + INT,
        };
        Self::new(&[&statistics.encode(), &freezes.to_ne_bytes()], length)
    }

    /// `struct tpacket_rollover_stats`: how many packets went to another member, how many of them
    /// because their flow was too large, and how many found none.
    pub(crate) fn rollover(all: u64, huge: u64, failed: u64) -> Self {
        let [all, huge, failed] = [all, huge, failed].map(u64::to_ne_bytes);
        Self::new(&[&all, &huge, &failed], Self::MAX_SIZE)
    }

    /// The first `length` bytes of these fields.
    fn new(fields: &[&[u8]], length: usize) -> Self {
        let mut bytes = [0; Self::MAX_SIZE];
        for (to, from) in bytes.iter_mut().zip(fields.iter().copied().flatten()) {
            *to = *from;
        }
        Self { bytes, length }
    }

    /// What is written to the program, as far as it has room.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
