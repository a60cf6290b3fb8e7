# SPDX-License-Identifier: GPL-2.0
"""Frames as short literals: (destination, what follows the addresses in hexadecimal, length, virtio header).

The destination is a place in `WHOM`; the frame is filled up to its length with a pattern, or cut off there.
"""

import struct

import packet
import topology

MAC_C, MAC_D = bytes.fromhex("02000000000c"), bytes.fromhex("02000000000d")
WHOM = (
    topology.MAC_A,
    topology.MAC_BROADCAST,
    topology.MAC_MULTICAST,
    topology.MAC_STRANGER,
    MAC_C,
    topology.MAC_B,
)
PATTERN = bytes((number * 7 + 3) & 0xFF for number in range(256)) * 300
# Beginnings of frames: ethertypes of nobody, of everybody, tags, 802.3 forms.
HEADS = (
    "88b5",
    "88b5",
    "88b5",
    "88b6",
    "0806",
    "0800450000",
    "86dd60",
    "0600",
    "ffff",
    "0000",
    "8100000788b5",
    "8100e12388b5",
    "88a8000988b5",
    "88a800098100000788b5",
    "810000",
    "8100000781000008",
    "0026424203",
    "0026aaaa0300000088b5",
    "002effff",
    "0001e0",
    "05dc4242",
    "8100000700264242",
)
# A whole IPv4 packet of UDP, whose checksum a virtio header may leave to others.
UDP = "08004500003c000040004011b6620a0000010a000002123456780028" + "0000"
TCP = "080045000440000040004006b2690a0000010a00000212345678" + "00000001000000025018ffff00000000"
VNET = (
    (1, 0, 0, 0, 34, 6),  # NEEDS_CSUM
    (2, 0, 0, 0, 0, 0),  # DATA_VALID
    (1, 1, 54, 500, 34, 16),  # TCPv4
    (0, 0, 0, 0, 0, 0),
    (1, 0, 0, 0, 9000, 6),  # Beyond the end.
    (0, 7, 0, 0, 0, 0),  # No such type.
)


def frame_of(spec, source=topology.MAC_B):
    """The bytes of a frame."""
    whom, head, length, *_ = spec
    raw = WHOM[whom % len(WHOM)] + source + bytes.fromhex(head)
    return (raw + PATTERN[: max(length - len(raw), 0)])[:length]


def vnet_of(fields):
    """struct virtio_net_hdr."""
    return struct.pack("=BBHHHH", *fields)


def draw_length(rng, mtu=1500):
    """A frame's length: around what is special, or any."""
    if rng.random() < 0.5:
        return rng.choice(
            (
                0,
                1,
                13,
                14,
                15,
                17,
                18,
                19,
                59,
                60,
                61,
                300,
                mtu - 1,
                mtu,
                mtu + 13,
                mtu + 14,
                mtu + 15,
                mtu + 17,
                mtu + 18,
                mtu + 19,
                mtu + 22,
                9000,
                65535,
                70000,
            )
        )
    return rng.randrange(14, 200)


def draw_frame(rng, length=None):
    """One that is to arrive: it has at least an Ethernet header."""
    if length is None:
        length = rng.choice((60, 60, 60, 14, 15, 18, 64, 100, 300, 1499, 1514, 1518))
    spec = (rng.randrange(len(WHOM)), rng.choice(HEADS), length)
    return spec


def draw_offloaded(rng):
    """A frame with a virtio header."""
    header = rng.choice(VNET)
    head = TCP if header[1] == 1 else UDP
    return (0, head, 14 + 60 if head == UDP else 14 + 1088, header)


def draw_address(rng, indexes, own=25):
    """(bytes, length) of a struct sockaddr_ll that is mostly well-formed."""
    index = rng.choice(indexes)
    protocol = rng.choice(
        (0, 0, packet.PROBE, packet.PROBE, 3, 3, 3, 3, packet.OTHER, 0x0800, 0x8100, 1, 4, 0xFFFF)
    )
    family = 17 if rng.random() < 0.95 else rng.choice((0, 2, 16, 18, own))
    addr = rng.choice((b"", topology.MAC_B, topology.MAC_BROADCAST, topology.MAC_MULTICAST))
    halen = len(addr) if rng.random() < 0.9 else rng.choice((0, 1, 5, 7, 8, 9, 20, 32, 255))
    raw = packet.address(index, protocol, addr, family=family, halen=halen, pkttype=rng.choice((0, 0, 4, 9)))
    length = (
        max(20, 12 + len(addr))
        if rng.random() < 0.8
        else rng.choice((0, 1, 2, 11, 12, 16, 17, 18, 19, 21, 32, 44, 127, 128, 129, -1))
    )
    return raw, length


def draw_control(rng):
    """Control messages for sending, some with wrong lengths."""
    raw = b""
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        level, kind = rng.choice(
            (
                (1, packet.SO_MARK),
                (1, packet.SO_PRIORITY),
                (1, packet.SO_TIMESTAMPING),
                (1, packet.SCM_TXTIME),
                (1, 81),
                (263, 1),
                (0, 1),
                (1, 999),
            )
        )
        size = 8 if kind == packet.SCM_TXTIME else 4
        value = rng.choice((0, 1, 2, 6, 8, 16, 0x1B, 255, 1 << 31))
        data = value.to_bytes(8, "little")[: size if rng.random() < 0.9 else rng.choice((0, 1, 3, 8))]
        raw += packet.cmsg(level, kind, data)
    if raw and rng.random() < 0.1:
        raw = raw[: rng.randrange(len(raw))]
    return raw
