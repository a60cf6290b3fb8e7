// SPDX-License-Identifier: GPL-2.0

//! A packet socket: its state, its life, and the system calls on it.

use super::{
    address::{
        Bind,
        Report,
        MAX_ADDRESS, //
    },
    binding::{
        self,
        Slot, //
    },
    family::{
        Number,
        AF_PACKET, //
    },
    membership,
    option::Statistics,
    queue::Control,
    recv,
    send,
    sockopt, //
};
use crate::{
    ext::{
        lock::TaskLock,
        static_ref::StaticRef, //
    },
    net::{
        context::{
            Process,
            Rtnl, //
        },
        membership::Membership,
        message::Message,
        notifier::{
            Event,
            Kind, //
        },
        sock::{
            Protocol,
            Sock, //
        },
        socket::{
            Address,
            Family,
            Name,
            Operations,
            Request,
            Sockets,
            Table, //
        },
        sockopt::{
            OptionReply,
            OptionValue, //
        },
    },
};
use kernel::{
    new_mutex, new_spinlock,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    },
};

/// `SOCK_DGRAM`: frames without their link layer header.
const SOCK_DGRAM: c_int = 2;

/// `SOCK_RAW`: frames as they are.
const SOCK_RAW: c_int = 3;

/// A switch that a program may turn while frames arrive.
///
/// A frame that arrives at that moment may be seen by the old or by the new setting.
pub(super) struct Switch(Atomic<bool>);

impl Switch {
    fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Whether it is on.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        // ORDERING: Nothing else depends on the value.
        self.0.load(Relaxed)
    }

    /// Turns it.
    pub(super) fn set(&self, on: bool) {
        // ORDERING: Nothing else depends on the value.
        self.0.store(on, Relaxed);
    }
}

/// The state of one socket.
///
/// # Locking
///
/// Both locks are leaves: none is taken inside them. `memberships` changes inside RTNL, and is given
/// up before a device is told to receive more or less: that takes the lock of the device, which may
/// be held by who notifies the sockets of that device.
#[pin_data]
pub(crate) struct PacketSocket {
    /// What the socket is bound to, and its hook.
    #[pin]
    pub(super) binding: TaskLock<Slot>,
    /// What the socket has its devices receive beyond what is meant for them.
    #[pin]
    pub(super) memberships: Mutex<membership::List<Membership>>,
    /// `PACKET_AUXDATA`.
    pub(super) auxdata: Switch,
    /// `PACKET_ORIGDEV`.
    pub(super) origdev: Switch,
    /// Whether the socket has frames without their link layer header (`SOCK_DGRAM`).
    pub(super) datagram: bool,
}

/// The family, as the kernel knows it.
static FAMILY: Family<PacketSocket> = Family::new(&[&OPERATIONS]);

/// The system calls on sockets of both types.
static OPERATIONS: Table<PacketSocket> = Table::new::<PacketSocket>();

impl Protocol for PacketSocket {
    const FAMILY: StaticRef<Family<Self>> = StaticRef::new(&FAMILY);
    const NAME: &'static CStr = c"RPACKET";
    const PROC_NAME: Option<&'static CStr> = Some(c"rpacket");

    const REPORTED_FAMILY: Option<u16> = Some(AF_PACKET);

    type Namespace = ();
    type Control = Control;
    type Queue = Statistics;

    /// As `packet_create()`: `EPERM` comes before `ESOCKTNOSUPPORT`, and `ENOBUFS` stands for all
    /// lack of memory.
    fn create<'a>(
        request: &'a Request<'_>,
        _context: &'a mut Process<'_>,
    ) -> Result<(&'static Table<Self>, impl PinInit<Self, Error>)> {
        if !request.namespace().may_use_raw_packets() {
            return Err(EPERM);
        }
        let datagram = match request.kind() {
            SOCK_RAW => false,
            SOCK_DGRAM => true,
            _ => return Err(ESOCKTNOSUPPORT),
        };
        // CAST: The protocol is 16 bits in network byte order, whatever the program put above them.
        let slot = Slot::new(request.protocol() as u16)?;

        Ok((
            &OPERATIONS,
            try_pin_init!(Self {
                binding <- TaskLock::new(new_spinlock!(slot, "PacketSocket::binding")),
                memberships <- new_mutex!(membership::List::new(), "PacketSocket::memberships"),
                auxdata: Switch::new(),
                origdev: Switch::new(),
                datagram,
            }? Error),
        ))
    }

    fn start(sock: &Sock<Self>, context: &mut Process<'_>) {
        binding::start(sock, context);
    }

    fn release(sock: &Sock<Self>, context: &mut Process<'_>) {
        binding::release(sock, context);
        sockopt::leave_all(sock, context);
    }

    fn device_event(sockets: &Sockets<Self>, event: &Event<'_>, rtnl: &mut Rtnl<'_>) {
        let ifindex = event.device().ifindex();

        match event.kind() {
            Kind::Up(device) => {
                sockets.for_each(rtnl, |sock, rtnl| binding::device_up(sock, device, rtnl));
            }
            Kind::Down => {
                sockets.for_each(rtnl, |sock, rtnl| binding::device_down(sock, ifindex, rtnl));
            }
            Kind::Unregister => {
                sockets.for_each(rtnl, |sock, rtnl| {
                    binding::device_unregistered(sock, ifindex, rtnl);
                });
                sockopt::leave_device(sockets, event.device(), rtnl);
            }
            Kind::Other(_) => {}
        }
    }

    fn show_header(file: &SeqFile) {
        seq_print!(
            file,
            "{:<17}RefCnt Type Proto  Iface R Rmem   User   Inode\n",
            "sk"
        );
    }

    fn show(sock: &Sock<Self>, file: &SeqFile, context: &mut Process<'_>) {
        let (protocol, ifindex, hooked) = binding::summary(sock, context);

        sock.show_address(file);
        seq_print!(
            file,
            " {:<6} {:<4} {:04x}   {:<5} {} {:<6} {:<6} {:<6}\n",
            sock.refcount(),
            sock.kind(),
            u16::from_be(protocol),
            ifindex,
            u8::from(hooked),
            sock.receive_memory(),
            sock.uid(file),
            sock.inode(),
        );
    }
}

#[vtable]
impl Operations<PacketSocket> for PacketSocket {
    fn bind(sock: &Sock<Self>, address: Address<'_>, context: &mut Process<'_>) -> Result {
        let family = Number::new(sock.family_number())?;
        let Bind { protocol, ifindex } = Bind::parse(address.bytes(), family)?;

        binding::bind(sock, ifindex, protocol, context)
    }

    fn getname(
        sock: &Sock<Self>,
        peer: bool,
        name: &mut Name<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        if peer {
            return Err(EOPNOTSUPP);
        }
        let (protocol, ifindex, _) = binding::summary(sock, context);
        let mut report = Report {
            protocol,
            ifindex,
            hatype: 0,
            pkttype: 0,
            halen: 0,
            address: [0; MAX_ADDRESS],
        };
        if let Some(device) = sock.namespace().device(ifindex) {
            report.hatype = device.hardware_type();
            report.halen = device.copy_address(&mut report.address);
        }
        name.write(report.encode().get(..report.name_length()).ok_or(EINVAL)?)
    }

    #[inline(always)]
    fn sendmsg(
        sock: &Sock<Self>,
        message: &mut Message<'_>,
        len: usize,
        context: &mut Process<'_>,
    ) -> Result<usize> {
        send::sendmsg(sock, message, len, context)
    }

    #[inline(always)]
    fn recvmsg(
        sock: &Sock<Self>,
        message: &mut Message<'_>,
        len: usize,
        flags: c_int,
        context: &mut Process<'_>,
    ) -> Result<usize> {
        recv::recvmsg(sock, message, len, flags, context)
    }

    fn setsockopt(
        sock: &Sock<Self>,
        level: c_int,
        name: c_int,
        value: OptionValue<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        sockopt::set(sock, level, name, value, context)
    }

    fn getsockopt(
        sock: &Sock<Self>,
        level: c_int,
        name: c_int,
        reply: &mut OptionReply<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        sockopt::get(sock, level, name, reply, context)
    }
}
