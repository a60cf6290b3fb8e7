// SPDX-License-Identifier: GPL-2.0

//! `setsockopt()` and `getsockopt()`: what the options of [`option`](super::option) do.

use super::{
    binding,
    membership::{
        Admission,
        Filter,
        List,
        Request, //
    },
    option::{
        Query,
        Setting, //
    },
    socket::PacketSocket, //
};
use crate::net::{
    context::{
        Process,
        Rtnl, //
    },
    device::Device,
    membership::{
        Kind,
        Membership, //
    },
    rtnl,
    sock::Sock,
    socket::Sockets,
    sockopt::{
        OptionReply,
        OptionValue, //
    },
};
use kernel::prelude::*;

/// `setsockopt()`.
///
/// # Errors
///
/// Those of [`Setting::parse`], and of [`join`].
pub(super) fn set(
    sock: &Sock<PacketSocket>,
    level: c_int,
    name: c_int,
    value: OptionValue<'_>,
    context: &mut Process<'_>,
) -> Result {
    let length = usize::try_from(value.len())?;

    match Setting::parse(level, name, length, |to| value.read_bytes(to))? {
        Setting::AddMembership(request) => join(sock, request, context)?,
        Setting::DropMembership(request) => leave(sock, &request, context),
        Setting::Auxdata(on) => sock.auxdata.set(on),
        Setting::OrigDev(on) => sock.origdev.set(on),
        Setting::IgnoreOutgoing(on) => binding::ignore_outgoing(sock, on, context),
    }
    Ok(())
}

/// `getsockopt()`. The statistics begin anew, even if they cannot be written to the program.
///
/// # Errors
///
/// Those of [`Query::parse`], and `EFAULT`.
pub(super) fn get(
    sock: &Sock<PacketSocket>,
    level: c_int,
    name: c_int,
    reply: &mut OptionReply<'_>,
    context: &mut Process<'_>,
) -> Result {
    let value = match Query::parse(level, name, reply.len())? {
        Query::Statistics => {
            let statistics = sock.with_queue(context, core::mem::take);
            return reply.write(&statistics.encode());
        }
        Query::Auxdata => sock.auxdata.is_on(),
        Query::OrigDev => sock.origdev.is_on(),
        Query::IgnoreOutgoing => binding::ignores_outgoing(sock, context),
    };
    reply.write_int(c_int::from(value))
}

/// `PACKET_ADD_MEMBERSHIP`.
///
/// # Errors
///
/// Those of [`List::admit`](super::membership::List::admit), and what the device returns.
fn join(sock: &Sock<PacketSocket>, request: Request, context: &mut Process<'_>) -> Result {
    let mut rtnl = rtnl::lock(context);
    let device = sock.namespace().device(request.ifindex());
    let address_length = device.as_ref().map(|device| usize::from(device.addr_len()));

    let admission = sock.memberships.lock().admit(&request, address_length)?;
    let (place, joined) = match admission {
        Admission::Counted => return Ok(()),
        Admission::Noted(place) => (place, None),
        Admission::Join(filter, place) => {
            let device = device.ok_or(ENODEV)?;
            let membership = Membership::join(&device, kind(filter), &mut rtnl)?;
            (place, Some(membership))
        }
    };
    sock.memberships.lock().insert(place, joined);
    Ok(())
}

/// What a device is told for a membership.
fn kind(filter: Filter) -> Kind {
    match filter {
        Filter::Multicast(address) => Kind::Multicast(address),
        Filter::Unicast(address) => Kind::Unicast(address),
        Filter::AllMulti => Kind::AllMulticast,
        Filter::Promiscuous => Kind::Promiscuous,
    }
}

/// `PACKET_DROP_MEMBERSHIP`.
fn leave(sock: &Sock<PacketSocket>, request: &Request, context: &mut Process<'_>) {
    let mut rtnl = rtnl::lock(context);
    let membership = sock.memberships.lock().remove(request);

    if let Some(membership) = membership {
        membership.leave(sock.namespace(), &mut rtnl);
    }
}

/// The socket is closed: leaves all that it joined.
pub(super) fn leave_all(sock: &Sock<PacketSocket>, context: &mut Process<'_>) {
    // Most sockets joined nothing, and RTNL is much in demand.
    if sock.memberships.lock().is_empty() {
        return;
    }
    let mut rtnl = rtnl::lock(context);
    loop {
        let membership = sock.memberships.lock().pop();
        match membership {
            Some(membership) => membership.leave(sock.namespace(), &mut rtnl),
            None => break,
        }
    }
}

/// A device goes away: all sockets leave what they joined on it.
pub(super) fn leave_device(sockets: &Sockets<PacketSocket>, device: &Device, rtnl: &mut Rtnl<'_>) {
    let ifindex = device.ifindex();

    // In two steps, because nothing may be done to a device while the list of sockets is locked.
    let mut leaving = List::new();
    sockets.for_each(rtnl, |sock, _| {
        sock.memberships.lock().move_device(ifindex, &mut leaving);
    });
    while let Some(membership) = leaving.pop() {
        membership.leave_device(device, rtnl);
    }
}
