// SPDX-License-Identifier: GPL-2.0

//! What a capture counted.

use std::fmt;

/// The counters of the kernel, since the capture began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Packets that passed the filter, those that were dropped included.
    pub received: u64,
    /// Packets that passed the filter and found the socket's queue full.
    pub dropped: u64,
}

/// The report at the end of a capture, in tcpdump's words.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Packets that were shown or saved.
    pub captured: u64,
    /// The kernel's counters.
    pub counters: Counters,
}

fn counted(f: &mut fmt::Formatter<'_>, number: u64, what: &str) -> fmt::Result {
    let plural = if number == 1 { "" } else { "s" };
    write!(f, "{number} packet{plural} {what}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        counted(f, self.captured, "captured\n")?;
        counted(f, self.counters.received, "received by filter\n")?;
        counted(f, self.counters.dropped, "dropped by kernel\n")
    }
}
