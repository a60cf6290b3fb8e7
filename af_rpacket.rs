// SPDX-License-Identifier: GPL-2.0

//! Packet sockets: an address family that gives programs the frames of network devices, and takes
//! frames from them, as AF_PACKET does.
//!
//! A program that uses AF_PACKET only has to pass another number to `socket()`. The way of a frame
//! is the order of this table; each file begins with what it is about.
//!
//! | file | what |
//! |---|---|
//! | [`family`](packet::family) | which number the family has, and which addresses it accepts |
//! | [`socket`](packet::socket) | a socket: its state, its life, the system calls on it |
//! | `binding`, `state` | which device and protocol it is bound to, and where its hook is |
//! | `hook` | a frame arrives, and the filter looks at it |
//! | `queue` | it waits for the program |
//! | `recv`, `auxdata` | the program gets it, and all that is known about it |
//! | `send` | the program sends one |
//! | `sockopt`, `option` | the options of a socket |
//! | `membership` | what devices are to receive beyond what is meant for them |
//! | `address`, `length` | the address of a frame, and how long one may be |

#![deny(unsafe_code)]

use kernel::prelude::*;
use net::socket::Registration;
use packet::{
    family::Number,
    socket::PacketSocket, //
};

mod bindings;
mod ext;
#[cfg(any(CONFIG_KUNIT = "y", clippy))]
#[allow(unsafe_code)]
#[path = "net/mapping_kunit.rs"]
mod mapping_kunit;
mod net;
#[path = "af_rpacket/mod.rs"]
mod packet;
#[cfg(any(CONFIG_KUNIT = "y", clippy))]
#[allow(unsafe_code)]
#[path = "ext/published_kunit.rs"]
mod published_kunit;
#[cfg(any(CONFIG_KUNIT = "y", clippy))]
#[allow(unsafe_code)]
#[path = "net/shared_memory_kunit.rs"]
mod shared_memory_kunit;
#[cfg(any(CONFIG_KUNIT = "y", clippy))]
#[allow(unsafe_code)]
#[path = "net/socket_kunit.rs"]
mod socket_kunit;
#[cfg(any(CONFIG_KUNIT = "y", clippy))]
#[allow(unsafe_code)]
#[path = "ext/timer_kunit.rs"]
mod timer_kunit;

module! {
    type: Module,
    name: "af_rpacket",
    authors: ["The rtl8139_rs and af_rpacket founders"],
    description: "Packet socket family",
    license: "GPL",
    alias: ["net-pf-25"],
    params: {
        family: i32 {
            default: 25,
            description: "Number of the address family, 1 to 45",
        },
    },
}

/// The module: a registered family. Dropped, the family is gone.
struct Module {
    _family: Registration<PacketSocket>,
}

impl kernel::Module for Module {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let wanted = module_parameters::family.value();
        let Ok(number) = Number::new(wanted) else {
            pr_err!("family={wanted} is not a number from 1 to 45\n");
            return Err(EINVAL);
        };

        let registered = Registration::new(module, c_int::from(number.number()));
        if registered.as_ref().is_err_and(|error| *error == EEXIST) {
            pr_err!("address family {wanted} is taken, choose another one by family=\n");
        }
        Ok(Self {
            _family: registered?,
        })
    }
}
