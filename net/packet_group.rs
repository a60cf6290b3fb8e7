// SPDX-License-Identifier: GPL-2.0

//! Groups of sockets that share one packet hook: each packet goes to one of them.
//!
//! ```text
//!             Group::enter(resting hook)         Seated::leave()
//!     socket ---------------------------> Seated ---------------> Detached: after a grace period
//!                                           |                     nobody finds the socket there
//!                                           v
//!     hook of the group -> row of places -> Chooser::receive() -> Handler::receive() of one socket
//! ```
//!
//! A packet finds the group by its hook, and a socket by a place in the group: nothing is looked up,
//! nothing is locked, no count is changed. So a socket that gave up its place must stay for a grace
//! period. What waits for that is the socket's own hook, which it does not need meanwhile: a member lends
//! it to the group as a [`Detached`] one, and gets it back as one. Hence nothing has to be allocated when
//! sockets come and go, and none of it can fail.
//!
//! The group's own hook is on a list while a place is taken. It needs a grace period, too, before it may
//! be put on a list again: [`Group::enter`] refuses until then.
//!
//! # To have groups
//!
//! 1. Implement [`Chooser`] for what a group has to know, with the family's [`Protocol`] as its member.
//! 2. Keep the [`Group`]s where sockets find them, for each namespace
//!    ([`Protocol::Namespace`]), under a mutex.
//! 3. A socket that is to be given packets by the group takes its own hook off its list, and
//!    [enters](Group::enter). It does so under the lock that guards its binding.
//! 4. When its device goes away, and when it is released, it [leaves](Seated::leave).
//! 5. When the last member is gone for good, call [`Group::end`]: the hook of a group has a reference to
//!    it until a grace period has passed.

use crate::{
    bindings,
    ext::lock::TaskLock,
    net::{
        context::{
            BottomHalf,
            TaskContext, //
        },
        device::Device,
        namespace::Namespace,
        packet_type::{
            Detached,
            Handler,
            Hooked,
            Idle,
            IsSender,
            Match,
            Received,
            Receiver, //
        },
        places::Places,
        sock::{
            Object,
            Protocol,
            Sock, //
        },
    },
};
use core::{
    marker::PhantomData,
    num::NonZeroU32,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    new_spinlock,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::Atomic,
        Refcount, //
    }, //
};

/// What a group knows beside its members, and how it chooses one.
///
/// It may be dropped in a softirq, so its `Drop` must not sleep.
pub(crate) trait Chooser: Sized + Send + Sync + 'static {
    /// The protocol of the sockets.
    type Member: Handler;

    /// A packet has come that the hook of the group is for. Softirq, or bottom halves off.
    ///
    /// It is called for packets of the group's namespace only, and not for packets that
    /// [`has_sent`](Self::has_sent) is true for. [`Handler::receive`] of the chosen member is for this
    /// function to call.
    fn receive(
        group: &Group<Self>,
        members: Members<'_, Self::Member>,
        packet: Received<'_>,
        bottom_half: &mut BottomHalf<'_>,
    );

    /// Whether the group is not to see what the socket with this state sends: it is a member. Any
    /// context; nothing keeps the socket from joining or being closed meanwhile.
    fn has_sent(group: &Group<Self>, sender: &Self::Member) -> bool;
}

/// A group of sockets, with counted references. It dereferences to what its [`Chooser`] knows.
#[pin_data]
pub(crate) struct Group<G: Chooser> {
    references: Refcount,
    /// The address of the namespace, which is compared only.
    namespace: usize,
    /// Each taken place has the address of a socket.
    ///
    /// # Invariants
    ///
    /// A reference to that socket is owned by a [`Detached`] whose cookie is renewed after the address
    /// was removed.
    places: Places<KVVec<Atomic<usize>>>,
    /// Guards the hook, and who changes the places.
    #[pin]
    hook: TaskLock<Hook<G>>,
    #[pin]
    chooser: G,
}

/// The hook of a group.
///
/// # Invariants
///
/// It is `Hooked` exactly while a place is taken.
enum Hook<G: Chooser> {
    Idle(Idle),
    Hooked(Hooked<Group<G>>),
    Detached(Detached<Group<G>>),
    /// The group has ended.
    Ended,
}

// SAFETY: The count is not zero until the last reference is given back.
unsafe impl<G: Chooser> AlwaysRefCounted for Group<G> {
    #[inline]
    fn inc_ref(&self) {
        self.references.inc();
    }

    #[inline]
    unsafe fn dec_ref(group: NonNull<Self>) {
        // SAFETY: The caller owns a count and gives it up, so the group is valid until here.
        if unsafe { group.as_ref() }.references.dec_and_test() {
            // SAFETY: It was made from a box by `new`, and that was the last reference.
            drop(unsafe { KBox::from_raw(group.as_ptr()) });
        }
    }
}

impl<G: Chooser> Deref for Group<G> {
    type Target = G;

    #[inline]
    fn deref(&self) -> &G {
        &self.chooser
    }
}

impl<G: Chooser> Group<G> {
    /// Makes a group in `namespace`, with so many places. Process context.
    ///
    /// Fails with `ENOMEM`, or as `chooser` does.
    pub(crate) fn new(
        namespace: &Namespace,
        places: u32,
        chooser: impl PinInit<G, Error>,
    ) -> Result<ARef<Self>> {
        // CAST: `usize` has at least 32 bits.
        let mut memory = KVVec::with_capacity(places as usize, GFP_KERNEL)?;
        for _ in 0..places {
            memory.push(Atomic::new(0), GFP_KERNEL)?;
        }
        let hook = Idle::new(GFP_KERNEL)?;
        let group = KBox::try_pin_init(
            try_pin_init!(Self {
                references: Refcount::new(1),
                namespace: namespace.as_raw().addr(),
                // INVARIANT: All places are free, and the hook is idle.
                places: Places::new(memory),
                hook <- TaskLock::new(new_spinlock!(Hook::Idle(hook), "rnet::Group::hook")),
                chooser <- chooser,
            }? Error),
            GFP_KERNEL,
        )?;
        // SAFETY: The group stays where it is: only `dec_ref` makes the box again.
        let group = KBox::leak(unsafe { Pin::into_inner_unchecked(group) });
        // SAFETY: The count is one, and it is ours to give away.
        Ok(unsafe { ARef::from_raw(NonNull::from(group)) })
    }

    /// Gives a place to the socket that `own` is the hook of. The first one puts the hook of the group on
    /// the list that `packets` says. Does not sleep.
    ///
    /// `own` comes back if that is refused: the hook of the group must rest for a grace period, or all
    /// places are taken. In the first case it is enough to wait for that of `own`. It is refused for ever
    /// in a group that has ended, and to a socket of another namespace.
    pub(crate) fn enter<C: TaskContext>(
        &self,
        mut own: Detached<Sock<G::Member>>,
        packets: Match<'_>,
        context: &mut C,
    ) -> Result<Seated<G>, Detached<Sock<G::Member>>> {
        let mut hook = self.hook.lock(context);
        if own.receiver().namespace().as_raw().addr() != self.namespace {
            return Err(own);
        }
        let idle = match core::mem::replace(&mut *hook, Hook::Ended) {
            Hook::Idle(idle) => Some(idle),
            Hook::Detached(detached) => match detached.try_reclaim() {
                Ok(idle) => Some(idle),
                Err(detached) => {
                    *hook = Hook::Detached(detached);
                    // It was taken out of its list before this.
                    own.renew();
                    return Err(own);
                }
            },
            Hook::Hooked(hooked) => {
                *hook = Hook::Hooked(hooked);
                None
            }
            Hook::Ended => return Err(own),
        };
        let word = core::ptr::from_ref(own.receiver()).expose_provenance();
        // INVARIANT: `own` has a reference to the socket, and is kept until the place is given up.
        let entered = self.places.push(word).is_ok();
        if let Some(idle) = idle {
            *hook = if entered {
                // SAFETY: The hook is removed when the last place is given up, before the reference to
                // the socket that had it is, which keeps the namespace.
                Hook::Hooked(unsafe {
                    idle.hook_for(self, own.receiver().namespace(), packets, &hook)
                })
            } else {
                Hook::Idle(idle)
            };
        }
        if !entered {
            return Err(own);
        }
        // INVARIANT: The socket was just given a place.
        Ok(Seated {
            group: ARef::from(self),
            own: Some(own),
        })
    }

    /// Takes the place of a socket away.
    fn remove<C: TaskContext>(
        &self,
        mut own: Detached<Sock<G::Member>>,
        context: &mut C,
    ) -> Detached<Sock<G::Member>> {
        let mut hook = self.hook.lock(context);
        let word = core::ptr::from_ref(own.receiver()).addr();
        if self.places.remove(word) == Some(true) {
            *hook = match core::mem::replace(&mut *hook, Hook::Ended) {
                Hook::Hooked(hooked) => Hook::Detached(hooked.unhook(&hook)),
                other => other,
            };
        }
        // INVARIANT: Who begins to look for a member from now on does not find this one.
        own.renew();
        own
    }

    /// The group has no members any more, and will not have any: gives up what refers to it. If places
    /// are taken, the hook stays, and this must be called again.
    pub(crate) fn end<C: TaskContext>(&self, context: &mut C) {
        let mut hook = self.hook.lock(context);
        let old = match core::mem::replace(&mut *hook, Hook::Ended) {
            Hook::Hooked(hooked) => {
                *hook = Hook::Hooked(hooked);
                None
            }
            other => Some(other),
        };
        drop(hook);
        // The caller has another reference to the group.
        drop(old);
    }

    /// `packet_type::id_match` of the hook.
    ///
    /// # Safety
    ///
    /// Only the kernel may call it, with the hook of a group of this type, and a socket of any family
    /// that is valid for the call.
    unsafe extern "C" fn is_sender(
        packet_type: *mut bindings::packet_type,
        sk: *mut bindings::sock,
    ) -> bool {
        // The protocol is in the part that sockets of all kinds have, small ones too.
        // SAFETY: The socket is valid for the call.
        let proto = unsafe { (*sk).__sk_common.skc_prot };
        if !core::ptr::eq(proto, <G::Member as Protocol>::FAMILY.get().proto()) {
            return false;
        }
        // The sender may be closed, with this packet as all that keeps it: its count may be zero. So it
        // is not a `Sock`. The state is dropped only when that is gone, too.
        // SAFETY: A socket of this protocol is such an object.
        let sender = unsafe { &(*sk.cast::<Object<G::Member>>()).state };
        // SAFETY: The hook is valid for the call.
        let group = unsafe { (*packet_type).af_packet_priv };
        // SAFETY: The hook has a reference to its group.
        G::has_sent(unsafe { &*group.cast::<Self>() }, sender)
    }
}

impl<G: Chooser> Receiver for Group<G> {
    const IS_SENDER: Option<IsSender> = Some(Self::is_sender);

    #[inline(always)]
    fn hears(&self, device: &Device) -> bool {
        device.namespace_address() == self.namespace
    }

    #[inline(always)]
    fn receive(&self, packet: Received<'_>, bottom_half: &mut BottomHalf<'_>) {
        let Some(taken) = NonZeroU32::new(self.places.taken()) else {
            // The last one has just left. The packet goes on its way.
            return;
        };
        let members = Members {
            places: &self.places,
            taken,
            _socks: PhantomData,
        };
        G::receive(self, members, packet, bottom_half);
    }
}

/// A place in a group. Dropping it gives it up, as [`Seated::leave`] does, and must be done where that may
/// be called: a drop takes no token.
///
/// # Invariants
///
/// Until the drop `own` is `Some`, and its socket has a place in the group, of its own if it has several.
#[must_use = "the place is given up when this is dropped"]
pub(crate) struct Seated<G: Chooser> {
    group: ARef<Group<G>>,
    own: Option<Detached<Sock<G::Member>>>,
}

impl<G: Chooser> Seated<G> {
    /// Gives the place up. Does not sleep.
    ///
    /// The hook of the socket comes back: after a grace period nobody finds the socket in its place.
    pub(crate) fn leave<C: TaskContext>(
        mut self,
        context: &mut C,
    ) -> Option<Detached<Sock<G::Member>>> {
        let own = self.own.take()?;
        Some(self.group.remove(own, context))
    }

    /// The group.
    pub(crate) fn group(&self) -> &ARef<Group<G>> {
        &self.group
    }
}

impl<G: Chooser> Drop for Seated<G> {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            drop(self.group.remove(own, &mut Dropping));
        }
    }
}

/// Whoever drops a [`Seated`] does so where a lock of tasks may be taken, as its documentation says.
struct Dropping;

// SAFETY: It is made in that drop only.
unsafe impl TaskContext for Dropping {}

/// The members of a group that have a place, as a packet finds them.
pub(crate) struct Members<'a, T: Protocol> {
    places: &'a Places<KVVec<Atomic<usize>>>,
    taken: NonZeroU32,
    _socks: PhantomData<&'a Sock<T>>,
}

impl<'a, T: Protocol> Members<'a, T> {
    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> NonZeroU32 {
        self.taken
    }

    /// The member in the place `index`, which exists if that is below [`len`](Self::len).
    ///
    /// If one leaves at this moment, it may be found in two places, or once more.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&'a Sock<T>> {
        if index >= self.taken.get() {
            return None;
        }
        let word = self.places.get(index)?;
        let sk = core::ptr::with_exposed_provenance_mut::<bindings::sock>(word);
        // SAFETY: By the invariant of the places a reference to the socket is owned until a grace period
        // after it was removed. This value exists while a packet is delivered, which is an RCU read
        // section, and it has read how many there are in that.
        Some(unsafe { Sock::from_raw(sk) })
    }
}
