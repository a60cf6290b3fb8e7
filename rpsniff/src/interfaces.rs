// SPDX-License-Identifier: GPL-2.0

//! The interfaces of this machine: the list that `-D` prints, and their names.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{netdevice, socket_with, AddressFamily, SocketFlags, SocketType};

use crate::{source::ANY, sys};

/// A socket to ask about interfaces: any will do, and this one takes no privilege.
fn control_socket() -> io::Result<OwnedFd> {
    let kind = SocketType::DGRAM;
    Ok(socket_with(
        AddressFamily::UNIX,
        kind,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Names of interfaces by number, each asked for once.
#[derive(Default)]
pub struct Names {
    socket: Option<OwnedFd>,
    known: HashMap<u32, Option<String>>,
}

impl Names {
    /// The name of the interface with the number `index`, if there is one.
    pub fn find(&mut self, index: u32) -> Option<&str> {
        if self.socket.is_none() {
            self.socket = control_socket().ok();
        }
        let socket = self.socket.as_ref()?;
        self.known
            .entry(index)
            .or_insert_with(|| netdevice::index_to_name(socket, index).ok())
            .as_deref()
    }
}

/// The interfaces of this network namespace, one a line, in tcpdump's form.
///
/// # Errors
///
/// The errno of the system calls behind it.
pub fn list() -> io::Result<String> {
    let socket = control_socket()?;
    let mut interfaces = sys::interfaces()?;
    interfaces.sort();
    let mut text = String::new();
    let mut number = 0;
    for (_, name) in &interfaces {
        // One that went away since it was listed is left out.
        let Ok(flags) = sys::interface_flags(socket.as_fd(), name) else {
            continue;
        };
        number += 1;
        let states: Vec<&str> = [
            (libc::IFF_UP, "Up"),
            (libc::IFF_RUNNING, "Running"),
            (libc::IFF_LOOPBACK, "Loopback"),
        ]
        .into_iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, state)| state)
        .collect();
        let _ = write!(text, "{number}.{name}");
        if !states.is_empty() {
            let _ = write!(text, " [{}]", states.join(", "));
        }
        text.push('\n');
    }
    number += 1;
    let _ = writeln!(
        text,
        "{number}.{ANY} (Pseudo-device that captures on all interfaces) [Up, Running]"
    );
    Ok(text)
}
