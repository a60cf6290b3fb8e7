# SPDX-License-Identifier: GPL-2.0
"""What the cases have in common in which something fails: calls.py, faults.py, softirq_faults.py."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys

from frames import Tap, frame
from nic import CLASSIC_RINGS, OURS, SilentWire, format_mac, lib, wait_for
from pktgen import generator, order

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call
from grace_periods import expedited_grace_periods

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFMTU, SIOCSIFMTU = 0x8913, 0x8914, 0x8921, 0x8922
SIOCSIFHWADDR, SIOCETHTOOL = 0x8924, 0x8946
IFF_UP, IFF_PROMISC, IFF_ALLMULTI = 0x1, 0x100, 0x200
# Which file makes an allocation fail (fault_sites.py), if it is not faults.py.
OWNERS = [
    ("start_xmit|skb_tstamp_tx|napi_(alloc|build)_skb|__skb_pad|skb_checksum_help", "softirq_faults.py",
     "what is sent, and what arrives"),
]
OTHER_MAC, OTHER_MTU, USUAL_MTU = b"\x02\0\0\0\0\x77", 1400, 1500


class Requests:
    """The old ioctls of an interface: each a single system call."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.name = name.encode()

    def __call__(self, command, data=bytes(24)):
        return fcntl.ioctl(self.socket, command, struct.pack("16s24s", self.name, data))[16:]

    def flag(self, flag, on):
        flags, = struct.unpack_from("=H", self(SIOCGIFFLAGS))
        self(SIOCSIFFLAGS, struct.pack("=H22x", flags | flag if on else flags & ~flag))

    def has(self, flag):
        flags, = struct.unpack_from("=H", self(SIOCGIFFLAGS))
        return bool(flags & flag)

    def up(self, up=True):
        self.flag(IFF_UP, up)

    def mtu(self):
        return struct.unpack_from("=i", self(SIOCGIFMTU))[0]

    def set_mtu(self, value):
        self(SIOCSIFMTU, struct.pack("=i20x", value))

    def set_mac(self, value):
        self(SIOCSIFHWADDR, struct.pack("=H6s16x", 1, value))

    def ethtool(self, command, data):
        """An ethtool command on a buffer that begins with its number."""
        struct.pack_into("=I", data, 0, command)
        self(SIOCETHTOOL, struct.pack("=Q16x", ctypes.addressof(data)))


def ready(wire):
    """The card is bound and up, however the last case ended."""
    wire.card.bind(wire.subject)
    wire.dut.set("up")


def works_again(wire):
    wire.dut.set("up")
    data = frame(wire.dut.mac, wire.peer.mac, 300, 9)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        def arrives():
            out.send(data)
            return heard.receive(0.5)
        wait_for("a frame that gets through", arrives, 20)


def load():
    fail_call.insmod(f"{lib.MODULES}/{OURS}.ko")


@contextlib.contextmanager
def without_module(wire):
    """The module is not loaded inside; the card has its driver again afterwards, and works."""
    wire.card.unbind()
    wire.card.override("none")
    fail_call.rmmod(OURS)
    try:
        yield
    finally:
        wire.card.override(None)
        wire.card.bind(wire.subject)
    works_again(wire)


@contextlib.contextmanager
def without_driver(wire):
    """The card has no driver inside; gives the one system call that binds it."""
    wire.card.unbind()
    fd = os.open(f"/sys/bus/pci/drivers/{wire.subject}/bind", os.O_WRONLY)
    try:
        yield lambda: os.write(fd, wire.card.address.encode())
    finally:
        os.close(fd)
    wire.card.bind(wire.subject)
    works_again(wire)


@contextlib.contextmanager
def down(wire):
    """The interface is down inside; gives its requests, and what must hold when it was not opened."""
    ready(wire)
    wire.dut.set("down")
    requests = Requests(wire.dut.name)

    def undo():
        requests.up(False)
        assert not requested(wire), "the line is still requested"

    yield requests, undo
    works_again(wire)


def in_classic_mode(case):
    """The same case once more, with the driver on its other way: what fails is counted for both together."""
    def switch(wire, mode):
        wire.card.mode = mode
        wire.dut.set("down")
        wire.dut.ethtool("--set-priv-flags", wire.dut.name, CLASSIC_RINGS, "on" if mode == "classic" else "off")

    def run(wire):
        switch(wire, "classic")
        try:
            case(wire)
        finally:
            switch(wire, "cplus")

    run.__name__ = f"{case.__name__} in the classic mode"
    return run


@contextlib.contextmanager
def short_rings(wire):
    """As few buffers as there can be: each of them is an allocation that can fail."""
    def choose(rx, tx):
        if wire.card.mode != "classic":
            wire.dut.ethtool("-G", wire.dut.name, "rx", str(rx), "tx", str(tx))

    choose(16, 20)
    try:
        yield
    finally:
        choose(64, 64)


def requested(wire):
    """Whether the driver has the interrupt line."""
    return wire.dut.name in wire.card.handlers()[1]


@contextlib.contextmanager
def packets_of_others(wire, count):
    """A function that sends so many packets that their sender keeps (pktgen): how many have arrived, and
    how many are counted as dropped."""
    with generator(wire) as tell, Tap(wire.peer, 0x0800) as heard:
        for text in (f"count {count}", "clone_skb 100", "frags 3", "delay 200000", "pkt_size 300", "dst 10.8.13.9",
                     f"dst_mac {format_mac(wire.peer.mac)}"):
            tell(text)

        def send():
            def dropped():
                return wire.dut.counters()["tx_dropped"] - before

            def all_known():
                got = heard.receive(0.1)
                if got and len(got[0]) == 300:
                    arrived.append(got)
                return len(arrived) + dropped() >= count

            before, arrived = wire.dut.counters()["tx_dropped"], []
            order("/proc/net/pktgen/pgctrl", "start")
            wait_for("what has become of each frame", all_known)
            return len(arrived), dropped()

        yield send


class FailingWire(SilentWire):
    """The wire on a kernel in which something fails: `arm` says what, and enters it into a stack."""

    def __enter__(self):
        wire = super().__enter__()
        self.stack = contextlib.ExitStack()
        try:
            # An interface that goes, which it does in most rounds, waits for several.
            self.stack.enter_context(expedited_grace_periods())
            self.control = self.stack.enter_context(fail_call.Control())
            self.arm(self.stack)
        except BaseException:
            self.stack.close()
            self.close()
            raise
        return wire

    def arm(self, stack):
        raise NotImplementedError

    def __exit__(self, *exception):
        self.stack.close()
        super().__exit__(*exception)
