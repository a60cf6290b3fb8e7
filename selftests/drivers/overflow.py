#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic
# timeout: 240
"""More frames than the receiver can take: it loses some, counts them, and goes on."""

import contextlib
import os
import time

import cases
from frames import Tap, Worker, flood, frame
from interrupts import line_on, poll_on
from nic import DUT4, PEER4, SLOW, format_mac, inside, load, wait_for, write
from tcp import Stream


@contextlib.contextmanager
def starved(cpu):
    """Real-time work that leaves a kernel thread on this CPU next to nothing, while it is on.

    On PREEMPT_RT what ends a sleep there and what ends a grace period are kernel threads, too. So this
    process sleeps on another CPU, and nobody closes a packet socket, which waits for a grace period. An
    interrupt is a thread of a higher priority."""
    def step():
        return 1

    allowed = os.sched_getaffinity(0)
    hog = Worker(step, "hog").wait_started()
    try:
        os.sched_setaffinity(0, allowed - {cpu})
        os.sched_setaffinity(hog.pid, {cpu})
        os.sched_setscheduler(hog.pid, os.SCHED_FIFO, os.sched_param(1))
        yield hog
        assert hog.is_alive()
    finally:
        hog.stop()
        os.sched_setaffinity(0, allowed)


def pktgen(wire, count, size):
    """Send frames from the peer at the kernel's own speed; returns how many were sent."""
    load("pktgen")
    mac = format_mac(wire.dut.mac)
    with inside("peer"):
        device = f"/proc/net/pktgen/{wire.peer.name}@0"
        write("/proc/net/pktgen/kpktgend_0", "rem_device_all\n")
        write("/proc/net/pktgen/kpktgend_0", f"add_device {wire.peer.name}@0\n")
        for line in (f"count {count}", f"pkt_size {size}", "delay 0", "clone_skb 0",
                     f"dst_mac {mac}",
                     f"dst {DUT4}", "udp_dst_min 9", "udp_dst_max 9"):
            write(device, line + "\n")
        sent = wire.peer.counters()["tx_packets"]
        write("/proc/net/pktgen/pgctrl", "start\n")
        write("/proc/net/pktgen/kpktgend_0", "rem_device_all\n")
    return wire.peer.counters()["tx_packets"] - sent


def losses(counters):
    """All the columns in which a frame that was not delivered can be counted."""
    return sum(counters[key] for key in ("rx_errors", "rx_dropped", "rx_fifo"))


def recovered(wire):
    """Traffic of each kind, right after the flood."""
    wait_for("an answer", wire.answers, 5)
    Stream(None, DUT4).transfer((2 << 20) // SLOW)
    Stream("peer", PEER4).transfer((2 << 20) // SLOW)


def a_flood_of_the_kernel_s_packet_generator(wire):
    """Small frames as fast as the peer can: whatever the losses, all goes on after it."""
    count = 20000 // SLOW
    before = wire.dut.counters()
    sent = pktgen(wire, count, 60)
    assert sent >= count, f"{sent} frames were sent"
    time.sleep(0.3)
    recovered(wire)
    after = wire.dut.counters()
    got = after["rx_packets"] - before["rx_packets"]
    assert got > sent // 50, f"only {got} of {sent} frames were received"
    return f"{sent} sent, {got} frames received, {losses(after) - losses(before)} counted as lost"


def a_poll_that_gets_no_time(wire):
    """The poll's thread starves for a second beside a flood: the ring overflows."""
    data = frame(wire.dut.mac, wire.peer.mac, 1000, 1)
    with Tap(wire.dut) as sink:
        with line_on(wire, 0), poll_on(wire, 1):
            for _ in range(3):
                with flood(wire.peer, data, 0, 64) as sender:
                    os.sched_setaffinity(sender.pid, {0})
                    with starved(1):
                        before, sent = wire.dut.counters(), sender.count
                        time.sleep(1.0)
                        assert sender.is_alive()
                        got = wire.dut.counters()["rx_packets"] - before["rx_packets"]
                        sent = sender.count - sent
                assert sent > 200, f"the flood sent {sent} frames"
                wait_for("an answer", wire.answers)
        frames = sink.drain(0.1)
    assert frames and all(got == data for got, _ in frames), "damaged frames were delivered"
    after = wire.dut.counters()
    recovered(wire)
    return f"the flood sent {sent}, {got} came in the drought, {losses(after)} losses"


def a_program_that_does_not_read(wire):
    """A full socket is the socket's matter: the card goes on for everybody else."""
    data = frame(wire.dut.mac, wire.peer.mac, 500, 2, 0x88B8)
    with Tap(wire.dut, 0x88B8, buffer=4096), flood(wire.peer, data, 0, 32) as sender:
        wait_for("frames to be sent", lambda: sender.count > 1000 // SLOW)
        wait_for("an answer", wire.answers)
    recovered(wire)


def frames_longer_than_the_receiver_takes(wire):
    """Up to the peer's 16000 bytes, all of which QEMU's card stores: delivered whole or not at all, and frames
    come after it.

    A length that a driver takes for a sign of a ring out of step may cost the frames behind it."""
    taken = 0
    wire.peer.set("mtu", "16000")
    try:
        wait_for("the peer after its own reset", wire.answers)
        mac, peer_mac = wire.dut.mac, wire.peer.mac
        with Tap(wire.peer, 0) as source, Tap(wire.dut) as sink:
            for size in (1515, 1518, 1519, 1522, 1536, 1600, 1792, 1793, 2000, 2048, 4014, 9014, 16014):
                long, good = (frame(mac, peer_mac, length, size) for length in (size, 200))
                source.send(long)
                for _ in range(20):
                    source.send(good)
                    got, _ = sink.receive(0.1 * SLOW) or (None, 0)
                    if got == long:
                        taken = size
                        got, _ = sink.receive(0.1 * SLOW) or (None, 0)
                    if got == good:
                        break
                    assert not got, f"of {size} bytes {len(got)} were delivered, or other ones"
                else:
                    raise AssertionError(f"nothing comes after a frame of {size} bytes")
                sink.drain(0.05)
    finally:
        wire.peer.set("mtu", "1500")
        wait_for("an answer", wire.answers)
    recovered(wire)
    return f"frames of up to {taken} bytes were delivered"


if __name__ == "__main__":
    cases.main(a_flood_of_the_kernel_s_packet_generator, a_poll_that_gets_no_time,
               a_program_that_does_not_read, frames_longer_than_the_receiver_takes)
