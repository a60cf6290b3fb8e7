#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# debug: chosen
# timeout: 300
# machine: pc
# leak-scan: yes
"""The driver comes and goes, and so does the card: under traffic in both directions."""

import contextlib
import os

import cases
from frames import Tap, flood, frame
from nic import (DUT4, DUT_IDS, OURS, PEER4, SLOW, SUBJECT, Card, Port, cards, format_mac, ip, lib,
                 load, loaded, qmp, run, unload, wait_for, write)
from ping import Pinger

CARD_MAC = bytes.fromhex("525400000001")


class Traffic:
    """Floods from both ends, which outlive the interface of the dut."""

    def __init__(self, wire):
        peer_mac = wire.peer.mac
        self.wire = wire
        self.receive = flood(wire.peer, frame(CARD_MAC, peer_mac, 600, 1), 0.002, 8)
        self.send = flood(Port(wire.card.name), frame(peer_mac, CARD_MAC, 600, 2), 0.002, 8)

    def __enter__(self):
        self.receive.wait_started()
        self.send.wait_started()
        return self

    def __exit__(self, kind, *_):
        for worker in (self.receive, self.send):
            with contextlib.suppress(*([AssertionError] if kind else [])):
                worker.stop()

    def flows(self):
        """Whether frames come and go right now, seen on the interface's counters."""
        self.wire.dut.set("up")
        assert self.receive.is_alive() and self.send.is_alive(), "a flood has ended"
        before = self.wire.dut.counters()
        for column in ("rx_packets", "tx_packets"):
            wait_for(f"{column} to move",
                     lambda name=column: self.wire.dut.counters()[name] > before[name] + 8)


def gone(card):
    """Nothing of the interface is left: no handler, no region, no name."""
    assert not os.path.isdir(f"{card.sys}/net") or not os.listdir(f"{card.sys}/net")
    with open("/proc/iomem", encoding="ascii") as regions:
        ours = [line for line in regions if SUBJECT.replace("-", "_") in line]
    assert len(ours) <= len([one for one in cards(DUT_IDS) if one.driver == SUBJECT]), ours


def pings(wire):
    """The addresses again, and three pings of different lengths."""
    wire.up()
    pinger = Pinger(None, PEER4)
    for seed, size in enumerate((0, 700, 1472)):
        pinger.echo(size, seed + 1)


def unbind_and_bind_under_traffic(wire):
    """Over and over; the line and the registers are free in between."""
    with Traffic(wire) as traffic:
        for _ in range(10 // SLOW):
            traffic.flows()
            wire.card.unbind()
            assert wire.card.driver is None and not wire.card.handlers()[1]
            gone(wire.card)
            wire.card.bind(wire.subject)
        traffic.flows()
    pings(wire)


def unload_and_load_under_traffic(wire):
    """rmmod does not wait for anybody: the interface in use goes away with it."""
    with Traffic(wire) as traffic:
        for _ in range(8 // SLOW):
            traffic.flows()
            run("rmmod", wire.subject)
            assert not loaded(wire.subject) and wire.card.driver is None
            gone(wire.card)
            load(wire.subject)
            wait_for("the interface", lambda: wire.card.name)
        traffic.flows()
    pings(wire)


def handed_over_to_the_c_driver_and_back(wire):
    """By driver_override, under traffic: 8139cp finds a card that works, and so do we after it.

    The C driver leaves the card in C+ mode: without a reset it would go on with the wrong rings."""
    if SUBJECT != OURS:
        raise lib.Skip("it is the C driver that the card is handed over to")
    load("8139cp")
    with Traffic(wire) as traffic:
        for driver in ("8139cp", OURS, "8139cp", OURS, "8139cp", OURS):
            wire.card.bind(driver)
            assert wire.card.driver == driver
            assert f"driver: {driver}" in wire.dut.ethtool("-i", wire.dut.name)
            assert wire.dut.mac == CARD_MAC, format_mac(wire.dut.mac)
            traffic.flows()
    pings(wire)
    unload("8139cp")


def sockets_and_routes_end_with_the_interface(wire):
    """A bound packet socket reports ENETDOWN once, and the route is gone."""
    pings(wire)
    with Tap(wire.dut) as tap:
        wire.card.unbind()
        try:
            tap.socket.settimeout(2)
            tap.socket.recv(100)
            raise AssertionError("the socket was not told")
        except OSError as error:
            assert error.errno == 100, error
        assert DUT4.rpartition(".")[0] not in ip("route", "show"), "the route is still there"
    wire.card.bind(wire.subject)
    pings(wire)


def removed_and_found_again_by_the_bus(wire):
    """/sys/bus/pci: remove and rescan, under traffic."""
    with Traffic(wire) as traffic:
        for _ in range(5 // SLOW + 1):
            traffic.flows()
            write(f"{wire.card.sys}/remove", 1)
            assert not os.path.exists(wire.card.sys)
            write("/sys/bus/pci/rescan", 1)
            wait_for("the card", lambda: os.path.exists(wire.card.sys))
            # The new device knows nothing of the override.
            wire.card.bind(wire.subject)
        traffic.flows()
    pings(wire)


def pulled_out_and_plugged_in(wire):
    """device_del and device_add in QEMU, under traffic: ACPI tells the guest."""
    with Traffic(wire) as traffic:
        for _ in range(4 // SLOW):
            traffic.flows()
            qmp("device_del", id="nic0")
            wait_for("the card to be gone", lambda: not os.path.exists(wire.card.sys), 20)
            assert traffic.receive.is_alive()
            unplugged = traffic.receive.count
            wait_for("the peer to go on", lambda: traffic.receive.count > unplugged)
            # QEMU frees the name once the guest has let go.
            wait_for("QEMU to take the card back", plug_in, 20)
            card = wait_for("the card", lambda: next(
                (one for one in cards(DUT_IDS) if one.address == wire.card.address), None), 20)
            card.bind(wire.subject)
        traffic.flows()
    pings(wire)


def plug_in():
    """Put the card back into its slot; False while QEMU is not ready for it."""
    try:
        qmp("device_add", driver="rtl8139", id="nic0", netdev="net0", addr="0x10",
            mac=format_mac(CARD_MAC))
        return True
    except AssertionError:
        return False


def pulled_out_while_nobody_drives_it(wire):
    """And plugged in with the driver loaded: it is bound by itself."""
    wire.card.unbind()
    qmp("device_del", id="nic0")
    wait_for("the card to be gone", lambda: not os.path.exists(wire.card.sys), 20)
    wait_for("QEMU to take the card back", plug_in, 20)
    wait_for("the driver to find the card", lambda: Card(wire.card.address).driver, 20)
    wait_for("the interface", lambda: wire.card.name)
    assert wire.card.driver == wire.subject
    pings(wire)


if __name__ == "__main__":
    cases.main(unbind_and_bind_under_traffic, unload_and_load_under_traffic,
               handed_over_to_the_c_driver_and_back, sockets_and_routes_end_with_the_interface,
               removed_and_found_again_by_the_bus, pulled_out_and_plugged_in,
               pulled_out_while_nobody_drives_it)
