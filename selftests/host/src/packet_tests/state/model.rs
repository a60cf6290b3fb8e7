// SPDX-License-Identifier: GPL-2.0

//! The world around a hook: devices that come up, go down and leave, as RTNL orders these events and as
//! a notifier sees them: the flag changes first, and the notifier runs some time later. A program
//! binds and closes in between. Each step asserts that what the state machine asks for is possible
//! and right, and [`Scene::settle`] that a hook is neither left behind nor forgotten.

use crate::packet::state::{
    Binding,
    Device,
    Move,
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

/// What RTNL has still to do before anything else can happen to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    NotifyUp(i32),
    NotifyDown(i32),
    Unlist(i32),
    NotifyUnregister(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Bind,
    Notifier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
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

pub struct Scene {
    pub binding: Binding<Reference>,
    pub hook: Hook,
    pub owner: Option<Owner>,
    pub devices: Vec<NetDevice>,
    pending: VecDeque<Pending>,
    pub reports: usize,
    released: bool,
}

impl Scene {
    pub fn new(devices: i32) -> Self {
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
    pub fn step(&mut self, step: Step) -> bool {
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
    pub fn check(&mut self) {
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
    pub fn settle(&mut self) {
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
    pub fn key(&self) -> String {
        let devices: Vec<_> = self.devices.iter().map(|d| (d.listed, d.up)).collect();
        format!(
            "{:?} {:?} {:?} {devices:?} {:?}",
            self.binding, self.hook, self.owner, self.pending
        )
    }

    pub fn play(devices: i32, steps: &[Step]) -> Self {
        let mut scene = Self::new(devices);
        for step in steps {
            scene.step(*step);
        }
        scene
    }
}
