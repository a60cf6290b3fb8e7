#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 180
"""The interface in a network namespace of its own: moved, used, returned, and taken away there."""

import subprocess

import cases
from nic import DUT4, PEER4, SLOW, Card, Port, ip, lib, load, loaded, read, run, wait_for
from ping import Pinger
from tcp import Stream

ROOM = "room"


def move(wire):
    """Put the dut into the namespace `room`, with its address; returns its port there."""
    port = Port(wire.card.name, ROOM)
    ip("netns", "add", ROOM)
    wire.dut.set("netns", ROOM)
    port.set("up")
    port.ip("address", "replace", f"{DUT4}/24", "dev", port.name)
    return port


def echoes(_):
    """Pings from the namespace to the peer."""
    pinger = Pinger(ROOM, PEER4)
    wait_for("an answer", lambda: subprocess.run(
        ["ip", "netns", "exec", ROOM, "ping", "-n", "-q", "-c1", "-W", "0.5", PEER4],
        capture_output=True, check=False).returncode == 0)
    for seed, size in enumerate((0, 1, 17, 18, 19, 1471, 1472)):
        pinger.echo(size, seed + 1)


def works_in_another_namespace_and_comes_back(wire):
    """Moved while up, used, moved back."""
    port = move(wire)
    try:
        assert not wire.card.name, "the interface is still here"
        echoes(port)
        before = port.counters()
        assert before["rx_packets"] and before["tx_packets"]
        port.set("netns", "1")
    finally:
        ip("netns", "delete", ROOM)
    wait_for("the interface", lambda: wire.card.name)
    wire.up()
    assert wire.dut.counters()["rx_packets"] >= before["rx_packets"], "the counters began anew"


def the_end_of_the_namespace_gives_it_back(wire):
    """`ip netns delete` with the interface in it, up and in use."""
    for _ in range(4 // SLOW):
        port = move(wire)
        echoes(port)
        ip("netns", "delete", ROOM)
        wait_for("the interface to come back", lambda: wire.card.name)
        wait_for("it to be down", lambda: not wire.card.handlers()[1])
        wire.up()


def the_driver_can_be_unloaded_while_it_is_there(wire):
    """The interface is in another namespace, up and in use: rmmod takes it away all the same."""
    port = move(wire)
    try:
        echoes(port)
        run("rmmod", wire.subject)
        assert not loaded(wire.subject)
        assert not port.ip("link", "show", "dev", port.name, check=False)
    finally:
        ip("netns", "delete", ROOM)
    load(wire.subject)
    wait_for("the interface", lambda: wire.card.name)
    wire.up()


def the_card_can_be_unbound_while_it_is_there(wire):
    """The same by sysfs; a new binding puts the interface into the initial namespace."""
    port = move(wire)
    try:
        echoes(port)
        wire.card.unbind()
        assert not port.ip("link", "show", "dev", port.name, check=False)
        wire.card.bind(wire.subject)
        assert Card(wire.card.address).name, "the new interface is not in the initial namespace"
    finally:
        ip("netns", "delete", ROOM)
    wire.up()


def bulk_between_namespaces(wire):
    """TCP from the namespace to the peer and back, so that nothing can go past the cards."""
    if lib.KERNEL == "debug":
        raise lib.Skip("bulk runs in tcp.py on this kernel")
    port = move(wire)
    try:
        echoes(port)
        before = port.counters()
        Stream(ROOM, DUT4).transfer(4 << 20)
        assert port.counters()["rx_bytes"] - before["rx_bytes"] > 4 << 20
    finally:
        port.set("netns", "1")
        ip("netns", "delete", ROOM)
    wire.up()
    assert read(f"/sys/class/net/{wire.dut.name}/operstate") in ("up", "unknown")


if __name__ == "__main__":
    cases.main(works_in_another_namespace_and_comes_back, the_end_of_the_namespace_gives_it_back,
               the_driver_can_be_unloaded_while_it_is_there,
               the_card_can_be_unbound_while_it_is_there, bulk_between_namespaces)
