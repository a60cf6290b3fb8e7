#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: cplus classic
# nics: rtl8139+bridge,e1000
# remaps: yes
# timeout: 300
"""A user has the bus reset the card: `reset` in its folder of sysfs. A bridge that has no other device behind
it can."""

import os

import cases
from nic import lib, times, write
from removable import Traffic, pings

COMMAND, RECEIVER, TRANSMITTER = 0x37, 0x08, 0x04


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


if __name__ == "__main__":
    cases.main(under_traffic, while_the_interface_is_down, without_a_driver)
