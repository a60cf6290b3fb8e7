// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the driver side.
//!
//! It is compiled into one module only, by its crate root, since a suite has one name. The suite runs
//! [`Echo`], the example of a driver, and [`Probe`](crate::driver_probe::Probe).

use crate::{
    bindings,
    driver_example::Echo,
    driver_probe::{
        eventually,
        probe,
        within,
        Interface,
        Log,
        Probe,
        MAC, //
    },
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::Relaxed, //
};

#[kunit_tests(rnet_driver)]
mod tests {
    use super::*;

    const OPENED: [&str; 3] = ["open", "start", "unmask"];
    const CLOSED: [&str; 5] = ["mask", "stop", "drop tx", "drop rx", "drop up"];

    /// Has an interface restarted that has gone up, by its deferred work.
    fn restart(interface: &Interface<Probe>) -> Result {
        // SAFETY: RTNL is held.
        to_result(interface.with_rtnl(|| unsafe { bindings::dev_set_allmulti(interface.raw(), 1) }))
    }

    #[test]
    fn what_is_made_up_is_dropped_down_in_order() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        assert!(log.was(&[]));
        for _ in 0..2 {
            interface.up()?;
            assert!(log.was(&OPENED));
            interface.down();
            assert!(log.was(&CLOSED));
        }
        drop(interface);
        assert!(log.was(&["drop data"]));
        Ok(())
    }

    #[test]
    fn removal_closes_first() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        drop(interface);
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up", "drop data"]));
        Ok(())
    }

    #[test]
    fn failed_open_leaves_nothing() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();

        private.fail_open.store(true, Relaxed);
        assert!(interface.up() == Err(ENOMEM));
        assert!(log.was(&["open", "drop tx", "drop rx"]));
        assert!(!interface.dev().is_running());
        private.fail_open.store(false, Relaxed);

        private.fail_start.store(true, Relaxed);
        assert!(interface.up() == Err(EIO));
        assert!(log.was(&["open", "start", "drop tx", "drop rx", "drop up"]));
        assert!(!interface.dev().is_running());
        private.fail_start.store(false, Relaxed);

        interface.up()?;
        assert!(log.was(&OPENED));
        Ok(())
    }

    #[test]
    fn deferred_work_restarts() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(log.was(&OPENED));
        restart(&interface)?;
        assert!(eventually(|| private.work.load(Relaxed) == 1));
        assert!(log.was(&["mask", "stop", "start", "unmask"]));

        // A restart that fails leaves the interface up and halted; the next one starts it.
        private.fail_start.store(true, Relaxed);
        let again = || {
            // SAFETY: RTNL is held.
            interface.with_rtnl(|| unsafe {
                bindings::dev_set_allmulti(interface.raw(), -1);
                bindings::dev_set_allmulti(interface.raw(), 1)
            })
        };
        to_result(again())?;
        assert!(eventually(|| private.work.load(Relaxed) == 2));
        assert!(log.was(&["mask", "stop", "start", "restart failed"]));
        assert!(interface.dev().is_running());

        private.fail_start.store(false, Relaxed);
        to_result(again())?;
        assert!(eventually(|| private.work.load(Relaxed) == 3));
        // On a slow machine the layer may have been first.
        assert!(log.contains("unmask"));
        log.forget();
        interface.down();
        assert!(log.was(&CLOSED));
        Ok(())
    }

    /// Nobody asks for it: neither a user, nor the driver, nor a watchdog.
    #[test]
    fn failed_restart_is_tried_again() -> Result {
        // More than the layer waits.
        const WHILE: u32 = 10;
        let logs = [Log::new()?, Log::new()?, Log::new()?];
        let interfaces = [probe(&logs[0])?, probe(&logs[1])?, probe(&logs[2])?];
        for (interface, log) in interfaces.iter().zip(&logs) {
            interface.up()?;
            let private = interface.dev().private();
            private.fail_start.store(true, Relaxed);
            restart(interface)?;
            assert!(eventually(|| log.contains("restart failed")));
        }
        let [works, hidden, down] = &interfaces;
        hidden.0.detach();
        down.down();
        for log in &logs {
            log.forget();
        }
        let [log, ended @ ..] = &logs;
        for _ in 0..2 {
            assert!(within(WHILE, || log.contains("start")));
            assert!(!log.contains("unmask"));
            log.forget();
        }
        works.dev().private().fail_start.store(false, Relaxed);
        assert!(within(WHILE, || log.contains("unmask")));
        let ticks = &works.dev().private().ticks;
        let before = ticks.load(Relaxed);
        assert!(eventually(|| ticks.load(Relaxed) != before));
        // What works is left alone, as is who was hidden or went down in the meantime.
        log.forget();
        assert!(!within(WHILE, || log.contains("start")));
        for log in ended {
            assert!(log.was(&[]));
        }
        hidden.dev().private().fail_start.store(false, Relaxed);
        hidden.0.attach()?;
        assert!(logs[1].was(&["start", "unmask"]));
        Ok(())
    }

    #[test]
    fn halted_interface_closes_without_another_stop() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        interface.0.detach();
        assert!(log.was(&["mask", "stop"]));
        assert!(!interface.dev().is_present());
        interface.0.attach()?;
        assert!(log.was(&["start", "unmask"]));
        assert!(interface.dev().is_present());
        interface.0.detach();
        interface.down();
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up"]));
        interface.0.attach()?;
        assert!(log.was(&[]));
        Ok(())
    }

    #[test]
    fn ticks_while_it_works_and_only_then() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let ticks = &interface.dev().private().ticks;
        // A timer of the layer fires on the full second.
        let pause = || kernel::time::delay::fsleep(kernel::time::Delta::from_millis(1500));
        let stands_still = || {
            let before = ticks.load(Relaxed);
            pause();
            ticks.load(Relaxed) == before
        };
        assert!(stands_still());
        interface.up()?;
        assert!(eventually(|| ticks.load(Relaxed) >= 1));
        assert!(!stands_still());
        interface.0.detach();
        assert!(stands_still());
        interface.0.attach()?;
        assert!(!stands_still());
        interface.down();
        assert!(stands_still());

        // A failure on the way up leaves no timer behind, nor does one in a restart.
        let private = interface.dev().private();
        private.fail_start.store(true, Relaxed);
        assert!(interface.up().is_err());
        assert!(stands_still());
        private.fail_start.store(false, Relaxed);
        interface.up()?;
        private.fail_start.store(true, Relaxed);
        interface.0.detach();
        assert!(interface.0.attach().is_err());
        assert!(stands_still());

        // It is not left alone.
        assert!(interface.dev().is_present());
        private.fail_start.store(false, Relaxed);
        assert!(within(10, || !stands_still()));
        Ok(())
    }

    #[test]
    fn work_may_detach() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        interface.up()?;
        assert!(log.was(&OPENED));
        // SAFETY: RTNL is held.
        to_result(
            interface.with_rtnl(|| unsafe { bindings::dev_set_promiscuity(interface.raw(), 1) }),
        )?;
        assert!(eventually(|| log.contains("stop")));
        assert!(!interface.dev().is_present());
        drop(interface);
        assert!(log.was(&["mask", "stop", "drop tx", "drop rx", "drop up", "drop data"]));
        Ok(())
    }

    #[test]
    fn poll_has_as_many_slots_as_its_budget() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(log.was(&OPENED));
        // SAFETY: The test is in process context and holds no lock.
        let process = unsafe { crate::net::context::Process::assume() };
        assert!(interface.dev().kick_napi(&process));
        assert!(eventually(|| log.contains("unmask")));
        assert!(log.was(&["poll", "poll again", "unmask"]));
        let budget = private.budget.load(Relaxed);
        assert_eq!(budget, bindings::NAPI_POLL_WEIGHT);
        assert_eq!(private.polled.load(Relaxed), budget);
        interface.down();
        assert!(!interface.dev().kick_napi(&process));
        Ok(())
    }

    #[test]
    fn filter_gets_all_groups() -> Result {
        let log = Log::new()?;
        let interface = probe(&log)?;
        let private = interface.dev().private();
        interface.up()?;
        assert!(eventually(|| private.groups.load(Relaxed) > 0));
        let before = private.groups.load(Relaxed);
        for last in 0..3 {
            let group = [0x01, 0, 0x5e, 0x39, 0x39, last];
            // SAFETY: The call reads six bytes.
            to_result(unsafe { bindings::dev_mc_add(interface.raw(), group.as_ptr()) })?;
        }
        assert!(eventually(
            || private.groups.load(Relaxed) == before.wrapping_add(3)
        ));

        // The core does not ask a device that is hidden, nor by itself when it is there again.
        interface.0.detach();
        let group = [0x01, 0, 0x5e, 0x39, 0x39, 3];
        // SAFETY: The call reads six bytes.
        to_result(unsafe { bindings::dev_mc_add(interface.raw(), group.as_ptr()) })?;
        interface.0.attach()?;
        assert!(eventually(
            || private.groups.load(Relaxed) == before.wrapping_add(4)
        ));
        Ok(())
    }

    #[test]
    fn echo_receives_what_it_sends() -> Result {
        let interface = Interface::new(Echo::describe(MAC))?;
        assert!(interface.dev().mac() == MAC);
        interface.up()?;
        let lengths = [60, 61, 1513, 1514];
        for (count, len) in (1..).zip(lengths) {
            assert_eq!(interface.send(len)?, bindings::netdev_tx_NETDEV_TX_OK);
            assert!(eventually(|| interface.stats().tx_packets == count));
        }
        let stats = interface.stats();
        let bytes: u32 = lengths.iter().sum();
        assert_eq!(stats.rx_packets, 4);
        assert_eq!(stats.rx_bytes, u64::from(bytes));
        assert_eq!(stats.tx_bytes, u64::from(bytes));

        // Too long for this wire: dropped and counted, and the queue goes on.
        interface.send(1515)?;
        assert!(eventually(|| interface.stats().tx_dropped == 1));
        interface.send(60)?;
        assert!(eventually(|| interface.stats().rx_packets == 5));

        // The counters outlive what exists while the interface is up.
        interface.down();
        assert_eq!(interface.stats().rx_packets, 5);
        assert!(!interface.dev().carrier_ok());
        interface.up()?;
        interface.send(60)?;
        assert!(eventually(|| interface.stats().rx_packets == 6));
        Ok(())
    }

    #[test]
    fn echo_survives_detach_with_a_frame_in_flight() -> Result {
        let interface = Interface::new(Echo::describe(MAC))?;
        interface.up()?;
        for _ in 0..50 {
            interface.send(1000)?;
            interface.0.detach();
            assert_eq!(interface.send(1000)?, bindings::netdev_tx_NETDEV_TX_BUSY);
            interface.0.attach()?;
        }
        let before = interface.stats().rx_packets;
        interface.send(1000)?;
        assert!(eventually(
            || interface.stats().rx_packets == before.wrapping_add(1)
        ));
        Ok(())
    }
}
