// SPDX-License-Identifier: GPL-2.0

//! All of the driver on a card that has lost its place on the bus, or that a bridge does not reach.

use super::recovery::looks_after;
use crate::ext::{
    irq::Return,
    registers::Space, //
};
use crate::model::chip::{
    Fate,
    Kind,
    Model,
    CHIPS, //
};
use crate::model::config::{
    MASTER,
    MEMORY, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware, //
};

/// Each chip, reached in memory and by I/O ports.
fn reached() -> impl Iterator<Item = (Kind, Model, Space)> {
    [Space::Memory, Space::Ports]
        .into_iter()
        .flat_map(|space| CHIPS.map(|(kind, model)| (kind, model, space)))
}

/// A card in the other space is as it was.
#[test]
fn what_the_driver_does_not_use_of_a_card_is_left_as_it_is() {
    for (kind, model, space) in reached() {
        let hardware = Hardware::reached(kind, model, space);
        let mut machine = proven(&hardware);
        machine.tell(Lie::LosesPlace(MASTER));
        looks_after(&mut machine);
        assert_eq!(hardware.config.command(), hardware.config.way() | MASTER);
        assert!(machine.works());
    }
}

#[test]
fn a_place_on_the_bus_that_is_lost_is_given_back() {
    for (kind, model, space) in reached() {
        let hardware = Hardware::reached(kind, model, space);
        let way = hardware.config.way();
        for bits in [way, MASTER, way | MASTER] {
            let hardware = Hardware::reached(kind, model, space);
            let mut machine = proven(&hardware);
            machine.tell(Lie::LosesPlace(bits));
            looks_after(&mut machine);
            assert!(hardware.config.answers() && hardware.config.is_master());
            assert_eq!(machine.resets(), 1);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// In configuration space by another program, say: it answers elsewhere from then on.
#[test]
fn a_card_that_was_moved_is_put_back() {
    for (kind, model, space) in reached() {
        let hardware = Hardware::reached(kind, model, space);
        let mut machine = proven(&hardware);
        hardware.config.move_away();
        looks_after(&mut machine);
        assert!(hardware.config.answers());
        assert_eq!(machine.resets(), 1);
        assert!(machine.works());
        machine.check_manners();

        // On the way down it hears that it is to stop; and it may be moved while the interface is down.
        hardware.config.move_away();
        machine.bounded(|dev| dev.close());
        assert_eq!(machine.peer_sends(100), Fate::Ignored);
        assert!(!hardware.card.chip().interrupts());
        hardware.config.move_away();
        machine.bounded(|dev| dev.open()).unwrap();
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Its memory is going to be freed.
#[test]
fn a_card_that_does_not_confirm_its_halt_is_kept_from_memory() {
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        assert!(!hardware.config.is_master(), "before it is needed");
        let mut machine = proven(&hardware);
        assert!(hardware.config.is_master());
        machine.tell(Lie::ResetHangs);
        machine.bounded(|dev| dev.close());
        assert!(!hardware.config.is_master());
        assert!(machine.bounded(|dev| dev.open()).is_err());
        assert!(!hardware.config.is_master(), "it has failed to start");
        hardware.card.chip().come_to_its_senses();
        machine.bounded(|dev| dev.open()).unwrap();
        assert!(hardware.config.is_master());
        assert!(machine.works());
        machine.check_manners();
    }
}

/// It sees nothing that is written, and goes on. What is read of it may look like a halt.
#[test]
fn a_card_behind_a_bridge_that_is_shut_is_kept_from_memory() {
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        let mut machine = proven(&hardware);
        hardware.config.shut_off(true);
        machine.bounded(|dev| dev.close());
        assert!(!hardware.config.is_master());
        // Each time that the user asks, the log says it.
        for _ in 0..2 {
            let said = machine.dev.messages().len();
            assert!(machine.bounded(|dev| dev.open()).is_err());
            assert_eq!(machine.dev.messages().len(), said + 1);
            assert!(!hardware.config.is_master());
        }

        // It has missed that it was halted, and is reset before it may use memory again.
        hardware.config.shut_off(false);
        assert_eq!(machine.peer_sends(100), Fate::Missed);
        machine.bounded(|dev| dev.open()).unwrap();
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Nor does it hear that it is not to interrupt.
#[test]
fn a_card_behind_a_bridge_that_is_shut_releases_the_line() {
    for (kind, model) in CHIPS {
        let most = if kind == Kind::Silicon { 1 } else { 256 };
        let hardware = Hardware::of(kind, model);
        let mut machine = proven(&hardware);
        hardware.config.shut_off(true);
        machine.peer_sends(100);
        let mut interrupts = 0;
        while hardware.card.chip().interrupts() {
            machine.bounded(|dev| dev.interrupt());
            interrupts += 1;
            assert!(interrupts <= most, "it goes on");
        }
        assert!(interrupts > 0);
        machine.settle();
        hardware.config.shut_off(false);
        if machine.dev.is_detached() {
            // All ones are a card that is gone.
            assert_eq!(kind, Kind::Silicon);
            continue;
        }
        looks_after(&mut machine);
        assert!(machine.works(), "it has its line again");
        machine.check_manners();
    }
}

/// Nobody looks after a card whose interface is down.
#[test]
fn a_place_on_the_bus_that_was_lost_meanwhile_is_given_back_on_the_way_up() {
    for (kind, model, space) in reached() {
        let hardware = Hardware::reached(kind, model, space);
        let way = hardware.config.way();
        for bits in [way, MASTER, way | MASTER] {
            let hardware = Hardware::reached(kind, model, space);
            let mut machine = proven(&hardware);
            machine.bounded(|dev| dev.close());
            machine.tell(Lie::LosesPlace(bits));
            machine.bounded(|dev| dev.open()).unwrap();
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// A card that does not hear that it is to stop would go on to write into memory that is freed.
#[test]
fn a_card_that_does_not_answer_is_stopped_on_the_way_down() {
    for (kind, model, space) in reached() {
        let hardware = Hardware::reached(kind, model, space);
        let mut machine = proven(&hardware);
        machine.tell(Lie::LosesPlace(hardware.config.way()));
        machine.bounded(|dev| dev.close());
        assert_eq!(machine.peer_sends(100), Fate::Ignored);
        assert!(!hardware.card.chip().interrupts());
        machine.check_manners();
        machine.bounded(|dev| dev.open()).unwrap();
        assert!(machine.works());
    }
}

/// A card that does not answer holds the interrupt line: it is silenced long before the kernel gives up the
/// line, which may be another device's, too.
#[test]
fn a_line_that_a_card_holds_which_does_not_answer_is_released() {
    for (kind, model) in CHIPS {
        let most = if kind == Kind::Silicon { 1 } else { 256 };
        for deferred in [false, true] {
            let hardware = Hardware::of(kind, model);
            let mut machine = proven(&hardware);
            machine.peer_sends(100);
            if deferred {
                // A second interrupt before the poll, and the mask that it sets does not arrive.
                machine.interrupt();
                machine.peer_sends(100);
                machine.interrupt();
                let events = !hardware.card.chip().mask();
                hardware.card.chip().enable(events);
                machine.peer_sends(100);
            }
            machine.tell(Lie::LosesPlace(MEMORY));
            let mut interrupts = 0;
            while hardware.card.chip().interrupts() {
                machine.bounded(|dev| dev.interrupt());
                interrupts += 1;
                assert!(interrupts <= most, "it goes on");
            }
            // It stays silent until the work has looked at it.
            machine.poll();
            assert_eq!(hardware.card.chip().mask(), 0);
            machine.settle();
            assert_eq!(machine.resets(), 1);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// The machine goes down, and has taken the bus from a card that is detached: that is to stay so.
#[test]
fn a_card_that_was_taken_from_the_bus_is_not_given_it_back_by_an_interrupt() {
    for (kind, model) in CHIPS {
        let hardware = Hardware::of(kind, model);
        let machine = proven(&hardware);
        machine.bounded(|dev| dev.detach());
        hardware.config.lose(MEMORY | MASTER);
        for _ in 0..1000 {
            assert_eq!(machine.bounded(|dev| dev.interrupt()), Return::None);
        }
        assert!(!hardware.config.answers() && !hardware.config.is_master());
    }
}
