# SPDX-License-Identifier: GPL-2.0
"""A run of calls, drawn from a seed before the first of them is made.

What the family does not have yet is not drawn: see BUILT in drawing.py. AF_PACKET against itself has all.
"""

import random
import socket
import struct

import packet
from lockstep import frames
from lockstep.draw_options import Options
from lockstep.draw_rings import Rings
from lockstep.draw_traffic import Traffic
from lockstep.drawing import INDEXES
from lockstep.side import SLOTS
from lockstep.world import DA, TUN, VA, VLAN


class Draw(Options, Traffic, Rings):
    """Draws calls."""

    def __init__(self, seed, built, apart):
        # Both sides of AF_PACKET against itself would be in one group.
        super().__init__(seed, built if apart else built - {"fanout"})
        self.kinds = {
            "socket": 3,
            "close": 1,
            "bind": 9,
            "name": 3,
            "call": 2,
            "pair": 0.5,
            "set": 9,
            "set_socket": 9,
            "get": 8,
            "member": 6,
            "filter": 4,
            "program": 2,
            "lock": 0.3,
            "send": 15,
            "write": 2,
            "recv": 20,
            "read": 2,
            "ioctl": 5,
            "arrive": 20,
            "offloaded": 4,
            "leave": 6,
            "link": 3,
        }
        if "ring" in self.built:
            self.kinds |= {"ring": 5, "map": 6, "unmap": 0.5, "ring_slot": 12}
        if "fanout" in self.built:
            self.kinds |= {"fanout": 4}

    def run(self, length):
        """The calls of one run: sockets that hear something, any calls, and what is left at the end."""
        calls = []
        for slot in range(SLOTS):
            calls.append(self.socket(slot, self.rng.choice((2, 3, 3))))
            index = self.rng.choice((0, VA, DA, VLAN, TUN))
            protocol = self.rng.choice((0, packet.ETH_P_ALL, packet.ETH_P_ALL, packet.PROBE))
            calls.append(("bind", slot, packet.address(index, protocol), 20))
        if "ring" in self.built:
            for slot in range(SLOTS):
                calls += self.mapped(slot)
        if self.rng.random() < 0.6:
            calls.append(("set", self.slot(), packet.SOL_PACKET, packet.AUXDATA, b"\1\0\0\0", 4))
        names, weights = list(self.kinds), list(self.kinds.values())
        while len(calls) < length:
            calls.append(getattr(self, self.rng.choices(names, weights)[0])())
        for slot in range(SLOTS):
            calls += [("recv", slot, (2048,), 0, 128, 512, "")] * 3
            calls += [("get", slot, packet.SOL_PACKET, packet.STATISTICS, 12, b""), ("close", slot)]
        return calls

    # ---- Sockets --------------------------------------------------------------------------------

    def socket(self, slot=None, kind=None):
        if kind is None:
            late = [packet.SOCK_PACKET] * ("spkt" in self.built)
            kind = self.maybe(
                self.rng.choice([2, 3, 3, *late]), 0.2, 1, 4, 5, 6, 9, 11, 0x803, 0x80803, 0x13, *late
            )
        protocol = self.rng.choice(
            (0, 0, packet.PROBE, 3, 3, 3, packet.OTHER, 0x0800, 4, 0xFFFF, 0x10000, -1)
        )
        # socket() takes it in network order, and no more than 16 bits of it.
        if 0 <= protocol <= 0xFFFF:
            protocol = socket.htons(protocol)
        return (
            "socket",
            self.slot() if slot is None else slot,
            kind,
            protocol,
            self.maybe("here", 0.12, "far"),
        )

    def close(self):
        return ("close", self.slot())

    def bind(self):
        raw, length = frames.draw_address(self.rng, INDEXES)
        if "spkt" in self.built and self.rng.random() < 0.1:
            # What a SOCK_PACKET takes: struct sockaddr with a name.
            raw = struct.pack("=H14s", 17, self.rng.choice((b"va", b"da", b"xx", b"averylongname1")))
            length = self.maybe(16, 0.2, 15, 18)
        return ("bind", self.slot(), self.maybe(raw, 0.03, None), length)

    def name(self):
        return (
            "name",
            self.slot(),
            self.maybe("getsockname", 0.2, "getpeername"),
            self.rng.choice((0, 1, 12, 17, 18, 19, 20, 128, -1)),
            self.maybe("", 0.1, "name", "length"),
        )

    def call(self):
        name = self.rng.choice(("connect", "listen", "accept", "shutdown"))
        more = {
            "connect": (packet.address(VA, 3),),
            "listen": (1,),
            "accept": (),
            "shutdown": (self.rng.randrange(4),),
        }
        return ("call", self.slot(), name, *more[name])

    def pair(self):
        return ("pair", self.slot(), self.rng.choice((2, 3)), 0)


def run(seed, built, length=250):
    """(whether each side has a world of its own, the calls) of a seed."""
    apart = random.Random(f"world {seed}").random() < 0.6
    return apart, Draw(seed, built, apart).run(length)
