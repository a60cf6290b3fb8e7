// SPDX-License-Identifier: GPL-2.0

//! An interface, and all that the kernel does with one.

use super::{
    Config,
    Events,
    Features,
    Interrupt,
    Locked,
    Operations,
    Quiet,
    RxMode,
    Timer,
    Why, //
};
use crate::{
    ext::irq,
    net::{
        context::Process,
        napi::{
            self,
            Poll,
            Received,
            Verdict, //
        },
        queue::{
            Queue,
            TxQueue,
            Xmit, //
        },
        skbuff::SkBuff,
        stats::Stats64,
        xdp::{
            self,
            Frames, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::SpinLockIrq, //
};
use std::sync::{
    Arc,
    Mutex, //
};

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

    // What the driver calls.

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

    // What the kernel does.

    /// The stack polls by a timer before the device may interrupt again, or not.
    pub(crate) fn defer_interrupts(&self, deferred: bool) {
        self.outside.lock().unwrap().deferred = deferred;
    }

    /// Brings the interface up.
    pub(crate) fn open(&self) -> Result {
        let mut cx = Locked(self);
        let parts = self.data.open(&mut cx)?;
        *self.running.lock().unwrap() = Some(Arc::new(Running {
            up: parts.up.make()?,
            rx: SpinLockIrq::unlocked(parts.rx),
            tx: SpinLockIrq::unlocked(Transmit {
                part: None,
                queue: Queue::new(),
            }),
            parked: Mutex::new(Some(parts.tx)),
        }));
        self.go_up().inspect_err(|_| {
            *self.running.lock().unwrap() = None;
        })
    }

    /// Brings it down.
    pub(crate) fn close(&self) {
        self.halt();
        *self.running.lock().unwrap() = None;
        self.carrier_off();
    }

    fn go_up(&self) -> Result {
        let running = self.running().ok_or(ENETDOWN)?;
        let mut parked = running.parked.lock().unwrap();
        let mut rx = running.rx.lock();
        self.data.start(Quiet {
            dev: self,
            up: &running.up,
            rx: &mut rx,
            tx: parked.as_mut().ok_or(EBUSY)?,
        })?;
        drop(rx);
        running.tx.lock().part = parked.take();
        self.outside.lock().unwrap().ticking = 0;
        self.napi.lock().enabled = true;
        self.data.unmask(&running.up);
        running.tx.lock().queue.restart();
        Ok(())
    }

    fn halt(&self) {
        self.outside.lock().unwrap().retry = false;
        let Some(running) = self.running() else {
            return;
        };
        let mut parked = running.parked.lock().unwrap();
        let Some(mut part) = running.tx.lock().part.take() else {
            return;
        };
        self.napi.lock().disable();
        self.data.mask(&running.up);
        self.data.stop(Quiet {
            dev: self,
            up: &running.up,
            rx: &mut running.rx.lock(),
            tx: &mut part,
        });
        *parked = Some(part);
    }

    /// Halts the interface and starts it again.
    pub(crate) fn restart(&self) -> Result {
        if self.running().is_none() {
            return Err(ENETDOWN);
        }
        if self.outside.lock().unwrap().detached {
            return Err(ENODEV);
        }
        self.halt();
        self.go_up().inspect_err(|_| self.retry_later())
    }

    /// Has a failed restart tried again in a while.
    fn retry_later(&self) {
        self.outside.lock().unwrap().retry = true;
    }

    /// Halts the interface, replaces its rings and starts it again.
    pub(crate) fn replace(&self, rx: T::Rx, tx: T::Tx) -> Result {
        let running = self.running().ok_or(ENETDOWN)?;
        self.halt();
        *running.rx.lock() = rx;
        *running.parked.lock().unwrap() = Some(tx);
        drop(running);
        self.restart()
    }

    pub(crate) fn detach(&self) {
        self.outside.lock().unwrap().detached = true;
        self.halt();
    }

    /// Undoes [`Device::detach`], as a resume does.
    pub(crate) fn attach(&self) -> Result {
        self.outside.lock().unwrap().detached = false;
        self.go_up()
    }

    /// The card was taken out, and one is there again.
    pub(crate) fn replug(&self) {
        self.outside.lock().unwrap().detached = false;
    }

    /// The line of the device is active.
    pub(crate) fn interrupt(&self) -> irq::Return {
        match self.running() {
            Some(running) => self.data.interrupt(&running.up, &Interrupt(self)),
            None => irq::Return::None,
        }
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.napi.lock().is_scheduled()
    }

    /// Runs the poll, if it is scheduled.
    pub(crate) fn poll(&self) -> bool {
        let Some(running) = self.running() else {
            return false;
        };
        if !self.is_scheduled() {
            return false;
        }
        let mut rx = running.rx.lock();
        let mut napi = Poll::new(self, BUDGET);
        let verdict = self.data.poll(&running.up, &mut rx, &mut napi);
        if verdict == Verdict::Again || napi.remaining() == 0 {
            return true;
        }
        drop(rx);
        let deferred = self.outside.lock().unwrap().deferred;
        if deferred && napi.remaining() < BUDGET {
            self.data.hold_off(&running.up);
        }
        let complete = self.napi.lock().complete();
        if complete && !deferred {
            self.data.unmask(&running.up);
        }
        true
    }

    /// Does the deferred work, if there is any.
    pub(crate) fn do_work(&self) -> bool {
        let events = std::mem::take(&mut *self.work.lock());
        match self.running() {
            Some(running) if events != Events::default() => {
                let own = Events(events.0 & !Events::RETRY.0);
                if own != Events::default() {
                    self.data.work(&mut Locked(self), &running.up, own);
                } else if self.is_halted(&running) {
                    self.data.retry(&mut Locked(self), &running.up);
                }
                if events.contains(Events::RETRY) && self.is_halted(&running) {
                    self.retry_later();
                }
                true
            }
            _ => false,
        }
    }

    /// Whether the interface is halted although its hardware is there.
    fn is_halted(&self, running: &Running<T>) -> bool {
        running.parked.lock().unwrap().is_some() && !self.is_detached()
    }

    /// Whether the stack has something to send to: up, not halted, not stopped, with a link.
    pub(crate) fn may_send(&self) -> bool {
        self.running().is_some_and(|running| {
            let tx = running.tx.lock();
            self.carrier_ok() && tx.part.is_some() && tx.queue.runs()
        })
    }

    /// Sends a frame; the caller has asked whether that is allowed.
    pub(crate) fn send(&self, frame: Vec<u8>) -> Option<Xmit> {
        self.send_packet(SkBuff::from_bytes(frame), false)
    }

    /// Sends a packet, and says whether another one comes right after it.
    pub(crate) fn send_packet(&self, skb: SkBuff, more: bool) -> Option<Xmit> {
        let Some(running) = self.running() else {
            skb.consume();
            return None;
        };
        let mut tx = running.tx.lock();
        let Transmit { part, queue } = &mut *tx;
        let Some(part) = part else {
            skb.consume();
            return None;
        };
        queue.set_more(more);
        let mut locked = TxQueue::new(queue);
        assert!(!locked.is_stopped(), "the queue is stopped");
        let answer = self.data.start_xmit(&running.up, part, &mut locked, skb);
        if queue.take_kick() {
            self.schedule_napi();
        }
        Some(answer)
    }

    /// Sets the byte queue limit.
    pub(crate) fn limit_queue(&self, bytes: u32) {
        if let Some(running) = self.running() {
            running.tx.lock().queue.set_limit(bytes);
        }
    }

    /// Bytes in flight, as the byte queue limit has them.
    pub(crate) fn in_flight(&self) -> u32 {
        self.running()
            .map_or(0, |running| running.tx.lock().queue.in_flight())
    }

    /// So many milliseconds go by, more than a failed restart waits for. The timers fire: the driver's
    /// own as often as it wants, only while the interface works; and that which has a failed restart
    /// tried again.
    pub(crate) fn tick(&self, ms: u32) {
        if std::mem::take(&mut self.outside.lock().unwrap().retry) {
            self.schedule_work(Events::RETRY);
        }
        let Some(running) = self.running() else {
            return;
        };
        if running.tx.lock().part.is_none() {
            return;
        }
        let every = self.data.tick_ms();
        let fires = {
            let ticking = &mut self.outside.lock().unwrap().ticking;
            *ticking += ms;
            let fires = *ticking / every;
            *ticking %= every;
            fires
        };
        for _ in 0..fires {
            self.data.tick(&running.up, &Timer(self));
        }
    }

    /// The watchdog of the transmit queue fires, as it does when the queue was stopped for long and
    /// there is a link.
    pub(crate) fn watchdog(&self) {
        if let Some(running) = self.running() {
            let stands = {
                let tx = running.tx.lock();
                tx.part.is_none() || !tx.queue.runs()
            };
            if stands && self.carrier_ok() && !self.outside.lock().unwrap().detached {
                self.data.tx_timeout(&running.up, &Timer(self));
            }
        }
    }

    /// The poll of netpoll.
    pub(crate) fn netpoll(&self) {
        if let Some(running) = self.running() {
            xdp::with_interrupts_disabled(|| {
                self.with_tx(|tx, queue| self.data.netpoll(&running.up, tx, queue))
            });
        }
    }

    /// Attaches, replaces or takes away a program.
    pub(crate) fn set_program(&self, program: Option<xdp::Function>) -> Result {
        let set = |program| self.outside.lock().unwrap().program = program;
        let prepare = |attached| {
            self.control(|data, cx, up| data.set_xdp(cx, up, attached, &mut Why::default()))
        };
        match (self.program().is_some(), program.is_some()) {
            (false, true) => {
                prepare(true)?;
                set(program);
            }
            (true, false) => {
                set(None);
                let _ = prepare(false);
            }
            _ => set(program),
        }
        let wanted = self.outside.lock().unwrap().wanted;
        self.set_features(wanted)
    }

    /// Sends frames that another device's programs have for this one. Returns how many it has taken.
    pub(crate) fn send_frames(&self, frames: &[Vec<u8>]) -> Result<usize> {
        let running = self.running().ok_or(ENETDOWN)?;
        if !self.carrier_ok() {
            return Err(ENETDOWN);
        }
        let mut frames = Frames::new(frames);
        self.with_tx(|tx, queue| {
            self.data.send_frames(&running.up, tx, queue, &mut frames);
        })
        .ok_or(ENETDOWN)?;
        Ok(frames.taken())
    }

    /// The frames that a program has redirected, since the last call.
    pub(crate) fn take_redirected(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outside.lock().unwrap().redirected)
    }

    /// Lets so many frames more be redirected.
    pub(crate) fn limit_redirects(&self, room: usize) {
        self.outside.lock().unwrap().room_to_redirect = room;
    }

    pub(crate) fn set_rx_mode(&self, mode: &RxMode<'_>) -> Result {
        let running = self.running().ok_or(ENETDOWN)?;
        self.data.set_rx_mode(&mut Locked(self), &running.up, mode)
    }

    pub(crate) fn set_features(&self, features: Features) -> Result {
        let running = self.running();
        let up = running.as_ref().map(|running| &running.up);
        self.outside.lock().unwrap().wanted = features;
        let features = self.data.fix_features(features);
        self.data.set_features(&mut Locked(self), up, features)?;
        self.outside.lock().unwrap().features = features;
        Ok(())
    }

    pub(crate) fn set_mac(&self, mac: [u8; 6]) -> Result {
        let running = self.running();
        let up = running.as_ref().map(|running| &running.up);
        self.data.set_mac_address(&mut Locked(self), up, &mac)?;
        self.outside.lock().unwrap().mac = mac;
        Ok(())
    }

    pub(crate) fn set_mtu(&self, mtu: u32) -> Result {
        let max = self.outside.lock().unwrap().max_mtu;
        if max != 0 && mtu > max {
            return Err(EINVAL);
        }
        self.control(|data, cx, up| data.change_mtu(cx, up, mtu))?;
        self.outside.lock().unwrap().mtu = mtu;
        Ok(())
    }

    /// Calls `f` as a control operation.
    pub(crate) fn control<R>(
        &self,
        f: impl FnOnce(&T, &mut Locked<'_, T>, Option<&T::Up>) -> R,
    ) -> R {
        let running = self.running();
        let up = running.as_ref().map(|running| &running.up);
        f(&self.data, &mut Locked(self), up)
    }

    pub(crate) fn stats64(&self) -> Stats64 {
        let mut stats = Stats64::default();
        self.data.stats64(&mut stats);
        stats
    }

    // What the test looks at.

    /// Takes the frames that the stack was given.
    pub(crate) fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut self.outside.lock().unwrap().received)
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.outside.lock().unwrap().messages.clone()
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.outside.lock().unwrap().detached
    }

    /// Has NAPI forget that it was to be scheduled while it was, or remember it again.
    pub(crate) fn lose_missed(&self, lossy: bool) {
        self.napi.lock().lossy = lossy;
    }

    /// Lets no packet be made any more, or again.
    pub(crate) fn exhaust(&self, out_of_memory: bool) {
        self.outside.lock().unwrap().memory = out_of_memory.then_some(0);
    }

    /// Lets so many packets and pages be made yet.
    pub(crate) fn exhaust_after(&self, allocations: usize) {
        self.outside.lock().unwrap().memory = Some(allocations);
    }
}
