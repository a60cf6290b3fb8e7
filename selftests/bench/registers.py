#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a driver costs in accesses to the card's registers and in interrupts, counted.

usage: registers.py SUBJECT       rtl8139_rs, 8139cp, 8139too; in a VM of scripts/vm --trace

Prints one line of JSON for each workload and metric. Counts are by frame: those that the driver
received or sent while QEMU counted. The other end is an e1000 on the same hub.

  rx-lone-SIZE   a frame comes when all is done that the last one caused
  rx-batch-SIZE  16 frames come at once
  tx-lone-SIZE   a frame is sent when the last one has arrived
  tx-burst-SIZE  a thread of the kernel sends as fast as the card takes it
"""

import collections
import contextlib
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drivers"))
# pylint: disable=wrong-import-position
from frames import Tap, frame
from nic import SilentWire, format_mac, inside, lib, qmp, run, unload, wait_for

ETH_P_IP = 0x0800
SIZES = (60, 1514)
LONE, BATCHES, BATCH, BURST = 200, 50, 16, 2000
OLD_REVISION = 0x10


class Stalled(Exception):
    """The driver does not go on."""


@contextlib.contextmanager
def pktgen():
    """The kernel's generator is there, and one that never ends is interrupted."""
    def stall(*_):
        raise Stalled

    signal.signal(signal.SIGALRM, stall)
    with lib.module("pktgen"):
        yield


class BenchWire(SilentWire):
    """The wire with any of the three drivers at the dut."""

    def set_up(self):
        if self.subject == "8139too":
            # It leaves a card of this revision to 8139cp.
            run("insmod", f"{lib.MODULES}-tests/pci_revision.ko",
                f"device={self.card.address}", f"revision={OLD_REVISION}")
        super().set_up()

    def close(self):
        super().close()
        unload("pci_revision")


@contextlib.contextmanager
def generator(port, size, to):
    """pktgen on a port: a function that has it send a number of frames, `burst` of them at a time."""
    def order(node, text):
        with inside(port.netns):
            with open(f"/proc/thread-self/net/pktgen/{node}", "w", encoding="ascii") as file:
                file.write(text)

    def send(count, burst):
        order(port.name, f"burst {burst}")
        order(port.name, f"count {count}")
        # It returns when all is sent: never, if the card's queue is stopped for good.
        signal.alarm(20)
        try:
            order("pgctrl", "start")
        finally:
            signal.alarm(0)

    order("kpktgend_0", f"add_device {port.name}")
    try:
        for text in (f"pkt_size {size}", "dst 10.8.13.9", f"dst_mac {format_mac(to)}"):
            order(port.name, text)
        yield send
    finally:
        order("kpktgend_0", "rem_device_all")


def lone(wire, source, sink, size):
    """Frames one after the other, each received before the next one leaves."""
    data = frame(sink.mac, source.mac, size)
    with Tap(source, 0) as out, Tap(sink) as heard:
        for _ in range(LONE):
            out.send(data)
            if heard.receive(5.0) is None:
                raise Stalled
            # The interrupt of the transmission may be still to come.
            time.sleep(0.001)


def rx_batch(wire, size):
    # The driver's counters are not looked at meanwhile: that may read a register.
    with generator(wire.peer, size, wire.dut.mac) as send, Tap(wire.dut, ETH_P_IP) as heard:
        for _ in range(BATCHES):
            send(BATCH, BATCH)
            if len(heard.drain(0.5, BATCH)) < BATCH:
                # Lost, or stalled: a frame by itself will tell.
                alive(wire)


def tx_burst(wire, size):
    with generator(wire.dut, size, wire.peer.mac) as send:
        send(BURST, 1)


def alive(wire):
    """Whether a frame gets through."""
    data = frame(wire.dut.mac, wire.peer.mac, 60)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        for _ in range(5):
            out.send(data)
            if heard.receive(1.0) is not None:
                return
    raise Stalled


WORKLOADS = {
    "rx-lone": ("rx_packets", lambda wire, size: lone(wire, wire.peer, wire.dut, size)),
    "rx-batch": ("rx_packets", rx_batch),
    "tx-lone": ("tx_packets", lambda wire, size: lone(wire, wire.dut, wire.peer, size)),
    "tx-burst": ("tx_packets", tx_burst),
}


def count(subject, name, size):
    """One workload: how many frames there were, and the total of each metric, the accesses to each
    register among them. The card is bound anew: a driver that has stalled, or lost its place in the
    ring, would spoil the next workload."""
    column, work = WORKLOADS[name]
    with BenchWire(subject) as wire:
        wait_for("a frame that gets through", lambda: not alive(wire))
        before, interrupts = wire.dut.counters(), wire.card.interrupts
        qmp("count-begin")
        try:
            work(wire, size)
            time.sleep(0.2)
        finally:
            regions = qmp("count-end", name="rtl8139")
        frames = wire.dut.counters()[column] - before[column]
        interrupts = wire.card.interrupts - interrupts
    accesses = collections.Counter()
    for counts in regions.values():
        accesses.update(counts)
    reads = sum(number for access, number in accesses.items() if access.startswith("read"))
    return frames, {"register_reads": reads, "register_writes": accesses.total() - reads,
                    "interrupts": interrupts, **dict(sorted(accesses.items()))}


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    with pktgen():
        for name in WORKLOADS:
            for size in SIZES:
                try:
                    frames, totals = count(sys.argv[1], name, size)
                except Stalled:
                    frames, totals = 0, {"stalled": 1}
                for metric, value in totals.items():
                    print("row " + json.dumps({
                        "workload": f"{name}-{size}", "cpus": os.cpu_count(), "metric": metric,
                        "value": value, "frames": frames}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
