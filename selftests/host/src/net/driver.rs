// SPDX-License-Identifier: GPL-2.0

//! A driver's interface: its operations, and their contexts.

use super::{
    context::Process,
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
};
use crate::ext::irq;
use kernel::prelude::*;
use std::marker::PhantomData;

mod device;

pub(crate) use self::device::Device;

/// What a driver does for its interface.
pub(crate) trait Operations: Sized + Send + Sync {
    type Up: Send + Sync;
    type Rx: Send;
    type Tx: Send;
    type Ethtool: ethtool::Operations<Self>;

    fn irq(&self) -> Option<&irq::Line<'_>>;
    fn registered(&self, dev: &Device<Self>);
    #[expect(clippy::type_complexity)]
    fn open(
        &self,
        cx: &mut Locked<'_, Self>,
    ) -> Result<Parts<impl PinInit<Self::Up, Error>, Self::Rx, Self::Tx>>;
    fn start(&self, quiet: Quiet<'_, Self>) -> Result;
    fn stop(&self, quiet: Quiet<'_, Self>);
    fn mask(&self, up: &Self::Up);
    fn unmask(&self, up: &Self::Up);
    fn hold_off(&self, up: &Self::Up);
    fn interrupt(&self, up: &Self::Up, irq: &Interrupt<'_, Self>) -> irq::Return;
    fn poll(&self, up: &Self::Up, rx: &mut Self::Rx, napi: &mut Poll<'_, Self>) -> Verdict;
    fn start_xmit(
        &self,
        up: &Self::Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit;
    fn netpoll(&self, up: &Self::Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>);
    fn tx_timeout(&self, up: &Self::Up, cx: &Timer<'_, Self>);
    fn tick_ms(&self) -> u32;
    fn tick(&self, up: &Self::Up, cx: &Timer<'_, Self>);
    fn work(&self, cx: &mut Locked<'_, Self>, up: &Self::Up, events: Events);
    fn retry(&self, cx: &mut Locked<'_, Self>, up: &Self::Up);
    fn set_rx_mode(&self, cx: &mut Locked<'_, Self>, up: &Self::Up, mode: &RxMode<'_>) -> Result;
    fn set_mac_address(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Self::Up>,
        mac: &[u8; 6],
    ) -> Result;
    fn mii_phy(&self) -> u8;
    fn mii_read(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Self::Up>,
        phy: u8,
        reg: u8,
    ) -> Result<u16>;
    fn mii_write(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Self::Up>,
        phy: u8,
        reg: u8,
        value: u16,
    ) -> Result;
    fn set_features(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Self::Up>,
        features: Features,
    ) -> Result;
    fn pool(rx: &mut Self::Rx) -> Option<&mut Link>;
    fn fix_features(&self, features: Features) -> Features;
    fn features_check(&self, frame: &Outgoing<'_>, features: Features) -> Features;
    fn change_mtu(&self, cx: &mut Locked<'_, Self>, up: Option<&Self::Up>, mtu: u32) -> Result;
    fn set_xdp(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Self::Up>,
        attached: bool,
        why: &mut Why,
    ) -> Result;
    fn send_frames(
        &self,
        up: &Self::Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        frames: &mut Frames<'_>,
    );
    fn stats64(&self, stats: &mut Stats64);
    fn queue_stats(&self) -> QueueStats;
}

/// The three parts that [`Operations::open`] makes.
pub(crate) struct Parts<Up, Rx, Tx> {
    pub(crate) up: Up,
    pub(crate) rx: Rx,
    pub(crate) tx: Tx,
}

/// Kinds of deferred work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events(usize);

impl Events {
    /// The layer's own kind.
    const RETRY: Self = Self(1 << (usize::BITS - 1));

    pub(crate) const fn bit<const N: u32>() -> Self {
        Self(1 << N)
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Features of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features(u64);

impl Features {
    pub(crate) const SG: Self = Self(1 << 0);
    pub(crate) const HW_CSUM: Self = Self(1 << 1);
    pub(crate) const HIGHDMA: Self = Self(1 << 2);
    pub(crate) const RXALL: Self = Self(1 << 3);
    pub(crate) const RXFCS: Self = Self(1 << 4);
    pub(crate) const IP_CSUM: Self = Self(1 << 5);
    pub(crate) const TSO: Self = Self(1 << 6);
    pub(crate) const RXCSUM: Self = Self(1 << 7);
    pub(crate) const VLAN_TX: Self = Self(1 << 8);
    pub(crate) const VLAN_RX: Self = Self(1 << 9);
    pub(crate) const TSO_MANGLEID: Self = Self(1 << 11);
    pub(crate) const LOOPBACK: Self = Self(1 << 10);
    pub(crate) const SEGMENTS: Self = Self::TSO;

    pub(crate) const fn none() -> Self {
        Self(0)
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What an interface is set up with.
pub(crate) struct Config {
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) max_mtu: u32,
    pub(crate) features: Features,
}

impl Config {
    pub(crate) fn new(mac: Option<[u8; 6]>) -> Self {
        Self {
            mac,
            max_mtu: 0,
            features: Features::none(),
        }
    }

    pub(crate) fn mtu(mut self, _min: u32, max: u32) -> Self {
        self.max_mtu = max;
        self
    }

    pub(crate) fn watchdog_ms(self, _ms: u32) -> Self {
        self
    }

    pub(crate) fn xdp(self, _yes: bool) -> Self {
        self
    }

    pub(crate) fn tso_max_size(self, _bytes: u32) -> Self {
        self
    }

    pub(crate) fn features(mut self, on: Features, _switchable: Features, _vlan: Features) -> Self {
        self.features = on;
        self
    }
}

/// What an interface shall receive.
pub(crate) struct RxMode<'a> {
    pub(crate) promiscuous: bool,
    pub(crate) all_multicast: bool,
    pub(crate) groups: &'a [[u8; 6]],
}

impl<'a> RxMode<'a> {
    pub(crate) fn promiscuous(&self) -> bool {
        self.promiscuous
    }

    pub(crate) fn all_multicast(&self) -> bool {
        self.all_multicast
    }

    pub(crate) fn multicast(&self) -> std::slice::Iter<'a, [u8; 6]> {
        self.groups.iter()
    }
}

/// A control operation.
pub(crate) struct Locked<'a, T: Operations>(&'a Device<T>);

impl<'a, T: Operations> Locked<'a, T> {
    pub(crate) fn dev(&self) -> &'a Device<T> {
        self.0
    }

    pub(crate) fn process(&mut self) -> Process<'_> {
        Process(PhantomData)
    }

    pub(crate) fn lock_tx<R>(
        &mut self,
        f: impl FnOnce(&mut T::Tx, &mut TxQueue<'_>) -> R,
    ) -> Option<R> {
        self.0.with_tx(f)
    }

    pub(crate) fn restart(&self) -> Result {
        self.0.restart()
    }

    pub(crate) fn replace(&self, rx: T::Rx, tx: T::Tx) -> Result {
        self.0.replace(rx, tx)
    }

    pub(crate) fn set_mtu_limits(&self, _min: u32, max: u32) {
        self.0.set_max_mtu(max);
    }

    pub(crate) fn offer_xdp(&self, _yes: bool) {}

    pub(crate) fn detach(&self) {
        self.0.detach();
    }
}

/// What the user is told when a request fails.
#[derive(Default)]
pub(crate) struct Why(pub(crate) String);

impl Why {
    pub(crate) fn say(&mut self, message: &'static CStr) {
        self.0 = message.to_str().unwrap().to_owned();
    }
}

/// Nothing else of the interface runs.
pub(crate) struct Quiet<'a, T: Operations> {
    pub(crate) dev: &'a Device<T>,
    pub(crate) up: &'a T::Up,
    pub(crate) rx: &'a mut T::Rx,
    pub(crate) tx: &'a mut T::Tx,
}

/// A hard interrupt.
pub(crate) struct Interrupt<'a, T: Operations>(&'a Device<T>);

impl<T: Operations> Interrupt<'_, T> {
    pub(crate) fn schedule_napi(&self) -> bool {
        self.0.schedule_napi()
    }
}

/// A timer.
pub(crate) struct Timer<'a, T: Operations>(&'a Device<T>);

impl<T: Operations> Timer<'_, T> {
    pub(crate) fn schedule_work(&self, events: Events) {
        self.0.schedule_work(events);
    }

    pub(crate) fn kick_napi(&self) {
        self.0.schedule_napi();
    }
}
