// SPDX-License-Identifier: GPL-2.0

//! What the user may choose about the way of a frame: the mode, the length of the rings, and up to which
//! length a received frame is copied. `ethtool` asks for them.
//!
//! All of it is changed under the instance lock. The length of frames to copy is read by the poll, too, to
//! which any value is right at any time; the rest is read when the interface goes up.

#![forbid(unsafe_code)]

use super::{
    cplus_rx,
    cplus_tx::MIN_DESCRIPTORS,
    descriptor::{
        self,
        MAX_DESCRIPTORS, //
    },
    gate::Up,
    hw::Offloads,
    nic::Nic,
    path,
    regs::Loopback,
    tx_slots, //
};
use crate::net::{
    driver::{
        Config,
        Features,
        Locked, //
    },
    ethtool::RingParameters,
    offload::Outgoing,
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The Ethernet header with one VLAN tag, in bytes.
const HEADER_LEN: u32 = 18;

/// The frame check sequence, in bytes.
const FCS_LEN: u32 = 4;

/// The limits of the MTU, in bytes.
const MIN_MTU: u32 = 68;
// CAST: The length is below 2^16.
const CLASSIC_MAX_MTU: u32 = tx_slots::MAX_FRAME_LEN as u32 - HEADER_LEN - FCS_LEN;
const CPLUS_MAX_MTU: u32 = 4096;

/// The longest frame that is not cut into segments, in bytes.
pub(crate) const CPLUS_MAX_FRAME: u32 = CPLUS_MAX_MTU + HEADER_LEN;

/// The longest packet that the chip cuts into segments, in bytes: QEMU collects it in 64 KiB.
const TSO_MAX_SIZE: u32 = 0xf000;

/// For how long a frame may stay in the chip, in milliseconds.
const WATCHDOG_MS: u32 = 6000;

/// In both modes the driver computes what checksums the chip does not, so the chip can be said to do that
/// for any protocol.
const SENDING: Features = Features::SG.with(Features::HW_CSUM);

/// VLAN tags are inserted and taken off by the chip.
const TAGGING: Features = Features::VLAN_TX.with(Features::VLAN_RX);

/// What the chip does in the C+ mode alone.
const CPLUS_FEATURES: Features = TAGGING.with(Features::TSO).with(Features::RXCSUM);

/// What cannot be while programs look at received frames: they are to see all of a frame, and could send it on
/// without its tag, or with a check sequence too many; and no frame may pass them by.
const BESIDE_PROGRAMS: Features = Features::VLAN_RX
    .with(Features::RXFCS)
    .with(Features::RXALL);

/// The shortest receive ring, in descriptors.
const MIN_RX: u16 = 16;

/// What is chosen.
pub(crate) struct Settings {
    /// Frames go the classic way.
    classic: Atomic<bool>,
    rx_len: Atomic<u32>,
    tx_len: Atomic<u32>,
    copybreak: Atomic<u32>,
    loopback: Atomic<bool>,
    /// The buffers are for programs, too.
    programs: Atomic<bool>,
    /// How long a frame in the buffers may be that are in use.
    buffer_len: Atomic<u32>,
}

impl Settings {
    /// Without a choice: the C+ mode, if the chip has it, and rings as long as they can be.
    pub(crate) fn new(has_descriptors: bool) -> Self {
        Self {
            classic: Atomic::new(!has_descriptors),
            rx_len: Atomic::new(MAX_DESCRIPTORS.into()),
            tx_len: Atomic::new(MAX_DESCRIPTORS.into()),
            copybreak: Atomic::new(256),
            loopback: Atomic::new(false),
            programs: Atomic::new(false),
            buffer_len: Atomic::new(0),
        }
    }

    /// Whether frames go the classic way, when the interface goes up or is up.
    #[inline]
    pub(crate) fn is_classic(&self) -> bool {
        // ORDERING: Relaxed. It changes under the instance lock, while the interface is down.
        self.classic.load(Relaxed)
    }

    /// How many descriptors the receive ring has, and the transmit ring.
    pub(crate) fn ring_lens(&self) -> (u16, u16) {
        // ORDERING: Relaxed. Both are read and written under the instance lock.
        let len = |len: &Atomic<u32>| u16::try_from(len.load(Relaxed)).unwrap_or(MAX_DESCRIPTORS);
        (len(&self.rx_len), len(&self.tx_len))
    }

    fn set_ring_lens(&self, rx: u16, tx: u16) {
        // ORDERING: Relaxed, as above.
        self.rx_len.store(rx.into(), Relaxed);
        self.tx_len.store(tx.into(), Relaxed);
    }

    /// Received frames up to this length are copied out of their buffers, in bytes.
    #[inline]
    pub(crate) fn copybreak(&self) -> u32 {
        // ORDERING: Relaxed. Any value is right at any time.
        self.copybreak.load(Relaxed)
    }

    /// Sets what [`Self::copybreak`] says.
    ///
    /// `EOPNOTSUPP` in the classic mode, in which all frames are copied.
    pub(crate) fn set_copybreak(&self, bytes: u32) -> Result {
        if self.is_classic() {
            return Err(EOPNOTSUPP);
        }
        // ORDERING: Relaxed, as above.
        self.copybreak.store(bytes, Relaxed);
        Ok(())
    }

    /// Notes how long a frame in the buffers may be that are used from now on, in bytes.
    pub(crate) fn note_buffers(&self, len: u32) {
        // ORDERING: Relaxed. Read and written under the instance lock.
        self.buffer_len.store(len, Relaxed);
    }

    /// Whether the rings that are in use are right for an interface with this MTU, too.
    pub(crate) fn suits(&self, mtu: u32) -> bool {
        // ORDERING: Relaxed, as above.
        self.is_classic() || cplus_rx::frame_len(mtu) <= self.buffer_len.load(Relaxed)
    }

    /// Whether programs look at received frames, or will.
    pub(crate) fn has_programs(&self) -> bool {
        // ORDERING: Relaxed. Read and written under the instance lock.
        self.programs.load(Relaxed)
    }

    /// Sets what [`Self::has_programs`] says.
    pub(crate) fn set_programs(&self, yes: bool) {
        // ORDERING: Relaxed, as above.
        self.programs.store(yes, Relaxed);
    }

    /// Whether an interface with this MTU can have the programs that it has.
    pub(crate) fn has_room_for_programs(&self, mtu: u32) -> bool {
        !self.has_programs() || cplus_rx::has_room_for_programs(mtu)
    }

    /// What a chip in the C+ mode does to received frames, with these features. A program is to see all of
    /// a frame, the tag included, or it would send it without.
    pub(crate) fn offloads(&self, features: Features) -> Offloads {
        Offloads {
            vlan: features.contains(Features::VLAN_RX) && !self.has_programs(),
            checksum: features.contains(Features::RXCSUM),
        }
    }

    /// Which of `features` are possible in the mode, and beside programs.
    pub(crate) fn fix_features(&self, features: Features) -> Features {
        let features = if self.has_programs() {
            features.without(BESIDE_PROGRAMS)
        } else {
            features
        };
        if self.is_classic() {
            features.without(CPLUS_FEATURES.with(Features::TSO_MANGLEID))
        } else {
            features
        }
    }

    /// Where the chip sends to.
    pub(crate) fn loopback(&self) -> Loopback {
        // ORDERING: Relaxed. Read and written under the instance lock.
        if self.loopback.load(Relaxed) {
            Loopback::On
        } else {
            Loopback::Off
        }
    }

    /// Sets that by the features. Returns whether it is a change.
    pub(crate) fn set_loopback(&self, features: Features) -> bool {
        let wanted = features.contains(Features::LOOPBACK);
        // ORDERING: Relaxed, as above.
        let before = self.loopback.load(Relaxed);
        self.loopback.store(wanted, Relaxed);
        before != wanted
    }

    /// What is said of the rings. Those of the classic mode have another kind of length, which is fixed.
    pub(crate) fn rings(&self) -> RingParameters {
        let (rx, tx, max) = if self.is_classic() {
            (0, 0, 0)
        } else {
            let (rx, tx) = self.ring_lens();
            (rx, tx, MAX_DESCRIPTORS)
        };
        RingParameters {
            rx: rx.into(),
            rx_max: max.into(),
            tx: tx.into(),
            tx_max: max.into(),
        }
    }
}

/// What the interface of a chip is set up with. What it has in one of its modes alone is switched by
/// [`Settings::fix_features`].
pub(crate) fn config(mac: Option<[u8; 6]>, has_descriptors: bool) -> Config {
    let (on, max_mtu) = if has_descriptors {
        (SENDING.with(CPLUS_FEATURES), CPLUS_MAX_MTU)
    } else {
        (SENDING, CLASSIC_MAX_MTU)
    };
    Config::new(mac)
        .mtu(MIN_MTU, max_mtu)
        .watchdog_ms(WATCHDOG_MS)
        .tso_max_size(TSO_MAX_SIZE)
        .xdp(has_descriptors)
        .features(
            on.with(Features::HIGHDMA),
            on.with(Features::RXALL)
                .with(Features::RXFCS)
                .with(Features::LOOPBACK),
            on.with(Features::HIGHDMA).without(TAGGING),
        )
}

/// Which of `features` the chip can do for this frame.
pub(crate) fn features_check(frame: &Outgoing<'_>, features: Features) -> Features {
    // The chip that cuts it looks for the IPv4 header right behind the Ethernet header, and has only so
    // many bits for the length of a segment.
    match frame.segment_size() {
        Some(size) if size.get() > descriptor::MAX_SEGMENT || frame.is_tagged_in_band(features) => {
            features.without(Features::SEGMENTS)
        }
        _ => features,
    }
}

impl Nic<'_> {
    /// Chooses the mode, while the interface is down. The features must be looked at again afterwards.
    ///
    /// # Errors
    ///
    /// - `EOPNOTSUPP`: the chip has no other mode.
    /// - `EBUSY`: the interface is up, or a program is attached, which the classic mode has no place for.
    /// - `EMSGSIZE`: the MTU is above what the classic mode can send.
    pub(crate) fn choose_mode(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        classic: bool,
    ) -> Result {
        if classic == self.settings.is_classic() {
            return Ok(());
        }
        if !self.hw.chip.has_descriptors {
            return Err(EOPNOTSUPP);
        }
        if up.is_some() || self.settings.has_programs() {
            return Err(EBUSY);
        }
        let max_mtu = if classic {
            CLASSIC_MAX_MTU
        } else {
            CPLUS_MAX_MTU
        };
        if cx.dev().mtu() > max_mtu {
            return Err(EMSGSIZE);
        }
        // ORDERING: Relaxed, see `Settings::is_classic`.
        self.settings.classic.store(classic, Relaxed);
        cx.set_mtu_limits(MIN_MTU, max_mtu);
        cx.offer_xdp(!classic);
        Ok(())
    }

    /// Chooses the number of descriptors of the receive ring, and of the transmit ring.
    ///
    /// # Errors
    ///
    /// - `EOPNOTSUPP`: the classic mode has none.
    /// - `EINVAL`: too few.
    /// - `ENOMEM`, and what [`Locked::replace`] fails with.
    pub(crate) fn choose_rings(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        rx: u32,
        tx: u32,
    ) -> Result {
        if self.settings.is_classic() {
            return Err(EOPNOTSUPP);
        }
        let (rx, tx) = (u16::try_from(rx)?, u16::try_from(tx)?);
        if !(MIN_RX..=MAX_DESCRIPTORS).contains(&rx)
            || !(MIN_DESCRIPTORS..=MAX_DESCRIPTORS).contains(&tx)
        {
            return Err(EINVAL);
        }
        let before = self.settings.ring_lens();
        self.settings.set_ring_lens(rx, tx);
        if up.is_none() {
            return Ok(());
        }
        let mtu = cx.dev().mtu();
        // From here on they are used, even if the start fails now and works when it is tried again.
        let (rx, tx) = path::open(self, cx, mtu)
            .inspect_err(|_| self.settings.set_ring_lens(before.0, before.1))?;
        cx.replace(rx, tx)
    }

    /// Gets buffers that are long enough for another MTU. See [`Operations::change_mtu`].
    ///
    /// # Errors
    ///
    /// - `EINVAL`: too long for the programs that there are.
    /// - `ENOMEM`, and what [`Locked::replace`] fails with.
    ///
    /// [`Operations::change_mtu`]: crate::net::driver::Operations::change_mtu
    pub(crate) fn prepare_for_mtu(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        mtu: u32,
    ) -> Result {
        if !self.settings.has_room_for_programs(mtu) {
            return Err(EINVAL);
        }
        if up.is_none() || self.settings.suits(mtu) {
            return Ok(());
        }
        // The buffers are too short.
        self.replace_rings(cx, mtu)
    }

    /// Makes new rings for an interface that is up, for this MTU, and goes on with them. If there is no
    /// memory for them, nothing changes.
    pub(crate) fn replace_rings(&self, cx: &mut Locked<'_, Self>, mtu: u32) -> Result {
        let (rx, tx) = path::open(self, cx, mtu)?;
        cx.replace(rx, tx)
    }

    /// Switches what the chip does to `features`.
    pub(crate) fn apply_features(
        &self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        features: Features,
    ) -> Result {
        // It is in a register that sending uses, so it is set while nothing is sent. Before the rest, since
        // it has the chip start with the features that are on yet.
        if self.settings.set_loopback(features) && up.is_some() {
            // If it fails, the layer tries again, with what is wanted.
            let _ = cx.restart();
        }
        if let Some(up) = up {
            up.set_filter(up.filter().errors(features.contains(Features::RXALL)));
            cx.dev().kick_napi(&cx.process());
            // A card that is hidden may sleep, and is told when it is started again.
            if !self.settings.is_classic() && cx.dev().is_present() {
                self.hw.set_offloads(self.settings.offloads(features));
            }
        }
        Ok(())
    }
}
