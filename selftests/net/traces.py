#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 180
"""What the stack notes in a packet's buffer on other business is kept from who captures it, and from
who sends: copies for the machine itself, times of departure, places of headers."""

import socket
import struct
import subprocess
import time

import packet
import topology
from harness import equal, lib, main, need_module
from packet import ETH_P_ALL, PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket, send
from topology import MAC_B, Pair
from twin import Injector, Twins, drain, probe

SOL_SOCKET = socket.SOL_SOCKET


def test_a_multicast_loops_back_unseen():
    """The copy of a multicast that the sending machine gets itself is not on the wire."""
    pair = Pair()
    topology.ip("address add 10.1.2.3/24 dev va")
    Injector(pair.b, pair.a)
    group = socket.inet_aton("239.1.2.3")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("", 7777))
        udp.settimeout(5)
        request = struct.pack("=4s4si", group, bytes(4), pair.a)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        twins = Twins(SOCK_RAW, ETH_P_ALL, pair.a)
        udp.sendto(b"looped", ("239.1.2.3", 7777))
        equal(udp.recv(100), b"looped", "the copy for the machine")
    frames = [frame for frame in twins.compare(1) if b"looped" in frame.data]
    equal([frame.address.pkttype for frame in frames], [packet.OUTGOING], "the frame on the wire")


def test_a_time_of_departure_is_not_one_of_arrival():
    """A frame that is redirected on its way out still says when it is to leave."""
    for name in ("sch_ingress", "cls_matchall", "act_mirred"):
        need_module(name)
    pair = Pair()
    topology.ip("link add other type veth peer name beyond", "link set other up",
                "link set beyond up")
    topology.wait_running("other")
    tc = ("tc qdisc add dev va clsact",
          "tc filter add dev va egress matchall action mirred ingress redirect dev other")
    for line in tc:
        subprocess.run(line.split(), check=True, capture_output=True)
    Injector(pair.b, pair.a)
    stamped = (packet.SO_TIMESTAMPNS_NEW, 1, 4, SOL_SOCKET)
    twins = Twins(SOCK_RAW, PROBE, topology.index("other"), [stamped])
    sender = packet.reference()
    packet.set_option(sender, packet.SO_TXTIME, struct.pack("=iI", time.CLOCK_MONOTONIC, 0),
                      level=SOL_SOCKET)
    departs = packet.cmsg(SOL_SOCKET, packet.SCM_TXTIME,
                          struct.pack("=Q", time.monotonic_ns() + 10**12))
    for _ in range(50):
        # Until time stamping, which the kernel switches on by a work item, has begun.
        send(sender, probe(MAC_B), address(pair.a, PROBE), departs)
        time.sleep(0.01)
    for sock in twins.both:
        frames = drain(sock)
        equal(len(frames), 50, "redirected frames")
        stamp = struct.unpack("=qq", frames[-1].cmsg(SOL_SOCKET, packet.SO_TIMESTAMPNS_NEW))[0]
        assert abs(stamp - time.time()) < 60, f"{stamp} is not the time of arrival"


def test_a_short_frame_may_have_no_network_header():
    """On a device whose header may be left out, a short frame of a program is all there is: who looks
    behind the header sees the whole frame."""
    need_module("ip_gre")
    # The module puts devices into every namespace, which go with it.
    with lib.module("ip_gre"):
        topology.ip("address add 10.1.2.3/24 dev lo", "link add tunnel type gre local 10.1.2.3",
                    "link set tunnel up")
        tunnel = topology.index("tunnel")
        tap = packet.reference(SOCK_DGRAM)
        bind(tap, tunnel, ETH_P_ALL)
        seen = [behind_the_header(opener, tunnel, tap) for opener in (open_socket, packet.reference)]
        tap.close()
        topology.ip("link del tunnel")
    equal(seen[0], seen[1], "what is behind the link header")
    # The header has 24 bytes, and that of IPv6 40.
    equal(seen[1], [[24], [30], [63], [40], [76]], "of AF_PACKET")


def behind_the_header(opener, tunnel, tap):
    """The lengths that the tap sees of frames of several lengths."""
    seen = []
    with opener(SOCK_RAW) as sock:
        for size in (24, 30, 63, 64, 100):
            send(sock, bytes(size), address(tunnel, PROBE))
            seen.append([len(frame.data) for frame in drain(tap)])
    return seen


if __name__ == "__main__":
    main(globals())
