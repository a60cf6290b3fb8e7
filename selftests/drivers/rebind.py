#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 300 1200
# leak-scan: yes
"""The driver comes and goes, under traffic in both directions. (hotplug.py: the card does.)

On the debug kernel's chosen part it is e2e/removal.py that does this, with sockets open."""

import cases
from frames import Tap
from nic import DUT4, OURS, SUBJECT, format_mac, ip, lib, load, loaded, run, times, unload, wait_for
from removable import CARD_MAC, Traffic, gone, pings


def unbind_and_bind_under_traffic(wire):
    """Over and over; the line and the registers are free in between."""
    with Traffic(wire) as traffic:
        for _ in range(times(10)):
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
        for _ in range(times(8)):
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


if __name__ == "__main__":
    cases.main(unbind_and_bind_under_traffic, unload_and_load_under_traffic,
               handed_over_to_the_c_driver_and_back, sockets_and_routes_end_with_the_interface)
