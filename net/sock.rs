// SPDX-License-Identifier: GPL-2.0

//! Sockets as a protocol sees them: [`Sock`], a `struct sock` with Rust state behind it.
//!
//! User space holds a file; the file holds a `struct socket`; that holds a `struct sock`, which lives
//! on as long as anybody has a reference: a packet hook, a packet on its way to the wire that is
//! charged to the socket, a task in a system call. What a protocol keeps for a socket, its
//! [`Protocol`] type, lives and ends with the `struct sock`: it is constructed in place before C can
//! reach it, and dropped when the last reference is gone.
//!
//! # The life of a socket
//!
//! 1. `socket()` calls [`Protocol::create`]: may the caller have one, and what is its state? Whatever
//!    can fail, fails here. From `sock_init_data()` on, an error would leave the file with a pointer to
//!    a dead socket (CVE-2024-56606), so what follows returns nothing.
//! 2. The socket is put on the list of its namespace, and [`Protocol::start`] may hook it.
//! 3. System calls reach the [`Operations`](super::socket::Operations) of its table; packets reach
//!    [`packet_type::Handler`](super::packet_type::Handler).
//! 4. The last `close()` takes it off the list and calls [`Protocol::release`], which gives back what
//!    refers to the socket. The layer then orphans it and purges its queues.
//! 5. When the last reference goes, be it in a softirq, the queues are purged again (a hook that was
//!    still running on another CPU may have queued a packet), and the state is dropped.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use crate::{
    bindings,
    ext::static_ref::StaticRef,
    net::{
        context::{
            BottomHalf,
            Process,
            Rtnl,
            SoftirqSafe, //
        },
        mapping::Mappings,
        message::Message,
        namespace::Namespace,
        notifier::Event,
        pernet::State as _,
        skbuff::SkBuff,
        socket::{
            Family,
            Request,
            Sockets,
            Table, //
        },
    },
};
use core::{
    cell::UnsafeCell,
    mem::offset_of,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    seq_file::SeqFile,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

/// The state of one socket, and what its family does at the turns of its life.
///
/// The state is shared between the system calls, which run at the same time in several tasks, and the
/// receive path: it guards itself. It may be dropped in a softirq, so its `Drop` must not sleep.
pub(crate) trait Protocol: Sized + Send + Sync + 'static {
    /// The family that the protocol belongs to.
    const FAMILY: StaticRef<Family<Self>>;

    /// The name of the protocol, as `/proc/net/protocols` shows it.
    const NAME: &'static CStr;

    /// The file under `/proc/net` that lists the sockets of a namespace.
    const PROC_NAME: Option<&'static CStr>;

    /// The number of the family that a socket says it is of (`SO_DOMAIN`), if that is not the one that
    /// the family is registered with: a family may stand in for another one.
    const REPORTED_FAMILY: Option<u16> = None;

    /// What the family keeps for each namespace.
    type Namespace: NamespaceState;

    /// What the family notes about a packet in the receive queue, in its control block (`skb->cb`). At
    /// most 44 bytes: the last four of the block hold the drop count.
    type Control: Copy + Send + Sync + 'static;

    /// What the lock of the receive queue guards beside the queue: statistics that must agree with
    /// what was queued. Its `Drop` runs where that of the state does.
    type Queue: Default + Send + 'static;

    /// Somebody wants a socket. Process context.
    ///
    /// The answer is the table of its operations, and its state. An error is what `socket()` returns;
    /// the state's initialiser may fail as well. `ENOBUFS` follows if the kernel has no memory for the
    /// socket itself.
    fn create<'a>(
        request: &'a Request<'_>,
        context: &'a mut Process<'_>,
    ) -> Result<(&'static Table<Self>, impl PinInit<Self, Error>)>;

    /// The socket exists and is listed; nobody else has it yet. Process context.
    fn start(sock: &Sock<Self>, context: &mut Process<'_>);

    /// The last file that had the socket is closed. Process context, called once.
    ///
    /// What refers to the socket must end here: packet hooks (detached ones too), memberships, timers.
    /// No system call is running or will come; a hook on another CPU may still be.
    fn release(sock: &Sock<Self>, context: &mut Process<'_>);

    /// Something happened to a device in the namespace of `sockets`.
    ///
    /// When a device is unregistered, references to it and hooks on it must be gone at the end.
    fn device_event(sockets: &Sockets<Self>, event: &Event<'_>, rtnl: &mut Rtnl<'_>);

    /// Prints the first line of [`PROC_NAME`](Self::PROC_NAME).
    fn show_header(file: &SeqFile);

    /// Prints the line of one socket.
    fn show(sock: &Sock<Self>, file: &SeqFile, context: &mut Process<'_>);
}

/// What a family keeps for each network namespace.
pub(crate) trait NamespaceState: Sized + Send + Sync + 'static {
    /// Makes the value for `namespace`, which is not in use yet. Process context.
    fn init(namespace: &Namespace) -> impl PinInit<Self, Error>;
}

impl NamespaceState for () {
    fn init(_namespace: &Namespace) -> impl PinInit<Self, Error> {
        Ok(())
    }
}

/// What the kernel allocates for a socket of the protocol `T` (`proto::obj_size`).
#[repr(C)]
pub(super) struct Object<T: Protocol> {
    pub(super) sk: bindings::sock,
    /// Always zero. AF_PACKET of the kernel takes the word behind `struct sock` of any socket that has
    /// its family number for the pointer to a fanout group; with `family=17` that is this word.
    pub(super) fanout: usize,
    /// Zero when the object is allocated, as all of it.
    pub(super) mappings: Mappings,
    pub(super) queue: UnsafeCell<T::Queue>,
    pub(super) state: T,
}

impl<T: Protocol> Object<T> {
    /// The control block of a packet in the receive queue can hold `T::Control`, and the allocator
    /// aligns the object.
    pub(super) const FITS: () = {
        const CONTROL_LEN: usize = 48;
        const DROP_COUNT_LEN: usize = 4;
        assert!(size_of::<T::Control>() <= CONTROL_LEN - DROP_COUNT_LEN);
        assert!(align_of::<T::Control>() <= align_of::<u64>());
        assert!(align_of::<Self>() <= align_of::<u64>());
        assert!(offset_of!(Self, sk) == 0);
    };
}

/// A socket of the protocol `T`: `struct sock`, with the state of type `T` behind it.
///
/// It dereferences to the state. An [`ARef`](kernel::sync::aref::ARef) of it is a counted reference
/// (`sock_hold()`).
///
/// # Invariants
///
/// The object is a live [`Object<T>`]: `sock_init_data()` was called for it, its state is initialised,
/// and for the lifetime of the reference it has a reference count above zero.
#[repr(transparent)]
pub(crate) struct Sock<T: Protocol>(Opaque<Object<T>>);

// SAFETY: A `struct sock` is not bound to a thread, and the state is `Send`.
unsafe impl<T: Protocol> Send for Sock<T> {}

// SAFETY: The methods of `Sock` call C functions that lock the socket as they need; the state is
// `Sync`.
unsafe impl<T: Protocol> Sync for Sock<T> {}

// SAFETY: `sock_hold()` keeps the object until the matching `sock_put()`, and each is counted.
unsafe impl<T: Protocol> AlwaysRefCounted for Sock<T> {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the socket is valid and its count is not zero.
        unsafe { bindings::sock_hold(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a count and gives it up, so the socket is valid until here.
        unsafe { bindings::sock_put(obj.cast().as_ptr()) };
    }
}

impl<T: Protocol> Deref for Sock<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the state is initialised; it is dropped after the last
        // reference is gone.
        unsafe { &(*self.0.get()).state }
    }
}

impl<T: Protocol> Sock<T> {
    /// Borrows the socket at `ptr`.
    ///
    /// # Safety
    ///
    /// For `'a` the pointer must be to a socket as the invariant of the type describes it.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::sock) -> &'a Self {
        // CAST: `Sock<T>` is a transparent wrapper of `Object<T>`, whose first field is the `sock`.
        // SAFETY: The caller guarantees that the object is valid for `'a`.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// The C object.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::sock {
        self.0.get().cast()
    }

    /// The namespace that the socket is in, which it keeps alive.
    #[inline]
    pub(crate) fn namespace(&self) -> &Namespace {
        // SAFETY: By the type invariant the socket is valid; its namespace does not change.
        let net = unsafe { (*self.as_raw()).__sk_common.skc_net.net };
        // SAFETY: Each socket of this layer holds a counted reference to its namespace: see `create`.
        unsafe { Namespace::from_raw(net) }
    }

    /// The sockets of the namespace.
    #[inline]
    pub(crate) fn siblings(&self) -> &Sockets<T> {
        // SAFETY: A socket exists only while its family is registered, and the registration of the
        // family owns that of the per-namespace state; the socket keeps its namespace alive.
        unsafe { Sockets::<T>::STORAGE.get().get(self.namespace()) }
    }

    /// What the family keeps for the namespace of the socket.
    #[inline]
    pub(crate) fn namespace_state(&self) -> &T::Namespace {
        self.siblings().state()
    }

    /// The type that the socket was made with: `SOCK_RAW`, `SOCK_DGRAM`.
    #[inline]
    pub(crate) fn kind(&self) -> c_int {
        // SAFETY: By the type invariant the socket is valid; its type does not change.
        c_int::from(unsafe { (*self.as_raw()).sk_type })
    }

    /// The number that the family is registered with, which `socket()` was called with.
    pub(crate) fn family_number(&self) -> c_int {
        T::FAMILY.number()
    }

    /// Notes an error that the next system call returns, and wakes who waits (`sk_error_report()`).
    ///
    /// Does not sleep; may be called under a spinlock and in softirq.
    pub(crate) fn report_error(&self, error: Error) {
        // SAFETY: By the type invariant the socket is valid. An errno is above zero there.
        unsafe { bindings::sock_report_error(self.as_raw(), error.to_errno().wrapping_neg()) };
    }

    /// Whether the option `SO_NOFCS` is set: the sender supplies the frame check sequence.
    #[inline]
    pub(crate) fn no_fcs(&self) -> bool {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_flag(self.as_raw(), bindings::sock_flags_SOCK_NOFCS) }
    }

    /// The count of references, for display.
    pub(crate) fn refcount(&self) -> u32 {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_refcount(self.as_raw()) }
    }

    /// The memory that the packets in the receive queue are charged with, in bytes.
    pub(crate) fn receive_memory(&self) -> u32 {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_rmem(self.as_raw()) }
    }

    /// The memory that packets on their way out are charged with, in bytes (`SIOCOUTQ`).
    pub(crate) fn send_memory(&self) -> c_int {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_outq(self.as_raw()) }
    }

    /// The length of the first packet in the receive queue, or 0 (`SIOCINQ`).
    pub(crate) fn first_len(&self, _context: &mut Process<'_>) -> c_int {
        // SAFETY: By the type invariant the socket is valid; the call takes the lock of the queue,
        // which the token allows.
        unsafe { bindings::sock_inq(self.as_raw()) }
    }

    /// The inode number of the socket's file, or 0.
    pub(crate) fn inode(&self) -> u64 {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_inode(self.as_raw()) as u64 }
    }

    /// The user id of the socket's owner, as the reader of `file` knows it.
    pub(crate) fn uid(&self, file: &SeqFile) -> u32 {
        // CAST: `SeqFile` is a transparent wrapper of `struct seq_file`.
        let file = core::ptr::from_ref(file).cast_mut().cast();
        // SAFETY: Both objects are valid by their invariants; the call reads the file's credentials.
        unsafe { bindings::sock_uid(file, self.as_raw()) }
    }

    /// Prints the address of the object, or something else to who may not see it (`%pK`).
    pub(crate) fn show_address(&self, file: &SeqFile) {
        // CAST: `SeqFile` is a transparent wrapper of `struct seq_file`.
        let file: *mut bindings::seq_file = core::ptr::from_ref(file).cast_mut().cast();
        // SAFETY: The file is lent to this thread, and the format asks for one pointer, which is not
        // followed.
        unsafe { bindings::seq_printf(file, c"%pK".as_char_ptr(), self.as_raw()) };
    }

    /// Takes the lock of the socket (`lock_sock()`), which serialises system calls. Sleeps.
    pub(crate) fn lock<'a>(&'a self, _context: &mut Process<'_>) -> SockLock<'a, T> {
        // SAFETY: By the type invariant the socket is valid; the token says that sleeping is allowed.
        unsafe { bindings::lock_sock(self.as_raw()) };
        // INVARIANT: The lock was just taken.
        SockLock(self)
    }

    /// Whether the receive buffer is full: no more packets are to be queued.
    #[inline]
    pub(crate) fn receive_buffer_full(&self) -> bool {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sock_rcvbuf_full(self.as_raw()) }
    }

    /// Counts a packet that the socket should have got. `SO_RXQ_OVFL` and `ss` show the count.
    #[inline]
    pub(crate) fn count_drop(&self) {
        // SAFETY: By the type invariant the socket is valid.
        unsafe { bindings::sk_drops_inc(self.as_raw()) };
    }

    /// Puts a packet into the receive queue and wakes the reader. Softirq.
    ///
    /// `update` runs under the lock of the queue, right before the packet is queued. The packet is
    /// charged to the receive buffer, whether that is full or not: see
    /// [`receive_buffer_full`](Self::receive_buffer_full).
    #[inline]
    pub(crate) fn enqueue(
        &self,
        packet: SkBuff,
        control: T::Control,
        _bottom_half: &mut BottomHalf<'_>,
        update: impl FnOnce(&mut T::Queue),
    ) {
        let () = Object::<T>::FITS;
        let skb = packet.into_raw().as_ptr();
        // SAFETY: `packet` had the only reference, so its control block is ours.
        let block = unsafe { (&raw mut (*skb).cb).cast::<T::Control>() };
        // SAFETY: `FITS` has checked size and alignment; the block is aligned to eight bytes.
        unsafe { block.write(control) };
        // SAFETY: The socket is valid by the type invariant, the packet is ours, and the token says
        // that bottom halves are off, which is how every user of this lock takes it.
        unsafe { bindings::packet_queue_begin(self.as_raw(), skb) };
        // SAFETY: The lock that guards the value was just taken.
        update(unsafe { &mut *self.queue() });
        // SAFETY: The lock is held since `packet_queue_begin`; the queue becomes the owner of the
        // packet.
        unsafe { bindings::packet_queue_commit(self.as_raw(), skb) };
    }

    /// Lends what the lock of the receive queue guards.
    pub(crate) fn with_queue<C: SoftirqSafe, R>(
        &self,
        context: &mut C,
        access: impl FnOnce(&mut T::Queue) -> R,
    ) -> R {
        let _ = context;
        // SAFETY: The socket is valid; the token says that the lock may be taken with bottom halves
        // switched off.
        unsafe { bindings::sock_queue_lock(self.as_raw()) };
        // SAFETY: The lock that guards the value was just taken.
        let result = access(unsafe { &mut *self.queue() });
        // SAFETY: The lock was taken above.
        unsafe { bindings::sock_queue_unlock(self.as_raw()) };
        result
    }

    #[inline]
    fn queue(&self) -> *mut T::Queue {
        // SAFETY: By the type invariant the object is valid; only a pointer is made.
        unsafe { (*self.0.get()).queue.get() }
    }

    /// The count of the mappings of the socket.
    #[inline]
    pub(super) fn mapping_count(&self) -> &Mappings {
        // SAFETY: By the type invariant the object is valid. All of it was zero when it was allocated,
        // which is a count of zero, and from then on the field changes only through such a reference.
        unsafe { &(*self.0.get()).mappings }
    }

    /// Hands a packet of the error queue to the user (`MSG_ERRQUEUE`), or fails with `EAGAIN`.
    ///
    /// It is passed on in a control message of the given level and type.
    pub(crate) fn receive_error(
        &self,
        message: &mut Message<'_>,
        len: usize,
        level: c_int,
        kind: c_int,
        _context: &mut Process<'_>,
    ) -> Result<usize> {
        let len = c_int::try_from(len).unwrap_or(c_int::MAX);
        // SAFETY: Socket and message are valid by their invariants, and the task may sleep.
        let result = unsafe {
            bindings::sock_recv_errqueue(self.as_raw(), message.as_raw(), len, level, kind)
        };
        to_result(result)?;
        Ok(usize::try_from(result).unwrap_or(0))
    }
}

/// The lock of a socket, held until dropped.
///
/// # Invariants
///
/// The current task owns the lock of the socket, by this value.
#[must_use = "the lock is released at once when the guard is not kept"]
pub(crate) struct SockLock<'a, T: Protocol>(&'a Sock<T>);

impl<T: Protocol> Drop for SockLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is ours to release.
        unsafe { bindings::release_sock(self.0.as_raw()) };
    }
}
