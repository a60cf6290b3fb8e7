# SPDX-License-Identifier: GPL-2.0
"""What programs do with packet sockets, in any order and beneath one another's hands.

Each process has a few sockets. A socket is never closed but replaced, by dup2(): so the threads of a crew
use its number while another one changes what is behind it, as programs with a bug do. An empty place is
/dev/null, which is no socket (ENOTSOCK).
"""
import ctypes
import errno
import mmap
import os
import select
import signal
import socket
import stat
import struct
import time

import bpf
import lib
import packet
from packet import ETH_P_ALL, OTHER, PROBE
from storms import kernel
from storms.device import OnDevice
from storms.engine import Actor, Wrong, action

PLACES = 4
PROTOCOLS = (0, PROBE, OTHER, ETH_P_ALL, 0x0800)
TIMEOUT = struct.pack("=qq", 0, 200000)
# Errors of a socket whose device went down or away, that another thread has replaced, or that is none.
LOST = "ENOTSOCK ENETDOWN ENODEV"


class Gate:
    """Closed, it asks all owners of sockets to let go of them, so that the family can be unloaded."""

    def __init__(self):
        self.shared = mmap.mmap(-1, 1)

    @property
    def closed(self):
        return self.shared[0] == 1

    def close(self):
        self.shared[0] = 1

    def open(self):
        self.shared[0] = 0


class Sockets(OnDevice):
    """Everything that one program can do, one after the other."""

    pause = (0.001, 0.02)

    def __init__(self, whereabouts, family, gate, name=None):
        super().__init__(whereabouts, name)
        self.family, self.gate = family, gate
        self.crew, self.own, self.frame = None, {}, b""

    @property
    def shared(self):
        return self.crew.shared if self.crew else self.own

    def begin(self):
        super().begin()
        if "places" not in self.shared:
            self.shared["places"] = [os.open("/dev/null", os.O_RDWR) for _ in range(PLACES)]
        # Not of the type that the receivers of a storm compare.
        self.frame = packet.ethernet(b"\xff" * 6, b"\x02\0\0\0\0\x0a", OTHER, bytes(100))

    def rests(self):
        """Lets go of the sockets while the gate is closed."""
        if not self.gate.closed:
            return False
        for fd in self.shared["places"]:
            self.replace_by_null(fd)
        return True

    @staticmethod
    def replace_by_null(fd):
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, fd)
        os.close(null)

    def end(self):
        for fd in self.shared["places"]:
            self.replace_by_null(fd)

    def any(self):
        """The descriptor of one of the sockets."""
        return self.random.choice(self.shared["places"])

    def place(self):
        """The place for a new socket: an empty one, if there is one."""
        empty = [fd for fd in self.shared["places"] if not stat.S_ISSOCK(os.fstat(fd).st_mode)]
        return empty[0] if empty else self.any()

    def target(self):
        """The index of a device, or of none, or of one that does not exist, in some namespace."""
        if self.random.random() < 0.15:
            return self.random.choice((0, 4711))
        place, name = self.find()
        return kernel.index(place, name)

    # ---- The actions ----------------------------------------------------------------------------

    # EAFNOSUPPORT: the family's module is not loaded now.
    @action("EAFNOSUPPORT", least=5, weight=3)
    def replace(self):
        """A new socket in the place of another, in one of the namespaces, bound to nothing yet."""
        kind = self.random.choice((socket.SOCK_RAW, socket.SOCK_DGRAM))
        protocol = socket.htons(self.random.choice(PROTOCOLS))
        with kernel.inside(self.random.choice(self.whereabouts.paths)):
            fd = lib.libc_call("socket", self.family, kind, protocol)
        try:
            set_option(fd, socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEOUT)
            os.dup2(fd, self.place())
        finally:
            os.close(fd)

    @action(least=1)
    def close(self):
        self.replace_by_null(self.any())

    @action(LOST, least=2, weight=4)
    def bind(self):
        raw = packet.address(self.target(), self.random.choice(PROTOCOLS))
        lib.libc_call("bind", self.any(), raw, len(raw))

    @action(LOST + " ENOBUFS EADDRNOTAVAIL", least=2, weight=3)
    def membership(self):
        """Joins or leaves."""
        option = self.random.choice((packet.ADD_MEMBERSHIP, packet.ADD_MEMBERSHIP, packet.DROP_MEMBERSHIP))
        # PACKET_MR_MULTICAST, _PROMISC, _ALLMULTI, _UNICAST.
        kind = self.random.randrange(4)
        request = packet.membership(self.target(), kind, bytes((3, 0, 0, 0, 0, self.random.randrange(4))))
        set_option(self.any(), packet.SOL_PACKET, option, request)

    @action("ENOTSOCK ENOENT", least=2)
    def filter(self):
        """ENOENT: there was none to take away."""
        if self.random.random() < 0.3:
            set_option(self.any(), socket.SOL_SOCKET, packet.SO_DETACH_FILTER, bytes(4))
            return
        head, keep = bpf.program([bpf.ret(self.random.choice((0, 14, 60, 0xFFFFFFFF)))])
        set_option(self.any(), socket.SOL_SOCKET, packet.SO_ATTACH_FILTER, head)
        del keep

    @action("ENOTSOCK", least=2)
    def options(self):
        fd = self.any()
        option = self.random.choice((packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING))
        set_option(fd, packet.SOL_PACKET, option, struct.pack("=I", self.random.randrange(2)))
        size = struct.pack("=I", self.random.choice((0, 8192, 1 << 18)))
        set_option(fd, socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        stamps = self.random.choice((0, 0x5A))
        set_option(fd, socket.SOL_SOCKET, packet.SO_TIMESTAMPING, struct.pack("=I", stamps))

    @action("ENOTSOCK", least=2)
    def statistics(self):
        packets, drops = struct.unpack("=II", get_option(self.any(), packet.SOL_PACKET, packet.STATISTICS, 8))
        if drops > packets:
            raise Wrong(f"{drops} of {packets} packets were dropped")

    @action("ENOTSOCK", least=2)
    def error(self):
        number = struct.unpack("=i", get_option(self.any(), socket.SOL_SOCKET, socket.SO_ERROR, 4))[0]
        if number not in (0, errno.ENETDOWN, *self.tolerated):
            raise Wrong(f"SO_ERROR is {errno.errorcode.get(number, number)}")

    @action("ENOTSOCK", least=2)
    def name_of(self):
        raw, length = ctypes_buffer(bytes(128)), ctypes_buffer(struct.pack("=I", 128))
        lib.libc_call("getsockname", self.any(), raw, length)
        family = struct.unpack_from("=H", raw.raw)[0]
        if family != socket.AF_PACKET:
            raise Wrong(f"the name is of family {family}")

    @action(LOST + " EAGAIN", least=1, weight=4)
    def receive(self):
        """A frame, an error or a timeout."""
        flags = self.random.choice(
            (0, packet.MSG_PEEK, packet.MSG_TRUNC, packet.MSG_DONTWAIT, packet.MSG_ERRQUEUE))
        got = packet.receive(Number(self.any()), self.random.choice((0, 14, 60, 2048)), flags)
        if not flags & packet.MSG_ERRQUEUE and got.address.family != socket.AF_PACKET:
            raise Wrong(f"a frame from family {got.address.family}")

    # ENXIO: no such device, or none given. EMSGSIZE: a small length is set. EDESTADDRREQ, EINVAL: SOCK_DGRAM
    # and devices that are gone.
    @action(LOST + " ENXIO EMSGSIZE ENOBUFS EAGAIN EINVAL", least=1, weight=4)
    def send(self):
        to = packet.address(self.target(), OTHER, b"\xff" * 6)
        packet.send(Number(self.any()), self.frame, to, flags=packet.MSG_DONTWAIT)

    @action(least=2)
    def poll(self):
        """All places at once. What is behind them changes meanwhile."""
        poll = select.poll()
        for fd in self.shared["places"]:
            poll.register(fd, select.POLLIN | select.POLLOUT)
        poll.poll(self.random.choice((0, 20)))

    @action(least=1)
    def table(self):
        """The file that lists all sockets, and what the protocol counts."""
        names = ["protocols", "packet"] + (["rpacket"] if self.family != socket.AF_PACKET else [])
        try:
            with open(f"/proc/thread-self/net/{self.random.choice(names)}", encoding="ascii") as file:
                file.read()
        except FileNotFoundError:
            pass  # The family is not loaded now.


class Number:
    """What the functions of packet.py take for a socket."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd


def ctypes_buffer(data):
    """Memory that a call may write to."""
    return ctypes.create_string_buffer(data, len(data))


def set_option(fd, level, option, value):
    lib.libc_call("setsockopt", fd, level, option, value, len(value))


def get_option(fd, level, option, size):
    raw, length = ctypes_buffer(bytes(size)), ctypes_buffer(struct.pack("=I", size))
    lib.libc_call("getsockopt", fd, level, option, raw, length)
    return raw.raw


class Interrupted(Sockets):
    """The same, under a rain of signals: every call that waits may end with EINTR."""

    tolerated = frozenset({errno.EINTR})

    def begin(self):
        super().begin()
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)

    def end(self):
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().end()


class Killed(Actor):
    """Programs that are killed in the middle of what they do."""

    every = (5, 40)

    def __init__(self, whereabouts, family, gate):
        super().__init__()
        self.gate = gate
        self.victim = Sockets(whereabouts, family, gate, "victim")

    def rests(self):
        return self.gate.closed

    @action(least=2)
    def kill(self):
        seed = self.random.random()
        life = self.random.uniform(0.02, 0.4)
        pid = os.fork()
        if pid == 0:
            self.live(seed)
        time.sleep(life)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            raise Wrong(f"the victim ended before it was killed, with status {status:#x}")

    def live(self, seed):
        """The short life of a victim; does not return."""
        try:
            lib.libc_call("prctl", 1, signal.SIGKILL)
            victim = self.victim
            victim.random.seed(seed)
            victim.begin()
            weights = [one.weight for one in victim.actions]
            while True:
                chosen = victim.random.choices(victim.actions, weights)[0]
                try:
                    chosen(victim)
                except OSError as error:
                    if error.errno not in chosen.allowed and error.errno not in self.tolerated:
                        os.write(2, f"# victim.{chosen.__name__}: {error}\n".encode())
                        os._exit(3)
        finally:
            os._exit(4)


class FamilyLoader(Actor):
    """The family is unloaded and loaded: whenever nobody has a socket, and also when somebody may."""

    every = (150, 500)

    def __init__(self, gate, module="af_rpacket"):
        super().__init__("loader of the family")
        self.gate, self.module = gate, module

    @action("EAGAIN", least=1, weight=2)
    def unload_and_load(self):
        """The last sockets are closed while it tries."""
        self.gate.close()
        try:
            end = time.monotonic() + 5 * lib.SLOW
            while True:
                try:
                    kernel.unload_module(self.module)
                    break
                except OSError as error:
                    if error.errno != errno.EAGAIN or time.monotonic() > end:
                        raise
                time.sleep(0.005)
        finally:
            self.gate.open()
        time.sleep(self.random.uniform(0, 0.2))
        kernel.load_module(self.module)

    @action("EAGAIN", least=0)
    def unload_in_use(self):
        """Most often somebody has a socket."""
        kernel.unload_module(self.module)
        kernel.load_module(self.module)
