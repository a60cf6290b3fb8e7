// SPDX-License-Identifier: GPL-2.0

//! Packet hooks: a function that sees each packet of a protocol, a device, a namespace.
//!
//! A hook is in one of three states, each of them a type, and a transition consumes the old value:
//!
//! ```text
//!             hook()                unhook()
//!     Idle ------------> Hooked -----------------> Detached
//!      ^                                               |
//!      +------ synchronize() sleeps, try_reclaim() ----+
//! ```
//!
//! None of `hook`, `unhook` and the drop of any of them sleeps, so all of them can be called in process
//! context under a spinlock: in a notification, in `bind()`. Not in a softirq: the kernel's lock of
//! its lists of hooks is not made for that, hence the [`TaskContext`]. The price is [`Detached`]: the
//! kernel's list no longer has the hook, but another CPU may be about to call it. Until an RCU grace
//! period has passed, its memory must stay, it must not be put on a list again, and the socket must not
//! go. A `Detached` keeps all that; when it is dropped, the memory and the reference to the socket are given back after
//! the grace period, whoever waits for it.
//!
//! [`Idle::rest`] leads to `Detached` without a list: the hook of a socket that receives by that of a
//! group.
//!
//! # Who receives
//!
//! A hook gives its packets to a [`Receiver`], of which it has a reference: to a socket, or to one object
//! that stands for several of them ([`packet_group`](super::packet_group)). The type of the receiver is
//! that of the hook, so that nothing is looked up when a packet comes.
//!
//! # To receive packets
//!
//! 1. Implement [`Handler`] for the [`Protocol`].
//! 2. Make an [`Idle`] when the socket is created, where it may fail.
//! 3. Under the lock that guards the state of the binding, [`Idle::hook`] it. A device is given as
//!    [`Listed`]: the notification that it goes away is then still to come.
//! 4. On that notification, and when the socket is released, [`Hooked::unhook`] it.
//! 5. Leave neither a [`Hooked`] nor a [`Detached`] in the state of the socket when it is released. Both
//!    have a reference to the socket, so it would never end.
//!
//! To rebind, either wait for the grace period with no lock held and hook the same [`Idle`] again, or
//! make a second one before the lock is taken, and swap them under it.
//!
//! The packet that a hook is given is a [`Received`] one: read-only, since all hooks are given the same.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bindings,
    net::{
        context::{
            BottomHalf,
            Process,
            TaskContext, //
        },
        device::Device,
        namespace::{
            Listed,
            Namespace, //
        },
        packet::Be16,
        sock::{
            Protocol,
            Sock, //
        },
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    alloc::Flags,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    }, //
};

mod received;

pub(crate) use self::received::{
    Layer,
    Received,
    View, //
};

/// A protocol whose sockets receive packets by a hook.
pub(crate) trait Handler: Protocol {
    /// A packet has come that a hook of `sock` is for. Softirq, or bottom halves off.
    ///
    /// It is called for packets of the socket's namespace only, and not for packets that the same
    /// socket has sent. To drop `packet` means that it is not for this socket, which is no loss.
    fn receive(sock: &Sock<Self>, packet: Received<'_>, bottom_half: &mut BottomHalf<'_>);
}

/// What decides whether the kernel leaves a hook out since it belongs to who sends the packet:
/// `packet_type::id_match`.
pub(super) type IsSender =
    unsafe extern "C" fn(*mut bindings::packet_type, *mut bindings::sock) -> bool;

/// What a hook gives packets to, and has a reference to.
pub(crate) trait Receiver: AlwaysRefCounted + Send + Sync + Sized {
    /// Tells which packets the receiver has sent itself. It may be called with the socket of any family;
    /// the private data of the hook is a pointer to this receiver.
    ///
    /// `None` for a socket: its address is that of its `struct sock`, which is what the kernel compares.
    const IS_SENDER: Option<IsSender>;

    /// Whether the receiver is in the namespace that `device` is in.
    fn hears(&self, device: &Device) -> bool;

    /// A packet has come. Softirq, or bottom halves off.
    fn receive(&self, packet: Received<'_>, bottom_half: &mut BottomHalf<'_>);
}

impl<T: Handler> Receiver for Sock<T> {
    const IS_SENDER: Option<IsSender> = None;

    #[inline(always)]
    fn hears(&self, device: &Device) -> bool {
        device.is_in(self.namespace())
    }

    #[inline(always)]
    fn receive(&self, packet: Received<'_>, bottom_half: &mut BottomHalf<'_>) {
        T::receive(self, packet, bottom_half);
    }
}

/// Which packets a hook is for.
#[derive(Clone, Copy)]
pub(crate) struct Match<'a> {
    /// The protocol: an Ethernet type, `ETH_P_ALL`, or a pseudo protocol such as `ETH_P_802_2`.
    pub(crate) protocol: Be16,
    /// One device only, or all in the namespace.
    pub(crate) device: Option<Listed<'a>>,
    /// Leave out what this machine sends.
    pub(crate) ignore_outgoing: bool,
}

/// The memory of a hook.
struct Inner {
    packet_type: bindings::packet_type,
    rcu: bindings::callback_head,
}

/// The owner of the memory of a hook, which is on no list.
///
/// # Invariants
///
/// The pointer came from a `KBox<Inner>` that this value owns.
struct Memory(NonNull<Inner>);

// SAFETY: The memory of a hook is not bound to a thread.
unsafe impl Send for Memory {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for Memory {}

impl Memory {
    #[inline]
    fn packet_type(&self) -> *mut bindings::packet_type {
        // SAFETY: By the type invariant the memory is valid; only a pointer is made.
        unsafe { &raw mut (*self.0.as_ptr()).packet_type }
    }

    fn set_ignore_outgoing(&self, ignore: bool) {
        // SAFETY: By the type invariant the memory is valid. The kernel reads the byte without a lock,
        // and both values are right.
        unsafe { (&raw mut (*self.packet_type()).ignore_outgoing).write_volatile(ignore) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the memory is a box that this value owns.
        drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
    }
}

/// A hook that is on no list, and that no CPU is looking at.
#[must_use]
pub(crate) struct Idle(Memory);

impl Idle {
    /// Allocates a hook. Fails with `ENOMEM`.
    pub(crate) fn new(flags: Flags) -> Result<Self> {
        let inner = KBox::new(
            Inner {
                packet_type: pin_init::zeroed(),
                rcu: pin_init::zeroed(),
            },
            flags,
        )?;
        // INVARIANT: The pointer is the box's.
        Ok(Self(Memory(NonNull::from(KBox::leak(inner)))))
    }

    /// Hooks the socket: from now on it receives the packets that `packets` describes.
    ///
    /// A device of another namespace than the socket's gives it none: the family would not be told there
    /// that the device goes away. Does not sleep.
    pub(crate) fn hook<T: Handler>(
        self,
        sock: &Sock<T>,
        packets: Match<'_>,
        context: &impl TaskContext,
    ) -> Hooked<Sock<T>> {
        // SAFETY: The hook has a reference to the socket, which keeps its namespace.
        unsafe { self.hook_for(sock, sock.namespace(), packets, context) }
    }

    /// Hooks any receiver, for packets of `namespace`.
    ///
    /// # Safety
    ///
    /// The namespace must not end before the hook is removed.
    pub(super) unsafe fn hook_for<R: Receiver>(
        self,
        receiver: &R,
        namespace: &Namespace,
        packets: Match<'_>,
        _context: &impl TaskContext,
    ) -> Hooked<R> {
        let device = packets.device.map(|listed| ARef::from(&*listed));
        let packet_type = self.0.packet_type();
        let filled = bindings::packet_type {
            type_: packets.protocol.raw(),
            ignore_outgoing: packets.ignore_outgoing,
            dev: device
                .as_ref()
                .map_or(core::ptr::null_mut(), |device| device.as_raw().cast()),
            func: Some(receive_callback::<R>),
            id_match: R::IS_SENDER,
            af_packet_net: namespace.as_raw(),
            af_packet_priv: core::ptr::from_ref(receiver).cast_mut().cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: The memory is valid by its invariant, and nobody else looks at an idle hook.
        unsafe { packet_type.write(filled) };
        let added = packets.device.is_none_or(|device| device.is_in(namespace));
        if added {
            // SAFETY: The hook is complete and on no list. It stays where it is, and the receiver and
            // the device live, until it was removed and a grace period has passed; the namespace until
            // it was removed. The device is listed, so its list of hooks is in use.
            unsafe { bindings::dev_add_pack(packet_type) };
        }
        // INVARIANT: The hook was just added, if `added` says so.
        Hooked {
            added,
            memory: ManuallyDrop::new(self.0),
            receiver: ManuallyDrop::new(ARef::from(receiver)),
            device: ManuallyDrop::new(device),
        }
    }

    /// The hook as if it had been on a list: who gives it up then need not know that it was not.
    pub(crate) fn rest<T: Handler>(self, sock: &Sock<T>) -> Detached<Sock<T>> {
        let receiver = ARef::from(sock);
        // SAFETY: The memory is valid by its invariant, and nobody else looks at an idle hook. What is
        // written is where `free_callback` looks for the receiver.
        unsafe { (*self.0.packet_type()).af_packet_priv = sock.as_raw().cast() };
        // INVARIANT: The hook is on no list, and the cookie is newer than that.
        Detached {
            memory: ManuallyDrop::new(self.0),
            receiver: ManuallyDrop::new(receiver),
            // SAFETY: The call has no conditions.
            cookie: unsafe { bindings::get_state_synchronize_rcu() },
        }
    }

    /// Whether packets that this machine sends will be left out.
    pub(crate) fn set_ignore_outgoing(&self, ignore: bool) {
        self.0.set_ignore_outgoing(ignore);
    }
}

/// A hook that the kernel calls. Dropping it removes it, as [`Hooked::unhook`] does, and must be done
/// where that may be called: a drop takes no token.
///
/// # Invariants
///
/// If `added`, `memory` is on a list of the kernel, under the receiver and the device of this value;
/// otherwise it is on none. The three fields behind it are initialised until the drop.
#[must_use = "the hook is removed when this is dropped"]
pub(crate) struct Hooked<R: Receiver> {
    added: bool,
    memory: ManuallyDrop<Memory>,
    receiver: ManuallyDrop<ARef<R>>,
    device: ManuallyDrop<Option<ARef<Device>>>,
}

impl<R: Receiver> Hooked<R> {
    /// Removes the hook. Does not sleep.
    ///
    /// The reference to the device is given back at once; that to the receiver stays in the result.
    pub(crate) fn unhook(self, _context: &impl TaskContext) -> Detached<R> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and used no more after this call.
        unsafe { Self::take(&mut this) }
    }

    /// The device that the hook is on, unless it is on all.
    #[inline]
    pub(crate) fn device(&self) -> Option<&Device> {
        self.device.as_deref()
    }

    /// Whether packets that this machine sends are left out.
    pub(crate) fn set_ignore_outgoing(&self, ignore: bool) {
        self.memory.set_ignore_outgoing(ignore);
    }

    /// # Safety
    ///
    /// The fields must be initialised; they are not any more when this returns.
    unsafe fn take(this: &mut Self) -> Detached<R> {
        if this.added {
            // SAFETY: By the type invariant the hook is on the list that its device and its namespace,
            // both alive, and its protocol say.
            unsafe { bindings::__dev_remove_pack(this.memory.packet_type()) };
        }
        // SAFETY: The caller guarantees that the field is initialised and not used again. The device is
        // not looked for through the hook any more: those who still see it have the device otherwise.
        unsafe { ManuallyDrop::drop(&mut this.device) };
        // INVARIANT: The hook is on no list, and the cookie is taken after it was removed.
        Detached {
            // SAFETY: As for the device.
            memory: ManuallyDrop::new(unsafe { ManuallyDrop::take(&mut this.memory) }),
            // SAFETY: As for the device.
            receiver: ManuallyDrop::new(unsafe { ManuallyDrop::take(&mut this.receiver) }),
            // SAFETY: The call has no conditions.
            cookie: unsafe { bindings::get_state_synchronize_rcu() },
        }
    }
}

impl<R: Receiver> Drop for Hooked<R> {
    fn drop(&mut self) {
        // SAFETY: The fields are initialised until here, by the type invariant.
        drop(unsafe { Self::take(self) });
    }
}

/// A hook that is on no list any more, but that another CPU may still be looking at.
///
/// Dropping it is fine in any context but a hard interrupt: what it owns is given back after a grace
/// period. It has a reference to the receiver: one that is left in the state of its own receiver keeps
/// that for ever.
///
/// # Invariants
///
/// `memory` is on no list, and the grace period that `cookie` stands for began after it was removed.
/// Both other fields are initialised until the drop.
#[must_use = "the memory of the hook can be used again after `synchronize`"]
pub(crate) struct Detached<R: Receiver> {
    memory: ManuallyDrop<Memory>,
    receiver: ManuallyDrop<ARef<R>>,
    cookie: c_ulong,
}

impl<R: Receiver> Detached<R> {
    /// Waits until no CPU is looking at the hook. Sleeps, unless that time has come already.
    ///
    /// When it returns, no packet will reach the receiver by this hook.
    pub(crate) fn synchronize(self, _context: &mut Process<'_>) -> Idle {
        if !self.is_quiet() {
            // SAFETY: The token says that sleeping is allowed.
            unsafe { bindings::synchronize_net() };
        }
        self.into_idle()
    }

    /// The hook, if no CPU can be looking at it any more; otherwise this value again.
    pub(crate) fn try_reclaim(self) -> Result<Idle, Self> {
        if self.is_quiet() {
            Ok(self.into_idle())
        } else {
            Err(self)
        }
    }

    /// What received by the hook, and stays until the grace period is over.
    #[inline]
    pub(super) fn receiver(&self) -> &R {
        &self.receiver
    }

    /// Begins a new grace period: the receiver was found in yet another way until now.
    pub(super) fn renew(&mut self) {
        // INVARIANT: The grace period begins later than the one before.
        // SAFETY: The call has no conditions.
        self.cookie = unsafe { bindings::get_state_synchronize_rcu() };
    }

    /// Whether the grace period is over.
    fn is_quiet(&self) -> bool {
        // SAFETY: The call takes a value of `get_state_synchronize_rcu()`.
        unsafe { bindings::poll_state_synchronize_rcu(self.cookie) }
    }

    /// Takes the memory; the grace period must be over.
    fn into_idle(self) -> Idle {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, and the field not used again. No hook is running any more that
        // borrows the receiver.
        unsafe { ManuallyDrop::drop(&mut this.receiver) };
        // SAFETY: As above.
        Idle(unsafe { ManuallyDrop::take(&mut this.memory) })
    }
}

impl<R: Receiver> Drop for Detached<R> {
    fn drop(&mut self) {
        if self.is_quiet() {
            // SAFETY: The grace period is over, and the field is not used again.
            unsafe { ManuallyDrop::drop(&mut self.receiver) };
            // SAFETY: As above.
            unsafe { ManuallyDrop::drop(&mut self.memory) };
            return;
        }
        let inner = self.memory.0.as_ptr();
        // The reference to the receiver stays in `af_packet_priv`, where it was all the time.
        // SAFETY: The memory is valid by its invariant and belongs to the callback from now on. `rcu` is
        // used for nothing else.
        unsafe { bindings::call_rcu(&raw mut (*inner).rcu, Some(free_callback::<R>)) };
    }
}

/// Gives back what a [`Detached`] owned: a grace period has passed. Softirq.
///
/// # Safety
///
/// `head` must be the `rcu` of an [`Inner`] whose owner was a `Detached<R>` that was dropped.
unsafe extern "C" fn free_callback<R: Receiver>(head: *mut bindings::callback_head) {
    // SAFETY: The caller guarantees that `head` is that field.
    let inner = unsafe { kernel::container_of!(head, Inner, rcu) };
    // INVARIANT: The pointer was that of a `Memory` which was not dropped.
    // SAFETY: A pointer into a box is not null.
    let memory = Memory(unsafe { NonNull::new_unchecked(inner) });
    // SAFETY: The memory is valid by its invariant.
    let receiver = unsafe { (*memory.packet_type()).af_packet_priv };
    drop(memory);
    if let Some(receiver) = NonNull::new(receiver.cast::<R>()) {
        // SAFETY: The hook owned a reference to its receiver, which is given back here, once. The family
        // waits for this callback to return before the module goes: see `socket::Registration`.
        unsafe { R::dec_ref(receiver) };
    }
}

/// A packet has come: `packet_type::func`.
///
/// # Safety
///
/// Only the kernel may call it, for a hook that an `R` receives from.
unsafe extern "C" fn receive_callback<R: Receiver>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
    packet_type: *mut bindings::packet_type,
    orig_dev: *mut bindings::net_device,
) -> c_int {
    let Some(skb) = NonNull::new(skb) else {
        return 0;
    };
    // SAFETY: The device of a packet lives as long as it is being received.
    let device = unsafe { Device::from_raw(dev.cast()) };
    // SAFETY: As above.
    let original_device = unsafe { Device::from_raw(orig_dev.cast()) };
    // SAFETY: The kernel hands over one count, and calls the hooks of a packet one after another.
    let packet = unsafe { Received::new(skb, device, original_device) };
    // SAFETY: The hook is valid until a grace period after its removal, and this is an RCU read
    // section.
    let receiver = unsafe { (*packet_type).af_packet_priv };
    // SAFETY: The hook holds a reference to its receiver, an `R`, for just as long.
    let receiver = unsafe { &*receiver.cast::<R>() };
    if packet.packet_type() == bindings::PACKET_LOOPBACK as u8 || !receiver.hears(device) {
        return 0;
    }
    // SAFETY: Packets are delivered in softirq context or with bottom halves off.
    let mut bottom_half = unsafe { BottomHalf::assume() };
    receiver.receive(packet, &mut bottom_half);
    0
}
