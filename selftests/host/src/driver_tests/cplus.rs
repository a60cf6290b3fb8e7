// SPDX-License-Identifier: GPL-2.0

//! The interface of a chip with descriptors: up and down, its MTU, its features.

use crate::driver::settings;
use crate::model::chip::{
    Fate,
    Kind,
    Model,
    MODELS, //
};
use crate::model::machine::{
    proven,
    Hardware,
    Machine, //
};
use crate::net::{
    driver::{
        Features,
        Operations as _, //
    },
    offload::{
        Outgoing,
        Wishes, //
    },
};
use kernel::prelude::*;
use std::num::NonZeroU16;

const KINDS: [Kind; 2] = [Kind::Silicon, Kind::Qemu];

fn cplus(kind: Kind) -> Hardware {
    Hardware::of(kind, Model::CPlus)
}

/// Two rings, a buffer for each descriptor to receive, and room for the chip's counters.
const PIECES: usize = 2 + 64 + 1;

#[test]
fn going_up_without_memory_leaves_nothing_behind() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = Machine::new(&hardware).unwrap();
    let mut allocations = 0;
    loop {
        kernel::alloc::exhaust_after(allocations);
        let up = machine.bounded(|dev| dev.open());
        kernel::alloc::exhaust(false);
        if up.is_ok() {
            break;
        }
        assert_eq!(up, Err(ENOMEM));
        assert_eq!(hardware.pieces_of_memory(), 0);
        allocations += 1;
    }
    assert!(allocations >= PIECES, "only {allocations} allocations");
    assert_eq!(hardware.pieces_of_memory(), PIECES);
    machine.settle();
    assert!(machine.works());
    machine.dev.close();
    assert_eq!(hardware.pieces_of_memory(), 0);
    machine.check_manners();
}

/// The buffers are as long as the frames of the MTU, with a tag.
#[test]
fn the_buffers_follow_the_mtu() {
    const HEADER: usize = 18;
    for kind in KINDS {
        let hardware = cplus(kind);
        let mut machine = proven(&hardware);
        let chip = machine.dev.private().hw.chip;
        let largest = settings::config(None, chip.has_descriptors).max_mtu as usize;
        // Those in the middle are where one page does not suffice any more.
        for mtu in [largest, 1500, 68].into_iter().chain(3490..3510) {
            machine.bounded(|dev| dev.set_mtu(mtu as u32)).unwrap();
            assert_eq!(hardware.pieces_of_memory(), PIECES);
            machine.settle();
            for len in [60, HEADER + mtu - 1, HEADER + mtu] {
                assert_eq!(machine.peer_sends(len.max(60)), Fate::Stored);
                assert!(machine.stack_sends(len));
                machine.settle();
            }
        }
        assert_eq!(machine.arrived().len(), machine.offered().0);
        assert_eq!(machine.lost_on_the_way_out(), 0);
        machine.check_manners();
    }
}

/// While it is down only the number changes.
#[test]
fn the_mtu_of_an_interface_that_is_down_holds_when_it_goes_up() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = Machine::new(&hardware).unwrap();
    machine.dev.set_mtu(4096).unwrap();
    assert_eq!(hardware.pieces_of_memory(), 0);
    machine.dev.open().unwrap();
    assert_eq!(machine.peer_sends(18 + 4096), Fate::Stored);
    machine.settle();
    assert_eq!(machine.arrived().len(), 1);
    machine.check_manners();
}

/// The old rings go on, with what is in them.
#[test]
fn a_change_of_the_mtu_without_memory_changes_nothing() {
    let hardware = cplus(Kind::Silicon);
    let mut machine = proven(&hardware);
    let mut allocations = 0;
    loop {
        machine.peer_sends(100);
        assert!(machine.stack_sends(100));
        kernel::alloc::exhaust_after(allocations);
        let changed = machine.bounded(|dev| dev.set_mtu(4096));
        kernel::alloc::exhaust(false);
        if changed.is_ok() {
            break;
        }
        assert_eq!(changed, Err(ENOMEM));
        assert_eq!(machine.dev.mtu(), 1500);
        machine.settle();
        assert_eq!(machine.arrived().len(), machine.offered().0);
        assert_eq!(machine.lost_on_the_way_out(), 0);
        assert_eq!(hardware.pieces_of_memory(), PIECES);
        allocations += 1;
    }
    assert!(allocations >= PIECES);
    assert_eq!(machine.dev.private().counters.tx_lost.get(), 1);
    assert!(machine.works());
    machine.check_manners();
}

/// Each mode has its own, and those that both have.
#[test]
fn features_are_those_of_the_mode() {
    let computed = Features::TSO
        .with(Features::RXCSUM)
        .with(Features::VLAN_TX)
        .with(Features::VLAN_RX);
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let machine = Machine::up(&hardware);
        let features = machine.dev.features();
        let both = Features::SG.with(Features::HW_CSUM).with(Features::HIGHDMA);
        assert!(features.contains(both));
        let is_cplus = model == Model::CPlus;
        assert_eq!(features.contains(computed), is_cplus);
        if !is_cplus {
            assert_eq!(features.without(computed), features);
        }
    }
}

/// What the chip cannot do for a frame, the stack is to do.
#[test]
fn features_are_checked_for_each_frame() {
    let segment = |size| Wishes {
        segment: NonZeroU16::new(size),
        ..Wishes::default()
    };
    let tagged = Wishes {
        tagged_in_band: true,
        ..segment(1448)
    };
    for model in MODELS {
        let hardware = Hardware::of(Kind::Silicon, model);
        let machine = Machine::up(&hardware);
        let all = machine.dev.features();
        let check = |wishes: &Wishes| {
            let nic = machine.dev.private();
            nic.features_check(&Outgoing::new(wishes), all)
        };
        assert_eq!(check(&segment(0)), all);
        assert_eq!(check(&segment(2047)), all);
        assert_eq!(check(&segment(2048)), all.without(Features::SEGMENTS));
        assert_eq!(check(&tagged), all.without(Features::SEGMENTS));
    }
}

/// The counters of all that has happened are those of the classic mode.
#[test]
fn what_is_counted() {
    for model in MODELS {
        let hardware = Hardware::of(Kind::Qemu, model);
        let mut machine = proven(&hardware);
        let before = machine.dev.stats64();
        machine.peer_sends(1000);
        machine.peer_sends_to([0xff; 6], 60);
        assert!(machine.stack_sends(20));
        assert!(machine.stack_sends(1000));
        machine.settle();
        let stats = machine.dev.stats64();
        let received = (
            stats.rx_packets - before.rx_packets,
            stats.rx_bytes - before.rx_bytes,
        );
        let sent = (
            stats.tx_packets - before.tx_packets,
            stats.tx_bytes - before.tx_bytes,
        );
        assert_eq!((received, sent), ((2, 1060), (2, 1060)), "{model:?}");
        assert_eq!(stats.multicast, 0);
    }
}
