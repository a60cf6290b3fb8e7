#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
"""Transmit time stamps: SO_TIMESTAMPING, the error queue, and who is woken by it."""

import os
import select
import socket
import struct
import time

import packet
import topology
from harness import equal, main, need_module
from packet import MSG_ERRQUEUE, PROBE, SOCK_DGRAM, SOCK_RAW, bind, errno_of, open_socket
from topology import MAC_A, MAC_B, Pair
from twin import probe

TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID = 1 << 1, 1 << 3, 1 << 4, 1 << 7
TX_SCHED, OPT_CMSG, OPT_TSONLY = 1 << 8, 1 << 10, 1 << 11
STAMP_SENT, STAMP_SCHEDULED = 0, 1
ENOMSG, ORIGIN_TIMESTAMPING = 42, 4
SOL_SOCKET, SCM_TS_OPT_ID = socket.SOL_SOCKET, 81


def stamp(sock, **more):
    """One entry of the error queue: (data, kind, key, seconds since 1970, message flags)."""
    got = packet.receive(sock, flags=MSG_ERRQUEUE, **more)
    times = struct.unpack("=6q", got.cmsg(SOL_SOCKET, packet.SO_TIMESTAMPING))
    error = got.cmsg(packet.SOL_PACKET, packet.TX_TIMESTAMP)
    number, origin, kind, code, pad, info, data = struct.unpack_from("=IBBBBII", error)
    equal(
        (number, origin, kind, code, pad), (ENOMSG, ORIGIN_TIMESTAMPING, 0, 0, 0), "extended error"
    )
    assert got.flags & MSG_ERRQUEUE, "MSG_ERRQUEUE in msg_flags"
    return got.data, info, data, times[0] + times[1] / 1e9, got.flags


def setting(flags, kind=SOCK_RAW):
    """A bound socket that wants these stamps."""
    pair = Pair()
    sock = open_socket(kind)
    bind(sock, pair.a, PROBE)
    packet.set_option(sock, packet.SO_TIMESTAMPING, flags, level=SOL_SOCKET)
    return pair, sock


def test_software_stamp():
    """A stamped frame comes back on the error queue, with the time at which it left."""
    pair, sock = setting(TX_SOFTWARE | SOFTWARE)
    frame = probe(MAC_B, b"stamped", src=MAC_A)
    before = time.time()
    packet.send(sock, frame)
    data, kind, key, when, _ = stamp(sock)
    equal((data, kind, key), (frame, STAMP_SENT, 0), "frame, kind, key")
    assert before - 0.01 <= when <= time.time() + 0.01, f"time {when}, sent at {before}"
    equal(errno_of(packet.receive, sock, flags=MSG_ERRQUEUE), "EAGAIN", "one stamp for one frame")
    equal(errno_of(packet.receive, sock, flags=packet.MSG_DONTWAIT), "EAGAIN", "no ordinary data")
    equal(packet.get_int(sock, socket.SO_ERROR, SOL_SOCKET), 0, "a stamp is no error")
    packet.set_option(sock, packet.SO_TIMESTAMPING, 0, level=SOL_SOCKET)
    packet.send(sock, frame)
    equal(errno_of(packet.receive, sock, flags=MSG_ERRQUEUE), "EAGAIN", "switched off")
    del pair


def test_dgram():
    """DGRAM: the frame comes back with the header that was built for it."""
    pair, sock = setting(TX_SOFTWARE | SOFTWARE, SOCK_DGRAM)
    packet.send(sock, b"d" * 46, packet.address(pair.a, PROBE, MAC_B))
    equal(stamp(sock)[0], packet.ethernet(MAC_B, MAC_A, PROBE, b"d" * 46), "frame")


def test_keys():
    """OPT_ID numbers the frames; TSONLY leaves out their data."""
    _, sock = setting(TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY)
    for _ in range(5):
        packet.send(sock, probe(MAC_B))
    stamps = [stamp(sock) for _ in range(5)]
    equal([key for _, _, key, _, _ in stamps], [0, 1, 2, 3, 4], "keys")
    equal({data for data, *_ in stamps}, {b""}, "data")
    whens = [when for *_, when, _ in stamps]
    equal(whens, sorted(whens), "times in order")
    key = packet.cmsg(SOL_SOCKET, SCM_TS_OPT_ID, struct.pack("=I", 4711))
    packet.send(sock, probe(MAC_B), None, key)
    equal(stamp(sock)[2], 4711, "a key of the sender's choice")


def test_keys_of_frames_that_are_refused():
    """What is found too long at the last check has had its number."""
    pair = Pair()
    keys = []
    for opener in (open_socket, packet.reference):
        with opener(SOCK_RAW) as sock:
            bind(sock, pair.a, PROBE)
            flags = TX_SOFTWARE | SOFTWARE | OPT_ID | OPT_TSONLY
            packet.set_option(sock, packet.SO_TIMESTAMPING, flags, level=SOL_SOCKET)
            packet.send(sock, probe(MAC_B))
            # Four bytes more than the MTU allows, and no tag in them.
            equal(errno_of(packet.send, sock, probe(MAC_B, bytes(1504))), "EMSGSIZE", "too long")
            packet.send(sock, probe(MAC_B))
            keys.append([stamp(sock)[2] for _ in range(2)])
    equal(keys, [[0, 2], [0, 2]], "keys of ours and of AF_PACKET")


def test_per_message():
    """A control message asks for the stamp of one frame; the socket only says what to report."""
    _, sock = setting(SOFTWARE)
    packet.send(sock, probe(MAC_B))
    equal(errno_of(packet.receive, sock, flags=MSG_ERRQUEUE), "EAGAIN", "not asked for")
    wish = packet.cmsg(SOL_SOCKET, packet.SO_TIMESTAMPING, struct.pack("=I", TX_SOFTWARE))
    packet.send(sock, probe(MAC_B, b"this"), None, wish)
    equal(stamp(sock)[0][14:18], b"this", "frame")
    both = packet.cmsg(
        SOL_SOCKET, packet.SO_TIMESTAMPING, struct.pack("=I", TX_SOFTWARE | TX_SCHED)
    )
    packet.send(sock, probe(MAC_B), None, both)
    equal(
        [stamp(sock)[1] for _ in range(2)], [STAMP_SCHEDULED, STAMP_SENT], "two stamps of a frame"
    )


def test_reading():
    """The error queue with short buffers: data cut with MSG_TRUNC, control with MSG_CTRUNC."""
    _, sock = setting(TX_SOFTWARE | SOFTWARE)
    theirs = packet.reference()
    bind(theirs, topology.index("va"), PROBE)
    packet.set_option(theirs, packet.SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE, level=SOL_SOCKET)
    for size, control in ((0, 512), (10, 512), (60, 512), (60, 16), (60, 64), (60, 100), (60, 0)):
        seen = []
        for each in (sock, theirs):
            packet.send(each, probe(MAC_B))
            got = packet.receive(each, size, MSG_ERRQUEUE, control=control)
            kinds = [(level, kind, len(data)) for level, kind, data in got.cmsgs]
            seen.append((got.count, got.data, got.flags, kinds, len(got.name)))
        equal(seen[0], seen[1], f"buffer of {size}, control of {control}")
    packet.send(sock, probe(MAC_B))
    equal(len(packet.receive(sock, 10, MSG_ERRQUEUE).data), 10, "cut data")


def test_poll():
    """A waiting stamp is POLLERR, and POLLPRI with SO_SELECT_ERR_QUEUE; a sleeper wakes up."""
    _, sock = setting(TX_SOFTWARE | SOFTWARE)
    poller = select.poll()
    poller.register(sock, select.POLLPRI)
    equal(poller.poll(0), [], "idle")
    packet.send(sock, probe(MAC_B))
    equal([events for _, events in poller.poll(1000)], [select.POLLERR], "POLLERR")
    packet.set_option(sock, packet.SO_SELECT_ERR_QUEUE, 1, level=SOL_SOCKET)
    equal([e for _, e in poller.poll(0)], [select.POLLERR | select.POLLPRI], "and POLLPRI")
    stamp(sock)
    equal(poller.poll(0), [], "after reading it")


def test_closing_with_stamps():
    """A socket is closed with stamps unread, and while frames it sent are still held by a queue."""
    need_module("sch_tbf")
    pair, sock = setting(TX_SOFTWARE | TX_SCHED | SOFTWARE)
    for _ in range(20):
        packet.send(sock, probe(MAC_B))
    sock.close()
    assert os.system("tc qdisc add dev va root tbf rate 8bit burst 2000 limit 1000000") == 0
    late = open_socket()
    bind(late, pair.a, PROBE)
    packet.set_option(late, packet.SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE, level=SOL_SOCKET)
    for _ in range(10):
        packet.send(late, probe(MAC_B, bytes(1000)))
    late.close()
    topology.ip("link del va")


if __name__ == "__main__":
    main(globals())
