// SPDX-License-Identifier: GPL-2.0

//! The argument of `PACKET_RX_RING` and `PACKET_TX_RING`, checked: the blocks and slots of a ring.
//!
//! | offset | field | V3 only | |
//! |---|---|---|---|
//! | 0 | `tp_block_size` | | bytes of a block |
//! | 4 | `tp_block_nr` | | how many blocks; zero takes the ring away |
//! | 8 | `tp_frame_size` | | bytes of a slot |
//! | 12 | `tp_frame_nr` | | how many slots, which must be what fits in the blocks |
//! | 16 | `tp_retire_blk_tov` | yes | milliseconds until a block is handed over; zero: [`retire_time`] |
//! | 20 | `tp_sizeof_priv` | yes | bytes at the head of a block that are the program's own |
//! | 24 | `tp_feature_req_word` | yes | what a program would like: bit 0 for hashes |
//!
//! All fields are 32-bit numbers. Everything about the size of a ring comes from a [`Geometry`],
//! which only [`Request::check`] makes: what it has accepted needs no further check.
//!
//! The file has no kernel types beyond the prelude, so that `selftests/host` runs it as well.

#![forbid(unsafe_code)]

use super::version::{
    align_packet,
    Version,
    SLOT_ALIGNMENT, //
};
use core::num::NonZeroU32;
use kernel::prelude::*;

/// `sizeof(struct tpacket_req)`.
const SIZE: usize = 16;

/// `sizeof(struct tpacket_req3)`.
const SIZE_V3: usize = 28;

/// The length of a block's descriptor, `struct tpacket_block_desc`.
pub(crate) const DESCRIPTOR_SIZE: u32 = 48;

/// The bit of the feature word that asks for `tp_rxhash`. Others are accepted without effect.
const TP_FT_REQ_FILL_RXHASH: u32 = 1;

/// The time after which a block is handed over if neither program nor link speed say another.
const DEFAULT_RETIRE_MS: NonZeroU32 = match NonZeroU32::new(8) {
    Some(time) => time,
    None => NonZeroU32::MIN,
};

/// What a program asks for, as it wrote it. The last three are zero if it is not V3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    block_size: u32,
    blocks: u32,
    frame_size: u32,
    frames: u32,
    retire_ms: u32,
    private: u32,
    features: u32,
}

/// What a request is checked against: the state of the socket, which must not change meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    /// `PACKET_VERSION`.
    pub(crate) version: Version,
    /// `PACKET_RESERVE`: how many bytes each slot has before the frame for the program, which
    /// [`i32::MAX`] limits.
    pub(crate) reserve: u32,
    /// The size of a page.
    pub(crate) page: u32,
    /// Whether a program has mapped any ring of the socket.
    pub(crate) mapped: bool,
    /// Whether frames of this ring are being sent.
    pub(crate) in_flight: bool,
    /// Whether there is a ring of this direction already.
    pub(crate) exists: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Take the ring away, if there is one.
    Remove,
    /// Make this one.
    Create(Geometry),
}

/// Where a slot lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the block.
    pub(crate) block: u32,
    /// How many bytes behind the beginning of the block.
    pub(crate) offset: u32,
}

/// The size of a ring.
///
/// # Invariants
///
/// `request` has been checked:
///
/// - `block_size` is not above [`i32::MAX`].
/// - `frame_size` is a multiple of [`SLOT_ALIGNMENT`], and at least [`Version::prefix`] and
///   `reserve` together; `frames_per_block` slots fit in a block.
/// - `frames` is `frames_per_block * blocks`, which did not overflow, and not zero.
/// - V3: `first_packet` is a multiple of 8, and [`Version::prefix`] and `reserve` fit between it
///   and the end of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    version: Version,
    reserve: u32,
    request: Request,
    frames_per_block: NonZeroU32,
    first_packet: u32,
}

impl Request {
    /// Reads the argument, which has `length` bytes, for a socket of this `version`. `copy` fills a
    /// slice with the first of them. What follows the structure is not looked at.
    ///
    /// # Errors
    ///
    /// `EINVAL` for less than 16 bytes, for V3 28; `EINVAL` if `copy` fails. AF_PACKET has no
    /// `EFAULT` here.
    pub(crate) fn parse(
        version: Version,
        length: usize,
        copy: impl FnOnce(&mut [u8]) -> Result,
    ) -> Result<Self> {
        let size = match version {
            Version::V1 | Version::V2 => SIZE,
            Version::V3 => SIZE_V3,
        };
        if length < size {
            return Err(EINVAL);
        }
        let mut bytes = [0; SIZE_V3];
        copy(bytes.get_mut(..size).ok_or(EINVAL)?).map_err(|_| EINVAL)?;

        let mut words = bytes.chunks_exact(4).map(|chunk| {
            let word = chunk.first_chunk().copied().unwrap_or_default();
            u32::from_ne_bytes(word)
        });
        let mut next = || words.next().unwrap_or_default();
        // In the order of the structure.
        Ok(Self {
            block_size: next(),
            blocks: next(),
            frame_size: next(),
            frames: next(),
            retire_ms: next(),
            private: next(),
            features: next(),
        })
    }

    /// Checks the request.
    ///
    /// # Errors
    ///
    /// In this order:
    ///
    /// 1. `EBUSY` if a ring is mapped, or if frames of this one are being sent.
    /// 2. Without blocks: `EINVAL` if there are slots.
    /// 3. `EBUSY` if there is a ring already.
    /// 4. `EINVAL` if a block is empty, longer than [`i32::MAX`] or not made of whole pages; for
    ///    V3 if descriptor, private area, frame header, address and reserved bytes do not fit in
    ///    it; if slots are shorter than header, address and reserved bytes, not a multiple of
    ///    [`SLOT_ALIGNMENT`], longer than a block, or more than 32 bits can count; and if there
    ///    are not as many as fit.
    pub(crate) fn check(&self, socket: &Socket) -> Result<Change> {
        if socket.mapped || socket.in_flight {
            return Err(EBUSY);
        }
        if self.blocks == 0 {
            return match self.frames {
                0 => Ok(Change::Remove),
                _ => Err(EINVAL),
            };
        }
        if socket.exists {
            return Err(EBUSY);
        }
        Ok(Change::Create(self.geometry(socket)?))
    }

    /// The checks of the numbers: all are `EINVAL`.
    fn geometry(&self, socket: &Socket) -> Result<Geometry> {
        let Socket {
            version, reserve, ..
        } = *socket;

        // AF_PACKET reads the size as an `int`: what has the highest bit is negative.
        if self.block_size == 0 || i32::try_from(self.block_size).is_err() {
            return Err(EINVAL);
        }
        if self.block_size.checked_rem(socket.page) != Some(0) {
            return Err(EINVAL);
        }

        let least = u64::from(version.prefix()).saturating_add(reserve.into());
        let first_packet = match version {
            Version::V1 | Version::V2 => 0,
            Version::V3 => {
                // The area may have any size that 32 bits can tell: no sum of them may wrap.
                let private = align_packet(self.private.into());
                let first = private.saturating_add(DESCRIPTOR_SIZE.into());
                if u64::from(self.block_size) < first.saturating_add(least) {
                    return Err(EINVAL);
                }
                u32::try_from(first)?
            }
        };
        if u64::from(self.frame_size) < least || self.frame_size % SLOT_ALIGNMENT != 0 {
            return Err(EINVAL);
        }

        let frames_per_block = self.block_size.checked_div(self.frame_size);
        let frames_per_block = frames_per_block.and_then(NonZeroU32::new).ok_or(EINVAL)?;
        let frames = frames_per_block.get().checked_mul(self.blocks);
        if frames != Some(self.frames) {
            return Err(EINVAL);
        }

        // INVARIANT: All was checked above. A slot cannot be empty, since `prefix()` is not zero.
        Ok(Geometry {
            version,
            reserve,
            request: *self,
            frames_per_block,
            first_packet,
        })
    }
}

impl Geometry {
    /// The second step for a ring to send from, after its memory was allocated: V3 has no blocks of
    /// many frames there. So a request that is wrong in this way alone may fail for lack of memory
    /// (`ENOMEM`) first, like with AF_PACKET.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the request has a time, a private area or features.
    pub(crate) fn check_transmit(&self) -> Result {
        let Request {
            retire_ms,
            private,
            features,
            ..
        } = self.request;

        if retire_ms != 0 || private != 0 || features != 0 {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// The layout of slots and blocks.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// How many bytes each slot has before the frame for the program.
    pub(crate) fn reserve(&self) -> u32 {
        self.reserve
    }

    /// The bytes of a block, a multiple of the page size.
    pub(crate) fn block_size(&self) -> u32 {
        self.request.block_size
    }

    /// How many blocks there are, at least one.
    pub(crate) fn blocks(&self) -> u32 {
        self.request.blocks
    }

    /// The bytes of a slot.
    pub(crate) fn frame_size(&self) -> u32 {
        self.request.frame_size
    }

    /// How many slots there are, at least one.
    pub(crate) fn frames(&self) -> u32 {
        self.request.frames
    }

    /// How many slots a block has.
    pub(crate) fn frames_per_block(&self) -> NonZeroU32 {
        self.frames_per_block
    }

    /// The bytes of all blocks, which a program maps at once.
    pub(crate) fn total(&self) -> u64 {
        // 31 and 32 bits: does not saturate.
        u64::from(self.request.block_size).saturating_mul(self.request.blocks.into())
    }

    /// Where slot `frame` lies, counted from zero; `None` if there are less. Slots do not cross the
    /// end of a block.
    pub(crate) fn place(&self, frame: u32) -> Option<Place> {
        if frame >= self.request.frames {
            return None;
        }
        Some(Place {
            block: frame / self.frames_per_block,
            offset: (frame % self.frames_per_block).checked_mul(self.request.frame_size)?,
        })
    }

    /// V3: where in a block the first frame lies, behind descriptor and private area. Zero for V1
    /// and V2, where slots begin with the block.
    pub(crate) fn first_packet(&self) -> u32 {
        self.first_packet
    }

    /// The longest that a frame can be with all that is before it: for V3 what an empty block has
    /// room for, else a slot.
    pub(crate) fn max_frame(&self) -> u32 {
        match self.version {
            Version::V1 | Version::V2 => self.request.frame_size,
            // INVARIANT: `first_packet` is less than `block_size`.
            Version::V3 => self.request.block_size.saturating_sub(self.first_packet),
        }
    }

    /// Whether the program wants the hash of each frame. V3 only.
    pub(crate) fn wants_hash(&self) -> bool {
        self.request.features & TP_FT_REQ_FILL_RXHASH != 0
    }

    /// V3: after how many milliseconds a block with frames is handed over though it is not full.
    /// `speed` is the speed of the link, see [`retire_time`]; it is asked for only if the program
    /// gave no time, since a device may have to be asked.
    pub(crate) fn retire_ms(&self, speed: impl FnOnce() -> Option<u32>) -> NonZeroU32 {
        match NonZeroU32::new(self.request.retire_ms) {
            Some(given) => given,
            None => retire_time(self.request.block_size, speed()),
        }
    }
}

/// How many milliseconds a block of this size takes to fill at the speed of the link, in Mbit/s; 8
/// if that is below a gigabit or not known (`None`, or the number that ethtool has for it).
///
/// AF_PACKET counts megabits of the block in powers of two, the speed in whole gigabits, and one
/// more at the end: so the time is never zero, which would have a timer spin.
pub(crate) fn retire_time(block_size: u32, speed: Option<u32>) -> NonZeroU32 {
    const SPEED_UNKNOWN: u32 = u32::MAX;
    const MEGABIT: u64 = 1024 * 1024;

    let gigabits = match speed {
        None | Some(SPEED_UNKNOWN) => None,
        Some(speed) => NonZeroU32::new(speed / 1000),
    };
    let Some(gigabits) = gigabits else {
        return DEFAULT_RETIRE_MS;
    };
    let megabits = u64::from(block_size).saturating_mul(8) / MEGABIT;
    let time = u32::try_from(megabits).unwrap_or(u32::MAX) / gigabits;
    NonZeroU32::MIN.saturating_add(time)
}
