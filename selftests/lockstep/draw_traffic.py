# SPDX-License-Identifier: GPL-2.0
"""Draws of what is sent and received, and of what happens to devices."""

import packet
from lockstep import frames
from lockstep.drawing import INDEXES, Drawing
from lockstep.world import DA, TUN, VA, VLAN

FLAGS_OF_RECV = (packet.MSG_PEEK, packet.MSG_PEEK, packet.MSG_TRUNC, packet.MSG_ERRQUEUE)


class Traffic(Drawing):
    """Frames in both directions, and the devices that they go through."""

    def send(self):
        rng = self.rng
        spec = (rng.randrange(len(frames.WHOM)), rng.choice(frames.HEADS), frames.draw_length(rng))
        if "vnet" in self.built and rng.random() < 0.3:
            spec = frames.draw_offloaded(rng)
        to, namelen = frames.draw_address(rng, self.maybe(INDEXES[2:-4], 0.1, INDEXES))
        if rng.random() < 0.3:
            to, namelen = None, 0
        cuts = self.maybe((), 0.15, (0,), (14,), (6, 8), (1, 1, 1))
        flags = self.maybe(0, 0.1, 1, 4, 0x80, 0x800, 0x4000, 0x8000, 0x4000000, 0x80000000, 0x20000000, 0x10)
        return (
            "send",
            self.slot(),
            spec,
            cuts,
            to,
            namelen,
            frames.draw_control(rng),
            flags,
            self.maybe("", 0.04, "data", "name", "control"),
        )

    def write(self):
        return (
            "write",
            self.slot(),
            (
                self.rng.randrange(len(frames.WHOM)),
                self.rng.choice(frames.HEADS),
                self.maybe(60, 0.3, 0, 14, 1514, 1515, 9000),
            ),
        )

    def recv(self):
        rng = self.rng
        sizes = self.maybe(
            (2048,),
            0.35,
            (),
            (0,),
            (1,),
            (9,),
            (10,),
            (12,),
            (14, 46),
            (20,),
            (59,),
            (60,),
            (1, 2, 3),
            (70000,),
        )
        flags = 0
        for flag in FLAGS_OF_RECV:
            flags |= flag if rng.random() < 0.15 else 0
        if rng.random() < 0.05:
            flags |= 1 << rng.choice([bit for bit in range(32) if bit != 5])
        return (
            "recv",
            self.slot(),
            sizes,
            flags,
            self.maybe(128, 0.3, 0, 1, 2, 12, 18, 19, 20, 21, 44, -1),
            self.maybe(512, 0.3, 0, 1, 15, 16, 17, 35, 36, 40, 64, 80),
            self.maybe("", 0.05, "data", "name", "control"),
        )

    def read(self):
        return ("read", self.slot(), self.rng.choice((0, 1, 20, 60, 2048)))

    def arrive(self):
        index = self.maybe(VA, 0.15, TUN)
        count = self.maybe(1, 0.15, 2, 3, 10)
        if index == TUN:
            spec = (
                0,
                self.rng.choice(("88b5", "080045", "86dd60", "8100000788b5")),
                self.rng.choice((34, 60, 300)),
            )
            return ("arrive", index, spec, count)
        return ("arrive", index, frames.draw_frame(self.rng), count)

    def offloaded(self):
        return ("arrive", VA, frames.draw_offloaded(self.rng), 1)

    def leave(self):
        return (
            "leave",
            self.rng.choice((VA, DA, DA, VLAN)),
            frames.draw_frame(self.rng),
            self.maybe(1, 0.1, 3),
        )

    def link(self):
        rng = self.rng
        what = rng.choices(
            ("up", "down", "mtu", "rename", "delete", "make", "away", "back"), (6, 4, 3, 1, 2, 4, 1, 2)
        )[0]
        index = rng.choice((DA, DA, DA, DA, TUN, TUN, VLAN, VA))
        if what == "away" and index == VA:
            index = DA
        if what in ("delete", "away") and index == TUN:
            index = VLAN
        return ("link", what, index, rng.choice((68, 100, 1000, 1500, 1501, 9000)))
