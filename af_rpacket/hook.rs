// SPDX-License-Identifier: GPL-2.0

//! The receive hook: a frame arrives, or leaves, and the socket may want it.
//!
//! The core lends each frame to all that have a hook for it, so it is shared, and most of what
//! arrives is not wanted. Hence the filter runs on the frame as it is, and only what it lets
//! through is cloned. The data of the frame has to begin where the program expects it meanwhile:
//! [`View`](crate::net::packet_type::View) moves it and puts it back.

use super::{
    queue,
    socket::PacketSocket, //
};
use crate::net::{
    context::BottomHalf,
    packet_type::{
        Handler,
        Layer,
        Received, //
    },
    sock::Sock, //
};

impl Handler for PacketSocket {
    #[inline(always)]
    fn receive(sock: &Sock<Self>, frame: Received<'_>, context: &mut BottomHalf<'_>) {
        let layer = if sock.datagram {
            Layer::Network
        } else {
            Layer::Link
        };
        let Some(mut view) = frame.view(layer) else {
            return;
        };
        // What the filter does not want is not lost, and not counted.
        if let Some(wanted) = view.filter(sock) {
            queue::deliver(sock, view, wanted, context);
        }
    }
}
