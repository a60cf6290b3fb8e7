// SPDX-License-Identifier: GPL-2.0

//! Sending in the C+ mode: from the stack to the descriptors.
//!
//! The chip reads a packet where it is, piece by piece, computes the checksum of TCP over IPv4 that the stack
//! has left to it (all others are computed here), cuts it into segments and inserts the VLAN tag. The packet
//! is freed when the chip is done with it. Frames of programs ([`super::xdp`]) are in the same ring.
//!
//! All of it runs with the lock of the transmit queue held. [`tx_ring`] has the policy.

#![forbid(unsafe_code)]

use super::{
    descriptor::{
        self,
        Contents,
        Mine,
        Table,
        TxStatus,
        Work, //
    },
    gate::Up,
    intr_mask,
    nic::Nic,
    regs,
    settings,
    tx_ring::{
        self,
        Port,
        TxRing, //
    },
    xdp::InFlight, //
};
use crate::{
    ext::dma::Mapping,
    net::{
        offload::{
            Checksum,
            Segments,
            MAX_PIECES, //
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
use kernel::{
    device::{
        Bound,
        Device, //
    },
    io::Io,
    prelude::*,
    sync::atomic::Relaxed, //
};

/// Shortest frame on the wire without its frame check sequence, in bytes; the chip does not pad.
pub(crate) const MIN_FRAME_LEN: u32 = 60;

/// The most pieces of a frame.
// CAST: It is a small number.
pub(crate) const MOST_PIECES: u16 = MAX_PIECES as u16;

/// The shortest ring: a frame with all its pieces, and some more, so that one is filled while another one
/// is sent.
pub(crate) const MIN_DESCRIPTORS: u16 = MOST_PIECES + 2;

/// What the driver keeps for a descriptor.
#[derive(Default)]
pub(super) struct Entry<'bound> {
    /// The descriptor, while it is the driver's.
    pub(super) mine: Option<Mine>,
    /// The piece that the chip reads, while it is the chip's.
    piece: Option<Mapping<'bound>>,
    /// The packet, beside its last piece.
    packet: Option<Packet>,
}

/// A packet on its way.
struct Packet {
    skb: SkBuff,
    /// Its length in bytes, as it was counted.
    len: u32,
}

impl Packet {
    /// How many frames it is on the wire.
    fn frames(&self) -> u64 {
        let segments = self.skb.segments();
        segments.map_or(1, |segments| segments.number.into())
    }
}

/// The transmit ring.
pub(crate) struct Tx<'bound> {
    dev: &'bound Device<Bound>,
    pub(super) table: Table,
    pub(super) entries: KVec<Entry<'bound>>,
    pub(super) frames: InFlight<'bound>,
    pub(super) ring: TxRing,
}

impl<'bound> Tx<'bound> {
    /// Allocates a ring.
    pub(crate) fn new(nic: &Nic<'bound>) -> Result<Self> {
        let dev = nic.pdev().as_ref();
        let (_, len) = nic.settings.ring_lens();
        let mut entries = KVec::with_capacity(len.into(), GFP_KERNEL)?;
        for _ in 0..len {
            entries.push(Entry::default(), GFP_KERNEL)?;
        }
        Ok(Self {
            dev,
            table: Table::new(dev, len)?,
            entries,
            frames: InFlight::new(len)?,
            ring: TxRing::new(len, MOST_PIECES),
        })
    }

    /// The address of the ring on the bus.
    pub(crate) fn address(&self) -> u64 {
        self.table.address()
    }

    /// Leaves a chip that is halted no descriptor: when it is started again, it would go on to send what it
    /// was given before, out of memory that is not lent any more.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
    }

    /// Follows a chip that was reset, and that begins with the first descriptor.
    pub(crate) fn restart(&mut self) {
        self.ring.restart();
        for (mine, entry) in self.table.reclaim().zip(&mut self.entries) {
            *entry = Entry {
                mine: Some(mine),
                ..Entry::default()
            };
        }
    }

    /// Collects what a chip was done with that was halted, and gives up what it will not send.
    pub(crate) fn abandon(&mut self, nic: &Nic<'_>) {
        while self.ring.used() > 0 {
            if self.take_done(nic).is_none() {
                break;
            }
        }
        // All pieces of a packet are taken back before it is freed.
        for entry in &mut self.entries {
            entry.piece = None;
        }
        nic.counters.tx_lost.add(self.frames.give_up());
        for entry in &mut self.entries {
            if let Some(packet) = entry.packet.take() {
                nic.counters.tx_lost.add(packet.frames());
                packet.skb.drop_reason(DropReason::DevReady);
            }
        }
    }

    /// Frames that were counted as sent, and that the chip may still give up or lose.
    pub(crate) fn pending(&self) -> u64 {
        let packets = self
            .entries
            .iter()
            .filter_map(|entry| entry.packet.as_ref());
        packets.fold(self.frames.number(), |sum, packet| {
            sum.wrapping_add(packet.frames())
        })
    }

    /// Sends a frame.
    #[inline]
    pub(crate) fn send(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        queue: &mut TxQueue<'_>,
        skb: SkBuff,
    ) -> Xmit {
        let more = queue.more();
        let sent = self.enqueue(nic, queue, skb);
        // Also for frames before this one, if it was dropped.
        self.flush(nic, up, queue, more);
        match sent {
            Ok(()) => Xmit::Queued,
            Err((skb, reason)) => {
                nic.counters.tx_dropped.increment();
                Xmit::Dropped(skb, reason)
            }
        }
    }

    /// Tells the chip of what it was given, unless there is `more` to come, and collects what was sent.
    #[inline(always)]
    pub(crate) fn flush(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        queue: &mut TxQueue<'_>,
        more: bool,
    ) {
        let mut port = ChipPort {
            nic,
            up,
            entries: &mut self.entries,
            frames: &mut self.frames,
            table: &mut self.table,
            queue,
        };
        tx_ring::flush(&mut self.ring, &mut port, more);
    }

    /// Gives the pieces of a frame to the chip, which is not told of it yet.
    #[inline]
    fn enqueue(
        &mut self,
        nic: &Nic<'bound>,
        queue: &mut TxQueue<'_>,
        mut skb: SkBuff,
    ) -> Result<(), (SkBuff, DropReason)> {
        let segments = skb.segments();
        if segments.is_none() && skb.len() > settings::CPLUS_MAX_FRAME {
            return Err((skb, DropReason::PktTooBig));
        }
        let work = match work_for(&mut skb, segments) {
            Ok(work) => work,
            Err(reason) => return Err((skb, reason)),
        };
        if skb.pad_to(MIN_FRAME_LEN).is_err() {
            return Err((skb, DropReason::NoMem));
        }
        // CAST: Not above `MAX_PIECES`.
        let pieces = skb.pieces() as u16;
        if pieces > self.ring.free() {
            // The queue is stopped in time, so this is not reached.
            return Err((skb, DropReason::NotSpecified));
        }
        if self.map(&skb, pieces).is_err() {
            self.unmap(pieces);
            return Err((skb, DropReason::NoMem));
        }

        let len = skb.len();
        let extra = descriptor::insert_tag(skb.vlan_tag());
        // The chip may send as soon as it has the first piece, which it gets last.
        skb.tx_timestamp();
        if let Some(entry) = self.entry_mut(pieces.wrapping_sub(1)) {
            entry.packet = Some(Packet { skb, len });
        }
        for piece in (0..pieces).rev() {
            let Some(entry) = self.entries.get_mut(usize::from(self.ring.at(piece))) else {
                continue;
            };
            let Some((mapping, mine)) = entry.piece.as_ref().zip(entry.mine.take()) else {
                continue;
            };
            let command =
                descriptor::send_command(work, piece.into(), pieces.into(), mapping.len());
            self.table.give(
                mine,
                Contents {
                    command,
                    extra,
                    address: mapping.address(),
                },
            );
        }
        self.ring.push(pieces, len);
        match segments {
            None => nic.sent.add(queue, 1, len),
            Some(segments) => {
                nic.sent.add(queue, segments.number, segments.bytes);
                nic.cut.add(queue, 1, len);
                nic.segments.add(queue, segments.number, segments.bytes);
            }
        }
        Ok(())
    }

    #[inline]
    fn entry_mut(&mut self, piece: u16) -> Option<&mut Entry<'bound>> {
        self.entries.get_mut(usize::from(self.ring.at(piece)))
    }

    /// Lends the pieces of a frame to the chip, beside the descriptors that they will be in.
    #[inline]
    fn map(&mut self, skb: &SkBuff, pieces: u16) -> Result {
        let dev = self.dev;
        for piece in 0..pieces {
            let mapping = match piece.checked_sub(1) {
                None => skb.map_head(dev)?,
                Some(fragment) => skb.map_fragment(dev, fragment.into())?,
            };
            if let Some(entry) = self.entry_mut(piece) {
                entry.piece = Some(mapping);
            }
        }
        Ok(())
    }

    /// Undoes [`Self::map`].
    #[cold]
    fn unmap(&mut self, pieces: u16) {
        for piece in 0..pieces {
            if let Some(entry) = self.entry_mut(piece) {
                entry.piece = None;
            }
        }
    }

    /// Collects what the chip is done with.
    pub(crate) fn reap(&mut self, nic: &Nic<'bound>, up: &Up, queue: &mut TxQueue<'_>) {
        if self.frames.has_late_ones() && queue.may_drop_frames() {
            self.frames.drop_late_ones();
        }
        let mut port = ChipPort {
            nic,
            up,
            entries: &mut self.entries,
            frames: &mut self.frames,
            table: &mut self.table,
            queue,
        };
        tx_ring::reap(&mut self.ring, &mut port);
    }

    fn take_done(&mut self, nic: &Nic<'_>) -> Option<u32> {
        let (table, entries, frames) = (&mut self.table, &mut self.entries, &mut self.frames);
        take_done(nic, table, entries, frames, &mut self.ring, || true)
    }
}

/// Takes back the next descriptor that the chip is done with; see [`Port::take_done`].
#[inline]
fn take_done(
    nic: &Nic<'_>,
    table: &mut Table,
    entries: &mut [Entry<'_>],
    frames: &mut InFlight<'_>,
    ring: &mut TxRing,
    may_drop_frames: impl FnOnce() -> bool,
) -> Option<u32> {
    let (mine, status) = table.take(ring.tail())?;
    let entry = entries.get_mut(usize::from(ring.tail()))?;
    let packet = entry.packet.take();
    if packet.is_none() && frames.land(ring.tail(), may_drop_frames)? {
        nic.account_status(TxStatus::new(status));
    }
    entry.mine = Some(mine);
    entry.piece = None;
    ring.pop();
    let Some(Packet { skb, len }) = packet else {
        return Some(0);
    };
    skb.consume();
    nic.account_status(TxStatus::new(status));
    Some(len)
}

/// What the chip is to compute of a frame; the rest is computed here. Why it is dropped, if that
/// cannot be done.
#[inline]
fn work_for(skb: &mut SkBuff, segments: Option<Segments>) -> Result<Work, DropReason> {
    let checksum = skb.checksum();
    if let Some(Segments { size, .. }) = segments {
        // Others are cut by the stack: `features_check`.
        let possible = checksum == Checksum::Tcp4 && size.get() <= descriptor::MAX_SEGMENT;
        return possible
            .then_some(Work::Segments(size))
            .ok_or(DropReason::NotSpecified);
    }
    Ok(match checksum {
        Checksum::Done => Work::None,
        Checksum::Tcp4 => Work::Tcp,
        // QEMU's chip would send a sum of UDP that comes to zero as zero, which says that there is none.
        Checksum::Udp4 | Checksum::Other => {
            skb.compute_checksum().map_err(|_| DropReason::NoMem)?;
            Work::None
        }
    })
}

impl Nic<'_> {
    /// Counts what became of a frame.
    #[inline]
    fn account_status(&self, status: TxStatus) {
        // In full duplex nothing collides, and QEMU leaves bits of the command there.
        //
        // ORDERING: Relaxed. The worst that a stale value costs is the count of a collision.
        if status.collisions() != 0 && !status.is_bad() && self.half_duplex.load(Relaxed) {
            self.counters.collisions.add(status.collisions().into());
        }
        if status.is_bad() {
            self.count_failure(status);
        }
    }

    #[cold]
    fn count_failure(&self, status: TxStatus) {
        let counters = &self.counters;
        counters.tx_errors.increment();
        if status.is_underrun() {
            counters.tx_underruns.increment();
        }
        if status.is_out_of_window() {
            counters.tx_window_errors.increment();
        }
        if status.has_no_link() {
            counters.tx_carrier_errors.increment();
        }
        if status.is_aborted() {
            counters.tx_aborted.increment();
        }
    }
}

/// What the policy drives.
struct ChipPort<'a, 'q, 'bound> {
    nic: &'a Nic<'bound>,
    up: &'a Up,
    entries: &'a mut [Entry<'bound>],
    frames: &'a mut InFlight<'bound>,
    table: &'a mut Table,
    queue: &'a mut TxQueue<'q>,
}

impl Port for ChipPort<'_, '_, '_> {
    #[inline]
    fn ring_doorbell(&mut self) {
        // The one access for all frames since the last. A register write is ordered after the writes to
        // memory before it.
        self.nic
            .hw
            .bar
            .write_reg(regs::TPPOLL::zeroed().with_normal(true));
    }

    #[inline]
    fn take_done(&mut self, ring: &mut TxRing) -> Option<u32> {
        let (up, queue) = (self.up, &mut *self.queue);
        take_done(
            self.nic,
            self.table,
            self.entries,
            self.frames,
            ring,
            || {
                let may = queue.may_drop_frames();
                if !may {
                    // The poll will.
                    up.note(intr_mask::TX_EVENTS);
                    queue.schedule_napi();
                }
                may
            },
        )
    }

    fn arm(&mut self, armed: bool) {
        self.up.arm_tx(&self.nic.hw, armed);
    }

    fn sent(&mut self, bytes: u32) {
        self.queue.sent(bytes);
    }

    fn completed(&mut self, frames: u32, bytes: u32) {
        self.queue.completed(frames, bytes);
    }

    fn stop(&mut self) {
        self.queue.stop();
    }

    fn wake(&mut self) {
        if self.queue.is_stopped() {
            self.queue.wake();
        }
    }
}
