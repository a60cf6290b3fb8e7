#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 300
"""Which frames a socket sees, and what it sees of them."""

import socket
import struct
import subprocess

import bpf
import packet
import topology
from harness import equal, lib, main, need_module, settles
from packet import ETH_P_ALL, OTHER, PROBE, SOCK_DGRAM, SOCK_RAW, bind, open_socket, receive
from topology import MAC_A, MAC_B, Pair
from twin import Injector, Twins, assorted, drain, llc_frames, probe, steady_timestamps

AUX = (packet.AUXDATA, 1)
NANOSECONDS = (packet.SO_TIMESTAMPNS, 1, 4, socket.SOL_SOCKET)


def test_twins_on_veth():
    """Every shape of frame: same bytes, order, address, auxdata and time stamp as AF_PACKET."""
    pair = Pair()
    twins = [
        Twins(kind, protocol, ifindex, (AUX, NANOSECONDS))
        for kind in (SOCK_RAW, SOCK_DGRAM)
        for protocol in (ETH_P_ALL, PROBE, packet.ETH_P_802_2, packet.ETH_P_802_3)
        for ifindex in (pair.a, 0)
    ]
    injector = Injector(pair.b, pair.a)
    for each in twins[:1]:
        steady_timestamps(each, injector, probe())
    for each in twins:
        for sock in each.both:
            drain(sock)
    frames = assorted()
    injector.send(*frames)
    for each in twins:
        seen = each.compare(0)
        if each is twins[0]:
            # One frame more, the injector's mark, and one less, which ends within its VLAN tag.
            equal(len(seen), len(frames), "frames that arrived at va")
            kinds = {frame.address.pkttype for frame in seen}
            equal(
                kinds, {packet.HOST, packet.BROADCAST, packet.MULTICAST, packet.OTHERHOST}, "kinds"
            )
        if each is twins[1]:
            # The wildcard sees each frame leave vb, too.
            equal(len(seen), 2 * len(frames) + 1, "frames on all devices")


def test_twins_on_lo():
    """UDP over lo: each datagram is seen twice, outgoing and incoming, as AF_PACKET sees it."""
    lo = topology.index("lo")
    twins = [Twins(kind, ETH_P_ALL, lo, (AUX, NANOSECONDS)) for kind in (SOCK_RAW, SOCK_DGRAM)]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(5)
    for size in (0, 1, 18, 1000, 9000, 60000):
        sock.sendto(b"x" * size, sock.getsockname())
        equal(len(sock.recv(65536)), size, "UDP still arrives")
    for each in twins:
        frames = drain(each.ours), drain(each.theirs)
        # Stamps may not be on yet for the first frames, so they are compared without.
        bare = [[(f.data, f.name, f.auxdata) for f in side] for side in frames]
        equal(bare[0], bare[1], each.what)
        kinds = [frame.address.pkttype for frame in frames[0]]
        equal(kinds, [packet.OUTGOING, packet.HOST] * 6, "kinds")


def test_twins_on_tcp():
    """A TCP transfer: buffers of up to 64 KiB in fragments, partial checksums, GSO marks."""
    far = topology.new_namespace()
    pair = Pair(far)
    topology.ip("addr add 10.9.0.1/24 dev va")
    with far:
        topology.ip("addr add 10.9.0.2/24 dev vb")
        server = socket.create_server(("10.9.0.2", 7))
    options = (AUX, (packet.SO_RCVBUFFORCE, 1 << 25, 4, socket.SOL_SOCKET))
    twins = [Twins(kind, ETH_P_ALL, pair.a, options) for kind in (SOCK_RAW, SOCK_DGRAM)]
    client = socket.create_connection(("10.9.0.2", 7))
    near, _ = server.accept()
    data = bytes(range(256)) * 512
    for one, other in ((client, near), (near, client)):
        sent = 0
        while sent < len(data):
            sent += one.send(data[sent : sent + 65536])
            while True:
                try:
                    other.recv(1 << 17, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
    for each in twins:
        frames = each.compare(8)
        assert max(len(frame.data) for frame in frames) > 2000, "no large buffer was seen"
        status = 0
        for frame in frames:
            status |= frame.auxdata.status
        assert status & packet.STATUS_CSUMNOTREADY, "no partial checksum was seen"
        assert status & 256, "no buffer marked as GSO was seen"


def test_twins_without_header():
    """A device without a link header (tun): RAW and DGRAM both begin with the IP header."""
    tun = topology.Tun()
    twins = [Twins(kind, ETH_P_ALL, tun.index, (AUX,)) for kind in (SOCK_RAW, SOCK_DGRAM)]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 24, 1, 0, 9, 253, 0, bytes(4), bytes(4))
    tun.write(struct.pack("!HH", 0, packet.ETH_P_IP) + header + b"abcd")
    tun.write(struct.pack("!HH", 0, packet.ETH_P_IPV6) + b"\x60" + bytes(43))
    out = packet.reference(SOCK_DGRAM)
    packet.send(out, header + b"wxyz", packet.address(tun.index, packet.ETH_P_IP))
    for each in twins:
        frames = each.compare(3)
        equal([f.data for f in frames if f.data[-4:] == b"abcd"], [header + b"abcd"], "incoming")
        equal([f.data for f in frames if f.data[-4:] == b"wxyz"], [header + b"wxyz"], "outgoing")
        equal({(f.address.hatype, f.address.halen) for f in frames}, {(65534, 0)}, "hatype, halen")


def test_pkttypes():
    """sll_pkttype by destination address, and outgoing for what another socket sends."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    injector = Injector(pair.b, pair.a)
    destinations = {
        MAC_A: packet.HOST,
        topology.MAC_BROADCAST: packet.BROADCAST,
        topology.MAC_MULTICAST: packet.MULTICAST,
        topology.MAC_STRANGER: packet.OTHERHOST,
    }
    for dst, kind in destinations.items():
        injector.send(probe(dst, b"kind"))
        frame = receive(sock)
        expected = (17, PROBE, pair.a, 1, kind, 6, MAC_B.ljust(8, b"\0"))
        equal(tuple(frame.address), expected, f"address of the frame to {dst.hex(':')}")
        equal(frame.data, probe(dst, b"kind"), "data")
    every = open_socket()
    bind(every, pair.b, ETH_P_ALL)
    injector.send(probe(MAC_A, b"leaves"))
    frame = receive(every)
    equal((frame.address.pkttype, frame.address.ifindex), (packet.OUTGOING, pair.b), "outgoing")
    equal(frame.data, probe(MAC_A, b"leaves"), "outgoing frame with its header")


def test_protocols():
    """A protocol sees its own incoming frames, ETH_P_ALL sees all both ways, 0 sees none."""
    pair = Pair()
    injector = Injector(pair.b, pair.a)
    socks = {
        name: open_socket(SOCK_RAW, protocol)
        for name, protocol in {"none": 0, "probe": PROBE, "ip": 0x800, "all": ETH_P_ALL}.items()
    }
    late = open_socket()
    bind(late, pair.a, 0)
    bind(socks["all"], pair.a, ETH_P_ALL)
    injector.send(probe(payload=b"1"), probe(kind=OTHER, payload=b"2"), probe(payload=b"3"))
    equal([f.data[14:15] for f in drain(socks["probe"])], [b"1", b"3"], "one protocol")
    equal([f.data[14:15] for f in drain(socks["all"])], [b"1", b"2", b"3", b"s"], "all")
    equal(drain(socks["none"]), [], "protocol 0")
    equal(drain(late), [], "protocol 0, bound to a device")
    equal(drain(socks["ip"]), [], "another protocol")


def test_outgoing_is_for_all():
    """Only ETH_P_ALL taps what leaves; a sender does not see its own frames."""
    pair = Pair()
    narrow, wide, sender = open_socket(), open_socket(), open_socket()
    bind(narrow, pair.a, PROBE)
    bind(wide, pair.a, ETH_P_ALL)
    bind(sender, pair.a, ETH_P_ALL)
    packet.send(sender, probe(MAC_B, b"out", src=MAC_A))
    equal([f.address.pkttype for f in drain(wide)], [packet.OUTGOING], "tap")
    equal(drain(narrow), [], "one protocol")
    equal(drain(sender), [], "the sender itself")


def test_dgram_payload():
    """DGRAM gives the payload alone, incoming and outgoing."""
    pair = Pair()
    sock = open_socket(SOCK_DGRAM)
    bind(sock, pair.a, ETH_P_ALL)
    injector = Injector(pair.b, pair.a)
    injector.send(probe(payload=b"incoming"))
    frames = drain(sock)
    equal(frames[0].data, b"incoming".ljust(46, b"."), "incoming")
    equal(frames[0].address.addr[:6], MAC_B, "source address")
    packet.send(
        packet.reference(), probe(MAC_B, b"outgoing", src=MAC_A), packet.address(pair.a, PROBE)
    )
    (frame,) = drain(sock)
    equal(frame.data, b"outgoing".ljust(46, b"."), "outgoing")
    equal(frame.address.addr[:6], MAC_A, "source address of an outgoing frame")


def test_802_3():
    """802.3 frames go to ETH_P_802_2 with LLC and to ETH_P_802_3 without, and to ETH_P_ALL."""
    pair = Pair()
    wanted = (packet.ETH_P_802_2, packet.ETH_P_802_3, ETH_P_ALL)
    socks = {protocol: open_socket(protocol=protocol) for protocol in wanted}
    for protocol, sock in socks.items():
        bind(sock, pair.a, protocol)
    llc, snap, raw, tiny = llc_frames(MAC_A, MAC_B)
    Injector(pair.b, pair.a).send(llc, snap, raw, tiny)
    equal([f.data for f in drain(socks[packet.ETH_P_802_2])], [llc, snap, tiny], "802.2")
    equal([f.data for f in drain(socks[packet.ETH_P_802_3])], [raw], "802.3")
    seen = drain(socks[ETH_P_ALL])[:4]
    equal([f.data for f in seen], [llc, snap, raw, tiny], "all")
    equal([f.address.protocol for f in seen], [4, 4, 1, 4], "sll_protocol")


def internet(protocol, body):
    """A frame to va with an IP packet from 10.9.0.2 to 10.9.0.1."""
    length = 20 + len(body)
    addresses = bytes((10, 9, 0, 2, 10, 9, 0, 1))
    header = struct.pack("!BBHHHBBH", 0x45, 0, length, 1, 0, 9, protocol, 0) + addresses
    header = header[:10] + lib.checksum(header).to_bytes(2) + addresses
    return packet.ethernet(MAC_A, MAC_B, packet.ETH_P_IP, header + body)


def test_many_handlers():
    """Many sockets and a ring on one frame: each gets it unchanged, and so does the IP stack."""
    pair = Pair()
    ring = packet.reference(protocol=ETH_P_ALL)
    packet.set_option(ring, packet.RX_RING, struct.pack("=4I", 4096, 1, 2048, 2))
    topology.ip("addr add 10.9.0.1/24 dev va")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("10.9.0.1", 9))
    udp.settimeout(5)
    socks = []
    for opener in (open_socket, packet.reference, open_socket):
        for kind in (SOCK_RAW, SOCK_DGRAM):
            for protocol, filtered in ((ETH_P_ALL, 0), (packet.ETH_P_IP, 0), (ETH_P_ALL, 1)):
                sock = opener(kind)
                if filtered:
                    bpf.attach(sock, [bpf.ret(20)])
                bind(sock, pair.a, protocol)
                socks.append((sock, kind, filtered))
    # The stack checks the source of a packet against its routes; vb is in this namespace, too.
    with open("/proc/sys/net/ipv4/conf/va/rp_filter", "w", encoding="ascii") as knob:
        knob.write("0")
    frame = internet(
        socket.IPPROTO_UDP, struct.pack("!HHHH", 9, 9, 8 + 30, 0) + b"u" * 30
    )
    Injector(pair.b, pair.a).send(frame)
    for sock, kind, filtered in socks:
        expected = frame if kind == SOCK_RAW else frame[14:]
        equal(drain(sock)[0].data, expected[:20] if filtered else expected, f"{kind} {filtered}")
    equal(udp.recv(100), b"u" * 30, "UDP socket behind the taps")


def tc(line):
    """Runs one `tc`. Fails the test if that fails."""
    done = subprocess.run(["tc", *line.split()], text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"tc {line}: {done.stderr.strip()}"


def connections():
    """How many the namespace tracks. To read the table is to drop what has expired."""
    with open("/proc/net/nf_conntrack", encoding="ascii") as table:
        table.read()
    with open("/proc/sys/net/netfilter/nf_conntrack_count", encoding="ascii") as count:
        return int(count.read())


def test_a_queued_frame_holds_no_connection():
    """The entry of connection tracking that a frame came with ends when its time is over."""
    need_module("act_ct")
    pair = Pair()
    sock = open_socket()
    # Of one protocol: ETH_P_ALL would get the frame before the classifier does.
    bind(sock, pair.a, packet.ETH_P_IP)
    # An echo request: what may become a flow outlives the time of its connection.
    echo = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + b"tracked!"
    echo = echo[:2] + lib.checksum(echo).to_bytes(2) + echo[4:]
    with lib.module("act_ct"):
        tc("qdisc add dev va clsact")
        tc("filter add dev va ingress protocol ip matchall action ct commit")
        try:
            path = "/proc/sys/net/netfilter/nf_conntrack_icmp_timeout"
            with open(path, "w", encoding="ascii") as timeout:
                timeout.write("2")
            Injector(pair.b, pair.a).send(internet(socket.IPPROTO_ICMP, echo))
            equal(connections(), 1, "connections, by the frame")
            settles(connections, 0, "connections, while the frame is queued", 20)
            equal([frame.data[-8:] for frame in drain(sock)], [b"tracked!"], "what was queued")
        finally:
            tc("qdisc del dev va clsact")


def test_order_and_count():
    """Three hundred frames arrive complete, in order, and are counted exactly."""
    pair = Pair()
    sock = open_socket(protocol=PROBE)
    bind(sock, pair.a, PROBE)
    packet.set_option(sock, packet.SO_RCVBUFFORCE, 1 << 24, level=1)
    packet.statistics(sock)
    injector = Injector(pair.b, pair.a)
    injector.send(*(probe(payload=number.to_bytes(4)) for number in range(300)))
    numbers = [int.from_bytes(frame.data[14:18]) for frame in drain(sock)]
    equal(numbers, list(range(300)), "sequence")
    equal(packet.statistics(sock), (300, 0), "statistics")


def test_rebind():
    """Each bind moves the hook; what was queued before stays."""
    pair = Pair()
    sock = open_socket(protocol=PROBE)
    to_a, to_b = Injector(pair.b, pair.a), Injector(pair.a, pair.b)

    def traffic(tag):
        to_a.send(probe(MAC_A, b"a" + tag), probe(MAC_A, b"A" + tag, OTHER))
        to_b.send(probe(MAC_B, b"b" + tag, src=MAC_A), probe(MAC_B, b"B" + tag, OTHER, MAC_A))

    def tags():
        return b"".join(frame.data[14:16] for frame in drain(sock))

    traffic(b"1")
    bind(sock, pair.a, PROBE)
    traffic(b"2")
    bind(sock, pair.b, 0)
    traffic(b"3")
    bind(sock, pair.b, OTHER)
    traffic(b"4")
    bind(sock, pair.b, OTHER)
    traffic(b"5")
    bind(sock, 0, PROBE)
    traffic(b"6")
    # The marks of the injectors are of ethertype OTHER and go to vb as "se" as well.
    equal(tags().replace(b"se", b""), b"a1b1a2b3B4B5a6b6", "frames by binding")
    equal(packet.errno_of(bind, sock, 4711, OTHER), "ENODEV", "failed bind")
    traffic(b"7")
    equal(tags(), b"a7b7", "a failed bind changes nothing")


if __name__ == "__main__":
    main(globals())
