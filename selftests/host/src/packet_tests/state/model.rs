// SPDX-License-Identifier: GPL-2.0

//! The world around a hook: devices that come up, go down and leave, as RTNL orders these events and as
//! a notifier sees them: the flag changes first, and the notifier runs some time later. A program
//! binds, joins a group and closes in between, and another member of that group comes and goes. Each
//! step asserts that what the state machine asks for is possible and right, and [`Scene::settle`] that a
//! hook or a place is neither left behind nor forgotten.

use crate::packet::state::{
    Binding,
    Device,
    Move,
    Target,
    Todo,
    ANY_DEVICE,
    NO_DEVICE, //
};
use kernel::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// A reference to a device, which counts itself.
#[derive(Debug)]
pub struct Reference {
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

/// A reference to the group, which counts itself.
#[derive(Debug)]
pub struct Membership(Rc<Cell<usize>>);

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[derive(Debug)]
pub struct NetDevice {
    ifindex: i32,
    listed: bool,
    up: bool,
    pub references: Rc<Cell<usize>>,
}

/// Where the one hook of the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In no list, and nobody stands on it.
    Idle,
    /// In the list of this protocol and device.
    Hooked { protocol: u16, ifindex: i32 },
    /// In no list, but a receiver may still stand on it.
    Unsettled,
}

/// Whether the socket has a place in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has none, and nobody finds it there.
    Out,
    /// It has one.
    In,
    /// It has none, but a receiver may have found it in one.
    Unsettled,
}

/// The one group that there is.
#[derive(Debug)]
pub struct Group {
    /// What its hook is for.
    pub target: Target,
    /// Its hook, which is in the list while somebody has a place.
    pub hook: Hook,
    /// Whether another member has a place.
    pub other: bool,
    /// How many references to it the socket has.
    pub references: Rc<Cell<usize>>,
}

/// What RTNL has still to do before anything else can happen to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    NotifyUp(i32),
    NotifyDown(i32),
    Unlist(i32),
    NotifyUnregister(i32),
}

/// The protocol of the group.
pub const PROTOCOL: u16 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A call of the program, which holds the lock of the socket.
    Program,
    Notifier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `bind()` takes the lock the first time.
    Begin { ifindex: i32, protocol: u16 },
    /// `PACKET_FANOUT`.
    Join,
    /// Another member of the group is given a place.
    OtherEnters,
    /// It gives its place up.
    OtherLeaves,
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

pub struct Scene {
    pub binding: Binding<Reference, Membership>,
    pub hook: Hook,
    pub place: Place,
    pub group: Group,
    pub owner: Option<Owner>,
    pub devices: Vec<NetDevice>,
    pending: VecDeque<Pending>,
    pub reports: usize,
    released: bool,
}

impl Scene {
    /// So many devices, and a group for the first.
    pub fn new(devices: i32) -> Self {
        Self::with_group(devices, 1)
    }

    /// So many devices, and a group for this one.
    pub fn with_group(devices: i32, ifindex: i32) -> Self {
        Self {
            binding: Binding::new(),
            hook: Hook::Idle,
            place: Place::Out,
            group: Group {
                target: Target {
                    protocol: PROTOCOL,
                    ifindex,
                },
                hook: Hook::Idle,
                other: false,
                references: Rc::default(),
            },
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

    pub fn device(&mut self, ifindex: i32) -> &mut NetDevice {
        &mut self.devices[usize::try_from(ifindex).unwrap() - 1]
    }

    pub fn find(&mut self, ifindex: i32) -> Option<Reference> {
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

    /// Carries out what the state machine asks for, except for the grace period. If the group refuses
    /// a place, `owner` waits.
    fn carry_out(&mut self, todo: Todo<Reference, Membership>, owner: Owner) {
        match todo.hook {
            Move::Stay => {}
            Move::Attach => {
                assert_eq!(self.hook, Hook::Idle, "hooked twice, or too early");
                assert!(!self.released, "a closed socket was hooked");
                assert!(self.binding.group().is_none(), "a member was hooked");
                let (protocol, ifindex) = (self.binding.protocol(), self.binding.ifindex());
                assert_ne!(protocol, 0);
                assert_ne!(ifindex, NO_DEVICE);
                self.hook = Hook::Hooked { protocol, ifindex };
            }
            Move::Detach => self.detach(),
            Move::Enter => self.enter(owner),
            Move::Transfer => {
                self.detach();
                self.enter(owner);
            }
            Move::Leave => {
                assert_eq!(self.place, Place::In, "left without a place");
                self.place = Place::Unsettled;
                self.group_changed();
            }
        }
        if todo.report {
            self.reports += 1;
        }
    }

    fn detach(&mut self) {
        assert!(
            matches!(self.hook, Hook::Hooked { .. }),
            "unhooked without a hook"
        );
        self.hook = Hook::Unsettled;
    }

    /// The group gives the socket a place, or refuses.
    fn enter(&mut self, owner: Owner) {
        assert!(self.binding.group().is_some());
        assert!(!self.released, "a closed socket was given a place");
        // It may be found in its old place still, and will be found in a new one.
        assert_ne!(self.place, Place::In, "given a second place");
        assert_eq!(self.binding.protocol(), self.group.target.protocol);
        assert_eq!(self.binding.ifindex(), self.group.target.ifindex);
        if self.group.hook == Hook::Unsettled {
            let todo = self.binding.postponed();
            assert!(todo.synchronize && todo.hook == Move::Stay);
            assert_eq!(self.owner, None);
            self.owner = Some(owner);
            return;
        }
        self.place = Place::In;
        self.group_changed();
    }

    /// The hook of the group follows who has a place.
    fn group_changed(&mut self) {
        let Target { protocol, ifindex } = self.group.target;
        let used = self.place == Place::In || self.group.other;

        self.group.hook = match (used, self.group.hook) {
            (true, Hook::Idle) => Hook::Hooked { protocol, ifindex },
            (true, Hook::Unsettled) => panic!("the group was hooked too early"),
            (false, Hook::Hooked { .. }) => Hook::Unsettled,
            (_, hook) => hook,
        };
    }

    /// A grace period is over for the socket.
    fn grace_period(&mut self) {
        if self.hook == Hook::Unsettled {
            self.hook = Hook::Idle;
        }
        if self.place == Place::Unsettled {
            self.place = Place::Out;
        }
    }

    /// Takes one step if the world allows it now.
    pub fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Begin { ifindex, protocol } => {
                // A program can have only one call under way, and none after it closed.
                if self.owner == Some(Owner::Program) || self.released {
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
                        self.owner = Some(Owner::Program);
                        // Only who is told to wait does so.
                        if todo.hook == Move::Stay && !todo.synchronize {
                            assert_eq!(self.hook, Hook::Idle);
                        }
                        self.carry_out(todo, Owner::Program);
                    }
                    Ok(None) => {}
                    Err(error) if error == EINVAL => assert!(self.binding.group().is_some()),
                    Err(error) => {
                        assert_eq!(error, EBUSY);
                        assert_eq!(self.owner, Some(Owner::Notifier));
                    }
                }
            }
            Step::Join => {
                if self.owner == Some(Owner::Program) || self.released {
                    return false;
                }
                let member = self.binding.group().is_some();
                let wanted = self.group.target;
                let references = self.group.references.clone();
                let joined = self.binding.join(|target| {
                    if target != wanted {
                        return Err(EINVAL);
                    }
                    references.set(references.get() + 1);
                    Ok(Membership(references))
                });
                match joined {
                    Ok(todo) => {
                        assert!(!member && !todo.synchronize && !todo.report);
                        self.carry_out(todo, Owner::Program);
                    }
                    Err(error) if error == EALREADY => assert!(member),
                    Err(error) if error == EBUSY => {
                        assert_eq!(self.owner, Some(Owner::Notifier));
                    }
                    Err(error) => assert_eq!(error, EINVAL),
                }
            }
            Step::OtherEnters => {
                let usable = self.is_usable(self.group.target.ifindex);
                let rests = self.group.hook == Hook::Unsettled;
                if self.group.other || !usable || rests {
                    return false;
                }
                self.group.other = true;
                self.group_changed();
            }
            Step::OtherLeaves => {
                if !std::mem::take(&mut self.group.other) {
                    return false;
                }
                self.group_changed();
            }
            Step::Finish => {
                let Some(owner) = self.owner.take() else {
                    return false;
                };
                // It is over for the socket. Another member may have had the hook of the group in the
                // list meanwhile.
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
                self.carry_out(todo, owner);
            }
            Step::Release => {
                if self.released {
                    return false;
                }
                let member = self.binding.group().is_some();
                let todo = self.binding.release();
                assert_eq!(todo.parted.is_some(), member);
                let wait = todo.synchronize;
                self.carry_out(todo, Owner::Program);
                self.released = true;
                if wait {
                    self.grace_period();
                }
                assert!(
                    self.hook == Hook::Idle && self.place == Place::Out,
                    "a receiver may see a closed socket"
                );
            }
            Step::GracePeriod => {
                let settled = self.hook != Hook::Unsettled && self.place != Place::Unsettled;
                if settled && self.group.hook != Hook::Unsettled {
                    return false;
                }
                self.grace_period();
                if self.group.hook == Hook::Unsettled {
                    self.group.hook = Hook::Idle;
                }
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

    /// Whether a socket that is bound to this gets frames.
    fn is_usable(&mut self, ifindex: i32) -> bool {
        match ifindex {
            ANY_DEVICE => true,
            NO_DEVICE => false,
            _ => self.device(ifindex).up,
        }
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
                self.carry_out(todo, Owner::Notifier);
            }
            Pending::NotifyDown(ifindex) => {
                if self.group.target.ifindex == ifindex {
                    self.group.other = false;
                    self.group_changed();
                }
                let todo = self.binding.device_down(ifindex);
                assert!(!todo.synchronize, "a notifier must not have to wait");
                self.carry_out(todo, Owner::Notifier);
            }
            Pending::Unlist(ifindex) => self.device(ifindex).listed = false,
            Pending::NotifyUnregister(ifindex) => {
                let todo = self.binding.device_unregistered(ifindex);
                assert!(!todo.synchronize, "a notifier must not have to wait");
                self.carry_out(todo, Owner::Notifier);
                assert_eq!(self.device(ifindex).references.get(), 0);
                for hook in [self.hook, self.group.hook] {
                    assert!(!matches!(hook, Hook::Hooked { ifindex: i, .. } if i == ifindex));
                }
            }
        }
    }

    /// What holds between any two steps.
    pub fn check(&mut self) {
        let (protocol, ifindex) = (self.binding.protocol(), self.binding.ifindex());

        let member = self.binding.group().is_some();
        let has_hook = self.hook == Hook::Hooked { protocol, ifindex };
        let has_place = self.place == Place::In;
        assert!(!(has_hook && has_place), "frames arrive twice");
        assert_eq!(has_place, member && self.binding.is_hooked());
        assert_eq!(has_hook, !member && self.binding.is_hooked());
        if let Hook::Hooked { .. } = self.hook {
            assert!(self.binding.is_hooked());
        }
        if has_place {
            assert!(matches!(self.group.hook, Hook::Hooked { .. }));
        }
        assert_eq!(self.group.references.get(), usize::from(member));
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
            assert!(!member);
            assert!(self
                .devices
                .iter()
                .all(|device| device.references.get() == 0));
        }
    }

    /// Lets everything that is under way end, and checks that frames arrive exactly if they should.
    pub fn settle(&mut self) {
        loop {
            self.step(Step::GracePeriod);
            if !self.step(Step::Finish) && !self.step(Step::Rtnl) {
                break;
            }
        }

        let usable = self.is_usable(self.binding.ifindex());
        assert_eq!(
            self.binding.is_hooked(),
            !self.released && self.binding.protocol() != 0 && usable
        );
    }

    /// All that decides what can happen from here.
    pub fn key(&self) -> String {
        let devices: Vec<_> = self.devices.iter().map(|d| (d.listed, d.up)).collect();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {devices:?} {:?}",
            self.binding, self.hook, self.place, self.group, self.owner, self.pending
        )
    }

    pub fn play(self, steps: &[Step]) -> Self {
        let mut scene = self;
        for step in steps {
            scene.step(*step);
        }
        scene
    }
}
