// SPDX-License-Identifier: GPL-2.0

//! All of the driver on a chip that lies: it stays inside of its memory, it ends, and it works again.
//!
//! A driver cannot find out every lie. What it can do is in the two properties: if the lie is not about
//! what stands in the ring, nothing false is delivered and what is lost is counted; whatever the lie, no
//! access goes astray, no loop is without an end, and after the truth has come back, so do the frames.

use crate::driver::hw::{
    Board,
    Hw, //
};
use crate::driver::tx_slots::SLOTS;
use crate::ext::irq::Return;
use crate::model::chip::{
    Ending,
    Fate,
    Kind,
    CHIPS, //
};
use crate::model::config::{
    MASTER,
    MEMORY, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::driver::RxMode;
use kernel::prelude::*;
use proptest::prelude::*;

/// In the first word of a receive descriptor: all of a frame.
const WHOLE: u32 = 3 << 28;
/// The frame is damaged.
const DAMAGED: u32 = 1 << 20;

/// Lies about anything but the ring.
fn lie_beside_the_ring() -> impl Strategy<Value = Lie> {
    let ending = prop_oneof![
        Just(Ending::Underrun),
        Just(Ending::Aborted),
        Just(Ending::Late),
        Just(Ending::NoLink), //
    ];
    prop_oneof![
        ending.prop_map(Lie::Ending),
        Just(Lie::Silent),
        any::<u16>().prop_map(Lie::Stuck),
        // One bit is worse than many: all else looks as it should.
        (0u32..16).prop_map(|bit| Lie::Stuck(1 << bit)),
        any::<u16>().prop_map(Lie::Spurious),
        (1usize..6).prop_map(Lie::Late),
        Just(Lie::ResetHangs),
        Just(Lie::ReceiverStops),
        Just(Lie::TransmitterStands),
        Just(Lie::TransmitterStops),
        Just(Lie::TransmitterDead),
        prop_oneof![Just(MEMORY), Just(MASTER)].prop_map(Lie::LosesPlace),
        Just(Lie::LosesMask),
        Just(Lie::BusError),
        Just(Lie::LosesPosition),
        any::<u32>().prop_map(Lie::Missed),
        Just(Lie::StaleCbr),
        Just(Lie::Gone),
        Just(Lie::Hangs),
        // No length that a frame has.
        prop_oneof![0u16..8, 1797u16..].prop_map(|stored| Lie::Header(1, stored)),
        (any::<u16>(), 64u16..1500).prop_map(|(status, stored)| Lie::Header(status & !1, stored)),
        // No length that a buffer has room for, a damaged frame, a part of one.
        prop_oneof![0u32..18, 3525u32..0x2000].prop_map(|len| Lie::Status(WHOLE | len)),
        any::<u32>().prop_map(|word| Lie::Status(word | WHOLE | DAMAGED)),
        any::<u32>().prop_map(|word| Lie::Status(word & !(1 << 28))),
    ]
}

/// Any lie.
fn any_lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        3 => lie_beside_the_ring(),
        2 => any::<u16>().prop_map(Lie::Cbr),
        2 => any::<u16>().prop_map(Lie::Tsad),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(status, stored)| Lie::Header(status, stored)),
        1 => (8u16..1797).prop_map(|stored| Lie::Header(1, stored)),
        2 => any::<u32>().prop_map(Lie::Status),
        1 => (0u32..0x2000).prop_map(|len| Lie::Status(WHOLE | len)),
    ]
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    PeerSends(usize),
    StackSends(usize),
    Settle,
    Interrupt,
    Poll,
    Tick,
    Watchdog,
    Promiscuous(bool),
    Lie(Lie),
    Truth,
    Stats,
    DownAndUp,
}

fn any_step(lie: impl Strategy<Value = Lie> + 'static) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (60usize..1792).prop_map(Step::PeerSends),
        6 => (18usize..1792).prop_map(Step::StackSends),
        4 => Just(Step::Settle),
        4 => Just(Step::Interrupt),
        4 => Just(Step::Poll),
        2 => Just(Step::Tick),
        1 => Just(Step::Watchdog),
        1 => any::<bool>().prop_map(Step::Promiscuous),
        4 => lie.prop_map(Step::Lie),
        2 => Just(Step::Truth),
        1 => Just(Step::Stats),
        1 => Just(Step::DownAndUp),
    ]
}

fn take(machine: &mut Machine<'_>, step: Step) {
    match step {
        Step::PeerSends(len) => drop(machine.peer_sends(len)),
        Step::StackSends(len) => drop(machine.stack_sends(len)),
        Step::Settle => machine.settle(),
        Step::Interrupt => drop(machine.interrupt()),
        Step::Poll => drop(machine.poll()),
        Step::Tick => machine.tick(),
        Step::Watchdog => machine.bounded(|dev| dev.watchdog()),
        Step::Promiscuous(promiscuous) => {
            let mode = RxMode {
                promiscuous,
                all_multicast: false,
                groups: &[],
            };
            // Only a detached interface is not asked.
            let _ = machine.dev.set_rx_mode(&mode);
        }
        Step::Lie(lie) => machine.tell(lie),
        Step::Truth => machine.hardware.card.chip().come_to_its_senses(),
        Step::Stats => drop(machine.bounded(|dev| dev.stats64())),
        Step::DownAndUp => machine.try_down_and_up(),
    }
}

/// After whatever has happened, frames go both ways: by themselves, or after down and up.
fn works_again(machine: &mut Machine<'_>) -> bool {
    machine.let_it_recover();
    if machine.works() {
        return true;
    }
    machine.down_and_up();
    machine.works()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Nothing is delivered that was not sent, nothing twice, nothing out of order.
    #[test]
    fn no_lie_beside_the_ring_makes_a_false_frame(
        steps in proptest::collection::vec(any_step(lie_beside_the_ring()), 1..120),
        (kind, model) in proptest::sample::select(&CHIPS[..]),
    ) {
        let hardware = Hardware::of(kind, model);
        let mut machine = Machine::up(&hardware);
        for step in steps {
            take(&mut machine, step);
        }
        prop_assert!(works_again(&mut machine));
        machine.lost_on_the_way_out();
        machine.check_manners();
    }

    /// Whatever the chip says.
    #[test]
    fn no_lie_leads_astray(
        steps in proptest::collection::vec(any_step(any_lie()), 1..120),
        (kind, model) in proptest::sample::select(&CHIPS[..]),
    ) {
        let hardware = Hardware::of(kind, model);
        let mut machine = Machine::up(&hardware);
        machine.gullible = true;
        for step in steps {
            take(&mut machine, step);
        }
        machine.let_it_recover();
        machine.flush();
        prop_assert!(works_again(&mut machine));
        // A chip that was told to send a slot that it had not sent yet complains rightly.
        machine.check_memory();
    }
}

#[test]
fn a_card_that_is_not_there_is_refused() {
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.chip().tell(Lie::Gone);
    assert_eq!(
        Hw::new(hardware.registers(), Board::Rtl8139).err(),
        Some(EIO)
    );
}

#[test]
fn a_chip_that_never_comes_back_from_its_reset_is_refused() {
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.chip().tell(Lie::ResetHangs);
    assert_eq!(
        Hw::new(hardware.registers(), Board::Rtl8139).err(),
        Some(EIO)
    );
}

#[test]
fn without_an_eeprom_the_address_is_that_of_the_registers() {
    let hardware = Hardware::new(Kind::Silicon);
    hardware.card.chip().tell(Lie::DeafEeprom);
    let mut machine = Machine::up(&hardware);
    assert!(machine.has_its_own_address());
    assert!(machine.works());
    machine.check_manners();
}

/// The device answers with all ones from one moment on, and nothing is made of them: no frame, no
/// count, no position in the ring.
#[test]
fn a_device_that_is_gone_is_given_up() {
    for frames in 0..=SLOTS {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        for _ in 0..frames {
            machine.peer_sends(100);
            machine.stack_sends(100);
        }
        let before = machine.dev.stats64();
        machine.tell(Lie::Gone);
        machine.tick();
        machine.settle();
        assert!(machine.dev.is_detached());
        assert!(!machine.dev.carrier_ok());
        let after = machine.dev.stats64();
        assert_eq!(after.rx_packets, before.rx_packets);
        assert_eq!(after.rx_missed_errors, before.rx_missed_errors);
        assert_eq!(after.collisions, 0);
        // What was in the slots is lost, and counted; so is what was sent and not looked at.
        let lost = machine.lost_on_the_way_out();
        assert_eq!(lost, frames);
        assert!((lost..=SLOTS).contains(&(after.tx_errors as usize)));
        machine.hardware.card.chip().come_to_its_senses();
        machine.down_and_up();
        assert!(machine.works());
        machine.check_manners();
    }
}

#[test]
fn a_device_that_was_given_up_can_be_attached_again() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::Gone);
    // The line is shared, and the other device has raised it.
    machine.bounded(|dev| dev.interrupt());
    machine.settle();
    assert!(machine.dev.is_detached());
    machine.hardware.card.chip().come_to_its_senses();
    machine.bounded(|dev| dev.attach()).unwrap();
    machine.settle();
    assert!(machine.works());
    machine.check_manners();
}

/// An event that nobody has enabled, and that interrupts all the same.
#[test]
fn a_stray_event_is_acknowledged() {
    for event in [8, 13, 14] {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.hardware.card.chip().enable(1 << event);
        machine.tell(Lie::Spurious(1 << event));
        assert!(machine.interrupt());
        assert!(!machine.interrupt(), "event {event} goes on");
        assert!(machine.works());
    }
}

/// What a chip reports by the way is no reason to take another device's interrupt for its own; and if it
/// was enabled, it is not any more.
#[test]
fn an_event_by_the_way_is_acknowledged_and_not_claimed() {
    for event in [7, 10] {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.hardware.card.chip().enable(1 << event);
        machine.tell(Lie::Spurious(1 << event));
        assert_eq!(machine.bounded(|dev| dev.interrupt()), Return::None);
        assert_eq!(machine.hardware.card.chip().mask() & (1 << event), 0);
        assert!(!machine.interrupt(), "event {event} goes on");
        assert!(machine.works());
    }
}

/// A mask that somebody else has opened, while the driver waits for its poll.
#[test]
fn a_mask_that_was_opened_is_closed_again() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    // The second interrupt finds the poll scheduled, and masks.
    for _ in 0..2 {
        machine.peer_sends(100);
        assert!(machine.interrupt());
    }
    assert_eq!(machine.hardware.card.chip().mask(), 0);
    machine.peer_sends(100);
    machine.hardware.card.chip().enable(0x7fff);
    machine.bounded(|dev| dev.interrupt());
    assert_eq!(machine.hardware.card.chip().mask(), 0);
    machine.settle();
    assert!(machine.works());
}

/// No event, reported for ever, keeps the machine from everything else.
#[test]
fn no_stuck_event_is_an_interrupt_storm() {
    for bit in 0..16 {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.tell(Lie::Stuck(1 << bit));
        for _ in 0..4 {
            machine.settle();
            machine.tick();
        }
        machine.let_it_recover();
        assert!(machine.works(), "event {bit}");
        machine.check_manners();
    }
}

#[test]
fn a_transmitter_that_stands_still_is_started_again() {
    for lie in [Lie::Silent, Lie::Tsad(0)] {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.tell(lie);
        while machine.stack_sends(100) {}
        machine.tell(lie);
        machine.settle();
        machine.let_it_recover();
        assert!(machine.works());
        let lost = machine.lost_on_the_way_out();
        assert_eq!(machine.dev.stats64().tx_errors as usize, lost);
        machine.check_manners();
    }
}

#[test]
fn an_aborted_frame_does_not_hold_up_the_next() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::Ending(Ending::Aborted));
    for _ in 0..3 {
        assert!(machine.stack_sends(100));
    }
    machine.settle();
    assert!(machine.works());
    let stats = machine.dev.stats64();
    assert_eq!((stats.tx_aborted_errors, stats.tx_errors), (1, 1));
    assert_eq!(machine.lost_on_the_way_out(), 1);
    machine.check_manners();
}

#[test]
fn an_underrun_is_counted_and_the_frame_is_sent() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::Ending(Ending::Underrun));
    for _ in 0..8 {
        assert!(machine.stack_sends(100));
        machine.settle();
    }
    assert_eq!(machine.dev.stats64().tx_fifo_errors, 1);
    assert_eq!(machine.lost_on_the_way_out(), 0);
}

/// A chip that thinks the ring is full says nothing more, once it has said so.
#[test]
fn a_chip_that_has_lost_the_drivers_position_is_told() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::LosesPosition);
    assert_eq!(machine.peer_sends(100), Fate::Missed);
    machine.settle();
    machine.tick();
    machine.settle();
    assert!(machine.works());
}

#[test]
fn a_receiver_that_has_stopped_is_started_again() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::ReceiverStops);
    machine.tick();
    machine.settle();
    assert!(machine.works());
}

/// A frame on its way from the FIFO is waited for, and then the ring begins anew.
#[test]
fn a_frame_that_hangs_is_waited_for_but_not_for_ever() {
    for arrives in [true, false] {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        let before = machine.arrived().len();
        machine.tell(Lie::Hangs);
        machine.peer_sends(100);
        machine.interrupt();
        for _ in 0..5 {
            assert!(machine.poll());
        }
        assert_eq!(machine.arrived().len(), before);
        assert_eq!(machine.dev.private().counters.rx_dma_waits.get(), 5);
        if arrives {
            machine.hardware.card.chip().finish_transfer();
        }
        machine.settle();
        assert_eq!(machine.arrived().len(), before + usize::from(arrives));
        assert_eq!(machine.dev.stats64().rx_errors, u64::from(!arrives));
        assert!(machine.works());
        machine.check_manners();
    }
}

/// After a restart the ring begins at its beginning, where an old frame still lies.
#[test]
fn a_position_that_survives_a_restart_brings_no_old_frame() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    for _ in 0..5 {
        machine.peer_sends(100);
    }
    machine.settle();
    machine.tell(Lie::StaleCbr);
    machine.tell(Lie::Header(1, 0));
    machine.peer_sends(100);
    machine.settle();
    machine.peer_sends(100);
    machine.settle();
    machine.let_it_recover();
    assert!(machine.works());
    machine.check_manners();
}
