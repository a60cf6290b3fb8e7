# SPDX-License-Identifier: GPL-2.0
"""Pairs of devices of software that come and go, and frames through them."""
import os
import socket
import struct

from frames import BROADCAST, ETH_P_TEST
from storms import kernel
from storms.device import OnDevice
from storms.engine import action
from storms.traffic import InNamespace, frames, packet_socket

NAMES = ("va", "vb", "vc", "vd")
MACS = (bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b"))
NUMBERS = 0x30000


def attribute(kind, data):
    """struct nlattr with its data."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Links(OnDevice):
    """Makes pairs, and removes them beneath whoever uses them."""

    every = (10, 60)

    def begin(self):
        super().begin()
        self.paths = [os.open(path, os.O_RDONLY) for path in self.whereabouts.paths]
        self.senders = [kernel.netlink(path) for path in self.paths]

    # EEXIST: one of the names is taken there. ENODEV: it was taken away before it was up.
    @action("EEXIST ENODEV", least=5, weight=3)
    def make(self):
        """va and vb, or vc and vd, up, each in one of the namespaces."""
        at = self.random.randrange(2) * 2
        here, there = (self.random.randrange(len(self.paths)) for _ in range(2))
        peer = bytes(16) + attribute(3, NAMES[at + 1].encode() + b"\0") + \
            attribute(28, struct.pack("=I", self.paths[there]))
        pair = attribute(18, attribute(1, b"veth\0") + attribute(2, attribute(1, peer)))
        kernel.new_link(self.senders[here], attribute(3, NAMES[at].encode() + b"\0") + pair)
        for place, name in ((here, NAMES[at]), (there, NAMES[at + 1])):
            kernel.change_flags(self.places[place], name, on=kernel.IFF_UP)

    @action("ENODEV", least=5)
    def remove(self):
        place, name = self.find()
        kernel.delete_link(self.senders[self.places.index(place)], kernel.index(place, name))


class Sender(OnDevice):
    """Frames out of any of the devices, which another one receives."""

    pause = (0.001, 0.01)

    def __init__(self, whereabouts, gate):
        super().__init__(whereabouts)
        self.gate = gate
        self.frames = list(frames((BROADCAST, *MACS), b"\x02\0\0\0\0\x77", NUMBERS).values())

    @action("ENODEV ENXIO ENETDOWN ENOBUFS EMSGSIZE", least=20)
    def burst(self):
        place, name = self.find()
        with kernel.inside(self.where(place)):
            sock = packet_socket(socket.AF_PACKET, 0)
        with sock:
            for _ in range(8):
                sock.sendto(self.random.choice(self.frames), (name, ETH_P_TEST))


class Receiver(InNamespace):
    """What arrives in a namespace, whatever device it comes by."""

    pause = (0.001, 0.01)

    def __init__(self, netns, family, gate):
        super().__init__(f"receiver in {netns}", netns, family, gate,
                         frames((BROADCAST, *MACS), b"\x02\0\0\0\0\x77", NUMBERS))

    @action("EAGAIN EAFNOSUPPORT", least=5)
    def look(self):
        if self.sock is None:
            self.open()
        self.take()
