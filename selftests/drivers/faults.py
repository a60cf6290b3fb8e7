#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: debug
# timeout: 900
# leak-scan: yes
# log: Call Trace:|page allocation failure|ref_tracker_dir_debugfs|ref_tracker: memory allocation failure
"""Each allocation on the way through probe, open and the settings fails, one after the other: the error
is the right one, or what is lost is counted, nothing is left behind, and the next try works. Which places
these are, the driver's code says; the last case names those that have not failed."""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys

import cases
import failing
from failing import IFF_ALLMULTI, IFF_PROMISC, IFF_UP, OTHER_MAC, OTHER_MTU, USUAL_MTU
from failing import OWNERS, FailingWire, Requests, ready, works_again
from frames import Tap, frame
from nic import DUT4, OURS, ip, lib
from xdp_program import PASS, answer, attach

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call
import fault_injection
import fault_sites

SIOCGMIIPHY, SIOCGMIIREG = 0x8947, 0x8948
# ETHTOOL_*: settings, driver, registers, message level, link, statistics.
GET_SETTINGS, SET_SETTINGS, GET_DRIVER, GET_REGISTERS, GET_LINK, GET_STATISTICS = 1, 2, 3, 4, 10, 0x1D
GET_WAKE, SET_WAKE, GET_EEPROM, GET_CHANNELS, SET_CHANNELS = 5, 6, 11, 0x3C, 0x3D
# Not all say that memory is short: the driver core refuses a device whose name it could not copy.
PROBE_ERRORS = {"ENOMEM": "", "EINVAL": "dev_set_name",
                "ENOBUFS": "(neigh|addrconf)_sysctl_register"}


def loading(wire):
    """The module is loaded: its driver is registered, or nothing is."""
    def load():
        try:
            failing.load()
        except OSError as error:
            return error.errno
        fail_call.rmmod(OURS)
        return 0

    def judge(place, result):
        assert place or not result, f"{errno.errorcode[result]} without a fault"
        # A module that has no folder for its drivers is EINVAL to the driver core.
        return {"result": result, "allowed": {"ENOMEM": "", "EINVAL": "kobject_create_and_add"}}

    wire.faults.__exit__()
    with failing.without_module(wire), \
            fault_injection.Allocations(wire.control, OURS, "task", wire.sites) as allocations:
        allocations.each("load", load, judge, 3)


def probing(wire):
    """The card is bound: whatever fails, it is free afterwards, and can be bound."""
    with failing.without_driver(wire) as bind:
        wire.faults.each("probe", bind, PROBE_ERRORS, wire.card.unbind,
                         lambda: wire.card.driver == wire.subject and wire.card.name)


def opening(wire):
    """The interface goes up: whatever fails, it is down, and no line is requested."""
    with failing.down(wire) as (requests, undo), failing.short_rings(wire):
        wire.faults.each("open", requests.up, ("ENOMEM",), undo,
                         lambda: requests.has(IFF_UP) and failing.requested(wire))


def settings(wire):
    """Address and MTU, while the interface is up."""
    ready(wire)
    requests = Requests(wire.dut.name)
    mac = wire.dut.mac
    with failing.short_rings(wire):
        wire.faults.each("the MTU", lambda: requests.set_mtu(OTHER_MTU), ("ENOMEM",),
                         lambda: requests.set_mtu(USUAL_MTU), lambda: requests.mtu() == OTHER_MTU, least=0)
    wire.faults.each("the address", lambda: requests.set_mac(OTHER_MAC), ("ENOMEM",),
                     lambda: requests.set_mac(mac), lambda: wire.dut.mac == OTHER_MAC, least=0)
    assert wire.dut.mac == mac
    for what, flag in (("promiscuous", IFF_PROMISC), ("all groups", IFF_ALLMULTI)):
        wire.faults.each(what, lambda flag=flag: requests.flag(flag, True), ("ENOMEM",),
                         lambda flag=flag: requests.flag(flag, False),
                         lambda flag=flag: requests.has(flag), least=0)
    works_again(wire)


def attaching(wire):
    """A program is attached while the interface is up, for which it gets other buffers; or it is not, and the
    interface goes on as before."""
    ready(wire)
    links = []

    def detach():
        while links:
            os.close(links.pop())

    with failing.short_rings(wire):
        wire.faults.each("attach", lambda: links.append(attach(wire.dut, answer(PASS))), ("ENOMEM",), detach,
                         lambda: links)
    works_again(wire)


def asking(wire):
    """What ethtool and MII tools ask, and the link settings."""
    ready(wire)
    requests = Requests(wire.dut.name)
    data = ctypes.create_string_buffer(4096)
    for what, command in (("settings", GET_SETTINGS), ("the same set", SET_SETTINGS),
                          ("driver", GET_DRIVER), ("link", GET_LINK), ("waking", GET_WAKE),
                          ("the same waking", SET_WAKE), ("channels", GET_CHANNELS),
                          ("the same channels", SET_CHANNELS)):
        wire.faults.each(what, lambda command=command: requests.ethtool(command, data),
                         ("ENOMEM", "EFAULT"), least=0)
    for what, command, size in (("registers", GET_REGISTERS, 1024), ("statistics", GET_STATISTICS, 64)):
        struct.pack_into("=III", data, 0, 0, 0, size)
        wire.faults.each(what, lambda command=command: requests.ethtool(command, data),
                         ("ENOMEM", "EFAULT"), least=0)
    struct.pack_into("=IIII", data, 0, 0, 0, 0, 128)
    wire.faults.each("EEPROM", lambda: requests.ethtool(GET_EEPROM, data), ("ENOMEM", "EFAULT"), least=0)
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


class FaultyWire(FailingWire):
    """The wire on a kernel that injects faults."""

    def arm(self, stack):
        self.sites = fault_sites.Sites(OURS)
        self.faults = stack.enter_context(fault_injection.Faults(self.control, OURS, self.sites))


if __name__ == "__main__":
    cases.main(probing, opening, settings, attaching, asking, sending, listening, closing,
               *map(failing.in_classic_mode, (opening, settings, sending, closing)), loading,
               each_place_has_failed, wire=FaultyWire)
