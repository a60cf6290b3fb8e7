// SPDX-License-Identifier: GPL-2.0

//! Signals, as something that can be waited for together with packets.

use std::{
    fs, io,
    io::Read,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    flag,
    low_level::pipe,
};

/// What the user asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// End the capture: `SIGINT`, `SIGTERM` or `SIGHUP`.
    Stop,
    /// Show the counters: `SIGUSR1`.
    Report,
    /// Nothing: the wake-up was for a request that was answered before.
    None,
}

/// The signals that this process has taken over.
pub struct Signals {
    wake: UnixStream,
    stop: Arc<AtomicBool>,
    report: Arc<AtomicBool>,
}

impl Signals {
    /// Takes over the signals that end a capture or ask for its counters.
    ///
    /// # Errors
    ///
    /// Those of the system calls behind it.
    pub fn new() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let report = Arc::new(AtomicBool::new(false));
        // Actions of a signal run in the order in which they are registered: the flag is set when
        // the byte arrives.
        flag::register(SIGUSR1, Arc::clone(&report))?;
        pipe::register(SIGUSR1, sender.try_clone()?)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // nohup(1) has SIGHUP ignored, and it is to stay so.
            if signal == SIGHUP && is_ignored(SIGHUP) {
                continue;
            }
            flag::register(signal, Arc::clone(&stop))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { wake, stop, report })
    }

    /// Readable when there may be a request.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes the request that woke the process.
    pub fn take(&mut self) -> Request {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(count) if count > 0) {}
        // ORDERING: The flags carry no other data, and the handler runs on this process's threads:
        // relaxed is enough, the socket above orders the byte after the flag.
        if self.stop.load(Ordering::Relaxed) {
            Request::Stop
        } else if self.report.swap(false, Ordering::Relaxed) {
            Request::Report
        } else {
            Request::None
        }
    }
}

/// Whether this process was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?
                .trim();
            u64::from_str_radix(mask, 16).ok()
        })
        .is_some_and(|mask| (mask >> (signal - 1)) & 1 == 1)
}
