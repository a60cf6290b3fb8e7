// SPDX-License-Identifier: GPL-2.0

//! Receiving through descriptors, with all of the driver.

use crate::model::chip::{
    Fate,
    Kind,
    Model, //
};
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::driver::Features;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

/// All of a frame is in this buffer.
const WHOLE: u32 = 3 << 28;
const DAMAGED: u32 = 1 << 20;

/// Frames up to this length are copied.
const COPYBREAK: usize = 256;

/// How much there is room for in a buffer at the usual MTU.
const CAPACITY: u32 = 3520;

fn cplus(kind: Kind) -> Hardware {
    Hardware::of(kind, Model::CPlus)
}

/// A short frame takes memory for its packet, a long one for a fresh page as well.
#[test]
fn short_frames_are_copied_and_of_long_ones_the_buffer_is_taken() {
    for (len, allocations) in [
        (60, 1),
        (COPYBREAK, 1),
        (COPYBREAK + 1, 2),
        (1514, 2), //
    ] {
        for memory in 0..=allocations {
            let hardware = cplus(Kind::Silicon);
            let mut machine = proven(&hardware);
            let before = (machine.arrived().len(), hardware.pieces_of_memory());
            machine.dev.exhaust_after(memory);
            assert_eq!(machine.peer_sends(len), Fate::Stored);
            machine.settle();
            let arrives = usize::from(memory == allocations);
            assert_eq!(machine.arrived().len(), before.0 + arrives, "{len} bytes");
            assert_eq!(machine.dev.stats64().rx_dropped as usize, 1 - arrives);
            // Each descriptor has a buffer, as before.
            assert_eq!(hardware.pieces_of_memory(), before.1);
            machine.dev.exhaust(false);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// The ring stays full of buffers when there is no memory, for however long that lasts.
#[test]
fn a_ring_without_memory_goes_on() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        machine.dev.exhaust(true);
        for _ in 0..20 {
            for len in [60, 300, 1514] {
                for _ in 0..5 {
                    assert_eq!(machine.peer_sends(len), Fate::Stored);
                }
            }
            machine.settle();
        }
        assert_eq!(machine.dev.stats64().rx_dropped, 300);
        machine.dev.exhaust(false);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// In QEMU the second word of a descriptor may come when the driver has looked at it already: it reads a
/// register then, and only then.
#[test]
fn a_tag_is_found_although_it_comes_late() {
    const TAG: u16 = 0x6123;
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        machine.packets.clear();
        machine.peer_sends(60);
        assert!(machine.interrupt());
        // No register is read between this one and the poll.
        assert_eq!(machine.peer_sends_tagged(60, TAG), Fate::Stored);
        let before = hardware.card.chip().accesses;
        machine.poll();
        let late = usize::from(kind == Kind::Qemu);
        assert_eq!(hardware.card.chip().accesses, before + late);
        assert_eq!(machine.packets.len(), 2);
        machine.settle();

        assert_eq!(machine.peer_sends_tagged(1000, 1), Fate::Stored);
        machine.peer_sends(1000);
        machine.settle();
        let tags: Vec<_> = machine.packets.iter().map(|packet| packet.tag).collect();
        assert_eq!(tags, [None, Some(TAG), Some(1), None]);
        let lens = machine.packets.iter().map(|packet| packet.frame.len());
        assert_eq!(lens.collect::<Vec<_>>(), [60, 60, 1000, 1000]);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// With the feature switched off, while the interface is up.
#[test]
fn a_tag_that_is_not_to_be_taken_off_stays_in_the_frame() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for wanted in [false, true] {
            let features = machine.dev.features().without(Features::VLAN_RX);
            let features = match wanted {
                true => features.with(Features::VLAN_RX),
                false => features,
            };
            machine.dev.set_features(features).unwrap();
            machine.settle();
            machine.packets.clear();
            machine.peer_sends_tagged(100, 7);
            machine.settle();
            let packet = &machine.packets[0];
            assert_eq!(packet.tag, wanted.then_some(7));
            assert_eq!(packet.frame.len(), if wanted { 100 } else { 104 });
        }
        machine.check_manners();
    }
}

/// One error of the length for each that no frame has, with whatever memory there is.
#[test]
fn a_length_that_no_frame_has_is_an_error() {
    for kind in KINDS {
        for len in [0, 1, 3, 4, 17, CAPACITY + 5, 0x1ffe, 0x1fff] {
            for wanted in [Features::none(), Features::RXALL] {
                let hardware = cplus(kind);
                let mut machine = proven(&hardware);
                let before = hardware.pieces_of_memory();
                machine.dev.set_features(wanted).unwrap();
                machine.settle();
                machine.tell(Lie::Status(WHOLE | len));
                assert_eq!(machine.peer_sends(100), Fate::Stored);
                machine.settle();
                let stats = machine.dev.stats64();
                assert_eq!((stats.rx_errors, stats.rx_length_errors), (1, 1), "{len}");
                assert_eq!((stats.rx_packets, stats.rx_dropped), (3, 0));
                assert_eq!(hardware.pieces_of_memory(), before);
                assert!(machine.works());
                machine.check_manners();
            }
        }
    }
}

/// The shortest and the longest that are believed; what stands behind the frame in the buffer is read then,
/// but nothing beside it.
#[test]
fn a_length_that_a_frame_may_have_is_believed() {
    for len in [18, CAPACITY + 4] {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.gullible = true;
        machine.packets.clear();
        machine.tell(Lie::Status(WHOLE | len));
        machine.peer_sends(100);
        machine.settle();
        assert_eq!(machine.packets[0].frame.len() as u32, len - 4);
        assert_eq!(machine.dev.stats64().rx_errors, 0);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// A frame in several buffers is not what this driver lets the chip do; whoever wants damaged frames does
/// not get its parts.
#[test]
fn a_part_of_a_frame_is_an_error_and_not_delivered() {
    for status in [0, 1 << 28, 1 << 29] {
        for wanted in [Features::none(), Features::RXALL] {
            let hardware = cplus(Kind::Silicon);
            let mut machine = proven(&hardware);
            machine.dev.set_features(wanted).unwrap();
            machine.settle();
            machine.tell(Lie::Status(status | 104));
            machine.peer_sends(100);
            machine.settle();
            let stats = machine.dev.stats64();
            assert_eq!((stats.rx_errors, stats.rx_length_errors), (1, 1));
            assert_eq!(stats.rx_packets, 3);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// Such a frame comes from a peer with a larger MTU. QEMU drops it, and says so; a chip spreads it.
#[test]
fn a_frame_longer_than_a_buffer_is_counted() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let fate = machine.peer_sends(CAPACITY as usize + 100);
        machine.settle();
        let stats = machine.dev.stats64();
        match kind {
            Kind::Silicon => {
                assert_eq!(fate, Fate::Stored);
                assert_eq!((stats.rx_errors, stats.rx_length_errors), (2, 2));
            }
            Kind::Qemu => {
                assert_eq!(fate, Fate::Missed);
                assert_eq!((stats.rx_errors, stats.rx_missed_errors), (0, 1));
            }
        }
        assert_eq!(stats.rx_packets, 3);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Each status of a damaged frame has its counter, and the frame is delivered to those who want it.
#[test]
fn damage_is_counted_by_its_kind() {
    const CRC: u32 = 1 << 18;
    const ALIGNMENT: u32 = 1 << 27;
    const RUNT: u32 = 1 << 19;
    const LONG: u32 = 1 << 21;
    for (status, crc, frame, length) in [
        (CRC, 1, 0, 0),
        (CRC | ALIGNMENT, 1, 1, 0),
        (CRC | LONG, 1, 0, 1),
        (RUNT, 0, 0, 1),
    ] {
        for wanted in [Features::none(), Features::RXALL] {
            let hardware = cplus(Kind::Silicon);
            let mut machine = proven(&hardware);
            machine.dev.set_features(wanted).unwrap();
            machine.settle();
            machine.tell(Lie::Status(WHOLE | DAMAGED | status | 104));
            machine.peer_sends(100);
            machine.settle();
            let stats = machine.dev.stats64();
            let counted = (
                stats.rx_crc_errors,
                stats.rx_frame_errors,
                stats.rx_length_errors,
            );
            assert_eq!(counted, (crc, frame, length), "status {status:#x}");
            assert_eq!(stats.rx_errors, 1);
            let delivered = u64::from(wanted != Features::none());
            assert_eq!(stats.rx_packets, 3 + delivered);
            assert!(machine.works());
            machine.check_manners();
        }
    }
}

/// Protocol, and whether its sum or that of IP is wrong.
#[test]
fn a_checksum_is_good_if_the_chip_says_so_and_is_to_look() {
    const TCP: u32 = 1 << 16;
    const UDP: u32 = 2 << 16;
    const IP: u32 = 3 << 16;
    const BAD_IP: u32 = 1 << 15;
    const BAD_UDP: u32 = 1 << 14;
    const BAD_TCP: u32 = 1 << 13;
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    for looks in [true, false] {
        for (status, good) in [
            (0, false),
            (TCP, true),
            (TCP | BAD_TCP, false),
            (TCP | BAD_UDP, true),
            (TCP | BAD_IP, false),
            (UDP, true),
            (UDP | BAD_UDP, false),
            (UDP | BAD_TCP, true),
            (UDP | BAD_IP, false),
            (IP, false),
        ] {
            machine.packets.clear();
            machine.tell(Lie::Status(WHOLE | status | 104));
            machine.peer_sends(100);
            machine.settle();
            assert_eq!(
                machine.packets[0].checksum_good,
                good && looks,
                "{status:#x}"
            );
        }
        let features = machine.dev.features().without(Features::RXCSUM);
        machine.dev.set_features(features).unwrap();
        machine.settle();
    }
    assert!(machine.works());
    machine.check_manners();
}

/// Round and round, with bursts of any length up to the ring's.
#[test]
fn the_ring_wraps() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for burst in 1..=64 {
            for frame in 0..burst {
                assert_eq!(machine.peer_sends(60 + 31 * frame), Fate::Stored);
            }
            // More than the budget of a poll would leave some for the next.
            machine.settle();
        }
        assert_eq!(machine.arrived().len(), machine.offered().0);
        assert_eq!(machine.dev.stats64().rx_errors, 0);
        machine.check_manners();
    }
}

/// What finds no descriptor is missed, and the chip goes on by itself when there is one again.
#[test]
fn a_full_ring_misses_frames_and_goes_on() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for times in 1..4 {
            let before = machine.offered();
            while machine.peer_sends(1000) == Fate::Stored {}
            assert_eq!(machine.offered().0 - before.0, 64);
            machine.settle();
            let counters = &machine.dev.private().counters;
            assert_eq!(counters.rx_ring_overflows.get(), times);
        }
        assert_eq!(machine.arrived().len(), machine.offered().0);
        assert_eq!(machine.dev.stats64().rx_missed_errors, 3);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// A descriptor that the chip is not done with holds up those behind it, and then all come in their order.
#[test]
fn frames_wait_for_the_one_before_them() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let before = machine.arrived().len();
        machine.tell(Lie::Hangs);
        for _ in 0..3 {
            machine.peer_sends(100);
        }
        machine.settle();
        assert_eq!(machine.arrived().len(), before);
        hardware.card.chip().come_to_its_senses();
        machine.peer_sends(100);
        machine.settle();
        assert_eq!(machine.arrived().len(), before + 4);
        machine.check_manners();
    }
}

/// Whatever it is that stops the receiver, the bytes that nobody has seen are counted.
#[test]
fn what_is_given_up_is_counted() {
    let ways: [fn(&mut Machine<'_>); 3] = [
        |machine| machine.down_and_up(),
        |machine| {
            machine.tell(Lie::BusError);
            machine.bounded(|dev| dev.restart()).unwrap();
        },
        |machine| machine.dev.set_mtu(4096).unwrap(),
    ];
    for end in ways {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        for _ in 0..3 {
            machine.peer_sends(100);
        }
        end(&mut machine);
        machine.settle();
        let counters = &machine.dev.private().counters;
        assert_eq!(counters.rx_discarded_bytes.get(), 3 * 104);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// A chip that was reset behind the driver's back is not believed until the reset.
#[test]
fn nothing_is_received_of_a_chip_that_has_stopped() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let before = machine.arrived().len();
        machine.peer_sends(100);
        hardware.card.chip().power_on();
        machine.tick();
        machine.poll();
        // Somebody has it polled once more before the reset.
        machine.dev.schedule_napi();
        assert!(machine.poll());
        assert_eq!(machine.arrived().len(), before);
        machine.settle();
        assert_eq!(machine.resets(), 1);
        let counters = &machine.dev.private().counters;
        assert_eq!(counters.rx_discarded_bytes.get(), 104);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// It goes on behind a descriptor that it has not used: what it receives would be seen when it comes round.
#[test]
fn a_chip_that_leaves_a_descriptor_out_is_found_when_it_is_looked_after() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        machine.tell(Lie::LosesPosition);
        // Nothing is wrong as long as nothing is received.
        machine.tick();
        machine.settle();
        assert_eq!(machine.resets(), 0);
        let before = machine.arrived().len();
        for _ in 0..3 {
            assert_eq!(machine.peer_sends(300), Fate::Stored);
            machine.settle();
        }
        assert_eq!(machine.arrived().len(), before);
        machine.tick();
        machine.settle();
        assert_eq!(machine.resets(), 1);
        let counters = &machine.dev.private().counters;
        assert_eq!(counters.rx_resyncs.get(), 1);
        assert_eq!(counters.rx_errors.get(), 1);
        // With their check sequences.
        assert_eq!(counters.rx_discarded_bytes.get(), 3 * 304);
        assert!(machine.works());
        for _ in 0..3 {
            machine.tick();
            machine.settle();
        }
        assert_eq!(machine.resets(), 1, "it works, and is reset");
        machine.check_manners();
    }
}

/// The driver looks after a card that fills the ring faster than it is emptied.
#[test]
fn a_ring_that_is_full_is_in_step() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        for _ in 0..20 {
            while machine.peer_sends(300) == Fate::Stored {}
            machine.tick();
            machine.settle();
        }
        assert_eq!(machine.resets(), 0);
        machine.check_manners();
    }
}
