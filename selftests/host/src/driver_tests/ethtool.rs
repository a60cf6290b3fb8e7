// SPDX-License-Identifier: GPL-2.0

//! What `ethtool` asks and sets that is neither the link nor on the path of a frame.

use crate::driver::nic::Nic;
use crate::model::{
    chip::{
        Ending,
        Fate,
        Kind,
        Model,
        MAC, //
    },
    lie::Lie,
    machine::{
        proven,
        Hardware,
        Machine, //
    },
};
use crate::net::{
    ethtool::{
        Operations as _,
        Wake,
        MESSAGES_LINK, //
    },
    offload::{
        Checksum,
        Wishes, //
    },
};
use kernel::{
    io::Registers,
    prelude::*, //
};
use std::num::NonZeroU16;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

const CONFIG3: usize = 0x59;
const CONFIG5: usize = 0xd8;
const RCR: usize = 0x44;
const MAR: usize = 0x08;
const RCR_WAKE: u32 = (1 << 3) | (1 << 1);

/// What can wake, with its bits in the two registers.
const WAYS: [(Wake, u32, u32); 5] = [
    (Wake::PHY, 1 << 4, 0),
    (Wake::MAGIC, 1 << 5, 0),
    (Wake::UNICAST, 0, 1 << 4),
    (Wake::MULTICAST, 0, 1 << 5),
    (Wake::BROADCAST, 0, 1 << 6),
];

fn set_wake(machine: &Machine<'_>, wake: Wake) -> Result {
    machine
        .dev
        .control(|nic, cx, up| Nic::set_wake_on_lan(nic, cx, up, wake))
}

fn sleep(machine: &Machine<'_>) -> bool {
    machine.bounded(|dev| dev.detach());
    machine.dev.control(|nic, cx, up| nic.arm_wake(cx, up))
}

/// The bits of the two registers.
fn armed(hardware: &Hardware) -> (u32, u32) {
    let read = |register| hardware.card.read(register, 1) & 0x70;
    (read(CONFIG3), read(CONFIG5))
}

#[test]
fn each_way_to_wake_has_its_bit() {
    for bits in 0..1u32 << WAYS.len() {
        let chosen = || (0..).zip(WAYS).filter(|(i, _)| (bits >> i) & 1 != 0);
        let wake = chosen().fold(Wake::none(), |all, (_, (way, _, _))| all.with(way));
        let expected = chosen().fold((0, 0), |(three, five), (_, (_, c3, c5))| {
            (three | c3, five | c5)
        });
        let hardware = Hardware::new(Kind::Silicon);
        let machine = Machine::up(&hardware);
        set_wake(&machine, wake).unwrap();
        assert_eq!(sleep(&machine), bits != 0);
        assert_eq!(armed(&hardware), expected);
    }
}

#[test]
fn what_is_to_wake_is_kept_while_the_interface_is_used_and_armed_only_asleep() {
    for kind in KINDS {
        let hardware = Hardware::new(kind);
        let mut machine = Machine::up(&hardware);
        let wake = Wake::MAGIC.with(Wake::BROADCAST);
        let state = |machine: &Machine<'_>| machine.dev.control(Nic::wake_on_lan);
        assert_eq!(state(&machine).wanted, Wake::none());
        assert!(WAYS
            .iter()
            .all(|&(way, _, _)| state(&machine).supported.contains(way)));

        set_wake(&machine, wake).unwrap();
        assert_eq!(armed(&hardware), (0, 0));
        machine.bounded(|dev| dev.close());
        machine.bounded(|dev| dev.open()).unwrap();
        assert_eq!(state(&machine).wanted, wake);
        assert_eq!(armed(&hardware), (0, 0));

        assert!(sleep(&machine));
        assert_eq!(armed(&hardware), (1 << 5, 1 << 6));
        assert_eq!(hardware.card.read(RCR, 4) & RCR_WAKE, RCR_WAKE);
        // Nothing gets to memory.
        assert_eq!(machine.peer_sends(100), Fate::Ignored);

        machine.dev.control(|nic, cx, _| nic.disarm_wake(cx));
        assert_eq!(armed(&hardware), (0, 0));
        machine.bounded(|dev| dev.attach()).unwrap();
        assert_eq!(armed(&hardware), (0, 0));
        assert_eq!(state(&machine).wanted, wake);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Its clock, its power and whatever it knew may be gone.
#[test]
fn a_chip_that_has_lost_its_power_since_is_made_to_look_for_what_wakes() {
    const CONFIG1: usize = 0x52;
    let hardware = Hardware::new(Kind::Silicon);
    let machine = Machine::new(&hardware).unwrap();
    let config1 = |hardware: &Hardware| hardware.card.read(CONFIG1, 1) & 1;
    assert_eq!(config1(&hardware), 1);
    hardware.card.chip().power_on();
    assert_eq!(
        config1(&hardware),
        0,
        "power management, which the driver had switched on"
    );
    set_wake(&machine, Wake::MAGIC).unwrap();
    assert!(sleep(&machine));
    assert_eq!(config1(&hardware), 1);
    assert_eq!(armed(&hardware), (1 << 5, 0));
}

/// The chip may have been told another address, or none since it was reset.
#[test]
fn an_interface_that_is_down_wakes_the_machine_by_its_address() {
    let hardware = Hardware::new(Kind::Silicon);
    let machine = Machine::new(&hardware).unwrap();
    let mac = [2, 0, 0, 0, 0, 0x42];
    machine.dev.set_mac(mac).unwrap();
    set_wake(&machine, Wake::MAGIC).unwrap();
    assert!(sleep(&machine));
    assert_eq!(armed(&hardware), (1 << 5, 0));
    assert_eq!(hardware.card.read(0, 4).to_le_bytes(), mac[..4]);
    assert_eq!(hardware.card.read(4, 4).to_le_bytes()[..2], mac[4..]);
    assert_eq!(
        [0, 4].map(|at| hardware.card.read(MAR + at, 4)),
        [u32::MAX; 2],
        "any group"
    );
    machine.dev.control(|nic, cx, _| nic.disarm_wake(cx));
    assert_eq!(armed(&hardware), (0, 0));
    assert_eq!(hardware.complaints(), Vec::<String>::new());
}

#[test]
fn a_chip_that_cannot_wake_offers_nothing() {
    let hardware = Hardware::new(Kind::Silicon);
    // An RTL8139A.
    hardware.card.chip().become_chip(0x7000_0000);
    let machine = Machine::up(&hardware);
    let state = machine.dev.control(Nic::wake_on_lan);
    assert_eq!(state.supported, Wake::none());
    assert_eq!(set_wake(&machine, Wake::MAGIC), Err(EINVAL));
    assert_eq!(set_wake(&machine, Wake::none()), Ok(()));
    assert!(!sleep(&machine));
    // It has no such registers.
    assert_eq!(armed(&hardware), (0, 0));
    assert_eq!(hardware.complaints(), Vec::<String>::new());
}

fn eeprom(machine: &Machine<'_>) -> Vec<u8> {
    machine.dev.control(|nic, cx, up| {
        let mut data = vec![0; Nic::eeprom_len(nic)];
        Nic::eeprom(nic, cx, up, 0, &mut data).unwrap();
        data
    })
}

fn set_eeprom(machine: &Machine<'_>, offset: usize, data: &[u8]) -> Result {
    machine.bounded(|dev| dev.control(|nic, cx, up| Nic::set_eeprom(nic, cx, up, offset, data)))
}

/// While it runs, the chip needs the bus; so what it shows was read before.
#[test]
fn the_eeprom_is_shown_without_a_look_at_it() {
    for kind in KINDS {
        let hardware = Hardware::new(kind);
        let machine = Machine::up(&hardware);
        let before = hardware.card.chip().accesses;
        let shown = eeprom(&machine);
        assert_eq!(hardware.card.chip().accesses, before);
        assert_eq!(shown.len(), 128);
        assert_eq!(shown[..2], [0x29, 0x81]);
        assert_eq!(shown[14..20], MAC);
    }
}

#[test]
fn the_eeprom_is_written_while_the_interface_is_down() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    assert_eq!(set_eeprom(&machine, 19, &[0x99]), Err(EBUSY));
    machine.bounded(|dev| dev.close());
    assert_eq!(set_eeprom(&machine, 19, &[0x99]), Ok(()));
    assert_eq!(hardware.card.chip().eeprom.words[9], 0x9956);
    assert_eq!(eeprom(&machine)[18..20], [0x56, 0x99]);
    machine.bounded(|dev| dev.open()).unwrap();
    assert!(machine.works());
    machine.check_manners();
}

/// As QEMU's.
#[test]
fn an_eeprom_that_takes_nothing_is_an_error() {
    let hardware = Hardware::new(Kind::Qemu);
    let mut machine = Machine::new(&hardware).unwrap();
    let before = eeprom(&machine);
    assert_eq!(set_eeprom(&machine, 40, &[1; 16]), Err(EIO));
    assert_eq!(eeprom(&machine), before);
    // What does not change is not written.
    assert_eq!(set_eeprom(&machine, 0, &before[..40]), Ok(()));
    machine.bounded(|dev| dev.open()).unwrap();
    assert!(machine.works());
    machine.check_manners();
}

/// It takes long, and who asks for the card only wants to know its address.
#[test]
fn the_eeprom_is_read_once_and_not_when_the_driver_gets_the_card() {
    for kind in KINDS {
        let hardware = Hardware::new(kind);
        let accesses = || hardware.card.chip().accesses;
        let mut machine = Machine::new(&hardware).unwrap();
        assert!(accesses() < 1000, "{} accesses in probe", accesses());
        assert!(machine.has_its_own_address());
        let before = accesses();
        assert_eq!(machine.dev.control(|nic, _, _| Nic::eeprom_len(nic)), 128);
        assert_eq!(accesses(), before);

        // Asked for before the first start, it is not read at that.
        let shown = eeprom(&machine);
        assert_eq!(shown[14..20], MAC);
        assert!(accesses() > before + 5000);
        let before = accesses();
        machine.bounded(|dev| dev.open()).unwrap();
        assert_eq!(eeprom(&machine), shown);
        assert!(accesses() < before + 1000);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// It is tried again while the interface is down, and nothing wrong is kept.
#[test]
fn an_eeprom_that_did_not_answer_is_asked_again() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::new(&hardware).unwrap();
    let ask = |machine: &Machine<'_>| {
        let mut word = [0; 2];
        machine.bounded(|dev| {
            dev.control(|nic, cx, up| Nic::eeprom(nic, cx, up, 0, &mut word).map(|()| word))
        })
    };
    hardware.card.chip().tell(Lie::DeafEeprom);
    assert_eq!(ask(&machine), Err(EIO));
    assert_eq!(set_eeprom(&machine, 0, &[1]), Err(EIO));
    machine.bounded(|dev| dev.open()).unwrap();
    hardware.card.chip().come_to_its_senses();
    // Now it is not to be disturbed.
    assert_eq!(ask(&machine), Err(EIO));
    machine.bounded(|dev| dev.close());
    assert_eq!(ask(&machine), Ok([0x29, 0x81]));
    machine.bounded(|dev| dev.open()).unwrap();
    assert!(machine.works());
    machine.check_manners();
}

#[test]
fn a_card_without_eeprom_shows_none() {
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.chip().tell(Lie::DeafEeprom);
    let machine = Machine::new(&hardware).unwrap();
    machine.dev.control(|nic, cx, up| {
        assert_eq!(Nic::eeprom_len(nic), 0);
        assert_eq!(Nic::eeprom(nic, cx, up, 0, &mut [0]), Err(EOPNOTSUPP));
    });
    assert_eq!(set_eeprom(&machine, 0, &[0]), Err(EOPNOTSUPP));
}

#[test]
fn messages_about_the_link_can_be_switched_off() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    let level = |machine: &Machine<'_>| machine.dev.control(|nic, _, _| Nic::message_level(nic));
    let change = |machine: &mut Machine<'_>, link| {
        let before = machine.dev.messages().len();
        hardware.card.chip().set_link(link);
        machine.settle();
        assert_eq!(machine.dev.carrier_ok(), link);
        machine.dev.messages().len() - before
    };
    assert_ne!(level(&machine) & MESSAGES_LINK, 0);
    assert_eq!(change(&mut machine, false), 1);
    let quiet = level(&machine) & !MESSAGES_LINK;
    machine
        .dev
        .control(|nic, _, _| Nic::set_message_level(nic, quiet));
    assert_eq!(level(&machine), quiet);
    assert_eq!(change(&mut machine, true), 0);
    assert_eq!(change(&mut machine, false), 0);
}

/// A register answers to an access of its own width.
#[test]
fn registers_are_dumped_as_they_are_read_one_by_one() {
    let hardware = Hardware::of(Kind::Qemu, Model::CPlus);
    let machine = Machine::up(&hardware);
    let mut dump = [0; Nic::REGISTERS_LEN];
    machine.dev.control(|nic, cx, up| {
        Nic::registers(nic, cx, up, &mut dump);
    });
    for (offset, width) in [
        (0x3c, 2),
        (0x40, 4),
        (0x44, 4),
        (0x62, 2),
        (0x64, 2),
        (0xe0, 2),
    ] {
        let mut bytes = [0; 4];
        bytes[..width].copy_from_slice(&dump[offset..][..width]);
        let value = hardware.card.read(offset, width);
        assert_ne!(value, 0, "{offset:#x}");
        assert_eq!(u32::from_le_bytes(bytes), value, "{offset:#x}");
    }
}

#[test]
fn the_standard_counters_are_those_of_the_frames() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    let stats = |machine: &Machine<'_>| machine.dev.control(Nic::mac_stats);
    assert_eq!(stats(&machine).frames_received_ok, Some(0));
    for _ in 0..3 {
        machine.peer_sends(100);
    }
    for _ in 0..4 {
        assert!(machine.stack_sends(200));
    }
    machine.settle();
    let now = stats(&machine);
    assert_eq!(now.frames_received_ok, Some(3));
    assert_eq!(now.octets_received_ok, Some(3 * 104));
    assert_eq!(now.frames_transmitted_ok, Some(4));
    assert_eq!(now.octets_transmitted_ok, Some(4 * 204));
    assert_eq!(now.frame_check_sequence_errors, Some(0));
    assert_eq!(now.frames_lost_in_receiver, Some(0));
    // What the card does not tell.
    assert_eq!(now.alignment_errors, None);
    assert_eq!(now.single_collision_frames, None);
    assert_eq!(now.multiple_collision_frames, None);

    machine.tell(Lie::Missed(7));
    machine.tell(Lie::Ending(Ending::Aborted));
    for _ in 0..4 {
        assert!(machine.stack_sends(200));
    }
    machine.settle();
    let then = stats(&machine);
    assert_eq!(then.frames_lost_in_receiver, Some(7));
    assert_eq!(then.frames_aborted_by_collisions, Some(1));
    assert_eq!(then.frames_transmitted_ok, Some(7));
}

/// Whatever becomes of frames that the chip has: reset, taken down, or given up, at any time.
#[test]
fn the_count_of_frames_sent_well_never_goes_back() {
    let segmented = Wishes {
        checksum: Checksum::Tcp4,
        segment: NonZeroU16::new(100),
        ..Wishes::default()
    };
    let ends: [fn(&mut Machine<'_>); 4] = [
        |machine| machine.bounded(|dev| dev.watchdog()),
        |machine| machine.down_and_up(),
        |machine| machine.bounded(|dev| dev.close()),
        |machine| machine.bounded(|dev| dev.detach()),
    ];
    let count = |machine: &Machine<'_>| {
        let stats = machine.dev.control(Nic::mac_stats);
        stats.frames_transmitted_ok.unwrap()
    };
    for (model, wishes) in [
        (Model::C, Wishes::default()),
        (Model::CPlus, Wishes::default()),
        (Model::CPlus, segmented),
    ] {
        for end in ends {
            let hardware = Hardware::of(Kind::Silicon, model);
            let mut machine = proven(&hardware);
            assert_eq!(count(&machine), 3);
            machine.tell(Lie::TransmitterStands);
            while machine.stack_sends_pieces(&[1000], wishes, false) {
                assert_eq!(count(&machine), 3, "a frame that is on its way counts");
            }
            end(&mut machine);
            assert_eq!(count(&machine), 3);
            machine.settle();
            assert_eq!(count(&machine), 3);
        }
    }
}

/// The chip has sent some, and gives one up; nobody has looked for them but who asks for the count.
#[test]
fn frames_count_as_sent_well_as_soon_as_they_are() {
    for model in [Model::C, Model::CPlus] {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        let count = |machine: &Machine<'_>| {
            let stats = machine.dev.control(Nic::mac_stats);
            stats.frames_transmitted_ok.unwrap()
        };
        for _ in 0..3 {
            assert!(machine.stack_sends(200));
        }
        for sent in 0..2 {
            assert_eq!(count(&machine), 3 + sent);
            assert!(machine.chip_sends());
        }
        machine.tell(Lie::Ending(Ending::Aborted));
        assert_eq!(count(&machine), 5);
        assert!(machine.chip_sends());
        assert_eq!(count(&machine), 5, "one that was given up");
        machine.settle();
        assert!(machine.works());
        assert_eq!(count(&machine), 8);
    }
}
