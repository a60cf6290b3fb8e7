// SPDX-License-Identifier: GPL-2.0

//! A program binds or closes a socket while its device goes down, up, or away.
//!
//! The device changes its flag without the lock of the binding, and then tells its notifiers, who take
//! it. `finish` reads the flag inside of the lock: so what it reads is what the last notifier said, or
//! what the next one is about to say, and in the end frames arrive exactly if they should.
//!
//! A device that goes away is taken out of the list of its namespace first; after a grace period its
//! notifiers are told. A bind finds it and takes it in one read section, so that the notifier finds it in
//! the binding; else the socket would hold the device for ever. The read section and the grace period are a
//! lock of readers and a writer here.
//!
//! What decides is the family's own `state.rs`. What carries that out is a model of `binding.rs`, where a
//! hook is a flag: its order of lock, flag and decision must be kept like that one's. That no hook is lost
//! or used twice there its type sees to, and races of all of it are for `net/race.py` in the VM.

use super::model;
use crate::packet::state::{
    Binding,
    Device,
    Move,
    Todo, //
};
use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    SpinLockIrq, //
};
use loom::{
    sync::RwLock,
    thread, //
};
use std::{
    convert::Infallible,
    sync::Arc, //
};

const IFINDEX: i32 = 7;
const PROTOCOL: u16 = 3;

#[derive(Debug)]
struct Reference;

impl Device for Reference {
    fn ifindex(&self) -> i32 {
        IFINDEX
    }
}

struct Slot {
    binding: Binding<Reference, Infallible>,
    hooked: bool,
}

impl Slot {
    fn carry_out(&mut self, todo: Todo<Reference, Infallible>) {
        match todo.hook {
            Move::Stay => {}
            Move::Attach => assert!(!std::mem::replace(&mut self.hooked, true), "hooked twice"),
            Move::Detach => assert!(std::mem::take(&mut self.hooked), "unhooked without a hook"),
            Move::Enter | Move::Leave | Move::Transfer => unreachable!("there is no group"),
        }
    }
}

/// What a socket must not do.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// `finish` reads the flag before it takes the lock.
    EarlyFlag,
    /// The read section of a bind ends when the device is found.
    ShortSection,
}

struct Socket {
    slot: SpinLockIrq<Slot>,
    up: Atomic<bool>,
    listed: RwLock<bool>,
    flaw: Flaw,
}

impl Socket {
    fn new(up: bool, flaw: Flaw) -> Self {
        let socket = Self {
            slot: SpinLockIrq::unlocked(Slot {
                binding: Binding::new(),
                hooked: false,
            }),
            up: Atomic::new(up),
            listed: RwLock::new(true),
            flaw,
        };
        socket.up.store(up, Relaxed);
        socket
    }

    fn begin(&self) {
        if self.flaw == Flaw::ShortSection && !*self.listed.read().unwrap() {
            return;
        }
        let mut slot = self.slot.lock();
        let section = self.listed.read().unwrap();
        if self.flaw != Flaw::ShortSection && !*section {
            return;
        }
        if let Ok(Some(todo)) = slot.binding.begin(Some(Reference), PROTOCOL) {
            slot.carry_out(todo);
            drop(section);
            drop(slot);
            // The grace period of the hook would be here.
            self.finish();
        }
    }

    fn finish(&self) {
        let early = self.up.load(Relaxed);
        let mut slot = self.slot.lock();
        let up = if self.flaw == Flaw::EarlyFlag {
            early
        } else {
            *self.listed.read().unwrap() && self.up.load(Relaxed)
        };
        let todo = slot.binding.finish(up);
        slot.carry_out(todo);
    }

    fn away(&self) {
        self.go(false);
        *self.listed.write().unwrap() = false;
        let mut slot = self.slot.lock();
        let todo = slot.binding.device_unregistered(IFINDEX);
        slot.carry_out(todo);
    }

    fn close(&self) {
        let mut slot = self.slot.lock();
        let todo = slot.binding.release();
        slot.carry_out(todo);
    }

    fn has_let_go(&self) {
        let slot = self.slot.lock();
        assert!(!slot.hooked && !slot.binding.is_hooked());
        assert!(
            slot.binding.device().is_none(),
            "the device is held for ever"
        );
    }

    fn go(&self, up: bool) {
        self.up.store(up, Relaxed);
        let mut slot = self.slot.lock();
        let todo = if up {
            slot.binding.device_up(IFINDEX)
        } else {
            slot.binding.device_down(IFINDEX)
        };
        let waits = todo.synchronize;
        slot.carry_out(todo);
        drop(slot);
        if waits {
            self.finish();
        }
    }
}

fn bind_against_the_device(changes: &'static [bool], flaw: Flaw) {
    model(6, move || {
        let socket = Arc::new(Socket::new(!changes[0], flaw));
        let other = socket.clone();
        let rtnl = thread::spawn(move || changes.iter().for_each(|&up| other.go(up)));
        socket.begin();
        rtnl.join().unwrap();
        let slot = socket.slot.lock();
        assert_eq!(slot.binding.is_hooked(), slot.hooked);
        assert_eq!(
            slot.hooked,
            *changes.last().unwrap(),
            "frames arrive, or do not, wrongly"
        );
    });
}

#[test]
fn frames_arrive_exactly_if_the_device_is_up() {
    for changes in [&[false][..], &[true], &[false, true], &[true, false]] {
        bind_against_the_device(changes, Flaw::None);
    }
}

#[test]
#[should_panic(expected = "frames arrive, or do not, wrongly")]
fn fails_if_the_flag_is_read_outside_of_the_lock() {
    bind_against_the_device(&[false], Flaw::EarlyFlag);
}

fn bind_against_the_end_of_the_device(flaw: Flaw) {
    model(4, move || {
        let socket = Arc::new(Socket::new(true, flaw));
        let other = socket.clone();
        let rtnl = thread::spawn(move || other.away());
        socket.begin();
        rtnl.join().unwrap();
        socket.has_let_go();
    });
}

#[test]
fn a_device_that_is_gone_is_not_held() {
    bind_against_the_end_of_the_device(Flaw::None);
}

#[test]
#[should_panic(expected = "the device is held for ever")]
fn fails_if_the_section_ends_before_the_device_is_bound() {
    bind_against_the_end_of_the_device(Flaw::ShortSection);
}

#[test]
fn a_closed_socket_is_never_hooked_again() {
    model(6, || {
        let socket = Arc::new(Socket::new(true, Flaw::None));
        let (binds, device) = (socket.clone(), socket.clone());
        let bind = thread::spawn(move || binds.begin());
        let rtnl = thread::spawn(move || {
            device.go(false);
            device.go(true);
        });
        socket.close();
        bind.join().unwrap();
        rtnl.join().unwrap();
        socket.has_let_go();
    });
}
