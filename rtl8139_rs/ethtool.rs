// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` can ask.

#![forbid(unsafe_code)]

use super::{
    counters::Counters,
    gate::Up,
    intr_mask::bits,
    mii,
    nic::Nic,
    regs,
    tally, //
};
use crate::net::{
    driver::{
        Locked,
        Why, //
    },
    ethtool::{
        Duplex,
        LinkModes,
        LinkSettings,
        MacStats,
        Operations,
        Port,
        RingParameters,
        Wake,
        WakeOnLan, //
    },
};
use core::ops::Range;
use kernel::{
    io::Io,
    prelude::*,
    sync::atomic::Relaxed, //
};

/// The version of the layout of the register dump: the registers, as they stand in the chip.
const REGISTERS_VERSION: u32 = 1;

/// Where there are registers of 16 bits, which do not answer to a wider access: QEMU's read as zero then.
const HALVES: [Range<usize>; 3] = [0x38..0x40, 0x5c..0x78, 0xe0..0xe4];

/// The private flag that has a chip which has descriptor rings work without them.
const CLASSIC_RINGS: u32 = 1 << 0;

/// The frame check sequence, in bytes.
const FCS_LEN: u64 = 4;

#[vtable]
impl Operations<Self> for Nic<'_> {
    const STATISTICS: &'static [&'static CStr] = Counters::NAMES;
    const REGISTERS_LEN: usize = regs::SIZE;
    const PRIVATE_FLAGS: &'static [&'static CStr] = &[c"classic-rings"];
    /// That of 8139cp.
    const EEPROM_MAGIC: u32 = 0x8139;

    /// The chip's own are there in a chip that has them.
    fn more_statistics(this: &Self) -> &'static [&'static CStr] {
        if this.hw.chip.has_descriptors {
            tally::Counts::NAMES
        } else {
            &[]
        }
    }

    fn statistics(this: &Self, cx: &mut Locked<'_, Self>, up: Option<&Up>, values: &mut [u64]) {
        let tally = this.tally(cx, up);
        let all = Iterator::chain(this.counters.values(), tally.values());
        for (to, value) in values.iter_mut().zip(all) {
            *to = value;
        }
    }

    /// Only what the card tells one from the other. In the classic mode it does not say how often a frame
    /// collided, nor whether a damaged frame had a symbol wrong or a part of a byte; and a frame that it could
    /// not read in time (`tx_underruns`) it sends again.
    ///
    /// With `rx-all` the damaged frames are among those received, with `rx-fcs` each of them has four
    /// octets too many. The octets of frames that were not sent well are among those sent: nothing keeps how
    /// many these were.
    fn mac_stats(this: &Self, cx: &mut Locked<'_, Self>, up: Option<&Up>) -> MacStats {
        let counters = &this.counters;
        let tally = (!this.settings.is_classic()).then(|| this.tally(cx, up));
        let sent_well = this.sent_well(cx, up);
        let (sent, sent_bytes) = this.sent.get();
        let (received, received_bytes) = this.received.get();
        let octets = |bytes: u64, frames: u64| bytes.wrapping_add(frames.wrapping_mul(FCS_LEN));
        MacStats {
            frames_transmitted_ok: Some(sent_well),
            octets_transmitted_ok: Some(octets(sent_bytes, sent)),
            frames_received_ok: Some(received),
            octets_received_ok: Some(octets(received_bytes, received)),
            multicast_frames_received_ok: Some(counters.multicast.get()),
            frame_check_sequence_errors: Some(counters.rx_crc_errors.get()),
            frames_lost_in_receiver: Some(this.missed_frames()),
            late_collisions: Some(counters.tx_window_errors.get()),
            frames_aborted_by_collisions: Some(counters.tx_aborted.get()),
            carrier_sense_errors: Some(counters.tx_carrier_errors.get()),
            single_collision_frames: tally.map(|tally| tally.tx_ok_1col),
            multiple_collision_frames: tally.map(|tally| tally.tx_ok_mcol),
            alignment_errors: tally.map(|tally| tally.frame_align),
            broadcast_frames_received_ok: tally.map(|tally| tally.rx_ok_bcast),
            ..MacStats::default()
        }
    }

    fn registers(
        this: &Self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
        dump: &mut [u8],
    ) -> u32 {
        let bar = &this.hw.bar;
        // Reading has no side effect on any register.
        for (word, offset) in dump.chunks_exact_mut(4).zip((0..).step_by(4)) {
            let value = if HALVES.iter().any(|halves| halves.contains(&offset)) {
                let half = |offset| bar.try_read16(offset).map_or(0, u32::from);
                half(offset) | (half(offset.wrapping_add(2)) << 16)
            } else {
                bar.try_read32(offset).unwrap_or(0)
            };
            word.copy_from_slice(&value.to_le_bytes());
        }
        REGISTERS_VERSION
    }

    fn private_flags(this: &Self) -> u32 {
        if this.settings.is_classic() {
            CLASSIC_RINGS
        } else {
            0
        }
    }

    fn set_private_flags(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        flags: u32,
    ) -> Result {
        this.choose_mode(cx, up, flags & CLASSIC_RINGS != 0)
    }

    fn ring_parameters(
        this: &Self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
    ) -> RingParameters {
        this.settings.rings()
    }

    fn set_ring_parameters(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        rx: u32,
        tx: u32,
        why: &mut Why,
    ) -> Result {
        this.choose_rings(cx, up, rx, tx).inspect_err(|error| {
            if *error == EINVAL {
                why.say(c"there must be 16 descriptors or more to receive, 20 to send");
            }
        })
    }

    fn rx_copybreak(this: &Self) -> u32 {
        this.settings.copybreak()
    }

    fn set_rx_copybreak(
        this: &Self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
        bytes: u32,
    ) -> Result {
        this.settings.set_copybreak(bytes)
    }

    fn eeprom_len(this: &Self) -> usize {
        this.eeprom_bytes()
    }

    fn eeprom(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        offset: usize,
        data: &mut [u8],
    ) -> Result {
        this.copy_eeprom(cx, up, offset, data)
    }

    fn set_eeprom(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        offset: usize,
        data: &[u8],
    ) -> Result {
        this.change_eeprom(cx, up, offset, data)
    }

    fn link(this: &Self, _cx: &mut Locked<'_, Self>, _up: Option<&Up>) -> bool {
        this.hw.has_link()
    }

    fn link_settings(
        this: &Self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
    ) -> Result<LinkSettings> {
        let link = mii::Link::decode(this.hw.link_registers());
        Ok(LinkSettings {
            speed: link.up.then_some(link.speed.mbps()),
            duplex: if link.full_duplex {
                Duplex::Full
            } else {
                Duplex::Half
            },
            autoneg: link.autoneg,
            port: Port::Mii,
            phy_address: this.phy_address(),
            clause_22: true,
            supported: LinkModes::from_bits(mii::SUPPORTED),
            advertising: LinkModes::from_bits(link.advertising),
            lp_advertising: LinkModes::from_bits(link.partner),
        })
    }

    fn set_link_settings(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        up: Option<&Up>,
        settings: &LinkSettings,
    ) -> Result {
        if settings.port != Port::Mii || settings.phy_address != this.phy_address() {
            return Err(EINVAL);
        }
        let wish = if settings.autoneg {
            mii::Wish::Negotiate(settings.advertising.bits())
        } else {
            mii::Wish::Force {
                speed: settings
                    .speed
                    .and_then(mii::Speed::from_mbps)
                    .ok_or(EINVAL)?,
                full_duplex: match settings.duplex {
                    Duplex::Full => true,
                    Duplex::Half => false,
                    Duplex::Unknown => return Err(EINVAL),
                },
            }
        };
        let writes = wish.writes(this.hw.link_registers()).ok_or(EINVAL)?;
        if let Some(value) = writes.advertise {
            this.hw.write_phy(mii::Register::Advertise, value);
        }
        if let Some(value) = writes.control {
            this.hw.write_phy(mii::Register::Control, value);
        }
        // A forced mode holds at once, and need not change the link. Only one context may look at it.
        match up {
            Some(_) if this.hw.polls_link() => this.check_link(cx.dev()),
            Some(up) => {
                up.note(bits::LINK_CHANGE);
                cx.dev().kick_napi(&cx.process());
            }
            None => {}
        }
        Ok(())
    }

    fn restart_autoneg(this: &Self, _cx: &mut Locked<'_, Self>, _up: Option<&Up>) -> Result {
        let control = this.hw.read_phy(mii::Register::Control);
        let control = mii::restart_negotiation(control).ok_or(EINVAL)?;
        this.hw.write_phy(mii::Register::Control, control);
        Ok(())
    }

    fn message_level(this: &Self) -> u32 {
        this.messages()
    }

    fn set_message_level(this: &Self, level: u32) {
        this.set_messages(level);
    }

    /// What the chip can do is offered wherever it is. Whether the bus can pass it on is another question:
    /// without power management on the bus, as in QEMU, PME# wakes nothing, but a card has a second wire
    /// to the board, LWAKE, of which neither the PCI core nor this driver knows whether it is plugged in.
    fn wake_on_lan(this: &Self, cx: &mut Locked<'_, Self>, _up: Option<&Up>) -> WakeOnLan {
        WakeOnLan {
            supported: this.hw.wakes_by(),
            wanted: this.wake(cx),
        }
    }

    fn set_wake_on_lan(
        this: &Self,
        cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
        wake: Wake,
    ) -> Result {
        if !this.hw.wakes_by().contains(wake) {
            return Err(EINVAL);
        }
        this.set_wake(cx, wake);
        Ok(())
    }
}

impl Nic<'_> {
    /// Which messages are printed (`NETIF_MSG_*`).
    pub(super) fn messages(&self) -> u32 {
        // ORDERING: Relaxed. A message more or less orders nothing.
        self.messages.load(Relaxed)
    }

    /// Sets which messages are printed.
    fn set_messages(&self, messages: u32) {
        // ORDERING: Relaxed, see `messages`.
        self.messages.store(messages, Relaxed);
    }
}
