# SPDX-License-Identifier: GPL-2.0
"""The mapped rings of a socket, as a program has them that keeps to their protocol, or does not."""

import ctypes
import struct

import packet
from lockstep import calls, frames

PROT, SHARED = 3, 1
PAGE = 4096
KERNEL, USER, SEND_REQUEST = 0, 1, 1
# sizeof(struct tpacket_hdr), tpacket2_hdr, tpacket3_hdr, aligned: where the address, or data to send, is.
HEADERS = {0: 32, 1: 32, 2: 48}


class Geometry:
    """What a ring was made of: struct tpacket_req, or the head of a struct tpacket_req3."""

    def __init__(self, value):
        self.block_size, self.blocks, self.frame_size, self.frames = struct.unpack_from("=4I", value)
        self.length = self.block_size * self.blocks

    def frame(self, number, version, receives):
        """Where a slot is: of V3's receive ring, a block is one."""
        if version == 2 and receives:
            return number % self.blocks * self.block_size
        per_block = self.block_size // self.frame_size
        number %= self.frames
        return number // per_block * self.block_size + number % per_block * self.frame_size


class Rings:
    """Both rings of a socket, and the memory of them."""

    def __init__(self, fd):
        self.fd, self.version = fd, 0
        self.rings = {}
        self.map, self.length = None, 0

    def note(self, option, value):
        """An option has been set: what the memory looks like follows from it."""
        if option == packet.VERSION:
            self.version = struct.unpack_from("=i", value)[0]
        elif struct.unpack_from("=I", value, 4)[0]:
            self.rings[option] = Geometry(value)
        else:
            self.rings.pop(option, None)

    def do_map(self, length, offset):
        """mmap() of so many pages; 0: of as many as the rings have."""
        self.unmap()
        length = length * PAGE or sum(ring.length for ring in self.rings.values()) or PAGE
        ctypes.set_errno(0)
        place = calls.libc.mmap(None, length, PROT, SHARED, self.fd, offset * PAGE)
        if place == ctypes.c_void_p(-1).value:
            return {"errno": packet.NAMES[ctypes.get_errno()]}
        self.map, self.length = place, length
        return {"errno": "0"}

    def unmap(self):
        if self.map:
            calls.libc.munmap(self.map, self.length)
        self.map = None
        return {"errno": "0"}

    def look(self):
        """All of the memory."""
        return ctypes.string_at(self.map, self.length)

    def write(self, at, data):
        """Writes as far as there is memory."""
        room = self.length - at
        if self.map and 0 <= at and room > 0:
            ctypes.memmove(self.map + at, data, min(len(data), room))

    def place(self, option, number):
        """Where a slot of a ring begins in the memory."""
        ring = self.rings.get(option)
        if not ring or not self.map:
            return None
        before = self.rings.get(packet.RX_RING)
        offset = before.length if option == packet.TX_RING and before else 0
        return offset + ring.frame(number, self.version, option == packet.RX_RING)

    def do(self, what, number, *more):
        """Hands a slot back, fills one to be sent, or writes what no program should."""
        option = packet.TX_RING if what == "fill" else packet.RX_RING
        at = self.place(option, number)
        if at is None:
            return None
        if what == "release":
            status = struct.pack("=Q" if self.version == 0 else "=I", *more)
            self.write(at + (8 if self.version == 2 else 0), status)
        elif what == "fill":
            return self.fill(at, *more)
        else:
            offset, word = more
            self.write(at + offset, struct.pack("=I", word))
        return {"errno": "0"}

    def fill(self, at, spec, length, offset, status, sends):
        """A frame for the transmit ring: its data, then the header, then who owns it;
        perhaps the call that sends."""
        raw = frames.frame_of(spec)
        length = len(raw) if length is None else length
        start = HEADERS[self.version] if offset is None else offset
        self.write(at + start, raw)
        if self.version == 0:
            self.write(at + 8, struct.pack("=IIHHII", length, 0, start, start, 0, 0))
            self.write(at, struct.pack("=Q", status))
        elif self.version == 1:
            self.write(at + 4, struct.pack("=IIHHIIHH4x", length, 0, start, start, 0, 0, 0, 0))
            self.write(at, struct.pack("=I", status))
        else:
            self.write(at, struct.pack("=IIIIIIHH", 0, 0, 0, 0, length, 0, start, start))
            self.write(at + 20, struct.pack("=I", status))
        if sends:
            return calls.send(self.fd, [b""], None, 0, b"", 0)
        return {"errno": "0"}
