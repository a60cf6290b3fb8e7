// SPDX-License-Identifier: GPL-2.0

//! All of the driver on a chip that has lost its way: no old frame is delivered, and whatever is lost is in
//! a counter.

use crate::driver::settings;
use crate::model::chip::{
    Ending,
    Fate,
    Kind, //
};
use crate::model::config::MASTER;
use crate::model::lie::Lie;
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::driver::{
    Features,
    RxMode, //
};

/// The size of a frame of 100 bytes in the ring, with its header and its check sequence.
const STORED: u64 = 108;

fn discarded(machine: &Machine<'_>) -> u64 {
    machine.dev.private().counters.rx_discarded_bytes.get()
}

/// A card whose ring begins at its beginning, with one frame that was delivered, and old ones behind it.
fn with_old_frames(hardware: &Hardware) -> Machine<'_> {
    let mut machine = proven(hardware);
    let mode = RxMode {
        promiscuous: true,
        all_multicast: false,
        groups: &[],
    };
    for _ in 0..5 {
        machine.peer_sends(100);
    }
    machine.settle();
    machine.dev.set_rx_mode(&mode).unwrap();
    machine.settle();
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(discarded(&machine), 0);
    machine
}

/// A chip that was reset behind the driver's back says that it is at the beginning of the ring, as if all
/// of it were full of frames: the poll that nobody has asked for makes sure.
#[test]
fn a_chip_that_was_reset_is_found_by_a_poll_that_nobody_has_asked_for() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = with_old_frames(&hardware);
    hardware.card.chip().power_on();
    machine.dev.schedule_napi();
    machine.settle();
    assert_eq!((machine.resets(), discarded(&machine)), (1, 0));
    assert!(machine.works());
    machine.check_manners();
}

/// The same chip, found when it is looked after: until the reset nothing that it says is believed.
#[test]
fn nothing_is_received_between_the_discovery_and_the_reset() {
    const RX_OK: u16 = 1;
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = with_old_frames(&hardware);
    hardware.card.chip().power_on();
    machine.tick();
    machine.poll();
    hardware.card.chip().enable(RX_OK);
    machine.tell(Lie::Spurious(RX_OK));
    assert!(machine.interrupt());
    machine.poll();
    machine.settle();
    assert_eq!((machine.resets(), discarded(&machine)), (1, 0));
    assert!(machine.works());
    machine.check_manners();
}

/// What the stack wants last is what the receiver is started with after its position was lost.
#[test]
fn the_filter_outlives_a_lost_position() {
    const ONE: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 9];
    const TWO: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 10];
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    for groups in [&[ONE][..], &[ONE, TWO]] {
        let mode = RxMode {
            promiscuous: false,
            all_multicast: false,
            groups,
        };
        machine.dev.set_rx_mode(&mode).unwrap();
        machine.settle();
    }
    machine.tell(Lie::Header(1, 0));
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(machine.dev.private().counters.rx_resyncs.get(), 1);
    for group in [ONE, TWO] {
        assert_eq!(machine.peer_sends_to(group, 100), Fate::Stored);
    }
    machine.settle();
    assert!(machine.works());
}

/// A frame that reaches beyond what the chip has said is for later: nothing is lost.
#[test]
fn a_frame_that_is_there_in_part_is_left_alone() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    let before = machine.arrived().len();
    machine.peer_sends(100);
    // Three frames of 108 bytes, and a part of the fourth.
    machine.tell(Lie::Cbr(3 * 108 + 60));
    machine.settle();
    assert_eq!(machine.arrived().len(), before);
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(machine.arrived().len(), before + 2);
    assert_eq!(machine.dev.private().counters.rx_resyncs.get(), 0);
    machine.check_manners();
}

/// An overflow is told of by no interrupt of its own; whatever the next one is about, the chip is told then
/// how far the ring was read.
#[test]
fn a_chip_without_room_is_told_at_the_next_interrupt() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::LosesPosition);
    assert_eq!(machine.peer_sends(100), Fate::Missed);
    for link in [false, true] {
        hardware.card.chip().set_link(link);
        machine.settle();
    }
    assert_eq!(machine.peer_sends(100), Fate::Stored);
    machine.settle();
    assert!(machine.works());
}

/// A frame that was given up before the interface goes down, and that no poll has looked at.
#[test]
fn how_frames_ended_is_counted_on_the_way_down() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.tell(Lie::Ending(Ending::Aborted));
    assert!(machine.stack_sends(100));
    assert!(machine.chip_sends());
    machine.down_and_up();
    let stats = machine.dev.stats64();
    assert_eq!((stats.tx_aborted_errors, stats.tx_carrier_errors), (1, 1));
    assert_eq!(stats.tx_errors, 1);
    assert_eq!(machine.dev.private().counters.tx_lost.get(), 0);
    assert!(machine.works());
}

/// Whatever it is that stops the receiver, what is in the ring then is given up, and its bytes are counted.
#[test]
fn what_is_given_up_in_the_ring_is_counted() {
    let promiscuous = RxMode {
        promiscuous: true,
        all_multicast: false,
        groups: &[],
    };
    let ways: [fn(&mut Machine<'_>, &RxMode<'_>); 3] = [
        |machine, _| machine.down_and_up(),
        |machine, mode| machine.dev.set_rx_mode(mode).unwrap(),
        |machine, _| machine.bounded(|dev| dev.watchdog()),
    ];
    for (way, change) in ways.iter().enumerate() {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        if way == 2 {
            machine.tell(Lie::TransmitterStands);
            while machine.stack_sends(100) {}
        }
        for _ in 0..3 {
            assert_eq!(machine.peer_sends(100), Fate::Stored);
        }
        // No interrupt comes before that.
        change(&mut machine, &promiscuous);
        machine.poll();
        machine.work();
        machine.settle();
        assert_eq!(discarded(&machine), 3 * STORED, "way {way}");
        assert!(machine.works());
    }
}

/// The position is lost at the second of three frames.
#[test]
fn what_is_given_up_with_the_position_is_counted() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    let before = machine.arrived().len();
    machine.peer_sends(100);
    machine.tell(Lie::Header(1, 0));
    machine.peer_sends(100);
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(machine.arrived().len(), before + 1);
    assert_eq!(discarded(&machine), 2 * STORED);
    let counters = &machine.dev.private().counters;
    assert_eq!(counters.rx_resyncs.get(), 1);
    assert_eq!(counters.rx_errors.get(), 1);
    assert!(machine.works());
}

/// Each status of a damaged frame has its counter, whether the stack wants such frames or not.
#[test]
fn damage_is_counted_by_its_kind() {
    const CRC: u16 = 1 << 2;
    const LONG: u16 = 1 << 3;
    const RUNT: u16 = 1 << 4;
    for wanted in [Features::none(), Features::RXALL] {
        for (status, stored, crc, frame, length) in [
            (CRC, 104, 1, 0, 0),
            (CRC | (1 << 1), 104, 1, 1, 0),
            (CRC | (1 << 5), 104, 1, 1, 0),
            (CRC | LONG, 104, 1, 0, 1),
            (RUNT, 40, 0, 0, 1),
        ] {
            let hardware = Hardware::new(Kind::Silicon);
            let mut machine = proven(&hardware);
            machine.dev.set_features(wanted).unwrap();
            machine.settle();
            machine.gullible = true;
            machine.tell(Lie::Header(status, stored));
            machine.peer_sends(usize::from(stored) - 4);
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
            assert_eq!(
                machine.dev.private().counters.rx_resyncs.get(),
                1 - delivered
            );
            assert!(machine.works());
        }
    }
}

/// A frame without a whole Ethernet header is one error of the length, whatever its status is.
#[test]
fn a_frame_without_a_header_is_an_error_of_the_length() {
    for status in [1, 1 << 4] {
        let hardware = Hardware::new(Kind::Silicon);
        let mut machine = proven(&hardware);
        machine.dev.set_features(Features::RXALL).unwrap();
        machine.settle();
        machine.tell(Lie::Header(status, 12));
        machine.peer_sends(8);
        machine.settle();
        let stats = machine.dev.stats64();
        assert_eq!((stats.rx_errors, stats.rx_length_errors), (1, 1));
        assert_eq!((stats.rx_packets, stats.rx_dropped), (3, 0));
        assert!(machine.works());
        machine.check_manners();
    }
}

/// The two ways in which there is no room, and each is counted.
#[test]
fn overflows_are_counted() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    let counters = |machine: &Machine<'_>| {
        let counters = &machine.dev.private().counters;
        (
            counters.rx_ring_overflows.get(),
            counters.rx_fifo_overflows.get(),
        )
    };
    // More of the one than of the other, so that neither stands for the other.
    for times in 1..3 {
        while machine.peer_sends(1500) == Fate::Stored {}
        machine.settle();
        assert_eq!(counters(&machine), (times, 0));
    }
    machine.tell(Lie::LosesPlace(MASTER));
    assert_eq!(machine.peer_sends(100), Fate::Missed);
    machine.settle();
    assert_eq!(counters(&machine), (2, 1));
    machine.tick();
    machine.settle();
    assert!(machine.works());
    let stats = machine.dev.stats64();
    assert_eq!((stats.rx_over_errors, stats.rx_fifo_errors), (2, 1));
    assert_eq!(stats.rx_missed_errors, machine.offered().1 as u64);
}

/// No MTU lets the stack send such a frame, but a program can.
#[test]
fn a_frame_that_is_too_long_is_dropped_and_counted() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    let before = machine.taken();
    assert!(machine.stack_sends(1793));
    assert_eq!(machine.taken(), (before.0, before.1 + 1));
    assert_eq!(machine.dev.stats64().tx_dropped, 1);
    assert!(machine.stack_sends(1792));
    assert_eq!(machine.taken(), (before.0 + 1, before.1 + 1));
    machine.settle();
    assert_eq!(machine.lost_on_the_way_out(), 0);
}

/// With a VLAN tag and the check sequence, the longest frame of the largest MTU is what a slot takes.
#[test]
fn the_largest_mtu_fills_a_slot() {
    const HEADER: usize = 14;
    const TAG: usize = 4;
    const CHECK: usize = 4;
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    let chip = machine.dev.private().hw.chip;
    let mtu = settings::config(None, chip.has_descriptors).max_mtu as usize;
    let before = machine.taken();
    assert!(machine.stack_sends(HEADER + TAG + mtu + CHECK));
    assert_eq!(machine.taken(), (before.0 + 1, before.1));
    assert!(machine.stack_sends(HEADER + TAG + mtu + CHECK + 1));
    assert_eq!(machine.taken(), (before.0 + 1, before.1 + 1));
    machine.settle();
    assert_eq!(machine.lost_on_the_way_out(), 0);
    assert_eq!(machine.peer_sends(HEADER + TAG + mtu), Fate::Stored);
    machine.settle();
    assert!(machine.works());
    machine.check_manners();
}

/// A kernel that prints from where no interrupt comes sends by netpoll, which alone finds out what is sent.
#[test]
fn netpoll_makes_room_without_an_interrupt() {
    let hardware = Hardware::new(Kind::Silicon);
    let mut machine = proven(&hardware);
    for _ in 0..3 {
        while machine.stack_sends(100) {}
        while machine.chip_sends() {}
        assert!(!machine.dev.may_send(), "there is room already");
        machine.bounded(|dev| dev.netpoll());
        assert!(machine.dev.may_send(), "no slot is free");
        assert_eq!(machine.dev.in_flight(), 0);
    }
    assert_eq!(machine.lost_on_the_way_out(), 0);
    assert!(machine.works());
    machine.check_manners();
}

/// Each packet is, before the chip has it.
#[test]
fn what_is_sent_is_stamped() {
    let hardware = Hardware::new(Kind::Qemu);
    let mut machine = proven(&hardware);
    for len in [20, 100, 1792] {
        assert!(machine.stack_sends(len));
        machine.settle();
    }
    assert_eq!(machine.lost_on_the_way_out(), 0);
    machine.check_manners();
}
