// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of values that are read under RCU.

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

use crate::{
    ext::{
        published::{
            Boxed,
            Guarded,
            Published, //
        },
        timer::{
            Alarm,
            Timer, //
        },
    },
    net::context::{
        BottomHalf,
        Process, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc, //
    },
    time::Delta, //
};

/// A value that counts its ends, and is not the same any more after that.
struct Pair {
    number: Atomic<u64>,
    complement: Atomic<u64>,
    ends: Arc<Atomic<u32>>,
}

impl Pair {
    fn boxed(number: u64, ends: &Arc<Atomic<u32>>) -> Result<Boxed<Self>> {
        let pair = Self {
            number: Atomic::new(number),
            complement: Atomic::new(!number),
            ends: ends.clone(),
        };
        Boxed::new(pair, GFP_KERNEL)
    }

    fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    fn is_whole(&self) -> bool {
        self.number() == !self.complement.load(Relaxed)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.complement.store(self.number(), Relaxed);
        self.ends.add(1, Relaxed);
    }
}

/// Reads a value in softirqs, again and again.
struct Reader {
    value: Published<Pair>,
    reads: Atomic<u64>,
    broken: Atomic<u32>,
}

impl Alarm for Reader {
    fn fire(timer: &Timer<Self>, bottom_half: &mut BottomHalf<'_>) {
        for _ in 0..200 {
            if let Some(pair) = timer.value.load(bottom_half) {
                timer.reads.add(1, Relaxed);
                if !pair.is_whole() {
                    timer.broken.add(1, Relaxed);
                }
            }
        }
        timer.arm_after(Delta::from_micros(50));
    }
}

fn ends() -> Result<Arc<Atomic<u32>>> {
    Ok(Arc::new(Atomic::new(0), GFP_KERNEL)?)
}

#[kunit_tests(rnet_published)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_was_replaced() -> Result {
        let ends = ends()?;
        // SAFETY: Tests run in process context; no guard of RCU exists where this is used.
        let mut context = unsafe { Process::assume() };
        let cell = Published::empty();
        let section = rcu::read_lock();
        assert!(cell.load(&section).is_none());
        drop(section);
        assert!(cell.replace(Some(Pair::boxed(1, &ends)?)).is_none());
        let second = Pair::boxed(2, &ends)?;

        let section = rcu::read_lock();
        let old = cell.load(&section).ok_or(ENODEV)?;
        let retired = cell.replace(Some(second)).ok_or(ENODEV)?;
        assert_eq!(cell.load(&section).ok_or(ENODEV)?.number(), 2);
        // The grace period cannot be over: we are in a section that was there before.
        let retired = retired.try_reclaim().err().ok_or(EBUSY)?;
        assert_eq!((old.number(), retired.number()), (1, 1));
        assert!(old.is_whole());
        drop(section);
        assert_eq!(ends.load(Relaxed), 0);

        let first = retired.synchronize(&mut context);
        assert_eq!(first.number(), 1);
        // It can be published again.
        let second = cell.replace(Some(first)).ok_or(ENODEV)?;
        assert_eq!(second.synchronize(&mut context).number(), 2);
        assert_eq!(ends.load(Relaxed), 1);
        drop(cell);
        assert_eq!(ends.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn what_is_dropped_ends_after_its_readers() -> Result {
        let ends = ends()?;
        let cell = Published::empty();
        assert!(cell.replace(Some(Pair::boxed(7, &ends)?)).is_none());
        let section = rcu::read_lock();
        let old = cell.load(&section).ok_or(ENODEV)?;
        drop(cell.replace(None));
        assert!(cell.load(&section).is_none());
        assert!(old.is_whole());
        assert_eq!(ends.load(Relaxed), 0);
        drop(section);
        rcu::synchronize_rcu();
        rcu::rcu_barrier();
        assert_eq!(ends.load(Relaxed), 1);

        // Where the grace period is over already, it ends at once.
        assert!(cell.replace(Some(Pair::boxed(8, &ends)?)).is_none());
        let retired = cell.replace(None).ok_or(ENODEV)?;
        rcu::synchronize_rcu();
        drop(retired);
        assert_eq!(ends.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn who_has_the_mutex_has_the_value() -> Result {
        let ends = ends()?;
        // SAFETY: Tests run in process context; no guard of RCU exists where this is used.
        let mut context = unsafe { Process::assume() };
        let cell = KBox::pin_init(
            Guarded::<Pair, u32>::new(new_mutex!(3u32, "published_kunit")),
            GFP_KERNEL,
        )?;
        let mut writer = cell.lock(&mut context);
        assert_eq!(*writer, 3);
        assert!(writer.value().is_none());
        assert!(writer.replace(Some(Pair::boxed(5, &ends)?)).is_none());
        assert_eq!(writer.value().ok_or(ENODEV)?.number(), 5);
        *writer = 4;
        drop(writer);
        let section = rcu::read_lock();
        assert_eq!(cell.load(&section).ok_or(ENODEV)?.number(), 5);
        drop(section);
        assert_eq!(*cell.lock(&mut context), 4);
        drop(cell);
        assert_eq!(ends.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn softirqs_read_while_a_task_replaces() -> Result {
        let ends = ends()?;
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let reader = KBox::pin_init(
            Timer::new(Reader {
                value: Published::empty(),
                reads: Atomic::new(0),
                broken: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        reader.arm_after(Delta::from_micros(1));
        let mut number = 0;
        // Until enough was read, in whatever time.
        while number < 300 || reader.reads.load(Relaxed) < 10_000 {
            number += 1;
            let old = reader.value.replace(Some(Pair::boxed(number, &ends)?));
            match number % 3 {
                0 => drop(old),
                1 => drop(reader.value.replace(None)),
                _ => drop(old.map(|old| old.synchronize(&mut context))),
            }
            if number % 3 == 1 {
                assert!(reader.value.load(&rcu::read_lock()).is_none());
            }
        }
        assert_eq!(reader.broken.load(Relaxed), 0);
        drop(reader);
        rcu::rcu_barrier();
        assert_eq!(u64::from(ends.load(Relaxed)), number);
        Ok(())
    }
}
