# SPDX-License-Identifier: GPL-2.0
"""The sockets of one family, and what a call on them came to.

A call is `do_KIND` with the slot and what else its tuple has. Each returns a dict of what a program sees;
None says that there is nothing to make the call on.
"""

import ctypes
import os
import select
import struct

import bpf
import packet
from lockstep import calls, frames
from lockstep.ring import Rings

SLOTS = 4
EVENTS = 0x7FF
SO_MEMINFO = 55
OPTIONS_OF_RINGS = (packet.RX_RING, packet.TX_RING, packet.VERSION)
# Programs of the other instruction set: accept all, nothing, 20 bytes, by length, a lie about the length.
PROGRAMS = (
    [bpf.insn(bpf.MOV_IMM, imm=-1), bpf.insn(bpf.EXIT)],
    [bpf.insn(bpf.MOV_IMM, imm=0), bpf.insn(bpf.EXIT)],
    [bpf.insn(bpf.MOV_IMM, imm=20), bpf.insn(bpf.EXIT)],
    [bpf.insn(bpf.LOAD_WORD, dst=0, src=1, off=bpf.SKB_LEN), bpf.insn(bpf.EXIT)],
    [bpf.insn(bpf.MOV_IMM, imm=1 << 20), bpf.insn(bpf.EXIT)],
)


class Slot:
    """A place for a socket."""

    def __init__(self, fd, kind, place):
        self.fd, self.kind, self.place = fd, kind, place
        self.inode = str(os.fstat(fd).st_ino)
        self.poll = select.poll()
        self.poll.register(fd, EVENTS)
        self.rings = Rings(fd)
        self.peeked = False
        self.scratch, self.told = calls.memory(128), ctypes.c_int()
        self.told_at = ctypes.byref(self.told)

    def look(self):
        """Its name; and SO_MEMINFO: what is queued, the limits, and how much was dropped."""
        self.told.value = 128
        calls.libc.getsockname(self.fd, self.scratch, self.told_at)
        name = self.scratch.raw[: self.told.value]
        self.told.value = 36
        calls.libc.getsockopt(self.fd, 1, SO_MEMINFO, self.scratch, self.told_at)
        return name, self.scratch.raw[:36]

    def close(self):
        self.rings.unmap()
        os.close(self.fd)


class Side:
    """A family in a world."""

    def __init__(self, family, world, plant=""):
        self.family, self.world, self.plant = family, world, plant
        self.slots = {}
        name = "packet" if family == packet.REFERENCE_FAMILY else "rpacket"
        self.proc = {}
        for place, namespace in (("here", world.here), ("far", world.far)):
            with namespace:
                self.proc[place] = os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.programs = [bpf.load(code) for code in PROGRAMS]

    def do(self, call):
        """Makes a call; returns what a program sees of it, {} if there was nothing to make it on."""
        kind, number, *more = call
        act = getattr(self, f"do_{kind}")
        if kind == "socket":
            answer = act(number, *more)
        else:
            slot = self.slots.get(number)
            answer = act(slot, *more) if slot else None
            if slot and kind == "close":
                del self.slots[number]
        self.world.drain_tun()
        return self.planted(kind, answer or {})

    def planted(self, kind, answer):
        """A defect that is there on purpose, so that the tester can be tested."""
        if self.plant == "auxdata" and kind == "recv" and answer.get("cmsgs") and answer["result"] > 100:
            answer["cmsgs"] = [
                (level, what, b"\xff" + data[1:]) if (level, what) == (263, 8) else (level, what, data)
                for level, what, data in answer["cmsgs"]
            ]
        if self.plant == "bind" and kind == "bind" and answer.get("errno") == "ENODEV":
            answer["errno"] = "ENXIO"
        return answer

    def heal(self, number):
        """Closes a socket whose state is not the other's any more."""
        if number in self.slots:
            self.slots.pop(number).close()

    # ---- What can be seen without a call that changes anything -----------------------------------

    def state(self):
        """Of each socket: its line in /proc, its name, what poll() says, its memory."""
        tables = {}
        for place in {slot.place for slot in self.slots.values()}:
            rows = os.pread(self.proc[place], 1 << 16, 0).decode().splitlines()[1:]
            tables[place] = {row.split()[-1]: row.split()[1:-1] for row in rows}
        seen = {}
        for number, slot in sorted(self.slots.items()):
            seen[f"slot {number}: /proc"] = tables[slot.place].get(slot.inode)
            seen[f"slot {number}: name"], seen[f"slot {number}: memory"] = slot.look()
            seen[f"slot {number}: poll"] = [events for _, events in slot.poll.poll(0)]
            if slot.rings.map:
                seen[f"slot {number}: ring"] = slot.rings.look()
        return seen

    # ---- Sockets --------------------------------------------------------------------------------

    def do_socket(self, number, kind, protocol, place):
        self.heal(number)
        with self.world.far if place == "far" else self.world.here:
            fd, code = calls.call("socket", self.family, kind, protocol)
        if code == "0":
            self.slots[number] = Slot(fd, kind & 0xF, place)
        return {"errno": code}

    @staticmethod
    def do_close(slot):
        slot.close()
        return {"errno": "0"}

    @staticmethod
    def do_bind(slot, raw, length):
        return calls.bind(slot.fd, raw, length)

    @staticmethod
    def do_name(slot, function, length, bad):
        return calls.name(function, slot.fd, length, bad)

    @staticmethod
    def do_call(slot, name, *arguments):
        """A call that the family does not have, or one of integers only."""
        if name == "connect":
            return calls.connect(slot.fd, *arguments)
        if name == "accept":
            return calls.simple("accept", slot.fd, None, None)
        return calls.simple(name, slot.fd, *arguments)

    def do_pair(self, slot, kind, protocol):
        del slot
        pair = calls.memory(8)
        return calls.simple("socketpair", self.family, kind, protocol, pair)

    # ---- Options --------------------------------------------------------------------------------

    @staticmethod
    def do_set(slot, level, option, value, length):
        answer = calls.set_option(slot.fd, level, option, value, length)
        if level == packet.SOL_PACKET and option in OPTIONS_OF_RINGS and answer["errno"] == "0":
            slot.rings.note(option, value)
        return answer

    @staticmethod
    def do_get(slot, level, option, length, value):
        return calls.get_option(slot.fd, level, option, length, value)

    @staticmethod
    def do_filter(slot, option, code, length):
        return calls.set_filter(slot.fd, option, code, length)

    def do_program(self, slot, option, which):
        level = packet.SOL_PACKET if option == packet.FANOUT_DATA else 1
        program = self.programs[which] if which < len(self.programs) else which
        return calls.set_option(slot.fd, level, option, struct.pack("=i", program), 4)

    @staticmethod
    def do_ioctl(slot, request, argument):
        answer = calls.ioctl(slot.fd, request, argument)
        os.set_blocking(slot.fd, False)
        return answer

    # ---- Traffic --------------------------------------------------------------------------------

    @staticmethod
    def do_recv(slot, sizes, flags, namelen, control, bad):
        answer = calls.receive(slot.fd, sizes, flags, namelen, control, bad)
        answer["peeked"] = slot.peeked
        if answer["errno"] in ("0", "EFAULT") and not flags & packet.MSG_ERRQUEUE:
            slot.peeked = bool(flags & packet.MSG_PEEK)
        return answer

    @staticmethod
    def do_read(slot, size):
        os.set_blocking(slot.fd, False)
        # Reading nothing takes nothing.
        slot.peeked = slot.peeked and not size
        return calls.read(slot.fd, size)

    def do_send(self, slot, spec, cuts, to, namelen, control, flags, bad):
        raw = frames.frame_of(spec)
        if slot.kind == packet.SOCK_DGRAM:
            raw = raw[14:]
        if len(spec) > 3:
            raw = frames.vnet_of(spec[3]) + raw
        parts, at = [], 0
        for size in cuts:
            parts.append(raw[at : at + size])
            at += size
        return calls.send(slot.fd, [*parts, raw[at:]], to, namelen, control, flags, bad)

    @staticmethod
    def do_write(slot, spec):
        os.set_blocking(slot.fd, False)
        return calls.write(slot.fd, frames.frame_of(spec))

    # ---- Rings ----------------------------------------------------------------------------------

    @staticmethod
    def do_map(slot, length, offset):
        return slot.rings.do_map(length, offset)

    @staticmethod
    def do_unmap(slot):
        return slot.rings.unmap()

    @staticmethod
    def do_slot(slot, what, *more):
        return slot.rings.do(what, *more)
