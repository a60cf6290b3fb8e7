# SPDX-License-Identifier: GPL-2.0
"""Traffic in both directions, under which a card, its driver or a setting of it comes and goes."""

import contextlib
import os

from frames import flood, frame
from nic import DUT_IDS, PEER4, SLOW, SUBJECT, Port, cards, times, wait_for
from ping import Pinger

CARD_MAC = bytes.fromhex("525400000001")
# How often something is changed, also where all is slow: each way of three has its turn.
TIMES = max(times(3), 3)


class Traffic:
    """Floods from both ends, which outlive the interface of the dut."""

    def __init__(self, wire):
        peer_mac = wire.peer.mac
        # Both together leave time to what takes the card away.
        pause = 0.002 * SLOW**2
        self.wire = wire
        self.receive = flood(wire.peer, frame(CARD_MAC, peer_mac, 600, 1), pause, 8)
        self.send = flood(Port(wire.card.name), frame(peer_mac, CARD_MAC, 600, 2), pause, 8)

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


def under_traffic(wire, change):
    """`change(number)`, over and over; after each of them frames flow both ways."""
    with Traffic(wire) as traffic:
        for number in range(TIMES):
            change(number)
            traffic.flows()
    pings(wire)
    return f"{TIMES} times"
