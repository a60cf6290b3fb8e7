#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# timeout: 300
"""Random and hostile calls on sockets of the family, under traffic, for a bounded time.

The seed is printed; `SEED=n` repeats a run's calls (not their interleaving). The kernel log and the
module's unload are the judges; here it is asserted that the calls reached the family.
"""

import collections
import contextlib
import ctypes
import os
import random
import signal
import time

import bpf
import packet
import topology
from harness import lib, main, seconds
from packet import ETH_P_ALL, PROBE, bind, open_socket
from topology import Pair
from twin import Injector, drain, probe

SEED = int(os.environ.get("SEED") or int.from_bytes(os.urandom(4)))
# Each process makes calls for so many seconds, and at least so many of them.
TIME, CALLS = 10, 1000
# Looks whether a process has ended, and leaves it to be waited for.
DONE = os.WEXITED | os.WNOHANG | os.WNOWAIT
# Pointers that are no memory of ours: null, low, unmapped, not canonical, the kernel's.
BAD_POINTERS = (0, 8, 0x1000, 0x7FFFFFFFF000, 0x8000000000000000, 0xFFFF888000000000, (1 << 64) - 8)
EDGES = (0, 1, 2, 3, 4, 7, 8, 12, 14, 15, 16, 17, 18, 19, 20, 21, 28, 32, 40, 41, 44, 60, 64, 128,
         129, 255, 256, 1500, 1514, 1515, 1518, 4096, 9000, 65535, 65536, 70000)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, -0x80000000)
# Requests for the socket, its file and devices. A device may be renamed: the test uses indexes.
REQUESTS = (0x541B, 0x5411, 0x5421, 0x8901, 0x8902, 0x8903, 0x8904, 0x8905, 0x8906, 0x8907,
            *range(0x890B, 0x8960), *range(0x8980, 0x89B0), *range(0x89E0, 0x89FF))  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]


class Fuzzer:
    """One stream of random calls on a set of sockets."""

    def __init__(self, seed, socks, devices):
        self.rng = random.Random(seed)
        self.socks, self.devices = socks, devices
        self.memory = ctypes.create_string_buffer(1 << 17)
        self.seen = collections.Counter()

    def number(self):
        return (
            self.rng.choice(NUMBERS) if self.rng.random() < 0.5 else self.rng.randrange(-300, 300)
        )

    def size(self):
        return self.rng.choice(EDGES) if self.rng.random() < 0.8 else self.rng.randrange(70000)

    def pointer(self, content=None):
        """Mostly good memory with the given or random content, sometimes a bad address."""
        if self.rng.random() < 0.1:
            return ctypes.c_void_p(self.rng.choice(BAD_POINTERS))
        content = self.rng.randbytes(64) if content is None else content
        return ctypes.create_string_buffer(content, max(len(content), 256))

    def address(self):
        ifindex = self.rng.choice([*self.devices, 0, self.number()])
        protocol = self.rng.choice((0, 1, 3, 4, PROBE, 0x800, 0x8100, 0xFFFF))
        raw = bytearray(
            packet.address(ifindex & 0x7FFFFFFF, protocol, bytes(6), pad=self.rng.choice((8, 32)))
        )
        if self.rng.random() < 0.2:
            raw[self.rng.randrange(len(raw))] = self.rng.randrange(256)
        return bytes(raw)

    def control(self):
        """Control messages, some well-formed, some with wrong lengths."""
        out = b""
        for _ in range(self.rng.randrange(4)):
            kind = self.rng.choice(
                (packet.SO_MARK, packet.SO_PRIORITY, packet.SO_TIMESTAMPING, 61, 81, self.number())
            )
            out += packet.cmsg(
                self.rng.choice((1, 263, 0)),
                kind,
                self.rng.randbytes(self.rng.choice((0, 3, 4, 8, 40))),
            )
        if out and self.rng.random() < 0.3:
            out = bytearray(out)
            out[self.rng.randrange(8)] = self.rng.randrange(256)
        return bytes(out)

    def do_set(self, fd):
        level = self.rng.choice((263, 263, 263, 1, self.number()))
        if level == 1:
            # Not the ones that let it wait for long (20, 21), or that lock its filter (44).
            option = self.rng.choice([n for n in range(90) if n not in (20, 21, 44)])
        else:
            option = self.rng.choice([*range(30), 64, 65, 128, self.number()])
        if option in (1, 2) and level == 263 and self.rng.random() < 0.8:
            kind = self.rng.choice((0, 1, 2, 3, 4, 0xFFFF))
            raw = packet.membership(
                self.rng.choice(self.devices),
                kind,
                self.rng.choice((b"", bytes(6), b"\3" + bytes(5))),
            )
            return libc.setsockopt(
                fd, level, option, self.pointer(raw.ljust(40, b"\0")), self.size()
            )
        value = self.rng.choice(
            (self.rng.randbytes(64), packet.struct.pack("=i", self.number()).ljust(64, b"\0"))
        )
        length = self.rng.choice((4, self.size(), self.number()))
        return libc.setsockopt(fd, level, option, self.pointer(value), length)

    def do_filter(self, fd):
        code = [self.rng.randbytes(8) for _ in range(self.rng.randrange(1, 8))]
        if self.rng.random() < 0.7:
            code = [
                bpf.load_byte(self.rng.choice((0, 13, 70, bpf.AD_OFF + 4))),
                bpf.ret(self.size()),
            ]
        head, keep = bpf.program(code)
        result = libc.setsockopt(fd, 1, packet.SO_ATTACH_FILTER, head, len(head))
        del keep
        return result

    def do_get(self, fd):
        length = ctypes.c_int(self.rng.choice((0, 4, 8, 12, self.number())))
        where = ctypes.byref(length) if self.rng.random() < 0.9 else ctypes.c_void_p(8)
        return libc.getsockopt(
            fd, self.rng.choice((263, 263, 1)), self.rng.randrange(90), self.pointer(), where
        )

    def do_bind(self, fd):
        raw = self.address()
        return libc.bind(
            fd, self.pointer(raw), self.rng.choice((len(raw), self.size(), self.number()))
        )

    def do_name(self, fd):
        length = ctypes.c_int(self.rng.choice((0, 12, 20, 128, self.number())))
        call = self.rng.choice((libc.getsockname, libc.getpeername))
        return call(fd, self.pointer(), ctypes.byref(length))

    def do_send(self, fd):
        to, control = self.address(), self.control()
        name = self.pointer(to) if self.rng.random() < 0.7 else None
        keep = self.pointer(control) if control else None
        vectors = (packet.Iovec * 4)()
        for vector in vectors:
            good = self.rng.random() < 0.97
            vector.base = ctypes.addressof(self.memory) if good else self.rng.choice(BAD_POINTERS)
            vector.len = self.rng.choice((0, 1, 14, 46, 60, 1400, self.size()))
        message = packet.Msghdr(
            ctypes.cast(name, ctypes.c_void_p) if name else None,
            self.rng.choice((20, len(to), self.size(), self.number() & 0xFFFFFFFF)),
            ctypes.addressof(vectors), self.rng.choice((1, 1, 1, 2, 4)),
            ctypes.cast(keep, ctypes.c_void_p) if keep else None,
            len(control) if self.rng.random() < 0.9 else self.size(), 0,
        )  # fmt: skip
        flags = packet.MSG_DONTWAIT | (
            self.rng.getrandbits(32) & 0x7FFFFFFF if self.rng.random() < 0.2 else 0
        )
        return libc.sendmsg(fd, ctypes.byref(message), ctypes.c_int(flags))

    def do_receive(self, fd):
        vector = packet.Iovec(ctypes.addressof(self.memory), self.size())
        name, control = ctypes.create_string_buffer(256), ctypes.create_string_buffer(512)
        bad = self.rng.random() < 0.05
        message = packet.Msghdr(
            8 if bad else ctypes.addressof(name), self.rng.choice((0, 12, 20, 128)),
            ctypes.addressof(vector), 1,
            ctypes.addressof(control), self.rng.choice((0, 1, 16, 40, 64, 512)), 0,
        )  # fmt: skip
        flags = packet.MSG_DONTWAIT
        for flag in (
            packet.MSG_PEEK,
            packet.MSG_TRUNC,
            packet.MSG_ERRQUEUE,
            1 << self.rng.randrange(31),
        ):
            flags |= flag if self.rng.random() < 0.2 else 0
        return libc.recvmsg(fd, ctypes.byref(message), flags)

    def do_ioctl(self, fd):
        name = self.rng.choice((b"va", b"vb", b"lo", self.rng.randbytes(16))).ljust(16, b"\0")
        return libc.ioctl(
            fd,
            self.rng.choice(REQUESTS),
            ctypes.cast(self.pointer(name + self.rng.randbytes(40)), ctypes.c_void_p),
        )

    def do_other(self, fd):
        which = self.rng.randrange(5)
        if which == 0:
            return libc.shutdown(fd, self.rng.randrange(4))
        if which == 1:
            return libc.listen(fd, 1)
        if which == 2:
            return libc.connect(fd, self.pointer(self.address()), 20)
        if which == 3:
            return libc.fcntl(fd, 4, 0o4000)
        return (
            libc.read(fd, self.pointer(), 64)
            if self.rng.random() < 0.5
            else libc.write(fd, self.memory, self.size())
        )

    def do_reopen(self, _):
        """Replaces one of the sockets by a new one."""
        at = self.rng.randrange(len(self.socks))
        self.socks[at].close()
        self.socks[at] = open_socket(
            self.rng.choice((2, 3)), self.rng.choice((0, PROBE, ETH_P_ALL))
        )
        os.set_blocking(self.socks[at].fileno(), False)
        return 0

    def step(self):
        action = self.rng.choices(
            (self.do_set, self.do_filter, self.do_get, self.do_bind, self.do_name, self.do_send,
             self.do_receive, self.do_ioctl, self.do_other, self.do_reopen),
            (20, 5, 10, 10, 3, 20, 20, 10, 3, 1),
        )[0]  # fmt: skip
        sock = self.rng.choice(self.socks)
        # A request like FIONBIO may have made it wait.
        os.set_blocking(sock.fileno(), False)
        result = action(sock.fileno())
        code = ctypes.get_errno() if result == -1 else 0
        self.seen[action.__name__, packet.NAMES.get(code, "0")] += 1

    def work(self, writer):
        """The life of a process: calls for a time, then what they answered. Does not return."""
        status = 1
        try:
            began = time.monotonic()
            while (now := time.monotonic() - began) < 6 * TIME * lib.SLOW:
                if now > TIME and sum(self.seen.values()) >= CALLS:
                    break
                self.step()
            for (action, code), count in sorted(self.seen.items()):
                os.write(writer, f"{action} {code} {count}\n".encode())
            status = 0
        finally:
            os._exit(status)


@seconds(150)
def test_hostile_calls():
    """Two processes fuzz shared sockets while a third sends; afterwards the family still works."""
    pair = Pair()
    socks = [open_socket(kind, ETH_P_ALL) for kind in (2, 3) for _ in range(3)]
    for sock in socks:
        os.set_blocking(sock.fileno(), False)
    children = []
    for number in range(2):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGIO, signal.SIG_IGN)
            signal.signal(signal.SIGURG, signal.SIG_IGN)
            signal.alarm(100 * lib.SLOW)
            os.sched_setaffinity(0, range(os.cpu_count()))
            fuzzer = Fuzzer(SEED + number, socks, (pair.a, pair.b, topology.index("lo")))
            fuzzer.work(writer)
        os.close(writer)
        children.append((pid, reader))
    sender = packet.reference()
    while any(os.waitid(os.P_PID, pid, DONE) is None for pid, _ in children):
        for ifindex in (pair.a, pair.b):
            with contextlib.suppress(OSError):
                packet.send(sender, probe(), packet.address(ifindex, PROBE))
        time.sleep(0.001)
    seen = collections.Counter()
    for pid, reader in children:
        with os.fdopen(reader) as text:
            for line in text:
                action, code, count = line.split()
                seen[action, code] += int(count)
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"a fuzzer died: status {status:#x}, seed {SEED}"
    total = sum(seen.values())
    assert total >= 2 * CALLS, f"only {total} calls"
    for action, code in (
        ("do_set", "0"), ("do_set", "EINVAL"), ("do_set", "ENOPROTOOPT"), ("do_get", "0"),
        ("do_bind", "0"), ("do_bind", "EINVAL"), ("do_send", "0"), ("do_receive", "0"),
    ):  # fmt: skip
        assert seen[action, code], f"no {action} ended with {code}, seed {SEED}: {dict(seen)}"
    for sock in socks:
        sock.close()
    # The devices may have any name and state by now, and there may be more of them (SIOCBRADDBR).
    topology.enter_new()
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    Injector(pair.b, pair.a).send(probe(payload=b"sane"))
    assert [frame.data for frame in drain(sock)] == [
        probe(payload=b"sane")
    ], "the family still works"


if __name__ == "__main__":
    lib.diag(f"seed {SEED}")
    main(globals(), contextlib.nullcontext)
