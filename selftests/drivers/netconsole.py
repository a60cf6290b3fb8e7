#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# timeout: 180
"""The kernel's own messages leave through the card (netpoll): also under traffic, and when it goes.

netconsole sends from wherever the kernel prints, with interrupts off, and polls the card without a
budget when its queue is full. Not run on 8139cp, under which the guest hung."""

import contextlib
import socket
import subprocess
import time

import cases
from frames import flood, frame
from nic import DUT4, PEER4, SLOW, format_mac, inside, lib, run, wait_for

LOCAL, REMOTE = 6665, 6666


@contextlib.contextmanager
def logging(wire):
    """netconsole on the dut, and the socket at the peer that its messages come to."""
    with inside("peer"):
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind((PEER4, REMOTE))
    # A new console is told the whole log first.
    sink.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    sink.settimeout(5.0 * SLOW)
    target = f"{LOCAL}@{DUT4}/{wire.dut.name},{REMOTE}@{PEER4}/{format_mac(wire.peer.mac)}"
    with sink:
        done = subprocess.run(["modprobe", "netconsole", f"netconsole={target}"],
                              capture_output=True, text=True, check=False)
        if "not found" in done.stderr:
            raise lib.Skip("the kernel has no netconsole")
        assert done.returncode == 0, done.stderr
        try:
            yield sink
        finally:
            run("rmmod", "netconsole")


def say(case, number):
    """One line of the kernel's log, important enough for every console."""
    with open("/dev/kmsg", "w", encoding="ascii") as log:
        log.write(f"<1>netconsole {case} line {number}\n")


def hear(sink, case, count):
    """The numbers of the next lines of a case that arrive; other lines are left out."""
    numbers, other = [], 0
    while len(numbers) < count:
        try:
            text = sink.recv(2000).decode(errors="replace")
        except TimeoutError as error:
            raise lib.Failure(f"{numbers} of {count} lines came, and {other} others") from error
        if f"netconsole {case} line " in text:
            numbers.append(int(text.rpartition(" ")[2]))
        else:
            other += 1
    return numbers


def each_line_arrives_in_order(wire):
    """One after the other, and more at once than the card has slots."""
    with logging(wire) as sink:
        for number in range(5):
            say("order", number)
            assert hear(sink, "order", 1) == [number]
        for number in range(40):
            say("order", number)
        assert hear(sink, "order", 40) == list(range(40))


def lines_arrive_under_traffic(wire):
    """The queue is busy with frames of the stack, which netpoll must share with them."""
    out = frame(wire.peer.mac, wire.dut.mac, 700, 1)
    back = frame(wire.dut.mac, wire.peer.mac, 700, 2)
    with logging(wire) as sink, flood(wire.dut, out, 0.001, 20), flood(wire.peer, back, 0.001, 20):
        before = wire.dut.counters()
        for number in range(40):
            say("traffic", number)
            time.sleep(0.01)
        assert hear(sink, "traffic", 40) == list(range(40))
        after = wire.dut.counters()
        assert after["tx_packets"] - before["tx_packets"] > 50, "there was no traffic"
    wait_for("an answer", wire.answers)


def the_card_goes_while_the_kernel_logs(wire):
    """Down and unbound under netconsole: it lets the card go, and nothing hangs."""
    with logging(wire) as sink:
        say("going", 1)
        assert hear(sink, "going", 1) == [1]
        wire.dut.set("down")
        say("going", 2)
        wire.card.unbind()
        say("going", 3)
    wire.card.bind(wire.subject)
    wire.up()
    with logging(wire) as sink:
        say("going", 4)
        # What was logged meanwhile may come first.
        while hear(sink, "going", 1) != [4]:
            pass


if __name__ == "__main__":
    cases.main(each_line_arrives_in_order, lines_arrive_under_traffic,
               the_card_goes_while_the_kernel_logs)
