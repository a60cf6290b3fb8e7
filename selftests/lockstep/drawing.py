# SPDX-License-Identifier: GPL-2.0
"""What all draws have in common: the generator, the numbers, what the family has."""

import random
import struct

import packet
from lockstep.side import SLOTS
from lockstep.world import DA, LO, TUN, VA, VB, VLAN

# What af_rpacket has of: ring, fanout, vnet, bypass, spkt.
BUILT = frozenset()
EVERYTHING = frozenset(("ring", "fanout", "vnet", "bypass", "spkt"))
# The options of each.
FEATURES = {
    "ring": (
        packet.RX_RING,
        packet.TX_RING,
        packet.VERSION,
        packet.HDRLEN,
        packet.RESERVE,
        packet.LOSS,
        packet.COPY_THRESH,
        packet.TIMESTAMP,
        packet.TX_HAS_OFF,
    ),
    "fanout": (packet.FANOUT, packet.ROLLOVER_STATS, packet.FANOUT_DATA),
    "vnet": (packet.VNET_HDR, packet.VNET_HDR_SZ),
    "bypass": (packet.QDISC_BYPASS,),
}
INDEXES = (0, 0, VA, VA, VA, VA, VA, VA, DA, DA, DA, VLAN, VLAN, TUN, TUN, LO, VB, 99, -1)
NUMBERS = (0, 1, 1, 2, 3, -1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, -0x80000000)


class Drawing:
    """A stream of numbers, and what can be drawn without knowing for which call."""

    def __init__(self, seed, built):
        self.rng = random.Random(seed)
        self.built = built
        self.missing = {
            option for name, options in FEATURES.items() if name not in built for option in options
        }

    def slot(self):
        return self.rng.randrange(SLOTS)

    def maybe(self, usual, chance, *others):
        """The usual value, mostly."""
        return self.rng.choice(others) if self.rng.random() < chance else usual

    def number(self):
        return self.rng.choice(NUMBERS) if self.rng.random() < 0.7 else self.rng.randrange(-300, 300)

    def length(self):
        return self.maybe(4, 0.25, 0, 1, 3, 5, 8, 12, 16, 28, 40, 64, 4096, -1, -0x80000000)

    def value(self):
        if self.rng.random() < 0.06:
            return None
        return struct.pack("=i", self.number()) + self.maybe(b"", 0.3, bytes(4), b"\1\0\0\0", bytes(60))
