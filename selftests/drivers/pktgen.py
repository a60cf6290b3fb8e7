#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# timeout: 120
"""The kernel's packet generator, which sends as fast as the card takes it, from a thread of the
kernel, and keeps a reference to what it sends: all of it arrives."""

import contextlib
import subprocess

import cases
from frames import Tap
from nic import format_mac, lib

COUNT, ETH_P_IP = 2000, 0x0800


@contextlib.contextmanager
def generator(wire):
    """A function that gives pktgen an order for the card."""
    if subprocess.run(["modprobe", "-n", "-q", "pktgen"], check=False).returncode:
        raise lib.Skip("the kernel has no pktgen")
    with lib.module("pktgen"):
        node = f"/proc/net/pktgen/{wire.dut.name}"
        order("/proc/net/pktgen/kpktgend_0", f"add_device {wire.dut.name}")
        try:
            yield lambda text: order(node, text)
        finally:
            order("/proc/net/pktgen/kpktgend_0", "rem_device_all")


def order(node, text):
    with open(node, "w", encoding="ascii") as file:
        file.write(text)


def what_it_sends_leaves(wire):
    """Two thousand frames of it, as fast as they go."""
    with generator(wire) as tell:
        for text in (f"count {COUNT}", "pkt_size 200", "dst 10.8.13.9",
                     f"dst_mac {format_mac(wire.peer.mac)}"):
            tell(text)
        before = wire.dut.counters()["tx_packets"]
        order("/proc/net/pktgen/pgctrl", "start")
        sent = wire.dut.counters()["tx_packets"] - before
    assert sent >= COUNT, f"{sent} of {COUNT} frames were sent"


def one_buffer_is_sent_again_and_again(wire):
    """`clone_skb`: the same buffer, 100 times, in a row and slowly enough for the peer."""
    with generator(wire) as tell, Tap(wire.peer, ETH_P_IP) as heard:
        for text in ("count 300", "clone_skb 100", "delay 200000", "pkt_size 300", "dst 10.8.13.9",
                     f"dst_mac {format_mac(wire.peer.mac)}"):
            tell(text)
        order("/proc/net/pktgen/pgctrl", "start")
        frames = [data for data, _ in heard.drain(1.0, 300) if len(data) == 300]
    assert len(frames) == 300, f"{len(frames)} of 300 frames arrived"
    # Behind the headers and the number of the frame, three of which were made.
    assert len({data[:42] for data in frames}) <= 3, "the frames differ"


if __name__ == "__main__":
    cases.main(what_it_sends_leaves, one_buffer_is_sent_again_and_again)
