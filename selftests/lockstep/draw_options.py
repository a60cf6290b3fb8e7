# SPDX-License-Identifier: GPL-2.0
"""Draws of calls that set or read something of a socket."""

import struct

import bpf
import packet
from lockstep import frames
from lockstep.drawing import INDEXES, Drawing
from lockstep.side import PROGRAMS
from lockstep.world import DA, VA

# Unique (a cookie), of memory that others take, with a pointer or a descriptor in them, or drawn elsewhere.
NOT_OF_SOCKETS = {26, 50, 51, 52, 57, 71, 73}
# Requests for the socket; and those of the INET family and of devices that change nothing.
REQUESTS = (0x5411, 0x541B, 0x541B, 0x8902, 0x8903, 0x8904, 0x8905, 0x8906, 0x8907, 0x80108906, 0x80108907,
            0x8910, 0x8913, 0x8915, 0x8917, 0x8919, 0x891B, 0x891D, 0x8921, 0x8927, 0x8933, 0x8942, 0x8954,
            0x8955, 0x8961, 0x8970, 0x89E0, 0x89F0, 0x1234)  # fmt: skip
# Those that would change something, with a device that does not exist.
WITHOUT_DEVICE = (0x890B, 0x890C, 0x8914, 0x8916, 0x891A, 0x891C, 0x8922, 0x8924, 0x8953)


class Options(Drawing):
    """Options, memberships, filters, requests."""

    def option(self, reading):
        numbers = [
            number
            for number in (*range(31), 64, 65, 66, 67, 68, 127, 128, 65535, -1)
            if number not in self.missing and (reading or number not in (5, 13, 18))
        ]
        weights = [
            (
                6
                if number in (packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING, packet.STATISTICS)
                or 0 < number < 25
                and number not in (1, 2, 3, 4, 16)
                else 1
            )
            for number in numbers
        ]
        return self.rng.choices(numbers, weights)[0]

    def set(self):
        level = self.maybe(packet.SOL_PACKET, 0.03, 0, 6, 17, 25, 262, -1)
        option = self.option(False)
        value = self.value()
        if option == packet.FANOUT_DATA and value:
            value = bytes(len(value))
        return ("set", self.slot(), level, option, value, self.length())

    def set_socket(self):
        """An option of every socket: buffers and stamps more often than others."""
        option = self.rng.choice(
            (7, 8, 8, 29, 35, 37, 37, 40, 63, 64, 65, 75, 82, 12, 36, 43, 61, 45, 25, 62)
        )
        if self.rng.random() < 0.3:
            option = self.rng.choice([number for number in range(95) if number not in NOT_OF_SOCKETS])
        value = {
            7: struct.pack("=i", self.rng.choice((0, 2304, 4608, 100000, 1 << 20))),
            8: struct.pack("=i", self.rng.choice((0, 1, 1152, 2304, 4608, 100000))),
            25: self.rng.choice((b"va\0", b"da", b"", b"xx", b"va.7\0")).ljust(16, b"\0"),
            37: struct.pack(
                "=i",
                self.rng.choice((0, 0x8, 0x10, 0x18, 0x1A, 0x9A, 0x89A, 0x89F, 0x4018, 0xFFFF, 1 << 30)),
            ),
            61: struct.pack("=iI", self.rng.choice((0, 1, 11, 99)), self.rng.choice((0, 1, 3, 4))),
            62: struct.pack("=i", self.rng.choice((0, VA, DA, 99))),
            65: struct.pack("=i", self.rng.choice((0, 0x18, 0x9A))),
        }.get(option, self.value())
        if self.rng.random() < 0.1:
            value = self.value()
        usual = 4 if value is None else len(value)
        return ("set", self.slot(), 1, option, value, self.maybe(usual, 0.1, 0, 3, 5, 8, -1))

    def get(self):
        level = self.maybe(packet.SOL_PACKET, 0.4, 1, 1, 1, 1, 1, 1, 0, 25, -1)
        option = self.option(True)
        if level == 1:
            option = self.rng.choice([number for number in range(95) if number not in NOT_OF_SOCKETS - {26}])
        value = self.maybe(struct.pack("=i", self.rng.choice((0, 1, 2, 3))), 0.1, None, b"")
        return (
            "get",
            self.slot(),
            level,
            option,
            self.maybe(4, 0.5, 0, 1, 2, 3, 5, 8, 11, 12, 24, 64, -1),
            value,
        )

    def member(self):
        addr = self.rng.choice((b"", frames.WHOM[2], frames.WHOM[4], b"\x03\0\0\0\0\x01", bytes(6)))
        alen = self.maybe(len(addr), 0.1, 0, 1, 5, 7, 8, 9, 32, 33, 0xFFFF)
        raw = packet.membership(
            self.rng.choice(INDEXES[1:]), self.maybe(self.rng.randrange(4), 0.05, 4, 0xFFFF), addr, alen
        )
        length = self.maybe(16, 0.15, 0, 8, 15, 17, 39, 40, 41, 64)
        return (
            "set",
            self.slot(),
            packet.SOL_PACKET,
            self.rng.choice((1, 1, 2)),
            self.maybe(raw.ljust(40, b"\0"), 0.03, None),
            length,
        )

    def filter(self):
        rng = self.rng
        code = rng.choice(
            (
                [bpf.ret(rng.choice((0, 1, 14, 20, 64, 0xFFFF, 0xFFFFFFFF)))],
                bpf.accept_if(bpf.load_half(12), packet.PROBE, rng.choice((15, 100, 0xFFFFFFFF))),
                bpf.accept_if(bpf.load_byte(bpf.AD_OFF + bpf.AD_PKTTYPE), rng.randrange(5)),
                bpf.accept_if(bpf.load_half(bpf.AD_OFF + bpf.AD_PROTOCOL), packet.PROBE),
                bpf.accept_if(bpf.load_word(bpf.AD_OFF + bpf.AD_IFINDEX), VA, 40),
                [
                    bpf.load_byte(bpf.AD_OFF + bpf.AD_VLAN_PRESENT),
                    bpf.equal(1, 0, 1),
                    bpf.ret(70),
                    bpf.ret(30),
                ],
                [bpf.load_half(bpf.LL_OFF + 12), bpf.ret(33)],
                [bpf.load_half(bpf.NET_OFF), bpf.ret_a()],
                [bpf.load_length(), bpf.ret_a()],
                [bpf.load_byte(70), bpf.ret_a()],
                [bpf.load_word(0xFFFFFF00), bpf.ret(50)],
                [rng.randbytes(8)],
                [bpf.load_byte(0)],
            )
        )
        option = packet.SO_ATTACH_FILTER
        if "fanout" in self.built and rng.random() < 0.2:
            option = packet.FANOUT_DATA
        return ("filter", self.slot(), option, b"".join(code), self.maybe(None, 0.05, 0, 4097))

    def program(self):
        if self.rng.random() < 0.3:
            return ("set", self.slot(), 1, packet.SO_DETACH_FILTER, bytes(4), self.maybe(4, 0.1, 0, 3))
        option = packet.SO_ATTACH_BPF
        if "fanout" in self.built and self.rng.random() < 0.2:
            option = packet.FANOUT_DATA
        return (
            "program",
            self.slot(),
            option,
            self.maybe(self.rng.randrange(len(PROGRAMS)), 0.1, 0x7FFFFFFF),
        )

    def lock(self):
        return ("set", self.slot(), 1, packet.SO_LOCK_FILTER, struct.pack("=i", self.rng.randrange(2)), 4)

    def ioctl(self):
        if self.rng.random() < 0.15:
            return ("ioctl", self.slot(), self.rng.choice(WITHOUT_DEVICE), b"zz".ljust(40, b"\0"))
        name = self.rng.choice((b"va", b"lo", b"da", b"zz", b"", b"va.7:1"))
        return ("ioctl", self.slot(), self.rng.choice(REQUESTS), name.ljust(16, b"\0") + bytes(24))
