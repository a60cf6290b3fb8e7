// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` can ask.

#![forbid(unsafe_code)]

use super::{
    counters::Counters,
    gate::Up,
    intr_mask::bits,
    mii,
    nic::Nic,
    regs, //
};
use crate::net::{
    driver::Locked,
    ethtool::{
        Duplex,
        LinkModes,
        LinkSettings,
        Operations,
        Port, //
    },
};
use kernel::{
    io::Io,
    prelude::*, //
};

/// The version of the layout of the register dump: the registers, as they stand in the chip.
const REGISTERS_VERSION: u32 = 1;

#[vtable]
impl Operations<Self> for Nic<'_> {
    const STATISTICS: &'static [&'static CStr] = Counters::NAMES;
    const REGISTERS_LEN: usize = regs::SIZE;

    fn statistics(this: &Self, _up: Option<&Up>, values: &mut [u64]) {
        for (to, value) in values.iter_mut().zip(this.counters.values()) {
            *to = value;
        }
    }

    fn registers(
        this: &Self,
        _cx: &mut Locked<'_, Self>,
        _up: Option<&Up>,
        dump: &mut [u8],
    ) -> u32 {
        // Reading has no side effect on any register.
        for (word, offset) in dump.chunks_exact_mut(4).zip((0..).step_by(4)) {
            let value = this.hw.bar.try_read32(offset).unwrap_or(0);
            word.copy_from_slice(&value.to_le_bytes());
        }
        REGISTERS_VERSION
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
}
