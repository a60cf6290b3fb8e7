// SPDX-License-Identifier: GPL-2.0

//! The list of interfaces that `-D` prints.

use std::{fmt::Write as _, io, os::fd::AsFd};

use rustix::net::{socket_with, AddressFamily, SocketFlags, SocketType};

use crate::{source::ANY, sys};

/// The interfaces of this network namespace, one a line, in tcpdump's form.
///
/// # Errors
///
/// The errno of the system calls behind it.
pub fn list() -> io::Result<String> {
    // Any socket can be asked about interfaces; this one takes no privilege.
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
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
