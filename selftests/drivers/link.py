#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 180
"""The cable: pulled and plugged by QEMU, seen by interrupt, and traffic that resumes."""

import socket
import struct
import threading
import time

import cases
from frames import flood, frame
from nic import DUT4, DUT6, OURS, PEER4, SLOW, inside, lib, qmp, read, run, wait_for, write

# What our driver notes with an id that is an RTL8129's.
RTL8129 = 1
RTMGRP_LINK, RTM_NEWLINK, IFF_LOWER_UP = 1, 16, 1 << 16


class LinkEvents:
    """What rtnetlink tells every network manager about one interface, as it happens."""

    def __init__(self, name):
        self.index = socket.if_nametoindex(name)
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, RTMGRP_LINK))
        self.socket.settimeout(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def carrier(self):
        """The carrier according to the next message, or None if there is none yet."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return None
        _, kind = struct.unpack_from("IH", data)
        index, flags = struct.unpack_from("iI", data, 20)
        return bool(flags & IFF_LOWER_UP) if (kind, index) == (RTM_NEWLINK, self.index) else None


def cable(card, plugged):
    """Pull or plug the cable of a card."""
    qmp("set_link", name=card, up=plugged)


def changes(wire):
    """How often the carrier has changed so far."""
    return int(read(f"/sys/class/net/{wire.dut.name}/carrier_changes"))


def pulled_and_plugged_is_seen_by_interrupt(wire):
    """Within a second each, without anything asking the card in between."""
    seconds = {}
    for plugged in (False, True):
        interrupts, count = wire.card.interrupts, changes(wire)
        cable("nic0", plugged)
        started = time.monotonic()
        wait_for(f"carrier {plugged}", lambda: wire.dut.carrier() == plugged, 2)
        seconds[plugged] = time.monotonic() - started
        assert wire.card.interrupts > interrupts, "the card did not interrupt"
        assert changes(wire) == count + 1, "the carrier has not changed exactly once"
        detected = "yes" if plugged else "no"
        assert f"Link detected: {detected}" in wire.dut.ethtool(wire.dut.name)
    wait_for("an answer", wire.answers)
    return f"seen after {seconds[False]:.2f} s and {seconds[True]:.2f} s"


def network_managers_are_told(wire):
    """An rtnetlink message for each change, and the operational state with it."""
    with LinkEvents(wire.dut.name) as events:
        for plugged, state in ((False, "down"), (True, "up")):
            cable("nic0", plugged)
            wait_for(f"a message with carrier {plugged}", lambda: events.carrier() == plugged, 3)
            wait_for("the operational state",
                     lambda: read(f"/sys/class/net/{wire.dut.name}/operstate") == state, 3)


def traffic_stops_and_resumes(wire):
    """While the cable is out nothing passes in either direction; then everything does."""
    data = frame(wire.dut.mac, wire.peer.mac, 300, 1)
    with flood(wire.peer, data, 0.002, 4) as sender:
        cable("nic0", False)
        wait_for("no carrier", lambda: not wire.dut.carrier(), 2)
        before, sent = wire.dut.counters(), sender.count
        wait_for("the peer to go on sending", lambda: sender.count > sent + 50)
        after = wire.dut.counters()
        assert after["rx_packets"] == before["rx_packets"], "frames came without a cable"
        assert not wire.answers(wait="0.3")
        cable("nic0", True)
        wait_for("frames again", lambda: wire.dut.counters()["rx_packets"] >
                 after["rx_packets"] + 50, 3)
    wait_for("an answer", wire.answers)


def a_connection_outlives_the_cable(wire):
    """TCP across many pulls of the cable: each byte arrives, in order."""
    listener = socket.create_server((DUT4, 5002))
    with listener, inside("peer"):
        sender = socket.create_connection((DUT4, 5002))
        receiver = listener.accept()[0]
    total, stop, done = 1 << 20, threading.Event(), []

    def send():
        for block in range(total // 4096):
            sender.sendall(struct.pack(">I", block) * 1024)
            if not stop.is_set():
                time.sleep(0.005)
        done.append(True)

    thread = threading.Thread(target=send)
    receiver.settimeout(60 * SLOW)
    with sender, receiver:
        thread.start()
        for _ in range(20 // SLOW):
            cable("nic0", False)
            time.sleep(0.02)
            cable("nic0", True)
        stop.set()
        got = bytearray()
        while len(got) < total:
            part = receiver.recv(65536)
            assert part, "closed early"
            got += part
        thread.join()
    assert done and got == b"".join(struct.pack(">I", block) * 1024
                                    for block in range(total // 4096))
    wait_for("carrier", wire.dut.carrier, 3)


def the_state_at_open_is_the_cable_s(wire):
    """Brought up without a cable: no carrier, until it is plugged."""
    wire.dut.set("down")
    cable("nic0", False)
    try:
        wire.configure(wire.dut, DUT4, DUT6)
        time.sleep(0.5)
        assert not wire.dut.carrier(), "carrier without a cable"
        interrupts = wire.card.interrupts
    finally:
        cable("nic0", True)
    wait_for("carrier", wire.dut.carrier, 2)
    assert wire.card.interrupts > interrupts
    wait_for("an answer", wire.answers)


def a_change_while_down_is_seen_at_open(wire):
    """Pulled while the interface was up, plugged while it was down."""
    cable("nic0", False)
    wait_for("no carrier", lambda: not wire.dut.carrier(), 2)
    wire.dut.set("down")
    cable("nic0", True)
    wire.up()
    assert wire.dut.carrier() and wire.answers(PEER4)


def a_storm_of_changes_ends_in_the_true_state(wire):
    """Changes as fast as they can be made; both final states, and no error counted."""
    before = wire.dut.counters()
    for final in (False, True):
        for number in range(40 // SLOW):
            cable("nic0", number % 2 == final)
        cable("nic0", final)
        wait_for(f"carrier {final}", lambda: wire.dut.carrier() == final, 3)
        time.sleep(0.3)
        assert wire.dut.carrier() == final, "the state did not last"
    wait_for("an answer", wire.answers)
    after = wire.dut.counters()
    assert after["rx_errors"] == before["rx_errors"], "link changes were counted as errors"


def a_chip_that_does_not_report_changes_is_asked(wire):
    """The RTL8129: its link is looked at from time to time. QEMU's card is taken for one, by its id."""
    if wire.subject != OURS:
        raise lib.Skip("8139too has its own way of doing that")
    identity, drivers = "10ec 8139", f"/sys/bus/pci/drivers/{wire.subject}"
    wire.card.unbind()
    write(f"{drivers}/new_id", f"{identity} ffffffff ffffffff 0 0 {RTL8129}")
    try:
        wire.card.bind(wire.subject)
        assert "RTL-8129" in run("dmesg"), "the card was not taken for one"
        wire.up()
        for plugged in (False, True):
            cable("nic0", plugged)
            wait_for(f"the carrier to be {plugged}", lambda: wire.dut.carrier() == plugged, 12)
        wait_for("an answer", wire.answers)
    finally:
        cable("nic0", True)
        wire.card.unbind()
        write(f"{drivers}/remove_id", identity)
        wire.card.bind(wire.subject)
    wire.up()


if __name__ == "__main__":
    cases.main(pulled_and_plugged_is_seen_by_interrupt, network_managers_are_told,
               traffic_stops_and_resumes, a_connection_outlives_the_cable,
               the_state_at_open_is_the_cable_s, a_change_while_down_is_seen_at_open,
               a_storm_of_changes_ends_in_the_true_state,
               a_chip_that_does_not_report_changes_is_asked)
