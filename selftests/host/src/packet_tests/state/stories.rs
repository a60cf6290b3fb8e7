// SPDX-License-Identifier: GPL-2.0

//! Single stories: what a program sees, and the races that AF_PACKET lost.

use super::model::{
    Hook,
    Membership,
    Place,
    Reference,
    Scene,
    Step, //
};
use crate::packet::state::{
    Binding,
    Move,
    Target,
    NO_DEVICE, //
};
use kernel::prelude::*;

fn begin(ifindex: i32, protocol: u16) -> Step {
    Step::Begin { ifindex, protocol }
}

fn hooked(ifindex: i32, protocol: u16) -> Hook {
    Hook::Hooked { protocol, ifindex }
}

fn bound(ifindex: i32, protocol: u16) -> Scene {
    let mut scene = Scene::new(2);
    assert!(scene.step(begin(ifindex, protocol)));
    assert!(scene.step(Step::Finish));
    scene
}

#[test]
fn bind_to_a_device_that_is_down_succeeds_and_reports() {
    let mut scene = Scene::new(2);
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    assert!(scene.step(begin(1, 3)));
    assert!(scene.step(Step::Finish));
    assert_eq!(scene.reports, 1);
    assert!(!scene.binding.is_hooked());
    assert_eq!((scene.binding.ifindex(), scene.binding.protocol()), (1, 3));

    scene.step(Step::Up(1));
    scene.step(Step::Rtnl);
    assert!(scene.binding.is_hooked());
    assert_eq!(scene.reports, 1);
}

#[test]
fn bind_without_protocol_keeps_the_one_there_is() {
    let mut scene = bound(0, 3);
    scene.step(begin(2, 0));
    scene.step(Step::Finish);
    assert_eq!(scene.hook, hooked(2, 3));
}

#[test]
fn bind_without_any_protocol_hooks_nothing() {
    let scene = bound(1, 0);
    assert_eq!(scene.hook, Hook::Idle);
    assert_eq!(scene.reports, 0);
    assert_eq!(scene.binding.ifindex(), 1);
}

#[test]
fn bind_to_the_same_is_left_alone() {
    let mut scene = bound(1, 3);
    let target = scene.find(1);
    assert!(scene.binding.begin(target, 3).unwrap().is_none());
    assert!(scene.binding.is_hooked());
    scene.check();
}

#[test]
fn device_that_goes_down_reports_once() {
    let mut scene = bound(1, 3);
    scene.step(Step::Remove(1));
    scene.settle();
    assert_eq!(scene.reports, 1);
    assert_eq!(scene.binding.ifindex(), NO_DEVICE);
    assert_eq!(scene.binding.protocol(), 3);
}

#[test]
fn unbound_socket_does_not_care_about_devices() {
    let mut scene = bound(0, 3);
    for step in [
        Step::Down(1),
        Step::Rtnl,
        Step::Remove(1),
        Step::Rtnl,
        Step::Rtnl,
    ] {
        assert!(scene.step(step));
        assert!(scene.binding.is_hooked());
    }
    assert_eq!(scene.reports, 0);
}

#[test]
fn after_unregister_only_bind_hooks_again() {
    let mut scene = bound(1, 3);
    scene.step(Step::Remove(1));
    scene.settle();
    assert_eq!(scene.binding.device_up(1).hook, Move::Stay);

    scene.step(begin(0, 0));
    scene.step(Step::Finish);
    assert!(scene.binding.is_hooked());
}

#[test]
fn rebind_waits_for_those_who_stand_on_the_hook() {
    let mut scene = bound(1, 3);
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    let target = scene.find(2);
    let todo = scene.binding.begin(target, 3).unwrap().unwrap();
    assert!(todo.synchronize);
    assert_eq!(todo.hook, Move::Stay);
}

/// Hook registered twice: joining a group (here: a bind) against another one that is under way.
#[test]
fn cve_2017_15649_second_operation_is_refused() {
    let mut scene = bound(1, 3);
    scene.step(begin(2, 3));
    assert_eq!(scene.binding.begin(None, 4).err(), Some(EBUSY));
    assert_eq!(scene.binding.finish(true).hook, Move::Attach);
    assert_eq!(scene.binding.finish(true).hook, Move::Stay);
}

/// A bind gave up its lock to wait, and the notifier hooked the socket behind its back.
#[test]
fn cve_2018_18559_device_up_during_bind_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(begin(2, 3));
    for ifindex in [1, 2] {
        assert_eq!(scene.binding.device_up(ifindex).hook, Move::Stay);
    }
    assert!(scene.step(Step::Finish));
    assert_eq!(scene.hook, hooked(2, 3));
}

/// The same with a device that goes down and comes up again while the operation waits.
#[test]
fn cve_2025_38617_device_down_and_up_during_operation_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(begin(1, 4));
    for step in [Step::Down(1), Step::Rtnl, Step::Up(1), Step::Rtnl] {
        assert!(scene.step(step));
        assert_eq!(scene.hook, Hook::Unsettled);
    }
    assert!(scene.step(Step::Finish));
    assert!(scene.binding.is_hooked());
}

/// A closed socket kept its protocol, and the notifier hooked it again.
#[test]
fn cve_2026_31504_device_up_after_release_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    scene.step(Step::Release);
    assert_eq!(scene.binding.device_up(1).hook, Move::Stay);
    assert_eq!(scene.binding.protocol(), 0);
}

/// An operation remembered that the socket was hooked, and hooked it to a device that had left.
#[test]
fn cve_2026_68338_unregister_during_operation_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(begin(1, 4));
    scene.step(Step::Remove(1));
    for _ in 0..3 {
        assert!(scene.step(Step::Rtnl));
    }
    assert_eq!(scene.device(1).references.get(), 0);

    // Not even if the owner thinks that the device is up.
    let todo = scene.binding.finish(true);
    assert_eq!(todo.hook, Move::Stay);
    assert!(todo.report);
}

#[test]
fn new_socket_is_settled() {
    let mut binding: Binding<Reference, Membership> = Binding::new();
    assert!(!binding.is_hooked());
    let todo = binding.release();
    assert!(!todo.synchronize);
    assert_eq!(todo.hook, Move::Stay);
}

/// A socket that is bound to the group's device and protocol, and joined.
fn member() -> Scene {
    let mut scene = bound(1, 3);
    assert!(scene.step(Step::Join));
    assert_eq!(scene.place, Place::In);
    scene
}

#[test]
fn who_joins_leaves_its_own_hook_for_that_of_the_group() {
    let scene = member();
    assert_eq!(scene.hook, Hook::Unsettled);
    assert_eq!(scene.group.hook, hooked(1, 3));
    assert!(scene.binding.is_hooked());
}

#[test]
fn member_is_not_bound_to_anything_else() {
    let mut scene = member();
    for (ifindex, protocol) in [(0, 0), (1, 3), (2, 4)] {
        let target = (ifindex > 0).then(|| scene.find(ifindex).unwrap());
        let refused = scene.binding.begin(target, protocol);
        assert_eq!(refused.err(), Some(EINVAL));
        scene.check();
    }
}

#[test]
fn member_joins_nothing_else() {
    let mut scene = member();
    let refused = scene.binding.join(|_| panic!("asked the group"));
    assert_eq!(refused.err(), Some(EALREADY));
    // Not while its device is down, either.
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    let refused = scene.binding.join(|_| panic!("asked the group"));
    assert_eq!(refused.err(), Some(EALREADY));
}

#[test]
fn socket_without_protocol_joins_nothing() {
    let mut scene = bound(1, 0);
    let refused = scene.binding.join(|_| panic!("asked the group"));
    assert_eq!(refused.err(), Some(EINVAL));
}

#[test]
fn group_is_asked_about_what_the_socket_is_bound_to() {
    let ask = |scene: &mut Scene| {
        let mut asked = None;
        let refused = scene.binding.join(|target| {
            asked = Some(target);
            Err(ENOSPC)
        });
        assert_eq!(refused.err(), Some(ENOSPC));
        assert!(scene.binding.group().is_none());
        scene.check();
        asked.unwrap()
    };
    let target = |protocol, ifindex| Target { protocol, ifindex };

    assert_eq!(ask(&mut bound(1, 3)), target(3, 1));
    assert_eq!(ask(&mut bound(0, 4)), target(4, 0));
    // One whose device is gone is bound to none, as one that is bound to all.
    let mut scene = bound(2, 3);
    scene.step(Step::Remove(2));
    scene.settle();
    assert_eq!(ask(&mut scene), target(3, 0));
}

#[test]
fn member_whose_device_is_down_has_no_place_until_it_comes_up() {
    let mut scene = member();
    for step in [Step::Down(1), Step::Rtnl] {
        assert!(scene.step(step));
    }
    assert_eq!(
        (scene.place, scene.group.hook),
        (Place::Unsettled, Hook::Unsettled)
    );
    assert!(scene.binding.group().is_some());
    assert_eq!(scene.reports, 1);

    for step in [Step::GracePeriod, Step::Up(1), Step::Rtnl] {
        assert!(scene.step(step));
    }
    assert_eq!((scene.place, scene.group.hook), (Place::In, hooked(1, 3)));
}

#[test]
fn socket_joins_while_its_device_is_down_and_is_given_its_place_later() {
    let mut scene = bound(1, 3);
    for step in [Step::Down(1), Step::Rtnl, Step::Join] {
        assert!(scene.step(step));
    }
    assert_eq!(scene.place, Place::Out);
    assert!(scene.binding.group().is_some());
    for step in [Step::Up(1), Step::Rtnl] {
        assert!(scene.step(step));
    }
    // Its own hook does not matter any more, even if somebody stands on it still.
    assert_eq!((scene.place, scene.hook), (Place::In, Hook::Unsettled));
}

/// The last place was given up a moment ago: the notifier waits, and tries again.
#[test]
fn device_that_comes_up_at_once_waits_for_the_hook_of_the_group() {
    let mut scene = member();
    for step in [Step::Down(1), Step::Rtnl, Step::Up(1), Step::Rtnl] {
        assert!(scene.step(step));
    }
    assert_eq!(scene.group.hook, Hook::Unsettled);
    assert!(!scene.binding.is_hooked());
    // The program cannot come in between.
    assert_eq!(scene.binding.begin(None, 4).err(), Some(EINVAL));
    assert_eq!(scene.binding.postponed().hook, Move::Stay);

    // Once more too early, then in time.
    assert!(scene.step(Step::Finish));
    assert!(!scene.binding.is_hooked());
    assert!(scene.step(Step::GracePeriod));
    assert!(scene.step(Step::Finish));
    assert_eq!((scene.place, scene.group.hook), (Place::In, hooked(1, 3)));
    assert_eq!(scene.reports, 1);
}

/// Another member holds the hook in its list, so there is nothing to wait for.
#[test]
fn device_that_comes_up_at_once_enters_a_group_that_is_hooked() {
    let mut scene = Scene::with_group(1, 0);
    for step in [begin(0, 3), Step::Finish, Step::OtherEnters, Step::Join] {
        assert!(scene.step(step));
    }
    assert_eq!(scene.place, Place::In);
    scene.step(Step::Release);
    assert_eq!(scene.group.hook, hooked(0, 3));
}

/// A closed member was linked into the array of its group again.
#[test]
fn cve_2026_31504_device_up_after_release_gives_no_place() {
    let mut scene = member();
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    scene.step(Step::Release);
    assert_eq!(scene.binding.device_up(1).hook, Move::Stay);
    assert_eq!(scene.group.references.get(), 0);
}

/// A socket that has given its place up may still be found there: its end waits for that, though a grace
/// period has passed for its own hook.
#[test]
fn end_of_a_member_waits_for_who_found_it_in_its_place() {
    let mut scene = member();
    scene.step(Step::GracePeriod);
    assert_eq!(scene.hook, Hook::Idle);
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    scene.binding.settled();
    assert!(scene.binding.release().synchronize);
}

/// Joining against a bind: one of them owns the hook.
#[test]
fn cve_2017_15649_join_during_an_operation_is_refused() {
    let mut scene = bound(1, 3);
    scene.step(begin(1, 4));
    let refused = scene.binding.join(|_| panic!("asked the group"));
    assert_eq!(refused.err(), Some(EBUSY));
    scene.check();
}
