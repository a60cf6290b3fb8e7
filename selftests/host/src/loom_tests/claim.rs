// SPDX-License-Identifier: GPL-2.0

//! A claim has one owner at a time, who sees all that the last one did.

use super::model;
use crate::ext::claim::Claim;
use kernel::sync::weak;
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// A `static` that whoever has the claim writes to. Loom ends the test if two do at once, or one after
/// the other without an order.
struct Static {
    claim: Claim,
    operations: UnsafeCell<u32>,
}

fn register(shared: &Static) -> bool {
    if !shared.claim.take() {
        return false;
    }
    shared.operations.with_mut(|_| ());
    shared.claim.give_back();
    true
}

// That it is not `Sync` is what the claim makes up for.
#[allow(clippy::arc_with_non_send_sync)]
fn two_owners() {
    model(6, || {
        let shared = Arc::new(Static {
            claim: Claim::new(),
            operations: UnsafeCell::new(0),
        });
        // A first registration has come and gone.
        assert!(register(&shared));
        let other = shared.clone();
        let other = thread::spawn(move || register(&other));
        let mine = register(&shared);
        let theirs = other.join().unwrap();
        assert!(mine || theirs, "nobody had the claim, and nobody got it");
        assert!(register(&shared));
    });
}

#[test]
fn one_owner_at_a_time() {
    two_owners();
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_if_take_does_not_acquire() {
    weak::without(Ordering::Acquire, two_owners);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn fails_if_give_back_does_not_release() {
    weak::without(Ordering::Release, two_owners);
}
