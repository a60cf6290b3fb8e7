#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 300
"""sendmsg(): what reaches the wire, and what is refused, with which errno and in which order."""

import ctypes
import os
import select
import socket
import struct

import packet
import topology
from harness import equal, lib, main, need_module
from packet import ETH_P_ALL, OTHER, PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, errno_of
from packet import open_socket, receive, send
from topology import MAC_A, MAC_B, Pair
from twin import assorted, drain, probe, vlan

SOL_SOCKET = socket.SOL_SOCKET
MTU, HEADER, TAG = 1500, 14, 4


def witness(ifindex, protocol=ETH_P_ALL):
    """An AF_PACKET socket that sees what arrives or leaves there."""
    sock = packet.reference(SOCK_RAW)
    bind(sock, ifindex, protocol)
    packet.set_option(sock, packet.AUXDATA, 1)
    return sock


def arrived(sock):
    """The frames that a witness has seen come in, with any tag back in its place."""
    frames = []
    for frame in drain(sock):
        if frame.address.pkttype == packet.OUTGOING:
            continue
        data, aux = frame.data, frame.auxdata
        if aux.status & packet.STATUS_VLAN_VALID:
            data = data[:12] + struct.pack("!HH", aux.vlan_tpid, aux.vlan_tci) + data[12:]
        frames.append(data)
    return frames


def test_raw_frames():
    """RAW: every shape of frame arrives byte by byte as sent, by address and by binding."""
    pair = Pair()
    far = witness(pair.b)
    frames = assorted(MAC_B, MAC_A)[:-5]
    sock = open_socket(SOCK_RAW)
    for frame in frames:
        equal(send(sock, frame, address(pair.a, PROBE)), len(frame), "bytes sent")
    equal(arrived(far), frames, "sent by address")
    bind(sock, pair.a, 0)
    for frame in frames:
        equal(send(sock, frame), len(frame), "bytes sent")
    equal(arrived(far), frames, "sent by binding")


def test_same_as_reference():
    """The buffer that leaves is AF_PACKET's: protocol, offsets and tag as a tap sees them."""
    pair = Pair()
    taps = [packet.reference(kind) for kind in (SOCK_RAW, SOCK_DGRAM)]
    for tap in taps:
        packet.set_option(tap, packet.AUXDATA, 1)
        bind(tap, pair.a, ETH_P_ALL)
    frames = [frame for frame in assorted(MAC_B, MAC_A) if len(frame) >= 14]
    for kind in (SOCK_RAW, SOCK_DGRAM):
        for protocol in (0, PROBE, ETH_P_ALL, packet.ETH_P_IP, packet.ETH_P_8021Q):
            seen = []
            for sock in (open_socket(kind), packet.reference(kind)):
                for frame in frames:
                    data = frame if kind == SOCK_RAW else frame[14:]
                    if data:
                        send(sock, data, address(pair.a, protocol, MAC_B))
                seen.append([[(f.data, f.name, f.auxdata) for f in drain(tap)] for tap in taps])
                sock.close()
            assert len(seen[1][0]) >= len(frames) - 2, "the taps saw the reference's frames"
            equal(seen[0], seen[1], f"type {kind}, protocol {protocol:#x}")


def test_dgram_header():
    """DGRAM: the link header is built from sll_addr, sll_protocol and the device's address."""
    pair = Pair()
    far = witness(pair.b)
    sock = open_socket(SOCK_DGRAM)
    for dst in (MAC_B, topology.MAC_BROADCAST, topology.MAC_MULTICAST, topology.MAC_STRANGER):
        equal(send(sock, b"d" * 46, address(pair.a, PROBE, dst)), 46, "bytes sent")
        equal(arrived(far), [packet.ethernet(dst, MAC_A, PROBE, b"d" * 46)], f"to {dst.hex(':')}")
    send(sock, b"d" * 46, address(pair.a, PROBE, MAC_B, halen=0))
    equal(
        arrived(far),
        [packet.ethernet(MAC_B, MAC_A, PROBE, b"d" * 46)],
        "sll_halen is not looked at",
    )
    # An 802.3 protocol puts the length in the place of the ethertype.
    send(sock, b"\x42\x42\x03" + b"l" * 43, address(pair.a, packet.ETH_P_802_2, MAC_B))
    equal(arrived(far), [packet.ethernet(MAC_B, MAC_A, 46, b"\x42\x42\x03" + b"l" * 43)], "802.2")
    bind(sock, pair.a, PROBE)
    seen = errno_of(send, sock, b"d" * 46)
    equal(seen, errno_of(send, bound_reference(pair.a), b"d" * 46), "no address: as AF_PACKET")


def bound_reference(ifindex):
    """A bound DGRAM socket of AF_PACKET."""
    sock = packet.reference(SOCK_DGRAM)
    bind(sock, ifindex, PROBE)
    return sock


def test_destinations():
    """Where a frame goes: sll_ifindex before the binding; without either ENXIO."""
    pair = Pair()
    at_a, at_b = witness(pair.a), witness(pair.b)
    sock = open_socket()
    equal(errno_of(send, sock, probe()), "ENXIO", "neither bound nor addressed")
    bind(sock, pair.a, PROBE)
    send(sock, probe(MAC_B, b"bound"))
    equal((len(arrived(at_a)), len(arrived(at_b))), (0, 1), "bound to va")
    send(sock, probe(MAC_A, b"addressed"), address(pair.b, PROBE))
    equal((len(arrived(at_a)), len(arrived(at_b))), (1, 0), "bound to va, addressed to vb")
    equal(errno_of(send, sock, probe(), address(0, PROBE)), "ENXIO", "address without an index")
    bind(sock, 0, PROBE)
    equal(errno_of(send, sock, probe()), "ENXIO", "bound to all")


def test_address_errors():
    """Lengths of the address, by type, halen and the device; unknown and sleeping devices."""
    pair = Pair()
    topology.ip("link add down0 type veth peer name down1")
    down = topology.index("down0")
    raw, dgram = open_socket(SOCK_RAW), open_socket(SOCK_DGRAM)
    for sock in (raw, dgram):
        for length in (1, 2, 12, 18, 19):
            seen = errno_of(send, sock, probe(), address(pair.a, PROBE), namelen=length)
            equal(seen, "EINVAL", f"namelen {length}")
        for halen, length, expected in (
            (8, 20, "0"), (9, 20, "EINVAL"), (9, 21, "0"), (32, 43, "EINVAL"), (32, 44, "0"),
            (255, 128, "EINVAL"), (116, 128, "0"),
        ):  # fmt: skip
            to = address(pair.a, PROBE, MAC_B, halen=halen, pad=128)
            equal(
                errno_of(send, sock, probe(), to, namelen=length), expected, f"{halen} in {length}"
            )
        equal(errno_of(send, sock, probe(), address(4711, PROBE, MAC_B)), "ENXIO", "no such device")
        equal(errno_of(send, sock, probe(), address(-1, PROBE, MAC_B)), "ENXIO", "index -1")
        equal(errno_of(send, sock, probe(), address(down, PROBE, MAC_B)), "ENETDOWN", "down")
        to = address(pair.a, PROBE, MAC_B, pad=128)
        equal(errno_of(send, sock, probe(), to, namelen=129), "0", "sendmsg cuts the name")
        call = ("sendto", sock.fileno(), probe(), 60, 0, to, 129)
        equal(errno_of(packet.call, *call), "EINVAL", "sendto does not")
    for family in (0, 2, 25, 0xFFFF):
        to = address(pair.a, PROBE, MAC_B, family=family)
        equal(errno_of(send, raw, probe(), to), "0", f"sll_family {family} is not looked at")


def test_long_link_addresses():
    """A device with 16 byte addresses: DGRAM needs them whole, getsockname() shows them whole."""
    need_module("ip6_gre")
    # The module puts a device into every namespace, which go with it.
    with lib.module("ip6_gre"):
        topology.ip("link add tunnel6 type ip6gre local fd00::1 remote fd00::2")
        topology.set_up("tunnel6")
        answers = [long_address_answers(opener) for opener in (open_socket, packet.reference)]
        topology.ip("link del tunnel6")
    equal(answers[0][1:3], ["EINVAL", "EINVAL"], "short addresses")
    equal(answers[0], answers[1], "answers")


def long_address_answers(opener):
    """The name of a bound socket, and how it takes addresses of several lengths."""
    tunnel = topology.index("tunnel6")
    with opener(SOCK_DGRAM) as sock:
        bind(sock, tunnel, PROBE)
        name, length = packet.getname(sock)
        equal(length, 28, "length of the name")
        answers = [name]
        for namelen in (20, 27, 28, 44):
            to = address(tunnel, packet.ETH_P_IPV6, bytes(16), pad=32)
            answers.append(errno_of(send, sock, bytes(40), to, namelen=namelen))
    return answers


def test_sizes():
    """Up to the MTU and the header; four bytes more with a VLAN tag, and only then."""
    pair = Pair()
    far = witness(pair.b)
    raw, dgram = open_socket(SOCK_RAW), open_socket(SOCK_DGRAM)
    to = address(pair.a, PROBE, MAC_B)
    longest = MTU + HEADER
    for size, expected in (
        (longest, "0"),
        (longest + 1, "EMSGSIZE"),
        (longest + 4, "EMSGSIZE"),
        (longest + 5, "EMSGSIZE"),
        (65536, "EMSGSIZE"),
        (1 << 20, "EMSGSIZE"),
    ):
        frame = packet.ethernet(MAC_B, MAC_A, PROBE, bytes(size - HEADER))
        equal(errno_of(send, raw, frame, to), expected, f"untagged, {size} bytes")
        equal(arrived(far), [frame] if expected == "0" else [], "arrived")
    for size, expected in (
        (longest + 1, "0"),
        (longest + TAG, "0"),
        (longest + TAG + 1, "EMSGSIZE"),
    ):
        frame = vlan(MAC_B, MAC_A, packet.ETH_P_8021Q, 5, PROBE, bytes(size - HEADER - TAG))
        equal(errno_of(send, raw, frame, to), expected, f"tagged, {size} bytes")
        drain(far)
    frame = vlan(MAC_B, MAC_A, packet.ETH_P_8021AD, 5, PROBE, bytes(longest + TAG - HEADER - TAG))
    equal(errno_of(send, raw, frame, to), "EMSGSIZE", "802.1ad has no exception")
    for size, expected in (
        (MTU, "0"),
        (MTU + 1, "EMSGSIZE"),
        (MTU + 4, "EMSGSIZE"),
        (MTU + 5, "EMSGSIZE"),
    ):
        equal(errno_of(send, dgram, bytes(size), to), expected, f"DGRAM, {size} bytes")
    drain(far)
    topology.ip("link set va mtu 600")
    equal(errno_of(send, raw, bytes(614), to), "0", "at a smaller MTU")
    equal(errno_of(send, raw, bytes(615), to), "EMSGSIZE", "beyond a smaller MTU")


def test_short_frames():
    """A RAW frame needs its whole link header; an empty datagram is nothing to send."""
    pair = Pair()
    far = witness(pair.b)
    raw, dgram = open_socket(SOCK_RAW), open_socket(SOCK_DGRAM)
    to = address(pair.a, PROBE, MAC_B)
    whole = packet.ethernet(MAC_B, MAC_A, PROBE)
    for size in range(14):
        equal(errno_of(send, raw, whole[:size], to), "EINVAL", f"{size} bytes")
    equal(errno_of(send, raw, whole, to), "0", "the header alone")
    equal(
        errno_of(send, dgram, b"", to),
        errno_of(send, packet.reference(SOCK_DGRAM), b"", to),
        "empty",
    )
    equal(arrived(far)[:1], [whole], "what arrived")


def test_order_of_checks():
    """When several things are wrong, the answer is the one AF_PACKET finds first."""
    topology.ip("link add down0 type veth peer name down1")
    pair = Pair()
    down = topology.index("down0")
    sock = open_socket()
    bad_cmsg = packet.cmsg(SOL_SOCKET, 9999, b"1234")
    long = bytes(5000)
    equal(errno_of(send, sock, long, address(4711), namelen=19), "EINVAL", "name before device")
    equal(errno_of(send, sock, long, address(4711), bad_cmsg), "ENXIO", "device before cmsg")
    equal(errno_of(send, sock, long, address(down), bad_cmsg), "ENETDOWN", "down before cmsg")
    equal(errno_of(send, sock, long, address(pair.a), bad_cmsg), "EINVAL", "cmsg before size")
    equal(errno_of(send, sock, long, address(pair.a)), "EMSGSIZE", "size before content")
    packet.set_option(sock, packet.SO_NOFCS, 1, level=SOL_SOCKET)
    equal(errno_of(send, sock, long, address(pair.a)), "EPROTONOSUPPORT", "NOFCS before size")
    equal(errno_of(send, sock, b"", address(pair.a), bad_cmsg), "EINVAL", "cmsg before NOFCS")


def test_bad_pointers():
    """EFAULT for name, data, vector and control at bad addresses; nothing is sent."""
    pair = Pair()
    far = witness(pair.b)
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    bad = ctypes.c_void_p(8)
    to, data = address(pair.a, PROBE), probe()
    call = packet.call
    equal(errno_of(call, "sendto", sock.fileno(), bad, 60, 0, to, 20), "EFAULT", "data")
    equal(errno_of(call, "sendto", sock.fileno(), data, 60, 0, bad, 20), "EFAULT", "name")
    equal(errno_of(call, "sendmsg", sock.fileno(), bad, 0), "EFAULT", "msghdr")
    vector = packet.Iovec(8, 60)
    for message in (
        packet.Msghdr(None, 0, ctypes.addressof(vector), 1, None, 0, 0),
        packet.Msghdr(None, 0, 8, 1, None, 0, 0),
        packet.Msghdr(None, 0, ctypes.addressof(packet.Iovec(8, 0)), 1, 8, 32, 0),
    ):
        equal(
            errno_of(call, "sendmsg", sock.fileno(), ctypes.byref(message), 0), "EFAULT", "sendmsg"
        )
    equal(errno_of(call, "sendto", sock.fileno(), bad, 60, 0, None, 0), "EFAULT", "bound, data")
    equal(arrived(far), [], "nothing on the wire")


def test_gather():
    """A frame out of several buffers, and sendmmsg() and write()."""
    pair = Pair()
    far = witness(pair.b)
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    frame = probe(MAC_B, bytes(range(200)), src=MAC_A)
    equal(os.writev(sock.fileno(), [frame[:5], b"", frame[5:90], frame[90:]]), len(frame), "writev")
    equal(os.write(sock.fileno(), frame), len(frame), "write")
    equal(sock.send(frame), len(frame), "send")
    equal(arrived(far), [frame] * 3, "arrived")


def test_flags():
    """Send flags: DONTWAIT works; OOB and unknown bits are answered as AF_PACKET does."""
    pair = Pair()
    to = address(pair.a, PROBE, MAC_B)
    for bit in range(32):
        flags = ctypes.c_int(1 << bit)
        seen = []
        for sock in (open_socket(), packet.reference()):
            seen.append(errno_of(send, sock, probe(), to, b"", flags))
            sock.close()
        equal(seen[0], seen[1], f"flag {1 << bit:#x}")


def test_control_messages():
    """SO_MARK, SO_PRIORITY, SCM_TXTIME, SO_TIMESTAMPING are taken; wrong ones are refused."""
    pair = Pair()
    far = witness(pair.b)
    sock, theirs = open_socket(), packet.reference()
    to = address(pair.a, PROBE)
    cases = {
        "mark": packet.cmsg(SOL_SOCKET, packet.SO_MARK, struct.pack("=I", 7)),
        "priority": packet.cmsg(SOL_SOCKET, packet.SO_PRIORITY, struct.pack("=I", 5)),
        "txtime, not enabled": packet.cmsg(SOL_SOCKET, packet.SCM_TXTIME, struct.pack("=Q", 1)),
        "short mark": packet.cmsg(SOL_SOCKET, packet.SO_MARK, b"12"),
        "other level": packet.cmsg(socket.IPPROTO_IP, 8, struct.pack("=I", 1)),
        "unknown": packet.cmsg(SOL_SOCKET, 9999, b"1234"),
        "timestamping": packet.cmsg(SOL_SOCKET, packet.SO_TIMESTAMPING, struct.pack("=I", 2)),
        "timestamping, wrong bits": packet.cmsg(SOL_SOCKET, packet.SO_TIMESTAMPING, b"\xff" * 4),
        "auxdata": packet.cmsg(packet.SOL_PACKET, packet.AUXDATA, bytes(20)),
        "rights": packet.cmsg(SOL_SOCKET, 1, struct.pack("=i", 0)),
        "broken length": struct.pack("=Qii", 8, SOL_SOCKET, packet.SO_MARK) + bytes(8),
        "length beyond the end": struct.pack("=Qii", 99, SOL_SOCKET, packet.SO_MARK) + bytes(8),
    }
    for name, control in cases.items():
        seen, expected = (
            errno_of(send, each, probe(MAC_B), to, control) for each in (sock, theirs)
        )
        equal(seen, expected, name)
        if name in ("mark", "priority", "timestamping", "other level"):
            equal((seen, len(arrived(far))), ("0", 2), name)
        drain(far)
    both = cases["mark"] + cases["priority"]
    equal(errno_of(send, sock, probe(MAC_B), to, both), "0", "two at once")
    txtime = struct.pack("=iI", 11, 0)
    packet.set_option(sock, packet.SO_TXTIME, txtime, level=SOL_SOCKET)
    drain(far)
    when = packet.cmsg(SOL_SOCKET, packet.SCM_TXTIME, struct.pack("=Q", 1))
    equal(errno_of(send, sock, probe(MAC_B), to, when), "0", "SCM_TXTIME after SO_TXTIME")
    equal(len(arrived(far)), 1, "SCM_TXTIME: sent")


def test_mark_and_priority():
    """The mark and the priority reach the buffer: seen by a socket that asks for them."""
    lo = topology.index("lo")
    far = packet.reference(protocol=ETH_P_ALL)
    bind(far, lo, ETH_P_ALL)
    SO_RCVMARK, SO_RCVPRIORITY = 75, 82
    packet.set_option(far, SO_RCVMARK, 1, level=SOL_SOCKET)
    packet.set_option(far, SO_RCVPRIORITY, 1, level=SOL_SOCKET)
    sock = open_socket()
    bind(sock, lo, 0)
    packet.set_option(sock, packet.SO_MARK, 0x11, level=SOL_SOCKET)
    packet.set_option(sock, packet.SO_PRIORITY, 3, level=SOL_SOCKET)
    mark = packet.cmsg(SOL_SOCKET, packet.SO_MARK, struct.pack("=I", 0x22))
    priority = packet.cmsg(SOL_SOCKET, packet.SO_PRIORITY, struct.pack("=I", 5))
    for control, expected in ((b"", (0x11, 3)), (mark, (0x22, 3)), (mark + priority, (0x22, 5))):
        send(sock, packet.ethernet(bytes(6), bytes(6), PROBE, b"m" * 46), None, control)
        frame = next(f for f in drain(far) if f.address.pkttype == packet.OUTGOING)
        told = tuple(
            struct.unpack("=I", frame.cmsg(SOL_SOCKET, kind))[0]
            for kind in (packet.SO_MARK, packet.SO_PRIORITY)
        )
        equal(told, expected, "mark, priority")


def test_protocol_from_frame():
    """Without a protocol (0 or ETH_P_ALL) a RAW frame's own ethertype is used."""
    pair = Pair()
    tap = packet.reference()
    bind(tap, pair.a, ETH_P_ALL)
    sock = open_socket()
    for protocol, kind, expected in (
        (0, PROBE, PROBE), (ETH_P_ALL, packet.ETH_P_IP, packet.ETH_P_IP), (OTHER, PROBE, OTHER),
    ):  # fmt: skip
        send(sock, probe(MAC_B, kind=kind), address(pair.a, protocol))
        (frame,) = drain(tap)
        equal(frame.address.protocol, expected, f"sll_protocol {protocol:#x}, ethertype {kind:#x}")
    tag = vlan(MAC_B, MAC_A, packet.ETH_P_8021Q, 5, packet.ETH_P_IP, bytes(46))
    send(sock, tag, address(pair.a, 0))
    equal(drain(tap)[0].address.protocol, packet.ETH_P_8021Q, "tagged")


def test_full_send_buffer():
    """A full send buffer: EAGAIN, an end of the wait by SO_SNDTIMEO, no POLLOUT until it drains."""
    pair = Pair()
    need_module("sch_tbf")
    # A queue that lets nothing out holds the frames, and with them the socket's memory.
    topology.ip("link set va txqueuelen 1000")
    tc("qdisc add dev va root tbf rate 8bit burst 2000 limit 10000000")
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    packet.set_option(sock, socket.SO_SNDBUF, 5000, level=SOL_SOCKET)
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    equal(len(poller.poll(0)), 1, "writable at first")
    answers = set()
    frame = probe(MAC_B, bytes(1400))
    for _ in range(200):
        answers.add(errno_of(send, sock, frame, None, b"", packet.MSG_DONTWAIT))
    equal(answers, {"0", "EAGAIN"}, "answers")
    equal(poller.poll(0), [], "not writable when full")
    sock.setsockopt(SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("=qq", 0, 100000))
    equal(errno_of(send, sock, frame), "EAGAIN", "SO_SNDTIMEO")
    tc("qdisc del dev va root")
    equal(len(poller.poll(2000)), 1, "writable again")
    equal(errno_of(send, sock, frame, None, b"", packet.MSG_DONTWAIT), "0", "after the queue went")


def test_queue_full():
    """A frame that the queueing discipline drops is ENOBUFS, as AF_PACKET reports it."""
    need_module("sch_tbf")
    pair = Pair()
    tc("qdisc add dev va root tbf rate 8bit burst 2000 limit 3000")
    for opener in (open_socket, packet.reference):
        sock = opener()
        bind(sock, pair.a, PROBE)
        answers = {errno_of(send, sock, probe(MAC_B, bytes(1400))) for _ in range(6)}
        assert "ENOBUFS" in answers, f"answers {answers}"
    # A frame in the queue holds its socket, the socket its namespace, and the namespace the queue.
    tc("qdisc del dev va root")


def tc(*words):
    """Runs tc."""
    status = os.system("tc " + " ".join(words))
    assert status == 0, f"tc {words}: status {status}"


def test_own_frames():
    """A sender does not hear itself by the tap, but hears what comes back through the device."""
    lo = topology.index("lo")
    sock = open_socket()
    bind(sock, lo, ETH_P_ALL)
    send(sock, packet.ethernet(bytes(6), bytes(6), PROBE, b"o" * 46))
    equal([f.address.pkttype for f in drain(sock)], [packet.HOST], "on lo")


def test_send_after_removal():
    """A bound socket whose device went away: ENXIO, and other devices still work."""
    pair = Pair()
    topology.ip("link add vc type veth peer name vd", "link set vc up", "link set vd up")
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    equal(errno_of(send, sock, probe(MAC_B)), "0", "before")
    topology.set_down("va")
    equal(errno_of(send, sock, probe(MAC_B)), "ENETDOWN", "down")
    topology.ip("link del va")
    equal(errno_of(send, sock, probe(MAC_B)), "ENXIO", "removed")
    other = address(topology.index("vc"), PROBE)
    equal(errno_of(send, sock, probe(MAC_B), other), "ENETDOWN", "the pending error, once")
    equal(errno_of(send, sock, probe(MAC_B), other), "0", "another device")


def test_beside_fanout():
    """A fanout group of AF_PACKET hears what we send; the core asks it whether it is the sender."""
    pair = Pair()
    group = []
    for _ in range(2):
        member = packet.reference(protocol=ETH_P_ALL)
        bind(member, pair.a, ETH_P_ALL)
        packet.set_option(member, packet.FANOUT, 4711)
        group.append(member)
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    for _ in range(10):
        send(sock, probe(MAC_B, src=MAC_A))
    equal(sum(len(drain(member)) for member in group), 10, "frames that the group heard")


def test_received_by_family():
    """What the family sends, the family receives: both ends ours, ten thousand bytes in a row."""
    pair = Pair()
    one, other = open_socket(SOCK_DGRAM), open_socket(SOCK_DGRAM, PROBE)
    bind(other, pair.b, PROBE)
    sent = [bytes([number]) * (number + 1) for number in range(140)]
    for data in sent:
        send(one, data, address(pair.a, PROBE, MAC_B))
    equal([receive(other).data for _ in sent], sent, "datagrams")


if __name__ == "__main__":
    main(globals())
