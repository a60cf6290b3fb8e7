// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of timers.

// Without KUnit only lints look at this file.
#![cfg_attr(not(CONFIG_KUNIT = "y"), allow(dead_code, unused_imports))]

use crate::{
    ext::timer::{
        Alarm,
        Timer, //
    },
    net::context::{
        BottomHalf,
        Process, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Completion, //
    },
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta,
        Instant,
        Monotonic, //
    },
    workqueue, //
};

const HOUR: Delta = Delta::from_secs(3600);

/// Fires `times` times in a row.
#[pin_data]
struct Series {
    left: Atomic<u32>,
    fired: Arc<Atomic<u32>>,
    #[pin]
    done: Completion,
}

impl Series {
    fn timer(times: u32) -> Result<Pin<KBox<Timer<Self>>>> {
        let fired = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        KBox::pin_init(
            Timer::new(pin_init!(Self {
                left: Atomic::new(times),
                fired: fired,
                done <- Completion::new(),
            })),
            GFP_KERNEL,
        )
    }

    fn fired(&self) -> u32 {
        // ORDERING: Pairs with the release in `fire`.
        self.fired.load(Acquire)
    }
}

impl Alarm for Series {
    fn fire(timer: &Timer<Self>, _bottom_half: &mut BottomHalf<'_>) {
        // ORDERING: Pairs with the acquire of who asks.
        timer.fired.fetch_add(1, Release);
        let left = timer.left.load(Relaxed).saturating_sub(1);
        timer.left.store(left, Relaxed);
        if left == 0 {
            timer.done.complete_all();
        } else {
            timer.arm_after(Delta::from_micros(100));
        }
    }
}

/// Takes its time.
struct Slow {
    begun: Arc<Atomic<u32>>,
    ended: Arc<Atomic<u32>>,
}

impl Alarm for Slow {
    fn fire(timer: &Timer<Self>, _bottom_half: &mut BottomHalf<'_>) {
        // ORDERING: Both pair with the acquire of who asks.
        timer.begun.fetch_add(1, Release);
        for _ in 0..50 {
            udelay(Delta::from_micros(20));
        }
        timer.ended.fetch_add(1, Release);
    }
}

#[kunit_tests(rnet_timer)]
mod tests {
    use super::*;

    #[test]
    fn it_fires_once_however_it_is_armed() -> Result {
        for how in 0..5 {
            let timer = Series::timer(1)?;
            let now = Instant::<Monotonic>::now();
            match how {
                0 => timer.arm_after(Delta::from_millis(1)),
                1 => timer.arm_at(now + Delta::from_millis(1)),
                // That is past.
                2 => timer.arm_at(now),
                3 => timer.arm_at_multiple(Delta::from_millis(2)),
                _ => {
                    // Armed again, it forgets what was before.
                    timer.arm_after(HOUR);
                    timer.arm_after(Delta::from_millis(1));
                }
            }
            timer.done.wait_for_completion();
            // SAFETY: Tests run in process context, with no lock held.
            let mut context = unsafe { Process::assume() };
            // It may still be in `fire`, but it is not armed any more.
            assert!(!timer.disarm(&mut context));
            assert_eq!(timer.fired(), 1);
        }
        Ok(())
    }

    #[test]
    fn it_arms_itself_again() -> Result {
        let timer = Series::timer(20)?;
        timer.arm_after(Delta::from_micros(10));
        timer.done.wait_for_completion();
        assert_eq!(timer.fired(), 20);
        Ok(())
    }

    #[test]
    fn a_disarmed_one_does_not_fire() -> Result {
        // SAFETY: Tests run in process context, with no lock held.
        let mut context = unsafe { Process::assume() };
        let timer = Series::timer(1)?;
        assert!(!timer.disarm(&mut context));
        timer.arm_after(HOUR);
        assert!(timer.disarm(&mut context));
        assert!(!timer.disarm(&mut context));
        timer.arm_at_multiple(HOUR);
        assert!(timer.disarm(&mut context));
        assert_eq!(timer.fired(), 0);
        Ok(())
    }

    #[test]
    fn a_dropped_one_has_ended() -> Result {
        for delay in 0..50 {
            let timer = Series::timer(u32::MAX)?;
            let fired = timer.fired.clone();
            timer.arm_after(Delta::from_micros(1));
            fsleep(Delta::from_micros(delay * 20));
            drop(timer);
            // It had its own memory to the end, says KASAN, and does not come again.
            // ORDERING: Pairs with the release in `fire`.
            let before = fired.load(Acquire);
            fsleep(Delta::from_micros(300));
            assert_eq!(fired.load(Acquire), before);
        }
        // One that is armed for later, too.
        let timer = Series::timer(1)?;
        timer.arm_after(HOUR);
        drop(timer);
        Ok(())
    }

    #[test]
    fn a_dropped_one_is_not_firing_elsewhere() -> Result {
        let begun = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
        let ended = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
        for round in 1..=20 {
            let timer = Arc::pin_init(
                Timer::new(Slow {
                    begun: begun.clone(),
                    ended: ended.clone(),
                }),
                GFP_KERNEL,
            )?;
            let armed = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
            {
                // On another CPU, most times: that is where it fires.
                let (timer, armed) = (timer.clone(), armed.clone());
                workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
                    timer.arm_after(Delta::from_micros(500));
                    drop(timer);
                    // ORDERING: Pairs with the acquire below.
                    armed.store(1, Release);
                })?;
            }
            while armed.load(Acquire) == 0 {
                fsleep(Delta::from_micros(10));
            }
            while begun.load(Acquire) != round {
                udelay(Delta::from_micros(1));
            }
            drop(timer);
            assert_eq!(ended.load(Acquire), round);
        }
        Ok(())
    }
}
