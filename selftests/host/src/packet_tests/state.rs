// SPDX-License-Identifier: GPL-2.0

//! Tests of the state machine of the receive hook, in a model of the world around it.
//!
//! The model has devices that come up, go down and leave, as RTNL orders these events and as a
//! notifier sees them: the flag changes first, and the notifier runs some time later. A program
//! binds and closes in between. Each step asserts that what the state machine asks for is possible
//! and right, and `Scene::settle` that a hook is neither left behind nor forgotten.

use crate::packet::state::{
    Binding,
    Device,
    Move,
    Todo,
    ANY_DEVICE,
    NO_DEVICE, //
};
use kernel::prelude::*;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{
    HashSet,
    VecDeque, //
};
use std::rc::Rc;

/// A reference to a device, which counts itself.
#[derive(Debug)]
struct Reference {
    ifindex: i32,
    count: Rc<Cell<usize>>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

impl Device for Reference {
    fn ifindex(&self) -> i32 {
        self.ifindex
    }
}

#[derive(Debug)]
struct NetDevice {
    ifindex: i32,
    listed: bool,
    up: bool,
    references: Rc<Cell<usize>>,
}

/// Where the one hook of the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    /// In no list, and nobody stands on it.
    Idle,
    /// In the list of this protocol and device.
    Hooked { protocol: u16, ifindex: i32 },
    /// In no list, but a receiver may still stand on it.
    Unsettled,
}

/// What RTNL has still to do before anything else can happen to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    NotifyUp(i32),
    NotifyDown(i32),
    Unlist(i32),
    NotifyUnregister(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Bind,
    Notifier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// `bind()` takes the lock the first time.
    Begin { ifindex: i32, protocol: u16 },
    /// Who owns the hook takes the lock the second time, after a grace period.
    Finish,
    /// `close()`.
    Release,
    /// A grace period happens to end.
    GracePeriod,
    /// A device goes up.
    Up(i32),
    /// A device goes down.
    Down(i32),
    /// A device is removed.
    Remove(i32),
    /// RTNL does the next thing that it has to do.
    Rtnl,
}

struct Scene {
    binding: Binding<Reference>,
    hook: Hook,
    owner: Option<Owner>,
    devices: Vec<NetDevice>,
    pending: VecDeque<Pending>,
    reports: usize,
    released: bool,
}

impl Scene {
    fn new(devices: i32) -> Self {
        Self {
            binding: Binding::new(),
            hook: Hook::Idle,
            owner: None,
            devices: (1..=devices)
                .map(|ifindex| NetDevice {
                    ifindex,
                    listed: true,
                    up: true,
                    references: Rc::default(),
                })
                .collect(),
            pending: VecDeque::new(),
            reports: 0,
            released: false,
        }
    }

    fn device(&mut self, ifindex: i32) -> &mut NetDevice {
        &mut self.devices[usize::try_from(ifindex).unwrap() - 1]
    }

    fn find(&mut self, ifindex: i32) -> Option<Reference> {
        let device = self.device(ifindex);
        if !device.listed {
            return None;
        }
        device.references.set(device.references.get() + 1);
        Some(Reference {
            ifindex,
            count: device.references.clone(),
        })
    }

    /// Carries out what the state machine asks for, except for the grace period.
    fn carry_out(&mut self, todo: Todo<Reference>) {
        match todo.hook {
            Move::Stay => {}
            Move::Attach => {
                assert_eq!(self.hook, Hook::Idle, "hooked twice, or too early");
                assert!(!self.released, "a closed socket was hooked");
                let (protocol, ifindex) = (self.binding.protocol(), self.binding.ifindex());
                assert_ne!(protocol, 0);
                assert_ne!(ifindex, NO_DEVICE);
                self.hook = Hook::Hooked { protocol, ifindex };
            }
            Move::Detach => {
                assert!(
                    matches!(self.hook, Hook::Hooked { .. }),
                    "unhooked without a hook"
                );
                self.hook = Hook::Unsettled;
            }
        }
        if todo.report {
            self.reports += 1;
        }
    }

    fn grace_period(&mut self) {
        if self.hook == Hook::Unsettled {
            self.hook = Hook::Idle;
        }
    }

    /// Takes one step if the world allows it now.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Begin { ifindex, protocol } => {
                // A program can have only one bind under way, and none after it closed.
                if self.owner == Some(Owner::Bind) || self.released {
                    return false;
                }
                let target = match ifindex {
                    ANY_DEVICE => None,
                    _ => match self.find(ifindex) {
                        Some(device) => Some(device),
                        None => return false,
                    },
                };
                match self.binding.begin(target, protocol) {
                    Ok(Some(todo)) => {
                        assert_eq!(self.owner, None);
                        self.owner = Some(Owner::Bind);
                        // Only who is told to wait does so.
                        if todo.hook == Move::Stay && !todo.synchronize {
                            assert_eq!(self.hook, Hook::Idle);
                        }
                        self.carry_out(todo);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        assert_eq!(error, EBUSY);
                        assert_eq!(self.owner, Some(Owner::Notifier));
                    }
                }
            }
            Step::Finish => {
                if self.owner.take().is_none() {
                    return false;
                }
                self.grace_period();
                let up = match self.binding.ifindex() {
                    ifindex if ifindex > 0 => {
                        let device = self.device(ifindex);
                        device.listed && device.up
                    }
                    // The answer for no device is never looked at.
                    _ => true,
                };
                let todo = self.binding.finish(up);
                assert!(!todo.synchronize && todo.released.is_none());
                self.carry_out(todo);
            }
            Step::Release => {
                if self.released {
                    return false;
                }
                let todo = self.binding.release();
                let wait = todo.synchronize;
                self.carry_out(todo);
                self.released = true;
                if wait {
                    self.grace_period();
                }
                assert_ne!(
                    self.hook,
                    Hook::Unsettled,
                    "a receiver may see a closed socket"
                );
            }
            Step::GracePeriod => {
                if self.hook != Hook::Unsettled {
                    return false;
                }
                self.grace_period();
            }
            Step::Up(ifindex) => {
                let idle = self.rtnl_is_free();
                let device = self.device(ifindex);
                if !idle || !device.listed || device.up {
                    return false;
                }
                device.up = true;
                self.pending.push_back(Pending::NotifyUp(ifindex));
            }
            Step::Down(ifindex) => {
                let idle = self.rtnl_is_free();
                let device = self.device(ifindex);
                if !idle || !device.up {
                    return false;
                }
                device.up = false;
                self.pending.push_back(Pending::NotifyDown(ifindex));
            }
            Step::Remove(ifindex) => {
                let idle = self.rtnl_is_free();
                let device = self.device(ifindex);
                if !idle || !device.listed {
                    return false;
                }
                if std::mem::take(&mut device.up) {
                    self.pending.push_back(Pending::NotifyDown(ifindex));
                }
                self.pending.push_back(Pending::Unlist(ifindex));
                self.pending.push_back(Pending::NotifyUnregister(ifindex));
            }
            Step::Rtnl => {
                if self.owner == Some(Owner::Notifier) {
                    return false;
                }
                let Some(pending) = self.pending.pop_front() else {
                    return false;
                };
                self.notify(pending);
            }
        }
        self.check();
        true
    }

    /// Whether RTNL is free for another change. A notifier that waits holds it.
    fn rtnl_is_free(&self) -> bool {
        self.pending.is_empty() && self.owner != Some(Owner::Notifier)
    }

    fn notify(&mut self, pending: Pending) {
        match pending {
            Pending::NotifyUp(ifindex) => {
                if self.hook == Hook::Idle {
                    self.binding.settled();
                }
                let todo = self.binding.device_up(ifindex);
                if todo.synchronize {
                    assert_eq!(self.owner, None);
                    self.owner = Some(Owner::Notifier);
                }
                self.carry_out(todo);
            }
            Pending::NotifyDown(ifindex) => {
                let todo = self.binding.device_down(ifindex);
                assert!(!todo.synchronize, "a notifier must not have to wait");
                self.carry_out(todo);
            }
            Pending::Unlist(ifindex) => self.device(ifindex).listed = false,
            Pending::NotifyUnregister(ifindex) => {
                let todo = self.binding.device_unregistered(ifindex);
                assert!(!todo.synchronize, "a notifier must not have to wait");
                self.carry_out(todo);
                assert_eq!(self.device(ifindex).references.get(), 0);
                assert!(!matches!(self.hook, Hook::Hooked { ifindex: i, .. } if i == ifindex));
            }
        }
    }

    /// What holds between any two steps.
    fn check(&mut self) {
        let (protocol, ifindex) = (self.binding.protocol(), self.binding.ifindex());

        assert_eq!(
            self.binding.is_hooked(),
            self.hook == Hook::Hooked { protocol, ifindex }
        );
        if let Hook::Hooked { .. } = self.hook {
            assert!(self.binding.is_hooked());
        }
        assert_eq!(
            self.binding.device().map_or(0, Device::ifindex),
            ifindex.max(0)
        );
        for device in &self.devices {
            let expected = usize::from(device.ifindex == ifindex);
            assert_eq!(device.references.get(), expected, "reference lost or kept");
        }
        if self.released {
            assert!(!self.binding.is_hooked());
            assert_eq!(protocol, 0);
            assert!(self
                .devices
                .iter()
                .all(|device| device.references.get() == 0));
        }
    }

    /// Lets everything that is under way end, and checks that frames arrive exactly if they should.
    fn settle(&mut self) {
        while self.step(Step::Finish) || self.step(Step::Rtnl) {}

        let ifindex = self.binding.ifindex();
        let usable = match ifindex {
            ANY_DEVICE => true,
            NO_DEVICE => false,
            _ => self.device(ifindex).up,
        };
        assert_eq!(
            self.binding.is_hooked(),
            !self.released && self.binding.protocol() != 0 && usable
        );
    }

    /// All that decides what can happen from here.
    fn key(&self) -> String {
        let devices: Vec<_> = self.devices.iter().map(|d| (d.listed, d.up)).collect();
        format!(
            "{:?} {:?} {:?} {devices:?} {:?}",
            self.binding, self.hook, self.owner, self.pending
        )
    }

    fn play(devices: i32, steps: &[Step]) -> Self {
        let mut scene = Self::new(devices);
        for step in steps {
            scene.step(*step);
        }
        scene
    }
}

fn every_step(devices: i32) -> Vec<Step> {
    let mut steps = vec![
        Step::Finish,
        Step::Release,
        Step::GracePeriod,
        Step::Rtnl, //
    ];
    for ifindex in 0..=devices {
        for protocol in [0, 3, 4] {
            steps.push(Step::Begin { ifindex, protocol });
        }
    }
    for ifindex in 1..=devices {
        steps.extend([
            Step::Up(ifindex),
            Step::Down(ifindex),
            Step::Remove(ifindex),
        ]);
    }
    steps
}

/// Visits every state that the model can reach, with two devices and two protocols, by every step.
#[test]
fn holds_in_every_reachable_state() {
    const DEVICES: i32 = 2;

    let steps = every_step(DEVICES);
    let mut seen = HashSet::from([Scene::new(DEVICES).key()]);
    let mut next = VecDeque::from([Vec::new()]);
    let mut hooked = 0;
    let mut notifier_waited = 0;

    while let Some(path) = next.pop_front() {
        Scene::play(DEVICES, &path).settle();
        for step in &steps {
            let mut scene = Scene::play(DEVICES, &path);
            if !scene.step(*step) || !seen.insert(scene.key()) {
                continue;
            }
            hooked += usize::from(scene.binding.is_hooked());
            notifier_waited += usize::from(scene.owner == Some(Owner::Notifier));
            next.push_back([path.as_slice(), &[*step]].concat());
        }
    }

    // The walk is worth nothing if it did not get around.
    assert!(seen.len() > 500, "only {} states", seen.len());
    assert!(hooked > 50 && notifier_waited > 5);
}

fn any_step(devices: i32) -> impl Strategy<Value = Step> {
    let device = 1..=devices;
    prop_oneof![
        4 => (0..=devices, 0u16..4).prop_map(|(ifindex, protocol)| Step::Begin { ifindex, protocol }),
        4 => Just(Step::Finish),
        1 => Just(Step::Release),
        2 => Just(Step::GracePeriod),
        2 => device.clone().prop_map(Step::Up),
        2 => device.clone().prop_map(Step::Down),
        1 => device.prop_map(Step::Remove),
        6 => Just(Step::Rtnl),
    ]
}

proptest! {
    #[test]
    fn holds_in_long_stories(steps in prop::collection::vec(any_step(4), 0..200)) {
        let mut scene = Scene::play(4, &steps);
        scene.settle();
        scene.step(Step::Release);
        scene.settle();
        prop_assert!(scene.devices.iter().all(|device| device.references.get() == 0));
    }

    /// `release()` in the middle of anything ends in `Dead`, and nothing brings the hook back.
    #[test]
    fn release_is_final(
        before in prop::collection::vec(any_step(2), 0..40),
        after in prop::collection::vec(any_step(2), 0..40),
    ) {
        let mut scene = Scene::play(2, &before);
        scene.step(Step::Release);
        for step in after {
            scene.step(step);
            prop_assert!(!scene.binding.is_hooked());
            prop_assert_eq!(scene.binding.begin(None, 3).err(), Some(EBADFD));
        }
    }
}

fn bound(ifindex: i32, protocol: u16) -> Scene {
    let mut scene = Scene::new(2);
    assert!(scene.step(Step::Begin { ifindex, protocol }));
    assert!(scene.step(Step::Finish));
    scene
}

#[test]
fn bind_to_a_device_that_is_down_succeeds_and_reports() {
    let mut scene = Scene::new(2);
    scene.step(Step::Down(1));
    scene.step(Step::Rtnl);
    assert!(scene.step(Step::Begin {
        ifindex: 1,
        protocol: 3
    }));
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
    scene.step(Step::Begin {
        ifindex: 2,
        protocol: 0,
    });
    scene.step(Step::Finish);
    assert_eq!(
        scene.hook,
        Hook::Hooked {
            protocol: 3,
            ifindex: 2
        }
    );
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

    scene.step(Step::Begin {
        ifindex: 0,
        protocol: 0,
    });
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
    scene.step(Step::Begin {
        ifindex: 2,
        protocol: 3,
    });
    assert_eq!(scene.binding.begin(None, 4).err(), Some(EBUSY));
    assert_eq!(scene.binding.finish(true).hook, Move::Attach);
    assert_eq!(scene.binding.finish(true).hook, Move::Stay);
}

/// A bind gave up its lock to wait, and the notifier hooked the socket behind its back.
#[test]
fn cve_2018_18559_device_up_during_bind_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(Step::Begin {
        ifindex: 2,
        protocol: 3,
    });
    for ifindex in [1, 2] {
        assert_eq!(scene.binding.device_up(ifindex).hook, Move::Stay);
    }
    assert!(scene.step(Step::Finish));
    assert_eq!(
        scene.hook,
        Hook::Hooked {
            protocol: 3,
            ifindex: 2
        }
    );
}

/// The same with a device that goes down and comes up again while the operation waits.
#[test]
fn cve_2025_38617_device_down_and_up_during_operation_does_not_hook() {
    let mut scene = bound(1, 3);
    scene.step(Step::Begin {
        ifindex: 1,
        protocol: 4,
    });
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
    scene.step(Step::Begin {
        ifindex: 1,
        protocol: 4,
    });
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
    let mut binding: Binding<Reference> = Binding::new();
    assert!(!binding.is_hooked());
    let todo = binding.release();
    assert!(!todo.synchronize);
    assert_eq!(todo.hook, Move::Stay);
}
