// SPDX-License-Identifier: GPL-2.0

//! All of the driver on a card that is not well: what the driver finds out, what it does about it, and
//! how often.

use crate::ext::irq::Return;
use crate::model::chip::{
    Kind,
    Model,
    CHIPS,
    MODELS, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use kernel::io::Registers;

const ISR: usize = 0x3e;

/// The driver looks after the card.
pub(super) fn looks_after(machine: &mut Machine<'_>) {
    machine.tick();
    machine.settle();
}

/// Each error is counted, the first is answered at once, and those after it with one reset when the card
/// is looked after.
#[test]
fn errors_on_the_bus_have_one_reset_between_two_looks() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        for _ in 0..5 {
            machine.tell(Lie::BusError);
            machine.settle();
            assert_eq!(machine.resets(), 1);
        }
        assert_eq!(machine.dev.private().counters.bus_errors.get(), 5);
        assert!(hardware.config.has_error());
        looks_after(&mut machine);
        assert_eq!(machine.resets(), 2);
        assert!(!hardware.config.has_error(), "the bus still has it");
        for _ in 0..3 {
            looks_after(&mut machine);
        }
        assert_eq!(machine.resets(), 2, "it was answered before");
        // After a while without one, the next is answered at once again.
        machine.tell(Lie::BusError);
        machine.settle();
        assert_eq!(machine.resets(), 3);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Without an event that would tell of it.
#[test]
fn a_mask_that_is_lost_is_set_again() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        let mask = hardware.card.chip().mask();
        machine.tell(Lie::LosesMask);
        looks_after(&mut machine);
        assert_eq!(hardware.card.chip().mask(), mask);
        assert_eq!(machine.resets(), 0);
        assert!(machine.works());
    }
}

/// The user is told once that it does not start, and once that it does.
#[test]
fn what_is_tried_again_is_not_said_each_time() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Qemu, model);
        let mut machine = proven(&hardware);
        hardware.config.shut_off(true);
        looks_after(&mut machine);
        let said = machine.dev.messages().len();
        for _ in 0..5 {
            looks_after(&mut machine);
        }
        assert!(!machine.dev.is_detached());
        assert_eq!(machine.dev.messages().len(), said);
        hardware.config.shut_off(false);
        looks_after(&mut machine);
        assert_eq!(machine.dev.messages().len(), said + 1);
        assert!(machine.works());
        assert_eq!(machine.dev.messages().len(), said + 1);
    }
}

/// A transmitter that stands still, while all else looks as it should, is found by the watchdog alone.
#[test]
fn the_watchdog_resets() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::TransmitterStands);
        let before = machine.taken().0;
        while machine.stack_sends(100) {}
        let in_flight = (machine.taken().0 - before) as u64;
        assert!(model == Model::CPlus || in_flight == 4);
        looks_after(&mut machine);
        assert!(!machine.dev.may_send());
        assert_eq!(machine.resets(), 0);
        machine.bounded(|dev| dev.watchdog());
        machine.settle();
        let counters = &machine.dev.private().counters;
        assert_eq!(counters.tx_timeouts.get(), 1);
        assert_eq!(counters.resets.get(), 1);
        assert_eq!(counters.tx_lost.get(), in_flight);
        assert!(machine.works());
        assert_eq!(machine.lost_on_the_way_out() as u64, in_flight);
        machine.check_manners();
    }
}

/// A line that is shared: all ones are this card's once, and then it is known that they are nobody's.
#[test]
fn a_device_that_is_gone_has_one_interrupt() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::Gone);
        assert_eq!(
            machine.bounded(|dev| dev.interrupt()),
            Return::Handled,
            "the first"
        );
        assert_eq!(
            machine.bounded(|dev| dev.interrupt()),
            Return::None,
            "the second"
        );
        machine.settle();
        assert!(machine.dev.is_detached());
    }
}

/// Another device on the line costs one access for each of its interrupts, one more and three to configuration
/// space for each 256th, and nothing else happens.
#[test]
fn interrupts_of_another_device_are_left_to_it() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = Machine::up(&hardware);
        let before = (hardware.card.chip().accesses, hardware.config.accesses());
        for _ in 0..1024 {
            assert_eq!(machine.bounded(|dev| dev.interrupt()), Return::None);
        }
        let after = (hardware.card.chip().accesses, hardware.config.accesses());
        assert_eq!(after, (before.0 + 1024 + 4, before.1 + 3 * 4));
        assert!(!machine.poll());
        assert!(machine.works());
        assert_eq!(machine.resets(), 0);
    }
}

/// What was noted for a poll before a reset is of no concern after it.
#[test]
fn an_error_on_the_bus_before_a_reset_has_no_other_one() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::TransmitterStands);
        while machine.stack_sends(100) {}
        machine.tell(Lie::BusError);
        machine.interrupt();
        machine.bounded(|dev| dev.watchdog());
        machine.work();
        machine.settle();
        assert_eq!(machine.resets(), 1);
        assert!(machine.works());
    }
}

/// Either half of a chip may stop and say nothing.
#[test]
fn a_half_that_stops_is_found_when_the_card_is_looked_after() {
    for model in MODELS {
        for lie in [Lie::ReceiverStops, Lie::TransmitterStops] {
            let hardware = Hardware::of(Kind::Silicon, model);
            let mut machine = proven(&hardware);
            machine.tell(lie);
            looks_after(&mut machine);
            assert_eq!(machine.resets(), 1, "{lie:?}");
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// The event was acknowledged by somebody else.
#[test]
fn a_change_of_the_link_that_nobody_told_of_is_found_when_the_card_is_looked_after() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        for link in [false, true] {
            hardware.card.chip().set_link(link);
            let events = hardware.card.read(ISR, 2);
            hardware.card.write(ISR, 2, events);
            machine.settle();
            assert_ne!(machine.dev.carrier_ok(), link);
            looks_after(&mut machine);
            assert_eq!(machine.dev.carrier_ok(), link);
        }
        assert!(machine.works());
    }
}

/// An interrupt before the poll has run for the last one.
#[test]
fn interrupts_that_find_the_poll_scheduled_are_counted() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        for _ in 0..2 {
            machine.peer_sends(100);
            assert!(machine.interrupt());
        }
        machine.settle();
        assert_eq!(machine.dev.private().counters.irqs_deferred.get(), 1);
        assert!(machine.works());
    }
}

/// A card whose reset has failed once, without a link: no watchdog fires there.
fn with_a_failed_reset(hardware: &Hardware) -> Machine<'_> {
    let mut machine = proven(hardware);
    hardware.card.chip().set_link(false);
    machine.settle();
    assert!(!machine.dev.carrier_ok());
    machine.tell(Lie::ReceiverStops);
    machine.tell(Lie::ResetHangs);
    looks_after(&mut machine);
    assert_eq!(machine.resets(), 1);
    assert!(!machine.dev.is_detached());
    machine
}

#[test]
fn a_failed_reset_is_tried_again_until_it_works() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = with_a_failed_reset(&hardware);
        // One try each time, however long it lasts.
        for tries in 2..5 {
            looks_after(&mut machine);
            machine.settle();
            assert_eq!(machine.resets(), tries);
        }
        hardware.card.chip().come_to_its_senses();
        hardware.card.chip().set_link(true);
        looks_after(&mut machine);
        assert_eq!(machine.resets(), 5);
        assert!(machine.dev.carrier_ok());
        assert!(machine.works());
        for _ in 0..3 {
            looks_after(&mut machine);
        }
        assert_eq!(machine.resets(), 5, "it works, and is reset");
        machine.check_manners();
    }
}

/// Nobody touches a card that is hidden, or whose interface is down.
#[test]
fn a_failed_reset_is_not_tried_again_when_the_interface_ends() {
    for model in MODELS {
        type Way = fn(&Machine<'_>);
        let ways: [Way; 2] = [
            |machine| machine.bounded(|dev| dev.close()),
            |machine| machine.bounded(|dev| dev.detach()),
        ];
        for end in ways {
            // The timer has fired, and the work has not run yet.
            for fired in [false, true] {
                let hardware = Hardware::of(Kind::Silicon, model);
                let mut machine = with_a_failed_reset(&hardware);
                if fired {
                    machine.tick();
                }
                end(&machine);
                let before = hardware.card.chip().accesses;
                for _ in 0..3 {
                    looks_after(&mut machine);
                }
                assert_eq!(hardware.card.chip().accesses, before);
                assert_eq!(machine.resets(), 1);
                machine.check_manners();
            }
        }
    }
}

/// With a link the watchdog asks, too.
#[test]
fn two_who_ask_for_a_failed_reset_have_one() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::ReceiverStops);
        machine.tell(Lie::ResetHangs);
        looks_after(&mut machine);
        assert_eq!(machine.resets(), 1);
        machine.tick();
        machine.bounded(|dev| dev.watchdog());
        machine.settle();
        assert_eq!(machine.dev.private().counters.tx_timeouts.get(), 1);
        assert_eq!(machine.resets(), 2);
        // And neither is forgotten.
        looks_after(&mut machine);
        assert_eq!(machine.resets(), 3);
        hardware.card.chip().come_to_its_senses();
        looks_after(&mut machine);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// It was there when the reset was asked for.
#[test]
fn a_card_that_goes_while_it_is_reset_is_given_up() {
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::ReceiverStops);
        machine.tick();
        machine.poll();
        machine.tell(Lie::Gone);
        assert!(machine.work());
        assert_eq!(machine.resets(), 1);
        assert!(machine.dev.is_detached());
        assert!(!machine.dev.carrier_ok());
        machine.check_manners();
    }
}

/// And when it has failed once.
#[test]
fn a_card_that_goes_after_a_failed_reset_is_given_up() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = with_a_failed_reset(&hardware);
        machine.tell(Lie::Gone);
        looks_after(&mut machine);
        assert_eq!(machine.resets(), 2);
        assert!(machine.dev.is_detached());
        machine.check_manners();
    }
}

/// A chip that has stopped says nothing, so this is for how long nothing is received.
#[test]
fn a_card_is_looked_after_every_few_seconds() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let mut machine = proven(&hardware);
        machine.tell(Lie::ReceiverStops);
        for seconds in 1.. {
            assert!(seconds <= 10, "nobody looks");
            machine.bounded(|dev| dev.tick(1000));
            machine.settle();
            if machine.resets() > 0 {
                // Each look is an exit to the hypervisor.
                assert!(seconds >= 2, "somebody looks all the time");
                break;
            }
        }
        assert!(machine.works());
    }
}
