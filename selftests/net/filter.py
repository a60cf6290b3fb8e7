#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
"""Socket filters: what they see, what they let through, and how much of it."""

import os
import socket

import bpf
import packet
import topology
from harness import equal, main
from packet import ETH_P_ALL, OTHER, PROBE, SOCK_DGRAM, SOCK_RAW, bind, errno_of, open_socket
from topology import MAC_A, MAC_B, Pair
from twin import Injector, Twins, drain, probe, vlan

SOL_SOCKET = socket.SOL_SOCKET


def setting(kind=SOCK_RAW, protocol=PROBE):
    """A socket at va, and an injector at vb."""
    pair = Pair()
    sock = open_socket(kind)
    bind(sock, pair.a, protocol)
    return pair, sock, Injector(pair.b, pair.a)


def test_snap_length():
    """A filter's verdict cuts the frame: the length told is the cut one, auxdata has both."""
    _, sock, injector = setting()
    packet.set_option(sock, packet.AUXDATA, 1)
    frame = probe(payload=bytes(range(200)))
    for cut in (1, 13, 14, 15, 64, 213, 214, 215, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        bpf.attach(sock, [bpf.ret(cut)])
        injector.send(frame)
        (got,) = drain(sock)
        equal(got.data, frame[:cut], f"frame cut to {cut}")
        equal((got.auxdata.len, got.auxdata.snaplen), (214, min(cut, 214)), f"auxdata, cut {cut}")
        equal(got.flags & packet.MSG_TRUNC, 0, "a cut by the filter is not MSG_TRUNC")
        equal(got.address.addr[:6], MAC_B, "the address is that of the whole frame")


def test_reject():
    """Verdict 0 drops silently: nothing queued, nothing counted, other sockets unaffected."""
    pair, sock, injector = setting()
    beside = open_socket()
    bind(beside, pair.a, PROBE)
    bpf.attach(sock, bpf.accept_if(bpf.load_byte(14), ord("y")))
    injector.send(*(probe(payload=tag) for tag in (b"n1", b"y2", b"n3", b"y4")))
    equal([f.data[14:16] for f in drain(sock)], [b"y2", b"y4"], "accepted")
    equal(packet.statistics(sock), (2, 0), "statistics")
    equal(len(drain(beside)), 4, "the socket without a filter")


def test_nothing_but_a_header():
    """A SOCK_DGRAM socket gets a frame without payload if a filter wants it, and only then."""
    _, sock, injector = setting(SOCK_DGRAM)
    frame = packet.ethernet(MAC_A, MAC_B, PROBE, b"")
    injector.send(frame)
    equal(drain(sock), [], "without a filter")
    for verdict, count in ((0, 0), (1, 1), (0xFFFFFFFF, 1)):
        bpf.attach(sock, [bpf.ret(verdict)])
        injector.send(frame)
        equal([got.data for got in drain(sock)], [b""] * count, f"verdict {verdict}")
    equal(packet.statistics(sock), (2, 0), "statistics")


def test_what_it_sees():
    """RAW filters see the link header at 0, DGRAM filters the network header; both see the rest."""
    pair = Pair()
    injector = Injector(pair.b, pair.a)
    ancillary = [
        (bpf.AD_PROTOCOL, PROBE), (bpf.AD_PKTTYPE, packet.HOST), (bpf.AD_IFINDEX, pair.a),
        (bpf.AD_HATYPE, 1), (bpf.AD_VLAN_PRESENT, 0),
    ]  # fmt: skip
    loads = [(bpf.load_word(bpf.AD_OFF + what), value) for what, value in ancillary]
    loads += [
        (bpf.load_half(bpf.LL_OFF + 12), PROBE),
        (bpf.load_byte(bpf.NET_OFF), ord("n")),
    ]
    for kind, begin in ((SOCK_RAW, 0), (SOCK_DGRAM, 14)):
        sock = open_socket(kind)
        bind(sock, pair.a, PROBE)
        first = (bpf.load_byte(0), probe()[begin] if begin == 0 else ord("n"))
        length = (bpf.load_length(), len(probe()) - begin)
        for load, value in [*loads, first, length]:
            for right in (True, False):
                bpf.attach(sock, bpf.accept_if(load, value if right else value + 1))
                injector.send(probe(payload=b"net"))
                what = f"type {kind}: load {load.hex()} is {value if right else value + 1}"
                equal(len(drain(sock)), int(right), what)
        sock.close()


def test_outgoing():
    """Filters of an outgoing frame: RAW from the link header, DGRAM from the network header."""
    pair = Pair()
    sender = packet.reference()
    frame = probe(MAC_B, b"network", src=MAC_A)
    for kind, expected in ((SOCK_RAW, frame), (SOCK_DGRAM, frame[14:])):
        sock = open_socket(kind)
        bind(sock, pair.a, ETH_P_ALL)
        at_zero = expected[0]
        for value, cut, count in ((at_zero, 9, 1), (at_zero ^ 1, 9, 0)):
            bpf.attach(sock, bpf.accept_if(bpf.load_byte(0), value, cut))
            packet.send(sender, frame, packet.address(pair.a, PROBE))
            got = drain(sock)
            equal([f.data for f in got], [expected[:9]] * count, f"type {kind}")
            equal([f.address.pkttype for f in got], [packet.OUTGOING] * count, "kind")


def test_outgoing_only():
    """A filter can choose the direction."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, ETH_P_ALL)
    load = bpf.load_word(bpf.AD_OFF + bpf.AD_PKTTYPE)
    bpf.attach(sock, bpf.accept_if(load, packet.OUTGOING))
    Injector(pair.b, pair.a).send(probe())
    packet.send(packet.reference(), probe(MAC_B, b"out", src=MAC_A), packet.address(pair.a, PROBE))
    equal([f.data[14:17] for f in drain(sock)], [b"out"], "outgoing")


def test_vlan():
    """A tag that the kernel took out of the frame is visible to a filter."""
    _, sock, injector = setting(protocol=ETH_P_ALL)
    bpf.attach(sock, bpf.accept_if(bpf.load_word(bpf.AD_OFF + bpf.AD_VLAN_TAG), 0x2005))
    tagged = [vlan(MAC_A, MAC_B, packet.ETH_P_8021Q, tci, PROBE, bytes(46)) for tci in (5, 0x2005)]
    injector.send(probe(), *tagged)
    equal([f.data for f in drain(sock)], [probe(payload=bytes(46))], "frames with the tag")


def test_detach_and_replace():
    """A filter can be replaced and taken away, and what it let through stays queued."""
    _, sock, injector = setting()
    bpf.attach(sock, [bpf.ret(15)])
    injector.send(probe(payload=b"1"))
    bpf.attach(sock, [bpf.ret(0)])
    injector.send(probe(payload=b"2"))
    bpf.detach(sock)
    injector.send(probe(payload=b"3"))
    equal([(len(f.data), f.data[14:15]) for f in drain(sock)], [(15, b"1"), (60, b"3")], "frames")
    equal(errno_of(bpf.detach, sock), "ENOENT", "nothing attached")


def test_errors():
    """Programs that the kernel refuses leave the old one in place; a locked one cannot change."""
    _, sock, injector = setting()
    bpf.attach(sock, [bpf.ret(20)])
    equal(errno_of(bpf.attach, sock, []), "EINVAL", "empty program")
    equal(errno_of(bpf.attach, sock, [bpf.load_byte(0)]), "EINVAL", "no return")
    equal(errno_of(bpf.attach, sock, [bpf.op(0xFFFF), bpf.ret(0)]), "EINVAL", "no such instruction")
    equal(errno_of(bpf.attach, sock, [bpf.equal(0, 9, 9), bpf.ret(0)]), "EINVAL", "jump too far")
    seen = errno_of(packet.set_option, sock, packet.SO_ATTACH_FILTER, 0, 4, SOL_SOCKET)
    equal(seen, "EINVAL", "short program head")
    head = packet.struct.pack("=HxxxxxxQ", 1, 8)
    seen = errno_of(packet.set_option, sock, packet.SO_ATTACH_FILTER, head, level=SOL_SOCKET)
    equal(seen, "EFAULT", "instructions at a bad address")
    equal(errno_of(bpf.attach_program, sock, -1), "EBADF", "SO_ATTACH_BPF of no descriptor")
    equal(errno_of(bpf.attach_program, sock, 0), "EINVAL", "SO_ATTACH_BPF of something else")
    packet.set_option(sock, packet.SO_LOCK_FILTER, 1, level=SOL_SOCKET)
    equal(errno_of(bpf.attach, sock, [bpf.ret(9)]), "EPERM", "locked")
    equal(errno_of(bpf.detach, sock), "EPERM", "locked, detach")
    injector.send(probe())
    equal([len(f.data) for f in drain(sock)], [20], "the first one still works")


def test_ebpf():
    """SO_ATTACH_BPF: the verdict cuts as a classic filter's does; 0 rejects."""
    _, sock, injector = setting()
    whole = [
        bpf.insn(bpf.LOAD_WORD, 0, 1, bpf.SKB_LEN),
        bpf.insn(0x17, 0, imm=20),  # r0 -= 20
        bpf.insn(bpf.EXIT),
    ]
    nothing = [bpf.insn(bpf.MOV_IMM, 0, imm=0), bpf.insn(bpf.EXIT)]
    for code, lengths in ((whole, [40]), (nothing, []), (whole, [40])):
        fd = bpf.load(code)
        bpf.attach_program(sock, fd)
        os.close(fd)
        injector.send(probe())
        equal([len(f.data) for f in drain(sock)], lengths, "frames")
    bpf.detach(sock)
    injector.send(probe())
    equal([len(f.data) for f in drain(sock)], [60], "after detach")


def test_ebpf_control_block():
    """A program that reads the control block gets zeros, never what another layer left there."""
    topology.ip("link set lo mtu 1500")
    code = [bpf.insn(bpf.MOV_IMM, 0, imm=0)]
    for word in range(5):
        code.append(bpf.insn(bpf.LOAD_WORD, 2, 1, bpf.SKB_CB + 4 * word))
        code.append(bpf.insn(0x0F, 0, 2))  # r0 += r2
    code += [
        bpf.insn(0x55, 0, off=2),  # r0 != 0: over the next two
        bpf.insn(bpf.MOV_IMM, 0, imm=0xFFFF),
        bpf.insn(bpf.EXIT),
        bpf.insn(bpf.MOV_IMM, 0, imm=0),
        bpf.insn(bpf.EXIT),
    ]
    fd = bpf.load(code)
    twins = [Twins(kind, ETH_P_ALL, topology.index("lo")) for kind in (SOCK_RAW, SOCK_DGRAM)]
    for each in twins:
        for sock in each.both:
            bpf.attach_program(sock, fd)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(5)
    for size in (10, 4000):
        udp.sendto(b"x" * size, udp.getsockname())
        equal(len(udp.recv(9000)), size, "UDP")
    for each in twins:
        equal(len(each.compare(8)), 8, "four packets, each seen twice")


def test_fragments():
    """A filter reads beyond the linear part of a buffer, and a cut in its fragments is exact."""
    twins = [Twins(kind, ETH_P_ALL, topology.index("lo")) for kind in (SOCK_RAW, SOCK_DGRAM)]
    for each in twins:
        for sock in each.both:
            bpf.attach(sock, bpf.accept_if(bpf.load_byte(40000), ord("z"), 30000))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(5)
    # A datagram of this size is too long for a linear buffer.
    for filler in (b"z", b"y"):
        udp.sendto(filler * 60000, udp.getsockname())
        equal(udp.recv(65536), filler * 60000, "the datagram itself")
    for each in twins:
        equal([len(frame.data) for frame in each.compare(2)], [30000] * 2, "cut lengths")


def test_before_bind():
    """A filter set before the first frame guards from the first frame on."""
    pair = Pair()
    sock = open_socket()
    bpf.attach(sock, bpf.accept_if(bpf.load_half(12), OTHER))
    bind(sock, pair.a, ETH_P_ALL)
    injector = Injector(pair.b, pair.a)
    injector.send(probe(), probe(kind=OTHER))
    equal([f.address.protocol for f in drain(sock)], [OTHER, OTHER], "frames")


if __name__ == "__main__":
    main(globals())
