// SPDX-License-Identifier: GPL-2.0

//! Receiving in the C+ mode: from the descriptors to the stack.
//!
//! Each descriptor has a buffer, always. When the chip has filled one, a short frame is copied out of it,
//! and the buffer stays; of a long one the buffer itself becomes the packet, and a fresh one takes its
//! place. If there is no memory for either, that frame is lost and the buffer stays, so that the ring is
//! never short of buffers. A program, if there is one, looks at the frame before that: [`super::xdp`].
//!
//! All of it runs in the NAPI poll, which owns the ring, or while nothing else of the interface runs. What the
//! chip is done with is seen in memory: for a frame that is well no register is accessed.

#![forbid(unsafe_code)]

use super::{
    descriptor::{
        self,
        Contents,
        Mine,
        RxStatus,
        Table, //
    },
    gate::{
        Notes,
        Up, //
    },
    nic::Nic,
    path,
    recovery::RESET,
    regs, //
};
use crate::net::{
    driver::{
        Device,
        Features,
        Locked, //
    },
    napi::{
        Incoming,
        Poll,
        Verdict, //
    },
    page_pool::{
        Buffer,
        Link,
        Pool, //
    },
    xdp::{
        Program,
        View, //
    },
};
use kernel::{
    io::Io,
    prelude::*, //
};

/// The frame check sequence, in bytes.
const FCS_LEN: u32 = 4;

/// The receive ring.
pub(crate) struct Rx<'bound> {
    table: Table,
    /// One for each descriptor, in the order of the ring.
    pub(super) buffers: KVec<Buffer<'bound>>,
    /// After the buffers, so that they return to a pool that is there.
    pub(super) pool: Pool<'bound>,
    /// The descriptor that the chip will be done with next.
    pub(super) next: u16,
    /// Frames of a program are in the transmit ring of which the chip has not been told.
    pub(super) unflushed: bool,
    /// The chip was found stopped: until it has been started again nothing is received.
    stale: bool,
}

impl<'bound> Rx<'bound> {
    /// Allocates a ring, with buffers for the frames of an interface with this MTU.
    pub(crate) fn new(
        nic: &Nic<'bound>,
        cx: &mut Locked<'_, Nic<'bound>>,
        mtu: u32,
    ) -> Result<Self> {
        let dev = nic.pdev().as_ref();
        let (len, _) = nic.settings.ring_lens();
        let table = Table::new(dev, len)?;
        let mut pool = if nic.settings.has_programs() {
            Pool::for_programs(cx.dev(), dev, len.into(), frame_len(mtu))?
        } else {
            Pool::new(cx.dev(), dev, len.into(), frame_len(mtu))?
        };
        let mut buffers = KVec::with_capacity(len.into(), GFP_KERNEL)?;
        for _ in 0..len {
            buffers.push(pool.fill(&cx.process())?, GFP_KERNEL)?;
        }
        Ok(Self {
            table,
            buffers,
            pool,
            next: 0,
            unflushed: false,
            stale: false,
        })
    }

    /// The address of the ring on the bus.
    pub(crate) fn address(&self) -> u64 {
        self.table.address()
    }

    /// The pool that the buffers are from.
    pub(crate) fn pool(&mut self) -> &mut Link {
        self.pool.link()
    }

    /// Gives all descriptors to a chip that is halted, and that will begin with the first.
    pub(crate) fn refill(&mut self, dev: &Device<Nic<'bound>>) {
        dev.private().settings.note_buffers(self.pool.capacity());
        let all = self.table.reclaim();
        for (mine, buffer) in all.zip(&self.buffers) {
            let contents = contents(buffer, self.pool.capacity());
            self.table.give(mine, contents);
        }
    }

    /// Follows a chip whose receiver has just been started.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
        self.stale = false;
    }

    /// Counts what a chip has received that was halted, and nobody will see.
    pub(crate) fn abandon(&mut self, nic: &Nic<'_>) {
        // All of them: where the chip is out of step, they do not begin with the next.
        for at in 0..self.table.len() {
            if let Some((_mine, status)) = self.table.take(at) {
                let len = RxStatus::new(status).len();
                nic.counters.rx_discarded_bytes.add(len.into());
            }
        }
    }

    /// Whether the chip is done with a descriptor behind the one that it should be done with first. It would
    /// go round the ring before any of them is seen.
    fn is_out_of_step(&mut self) -> bool {
        let second = self.table.ahead(self.next, 1);
        // In this order: it may be done with both between the two.
        self.table.take(second).is_some() && self.table.take(self.next).is_none()
    }

    /// The chip has lost its way, and is to be reset.
    pub(crate) fn distrust(&mut self) {
        self.stale = true;
    }

    /// Receives what the chip is done with, up to the budget.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        nic: &Nic<'bound>,
        up: &Up,
        napi: &mut Poll<'_, Nic<'bound>>,
        notes: &Notes,
    ) -> Verdict {
        nic.count_overflows(notes.events);
        let terms = Terms {
            up,
            features: napi.dev().features(),
            program: napi.program(),
        };
        while napi.remaining() > 0 && !self.stale {
            let Some((mine, status)) = self.table.take(self.next) else {
                break;
            };
            self.deliver(nic, napi, mine, RxStatus::new(status), &terms);
        }
        if core::mem::take(&mut self.unflushed) {
            napi.lock_tx(|tx, queue| path::flush(nic, up, tx, queue));
        }
        if notes.tick && !self.stale && napi.remaining() > 0 && self.is_out_of_step() {
            nic.counters.rx_resyncs.increment();
            nic.counters.rx_errors.increment();
            self.stale = true;
            napi.schedule_work(RESET);
        }
        Verdict::Done
    }

    /// Gives a frame to the stack, and its descriptor to the chip.
    #[inline]
    fn deliver<'a>(
        &mut self,
        nic: &Nic<'bound>,
        napi: &mut Poll<'a, Nic<'bound>>,
        mine: Mine,
        status: RxStatus,
        terms: &Terms<'_, 'a>,
    ) {
        let extra = self.extra(nic, &mine);
        let frame = self.extract(nic, napi, status, terms);
        if let Some(buffer) = self.buffers.get(usize::from(self.next)) {
            self.table
                .give(mine, contents(buffer, self.pool.capacity()));
        }
        self.next = self.table.ahead(self.next, 1);

        let received = match frame {
            Ok((mut packet, len)) => {
                if let Some(tag) = descriptor::received_tag(extra) {
                    packet.set_vlan_tag(tag);
                }
                if terms.features.contains(Features::RXCSUM) && status.has_good_checksum() {
                    packet.set_checksum_good();
                }
                if packet.is_multicast() {
                    nic.counters.multicast.increment();
                }
                nic.received.add(napi, 1, len);
                Some(packet)
            }
            Err(Lost::Damaged | Lost::Taken) => None,
            Err(Lost::NoMemory) => {
                nic.counters.rx_dropped.increment();
                None
            }
        };
        let Some(slot) = napi.slot() else {
            return;
        };
        match received {
            Some(packet) => slot.receive(packet),
            None => slot.skip(),
        }
    }

    /// The second word of a descriptor, as the chip has written it.
    #[inline]
    fn extra(&self, nic: &Nic<'_>, mine: &Mine) -> u32 {
        let extra = self.table.extra(mine);
        if extra != descriptor::NO_EXTRA {
            return extra;
        }
        // QEMU clears OWN first. What a chip wrote before it answers a read is in memory after that.
        nic.hw.bar.read(regs::CR);
        self.table.extra(mine)
    }

    /// Makes a packet of the frame in the buffer of the next descriptor; with its length.
    #[inline]
    fn extract<'a>(
        &mut self,
        nic: &Nic<'bound>,
        napi: &mut Poll<'a, Nic<'bound>>,
        status: RxStatus,
        terms: &Terms<'_, 'a>,
    ) -> Result<(Incoming<'a>, u32), Lost> {
        if !status.is_whole() || status.is_bad() {
            nic.counters.rx_errors.increment();
            nic.count_damage_in(status);
            if !status.is_whole() || !terms.features.contains(Features::RXALL) {
                return Err(Lost::Damaged);
            }
        }
        let fcs = if terms.features.contains(Features::RXFCS) {
            0
        } else {
            FCS_LEN
        };
        let len = status.len().saturating_sub(fcs);
        let packet = match terms.program {
            Some(program) if !status.is_bad() => self.judge(nic, terms.up, napi, program, len)?,
            _ => self.packet_of(nic, napi, View::whole(len)),
        };
        match packet {
            Ok(packet) => Ok((packet, len)),
            // No frame has such a length.
            Err(error) if error == EINVAL => {
                if !status.is_bad() {
                    nic.counters.rx_errors.increment();
                    nic.counters.rx_length_errors.increment();
                }
                Err(Lost::Damaged)
            }
            Err(_) => Err(Lost::NoMemory),
        }
    }

    /// Makes a packet of what is in the buffer of the next descriptor. Inlined where there is no program, so
    /// that the place of the frame is known.
    #[inline(always)]
    pub(super) fn packet_of<'a>(
        &mut self,
        nic: &Nic<'bound>,
        napi: &mut Poll<'a, Nic<'bound>>,
        view: View,
    ) -> Result<Incoming<'a>> {
        let buffer = self.buffers.get_mut(usize::from(self.next)).ok_or(EINVAL)?;
        if view.len() <= nic.settings.copybreak() && !view.has_meta() {
            return napi.copy_received(buffer, view);
        }
        let fresh = self.pool.take(napi)?;
        let full = core::mem::replace(buffer, fresh);
        napi.take_received(full, view).map_err(|(error, _)| error)
    }
}

/// What holds for all frames of a poll.
struct Terms<'t, 'a> {
    up: &'t Up,
    features: Features,
    program: Option<Program<'a>>,
}

/// Why the stack does not get a frame.
pub(super) enum Lost {
    /// It is damaged, and counted as that.
    Damaged,
    /// There is no memory.
    NoMemory,
    /// A program has taken it.
    Taken,
}

/// The longest frame of an interface with this MTU, in bytes: with a VLAN tag and its check sequence.
pub(crate) fn frame_len(mtu: u32) -> u32 {
    mtu.saturating_add(18).saturating_add(FCS_LEN)
}

/// Whether programs can look into the frames of an interface with this MTU.
pub(crate) fn has_room_for_programs(mtu: u32) -> bool {
    frame_len(mtu) <= Pool::program_capacity()
}

fn contents(buffer: &Buffer<'_>, capacity: u32) -> Contents {
    Contents {
        command: descriptor::receive_command(capacity),
        extra: descriptor::NO_EXTRA,
        address: buffer.address(),
    }
}

impl Nic<'_> {
    fn count_damage_in(&self, status: RxStatus) {
        if status.is_crc_error() {
            self.counters.rx_crc_errors.increment();
        }
        if status.is_frame_error() {
            self.counters.rx_frame_errors.increment();
        }
        if status.is_runt() || status.is_too_long() || !status.is_whole() {
            self.counters.rx_length_errors.increment();
        }
    }
}
