// SPDX-License-Identifier: GPL-2.0

//! Live capture on a packet socket, of this project's family or of the kernel's own.
//!
//! A socket is made with protocol 0, so that nothing is delivered to it, gets its filter and its
//! options, and only then is bound to all protocols of the interface: no packet that the filter
//! would refuse, and none of another interface, is ever queued.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{poll, PollFd, PollFlags},
    net::{netdevice, socket_with, AddressFamily, SocketFlags, SocketType},
};
use thiserror::Error;

use crate::{
    family::Family,
    filter::{self, Direction, Program, Selection},
    frame::{Frame, PacketType, Timestamp},
    link::{Link, SLL2_LEN},
    stats::Counters,
    sys,
};

pub mod message;

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

/// Room in front of each packet: for a VLAN tag to be put back, or for a cooked header.
const HEADROOM: usize = SLL2_LEN;

/// How long the removal of an interface may take after it has gone down.
const REMOVAL: Duration = Duration::from_millis(200);

/// Bytes of queued packets that the socket asks for if the user does not say, as much as libpcap's
/// default ring.
const DEFAULT_BUFFER: usize = 2 << 20;

/// Why a live capture could not start or had to end.
#[derive(Debug, Error)]
pub enum Error {
    /// `EPERM` or `EACCES` for a packet socket.
    #[error(
        "{interface}: you don't have permission to capture: CAP_NET_RAW is needed in the user \
         namespace of the network (run as root, or `setcap cap_net_raw+ep` this program)"
    )]
    Permission {
        /// The interface.
        interface: String,
    },
    /// `EAFNOSUPPORT` for our family.
    #[error(
        "socket family {0} is not there: load af_rpacket.ko; if it was loaded with another number, \
         name that by --family rpacket:NUMBER; or use --family packet"
    )]
    NoFamily(u16),
    /// `EAFNOSUPPORT` for the kernel's own family.
    #[error("this kernel has no packet sockets (CONFIG_PACKET): use --family rpacket")]
    NoPacket,
    /// No interface of the name.
    #[error("{0}: no such device exists: rpsniff -D lists the interfaces")]
    NoDevice(String),
    /// No interface was named and none is suitable.
    #[error("no interface to capture on is up: name one with -i (rpsniff -D lists them)")]
    NoDefault,
    /// The interface was down when the capture began.
    #[error("{0}: that device is not up")]
    NotUp(String),
    /// The interface went down during the capture.
    #[error("{0}: the interface went down")]
    WentDown(String),
    /// The interface was removed during the capture.
    #[error("{0}: the interface disappeared")]
    Disappeared(String),
    /// The filter cannot be used.
    #[error(transparent)]
    Filter(#[from] filter::Error),
    /// The kernel took the filter for invalid.
    #[error("the kernel refused the filter: {0}")]
    FilterRefused(#[source] io::Error),
    /// Another failure of a system call.
    #[error("{interface}: {call}: {source}")]
    System {
        /// The interface.
        interface: String,
        /// The call that failed.
        call: &'static str,
        /// Its errno.
        source: io::Error,
    },
}

/// What to capture, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The socket family.
    pub family: Family,
    /// The interface, or [`ANY`]; the first that is up if none is named.
    pub interface: Option<String>,
    /// Bytes of each packet that are kept.
    pub snaplen: u32,
    /// Whether to see packets for others.
    pub promiscuous: bool,
    /// Which way packets go.
    pub direction: Direction,
    /// Bytes of queued packets, if the user said so.
    pub buffer: Option<usize>,
    /// The filter expression, empty for all packets.
    pub expression: String,
    /// Whether libpcap optimizes the filter.
    pub optimize: bool,
}

/// A packet socket that has an interface but delivers nothing yet.
pub struct Prepared {
    socket: OwnedFd,
    interface: String,
    ifindex: u32,
    link: Link,
    program: Option<Program>,
    loopback: Option<u32>,
}

/// A running capture.
pub struct Live {
    socket: OwnedFd,
    interface: String,
    ifindex: u32,
    link: Link,
    snaplen: u32,
    batch: sys::Batch,
    counters: Counters,
}

/// What woke a waiting capture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// There are packets, or an error is pending.
    Packets,
    /// The other descriptor is readable.
    Signal,
}

impl Prepared {
    /// Opens a socket, finds the interface and compiles the filter for it.
    ///
    /// # Errors
    ///
    /// As [`Error`] lists them.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let wanted = options.interface.as_deref();
        // A cooked socket can be told from the link type only, which takes a socket to ask.
        let control = open(options.family, SocketType::RAW, wanted.unwrap_or("socket"))?;
        let interface = match wanted {
            Some(name) => name.to_owned(),
            None => default_interface(control.as_fd()).ok_or(Error::NoDefault)?,
        };
        let failed = |call| {
            let interface = interface.clone();
            move |source| Error::System {
                interface,
                call,
                source,
            }
        };
        let (ifindex, link, is_loopback) = if interface == ANY {
            (0, Link::LinuxSll2, true)
        } else {
            let ifindex = netdevice::name_to_index(&control, &interface)
                .map_err(|_| Error::NoDevice(interface.clone()))?;
            let arphrd = sys::interface_type(control.as_fd(), &interface)
                .map_err(failed("SIOCGIFHWADDR"))?;
            let flags = sys::interface_flags(control.as_fd(), &interface)
                .map_err(failed("SIOCGIFFLAGS"))?;
            if flags & libc::IFF_UP == 0 {
                return Err(Error::NotUp(interface));
            }
            (
                ifindex,
                Link::of_interface(arphrd),
                flags & libc::IFF_LOOPBACK != 0,
            )
        };
        let loopback = match (is_loopback, ifindex) {
            (false, _) => None,
            (true, 0) => loopback_index(control.as_fd()),
            (true, index) => Some(index),
        };
        let socket = match link {
            Link::LinuxSll2 => open(options.family, SocketType::DGRAM, &interface)?,
            _ => control,
        };
        let program = if options.expression.is_empty() {
            None
        } else {
            Some(Program::compile(
                &options.expression,
                link,
                options.optimize,
            )?)
        };
        Ok(Self {
            socket,
            interface,
            ifindex,
            link,
            program,
            loopback,
        })
    }

    /// The link type of the capture.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The filter as it will be attached to the socket.
    ///
    /// # Errors
    ///
    /// [`Error::Filter`].
    pub fn socket_filter(&self, options: &Options) -> Result<Vec<filter::bpf::Insn>, Error> {
        Ok(filter::for_socket(&Selection {
            program: self.program.as_ref(),
            link: self.link,
            snaplen: options.snaplen,
            direction: options.direction,
            loopback: self.loopback,
        })?)
    }

    /// Attaches the filter, sets the options, and lets packets in.
    ///
    /// # Errors
    ///
    /// As [`Error`] lists them.
    pub fn start(self, options: &Options) -> Result<Live, Error> {
        let program: Vec<libc::sock_filter> = self
            .socket_filter(options)?
            .iter()
            .map(|insn| libc::sock_filter {
                code: insn.code,
                jt: insn.jt,
                jf: insn.jf,
                k: insn.k,
            })
            .collect();
        let socket = self.socket.as_fd();
        sys::attach_filter(socket, &program).map_err(Error::FilterRefused)?;

        let failed = |call| {
            let interface = self.interface.clone();
            move |source| Error::System {
                interface,
                call,
                source,
            }
        };
        sys::set_int(socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)
            .map_err(failed("PACKET_AUXDATA"))?;
        sys::set_int(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
            .map_err(failed("SO_TIMESTAMPNS"))?;
        set_buffer(socket, options.buffer.unwrap_or(DEFAULT_BUFFER))
            .map_err(failed("SO_RCVBUF"))?;
        let ifindex = self.ifindex as i32;
        if options.promiscuous && ifindex != 0 {
            sys::join_promiscuous(socket, ifindex).map_err(failed("PACKET_ADD_MEMBERSHIP"))?;
        }
        sys::bind(socket, ifindex, libc::ETH_P_ALL as u16).map_err(|source| {
            match source.raw_os_error() {
                Some(libc::ENODEV) => Error::NoDevice(self.interface.clone()),
                _ => failed("bind")(source),
            }
        })?;
        // Binding to an interface that is down succeeds and leaves the error to be fetched.
        sys::pending_error(socket).map_err(|source| match source.raw_os_error() {
            Some(libc::ENETDOWN) => Error::NotUp(self.interface.clone()),
            _ => failed("bind")(source),
        })?;

        Ok(Live {
            batch: sys::Batch::new(HEADROOM, options.snaplen as usize),
            socket: self.socket,
            interface: self.interface,
            ifindex: self.ifindex,
            link: self.link,
            snaplen: options.snaplen,
            counters: Counters::default(),
        })
    }
}

impl Live {
    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The link type.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Waits until there is a packet or `other` is readable.
    ///
    /// # Errors
    ///
    /// The errno of `poll(2)`.
    pub fn wait(&self, other: BorrowedFd<'_>) -> Result<Event, Error> {
        let mut set = [
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::from_borrowed_fd(other, PollFlags::IN),
        ];
        loop {
            match poll(&mut set, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(self.failed("poll", errno.into())),
            }
        }
        let [_, other] = set;
        Ok(if other.revents().is_empty() {
            Event::Packets
        } else {
            Event::Signal
        })
    }

    /// Receives up to `max` packets that are there and returns how many; [`Live::frame`] has them.
    ///
    /// # Errors
    ///
    /// [`Error::WentDown`] and [`Error::Disappeared`] when the interface does, else the errno of
    /// `recvmmsg(2)`.
    pub fn receive(&mut self, max: u64) -> Result<usize, Error> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        match self.batch.receive(self.socket.as_fd(), max) {
            Ok(count) => Ok(count),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EINTR) => Ok(0),
                Some(libc::ENETDOWN) => Err(self.gone()),
                _ => Err(self.failed("recvmmsg", error)),
            },
        }
    }

    /// The packet in slot `index` of the last [`Live::receive`].
    pub fn frame(&mut self, index: usize) -> Option<Frame<'_>> {
        let message = self.batch.message(index)?;
        let info = message::Info::parse(message.control);
        let name = message.name;
        let original = info.original_len.unwrap_or(message.length as u32);
        let (start, added) = match self.link {
            Link::LinuxSll2 => {
                message::cooked_header(message.buffer, &name);
                (HEADROOM - SLL2_LEN, SLL2_LEN)
            }
            Link::Ethernet => match info.vlan {
                Some(tag) => message::insert_tag(message.buffer, HEADROOM, tag),
                None => (HEADROOM, 0),
            },
            _ => (HEADROOM, 0),
        };
        let data = message.buffer.get(start..)?;
        let data = data.get(..self.snaplen as usize).unwrap_or(data);
        Some(Frame {
            time: info.time.unwrap_or_else(Timestamp::now),
            wire_len: original.saturating_add(added as u32).max(data.len() as u32),
            data,
            packet_type: Some(PacketType::from(name.sll_pkttype)),
        })
    }

    /// The counters of the capture so far.
    ///
    /// # Errors
    ///
    /// The errno of `getsockopt(2)`.
    pub fn counters(&mut self) -> Result<Counters, Error> {
        let (packets, drops) = sys::take_statistics(self.socket.as_fd())
            .map_err(|source| self.failed("PACKET_STATISTICS", source))?;
        // Reading clears them in the kernel.
        self.counters.received += u64::from(packets);
        self.counters.dropped += u64::from(drops);
        Ok(self.counters)
    }

    fn gone(&self) -> Error {
        let exists =
            || self.ifindex == 0 || netdevice::index_to_name(&self.socket, self.ifindex).is_ok();
        // An interface that is removed goes down first: look again for a moment.
        let deadline = Instant::now() + REMOVAL;
        while exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let exists = exists();
        let interface = self.interface.clone();
        if exists {
            Error::WentDown(interface)
        } else {
            Error::Disappeared(interface)
        }
    }

    fn failed(&self, call: &'static str, source: io::Error) -> Error {
        Error::System {
            interface: self.interface.clone(),
            call,
            source,
        }
    }
}

/// Opens a socket that delivers nothing, because its protocol is 0.
fn open(family: Family, kind: SocketType, interface: &str) -> Result<OwnedFd, Error> {
    let number = family.number();
    socket_with(
        AddressFamily::from_raw(number),
        kind,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )
    .map_err(|errno| match errno.raw_os_error() {
        libc::EPERM | libc::EACCES => Error::Permission {
            interface: interface.to_owned(),
        },
        libc::EAFNOSUPPORT if family == Family::Packet => Error::NoPacket,
        libc::EAFNOSUPPORT => Error::NoFamily(number),
        _ => Error::System {
            interface: interface.to_owned(),
            call: "socket",
            source: errno.into(),
        },
    })
}

/// Sets the size of the receive queue, past the system's limit if this process may.
fn set_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    // The kernel doubles the value for its own overhead.
    let half = i32::try_from(bytes / 2).unwrap_or(i32::MAX / 2);
    sys::set_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, half)
        .or_else(|_| sys::set_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, half))
}

/// The first interface that is up and not the loopback, else the loopback, if it is up.
fn default_interface(socket: BorrowedFd<'_>) -> Option<String> {
    let mut list = sys::interfaces().ok()?;
    list.sort();
    let up = |name: &str| -> Option<bool> {
        let flags = sys::interface_flags(socket, name).ok()?;
        (flags & libc::IFF_UP != 0).then_some(flags & libc::IFF_LOOPBACK != 0)
    };
    [false, true].into_iter().find_map(|loopback| {
        list.iter()
            .find(|(_, name)| up(name) == Some(loopback))
            .map(|(_, name)| name.clone())
    })
}

fn loopback_index(socket: BorrowedFd<'_>) -> Option<u32> {
    sys::interfaces()
        .ok()?
        .into_iter()
        .find(|(_, name)| {
            sys::interface_flags(socket, name).is_ok_and(|flags| flags & libc::IFF_LOOPBACK != 0)
        })
        .map(|(index, _)| index)
}
