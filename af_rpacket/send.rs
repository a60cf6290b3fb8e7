// SPDX-License-Identifier: GPL-2.0

//! `sendmsg()`: a frame of the program goes to the device.

use super::{
    address::Destination,
    binding,
    length::Limits,
    socket::PacketSocket, //
};
use crate::net::{
    context::Process,
    message::Message,
    packet::Be16,
    sock::Sock,
    transmit::{
        Cookie,
        Space, //
    },
};
use kernel::prelude::*;

/// `ETH_P_ALL`, which stands for every protocol and is none.
const ETH_P_ALL: u16 = 3;

/// Sends a frame, complete with its link layer header (`SOCK_RAW`), or a packet that gets one
/// (`SOCK_DGRAM`), to the address of the message or to the device that the socket is bound to.
///
/// Returns the length of the frame as the program gave it.
///
/// # Errors
///
/// In this order: `EINVAL` for an address that is too short; `ENXIO` without a device; `ENETDOWN`
/// if it is down; what is wrong with the control messages; `EPROTONOSUPPORT` if the program brings
/// the frame check sequence and the device does not take it; `EMSGSIZE` for a frame that is too
/// long; `ENOBUFS` or `EAGAIN` without room; `EINVAL` without a valid header; `EFAULT`; `EMSGSIZE`
/// if only a VLAN tag would have made the frame fit; `ENOBUFS` if it was dropped on its way.
#[inline(always)]
pub(super) fn sendmsg(
    sock: &Sock<PacketSocket>,
    message: &mut Message<'_>,
    len: usize,
    context: &mut Process<'_>,
) -> Result<usize> {
    let raw = !sock.datagram;
    let destination = match message.address() {
        Some(address) => Some(Destination::parse(address.bytes())?),
        None => None,
    };
    let (protocol, device) = match &destination {
        Some(destination) => (
            destination.protocol,
            sock.namespace().device(destination.ifindex),
        ),
        None => binding::target(sock, context),
    };
    if let (false, Some(destination), Some(device)) = (raw, &destination, &device) {
        destination.check_address(usize::from(device.addr_len()))?;
    }
    let device = device.ok_or(ENXIO)?;
    if !device.is_up() {
        return Err(ENETDOWN);
    }

    let mut cookie = Cookie::new(sock);
    cookie.read_control(sock, message)?;

    let header_len = device.hard_header_len();
    let own_fcs = sock.no_fcs();
    if own_fcs && !device.supports_no_fcs() {
        return Err(EPROTONOSUPPORT);
    }
    let limits = Limits {
        mtu: usize::try_from(device.mtu())?,
        hard_header: usize::from(header_len),
        min_header: usize::from(device.min_header_len()),
        raw,
        own_fcs,
    };
    let fit = limits.fit(len)?;

    // `fit` has bounded the length by an MTU, which has 32 bits, and a header.
    let length = u32::try_from(len).map_err(|_| EMSGSIZE)?;
    let space = Space {
        headroom: device.reserved_headroom(header_len),
        tailroom: u32::from(device.needed_tailroom()),
        linear: u32::from(header_len),
        len: length,
    };
    let mut packet = sock.allocate(device, space, message.dont_wait(), context)?;
    if raw {
        packet.shift(u32::from(header_len))?;
        if limits.is_ambiguous(len) {
            packet.reset_network_header();
        }
    } else {
        let address = destination.as_ref().map(|to| to.address.as_slice());
        packet.build_header(Be16::from_raw(protocol), address, length)?;
    }
    let mut frame = packet.fill(message, context)?;

    if frame.len() == 0 || (raw && !frame.has_valid_header()) {
        return Err(EINVAL);
    }
    // A header that was built may have set a protocol, which `ETH_P_ALL` leaves alone.
    let protocol = (protocol != ETH_P_ALL.to_be()).then_some(Be16::from_raw(protocol));
    // Before the last check, which a frame that counts for `SOF_TIMESTAMPING_OPT_ID` may fail.
    frame.prepare(sock, &cookie, protocol, own_fcs);
    fit.check(|| frame.is_vlan_frame())?;
    frame.parse_headers(raw);
    frame.transmit(context)?;
    Ok(len)
}
