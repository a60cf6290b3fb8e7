// SPDX-License-Identifier: GPL-2.0

//! A complete driver, for a card that does not exist.
//!
//! Its wire holds one frame and comes straight back: what the interface sends, it receives. There are
//! no registers and no interrupt line, but all else is as in a driver of a real card. It is compiled
//! with each build of `rtl8139_rs`, so that what it shows is right, and the KUnit suite `rnet_driver`
//! runs it.
//!
//! A driver of a real card is made in its bus's probe:
//!
//! ```ignore
//! fn probe<'bound>(
//!     pdev: &'bound kernel::pci::Device<Core<'_>>,
//!     _id: usize,
//! ) -> Result<impl bound::Init<Self::Data<'bound>> + 'bound> {
//!     let mac = None;
//!     Ok(Registration::new(pdev.as_ref(), Config::new(mac), Ok(Echo::new())))
//! }
//! ```

use crate::{
    ext::{
        bound,
        irq, //
    },
    net::{
        driver::{
            Config,
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
        stats::{
            Counter,
            Receive,
            Stats64,
            Traffic,
            Transmit, //
        },
    },
};
use kernel::{
    new_spinlock_irq,
    prelude::*,
    sync::SpinLockIrq, //
};

/// The longest frame: header and payload, without check sequence.
const MAX_FRAME: usize = 1514;

/// Deferred work: start anew.
const RESET: Events = Events::bit::<0>();

/// The private data: from probe to remove.
pub(crate) struct Echo {
    received: Traffic<Receive>,
    sent: Traffic<Transmit>,
    resets: Counter,
    oversized: Counter,
    no_memory: Counter,
}

/// The wire, which transmission fills and the poll empties.
struct Wire {
    frame: KVec<u8>,
    occupied: bool,
}

/// What all share while the interface is up.
///
/// # Locking
///
/// Interrupts are off under `wire`, since the kernel may send its own messages from a hard interrupt
/// (netpoll), which can come while the poll holds the lock.
#[pin_data]
pub(crate) struct Up {
    #[pin]
    wire: SpinLockIrq<Wire>,
}

/// The poll's own: where a frame goes while the lock of the wire is held.
pub(crate) struct Rx {
    frame: KVec<u8>,
}

/// The transmission's own: the length of the frame on the wire, which the queue accounts for.
pub(crate) struct Tx {
    in_flight: Option<u32>,
}

impl Echo {
    /// Makes the private data.
    pub(crate) fn new() -> Self {
        Self {
            received: Traffic::new(),
            sent: Traffic::new(),
            resets: Counter::new(),
            oversized: Counter::new(),
            no_memory: Counter::new(),
        }
    }

    /// Describes an interface with the address `mac`.
    pub(crate) fn describe(
        mac: [u8; 6],
    ) -> impl bound::Init<Registration<'static, Self>> + 'static {
        Registration::without_parent(Config::new(Some(mac)).mtu(68, 1500), Ok(Self::new()))
    }

    /// Takes the frame off the wire, into `to`; whether there was one.
    fn take(up: &Up, to: &mut KVec<u8>) -> bool {
        let mut wire = up.wire.lock();
        if !core::mem::take(&mut wire.occupied) {
            return false;
        }
        core::mem::swap(&mut wire.frame, to);
        true
    }
}

#[vtable]
impl Operations for Echo {
    type Up = Up;
    type Rx = Rx;
    type Tx = Tx;
    type Ethtool = Self;

    fn open(&self, _cx: &mut Locked<'_, Self>) -> Result<Parts<impl PinInit<Up, Error>, Rx, Tx>> {
        // What could fail fails here; what was made before is dropped then.
        let wire = Wire {
            frame: KVec::with_capacity(MAX_FRAME, GFP_KERNEL)?,
            occupied: false,
        };
        Ok(Parts {
            up: try_pin_init!(Up {
                wire <- new_spinlock_irq!(wire, "rnet_echo::wire"),
            }? Error),
            rx: Rx {
                frame: KVec::with_capacity(MAX_FRAME, GFP_KERNEL)?,
            },
            tx: Tx { in_flight: None },
        })
    }

    fn start(&self, quiet: Quiet<'_, Self>) -> Result {
        // A real card is reset and programmed here.
        quiet.dev.carrier_on();
        Ok(())
    }

    fn stop(&self, quiet: Quiet<'_, Self>) {
        // A real card is halted here. What was in flight is lost; the layer corrects the accounts of
        // the queue.
        quiet.up.wire.lock().occupied = false;
        quiet.tx.in_flight = None;
    }

    fn mask(&self, _up: &Up) {}

    fn unmask(&self, _up: &Up) {}

    fn interrupt(&self, _up: &Up, irq: &Interrupt<'_, Self>) -> irq::Return {
        // A real card reads here what its interrupt is about, and acknowledges it.
        irq.schedule_napi();
        irq::Return::Handled
    }

    fn poll(&self, up: &Up, rx: &mut Rx, napi: &mut Poll<'_, Self>) -> Verdict {
        if !Self::take(up, &mut rx.frame) {
            return Verdict::Done;
        }
        let received = napi.copy_slice(&rx.frame);
        // A frame that could not be received was work, too.
        let Some(slot) = napi.slot() else {
            return Verdict::Again;
        };
        match received {
            Ok(skb) => {
                slot.receive(skb);
                let len = u32::try_from(rx.frame.len()).unwrap_or(u32::MAX);
                self.received.add(napi, 1, len);
            }
            Err(_) => {
                slot.skip();
                self.no_memory.increment();
            }
        }
        // The wire is free: the frame has been sent.
        napi.lock_tx(|tx, queue| {
            if let Some(bytes) = tx.in_flight.take() {
                self.sent.add(queue, 1, bytes);
                queue.completed(1, bytes);
                queue.wake();
            }
        });
        Verdict::Done
    }

    fn start_xmit(&self, up: &Up, tx: &mut Tx, queue: &mut TxQueue<'_>, skb: SkBuff) -> Xmit {
        if tx.in_flight.is_some() {
            // The queue was stopped when the wire was filled, so this does not happen.
            return Xmit::Busy(skb);
        }
        let len = skb.len();
        let mut wire = up.wire.lock();
        wire.frame.clear();
        // Within the capacity, this allocates nothing.
        let fits = usize::try_from(len).is_ok_and(|len| len <= MAX_FRAME)
            && wire.frame.resize(len as usize, 0, GFP_ATOMIC).is_ok()
            && skb.copy_bits(0, &mut wire.frame).is_ok();
        if !fits {
            drop(wire);
            self.oversized.increment();
            return Xmit::Dropped(skb, DropReason::PktTooBig);
        }
        wire.occupied = true;
        drop(wire);

        tx.in_flight = Some(len);
        queue.sent(len);
        queue.stop();
        skb.consume();
        // A real card is told here that there is a frame, and raises its interrupt when it is sent.
        queue.schedule_napi();
        Xmit::Queued
    }

    fn tx_timeout(&self, _up: &Up, cx: &Timer<'_, Self>) {
        cx.schedule_work(RESET);
    }

    fn work(&self, cx: &mut Locked<'_, Self>, _up: &Up, events: Events) {
        if events.contains(RESET) {
            self.resets.increment();
            if let Err(error) = cx.restart() {
                crate::netdev_err!(cx.dev(), "restart failed: {:?}\n", error);
            }
        }
    }

    fn set_rx_mode(&self, _cx: &mut Locked<'_, Self>, _up: &Up, _mode: &RxMode<'_>) -> Result {
        // This wire carries everything.
        Ok(())
    }

    fn set_mac_address(
        &self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
        _mac: &[u8; 6],
    ) -> Result {
        Ok(())
    }

    fn stats64(&self, stats: &mut Stats64) {
        (stats.rx_packets, stats.rx_bytes) = self.received.get();
        (stats.tx_packets, stats.tx_bytes) = self.sent.get();
        stats.rx_dropped = self.no_memory.get();
        stats.tx_dropped = self.oversized.get();
    }
}

#[vtable]
impl ethtool::Operations<Echo> for Echo {
    const STATISTICS: &'static [&'static CStr] = &[c"resets"];

    fn statistics(this: &Echo, _cx: &mut Locked<'_, Echo>, _up: Option<&Up>, values: &mut [u64]) {
        for (value, count) in values.iter_mut().zip([this.resets.get()]) {
            *value = count;
        }
    }
}
