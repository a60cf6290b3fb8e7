// SPDX-License-Identifier: GPL-2.0

//! The program that a socket gets decides as the compiled program does on the wire's bytes.

#![allow(missing_docs)]

use std::sync::LazyLock;

use proptest::prelude::*;
use rpsniff::{
    filter::{
        bpf::{self, extension, Assembler, Insn},
        for_socket, vlan, Direction, Error, Program, Selection,
    },
    link::Link,
};

/// A frame as a packet socket's filter sees it.
#[derive(Clone, Debug, Default)]
struct Skb {
    data: Vec<u8>,
    tag: Option<(u16, u16)>,
    protocol: u16,
    pkttype: u8,
    ifindex: u32,
    hatype: u16,
}

impl Skb {
    /// The frame that the kernel makes of what is on the wire: the outermost tag is taken out.
    fn from_wire(wire: &[u8]) -> Self {
        let word = |at: usize| u16::from_be_bytes([wire[at], wire[at + 1]]);
        match wire.len() >= 16 && [0x8100, 0x88a8].contains(&word(12)) {
            false => Self {
                data: wire.to_vec(),
                ..Self::default()
            },
            true => Self {
                data: [&wire[..12], &wire[16..]].concat(),
                tag: Some((word(12), word(14))),
                ..Self::default()
            },
        }
    }

    fn extension(&self, k: u32) -> Option<u32> {
        let is = |number| k == extension(number);
        Some(match k {
            _ if is(libc::SKF_AD_VLAN_TAG_PRESENT) => self.tag.is_some().into(),
            _ if is(libc::SKF_AD_VLAN_TPID) => self.tag.map_or(0, |tag| tag.0).into(),
            _ if is(libc::SKF_AD_VLAN_TAG) => self.tag.map_or(0, |tag| tag.1).into(),
            _ if is(libc::SKF_AD_PROTOCOL) => self.protocol.into(),
            _ if is(libc::SKF_AD_PKTTYPE) => self.pkttype.into(),
            _ if is(libc::SKF_AD_IFINDEX) => self.ifindex,
            _ if is(libc::SKF_AD_HATYPE) => self.hatype.into(),
            _ => return None,
        })
    }

    fn load(&self, k: u32, size: usize) -> Option<u32> {
        if k >= bpf::EXTENSIONS {
            return Some(self.extension(k).expect("an extension that exists"));
        }
        let bytes = self.data.get(k as usize..)?.get(..size)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
        )
    }
}

/// Runs a classic BPF program as `kernel/bpf` and libpcap define it.
fn run(program: &[Insn], skb: &Skb) -> u32 {
    let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; 16]);
    let mut at = 0;
    loop {
        let Insn { code, jt, jf, k } = program[at];
        at += 1;
        let operand = if code & 8 != 0 { x } else { k };
        let size = match code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            _ => 1,
        };
        match code & 7 {
            0 => match code & 0xe0 {
                0x00 => a = k,
                0x20 | 0x40 => {
                    let place = if code & 0xe0 == 0x40 {
                        x.wrapping_add(k)
                    } else {
                        k
                    };
                    match skb.load(place, size) {
                        Some(value) => a = value,
                        None => return 0,
                    }
                }
                0x60 => a = memory[k as usize],
                _ => a = skb.data.len() as u32,
            },
            1 => match code & 0xe0 {
                0x00 => x = k,
                0x60 => x = memory[k as usize],
                0x80 => x = skb.data.len() as u32,
                _ => match skb.load(k, 1) {
                    Some(value) => x = (value & 0xf) * 4,
                    None => return 0,
                },
            },
            2 => memory[k as usize] = a,
            3 => memory[k as usize] = x,
            4 => {
                a = match code & 0xf0 {
                    0x00 => a.wrapping_add(operand),
                    0x10 => a.wrapping_sub(operand),
                    0x20 => a.wrapping_mul(operand),
                    0x40 => a | operand,
                    0x50 => a & operand,
                    0x60 => a.wrapping_shl(operand),
                    0x70 => a.wrapping_shr(operand),
                    0x80 => a.wrapping_neg(),
                    0xa0 => a ^ operand,
                    other => panic!("arithmetic {other:#x}"),
                }
            }
            5 if code == bpf::JA => at += k as usize,
            5 => {
                let holds = match code & 0xf0 {
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    _ => a & operand != 0,
                };
                at += usize::from(if holds { jt } else { jf });
            }
            6 => return if code & 0x18 != 0 { a } else { k },
            _ if code & 0xf8 != 0 => a = x,
            _ => x = a,
        }
    }
}

const SNAPLEN: u32 = 0xfeed;

fn selection(program: Option<&Program>, link: Link) -> Selection<'_> {
    Selection {
        program,
        link,
        snaplen: SNAPLEN,
        direction: Direction::Both,
        loopback: None,
    }
}

/// An expression as libpcap compiled it and as a socket gets it.
struct Pair {
    expression: &'static str,
    compiled: Vec<Insn>,
    moved: Vec<Insn>,
}

/// Compiling takes longer than running: each expression is compiled once.
fn pairs(expressions: &[&'static str], link: Link) -> Vec<Pair> {
    expressions
        .iter()
        .map(|expression| {
            let program = Program::compile(expression, link, true).expect("a valid expression");
            Pair {
                expression,
                compiled: program.instructions().to_vec(),
                moved: for_socket(&selection(Some(&program), link)).expect("one that can be moved"),
            }
        })
        .collect()
}

static VLAN: LazyLock<Vec<Pair>> = LazyLock::new(|| pairs(&VLAN_EXPRESSIONS, Link::Ethernet));

static PLAIN: LazyLock<Vec<Pair>> =
    LazyLock::new(|| pairs(&["ip", "arp", "udp port 53", "greater 64"], Link::Ethernet));

static COOKED: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let expressions = [
        "ip",
        "ip6",
        "arp",
        "udp port 53",
        "ip and greater 64",
        "less 50",
        "ip[0] = 0x45",
        "ifindex 3",
        "not arp",
    ];
    pairs(&expressions, Link::LinuxSll2)
});

fn socket_program(expression: &str, link: Link) -> Result<Vec<Insn>, Error> {
    let program = Program::compile(expression, link, true).expect("a valid expression");
    for_socket(&selection(Some(&program), link))
}

/// Each of these tests the tag, or what is behind it, in another way.
const VLAN_EXPRESSIONS: [&str; 16] = [
    "vlan",
    "vlan 5",
    "not vlan",
    "not vlan 5",
    "vlan and ip",
    "vlan 5 and udp port 53",
    "vlan 5 and tcp[tcpflags] & tcp-syn != 0",
    "vlan and vlan 7",
    "vlan 5 and vlan 7 and ip6",
    "ip or (vlan 5 and ip)",
    "arp or vlan and arp",
    "vlan and greater 70",
    "vlan and less 70",
    "vlan and ether[14:2] & 0xe000 != 0",
    "vlan and ether[12:4] = 0x81000005",
    "vlan and ether[11:4] & 0xff = 0x60 or vlan and ether[15] = 5",
];

/// Ethernet frames with up to two tags around something that filters look at.
fn wire_frames() -> impl Strategy<Value = Vec<u8>> {
    let tag = (
        prop::sample::select(vec![0x8100u16, 0x88a8]),
        prop::sample::select(vec![5u16, 7, 0x6005, 0x1005, 0]),
    );
    let ethertype = prop::sample::select(vec![0x0800u16, 0x86dd, 0x0806, 0x88cc]);
    let payload = (any::<bool>(), any::<bool>(), any::<[u8; 8]>()).prop_map(|(tcp, dns, rest)| {
        let mut ip = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, if tcp { 6 } else { 17 }];
        ip.extend([0; 10]);
        ip.extend([0x12, 0x34, 0, if dns { 53 } else { 80 }]);
        ip.extend([0; 9]);
        ip.push(if tcp { 2 } else { 16 });
        ip.extend(rest);
        ip
    });
    (
        any::<[u8; 12]>(),
        prop::collection::vec(tag, 0..3),
        ethertype,
        payload,
        0usize..40,
        0usize..90,
    )
        .prop_map(|(addresses, tags, ethertype, payload, padding, keep)| {
            let mut wire = addresses.to_vec();
            for (tpid, tci) in tags {
                wire.extend(tpid.to_be_bytes());
                wire.extend(tci.to_be_bytes());
            }
            wire.extend(ethertype.to_be_bytes());
            wire.extend(payload);
            wire.extend(vec![0; padding]);
            // Some frames are cut, so that loads run over their end.
            let keep = if keep < 20 { wire.len() } else { keep.max(14) };
            wire.truncate(keep);
            wire
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn vlan_filters_decide_on_the_socket_as_on_the_wire(wire in wire_frames()) {
        let skb = Skb::from_wire(&wire);
        let plain = Skb { data: wire.clone(), ..Skb::default() };
        for Pair { expression, compiled, moved } in VLAN.iter() {
            let expected = run(compiled, &plain) != 0;
            let decided = run(moved, &skb);
            prop_assert_eq!(decided != 0, expected, "{} on {:02x?}", expression, wire);
            prop_assert!(decided == 0 || decided == SNAPLEN);
        }
    }

    #[test]
    fn filters_without_vlan_see_the_frame_as_the_kernel_has_it(wire in wire_frames()) {
        // As in libpcap: `ip` matches the packet inside a tag that the kernel has taken out.
        let skb = Skb::from_wire(&wire);
        for Pair { expression, compiled, moved } in PLAIN.iter() {
            prop_assert_eq!(run(moved, &skb) != 0, run(compiled, &skb) != 0, "{}", expression);
        }
    }

    #[test]
    fn cooked_filters_decide_on_the_socket_as_on_the_file(
        payload in prop::collection::vec(any::<u8>(), 0..60),
        protocol in prop::sample::select(vec![0x0800u16, 0x86dd, 0x0806, 0x0004]),
        pkttype in 0u8..5,
        ifindex in 0u32..9,
        udp in any::<bool>(),
    ) {
        let mut payload = payload;
        if udp && payload.len() > 24 {
            payload[..10].copy_from_slice(&[0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17]);
            payload[23] = 53;
            payload[22] = 0;
        }
        let skb = Skb { data: payload.clone(), protocol, pkttype, ifindex, hatype: 1, tag: None };
        let mut file = protocol.to_be_bytes().to_vec();
        file.extend([0, 0]);
        file.extend(ifindex.to_be_bytes());
        file.extend([0, 1, pkttype, 6]);
        file.extend([2, 0, 0, 0, 0, 1, 0, 0]);
        file.extend(payload);
        let file = Skb { data: file, ..Skb::default() };
        for Pair { expression, compiled, moved } in COOKED.iter() {
            prop_assert_eq!(run(moved, &skb) != 0, run(compiled, &file) != 0, "{}", expression);
        }
    }
}

#[test]
fn conditional_jumps_reach_any_distance() {
    // `ld #len` is made two instructions for a tagged frame, so that distances grow.
    const LD_IMM: u16 = 0;
    for filler in [0u32, 1, 100, 126, 127, 128, 254, 255, 256, 257, 1500] {
        let mut assembler = Assembler::new();
        let (near, far) = (assembler.label(), assembler.label());
        assembler.plain(bpf::LD_LEN, 0);
        assembler.branch(bpf::JEQ_K, 3, far, near);
        assembler.bind(near);
        for value in 0..filler {
            assembler.plain(LD_IMM, value);
        }
        assembler.plain(bpf::RET_K, 1);
        assembler.bind(far);
        assembler.plain(bpf::RET_K, 2);
        let program = assembler.assemble().unwrap();
        let length = |length| Skb {
            data: vec![0; length],
            ..Skb::default()
        };
        assert_eq!(run(&program, &length(3)), 2, "{filler}");
        assert_eq!(run(&program, &length(4)), 1, "{filler}");
    }
}

#[test]
fn long_filters_on_tags_keep_their_meaning() {
    // Moving a long program makes distances grow past what a conditional jump reaches.
    let list: Vec<String> = (1..40).map(|port| format!("udp port {port}")).collect();
    let expression = format!("vlan and ({})", list.join(" or "));
    let program = Program::compile(&expression, Link::Ethernet, false).unwrap();
    let moved = for_socket(&selection(Some(&program), Link::Ethernet)).unwrap();
    assert!(moved.len() > 2 * program.instructions().len());
    for port in [1u16, 20, 39, 40] {
        let mut wire = vec![0; 12];
        wire.extend([0x81, 0, 0, 5, 8, 0]);
        wire.extend([0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17]);
        wire.extend([0; 10]);
        wire.extend(port.to_be_bytes());
        wire.extend([0; 30]);
        let matches = run(&moved, &Skb::from_wire(&wire)) != 0;
        assert_eq!(matches, port != 40, "{port}");
    }
}

#[test]
fn without_an_expression_all_packets_pass_cut_to_the_snapshot_length() {
    let program = for_socket(&selection(None, Link::Ethernet)).unwrap();
    assert_eq!(run(&program, &Skb::default()), SNAPLEN);
    assert_eq!(program.len(), 1);
}

#[test]
fn direction_and_loopback_are_decided_by_packet_type_and_interface() {
    const LOOPBACK: u32 = 1;
    let decide = |direction, loopback, ifindex, pkttype| {
        let program = for_socket(&Selection {
            direction,
            loopback,
            ..selection(None, Link::Ethernet)
        })
        .unwrap();
        let skb = Skb {
            ifindex,
            pkttype,
            ..Skb::default()
        };
        run(&program, &skb) == SNAPLEN
    };
    let (received, sent) = (libc::PACKET_HOST, libc::PACKET_OUTGOING);
    for loopback in [None, Some(LOOPBACK)] {
        for (direction, wants_received, wants_sent) in [
            (Direction::Both, true, true),
            (Direction::In, true, false),
            (Direction::Out, false, true),
        ] {
            assert_eq!(decide(direction, loopback, 7, received), wants_received);
            assert_eq!(decide(direction, loopback, 7, sent), wants_sent);
            // The sent half of loopback traffic is dropped: the received half is the same packet.
            let both_halves = loopback.is_none();
            assert_eq!(
                decide(direction, loopback, LOOPBACK, received),
                wants_received
            );
            assert_eq!(
                decide(direction, loopback, LOOPBACK, sent),
                wants_sent && both_halves
            );
        }
    }
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let refused = |expression, link| socket_program(expression, link).unwrap_err().to_string();
    let message = refused("vlan and ether[ether[0]] = 1", Link::Ethernet);
    assert!(message.contains("vlan"), "{message}");
    let message = refused("ether[12] = 1", Link::LinuxSll2);
    assert!(message.contains("any"), "{message}");
}

#[test]
fn errors_of_libpcap_are_passed_on() {
    let error = Program::compile("nonsense and", Link::Ethernet, true).unwrap_err();
    assert!(error.to_string().ends_with("syntax error"), "{error}");
    let error = Program::compile("port nonsense", Link::Ethernet, true).unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
}

#[test]
fn the_keyword_vlan_is_found_and_nothing_else() {
    for expression in ["vlan", "not vlan 5", "(vlan)and ip", "ip or\tvlan", "!vlan"] {
        assert!(vlan::is_mentioned(expression), "{expression}");
    }
    for expression in [
        "",
        "host vlan.example",
        "host vlan-gw",
        "host \\vlan",
        "vlans",
    ] {
        assert!(!vlan::is_mentioned(expression), "{expression}");
    }
}

#[test]
fn programs_that_are_too_long_are_refused() {
    let mut assembler = Assembler::new();
    for _ in 0..5000 {
        assembler.plain(bpf::RET_K, 0);
    }
    assert_eq!(assembler.assemble(), Err(bpf::Error::TooLong(5000)));
}

#[test]
fn jumps_to_nowhere_are_refused() {
    let mut assembler = Assembler::new();
    let outside = Insn {
        code: bpf::JEQ_K,
        jt: 200,
        jf: 0,
        k: 0,
    };
    let keep = |assembler: &mut Assembler, insn: Insn| {
        assembler.plain(insn.code, insn.k);
        Ok(())
    };
    assert_eq!(
        assembler.program(&[outside], keep),
        Err(bpf::Error::Malformed)
    );
    let mut assembler = Assembler::new();
    let unbound = assembler.label();
    assembler.goto(unbound);
    assert_eq!(assembler.assemble(), Err(bpf::Error::Malformed));
}
