// SPDX-License-Identifier: GPL-2.0

//! `PACKET_FANOUT` and `PACKET_FANOUT_DATA`: what a program asks for, and whether it can have that.
//!
//! To join a group is decided in four steps. The errors are found in this order:
//!
//! | step | error | because |
//! |---|---|---|
//! | [`Request::parse`] | `EINVAL` | the argument is neither 4 nor 8 bytes long |
//! | | `EFAULT` | it cannot be read |
//! | | `EINVAL` | there is no such mode, or it is `ROLLOVER` with the flag of that name |
//! | [`Request::group_id`] | `EALREADY` | the socket is a member already |
//! | | `EINVAL` | a free number is asked for, and one is given |
//! | | `ENOMEM` | no number is free |
//! | [`Request::description`] | `EINVAL` | the group that exists has other flags, or another limit |
//! | | `EINVAL` | a new one would have too high a limit |
//! | [`Description::admit`] | `EINVAL` | the socket is bound to something else, or to nothing |
//! | | `EINVAL` | the group that exists has another mode |
//!
//! The step after these is [`members`](super::members): `ENOSPC`. All but the first are taken while
//! the groups of the namespace are locked: [`table`](super::table).
//!
//! Flags that mean nothing are not refused; all members must have them.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    super::state::Target,
    choice::Mode, //
};
use kernel::prelude::*;

/// The greatest limit for the number of members.
const MAX_MEMBERS: u32 = 1 << 16;

/// The limit if none is given.
const DEFAULT_MEMBERS: u32 = 256;

/// `sizeof(int)`: number of the group, and type.
const INT: usize = 4;

/// `sizeof(struct fanout_args)`: these, and a limit for the number of members.
const ARGUMENTS: usize = 8;

/// The flags of a group: the high byte of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    const ROLLOVER: u8 = 0x10;
    const UNIQUE_ID: u8 = 0x20;
    const IGNORE_OUTGOING: u8 = 0x40;
    const DEFRAGMENT: u8 = 0x80;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// A member that is full gives frames away.
    pub(crate) fn rollover(self) -> bool {
        self.has(Self::ROLLOVER)
    }

    /// The frames that the machine sends are left out.
    pub(crate) fn ignore_outgoing(self) -> bool {
        self.has(Self::IGNORE_OUTGOING)
    }

    /// Fragments are put together before a member is chosen, so that all of a packet goes to one.
    pub(crate) fn defragment(self) -> bool {
        self.has(Self::DEFRAGMENT)
    }
}

/// What a group is, from its first member on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// Its number.
    pub(crate) id: u16,
    /// How it chooses.
    pub(crate) mode: Mode,
    /// What else it does.
    pub(crate) flags: Flags,
    /// How many members it may have.
    pub(crate) max_members: u32,
}

/// The decoded argument of `PACKET_FANOUT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    id: u16,
    mode: Mode,
    flags: Flags,
    unique_id: bool,
    max_members: u32,
}

impl Request {
    /// Decodes an argument of `length` bytes. `copy` fills a slice with the first of them; it is not
    /// called if their number is wrong already.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a wrong length, what `copy` returns (`EFAULT`), `EINVAL` for a mode that does not
    /// exist, in this order.
    pub(crate) fn parse(length: usize, copy: impl FnOnce(&mut [u8]) -> Result) -> Result<Self> {
        let mut bytes = [0; ARGUMENTS];

        if length != INT && length != ARGUMENTS {
            return Err(EINVAL);
        }
        copy(bytes.get_mut(..length).ok_or(EINVAL)?)?;

        let [a, b, c, d, limit @ ..] = bytes;
        // As one number the first field has the same layout for either byte order.
        let [.., flags, mode, id_high, id_low] = u32::from_ne_bytes([a, b, c, d]).to_be_bytes();
        let mode = Mode::from_number(mode).ok_or(EINVAL)?;
        let flags = Flags(flags);

        if mode == Mode::Rollover && flags.rollover() {
            return Err(EINVAL);
        }
        Ok(Self {
            id: u16::from_be_bytes([id_high, id_low]),
            mode,
            // This one is about the request, not about the group.
            flags: Flags(flags.0 & !Flags::UNIQUE_ID),
            unique_id: flags.has(Flags::UNIQUE_ID),
            max_members: u32::from_ne_bytes(limit),
        })
    }

    /// Whether the socket needs a [`Rollover`](super::rollover::Rollover).
    pub(crate) fn rolls_over(&self) -> bool {
        self.mode == Mode::Rollover || self.flags.rollover()
    }

    /// The number of the group, where `is_member` says whether the socket is in a group, and `free`
    /// finds a number without one, if it is called.
    ///
    /// # Errors
    ///
    /// `EALREADY` for a member, `EINVAL` if the program gave a number and wants a free one, `ENOMEM`
    /// if none is free, in this order.
    pub(crate) fn group_id(
        &self,
        is_member: bool,
        free: impl FnOnce() -> Option<u16>,
    ) -> Result<u16> {
        if is_member {
            return Err(EALREADY);
        }
        if !self.unique_id {
            return Ok(self.id);
        }
        if self.id != 0 {
            return Err(EINVAL);
        }
        free().ok_or(ENOMEM)
    }

    /// The group with the number `id`: the one that `existing` describes, or a new one.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not as the program wants it, or could not be.
    pub(crate) fn description(
        &self,
        id: u16,
        existing: Option<&Description>,
    ) -> Result<Description> {
        if let Some(group) = existing {
            let same_limit = self.max_members == 0 || self.max_members == group.max_members;
            return if self.flags == group.flags && same_limit {
                Ok(*group)
            } else {
                Err(EINVAL)
            };
        }
        let max_members = match self.max_members {
            0 => DEFAULT_MEMBERS,
            given @ 1..=MAX_MEMBERS => given,
            _ => return Err(EINVAL),
        };
        Ok(Description {
            id,
            mode: self.mode,
            flags: self.flags,
            max_members,
        })
    }
}

impl Description {
    /// Whether a socket with this request, bound to `socket`, can join a group of this description whose
    /// first member was bound to `group`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if not.
    pub(crate) fn admit(&self, request: &Request, group: Target, socket: Target) -> Result {
        if socket.protocol != 0 && self.mode == request.mode && group == socket {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    /// What `PACKET_FANOUT` reads back: number, mode and flags in one `int`. Without a group it is 0.
    pub(crate) fn encode(&self) -> i32 {
        let [id_high, id_low] = self.id.to_be_bytes();

        i32::from_be_bytes([self.flags.0, self.mode.number(), id_high, id_low])
    }
}

/// What the argument of `PACKET_FANOUT_DATA` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A `struct sock_fprog`, whose length the kernel checks for the kind of the program.
    Classic,
    /// The file descriptor of a loaded program, an `int`.
    Extended,
}

impl Program {
    /// What `PACKET_FANOUT_DATA` takes in a group of this mode (`None`: without a group), with an
    /// argument of `length` bytes, where `filter_is_locked` says whether `SO_LOCK_FILTER` is set.
    ///
    /// # Errors
    ///
    /// `EINVAL` without a group or with one that runs no program, `EPERM` if it is locked, `EINVAL`
    /// for a wrong length, in this order.
    pub(crate) fn taken_by(
        mode: Option<Mode>,
        filter_is_locked: bool,
        length: usize,
    ) -> Result<Self> {
        let program = match mode {
            Some(Mode::ClassicProgram) => Self::Classic,
            Some(Mode::ExtendedProgram) => Self::Extended,
            _ => return Err(EINVAL),
        };

        if filter_is_locked {
            return Err(EPERM);
        }
        if program == Self::Extended && length != INT {
            return Err(EINVAL);
        }
        Ok(program)
    }
}

/// Looks for a number without a group, from `*next` on, once around; `*next` is behind it then.
pub(crate) fn free_id(next: &mut u16, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    let begin = *next;
    let mut ids = (0..=u16::MAX).map(|distance| begin.wrapping_add(distance));
    let id = ids.find(|&id| is_free(id))?;

    *next = id.wrapping_add(1);
    Some(id)
}
