// SPDX-License-Identifier: GPL-2.0

//! Socket filters: a BPF program decides how much of a packet a socket gets.
//!
//! The core attaches and detaches them (`SO_ATTACH_FILTER`, `SO_ATTACH_BPF`); the family only runs
//! what is there.
//!
//! C header: [`include/linux/filter.h`](srctree/include/linux/filter.h)

use crate::{
    bindings,
    net::{
        packet_type::View,
        sock::{
            Protocol,
            Sock, //
        },
    },
};

impl View<'_> {
    /// How many bytes of the packet, as this view shows it, the socket wants: the answer of its
    /// filter, at most the length of the packet. `None` if it does not want the packet.
    ///
    /// Without a filter it wants all that can be read: memory of a device that the CPU cannot read
    /// (`skb_frags_readable()`) is left out. A packet of no bytes is wanted only if a filter says so.
    #[inline]
    pub(crate) fn filter<T: Protocol>(&mut self, sock: &Sock<T>) -> Option<u32> {
        let mut wanted = 0;
        // SAFETY: Packet and socket are valid by their invariants. The filter may write to the control
        // block of the packet, which the caller of a hook does not rely on.
        unsafe { bindings::packet_filter(self.as_raw(), sock.as_raw(), &mut wanted) }
            .then_some(wanted)
    }
}
