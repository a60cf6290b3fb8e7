#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 300
"""recvmsg() and its relatives: flags, buffers of every size, addresses, control messages."""

import ctypes
import os
import signal
import socket
import struct
import threading
import time

import bpf
import packet
import topology
from harness import by_subject, equal, main
from packet import ETH_P_ALL, PROBE, SOCK_DGRAM, SOCK_RAW, bind, errno_of, open_socket, receive
from topology import MAC_A, MAC_B, Pair
from twin import Injector, Twins, drain, probe, steady_timestamps, vlan

SOL_SOCKET = socket.SOL_SOCKET
BAD = ctypes.c_void_p(8)


def setting(kind=SOCK_RAW, protocol=PROBE, options=()):
    """Twin sockets at va, and an injector at vb."""
    pair = Pair()
    return pair, Twins(kind, protocol, pair.a, options), Injector(pair.b, pair.a)


def test_peek():
    """MSG_PEEK shows the first frame any number of times, with all that belongs to it."""
    _, twins, injector = setting(options=[(packet.AUXDATA, 1)])
    injector.send(probe(payload=b"1"), probe(payload=b"2"))
    for sock in twins.both:
        views = [receive(sock, flags=flags) for flags in (packet.MSG_PEEK, packet.MSG_PEEK, 0)]
        lengths = [view.auxdata.len for view in views]
        for view in views:
            equal((view.data, view.name), (views[0].data, views[0].name), "peek")
            equal(view.auxdata[2:], views[0].auxdata[2:], "auxdata")
        if sock is twins.ours:
            # AF_PACKET keeps the length where the address goes, so a second look finds sll_family.
            broken = by_subject(True, False, "tp_len is right after MSG_PEEK, too")
            equal(
                lengths,
                [60, *[17 | socket.htons(PROBE) << 16] * 2] if broken else [60] * 3,
                "tp_len",
            )
        equal(receive(sock).data[14:15], b"2", "the next one")
    seen = errno_of(packet.set_option, twins.ours, packet.SO_PEEK_OFF, 0, level=SOL_SOCKET)
    equal(seen, "EOPNOTSUPP", "SO_PEEK_OFF")


def test_lengths():
    """Every buffer length: what is copied, what is returned with and without MSG_TRUNC."""
    _, twins, injector = setting()
    frame = probe(payload=bytes(range(86)))
    for size in (0, 1, 13, 99, 100, 101, 4096):
        for flags in (0, packet.MSG_TRUNC, packet.MSG_TRUNC | packet.MSG_PEEK):
            injector.send(frame)
            for sock in twins.both:
                got = receive(sock, size, flags)
                equal(got.data, frame[:size], f"data at size {size}")
                expected = 100 if flags else min(size, 100)
                equal(got.count, expected, f"count at size {size}, flags {flags:#x}")
                cut = packet.MSG_TRUNC if size < 100 else 0
                equal(got.flags & packet.MSG_TRUNC, cut, f"msg_flags at size {size}")
                drain(sock)


def test_flags():
    """Each single flag bit gets the answer that AF_PACKET gives; the unknown get EINVAL."""
    _, twins, injector = setting()
    for bit in range(32):
        flags = ctypes.c_int(1 << bit)
        injector.send(probe())
        seen, expected = (errno_of(receive, sock, 100, flags) for sock in twins.both)
        equal(seen, expected, f"flag {1 << bit:#x}")
        if 1 << bit in (packet.MSG_PEEK, packet.MSG_TRUNC, packet.MSG_DONTWAIT):
            equal(seen, "0", f"flag {1 << bit:#x}")
        if 1 << bit in (packet.MSG_OOB, packet.MSG_WAITALL):
            equal(seen, "EINVAL", f"flag {1 << bit:#x}")
        for sock in twins.both:
            drain(sock)
    for sock in twins.both:
        seen = errno_of(receive, sock, flags=packet.MSG_ERRQUEUE | packet.MSG_OOB)
        equal(seen, "EINVAL", "MSG_ERRQUEUE with an unknown flag")
        equal(errno_of(receive, sock, flags=packet.MSG_ERRQUEUE), "EAGAIN", "empty error queue")


def test_waiting():
    """Without data: MSG_DONTWAIT fails, SO_RCVTIMEO ends the wait, a frame wakes the sleeper."""
    _, twins, injector = setting()
    sock = twins.ours
    equal(errno_of(receive, sock, flags=packet.MSG_DONTWAIT), "EAGAIN", "MSG_DONTWAIT")
    os.set_blocking(sock.fileno(), False)
    equal(errno_of(receive, sock), "EAGAIN", "O_NONBLOCK")
    os.set_blocking(sock.fileno(), True)
    sock.setsockopt(SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 0, 200000))
    began = time.monotonic()
    equal(errno_of(receive, sock), "EAGAIN", "SO_RCVTIMEO")
    assert time.monotonic() - began >= 0.19, "the wait was cut short"
    sock.setsockopt(SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 10, 0))
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    equal(errno_of(receive, sock), "EINTR", "a signal")
    got = []
    reader = threading.Thread(target=lambda: got.append(receive(sock).data[14:16]))
    reader.start()
    time.sleep(0.2)
    equal(got, [], "the reader sleeps")
    injector.send(probe(payload=b"up"))
    reader.join(10)
    equal(got, [b"up"], "what woke it")


def test_name_lengths():
    """msg_name of every size: the copy is cut, the length told is the real one (20)."""
    _, twins, injector = setting()
    for size in (1, 2, 11, 12, 18, 19, 20, 21, 64, 128):
        injector.send(probe())
        for sock in twins.both:
            name = ctypes.create_string_buffer(b"\xa5" * 128, 128)
            length = ctypes.c_uint32(size)
            data = ctypes.create_string_buffer(100)
            packet.call("recvfrom", sock.fileno(), data, 100, 0, name, ctypes.byref(length))
            equal(length.value, 20, f"length told for a buffer of {size}")
            equal(name.raw[size:], b"\xa5" * (128 - size), f"behind a buffer of {size}")
            whole = (
                packet.address(0, PROBE, MAC_B)[:4]
                + name.raw[4:8]
                + b"\x01\0\0\x06"
                + MAC_B
                + b"\0\0"
            )
            equal(name.raw[:size], whole[:size] + b"\xa5" * max(0, size - 20), f"name in {size}")
    injector.send(probe())
    for sock in twins.both:
        length = ctypes.c_uint32(-1 & 0xFFFFFFFF)
        data, name = ctypes.create_string_buffer(100), ctypes.create_string_buffer(128)
        seen = errno_of(
            packet.call, "recvfrom", sock.fileno(), data, 100, 0, name, ctypes.byref(length)
        )
        equal(seen, "EINVAL", "negative length")


def test_without_name():
    """No name wanted: none written, and the length stays."""
    _, twins, injector = setting()
    injector.send(probe(), probe())
    for sock in twins.both:
        equal(receive(sock, namelen=0).name, b"", "recvmsg")
        equal(len(os.read(sock.fileno(), 200)), 60, "read")


def test_bad_pointers():
    """EFAULT for data, name and control at bad addresses; the frame is used up, as in AF_PACKET."""
    _, twins, injector = setting()
    for name, data in ((None, BAD), (BAD, None)):
        injector.send(probe(payload=b"1"), probe(payload=b"2"))
        left = []
        for sock in twins.both:
            buffer = ctypes.create_string_buffer(100)
            length = ctypes.c_uint32(20)
            seen = errno_of(
                packet.call,
                "recvfrom",
                sock.fileno(),
                data or buffer,
                100,
                0,
                name,
                ctypes.byref(length),
            )
            equal(seen, "EFAULT", f"recvfrom, name {name}, data {data}")
            left.append([frame.data[14:15] for frame in drain(sock)])
        equal(left[0], left[1], "frames left")
        equal(left[0], [b"2"], "frames left")
    for sock in twins.both:
        equal(errno_of(packet.call, "recvmsg", sock.fileno(), BAD, 0), "EFAULT", "msghdr")


def test_scatter():
    """A frame over several buffers, one of them empty, one bad: readv() as for any socket."""
    _, twins, injector = setting()
    frame = probe(payload=bytes(range(100)))
    injector.send(frame)
    for sock in twins.both:
        parts = [bytearray(5), bytearray(0), bytearray(30), bytearray(1000)]
        equal(os.readv(sock.fileno(), parts), 114, "readv")
        equal(bytes(b"".join(parts)[:114]), frame, "scattered data")


def test_recvmmsg():
    """recvmmsg() takes several frames in one call, and stops when there are no more."""
    _, twins, injector = setting()

    class Mmsghdr(ctypes.Structure):
        """struct mmsghdr."""

        _fields_ = [("hdr", packet.Msghdr), ("len", ctypes.c_uint)]

    injector.send(*(probe(payload=bytes([number])) for number in range(5)))
    for sock in twins.both:
        buffers = [ctypes.create_string_buffer(100) for _ in range(8)]
        names = [ctypes.create_string_buffer(20) for _ in range(8)]
        vectors = [packet.Iovec(ctypes.addressof(buffer), 100) for buffer in buffers]
        heads = (Mmsghdr * 8)()
        for head, vector, name in zip(heads, vectors, names):
            head.hdr.iov, head.hdr.iovlen = ctypes.addressof(vector), 1
            head.hdr.name, head.hdr.namelen = ctypes.addressof(name), 20
        count = packet.call("recvmmsg", sock.fileno(), heads, 8, packet.MSG_DONTWAIT, None)
        equal(count, 5, "frames")
        equal([head.len for head in heads[:5]], [60] * 5, "lengths")
        equal([buffer.raw[14] for buffer in buffers[:5]], list(range(5)), "order")
        equal({packet.LinkAddress.parse(name.raw).addr[:6] for name in names[:5]}, {MAC_B}, "names")


def test_auxdata():
    """PACKET_AUXDATA: lengths, network offset and status; absent when off or never switched on."""
    for kind, net in ((SOCK_RAW, 14), (SOCK_DGRAM, 0)):
        pair, twins, injector = setting(kind)
        injector.send(probe())
        for sock in twins.both:
            equal(receive(sock).cmsgs, [], "off by default")
            packet.set_option(sock, packet.AUXDATA, 1)
        injector.send(probe())
        for sock in twins.both:
            aux = receive(sock).auxdata
            length = 60 - 14 + net
            equal(aux[1:], (length, length, 0, net, 0, 0), f"auxdata of type {kind}")
            assert aux.status & packet.STATUS_USER, "TP_STATUS_USER"
            packet.set_option(sock, packet.AUXDATA, 0)
        injector.send(probe())
        for sock in twins.both:
            equal(receive(sock).cmsgs, [], "off again")
        del pair
        topology.ip("link del va")


def test_auxdata_vlan():
    """A tag is taken out of an incoming frame and reported; TPID and TCI are exact."""
    both = packet.STATUS_VLAN_VALID | packet.STATUS_VLAN_TPID_VALID
    for kind in (SOCK_RAW, SOCK_DGRAM):
        _, twins, injector = setting(kind, ETH_P_ALL, [(packet.AUXDATA, 1)])
        for tpid in (packet.ETH_P_8021Q, packet.ETH_P_8021AD):
            for tci in (0, 1, 0x0FFF, 0xF00A):
                injector.send(vlan(MAC_A, MAC_B, tpid, tci, PROBE, b"v" * 46))
                for frame in twins.compare(2)[:1]:
                    aux = frame.auxdata
                    equal(aux.status & both, both, "status")
                    equal((aux.vlan_tpid, aux.vlan_tci), (tpid, tci), "TPID, TCI")
                    expected = packet.ethernet(MAC_A, MAC_B, PROBE, b"v" * 46)
                    equal(frame.data, expected if kind == SOCK_RAW else expected[14:], "data")
        topology.ip("link del va")


def test_auxdata_vlan_outgoing():
    """An outgoing frame has its tag in it; DGRAM looks behind it for the protocol."""
    pair = Pair()
    frame = vlan(MAC_B, MAC_A, packet.ETH_P_8021Q, 0x2007, PROBE, b"v" * 46)
    for kind in (SOCK_RAW, SOCK_DGRAM):
        twins = Twins(kind, ETH_P_ALL, pair.a, [(packet.AUXDATA, 1)])
        sender = packet.reference()
        packet.send(sender, frame, packet.address(pair.a, packet.ETH_P_8021Q))
        (got,) = twins.compare(1)
        expected = packet.ETH_P_8021Q if kind == SOCK_RAW else PROBE
        equal(got.address.protocol, expected, "sll_protocol")
        if kind == SOCK_DGRAM:
            equal(
                (got.auxdata.vlan_tpid, got.auxdata.vlan_tci), (packet.ETH_P_8021Q, 0x2007), "tag"
            )


def test_control_lengths():
    """Control buffers of every size: MSG_CTRUNC when it did not fit, never more than fits."""
    _, twins, injector = setting(options=[(packet.AUXDATA, 1)])
    for size in (0, 1, 15, 16, 17, 35, 36, 37, 40, 64):
        injector.send(probe())
        seen = []
        for sock in twins.both:
            got = receive(sock, control=size)
            seen.append((got.flags, [(level, kind, data) for level, kind, data in got.cmsgs]))
        equal(seen[0], seen[1], f"control buffer of {size}")
        equal(bool(seen[0][0] & packet.MSG_CTRUNC), size < 36, f"MSG_CTRUNC at {size}")


def test_timestamps():
    """SO_TIMESTAMP and its relatives: right size, plausible, equal to AF_PACKET's."""
    kinds = {
        packet.SO_TIMESTAMP: ("=qq", 1e6),
        packet.SO_TIMESTAMPNS: ("=qq", 1e9),
        packet.SO_TIMESTAMP_NEW: ("=qq", 1e6),
        packet.SO_TIMESTAMPNS_NEW: ("=qq", 1e9),
    }
    pair = Pair()
    injector = Injector(pair.b, pair.a)
    for option, (form, unit) in kinds.items():
        twins = Twins(SOCK_RAW, PROBE, pair.a, [(option, 1, 4, SOL_SOCKET)])
        steady_timestamps(twins, injector, probe())
        before = time.time()
        injector.send(probe())
        after = time.time()
        (frame,) = twins.compare(1)
        seconds, fraction = struct.unpack(form, frame.cmsg(SOL_SOCKET, option))
        stamp = seconds + fraction / unit
        assert before - 0.001 <= stamp <= after + 0.001, f"{before} <= {stamp} <= {after}"
        for sock in twins.both:
            packet.set_option(sock, option, 0, level=SOL_SOCKET)
        injector.send(probe())
        equal(twins.compare(1)[0].cmsgs, [], "off again")
        twins.close()


def test_receive_timestamping():
    """SO_TIMESTAMPING with software receive stamps: three times, the first one set."""
    rx_software, software = 1 << 3, 1 << 4
    pair = Pair()
    injector = Injector(pair.b, pair.a)
    option = (packet.SO_TIMESTAMPING, rx_software | software, 4, SOL_SOCKET)
    twins = Twins(SOCK_RAW, PROBE, pair.a, [option])
    steady_timestamps(twins, injector, probe())
    injector.send(probe())
    (frame,) = twins.compare(1)
    times = struct.unpack("=6q", frame.cmsg(SOL_SOCKET, packet.SO_TIMESTAMPING))
    assert times[0] > 1_000_000_000 and times[2:] == (0, 0, 0, 0), f"times {times}"


def test_statistics():
    """PACKET_STATISTICS: exact, and cleared by each read of any length."""
    _, twins, injector = setting()
    for sock in twins.both:
        equal(packet.statistics(sock), (0, 0), "fresh")
    injector.send(*[probe()] * 7)
    for sock in twins.both:
        equal(packet.statistics(sock), (7, 0), "seven received")
        equal(packet.statistics(sock), (0, 0), "cleared")
        drain(sock)
        equal(packet.statistics(sock), (0, 0), "reading frames does not count")
    injector.send(probe())
    for sock in twins.both:
        equal(packet.get_option(sock, packet.STATISTICS, 0), b"", "length 0")
        equal(packet.statistics(sock), (0, 0), "a read of length 0 clears as well")


def test_drops():
    """A full queue: every frame lost is counted in PACKET_STATISTICS and told by SO_RXQ_OVFL."""
    options = [(socket.SO_RCVBUF, 0, 4, SOL_SOCKET), (packet.SO_RXQ_OVFL, 1, 4, SOL_SOCKET)]
    _, twins, injector = setting(options=options)
    injector.send(*[probe(payload=bytes(1000))] * 40)
    counts = []
    for sock in twins.both:
        queued = drain(sock)
        total, drops = packet.statistics(sock)
        equal((total, drops), (40, 40 - len(queued)), "packets, drops")
        assert 0 < len(queued) < 40, f"{len(queued)} frames of 40 fitted"
        equal([frame.cmsgs for frame in queued], [[]] * len(queued), "no drop before the queued")
        counts.append(len(queued))
    equal(counts[0], counts[1], "frames that fit")
    injector.send(probe())
    for sock in twins.both:
        (frame,) = drain(sock)
        lost = struct.unpack("=I", frame.cmsg(SOL_SOCKET, packet.SO_RXQ_OVFL))[0]
        equal(lost, 40 - counts[0], "SO_RXQ_OVFL")
        # SO_RXQ_OVFL is a total, which reading PACKET_STATISTICS does not clear.
        equal(packet.statistics(sock), (1, 0), "statistics afterwards")


def test_drops_in_sock_diag():
    """A dropped frame is not accounted as memory: after a drain the queue holds nothing."""
    _, twins, injector = setting(options=[(socket.SO_RCVBUF, 0, 4, SOL_SOCKET)])
    SO_MEMINFO = 55
    injector.send(*[probe(payload=bytes(1000))] * 40)
    for sock in twins.both:
        memory = struct.unpack("=9I", packet.get_option(sock, SO_MEMINFO, 36, SOL_SOCKET))
        assert memory[0] > 0, "receive memory in use"
        drain(sock)
        memory = struct.unpack("=9I", packet.get_option(sock, SO_MEMINFO, 36, SOL_SOCKET))
        equal(memory[0], 0, "receive memory after a drain")
        equal(memory[8] > 0, True, "drops in SO_MEMINFO")


def test_ignore_outgoing():
    """PACKET_IGNORE_OUTGOING hides what leaves, at once and reversibly."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, ETH_P_ALL)
    injector = Injector(pair.b, pair.a)
    sender = packet.reference()

    def both_ways():
        packet.send(sender, probe(MAC_B, b"out", src=MAC_A), packet.address(pair.a, PROBE))
        injector.send(probe(payload=b"in"))
        return [f.data[14:16] for f in drain(sock) if f.address.protocol == PROBE]

    equal(both_ways(), [b"ou", b"in"], "default")
    packet.set_option(sock, packet.IGNORE_OUTGOING, 1)
    equal(both_ways(), [b"in"], "ignored")
    bind(sock, 0, ETH_P_ALL)
    bind(sock, pair.a, ETH_P_ALL)
    equal(both_ways(), [b"in"], "still after binding again")
    packet.set_option(sock, packet.IGNORE_OUTGOING, 0)
    equal(both_ways(), [b"ou", b"in"], "shown again")


def test_queue_survives_close_of_others():
    """Cutting one socket's copy with a filter leaves the other sockets' copies whole."""
    pair, twins, injector = setting()
    third = open_socket()
    bind(third, pair.a, PROBE)
    bpf.attach(third, [bpf.ret(16)])
    frame = probe(payload=bytes(range(200)))
    injector.send(frame)
    equal(receive(third).data, frame[:16], "the cut copy")
    third.close()
    equal(twins.compare(1)[0].data, frame, "the whole copy")


if __name__ == "__main__":
    main(globals())
