# SPDX-License-Identifier: GPL-2.0
"""Two sockets on the same traffic: one of the family under test and one of AF_PACKET.

Whatever is done to one is done to the other; what they receive has to be the same, byte by byte:
frames and their order, lengths, flags, addresses, and control messages including the time stamps,
since both stamp the same buffer.
"""

import contextlib
import random
import time

import bpf
import packet
import topology
from harness import equal

RNG = random.Random(8139)


class Twins:
    """A socket of the family under test and its reference."""

    def __init__(self, kind=packet.SOCK_RAW, protocol=0, ifindex=None, options=()):
        self.ours = packet.open_socket(kind)
        self.theirs = packet.reference(kind)
        self.what = f"type {kind}, protocol {protocol:#x}"
        for sock in self.both:
            for option in options:
                packet.set_option(sock, *option)
        # The reference first: it then sees at least what the other one sees.
        for sock in (self.theirs, self.ours):
            packet.bind(sock, ifindex or 0, protocol)

    @property
    def both(self):
        return self.ours, self.theirs

    def compare(self, least=1, size=1 << 17, both_ways=False):
        """Receives all that is queued on both, and compares; returns the frames.

        `both_ways`: one CPU may send while another one receives. Then only the order within each
        direction is the same for both.
        """
        seen, expected = [], []
        # What arrives between two looks is seen by one of them only, until both see nothing more.
        while any(new := (drain(self.ours, size), drain(self.theirs, size))):
            seen += new[0]
            expected += new[1]
        arrived = f"{self.what}: only {len(expected)} frames of {least} arrived"
        assert len(expected) >= least, arrived
        equal(len(seen), len(expected), f"{self.what}: number of frames")
        if both_ways:
            for frames in (seen, expected):
                frames.sort(key=lambda frame: frame.address.pkttype == packet.OUTGOING)
        for at, (one, other) in enumerate(zip(seen, expected)):
            what = f"{self.what}: frame {at} of {len(seen)}"
            equal(one.name, other.name, f"{what}: address")
            equal(one.data, other.data, f"{what}: data")
            equal((one.count, one.flags), (other.count, other.flags), f"{what}: length, flags")
            equal(one.cmsgs, other.cmsgs, f"{what}: control messages")
        return seen

    def close(self):
        for sock in self.both:
            sock.close()


def drain(sock, size=1 << 17):
    """All frames that have arrived: those still in this CPU's backlog are waited for."""
    frames = []
    topology.wait_for_backlog()
    while True:
        try:
            frames.append(packet.receive(sock, size, packet.MSG_DONTWAIT))
        except BlockingIOError:
            return frames


class Injector:
    """Puts frames on a wire through AF_PACKET, and knows when they have arrived.

    What a device receives is handed to all its handlers by one softirq, in order. So when the
    witness at the other end has seen a later frame, every handler has seen the earlier ones.
    """

    def __init__(self, out, far, far_ns=None, to=topology.MAC_STRANGER):
        self.to = to
        self.sock = packet.reference()
        packet.bind(self.sock, out, 0)
        # A device whose other end has just come up sends soon; one that is down does not, and is
        # the business of the test.
        with contextlib.suppress(AssertionError):
            topology.wait_running(packet.socket.if_indextoname(out), 2)
        if far_ns:
            with far_ns:
                self.witness = packet.reference()
        else:
            self.witness = packet.reference()
        # By a filter, since a bridge takes frames from a device before any one protocol gets them.
        bpf.attach(self.witness, bpf.accept_if(bpf.load_half(12), packet.OTHER))
        packet.bind(self.witness, far, packet.ETH_P_ALL)
        self.out, self.serial = out, 0

    def send(self, *frames):
        """Sends frames, and returns when all handlers at the far end are through with them."""
        for frame in frames:
            packet.send(self.sock, frame, packet.address(self.out, frame_type(frame)))
        self.settle()

    def settle(self):
        """Waits until everything sent so far has been handed out."""
        self.serial += 1
        mark = b"settled" + self.serial.to_bytes(8)
        frame = packet.ethernet(self.to, topology.MAC_B, packet.OTHER, mark.ljust(46))
        packet.send(self.sock, frame, packet.address(self.out, packet.OTHER))
        while mark not in packet.receive(self.witness).data:
            pass


def frame_type(frame):
    """The protocol for sockaddr_ll: an ethertype, or ETH_P_802_2 for a length."""
    kind = int.from_bytes(frame[12:14])
    return kind if kind >= 0x600 else packet.ETH_P_802_2


def probe(dst=topology.MAC_A, payload=b"", kind=packet.PROBE, src=topology.MAC_B):
    """A frame of an experimental ethertype."""
    return packet.ethernet(dst, src, kind, payload.ljust(46, b"."))


def vlan(dst, src, tpid, tci, kind, payload=b""):
    """A frame with one tag in it."""
    return packet.ethernet(dst, src, tpid, tci.to_bytes(2) + kind.to_bytes(2) + payload)


def assorted(dst=topology.MAC_A, src=topology.MAC_B):
    """Frames of many shapes, towards `dst`: all pkttypes, ethertypes, sizes, tags, 802.3 forms."""
    frames = [
        packet.ethernet(to, src, packet.PROBE, RNG.randbytes(46))
        for to in (dst, topology.MAC_BROADCAST, topology.MAC_MULTICAST, topology.MAC_STRANGER)
    ]
    frames += [
        packet.ethernet(dst, src, packet.PROBE, RNG.randbytes(size))
        for size in (0, 1, 2, 45, 46, 47, 300, 1499, 1500)
    ]
    for kind in (packet.ETH_P_ARP, packet.ETH_P_IP, packet.ETH_P_IPV6, 0x0600, 0xFFFF):
        frames.append(packet.ethernet(dst, src, kind, RNG.randbytes(60)))
    for tpid in (packet.ETH_P_8021Q, packet.ETH_P_8021AD):
        for tci in (0, 1, 0x0FFF, 0xE123):
            frames.append(vlan(dst, src, tpid, tci, packet.PROBE, RNG.randbytes(50)))
    inner = b"\x81\x00\x00\x07\x88\xb5" + RNG.randbytes(50)
    frames.append(vlan(dst, src, packet.ETH_P_8021AD, 9, packet.ETH_P_8021Q, inner[4:]))
    frames.append(packet.ethernet(dst, src, packet.ETH_P_8021Q, b"\x00\x05"))  # Ends in its tag.
    frames += llc_frames(dst, src)
    return frames


def llc_frames(dst, src):
    """802.3 frames: with LLC, with SNAP, and the raw form whose first bytes are ff ff."""
    payloads = (
        b"\x42\x42\x03" + bytes(35),
        b"\xaa\xaa\x03\x00\x00\x00\x88\xb5" + bytes(38),
        b"\xff\xff" + bytes(44),
        b"\xe0",
    )
    return [packet.ethernet(dst, src, len(payload), payload) for payload in payloads]


def steady_timestamps(twins, injector, frame):
    """Sends until time stamping, which the kernel switches on by a work item, has begun.

    From then on both sockets report the stamp that the buffer got when it was received.
    """
    for _ in range(100):
        injector.send(frame)
        one, other = drain(twins.ours), drain(twins.theirs)
        assert one and other, "no frame to stamp arrived"
        if one[-1].cmsgs == other[-1].cmsgs:
            return
        time.sleep(0.02)
    raise AssertionError("the time stamps of the two sockets never agreed")
