# SPDX-License-Identifier: GPL-2.0
"""Namespaces and links for the tests of the socket family.

A test runs in a network namespace of its own (see harness.py), so that whatever it builds is gone
when it ends, and nobody else's frames are in it: IPv6 is off, so a link that comes up is silent.
"""

import ctypes
import fcntl
import os
import socket
import stat
import struct
import subprocess
import time

import packet

PREEMPT_RT = "PREEMPT_RT" in os.uname().version
# The number of the system call, and the command that waits for an RCU grace period.
MEMBARRIER, MEMBARRIER_CMD_GLOBAL = 324, 1
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP, IFF_RUNNING, IFF_PROMISC, IFF_ALLMULTI = 0x1, 0x40, 0x100, 0x200

MAC_A, MAC_B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
MAC_BROADCAST, MAC_MULTICAST = b"\xff" * 6, bytes.fromhex("03000000cafe")
MAC_STRANGER = bytes.fromhex("0200000000ee")


class Namespace:
    """A network namespace, entered for the length of a `with` block."""

    def __init__(self, path="/proc/thread-self/ns/net"):
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.back = []

    def __enter__(self):
        self.back.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        os.setns(self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        back = self.back.pop()
        os.setns(back, CLONE_NEWNET)
        os.close(back)

    @property
    def path(self):
        """A name for this namespace that `ip link ... netns` takes."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def close(self):
        os.close(self.fd)


def enter_bare():
    """Puts the calling process into a fresh namespace: one system call."""
    os.unshare(CLONE_NEWNET)


def enter_new():
    """Puts the calling process into a fresh namespace with a silent, running lo."""
    enter_bare()
    for which in ("default", "lo"):
        try:
            with open(
                f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6", "w", encoding="ascii"
            ) as knob:
                knob.write("1")
        except FileNotFoundError:
            pass
    set_up("lo")


def new_namespace():
    """A fresh namespace beside the caller's."""
    here = Namespace()
    enter_new()
    made = Namespace()
    os.setns(here.fd, CLONE_NEWNET)
    here.close()
    return made


def ip(*lines):
    """Runs one `ip -batch` over these lines. Fails the test if one of them fails."""
    done = subprocess.run(
        ["ip", "-batch", "-"],
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"ip: {' | '.join(lines)}: {done.stderr.strip()}"
    return done.stdout


def flags(name):
    """The interface flags."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        raw = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
    return struct.unpack_from("=H", raw, 16)[0]


def set_flags(name, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), value))


def set_up(name):
    set_flags(name, flags(name) | IFF_UP)


def set_down(name):
    set_flags(name, flags(name) & ~IFF_UP)


def wait_running(name, seconds=40):
    """Waits until the kernel has noticed the carrier: before that, what is sent is dropped."""
    deadline = time.monotonic() + seconds
    while not flags(name) & IFF_RUNNING:
        assert time.monotonic() < deadline, f"{name} has no carrier"
        time.sleep(0.001)
    # The flag is set just before the queue works, under the RTNL mutex, which this call takes.
    set_flags(name, flags(name))


def index(name):
    return socket.if_nametoindex(name)


def wait_for_backlog():
    """Waits until this CPU has handed out what virtual devices (veth, lo, tun) received on it.

    Usually that happens before the sender's system call returns; a busy machine leaves it to a
    kernel thread. A case is pinned to its CPU, and a softirq is not interrupted by tasks, so what
    has left the backlog has reached all its handlers. On PREEMPT_RT it is always a thread, and a
    task may interrupt that one; but it handles what it has taken in an RCU read section.
    """
    cpu = min(os.sched_getaffinity(0))
    while True:
        with open("/proc/net/softnet_stat", encoding="ascii") as table:
            rows = [line.split() for line in table]
        # The twelfth column is the length of the backlog, the thirteenth the number of the CPU.
        if all(int(row[11], 16) == 0 for row in rows if int(row[12], 16) == cpu):
            break
        time.sleep(0.001)
    if PREEMPT_RT:
        packet.call("syscall", ctypes.c_long(MEMBARRIER), MEMBARRIER_CMD_GLOBAL, 0, 0)


class Pair:
    """Two ends of a veth: va (MAC_A) here, and vb (MAC_B) here or in another namespace."""

    def __init__(self, peer=None, up=True):
        where = f" netns {peer.path}" if peer else ""
        lines = [
            f"link add va address {MAC_A.hex(':')} type veth "
            f"peer name vb address {MAC_B.hex(':')}{where}"
        ]
        state = ["link set {} up"] if up else []
        lines += [line.format("va") for line in state]
        if peer:
            ip(*lines)
            with peer:
                if up:
                    set_up("vb")
                self.b = index("vb")
        else:
            ip(*lines, *(line.format("vb") for line in state))
            self.b = index("vb")
        self.a = index("va")
        self.peer = peer


class Tun:
    """A device without a link header, whose other end is this process (with packet information)."""

    TUNSETIFF, IFF_TUN = 0x400454CA, 0x0001

    def __init__(self, name="tun9"):
        node = "/dev/net/tun"
        os.makedirs("/dev/net", exist_ok=True)
        if not os.path.exists(node):
            os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
        self.fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
        request = struct.pack("16sH22x", name.encode(), self.IFF_TUN)
        fcntl.ioctl(self.fd, self.TUNSETIFF, request)
        set_up(name)
        self.index = index(name)

    def write(self, data):
        """Lets the device receive: flags and protocol, both in network order, then the packet."""
        os.write(self.fd, data)
