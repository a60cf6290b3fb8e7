// SPDX-License-Identifier: GPL-2.0

//! The two ways of a frame between memory and the chip.
//!
//! ```text
//!            classic                                       C+
//!
//!   receive  one ring of 32 KiB of bytes:                  up to 64 descriptors, each of which
//!            |hdr|frame..|hdr|frame......|hdr|frame|       points to a buffer of its own:
//!             ^CAPR: read so far          ^CBR: written    |own|own| . | . |own|own|own|
//!            the chip copies into it, the driver out            |   | chip is done: the buffer
//!            of it                                              v   v becomes the packet
//!
//!   send     four slots, each with an address:             up to 64 descriptors, as many for a
//!            |TSD0|TSD1|TSD2|TSD3|                         frame as it has pieces:
//!            the driver copies a frame into the memory     |FS.|...|.LS|FS.LS|
//!            of a slot, and a write of its length          the chip reads the packet itself, and
//!            sends it                                      one write, the doorbell, sends many
//! ```
//!
//! All chips have the classic way, the RTL8139C+ has both. [`Path`] is what the interface needs of either,
//! and the functions below it go the way that was chosen when the interface went up.

#![forbid(unsafe_code)]

use super::{
    classic_rx,
    classic_tx,
    cplus_rx,
    cplus_tx,
    gate::{
        Notes,
        Up, //
    },
    hw::Memory,
    nic::Nic,
    rx_filter::Filter, //
};
use crate::net::{
    driver::{
        Device,
        Locked, //
    },
    napi::{
        Poll,
        Verdict, //
    },
    queue::{
        TxQueue,
        Xmit, //
    },
    skbuff::SkBuff,
    xdp::Frame, //
};
use kernel::prelude::*;

/// A way between memory and the chip.
pub(crate) trait Path<'bound> {
    /// The receiving end.
    type Rx: Send;
    /// The sending end.
    type Tx: Send;

    /// Makes both ends, for an interface with this MTU.
    fn open(
        nic: &Nic<'bound>,
        cx: &mut Locked<'_, Nic<'bound>>,
        mtu: u32,
    ) -> Result<(Self::Rx, Self::Tx)>;

    /// Prepares both for a chip that is to be started, and says where it finds them. Nothing of what it had
    /// before counts any more.
    fn prepare(dev: &Device<Nic<'bound>>, rx: &mut Self::Rx, tx: &mut Self::Tx) -> Result<Memory>;

    /// Follows a chip that was started, with `filter`.
    fn follow(rx: &mut Self::Rx, tx: &mut Self::Tx, filter: Filter);

    /// Looks at what was sent, before the chip is halted.
    fn before_halt(nic: &Nic<'bound>, tx: &mut Self::Tx);

    /// Gives up what was on its way in a chip that was halted, both ways; `end` is the value of CBR.
    fn after_halt(nic: &Nic<'bound>, rx: &mut Self::Rx, tx: &mut Self::Tx, end: u16);

    /// The chip has lost its way, and is to be reset. Until then nothing is received.
    fn distrust(rx: &mut Self::Rx);

    /// Receives what there is, up to the budget.
    fn receive(
        nic: &Nic<'bound>,
        up: &Up,
        rx: &mut Self::Rx,
        napi: &mut Poll<'_, Nic<'bound>>,
        notes: &Notes,
    ) -> Verdict;

    /// Sets the filter of a receiver that runs.
    fn set_filter(nic: &Nic<'bound>, rx: &mut Self::Rx, filter: Filter);

    /// Sends a frame.
    fn send(
        nic: &Nic<'bound>,
        up: &Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit;

    /// Makes room for a frame of a program, if that is possible now.
    fn make_room(
        _nic: &Nic<'bound>,
        _up: &Up,
        _tx: &mut Self::Tx,
        _queue: &mut TxQueue<'_>,
    ) -> bool {
        false
    }

    /// Sends a frame of a program, of which the chip is told by [`Self::flush`]; gives back one that it cannot
    /// send.
    fn send_frame(
        _nic: &Nic<'bound>,
        _tx: &mut Self::Tx,
        _queue: &mut TxQueue<'_>,
        frame: Frame<'bound>,
    ) -> Result<(), Frame<'bound>> {
        Err(frame)
    }

    /// Tells the chip of the frames of programs.
    fn flush(_nic: &Nic<'bound>, _up: &Up, _tx: &mut Self::Tx, _queue: &mut TxQueue<'_>) {}

    /// Collects what was sent.
    fn reap(nic: &Nic<'bound>, up: &Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>);
}

/// The classic ring and slots.
pub(crate) struct Classic;

/// The descriptor rings of the RTL8139C+.
pub(crate) struct CPlus;

/// One end of one of the two.
pub(crate) enum End<A, B> {
    /// Of [`Classic`].
    Classic(A),
    /// Of [`CPlus`].
    CPlus(B),
}

/// A receiving end.
pub(crate) type Rx<'bound> = End<classic_rx::Rx, cplus_rx::Rx<'bound>>;

/// A sending end.
pub(crate) type Tx<'bound> = End<classic_tx::Tx, cplus_tx::Tx<'bound>>;

/// Makes both ends of the way that is chosen now, for an interface with this MTU.
pub(crate) fn open<'bound>(
    nic: &Nic<'bound>,
    cx: &mut Locked<'_, Nic<'bound>>,
    mtu: u32,
) -> Result<(Rx<'bound>, Tx<'bound>)> {
    Ok(if nic.settings.is_classic() {
        let (rx, tx) = Classic::open(nic, cx, mtu)?;
        (End::Classic(rx), End::Classic(tx))
    } else {
        let (rx, tx) = CPlus::open(nic, cx, mtu)?;
        (End::CPlus(rx), End::CPlus(tx))
    })
}

/// As [`Path::prepare`].
pub(crate) fn prepare<'bound>(
    dev: &Device<Nic<'bound>>,
    rx: &mut Rx<'bound>,
    tx: &mut Tx<'bound>,
) -> Result<Memory> {
    match (rx, tx) {
        (End::Classic(rx), End::Classic(tx)) => Classic::prepare(dev, rx, tx),
        (End::CPlus(rx), End::CPlus(tx)) => CPlus::prepare(dev, rx, tx),
        // `open` makes no such pair.
        _ => Err(EINVAL),
    }
}

/// As [`Path::follow`].
pub(crate) fn follow<'bound>(rx: &mut Rx<'bound>, tx: &mut Tx<'bound>, filter: Filter) {
    match (rx, tx) {
        (End::Classic(rx), End::Classic(tx)) => Classic::follow(rx, tx, filter),
        (End::CPlus(rx), End::CPlus(tx)) => CPlus::follow(rx, tx, filter),
        _ => {}
    }
}

/// As [`Path::before_halt`].
pub(crate) fn before_halt<'bound>(nic: &Nic<'bound>, tx: &mut Tx<'bound>) {
    match tx {
        End::Classic(tx) => Classic::before_halt(nic, tx),
        End::CPlus(tx) => CPlus::before_halt(nic, tx),
    }
}

/// As [`Path::after_halt`].
pub(crate) fn after_halt<'bound>(
    nic: &Nic<'bound>,
    rx: &mut Rx<'bound>,
    tx: &mut Tx<'bound>,
    end: u16,
) {
    match (rx, tx) {
        (End::Classic(rx), End::Classic(tx)) => Classic::after_halt(nic, rx, tx, end),
        (End::CPlus(rx), End::CPlus(tx)) => CPlus::after_halt(nic, rx, tx, end),
        _ => {}
    }
}

/// As [`Path::distrust`].
pub(crate) fn distrust(rx: &mut Rx<'_>) {
    match rx {
        End::Classic(rx) => Classic::distrust(rx),
        End::CPlus(rx) => CPlus::distrust(rx),
    }
}

/// As [`Path::receive`].
#[inline]
pub(crate) fn receive<'bound>(
    nic: &Nic<'bound>,
    up: &Up,
    rx: &mut Rx<'bound>,
    napi: &mut Poll<'_, Nic<'bound>>,
    notes: &Notes,
) -> Verdict {
    match rx {
        End::Classic(rx) => Classic::receive(nic, up, rx, napi, notes),
        End::CPlus(rx) => CPlus::receive(nic, up, rx, napi, notes),
    }
}

/// As [`Path::set_filter`].
pub(crate) fn set_filter<'bound>(nic: &Nic<'bound>, rx: &mut Rx<'bound>, filter: Filter) {
    match rx {
        End::Classic(rx) => Classic::set_filter(nic, rx, filter),
        End::CPlus(rx) => CPlus::set_filter(nic, rx, filter),
    }
}

/// As [`Path::send`].
#[inline]
pub(crate) fn send<'bound>(
    nic: &Nic<'bound>,
    up: &Up,
    tx: &mut Tx<'bound>,
    queue: &mut TxQueue<'_>,
    skb: SkBuff,
) -> Xmit {
    match tx {
        End::Classic(tx) => Classic::send(nic, up, tx, queue, skb),
        End::CPlus(tx) => CPlus::send(nic, up, tx, queue, skb),
    }
}

/// As [`Path::make_room`].
pub(crate) fn make_room<'bound>(
    nic: &Nic<'bound>,
    up: &Up,
    tx: &mut Tx<'bound>,
    queue: &mut TxQueue<'_>,
) -> bool {
    match tx {
        End::Classic(tx) => Classic::make_room(nic, up, tx, queue),
        End::CPlus(tx) => CPlus::make_room(nic, up, tx, queue),
    }
}

/// As [`Path::send_frame`].
pub(crate) fn send_frame<'bound>(
    nic: &Nic<'bound>,
    tx: &mut Tx<'bound>,
    queue: &mut TxQueue<'_>,
    frame: Frame<'bound>,
) -> Result<(), Frame<'bound>> {
    match tx {
        End::Classic(tx) => Classic::send_frame(nic, tx, queue, frame),
        End::CPlus(tx) => CPlus::send_frame(nic, tx, queue, frame),
    }
}

/// As [`Path::flush`].
pub(crate) fn flush<'bound>(
    nic: &Nic<'bound>,
    up: &Up,
    tx: &mut Tx<'bound>,
    queue: &mut TxQueue<'_>,
) {
    match tx {
        End::Classic(tx) => Classic::flush(nic, up, tx, queue),
        End::CPlus(tx) => CPlus::flush(nic, up, tx, queue),
    }
}

/// As [`Path::reap`].
pub(crate) fn reap<'bound>(
    nic: &Nic<'bound>,
    up: &Up,
    tx: &mut Tx<'bound>,
    queue: &mut TxQueue<'_>,
) {
    match tx {
        End::Classic(tx) => Classic::reap(nic, up, tx, queue),
        End::CPlus(tx) => CPlus::reap(nic, up, tx, queue),
    }
}

impl<'bound> Path<'bound> for Classic {
    type Rx = classic_rx::Rx;
    type Tx = classic_tx::Tx;

    fn open(
        nic: &Nic<'bound>,
        _cx: &mut Locked<'_, Nic<'bound>>,
        _mtu: u32,
    ) -> Result<(Self::Rx, Self::Tx)> {
        let dev = nic.pdev().as_ref();
        Ok((Self::Rx::new(dev)?, Self::Tx::new(dev)?))
    }

    fn prepare(_dev: &Device<Nic<'bound>>, rx: &mut Self::Rx, tx: &mut Self::Tx) -> Result<Memory> {
        rx.clear();
        Ok(Memory::Classic {
            ring: rx.address()?,
            slots: tx.addresses()?,
        })
    }

    fn follow(rx: &mut Self::Rx, tx: &mut Self::Tx, filter: Filter) {
        rx.restart(filter);
        tx.restart();
    }

    fn before_halt(nic: &Nic<'bound>, tx: &mut Self::Tx) {
        // The reset clears the register that says it.
        tx.abandon(nic);
    }

    fn after_halt(nic: &Nic<'bound>, rx: &mut Self::Rx, _tx: &mut Self::Tx, end: u16) {
        rx.abandon(nic, end);
    }

    fn distrust(rx: &mut Self::Rx) {
        rx.distrust();
    }

    #[inline]
    fn receive(
        nic: &Nic<'bound>,
        _up: &Up,
        rx: &mut Self::Rx,
        napi: &mut Poll<'_, Nic<'bound>>,
        notes: &Notes,
    ) -> Verdict {
        rx.receive(nic, napi, notes)
    }

    fn set_filter(nic: &Nic<'bound>, rx: &mut Self::Rx, filter: Filter) {
        rx.set_filter(nic, filter);
    }

    #[inline]
    fn send(
        nic: &Nic<'bound>,
        up: &Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        tx.send(nic, up, queue, skb)
    }

    fn reap(nic: &Nic<'bound>, up: &Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>) {
        tx.reap(nic, up, queue);
    }
}

impl<'bound> Path<'bound> for CPlus {
    type Rx = cplus_rx::Rx<'bound>;
    type Tx = cplus_tx::Tx<'bound>;

    fn open(
        nic: &Nic<'bound>,
        cx: &mut Locked<'_, Nic<'bound>>,
        mtu: u32,
    ) -> Result<(Self::Rx, Self::Tx)> {
        let rx = Self::Rx::new(nic, cx, mtu)?;
        Ok((rx, Self::Tx::new(nic)?))
    }

    fn prepare(dev: &Device<Nic<'bound>>, rx: &mut Self::Rx, tx: &mut Self::Tx) -> Result<Memory> {
        rx.refill(dev);
        tx.clear();
        Ok(Memory::CPlus {
            receive: rx.address(),
            transmit: tx.address(),
            offloads: dev.private().settings.offloads(dev.features()),
        })
    }

    fn follow(rx: &mut Self::Rx, tx: &mut Self::Tx, _filter: Filter) {
        rx.restart();
        tx.restart();
    }

    fn before_halt(_nic: &Nic<'bound>, _tx: &mut Self::Tx) {
        // What the chip has is taken from it when it has ceased to use it.
    }

    fn after_halt(nic: &Nic<'bound>, rx: &mut Self::Rx, tx: &mut Self::Tx, _end: u16) {
        tx.abandon(nic);
        rx.abandon(nic);
    }

    fn distrust(rx: &mut Self::Rx) {
        rx.distrust();
    }

    #[inline]
    fn receive(
        nic: &Nic<'bound>,
        up: &Up,
        rx: &mut Self::Rx,
        napi: &mut Poll<'_, Nic<'bound>>,
        notes: &Notes,
    ) -> Verdict {
        rx.receive(nic, up, napi, notes)
    }

    fn set_filter(nic: &Nic<'bound>, _rx: &mut Self::Rx, filter: Filter) {
        // In this mode nothing is lost by that.
        nic.hw.open_receiver(filter);
    }

    #[inline]
    fn send(
        nic: &Nic<'bound>,
        up: &Up,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        tx.send(nic, up, queue, skb)
    }

    fn make_room(nic: &Nic<'bound>, up: &Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>) -> bool {
        tx.make_room(nic, up, queue)
    }

    fn send_frame(
        nic: &Nic<'bound>,
        tx: &mut Self::Tx,
        queue: &mut TxQueue<'_>,
        frame: Frame<'bound>,
    ) -> Result<(), Frame<'bound>> {
        tx.send_frame(nic, queue, frame)
    }

    fn flush(nic: &Nic<'bound>, up: &Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>) {
        tx.flush(nic, up, queue, false);
    }

    fn reap(nic: &Nic<'bound>, up: &Up, tx: &mut Self::Tx, queue: &mut TxQueue<'_>) {
        tx.reap(nic, up, queue);
    }
}
