// SPDX-License-Identifier: GPL-2.0

//! Programs that look at received frames, with all of the driver.

use crate::driver::settings;
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
use crate::net::{
    driver::Features,
    offload::{
        Wishes,
        MAX_PIECES, //
    },
    xdp::{
        with_interrupts_disabled,
        Action,
        Function, //
    },
};
use kernel::prelude::*;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

/// Two rings, what the chip counts, and a buffer for each descriptor to receive.
const PIECES: usize = 3 + 64;

/// So many frames of programs find room in the ring, beside a packet of the stack.
const ROOM: usize = 64 - MAX_PIECES;

fn cplus(kind: Kind) -> Hardware {
    Hardware::of(kind, Model::CPlus)
}

/// A machine with a program, all of whose frames have gone.
fn with_program(hardware: &Hardware, program: Function) -> Machine<'_> {
    let mut machine = proven(hardware);
    machine
        .bounded(|dev| dev.set_program(Some(program)))
        .unwrap();
    machine.settle();
    hardware.card.chip().wire.clear();
    machine.packets.clear();
    machine
}

/// What is on the wire; no more of it is there afterwards.
fn take_wire(hardware: &Hardware) -> Vec<Vec<u8>> {
    std::mem::take(&mut hardware.card.chip().wire)
}

#[test]
fn what_a_program_lets_through_arrives() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = with_program(&hardware, |_| Action::Pass);
        for len in [60, 256, 257, 1514] {
            assert_eq!(machine.peer_sends(len), Fate::Stored);
            machine.settle();
        }
        let lens = machine.packets.iter().map(|packet| packet.frame.len());
        assert_eq!(lens.collect::<Vec<_>>(), [60, 256, 257, 1514]);
        assert_eq!(machine.dev.private().counters.xdp_pass.get(), 4);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// Cut, or made longer than what was received.
#[test]
fn a_program_may_change_the_length() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = with_program(&hardware, |frame| {
        let len = if frame.len() == 60 { 3000 } else { 40 };
        frame.resize(len, 0x5a);
        Action::Pass
    });
    machine.gullible = true;
    for len in [60, 1000] {
        machine.peer_sends(len);
    }
    machine.settle();
    let lens = machine.packets.iter().map(|packet| packet.frame.len());
    assert_eq!(lens.collect::<Vec<_>>(), [3000, 40]);
    machine.check_manners();
}

/// It takes no memory, and the stack sees nothing. All frames count as received.
#[test]
fn what_a_program_drops_is_gone() {
    for program in [(|_| Action::Drop) as Function, |_| Action::Abort] {
        let hardware = cplus(Kind::Qemu);
        let mut machine = with_program(&hardware, program);
        let before = machine.dev.stats64().rx_packets;
        machine.dev.exhaust(true);
        for _ in 0..20 {
            for len in [60, 300, 1514] {
                assert_eq!(machine.peer_sends(len), Fate::Stored);
            }
            machine.settle();
        }
        machine.dev.exhaust(false);
        assert!(machine.packets.is_empty());
        let counters = &machine.dev.private().counters;
        let counts = [counters.xdp_drop.get(), counters.xdp_aborted.get()];
        assert!(counts.contains(&60) && counts.contains(&0), "{counts:?}");
        let stats = machine.dev.stats64();
        assert_eq!(stats.rx_packets - before, 60);
        assert_eq!(stats.rx_dropped, 0);
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        machine.check_manners();
    }
}

/// No frame passes a program by, and none has a check sequence that would be sent on: what would have it so is off
/// as long as there is a program.
#[test]
fn what_programs_see_is_whole_and_sound() {
    let wanted = Features::RXALL.with(Features::RXFCS);
    let hardware = cplus(Kind::Silicon);
    let mut machine = with_program(&hardware, |_| Action::Pass);
    let all = machine.dev.features().with(wanted);
    machine.dev.set_features(all).unwrap();
    machine.settle();
    machine.tell(Lie::Status((3 << 28) | (1 << 20) | 104));
    machine.peer_sends(100);
    machine.settle();
    machine.hardware.card.chip().come_to_its_senses();
    machine.peer_sends(100);
    machine.settle();
    let lens = machine.packets.iter().map(|packet| packet.frame.len());
    assert_eq!(lens.collect::<Vec<_>>(), [100]);
    assert_eq!(machine.dev.private().counters.xdp_pass.get(), 1);
    machine.dev.set_program(None).unwrap();
    assert!(machine.dev.features().contains(wanted));
}

/// With the addresses of the two ends exchanged. The chip is told once for all of a poll.
#[test]
fn what_a_program_sends_again_is_sent() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = with_program(&hardware, |frame| {
            let (to, from) = frame.split_at_mut(6);
            to.swap_with_slice(&mut from[..6]);
            Action::Transmit
        });
        let before = machine.dev.stats64();
        // Everywhere in the ring.
        for round in 0..20 {
            let accesses = hardware.card.chip().accesses;
            let lens = [60, 300 + round, 1514, 60, 61];
            for len in lens {
                assert_eq!(machine.peer_sends(len), Fate::Stored);
            }
            machine.interrupt();
            machine.poll();
            if kind == Kind::Qemu {
                // One read and one write of the handler, the doorbell; each late second word of a
                // descriptor is a read.
                let accesses = hardware.card.chip().accesses - accesses;
                assert!(accesses <= 4 + lens.len(), "{accesses} accesses");
            }
            machine.settle();
            let wire = take_wire(&hardware);
            assert_eq!(wire.iter().map(Vec::len).collect::<Vec<_>>(), lens);
            assert!(wire.iter().all(|frame| frame[..6] == [2, 0, 0, 0, 0, 1]));
            assert!(wire.iter().all(|frame| frame[6..12] == machine.dev.mac()));
        }
        assert!(machine.packets.is_empty());
        let stats = machine.dev.stats64();
        assert_eq!(stats.tx_packets - before.tx_packets, 100);
        assert_eq!(
            stats.tx_bytes - before.tx_bytes,
            stats.rx_bytes - before.rx_bytes
        );
        assert_eq!(machine.dev.private().counters.xdp_tx.get(), 100);
        // The byte queue limit knows nothing of them.
        assert_eq!(machine.dev.in_flight(), 0);
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        machine.bounded(|dev| dev.set_program(None)).unwrap();
        machine.settle();
        assert!(machine.works());
        machine.check_manners();
    }
}

/// The chip does not pad.
#[test]
fn a_frame_that_a_program_has_made_short_is_padded() {
    let hardware = cplus(Kind::Qemu);
    let mut machine = with_program(&hardware, |frame| {
        frame.truncate(20);
        Action::Transmit
    });
    machine.peer_sends(100);
    machine.settle();
    let wire = take_wire(&hardware);
    assert_eq!(wire.len(), 1);
    assert_eq!((wire[0].len(), &wire[0][20..]), (60, &[0; 40][..]));
}

/// And what is longer than the chip takes is not sent.
#[test]
fn a_frame_that_a_program_has_made_long() {
    let hardware = cplus(Kind::Qemu);
    let mut machine = proven(&hardware);
    let longest = settings::CPLUS_MAX_FRAME as usize;
    assert!(longest > 3520, "no frame of one page is too long");
    machine
        .dev
        .set_program(Some(|frame| {
            frame.resize(3520, 1);
            Action::Transmit
        }))
        .unwrap();
    machine.settle();
    take_wire(&hardware);
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(take_wire(&hardware).len(), 1);
}

/// There is always room left for a packet of the stack: its queue is not stopped by programs.
#[test]
fn the_ring_keeps_room_for_the_stack() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = with_program(&hardware, |_| Action::Transmit);
    // None is sent meanwhile.
    for _ in 0..ROOM + 5 {
        assert_eq!(machine.peer_sends(60), Fate::Stored);
        while machine.interrupt() {}
        machine.poll();
    }
    let counters = &machine.dev.private().counters;
    assert_eq!(counters.xdp_tx.get() as usize, ROOM);
    assert_eq!(counters.xdp_tx_errors.get(), 5);
    assert!(machine.dev.may_send());
    assert!(machine.stack_sends_pieces(&[60; MAX_PIECES], Wishes::default(), false));
    assert_eq!(machine.taken().1, 0, "refused");
    machine.settle();
    assert_eq!(take_wire(&hardware).len(), ROOM + 1);
    // And on it goes.
    machine.peer_sends(60);
    machine.settle();
    assert_eq!(take_wire(&hardware).len(), 1);
    assert_eq!(hardware.pieces_of_memory(), PIECES);
    assert_eq!(hardware.bus().mappings(), 0);
    machine.check_manners();
}

/// Programs do not take each place that becomes free while the stack waits for some.
#[test]
fn the_stack_gets_its_turn() {
    let hardware = cplus(Kind::Silicon);
    let machine = &mut proven(&hardware);
    take_wire(&hardware);
    let frames = vec![vec![1; 100]; 64];
    assert_eq!(machine.dev.send_frames(&frames), Ok(ROOM));
    assert!(machine.stack_sends(100));
    assert!(!machine.dev.may_send(), "the queue has room for more");
    let mut sent = 0;
    while !machine.dev.may_send() {
        assert_eq!(
            machine.dev.send_frames(&frames),
            Ok(0),
            "after {sent} frames"
        );
        assert!(machine.chip_sends());
        sent += 1;
        while machine.interrupt() {}
        machine.poll();
    }
    assert!(sent < ROOM, "the stack waits for {sent} frames");
    assert!(machine.stack_sends(100));
    assert_ne!(machine.dev.send_frames(&frames), Ok(0));
    machine.settle();
    assert!(machine.works());
    machine.check_manners();
}

/// As the stack sends nothing then.
#[test]
fn without_a_link_no_frames_are_taken() {
    let hardware = cplus(Kind::Silicon);
    let machine = proven(&hardware);
    machine.dev.carrier_off();
    assert_eq!(machine.dev.send_frames(&[vec![1; 100]]), Err(ENETDOWN));
}

/// The buffer stays in the ring when there is none to replace it.
#[test]
fn without_memory_nothing_is_sent_or_redirected() {
    for program in [(|_| Action::Transmit) as Function, |_| Action::Redirect] {
        let hardware = cplus(Kind::Qemu);
        let mut machine = with_program(&hardware, program);
        machine.dev.exhaust(true);
        for _ in 0..100 {
            assert_eq!(machine.peer_sends(100), Fate::Stored);
            machine.settle();
        }
        machine.dev.exhaust(false);
        let counters = &machine.dev.private().counters;
        let errors = [
            counters.xdp_tx_errors.get(),
            counters.xdp_redirect_errors.get(),
        ];
        assert!(errors.contains(&100) && errors.contains(&0), "{errors:?}");
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        assert!(take_wire(&hardware).is_empty());
        machine.peer_sends(100);
        machine.settle();
        assert_eq!(
            take_wire(&hardware).len() + machine.dev.take_redirected().len(),
            1
        );
        machine.check_manners();
    }
}

#[test]
fn what_a_program_redirects_goes_elsewhere_or_is_counted() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = with_program(&hardware, |_| Action::Redirect);
    machine.dev.limit_redirects(7);
    for _ in 0..10 {
        assert_eq!(machine.peer_sends(100), Fate::Stored);
        machine.settle();
    }
    assert_eq!(machine.dev.take_redirected().len(), 7);
    let counters = &machine.dev.private().counters;
    assert_eq!(counters.xdp_redirect.get(), 7);
    assert_eq!(counters.xdp_redirect_errors.get(), 3);
    assert!(machine.packets.is_empty());
    assert_eq!(hardware.pieces_of_memory(), PIECES);
    machine.check_manners();
}

/// Also without a program of its own.
#[test]
fn frames_of_other_devices_are_sent() {
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        take_wire(&hardware);
        let frames: Vec<Vec<u8>> = (14..34).map(|len| vec![len; len.into()]).collect();
        assert_eq!(machine.dev.send_frames(&frames[..8]), Ok(8));
        assert_eq!(machine.dev.send_frames(&frames[8..]), Ok(12));
        machine.settle();
        let wire = take_wire(&hardware);
        assert_eq!(wire.len(), 20);
        for (sent, frame) in wire.iter().zip(&frames) {
            let (data, padding) = sent.split_at(frame.len());
            assert_eq!(data, frame);
            assert_eq!((sent.len(), padding.iter().max()), (60, Some(&0)));
        }
        assert_eq!(machine.dev.private().counters.xdp_xmit.get(), 20);
        assert_eq!(hardware.bus().mappings(), 0);
        assert!(machine.works());
        machine.check_manners();
    }
}

/// The rest is the core's.
#[test]
fn no_more_frames_are_taken_than_there_is_room_for() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    take_wire(&hardware);
    let frames = vec![vec![1; 100]; 64];
    hardware.bus().limit_mappings(Some(3));
    assert_eq!(machine.dev.send_frames(&frames), Ok(3));
    hardware.bus().limit_mappings(None);
    assert_eq!(machine.dev.send_frames(&frames), Ok(ROOM - 3));
    assert_eq!(machine.dev.send_frames(&frames), Ok(0));
    let counters = &machine.dev.private().counters;
    assert_eq!(counters.xdp_xmit.get() as usize, ROOM);
    assert_eq!(counters.xdp_xmit_errors.get() as usize, 3 * 64 - ROOM);
    machine.settle();
    assert_eq!(take_wire(&hardware).len(), ROOM);
    assert_eq!(machine.dev.send_frames(&frames[..1]), Ok(1));
    machine.settle();
    assert!(machine.works());
    machine.dev.close();
    assert_eq!(machine.dev.send_frames(&frames), Err(ENETDOWN));
    assert_eq!(hardware.pieces_of_memory(), 0);
    machine.check_manners();
}

/// With interrupts disabled a frame cannot be given back, so that it is left to the poll. What comes after it is
/// sent all the same: a kernel that panics has much to say, and no poll.
#[test]
fn netpoll_leaves_frames_to_the_poll() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    take_wire(&hardware);
    assert_eq!(machine.dev.send_frames(&vec![vec![1; 100]; 5]), Ok(5));
    while machine.chip_sends() {}
    // Nobody has told the driver.
    with_interrupts_disabled(|| {
        for _ in 0..200 {
            machine.dev.netpoll();
            assert!(machine.stack_sends(60), "no room any more");
            while machine.chip_sends() {}
        }
    });
    assert!(hardware.bus().mappings() >= 5);
    machine.settle();
    assert_eq!(hardware.bus().mappings(), 0);
    assert_eq!(machine.dev.in_flight(), 0);
    assert!(machine.works());
    machine.check_manners();

    // And the interface may go down before the poll has come.
    assert_eq!(machine.dev.send_frames(&vec![vec![1; 100]; 5]), Ok(5));
    while machine.chip_sends() {}
    with_interrupts_disabled(|| machine.dev.netpoll());
    assert!(hardware.bus().mappings() >= 5);
    machine.bounded(|dev| dev.close());
    assert_eq!(hardware.bus().mappings(), 0);
    assert_eq!(machine.dev.private().counters.tx_lost.get(), 0);
}

#[test]
fn frames_in_a_chip_that_is_reset_are_given_back() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = with_program(&hardware, |_| Action::Transmit);
    machine.peer_sends(100);
    while machine.interrupt() {}
    machine.poll();
    assert_eq!(machine.dev.send_frames(&vec![vec![1; 100]; 5]), Ok(5));
    machine.bounded(|dev| dev.restart()).unwrap();
    assert_eq!(machine.dev.private().counters.tx_lost.get(), 6);
    assert_eq!(hardware.pieces_of_memory(), PIECES);
    machine.settle();
    machine.peer_sends(100);
    machine.settle();
    assert_eq!(take_wire(&hardware).len(), 1);
    machine.check_manners();
}

/// Rings with other buffers, and the features that go with a program: it sees tags in the frame.
#[test]
fn a_program_comes_and_goes_while_the_interface_is_up_or_down() {
    for up in [true, false] {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        if !up {
            machine.bounded(|dev| dev.close());
        }
        for _ in 0..3 {
            machine
                .bounded(|dev| dev.set_program(Some(|_| Action::Pass)))
                .unwrap();
            assert!(!machine.dev.features().contains(Features::VLAN_RX));
            machine.try_down_and_up();
            machine.settle();
            machine.packets.clear();
            machine.peer_sends_tagged(100, 7);
            machine.settle();
            assert_eq!(
                (machine.packets[0].tag, machine.packets[0].frame.len()),
                (None, 104)
            );
            if !up {
                machine.bounded(|dev| dev.close());
            }
            machine.bounded(|dev| dev.set_program(None)).unwrap();
            assert!(machine.dev.features().contains(Features::VLAN_RX));
        }
        if !up {
            machine.bounded(|dev| dev.open()).unwrap();
        }
        machine.settle();
        assert!(machine.works());
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        machine.check_manners();
    }
}

/// No tag is taken off from the first frame on that a program sees.
#[test]
fn the_first_frame_that_a_program_sees_has_its_tag() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    machine.packets.clear();
    let prepared = machine.dev.control(|nic, cx, up| {
        let result = nic.prepare_for_programs(cx, up, true, &mut Default::default());
        // The core has not looked at the features again.
        assert!(cx.dev().features().contains(Features::VLAN_RX));
        result
    });
    assert_eq!(prepared, Ok(()));
    machine.settle();
    machine.peer_sends_tagged(100, 7);
    machine.settle();
    assert_eq!(machine.packets[0].tag, None);
}

#[test]
fn a_program_that_there_is_no_memory_for_is_not_attached() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    let mut allocations = 0;
    loop {
        kernel::alloc::exhaust_after(allocations);
        let attached = machine.bounded(|dev| dev.set_program(Some(|_| Action::Drop)));
        kernel::alloc::exhaust(false);
        if attached.is_ok() {
            break;
        }
        assert_eq!(attached, Err(ENOMEM));
        assert!(machine.dev.features().contains(Features::VLAN_RX));
        assert!(machine.works());
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        allocations += 1;
    }
    assert!(allocations >= PIECES);
    machine.check_manners();
}

/// A frame must be in one page, and the classic ring is no place for programs.
#[test]
fn where_there_is_no_place_for_programs() {
    const LARGEST: u32 = 3520 - 22;
    let program: Function = |_| Action::Pass;
    for up in [true, false] {
        let hardware = cplus(Kind::Silicon);
        let mut machine = proven(&hardware);
        if !up {
            machine.dev.close();
        }
        machine.dev.set_mtu(LARGEST + 1).unwrap();
        assert_eq!(machine.dev.set_program(Some(program)), Err(EINVAL));
        machine.dev.set_mtu(LARGEST).unwrap();
        assert_eq!(machine.dev.set_program(Some(program)), Ok(()));
        assert_eq!(machine.dev.set_mtu(LARGEST + 1), Err(EINVAL));
        assert_eq!(machine.dev.mtu(), LARGEST);
        let classic = |machine: &Machine<'_>| {
            machine
                .dev
                .control(|nic, cx, up| nic.choose_mode(cx, up, true))
        };
        assert_eq!(classic(&machine), Err(EBUSY));
        machine.dev.set_program(None).unwrap();
        machine.dev.set_mtu(1500).unwrap();
        machine.dev.close();
        assert_eq!(classic(&machine), Ok(()));
        assert_eq!(machine.dev.set_program(Some(program)), Err(EOPNOTSUPP));
        machine.dev.open().unwrap();
        assert_eq!(machine.dev.set_program(Some(program)), Err(EOPNOTSUPP));
        assert_eq!(machine.dev.send_frames(&[vec![1; 100]]), Ok(0));
        machine.settle();
        assert!(machine.works());
        machine.check_manners();
    }
}
