// SPDX-License-Identifier: GPL-2.0

//! The receive queue: where the frames wait that a program will read one by one.

use super::{
    address::{
        Report,
        MAX_ADDRESS, //
    },
    option::Statistics,
    socket::PacketSocket, //
};
use crate::net::{
    context::BottomHalf,
    packet_type::View,
    skbuff::DropReason,
    sock::Sock, //
};

/// What is noted about a frame in the queue, for the program that will read it.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    /// The length of the frame before the filter cut it off.
    pub(super) length: u32,
    ifindex: i32,
    hatype: u16,
    pkttype: u8,
    halen: u8,
    address: [u8; MAX_ADDRESS],
}

impl Control {
    fn new(sock: &Sock<PacketSocket>, frame: &View<'_>) -> Self {
        let device = frame.device();
        let reported = if sock.origdev.is_on() {
            frame.original_device()
        } else {
            device
        };
        let mut address = [0; MAX_ADDRESS];
        let halen = frame.link_address(&mut address);

        Self {
            length: frame.len(),
            ifindex: reported.ifindex(),
            hatype: device.hardware_type(),
            pkttype: frame.packet_type(),
            halen,
            address,
        }
    }

    /// `PACKET_HOST` and the like.
    pub(super) fn packet_type(&self) -> u8 {
        self.pkttype
    }

    /// The device that the frame is reported for.
    pub(super) fn ifindex(&self) -> i32 {
        self.ifindex
    }

    /// Where the frame came from, as a program reads it. `protocol` is in network byte order.
    pub(super) fn report(&self, protocol: u16) -> Report {
        Report {
            protocol,
            ifindex: self.ifindex,
            hatype: self.hatype,
            pkttype: self.pkttype,
            halen: self.halen,
            address: self.address,
        }
    }
}

/// Queues the first `wanted` bytes of a frame, or drops and counts it.
///
/// A frame is taken as long as the buffer is not full, even if it does not fit, so that a long one
/// is not lost in favour of short ones.
pub(super) fn deliver(
    sock: &Sock<PacketSocket>,
    frame: View<'_>,
    wanted: u32,
    context: &mut BottomHalf<'_>,
) {
    if sock.receive_buffer_full() {
        frame.drop_reason(DropReason::PacketSockError);
        return count_drop(sock, context);
    }

    let control = Control::new(sock, &frame);
    match frame.into_packet(wanted) {
        Ok(packet) => sock.enqueue(packet, control, context, Statistics::count_queued),
        Err(_) => count_drop(sock, context),
    }
}

/// Counts a lost frame: for `PACKET_STATISTICS`, and where the core shows it (`SO_RXQ_OVFL`).
#[cold]
fn count_drop(sock: &Sock<PacketSocket>, context: &mut BottomHalf<'_>) {
    sock.count_drop();
    sock.with_queue(context, Statistics::count_dropped);
}
