// SPDX-License-Identifier: GPL-2.0

//! The interface: what it keeps from probe to remove, and what the stack can ask of it.
//!
//! Three parts exist only while the interface is up, by who may touch them: [`Up`] is shared,
//! [`Rx`] belongs to the poll, [`Tx`] to the holder of the transmit lock.

#![forbid(unsafe_code)]

use super::{
    counters::{
        Counters,
        MissedFrames, //
    },
    eeprom,
    gate::{
        Source,
        Up, //
    },
    hw::Hw,
    intr_mask::bits,
    path::{
        self,
        Rx,
        Tx, //
    },
    place::Place,
    recovery::{
        BUS_ERROR,
        DOUBT,
        RESET, //
    },
    rx_filter::Filter,
    settings::{
        self,
        Settings, //
    },
    tally, //
};
use crate::{
    ext::{
        irq,
        pci::Enabled, //
    },
    net::{
        driver::{
            self,
            Events,
            Features,
            Interrupt,
            Locked,
            Parts,
            Quiet,
            RxMode,
            Timer,
            Why, //
        },
        ethtool::{
            Wake,
            MESSAGES_DRIVER,
            MESSAGES_LINK,
            MESSAGES_PROBE, //
        },
        napi::{
            Poll,
            Verdict, //
        },
        offload::Outgoing,
        page_pool::Link,
        queue::{
            TxQueue,
            Xmit, //
        },
        skbuff::SkBuff,
        stats::{
            QueueStats,
            Receive,
            Stats64,
            Traffic,
            Transmit, //
        },
        xdp::Frames, //
    },
    netdev_err,
    netdev_info, //
};
use kernel::{
    device::Bound,
    new_mutex, new_spinlock_irq, pci,
    prelude::*,
    sync::{
        atomic::Atomic,
        Mutex,
        SpinLockIrq, //
    },
};

/// The link is to be looked at.
const LINK: Events = Events::bit::<3>();

/// How often the link is looked at where the chip does not report its changes, in milliseconds.
const LINK_POLL_MS: u32 = 3000;

/// How often the chip is looked after elsewhere, in milliseconds: so seldom costs nothing.
///
/// A chip that has a wrong idea of how far the ring was read receives nothing and says nothing.
const CARE_MS: u32 = 8000;

/// An interface.
///
/// # Locking
///
/// `missed` is a lock of its own, since the counters are read at any time. `eeprom` is taken under the
/// instance lock. What is shared while the interface is up is in [`Up`].
#[pin_data]
pub(crate) struct Nic<'bound> {
    pub(crate) hw: Hw<'bound>,
    irq: irq::Line<'bound>,
    /// Frames received.
    pub(crate) received: Traffic<Receive>,
    /// Frames given to the chip.
    pub(crate) sent: Traffic<Transmit>,
    /// Packets of those that the chip was to cut into segments, and the segments.
    pub(crate) cut: Traffic<Transmit>,
    pub(crate) segments: Traffic<Transmit>,
    /// What else is counted.
    pub(crate) counters: Counters,
    #[pin]
    pub(super) missed: SpinLockIrq<MissedFrames>,
    /// What the chip has counted; taken under the instance lock.
    #[pin]
    pub(super) tally: Mutex<tally::Counts>,
    /// The link is in half duplex, where frames collide.
    pub(crate) half_duplex: Atomic<bool>,
    /// What the user has chosen.
    pub(crate) settings: Settings,
    /// What `ethtool` shows of the EEPROM: a chip that runs cannot be asked.
    #[pin]
    pub(crate) eeprom: Mutex<Option<eeprom::Contents>>,
    /// What is to wake the machine, as [`Wake`]: kept while the interface is down, and told to the chip
    /// when the machine goes to sleep.
    pub(super) wake: Atomic<u32>,
    /// The chip did not start, and that was said.
    pub(super) has_failed: Atomic<bool>,
    /// Which messages are printed.
    pub(super) messages: Atomic<u32>,
    /// The last field: the device is disabled after all else.
    pub(super) place: Place<'bound>,
}

impl<'bound> Nic<'bound> {
    /// Describes an interface for a chip that was found.
    pub(crate) fn new(
        hw: Hw<'bound>,
        irq: irq::Line<'bound>,
        enabled: Enabled<'bound>,
    ) -> impl PinInit<Self, Error> + 'bound {
        let settings = Settings::new(hw.chip.has_descriptors);
        let place = Place::of(enabled, hw.bar.space());
        try_pin_init!(Self {
            hw,
            irq,
            received: Traffic::new(),
            sent: Traffic::new(),
            cut: Traffic::new(),
            segments: Traffic::new(),
            counters: Counters::new(),
            missed <- new_spinlock_irq!(MissedFrames::default()),
            tally <- new_mutex!(tally::Counts::default()),
            half_duplex: Atomic::new(false),
            settings,
            eeprom <- new_mutex!(None),
            wake: Atomic::new(Wake::none().bits()),
            has_failed: Atomic::new(false),
            messages: Atomic::new(MESSAGES_DRIVER | MESSAGES_PROBE | MESSAGES_LINK),
            place,
        }? Error)
    }

    /// The device on the bus.
    pub(crate) fn pdev(&self) -> &'bound pci::Device<Bound> {
        self.place.device()
    }
}

#[vtable]
impl<'bound> driver::Operations for Nic<'bound> {
    type Up = Up;
    type Rx = Rx<'bound>;
    type Tx = Tx<'bound>;
    type Ethtool = Self;

    fn irq(&self) -> Option<&irq::Line<'_>> {
        Some(&self.irq)
    }

    fn registered(&self, dev: &driver::Device<Self>) {
        let [a, b, c, d, e, f] = dev.mac();
        netdev_info!(
            dev,
            "{} (rev {:02x}), {:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}, IRQ {}\n",
            self.hw.name(),
            self.pdev().revision_id(),
            a,
            b,
            c,
            d,
            e,
            f,
            self.irq.number()
        );
    }

    fn open(
        &self,
        cx: &mut Locked<'_, Self>,
    ) -> Result<Parts<impl PinInit<Up, Error>, Rx<'bound>, Tx<'bound>>> {
        self.forget_failure();
        let errors = cx.dev().features().contains(Features::RXALL);
        let (rx, tx) = path::open(self, cx, cx.dev().mtu())?;
        let tally = self.room_for_tally()?;
        Ok(Parts {
            up: Up::new(
                Filter::station().errors(errors),
                self.hw.polls_link(),
                tally,
            ),
            rx,
            tx,
        })
    }

    fn start(&self, quiet: Quiet<'_, Self>) -> Result {
        let Quiet { dev, up, rx, tx } = quiet;
        let memory = path::prepare(dev, rx, tx)?;
        let filter = up.filter();
        let loopback = self.settings.loopback();
        // Nobody has looked after it while the interface was down.
        self.place.restore_registers();
        self.know_eeprom();
        let started = self.hw.wake_up(&dev.mac()).and_then(|()| {
            // Only now it has forgotten what memory it had before.
            self.place.give_memory();
            self.hw.start(&memory, loopback)
        });
        if let Err(error) = started {
            if self.is_first_failure() {
                netdev_err!(dev, "the chip does not start: {:?}\n", error);
            }
            self.halt();
            return Err(error);
        }
        self.note_success(dev);
        self.begin_tally(dev, up);
        self.hw.open_receiver(filter);
        path::follow(rx, tx, filter);

        self.begin_missed();

        self.check_link(dev);
        Ok(())
    }

    fn stop(&self, quiet: Quiet<'_, Self>) {
        self.end_missed();
        self.end_tally(quiet.dev, quiet.up);
        path::before_halt(self, quiet.tx);
        let end = self.halt();
        path::after_halt(self, quiet.rx, quiet.tx, end);
    }

    fn mask(&self, up: &Up) {
        // A card that does not hear that it is to stop would go on to use memory that is freed.
        self.place.restore();
        up.close(&self.hw);
    }

    fn unmask(&self, up: &Up) {
        up.open(&self.hw);
    }

    fn hold_off(&self, up: &Up) {
        up.defer(&self.hw);
    }

    fn interrupt(&self, up: &Up, irq: &Interrupt<'_, Self>) -> irq::Return {
        let source = up.acknowledge(&self.hw);
        if source != Source::Chip && !self.claims_interrupt(up, source) {
            return irq::Return::None;
        }
        if !irq.schedule_napi() {
            // The order is that of `intr_mask`.
            self.counters.irqs_deferred.increment();
            up.defer(&self.hw);
            irq.schedule_napi();
        }
        irq::Return::Handled
    }

    fn poll(&self, up: &Up, rx: &mut Rx<'bound>, napi: &mut Poll<'_, Self>) -> Verdict {
        let notes = up.take_notes();
        if notes.doubtful {
            napi.schedule_work(DOUBT);
            return Verdict::Done;
        }
        if (notes.tick || notes.filter.is_some()) && !self.is_well(up, rx, napi) {
            return Verdict::Done;
        }
        if notes.events & bits::LINK_CHANGE != 0 {
            if self.hw.polls_link() {
                // That chip says so that the receiver ran behind.
                self.counters.rx_errors.increment();
            } else {
                self.check_link(napi.dev());
            }
        }
        if notes.tick {
            self.look_around(napi.dev());
        }
        if notes.tick || notes.events & bits::SYSTEM_ERROR != 0 {
            self.look_for_bus_error(up, napi, &notes);
        }
        if let Some(filter) = notes.filter {
            path::set_filter(self, rx, filter);
        }
        if notes.concerns_tx() {
            napi.lock_tx(|tx, queue| path::reap(self, up, tx, queue));
        }
        path::receive(self, up, rx, napi, &notes)
    }

    fn start_xmit(
        &self,
        up: &Up,
        tx: &mut Tx<'bound>,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        path::send(self, up, tx, queue, skb)
    }

    fn netpoll(&self, up: &Up, tx: &mut Tx<'bound>, queue: &mut TxQueue<'_>) {
        path::reap(self, up, tx, queue);
    }

    fn tick_ms(&self) -> u32 {
        if self.hw.polls_link() {
            LINK_POLL_MS
        } else {
            CARE_MS
        }
    }

    fn tick(&self, up: &Up, cx: &Timer<'_, Self>) {
        if self.hw.polls_link() {
            // The management bus is too slow for a softirq.
            cx.schedule_work(LINK);
        }
        up.note_tick();
        cx.kick_napi();
    }

    fn tx_timeout(&self, _up: &Up, cx: &Timer<'_, Self>) {
        self.counters.tx_timeouts.increment();
        cx.schedule_work(RESET);
    }

    fn work(&self, cx: &mut Locked<'_, Self>, up: &Up, events: Events) {
        // The interface may have been started again since.
        if events.contains(DOUBT) && up.is_doubtful() {
            return self.recover_or_give_up(cx);
        }
        if events.contains(LINK) {
            self.check_link(cx.dev());
        }
        if events.contains(BUS_ERROR) {
            self.place.clear_error();
        }
        if events.contains(RESET) || events.contains(BUS_ERROR) {
            self.recover(cx);
        }
    }

    fn retry(&self, cx: &mut Locked<'_, Self>, _up: &Up) {
        self.recover(cx);
    }

    fn set_rx_mode(&self, cx: &mut Locked<'_, Self>, up: &Up, mode: &RxMode<'_>) -> Result {
        let filter = Filter::station().errors(cx.dev().features().contains(Features::RXALL));
        up.set_filter(if mode.promiscuous() {
            filter.promiscuous()
        } else if mode.all_multicast() {
            filter.all_multicast()
        } else {
            filter.groups(mode.multicast())
        });
        // The ring is emptied by a change, so the change is made by who owns the ring.
        cx.dev().kick_napi(&cx.process());
        Ok(())
    }

    fn set_mac_address(
        &self,
        _cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        mac: &[u8; 6],
    ) -> Result {
        // A chip that is down is told when it goes up.
        if up.is_some() {
            self.hw.set_mac(mac);
        }
        Ok(())
    }

    fn mii_phy(&self) -> u8 {
        self.phy_address()
    }

    fn mii_read(
        &self,
        _cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        phy: u8,
        reg: u8,
    ) -> Result<u16> {
        self.read_mii(up, phy, reg)
    }

    fn mii_write(
        &self,
        _cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        phy: u8,
        reg: u8,
        value: u16,
    ) -> Result {
        self.write_mii(up, phy, reg, value)
    }

    fn set_features(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        features: Features,
    ) -> Result {
        self.apply_features(cx, up, features)
    }

    fn pool<'a>(rx: &'a mut Rx<'bound>) -> Option<&'a mut Link> {
        match rx {
            Rx::Classic(_) => None,
            Rx::CPlus(rx) => Some(rx.pool()),
        }
    }

    fn fix_features(&self, features: Features) -> Features {
        self.settings.fix_features(features)
    }

    fn features_check(&self, frame: &Outgoing<'_>, features: Features) -> Features {
        settings::features_check(frame, features)
    }

    fn change_mtu(&self, cx: &mut Locked<'_, Self>, up: Option<&Up>, mtu: u32) -> Result {
        self.prepare_for_mtu(cx, up, mtu)
    }

    fn set_xdp(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        attached: bool,
        why: &mut Why,
    ) -> Result {
        self.prepare_for_programs(cx, up, attached, why)
    }

    fn send_frames(
        &self,
        up: &Up,
        tx: &mut Tx<'bound>,
        queue: &mut TxQueue<'_>,
        frames: &mut Frames<'_>,
    ) {
        self.send_frames_of_others(up, tx, queue, frames);
    }

    fn stats64(&self, stats: &mut Stats64) {
        self.count(stats);
    }

    fn queue_stats(&self) -> QueueStats {
        self.count_by_queue()
    }
}
