// SPDX-License-Identifier: GPL-2.0

//! What the KUnit tests of the driver side work with: [`Probe`], a driver that notes what the layer
//! does to it, and in which order; and [`Interface`], which uses a driver as a user does.

use crate::{
    bindings,
    ext::{
        bound,
        irq, //
    },
    net::{
        driver::{
            Config,
            Device,
            Events,
            Interrupt,
            Locked,
            Operations,
            Parts,
            Quiet,
            Registration,
            RxMode,
            Timer, //
        },
        napi::{
            Poll,
            Verdict, //
        },
        queue::{
            TxQueue,
            Xmit, //
        },
        skbuff::{
            DropReason,
            SkBuff, //
        },
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLockIrq, //
    },
};

pub(crate) const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x39];

/// An Ethernet type that nobody handles.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

/// Deferred work of [`Probe`].
pub(crate) const RESTART: Events = Events::bit::<0>();
pub(crate) const DETACH: Events = Events::bit::<1>();

/// What has happened, in its order. Noted in any context.
#[pin_data]
pub(crate) struct Log {
    #[pin]
    entries: SpinLockIrq<(usize, [&'static str; 32])>,
}

impl Log {
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Log {
                entries <- new_spinlock_irq!((0, [""; 32])),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn note(&self, what: &'static str) {
        let mut entries = self.entries.lock();
        let at = entries.0;
        if let Some(entry) = entries.1.get_mut(at) {
            *entry = what;
            entries.0 = at.wrapping_add(1);
        }
    }

    /// Whether exactly `expected` has happened since the last call.
    pub(crate) fn was(&self, expected: &[&str]) -> bool {
        let mut entries = self.entries.lock();
        let noted = entries.1.get(..entries.0).unwrap_or_default();
        let same = noted == expected;
        if !same {
            pr_err!("noted {:?}, expected {:?}\n", noted, expected);
        }
        entries.0 = 0;
        same
    }

    pub(crate) fn forget(&self) {
        self.entries.lock().0 = 0;
    }

    pub(crate) fn contains(&self, what: &str) -> bool {
        let entries = self.entries.lock();
        entries.1.iter().take(entries.0).any(|entry| *entry == what)
    }
}

/// Notes that it was dropped.
pub(crate) struct Dropped(Arc<Log>, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A driver that notes what happens to it, and fails when told to.
pub(crate) struct Probe {
    log: Arc<Log>,
    pub(crate) fail_open: Atomic<bool>,
    pub(crate) fail_start: Atomic<bool>,
    pub(crate) work: Atomic<u32>,
    /// The number of multicast addresses that the filter was last set for.
    pub(crate) groups: Atomic<u32>,
    /// How many slots the first poll could take, and its budget.
    pub(crate) polled: Atomic<u32>,
    pub(crate) budget: Atomic<u32>,
    pub(crate) ticks: Atomic<u32>,
    /// What was last set by `ethtool`.
    pub(crate) setting: Atomic<u32>,
    _dropped: Dropped,
}

impl Probe {
    fn new(log: &Arc<Log>) -> Self {
        Self {
            log: log.clone(),
            fail_open: Atomic::new(false),
            fail_start: Atomic::new(false),
            work: Atomic::new(0),
            groups: Atomic::new(0),
            polled: Atomic::new(0),
            budget: Atomic::new(0),
            ticks: Atomic::new(0),
            setting: Atomic::new(0),
            _dropped: Dropped(log.clone(), "drop data"),
        }
    }
}

#[vtable]
impl Operations for Probe {
    type Up = Dropped;
    type Rx = Dropped;
    type Tx = Dropped;
    type Ethtool = Self;

    fn open(
        &self,
        _cx: &mut Locked<'_, Self>,
    ) -> Result<Parts<impl PinInit<Dropped, Error>, Dropped, Dropped>> {
        self.log.note("open");
        let part = |what| Dropped(self.log.clone(), what);
        // The parts that are made first are dropped when the last one fails.
        let (rx, tx) = (part("drop rx"), part("drop tx"));
        if self.fail_open.load(Relaxed) {
            return Err(ENOMEM);
        }
        Ok(Parts {
            up: Ok(part("drop up")),
            rx,
            tx,
        })
    }

    fn start(&self, _quiet: Quiet<'_, Self>) -> Result {
        self.log.note("start");
        if self.fail_start.load(Relaxed) {
            return Err(EIO);
        }
        Ok(())
    }

    fn stop(&self, _quiet: Quiet<'_, Self>) {
        self.log.note("stop");
    }

    fn mask(&self, _up: &Dropped) {
        self.log.note("mask");
    }

    fn unmask(&self, _up: &Dropped) {
        self.log.note("unmask");
    }

    fn interrupt(&self, _up: &Dropped, _irq: &Interrupt<'_, Self>) -> irq::Return {
        irq::Return::None
    }

    fn poll(&self, _up: &Dropped, _rx: &mut Dropped, napi: &mut Poll<'_, Self>) -> Verdict {
        if self.polled.load(Relaxed) != 0 {
            self.log.note("poll again");
            return Verdict::Done;
        }
        self.log.note("poll");
        self.budget.store(napi.remaining(), Relaxed);
        while let Some(slot) = napi.slot() {
            slot.skip();
        }
        self.polled.store(napi.received(), Relaxed);
        // Wrong: the budget is used up. The layer knows better.
        Verdict::Done
    }

    fn start_xmit(
        &self,
        _up: &Dropped,
        _tx: &mut Dropped,
        _queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        self.log.note("xmit");
        Xmit::Dropped(skb, DropReason::NotSpecified)
    }

    fn tick_ms(&self) -> u32 {
        100
    }

    fn tick(&self, _up: &Dropped, _cx: &Timer<'_, Self>) {
        self.ticks.add(1, Relaxed);
    }

    fn work(&self, cx: &mut Locked<'_, Self>, _up: &Dropped, events: Events) {
        if events.contains(RESTART) && cx.restart().is_err() {
            self.log.note("restart failed");
        }
        if events.contains(DETACH) {
            cx.detach();
        }
        self.work.add(1, Relaxed);
    }

    fn set_rx_mode(&self, cx: &mut Locked<'_, Self>, _up: &Dropped, mode: &RxMode<'_>) -> Result {
        let multicast = mode.multicast();
        let expected = multicast.len();
        let found = multicast.filter(|mac| mac[0] & 1 == 1).count();
        if found == expected {
            self.groups.store(found as u32, Relaxed);
        }
        if mode.all_multicast() {
            cx.schedule_work(RESTART);
        }
        if mode.promiscuous() {
            cx.schedule_work(DETACH);
        }
        Ok(())
    }
}

/// A registered interface of `T`, brought up and down as by a user.
pub(crate) struct Interface<T: Operations + 'static>(
    pub(crate) Pin<KBox<Registration<'static, T>>>,
);

impl<T: Operations + 'static> Interface<T> {
    pub(crate) fn new(recipe: impl bound::Init<Registration<'static, T>>) -> Result<Self> {
        // SAFETY: The value borrows nothing, and is dropped by its test.
        let init = unsafe { recipe.into_init() };
        let this = Self(KBox::pin_init(init, GFP_KERNEL)?);
        // IPv6 would send frames of its own.
        //
        // SAFETY: The interface is down; the flag is looked at when it goes up.
        unsafe { bindings::netdev_add_priv_flags(this.raw(), IFF_NO_ADDRCONF) };
        Ok(this)
    }

    pub(crate) fn dev(&self) -> &Device<T> {
        self.0.device()
    }

    pub(crate) fn raw(&self) -> *mut bindings::net_device {
        self.dev().as_raw()
    }

    pub(crate) fn with_rtnl<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: The test is in process context and does not hold the lock.
        unsafe { bindings::rtnl_lock() };
        let result = f();
        // SAFETY: Taken above.
        unsafe { bindings::rtnl_unlock() };
        result
    }

    pub(crate) fn up(&self) -> Result {
        // SAFETY: RTNL is held, the device is registered.
        to_result(
            self.with_rtnl(|| unsafe { bindings::dev_open(self.raw(), core::ptr::null_mut()) }),
        )
    }

    pub(crate) fn down(&self) {
        // SAFETY: RTNL is held, the device is registered.
        self.with_rtnl(|| unsafe { bindings::dev_close(self.raw()) });
    }

    /// Calls `f` with the ethtool callbacks, under the instance lock.
    pub(crate) fn with_ethtool<R>(&self, f: impl FnOnce(&bindings::ethtool_ops) -> R) -> R {
        // SAFETY: The device is valid, and the test does not hold the lock.
        unsafe { bindings::netdev_lock(self.raw()) };
        // SAFETY: The table is static.
        let result = f(unsafe { &*(*self.raw()).ethtool_ops });
        // SAFETY: Taken above.
        unsafe { bindings::netdev_unlock(self.raw()) };
        result
    }

    /// Sends a frame of `len` bytes, past the queueing discipline.
    pub(crate) fn send(&self, len: u32) -> Result<c_int> {
        // SAFETY: The device is valid.
        let skb =
            unsafe { bindings::__netdev_alloc_skb(self.raw().cast(), len, bindings::GFP_KERNEL) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The packet has room for `len` bytes.
        let data = unsafe { bindings::skb_put(skb.as_ptr(), len) };
        // SAFETY: The bytes were added just now.
        let data =
            unsafe { core::slice::from_raw_parts_mut(data.cast::<u8>(), usize::try_from(len)?) };
        data.fill(0);
        let header = [&[0xff; 6][..], &MAC, &ETHERTYPE];
        for (to, from) in data.iter_mut().zip(header.into_iter().flatten()) {
            *to = *from;
        }
        // SAFETY: The call takes the packet if the result is not that the queue was busy.
        let result = unsafe { bindings::__dev_direct_xmit(skb.as_ptr(), 0) };
        if result == bindings::netdev_tx_NETDEV_TX_BUSY {
            // SAFETY: The packet is still ours.
            drop(unsafe { SkBuff::from_raw(skb) });
        }
        Ok(result)
    }

    pub(crate) fn stats(&self) -> bindings::rtnl_link_stats64 {
        let mut stats = pin_init::zeroed();
        // SAFETY: The device is registered, and `stats` may be written.
        unsafe { bindings::dev_get_stats(self.raw(), &mut stats) };
        stats
    }
}

/// `IFF_NO_ADDRCONF` of linux/netdevice.h.
const IFF_NO_ADDRCONF: u32 = bindings::netdev_priv_flags_IFF_NO_ADDRCONF;

/// Waits up to two seconds for `condition`.
pub(crate) fn eventually(condition: impl FnMut() -> bool) -> bool {
    within(2, condition)
}

/// Waits up to so many seconds for `condition`.
pub(crate) fn within(seconds: u32, mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..seconds.saturating_mul(100) {
        if condition() {
            return true;
        }
        kernel::time::delay::fsleep(kernel::time::Delta::from_millis(10));
    }
    condition()
}

pub(crate) fn probe(log: &Arc<Log>) -> Result<Interface<Probe>> {
    Interface::new(Registration::without_parent(
        Config::new(Some(MAC)),
        Ok(Probe::new(log)),
    ))
}
