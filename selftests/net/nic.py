#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 300
"""The family on the RTL8139: the card in one namespace, a peer card on the same wire in another."""

import contextlib
import os
import socket
import subprocess
import threading

import packet
import topology
from harness import equal, expedited_grace_periods, lib, main, settles
from packet import ETH_P_ALL, OTHER, PROBE, SOCK_DGRAM, SOCK_RAW, bind, errno_of, open_socket
from topology import Namespace
from twin import Injector, Twins, assorted, drain, llc_frames, probe, vlan

DUT_MAC, PEER_MAC = (bytes.fromhex(mac.replace(":", "")) for mac in (lib.DUT_MAC, lib.PEER_MAC))
GROUP = bytes.fromhex("03000000beef")
BIG = (packet.SO_RCVBUFFORCE, 1 << 24, 4, socket.SOL_SOCKET)
AUX = (packet.AUXDATA, 1)


class Wire:
    """The two hosts, seen from a case: it runs in the card's namespace."""

    def __init__(self):
        self.dut, self.peer = Namespace("/run/netns/dut"), Namespace("/run/netns/peer")
        os.setns(self.dut.fd, topology.CLONE_NEWNET)
        self.eth0 = topology.index("eth0")
        with self.peer:
            self.eth1 = topology.index("eth1")
            # Its witness is the last handler of each frame; see `witness`.
            self.injector = Injector(self.eth1, self.eth0, self.dut, DUT_MAC)

    def witness(self):
        """A socket of AF_PACKET at the peer that hears everything on the wire."""
        with self.peer:
            # Of a batch of frames, the core serves the last handler of each frame after all others:
            # frames that have different last handlers would overtake each other. This is the last.
            self.last = packet.reference()
            bind(self.last, self.eth1, ETH_P_ALL)
            sock = packet.reference()
            packet.set_option(sock, *BIG)
            packet.set_option(sock, *AUX)
            request = packet.membership(self.eth1, packet.MR_PROMISC)
            packet.set_option(sock, packet.ADD_MEMBERSHIP, request)
            bind(sock, self.eth1, ETH_P_ALL)
        return sock

    def reply(self, sock):
        """What a witness has heard, up to the mark that the family sends behind it."""
        mark = os.urandom(8)
        end = packet.ethernet(PEER_MAC, DUT_MAC, OTHER, mark.ljust(46, b"\0"))
        packet.send(packet.reference(), end, packet.address(self.eth0, OTHER))
        frames = []
        while True:
            frame = packet.receive(sock)
            if mark in frame.data:
                return frames
            # The stack's own frames for IPv6 groups may come between.
            if frame.address.pkttype != packet.OUTGOING and frame.data[:2] != b"\x33\x33":
                frames.append((frame.data, frame.auxdata[1:], frame.address.protocol))


def counter(name):
    """The packets that the card received (rx) or sent (tx)."""
    with open("/proc/thread-self/net/dev", encoding="ascii") as table:
        (row,) = [line.split() for line in table if line.split()[0] == "eth0:"]
    return int(row[{"rx": 2, "tx": 10}[name]])


def test_driver():
    """The card under test is what the name says, and its link is up."""
    wire = Wire()
    shown = subprocess.run(["ethtool", "-i", "eth0"], capture_output=True, text=True, check=True)
    lib.diag(shown.stdout.splitlines()[0])
    sock = open_socket()
    bind(sock, wire.eth0, PROBE)
    seen = packet.LinkAddress.parse(packet.getname(sock)[0])
    equal((seen.hatype, seen.addr), (1, DUT_MAC), "hardware type, address")


def test_receive():
    """Every shape of frame from the wire: same bytes, order and addresses as AF_PACKET sees."""
    wire = Wire()
    twins = [
        Twins(kind, protocol, wire.eth0, (AUX, BIG))
        for kind in (SOCK_RAW, SOCK_DGRAM)
        for protocol in (ETH_P_ALL, PROBE, packet.ETH_P_802_2, packet.ETH_P_802_3)
    ]
    received = counter("rx")
    frames = assorted(DUT_MAC, PEER_MAC)
    wire.injector.send(*frames)
    assert counter("rx") - received >= len(frames) - 4, "the card received them"
    for each in twins:
        seen = each.compare(1, both_ways=True)
        if each is twins[0]:
            kinds = {frame.address.pkttype for frame in seen}
            assert {packet.HOST, packet.BROADCAST} <= kinds, f"kinds {kinds}"
            longest = max(len(frame.data) for frame in seen)
            equal(longest, 1514, "longest frame")


def test_promiscuous():
    """Frames for others come in while, and only while, a membership asks for it.

    The filter of a card follows its memberships by a work item of the kernel.
    """
    wire = Wire()
    sock = open_socket()
    bind(sock, wire.eth0, PROBE)
    everyone = packet.membership(wire.eth0, packet.MR_PROMISC)

    def stranger():
        wire.injector.send(probe(topology.MAC_STRANGER, src=PEER_MAC))
        return [frame.address.pkttype for frame in drain(sock)]

    equal(stranger(), [], "before")
    packet.set_option(sock, packet.ADD_MEMBERSHIP, everyone)
    settles(stranger, [packet.OTHERHOST], "with PACKET_MR_PROMISC")
    packet.set_option(sock, packet.DROP_MEMBERSHIP, everyone)
    settles(stranger, [], "dropped")


def test_multicast():
    """A group comes in with its membership or with all groups, and not without."""
    wire = Wire()
    sock = open_socket()
    bind(sock, wire.eth0, PROBE)

    def group():
        wire.injector.send(probe(GROUP, src=PEER_MAC))
        return [frame.address.pkttype for frame in drain(sock)]

    equal(group(), [], "before")
    for kind, addr in ((packet.MR_MULTICAST, GROUP), (packet.MR_ALLMULTI, b"")):
        request = packet.membership(wire.eth0, kind, addr)
        packet.set_option(sock, packet.ADD_MEMBERSHIP, request)
        settles(group, [packet.MULTICAST], f"membership of type {kind}")
        packet.set_option(sock, packet.DROP_MEMBERSHIP, request)
        settles(group, [], f"type {kind}, dropped")


def test_send():
    """What we send arrives at the peer exactly as what AF_PACKET sends."""
    wire = Wire()
    far = wire.witness()
    sent = counter("tx")
    frames = [frame for frame in assorted(PEER_MAC, DUT_MAC) if len(frame) > 17]
    for kind in (SOCK_RAW, SOCK_DGRAM):
        heard = []
        for sock in (open_socket(kind), packet.reference(kind)):
            for frame in frames:
                data = frame if kind == SOCK_RAW else frame[14:]
                packet.send(sock, data, packet.address(wire.eth0, PROBE, PEER_MAC))
            heard.append(wire.reply(far))
        assert len(heard[1]) >= len(frames), f"{len(heard[1])} frames of the reference were heard"
        equal(heard[0], heard[1], f"frames of type {kind} on the wire")
    assert counter("tx") - sent >= 4 * len(frames), "the card sent them"


def test_padding():
    """A frame shorter than Ethernet's minimum is padded with zeros, never with old memory."""
    wire = Wire()
    far = wire.witness()
    sock = open_socket()
    for size in (0, 1, 20, 45):
        packet.send(
            sock, probe(PEER_MAC, bytes(1400), src=DUT_MAC), packet.address(wire.eth0, PROBE)
        )
        short = packet.ethernet(PEER_MAC, DUT_MAC, PROBE, b"\xff" * size)
        packet.send(sock, short, packet.address(wire.eth0, PROBE))
        data = [data for data, *_ in wire.reply(far) if len(data) < 1000]
        equal(data, [short.ljust(60, b"\0")], f"frame of {size} bytes")


def test_802_3():
    """802.3 frames with LLC, SNAP and raw, over the wire, both ways."""
    wire = Wire()
    wanted = (packet.ETH_P_802_2, packet.ETH_P_802_3)
    socks = {protocol: open_socket(protocol=protocol) for protocol in wanted}
    for protocol, sock in socks.items():
        bind(sock, wire.eth0, protocol)
    llc, snap, raw, tiny = (frame.ljust(60, b"\0") for frame in llc_frames(DUT_MAC, PEER_MAC))
    wire.injector.send(llc, snap, raw, tiny)
    equal([f.data for f in drain(socks[packet.ETH_P_802_2])], [llc, snap, tiny], "802.2 received")
    equal([f.data for f in drain(socks[packet.ETH_P_802_3])], [raw], "802.3 received")
    far = wire.witness()
    for frame in llc_frames(PEER_MAC, DUT_MAC):
        packet.send(open_socket(), frame, packet.address(wire.eth0, packet.ETH_P_802_2))
    expected = [frame.ljust(60, b"\0") for frame in llc_frames(PEER_MAC, DUT_MAC)]
    equal([data for data, *_ in wire.reply(far)], expected, "sent")


def test_vlan():
    """Tagged frames of full size, both ways."""
    wire = Wire()
    sock = open_socket()
    packet.set_option(sock, *AUX)
    bind(sock, wire.eth0, ETH_P_ALL)
    full = vlan(DUT_MAC, PEER_MAC, packet.ETH_P_8021Q, 5, PROBE, os.urandom(1500))
    wire.injector.send(full)
    frame = drain(sock)[0]
    equal(frame.data, full[:12] + full[16:], "received")
    equal((frame.auxdata.vlan_tpid, frame.auxdata.vlan_tci), (packet.ETH_P_8021Q, 5), "tag")
    far = wire.witness()
    full = PEER_MAC + DUT_MAC + full[12:]
    packet.send(sock, full, packet.address(wire.eth0, PROBE))
    replies = wire.reply(far)
    equal(len(replies), 1, f"frames {replies}")
    ((data, aux, _),) = replies
    equal(aux[4:], (5, packet.ETH_P_8021Q), "tag sent")
    equal(data, full[:12] + full[16:], "sent")


def test_traffic():
    """Ping and a TCP transfer over the card: we and AF_PACKET see the same, packet by packet."""
    wire = Wire()
    twins = [Twins(kind, ETH_P_ALL, wire.eth0, (AUX, BIG)) for kind in (SOCK_RAW, SOCK_DGRAM)]
    with wire.peer:
        server = socket.create_server((lib.PEER4, 7777))
    received = bytearray()

    def serve():
        near, _ = server.accept()
        while data := near.recv(65536):
            received.extend(data)
            near.send(data[:100])

    thread = threading.Thread(target=serve)
    thread.start()
    subprocess.run(["ping", "-c", "3", "-i", "0.2", lib.PEER4], check=True, capture_output=True)
    payload = os.urandom(1 << 18)
    with socket.create_connection((lib.PEER4, 7777)) as client:
        client.sendall(payload)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
    thread.join(20)
    assert bytes(received) == payload, "the TCP transfer is intact"
    wire.injector.settle()
    for each in twins:
        frames = each.compare(20, both_ways=True)
        kinds = {frame.address.pkttype for frame in frames}
        assert {packet.HOST, packet.OUTGOING} <= kinds, f"kinds {kinds}"
        volume = sum(len(frame.data) for frame in frames)
        assert volume > len(payload), f"only {volume} bytes were seen"
        for sock in each.both:
            equal(packet.statistics(sock)[1], 0, "drops")


def test_down_and_up():
    """The card goes down and up under a bound socket: ENETDOWN, and frames again."""
    wire = Wire()
    sock = open_socket()
    bind(sock, wire.eth0, PROBE)
    wire.injector.send(probe(DUT_MAC, src=PEER_MAC))
    equal(len(drain(sock)), 1, "before")
    topology.set_down("eth0")
    equal(errno_of(packet.receive, sock, flags=packet.MSG_DONTWAIT), "ENETDOWN", "down")
    topology.set_up("eth0")
    lib.wait_for(lambda: topology.flags("eth0") & topology.IFF_RUNNING, 10, "the link")
    wire = Wire()
    wire.injector.send(probe(DUT_MAC, src=PEER_MAC))
    equal(len(drain(sock)), 1, "after")


def test_unbind():
    """The driver is taken from the card under bound sockets with traffic on the wire."""
    wire = Wire()
    socks = [open_socket(kind) for kind in (SOCK_RAW, SOCK_DGRAM)]
    for sock, protocol in zip(socks, (ETH_P_ALL, PROBE)):
        bind(sock, wire.eth0, protocol)
        request = packet.membership(wire.eth0, packet.MR_PROMISC)
        packet.set_option(sock, packet.ADD_MEMBERSHIP, request)
    wire.injector.send(probe(DUT_MAC, src=PEER_MAC))
    for sock in socks:
        assert drain(sock), "traffic before"
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        out = wire.injector.sock
        while os.getppid() == parent:
            with contextlib.suppress(OSError):
                packet.send(out, probe(DUT_MAC, src=PEER_MAC), packet.address(wire.eth1, PROBE))
        os._exit(0)
    try:
        lib.sh("release_card nic0")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    for sock in socks:
        error = packet.get_int(sock, socket.SO_ERROR, socket.SOL_SOCKET)
        equal(packet.NAMES.get(error), "ENETDOWN", "error")
        name = packet.LinkAddress.parse(packet.getname(sock)[0].ljust(20, b"\0"))
        equal(name.ifindex, -1, "index")
        drain(sock)
        equal(errno_of(packet.send, sock, probe(PEER_MAC)), "ENXIO", "send")


@contextlib.contextmanager
def two_hosts():
    """The rig's topology; the last case leaves the card without a driver."""
    with expedited_grace_periods(), lib.Topology():
        # The default discipline sorts frames into flows, which lets them overtake each other.
        lib.sh("in_dut tc qdisc replace dev eth0 root pfifo")
        yield


if __name__ == "__main__":
    main(globals(), two_hosts)
