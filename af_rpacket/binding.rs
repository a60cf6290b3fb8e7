// SPDX-License-Identifier: GPL-2.0

//! Binding a socket to a device and a protocol, and keeping its hook where it belongs.
//!
//! [`state`](super::state) decides; this file owns the hook and carries the decisions out. The hook
//! is allocated once, with the socket, and changes hands by its type: it is idle, or in a list, or
//! taken out of one and not yet to be touched. What the lock of the socket's binding protects is in
//! [`Slot`]. Nothing sleeps under that lock: who has to wait for a grace period takes the hook out
//! of the slot, and the state is [`Busy`](super::state::State::Busy) until it is back.

use super::{
    socket::PacketSocket,
    state::{
        Binding,
        Device as _,
        Move,
        Todo,
        ANY_DEVICE, //
    },
};
use crate::{
    ext::lock::Guard,
    net::{
        context::{
            Process,
            Rtnl,
            TaskContext, //
        },
        device::Device,
        namespace::Listed,
        packet::Be16,
        packet_type::{
            Detached,
            Hooked,
            Idle,
            Match, //
        },
        rtnl,
        sock::Sock, //
    },
};
use core::convert::Infallible;
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
};

impl super::state::Device for ARef<Device> {
    fn ifindex(&self) -> i32 {
        (**self).ifindex()
    }
}

/// The group that a socket is a member of. There are none yet.
type Group = Infallible;

/// The hook of a socket, as the slot has it.
enum Hook {
    /// In no list.
    Idle(Idle),
    /// In a list.
    Hooked(Hooked<Sock<PacketSocket>>),
    /// Taken out of a list; who read that list may still stand on it.
    Detached(Detached<Sock<PacketSocket>>),
    /// With the owner of the state `Busy`, who waits.
    Away,
}

/// What a socket is bound to, and its hook.
///
/// # Invariants
///
/// The hook is `Hooked` exactly in the state of that name, and `Away` at most in the state `Busy`.
pub(super) struct Slot {
    binding: Binding<ARef<Device>, Group>,
    hook: Hook,
    ignore_outgoing: bool,
}

/// What is left to do when the lock of the slot was given up.
#[must_use]
struct Rest {
    /// Report `ENETDOWN`.
    report: bool,
    /// Wait for a grace period, and [`finish`] what was begun.
    synchronize: bool,
    /// Nobody stands on this hook after the grace period.
    detached: Option<Detached<Sock<PacketSocket>>>,
}

impl Slot {
    /// Makes the slot of a new socket. [`start`] hooks it, unless `protocol` is zero.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` without memory.
    pub(super) fn new(protocol: u16) -> Result<Self> {
        let mut binding = Binding::new();
        // Nothing is to be carried out yet: a new socket has neither hook nor device.
        let _ = binding.begin(None, protocol)?;

        // INVARIANT: The state is `Detached` or `Busy`.
        Ok(Self {
            binding,
            hook: Hook::Idle(Idle::new(GFP_KERNEL).map_err(|_| ENOBUFS)?),
            ignore_outgoing: false,
        })
    }

    /// Carries out what the state machine asks for, as far as the lock must be held for it.
    ///
    /// `device` is the device to hook the socket to.
    fn carry_out<C: TaskContext>(
        slot: &mut Guard<'_, Self, C>,
        todo: Todo<ARef<Device>, Group>,
        sock: &Sock<PacketSocket>,
        device: Option<Listed<'_>>,
    ) -> Rest {
        let hook = core::mem::replace(&mut slot.hook, Hook::Away);
        // INVARIANT: The state machine asks to attach when it enters `Hooked`, which it does only
        // from states with an idle hook, and to detach when it leaves `Hooked`.
        slot.hook = match (todo.hook, hook) {
            (Move::Attach, Hook::Idle(idle)) => Hook::Hooked(idle.hook(
                sock,
                Match {
                    protocol: Be16::from_raw(slot.binding.protocol()),
                    device,
                    ignore_outgoing: slot.ignore_outgoing,
                },
                slot,
            )),
            (Move::Detach, Hook::Hooked(hooked)) => Hook::Detached(hooked.unhook(slot)),
            (_, hook) => hook,
        };

        let detached = if todo.synchronize {
            match core::mem::replace(&mut slot.hook, Hook::Away) {
                Hook::Detached(detached) => Some(detached),
                hook => {
                    slot.hook = hook;
                    None
                }
            }
        } else {
            None
        };
        // The hook is on the device no more, or never was. To give the reference back does not sleep.
        drop(todo.released);
        Rest {
            report: todo.report,
            synchronize: todo.synchronize,
            detached,
        }
    }

    /// Notices that nobody stands on the hook any more, if that is so.
    fn settle(&mut self) {
        self.hook = match core::mem::replace(&mut self.hook, Hook::Away) {
            Hook::Detached(detached) => match detached.try_reclaim() {
                Ok(idle) => {
                    self.binding.settled();
                    Hook::Idle(idle)
                }
                Err(detached) => Hook::Detached(detached),
            },
            hook => hook,
        };
    }

    /// The bound device, if it is still in the list of its namespace.
    fn listed<'r>(&self, sock: &Sock<PacketSocket>, section: &'r rcu::Guard) -> Option<Listed<'r>> {
        let bound = self.binding.device()?;
        sock.namespace()
            .find_device(bound.ifindex(), section)
            .filter(|found| core::ptr::eq::<Device>(&**found, &**bound))
    }
}

/// Reports what happened to the device, if that is asked for.
fn report(sock: &Sock<PacketSocket>, report: bool) {
    if report {
        sock.report_error(ENETDOWN);
    }
}

/// Ends an operation that began with a [`Rest`]: hooks the socket if it is to be hooked.
fn finish<C: TaskContext>(sock: &Sock<PacketSocket>, idle: Option<Idle>, context: &mut C) {
    let rest = {
        let mut slot = sock.binding.lock(context);
        if let Some(idle) = idle {
            slot.hook = Hook::Idle(idle);
        }
        let section = rcu::read_lock();
        let device = slot.listed(sock, &section);
        let todo = slot
            .binding
            .finish(device.as_ref().is_some_and(|device| device.is_up()));
        Slot::carry_out(&mut slot, todo, sock, device)
    };
    report(sock, rest.report);
}

/// Hooks a new socket, if it was made with a protocol.
pub(super) fn start(sock: &Sock<PacketSocket>, context: &mut Process<'_>) {
    finish(sock, None, context);
}

/// `bind()`: binds the socket to the device with this index (zero: to all) and to `protocol`, in
/// network byte order (zero: to the one that it has).
///
/// # Errors
///
/// `ENODEV` if there is no such device. That a device is down is not an error of this call.
pub(super) fn bind(
    sock: &Sock<PacketSocket>,
    ifindex: c_int,
    protocol: u16,
    context: &mut Process<'_>,
) -> Result {
    loop {
        let lock = sock.lock(context);
        match rebind(sock, ifindex, protocol, context) {
            // Other binds are kept out by the lock of the socket, so the hook is with the notifier
            // of a device that comes up. It holds RTNL as long as it waits.
            Err(error) if error == EBUSY => {
                drop(lock);
                drop(rtnl::lock(context));
            }
            result => return result,
        }
    }
}

fn rebind(
    sock: &Sock<PacketSocket>,
    ifindex: c_int,
    protocol: u16,
    context: &mut Process<'_>,
) -> Result {
    let rest = {
        let mut slot = sock.binding.lock(context);
        // Whether there is such a device does not matter to a member of a group.
        if slot.binding.group().is_some() {
            return Err(EINVAL);
        }
        let section = rcu::read_lock();
        // The look-up and the change of the binding are one RCU read section: the notifier that
        // tells that the device is gone runs after it, and finds the new binding.
        let device = match ifindex {
            ANY_DEVICE => None,
            _ => {
                let found = sock.namespace().find_device(ifindex, &section);
                Some(ARef::from(&*found.ok_or(ENODEV)?))
            }
        };
        let Some(todo) = slot.binding.begin(device, protocol)? else {
            return Ok(());
        };
        Slot::carry_out(&mut slot, todo, sock, None)
    };

    let idle = rest.detached.map(|hook| hook.synchronize(context));
    finish(sock, idle, context);
    Ok(())
}

/// The socket is closed: takes it out of the list for good.
pub(super) fn release(sock: &Sock<PacketSocket>, context: &mut Process<'_>) {
    let rest = {
        let mut slot = sock.binding.lock(context);
        let todo = slot.binding.release();
        Slot::carry_out(&mut slot, todo, sock, None)
    };
    if let Some(hook) = rest.detached {
        // Frames may still be queued until this returns; the queue is purged after it.
        drop(hook.synchronize(context));
    }
}

/// A device came up.
pub(super) fn device_up(sock: &Sock<PacketSocket>, device: Listed<'_>, rtnl: &mut Rtnl<'_>) {
    let rest = {
        let mut slot = sock.binding.lock(rtnl);
        slot.settle();
        let todo = slot.binding.device_up(device.ifindex());
        Slot::carry_out(&mut slot, todo, sock, Some(device))
    };
    // The device went down a moment ago. The wait is short: under RTNL it is an expedited one.
    if rest.synchronize {
        let idle = rest
            .detached
            .map(|hook| hook.synchronize(&mut rtnl.process()));
        finish(sock, idle, rtnl);
    }
}

/// A device went down.
pub(super) fn device_down(sock: &Sock<PacketSocket>, ifindex: c_int, rtnl: &mut Rtnl<'_>) {
    let rest = {
        let mut slot = sock.binding.lock(rtnl);
        let todo = slot.binding.device_down(ifindex);
        Slot::carry_out(&mut slot, todo, sock, None)
    };
    report(sock, rest.report);
}

/// A device leaves the network namespace.
pub(super) fn device_unregistered(sock: &Sock<PacketSocket>, ifindex: c_int, rtnl: &mut Rtnl<'_>) {
    let rest = {
        let mut slot = sock.binding.lock(rtnl);
        let todo = slot.binding.device_unregistered(ifindex);
        Slot::carry_out(&mut slot, todo, sock, None)
    };
    report(sock, rest.report);
}

/// What the socket is bound to: the protocol in network byte order, the index of the device, and
/// whether frames arrive.
pub(super) fn summary<C: TaskContext>(
    sock: &Sock<PacketSocket>,
    context: &mut C,
) -> (u16, c_int, bool) {
    let slot = sock.binding.lock(context);
    let binding = &slot.binding;

    (binding.protocol(), binding.ifindex(), binding.is_hooked())
}

/// Where a frame without a destination goes: the protocol in network byte order, and the bound
/// device.
pub(super) fn target(
    sock: &Sock<PacketSocket>,
    context: &mut Process<'_>,
) -> (u16, Option<ARef<Device>>) {
    let slot = sock.binding.lock(context);

    (slot.binding.protocol(), slot.binding.device().cloned())
}

/// `PACKET_IGNORE_OUTGOING`: leaves out the frames that the machine sends, or no longer.
pub(super) fn ignore_outgoing(sock: &Sock<PacketSocket>, ignore: bool, context: &mut Process<'_>) {
    let mut slot = sock.binding.lock(context);
    slot.ignore_outgoing = ignore;
    if let Hook::Hooked(hooked) = &slot.hook {
        hooked.set_ignore_outgoing(ignore);
    }
}

/// Whether the frames that the machine sends are left out.
pub(super) fn ignores_outgoing(sock: &Sock<PacketSocket>, context: &mut Process<'_>) -> bool {
    sock.binding.lock(context).ignore_outgoing
}
