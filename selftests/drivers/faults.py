#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: debug
# timeout: 400
# leak-scan: yes
# log: FAULT_INJECTION|Call Trace:|page allocation failure|ref_tracker_dir_debugfs
"""Each allocation on the way through probe, open and the settings fails, one after the other: the error
is the right one, nothing is left behind, and the next try works."""

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
from nic import DUT4, SilentWire, ip, lib, wait_for

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call
import fault_injection as faults

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU, SIOCSIFHWADDR = 0x8913, 0x8914, 0x8922, 0x8924
SIOCGMIIPHY, SIOCGMIIREG, SIOCETHTOOL = 0x8947, 0x8948, 0x8946
IFF_UP, IFF_PROMISC, IFF_ALLMULTI = 0x1, 0x100, 0x200
# ETHTOOL_*: settings, driver, registers, message level, link, statistics.
GET_SETTINGS, SET_SETTINGS, GET_DRIVER, GET_REGISTERS, GET_LINK, GET_STATISTICS = 1, 2, 3, 4, 10, 0x1D
# Not all say that memory is short: the PCI core calls a region busy that it could not note, the driver
# core refuses a device whose name it could not copy.
PROBE_ERRORS = ("ENOMEM", "ENOBUFS", "EBUSY", "EINVAL", "EFAULT")


def report(what, places, least=1):
    lib.diag(faults.summary(what, places, "rtl8139_rs"))
    assert len(places) >= least, f"{what}: only {len(places)} faults"


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

    def up(self, up=True):
        self.flag(IFF_UP, up)

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
        assert result in ((0, errno.ENOMEM) if place else (0,)), (
            f"{errno.errorcode[result]} when this failed: {' < '.join(place[:6])}")

    wire.card.unbind()
    wire.card.override("none")
    fail_call.rmmod(wire.subject)
    try:
        with fail_call.Control() as control, \
                fail_call.Allocations(control, wire.subject, "task") as allocations:
            report("load", allocations.each(load, judge), 3)
    finally:
        wire.card.override(None)
        wire.card.bind(wire.subject)
    works_again(wire)


def probing(wire):
    """The card is bound: whatever fails, it is free afterwards, and can be bound."""
    wire.card.unbind()
    fd = os.open(f"/sys/bus/pci/drivers/{wire.subject}/bind", os.O_WRONLY)
    try:
        places = faults.each(lambda: os.write(fd, wire.card.address.encode()),
                             PROBE_ERRORS, wire.card.unbind)
    finally:
        os.close(fd)
    report("probe", places)
    wire.card.bind(wire.subject)
    works_again(wire)


def opening(wire):
    """The interface goes up: whatever fails, it is down, and no line is requested."""
    ready(wire)
    wire.dut.set("down")
    requests = Requests(wire.dut.name)
    places = faults.each(requests.up, ("ENOMEM", "EFAULT"), lambda: requests.up(False))
    report("open", places)
    assert wire.card.handlers()[1] == [] or wire.dut.name not in wire.card.handlers()[1]
    works_again(wire)


def settings(wire):
    """Address and MTU, while the interface is up."""
    ready(wire)
    requests = Requests(wire.dut.name)
    mac = wire.dut.mac
    for what, command, value, old in (
            ("the MTU", SIOCSIFMTU, struct.pack("=i20x", 1400), struct.pack("=i20x", 1500)),
            ("the address", SIOCSIFHWADDR, struct.pack("=H6s16x", 1, b"\x02\0\0\0\0\x77"),
             struct.pack("=H6s16x", 1, mac))):
        report(what, faults.each(lambda command=command, value=value: requests(command, value),
                                 ("ENOMEM", "EFAULT"),
                                 lambda command=command, old=old: requests(command, old)), 0)
    assert wire.dut.mac == mac
    for what, flag in (("promiscuous", IFF_PROMISC), ("all groups", IFF_ALLMULTI)):
        report(what, faults.each(lambda flag=flag: requests.flag(flag, True), ("ENOMEM", "EFAULT"),
                                 lambda flag=flag: requests.flag(flag, False)), 0)
    works_again(wire)


def asking(wire):
    """What ethtool and MII tools ask, and the link settings."""
    ready(wire)
    requests = Requests(wire.dut.name)
    data = ctypes.create_string_buffer(4096)
    for what, command in (("settings", GET_SETTINGS), ("the same set", SET_SETTINGS),
                          ("driver", GET_DRIVER), ("link", GET_LINK)):
        report(what, faults.each(lambda command=command: requests.ethtool(command, data),
                                 ("ENOMEM", "EFAULT")), 0)
    for what, command, size in (("registers", GET_REGISTERS, 1024), ("statistics", GET_STATISTICS, 64)):
        struct.pack_into("=III", data, 0, 0, 0, size)
        report(what, faults.each(lambda command=command: requests.ethtool(command, data),
                                 ("ENOMEM", "EFAULT")), 0)
    for what, command in (("transceiver", SIOCGMIIPHY), ("its register", SIOCGMIIREG)):
        report(what, faults.each(lambda command=command: requests(command), ("ENOMEM", "EFAULT")), 0)
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
    report("down", faults.each(down, ("ENOMEM", "EFAULT"), up), 0)
    works_again(wire)


def sending(wire):
    """A frame of a program: what fails on its way through the card is a counted drop."""
    ready(wire)
    data = frame(wire.peer.mac, wire.dut.mac, 1000, 1)
    with Tap(wire.dut, 0) as out:
        places = faults.each(lambda: out.socket.send(data), ("ENOBUFS", "ENOMEM", "EFAULT"))
    report("send", places, 0)
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
        places = faults.each(
            lambda: udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group),
            ("ENOMEM", "ENOBUFS", "EFAULT"), leave)
    report("joining a group", places, 0)
    ip("address", "flush", "dev", wire.dut.name)
    works_again(wire)


class FaultyWire(SilentWire):
    """The wire on a kernel that injects faults."""

    def __enter__(self):
        wire = super().__enter__()
        self.faults = faults.switched_on(self.subject)
        try:
            self.faults.__enter__()
        except BaseException:
            self.close()
            raise
        return wire

    def __exit__(self, *exception):
        self.faults.__exit__(*exception)
        super().__exit__(*exception)


if __name__ == "__main__":
    cases.main(probing, opening, settings, asking, sending, listening, closing, loading, wire=FaultyWire)
