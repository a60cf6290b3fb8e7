// SPDX-License-Identifier: GPL-2.0

//! Orderings that do not hold: for tests that must fail then.

use std::cell::Cell;
use std::sync::atomic::Ordering;

thread_local! {
    static BROKEN: Cell<Option<Ordering>> = const { Cell::new(None) };
}

/// Has each access and fence of this ordering be a relaxed one while `f` runs. All threads of a loom
/// model are one thread of the machine.
pub fn without<R>(ordering: Ordering, f: impl FnOnce() -> R) -> R {
    struct Restore;

    impl Drop for Restore {
        fn drop(&mut self) {
            BROKEN.set(None);
        }
    }

    BROKEN.set(Some(ordering));
    let _restore = Restore;
    f()
}

pub(super) fn ordering(ordering: Ordering) -> Ordering {
    match BROKEN.get() {
        Some(broken) if broken == ordering => Ordering::Relaxed,
        _ => ordering,
    }
}
