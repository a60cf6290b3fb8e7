// SPDX-License-Identifier: GPL-2.0

//! All of the driver on a chip that tells the truth: nothing is lost, and nothing costs more than it
//! must.

use crate::driver::mii;
use crate::driver::nic::Nic;
use crate::model::chip::{
    Fate,
    Kind,
    Model,
    CHIPS,
    MAC, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::{
    driver::{
        Features,
        Operations as _,
        RxMode, //
    },
    ethtool::{
        self,
        Operations as _, //
    },
    offload::Wishes,
};
use kernel::prelude::*;
use proptest::prelude::*;

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    PeerSends(usize),
    /// A frame in so many pieces, and whether another one comes right after it.
    StackSends(usize, usize, bool),
    ChipSends,
    Interrupt,
    Poll,
    Work,
    Tick,
    LimitQueue(u32),
    Netpoll,
    Stats,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (60usize..1792).prop_map(Step::PeerSends),
        6 => (18usize..1792, 1usize..6, any::<bool>())
            .prop_map(|(len, pieces, more)| Step::StackSends(len, pieces, more)),
        4 => Just(Step::ChipSends),
        5 => Just(Step::Interrupt),
        4 => Just(Step::Poll),
        1 => Just(Step::Work),
        1 => Just(Step::Tick),
        1 => prop_oneof![Just(100u32), Just(3000), Just(u32::MAX)].prop_map(Step::LimitQueue),
        1 => Just(Step::Netpoll),
        1 => Just(Step::Stats),
    ]
}

fn take(machine: &mut Machine<'_>, step: Step) {
    match step {
        Step::PeerSends(len) => drop(machine.peer_sends(len)),
        Step::StackSends(len, pieces, more) => {
            // The first has what is left over.
            let mut lens = vec![len / pieces; pieces];
            lens[0] += len % pieces;
            machine.stack_sends_pieces(&lens, Wishes::default(), more);
        }
        Step::ChipSends => drop(machine.chip_sends()),
        Step::Interrupt => drop(machine.interrupt()),
        Step::Poll => drop(machine.poll()),
        Step::Work => drop(machine.work()),
        Step::Tick => machine.tick(),
        Step::LimitQueue(bytes) => machine.dev.limit_queue(bytes),
        Step::Netpoll => machine.bounded(|dev| dev.netpoll()),
        Step::Stats => drop(machine.bounded(|dev| dev.stats64())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// In whatever order peer, stack, chip, handler, poll and timer come, each frame arrives once, whole
    /// and in order, or is counted; and the queue runs in the end.
    #[test]
    fn every_frame_arrives_or_is_counted(
        steps in proptest::collection::vec(any_step(), 1..300),
        (kind, model) in proptest::sample::select(&CHIPS[..]),
    ) {
        let hardware = Hardware::of(kind, model);
        let mut machine = Machine::up(&hardware);
        for step in steps {
            take(&mut machine, step);
        }
        machine.settle();
        machine.check_manners();

        let (stored, missed) = machine.offered();
        prop_assert_eq!(machine.arrived().len(), stored);
        prop_assert_eq!(machine.lost_on_the_way_out(), 0);
        prop_assert!(machine.dev.may_send(), "the queue has stalled");

        let stats = machine.dev.stats64();
        let (queued, refused) = machine.taken();
        prop_assert_eq!(stats.rx_packets as usize, stored);
        prop_assert_eq!(stats.rx_missed_errors as usize, missed);
        prop_assert_eq!(stats.tx_packets as usize, queued);
        prop_assert_eq!(stats.tx_dropped as usize, refused);
        prop_assert_eq!((stats.rx_errors, stats.tx_errors), (0, 0));

        machine.dev.close();
        prop_assert_eq!(hardware.pieces_of_memory(), 0);
        prop_assert_eq!(machine.dev.stats64().rx_packets as usize, stored);
        machine.check_manners();
    }
}

/// What one call costs is asserted by the benchmarks in QEMU, too; here it is by the registers.
#[test]
fn what_a_lone_frame_costs() {
    for (kind, model) in CHIPS {
        // The classic position in the ring is in a register, what a descriptor says is in memory.
        let accesses = match model {
            Model::C => 3,
            Model::CPlus => 2,
        };
        let hardware = Hardware::of(kind, model);
        let mut machine = Machine::up(&hardware);
        machine.settle();
        let before = hardware.card.chip().accesses;
        for _ in 0..20 {
            machine.peer_sends(60);
            machine.settle();
        }
        assert_eq!(hardware.card.chip().accesses - before, 20 * accesses);
        assert_eq!(machine.arrived().len(), 20);
    }
}

/// In the classic mode one for each frame, and a look at all slots for each fourth; in the C+ mode the
/// doorbell alone, which is one for a burst.
#[test]
fn what_a_sent_frame_costs() {
    for (model, burst, accesses) in [
        (Model::C, 1, 50),
        (Model::C, 4, 50),
        (Model::CPlus, 1, 40),
        (Model::CPlus, 4, 10),
    ] {
        let hardware = Hardware::of(Kind::Qemu, model);
        let mut machine = Machine::up(&hardware);
        let before = hardware.card.chip().accesses;
        for frame in 1..=40 {
            let more = frame % burst != 0;
            assert!(machine.stack_sends_pieces(&[60], Wishes::default(), more));
            assert!(!machine.interrupt());
        }
        assert_eq!(hardware.card.chip().accesses - before, accesses);
        assert_eq!(machine.lost_on_the_way_out(), 0);
    }
}

/// The end of a frame that nobody waits for is not looked at when something else interrupts.
#[test]
fn a_received_frame_costs_no_look_at_what_was_sent() {
    let hardware = Hardware::new(Kind::Qemu);
    let mut machine = Machine::up(&hardware);
    let before = hardware.card.chip().accesses;
    assert!(machine.stack_sends(60));
    machine.peer_sends(60);
    machine.settle();
    assert_eq!(hardware.card.chip().accesses - before, 1 + 3);
}

#[test]
fn the_address_is_that_of_the_eeprom_and_can_be_changed() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    assert!(machine.has_its_own_address());
    assert_eq!(machine.peer_sends_to([2, 0, 0, 0, 0, 7], 60), Fate::Ignored);
    machine.dev.set_mac([2, 0, 0, 0, 0, 7]).unwrap();
    assert_eq!(machine.peer_sends_to(MAC, 60), Fate::Ignored);
    assert_eq!(machine.peer_sends_to([2, 0, 0, 0, 0, 7], 60), Fate::Stored);
    machine.settle();
    assert_eq!(machine.arrived().len(), 1);
    machine.check_manners();
}

#[test]
fn the_filter_is_what_the_stack_wants_and_frames_go_on() {
    const GROUP: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 9];
    const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x55];
    let mode = |promiscuous, all_multicast, groups| RxMode {
        promiscuous,
        all_multicast,
        groups,
    };
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        let mut machine = Machine::up(&hardware);
        for (wanted, group, other) in [
            (mode(false, false, &[][..]), Fate::Ignored, Fate::Ignored),
            (mode(false, false, &[GROUP]), Fate::Stored, Fate::Ignored),
            (mode(false, true, &[]), Fate::Stored, Fate::Ignored),
            (mode(true, false, &[]), Fate::Stored, Fate::Stored),
            (
                mode(false, false, &[[0x33; 6]; 40]),
                Fate::Stored,
                Fate::Ignored,
            ),
            (mode(false, false, &[]), Fate::Ignored, Fate::Ignored),
        ] {
            machine.dev.set_rx_mode(&wanted).unwrap();
            machine.settle();
            for (address, fate) in [(GROUP, group), (OTHER, other), ([0xff; 6], Fate::Stored)] {
                // One that changes the table alone finds frames in the ring, and leaves them there.
                assert_eq!(machine.peer_sends_to(address, 60), fate, "{address:x?}");
            }
            machine.settle();
            assert_eq!(machine.arrived().len(), machine.offered().0);
        }
        assert_eq!(machine.dev.stats64().multicast, 4);
        machine.check_manners();
    }
}

#[test]
fn frames_for_which_there_is_no_memory_are_counted() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    machine.dev.exhaust(true);
    for _ in 0..100 {
        machine.peer_sends(60);
    }
    machine.settle();
    assert!(machine.arrived().is_empty());
    assert_eq!(machine.dev.stats64().rx_dropped, 100);
    machine.dev.exhaust(false);
    assert!(machine.works());
}

#[test]
fn a_link_that_comes_and_goes_is_told_to_the_stack() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    assert!(machine.dev.carrier_ok());
    for link in [false, true, false, true] {
        hardware.card.chip().set_link(link);
        machine.settle();
        assert_eq!(machine.dev.carrier_ok(), link);
    }
    let told = machine.dev.messages().join("");
    assert_eq!(told.matches("link down").count(), 2);
    assert!(machine.works());
}

#[test]
fn a_check_sequence_is_delivered_on_request() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    machine.dev.set_features(Features::RXFCS).unwrap();
    machine.gullible = true;
    machine.settle();
    machine.peer_sends(60);
    machine.settle();
    assert_eq!(machine.dev.stats64().rx_bytes, 64);
    machine.check_manners();
}

#[test]
fn ethtool_and_mii_answer_up_and_down() {
    let hardware = Hardware::new(Kind::Silicon);
    let machine = Machine::up(&hardware);
    let settings = machine.dev.control(Nic::link_settings).unwrap();
    assert_eq!(settings.speed, Some(100));
    assert_eq!(settings.duplex, ethtool::Duplex::Full);
    assert!(machine.dev.control(Nic::link));

    let wish = ethtool::LinkSettings {
        autoneg: false,
        speed: Some(10),
        duplex: ethtool::Duplex::Half,
        ..settings
    };
    machine
        .dev
        .control(|nic, cx, up| Nic::set_link_settings(nic, cx, up, &wish))
        .unwrap();
    let control = machine
        .dev
        .control(|nic, cx, up| nic.mii_read(cx, up, mii::PHY_ADDRESS, 0))
        .unwrap();
    assert_eq!(control, 0);
    machine.dev.close();
    let down = machine
        .dev
        .control(|nic, cx, up| nic.mii_read(cx, up, mii::PHY_ADDRESS, 0));
    assert_eq!(down, Err(EINVAL));
    machine.check_manners();
}

#[test]
fn half_duplex_counts_collisions() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    let half = |machine: &Machine<'_>| {
        machine.dev.control(|nic, cx, up| {
            nic.mii_write(cx, up, mii::PHY_ADDRESS, 0, 0).unwrap();
            nic.check_link(cx.dev());
        });
    };
    half(&machine);
    machine.tell(Lie::Ending(crate::model::chip::Ending::Late));
    for _ in 0..4 {
        assert!(machine.stack_sends(60));
    }
    machine.settle();
    let stats = machine.dev.stats64();
    assert_eq!((stats.collisions, stats.tx_window_errors), (1, 1));
    assert_eq!(stats.tx_errors, 1);
}

/// The stack polls by a timer, as the user wants: the chip does not interrupt meanwhile, from the first frame
/// on, and what was sent is found.
#[test]
fn interrupts_can_be_put_off() {
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        let mut machine = proven(&hardware);
        machine.dev.defer_interrupts(true);
        machine.peer_sends(100);
        assert!(machine.interrupt());
        machine.poll();
        for _ in 0..20 {
            assert_eq!(machine.peer_sends(100), Fate::Stored);
            assert!(machine.stack_sends(100));
            while machine.chip_sends() {}
            assert!(!machine.interrupt(), "{kind:?} {model:?} interrupts");
            // The timer.
            machine.dev.schedule_napi();
            machine.poll();
            assert_eq!(machine.dev.in_flight(), 0, "{kind:?} {model:?}");
        }
        assert_eq!(machine.arrived().len(), machine.offered().0);
        machine.dev.defer_interrupts(false);
        machine.dev.schedule_napi();
        machine.poll();
        machine.peer_sends(100);
        assert!(machine.interrupt());
        machine.settle();
        assert!(machine.works());
        machine.check_manners();
    }
}
