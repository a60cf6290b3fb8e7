// SPDX-License-Identifier: GPL-2.0

//! The groups of AF_PACKET, written down from `fanout_add()`, `__fanout_link()`, `__fanout_unlink()`,
//! `fanout_release()` and the notifier. A socket is known by its index.

use super::groups::{
    Call,
    Seen, //
};
use crate::packet::state::Target;
use kernel::prelude::*;

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
        let mut seen: Vec<_> = self
            .list
            .iter()
            .map(|f| Seen {
                id: f.id,
                reported: u32::from(f.id) | (u32::from(f.kind) << 16) | (u32::from(f.flags) << 24),
                joined: f.sk_ref as usize,
                places: f.arr[..f.num_members].to_vec(),
                hooked: f.hooked,
            })
            .collect();
        seen.sort_by_key(|group| group.id);
        seen
    }
}
