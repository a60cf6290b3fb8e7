#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# timeout: 400
# leak-scan: yes
# log: probe with driver rtl8139_rs failed
"""Each call of the kernel that the driver makes, and that can fail, fails: registrations, resources,
mappings, the interrupt line, packets. The error is the right one or a counted drop, nothing is left
behind, and the next try works. Which calls these are, the driver's list of imports says; the last case
names those that were not reached."""

import contextlib
import ctypes
import os
import struct
import sys

import cases
from faults import SIOCSIFHWADDR, SIOCSIFMTU, Requests, ready, works_again
from frames import Tap, frame
from nic import OURS, SilentWire, format_mac, lib, wait_for
from pktgen import generator, order

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call

SIOCETHTOOL, ETHTOOL_GSET, ETHTOOL_SSET = 0x8946, 1, 2
# What has a reason not to be reached by any case here.
UNREACHED = [
    ("dev_(mc_add|set_promiscuity|set_allmulti)", "only the KUnit tests of the layer call it"),
    ("skb_copy_bits", "this driver copies whole frames, by another function"),
    ("(_raw|rt)_spin_trylock", "netpoll finds the queue locked: netconsole.py provokes that"),
]


def loading(wire):
    """The module is loaded: without its driver it does not stay."""
    wire.card.unbind()
    wire.card.override("none")
    fail_call.rmmod(OURS)

    def undo():
        with contextlib.suppress(OSError):
            fail_call.rmmod(OURS)

    try:
        lib.diag("load: " + wire.calls.each(
            lambda: fail_call.insmod(f"{lib.MODULES}/{OURS}.ko"), undo))
        assert not lib.loaded(OURS), "the module is still there"
    finally:
        wire.card.override(None)
        wire.card.bind(wire.subject)
    works_again(wire)


def probing(wire):
    """The card is bound: whatever fails, it is free afterwards, and can be bound."""
    wire.card.unbind()
    fd = os.open(f"/sys/bus/pci/drivers/{wire.subject}/bind", os.O_WRONLY)
    resources = read_iomem(wire)
    try:
        lib.diag("probe: " + wire.calls.each(
            lambda: os.write(fd, wire.card.address.encode()),
            lambda: freed(wire, resources), least=8))
    finally:
        os.close(fd)
    wire.card.bind(wire.subject)
    works_again(wire)


def read_iomem(wire):
    """Who has the card's regions."""
    with open("/proc/iomem", encoding="ascii") as file:
        return [line.strip() for line in file if OURS in line or wire.card.address in line]


def freed(wire, resources):
    """Nobody has the card, its regions or its line."""
    wire.card.unbind()
    lib.equal(resources, read_iomem(wire), "regions")
    assert not wire.card.name, "an interface is left"


def opening(wire):
    """The interface goes up: whatever fails, it is down, and no line is requested."""
    ready(wire)
    wire.dut.set("down")
    requests = Requests(wire.dut.name)

    def undo():
        requests.up(False)
        assert wire.dut.name not in wire.card.handlers()[1], "the line is still requested"

    lib.diag("open: " + wire.calls.each(requests.up, undo, least=3))
    works_again(wire)


def receiving(wire):
    """A frame that finds no packet is dropped and counted, and the next one comes."""
    ready(wire)
    works_again(wire)
    data = frame(wire.dut.mac, wire.peer.mac, 600, 5)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        def receive():
            accounted(lambda: out.send(data), heard, lambda: wire.dut.counters()["rx_dropped"])
        lib.diag("receive: " + wire.calls.each(receive))


def accounted(send, heard, drops, count=3):
    """So many frames, one after the other: each arrives, or is counted as dropped."""
    for number in range(count):
        before = drops()
        send()
        wait_for(f"frame {number} or its drop",
                 lambda before=before: heard.receive(0.05) or drops() > before)


def sending(wire):
    """A frame of a program has all that it needs."""
    ready(wire)
    works_again(wire)
    data = frame(wire.peer.mac, wire.dut.mac, 600, 6)
    with Tap(wire.dut, 0) as out, Tap(wire.peer) as heard:
        def send():
            out.send(data)
            assert heard.receive(5), "the frame did not arrive"
        lib.diag("send: " + wire.calls.each(send, least=0))


def generated(wire, heard, count):
    """So many frames of pktgen: how many arrived, and how many are counted as dropped."""
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


def sending_what_others_keep(wire):
    """A packet that its sender keeps (pktgen) is cloned, or dropped and counted."""
    ready(wire)
    works_again(wire)
    with generator(wire) as tell, Tap(wire.peer, 0x0800) as heard:
        for text in ("count 3", "clone_skb 100", "delay 200000", "pkt_size 300", "dst 10.8.13.9",
                     f"dst_mac {format_mac(wire.peer.mac)}"):
            tell(text)

        def send():
            lib.equal(3, sum(generated(wire, heard, 3)), "frames that arrived or were counted")

        lib.diag("pktgen: " + wire.calls.each(send))
    works_again(wire)


def settings(wire):
    """MTU, address, link settings."""
    ready(wire)
    requests, mac = Requests(wire.dut.name), wire.dut.mac
    link = ctypes.create_string_buffer(struct.pack("=I", ETHTOOL_GSET), 44)

    def ethtool(command):
        struct.pack_into("=I", link, 0, command)
        requests(SIOCETHTOOL, struct.pack("=Q16x", ctypes.addressof(link)))

    ethtool(ETHTOOL_GSET)
    for what, do, undo, least in (
            ("the MTU", lambda: requests(SIOCSIFMTU, struct.pack("=i20x", 1400)),
             lambda: requests(SIOCSIFMTU, struct.pack("=i20x", 1500)), 0),
            ("the address",
             lambda: requests(SIOCSIFHWADDR, struct.pack("=H6s16x", 1, b"\x02\0\0\0\0\x77")),
             lambda: requests(SIOCSIFHWADDR, struct.pack("=H6s16x", 1, mac)), 1),
            ("asking for the link", lambda: ethtool(ETHTOOL_GSET), lambda: None, 0),
            ("setting the link", lambda: ethtool(ETHTOOL_SSET), lambda: None, 0)):
        lib.diag(f"{what}: " + wire.calls.each(do, undo, least=least))
    assert wire.dut.mac == mac
    works_again(wire)


def each_call_was_reached(wire):
    """All that the driver imports and that can fail; or a reason why not."""
    wire.calls.account(UNREACHED)


class Wire(SilentWire):
    """The wire on a kernel whose functions fail."""

    def __enter__(self):
        wire = super().__enter__()
        self.stack = contextlib.ExitStack()
        try:
            control = self.stack.enter_context(fail_call.Control())
            self.calls = self.stack.enter_context(fail_call.Calls(control, OURS))
        except BaseException:
            self.stack.close()
            self.close()
            raise
        return wire

    def __exit__(self, *exception):
        self.stack.close()
        super().__exit__(*exception)


if __name__ == "__main__":
    cases.main(loading, probing, opening, receiving, sending, sending_what_others_keep, settings,
               each_call_was_reached, wire=Wire)
