# SPDX-License-Identifier: GPL-2.0
"""Draws of what is about mapped rings and groups of sockets."""

import struct

import packet
from lockstep import frames
from lockstep.drawing import Drawing


class Rings(Drawing):
    """Rings, their memory, groups."""

    def mapped(self, slot):
        """A socket has a ring, or two, from the beginning."""
        rng = self.rng
        version = rng.choice((0, 1, 1, 2, 2))
        receives, sends = rng.random() < 0.6, rng.random() < 0.4
        calls = [("set", slot, packet.SOL_PACKET, packet.VERSION, struct.pack("=i", version), 4)]
        for option, wanted in ((packet.RX_RING, receives), (packet.TX_RING, sends)):
            words = (4096, 2, 2048, 4, 3600000 if option == packet.RX_RING else 0, 0, 0)
            if wanted:
                calls.append(("set", slot, packet.SOL_PACKET, option, struct.pack("=7I", *words), 28))
        return calls + [("map", slot, 0, 0)] if receives or sends else []

    def ring(self):
        rng = self.rng
        block = rng.choice((4096, 4096, 8192))
        blocks = rng.choice((1, 2, 2, 4))
        size = rng.choice((128, 256, 2048, 2048, 4096))
        words = [block, blocks, size, block // size * blocks]
        if rng.random() < 0.15:
            words[rng.randrange(4)] = rng.choice(
                (0, 1, 15, 16, 17, 48, 100, 4095, 65536, 0x80000000, 0xFFFFFFFF)
            )
        if rng.random() < 0.15:
            words = [0, 0, 0, self.maybe(0, 0.2, 1)]
        # Blocks of V3 are retired by their timer long after the run: when is a matter of chance.
        words += [3600000, self.maybe(0, 0.2, 8, 100, 5000, 0x80000000), self.maybe(0, 0.3, 1)]
        option = rng.choice((packet.RX_RING, packet.RX_RING, packet.TX_RING))
        if option == packet.TX_RING and rng.random() < 0.8:
            words[4:] = [0, 0, 0]
        return (
            "set",
            self.slot(),
            packet.SOL_PACKET,
            option,
            self.maybe(struct.pack("=7I", *words), 0.03, None),
            self.maybe(28, 0.15, 0, 15, 16, 27, 40),
        )

    def map(self):
        return ("map", self.slot(), self.maybe(0, 0.15, 1, 3, 8), self.maybe(0, 0.05, 1))

    def unmap(self):
        return ("unmap", self.slot())

    def fanout(self):
        """Not RND, whose choice is chance, and not UNIQUEID, whose number is unique in the machine."""
        rng = self.rng
        kind = rng.choice((0, 1, 2, 5, 6, 7, 8))
        value = rng.choice((1, 1, 2)) | kind << 16 | rng.choice((0, 0, 0x4000, 0x8000)) << 16
        size = self.maybe(4, 0.2, 8, 0, 3, 12)
        return (
            "set",
            self.slot(),
            packet.SOL_PACKET,
            packet.FANOUT,
            struct.pack("=II", value, rng.choice((0, 2, 99999))),
            size,
        )

    def ring_slot(self):
        """A slot of a ring is handed back, filled, or spoiled."""
        rng = self.rng
        what = rng.choices(("release", "fill", "spoil"), (6, 6, 1))[0]
        if what == "release":
            return ("slot", self.slot(), what, rng.randrange(8), self.maybe(0, 0.1, 1, 2, 0x20, 0xFFFFFFFF))
        if what == "spoil":
            return (
                "slot",
                self.slot(),
                what,
                rng.randrange(8),
                rng.choice((0, 4, 8, 12, 16, 20, 24, 28, 48, 64)),
                rng.choice((0, 1, 0xFFFF, 0xFFFFFFFF)),
            )
        spec = (
            rng.randrange(len(frames.WHOM)),
            rng.choice(frames.HEADS),
            self.maybe(60, 0.3, 0, 14, 100, 1514, 1600),
        )
        return (
            "slot",
            self.slot(),
            what,
            rng.randrange(8),
            spec,
            self.maybe(None, 0.1, 0, 1, 65536, 0xFFFFFFFF),
            self.maybe(None, 0.1, 0, 20, 40, 100),
            self.maybe(1, 0.1, 0, 2, 4),
            rng.random() < 0.7,
        )
