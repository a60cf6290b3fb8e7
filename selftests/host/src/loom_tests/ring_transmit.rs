// SPDX-License-Identifier: GPL-2.0

//! A program asks for slots to be sent and a task sends them, while completions come from elsewhere.
//!
//! A slot that a program has got back is never kept waiting, and what was kept for its last frame is free.

use super::model;
use crate::packet::ring::{
    transmit::{
        Sender,
        Transmit, //
    },
    words::{
        status::{
            AVAILABLE,
            SEND_REQUEST, //
        },
        Words, //
    },
};
use kernel::sync::{
    atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    weak, //
};
use loom::{
    cell::UnsafeCell,
    thread, //
};
use std::sync::atomic::{
    AtomicU32,
    Ordering, //
};
use std::sync::Arc;

struct Scene {
    ring: Transmit,
    words: Vec<Atomic<u32>>,
    /// What is kept for a frame on its way. Loom ends the test if it is used by two at once, or by one
    /// after the other without an order.
    kept: Vec<UnsafeCell<()>>,
    /// What the ring has read last, which loom does not see.
    read: AtomicU32,
}

impl Words for Scene {
    fn load(&self, index: u32) -> u32 {
        let word = self.words[index as usize].load(Acquire);
        self.read.store(word, Ordering::Relaxed);
        word
    }

    fn store(&self, index: u32, status: u32) {
        self.words[index as usize].store(status, Release);
    }
}

impl Scene {
    fn send(&self, sender: &mut Sender) -> bool {
        let Some(request) = self.ring.next(sender, self) else {
            return false;
        };
        self.kept[request.index() as usize].with_mut(|_| ());
        request.start(self).accepted();
        true
    }

    fn complete(&self, index: u32) {
        self.kept[index as usize].with_mut(|_| ());
        self.ring.complete(self, index, 0);
    }

    /// A ring of one slot, whose frame is on its way.
    fn new() -> (Self, Sender) {
        let (ring, mut sender) = Transmit::new(1).unwrap();
        let scene = Self {
            ring,
            words: vec![Atomic::new(AVAILABLE)],
            kept: vec![UnsafeCell::new(())],
            read: AtomicU32::new(0),
        };
        scene.words[0].store(SEND_REQUEST, Relaxed);
        assert!(scene.send(&mut sender));
        (scene, sender)
    }
}

/// The frame is completed while the program waits for the slot, asks again and sends.
#[allow(clippy::arc_with_non_send_sync)]
fn completion_against_send(honest: bool) {
    model(4, move || {
        let (scene, mut sender) = Scene::new();
        let scene = Arc::new(scene);
        let other = scene.clone();
        let device = thread::spawn(move || other.complete(0));
        let is_back = scene.load(0) == AVAILABLE;
        let mut sent = false;
        if is_back || !honest {
            scene.store(0, SEND_REQUEST);
            sent = scene.send(&mut sender);
            assert!(sent || !is_back, "a slot was kept waiting");
        }
        device.join().unwrap();
        assert_eq!(scene.ring.pending(), u32::from(sent));
        if sent {
            scene.complete(0);
        }
        assert_eq!(scene.ring.pending(), 0);
    });
}

#[test]
fn a_slot_that_is_back_can_be_sent() {
    completion_against_send(true);
}

#[test]
fn what_is_kept_for_a_frame_is_free_whatever_the_program_says() {
    completion_against_send(false);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_if_the_mark_orders_nothing() {
    weak::without(Ordering::SeqCst, || completion_against_send(false));
}

/// The program has two threads: one asks, when the frame has been completed, while the other one is in
/// `send()`.
#[test]
#[allow(clippy::arc_with_non_send_sync)]
fn a_slot_that_asks_is_sent_by_who_sees_it() {
    model(4, || {
        let (scene, mut sender) = Scene::new();
        let scene = Arc::new(scene);
        let other = scene.clone();
        let program = thread::spawn(move || {
            other.complete(0);
            other.words[0].store(SEND_REQUEST, Release);
        });
        let sent = scene.send(&mut sender);
        let asked = scene.read.load(Ordering::Relaxed) == SEND_REQUEST;
        assert_eq!(sent, asked, "a slot was kept waiting");
        program.join().unwrap();
    });
}

/// Two frames that are done at once are counted, and who finds none pending sees both given back.
#[test]
#[allow(clippy::arc_with_non_send_sync)]
fn who_waits_for_all_sees_all() {
    model(4, || {
        let (ring, mut sender) = Transmit::new(2).unwrap();
        let scene = Arc::new(Scene {
            ring,
            words: vec![Atomic::new(AVAILABLE), Atomic::new(AVAILABLE)],
            kept: vec![UnsafeCell::new(()), UnsafeCell::new(())],
            read: AtomicU32::new(0),
        });
        for index in 0..2 {
            scene.store(index, SEND_REQUEST);
            assert!(scene.send(&mut sender));
        }
        let others: Vec<_> = (0..2)
            .map(|index| {
                let other = scene.clone();
                thread::spawn(move || other.complete(index))
            })
            .collect();
        if scene.ring.pending() == 0 {
            assert_eq!((scene.load(0), scene.load(1)), (AVAILABLE, AVAILABLE));
        }
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(scene.ring.pending(), 0);
    });
}
