// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of groups of sockets, with the sockets of the [example](super::example).

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

use super::{
    example::Probe,
    frame,
    register,
    Loopback,
    TestSocket,
    LEVEL, //
};
use crate::{
    bindings,
    net::{
        bpf_program::Program,
        context::{
            BottomHalf,
            Process, //
        },
        flow_hash,
        namespace::Namespace,
        packet::Be16,
        packet_group::{
            Chooser,
            Group,
            Members,
            Seated, //
        },
        packet_type::{
            Detached,
            Handler,
            Idle,
            Match,
            Received, //
        },
        sock::Sock, //
    },
};
use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    }, //
};

/// Gives packets to each member in turn, or to the one that a program says.
struct InTurn {
    next: AtomicU32,
    program: Option<Program>,
    /// Whether what members send is left out.
    ignores_members: AtomicBool,
}

impl Chooser for InTurn {
    type Member = Probe;

    fn receive(
        group: &Group<Self>,
        members: Members<'_, Probe>,
        packet: Received<'_>,
        bottom_half: &mut BottomHalf<'_>,
    ) {
        let Some(first) = members.get(0) else {
            return;
        };
        let Some(mut packet) = packet.defragment(first.namespace(), bottom_half) else {
            return;
        };
        // The flow is the same each time, as is its queue.
        let same = packet.symmetric_hash(first.namespace()) ^ u32::from(packet.queue());
        let _ = packet.flow_hash() ^ same ^ flow_hash::random_below(members.len());
        let place = match &group.program {
            Some(program) => program.run(&mut packet, bottom_half),
            // ORDERING: A turn that nothing else depends on.
            None => group.next.fetch_add(1, Ordering::Relaxed),
        };
        if let Some(member) = members.get(place % members.len()) {
            Probe::receive(member, packet, bottom_half);
        }
    }

    fn has_sent(group: &Group<Self>, _sender: &Probe) -> bool {
        // ORDERING: Only the test that sends writes it, in the same task.
        group.ignores_members.load(Ordering::Relaxed)
    }
}

fn group(places: u32, program: Option<Program>) -> Result<ARef<Group<InTurn>>> {
    let chooser = InTurn {
        next: AtomicU32::new(0),
        program,
        ignores_members: AtomicBool::new(false),
    };
    Group::new(Namespace::init(), places, Ok(chooser))
}

/// Has the socket enter the group, for all packets of the loopback device.
fn enter(
    group: &Group<InTurn>,
    own: Detached<Sock<Probe>>,
    context: &mut Process<'_>,
) -> Result<Seated<InTurn>, Detached<Sock<Probe>>> {
    let section = rcu::read_lock();
    let packets = Match {
        // CAST: The pseudo protocols have 16 bits.
        protocol: Be16::from_host(bindings::ETH_P_ALL as u16),
        device: Namespace::init().find_device(1, &section),
        ignore_outgoing: false,
    };
    group.enter(own, packets, context)
}

fn own_hook(socket: &TestSocket) -> Result<Detached<Sock<Probe>>> {
    Ok(Idle::new(GFP_KERNEL)?.rest(socket.sock()))
}

/// Has the family of the example make a program of a `struct sock_fprog`.
fn classic(socket: &TestSocket, described: &mut [u8]) -> Result {
    socket.set_option(LEVEL, 1, described)
}

/// How many packets the sockets have seen, each.
fn seen<const N: usize>(sockets: [&TestSocket; N]) -> [u32; N] {
    // ORDERING: The packets are delivered by the time that the sender returns.
    sockets.map(|socket| socket.sock().seen.load(Ordering::Relaxed))
}

#[kunit_tests(rnet_packet_group)]
mod tests {
    use super::*;

    const RAW: bindings::sock_type = bindings::sock_type_SOCK_RAW;

    #[test]
    fn each_packet_goes_to_one_member() -> Result {
        let _family = register()?;
        let loopback = Loopback::up()?;
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let sender = TestSocket::new(RAW, 0, false)?;
        let (first, second) = (
            TestSocket::new(RAW, 0, false)?,
            TestSocket::new(RAW, 0, false)?,
        );
        let group = group(2, None)?;
        let first_seat = enter(&group, own_hook(&first)?, &mut context).map_err(|_| EBUSY)?;
        let second_seat = enter(&group, own_hook(&second)?, &mut context).map_err(|_| EBUSY)?;
        // There is no third place.
        assert!(enter(&group, own_hook(&sender)?, &mut context).is_err());

        for _ in 0..4 {
            assert_eq!(sender.send(loopback.index, &mut frame::<60>())?, 60);
        }
        // Each is seen on its way out and on its way in.
        let [a, b] = seen([&first, &second]);
        assert!(a >= 2 && b >= 2);

        // Nobody sees what members send.
        // ORDERING: See `has_sent`.
        group.ignores_members.store(true, Ordering::Relaxed);
        let before = seen([&first, &second]);
        assert_eq!(sender.send(loopback.index, &mut frame::<60>())?, 60);
        let [c, d] = seen([&first, &second]);
        // On its way in it has no sender any more.
        assert!(c.wrapping_add(d) <= before[0].wrapping_add(before[1]).wrapping_add(1));

        drop(first_seat.leave(&mut context));
        drop(second_seat.leave(&mut context));
        let before = seen([&first, &second]);
        assert_eq!(sender.send(loopback.index, &mut frame::<60>())?, 60);
        assert_eq!(seen([&first, &second]), before);
        group.end(&mut context);
        Ok(())
    }

    #[test]
    fn hook_of_a_group_rests_for_a_grace_period() -> Result {
        let _family = register()?;
        let _loopback = Loopback::up()?;
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let socket = TestSocket::new(RAW, 0, false)?;
        let group = group(1, None)?;
        let seat = enter(&group, own_hook(&socket)?, &mut context).map_err(|_| EBUSY)?;
        let own = seat.leave(&mut context).ok_or(EINVAL)?;
        // It depends on the time whether that is too early; after a grace period it is not.
        let seat = match enter(&group, own, &mut context) {
            Ok(seat) => seat,
            Err(own) => {
                let own = own.synchronize(&mut context).rest(socket.sock());
                enter(&group, own, &mut context).map_err(|_| EBUSY)?
            }
        };
        drop(seat);
        group.end(&mut context);
        assert!(enter(&group, own_hook(&socket)?, &mut context).is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_program_is_refused() -> Result {
        let _family = register()?;
        let socket = TestSocket::new(RAW, 0, false)?;
        let mut described = [0u8; 16];
        // Too short; without instructions; with some that cannot be read.
        assert_eq!(classic(&socket, &mut [0; 3]), Err(EINVAL));
        assert_eq!(classic(&socket, &mut described), Err(EINVAL));
        let [count, .., pointer, _, _, _, _, _, _, _] = &mut described;
        (*count, *pointer) = (1, 1);
        assert_eq!(classic(&socket, &mut described), Err(EFAULT));

        let mut descriptor = u32::MAX.to_ne_bytes();
        assert_eq!(socket.set_option(LEVEL, 2, &mut descriptor), Err(EBADF));
        Ok(())
    }
}
