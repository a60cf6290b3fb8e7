// SPDX-License-Identifier: GPL-2.0

//! What AF_PACKET does with a ring of version 3, one step after the other, as if copying took no time.

use crate::packet::ring::words::{
    status::{
        BLK_TMO,
        KERNEL,
        LOSING,
        USER, //
    },
    Counts,
};

/// The header of a block that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) block: usize,
    pub(super) seq: u64,
    pub(super) packets: u32,
    pub(super) length: u32,
    pub(super) last: Option<u32>,
    pub(super) opened: u64,
    pub(super) status: u32,
}

/// A packet in the ring: block, offset, `tp_next_offset`, whether it is the first.
pub(super) type Packet = (usize, u32, u32, bool);

pub(super) struct Model {
    size: u32,
    first: u32,
    active: usize,
    frozen: bool,
    /// Where the next packet of the active block goes, where the last one is, and how many there are.
    next: u32,
    last: u32,
    packets: u32,
    opened: u64,
    seq: u64,
    next_seq: u64,
    pub(super) words: Vec<u32>,
    pub(super) dropped: u32,
    received: u32,
    freezes: u32,
    /// All that was published.
    pub(super) published: Vec<Published>,
}

impl Model {
    pub(super) fn new(count: usize, size: u32, first: u32, now: u64) -> Self {
        let mut model = Self {
            size,
            first,
            active: 0,
            frozen: false,
            next: 0,
            last: 0,
            packets: 0,
            opened: 0,
            seq: 0,
            next_seq: 1,
            words: vec![KERNEL; count],
            dropped: 0,
            received: 0,
            freezes: 0,
            published: Vec::new(),
        };
        model.open(now);
        model
    }

    fn open(&mut self, now: u64) {
        self.seq = self.next_seq;
        self.next_seq += 1;
        self.packets = 0;
        self.opened = now;
        self.next = self.first;
        self.last = self.first;
        self.frozen = false;
    }

    fn is_in_use(&self) -> bool {
        self.words[self.active] & USER != 0
    }

    fn close(&mut self, bits: u32) {
        let losing = if self.dropped != 0 { LOSING } else { 0 };
        let status = USER | losing | bits;
        self.words[self.active] = status;
        self.published.push(Published {
            block: self.active,
            seq: self.seq,
            packets: self.packets,
            length: self.next,
            last: (self.packets != 0).then_some(self.last),
            opened: self.opened,
            status,
        });
        self.active = (self.active + 1) % self.words.len();
    }

    fn dispatch(&mut self, now: u64) -> bool {
        if self.is_in_use() {
            self.frozen = true;
            self.freezes += 1;
            return false;
        }
        self.open(now);
        true
    }

    fn fill(&mut self, length: u32) -> Packet {
        let packet = (self.active, self.next, length, self.packets == 0);
        self.last = self.next;
        self.next += length;
        self.packets += 1;
        self.received += 1;
        packet
    }

    pub(super) fn receive(&mut self, bytes: u32, now: u64) -> Option<Packet> {
        let length = bytes.next_multiple_of(8);
        if self.frozen {
            if self.is_in_use() {
                self.dropped += 1;
                return None;
            }
            self.open(now);
        }
        if self.next + length < self.size {
            return Some(self.fill(length));
        }
        self.close(0);
        if self.dispatch(now) {
            return Some(self.fill(length));
        }
        self.dropped += 1;
        None
    }

    pub(super) fn tick(&mut self, now: u64) {
        if self.frozen {
            if !self.is_in_use() {
                self.open(now);
            }
        } else if self.packets != 0 {
            self.close(BLK_TMO);
            self.dispatch(now);
        }
    }

    pub(super) fn active(&self) -> usize {
        self.active
    }

    pub(super) fn is_readable(&self) -> bool {
        let count = self.words.len();
        self.words[(self.active + count - 1) % count] != KERNEL
    }

    pub(super) fn statistics(&mut self) -> Counts {
        Counts {
            received: std::mem::take(&mut self.received),
            dropped: std::mem::take(&mut self.dropped),
            freezes: std::mem::take(&mut self.freezes),
        }
    }
}
