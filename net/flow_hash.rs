// SPDX-License-Identifier: GPL-2.0

//! What spreads packets: hashes of their flow, the queue of the device, chance.
//!
//! A flow is what has the same addresses and ports. All of it is about received packets, and asked for by
//! who chooses among several receivers.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    net::{
        namespace::Namespace,
        packet_type::Received, //
    },
};
use core::num::NonZeroU32;

impl Received<'_> {
    /// A hash of the flow that is the same in both of its directions. It is computed from the headers, each
    /// time.
    ///
    /// `namespace` is that of the packet's device: it may have a BPF program that finds the headers.
    #[inline]
    pub(crate) fn symmetric_hash(&self, namespace: &Namespace) -> u32 {
        // SAFETY: Both are valid by their invariants. The call only reads the packet.
        unsafe { bindings::__skb_get_hash_symmetric_net(namespace.as_raw(), self.as_raw()) }
    }

    /// A hash of the flow, which the device or an earlier caller has computed, or this one does now.
    #[inline]
    pub(crate) fn flow_hash(&mut self) -> u32 {
        // SAFETY: By its invariant the packet is valid and used by nobody else: the hash is noted in it.
        unsafe { bindings::skb_get_hash(self.as_raw()) }
    }

    /// The queue of the device that the packet came in by, or goes out by.
    #[inline]
    pub(crate) fn queue(&self) -> u16 {
        // SAFETY: By its invariant the packet is valid.
        unsafe { bindings::skb_get_queue_mapping(self.as_raw()) }
    }
}

/// A random number below `limit`. Any context.
#[inline]
pub(crate) fn random_below(limit: NonZeroU32) -> u32 {
    // SAFETY: The limit is not zero, which is all that the call asks for.
    unsafe { bindings::get_random_u32_below(limit.get()) }
}
