// SPDX-License-Identifier: GPL-2.0

//! Frames that the tests print, save and cut.

#![allow(dead_code, missing_docs, reason = "each test uses a part of it")]

use std::{fs::File, io::BufWriter, path::Path, time::Duration};

use etherparse::{IpNumber, PacketBuilder, PacketBuilderStep, TcpHeader, TcpOptionElement};
use pcap_file::{
    pcap::{PcapHeader, PcapPacket, PcapWriter},
    DataLink, TsResolution,
};

pub const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const B: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ALL: [u8; 6] = [0xff; 6];
const V4_A: [u8; 4] = [192, 0, 2, 1];
const V4_B: [u8; 4] = [192, 0, 2, 2];
const V6_A: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const V6_B: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 1];
const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// An Ethernet frame with the EtherType or length `kind`.
pub fn ethernet(destination: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&destination[..], &A, &kind.to_be_bytes(), payload].concat()
}

pub fn tagged(tags: &[(u16, u16)], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [B, A].concat();
    for (tpid, tci) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

fn arp(operation: u8, target: [u8; 6]) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
    packet.extend(A);
    packet.extend(V4_A);
    packet.extend(target);
    packet.extend(V4_B);
    packet
}

fn tcp4(payload: &[u8], set: impl Fn(Tcp) -> Tcp) -> Vec<u8> {
    let step = PacketBuilder::ethernet2(A, B)
        .ipv4(V4_A, V4_B, 64)
        .tcp(40000, 8000, 1000, 64240);
    let mut frame = Vec::new();
    set(step).write(&mut frame, payload).unwrap();
    frame
}

type Tcp = PacketBuilderStep<TcpHeader>;

fn answer4(payload: &[u8], set: impl Fn(Tcp) -> Tcp) -> Vec<u8> {
    let step = PacketBuilder::ethernet2(B, A)
        .ipv4(V4_B, V4_A, 64)
        .tcp(8000, 40000, 5000, 65160);
    let mut frame = Vec::new();
    set(step).write(&mut frame, payload).unwrap();
    frame
}

fn tcp6(payload: &[u8], set: impl Fn(Tcp) -> Tcp) -> Vec<u8> {
    let step = PacketBuilder::ethernet2(A, B)
        .ipv6(V6_A, V6_B, 64)
        .tcp(40000, 8000, 1000, 64240);
    let mut frame = Vec::new();
    set(step).write(&mut frame, payload).unwrap();
    frame
}

pub fn udp4(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(V4_A, V4_B, 64)
        .udp(source, destination)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn udp6(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv6(V6_A, V6_B, 64)
        .udp(source, destination)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(V4_A, V4_B, 64)
        .write(&mut frame, IpNumber(protocol), payload)
        .unwrap();
    frame
}

fn ip6(source: [u8; 16], destination: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 255]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    ethernet(B, 0x86dd, &packet)
}

/// A sum over an ICMP message with a zero in its field, put there.
fn icmp4(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let sum = etherparse::checksum::Sum16BitWords::new()
        .add_slice(&message)
        .ones_complement();
    message[2..4].copy_from_slice(&sum.to_ne_bytes());
    ip4(1, &message)
}

fn icmp6(kind: u8, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, code, 0, 0], body].concat();
    let sum = etherparse::checksum::Sum16BitWords::new()
        .add_16bytes(LINK_LOCAL)
        .add_16bytes(ALL_NODES)
        .add_4bytes((message.len() as u32).to_be_bytes())
        .add_2bytes([0, 58])
        .add_slice(&message)
        .ones_complement();
    message[2..4].copy_from_slice(&sum.to_ne_bytes());
    ip6(LINK_LOCAL, ALL_NODES, 58, &message)
}

/// The IPv4 packet in a frame, as an error message quotes it.
fn quoted(frame: &[u8]) -> &[u8] {
    &frame[14..]
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn dns(id: u16, flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend(flags.to_be_bytes());
    for count in counts {
        message.extend(count.to_be_bytes());
    }
    message.extend(body);
    message
}

fn question(text: &str, kind: u16) -> Vec<u8> {
    [&name(text)[..], &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A record of the name at the first question.
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 1, 44]);
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn dns_frames() -> Vec<Vec<u8>> {
    let q = |kind| question("www.example.com", kind);
    let answer = |id, kind, records: &[Vec<u8>]| {
        let body = [&q(kind)[..], &records.concat()].concat();
        udp4(
            53,
            40001,
            &dns(id, 0x8180, [1, records.len() as u16, 0, 0], &body),
        )
    };
    let opt = [0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0];
    let cookie = [
        0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8,
    ];
    let with_opt = |opt: &[u8]| [&q(28)[..], opt].concat();
    let over_tcp = |message: &[u8]| {
        let mut frame = Vec::new();
        let data = [&(message.len() as u16).to_be_bytes()[..], message].concat();
        PacketBuilder::ethernet2(A, B)
            .ipv4(V4_A, V4_B, 64)
            .tcp(40002, 53, 1, 512)
            .psh()
            .ack(1)
            .write(&mut frame, &data)
            .unwrap();
        frame
    };
    let mut soa = name("ns.example.com");
    soa.extend(name("admin.example.com"));
    soa.extend([0; 20]);
    vec![
        udp4(40001, 53, &dns(4660, 0x0100, [1, 0, 0, 0], &q(1))),
        udp4(40001, 53, &dns(4661, 0x0120, [1, 0, 0, 1], &with_opt(&opt))),
        udp6(
            40001,
            53,
            &dns(4662, 0x0110, [1, 0, 0, 1], &with_opt(&cookie)),
        ),
        answer(
            4660,
            1,
            &[record(5, &name("web.example.com")), record(1, &V4_A)],
        ),
        answer(4661, 28, &[record(28, &V6_A), record(28, &V6_B)]),
        answer(
            4663,
            15,
            &[record(15, &[&[0, 10][..], &[0xc0, 12]].concat())],
        ),
        answer(4664, 16, &[record(16, b"\x03one\x05t\x01\xffwo")]),
        answer(
            4665,
            33,
            &[record(
                33,
                &[&[0, 1, 0, 2, 0x13, 0x88][..], &name("s.example")].concat(),
            )],
        ),
        answer(4666, 6, &[record(6, &soa)]),
        answer(4667, 65, &[record(65, &[0, 1, 0])]),
        answer(4668, 12, &[record(12, &name("a.b.c.d.e.f"))]),
        udp4(
            53,
            40001,
            &dns(
                4669,
                0x8183,
                [1, 0, 1, 0],
                &[&q(1)[..], &record(6, &soa)].concat(),
            ),
        ),
        udp4(53, 40001, &dns(4670, 0x8582, [1, 0, 0, 1], &with_opt(&opt))),
        udp4(
            5353,
            5353,
            &dns(0, 0, [1, 0, 0, 0], &question("_http._tcp.local", 12)),
        ),
        udp4(
            5353,
            5353,
            &dns(
                0,
                0x8400,
                [0, 1, 0, 0],
                &[
                    &name("h.local")[..],
                    &[0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 1],
                ]
                .concat(),
            ),
        ),
        over_tcp(&dns(4671, 0x0100, [1, 0, 0, 0], &q(252))),
        // A name that points to itself, one that points ahead, and a message that ends early.
        udp4(
            40001,
            53,
            &dns(1, 0x0100, [1, 0, 0, 0], &[0xc0, 12, 0, 1, 0, 1]),
        ),
        udp4(
            40001,
            53,
            &dns(1, 0x0100, [1, 0, 0, 0], &[1, b'a', 0xc0, 200, 0, 1, 0, 1]),
        ),
        udp4(40001, 53, &dns(1, 0x0100, [9, 0, 0, 0], &q(1))),
        udp4(40001, 53, &[1, 2, 3]),
    ]
}

fn tcp_frames() -> Vec<Vec<u8>> {
    use TcpOptionElement::{
        MaximumSegmentSize, Noop, SelectiveAcknowledgement, SelectiveAcknowledgementPermitted,
        Timestamp, WindowScale,
    };
    let syn = [
        MaximumSegmentSize(1460),
        SelectiveAcknowledgementPermitted,
        Timestamp(100, 0),
        Noop,
        WindowScale(7),
    ];
    let stamp = [Noop, Noop, Timestamp(101, 200)];
    let sack = [
        Noop,
        Noop,
        SelectiveAcknowledgement((5101, 5201), [Some((5301, 5401)), None, None]),
    ];
    vec![
        tcp4(b"", |tcp| tcp.syn().options(&syn).unwrap()),
        answer4(b"", |tcp| tcp.syn().ack(1001).options(&syn).unwrap()),
        tcp4(b"", |tcp| tcp.ack(5001).options(&stamp).unwrap()),
        tcp4(b"GET it\r\n", |tcp| tcp.psh().ack(5001)),
        answer4(&[7; 100], |tcp| tcp.psh().ack(1009)),
        tcp4(b"", |tcp| tcp.ack(5001).options(&sack).unwrap()),
        tcp4(b"", |tcp| tcp.fin().ack(5101)),
        answer4(b"", |tcp| tcp.rst()),
        tcp4(b"u", |tcp| tcp.urg(1).ece().cwr().ack(5102)),
        tcp4(b"", |tcp| tcp.options_raw(&[34, 2, 1, 1]).unwrap().syn()),
        tcp4(b"", |tcp| {
            tcp.options_raw(&[77, 6, 1, 2, 3, 4, 0, 0]).unwrap().syn()
        }),
        tcp4(b"", |tcp| tcp.options_raw(&[1, 2, 9, 0]).unwrap().syn()),
        tcp4(b"", |tcp| tcp.options_raw(&[2, 1, 0, 0]).unwrap().syn()),
        tcp6(b"", |tcp| tcp.syn().options(&syn).unwrap()),
        tcp6(b"six", |tcp| tcp.psh().ack(1)),
    ]
}

fn icmp_frames() -> Vec<Vec<u8>> {
    let udp = udp4(1000, 2000, &[0; 8]);
    let error =
        |kind, code, rest: [u8; 4]| icmp4(&[&[kind, code, 0, 0][..], &rest, quoted(&udp)].concat());
    let target = &V6_B[..];
    let quoted6 = &udp6(1000, 2000, &[0; 8])[14..].to_vec();
    let mut frames = vec![
        icmp4(&[8, 0, 0, 0, 1, 2, 0, 1, 9, 9, 9]),
        icmp4(&[0, 0, 0, 0, 1, 2, 0, 1, 9, 9, 9]),
        icmp4(&[13, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0]),
        icmp4(&[14, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 1, 2, 3, 6]),
        icmp4(&[17, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0]),
        icmp4(&[18, 0, 0, 0, 0, 1, 0, 2, 255, 255, 255, 0]),
        icmp4(&[9, 0, 0, 0, 1, 2, 7, 8, 192, 0, 2, 9, 0, 0, 0, 5]),
        icmp4(&[42, 0, 0, 0]),
        error(5, 1, [192, 0, 2, 254]),
        error(11, 0, [0; 4]),
        error(12, 0, [9, 0, 0, 0]),
        error(4, 0, [0; 4]),
        ip4(1, &[8, 0, 0xab, 0xcd, 1, 2, 0, 1]),
        icmp6(1, 4, &[&[0, 0, 0, 0], &quoted6[..]].concat()),
        icmp6(1, 0, &[&[0, 0, 0, 0], &quoted6[..]].concat()),
        icmp6(2, 0, &[&[0, 0, 5, 0], &quoted6[..]].concat()),
        icmp6(3, 0, &[&[0, 0, 0, 0], &quoted6[..]].concat()),
        icmp6(4, 1, &[&[0, 0, 0, 6], &quoted6[..]].concat()),
        icmp6(128, 0, &[1, 2, 0, 1, 5]),
        icmp6(129, 0, &[1, 2, 0, 1, 5]),
        icmp6(130, 0, &[&[0, 100, 0, 0][..], &ALL_NODES].concat()),
        icmp6(
            130,
            0,
            &[&[0, 100, 0, 0][..], &ALL_NODES, &[2, 125, 0, 0]].concat(),
        ),
        icmp6(131, 0, &[&[0, 0, 0, 0][..], &ALL_NODES].concat()),
        icmp6(133, 0, &[0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1]),
        icmp6(
            134,
            0,
            &[
                &[
                    64, 0x40, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 0, 5, 220,
                ][..],
                &[3, 4, 64, 0xc0, 0, 0, 1, 0, 255, 255, 255, 255, 0, 0, 0, 0],
                target,
            ]
            .concat(),
        ),
        icmp6(
            135,
            0,
            &[&[0, 0, 0, 0], target, &[1, 1, 2, 0, 0, 0, 0, 1]].concat(),
        ),
        icmp6(
            136,
            0,
            &[&[0x60, 0, 0, 0], target, &[2, 1, 2, 0, 0, 0, 0, 2]].concat(),
        ),
        icmp6(137, 0, &[&[0, 0, 0, 0], target, target].concat()),
        icmp6(
            143,
            0,
            &[&[0, 0, 0, 1, 4, 0, 0, 0][..], &ALL_NODES].concat(),
        ),
        icmp6(200, 0, &[1, 2, 3, 4]),
    ];
    for code in 0..17 {
        frames.push(error(3, code, [0, 0, 5, 220]));
    }
    frames
}

fn ip_frames() -> Vec<Vec<u8>> {
    let echo = [128, 0, 0, 0, 1, 2, 0, 1];
    let udp = [0x03, 0xe8, 0x07, 0xd0, 0, 12, 0, 0, 1, 2, 3, 4];
    let with_header = |change: &dyn Fn(&mut [u8])| {
        let mut frame = udp4(1000, 2000, &[0; 8]);
        change(&mut frame[14..]);
        frame
    };
    let routing = [&[17u8, 2, 0, 1, 0, 0, 0, 0][..], &V6_B, &udp].concat();
    vec![
        udp4(1000, 2000, b"hello"),
        udp6(1000, 2000, b"hello"),
        // Padding behind the packet, a length beyond it, a length of 0, a bad header.
        [&udp4(1, 2, b"")[..], &[0; 18]].concat(),
        with_header(&|ip| ip[3] = 200),
        with_header(&|ip| ip[2..4].copy_from_slice(&[0, 0])),
        with_header(&|ip| ip[3] = 10),
        with_header(&|ip| ip[0] = 0x44),
        with_header(&|ip| ip[0] = 0x65),
        // Fragments, and a UDP length that is too small and too large.
        with_header(&|ip| ip[6] = 0x20),
        with_header(&|ip| ip[7] = 0x64),
        with_header(&|ip| ip[24..26].copy_from_slice(&[0, 4])),
        with_header(&|ip| ip[24..26].copy_from_slice(&[1, 0])),
        with_header(&|ip| ip[1] = 0x03),
        ethernet(
            B,
            0x0800,
            &[
                0x46, 0, 0, 28, 0, 1, 0, 0, 64, 2, 0, 0, 192, 0, 2, 1, 224, 0, 0, 22, 148, 4, 0, 0,
                0x11, 0, 0, 0,
            ],
        ),
        ip4(2, &[0x16, 0, 0x09, 0xfd, 224, 0, 0, 251]),
        ip4(
            2,
            &[0x22, 0, 0xf9, 2, 0, 0, 0, 1, 4, 0, 0, 0, 224, 0, 0, 251],
        ),
        ip4(2, &[0x11, 100, 0xee, 0x9b, 0, 0, 0, 0]),
        ip4(4, quoted(&udp4(1000, 2000, b"inner"))),
        ip4(41, &udp6(1000, 2000, b"inner")[14..]),
        ip4(99, &[1, 2, 3]),
        ip6(V6_A, V6_B, 59, &[]),
        ip6(V6_A, V6_B, 99, &[1, 2, 3]),
        ip6(
            V6_A,
            V6_B,
            0,
            &[&[17, 0, 1, 4, 0, 0, 0, 0][..], &udp].concat(),
        ),
        ip6(
            V6_A,
            V6_B,
            0,
            &[&[58, 0, 5, 2, 0, 0, 1, 0][..], &echo].concat(),
        ),
        ip6(
            V6_A,
            V6_B,
            60,
            &[&[17, 0, 1, 4, 0, 0, 0, 0][..], &udp].concat(),
        ),
        ip6(V6_A, V6_B, 43, &routing),
        ip6(
            V6_A,
            V6_B,
            44,
            &[&[17, 0, 0, 1, 0, 0, 0, 7][..], &udp].concat(),
        ),
        ip6(
            V6_A,
            V6_B,
            44,
            &[&[17, 0, 0, 9, 0, 0, 0, 7][..], &udp].concat(),
        ),
        ip6(
            [0; 16],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1],
            17,
            &udp,
        ),
        ip6(V6_A, V6_B, 0, &[17, 5]),
        ethernet(B, 0x86dd, &[0x60, 0, 0]),
        ethernet(B, 0x86dd, &[0x50; 40]),
    ]
}

fn link_frames() -> Vec<Vec<u8>> {
    let udp = &udp4(1000, 2000, b"hello")[14..].to_vec();
    let llc = |header: &[u8], rest: &[u8]| {
        let payload = [header, rest].concat();
        ethernet(B, payload.len() as u16, &payload)
    };
    let padded = |frame: &[u8]| [frame, &[0; 20]].concat();
    vec![
        ethernet(ALL, 0x0806, &arp(1, [0; 6])),
        ethernet(ALL, 0x0806, &arp(1, B)),
        ethernet(A, 0x0806, &arp(2, B)),
        ethernet(ALL, 0x8035, &arp(3, A)),
        ethernet(ALL, 0x8035, &arp(4, A)),
        ethernet(ALL, 0x0806, &arp(8, B)),
        ethernet(ALL, 0x0806, &arp(9, B)),
        ethernet(ALL, 0x0806, &arp(77, B)),
        ethernet(ALL, 0x0806, &padded(&arp(1, [0; 6]))),
        ethernet(ALL, 0x0806, &[0, 1, 8, 0, 6, 16, 0, 1, 1, 2, 3]),
        ethernet(
            ALL,
            0x0806,
            &[&[0, 6, 0x86, 0xdd, 2, 2, 0, 1][..], &[5; 8]].concat(),
        ),
        tagged(&[(0x8100, 0x6005)], 0x0800, udp),
        tagged(&[(0x8100, 0x1fff)], 0x0806, &arp(1, [0; 6])),
        tagged(&[(0x88a8, 7), (0x8100, 5)], 0x0800, udp),
        tagged(&[(0x8100, 5)], 0x88b5, b"local"),
        tagged(&[(0x8100, 5)], 6, &[0x7e, 0x7e, 3, 1, 2, 3]),
        tagged(&[(0x8100, 5)], 0x8100, &[0, 1]),
        ethernet(B, 0x88b5, b"experimental"),
        ethernet(B, 0x9000, &[0, 0, 1, 0, 0, 0])[..13].to_vec(),
        llc(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], udp),
        llc(&[0xaa, 0xaa, 3, 0, 0, 0, 0x88, 0xb5], b"local"),
        llc(&[0xaa, 0xaa, 3, 0, 2, 0xb3, 0, 1], b"vendor"),
        llc(&[6, 6, 3], udp),
        llc(&[4, 8, 3], b"sna"),
        llc(&[4, 5, 0x7f], b""),
        llc(&[4, 4, 0xaf], &[0x81, 1, 0]),
        llc(&[4, 4, 0xe3], b"test"),
        llc(&[8, 8, 0x01, 0x05], b""),
        llc(&[8, 9, 0x09, 0x04], b""),
        llc(&[8, 8, 0x04, 0x06], b"information"),
        llc(&[8, 8], b""),
        padded(&llc(&[8, 8, 3], b"padded")),
    ]
}

/// Protocols of which only a summary is printed.
pub fn summary_frames() -> Vec<Vec<u8>> {
    let dhcp = |operation, hardware| {
        let mut message = vec![operation, hardware, 6, 0];
        message.extend([0; 24]);
        message.extend(A);
        message.extend([0; 202]);
        message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
        message
    };
    let ntp = |first| [&[first, 2, 6, 0xe9][..], &[0; 44]].concat();
    vec![
        udp4(68, 67, &dhcp(1, 1)),
        udp4(67, 68, &dhcp(2, 1)),
        udp4(68, 67, &dhcp(1, 6)),
        udp4(68, 67, &dhcp(9, 1)),
        udp4(68, 67, &dhcp(1, 1)[..20]),
        udp4(123, 123, &ntp(0x23)),
        udp4(123, 40000, &ntp(0x1c)),
        udp4(123, 123, &ntp(0xe6)),
        udp4(123, 123, &[]),
    ]
}

/// Everything that has a printer, well formed and not.
pub fn corpus() -> Vec<Vec<u8>> {
    [
        link_frames(),
        ip_frames(),
        icmp_frames(),
        tcp_frames(),
        dns_frames(),
    ]
    .concat()
}

/// Puts frames into a pcap file, each cut to `snaplen` bytes.
pub fn write_pcap(path: &Path, link: DataLink, frames: &[Vec<u8>], snaplen: usize) {
    let header = PcapHeader {
        snaplen: 262_144,
        datalink: link,
        ts_resolution: TsResolution::NanoSecond,
        ..PcapHeader::default()
    };
    let file = BufWriter::new(File::create(path).unwrap());
    let mut writer = PcapWriter::with_header(file, header).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        let data = &frame[..frame.len().min(snaplen)];
        let time = Duration::new(1_700_000_000 + index as u64, index as u32 * 1_001_001);
        writer
            .write_packet(&PcapPacket::new(time, frame.len() as u32, data))
            .unwrap();
    }
}
