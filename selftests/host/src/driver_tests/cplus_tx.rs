// SPDX-License-Identifier: GPL-2.0

//! Sending through descriptors, with all of the driver.

use crate::model::chip::{
    Ending,
    Kind,
    Model, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::offload::{
    Checksum,
    Wishes,
    MAX_PIECES, //
};
use std::num::NonZeroU16;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

const PLAIN: Wishes = Wishes {
    checksum: Checksum::Done,
    segment: None,
    tag: None,
    tagged_in_band: false,
};

fn cplus(kind: Kind) -> Hardware {
    Hardware::of(kind, Model::CPlus)
}

/// The ring is of 64, so frames of all numbers of pieces begin everywhere in it.
#[test]
fn a_frame_is_sent_in_all_its_pieces() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for round in 0..20 {
            for pieces in 1..=MAX_PIECES {
                let lens: Vec<_> = (0..pieces).map(|piece| 60 + round + piece).collect();
                assert!(machine.stack_sends_pieces(&lens, PLAIN, false));
                machine.settle();
            }
        }
        assert_eq!(machine.lost_on_the_way_out(), 0);
        assert_eq!(hardware.bus().mappings(), 0);
        machine.check_manners();
    }
}

/// A chip that works through the ring at that moment takes a frame as soon as it has the first piece, and
/// a descriptor as soon as OWN is set.
#[test]
fn the_chip_is_given_the_first_piece_last_and_of_each_the_first_word() {
    const OWN: u32 = 1 << 31;
    const FIRST: u32 = 1 << 29;
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    hardware.bus().watch();
    assert!(machine.stack_sends_pieces(&[60; 5], PLAIN, false));
    let written = hardware.bus().take_written();
    let mut given = Vec::new();
    for (address, bytes) in written {
        let word = u32::from_le_bytes(bytes.try_into().expect("a word"));
        assert!(
            !given.contains(&(address & !0xf)),
            "written after it was given"
        );
        if address % 16 == 0 {
            given.push(address);
            assert_eq!(word & (OWN | FIRST) == OWN | FIRST, given.len() == 5);
        }
    }
    assert_eq!(given.len(), 5);
    machine.settle();
    assert_eq!(machine.lost_on_the_way_out(), 0);
}

/// A short frame in pieces is made one that is long enough.
#[test]
fn a_short_frame_is_padded() {
    let hardware = cplus(Kind::Qemu);
    let mut machine = proven(&hardware);
    for lens in [&[18][..], &[59], &[20, 20], &[20, 39], &[20, 40]] {
        assert!(machine.stack_sends_pieces(lens, PLAIN, false));
    }
    assert_eq!(machine.lost_on_the_way_out(), 0);
    machine.check_manners();
}

/// There is no room in the window of addresses, or in a bounce buffer: all of the frame is taken back, and the
/// frames before it go out although nothing comes after them.
#[test]
fn a_mapping_that_fails_takes_back_the_frame() {
    for kind in KINDS {
        for before in [0, 2] {
            for room in 0..5 {
                let hardware = cplus(kind);
                let mut machine = proven(&hardware);
                for _ in 0..before {
                    assert!(machine.stack_sends_pieces(&[50, 50], PLAIN, true));
                }
                hardware.bus().limit_mappings(Some(room));
                assert!(machine.stack_sends_pieces(&[60; 5], PLAIN, false));
                hardware.bus().limit_mappings(None);
                assert_eq!(machine.taken().1, 1);
                machine.settle();
                assert_eq!(hardware.bus().mappings(), 0);
                assert_eq!(machine.lost_on_the_way_out(), 0);
                assert_eq!(hardware.card.chip().wire.len(), 3 + before);
                assert_eq!(machine.dev.stats64().tx_dropped, 1);
                assert!(machine.works());
                machine.check_manners();
            }
        }
    }
}

/// Nor is there memory for the zeros of a short frame, or for a checksum to be computed in.
#[test]
fn without_memory_a_frame_is_dropped_and_counted() {
    let other = Wishes {
        checksum: Checksum::Other,
        ..PLAIN
    };
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    kernel::alloc::exhaust(true);
    assert!(machine.stack_sends(20));
    kernel::alloc::exhaust(false);
    assert_eq!(machine.taken().1, 1);
    assert_eq!(machine.dev.stats64().tx_dropped, 1);
    // With memory it is computed, and the chip has nothing to do.
    assert!(machine.stack_sends_pieces(&[100], other, false));
    machine.settle();
    assert_eq!(hardware.card.chip().work.last(), Some(&0));
    assert!(machine.works());
    machine.check_manners();
}

#[test]
fn a_tag_is_inserted() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for (tag, lens) in [(0, &[60][..]), (1, &[30, 30, 30]), (0xe123, &[1000])] {
            let wishes = Wishes {
                tag: Some(tag),
                ..PLAIN
            };
            assert!(machine.stack_sends_pieces(lens, wishes, false));
            machine.settle();
        }
        assert_eq!(machine.lost_on_the_way_out(), 0);
        machine.check_manners();
    }
}

/// The bits of the command are those of the datasheet.
#[test]
fn the_chip_is_told_what_to_compute() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let wish = |checksum, segment| Wishes {
            checksum,
            segment: NonZeroU16::new(segment),
            ..PLAIN
        };
        for (wishes, work) in [
            (PLAIN, 0),
            (wish(Checksum::Tcp4, 0), 5 << 16),
            // These two are computed by the driver.
            (wish(Checksum::Udp4, 0), 0),
            (wish(Checksum::Other, 0), 0),
            (wish(Checksum::Tcp4, 1448), (1 << 27) | (1448 << 16)),
            (wish(Checksum::Tcp4, 2047), (1 << 27) | (2047 << 16)),
        ] {
            assert!(machine.stack_sends_pieces(&[54, 1448, 1448, 100], wishes, false));
            machine.settle();
            assert_eq!(hardware.card.chip().work.last(), Some(&work));
        }
        assert_eq!(machine.lost_on_the_way_out(), 0);
        // Segments are packets: three of the one, two of the other.
        assert_eq!(machine.dev.stats64().tx_packets, 3 + 4 + 3 + 2);
        // What is left of a command in a status is no collision.
        assert_eq!(machine.dev.stats64().collisions, 0);
        machine.check_manners();
    }
}

/// A ring that is nearly full stops the queue before a frame finds no room, and the queue runs again.
#[test]
fn the_queue_is_stopped_in_time() {
    for pieces in 1..=MAX_PIECES {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        let before = machine.taken().0;
        let lens = vec![70; pieces];
        while machine.stack_sends_pieces(&lens, PLAIN, false) {}
        let used = (machine.taken().0 - before) * pieces;
        assert!(used <= 64 && used + MAX_PIECES > 64, "{used} are in use");
        assert_eq!(machine.taken().1, 0);
        assert_eq!(hardware.bus().mappings(), used);
        machine.settle();
        assert!(machine.dev.may_send());
        assert_eq!(machine.lost_on_the_way_out(), 0);
        assert_eq!(hardware.bus().mappings(), 0);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// While the stack has more, the chip is not told, unless the ring is short.
#[test]
fn a_burst_that_fills_the_ring_goes_out() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for _ in 0..500 {
            if !machine.stack_sends_pieces(&[60, 60], PLAIN, true) {
                machine.settle();
            }
        }
        machine.settle();
        assert_eq!(machine.lost_on_the_way_out(), 0);
        assert_eq!(machine.dev.in_flight(), 0);
        machine.check_manners();
    }
}

/// The end of a frame that failed has its counter, and stops nothing.
#[test]
fn failures_are_counted_by_their_kind() {
    for kind in KINDS {
        for (ending, counted) in [
            (Ending::Underrun, (1, 0, 0, 0)),
            (Ending::Late, (0, 1, 0, 0)),
            (Ending::NoLink, (0, 0, 1, 0)),
            (Ending::Aborted, (0, 0, 0, 1)),
        ] {
            let hardware = cplus(kind);
            let mut machine = proven(&hardware);
            machine.tell(Lie::Ending(ending));
            assert!(machine.stack_sends_pieces(&[100, 100], PLAIN, false));
            machine.settle();
            let stats = machine.dev.stats64();
            let errors = (
                stats.tx_fifo_errors,
                stats.tx_window_errors,
                stats.tx_carrier_errors,
                stats.tx_aborted_errors,
            );
            assert_eq!(errors, counted, "{ending:?}");
            assert_eq!(stats.tx_errors, 1);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// A chip that is never done with a frame: only the watchdog finds it.
fn with_frames_that_stay(hardware: &Hardware) -> (Machine<'_>, u64) {
    let mut machine = proven(hardware);
    machine.tell(Lie::Silent);
    let before = machine.taken().0;
    while machine.stack_sends_pieces(&[50, 50, 50], PLAIN, false) {}
    let frames = machine.taken().0 - before;
    assert_eq!(hardware.bus().mappings(), 3 * frames);
    (machine, frames as u64)
}

#[test]
fn a_chip_that_keeps_all_descriptors_is_reset_by_the_watchdog() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let (mut machine, frames) = with_frames_that_stay(&hardware);
        machine.tick();
        machine.settle();
        assert_eq!(machine.resets(), 0);
        hardware.card.chip().come_to_its_senses();
        // It does not send what it was told before.
        machine.tell(Lie::TransmitterStands);
        machine.bounded(|dev| dev.watchdog());
        machine.settle();
        assert_eq!(machine.resets(), 1);
        assert_eq!(machine.dev.private().counters.tx_lost.get(), frames);
        assert_eq!(machine.dev.stats64().tx_errors, frames);
        assert_eq!(hardware.bus().mappings(), 0);
        // More than the ring has, so that it would come to what it was given before.
        for _ in 0..100 {
            assert!(machine.works());
        }
        assert_eq!(machine.lost_on_the_way_out() as u64, frames);
        machine.check_manners();
    }
}

/// Whoever ends the interface with frames in flight has no memory left behind, and each is counted.
#[test]
fn frames_in_flight_are_counted_and_freed_on_the_way_down() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let (mut machine, frames) = with_frames_that_stay(&hardware);
        for _ in 0..10 {
            machine.peer_sends(1000);
        }
        machine.bounded(|dev| dev.close());
        assert_eq!(machine.dev.private().counters.tx_lost.get(), frames);
        assert_eq!(hardware.pieces_of_memory(), 0);
        hardware.card.chip().come_to_its_senses();
        machine.down_and_up();
        assert!(machine.works());
        machine.check_manners();
    }
}

/// What the chip has sent, and nobody has looked at, is not lost.
#[test]
fn frames_that_were_sent_are_not_counted_as_lost() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    for _ in 0..5 {
        assert!(machine.stack_sends_pieces(&[50, 50], PLAIN, false));
    }
    for _ in 0..3 {
        assert!(machine.chip_sends());
    }
    machine.down_and_up();
    assert_eq!(machine.dev.private().counters.tx_lost.get(), 2);
    assert_eq!(machine.lost_on_the_way_out(), 2);
    assert!(machine.works());
    machine.check_manners();
}

/// A kernel that prints from where no interrupt comes.
#[test]
fn netpoll_makes_room_without_an_interrupt() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    while machine.stack_sends(60) {}
    while machine.chip_sends() {}
    assert!(!machine.dev.may_send());
    machine.bounded(|dev| dev.netpoll());
    assert!(machine.dev.may_send());
    assert_eq!(hardware.bus().mappings(), 0);
}

/// Frames of which the stack has said that more come, and none came: whoever tells the chip of them has it
/// interrupt when they are sent.
#[test]
fn frames_that_the_chip_hears_of_late_are_waited_for() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    assert!(machine.stack_sends_pieces(&[100], PLAIN, true));
    machine.dev.netpoll();
    assert!(machine.chip_sends());
    assert!(machine.interrupt(), "nobody waits for it");
    machine.poll();
    assert_eq!(hardware.bus().mappings(), 0);
    machine.settle();
    assert!(machine.works());
    machine.check_manners();
}
