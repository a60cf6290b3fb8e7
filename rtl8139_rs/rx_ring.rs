// SPDX-License-Identifier: GPL-2.0

//! The classic receive ring: packet headers and the read position.
//!
//! In classic mode the chip copies each received frame into one ring in memory and puts a header of
//! four bytes in front of it: a status word and a length that includes the frame check sequence.
//! The next header begins at the next multiple of four bytes. Two registers describe the ring: CBR
//! is where the chip will write next, CAPR is how far the driver has read, less 16.
//!
//! The chip is asked not to wrap a frame (`RxConfig.nowrap`): a frame that begins below the end of
//! the ring runs on behind it, so that every frame is contiguous, and the header after it is at its
//! position modulo the ring.
//!
//! Nothing in the ring is believed before it is checked. One read of CBR is the bound of a batch
//! (a *snapshot*): only frames that lie wholly below it are taken, because a chip may write a header
//! before its data. A header that makes no sense means that the position is lost, and only a
//! receiver that is stopped and started again knows where it is.
//!
//! Sources: RTL8139C(L) datasheet, sections "Receive Status Register in Rx packet header" and
//! "Command and status registers"; `rtl8139_rx()` in
//! [`drivers/net/ethernet/realtek/8139too.c`](srctree/drivers/net/ethernet/realtek/8139too.c).

#![forbid(unsafe_code)]

/// Length of the ring in bytes, a power of two.
///
/// 32 KiB: the largest size that does not lock up (64 KiB does on some chips) and that allows
/// `RxConfig.nowrap`.
pub(crate) const RING_LEN: u16 = 32768;

/// Length of the packet header that the chip writes in front of a frame, in bytes.
pub(crate) const HEADER_LEN: u16 = 4;

/// Length of the frame check sequence, which the chip stores behind the frame, in bytes.
pub(crate) const FCS_LEN: u16 = 4;

/// Longest frame that is accepted, without its frame check sequence, in bytes.
///
/// The chip itself stops at 4 KiB; this bound leaves room for an MTU of 1770 with two VLAN tags.
pub(crate) const MAX_FRAME_LEN: u16 = 1792;

/// How far a frame that begins at the very end of the ring can reach behind it, in bytes.
///
/// Not [`MAX_FRAME_LEN`], which the chip does not know: it stores what comes. QEMU's model does not
/// stop at 4 KiB either, but takes a jumbo frame of its peer, of up to 16 KiB, whole.
const OVERRUN_LEN: u16 = 20 * 1024;

/// Length of the memory of the ring in bytes: the ring, and behind it room for a frame that is not
/// wrapped.
pub(crate) const BUFFER_LEN: usize = RING_LEN as usize + OVERRUN_LEN as usize;

/// How much may be consumed before the chip is told, in bytes.
///
/// A quarter of the ring: the chip always sees three quarters of it free when the driver has caught
/// up, and a stream of large frames costs one register write in five frames or more.
const MAX_LAG: u16 = RING_LEN / 4;

/// Smallest length in a header that can be a frame: an Ethernet header and the frame check sequence.
const MIN_STORED_LEN: u16 = 18;

/// The same where runts are accepted: the chip never stores less.
const MIN_STORED_RUNT_LEN: u16 = 8;

/// The length that the chip writes while the frame is still on its way from the FIFO to memory.
const STORED_LEN_IN_PROGRESS: u16 = 0xfff0;

/// How long a frame may stay on its way from the FIFO, in microseconds.
///
/// The longest frame takes 1.5 ms on a wire of 10 Mbit/s; a transfer that lasts much longer has
/// hung.
const FIFO_TIMEOUT_US: u64 = 10_000;

/// The status half of a packet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RxStatus(u16);

impl RxStatus {
    const OK: u16 = 1 << 0;
    const ALIGNMENT: u16 = 1 << 1;
    const CRC: u16 = 1 << 2;
    const TOO_LONG: u16 = 1 << 3;
    const RUNT: u16 = 1 << 4;
    const SYMBOL: u16 = 1 << 5;

    /// The frame was received without an error.
    pub(crate) fn is_ok(self) -> bool {
        self.0 & Self::OK != 0
    }

    /// The frame did not end on a byte boundary, or an invalid symbol was received in it.
    pub(crate) fn is_frame_error(self) -> bool {
        self.0 & (Self::ALIGNMENT | Self::SYMBOL) != 0
    }

    /// The frame check sequence did not match.
    pub(crate) fn is_crc_error(self) -> bool {
        self.0 & Self::CRC != 0
    }

    /// The frame was shorter than 64 bytes.
    pub(crate) fn is_runt(self) -> bool {
        self.0 & Self::RUNT != 0
    }

    /// The frame was longer than the chip accepts.
    pub(crate) fn is_too_long(self) -> bool {
        self.0 & Self::TOO_LONG != 0
    }
}

/// Which frames the stack wants although they are damaged, and what it wants to see of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accept {
    /// Frames with a bad frame check sequence and runts are delivered (`NETIF_F_RXALL`).
    pub(crate) errors: bool,
    /// The frame check sequence is delivered as part of the frame (`NETIF_F_RXFCS`).
    pub(crate) fcs: bool,
}

/// A frame in the ring that passed all checks.
///
/// # Invariants
///
/// `offset + len <= BUFFER_LEN`, and `next` is a multiple of four below [`RING_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    offset: u16,
    len: u16,
    next: u16,
    status: RxStatus,
}

impl Frame {
    /// Offset of the first byte of the Ethernet header in the memory of the ring.
    pub(crate) fn offset(&self) -> usize {
        self.offset.into()
    }

    /// Length of what is to be delivered, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len.into()
    }

    /// The status that the chip gave the frame.
    pub(crate) fn status(&self) -> RxStatus {
        self.status
    }
}

/// Why the position in the ring is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The header has a length that no frame has.
    BadLength(u16),
    /// The header has the status of a frame that the chip was told not to store.
    BadStatus(RxStatus),
    /// A frame never arrived from the FIFO.
    FifoHung,
}

/// What stands at the read position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A frame, wholly below the snapshot.
    Frame(Frame),
    /// A frame that reaches beyond the snapshot: it is for the next batch, see
    /// [`RxRing::forget`].
    Partial,
    /// A header whose frame is still on its way from the FIFO: ask again, see
    /// [`RxRing::keep_waiting`].
    InProgress,
    /// Nonsense: the receiver must be restarted, see [`RxRing::restart`].
    Lost(Lost),
}

/// The read position in the ring.
///
/// # Invariants
///
/// `cur` and `limit` are multiples of four below [`RING_LEN`].
#[derive(Debug)]
pub(crate) struct RxRing {
    /// Where the next header is expected.
    cur: u16,
    /// Where the chip was about to write at the last snapshot.
    limit: u16,
    /// Whether the chip has reported frames since the last snapshot.
    news: bool,
    /// Bytes consumed since the chip was last told.
    lag: u16,
    /// When the frame at `cur` was first seen to be in progress, in microseconds.
    waiting_since: Option<u64>,
}

impl RxRing {
    /// Creates the position of a receiver that has just been started.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Zero is a multiple of four below `RING_LEN`.
        Self {
            cur: 0,
            limit: 0,
            news: false,
            lag: 0,
            waiting_since: None,
        }
    }

    /// Follows the chip, whose receiver has been stopped and started again and begins at offset 0.
    pub(crate) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Notes that the chip has reported frames, if it has.
    ///
    /// The report counts until the next snapshot, however many polls that takes: frames that came after
    /// the last one are not reported again.
    pub(crate) fn note(&mut self, reported: bool) {
        self.news |= reported;
    }

    /// Whether it is time for a snapshot: the last one is used up, and there is something new.
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.news && self.is_drained()
    }

    /// Takes a snapshot: `cbr` is what the register CBR says.
    ///
    /// A chip in the middle of a frame may show an odd position, and one that does not wrap a frame
    /// one behind the end of the ring. One behind all memory is not of a chip that answers, and is not
    /// believed.
    pub(crate) fn observe(&mut self, cbr: u16) {
        self.news = false;
        if usize::from(cbr) > BUFFER_LEN {
            self.forget();
            return;
        }
        // INVARIANT: The two masks make it a multiple of four below `RING_LEN`.
        self.limit = cbr & (RING_LEN - 1) & !3;
    }

    /// Takes the last snapshot of a receiver that has been stopped, where it has written up to `cbr`.
    /// Returns how many bytes of the ring, headers included, are given up with it.
    pub(crate) fn give_up(&mut self, cbr: u16) -> u16 {
        self.observe(cbr);
        let bytes = self.available();
        self.forget();
        bytes
    }

    /// Forgets the snapshot: nothing below it is of use before the next one.
    pub(crate) fn forget(&mut self) {
        self.limit = self.cur;
    }

    /// Number of bytes between the read position and the snapshot.
    pub(crate) fn available(&self) -> u16 {
        self.limit.wrapping_sub(self.cur) & (RING_LEN - 1)
    }

    /// Whether everything below the snapshot has been consumed.
    pub(crate) fn is_drained(&self) -> bool {
        self.cur == self.limit
    }

    /// Offset of the next header in the memory of the ring.
    pub(crate) fn header_offset(&self) -> usize {
        self.cur.into()
    }

    /// Decides what the header `word` (in host byte order) at [`Self::header_offset`] is.
    ///
    /// Does not move; a frame that is done with is given to [`Self::consume`].
    pub(crate) fn decode(&self, word: u32, accept: Accept) -> Next {
        // CAST: The halves of the word.
        let (status, stored) = (RxStatus(word as u16), (word >> 16) as u16);

        if stored == STORED_LEN_IN_PROGRESS {
            return Next::InProgress;
        }
        let least = if accept.errors {
            MIN_STORED_RUNT_LEN
        } else {
            MIN_STORED_LEN
        };
        if !(least..=MAX_FRAME_LEN + FCS_LEN).contains(&stored) {
            return Next::Lost(Lost::BadLength(stored));
        }
        let wanted = accept.errors && (status.is_crc_error() || status.is_runt());
        if !status.is_ok() && !wanted {
            return Next::Lost(Lost::BadStatus(status));
        }

        // The sum is at most 4 + 1796 + 3, and `cur` at most 32764.
        let total = stored.wrapping_add(HEADER_LEN).wrapping_add(3) & !3;
        if total > self.available() {
            return Next::Partial;
        }
        // INVARIANT: `offset` is at most `RING_LEN`, and `len` at most `MAX_FRAME_LEN + FCS_LEN`,
        // which is less than what `BUFFER_LEN` has behind the ring. `cur` and `total` are multiples
        // of four, and the mask keeps the sum below `RING_LEN`.
        Next::Frame(Frame {
            offset: self.cur.wrapping_add(HEADER_LEN),
            len: if accept.fcs {
                stored
            } else {
                stored.wrapping_sub(FCS_LEN)
            },
            next: self.cur.wrapping_add(total) & (RING_LEN - 1),
            status,
        })
    }

    /// Whether to go on waiting for a frame that is in progress, at the time `now_us` of a clock
    /// that never goes back. `false` means that the FIFO has hung.
    pub(crate) fn keep_waiting(&mut self, now_us: u64) -> bool {
        let since = *self.waiting_since.get_or_insert(now_us);
        now_us.saturating_sub(since) < FIFO_TIMEOUT_US
    }

    /// Moves behind `frame`.
    pub(crate) fn consume(&mut self, frame: Frame) {
        let len = frame.next.wrapping_sub(self.cur) & (RING_LEN - 1);
        self.lag = self.lag.saturating_add(len);
        // INVARIANT: By the invariant of `Frame`.
        self.cur = frame.next;
        self.waiting_since = None;
    }

    /// The value to write to CAPR, if it is time to tell the chip how far the driver has read.
    ///
    /// With `now` set the chip is told even if only little has been consumed, or nothing.
    pub(crate) fn release(&mut self, now: bool) -> Option<u16> {
        if self.lag < MAX_LAG && !now {
            return None;
        }
        self.lag = 0;
        Some(self.cur.wrapping_sub(16))
    }
}
