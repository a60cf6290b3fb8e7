// SPDX-License-Identifier: GPL-2.0

//! `recvmsg()`: a frame leaves the queue, with all that is known about it.

use super::{
    auxdata::{
        Auxdata,
        Checksum,
        VlanTag, //
    },
    length::Copy,
    option::{
        PACKET_AUXDATA,
        PACKET_TX_TIMESTAMP,
        SOL_PACKET, //
    },
    socket::PacketSocket, //
};
use crate::net::{
    context::Process,
    datagram::Datagram,
    message::Message,
    packet,
    sock::Sock, //
};
use kernel::prelude::*;

const MSG_PEEK: c_int = 0x2;
const MSG_TRUNC: c_int = 0x20;
const MSG_DONTWAIT: c_int = 0x40;
const MSG_ERRQUEUE: c_int = 0x2000;
/// The caller is a program of 32 bits on a kernel of 64.
const MSG_CMSG_COMPAT: c_int = c_int::MIN;

/// The flags that have a meaning here.
const KNOWN_FLAGS: c_int = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_ERRQUEUE | MSG_CMSG_COMPAT;

/// `PACKET_OUTGOING`: a frame that the machine sends.
const PACKET_OUTGOING: u8 = 4;

/// `ETH_P_8021Q` and `ETH_P_8021AD`, the protocols of a VLAN tag.
const VLAN_PROTOCOLS: [u16; 2] = [0x8100, 0x88a8];

/// Hands a frame to the program, or with `MSG_ERRQUEUE` one that it sent, with its timestamp.
///
/// Returns how many bytes were copied, or with `MSG_TRUNC` how many there are. What does not fit is
/// lost. Blocks unless told not to.
///
/// # Errors
///
/// `EINVAL` for an unknown flag; `ENETDOWN` once after the bound device went down; `EAGAIN`,
/// `EINTR`, `EFAULT` as usual.
#[inline(always)]
pub(super) fn recvmsg(
    sock: &Sock<PacketSocket>,
    message: &mut Message<'_>,
    len: usize,
    flags: c_int,
    context: &mut Process<'_>,
) -> Result<usize> {
    if flags & !KNOWN_FLAGS != 0 {
        return Err(EINVAL);
    }
    if flags & MSG_ERRQUEUE != 0 {
        return sock.receive_error(message, len, SOL_PACKET, PACKET_TX_TIMESTAMP, context);
    }

    let frame = sock.receive(flags, context)?;
    let copy = Copy::new(frame.len(), len);
    if copy.truncated {
        message.set_truncated();
    }
    frame.copy_to(message, copy.length, context)?;

    // The order of the control messages is that of AF_PACKET.
    frame.put_controls(message);
    if message.wants_address() {
        let protocol = if sock.datagram {
            frame.inner_protocol()
        } else {
            frame.protocol()
        };
        let source = frame.control().report(protocol.raw());
        let bytes = source.encode();
        message.set_address(bytes.get(..source.source_length()).ok_or(EINVAL)?)?;
    }
    if sock.auxdata.is_on() {
        message.put_control(SOL_PACKET, PACKET_AUXDATA, &auxdata(sock, &frame).encode());
    }

    Ok(usize::try_from(
        copy.returned(frame.len(), flags & MSG_TRUNC != 0),
    )?)
}

/// What `PACKET_AUXDATA` tells about a frame.
fn auxdata(sock: &Sock<PacketSocket>, frame: &Datagram<'_, PacketSocket>) -> Auxdata {
    let control = frame.control();
    let checksum = match frame.checksum() {
        packet::Checksum::Partial => Checksum::NotReady,
        // What a checksum is worth in a frame that the machine itself sends is not for the reader.
        packet::Checksum::Valid if control.packet_type() != PACKET_OUTGOING => Checksum::Valid,
        _ => Checksum::Unknown,
    };

    Auxdata {
        length: control.length,
        kept: frame.len(),
        // CAST: The field has 16 bits; a header that lies further in does not exist.
        network_offset: frame.network_offset() as u16,
        checksum,
        gso_tcp: frame.is_gso_tcp(),
        vlan: vlan_tag(sock, frame),
    }
}

/// The VLAN tag of a frame that is not in the data that the program gets.
fn vlan_tag(sock: &Sock<PacketSocket>, frame: &Datagram<'_, PacketSocket>) -> Option<VlanTag> {
    if let Some(packet::VlanTag { tci, tpid }) = frame.vlan_tag() {
        return Some(VlanTag { tci, tpid });
    }

    // The tag is still in the frame, and the data of a `SOCK_DGRAM` socket begins after it.
    let tpid = frame.protocol().to_host();
    if !sock.datagram || !VLAN_PROTOCOLS.contains(&tpid) {
        return None;
    }
    let device = sock.namespace().device(frame.control().ifindex())?;
    Some(VlanTag {
        tci: frame.vlan_tci_in_header(&device),
        tpid,
    })
}
