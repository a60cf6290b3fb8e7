# SPDX-License-Identifier: GPL-2.0
"""The namespaces and devices in which the calls are made.

`here` has va and da, a VLAN on va, a device without a link header, and lo; `far` has the other end of va.
Indexes are chosen, so that two worlds are alike to the last byte, and a call that names one means the same
in each part of a run.

Each of the two sides may have a world of its own: nothing that one does reaches the other then, and the
state of devices can be compared. Or both are in one world, and hear the same buffers. There, what one
sends the other one hears; so that each hears as much as the other, and in the same order, nothing that is
sent may come back to where it was sent: lo stays down.
"""

import contextlib
import errno
import fcntl
import os
import stat
import struct
import time

import packet
import topology
from lockstep import frames
from lockstep.netlink import IFNAME, INFO_KIND, LINKINFO, MTU, NET_NS_FD, ADDRESS, CREATE, EXCL, NEWLINK
from lockstep.netlink import Netlink, attribute, link

LO, VA, VB, DA, VLAN, TUN = 1, 11, 12, 13, 15, 16
NAMES = {LO: "lo", VA: "va", VB: "vb", DA: "da", VLAN: "va.7", TUN: "tun9"}
TUNSETIFINDEX, TUNSETIFF, IFF_TUN = 0x400454DA, 0x400454CA, 0x0001
BIG = 1 << 22


def outcome(function, *arguments):
    """The errno's name of what may fail."""
    try:
        function(*arguments)
    except OSError as error:
        return {"errno": packet.NAMES[error.errno]}
    return {"errno": "0"}


class World:
    """It is made in a process that may have any namespace afterwards."""

    def __init__(self, has_loopback):
        topology.enter_new()
        self.here, self.far = topology.Namespace(), topology.new_namespace()
        self.netlink = Netlink()
        with self.far:
            self.far_netlink = Netlink()
            self.far_netlink.set(LO, (IFNAME, "lo"))
        self.has_loopback = has_loopback
        if not has_loopback:
            topology.set_down("lo")
        self.tun = self.make_tun()
        for index in (DA, VA, VLAN):
            # A kernel may lack the kind.
            with contextlib.suppress(OSError):
                self.make(index)
        self.injector = self.sender()
        with self.far:
            self.far_injector, self.offloading = self.sender(), self.sender()
            packet.set_option(self.offloading, packet.VNET_HDR, 1)
        self.settle_links()

    @staticmethod
    def sender():
        sock = packet.reference()
        packet.set_option(sock, packet.SO_SNDBUFFORCE, BIG, level=1)
        return sock

    # ---- Devices --------------------------------------------------------------------------------

    def make(self, index):
        """Makes a device that is missing."""
        if index == VA:
            self.netlink.make_veth("va", VA, topology.MAC_A, "vb", VB, topology.MAC_B, self.far.fd)
            self.far_netlink.up(VB)
        elif index == DA:
            self.netlink.do(
                NEWLINK,
                CREATE | EXCL,
                link(DA)
                + attribute(IFNAME, "da")
                + attribute(ADDRESS, frames.MAC_C)
                + attribute(LINKINFO, attribute(INFO_KIND, "dummy")),
            )
        elif index == VLAN:
            self.netlink.make_vlan("va.7", VLAN, VA, 7)
        else:
            raise OSError(errno.EEXIST, "not to be made")
        self.netlink.up(index)

    @staticmethod
    def make_tun():
        """The other end of the device without a link header: None on a machine that has none."""
        try:
            os.makedirs("/dev/net", exist_ok=True)
            if not os.path.exists("/dev/net/tun"):
                os.mknod("/dev/net/tun", 0o600 | stat.S_IFCHR, os.makedev(10, 200))
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        fcntl.ioctl(tun, TUNSETIFINDEX, struct.pack("=I", TUN))
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun9", IFF_TUN))
        topology.set_up("tun9")
        return tun

    def change(self, what, index, value):
        """Up, down, mtu, rename, delete, make, away or back."""
        if index == LO and not self.has_loopback:
            return {"errno": "skipped"}
        act = {
            "up": lambda: self.netlink.up(index),
            "down": lambda: self.netlink.up(index, False),
            "mtu": lambda: self.netlink.set(index, (MTU, value)),
            "rename": lambda: self.netlink.set(index, (IFNAME, f"{NAMES[index]}{value % 2 or ''}")),
            "delete": lambda: self.netlink.delete(index),
            "make": lambda: self.make(index),
            "away": lambda: self.netlink.set(index, (NET_NS_FD, self.far.fd)),
            "back": lambda: self.far_netlink.set(index, (NET_NS_FD, self.here.fd)),
        }[what]
        done = outcome(act)
        self.settle_links()
        return done

    def links(self):
        """All devices of both namespaces, and how many want them promiscuous."""
        return {"here": self.netlink.links(), "far": self.far_netlink.links()}

    def groups(self):
        """The multicast lists of the devices here."""
        with self.here, open("/proc/thread-self/net/dev_mcast", encoding="ascii") as table:
            return sorted(line.strip() for line in table)

    def settle_links(self):
        """Waits until the kernel has noticed which carriers there are: that is a work item's business."""
        deadline = time.monotonic() + 60
        while not self.carriers_are_known():
            assert time.monotonic() < deadline, f"carriers do not settle: {self.links()}"
            time.sleep(0.005)
        # The flag is set just before the queue works, under the RTNL mutex, which these calls take.
        self.netlink.set(LO)
        self.far_netlink.set(LO)
        topology.wait_for_backlog()

    def carriers_are_known(self):
        here, far = self.netlink.links(), self.far_netlink.links()

        def has(flag, links, index):
            return index in links and bool(links[index][1] & flag)

        running, up = topology.IFF_RUNNING, topology.IFF_UP
        # A pair one of whose ends has moved has both ends in one namespace.
        every = {**here, **far}
        if VA in every and VB in every:
            both = has(up, every, VA) and has(up, every, VB)
            for index in (VA, VB):
                if has(running, every, index) != (both and has(up, every, index)):
                    return False
            if has(up, every, VLAN) and has(running, every, VLAN) != both:
                return False
        return True

    # ---- Traffic --------------------------------------------------------------------------------

    def arrive(self, index, spec, count):
        """Frames arrive at a device: from the other end of the wire, or out of the program behind it."""
        if index == TUN:
            raw = frames.frame_of(spec)
            head = b"\0\0" + (raw[12:14].ljust(2, b"\0"))

            def act():
                for _ in range(count):
                    os.write(self.tun, head + raw[14:])

            if self.tun is None:
                return {"errno": "skipped"}
        elif len(spec) > 3:
            raw = frames.vnet_of(spec[3]) + frames.frame_of(spec)
            act = self.sending(self.offloading, VB, raw, count)
        else:
            act = self.sending(self.far_injector, VB, frames.frame_of(spec), count)
        done = outcome(act)
        topology.wait_for_backlog()
        return done

    def leave(self, index, spec, count):
        """Somebody else here sends."""
        done = outcome(self.sending(self.injector, index, frames.frame_of(spec), count))
        topology.wait_for_backlog()
        return done

    @staticmethod
    def sending(sock, index, raw, count):
        def act():
            for _ in range(count):
                kind = int.from_bytes(raw[12:14]) if len(raw) >= 14 else 0
                packet.send(sock, raw, packet.address(index, kind), flags=packet.MSG_DONTWAIT)

        return act

    def drain_tun(self):
        """Takes what was sent on the device without a link header, before its queue is full."""
        if self.tun is not None:
            with contextlib.suppress(BlockingIOError, OSError):
                while True:
                    os.read(self.tun, 70000)
