// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the driver side.
//!
//! It is compiled into one module only, by its crate root, since a suite has one name.
//!
//! The suite runs [`Echo`], the example of a driver, and [`Probe`], which notes what the
//! layer does to it, in which order.

use crate::{
    bindings,
    driver_example::Echo,
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
            RxMode, //
        },
        ethtool,
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
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SpinLock, //
    },
};

const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x39];

/// An Ethernet type that nobody handles.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

/// Deferred work of [`Probe`].
const RESTART: Events = Events::bit::<0>();
const DETACH: Events = Events::bit::<1>();

/// What has happened, in its order.
#[pin_data]
struct Log {
    #[pin]
    entries: SpinLock<(usize, [&'static str; 32])>,
}

impl Log {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Log {
                entries <- new_spinlock!((0, [""; 32])),
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
    fn was(&self, expected: &[&str]) -> bool {
        let mut entries = self.entries.lock();
        let noted = entries.1.get(..entries.0).unwrap_or_default();
        let same = noted == expected;
        if !same {
            pr_err!("noted {:?}, expected {:?}\n", noted, expected);
        }
        entries.0 = 0;
        same
    }

    fn contains(&self, what: &str) -> bool {
        let entries = self.entries.lock();
        entries.1.iter().take(entries.0).any(|entry| *entry == what)
    }
}

/// Notes that it was dropped.
struct Dropped(Arc<Log>, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A driver that notes what happens to it, and fails when told to.
struct Probe {
    log: Arc<Log>,
    fail_open: Atomic<bool>,
    fail_start: Atomic<bool>,
    work: Atomic<u32>,
    /// The number of multicast addresses that the filter was last set for.
    groups: Atomic<u32>,
    /// How many slots the first poll could take, and its budget.
    polled: Atomic<u32>,
    budget: Atomic<u32>,
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
            _dropped: Dropped(log.clone(), "drop data"),
        }
    }
}

#[vtable]
impl Operations for Probe {
    type Up = Dropped;
    type Rx = Dropped;
    type Tx = Dropped;
    type Ethtool = ethtool::Nothing;

    fn open(
        &self,
        _cx: &Locked<'_, Self>,
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

    fn work(&self, cx: &Locked<'_, Self>, _up: &Dropped, events: Events) {
        if events.contains(RESTART) && cx.restart().is_err() {
            self.log.note("restart failed");
        }
        if events.contains(DETACH) {
            cx.detach();
        }
        self.work.add(1, Relaxed);
    }

    fn set_rx_mode(&self, cx: &Locked<'_, Self>, _up: &Dropped, mode: &RxMode<'_>) -> Result {
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
struct Interface<T: Operations + 'static>(Pin<KBox<Registration<'static, T>>>);

impl<T: Operations + 'static> Interface<T> {
    fn new(recipe: impl bound::Init<Registration<'static, T>>) -> Result<Self> {
        // SAFETY: The value borrows nothing, and is dropped by its test.
        let init = unsafe { recipe.into_init() };
        let this = Self(KBox::pin_init(init, GFP_KERNEL)?);
        // IPv6 would send frames of its own.
        //
        // SAFETY: The interface is down; the flag is looked at when it goes up.
        unsafe { bindings::netdev_add_priv_flags(this.raw(), IFF_NO_ADDRCONF) };
        Ok(this)
    }

    fn dev(&self) -> &Device<T> {
        self.0.device()
    }

    fn raw(&self) -> *mut bindings::net_device {
        self.dev().as_raw()
    }

    fn with_rtnl<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: The test is in process context and does not hold the lock.
        unsafe { bindings::rtnl_lock() };
        let result = f();
        // SAFETY: Taken above.
        unsafe { bindings::rtnl_unlock() };
        result
    }

    fn up(&self) -> Result {
        // SAFETY: RTNL is held, the device is registered.
        to_result(
            self.with_rtnl(|| unsafe { bindings::dev_open(self.raw(), core::ptr::null_mut()) }),
        )
    }

    fn down(&self) {
        // SAFETY: RTNL is held, the device is registered.
        self.with_rtnl(|| unsafe { bindings::dev_close(self.raw()) });
    }

    /// Sends a frame of `len` bytes, past the queueing discipline.
    fn send(&self, len: u32) -> Result<c_int> {
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

    fn stats(&self) -> bindings::rtnl_link_stats64 {
        let mut stats = pin_init::zeroed();
        // SAFETY: The device is registered, and `stats` may be written.
        unsafe { bindings::dev_get_stats(self.raw(), &mut stats) };
        stats
    }
}

/// `IFF_NO_ADDRCONF` of linux/netdevice.h.
const IFF_NO_ADDRCONF: u32 = bindings::netdev_priv_flags_IFF_NO_ADDRCONF;

/// Waits up to two seconds for `condition`.
fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    for _ in 0..200 {
        if condition() {
            return true;
        }
        kernel::time::delay::fsleep(kernel::time::Delta::from_millis(10));
    }
    condition()
}

fn probe(log: &Arc<Log>) -> Result<Interface<Probe>> {
    Interface::new(Registration::without_parent(
        Config::new(Some(MAC)),
        Ok(Probe::new(log)),
    ))
}

#[kunit_tests(rnet_driver)]
mod tests {
    use super::*;

    const OPENED: [&str; 3] = ["open", "start", "unmask"];
    const CLOSED: [&str; 5] = ["mask", "stop", "drop tx", "drop rx", "drop up"];

    #[test]
    fn what_is_made_up_is_dropped_down_in_order() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        assert!(log.was(&[]));
        for _ in 0..2 {
            interface.up()?;
            assert!(log.was(&OPENED));
            interface.down();
            assert!(log.was(&CLOSED));
        }
        drop(interface);
        assert!(log.was(&["drop data"]));
        Ok(())
    }

    #[test]
    fn removal_closes_first() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        drop(interface);
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up", "drop data"]));
        Ok(())
    }

    #[test]
    fn failed_open_leaves_nothing() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();

        private.fail_open.store(true, Relaxed);
        assert!(interface.up() == Err(ENOMEM));
        assert!(log.was(&["open", "drop tx", "drop rx"]));
        assert!(!interface.dev().is_running());
        private.fail_open.store(false, Relaxed);

        private.fail_start.store(true, Relaxed);
        assert!(interface.up() == Err(EIO));
        assert!(log.was(&["open", "start", "drop tx", "drop rx", "drop up"]));
        assert!(!interface.dev().is_running());
        private.fail_start.store(false, Relaxed);

        interface.up()?;
        assert!(log.was(&OPENED));
        Ok(())
    }

    #[test]
    fn deferred_work_restarts() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(log.was(&OPENED));
        // SAFETY: RTNL is held.
        to_result(
            interface.with_rtnl(|| unsafe { bindings::dev_set_allmulti(interface.raw(), 1) }),
        )?;
        assert!(eventually(|| private.work.load(Relaxed) == 1));
        assert!(log.was(&["mask", "stop", "start", "unmask"]));

        // A restart that fails leaves the interface up and halted; the next one starts it.
        private.fail_start.store(true, Relaxed);
        let again = || {
            // SAFETY: RTNL is held.
            interface.with_rtnl(|| unsafe {
                bindings::dev_set_allmulti(interface.raw(), -1);
                bindings::dev_set_allmulti(interface.raw(), 1)
            })
        };
        to_result(again())?;
        assert!(eventually(|| private.work.load(Relaxed) == 2));
        assert!(log.was(&["mask", "stop", "start", "restart failed"]));
        assert!(interface.dev().is_running());

        private.fail_start.store(false, Relaxed);
        to_result(again())?;
        assert!(eventually(|| private.work.load(Relaxed) == 3));
        assert!(log.was(&["start", "unmask"]));
        interface.down();
        assert!(log.was(&CLOSED));
        Ok(())
    }

    #[test]
    fn halted_interface_closes_without_another_stop() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        interface.0.detach();
        assert!(log.was(&["mask", "stop"]));
        assert!(!interface.dev().is_present());
        interface.0.attach()?;
        assert!(log.was(&["start", "unmask"]));
        assert!(interface.dev().is_present());
        interface.0.detach();
        interface.down();
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up"]));
        interface.0.attach()?;
        assert!(log.was(&[]));
        Ok(())
    }

    #[test]
    fn work_may_detach() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        // SAFETY: RTNL is held.
        to_result(
            interface.with_rtnl(|| unsafe { bindings::dev_set_promiscuity(interface.raw(), 1) }),
        )?;
        assert!(eventually(|| log.contains("stop")));
        assert!(!interface.dev().is_present());
        drop(interface);
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up", "drop data"]));
        Ok(())
    }

    #[test]
    fn poll_has_as_many_slots_as_its_budget() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(log.was(&OPENED));
        // SAFETY: The test is in process context and holds no lock.
        let process = unsafe { crate::net::context::Process::assume() };
        assert!(interface.dev().kick_napi(&process));
        assert!(eventually(|| log.contains("unmask")));
        assert!(log.was(&["poll", "poll again", "unmask"]));
        let budget = private.budget.load(Relaxed);
        assert_eq!(budget, bindings::NAPI_POLL_WEIGHT);
        assert_eq!(private.polled.load(Relaxed), budget);
        interface.down();
        assert!(!interface.dev().kick_napi(&process));
        Ok(())
    }

    #[test]
    fn filter_gets_all_groups() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(eventually(|| private.groups.load(Relaxed) > 0));
        let before = private.groups.load(Relaxed);
        for last in 0..3 {
            let group = [0x01, 0, 0x5e, 0x39, 0x39, last];
            // SAFETY: The call reads six bytes.
            to_result(unsafe { bindings::dev_mc_add(interface.raw(), group.as_ptr()) })?;
        }
        assert!(eventually(
            || private.groups.load(Relaxed) == before.wrapping_add(3)
        ));
        Ok(())
    }

    #[test]
    fn echo_receives_what_it_sends() -> Result {
        let interface = Interface::new(Echo::describe(MAC))?;
        assert!(interface.dev().mac() == MAC);
        interface.up()?;
        let lengths = [60, 61, 1513, 1514];
        for (count, len) in (1..).zip(lengths) {
            assert_eq!(interface.send(len)?, bindings::netdev_tx_NETDEV_TX_OK);
            assert!(eventually(|| interface.stats().tx_packets == count));
        }
        let stats = interface.stats();
        let bytes: u32 = lengths.iter().sum();
        assert_eq!(stats.rx_packets, 4);
        assert_eq!(stats.rx_bytes, u64::from(bytes));
        assert_eq!(stats.tx_bytes, u64::from(bytes));

        // Too long for this wire: dropped and counted, and the queue goes on.
        interface.send(1515)?;
        assert!(eventually(|| interface.stats().tx_dropped == 1));
        interface.send(60)?;
        assert!(eventually(|| interface.stats().rx_packets == 5));

        // The counters outlive what exists while the interface is up.
        interface.down();
        assert_eq!(interface.stats().rx_packets, 5);
        assert!(!interface.dev().carrier_ok());
        interface.up()?;
        interface.send(60)?;
        assert!(eventually(|| interface.stats().rx_packets == 6));
        Ok(())
    }

    #[test]
    fn echo_survives_detach_with_a_frame_in_flight() -> Result {
        let interface = Interface::new(Echo::describe(MAC))?;
        interface.up()?;
        for _ in 0..50 {
            interface.send(1000)?;
            interface.0.detach();
            assert_eq!(interface.send(1000)?, bindings::netdev_tx_NETDEV_TX_BUSY);
            interface.0.attach()?;
        }
        let before = interface.stats().rx_packets;
        interface.send(1000)?;
        assert!(eventually(
            || interface.stats().rx_packets == before.wrapping_add(1)
        ));
        Ok(())
    }
}
