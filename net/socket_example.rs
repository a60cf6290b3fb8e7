// SPDX-License-Identifier: GPL-2.0

//! An example: the smallest socket family that receives and sends.
//!
//! [`Probe`] does each of the steps that [`socket`](crate::net::socket), [`packet_type`] and
//! [`transmit`](crate::net::transmit) list, and counts what happens to its sockets, which the tests in
//! `socket_kunit.rs` look at.
//!
//! [`packet_type`]: crate::net::packet_type

use crate::{
    bindings,
    ext::{
        published::{
            Boxed,
            Guarded, //
        },
        static_ref::StaticRef, //
    },
    net::{
        bpf_program::Program,
        context::{
            BottomHalf,
            Process,
            Rtnl,
            TaskContext, //
        },
        mapping::NewMapping,
        message::Message,
        notifier::{
            Event,
            Kind, //
        },
        operations::{
            Address,
            Name,
            Operations,
            Table, //
        },
        packet::{
            Be16,
            Packet, //
        },
        packet_type::{
            Detached,
            Handler,
            Hooked,
            Idle,
            Layer,
            Match,
            Received, //
        },
        shared_memory::SharedMemory,
        sock::{
            Protocol,
            Sock, //
        },
        socket::{
            Family,
            Request,
            Sockets, //
        },
        sockopt::{
            OptionReply,
            OptionValue, //
        },
        transmit::{
            Cookie,
            Space, //
        },
    },
};
use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};
use kernel::{
    new_mutex,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        rcu,
        Mutex, //
    },
};

/// Sockets whose state was made, and dropped.
pub(super) static MADE: AtomicU32 = AtomicU32::new(0);
pub(super) static DROPPED: AtomicU32 = AtomicU32::new(0);

static TABLE: Table<Probe> = Table::new::<ProbeOperations>();
static FAMILY: Family<Probe> = Family::new(&[&TABLE]);

/// The protocol that makes the state of a socket fail.
pub(super) const NO_MEMORY: c_int = -1;

/// The options that give a [`Probe`] its [`Slot`], and that send what is in it. All others note a number.
pub(crate) const SLOT: c_int = 10;
pub(crate) const SEND_SLOT: c_int = 11;

/// The state of the hook of a [`Probe`].
enum Binding {
    Idle(Idle),
    Hooked(Hooked<Sock<Probe>>),
    Detached(Detached<Sock<Probe>>),
    Changing,
}

/// A ring of one slot: a word that says how many bytes there are, zero if the program is done with them;
/// then, from [`Slot::DATA`] on, the bytes. It has the first block of the memory.
pub(crate) struct Slot(SharedMemory);

impl Slot {
    /// Where the bytes begin.
    pub(crate) const DATA: u32 = 16;

    /// Copies a packet, as much as fits. False if the program is not done with the last one.
    fn fill(&self, packet: &Packet) -> Result<bool> {
        let slot = self.0.place(0, 0, self.0.block_len())?;
        let status = slot.word::<u32>(0)?;
        if status.load_acquire() != 0 {
            return Ok(false);
        }
        let len = packet.len().min(slot.len().saturating_sub(Self::DATA));
        slot.copy_packet(Self::DATA, packet, 0, len)?;
        status.store_release(len);
        Ok(true)
    }

    /// The memory.
    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.0
    }
}

/// A socket that receives what its hook sees.
#[pin_data(PinnedDrop)]
pub(crate) struct Probe {
    #[pin]
    binding: Mutex<Binding>,
    /// What `setsockopt()` was given.
    option: AtomicU32,
    /// Packets that arrived as shared ones.
    pub(super) seen: AtomicU32,
    /// Where packets are copied to, if there is one.
    #[pin]
    pub(crate) slot: Guarded<Slot, ()>,
}

#[pinned_drop]
impl PinnedDrop for Probe {
    fn drop(self: Pin<&mut Self>) {
        // ORDERING: `Release` pairs with the `Acquire` of who looks whether the state is gone.
        DROPPED.fetch_add(1, Ordering::Release);
    }
}

impl Probe {
    fn new(protocol: c_int) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            binding <- new_mutex!(Binding::Idle(Idle::new(GFP_KERNEL)?), "Probe::binding"),
            option: AtomicU32::new(0),
            seen: {
                if protocol == NO_MEMORY {
                    return Err(ENOMEM);
                }
                // ORDERING: Only the test that makes the socket reads it, in the same task.
                MADE.fetch_add(1, Ordering::Relaxed);
                AtomicU32::new(0)
            },
            slot <- Guarded::new(new_mutex!((), "Probe::slot")),
        })
    }

    /// Gives the socket a slot, or takes it away if there are no blocks.
    fn set_slot(sock: &Sock<Self>, blocks: u32, len: u32, context: &mut Process<'_>) -> Result {
        let new = if blocks == 0 {
            None
        } else {
            let memory = SharedMemory::new(blocks, len, context)?;
            Some(Boxed::new(Slot(memory), GFP_KERNEL)?)
        };
        let mut slot = sock.slot.lock(context);
        if sock.mappings() != 0 {
            return Err(EBUSY);
        }
        let old = slot.replace(new);
        drop(slot);
        // Not waited for: it is freed in a softirq, unless that is over.
        drop(old);
        Ok(())
    }

    /// Sends bytes that are in the first block of the slot, the first `copied` of them as a copy.
    fn send_slot(
        sock: &Sock<Self>,
        index: c_int,
        range: (u32, u32),
        copied: u32,
        context: &mut Process<'_>,
    ) -> Result {
        let device = sock.namespace().device(index).ok_or(ENXIO)?;
        let header = device.hard_header_len();
        let space = Space {
            headroom: device.reserved_headroom(header),
            tailroom: u32::from(device.needed_tailroom()),
            linear: copied,
            len: copied,
        };
        let mut packet = sock.allocate(device, space, true, context)?;
        packet.shift(u32::from(header))?;
        let slot = sock.slot.lock(context);
        let memory = slot.value().ok_or(EINVAL)?.memory();
        let mut packet = packet.attach(memory.place(0, range.0, range.1)?)?;
        drop(slot);
        if !packet.has_valid_header() {
            return Err(EINVAL);
        }
        packet.prepare(sock, &Cookie::new(sock), Some(Be16::default()), false);
        packet.parse_headers(true);
        packet.transmit(context)
    }

    /// Takes the hook off, if it is on.
    pub(super) fn unhook(&self, context: &impl TaskContext) {
        let mut binding = self.binding.lock();
        *binding = match core::mem::replace(&mut *binding, Binding::Changing) {
            Binding::Hooked(hook) => Binding::Detached(hook.unhook(context)),
            other => other,
        };
    }
}

impl Protocol for Probe {
    const FAMILY: StaticRef<Family<Self>> = StaticRef::new(&FAMILY);
    const NAME: &'static CStr = c"RNET_PROBE";
    const PROC_NAME: Option<&'static CStr> = Some(c"rnet_probe");

    type Namespace = ();
    type Control = u32;
    type Queue = u64;

    fn create<'a>(
        request: &'a Request<'_>,
        _context: &'a mut Process<'_>,
    ) -> Result<(&'static Table<Self>, impl PinInit<Self, Error>)> {
        if !request.namespace().may_use_raw_packets() {
            return Err(EPERM);
        }
        // CAST: The types of sockets are small numbers.
        if request.kind() != bindings::sock_type_SOCK_RAW as c_int {
            return Err(ESOCKTNOSUPPORT);
        }
        Ok((&TABLE, Probe::new(request.protocol())))
    }

    fn start(_sock: &Sock<Self>, _context: &mut Process<'_>) {}

    fn release(sock: &Sock<Self>, _context: &mut Process<'_>) {
        // A hook refers to the socket, detached or not, so none may stay in the socket's state.
        *sock.binding.lock() = Binding::Changing;
    }

    fn device_event(sockets: &Sockets<Self>, event: &Event<'_>, rtnl: &mut Rtnl<'_>) {
        if let Kind::Unregister = event.kind() {
            sockets.for_each(rtnl, |sock, rtnl| sock.unhook(rtnl));
        }
    }

    fn show_header(file: &SeqFile) {
        kernel::seq_print!(file, "sk\n");
    }

    fn show(sock: &Sock<Self>, file: &SeqFile, _context: &mut Process<'_>) {
        sock.show_address(file);
        kernel::seq_print!(file, "\n");
    }
}

impl Handler for Probe {
    fn receive(sock: &Sock<Self>, packet: Received<'_>, bottom_half: &mut BottomHalf<'_>) {
        // ORDERING: A counter that nothing depends on.
        sock.seen.fetch_add(1, Ordering::Relaxed);
        let Some(mut view) = packet.view(Layer::Link) else {
            return;
        };
        let Some(snap_len) = view.filter(sock) else {
            return;
        };
        if let Some(slot) = sock.slot.load(bottom_half) {
            if !slot.fill(&view).unwrap_or(false) {
                sock.count_drop();
            }
            return;
        }
        let control = view.len();
        if let Ok(packet) = view.into_packet(snap_len) {
            sock.enqueue(packet, control, bottom_half, |queued| {
                *queued = queued.wrapping_add(1);
            });
        }
    }
}

/// The system calls on a [`Probe`].
struct ProbeOperations;

#[vtable]
impl Operations<Probe> for ProbeOperations {
    /// The address is the family, then the index of a device, as in `struct sockaddr_ll`: the socket
    /// is hooked on that, for all protocols.
    fn bind(sock: &Sock<Probe>, address: Address<'_>, context: &mut Process<'_>) -> Result {
        let [_, _, _, _, a, b, c, d]: [u8; 8] = address.read()?;
        let index = c_int::from_ne_bytes([a, b, c, d]);
        let mut binding = sock.binding.lock();
        let idle = match core::mem::replace(&mut *binding, Binding::Changing) {
            Binding::Idle(idle) => idle,
            Binding::Hooked(hook) => hook.unhook(context).synchronize(context),
            Binding::Detached(hook) => match hook.try_reclaim() {
                Ok(idle) => idle,
                Err(hook) => hook.synchronize(context),
            },
            Binding::Changing => return Err(EINVAL),
        };
        let section = rcu::read_lock();
        let Some(device) = sock.namespace().find_device(index, &section) else {
            *binding = Binding::Idle(idle);
            return Err(ENODEV);
        };
        let packets = Match {
            // CAST: The pseudo protocols have 16 bits.
            protocol: Be16::from_host(bindings::ETH_P_ALL as u16),
            device: Some(device),
            ignore_outgoing: false,
        };
        *binding = Binding::Hooked(idle.hook(sock, packets, context));
        Ok(())
    }

    fn getname(
        sock: &Sock<Probe>,
        peer: bool,
        name: &mut Name<'_>,
        _context: &mut Process<'_>,
    ) -> Result {
        if peer {
            return Err(EOPNOTSUPP);
        }
        name.write(&sock.family_number().to_ne_bytes())
    }

    fn sendmsg(
        sock: &Sock<Probe>,
        message: &mut Message<'_>,
        len: usize,
        context: &mut Process<'_>,
    ) -> Result<usize> {
        let address: [u8; 8] = message.address().ok_or(EDESTADDRREQ)?.read()?;
        let [_, _, _, _, a, b, c, d] = address;
        let index = c_int::from_ne_bytes([a, b, c, d]);
        let device = sock.namespace().device(index).ok_or(ENXIO)?;
        let mut cookie = Cookie::new(sock);
        cookie.read_control(sock, message)?;
        let header = device.hard_header_len();
        let size = u32::try_from(len).map_err(|_| EMSGSIZE)?;
        let space = Space {
            headroom: device.reserved_headroom(header),
            tailroom: u32::from(device.needed_tailroom()),
            linear: size,
            len: size,
        };
        let mut packet = sock.allocate(device, space, message.dont_wait(), context)?;
        packet.shift(u32::from(header))?;
        let mut packet = packet.fill(message, context)?;
        if !packet.has_valid_header() {
            return Err(EINVAL);
        }
        packet.prepare(sock, &cookie, Some(Be16::default()), false);
        packet.parse_headers(true);
        packet.transmit(context)?;
        Ok(len)
    }

    fn recvmsg(
        sock: &Sock<Probe>,
        message: &mut Message<'_>,
        len: usize,
        flags: c_int,
        context: &mut Process<'_>,
    ) -> Result<usize> {
        let packet = sock.receive(flags, context)?;
        let copied = packet.len().min(u32::try_from(len).unwrap_or(u32::MAX));
        if copied < packet.len() {
            message.set_truncated();
        }
        packet.copy_to(message, copied, context)?;
        packet.put_controls(message);
        message.set_address(&packet.control().to_ne_bytes())?;
        Ok(copied as usize)
    }

    fn setsockopt(
        sock: &Sock<Probe>,
        _level: c_int,
        name: c_int,
        value: OptionValue<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        match name {
            // A program, which is not run here.
            1 => drop(Program::classic(value, context)?),
            2 => drop(Program::open(value.read::<u32>()?, context)?),
            SLOT => {
                let [blocks, len] = value.read::<[u32; 2]>()?;
                Probe::set_slot(sock, blocks, len, context)?;
            }
            SEND_SLOT => {
                let [index, offset, len, copied] = value.read::<[u32; 4]>()?;
                let index = c_int::try_from(index).map_err(|_| EINVAL)?;
                Probe::send_slot(sock, index, (offset, len), copied, context)?;
            }
            // ORDERING: A value that nothing depends on.
            _ => sock.option.store(value.read::<u32>()?, Ordering::Relaxed),
        }
        Ok(())
    }

    fn getsockopt(
        sock: &Sock<Probe>,
        _level: c_int,
        name: c_int,
        reply: &mut OptionReply<'_>,
        context: &mut Process<'_>,
    ) -> Result {
        match name {
            // ORDERING: A value that nothing depends on.
            0 => reply.write(&sock.option.load(Ordering::Relaxed).to_ne_bytes()),
            1 => reply.write(&sock.with_queue(context, |queued| *queued).to_ne_bytes()),
            2 => {
                let value = reply.read::<u32>()?;
                reply.write(&value.wrapping_add(1).to_ne_bytes())
            }
            _ => Err(ENOPROTOOPT),
        }
    }

    fn mmap(sock: &Sock<Probe>, mapping: NewMapping<'_>, context: &mut Process<'_>) -> Result {
        let slot = sock.slot.lock(context);
        mapping.insert(&[slot.value().ok_or(EINVAL)?.memory()])
    }
}
