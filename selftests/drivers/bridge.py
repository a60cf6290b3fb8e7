#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: cplus classic
# nics: rtl8139+bridge,e1000
# remaps: yes
# timeout: 300
# log: NETDEV WATCHDOG
"""A card behind a bridge of its own. So the bus can reset it, as a user has it: `reset` in its folder of sysfs.
And the bridge can cease to pass on what is for the card, which its configuration space does not show."""

import contextlib
import os

import cases
from nic import lib, run, times, wait_for, write
from removable import Traffic, pings

COMMAND, RECEIVER, TRANSMITTER = 0x37, 0x08, 0x04
PCI_COMMAND, MEMORY, MASTER = 4, 2, 4  # in configuration space
# The driver looks every 8 seconds, to the second, and tries again as often.
CARE = 10


def reset(wire):
    """Returns when the card works again, or the interface is down."""
    path = f"{wire.card.sys}/reset"
    assert os.path.exists(path), "the bus cannot reset the card"
    write(path, 1)


def under_traffic(wire):
    """For its user the interface is up all the time, what was set is set again, and it works at once: nobody has
    to find out that the card was reset."""
    wire.dut.set("mtu", "1400", "allmulticast", "on")
    count = wire.dut.ethtool_stats()["resets"]
    with Traffic(wire) as traffic:
        for _ in range(times(5)):
            traffic.flows()
            reset(wire)
            lib.equal(wire.dut.link()["mtu"], 1400, "MTU")
            assert "UP" in wire.dut.link()["flags"], "the interface has gone down"
            wire.wait_link()
            traffic.flows()
    lib.equal(wire.dut.ethtool_stats()["resets"], count, "resets to recover")
    wire.dut.set("mtu", "1500", "allmulticast", "off")
    pings(wire)


def while_the_interface_is_down(wire):
    """Nothing is started, and it works when it goes up."""
    wire.dut.set("down")
    reset(wire)
    lib.equal(wire.card.peek(COMMAND, 1) & (RECEIVER | TRANSMITTER), 0, "receiver and transmitter")
    wire.dut.set("up")
    wire.wait_link()
    pings(wire)


def without_a_driver(wire):
    """And the driver finds it afterwards."""
    wire.card.unbind()
    reset(wire)
    wire.card.bind(wire.subject)
    pings(wire)


def bits(folder, change=lambda command: command):
    """Changes the command register of a device; returns what it was before."""
    with open(f"{folder}/config", "r+b", buffering=0) as config:
        config.seek(PCI_COMMAND)
        before = int.from_bytes(config.read(2), "little")
        if change(before) != before:
            config.seek(PCI_COMMAND)
            config.write(change(before).to_bytes(2, "little"))
    return before


@contextlib.contextmanager
def shut(wire):
    """The bridge passes nothing on; that it passes memory of the card's on is left as it is."""
    bridge = os.path.dirname(os.path.realpath(wire.card.sys))
    bits(bridge, lambda command: command & ~MEMORY)
    try:
        yield
    finally:
        bits(bridge, lambda command: command | MEMORY)


def shut_while_the_interface_is_taken_down(wire):
    """It does not hear that it is to stop, and what is read looks as if it had: it must not go on to write to
    memory that is freed."""
    with Traffic(wire) as traffic:
        for _ in range(3):
            traffic.flows()
            with shut(wire):
                wire.dut.set("down")
                assert not bits(wire.card.sys) & MASTER, "it may use memory"
            wire.dut.set("up")
            wire.wait_link()
        traffic.flows()
    pings(wire)


def shut_for_a_while(wire):
    """The driver finds out, does not fill the log, and the card works when it can be reached again."""
    def said():
        return run("dmesg").count(f"{wire.dut.name}: the chip does not start")

    complaints = said()
    with Traffic(wire) as traffic:
        traffic.flows()
        with shut(wire):
            before = wire.dut.ethtool_stats()["resets"]
            wait_for("some resets", lambda: wire.dut.ethtool_stats()["resets"] >= before + 3, 5 * CARE)
        wait_for("the card to work again", wire.answers, 3 * CARE)
        traffic.flows()
    lib.equal(said() - complaints, 1, "complaints")
    pings(wire)


if __name__ == "__main__":
    cases.main(under_traffic, while_the_interface_is_down, without_a_driver,
               shut_while_the_interface_is_taken_down, shut_for_a_while)
