#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: debug
# timeout: 400
# leak-scan: yes
# log: Call Trace:|page allocation failure|ref_tracker_dir_debugfs|ref_tracker: memory allocation failure
"""Each allocation on the way through probe, open and the settings fails, one after the other: the error
is the right one, or what is lost is counted, nothing is left behind, and the next try works. Which places
these are, the driver's code says; the last case names those that have not failed."""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys

import cases
from frames import Tap, frame
from nic import DUT4, OURS, SilentWire, ip, lib, wait_for

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call
import fault_injection
import fault_sites

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFMTU, SIOCSIFMTU = 0x8913, 0x8914, 0x8921, 0x8922
SIOCSIFHWADDR = 0x8924
SIOCGMIIPHY, SIOCGMIIREG, SIOCETHTOOL = 0x8947, 0x8948, 0x8946
IFF_UP, IFF_PROMISC, IFF_ALLMULTI = 0x1, 0x100, 0x200
# ETHTOOL_*: settings, driver, registers, message level, link, statistics.
GET_SETTINGS, SET_SETTINGS, GET_DRIVER, GET_REGISTERS, GET_LINK, GET_STATISTICS = 1, 2, 3, 4, 10, 0x1D
# Which file makes an allocation fail (fault_sites.py), if it is not faults.py.
OWNERS = [
    ("start_xmit|skb_tstamp_tx|napi_alloc_skb", "softirq_faults.py", "what is sent, and what arrives"),
    ("Vec.*krealloc", None, "only the tests of the layer have such a list"),
]
# Not all say that memory is short: the PCI core calls a region busy that it could not note, the driver
# core refuses a device whose name it could not copy.
PROBE_ERRORS = {"ENOMEM": "", "EBUSY": "__request_region", "EINVAL": "dev_set_name",
                "ENOBUFS": "(neigh|addrconf)_sysctl_register"}


def ready(wire):
    """The card is bound and up, however the last case ended."""
    wire.card.bind(wire.subject)
    wire.dut.set("up")


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

    def ethtool(self, command, data):
        """An ethtool command on a buffer that begins with its number."""
        struct.pack_into("=I", data, 0, command)
        self(SIOCETHTOOL, struct.pack("=Q16x", ctypes.addressof(data)))


def works_again(wire):
    wire.dut.set("up")
    data = frame(wire.dut.mac, wire.peer.mac, 300, 9)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        def arrives():
            out.send(data)
            return heard.receive(0.5)
        wait_for("a frame that gets through", arrives, 20)


def loading(wire):
    """The module is loaded: its driver is registered, or nothing is."""
    file = f"{lib.MODULES}/{wire.subject}.ko"

    def load():
        try:
            fail_call.insmod(file)
        except OSError as error:
            return error.errno
        fail_call.rmmod(wire.subject)
        return 0

    def judge(place, result):
        assert place or not result, f"{errno.errorcode[result]} without a fault"
        return {"result": result, "allowed": ("ENOMEM",)}

    wire.card.unbind()
    wire.card.override("none")
    fail_call.rmmod(wire.subject)
    wire.faults.__exit__()
    try:
        with fault_injection.Allocations(wire.control, wire.subject, "task", wire.sites) as allocations:
            allocations.each("load", load, judge, 3)
    finally:
        wire.card.override(None)
        wire.card.bind(wire.subject)
    works_again(wire)


def probing(wire):
    """The card is bound: whatever fails, it is free afterwards, and can be bound."""
    wire.card.unbind()
    fd = os.open(f"/sys/bus/pci/drivers/{wire.subject}/bind", os.O_WRONLY)
    try:
        wire.faults.each("probe", lambda: os.write(fd, wire.card.address.encode()), PROBE_ERRORS,
                         wire.card.unbind, lambda: wire.card.driver == wire.subject and wire.card.name)
    finally:
        os.close(fd)
    wire.card.bind(wire.subject)
    works_again(wire)


def opening(wire):
    """The interface goes up: whatever fails, it is down, and no line is requested."""
    ready(wire)
    wire.dut.set("down")
    requests = Requests(wire.dut.name)

    def line():
        return wire.dut.name in wire.card.handlers()[1]

    def undo():
        requests.up(False)
        assert not line(), "the line is still requested"

    wire.faults.each("open", requests.up, ("ENOMEM",), undo, lambda: requests.has(IFF_UP) and line())
    works_again(wire)


def settings(wire):
    """Address and MTU, while the interface is up."""
    ready(wire)
    requests = Requests(wire.dut.name)
    mac, other = wire.dut.mac, b"\x02\0\0\0\0\x77"

    def address(value):
        return lambda: requests(SIOCSIFHWADDR, struct.pack("=H6s16x", 1, value))

    def mtu(value):
        return lambda: requests(SIOCSIFMTU, struct.pack("=i20x", value))

    wire.faults.each("the MTU", mtu(1400), ("ENOMEM",), mtu(1500), lambda: requests.mtu() == 1400, least=0)
    wire.faults.each("the address", address(other), ("ENOMEM",), address(mac),
                     lambda: wire.dut.mac == other, least=0)
    assert wire.dut.mac == mac
    for what, flag in (("promiscuous", IFF_PROMISC), ("all groups", IFF_ALLMULTI)):
        wire.faults.each(what, lambda flag=flag: requests.flag(flag, True), ("ENOMEM",),
                         lambda flag=flag: requests.flag(flag, False),
                         lambda flag=flag: requests.has(flag), least=0)
    works_again(wire)


def asking(wire):
    """What ethtool and MII tools ask, and the link settings."""
    ready(wire)
    requests = Requests(wire.dut.name)
    data = ctypes.create_string_buffer(4096)
    for what, command in (("settings", GET_SETTINGS), ("the same set", SET_SETTINGS),
                          ("driver", GET_DRIVER), ("link", GET_LINK)):
        wire.faults.each(what, lambda command=command: requests.ethtool(command, data),
                         ("ENOMEM", "EFAULT"), least=0)
    for what, command, size in (("registers", GET_REGISTERS, 1024), ("statistics", GET_STATISTICS, 64)):
        struct.pack_into("=III", data, 0, 0, 0, size)
        wire.faults.each(what, lambda command=command: requests.ethtool(command, data),
                         ("ENOMEM", "EFAULT"), least=0)
    for what, command in (("transceiver", SIOCGMIIPHY), ("its register", SIOCGMIIREG)):
        wire.faults.each(what, lambda command=command: requests(command), ("ENOMEM", "EFAULT"), least=0)
    works_again(wire)


def closing(wire):
    """The interface goes down with frames under way: nothing of it can fail."""
    ready(wire)
    requests = Requests(wire.dut.name)
    data = frame(wire.peer.mac, wire.dut.mac, 1000, 1)

    def down():
        requests.up(False)

    def up():
        wire.dut.set("up")
        with Tap(wire.dut, 0) as out:
            for _ in range(4):
                out.send(data)

    up()
    wire.faults.each("down", down, (), up, lambda: not requests.has(IFF_UP), least=0)
    works_again(wire)


def sending(wire):
    """A frame of a program: it arrives, or the call says that it does not."""
    ready(wire)
    works_again(wire)
    data = frame(wire.peer.mac, wire.dut.mac, 1000, 1)
    with Tap(wire.dut, 0) as out, Tap(wire.peer) as heard:
        wire.faults.each("send", lambda: out.socket.send(data), ("ENOBUFS", "ENOMEM"), heard.drain,
                         lambda: heard.receive(5),
                         lambda: wire.dut.counters()["tx_dropped"], least=0)
    works_again(wire)


def listening(wire):
    """Groups and addresses that the card is to receive."""
    ready(wire)
    with contextlib.suppress(RuntimeError):
        ip("address", "add", f"{DUT4}/24", "dev", wire.dut.name)
    group = socket.inet_aton("239.9.8.7") + socket.inet_aton(DUT4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        def leave():
            with contextlib.suppress(OSError):
                udp.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, group)

        def listens():
            with open("/proc/net/dev_mcast", encoding="ascii") as table:
                return any(line.split()[1::3] == [wire.dut.name, "01005e090807"] for line in table)

        wire.faults.each("joining a group",
                         lambda: udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group),
                         ("ENOMEM", "ENOBUFS"), leave, listens, least=0)
    ip("address", "flush", "dev", wire.dut.name)
    works_again(wire)


def each_place_has_failed(wire):
    """All calls of the driver from which an allocation can fail in a system call; or a reason why not."""
    wire.sites.account("faults.py", OWNERS)


class FaultyWire(SilentWire):
    """The wire on a kernel that injects faults."""

    def __enter__(self):
        wire = super().__enter__()
        self.stack = contextlib.ExitStack()
        try:
            self.sites = fault_sites.Sites(OURS)
            self.control = self.stack.enter_context(fail_call.Control())
            self.faults = self.stack.enter_context(
                fault_injection.Faults(self.control, self.subject, self.sites))
        except BaseException:
            self.stack.close()
            self.close()
            raise
        return wire

    def __exit__(self, *exception):
        self.stack.close()
        super().__exit__(*exception)


if __name__ == "__main__":
    cases.main(probing, opening, settings, asking, sending, listening, closing, loading,
               each_place_has_failed, wire=FaultyWire)
