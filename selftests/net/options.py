#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
"""Every option of packet sockets: which values, lengths and pointers are taken, which refused."""

import ctypes
import socket
import struct

import packet
import topology
from harness import by_subject, equal, main
from packet import SOCK_DGRAM, SOCK_RAW, errno_of, get_int, get_option, open_socket, set_option
from twin import Injector, probe

SOL_SOCKET = socket.SOL_SOCKET
BAD = ctypes.c_void_p(8)

# What is left out so far, each with a value that AF_PACKET takes.
LATER = {
    "COPY_THRESH": (packet.COPY_THRESH, struct.pack("=i", 1)),
    "VERSION": (packet.VERSION, struct.pack("=i", 1)),
    "RESERVE": (packet.RESERVE, struct.pack("=i", 16)),
    "LOSS": (packet.LOSS, struct.pack("=i", 1)),
    "VNET_HDR": (packet.VNET_HDR, struct.pack("=i", 1)),
    "VNET_HDR_SZ": (packet.VNET_HDR_SZ, struct.pack("=i", 12)),
    "TIMESTAMP": (packet.TIMESTAMP, struct.pack("=i", 0)),
    "TX_HAS_OFF": (packet.TX_HAS_OFF, struct.pack("=i", 1)),
    "QDISC_BYPASS": (packet.QDISC_BYPASS, struct.pack("=i", 1)),
    "RX_RING": (packet.RX_RING, struct.pack("=4I", 4096, 1, 2048, 2)),
    "TX_RING": (packet.TX_RING, struct.pack("=4I", 4096, 1, 2048, 2)),
    "FANOUT": (packet.FANOUT, struct.pack("=i", 1)),
}
WRITE_ONLY = ("RX_RING", "TX_RING")
WHY_LATER = "rings, fanout, virtio headers and their options are not there yet: ENOPROTOOPT"


def test_not_there_yet():
    """An option that is not implemented says so: nothing is accepted and ignored."""
    for name, (option, value) in LATER.items():
        sock = open_socket(SOCK_RAW, packet.PROBE)
        expected = by_subject("0", "ENOPROTOOPT", WHY_LATER)
        equal(errno_of(set_option, sock, option, value), expected, f"set {name}")
        expected = "ENOPROTOOPT" if name in WRITE_ONLY else expected
        equal(errno_of(get_option, sock, option), expected, f"get {name}")
        sock.close()
    sock = open_socket()
    equal(
        errno_of(set_option, sock, packet.FANOUT_DATA, 0),
        by_subject("EINVAL", "ENOPROTOOPT", WHY_LATER),
        "FANOUT_DATA",
    )
    equal(
        errno_of(get_option, sock, packet.ROLLOVER_STATS),
        by_subject("EINVAL", "ENOPROTOOPT", WHY_LATER),
        "ROLLOVER_STATS",
    )
    for version, length in ((0, 32), (1, 32), (2, 48)):
        seen = errno_of(get_option, sock, packet.HDRLEN, prefill=struct.pack("=i", version))
        equal(seen, by_subject("0", "ENOPROTOOPT", WHY_LATER), f"HDRLEN {version}: {length}")


def test_never_there():
    """Numbers that AF_PACKET has no option for, its own two among them; our range is unused."""
    sock = open_socket()
    for option in (0, 3, 4, 16, 25, 26, 63, 64, 65, 127, 128, 255, 65535, -1, 0x7FFFFFFF):
        equal(errno_of(set_option, sock, option, 1), "ENOPROTOOPT", f"set {option}")
        equal(errno_of(set_option, sock, option, b"", 0), "ENOPROTOOPT", f"set {option}, no value")
        equal(errno_of(get_option, sock, option), "ENOPROTOOPT", f"get {option}")
    for option in (packet.ADD_MEMBERSHIP, packet.DROP_MEMBERSHIP):
        equal(errno_of(get_option, sock, option), "ENOPROTOOPT", f"get {option}")
    equal(errno_of(set_option, sock, packet.STATISTICS, 1), "ENOPROTOOPT", "set STATISTICS")
    for level in (0, 6, 17, 25, 41, 262, 264, -1):
        for option in (packet.AUXDATA, packet.STATISTICS, 1):
            equal(
                errno_of(set_option, sock, option, 1, level=level), "ENOPROTOOPT", f"level {level}"
            )
            equal(errno_of(get_option, sock, option, level=level), "ENOPROTOOPT", f"level {level}")


def check_bool(option, exact):
    """An option that stores whether its value is zero; `exact` lengths only, or longer as well."""
    for kind in (SOCK_RAW, SOCK_DGRAM):
        sock = open_socket(kind)
        equal(get_int(sock, option), 0, "default")
        for length in range(4):
            seen = errno_of(set_option, sock, option, 1, length)
            equal(seen, "EINVAL", f"option {option}, length {length}")
        for length in (5, 8, 4096):
            seen = errno_of(
                set_option, sock, option, struct.pack("=i", 1).ljust(4096, b"\0"), length
            )
            equal(seen, "EINVAL" if exact else "0", f"option {option}, length {length}")
        equal(errno_of(set_option, sock, option, BAD, 4), "EFAULT", f"option {option}, pointer")
        equal(errno_of(set_option, sock, option, None, 4), "EFAULT", f"option {option}, NULL")
        equal(errno_of(set_option, sock, option, 1, -1), "EINVAL", f"option {option}, length -1")
        set_option(sock, option, 1)
        equal(get_int(sock, option), 1, f"option {option} on")
        set_option(sock, option, 0)
        equal(get_int(sock, option), 0, f"option {option} off")
        sock.close()


def test_auxdata():
    """PACKET_AUXDATA: any int, four bytes or more."""
    check_bool(packet.AUXDATA, exact=False)
    sock = open_socket()
    for value in (2, -1, 0x100, -0x80000000):
        set_option(sock, packet.AUXDATA, value)
        equal(get_int(sock, packet.AUXDATA), 1, f"value {value}")


def test_origdev():
    """PACKET_ORIGDEV: any int, four bytes or more."""
    check_bool(packet.ORIGDEV, exact=False)
    sock = open_socket()
    for value in (2, -1, 0x100, -0x80000000):
        set_option(sock, packet.ORIGDEV, value)
        equal(get_int(sock, packet.ORIGDEV), 1, f"value {value}")


def test_ignore_outgoing():
    """PACKET_IGNORE_OUTGOING: 0 or 1 in exactly four bytes."""
    check_bool(packet.IGNORE_OUTGOING, exact=True)
    sock = open_socket()
    set_option(sock, packet.IGNORE_OUTGOING, 1)
    for value in (2, -1, 0x100, -0x80000000):
        equal(errno_of(set_option, sock, packet.IGNORE_OUTGOING, value), "EINVAL", f"value {value}")
        equal(get_int(sock, packet.IGNORE_OUTGOING), 1, "unchanged")


def test_membership_arguments():
    """PACKET_ADD and DROP_MEMBERSHIP: lengths, addresses longer than the argument, pointers."""
    sock = open_socket()
    lo = topology.index("lo")
    good = packet.membership(lo, packet.MR_PROMISC).ljust(64, b"\0")
    for option in (packet.ADD_MEMBERSHIP, packet.DROP_MEMBERSHIP):
        for length in (0, 4, 8, 15):
            equal(errno_of(set_option, sock, option, good, length), "EINVAL", f"length {length}")
        for length in (16, 17, 40, 41, 64):
            equal(errno_of(set_option, sock, option, good, length), "0", f"length {length}")
        equal(errno_of(set_option, sock, option, BAD, 16), "EFAULT", "pointer")
        for length, alen, expected in (
            (16, 8, None), (16, 9, "EINVAL"), (40, 32, None), (40, 33, "EINVAL"),
            (64, 33, "EINVAL"), (64, 0xFFFF, "EINVAL"),
        ):  # fmt: skip
            raw = packet.membership(lo, packet.MR_ALLMULTI, alen=alen).ljust(64, b"\0")
            # Beyond the device's six bytes, adding is refused; dropping never is.
            late = "EINVAL" if option == packet.ADD_MEMBERSHIP else "0"
            seen = errno_of(set_option, sock, option, raw, length)
            equal(seen, expected or late, f"length {length}, mr_alen {alen}")


def test_get_lengths():
    """getsockopt() with every length: cut without a word, negative refused, longer corrected."""
    for option, full in (
        (packet.AUXDATA, 4),
        (packet.ORIGDEV, 4),
        (packet.IGNORE_OUTGOING, 4),
        (packet.STATISTICS, 8),
    ):
        sock = open_socket()
        if option != packet.STATISTICS:
            set_option(sock, option, 1)
        whole = get_option(sock, option, full)
        for length in range(full + 9):
            raw = ctypes.create_string_buffer(b"\xa5" * 64, 64)
            told = ctypes.c_int(length)
            packet.call(
                "getsockopt", sock.fileno(), packet.SOL_PACKET, option, raw, ctypes.byref(told)
            )
            cut = min(length, full)
            equal(told.value, cut, f"option {option}: length told for {length}")
            equal(raw.raw, whole[:cut].ljust(64, b"\xa5"), f"option {option}: bytes for {length}")
        for length in (-1, -0x80000000):
            seen = errno_of(get_option, sock, option, given=length)
            equal(seen, "EINVAL", f"option {option}, length {length}")


def test_get_pointers():
    """getsockopt() with bad pointers: EFAULT for the value and for the length."""
    sock = open_socket()
    for option in (packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING, packet.STATISTICS):
        args = ("getsockopt", sock.fileno(), packet.SOL_PACKET, option)
        raw, length = ctypes.create_string_buffer(64), ctypes.c_int(4)
        equal(errno_of(packet.call, *args, BAD, ctypes.byref(length)), "EFAULT", "value")
        equal(errno_of(packet.call, *args, raw, BAD), "EFAULT", "length")
        length = ctypes.c_int(0)
        equal(errno_of(packet.call, *args, BAD, ctypes.byref(length)), "0", "no bytes, no fault")


def test_length_after_error():
    """The length that getsockopt() writes back after a failure is AF_PACKET's."""
    cases = ((packet.AUXDATA, 64, BAD), (999, 12, None), (packet.STATISTICS, -3, None))
    for option, length, value in cases:
        told = []
        for sock in (open_socket(), packet.reference()):
            raw, size = ctypes.create_string_buffer(64), ctypes.c_int(length)
            args = (
                "getsockopt",
                sock.fileno(),
                packet.SOL_PACKET,
                option,
                value or raw,
                ctypes.byref(size),
            )
            told.append((errno_of(packet.call, *args), size.value))
        equal(told[0], told[1], f"option {option}, length {length}")


def test_statistics_faults():
    """Reading PACKET_STATISTICS into a bad pointer clears the counters all the same."""
    pair = topology.Pair()
    sock = open_socket()
    packet.bind(sock, pair.a, packet.PROBE)
    Injector(pair.b, pair.a).send(probe(), probe())
    length = ctypes.c_int(8)
    args = (sock.fileno(), packet.SOL_PACKET, packet.STATISTICS, BAD, ctypes.byref(length))
    equal(errno_of(packet.call, "getsockopt", *args), "EFAULT", "bad pointer")
    equal(packet.statistics(sock), (0, 0), "afterwards")


def test_socket_level():
    """The options of SOL_SOCKET that matter here: the same answer as AF_PACKET gives."""
    wanted = {
        "SO_RCVBUF": (8, 100000), "SO_SNDBUF": (7, 100000), "SO_TIMESTAMP": (29, 1),
        "SO_TIMESTAMPNS": (35, 1), "SO_TIMESTAMPING": (37, 0x5A), "SO_RXQ_OVFL": (40, 1),
        "SO_MARK": (36, 5), "SO_PRIORITY": (12, 6), "SO_RCVMARK": (75, 1),
        "SO_RCVPRIORITY": (82, 1),
        "SO_LOCK_FILTER": (44, 1), "SO_SELECT_ERR_QUEUE": (45, 1), "SO_BUSY_POLL": (46, 50),
        "SO_NOFCS": (43, 1), "SO_ZEROCOPY": (60, 1), "SO_BROADCAST": (6, 1), "SO_REUSEADDR": (2, 1),
        "SO_INCOMING_CPU": (49, 0), "SO_BINDTOIFINDEX": (62, 1), "SO_PEEK_OFF": (42, 0),
        "SO_RCVLOWAT": (18, 100), "SO_SNDBUFFORCE": (32, 9000), "SO_RCVBUFFORCE": (33, 9000),
        "SO_TXREHASH": (74, 1), "SO_RESERVE_MEM": (73, 4096), "SO_PASSCRED": (16, 1),
        "SO_PREFER_BUSY_POLL": (69, 1), "SO_MAX_PACING_RATE": (47, 1000), "SO_KEEPALIVE": (9, 1),
    }  # fmt: skip
    for name, (option, value) in wanted.items():
        seen = []
        for sock in (open_socket(), packet.reference()):
            answer = [errno_of(set_option, sock, option, value, level=SOL_SOCKET)]
            answer.append(errno_of(get_option, sock, option, level=SOL_SOCKET))
            if answer[1] == "0":
                answer.append(get_option(sock, option, level=SOL_SOCKET))
            seen.append(answer)
            sock.close()
        equal(seen[0], seen[1], name)
    sock = open_socket()
    equal(
        errno_of(set_option, sock, packet.SO_ZEROCOPY, 1, level=SOL_SOCKET),
        "EOPNOTSUPP",
        "zerocopy",
    )
    txtime = struct.pack("=iI", 11, 0)
    equal(errno_of(set_option, sock, packet.SO_TXTIME, txtime, level=SOL_SOCKET), "0", "SO_TXTIME")


def test_all_numbers():
    """No option number, with a zero, a one or nothing as its value, hurts or answers oddly."""
    allowed = {"0", "EINVAL", "ENOPROTOOPT", "EFAULT", "ENODEV"}
    sock = open_socket()
    for option in range(-2, 300):
        for value, length in ((0, 4), (1, 4), (b"", 0), (b"\xff" * 512, 512)):
            seen = errno_of(set_option, sock, option, value, length)
            assert seen in allowed, f"set {option}: {seen}"
        for size in (0, 4, 64):
            seen = errno_of(get_option, sock, option, size)
            assert seen in allowed, f"get {option}: {seen}"
        if packet.OURS is False and option == packet.RX_RING:
            sock = open_socket()


if __name__ == "__main__":
    main(globals())
