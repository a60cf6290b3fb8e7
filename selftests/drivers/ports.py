#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# modes: cplus classic
# timeout: 300
# leak-scan: yes
# log: NETDEV WATCHDOG|probe with driver rtl8139_rs failed
"""A card whose registers cannot be used in memory is driven by I/O ports, and that one alone: the log says
why, /proc/ioports says who, and all works as it does otherwise. Where ports cannot be used either, the card
is refused, and nothing of it is left.

The region is spoilt by a module of the tests (pci_region.ko), or the card is told to answer elsewhere."""

import contextlib
import re
import time

import cases
from nic import DUT4, OURS, PEER4, SLOW, Wire, lib, read, run, unload, wait_for, write
from removable import Traffic, pings
from tcp import Stream

MEMORY_BAR, PORT_BAR = 1, 0
PORTS, MEMORY, MASTER = 1, 2, 4  # bits of the command register in configuration space
KIB = 1 << 10


@contextlib.contextmanager
def spoilt(wire, how, bar=MEMORY_BAR):
    """The card has no driver, and a region of it is not as it should be; inside it may have one."""
    wire.card.unbind()
    lib.sh(f"insmod {lib.MODULES}-tests/pci_region.ko device={wire.card.address} bar={bar} how={how}")
    try:
        yield
    finally:
        wire.card.unbind()
        unload("pci_region")


@contextlib.contextmanager
def moved_away(wire):
    """The card answers at an address in memory of which the kernel does not know: nobody answers at the old one."""
    wire.card.unbind()
    with open(f"{wire.card.sys}/config", "r+b", buffering=0) as config:
        def address(value=None):
            config.seek(0x10 + 4 * MEMORY_BAR)
            if value is not None:
                config.write(value.to_bytes(4, "little"))
                config.seek(0x10 + 4 * MEMORY_BAR)
            return int.from_bytes(config.read(4), "little")

        before, elsewhere = address(), free_page()
        try:
            lib.equal(elsewhere, address(elsewhere), "where the card is")
            yield
        finally:
            wire.card.unbind()
            address(before)


def free_page():
    """The address of a page in the window of the bus in which there is no device."""
    ranges = re.findall(r"^( *)([0-9a-f]+)-([0-9a-f]+) : (.*)$", read("/proc/iomem"), re.M)
    windows = [(int(start, 16), int(end, 16)) for _, start, end, name in ranges if name.startswith("PCI Bus 0000:00")]
    start, end = max((window for window in windows if window[1] < 1 << 32), key=lambda one: one[1] - one[0])
    page = (start + end) // 2 & ~0xFFFF
    for indent, first, last, name in ranges:
        inside = int(first, 16) <= page <= int(last, 16)
        lib.require(not inside or not indent or name.startswith("PCI Bus"), f"{page:#x} is free of {name}")
    return page


def command(card, clear=0):
    """Clears bits of the command register on the bus; returns what it was before."""
    with open(f"{card.sys}/config", "r+b", buffering=0) as config:
        config.seek(4)
        was = int.from_bytes(config.read(2), "little")
        if clear:
            config.seek(4)
            config.write((was & ~clear).to_bytes(2, "little"))
    return was


def owned(table):
    """How many regions in /proc/iomem or /proc/ioports are the driver's."""
    return len(re.findall(rf" : {OURS}$", read(f"/proc/{table}"), re.M))


def said(wire, since):
    """Why ports are used, by what the log says of it since then: a list."""
    lines = [line for line in run("dmesg").splitlines()[since:] if wire.card.address in line]
    return [match.group(1) for line in lines for match in re.finditer(r"in memory \((\w+)\): I/O ports are used", line)]


def lines():
    """How long the log is."""
    return len(run("dmesg").splitlines())


def by_ports(wire, error):
    """The card is bound, and is driven by ports, for this reason."""
    before = lines()
    wire.card.bind(wire.subject)
    lib.equal([error], said(wire, before), "the log")
    lib.equal((1, 0), (owned("ioports"), owned("iomem")), "regions in ports and memory")


def in_memory(wire):
    """The card is bound, and is driven as always."""
    before = lines()
    wire.card.bind(wire.subject)
    lib.equal([], said(wire, before), "the log")
    lib.equal((0, 1), (owned("ioports"), owned("iomem")), "regions in ports and memory")


def for_each_reason(wire):
    """Held by another, without a place, too short, deaf: ports at once, and memory again when that is over."""
    in_memory(wire)
    reasons = [(spoilt(wire, "held"), "EBUSY"), (spoilt(wire, "none"), "ENODEV"),
               (spoilt(wire, "short"), "EINVAL"), (moved_away(wire), "EIO")]
    for reason, error in reasons:
        with reason:
            by_ports(wire, error)
            pings(wire)
        lib.equal((0, 0), (owned("ioports"), owned("iomem")), "regions that are left")
        in_memory(wire)
        pings(wire)


def without_memory(wire):
    """Not one access goes to memory: the card does not answer there."""
    command(wire.card, MEMORY)
    try:
        pings(wire)
        for to, address in ((None, DUT4), ("peer", PEER4)):
            Stream(to, address).transfer(2048 * KIB // SLOW**2)
        # The driver looks after the card, finds nothing wrong, and leaves the bit alone.
        resets = wire.dut.ethtool_stats()["resets"]
        time.sleep(9)
        lib.equal(resets, wire.dut.ethtool_stats()["resets"], "resets")
        assert not command(wire.card) & MEMORY, "memory is enabled, which nobody uses"
        same_registers(wire)
    finally:
        with open(f"{wire.card.sys}/config", "r+b", buffering=0) as config:
            was = command(wire.card)
            config.seek(4)
            config.write((was | MEMORY).to_bytes(2, "little"))


def same_registers(wire):
    """ethtool -d shows the registers that are read otherwise."""
    text = wire.dut.ethtool("-d", wire.dut.name, "raw", "off", "hex", "on")
    rows = re.findall(r"^0x[0-9a-f]+:\s+((?:[0-9a-f]{2} ?)+)", text, re.M)
    dump = bytes.fromhex("".join(rows).replace(" ", ""))
    lib.equal(256, len(dump), "bytes of the dump")
    for offset, width in ((0x00, 4), (0x30, 4), (0x40, 4), (0x44, 4)):
        found = int.from_bytes(dump[offset:offset + width], "little")
        lib.equal(f"{wire.card.peek(offset, width):#x}", f"{found:#x}", f"register {offset:#x}")


def all_of_it(wire):
    """Streams both ways, ethtool, up and down and bound again under traffic."""
    with spoilt(wire, "held"):
        by_ports(wire, "EBUSY")
        pings(wire)
        same_registers(wire)
        without_memory(wire)
        with Traffic(wire) as traffic:
            for _ in range(3):
                wire.dut.set("down")
                traffic.flows()
            by_ports_again(wire)
            traffic.flows()
        pings(wire)


def by_ports_again(wire):
    """Taken from its driver, and given back."""
    wire.card.unbind()
    lib.equal((0, 0), (owned("ioports"), owned("iomem")), "regions that are left")
    by_ports(wire, "EBUSY")


def a_place_that_is_lost(wire):
    """The card does not answer on its ports any more, or is no master: it gets that back, and nothing else."""
    with spoilt(wire, "held"):
        by_ports(wire, "EBUSY")
        pings(wire)
        for bit in (PORTS, MASTER):
            before = wire.dut.ethtool_stats()["resets"]
            command(wire.card, bit)
            wait_for("the bit to be set again", lambda bit=bit: command(wire.card) & bit, 20)
            wait_for("a reset", lambda before=before: wire.dut.ethtool_stats()["resets"] > before, 20)
            pings(wire)
        for bits in (PORTS, PORTS | MASTER):
            command(wire.card, bits)
            wire.dut.set("down")
            command(wire.card, bits)
            pings(wire)


def the_bus_sleeps(wire):
    """Asleep and awake, and an error of the bus: the same ports."""
    with spoilt(wire, "held"):
        by_ports(wire, "EBUSY")
        pings(wire)
        lib.sh(f"insmod {lib.MODULES}-tests/bus_power.ko device={wire.card.address}")
        try:
            for steps in (("suspend", "resume"), ("frozen", "reset", "recovered")):
                for step in steps:
                    write("/sys/module/bus_power/parameters/to", step)
                pings(wire)
        finally:
            unload("bus_power")


def no_way_at_all(wire):
    """Neither region: refused, with the reason of memory, and bound again later."""
    bind = f"/sys/bus/pci/drivers/{wire.subject}/bind"
    with moved_away(wire), spoilt(wire, "held", PORT_BAR):
        before = lines()
        lib.raises(5, write, bind, wire.card.address)
        assert any("in memory EIO, by I/O ports EBUSY" in line for line in run("dmesg").splitlines()[before:])
        lib.equal((0, 0), (owned("ioports"), owned("iomem")), "regions that are left")
        assert not wire.card.driver and not command(wire.card) & MASTER
    in_memory(wire)
    pings(wire)


def nothing_is_left(wire):
    """The module goes, in use."""
    with spoilt(wire, "held"):
        by_ports(wire, "EBUSY")
        pings(wire)
        unload(wire.subject)
        lib.equal((0, 0), (owned("ioports"), owned("iomem")), "regions that are left")
        assert not wire.card.handlers()[1]
    in_memory(wire)
    pings(wire)


class Bed(Wire):
    """The wire, and nothing spoilt."""

    def close(self):
        self.card.unbind()
        unload("pci_region")
        super().close()


if __name__ == "__main__":
    cases.main(for_each_reason, all_of_it, a_place_that_is_lost, the_bus_sleeps, no_way_at_all, nothing_is_left,
               wire=Bed)
