// SPDX-License-Identifier: GPL-2.0

//! Drivers of network interfaces.
//!
//! # A driver
//!
//! To drive a network card, a module must do the following.
//!
//! 1. Have a type for what it keeps from probe to remove: register mapping, interrupt line, counters.
//!    It lives inside the `struct net_device` (C: `netdev_priv()`), may borrow from the bound bus
//!    device, and implements [`Operations`].
//! 2. Say what exists only while the interface is up, in three parts, by who may touch it:
//!    [`Operations::Rx`] belongs to the NAPI poll, [`Operations::Tx`] to whoever holds the lock of
//!    the transmit queue, [`Operations::Up`] is shared by all, and so must be `Sync`.
//!    [`Operations::open`] makes the three; the layer drops them when the interface goes down. What
//!    is down therefore cannot be touched: there is nothing to touch.
//! 3. Start and stop the hardware in [`Operations::start`] and [`Operations::stop`], with the
//!    knowledge that nothing else runs meanwhile.
//! 4. Implement the paths of packets: [`Operations::interrupt`], [`Operations::poll`] and
//!    [`Operations::start_xmit`].
//! 5. Implement what else the hardware can do: the optional methods of [`Operations`] and those of
//!    [`crate::net::ethtool::Operations`].
//! 6. In its bus driver's probe, return [`Registration::new`] with a [`Config`].
//!
//! `net/driver/example.rs` is such a driver, with all its parts.
//!
//! # What runs when
//!
//! | callback | context | what it gets |
//! |---|---|---|
//! | `open` | process; RTNL and instance lock | `&mut Locked` |
//! | `work`, `set_rx_mode` | process; instance lock; only while up | `&mut Locked`, `&Up` |
//! | `retry` | process; instance lock; only while a failed restart has left it halted | `&mut Locked`, `&Up` |
//! | `set_mac_address`, `mii_read`, `mii_write`, `set_features`, `change_mtu`, `set_xdp` | process; RTNL and instance lock | `&mut Locked`, `&Up` if up |
//! | `start`, `stop` | process; instance lock; nothing else of the interface runs | [`Quiet`]: `&Up`, `&mut Rx`, `&mut Tx` |
//! | ethtool | process; instance lock | `&mut Locked`, `&Up` if up |
//! | `interrupt` | hard interrupt | `&Up`, [`Interrupt`] |
//! | `poll` | softirq, one CPU at a time | `&Up`, `&mut Rx`, [`Poll`] |
//! | `start_xmit`, `netpoll` | bottom halves or interrupts off; transmit lock | `&Up`, `&mut Tx`, [`TxQueue`] |
//! | `send_frames` | softirq; transmit lock | `&Up`, `&mut Tx`, [`TxQueue`] |
//! | `tx_timeout` | softirq | `&Up`, [`Timer`] |
//! | `tick` | softirq, in a timer; only while the interface works | `&Up`, [`Timer`] |
//! | `stats64` | atomic; at any time | counters of `self` |
//!
//! # Locking
//!
//! The device asks the core for the instance lock (`request_ops_lock`), as new drivers do: each
//! control operation runs under this device's own mutex. RTNL is held in addition where the core
//! says so, but never needed. Deferred work is the core's too (`ndo_work`): it runs under the same
//! two locks, so that it never meets `open` or `stop`, need not be cancelled when the interface goes
//! down (it finds nothing up and ends), and cannot be queued again once unregistering has begun. The
//! deadlock of a `cancel_work_sync()` under RTNL against a work that takes RTNL cannot be written.
//!
//! # Up and down
//!
//! Up: `open`, the interrupt line is requested, `start`, NAPI is enabled, `unmask`, the timer of `tick`
//! and the transmit queue are started. A failure on the way undoes what was done.
//!
//! Down: the timer is stopped and waited for; the transmit queue is stopped and `Tx` taken away under its lock; NAPI is disabled and waited
//! for; one grace period ends each poll that is on its way from completion through `unmask`; `mask`;
//! a running interrupt handler is waited for; `stop`. Then the interrupt line is freed, another grace
//! period ends whoever may still look at `Up`, and `Tx`, `Rx` and `Up` are dropped in this order.
//! [`Locked::restart`] stops before the line is freed, and goes up again. If it fails to, a timer of the
//! layer has it tried again every few seconds, until a start works, or the interface is halted for
//! another reason: by `ip link set down`, [`Locked::detach`], suspend or removal, which stop the timer
//! and wait for it under the lock that it was started under.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    ext::irq,
    net::{
        ethtool,
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
            Stats64, //
        },
        xdp::Frames, //
    },
};
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

mod config;
mod context;
mod device;
mod ndo;
mod queue_stats;
mod registration;
mod running;
mod rx_mode;

pub(super) use self::device::{
    napi_of,
    stops_of, //
};
pub(crate) use self::{
    config::{
        Config,
        Features, //
    },
    context::{
        Events,
        Interrupt,
        Locked,
        Quiet,
        Timer,
        Why, //
    },
    device::Device,
    registration::Registration,
    running::Parts,
    rx_mode::RxMode, //
};

/// What a driver does for its interface; `Self` is its private data.
///
/// The module documentation says what runs when. All methods must return in bounded time; those in
/// process context may sleep.
#[vtable]
pub(crate) trait Operations: Sized + Send + Sync {
    /// What all contexts share while the interface is up.
    type Up: Send + Sync;

    /// What only the NAPI poll uses: the receive ring.
    type Rx: Send;

    /// What only the holder of the transmit lock uses: the transmit ring.
    type Tx: Send;

    /// The ethtool operations: `Self`, or [`ethtool::Nothing`].
    type Ethtool: ethtool::Operations<Self>;

    /// The interrupt line, which the layer requests while the interface is up.
    ///
    /// A driver without one schedules its polls by [`Device::kick_napi`].
    fn irq(&self) -> Option<&irq::Line<'_>> {
        None
    }

    /// The interface has been registered and has its name; it may be up already. Process context.
    fn registered(&self, _dev: &Device<Self>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes what exists while the interface is up (`ndo_open`).
    ///
    /// The hardware must be halted and its interrupt masked when this returns. A failure is what
    /// `ip link set up` reports.
    #[expect(clippy::type_complexity)]
    fn open(
        &self,
        cx: &mut Locked<'_, Self>,
    ) -> Result<Parts<impl PinInit<Self::Up, Error>, Self::Rx, Self::Tx>>;

    /// Resets, programs and starts the hardware, with its interrupt masked.
    ///
    /// Called on the way up and in a restart. On failure the hardware must be halted.
    fn start(&self, quiet: Quiet<'_, Self>) -> Result;

    /// Halts the hardware: no access to memory any more. Takes back the frames in flight.
    fn stop(&self, quiet: Quiet<'_, Self>);

    /// Masks the device's interrupt. Process context; a handler may run at the same time.
    fn mask(&self, up: &Self::Up);

    /// Unmasks the device's interrupt.
    ///
    /// Called in process context when NAPI has been enabled, and in softirq each time a poll has
    /// ended with [`Verdict::Done`] and none is due. The next poll may already run on another CPU.
    fn unmask(&self, up: &Self::Up);

    /// Masks the device's interrupt in the poll, until [`Operations::unmask`]: the stack goes on to poll by a
    /// timer, as the user wants (`napi_defer_hard_irqs`).
    ///
    /// A driver that masks in its handler does not need it. Softirq.
    fn hold_off(&self, _up: &Self::Up) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Handles an interrupt of the line, which may be another device's.
    ///
    /// What the device has to say is best acknowledged here and looked at in the poll. When
    /// [`Interrupt::schedule_napi`] says that NAPI was not scheduled anew, the device must be masked
    /// or have nothing more to say, because a level interrupt is raised again at once.
    fn interrupt(&self, up: &Self::Up, irq: &Interrupt<'_, Self>) -> irq::Return;

    /// Receives up to the budget's number of frames, and does what else is due.
    fn poll(&self, up: &Self::Up, rx: &mut Self::Rx, napi: &mut Poll<'_, Self>) -> Verdict;

    /// Sends a frame (`ndo_start_xmit`).
    fn start_xmit(
        &self,
        up: &Self::Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit;

    /// Looks after what was given to the device and what it has sent: for netpoll, which sends kernel
    /// messages with interrupts disabled, and when a frame was lost before the driver had it, which may have
    /// been the last of several that the device is told of once for all ([`TxQueue::more`]).
    fn netpoll(&self, _up: &Self::Up, _tx: &mut Self::Tx, _queue: &mut TxQueue<'_>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The transmit queue has been stopped for longer than [`Config::watchdog_ms`].
    ///
    /// Recovery needs process context: [`Timer::schedule_work`], then [`Locked::restart`].
    fn tx_timeout(&self, _up: &Self::Up, _cx: &Timer<'_, Self>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// How often [`tick`](Operations::tick) is called, in milliseconds, to about a second; more than
    /// zero.
    fn tick_ms(&self) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Looks after the device from time to time while the interface works. Softirq.
    fn tick(&self, _up: &Self::Up, _cx: &Timer<'_, Self>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Does the deferred work `events`, some time after they were scheduled; only while up.
    fn work(&self, _cx: &mut Locked<'_, Self>, _up: &Self::Up, _events: Events) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A [`Locked::restart`] has failed a few seconds ago: starts the interface again, or detaches what
    /// is not there any more. Without it: starts it.
    ///
    /// It is called again after the next few seconds, unless the interface works then, is detached or
    /// down.
    fn retry(&self, cx: &mut Locked<'_, Self>, _up: &Self::Up) {
        // It reports what fails to who has asked, which is the layer.
        let _ = cx.restart();
    }

    /// Sets the receive filter (`ndo_set_rx_mode_async`); only while up.
    ///
    /// The core calls it after each open, and calls it again with a growing delay when it fails.
    fn set_rx_mode(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: &Self::Up,
        _mode: &RxMode<'_>,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Gives the hardware a new address, which is a valid unicast one. On success it becomes the
    /// interface's.
    fn set_mac_address(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Self::Up>,
        _mac: &[u8; 6],
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The address of the transceiver on the management bus, for `SIOCGMIIPHY`.
    fn mii_phy(&self) -> u8 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads a register of a transceiver (`SIOCGMIIREG`). `phy` is below 64, `reg` below 32.
    fn mii_read(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Self::Up>,
        _phy: u8,
        _reg: u8,
    ) -> Result<u16> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes a register of a transceiver (`SIOCSMIIREG`). `phy` is below 64, `reg` below 32.
    fn mii_write(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Self::Up>,
        _phy: u8,
        _reg: u8,
        _value: u16,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Switches features of the hardware. On success the core keeps `features` as the current ones.
    fn set_features(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Self::Up>,
        _features: Features,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The pool of pages that the receive ring is filled from, if there is one.
    ///
    /// Called while nothing else of the interface runs, before NAPI is enabled and after it was disabled.
    fn pool(_rx: &mut Self::Rx) -> Option<&mut Link> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Which of `features` can be on at the same time, and in the state that the device is in
    /// (`ndo_fix_features`). Process context; also while the device is being registered.
    fn fix_features(&self, _features: Features) -> Features {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Which of `features`, which are on, the hardware has for this frame (`ndo_features_check`).
    ///
    /// The stack does what is missing. Any context that sends; for each frame.
    fn features_check(&self, _frame: &Outgoing<'_>, _features: Features) -> Features {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Prepares for a new MTU, which is inside the limits of [`Config::mtu`].
    fn change_mtu(&self, _cx: &mut Locked<'_, Self>, _up: Option<&Self::Up>, _mtu: u32) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Prepares for programs that look at received frames: one is to be attached, or the last one was taken
    /// away. The features are looked at again afterwards. Process context, RTNL and instance lock.
    ///
    /// A failure keeps a program from being attached, with `why` as what the user is told; it does not keep
    /// one from being taken away.
    fn set_xdp(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Self::Up>,
        _attached: bool,
        _why: &mut Why,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sends frames of other devices' programs (`ndo_xdp_xmit`): takes as many as there is room for, and tells
    /// the device of them. (The core says when it has more, but does not always keep its word.) Softirq.
    ///
    /// Needs [`Operations::set_xdp`].
    fn send_frames(
        &self,
        _up: &Self::Up,
        _tx: &mut Self::Tx,
        _queue: &mut TxQueue<'_>,
        _frames: &mut Frames<'_>,
    ) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the counters (`ndo_get_stats64`). Atomic context, at any time after registration.
    fn stats64(&self, _stats: &mut Stats64) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reports the counters of the two queues (`netdev_stat_ops`), which never go back. Process context.
    fn queue_stats(&self) -> QueueStats {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}
