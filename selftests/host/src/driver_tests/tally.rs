// SPDX-License-Identifier: GPL-2.0

//! What the chip counts by itself, as `ethtool` shows it.

use crate::driver::{
    counters::Counters,
    nic::Nic,
    tally::Counts, //
};
use crate::model::{
    chip::{
        tally,
        Ending,
        Kind,
        Model, //
    },
    lie::Lie,
    machine::{
        proven,
        Hardware,
        Machine, //
    },
};
use crate::net::ethtool::Operations as _;
use kernel::io::Registers as _;
use kernel::time::{
    Delta,
    Instant,
    Monotonic, //
};
use proptest::prelude::*;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

fn cplus(kind: Kind) -> Hardware {
    Hardware::of(kind, Model::CPlus)
}

fn tally(machine: &Machine<'_>) -> Counts {
    machine.bounded(|dev| dev.control(|nic, cx, up| nic.tally(cx, up)))
}

/// `ethtool -S`: the values by name.
fn statistics(machine: &Machine<'_>) -> Vec<(String, u64)> {
    machine.bounded(|dev| {
        dev.control(|nic, cx, up| {
            let names = [Nic::STATISTICS, Nic::more_statistics(nic)].concat();
            let mut values = vec![0; names.len()];
            Nic::statistics(nic, cx, up, &mut values);
            let names = names.iter().map(|name| name.to_str().unwrap().to_string());
            names.zip(values).collect()
        })
    })
}

#[test]
fn frames_are_counted_over_all_lives_of_the_chip() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for _ in 0..3 {
            machine.peer_sends(100);
            machine.peer_sends_to([0xff; 6], 60);
            assert!(machine.stack_sends(300));
            machine.settle();
            machine.down_and_up();
        }
        machine.tell(Lie::Ending(Ending::Aborted));
        assert!(machine.stack_sends(300));
        machine.settle();
        let counts = tally(&machine);
        // `proven` has sent three frames each way.
        let expected = Counts {
            tx_ok: 6,
            rx_ok: 9,
            rx_ok_phys: 6,
            rx_ok_bcast: 3,
            tx_err: 1,
            tx_abort: 1,
            ..Counts::default()
        };
        assert_eq!(counts, expected, "{kind:?}");
        // They are kept when the interface is down, and a chip that is down is not asked.
        machine.bounded(|dev| dev.close());
        let before = hardware.card.chip().accesses;
        assert_eq!(tally(&machine), expected);
        assert_eq!(hardware.card.chip().accesses, before);
        machine.check_manners();
    }
}

/// By name, behind those of the driver; in standard form, too.
#[test]
fn ethtool_shows_them() {
    let hardware = cplus(Kind::Silicon);
    let machine = proven(&hardware);
    hardware.card.chip().count(tally::TX_OK_1COL, 5);
    hardware.card.chip().count(tally::TX_OK_MCOL, 6);
    hardware.card.chip().count(tally::FRAME_ALIGN, 7);
    let all = statistics(&machine);
    assert_eq!(all.len(), Counters::NAMES.len() + Counts::NAMES.len());
    let value = |wanted: &str| all.iter().find(|(name, _)| name == wanted).unwrap().1;
    assert_eq!((value("tx_ok"), value("rx_ok")), (3, 3));
    assert_eq!((value("tx_ok_1col"), value("tx_ok_mcol")), (5, 6));
    assert_eq!((value("frame_align"), value("tx_underrun")), (7, 0));
    let stats = machine.dev.control(Nic::mac_stats);
    assert_eq!(stats.single_collision_frames, Some(5));
    assert_eq!(stats.multiple_collision_frames, Some(6));
    assert_eq!(stats.alignment_errors, Some(7));
    assert_eq!(stats.broadcast_frames_received_ok, Some(0));
    machine.check_manners();
}

/// Where its register is, the classic mode sends frames.
#[test]
fn a_chip_in_the_classic_mode_is_not_asked() {
    const CLASSIC_RINGS: u32 = 1;
    for model in [Model::C, Model::CPlus] {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = Machine::new(&hardware).unwrap();
        if model == Model::CPlus {
            let chosen = machine
                .dev
                .control(|nic, cx, up| Nic::set_private_flags(nic, cx, up, CLASSIC_RINGS));
            assert_eq!(chosen, Ok(()));
        }
        machine.bounded(|dev| dev.open()).unwrap();
        assert!(machine.works());
        let before = hardware.card.chip().accesses;
        let names = statistics(&machine).len() - Counters::NAMES.len();
        assert_eq!(names == 0, model == Model::C);
        assert_eq!(tally(&machine), Counts::default());
        assert_eq!(hardware.card.chip().accesses, before);
        let stats = machine.dev.control(Nic::mac_stats);
        assert_eq!(stats.single_collision_frames, None);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Nor one that was reset behind the driver's back, which is in the classic mode.
#[test]
fn a_chip_that_does_not_run_is_not_asked() {
    for lie in [Lie::ReceiverStops, Lie::TransmitterStops, Lie::Gone] {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        let known = tally(&machine);
        assert_eq!(known.tx_ok, 3);
        machine.tell(lie);
        assert_eq!(tally(&machine), known);
        machine.let_it_recover();
        machine.try_down_and_up();
        machine.settle();
        assert!(machine.works());
        assert_eq!(tally(&machine).tx_ok, 6, "{lie:?}");
        machine.check_memory();
    }
    let hardware = cplus(Kind::Qemu);
    let mut machine = proven(&hardware);
    let known = tally(&machine);
    hardware.card.chip().power_on();
    assert_eq!(tally(&machine), known);
    machine.tick();
    machine.settle();
    assert!(machine.works());
    assert_eq!(tally(&machine).tx_ok, 6);
    machine.check_manners();
}

/// It is waited for in bounded time, once. What it writes at last does not go to memory that is another's, nor
/// to a dump of a later start.
#[test]
fn a_chip_that_does_not_finish() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let known = tally(&machine);
        assert!(machine.works());
        machine.tell(Lie::TallyHangs);
        let messages = machine.dev.messages().len();
        let start = Instant::<Monotonic>::now();
        assert_eq!(tally(&machine), known);
        let waited = start.elapsed();
        assert!(waited >= Delta::from_millis(10) && waited < Delta::from_millis(11));
        assert_eq!(machine.dev.messages().len(), messages + 1);
        let before = hardware.card.chip().accesses;
        for _ in 0..10 {
            assert_eq!(tally(&machine), known);
        }
        assert_eq!(hardware.card.chip().accesses, before);
        assert!(machine.works());

        // Its memory is not given back before the reset.
        machine.bounded(|dev| dev.close());
        hardware.card.chip().come_to_its_senses();
        machine.check_manners();
        machine.bounded(|dev| dev.open()).unwrap();
        machine.settle();
        assert!(machine.works());
        assert_eq!(tally(&machine).tx_ok, known.tx_ok + 3, "{kind:?}");
        machine.check_manners();
    }
}

/// A start is not held up by it, and the interface works without.
#[test]
fn a_chip_that_does_not_finish_from_the_start() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = Machine::new(&hardware).unwrap();
        machine.tell(Lie::TallyHangs);
        machine.bounded(|dev| dev.open()).unwrap();
        machine.settle();
        assert!(machine.works());
        assert_eq!(tally(&machine), Counts::default());
        machine.down_and_up();
        assert!(machine.works());
        machine.bounded(|dev| dev.close());
        machine.check_manners();
    }
}

/// What the memory held before is not taken for what the chip has counted.
#[test]
fn counts_that_do_not_arrive_are_no_counts() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let known = tally(&machine);
        machine.tell(Lie::TallyLost);
        assert!(machine.works());
        assert_eq!(tally(&machine), known);
        hardware.card.chip().come_to_its_senses();
        assert_eq!(tally(&machine).tx_ok, known.tx_ok + 3);
        machine.check_manners();
    }
}

/// All that is not counted is zero.
#[test]
fn it_is_looked_at_between_any_two_frames() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = Machine::up(&hardware);
    for frames in 1..=100 {
        machine.peer_sends(100);
        assert!(machine.stack_sends(100));
        machine.settle();
        let expected = Counts {
            tx_ok: frames,
            rx_ok: frames,
            rx_ok_phys: frames,
            ..Counts::default()
        };
        assert_eq!(tally(&machine), expected);
    }
    machine.check_manners();
}

#[test]
fn nobody_else_uses_the_register() {
    let hardware = cplus(Kind::Silicon);
    let machine = proven(&hardware);
    tally(&machine);
    assert_eq!(hardware.card.read(0x10, 4) & 8, 0);
    assert_ne!(hardware.card.read(0x10, 4), 0);
    machine.check_manners();
}

proptest! {
    /// Counts of 16, 32 and 64 bits, however they wrap, while the interface goes down and up.
    #[test]
    fn totals_are_sums(
        steps in proptest::collection::vec((0u64..0x1_0000, 0u64..0x1_0000_0000, any::<bool>()), 1..8),
        before in any::<u64>(),
        qemu in any::<bool>(),
    ) {
        let hardware = cplus(if qemu { Kind::Qemu } else { Kind::Silicon });
        let count = |what, by| hardware.card.chip().count(what, by);
        for what in [tally::FRAME_ALIGN, tally::TX_OK_MCOL, tally::RX_OK] {
            count(what, before >> 1);
        }
        let mut machine = Machine::up(&hardware);
        let (mut align, mut mcol) = (0, 0);
        for (small, large, restart) in steps {
            count(tally::FRAME_ALIGN, small);
            count(tally::TX_OK_MCOL, large);
            count(tally::RX_OK, large);
            align += small;
            mcol += large;
            if restart {
                machine.down_and_up();
            }
            let now = tally(&machine);
            prop_assert_eq!((now.frame_align, now.tx_ok_mcol, now.rx_ok), (align, mcol, mcol));
        }
        prop_assert_eq!(hardware.complaints(), Vec::<String>::new());
    }
}
