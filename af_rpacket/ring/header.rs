// SPDX-License-Identifier: GPL-2.0

//! What is written before a frame and at the head of a block, and the bits of status words.
//!
//! Everything is encoded as an array of 32-bit words, each as it lies in memory: a field of 16 bits
//! has half a word. A whole array is made at once, at constant places, since this is done for each
//! frame: it becomes plain stores. All fields are in host byte order but `sll_protocol`.
//!
//! | offset | V1 | V2 | V3 |
//! |---|---|---|---|
//! | 0 | `tp_status` | `tp_status` | `tp_next_offset` |
//! | 4 | (its upper half) | `tp_len` | `tp_sec` |
//! | 8 | `tp_len` | `tp_snaplen` | `tp_nsec` |
//! | 12 | `tp_snaplen` | `tp_mac`, `tp_net` | `tp_snaplen` |
//! | 16 | `tp_mac`, `tp_net` | `tp_sec` | `tp_len` |
//! | 20 | `tp_sec` | `tp_nsec` | `tp_status` |
//! | 24 | `tp_usec` | `tp_vlan_tci`, `tp_vlan_tpid` | `tp_mac`, `tp_net` |
//! | 28 | padding | padding | `tp_rxhash` |
//! | 32 | address | address | `tp_vlan_tci` |
//! | 36 | | | `tp_vlan_tpid`, padding |
//! | 40 | | | padding, 8 bytes |
//! | 48 | | | address |
//!
//! With V1 and V2 the status word hands the slot over, so it is not in the arrays: it is written
//! last. With V3 the block is handed over, and `tp_status` is a field like the others. Bits that decide whose a slot
//! or block is are in [`status`].
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::{
    super::{
        address::Report,
        auxdata::{
            Checksum,
            VlanTag, //
        },
        family::AF_PACKET, //
    },
    geometry::DESCRIPTOR_SIZE,
    version::Version,
    words::status, //
};

pub(crate) use super::super::auxdata::{
    TP_STATUS_CSUMNOTREADY,
    TP_STATUS_CSUM_VALID,
    TP_STATUS_GSO_TCP,
    TP_STATUS_USER,
    TP_STATUS_VLAN_TPID_VALID,
    TP_STATUS_VLAN_VALID, //
};

/// The slot was too short, and the whole frame is in the queue as well. V1 and V2.
pub(crate) const TP_STATUS_COPY: u32 = 1 << 1;
/// The time is the software's.
pub(crate) const TP_STATUS_TS_SOFTWARE: u32 = 1 << 29;
/// The time is that of the device's clock.
pub(crate) const TP_STATUS_TS_RAW_HARDWARE: u32 = 1 << 31;

/// A time since 1970. The seconds have 32 bits without a sign, and wrap in 2106.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    /// Whole seconds.
    pub(crate) seconds: u32,
    /// Nanoseconds, below 1,000,000,000.
    pub(crate) nanoseconds: u32,
}

/// Where the time of a frame is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The clock was read when the frame was copied: no bit says so.
    Copied,
    /// The clock was read when the frame arrived.
    Software,
    /// The device's own clock.
    Hardware,
}

/// What a program is told of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The length of the frame when it arrived.
    pub(crate) length: u32,
    /// How much of it was kept.
    pub(crate) kept: u32,
    /// Where in the slot it begins.
    pub(crate) mac: u16,
    /// Where in the slot its network header is.
    pub(crate) net: u16,
    /// When it arrived.
    pub(crate) time: Time,
    /// Where that is from.
    pub(crate) clock: Clock,
    /// What is known about the checksum.
    pub(crate) checksum: Checksum,
    /// Whether it is a TCP segment to be split.
    pub(crate) gso_tcp: bool,
    /// The VLAN tag, if there is one. V1 has no place for it.
    pub(crate) vlan: Option<VlanTag>,
    /// V3: the hash of its flow; zero if the program did not ask for it.
    pub(crate) hash: u32,
    /// Where it is from.
    pub(crate) address: &'a Report,
}

/// Joins two fields of 16 bits, in the order in which they lie in memory.
const fn pair(first: u16, second: u16) -> u32 {
    let (low, high) = if cfg!(target_endian = "little") {
        (first, second)
    } else {
        (second, first)
    };
    low as u32 | ((high as u32) << 16)
}

impl Frame<'_> {
    /// Where the array of [`Frame::v1`] goes.
    pub(crate) const V1_OFFSET: u32 = 8;
    /// Where the array of [`Frame::v2`] goes.
    pub(crate) const V2_OFFSET: u32 = 4;

    /// V1: all but the status, which has 64 bits.
    pub(crate) fn v1(&self) -> [u32; 11] {
        const NSEC_PER_USEC: u32 = 1000;

        let [a0, a1, a2, a3, a4] = self.address();
        [
            self.length,
            self.kept,
            pair(self.mac, self.net),
            self.time.seconds,
            self.time.nanoseconds / NSEC_PER_USEC,
            0,
            a0,
            a1,
            a2,
            a3,
            a4,
        ]
    }

    /// V2: all but the status.
    pub(crate) fn v2(&self) -> [u32; 12] {
        let [a0, a1, a2, a3, a4] = self.address();
        let (tci, tpid) = self.tag();
        [
            self.length,
            self.kept,
            pair(self.mac, self.net),
            self.time.seconds,
            self.time.nanoseconds,
            pair(tci, tpid),
            0,
            a0,
            a1,
            a2,
            a3,
            a4,
        ]
    }

    /// V3: all, for a frame whose next begins `next` bytes behind it. The last of a block has zero
    /// there, which is written when the block is closed.
    pub(crate) fn v3(&self, next: u32) -> [u32; 17] {
        let [a0, a1, a2, a3, a4] = self.address();
        let (tci, tpid) = self.tag();
        [
            next,
            self.time.seconds,
            self.time.nanoseconds,
            self.kept,
            self.length,
            self.bits() | self.vlan_bits(),
            pair(self.mac, self.net),
            self.hash,
            tci.into(),
            pair(tpid, 0),
            0,
            0,
            a0,
            a1,
            a2,
            a3,
            a4,
        ]
    }

    /// The status of a slot of V1 or V2 with this frame. `losing` tells whether frames were lost
    /// since the statistics were read, `copied` whether the whole frame is in the queue.
    ///
    /// The word of V1 has 64 bits. AF_PACKET extends the number with its sign, so
    /// [`TP_STATUS_TS_RAW_HARDWARE`] sets the upper half as well.
    pub(crate) fn status(&self, version: Version, losing: bool, copied: bool) -> u32 {
        let vlan = match version {
            Version::V1 => 0,
            Version::V2 | Version::V3 => self.vlan_bits(),
        };
        let losing = if losing { status::LOSING } else { 0 };
        let copied = if copied { TP_STATUS_COPY } else { 0 };

        self.bits() | vlan | losing | copied
    }

    /// The bits that all versions have.
    fn bits(&self) -> u32 {
        let checksum = match self.checksum {
            Checksum::Unknown => 0,
            Checksum::NotReady => TP_STATUS_CSUMNOTREADY,
            Checksum::Valid => TP_STATUS_CSUM_VALID,
        };
        let gso = if self.gso_tcp { TP_STATUS_GSO_TCP } else { 0 };
        let clock = match self.clock {
            Clock::Copied => 0,
            Clock::Software => TP_STATUS_TS_SOFTWARE,
            Clock::Hardware => TP_STATUS_TS_RAW_HARDWARE,
        };

        TP_STATUS_USER | checksum | gso | clock
    }

    fn vlan_bits(&self) -> u32 {
        match self.vlan {
            Some(_) => TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID,
            None => 0,
        }
    }

    fn tag(&self) -> (u16, u16) {
        self.vlan.map_or((0, 0), |tag| (tag.tci, tag.tpid))
    }

    /// `struct sockaddr_ll`, with the first 8 bytes of the link layer address.
    fn address(&self) -> [u32; 5] {
        let report = self.address;
        let kind_and_length = u16::from_ne_bytes([report.pkttype, report.halen]);
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = report.address;
        [
            pair(AF_PACKET, report.protocol),
            u32::from_ne_bytes(report.ifindex.to_ne_bytes()),
            pair(report.hatype, kind_and_length),
            u32::from_ne_bytes([b0, b1, b2, b3]),
            u32::from_ne_bytes([b4, b5, b6, b7]),
        ]
    }

    /// What a link layer address has beyond its 8th byte, as far as there is room: see
    /// [`Placed::address_room`](super::layout::Placed::address_room). It goes to
    /// [`Version::prefix`]. Nearly always empty.
    pub(crate) fn rest_of_address(&self, room: u8) -> &[u8] {
        const FIRST: usize = 8;

        let end = usize::from(self.address.halen.min(room));
        let end = end.min(self.address.address.len());
        self.address.address.get(FIRST..end).unwrap_or_default()
    }
}

/// The descriptor of a block of V3, `struct tpacket_block_desc`: what the program sees of it.
///
/// | offset | field | opening | closing |
/// |---|---|---|---|
/// | 0 | `version` | written | |
/// | 4 | `offset_to_priv` | written | |
/// | 8 | `block_status` | | last of all |
/// | 12 | `num_pkts` | zero | written |
/// | 16 | `offset_to_first_pkt` | written | written |
/// | 20 | `blk_len` | what an empty block has | written |
/// | 24 | `seq_num`, 64 bits | written | written |
/// | 32 | `ts_first_pkt`: when the block was opened | written | written |
/// | 40 | `ts_last_pkt`: the time of the last frame | | written |
///
/// AF_PACKET counts `num_pkts` and `blk_len` in the block itself, where the program can change them.
/// Here they are the kernel's own until the block is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// How many blocks were opened so far, this one included.
    pub(crate) sequence: u64,
    /// Where the first frame is.
    pub(crate) first_packet: u32,
    /// How many frames there are.
    pub(crate) packets: u32,
    /// How many bytes are used, descriptor and padding included.
    pub(crate) length: u32,
    /// When the block was opened.
    pub(crate) opened: Time,
    /// When the last frame arrived.
    pub(crate) last: Time,
}

impl Descriptor {
    /// Where [`Descriptor::IDENTITY`] goes.
    pub(crate) const IDENTITY_OFFSET: u32 = 0;
    /// Where the status word is.
    pub(crate) const STATUS_OFFSET: u32 = 8;
    /// Where the arrays of [`Descriptor::opening`] and [`Descriptor::closing`] go.
    pub(crate) const FIELDS_OFFSET: u32 = 12;

    /// The version and the offset of the program's own area: the same for each block.
    pub(crate) const IDENTITY: [u32; 2] = [Version::V3.number(), DESCRIPTOR_SIZE];

    /// What a block gets when it is opened, whatever `packets`, `length` and `last` say. The time of
    /// the last frame stays what it was when the block was used before.
    pub(crate) fn opening(&self) -> [u32; 7] {
        let empty = Self {
            packets: 0,
            length: self.first_packet,
            ..*self
        };
        let [f0, f1, f2, f3, f4, f5, f6, ..] = empty.closing();
        [f0, f1, f2, f3, f4, f5, f6]
    }

    /// What a block gets when it is closed.
    pub(crate) fn closing(&self) -> [u32; 9] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.sequence.to_ne_bytes();
        [
            self.packets,
            self.first_packet,
            self.length,
            u32::from_ne_bytes([s0, s1, s2, s3]),
            u32::from_ne_bytes([s4, s5, s6, s7]),
            self.opened.seconds,
            self.opened.nanoseconds,
            self.last.seconds,
            self.last.nanoseconds,
        ]
    }

    /// The status of a block that is handed over, because its time was up (`timed_out`) or because
    /// it is full. `losing` tells whether frames were lost since the statistics were read.
    pub(crate) fn status(timed_out: bool, losing: bool) -> u32 {
        let timed_out = if timed_out { status::BLK_TMO } else { 0 };
        let losing = if losing { status::LOSING } else { 0 };

        TP_STATUS_USER | timed_out | losing
    }
}
