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


def stall(*_):
    raise Stalled


class BenchWire(SilentWire):
    """The wire with any of the three drivers at the dut."""

    def set_up(self):
        if self.subject == "8139too":
            # It leaves a card of this revision to 8139cp.
            run("insmod", "/rpacket/build/bench/modules/pci_revision.ko",
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


def report(**row):
    print("row " + json.dumps(row), flush=True)


def measure(wire, name, column, work, size):
    """One workload: how many accesses and interrupts for how many frames."""
    where = {"workload": f"{name}-{size}", "cpus": os.cpu_count()}
    before, interrupts = wire.dut.counters(), wire.card.interrupts
    qmp("count-begin")
    try:
        work(wire, size)
        time.sleep(0.2)
        stalled = False
    except Stalled:
        stalled = True
    finally:
        regions = qmp("count-end", name="rtl8139")
        regions = regions or {}
    if stalled:
        report(**where, metric="stalled", value=1, frames=0)
        return False
    frames = wire.dut.counters()[column] - before[column]
    accesses = {}
    for counts in regions.values():
        for access, count in counts.items():
            accesses[access] = accesses.get(access, 0) + count
    reads = sum(count for access, count in accesses.items() if access.startswith("read"))
    report(**where, metric="register_reads", value=reads, frames=frames)
    report(**where, metric="register_writes", value=sum(accesses.values()) - reads, frames=frames)
    report(**where, metric="interrupts", value=wire.card.interrupts - interrupts, frames=frames)
    for access, count in sorted(accesses.items()):
        report(**where, metric=access, value=count, frames=frames)
    return True


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    signal.signal(signal.SIGALRM, stall)
    with lib.module("pktgen"):
        for name, (column, work) in WORKLOADS.items():
            for size in SIZES:
                # Each workload finds the card as it is after a bind: a driver that has stalled, or lost
                # its place in the ring, would spoil the next one.
                with BenchWire(sys.argv[1]) as wire:
                    wait_for("a frame that gets through", lambda: not alive(wire))
                    measure(wire, name, column, work, size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
