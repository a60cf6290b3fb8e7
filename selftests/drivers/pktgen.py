#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# timeout: 120
"""The kernel's packet generator, which sends as fast as the card takes it, from a thread of the
kernel: all of it leaves, and what it must not do is refused."""

import contextlib
import subprocess

import cases
from nic import OURS, SUBJECT, format_mac, lib

COUNT = 2000


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


def what_it_sends_arrives(wire):
    """Two thousand frames of it, as fast as they go."""
    with generator(wire) as tell:
        for text in (f"count {COUNT}", "pkt_size 200", "dst 10.8.13.9",
                     f"dst_mac {format_mac(wire.peer.mac)}"):
            tell(text)
        before = wire.dut.counters()["tx_packets"]
        order("/proc/net/pktgen/pgctrl", "start")
        sent = wire.dut.counters()["tx_packets"] - before
    assert sent >= COUNT, f"{sent} of {COUNT} frames were sent"


def one_frame_in_several_places_at_once_is_refused(wire):
    """`clone_skb` sends one buffer again and again, which others then refer to. Our driver owns what
    it sends, and says so; that of C may not change what it is given."""
    with generator(wire) as tell:
        try:
            tell("clone_skb 100")
        except OSError:
            return
    assert SUBJECT != OURS, "pktgen may share what it sends"


if __name__ == "__main__":
    cases.main(what_it_sends_arrives, one_frame_in_several_places_at_once_is_refused)
