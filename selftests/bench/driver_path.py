#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a frame costs on its way through a driver in instructions of the guest, counted by its clock.

usage: driver_path.py SUBJECT WORKLOAD...    in a VM of scripts/vm --icount
SUBJECT: rtl8139_rs (in its C+ mode), rtl8139_rs+classic, 8139cp, 8139too, or a device without hardware
(null_nic.ko): null; null-without-gro, which gives what it receives to the stack one by one, as 8139too does;
null-pages, which copies nothing, and gives the page to the stack that a frame is in

Prints one line of JSON for each workload, its name with a size after it:

  rx-lone    a frame comes and is given up by the stack, which knows no protocol of its kind, before the
             next one leaves
  rx-batch   16 frames come at once
  tx-lone    a program sends a frame, for which nobody is there, and the next one when that is done
  tx-burst   the kernel sends 16 frames in one go

What the sender costs is not in the figures of rx: the same frames are sent to an address that is not the
card's, which it therefore does not let in, and that is subtracted. The sender is an e1000 that does not
interrupt while it sends, and is given time between the rounds to free what it has sent. For the null
device the sender is a write to its parameter, and what is subtracted a write that lets no frame in.
"""

import contextlib
import json
import subprocess
import sys

from registers import FAILURES, BenchWire, Stalled, alive
from nic import Port, format_mac, inside, ip, lib, load, read, unload, write
from subjects import NULLS

BATCH = 16
# It interrupts 67 ms after a frame at the earliest, which is longer than a round; so its ring must hold a
# round, and its queue (by a limit of bytes that the kernel finds out) not be stopped meanwhile.
SENDER = ("InterruptThrottleRate=0", "TxAbsIntDelay=65535", "TxDescriptors=4096")
NOBODY = bytes((2, 0, 0, 0, 0, 0x77))


def typical(rounds):
    """The mean of the middle half. Not the least: a page for buffers is allocated for every so many frames,
    and a round has one such page more than another. Not the mean of all: some have a tick of the clock."""
    quarter = len(rounds) // 4
    middle = sorted(rounds)[quarter:len(rounds) - quarter]
    return sum(middle) / len(middle)


def measure(port, *words):
    """(what a frame takes, how many frames) of one run of driver_path."""
    try:
        with inside(port.netns):
            done = subprocess.run(["build/bench/driver_path", *map(str, words)], check=True, text=True,
                                  stdout=subprocess.PIPE, timeout=60)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise Stalled(str(error)) from error
    frames, *rounds = map(float, done.stdout.split())
    return typical(rounds), int(frames)


class Real:
    """A card with a driver, and the other end of its wire."""

    def __init__(self, wire):
        self.wire = wire
        limits = f"/sys/class/net/{wire.peer.name}/queues/tx-0/byte_queue_limits/limit_min"
        lib.sh(f"ip netns exec {wire.peer.netns} sh -c 'echo 100000000 >{limits}'")

    def send(self, port, to, size, burst):
        if burst == 1:
            return measure(port, "send", port.name, format_mac(to), size)
        return measure(port, "burst", port.name, format_mac(to), size, burst)

    def receive(self, size, burst):
        wire, took = self.wire, []
        for to, share in ((wire.dut.mac, 1), (NOBODY, 0)):
            before = wire.dut.counters()["rx_packets"]
            least, frames = self.send(wire.peer, to, size, burst)
            came = wire.dut.counters()["rx_packets"] - before
            lib.require(came == frames * share, f"{came} of {frames * share} frames came in")
            took.append(least)
        return took[0] - took[1]

    def transmit(self, size, burst):
        before = self.wire.dut.counters()["tx_packets"]
        least, frames = self.send(self.wire.dut, NOBODY, size, burst)
        went = self.wire.dut.counters()["tx_packets"] - before
        lib.require(went == frames, f"{went} of {frames} frames were sent")
        return least


class Null:
    """The device without hardware."""

    def __init__(self, port):
        self.port = port

    @staticmethod
    def parameter(name):
        return int(read(f"/sys/module/null_nic/parameters/{name}"))

    def receive(self, size, burst):
        write("/sys/module/null_nic/parameters/size", size)
        before = self.parameter("received")
        with_frames, frames = measure(self.port, "receive", burst)
        came = self.parameter("received") - before
        lib.require(came == frames, f"{came} of {frames} frames came in")
        without, _ = measure(self.port, "receive", 0)
        return with_frames - without / burst

    def transmit(self, size, burst):
        before = self.parameter("sent")
        if burst == 1:
            least, frames = measure(self.port, "send", self.port.name, format_mac(NOBODY), size)
        else:
            least, frames = measure(self.port, "burst", self.port.name, format_mac(NOBODY), size, burst)
        lib.require(self.parameter("sent") - before == frames, "all frames were sent")
        return least


@contextlib.contextmanager
def null(parameters):
    load_test("null_nic", parameters)
    try:
        write("/proc/sys/net/ipv6/conf/null0/disable_ipv6", 1)
        ip("link", "set", "dev", "null0", "up")
        yield Null(Port("null0"))
    finally:
        unload("null_nic")


@contextlib.contextmanager
def real(subject):
    load("e1000", *SENDER)
    try:
        with BenchWire(subject) as wire:
            alive(wire)
            yield Real(wire)
    finally:
        unload("e1000")


def load_test(module, parameters=""):
    lib.sh(f"insmod {lib.MODULES}-tests/{module}.ko {parameters}")


def row(subject, workload, **found):
    print("row " + json.dumps({"workload": workload, "subject": subject, **found}), flush=True)


def stalled(subject, workload, reason):
    row(subject, workload, metric="stalled", value=1, reason=str(reason) or "no frame comes through")


def report(device, subject, workload):
    """Measures one workload and prints its row; whether the driver went on."""
    print(f"begin {subject} {workload}", flush=True)
    name, _, size = workload.rpartition("-")
    way, how = name.split("-")
    work = device.receive if way == "rx" else device.transmit
    try:
        value = round(work(int(size), 1 if how == "lone" else BATCH), 1)
    except FAILURES as reason:
        stalled(subject, workload, reason)
        return False
    row(subject, workload, metric="guest_instructions", value=value)
    return True


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    subject, left = sys.argv[1], sys.argv[2:]
    load_test("send_burst")
    try:
        while left:
            try:
                with null(NULLS[subject]) if subject in NULLS else real(subject) as device:
                    # After one that stalls the card is bound anew.
                    while left and report(device, subject, left.pop(0)):
                        pass
            except FAILURES as reason:
                if not left:
                    raise
                # It does not come up again.
                while left:
                    stalled(subject, left.pop(0), reason)
    finally:
        unload("send_burst")
    return 0


if __name__ == "__main__":
    sys.exit(main())
