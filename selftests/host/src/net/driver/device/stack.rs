// SPDX-License-Identifier: GPL-2.0

//! What the kernel does to the driver, by itself or because the user wants it.

use super::{
    super::{
        Events,
        Features,
        Interrupt,
        Locked,
        Quiet,
        RxMode,
        Timer,
        Why, //
    },
    Device,
    Operations,
    Running,
    Transmit,
    BUDGET, //
};
use crate::{
    ext::irq,
    net::{
        napi::{
            Poll,
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

impl<T: Operations> Device<T> {
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

    /// The line of the device is active.
    pub(crate) fn interrupt(&self) -> irq::Return {
        match self.running() {
            Some(running) => self.data.interrupt(&running.up, &Interrupt(self)),
            None => irq::Return::None,
        }
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
}
