#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# modes: cplus classic
# timeout: 180
"""The kernel's own messages leave through the card (netpoll): also under traffic, and when it goes.

netconsole sends from wherever the kernel prints, with interrupts off, and polls the card without a
budget when its queue is full. Not run on 8139cp, under which the guest hung."""

import contextlib
import ctypes
import os
import socket
import subprocess
import time

import cases
from frames import flood, frame
from nic import DUT4, PEER4, SLOW, format_mac, inside, lib, run, wait_for

LOCAL, REMOTE = 6665, 6666


def forget_the_past():
    """Has the kernel take its log for read: a new console is told the rest, which is a burst that
    the peer's card loses a part of."""
    libc = ctypes.CDLL(None, use_errno=True)
    unread, read, buffer = 9, 2, ctypes.create_string_buffer(1 << 16)
    while libc.klogctl(unread, None, 0) > 0:
        assert libc.klogctl(read, buffer, len(buffer)) > 0, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def logging(wire):
    """netconsole on the dut, and the socket at the peer that its messages come to."""
    with inside("peer"):
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind((PEER4, REMOTE))
    sink.settimeout(5.0 * SLOW)
    target = f"{LOCAL}@{DUT4}/{wire.dut.name},{REMOTE}@{PEER4}/{format_mac(wire.peer.mac)}"
    forget_the_past()
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
            lib.equal([number], hear(sink, "order", 1), "lines")
        for number in range(40):
            say("order", number)
        lib.equal(list(range(40)), hear(sink, "order", 40), "lines")


def lines_arrive_under_traffic(wire):
    """The queue is busy with frames of the stack, which netpoll must share with them."""
    out = frame(wire.peer.mac, wire.dut.mac, 700, 1)
    back = frame(wire.dut.mac, wire.peer.mac, 700, 2)
    with logging(wire) as sink, flood(wire.dut, out, 0.001, 20), flood(wire.peer, back, 0.001, 20):
        before = wire.dut.counters()
        for number in range(40):
            say("traffic", number)
            time.sleep(0.01)
        numbers = hear(sink, "traffic", 40)
        if lib.KERNEL == "rt":
            # What finds the queue locked is left to a work item, which sleeps while it waits for the lock:
            # a later line can come before it.
            numbers.sort()
        lib.equal(list(range(40)), numbers, "lines")
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
        assert hear(sink, "going", 1) == [4]


if __name__ == "__main__":
    cases.main(each_line_arrives_in_order, lines_arrive_under_traffic,
               the_card_goes_while_the_kernel_logs)
