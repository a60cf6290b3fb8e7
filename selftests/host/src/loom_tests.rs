// SPDX-License-Identifier: GPL-2.0

//! What two contexts share, in every order that the memory model allows and that takes a few switches of
//! the thread ([`model`]).
//!
//! Each file states an invariant and lets loom try all orders of the accesses to locks, atomics, fences
//! and, for the whole driver, registers. That a test can fail is shown in the same file: once more with
//! an ordering that does not hold, or without the step that closes the race.
//!
//! Seen to fail as well, with changes to the source: the handler does not schedule again after it has
//! masked, or masks after that; acknowledges after it has scheduled; does not note what it has acknowledged;
//! the poll takes its notes once more at its end; `submit` does not look again, or before it arms; rare
//! counters are added to by a load and a store; missed frames are read while the chip is restarted.
//! In the rings: a slot is taken for full, or for free, by a position that is old; its turn is not looked
//! at, or changed before the status; `position` orders nothing; a block counts as free when all is copied,
//! or when its status is about to be written; it is shut by a load and a store, or opened before it is
//! prepared; a slot to send is given back before its mark is gone, or looked at after the mark.
//!
//! Not here, since loom has nothing to find: `Switch` in `af_rpacket/socket.rs` and `half_duplex` in
//! `rtl8139_rs/nic.rs`, single flags that nothing else depends on; what is only ever reached under one
//! lock in one step (`Statistics`, `membership::List`); and what belongs to the kernel: RCU, under which
//! `running` of `net/driver/device.rs` and the hooks of `net/packet_type.rs` are used.

mod binding;
mod claim;
mod dma;
mod flow;
mod interrupt;
mod missed;
mod places;
mod ring_blocks;
mod ring_frames;
mod ring_transmit;
mod stats;
mod transmit;

use loom::model::Builder;

/// Tries all orders, with at most so many switches to another thread where none is needed.
fn model(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(f);
}
