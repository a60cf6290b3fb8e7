// SPDX-License-Identifier: GPL-2.0

//! ARP and RARP.

use std::net::Ipv4Addr;

use etherparse::ArpPacketSlice;

use super::{
    hex,
    names::{self, Mac, Table, ETHERTYPES},
    put,
    view::{Truncated, View},
    Line, Printed,
};

const OPERATIONS: &Table = &[
    (1, "Request"),
    (2, "Reply"),
    (3, "Reverse Request"),
    (4, "Reverse Reply"),
    (8, "Inverse Request"),
    (9, "Inverse Reply"),
    (10, "NACK Reply"),
];

/// Hardware type of RFC 2225.
const ATM: u16 = 19;

const HARDWARE: &Table = &[
    (1, "Ethernet"),
    (6, "TokenRing"),
    (7, "ArcNet"),
    (15, "FrameRelay"),
    (23, "Strip"),
    (24, "IEEE 1394"),
    (32, "InfiniBand"),
];

/// An ARP packet.
pub fn print(line: &mut Line<'_>, view: View<'_>) -> Printed {
    line.protocol = "arp";
    let packet = ArpPacketSlice::from_slice(view.bytes()).map_err(|_| Truncated)?;
    if !line.style.ether {
        line.out.push_str("ARP, ");
    }
    let hardware = packet.hw_addr_type().0;
    let protocol = packet.proto_addr_type().0;
    // ARP over ATM has a header of its own.
    if hardware == ATM {
        line.unknown(&view);
        return Ok(());
    }
    let verbose = line.style.verbose > 0;
    let is_ip = protocol == libc::ETH_P_IP as u16 && packet.proto_addr_size() == 4;
    if verbose || !is_ip || packet.hw_addr_size() == 0 {
        match names::find(HARDWARE, hardware) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "Unknown Hardware ({hardware})"),
        }
        put!(line, " (len {}), ", packet.hw_addr_size());
        match names::find(ETHERTYPES, protocol) {
            Some(name) => put!(line, "{name}"),
            None => put!(line, "Unknown Protocol (0x{protocol:04x})"),
        }
        put!(line, " (len {})", packet.proto_addr_size());
        if !verbose {
            put!(line, ", length {}", view.len());
            return Ok(());
        }
        line.out.push_str(", ");
    }
    let operation = packet.operation().0;
    match names::find(OPERATIONS, operation) {
        Some(name) => put!(line, "{name} "),
        None => put!(line, "Unknown ({operation}) "),
    }
    let sender = Mac(packet.sender_hw_addr());
    let target = Mac(packet.target_hw_addr());
    let sender_ip = Protocol::new(protocol, packet.sender_protocol_addr());
    let target_ip = Protocol::new(protocol, packet.target_protocol_addr());
    match operation {
        1 => {
            put!(line, "who-has {target_ip}");
            if target.0.iter().any(|byte| *byte != 0) {
                put!(line, " ({target})");
            }
            put!(line, " tell {sender_ip}");
        }
        2 => put!(line, "{sender_ip} is-at {sender}"),
        3 | 8 => put!(line, "who-is {target} tell {sender}"),
        4 => put!(line, "{target} at {target_ip}"),
        9 => put!(line, "{sender} at {sender_ip}"),
        _ => {
            hex::with_ascii(line.out, view.bytes());
            return Ok(());
        }
    }
    put!(line, ", length {}", view.len());
    Ok(())
}

/// A protocol address, or what is wrong with it.
struct Protocol<'a> {
    kind: u16,
    address: &'a [u8],
}

impl<'a> Protocol<'a> {
    fn new(kind: u16, address: &'a [u8]) -> Self {
        Self { kind, address }
    }
}

impl std::fmt::Display for Protocol<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match <[u8; 4]>::try_from(self.address) {
            _ if self.kind != libc::ETH_P_IP as u16 => f.write_str("<wrong proto type>"),
            Ok(octets) => Ipv4Addr::from(octets).fmt(f),
            Err(_) => f.write_str("<wrong len>"),
        }
    }
}
