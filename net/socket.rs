// SPDX-License-Identifier: GPL-2.0

//! Socket families: what `socket()` finds by its first argument.
//!
//! To write a socket family, a module must do six things:
//!
//! 1. implement [`Protocol`] for the state of one socket (`struct packet_sock` in AF_PACKET);
//! 2. implement [`Operations`] for the system calls on it, once for each set of socket types that
//!    behave alike;
//! 3. declare a `static` [`Table`] of each of these, and a `static` [`Family`] that names the tables and
//!    is [`Protocol::FAMILY`];
//! 4. return the right table from [`Protocol::create`];
//! 5. if it wants packets, implement [`packet_type::Handler`](super::packet_type::Handler);
//! 6. as the last step of its initialisation, make a [`Registration`] and keep it.
//!
//! `net/socket_example.rs` is the smallest family that does all that.
//!
//! The registration does, in this order, and undoes in the reverse order: what the family keeps for
//! each namespace and its list of sockets ([`Sockets`]); its file in `/proc/net`; the netdevice
//! notifier; the protocol; and the family number, from which moment `socket()` finds it. The kernel
//! holds the module while a socket exists, so none of it is undone under a living socket.
//!
//! C headers: [`include/linux/net.h`](srctree/include/linux/net.h),
//! [`include/net/sock.h`](srctree/include/net/sock.h)

use crate::{
    bindings,
    ext::{
        claim::Claim,
        procfs,
        static_ref::StaticRef, //
    },
    net::{
        context::{
            Process,
            Rtnl,
            SleepContext, //
        },
        namespace::Namespace,
        notifier, pernet,
        sock::{
            NamespaceState,
            Object,
            Protocol,
            Sock, //
        },
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    new_mutex,
    prelude::*,
    seq_file::SeqFile,
    sync::Mutex,
};

#[allow(unused_imports)] // For the families; the driver has none.
pub(crate) use super::operations::{
    Address,
    Name,
    Operations,
    Table, //
};

/// Somebody wants a socket of a family: the arguments of `socket()`.
pub(crate) struct Request<'a> {
    namespace: &'a Namespace,
    kind: c_int,
    protocol: c_int,
    from_kernel: bool,
}

impl<'a> Request<'a> {
    /// The namespace that the socket will be in.
    pub(crate) fn namespace(&self) -> &'a Namespace {
        self.namespace
    }

    /// The type of the socket: `SOCK_RAW` and so on.
    pub(crate) fn kind(&self) -> c_int {
        self.kind
    }

    /// The protocol, which means what the family says it means.
    pub(crate) fn protocol(&self) -> c_int {
        self.protocol
    }

    /// Whether it is the kernel itself that wants the socket.
    pub(crate) fn is_from_kernel(&self) -> bool {
        self.from_kernel
    }
}

/// What C needs to know about a family. It must be a `static`.
pub(crate) struct Family<T: Protocol> {
    family: UnsafeCell<bindings::net_proto_family>,
    proto: UnsafeCell<bindings::proto>,
    notifier: notifier::Block<DeviceEvents<T>>,
    namespaces: pernet::Storage<Sockets<T>>,
    files: pernet::Storage<Listing<T>>,
    tables: &'static [&'static Table<T>],
    claim: Claim,
}

// SAFETY: Family and protocol are written before they are registered; from then on they belong to C,
// which reads them, and links the protocol into a list under a lock of its own.
unsafe impl<T: Protocol> Sync for Family<T> {}

impl<T: Protocol> Family<T> {
    /// A family whose sockets use one of `tables`.
    pub(crate) const fn new(tables: &'static [&'static Table<T>]) -> Self {
        let () = Object::<T>::FITS;
        Self {
            family: UnsafeCell::new(pin_init::zeroed()),
            proto: UnsafeCell::new(pin_init::zeroed()),
            notifier: notifier::Block::new(),
            namespaces: pernet::Storage::new(),
            files: pernet::Storage::new(),
            tables,
            claim: Claim::new(),
        }
    }

    /// The protocol of the sockets, to be compared: each socket of the family has it, and no other one.
    #[inline]
    pub(super) fn proto(&self) -> *const bindings::proto {
        self.proto.get()
    }

    /// The number that the family is registered with; zero before it was registered the first time.
    pub(super) fn number(&self) -> c_int {
        // SAFETY: The number is written before the family is registered, and whoever has a socket or
        // makes one comes after that.
        unsafe { (*self.family.get()).family }
    }

    /// # Safety
    ///
    /// Only the kernel may call it, as `net_proto_family::create` of the family of `T`.
    unsafe extern "C" fn create_callback(
        net: *mut bindings::net,
        socket: *mut bindings::socket,
        protocol: c_int,
        kern: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `socket()` runs in process context, with no lock held.
            let mut context = unsafe { Process::assume() };
            let request = Request {
                // SAFETY: The caller of `socket()` is in this namespace, which lives for the call.
                namespace: unsafe { Namespace::from_raw(net) },
                // SAFETY: The kernel lends a new `struct socket`, whose type is set.
                kind: c_int::from(unsafe { (*socket).type_ }),
                protocol,
                from_kernel: kern != 0,
            };
            let (table, state) = T::create(&request, &mut context)?;
            let family = T::FAMILY.get();
            if !family
                .tables
                .iter()
                .any(|known| core::ptr::eq(*known, table))
            {
                // Such a table has no family number: it was not given to `Family::new`.
                return Err(EPROTONOSUPPORT);
            }
            let number = family.number();
            // SAFETY: The namespace is alive, and the protocol is registered, since this is called.
            let sk = unsafe {
                bindings::sk_alloc(net, number, bindings::GFP_KERNEL, family.proto.get(), kern)
            };
            if sk.is_null() {
                return Err(ENOBUFS);
            }
            let object = sk.cast::<Object<T>>();
            // SAFETY: `sk_alloc` has allocated `obj_size` bytes, hence an `Object<T>`.
            let slot = unsafe { &raw mut (*object).state };
            // SAFETY: The slot is uninitialised memory for a `T`, which stays where it is.
            if let Err(error) = unsafe { pin_init::raw_try_init(slot, state) } {
                // SAFETY: The socket is ours and C has not seen it; `sk_destruct` is not set, so the
                // state, which does not exist, is not dropped.
                unsafe { bindings::sk_free(sk) };
                return Err(error);
            }
            // SAFETY: As for the state: memory for a `T::Queue` that nobody else uses.
            unsafe { (&raw mut (*object).queue).write(UnsafeCell::new(T::Queue::default())) };

            // From here on nothing may fail, see the documentation of `sock`.
            // SAFETY: The kernel lends the `struct socket`; the table lives in a `static`.
            unsafe { (*socket).ops = table.as_raw() };
            // SAFETY: Both objects are ours to connect.
            unsafe { bindings::sock_init_data(socket, sk) };
            if let Some(reported) = T::REPORTED_FAMILY {
                // SAFETY: The socket is ours until it is listed. What depends on the number that it was
                // allocated with, its lock classes and its security label, is done.
                unsafe { (*sk).__sk_common.skc_family = reported };
            }
            // SAFETY: The socket is ours until it is listed.
            unsafe { (*sk).sk_destruct = Some(Self::destruct_callback) };
            if kern != 0 {
                // A socket of the kernel would not keep its namespace, and with it our state, alive.
                // SAFETY: The socket was made with `kern` set, so it has no counted reference yet.
                unsafe { bindings::sk_net_refcnt_upgrade(sk) };
            }
            // SAFETY: The socket is initialised and has the reference that `sock_init_data` made.
            let sock = unsafe { Sock::<T>::from_raw(sk) };
            sock.siblings().add(sock, &mut context);
            T::start(sock, &mut context);
            Ok(0)
        })
    }

    /// Ends a socket: `proto_ops::release`.
    ///
    /// # Safety
    ///
    /// Only the kernel may call it, with a socket of this family, in process context.
    pub(super) unsafe extern "C" fn release_callback(socket: *mut bindings::socket) -> c_int {
        // SAFETY: The kernel lends the socket.
        let sk = unsafe { (*socket).sk };
        if sk.is_null() {
            return 0;
        }
        let sk = sk.cast::<bindings::sock>();
        // SAFETY: `release` runs in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        {
            // SAFETY: The `struct socket` owns a reference until the end of this function.
            let sock = unsafe { Sock::<T>::from_raw(sk) };
            sock.siblings().remove(sock, &mut context);
            T::release(sock, &mut context);
        }
        // SAFETY: The socket is valid; it loses its file here, so nobody is woken any more.
        unsafe { bindings::sock_orphan(sk) };
        // SAFETY: The kernel lends the socket.
        unsafe { (*socket).sk = core::ptr::null_mut() };
        // SAFETY: The socket is valid.
        unsafe { bindings::sock_purge(sk) };
        // SAFETY: The reference that the `struct socket` owned is given back, once.
        unsafe { bindings::sock_put(sk) };
        0
    }

    /// The last reference to a socket is gone: `sock::sk_destruct`. Process context or softirq.
    ///
    /// # Safety
    ///
    /// Only the kernel may call it, once for a socket that `create_callback` has made.
    unsafe extern "C" fn destruct_callback(sk: *mut bindings::sock) {
        // A hook that was running while the socket was closed may have queued a packet since.
        // SAFETY: The socket is valid until this function returns.
        unsafe { bindings::sock_purge(sk) };
        let object = sk.cast::<Object<T>>();
        // SAFETY: The state was initialised by `create_callback`, and nobody has a reference to it.
        unsafe { core::ptr::drop_in_place(&raw mut (*object).state) };
        // SAFETY: As for the state.
        unsafe { core::ptr::drop_in_place(&raw mut (*object).queue) };
    }
}

/// Passes notifications on to the family.
struct DeviceEvents<T: Protocol>(PhantomData<fn() -> T>);

impl<T: Protocol> notifier::Handler for DeviceEvents<T> {
    const BLOCK: StaticRef<notifier::Block<Self>> = StaticRef::new(&T::FAMILY.get().notifier);

    fn event(event: &notifier::Event<'_>, rtnl: &mut Rtnl<'_>) {
        let sockets = {
            let namespace = event.device().namespace(rtnl);
            // SAFETY: The notifier is registered after the per-namespace state and unregistered before
            // it, and a namespace has its state for as long as it has devices. The device keeps the
            // namespace until the callback returns.
            unsafe { Sockets::<T>::of(namespace.as_raw()) }
        };
        T::device_event(sockets, event, rtnl);
    }
}

/// The sockets of a family in one namespace, and what the family keeps for the namespace.
#[pin_data]
pub(crate) struct Sockets<T: Protocol> {
    #[pin]
    list: Mutex<List<T>>,
    #[pin]
    state: T::Namespace,
}

/// The head of a list of sockets that are linked by `sk_node`.
///
/// # Invariants
///
/// The list is well-formed, does not move once something is on it, and owns a reference of each socket
/// on it, which is a [`Sock<T>`].
struct List<T: Protocol> {
    head: UnsafeCell<bindings::hlist_head>,
    _socks: PhantomData<*const Sock<T>>,
}

// SAFETY: The sockets on the list may be used from any thread, and so may the head.
unsafe impl<T: Protocol> Send for List<T> {}

impl<T: Protocol> Sockets<T> {
    /// The sockets of a namespace.
    ///
    /// # Safety
    ///
    /// The namespace must have its state, and keep it until the last use of the result.
    unsafe fn of<'a>(net: *mut bindings::net) -> &'a Self {
        // SAFETY: The caller guarantees that the namespace is valid.
        let namespace = unsafe { Namespace::from_raw(net) };
        // SAFETY: The caller guarantees that the state exists.
        unsafe { T::FAMILY.namespaces.get(namespace) }
    }

    /// What the family keeps for the namespace.
    #[inline]
    pub(crate) fn state(&self) -> &T::Namespace {
        &self.state
    }

    /// Calls `visit` for one socket after another, the oldest first, until it returns something.
    ///
    /// The list is locked by a mutex all the time: a socket can be neither made nor closed. `visit` may
    /// sleep, but it must take neither RTNL nor the lock of a device: those are held by who comes here
    /// with a notification. So what must be done to a device (leave a membership) is returned, and done
    /// by the caller, who then asks for the next.
    pub(crate) fn find_map<C: SleepContext, R>(
        &self,
        context: &mut C,
        mut visit: impl FnMut(&Sock<T>, &mut C) -> Option<R>,
    ) -> Option<R> {
        let list = self.list.lock();
        // SAFETY: The list is well-formed, and locked.
        let mut sk = unsafe { bindings::sock_list_first(list.head.get()) };
        while !sk.is_null() {
            // SAFETY: The list owns a reference of each socket on it, and it is locked.
            if let Some(found) = visit(unsafe { Sock::from_raw(sk) }, context) {
                return Some(found);
            }
            // SAFETY: The socket is on the list, which is well-formed and locked.
            sk = unsafe { bindings::sock_list_next(sk) };
        }
        None
    }

    /// Calls `visit` for each socket, the oldest first. What is said at [`find_map`](Self::find_map)
    /// holds here too.
    pub(crate) fn for_each<C: SleepContext>(
        &self,
        context: &mut C,
        mut visit: impl FnMut(&Sock<T>, &mut C),
    ) {
        let _: Option<()> = self.find_map(context, |sock, context| {
            visit(sock, context);
            None
        });
    }

    fn add(&self, sock: &Sock<T>, _context: &mut Process<'_>) {
        {
            let list = self.list.lock();
            // SAFETY: The socket is valid and on no list, as it is new; the list is locked.
            unsafe { bindings::sock_list_add(sock.as_raw(), list.head.get()) };
        }
        // SAFETY: The socket is valid, and its protocol is registered.
        unsafe { bindings::sock_inuse(sock.as_raw(), 1) };
    }

    fn remove(&self, sock: &Sock<T>, _context: &mut Process<'_>) {
        {
            let _list = self.list.lock();
            // SAFETY: The socket is valid, and on this list since it was made; the list is locked. The
            // reference that the list owned is not the last one.
            unsafe { bindings::sock_list_del(sock.as_raw()) };
        }
        // SAFETY: The socket is valid, and its protocol is registered.
        unsafe { bindings::sock_inuse(sock.as_raw(), -1) };
    }
}

impl<T: Protocol> pernet::State for Sockets<T> {
    const STORAGE: StaticRef<pernet::Storage<Self>> = StaticRef::new(&T::FAMILY.get().namespaces);

    fn init(namespace: &Namespace) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            list <- new_mutex!(List {
                head: UnsafeCell::new(pin_init::zeroed()),
                _socks: PhantomData,
            }, "rnet::Sockets::list"),
            state <- T::Namespace::init(namespace),
        })
    }
}

/// The file in `/proc/net` that lists the sockets of a namespace.
///
/// It can be read as soon as it is there, and uses [`Sockets`]: so it is a state of its own, made after
/// that of the sockets and dropped before it.
struct Listing<T: Protocol> {
    _file: Option<procfs::NetFile>,
    _protocol: PhantomData<fn() -> T>,
}

impl<T: Protocol> pernet::State for Listing<T> {
    const STORAGE: StaticRef<pernet::Storage<Self>> = StaticRef::new(&T::FAMILY.get().files);

    fn init(namespace: &Namespace) -> impl PinInit<Self, Error> {
        try_init!(Self {
            _file: T::PROC_NAME
                // SAFETY: The state of a namespace is dropped before the namespace ends.
                .map(|name| unsafe { procfs::NetFile::new::<Self>(namespace, name) })
                .transpose()?,
            _protocol: PhantomData,
        }? Error)
    }
}

impl<T: Protocol> procfs::Show for Listing<T> {
    fn show(namespace: &Namespace, file: &SeqFile, context: &mut Process<'_>) {
        T::show_header(file);
        // SAFETY: The file is made after the state of the sockets and removed before it is dropped: see
        // `Registration`. A reader keeps the file until it has read.
        let sockets = unsafe { T::FAMILY.namespaces.get(namespace) };
        sockets.for_each(context, |sock, context| T::show(sock, file, context));
    }
}

/// A family that `socket()` finds, until this is dropped.
///
/// # Invariants
///
/// Family and protocol of `T` are registered, by this value alone.
#[must_use = "the family is unregistered when the registration is dropped"]
pub(crate) struct Registration<T: Protocol> {
    // In the order in which they are dropped.
    family: RegisteredFamily<T>,
    _protocol: RegisteredProtocol<T>,
    _notifier: notifier::Registration<DeviceEvents<T>>,
    _files: pernet::Registration<Listing<T>>,
    _namespaces: pernet::Registration<Sockets<T>>,
    _exclusive: Exclusive<T>,
}

impl<T: Protocol> Registration<T> {
    /// Registers the family of `T` under `number`, for `module`. Process context; takes RTNL.
    ///
    /// Sockets can be made as soon as this returns, even before: it must be the last step of the
    /// module's initialisation, since a module that fails to initialise is freed whether it has sockets
    /// or not.
    ///
    /// Fails with `EINVAL` unless `number` is between 1 and 45, with `EEXIST` when the number has an
    /// owner, with `EBUSY` when the family is registered already, and with the errors of
    /// [`NamespaceState::init`].
    pub(crate) fn new(module: &'static ThisModule, number: c_int) -> Result<Self> {
        // `sock_register()` checks the upper bound only.
        if !(1..bindings::AF_MAX as c_int).contains(&number) {
            return Err(EINVAL);
        }
        let exclusive = Exclusive::<T>::new()?;
        let family = T::FAMILY.get();
        for table in family.tables {
            // SAFETY: The family is not registered, so nobody uses its tables.
            unsafe { table.prepare(module, number) };
        }
        let namespaces = pernet::Registration::new()?;
        let files = pernet::Registration::new()?;
        let notifier = notifier::Registration::new()?;
        let protocol = RegisteredProtocol::new(module, &exclusive)?;
        let family = RegisteredFamily::new(module, number, &protocol)?;
        Ok(Self {
            family,
            _protocol: protocol,
            _notifier: notifier,
            _files: files,
            _namespaces: namespaces,
            _exclusive: exclusive,
        })
    }

    /// The number that the family is registered under.
    pub(crate) fn number(&self) -> c_int {
        self.family.number
    }
}

/// The right to write to the `static` of a family.
///
/// # Invariants
///
/// At most one value exists for each `T`.
struct Exclusive<T: Protocol>(PhantomData<fn() -> T>);

impl<T: Protocol> Exclusive<T> {
    fn new() -> Result<Self> {
        if !T::FAMILY.claim.take() {
            return Err(EBUSY);
        }
        // INVARIANT: The claim was free.
        Ok(Self(PhantomData))
    }
}

impl<T: Protocol> Drop for Exclusive<T> {
    fn drop(&mut self) {
        T::FAMILY.claim.give_back();
    }
}

/// # Invariants
///
/// The protocol of `T` is registered.
struct RegisteredProtocol<T: Protocol>(PhantomData<fn() -> T>);

impl<T: Protocol> RegisteredProtocol<T> {
    fn new(module: &'static ThisModule, _exclusive: &Exclusive<T>) -> Result<Self> {
        let proto = T::FAMILY.proto.get();
        // SAFETY: The protocol is not registered, and the caller has the right to write to it.
        unsafe { *proto = pin_init::zeroed() };
        // SAFETY: As above.
        unsafe { (*proto).owner = module.as_ptr() };
        // SAFETY: As above.
        unsafe { (*proto).obj_size = size_of::<Object<T>>() as c_uint };
        // SAFETY: As above.
        let name = unsafe { &mut (*proto).name };
        // The last byte stays zero.
        for (to, from) in name.iter_mut().take(31).zip(T::NAME.to_bytes()) {
            // CAST: `char` is a byte, with or without a sign.
            *to = *from as c_char;
        }
        // SAFETY: The protocol is complete and lives in a `static` until it is unregistered. Without
        // a slab cache of its own, its objects come from `kmalloc()`.
        to_result(unsafe { bindings::proto_register(proto, 0) })?;
        // INVARIANT: It was just registered.
        Ok(Self(PhantomData))
    }
}

impl<T: Protocol> Drop for RegisteredProtocol<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the protocol is registered. No socket of it exists: each one
        // holds the module, and the family is unregistered already.
        unsafe { bindings::proto_unregister(T::FAMILY.proto.get()) };
    }
}

/// # Invariants
///
/// The family of `T` is registered under `number`.
struct RegisteredFamily<T: Protocol> {
    number: c_int,
    _family: PhantomData<fn() -> T>,
}

impl<T: Protocol> RegisteredFamily<T> {
    fn new(
        module: &'static ThisModule,
        number: c_int,
        _protocol: &RegisteredProtocol<T>,
    ) -> Result<Self> {
        let family = T::FAMILY.family.get();
        let ops = bindings::net_proto_family {
            family: number,
            create: Some(Family::<T>::create_callback),
            owner: module.as_ptr(),
        };
        // SAFETY: The family is not registered, so nobody reads it.
        unsafe { *family = ops };
        // SAFETY: The family is complete and lives in a `static` until it is unregistered; its number
        // is in range, as `Registration::new` has checked.
        to_result(unsafe { bindings::sock_register(family) })?;
        // INVARIANT: It was just registered.
        Ok(Self {
            number,
            _family: PhantomData,
        })
    }
}

impl<T: Protocol> Drop for RegisteredFamily<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the family is registered under this number.
        unsafe { bindings::sock_unregister(self.number) };
        // The last reference to a socket may have been given back by an RCU callback of
        // `packet_type`, whose code is in this module: it must have returned.
        kernel::sync::rcu::rcu_barrier();
    }
}
