#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# kernels: stock
# timeout: 240
"""Interrupts: few for a packet, with one CPU and with two, wherever the line is delivered.

A driver that leaves the line asserted while NAPI is at work on another CPU runs its handler over
and over, and one that masks it carelessly stalls. The bounds here are by packet, so that they hold
on a machine of any speed."""

import contextlib
import glob
import os
import socket
import subprocess
import threading
import time

import cases
from nic import DUT4, OURS, PEER4, SLOW, SUBJECT, inside, lib, read, wait_for, write
from tcp import Stream

ONLINE = "/sys/devices/system/cpu/cpu1/online"
MIB = 1 << 20


@contextlib.contextmanager
def one_cpu():
    """Take the second CPU away for a while."""
    if not os.path.exists(ONLINE):
        raise lib.Skip("the second CPU cannot be taken away")
    write(ONLINE, 0)
    try:
        assert read("/sys/devices/system/cpu/online") == "0"
        yield
    finally:
        write(ONLINE, 1)


@contextlib.contextmanager
def line_on(wire, cpu):
    """Deliver the card's interrupt to one CPU, and see that it goes there."""
    affinity = f"/proc/irq/{wire.card.irq}/smp_affinity_list"
    old = read(affinity)
    write(affinity, cpu)
    try:
        yield
    finally:
        write(affinity, old)


def measure(wire, work):
    """(interrupts, frames received, frames sent) of the dut while `work` runs.

    A driver that leaves segmentation to the card counts a train of frames once, and so the bytes
    decide where they make more."""
    before, interrupts = wire.dut.counters(), wire.card.interrupts
    work()
    after, line = wire.dut.counters(), wire.card.interrupts - interrupts
    delta = {key: after[key] - before[key] for key in after}
    return (line, max(delta["rx_packets"], delta["rx_bytes"] // 1514),
            max(delta["tx_packets"], delta["tx_bytes"] // 1514))


def pings(wire, count=200):
    """Lone packets: one request, one reply, and so on."""
    def work():
        done = subprocess.run(["ping", "-n", "-q", "-i", "0.002", "-c", str(count), PEER4],
                              capture_output=True, text=True, check=False)
        assert f"{count} received" in done.stdout, done.stdout
    line, received, sent = measure(wire, work)
    assert received >= count and sent >= count
    # One for the reply; the C driver's transmissions cost another one each.
    limit = 1.5 if SUBJECT == OURS else 2.2
    assert 0 < line <= limit * count, f"{line} interrupts for {count} pings"
    return f"{line} interrupts for {count} pings"


def bulk(wire, to, address, ratio):
    """A TCP stream must go through without a stall, with few interrupts for a frame."""
    def work():
        started = time.monotonic()
        Stream(to, address).transfer(8 * MIB // SLOW)
        assert time.monotonic() - started < 30 * SLOW, "the stream has all but stalled"
    line, received, sent = measure(wire, work)
    frames = received + sent
    assert frames > 8 * MIB // SLOW // 1514, f"{frames} frames"
    assert 0 < line <= ratio * frames, f"{line} interrupts for {frames} frames"
    return f"{line} interrupts for {received} + {sent} frames"


def pings_with_two_cpus(wire):
    """The line on either CPU, the program on the other one."""
    notes = []
    for cpu in (0, 1):
        with line_on(wire, cpu):
            old = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {1 - cpu})
            try:
                notes.append(pings(wire))
            finally:
                os.sched_setaffinity(0, old)
    return "; ".join(notes)


def pings_with_one_cpu(wire):
    """The same on the only CPU."""
    with one_cpu():
        return pings(wire)


def download_with_two_cpus(wire):
    """Many frames in a row: the poll takes them in batches."""
    notes = []
    for cpu in (0, 1):
        with line_on(wire, cpu):
            notes.append(bulk(wire, None, DUT4, 1.1))
    return "; ".join(notes)


def download_with_one_cpu(wire):
    """The same on the only CPU."""
    with one_cpu():
        return bulk(wire, None, DUT4, 1.1)


def upload_with_two_cpus(wire):
    """Frames out, acknowledgements in."""
    notes = []
    for cpu in (0, 1):
        with line_on(wire, cpu):
            notes.append(bulk(wire, "peer", PEER4, 1.1))
    return "; ".join(notes)


def upload_with_one_cpu(wire):
    """The same on the only CPU."""
    with one_cpu():
        return bulk(wire, "peer", PEER4, 1.1)


@contextlib.contextmanager
def poll_on(wire, cpu):
    """Poll in a kernel thread on one CPU; the softirq of another CPU cannot do its work."""
    switch = f"/sys/class/net/{wire.dut.name}/threaded"
    write(switch, 1)
    try:
        threads = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*/comm")
                   if read(path).startswith(f"napi/{wire.dut.name}")]
        assert len(threads) == 1, f"{len(threads)} threads"
        os.sched_setaffinity(threads[0], {cpu})
        yield threads[0]
    finally:
        write(switch, 0)


def the_line_on_one_cpu_and_the_poll_on_the_other(wire):
    """Threaded NAPI: nothing keeps the handler from running again but the chip's own mask."""
    notes = []
    for cpu in (0, 1):
        with line_on(wire, cpu), poll_on(wire, 1 - cpu):
            notes += [pings(wire), bulk(wire, None, DUT4, 1.1), bulk(wire, "peer", PEER4, 1.1)]
    wait_for("an answer", wire.answers)
    return "; ".join(notes)


def the_line_wherever_the_kernel_puts_it(wire):
    """Any CPU may get each interrupt, also one where NAPI is not at work."""
    with line_on(wire, "0-1"):
        return "; ".join([pings(wire), bulk(wire, None, DUT4, 1.1), bulk(wire, "peer", PEER4, 1.1)])


def the_line_moves_under_traffic(wire):
    """Each tenth of a second to the other CPU, while a stream goes each way."""
    stop = threading.Event()

    def move():
        while not stop.wait(0.1):
            for cpu in (0, 1):
                write(f"/proc/irq/{wire.card.irq}/smp_affinity_list", cpu)

    with line_on(wire, 0):
        mover = threading.Thread(target=move)
        mover.start()
        try:
            notes = [bulk(wire, None, DUT4, 1.1), bulk(wire, "peer", PEER4, 1.1)]
        finally:
            stop.set()
            mover.join()
    return "; ".join(notes)


def many_small_datagrams_with_two_cpus(wire):
    """Senders on both CPUs towards the dut and away from it; it goes on, and the line is calm."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        with inside("peer"):
            back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        count = 3000 // SLOW

        def send(sock, address):
            for _ in range(count):
                sock.sendto(b"x" * 40, (address, 9))

        def work():
            threads = [threading.Thread(target=send, args=ends)
                       for ends in ((out, PEER4), (back, DUT4)) * 2]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            time.sleep(0.2)

        with back:
            line, received, sent = measure(wire, work)
    assert received > 100 and sent >= 2 * count, f"{received} received, {sent} sent"
    assert line <= 2 * (received + sent), f"{line} interrupts for {received + sent} frames"
    wait_for("an answer", wire.answers)
    return f"{line} interrupts for {received} + {sent} frames"


def deferred_interrupts_lose_nothing(wire):
    """napi_defer_hard_irqs with a timer: the chip stays masked between polls, and is unmasked."""
    folder = f"/sys/class/net/{wire.dut.name}"
    old = read(f"{folder}/napi_defer_hard_irqs"), read(f"{folder}/gro_flush_timeout")
    try:
        write(f"{folder}/napi_defer_hard_irqs", 10)
        write(f"{folder}/gro_flush_timeout", 1000000)
        done = subprocess.run(["ping", "-n", "-q", "-f", "-c", "300", PEER4],
                              capture_output=True, text=True, check=False)
        assert "300 received" in done.stdout, done.stdout
        Stream(None, DUT4).transfer(2 * MIB // SLOW)
    finally:
        write(f"{folder}/napi_defer_hard_irqs", old[0])
        write(f"{folder}/gro_flush_timeout", old[1])
    time.sleep(0.1)
    wait_for("an answer", wire.answers)


if __name__ == "__main__":
    cases.main(pings_with_two_cpus, pings_with_one_cpu, download_with_two_cpus,
               download_with_one_cpu, upload_with_two_cpus, upload_with_one_cpu,
               the_line_on_one_cpu_and_the_poll_on_the_other,
               the_line_wherever_the_kernel_puts_it, the_line_moves_under_traffic,
               many_small_datagrams_with_two_cpus, deferred_interrupts_lose_nothing)
