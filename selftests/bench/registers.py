#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a driver costs in accesses to the card's registers and in interrupts, counted.

usage: registers.py SUBJECT [WORKLOAD...]    in a VM of scripts/vm --trace
SUBJECT: rtl8139_rs (in its C+ mode), rtl8139_rs+classic, 8139cp, 8139too; without workloads, all of them

Prints one line of JSON for each workload and metric, twice: each workload runs two times. Counts are
totals, of `frames` frames: those that the driver received or sent while QEMU counted. The other end is an
e1000 on the same hub. A driver that does not go on has a row `stalled` instead.

  rx-lone-SIZE   a frame comes when all is done that the last one caused
  rx-batch-SIZE  16 frames come at once
  tx-lone-SIZE   a frame is sent when the last one has arrived
  tx-burst-SIZE  a thread of the kernel sends as fast as the card takes it
  tx-more-SIZE   8 frames are sent in one go; before the last one the driver hears that more follow
  ping-SIZE      a frame comes, the kernel answers it, and the next one comes at once; counted for the frames
                 that come, with their answers
  tcp-receive-SIZE, tcp-send-SIZE
                 a TCP connection; counted for the frames with its data, though the acknowledgements cost, too.
                 Frames are what is on the wire: a card that cuts segments may have been given fewer packets
"""

import collections
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drivers"))
# pylint: disable=wrong-import-position
from frames import Tap, frame
from generator import Generator, Stalled
from nic import SilentWire, format_mac, inside, lib, qmp, run, unload, wait_for, write
from subjects import driver_of, mode_of
from wires import let_go

SIZES = (60, 1514)
LONE, BATCH, MORE, BURST, RUNS = 200, 16, 8, 2000, 2
STREAM_MS = 1000
DUT, PEER = "10.82.0.1", "10.82.0.2"
# What a driver that does not go on, or not come up, makes of a workload.
FAILURES = (Stalled, lib.Failure, OSError, RuntimeError, subprocess.SubprocessError)
# Of Ethernet, IPv4 and ICMP.
HEADERS = 14 + 20 + 8
# Where a batch begins within a quarter of the receive ring of 32 KiB decides whether the ring has room for
# it at once. After so many, of either size, each place has had its turn, wherever the first one was.
BATCHES = 128


@contextlib.contextmanager
def generators():
    """What sends from within the kernel is there."""
    with lib.module("pktgen"):
        run("insmod", f"{lib.MODULES}-tests/send_burst.ko")
        try:
            yield
        finally:
            unload("send_burst")


class BenchWire(SilentWire):
    """The wire with any of the drivers at the dut, and ours in either mode."""

    def __init__(self, name):
        super().__init__(driver_of(name))
        self.card.mode = mode_of(name)


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
    order = f"{wire.peer.name} {format_mac(wire.dut.mac)} {size} {BATCH} {BATCH}"
    # The driver's counters are not looked at meanwhile: that may read a register.
    with Tap(wire.dut) as heard:
        for _ in range(BATCHES):
            with inside(wire.peer.netns):
                write("/sys/module/send_burst/parameters/send", order)
            if len(heard.drain(0.5, BATCH)) < BATCH:
                # Lost, or stalled: a frame by itself will tell.
                alive(wire)


def tx_burst(wire, size):
    with Generator(wire.dut, size) as pktgen:
        pktgen.send(wire.peer.mac, BURST)


def tx_more(wire, size):
    order = f"{wire.dut.name} {format_mac(wire.peer.mac)} {size} {MORE} {MORE}"
    with Tap(wire.peer) as heard:
        for _ in range(BURST // MORE):
            write("/sys/module/send_burst/parameters/send", order)
            # The peer shall keep up, and each burst meet a ring that is empty.
            if len(heard.drain(5.0, MORE)) < MORE:
                raise Stalled


@contextlib.contextmanager
def addresses(wire):
    """Both ends have one, and know the other's."""
    ends = (wire.dut, DUT, PEER, wire.peer.mac), (wire.peer, PEER, DUT, wire.dut.mac)
    try:
        for port, own, other, mac in ends:
            port.ip("address", "add", f"{own}/24", "dev", port.name)
            # Nobody asks for an address meanwhile.
            port.ip("neighbour", "replace", other, "lladdr", format_mac(mac), "nud", "permanent", "dev", port.name)
        yield
    finally:
        for port, *_ in ends:
            port.ip("address", "flush", "dev", port.name)
            port.ip("neighbour", "flush", "dev", port.name, "nud", "permanent")


def ping(wire, size):
    """Echo requests of the peer, each as soon as the last one is answered."""
    with addresses(wire), inside(wire.peer.netns):
        done = subprocess.run(["ping", "-n", "-q", "-A", f"-c{LONE}", "-W1", "-w30", f"-s{size - HEADERS}", DUT],
                              check=False, capture_output=True, text=True)
    if done.returncode:
        raise Stalled(" ".join((done.stdout + done.stderr).split())[-200:])


def tcp(wire, *ends):
    """From program to program, as fast as it goes."""
    # On a busy host nothing may have come in its time; a frame then still does.
    for _ in range(3):
        with addresses(wire):
            done = subprocess.run(["build/bench/stream", "tcp", *ends, "65536", str(STREAM_MS)], check=True,
                                  text=True, stdout=subprocess.PIPE)
        alive(wire)
        if not done.stdout.startswith("0 "):
            return
    raise Stalled("nothing of the stream comes through")


def alive(wire):
    """Whether a frame gets through."""
    data = frame(wire.dut.mac, wire.peer.mac, 60)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        for _ in range(5):
            out.send(data)
            if heard.receive(1.0) is not None:
                return
    raise Stalled


# The end whose counter says how many frames there were, and which counter. Of a stream that is sent it is
# the other end's: a driver may count a packet that its card cuts into many frames as one.
WORKLOADS = {
    "rx-lone": ("dut", "rx_packets", lambda wire, size: lone(wire, wire.peer, wire.dut, size)),
    "rx-batch": ("dut", "rx_packets", rx_batch),
    "tx-lone": ("dut", "tx_packets", lambda wire, size: lone(wire, wire.dut, wire.peer, size)),
    "tx-burst": ("dut", "tx_packets", tx_burst),
    "tx-more": ("dut", "tx_packets", tx_more),
    "ping": ("dut", "rx_packets", ping),
    "tcp-receive": ("dut", "rx_packets", lambda wire, _: tcp(wire, wire.peer.netns, "-", DUT)),
    "tcp-send": ("peer", "rx_packets", lambda wire, _: tcp(wire, "-", wire.peer.netns, PEER)),
}


def totals(wire, work, size, end, column):
    """How many frames there were in one run, and the total of each metric, the accesses to each register
    among them."""
    port = getattr(wire, end)
    before, interrupts = port.counters()[column], wire.card.interrupts
    qmp("count-begin")
    try:
        work(wire, size)
        time.sleep(0.2)
    finally:
        regions = qmp("count-end", name="rtl8139")
    frames = port.counters()[column] - before
    interrupts = wire.card.interrupts - interrupts
    accesses = collections.Counter()
    for counts in regions.values():
        accesses.update(counts)
    reads = sum(number for access, number in accesses.items() if access.startswith("read"))
    return frames, {"register_reads": reads, "register_writes": accesses.total() - reads,
                    "interrupts": interrupts, **dict(sorted(accesses.items()))}


class Counter:
    """Counts workloads of one driver, on one wire as long as the driver goes on; a context manager."""

    def __init__(self, subject):
        self.subject, self.wire = subject, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        wire, self.wire = self.wire, None
        if wire:
            wire.close()

    def ready(self):
        """The wire, its interface up anew: a driver that has lost its place in the ring would spoil the
        next workload."""
        if self.wire:
            self.wire.dut.set("down")
            self.wire.dut.set("up")
            wait_for("carrier of the dut", self.wire.dut.carrier)
        else:
            self.wire = BenchWire(self.subject)
            self.wire.__enter__()
        alive(self.wire)
        return self.wire

    def count(self, name, size, runs=1):
        """The totals() of each run of a workload. A driver that has stalled is bound anew for the next."""
        end, column, work = WORKLOADS[name]
        try:
            wire = self.ready()
            return [totals(wire, work, size, end, column) for _ in range(runs)]
        except FAILURES:
            wire = self.wire
            try:
                self.__exit__()
            finally:
                if wire:
                    let_go(wire.card)
            raise


def report(counter, workload):
    """Counts one workload and prints its rows."""
    print(f"begin {counter.subject} {workload}", flush=True)
    name, _, size = workload.rpartition("-")
    try:
        found = counter.count(name, int(size), RUNS)
        reason = {}
    except FAILURES as error:
        found = [(0, {"stalled": 1})]
        reason = {"reason": str(error) or "no frame comes through"}
    for number, (frames, values) in enumerate(found):
        for metric, value in values.items():
            print("row " + json.dumps({
                "workload": workload, "subject": counter.subject, "cpus": os.cpu_count(),
                "metric": metric, "value": value, "frames": frames, "run": number, **reason}), flush=True)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    every = [f"{name}-{size}" for name in WORKLOADS for size in SIZES if size == 1514 or not name.startswith("tcp")]
    with generators(), Counter(sys.argv[1]) as counter:
        for workload in sys.argv[2:] or every:
            report(counter, workload)
    return 0


if __name__ == "__main__":
    sys.exit(main())
