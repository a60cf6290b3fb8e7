// SPDX-License-Identifier: GPL-2.0

//! An interface, and what the driver calls of it. What the kernel does to the driver is in `stack`, what a
//! test asks in `asked`.

use super::{
    Config,
    Events,
    Features,
    Operations, //
};
use crate::net::{
    context::Process,
    napi::{
        self,
        Received, //
    },
    queue::{
        Queue,
        TxQueue, //
    },
    xdp, //
};
use kernel::{
    prelude::*,
    sync::SpinLockIrq, //
};
use std::sync::{
    Arc,
    Mutex, //
};

mod asked;
mod stack;

/// How many frames a poll may receive.
pub(crate) const BUDGET: u32 = 64;

/// What is under the lock of the transmit queue.
struct Transmit<Tx> {
    /// The transmit part while the interface works.
    part: Option<Tx>,
    queue: Queue,
}

/// What exists while the interface is up.
struct Running<T: Operations> {
    up: T::Up,
    rx: SpinLockIrq<T::Rx>,
    tx: SpinLockIrq<Transmit<T::Tx>>,
    /// The transmit part while the interface is halted.
    parked: Mutex<Option<T::Tx>>,
}

/// What the test looks at, and what it sets.
#[derive(Default)]
struct Outside {
    received: Vec<Received>,
    messages: Vec<String>,
    mac: [u8; 6],
    features: Features,
    mtu: u32,
    /// The limit that the driver has set last; none if it is zero.
    max_mtu: u32,
    carrier: bool,
    detached: bool,
    /// How many packets and pages there is memory for yet.
    memory: Option<usize>,
    /// How many milliseconds the driver's own timer has run for.
    ticking: u32,
    /// The timer that has a failed restart tried again is pending.
    retry: bool,
    /// The user wants interrupts to be put off.
    deferred: bool,
    /// The features that are wanted, whether or not they are possible now.
    wanted: Features,
    /// The program that looks at received frames.
    program: Option<xdp::Function>,
    /// The frames that it has redirected; there is room for so many more.
    redirected: Vec<Vec<u8>>,
    room_to_redirect: usize,
}

/// A net device whose driver is `T`.
pub(crate) struct Device<T: Operations> {
    data: T,
    running: Mutex<Option<Arc<Running<T>>>>,
    napi: SpinLockIrq<napi::State>,
    work: SpinLockIrq<Events>,
    outside: Mutex<Outside>,
}

impl<T: Operations> Device<T> {
    /// Registers an interface.
    pub(crate) fn new(data: T, config: &Config) -> Self {
        let features = data.fix_features(config.features);
        let dev = Self {
            data,
            running: Mutex::new(None),
            napi: SpinLockIrq::unlocked(napi::State::default()),
            work: SpinLockIrq::unlocked(Events::default()),
            outside: Mutex::new(Outside {
                // Or a random one.
                mac: config.mac.unwrap_or([2, 0, 0, 0, 0, 9]),
                features,
                wanted: config.features,
                mtu: 1500,
                max_mtu: 0,
                room_to_redirect: usize::MAX,
                ..Outside::default()
            }),
        };
        dev.data.registered(&dev);
        dev
    }

    pub(crate) fn private(&self) -> &T {
        &self.data
    }

    fn running(&self) -> Option<Arc<Running<T>>> {
        self.running.lock().unwrap().clone()
    }

    pub(crate) fn note(&self, message: String) {
        self.outside.lock().unwrap().messages.push(message);
    }

    pub(crate) fn mac(&self) -> [u8; 6] {
        self.outside.lock().unwrap().mac
    }

    pub(crate) fn features(&self) -> Features {
        self.outside.lock().unwrap().features
    }

    pub(crate) fn mtu(&self) -> u32 {
        self.outside.lock().unwrap().mtu
    }

    pub(crate) fn set_max_mtu(&self, max: u32) {
        self.outside.lock().unwrap().max_mtu = max;
    }

    pub(crate) fn carrier_ok(&self) -> bool {
        self.outside.lock().unwrap().carrier
    }

    pub(crate) fn carrier_on(&self) {
        self.outside.lock().unwrap().carrier = true;
    }

    pub(crate) fn carrier_off(&self) {
        self.outside.lock().unwrap().carrier = false;
    }

    pub(crate) fn kick_napi(&self, _cx: &Process<'_>) -> bool {
        self.schedule_napi()
    }

    pub(crate) fn is_present(&self) -> bool {
        !self.is_detached()
    }

    pub(crate) fn schedule_napi(&self) -> bool {
        self.napi.lock().claim()
    }

    pub(crate) fn schedule_work(&self, events: Events) {
        self.work.lock().0 |= events.0;
    }

    pub(crate) fn receive(&self, packet: Received) {
        self.outside.lock().unwrap().received.push(packet);
    }

    /// Takes memory for a packet or a page, in the poll.
    pub(crate) fn allocate(&self) -> Result {
        match &mut self.outside.lock().unwrap().memory {
            None => {}
            Some(0) => return Err(ENOMEM),
            Some(left) => *left -= 1,
        }
        Ok(())
    }

    pub(crate) fn with_tx<R>(
        &self,
        f: impl FnOnce(&mut T::Tx, &mut TxQueue<'_>) -> R,
    ) -> Option<R> {
        let running = self.running()?;
        let mut tx = running.tx.lock();
        let Transmit { part, queue } = &mut *tx;
        let result = f(part.as_mut()?, &mut TxQueue::new(queue));
        if queue.take_kick() {
            self.schedule_napi();
        }
        Some(result)
    }

    pub(crate) fn program(&self) -> Option<xdp::Function> {
        self.outside.lock().unwrap().program
    }

    /// Takes a frame that is redirected, if there is room.
    pub(crate) fn redirect(&self, frame: Vec<u8>) -> bool {
        let mut outside = self.outside.lock().unwrap();
        let Some(left) = outside.room_to_redirect.checked_sub(1) else {
            return false;
        };
        outside.room_to_redirect = left;
        outside.redirected.push(frame);
        true
    }
}
