# SPDX-License-Identifier: GPL-2.0
"""Frames in both directions. The peer's card and its namespace are never touched, so what is seen there
is the wire. Each frame says which one it is, and whoever receives one compares it to the last byte."""
import errno
import select
import socket
import struct

import lib
from frames import BROADCAST, ETH_P_TEST, OUTGOING, frame
from nic import PEER4
from storms import kernel
from storms.card import CARD_MAC
from storms.device import OnDevice
from storms.engine import Actor, Wrong, action

LENGTHS = (60, 61, 64, 200, 577, 1024, 1500, 1514)
TO_DUT, TO_PEER = 0x10000, 0x20000
DUT4 = "10.8.13.1"


def frames(destinations, source, way):
    """The frames of one direction, by the number that they carry."""
    made = {}
    for number, length in enumerate(LENGTHS):
        destination = destinations[number % len(destinations)]
        made[way + number] = frame(destination, source, length, way + number)
    return made


def which(data):
    """The number that a frame carries."""
    return struct.unpack_from(">I", data, 14)[0] if len(data) >= 18 else None


class Checker(Actor):
    """Receives what arrives, and knows what it must be."""

    expected = {}
    sock = None

    def take(self, limit=64):
        """Compares frames until there is none; returns how many came."""
        count = 0
        if not select.select([self.sock], [], [], 0.3)[0]:
            raise OSError(errno.EAGAIN, "no frame")
        while count < limit:
            try:
                data, address = self.sock.recvfrom(2048, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if address[2] == OUTGOING:
                continue
            # The filter of the socket admits this ethertype alone.
            if data != self.expected.get(which(data)):
                raise Wrong(f"a frame of {len(data)} bytes that nobody sent: {data[:40].hex()}")
            count += 1
        return count


class FromPeer(Actor):
    """The peer floods the card: its own address, everybody's, a group's."""

    pause = (0.001, 0.01)

    def __init__(self, peer):
        super().__init__("peer sends")
        self.peer, self.sock = peer, None
        self.frames = list(frames((CARD_MAC, BROADCAST, b"\1\0\x5e\0\0\7"), peer.mac, TO_DUT).values())

    def begin(self):
        with kernel.inside(f"/run/netns/{self.peer.netns}"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind((self.peer.name, 0))

    @action("ENOBUFS", least=50)
    def burst(self):
        for _ in range(self.random.choice((1, 4, 8))):
            self.sock.send(self.random.choice(self.frames))


class AtPeer(Checker):
    """What the card has put on the wire."""

    pause = (0.001, 0.005)

    def __init__(self, peer):
        super().__init__("peer receives")
        self.peer = peer
        self.expected = frames((peer.mac, BROADCAST), CARD_MAC, TO_PEER)

    def begin(self):
        with kernel.inside(f"/run/netns/{self.peer.netns}"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.bind((self.peer.name, ETH_P_TEST))

    @action("EAGAIN", least=20)
    def look(self):
        self.take()


class FromCard(OnDevice):
    """The card sends, as often as it is there and up."""

    pause = (0.001, 0.01)

    def __init__(self, whereabouts, peer, family, gate):
        super().__init__(whereabouts, f"card sends by {int(family)}")
        self.family, self.gate = family, gate
        self.frames = list(frames((peer.mac, BROADCAST), CARD_MAC, TO_PEER).values())

    def rests(self):
        return self.family != socket.AF_PACKET and self.gate.closed

    # ENXIO: no such device (any more). EMSGSIZE: the length is set lower. EAFNOSUPPORT: no such family now.
    @action("ENODEV ENXIO ENETDOWN ENOBUFS EMSGSIZE EAFNOSUPPORT", least=20)
    def burst(self):
        place, name = self.find()
        with kernel.inside(self.where(place)):
            sock = packet_socket(self.family, 0)
        with sock:
            address = (name, ETH_P_TEST)
            for _ in range(self.random.choice((1, 8, 32))):
                sock.sendto(self.random.choice(self.frames), address)


class InNamespace(Checker):
    """What arrives in a namespace, by a socket that is bound to no device. It is closed while the gate is,
    which is for our family's module to be unloaded."""

    def __init__(self, name, netns, family, gate, expected):
        super().__init__(name)
        self.netns, self.family, self.gate, self.expected = netns, family, gate, expected

    def rests(self):
        if self.family == socket.AF_PACKET or not self.gate.closed:
            return False
        self.close()
        return True

    def open(self):
        with kernel.inside(self.netns):
            self.sock = packet_socket(self.family, ETH_P_TEST)

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    end = close


class AtCard(InNamespace):
    """What the card has received."""

    pause = (0.001, 0.005)

    def __init__(self, peer, netns, family, gate):
        super().__init__(f"card receives by {int(family)} in {netns}", netns, family, gate,
                         frames((CARD_MAC, BROADCAST, b"\1\0\x5e\0\0\7"), peer.mac, TO_DUT))

    @action("EAGAIN EAFNOSUPPORT", least=3)
    def look(self):
        if self.sock is None or self.random.random() < 0.02:
            self.close()
            self.open()
        self.take()


class Internet(OnDevice):
    """The interface has an address, and datagrams that the peer answers with `port unreachable`: routes
    and neighbours refer to a device that may go at any time."""

    pause = (0.01, 0.1)

    # ENETUNREACH and the like: the route went with the device. ECONNREFUSED is the answer.
    @action("ENODEV ENETUNREACH EHOSTUNREACH EINVAL EADDRNOTAVAIL ENETDOWN ENOBUFS EAGAIN EPERM", least=1)
    def ask(self):
        place, name = self.find()
        kernel.set_address(place, name, DUT4)
        with kernel.inside(self.where(place)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((PEER4, 9))
            for _ in range(4):
                try:
                    sock.send(bytes(8) * self.random.randrange(1, 200))
                    if select.select([sock], [], [], 0.3)[0]:
                        sock.recv(1)
                except ConnectionRefusedError:
                    return
        raise OSError(errno.EAGAIN, "no answer")


def packet_socket(family, protocol):
    """A raw packet socket of either family; Python knows but one of them."""
    fd = lib.libc_call("socket", int(family), socket.SOCK_RAW, socket.htons(protocol))
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol), fd)
