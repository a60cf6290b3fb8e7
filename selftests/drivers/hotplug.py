#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# debug: chosen
# timeout: 300 1500
# machine: pc
# remaps: yes
# leak-scan: yes
"""The card comes and goes, under traffic in both directions. (rebind.py: the driver does.)"""

import os

import cases
from nic import DUT_IDS, Card, cards, format_mac, qmp, times, wait_for, write
from removable import CARD_MAC, Traffic, pings


def removed_and_found_again_by_the_bus(wire):
    """/sys/bus/pci: remove and rescan, under traffic."""
    with Traffic(wire) as traffic:
        for _ in range(times(5)):
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
        for _ in range(times(4)):
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
    cases.main(removed_and_found_again_by_the_bus, pulled_out_and_plugged_in,
               pulled_out_while_nobody_drives_it)
