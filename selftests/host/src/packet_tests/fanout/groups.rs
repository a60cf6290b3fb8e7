// SPDX-License-Identifier: GPL-2.0

//! The groups of one namespace, as the family keeps them: request, binding, members and places put
//! together, against a model of AF_PACKET that is written down from `fanout_add()`, `__fanout_link()`,
//! `__fanout_unlink()` and `fanout_release()`.

use crate::net::places::Places;
use crate::packet::fanout::{
    members::Members,
    request::{
        free_id,
        Description,
        Request, //
    }, //
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

const EXISTS: usize = 4;

#[derive(Clone, Debug)]
enum Call {
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
struct Seen {
    id: u16,
    reported: u32,
    joined: usize,
    places: Vec<usize>,
    hooked: bool,
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

    pub struct Group {
        pub description: Description,
        pub target: Target,
        pub members: Members,
        pub places: Places<Vec<Atomic<usize>>>,
        pub joined: usize,
        pub hooked: bool,
    }

    pub struct World {
        pub sockets: Vec<Binding<Net, u16>>,
        pub groups: Vec<Group>,
        pub next: u16,
        pub up: Vec<bool>,
    }

    impl World {
        pub fn bind(&mut self, target: Target) -> Binding<Net, u16> {
            let mut binding = Binding::new();
            let device = (target.ifindex > 0).then_some(Net(target.ifindex));
            let up = target.ifindex == 0 || self.up[target.ifindex as usize];
            let _ = binding.begin(device, target.protocol).unwrap();
            let _ = binding.finish(up);
            binding
        }

        fn find(&mut self, id: u16) -> Option<&mut Group> {
            self.groups
                .iter_mut()
                .find(|group| group.description.id == id)
        }

        fn carry_out(&mut self, socket: usize, todo: &Todo<Net, u16>) {
            let id = todo.parted.or(self.sockets[socket].group().copied());
            match todo.hook {
                Move::Enter | Move::Transfer => {
                    let group = self.find(id.unwrap()).unwrap();
                    // A grace period always is over in time here.
                    if group.places.push(socket + 1).unwrap() {
                        assert!(!std::mem::replace(&mut group.hooked, true));
                    }
                }
                Move::Leave => {
                    let group = self.find(id.unwrap()).unwrap();
                    if group.places.remove(socket + 1).unwrap() {
                        assert!(std::mem::take(&mut group.hooked));
                    }
                }
                Move::Stay | Move::Attach | Move::Detach => {}
            }
            if let Some(id) = todo.parted {
                let group = self.find(id).unwrap();
                group.members.part();
                group.joined -= 1;
                if group.members.is_empty() {
                    self.groups.retain(|group| group.description.id != id);
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
            let groups = &self.groups;
            let next = &mut self.next;
            let id = request.group_id(member, || {
                free_id(next, |id| groups.iter().all(|g| g.description.id != id))
            })?;
            let existing = groups.iter().position(|group| group.description.id == id);
            let description = existing.map(|index| &groups[index].description);
            let description = request.description(id, description)?;
            let groups = &mut self.groups;
            let todo = self.sockets[socket].join(|target| {
                let group_target = existing.map_or(target, |index| groups[index].target);
                description.admit(&request, group_target, target)?;
                if existing.is_none() {
                    groups.push(Group {
                        description,
                        target,
                        members: Members::new(description.max_members),
                        places: Places::new(
                            (0..description.max_members)
                                .map(|_| Atomic::new(0))
                                .collect(),
                        ),
                        joined: 0,
                        hooked: false,
                    });
                }
                let group = groups
                    .iter_mut()
                    .find(|group| group.description.id == id)
                    .unwrap();
                group.members.join()?;
                group.joined += 1;
                Ok(id)
            })?;
            self.carry_out(socket, &todo);
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
                    self.carry_out(socket, &todo);
                    self.sockets[socket] = self.bind(targets[socket]);
                }
                Call::Down { ifindex } => {
                    if std::mem::take(&mut self.up[ifindex as usize]) {
                        for socket in 0..self.sockets.len() {
                            let todo = self.sockets[socket].device_down(ifindex);
                            self.carry_out(socket, &todo);
                        }
                    }
                }
                Call::Up { ifindex } => {
                    if !std::mem::replace(&mut self.up[ifindex as usize], true) {
                        for socket in 0..self.sockets.len() {
                            self.sockets[socket].settled();
                            let todo = self.sockets[socket].device_up(ifindex);
                            self.carry_out(socket, &todo);
                        }
                    }
                }
            }
            Ok(())
        }

        pub fn seen(&self) -> Vec<Seen> {
            let place = |group: &Group, place| group.places.get(place).unwrap() - 1;
            self.groups
                .iter()
                .map(|group| Seen {
                    id: group.description.id,
                    reported: group.description.encode() as u32,
                    joined: group.joined,
                    places: (0..group.places.taken()).map(|p| place(group, p)).collect(),
                    hooked: group.hooked,
                })
                .collect()
        }
    }
}

/// AF_PACKET's.
mod model {
    use super::*;

    #[derive(Clone, Default)]
    pub struct Socket {
        pub num: u16,
        pub dev: i32,
        pub running: bool,
        pub fanout: Option<u16>,
    }

    pub struct Fanout {
        pub id: u16,
        pub kind: u8,
        pub flags: u8,
        pub max_num_members: u32,
        pub sk_ref: u32,
        pub hook: (u16, i32),
        pub arr: Vec<usize>,
        pub num_members: usize,
        pub hooked: bool,
    }

    pub struct World {
        pub sockets: Vec<Socket>,
        pub list: Vec<Fanout>,
        pub next_id: u16,
        pub up: Vec<bool>,
    }

    impl World {
        pub fn bind(&self, target: Target) -> Socket {
            let up = target.ifindex == 0 || self.up[target.ifindex as usize];
            Socket {
                num: target.protocol,
                dev: target.ifindex,
                running: up && target.protocol != 0,
                fanout: None,
            }
        }

        fn find(&mut self, id: u16) -> Option<&mut Fanout> {
            self.list.iter_mut().find(|f| f.id == id)
        }

        fn link(&mut self, socket: usize) {
            let id = self.sockets[socket].fanout.unwrap();
            let f = self.find(id).unwrap();
            f.arr[f.num_members] = socket;
            f.num_members += 1;
            if f.num_members == 1 {
                f.hooked = true;
            }
        }

        fn unlink(&mut self, socket: usize) {
            let id = self.sockets[socket].fanout.unwrap();
            let f = self.find(id).unwrap();
            let mut i = 0;
            while i < f.num_members {
                if f.arr[i] == socket {
                    break;
                }
                i += 1;
            }
            assert!(i < f.num_members);
            f.arr[i] = f.arr[f.num_members - 1];
            f.num_members -= 1;
            if f.num_members == 0 {
                f.hooked = false;
            }
        }

        fn add(&mut self, socket: usize, argument: u32, limit: u32) -> Result {
            let mut id = argument as u16;
            let type_flags = argument >> 16;
            let kind = type_flags as u8;
            let mut flags = (type_flags >> 8) as u8;
            let mut limit = limit;

            match kind {
                3 if type_flags & 0x1000 != 0 => return Err(EINVAL),
                0..=7 => {}
                _ => return Err(EINVAL),
            }
            if self.sockets[socket].fanout.is_some() {
                return Err(EALREADY);
            }
            if type_flags & 0x2000 != 0 {
                if id != 0 {
                    return Err(EINVAL);
                }
                let mut candidate = self.next_id;
                loop {
                    if self.find(candidate).is_none() {
                        id = candidate;
                        self.next_id = candidate.wrapping_add(1);
                        break;
                    }
                    candidate = candidate.wrapping_add(1);
                    if candidate == self.next_id {
                        return Err(ENOMEM);
                    }
                }
                flags &= !0x20;
            }
            let po = self.sockets[socket].clone();
            if let Some(found) = self.find(id) {
                if found.flags != flags {
                    return Err(EINVAL);
                }
                if limit != 0 && limit != found.max_num_members {
                    return Err(EINVAL);
                }
            } else {
                if limit > 1 << 16 {
                    return Err(EINVAL);
                }
                if limit == 0 {
                    limit = 256;
                }
                self.list.push(Fanout {
                    id,
                    kind,
                    flags,
                    max_num_members: limit,
                    sk_ref: 0,
                    hook: (po.num, po.dev),
                    arr: vec![usize::MAX; limit as usize],
                    num_members: 0,
                    hooked: false,
                });
            }
            let mut err = Err(EINVAL);
            let found = self.find(id).unwrap();
            if po.num != 0 && found.kind == kind && found.hook == (po.num, po.dev) {
                err = Err(ENOSPC);
                if found.sk_ref < found.max_num_members {
                    found.sk_ref += 1;
                    self.sockets[socket].fanout = Some(id);
                    if po.running {
                        self.link(socket);
                    }
                    err = Ok(());
                }
            }
            if err.is_err() {
                self.list.retain(|f| f.sk_ref > 0);
            }
            err
        }

        pub fn call(&mut self, call: &Call, targets: &[Target]) -> Result {
            match *call {
                Call::Join {
                    socket,
                    argument,
                    limit,
                } => return self.add(socket, argument, limit.unwrap_or(0)),
                Call::Close { socket } => {
                    let po = self.sockets[socket].clone();
                    if let Some(id) = po.fanout {
                        if po.running {
                            self.unlink(socket);
                        }
                        self.find(id).unwrap().sk_ref -= 1;
                        self.list.retain(|f| f.sk_ref > 0);
                    }
                    self.sockets[socket] = self.bind(targets[socket]);
                }
                Call::Down { ifindex } => {
                    if std::mem::take(&mut self.up[ifindex as usize]) {
                        self.for_bound(ifindex, true);
                    }
                }
                Call::Up { ifindex } => {
                    if !std::mem::replace(&mut self.up[ifindex as usize], true) {
                        self.for_bound(ifindex, false);
                    }
                }
            }
            Ok(())
        }

        /// The notifier.
        fn for_bound(&mut self, ifindex: i32, running: bool) {
            for socket in 0..self.sockets.len() {
                let po = self.sockets[socket].clone();
                if po.dev != ifindex || po.running != running || po.num == 0 {
                    continue;
                }
                self.sockets[socket].running = !running;
                match (po.fanout.is_some(), running) {
                    (true, true) => self.unlink(socket),
                    (true, false) => self.link(socket),
                    _ => {}
                }
            }
        }

        pub fn seen(&self) -> Vec<Seen> {
            self.list
                .iter()
                .map(|f| Seen {
                    id: f.id,
                    reported: u32::from(f.id) | u32::from(f.kind) << 16 | u32::from(f.flags) << 24,
                    joined: f.sk_ref as usize,
                    places: f.arr[..f.num_members].to_vec(),
                    hooked: f.hooked,
                })
                .collect()
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
                argument: id | (mode | flags) << 16,
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
        groups: Vec::new(),
        next: 0,
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
            prop_assert_eq!(ours.next, model.next_id);
        }
        // In the end nothing is left behind.
        for socket in 0..12 {
            prop_assert_eq!(ours.call(&Call::Close { socket }, &targets), Ok(()));
        }
        prop_assert!(ours.groups.is_empty());
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
