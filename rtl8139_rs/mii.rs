// SPDX-License-Identifier: GPL-2.0

//! The transceiver's registers and what they mean.
//!
//! The transceiver is inside the chip, but for the RTL8129 ([`mdio`](super::mdio)), and the chip shows
//! five of its registers among its own. There is no management bus and no identification, so
//! `phylib` has nothing to hold on to; the meaning of the registers is that of IEEE 802.3, clause 22.
//!
//! Sets of link modes are in the form of ethtool's first 32 modes
//! (`ETHTOOL_LINK_MODE_*_BIT`).

#![forbid(unsafe_code)]

/// The number under which the internal transceiver is known to user space; no management bus has it.
pub(crate) const PHY_ADDRESS: u8 = 32;

/// The transceiver's registers that the chip shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    /// BMCR.
    Control,
    /// BMSR.
    Status,
    /// ANAR.
    Advertise,
    /// ANLPAR.
    Partner,
    /// ANER.
    Expansion,
}

impl Register {
    /// The register with the number that clause 22 gives it.
    pub(crate) fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            1 => Some(Self::Status),
            4 => Some(Self::Advertise),
            5 => Some(Self::Partner),
            6 => Some(Self::Expansion),
            _ => None,
        }
    }

    /// The inverse of [`Self::from_number`].
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Status => 1,
            Self::Advertise => 4,
            Self::Partner => 5,
            Self::Expansion => 6,
        }
    }
}

/// The bits of BMCR.
mod control {
    pub(super) const FULL_DUPLEX: u16 = 1 << 8;
    pub(super) const RESTART: u16 = 1 << 9;
    pub(super) const AUTONEG: u16 = 1 << 12;
    pub(super) const SPEED_100: u16 = 1 << 13;
}

/// The bits of BMSR.
mod status {
    pub(super) const LINK: u16 = 1 << 2;
    pub(super) const AUTONEG_DONE: u16 = 1 << 5;
}

/// The bits of ANAR and ANLPAR.
mod ability {
    pub(super) const MODE_10_HALF: u16 = 1 << 5;
    pub(super) const MODE_10_FULL: u16 = 1 << 6;
    pub(super) const MODE_100_HALF: u16 = 1 << 7;
    pub(super) const MODE_100_FULL: u16 = 1 << 8;
    pub(super) const MODE_100_T4: u16 = 1 << 9;
    pub(super) const PAUSE: u16 = 1 << 10;
    pub(super) const ASYM_PAUSE: u16 = 1 << 11;
    pub(super) const ACKNOWLEDGE: u16 = 1 << 14;
}

/// Link modes in ethtool's form.
pub(crate) mod mode {
    /// 10BASE-T, half duplex.
    pub(crate) const MODE_10_HALF: u32 = 1 << 0;
    /// 10BASE-T, full duplex.
    pub(crate) const MODE_10_FULL: u32 = 1 << 1;
    /// 100BASE-TX, half duplex.
    pub(crate) const MODE_100_HALF: u32 = 1 << 2;
    /// 100BASE-TX, full duplex.
    pub(crate) const MODE_100_FULL: u32 = 1 << 3;
    /// Autonegotiation.
    pub(crate) const AUTONEG: u32 = 1 << 6;
    /// A port for twisted pair.
    pub(crate) const TP: u32 = 1 << 7;
    /// A port with MII.
    pub(crate) const MII: u32 = 1 << 9;
    /// Symmetric flow control.
    pub(crate) const PAUSE: u32 = 1 << 13;
    /// Asymmetric flow control.
    pub(crate) const ASYM_PAUSE: u32 = 1 << 14;
}

/// The modes that carry data.
const SPEEDS: u32 =
    mode::MODE_10_HALF | mode::MODE_10_FULL | mode::MODE_100_HALF | mode::MODE_100_FULL;

/// What the transceiver can do.
pub(crate) const SUPPORTED: u32 = SPEEDS | mode::AUTONEG | mode::TP | mode::MII;

/// Which bit of ANAR is which link mode.
const ABILITIES: [(u16, u32); 6] = [
    (ability::MODE_10_HALF, mode::MODE_10_HALF),
    (ability::MODE_10_FULL, mode::MODE_10_FULL),
    (ability::MODE_100_HALF, mode::MODE_100_HALF),
    (ability::MODE_100_FULL, mode::MODE_100_FULL),
    (ability::PAUSE, mode::PAUSE),
    (ability::ASYM_PAUSE, mode::ASYM_PAUSE),
];

/// The link modes in a value of ANAR or ANLPAR.
fn modes_of(abilities: u16) -> u32 {
    ABILITIES
        .iter()
        .filter(|(bit, _)| abilities & bit != 0)
        .fold(0, |modes, (_, mode)| modes | mode)
}

/// The bits of ANAR for a set of link modes.
fn abilities_of(modes: u32) -> u16 {
    ABILITIES
        .iter()
        .filter(|(_, mode)| modes & mode != 0)
        .fold(0, |abilities, (bit, _)| abilities | bit)
}

/// The speed of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// 10 Mbit/s.
    Mbps10,
    /// 100 Mbit/s.
    Mbps100,
}

impl Speed {
    /// In megabits a second.
    pub(crate) fn mbps(self) -> u32 {
        match self {
            Self::Mbps10 => 10,
            Self::Mbps100 => 100,
        }
    }

    /// The inverse of [`Self::mbps`]; `None` for a speed that the transceiver does not have.
    pub(crate) fn from_mbps(mbps: u32) -> Option<Self> {
        [Self::Mbps10, Self::Mbps100]
            .into_iter()
            .find(|speed| speed.mbps() == mbps)
    }
}

/// The values of the registers that decide about the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// BMCR.
    pub(crate) control: u16,
    /// BMSR, read twice if it latches that the link was down.
    pub(crate) status: u16,
    /// ANAR.
    pub(crate) advertise: u16,
    /// ANLPAR.
    pub(crate) partner: u16,
}

/// What the registers say about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// There is a link.
    pub(crate) up: bool,
    /// Speed and duplex are negotiated.
    pub(crate) autoneg: bool,
    /// The speed that a link has or would have.
    pub(crate) speed: Speed,
    /// Both ends may send at once.
    pub(crate) full_duplex: bool,
    /// What is offered to the other end.
    pub(crate) advertising: u32,
    /// What the other end offers; nothing unless negotiation is complete.
    pub(crate) partner: u32,
}

impl Link {
    /// Decodes the registers.
    pub(crate) fn decode(registers: Registers) -> Self {
        let Registers {
            control,
            status,
            advertise,
            partner,
        } = registers;
        // All ones are the silence of a bus on which nobody answers.
        let up = status & status::LINK != 0 && status != u16::MAX;
        let advertising = modes_of(advertise) | mode::TP | mode::MII;

        if control & control::AUTONEG == 0 {
            return Self {
                up,
                autoneg: false,
                speed: if control & control::SPEED_100 != 0 {
                    Speed::Mbps100
                } else {
                    Speed::Mbps10
                },
                full_duplex: control & control::FULL_DUPLEX != 0,
                advertising,
                partner: 0,
            };
        }

        let offered = if status & status::AUTONEG_DONE != 0 {
            let acknowledged = if partner & ability::ACKNOWLEDGE != 0 {
                mode::AUTONEG
            } else {
                0
            };
            modes_of(partner) | acknowledged
        } else {
            0
        };
        let common = advertising & offered;
        let (speed, full_duplex) = if common & (mode::MODE_100_FULL | mode::MODE_100_HALF) != 0 {
            (Speed::Mbps100, common & mode::MODE_100_FULL != 0)
        } else {
            (Speed::Mbps10, common & mode::MODE_10_FULL != 0)
        };
        Self {
            up,
            autoneg: true,
            speed,
            full_duplex,
            advertising: advertising | mode::AUTONEG,
            partner: offered,
        }
    }
}

/// What a user wants the link to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Negotiate, and offer these modes.
    Negotiate(u32),
    /// Use this and no other.
    Force {
        /// The speed.
        speed: Speed,
        /// Both ends may send at once.
        full_duplex: bool,
    },
}

/// What to write to the registers, where a value changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    /// For ANAR, which must be written first.
    pub(crate) advertise: Option<u16>,
    /// For BMCR.
    pub(crate) control: Option<u16>,
}

impl Wish {
    /// What makes the wish come true, given what the registers hold now.
    ///
    /// `None` if it cannot be had: a negotiation that offers no speed.
    pub(crate) fn writes(self, now: Registers) -> Option<Writes> {
        match self {
            Self::Negotiate(modes) => {
                if modes & SPEEDS == 0 {
                    return None;
                }
                let cleared = abilities_of(u32::MAX) | ability::MODE_100_T4;
                let advertise = (now.advertise & !cleared) | abilities_of(modes);
                Some(Writes {
                    advertise: (advertise != now.advertise).then_some(advertise),
                    control: Some(now.control | control::AUTONEG | control::RESTART),
                })
            }
            Self::Force { speed, full_duplex } => {
                let mut control = now.control
                    & !(control::AUTONEG
                        | control::RESTART
                        | control::SPEED_100
                        | control::FULL_DUPLEX);
                if speed == Speed::Mbps100 {
                    control |= control::SPEED_100;
                }
                if full_duplex {
                    control |= control::FULL_DUPLEX;
                }
                Some(Writes {
                    advertise: None,
                    control: (control != now.control).then_some(control),
                })
            }
        }
    }
}

/// What to write to BMCR to negotiate again, if negotiation is on.
pub(crate) fn restart_negotiation(control: u16) -> Option<u16> {
    (control & control::AUTONEG != 0).then_some(control | control::RESTART)
}
