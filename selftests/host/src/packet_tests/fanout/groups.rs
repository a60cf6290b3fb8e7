// SPDX-License-Identifier: GPL-2.0

//! The groups of one namespace, as the family keeps them: request, table, binding and places put
//! together, against a [model](super::af_packet) of AF_PACKET.

use super::af_packet as model;
use crate::net::places::Places;
use crate::packet::fanout::{
    request::Request,
    table::Table, //
};
use crate::packet::state::{
    Binding,
    Device,
    Move,
    Target,
    Todo, //
};
use kernel::prelude::*;
use kernel::sync::atomic::Atomic;
use proptest::prelude::*;
use std::{
    cell::Cell,
    rc::Rc, //
};

const EXISTS: usize = 4;

#[derive(Clone, Debug)]
pub enum Call {
    /// `PACKET_FANOUT` by a socket, with the words of its argument.
    Join {
        socket: usize,
        argument: u32,
        limit: Option<u32>,
    },
    /// `close()`, and a new socket in its place.
    Close { socket: usize },
    /// A device goes down.
    Down { ifindex: i32 },
    /// It comes up.
    Up { ifindex: i32 },
}

/// What a group is, its members, its places, and whether its hook is in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: u16,
    pub reported: u32,
    pub joined: usize,
    pub places: Vec<usize>,
    pub hooked: bool,
}

/// Ours.
mod ours {
    use super::*;

    #[derive(Clone, Debug)]
    pub struct Net(pub i32);

    impl Device for Net {
        fn ifindex(&self) -> i32 {
            self.0
        }
    }

    /// What the layer has of a group.
    pub struct Group {
        pub id: u16,
        pub places: Places<Vec<Atomic<usize>>>,
        pub hooked: Cell<bool>,
    }

    pub struct World {
        pub sockets: Vec<Binding<Net, Rc<Group>>>,
        pub table: Table<Rc<Group>>,
        pub up: Vec<bool>,
    }

    impl World {
        pub fn bind(&mut self, target: Target) -> Binding<Net, Rc<Group>> {
            let mut binding = Binding::new();
            let device = (target.ifindex > 0).then_some(Net(target.ifindex));
            let up = target.ifindex == 0 || self.up[target.ifindex as usize];
            let _ = binding.begin(device, target.protocol).unwrap();
            let _ = binding.finish(up);
            binding
        }

        fn carry_out(&mut self, socket: usize, todo: Todo<Net, Rc<Group>>) {
            let group = todo.parted.as_ref().or(self.sockets[socket].group());
            match todo.hook {
                Move::Enter | Move::Transfer => {
                    // A grace period always is over in time here.
                    let group = group.unwrap();
                    if group.places.push(socket + 1).unwrap() {
                        assert!(!group.hooked.replace(true));
                    }
                }
                Move::Leave => {
                    let group = group.unwrap();
                    if group.places.remove(socket + 1).unwrap() {
                        assert!(group.hooked.replace(false));
                    }
                }
                Move::Stay | Move::Attach | Move::Detach => {}
            }
            if let Some(group) = todo.parted {
                if let Some(ended) = self.table.part(group.id) {
                    assert!(Rc::ptr_eq(&ended, &group));
                    assert_eq!(Rc::strong_count(&ended), 2, "a member is left");
                }
            }
        }

        fn join(&mut self, socket: usize, argument: u32, limit: Option<u32>) -> Result {
            let mut bytes = argument.to_ne_bytes().to_vec();
            bytes.extend(limit.iter().flat_map(|limit| limit.to_ne_bytes()));
            let request = Request::parse(bytes.len(), |to| {
                to.copy_from_slice(&bytes);
                Ok(())
            })?;
            let member = self.sockets[socket].group().is_some();
            let admission = self.table.prepare(&request, member, |description| {
                let places = (0..description.max_members).map(|_| Atomic::new(0));
                Ok(Rc::new(Group {
                    id: description.id,
                    places: Places::new(places.collect()),
                    hooked: Cell::new(false),
                }))
            })?;
            let todo = self.sockets[socket].join(|target| admission.admit(target))?;
            self.carry_out(socket, todo);
            Ok(())
        }

        pub fn call(&mut self, call: &Call, targets: &[Target]) -> Result {
            match *call {
                Call::Join {
                    socket,
                    argument,
                    limit,
                } => return self.join(socket, argument, limit),
                Call::Close { socket } => {
                    let todo = self.sockets[socket].release();
                    self.carry_out(socket, todo);
                    self.sockets[socket] = self.bind(targets[socket]);
                }
                Call::Down { ifindex } => {
                    if std::mem::take(&mut self.up[ifindex as usize]) {
                        for socket in 0..self.sockets.len() {
                            let todo = self.sockets[socket].device_down(ifindex);
                            self.carry_out(socket, todo);
                        }
                    }
                }
                Call::Up { ifindex } => {
                    if !std::mem::replace(&mut self.up[ifindex as usize], true) {
                        for socket in 0..self.sockets.len() {
                            self.sockets[socket].settled();
                            let todo = self.sockets[socket].device_up(ifindex);
                            self.carry_out(socket, todo);
                        }
                    }
                }
            }
            Ok(())
        }

        pub fn seen(&self) -> Vec<Seen> {
            let groups = self.sockets.iter().filter_map(Binding::group);
            let mut ids: Vec<_> = groups.map(|group| group.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), self.table.len(), "a group without a member");
            let seen = ids.iter().map(|id| {
                let (description, members, group) = self.table.get(*id).unwrap();
                Seen {
                    id: *id,
                    reported: description.encode() as u32,
                    joined: members.joined() as usize,
                    places: (0..group.places.taken())
                        .map(|place| group.places.get(place).unwrap() - 1)
                        .collect(),
                    hooked: group.hooked.get(),
                }
            });
            seen.collect()
        }
    }
}

fn any_call(sockets: usize) -> impl Strategy<Value = Call> {
    let mode = prop_oneof![8 => 0u32..2, 1 => 0u32..10];
    let flags = prop_oneof![
        16 => Just(0u32),
        1 => Just(0x1000),
        3 => Just(0x2000),
        1 => Just(0x8000),
    ];
    let limit = prop::option::of(prop_oneof![
        4 => Just(0u32),
        4 => 1u32..4,
        1 => Just(65536),
        1 => Just(65537),
    ]);
    prop_oneof![
        8 => (0..sockets, 0u32..3, mode, flags, limit).prop_map(
            |(socket, id, mode, flags, limit)| Call::Join {
                socket,
                argument: id | ((mode | flags) << 16),
                limit,
            }
        ),
        4 => (0..sockets).prop_map(|socket| Call::Close { socket }),
        1 => (1i32..3).prop_map(|ifindex| Call::Down { ifindex }),
        2 => (1i32..3).prop_map(|ifindex| Call::Up { ifindex }),
    ]
}

/// Sockets that are bound to all, to a device, to another one, or to nothing.
fn targets(sockets: usize) -> Vec<Target> {
    let bound = [
        (3, 1),
        (3, 1),
        (3, 0),
        (3, 1),
        (3, 0),
        (4, 1),
        (3, 2),
        (0, 1),
    ];
    (0..sockets)
        .map(|socket| {
            let (protocol, ifindex) = bound[socket % bound.len()];
            Target { protocol, ifindex }
        })
        .collect()
}

fn both(targets: &[Target]) -> (ours::World, model::World) {
    let mut ours = ours::World {
        sockets: Vec::new(),
        table: Table::new(),
        up: vec![true; EXISTS],
    };
    let mut model = model::World {
        sockets: Vec::new(),
        list: Vec::new(),
        next_id: 0,
        up: vec![true; EXISTS],
    };
    for target in targets {
        let socket = ours.bind(*target);
        ours.sockets.push(socket);
        model.sockets.push(model.bind(*target));
    }
    (ours, model)
}

proptest! {
    #[test]
    fn groups_are_as_those_of_af_packet(calls in prop::collection::vec(any_call(12), 0..120)) {
        let targets = targets(12);
        let (mut ours, mut model) = both(&targets);
        for call in &calls {
            prop_assert_eq!(ours.call(call, &targets), model.call(call, &targets), "{:?}", call);
            prop_assert_eq!(ours.seen(), model.seen(), "{:?}", call);
        }
        // In the end nothing is left behind.
        for socket in 0..12 {
            prop_assert_eq!(ours.call(&Call::Close { socket }, &targets), Ok(()));
        }
        prop_assert!(ours.seen().is_empty());
    }
}

/// Joins these sockets to group 5, in turn.
fn group_of(sockets: usize) -> (Vec<Target>, ours::World) {
    let targets = vec![
        Target {
            protocol: 3,
            ifindex: 1
        };
        sockets
    ];
    let (mut ours, _) = both(&targets);
    for socket in 0..sockets {
        assert_eq!(ours.call(&join(socket, None), &targets), Ok(()));
    }
    (targets, ours)
}

fn join(socket: usize, limit: Option<u32>) -> Call {
    Call::Join {
        socket,
        argument: 5,
        limit,
    }
}

#[test]
fn last_member_moves_to_the_place_of_who_leaves() {
    let (targets, mut ours) = group_of(5);
    ours.call(&Call::Close { socket: 1 }, &targets).unwrap();
    assert_eq!(ours.seen()[0].places, [0, 4, 2, 3]);
    ours.call(&Call::Close { socket: 3 }, &targets).unwrap();
    assert_eq!(ours.seen()[0].places, [0, 4, 2]);
    ours.call(&join(1, None), &targets).unwrap();
    assert_eq!(ours.seen()[0].places, [0, 4, 2, 1]);
}

#[test]
fn members_without_a_place_count_for_the_limit() {
    let targets = vec![
        Target {
            protocol: 3,
            ifindex: 1
        };
        3
    ];
    let (mut ours, _) = both(&targets);
    ours.call(&join(0, Some(2)), &targets).unwrap();
    ours.call(&Call::Down { ifindex: 1 }, &targets).unwrap();
    ours.call(&join(1, Some(2)), &targets).unwrap();
    assert_eq!(ours.call(&join(2, Some(2)), &targets), Err(ENOSPC));
    let seen = &ours.seen()[0];
    assert_eq!((seen.joined, seen.places.len(), seen.hooked), (2, 0, false));

    ours.call(&Call::Up { ifindex: 1 }, &targets).unwrap();
    assert_eq!(ours.seen()[0].places, [0, 1]);
    assert!(ours.seen()[0].hooked);
}

#[test]
fn group_ends_with_its_last_member() {
    let (targets, mut ours) = group_of(2);
    ours.call(&Call::Down { ifindex: 1 }, &targets).unwrap();
    ours.call(&Call::Close { socket: 0 }, &targets).unwrap();
    assert_eq!(ours.seen()[0].joined, 1);
    ours.call(&Call::Close { socket: 1 }, &targets).unwrap();
    assert!(ours.seen().is_empty());
}

/// A request that fails leaves neither a group nor a member behind.
#[test]
fn failed_request_makes_no_group() {
    let targets = [Target {
        protocol: 0,
        ifindex: 1,
    }];
    let (mut ours, _) = both(&targets);
    assert_eq!(ours.call(&join(0, None), &targets), Err(EINVAL));
    assert!(ours.seen().is_empty());
    assert!(ours.sockets[0].group().is_none());
}

/// The memory for a group is asked for before the socket is, and given back.
#[test]
fn group_that_cannot_be_made_leaves_nothing() {
    let mut table: Table<Rc<()>> = Table::new();
    let request = Request::parse(4, |to| {
        to.copy_from_slice(&5u32.to_ne_bytes());
        Ok(())
    })
    .unwrap();
    let refused = table.prepare(&request, false, |_| Err(ENOMEM));
    assert_eq!(refused.err(), Some(ENOMEM));
    assert_eq!(table.len(), 0);

    kernel::alloc::exhaust(true);
    let refused = table.prepare(&request, false, |_| Ok(Rc::new(())));
    assert_eq!(refused.err(), Some(ENOMEM));
    kernel::alloc::exhaust(false);
    assert_eq!(table.len(), 0);

    // Found, and then not asked for.
    let group = Rc::new(());
    drop(table.prepare(&request, false, |_| Ok(group.clone())));
    assert_eq!(Rc::strong_count(&group), 1);
    assert_eq!(table.part(5), None);
    assert!(table.get(5).is_none());
}

#[test]
fn places_are_limited_and_known_by_what_is_in_them() {
    let places = Places::new(vec![Atomic::new(0), Atomic::new(0)]);
    assert_eq!(places.taken(), 0);
    assert_eq!(places.get(0), None);
    assert_eq!(places.push(7), Ok(true));
    assert_eq!(places.push(8), Ok(false));
    assert_eq!(places.push(9), Err(ENOSPC));
    assert_eq!(places.remove(9), None);
    assert_eq!(places.remove(7), Some(false));
    // A receiver that began before may look at the place that is free now.
    assert_eq!((places.get(0), places.get(1)), (Some(8), Some(8)));
    assert_eq!(places.taken(), 1);
    assert_eq!(places.remove(7), None);
    assert_eq!(places.remove(8), Some(true));
    assert_eq!(places.get(2), None);
}
