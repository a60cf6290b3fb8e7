// SPDX-License-Identifier: GPL-2.0

//! What an RTL8139C+ counts by itself, its *tally*.
//!
//! The chip writes all of its counts to memory when a register tells it to, and clears a bit of that register
//! when it is done. The register lies where the classic mode has the status of the transmit slots, so nothing is
//! asked of a chip that is not in the C+ mode, or that does not run. Then the counts are those that were known
//! last.
//!
//! Some counts have 16 or 32 bits, and a reset may clear them all (QEMU's does) or not. So totals are kept by
//! differences: the first dump after a start says where the chip begins to count, the last one comes before it is
//! halted. What wraps twice between two dumps is lost, as is known of 16 bits.
//!
//! # Locking
//!
//! All of it runs under the instance lock, or while the interface is started or stopped, which is under it, too:
//! there is one dump at a time. `Nic::tally` and `Up::tally` are locks nevertheless, since that is what makes them
//! writable; nobody ever waits for one.

#![forbid(unsafe_code)]

use super::{
    gate::Up,
    hw::{
        Health,
        Hw, //
    },
    nic::Nic,
    regs, //
};
use crate::{
    ext::dma,
    net::driver::{
        self,
        Locked, //
    },
    netdev_err, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    prelude::*,
    time::Delta, //
};

/// How much the chip writes, in bytes. Its memory must begin at a multiple of as much.
const LEN: usize = 64;

/// How often it is looked whether the chip is done, and for how long: it writes 64 bytes.
const INTERVAL: Delta = Delta::from_micros(50);
const TIMEOUT: Delta = Delta::from_millis(10);

/// The upper words of the first count of 64 bits and of the last. No chip counts so far that they are all ones,
/// so as long as they are, it has not written.
const MARKS: [usize; 2] = [4, 52];

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident: $bits:literal @ $offset:literal $name:literal,)*) => {
        /// The counts, or how much each of them has grown.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Counts {
            $($(#[$doc])* pub(crate) $field: u64,)*
        }

        impl Counts {
            /// The names of the counts, as `ethtool -S` shows them.
            pub(crate) const NAMES: &'static [&'static CStr] = &[$($name,)*];

            /// The counts, in the order of [`Self::NAMES`].
            pub(crate) fn values(&self) -> impl Iterator<Item = u64> {
                [$(self.$field,)*].into_iter()
            }

            /// Reads what the chip has written.
            fn read(memory: &Coherent<[u8]>) -> Result<Self> {
                Ok(Self { $($field: field(memory, $offset, $bits)?,)* })
            }

            /// How much has been counted since the counts were `before`.
            fn since(&self, before: &Self) -> Self {
                Self { $($field: grown(self.$field, before.$field, $bits),)* }
            }

            /// Adds what has been counted.
            fn add(&mut self, grown: &Self) {
                $(self.$field = self.$field.wrapping_add(grown.$field);)*
            }
        }
    };
}

// The names are those of 8139cp, so that who looks for them finds them.
counts! {
    /// Frames sent; one that is cut into segments is one in QEMU.
    tx_ok: 64 @ 0 c"tx_ok",
    /// Frames received.
    rx_ok: 64 @ 8 c"rx_ok",
    /// Frames not sent.
    tx_err: 64 @ 16 c"tx_err",
    /// Frames received with an error; in QEMU those that were not for the station, or found no room.
    rx_err: 32 @ 24 c"rx_err",
    /// Frames that found no room.
    rx_fifo: 16 @ 28 c"rx_fifo",
    /// Frames with a part of a byte.
    frame_align: 16 @ 30 c"frame_align",
    /// Frames sent after one collision.
    tx_ok_1col: 32 @ 32 c"tx_ok_1col",
    /// Frames sent after several.
    tx_ok_mcol: 32 @ 36 c"tx_ok_mcol",
    /// Frames received for the station.
    rx_ok_phys: 64 @ 40 c"rx_ok_phys",
    /// Frames received for all.
    rx_ok_bcast: 64 @ 48 c"rx_ok_bcast",
    /// Frames received for a group.
    rx_ok_mcast: 32 @ 56 c"rx_ok_mcast",
    /// Frames given up after too many collisions.
    tx_abort: 16 @ 60 c"tx_abort",
    /// Frames for which memory was too slow.
    tx_underrun: 16 @ 62 c"tx_underrun",
}

/// The count of so many bits at `offset`.
fn field(memory: &Coherent<[u8]>, offset: usize, bits: u32) -> Result<u64> {
    let word = |offset| dma::read_u32(memory, offset).map(u64::from);
    let low = word(offset & !3)?;
    Ok(match bits {
        64 => low | (word(offset.saturating_add(4))? << 32),
        32 => low,
        _ if offset & 2 != 0 => low >> 16,
        _ => low & 0xffff,
    })
}

/// How much a count of so many bits has grown. One of 64 bits never wraps: if it is less, it has begun anew.
fn grown(now: u64, before: u64, bits: u32) -> u64 {
    match bits {
        64 => now.checked_sub(before).unwrap_or(now),
        32 => now.wrapping_sub(before) & 0xffff_ffff,
        _ => now.wrapping_sub(before) & 0xffff,
    }
}

/// Whether the chip can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It does not run.
    Halted,
    /// It can, and had counted so much when it was last asked.
    Counting(Counts),
    /// It was, and has not answered. It may still write, so nothing is done with the memory until it is reset.
    Silent,
}

/// Where the chip writes to while the interface is up.
pub(crate) struct Dump {
    memory: Coherent<[u8]>,
    state: State,
}

impl Dump {
    /// Allocates the memory. Process context.
    fn new(dev: &Device<Bound>) -> Result<Self> {
        Ok(Self {
            memory: Coherent::zeroed_slice(dev, LEN, GFP_KERNEL)?,
            state: State::Halted,
        })
    }

    /// Has the chip write its counts, and waits for it. May sleep.
    ///
    /// # Errors
    ///
    /// - `ENODEV`: it does not run in the C+ mode, or does not reach the memory.
    /// - `EIO`: it has not finished.
    fn take(&self, hw: &Hw<'_>) -> Result<Counts> {
        let cpcr = hw.bar.read(regs::CPCR);
        if !cpcr.receive() || !cpcr.transmit() || hw.health() != Health::Well {
            return Err(ENODEV);
        }
        for offset in MARKS {
            dma::write_u32(&self.memory, offset, u32::MAX)?;
        }
        let address = self.memory.dma_address();
        // CAST: Both words of the address. A register is written after the memory above.
        let (low, high) = (address as u32, (address >> 32) as u32);
        hw.bar.write_reg(regs::DTCCRH::from(high));
        hw.bar.write_reg(regs::DTCCR::from(low).with_dump(true));
        let end = read_poll_timeout(
            || Ok(hw.bar.read(regs::DTCCR)),
            |dtccr| !dtccr.dump() || dtccr.into_raw() == u32::MAX,
            INTERVAL,
            TIMEOUT,
        );
        if end.map_err(|_| EIO)?.dump() {
            // It was there a moment ago, and what it does is not known.
            return Err(EIO);
        }
        for offset in MARKS {
            if dma::read_u32(&self.memory, offset)? == u32::MAX {
                return Err(ENODEV);
            }
        }
        Counts::read(&self.memory)
    }

    /// Takes the counts, and notes what became of it. Returns how much was counted since.
    fn proceed(&mut self, nic: &Nic<'_>, dev: &driver::Device<Nic<'_>>) -> Counts {
        let State::Counting(before) = self.state else {
            return Counts::default();
        };
        match self.take(&nic.hw) {
            Ok(now) => {
                self.state = State::Counting(now);
                now.since(&before)
            }
            Err(error) => {
                self.state = without_answer(dev, error).unwrap_or(self.state);
                Counts::default()
            }
        }
    }
}

/// What becomes of a chip that has not told its counts, unless it can be asked again.
fn without_answer(dev: &driver::Device<Nic<'_>>, error: Error) -> Option<State> {
    if error != EIO {
        return None;
    }
    netdev_err!(dev, "the chip does not tell its counters\n");
    Some(State::Silent)
}

impl Nic<'_> {
    /// What an interface needs in addition that goes up, if the chip will be in the C+ mode. Process context.
    pub(super) fn room_for_tally(&self) -> Result<Option<Dump>> {
        let is_cplus = !self.settings.is_classic();
        is_cplus
            .then(|| Dump::new(self.pdev().as_ref()))
            .transpose()
    }

    /// What the chip has counted while the driver had it; of an interface that is up, until now.
    pub(crate) fn tally(&self, cx: &mut Locked<'_, Self>, up: Option<&Up>) -> Counts {
        if let Some(up) = up {
            self.follow_tally(cx.dev(), up);
        }
        *self.tally.lock()
    }

    /// Adds what the chip has counted since it was last asked.
    fn follow_tally(&self, dev: &driver::Device<Self>, up: &Up) {
        if let Some(dump) = &mut *up.tally.lock() {
            let grown = dump.proceed(self, dev);
            self.tally.lock().add(&grown);
        }
    }

    /// The chip was started, and receives nothing yet.
    pub(super) fn begin_tally(&self, dev: &driver::Device<Self>, up: &Up) {
        if let Some(dump) = &mut *up.tally.lock() {
            // What it had counted before is not counted again.
            dump.state = match dump.take(&self.hw) {
                Ok(now) => State::Counting(now),
                Err(error) => without_answer(dev, error).unwrap_or(State::Halted),
            };
        }
    }

    /// The chip is going to be halted.
    pub(super) fn end_tally(&self, dev: &driver::Device<Self>, up: &Up) {
        self.follow_tally(dev, up);
        if let Some(dump) = &mut *up.tally.lock() {
            dump.state = State::Halted;
        }
    }
}
