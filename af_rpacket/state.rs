// SPDX-License-Identifier: GPL-2.0

//! The state machine of a socket's receive hook.
//!
//! A socket wants frames of one protocol from one device or from all of them. Whether its hook is
//! in the kernel's lists at a given moment is decided by the calls of the program (bind, close)
//! and by what happens to the device (up, down, unregister), and the two meet in any order.
//! [`Binding`] holds the one answer. It performs nothing itself: each event returns a [`Todo`],
//! which the caller carries out before it gives up the lock that protects the `Binding`.
//!
//! | in | event | to |
//! |---|---|---|
//! | Detached, Hooked | begin | Busy |
//! | Busy | finish, with a protocol and a device that is up (or none asked for) | Hooked |
//! | Busy | finish, otherwise | Detached |
//! | Detached, settled | the device came up, and there is a protocol | Hooked |
//! | Detached, not settled | the same | Busy |
//! | Hooked | the device went down or was unregistered | Detached |
//! | Detached, Hooked | join | the same |
//! | Hooked, of a member | postponed | Busy |
//! | any | release | Dead, and nothing leads out of it |
//!
//! A bind has to wait for a grace period between taking the hook out of one list and putting it
//! into another, so it cannot hold the lock all the way. It owns [`State::Busy`] meanwhile. A
//! notifier can neither wait for it nor fail: it takes the reference of a device that goes away at
//! once, and everything else is read from the device when the bind finishes. That is enough: a
//! device changes its up flag and leaves the list of devices before it tells its notifiers, so what
//! `finish` reads is what the last notifier said, or what the next one is about to say.
//!
//! # Members of a group
//!
//! A socket can be a member of a fanout group: frames come to it by the hook of the group, in which
//! it has a place. The states are the same. [`State::Hooked`] then means that it has a place, and
//! [`Move::Enter`] and [`Move::Leave`] stand for [`Move::Attach`] and [`Move::Detach`]. Three things
//! are different:
//!
//! - It cannot be bound to something else: the hook of the group would still be for the old frames.
//! - It can be given a place again at once: who stands on a place is not led astray by that, as who
//!   stands on a hook would be. So it does not matter here whether [`State::Detached`] is settled; but
//!   a receiver may have found the socket in its place, which the end of the socket has to wait for.
//! - The hook of the group may need a grace period, if another member had the last place and gave it
//!   up a moment ago. Then the place is refused, and the state becomes [`State::Busy`] in the same
//!   hold of the lock: [`Binding::postponed`].
//!
//! Whoever joins does so under the lock of the socket, as a bind does. So [`State::Busy`] is then with
//! a notifier, which ends without anybody's help.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use kernel::prelude::*;

/// The `ifindex` of a socket that receives from every device.
pub(crate) const ANY_DEVICE: i32 = 0;

/// The `ifindex` of a socket whose device was unregistered. It matches no device.
pub(crate) const NO_DEVICE: i32 = -1;

/// A counted reference to a network device, as far as the state machine looks at it.
pub(crate) trait Device {
    /// The index of the device in its network namespace, greater than zero.
    fn ifindex(&self) -> i32;
}

/// Where the hook is, and who may move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The hook is in no list.
    Detached {
        /// A grace period has passed since the hook was in a list. Until then a receiver may
        /// still stand on it, and it must not be put into another list.
        settled: bool,
    },
    /// The hook is in a list, and frames arrive.
    Hooked,
    /// An operation that has to wait owns the hook, which is in no list.
    Busy,
    /// The socket is closed. The hook is in no list and never will be again.
    Dead,
}

/// What frames a socket is bound to: those that a group has a hook for can join it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The protocol, in network byte order; zero if none was given.
    pub(crate) protocol: u16,
    /// The index of the device; [`ANY_DEVICE`] also if the device was unregistered.
    pub(crate) ifindex: i32,
}

/// What is to be done with the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Leave it where it is.
    Stay,
    /// Put it into the list for the protocol and the device of the binding.
    Attach,
    /// Take it out of its list, without waiting for those who read the list.
    Detach,
    /// Give the socket a place in its group. If that is refused, call [`Binding::postponed`].
    Enter,
    /// Take its place in the group away, without waiting for those who found it there.
    Leave,
    /// First as [`Self::Detach`], then as [`Self::Enter`].
    Transfer,
}

/// What the caller owes after an event, in the order of the fields.
#[must_use]
#[derive(Debug)]
pub(crate) struct Todo<D, G> {
    /// Do this with the hook before the lock is given up.
    pub(crate) hook: Move,
    /// Make `ENETDOWN` the pending error of the socket and wake its waiters.
    pub(crate) report: bool,
    /// Wait for a grace period, after the lock was given up.
    pub(crate) synchronize: bool,
    /// The device reference that the binding no longer needs.
    pub(crate) released: Option<D>,
    /// The group that the socket is no longer a member of, in which it has no place after `hook`.
    #[cfg_attr(not(test), expect(dead_code, reason = "no socket joins a group yet"))]
    pub(crate) parted: Option<G>,
}

impl<D, G> Todo<D, G> {
    const fn nothing() -> Self {
        Self {
            hook: Move::Stay,
            report: false,
            synchronize: false,
            released: None,
            parted: None,
        }
    }
}

/// What a socket is bound to, and whether its hook is in place.
///
/// # Invariants
///
/// - `device` is `Some` exactly if `ifindex` is greater than zero, and then has that index.
/// - In [`State::Hooked`] `protocol` is not zero and `ifindex` is not [`NO_DEVICE`].
/// - In [`State::Dead`] `protocol` is zero, and `device` and `group` are `None`.
/// - If `group` is `Some`, `protocol` is not zero.
#[derive(Debug)]
pub(crate) struct Binding<D, G> {
    state: State,
    protocol: u16,
    ifindex: i32,
    device: Option<D>,
    group: Option<G>,
}

impl<D: Device, G> Binding<D, G> {
    /// Makes the binding of a new socket: no protocol, any device, not hooked.
    pub(crate) const fn new() -> Self {
        // INVARIANT: There is neither device nor group, and the state is neither `Hooked` nor `Dead`.
        Self {
            state: State::Detached { settled: true },
            protocol: 0,
            ifindex: ANY_DEVICE,
            device: None,
            group: None,
        }
    }

    /// The protocol as the program gave it, in network byte order; zero if none was given.
    pub(crate) fn protocol(&self) -> u16 {
        self.protocol
    }

    /// The index of the bound device, [`ANY_DEVICE`] or [`NO_DEVICE`].
    pub(crate) fn ifindex(&self) -> i32 {
        self.ifindex
    }

    /// The bound device.
    pub(crate) fn device(&self) -> Option<&D> {
        self.device.as_ref()
    }

    /// The group that the socket is a member of.
    pub(crate) fn group(&self) -> Option<&G> {
        self.group.as_ref()
    }

    /// Whether frames arrive.
    pub(crate) fn is_hooked(&self) -> bool {
        self.state == State::Hooked
    }

    /// Begins to bind the socket to `device` (`None`: all devices) and `protocol` (zero: the one
    /// that it has).
    ///
    /// Returns `None` if that is what the socket is bound to already. Else the caller owns
    /// [`State::Busy`] and must call [`Self::finish`] after it carried out the [`Todo`].
    ///
    /// # Errors
    ///
    /// `EINVAL` for a member of a group, `EBUSY` while another operation owns the hook, `EBADFD` after
    /// [`Self::release`].
    pub(crate) fn begin(&mut self, device: Option<D>, protocol: u16) -> Result<Option<Todo<D, G>>> {
        if self.group.is_some() {
            return Err(EINVAL);
        }
        let (hook, synchronize) = match self.state {
            State::Detached { settled } => (Move::Stay, !settled),
            State::Hooked => (Move::Detach, true),
            State::Busy => return Err(EBUSY),
            State::Dead => return Err(EBADFD),
        };
        let protocol = match protocol {
            0 => self.protocol,
            given => given,
        };
        let ifindex = device.as_ref().map_or(ANY_DEVICE, D::ifindex);

        if ifindex == self.ifindex && protocol == self.protocol {
            return Ok(None);
        }

        // INVARIANT: Index and device are replaced together, and the state is `Busy`.
        self.state = State::Busy;
        self.protocol = protocol;
        self.ifindex = ifindex;
        Ok(Some(Todo {
            hook,
            synchronize,
            released: core::mem::replace(&mut self.device, device),
            ..Todo::nothing()
        }))
    }

    /// Makes the socket a member of the group that `admit` returns for what it is bound to. If frames
    /// arrive, they do so by the hook of the group from now on.
    ///
    /// # Errors
    ///
    /// `EALREADY` for a member, `EBUSY` while another operation owns the hook, `EBADFD` after
    /// [`Self::release`], `EINVAL` without a protocol, else what `admit` returns.
    #[cfg_attr(not(test), expect(dead_code, reason = "no socket joins a group yet"))]
    pub(crate) fn join(&mut self, admit: impl FnOnce(Target) -> Result<G>) -> Result<Todo<D, G>> {
        if self.group.is_some() {
            return Err(EALREADY);
        }
        let hook = match self.state {
            State::Detached { .. } => Move::Stay,
            State::Hooked => Move::Transfer,
            State::Busy => return Err(EBUSY),
            State::Dead => return Err(EBADFD),
        };
        if self.protocol == 0 {
            return Err(EINVAL);
        }

        // INVARIANT: There is a protocol, and the state is not `Dead`.
        self.group = Some(admit(Target {
            protocol: self.protocol,
            ifindex: self.ifindex.max(ANY_DEVICE),
        })?);
        Ok(Todo {
            hook,
            ..Todo::nothing()
        })
    }

    /// The group refused the place that the last [`Todo`] asked for: its hook needs a grace period.
    ///
    /// If the [`Todo`] asks for one, the caller owns [`State::Busy`] and must call [`Self::finish`]
    /// after it, which may be refused again.
    #[cfg_attr(not(test), expect(dead_code, reason = "no socket joins a group yet"))]
    pub(crate) fn postponed(&mut self) -> Todo<D, G> {
        if self.group.is_none() || self.state != State::Hooked {
            return Todo::nothing();
        }
        self.state = State::Busy;
        Todo {
            synchronize: true,
            ..Todo::nothing()
        }
    }

    /// The grace period that [`State::Detached`] may have to wait for is over.
    ///
    /// That of the socket's own hook says nothing about a place in a group.
    pub(crate) fn settled(&mut self) {
        if self.group.is_some() {
            return;
        }
        if let State::Detached { settled } = &mut self.state {
            *settled = true;
        }
    }

    /// Ends what [`Self::begin`], [`Self::device_up`] or [`Self::postponed`] began: hooks the socket if
    /// it has a protocol and its device is there and up, which `device_is_up` tells. It does not matter
    /// for a socket that receives from all devices.
    ///
    /// If only the device is missing, the error is reported, and a device that is merely down
    /// hooks the socket when it comes up.
    pub(crate) fn finish(&mut self, device_is_up: bool) -> Todo<D, G> {
        if self.state != State::Busy {
            return Todo::nothing();
        }

        // The owner of `Busy` waited for the grace period that it was asked for. It had taken the hook
        // out of its list before; a member had no place since.
        self.state = State::Detached { settled: true };
        if self.protocol == 0 {
            return Todo::nothing();
        }
        let usable = match self.ifindex {
            ANY_DEVICE => true,
            NO_DEVICE => false,
            _ => device_is_up,
        };
        if !usable {
            return Todo {
                report: true,
                ..Todo::nothing()
            };
        }
        self.attach()
    }

    /// The device with this index went down.
    pub(crate) fn device_down(&mut self, ifindex: i32) -> Todo<D, G> {
        if !self.is_bound_to(ifindex) || self.state != State::Hooked {
            return Todo::nothing();
        }
        self.state = State::Detached { settled: false };
        Todo {
            hook: self.out(),
            report: true,
            ..Todo::nothing()
        }
    }

    /// The device with this index came up.
    ///
    /// If the [`Todo`] asks for a grace period, the caller owns [`State::Busy`] and must call
    /// [`Self::finish`] after it. Who can tell that the grace period is over calls
    /// [`Self::settled`] before this.
    pub(crate) fn device_up(&mut self, ifindex: i32) -> Todo<D, G> {
        if !self.is_bound_to(ifindex) || self.protocol == 0 {
            return Todo::nothing();
        }
        match self.state {
            State::Detached { settled } if settled || self.group.is_some() => self.attach(),
            State::Detached { .. } => {
                self.state = State::Busy;
                Todo {
                    synchronize: true,
                    ..Todo::nothing()
                }
            }
            State::Hooked | State::Busy | State::Dead => Todo::nothing(),
        }
    }

    /// The device with this index leaves the network namespace.
    ///
    /// The binding ends for good: only another bind can hook the socket again.
    pub(crate) fn device_unregistered(&mut self, ifindex: i32) -> Todo<D, G> {
        if !self.is_bound_to(ifindex) {
            return Todo::nothing();
        }
        let todo = self.device_down(ifindex);

        // INVARIANT: The device goes with its index, and the state is not `Hooked`.
        self.ifindex = NO_DEVICE;
        Todo {
            released: self.device.take(),
            ..todo
        }
    }

    /// The socket is closed.
    pub(crate) fn release(&mut self) -> Todo<D, G> {
        let (hook, synchronize) = match self.state {
            State::Detached { settled } => (Move::Stay, !settled),
            State::Hooked => (self.out(), true),
            // Who owns `Busy` took the hook out of its list; its `finish` will find `Dead`.
            State::Busy => (Move::Stay, true),
            State::Dead => (Move::Stay, false),
        };

        // INVARIANT: Protocol, device and group go away, and the index becomes one without a device.
        self.state = State::Dead;
        self.protocol = 0;
        self.ifindex = NO_DEVICE;
        Todo {
            hook,
            report: false,
            synchronize,
            released: self.device.take(),
            parted: self.group.take(),
        }
    }

    /// Enters [`State::Hooked`].
    fn attach(&mut self) -> Todo<D, G> {
        // INVARIANT: Both callers checked the protocol and the index.
        self.state = State::Hooked;
        Todo {
            hook: if self.group.is_some() {
                Move::Enter
            } else {
                Move::Attach
            },
            ..Todo::nothing()
        }
    }

    /// How [`State::Hooked`] is left.
    fn out(&self) -> Move {
        if self.group.is_some() {
            Move::Leave
        } else {
            Move::Detach
        }
    }

    fn is_bound_to(&self, ifindex: i32) -> bool {
        ifindex > ANY_DEVICE && ifindex == self.ifindex
    }
}
