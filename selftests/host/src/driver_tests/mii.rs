// SPDX-License-Identifier: GPL-2.0

use crate::driver::mii::{mode, restart_negotiation, Link, Register, Registers, Speed, Wish};
use proptest::prelude::*;

/// What QEMU's card says with its link up.
const QEMU: Registers = Registers {
    control: 0x1000,
    status: 0x782d,
    advertise: 0x05e1,
    partner: 0x05e1,
};

#[test]
fn maps_the_registers_that_the_chip_has() {
    let known: Vec<u16> = (0..64)
        .filter(|&n| Register::from_number(n).is_some())
        .collect();
    assert_eq!(known, [0, 1, 4, 5, 6]);
    assert_eq!(Register::from_number(5), Some(Register::Partner));
    for n in known {
        assert_eq!(
            Register::from_number(n).map(Register::number),
            u8::try_from(n).ok()
        );
    }
}

#[test]
fn decodes_a_negotiated_link() {
    let link = Link::decode(QEMU);
    assert!(link.up && link.autoneg && link.full_duplex);
    assert_eq!(link.speed, Speed::Mbps100);
    assert_eq!(
        link.advertising,
        0xf | mode::AUTONEG | mode::TP | mode::MII | mode::PAUSE
    );
    assert_eq!(link.partner, 0xf | mode::PAUSE);
}

#[test]
fn a_link_that_is_down_is_seen() {
    let link = Link::decode(Registers {
        status: 0x7829,
        ..QEMU
    });
    assert!(!link.up && link.autoneg);
}

#[test]
fn unfinished_negotiation_offers_nothing() {
    let link = Link::decode(Registers {
        status: QEMU.status & !(1 << 5),
        ..QEMU
    });
    assert_eq!(link.partner, 0);
    assert_eq!((link.speed, link.full_duplex), (Speed::Mbps10, false));
}

#[test]
fn the_best_common_mode_wins() {
    for (partner, speed, full_duplex) in [
        (0x0181, Speed::Mbps100, true),
        (0x0081, Speed::Mbps100, false),
        (0x0061, Speed::Mbps10, true),
        (0x0021, Speed::Mbps10, false),
    ] {
        let link = Link::decode(Registers { partner, ..QEMU });
        assert_eq!(
            (link.speed, link.full_duplex),
            (speed, full_duplex),
            "{partner:#x}"
        );
    }
}

#[test]
fn a_partner_that_acknowledged_negotiates() {
    assert_eq!(Link::decode(QEMU).partner & mode::AUTONEG, 0);
    let link = Link::decode(Registers {
        partner: QEMU.partner | (1 << 14),
        ..QEMU
    });
    assert_ne!(link.partner & mode::AUTONEG, 0);
}

#[test]
fn decodes_a_forced_link() {
    for (control, speed, full_duplex) in [
        (0x2100, Speed::Mbps100, true),
        (0x2000, Speed::Mbps100, false),
        (0x0100, Speed::Mbps10, true),
        (0x0000, Speed::Mbps10, false),
    ] {
        let link = Link::decode(Registers { control, ..QEMU });
        assert!(!link.autoneg);
        assert_eq!(
            (link.speed, link.full_duplex, link.partner),
            (speed, full_duplex, 0)
        );
    }
}

#[test]
fn offers_only_what_is_wished_and_negotiates_again() {
    let writes = Wish::Negotiate(mode::MODE_10_FULL).writes(QEMU).unwrap();
    assert_eq!(writes.advertise, Some(0x0041));
    assert_eq!(writes.control, Some(0x1200));
    assert_eq!(Wish::Negotiate(mode::AUTONEG).writes(QEMU), None);
}

#[test]
fn writes_nothing_that_is_so_already() {
    let modes = Link::decode(QEMU).advertising;
    assert_eq!(Wish::Negotiate(modes).writes(QEMU).unwrap().advertise, None);
    let forced = Registers {
        control: 0x2100,
        ..QEMU
    };
    let wish = Wish::Force {
        speed: Speed::Mbps100,
        full_duplex: true,
    };
    assert_eq!(wish.writes(forced).unwrap().control, None);
}

#[test]
fn renegotiates_only_what_is_negotiated() {
    assert_eq!(restart_negotiation(0x1000), Some(0x1200));
    assert_eq!(restart_negotiation(0x2100), None);
}

#[test]
fn knows_its_speeds() {
    assert_eq!(Speed::from_mbps(100), Some(Speed::Mbps100));
    assert_eq!(Speed::from_mbps(1000), None);
}

proptest! {
    #[test]
    fn a_forced_link_reads_back(control: u16, fast: bool, full_duplex: bool) {
        let speed = if fast { Speed::Mbps100 } else { Speed::Mbps10 };
        let now = Registers { control, ..QEMU };
        let writes = Wish::Force { speed, full_duplex }.writes(now).unwrap();
        let after = Registers { control: writes.control.unwrap_or(control), ..now };
        let link = Link::decode(after);
        prop_assert!(!link.autoneg);
        prop_assert_eq!((link.speed, link.full_duplex), (speed, full_duplex));
    }

    #[test]
    fn a_wished_offer_reads_back(advertise: u16, modes: u32) {
        let offer = modes & (0xf | mode::PAUSE | mode::ASYM_PAUSE);
        let now = Registers { advertise, ..QEMU };
        match Wish::Negotiate(modes).writes(now) {
            None => prop_assert_eq!(offer & 0xf, 0),
            Some(writes) => {
                let after = Registers {
                    advertise: writes.advertise.unwrap_or(advertise),
                    control: writes.control.unwrap_or(now.control),
                    ..now
                };
                let link = Link::decode(after);
                prop_assert_eq!(link.advertising, offer | mode::AUTONEG | mode::TP | mode::MII);
                // The selector field and the bits of others stay as they were.
                prop_assert_eq!(after.advertise & 0xf01f, advertise & 0xf01f);
            }
        }
    }

    #[test]
    fn no_value_of_the_registers_is_too_strange(
        control: u16,
        status in prop_oneof![9 => any::<u16>(), 1 => Just(u16::MAX)],
        advertise: u16,
        partner: u16,
    ) {
        let link = Link::decode(Registers { control, status, advertise, partner });
        // All ones are no register's value: nobody has answered.
        prop_assert_eq!(link.up, status & 4 != 0 && status != u16::MAX);
    }
}

#[test]
fn a_silent_bus_is_no_link() {
    let silent = Registers {
        control: u16::MAX,
        status: u16::MAX,
        advertise: u16::MAX,
        partner: u16::MAX,
    };
    assert!(!Link::decode(silent).up);
}
