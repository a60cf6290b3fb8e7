#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the two families lose when packets are offered at several rates, and how late a program gets them.

usage: family_flow.py loss|latency ROUNDS      in a VM with two CPUs

Prints one line of JSON for each family and rate: what was sent and what of it lost, in all rounds. For
`latency`, the nanoseconds from the hook to the program by round: percentiles 50, 99 and 99.9. That is
worth something only where the CPU is not emulated, so it is left out elsewhere, unless RPACKET_LATENCY=1.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
import lib

FAMILIES = {"af_rpacket": 25, "af_packet": 17}
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
SIZE, MS = 60, 400
CLOCKS = "/sys/devices/system/clocksource/clocksource0/available_clocksource"


def emulated():
    """Whether QEMU executes the guest's instructions one by one; KVM offers a clock of its own."""
    with open(CLOCKS, encoding="ascii") as file:
        return "kvm-clock" not in file.read()


def flow(family, rate, *more):
    done = subprocess.run(["build/bench/flow", str(FAMILIES[family]), "va", "vb", str(SIZE), str(rate),
                           str(MS), *more], check=True, text=True, stdout=subprocess.PIPE)
    sent, received, seconds, *percentiles = done.stdout.split()
    return int(sent), int(received), float(seconds), [int(value) for value in percentiles]


def turns(rounds):
    """The families, one after the other, every second round in the opposite order."""
    for number in range(rounds):
        yield from FAMILIES if number % 2 == 0 else reversed(FAMILIES)


def emit(**fields):
    print("row " + json.dumps(fields), flush=True)


def loss(rounds):
    most = max(sent / seconds for sent, _, seconds, _ in (flow("af_packet", 0) for _ in range(2)))
    for share in SHARES:
        print(f"begin loss {share}", flush=True)
        total = {family: [0, 0, 0.0] for family in FAMILIES}
        for family in turns(rounds):
            sent, received, seconds, _ = flow(family, 0 if share == 1 else int(most * share))
            total[family] = [a + b for a, b in zip(total[family], (sent, sent - received, seconds))]
        for family, (sent, lost, seconds) in total.items():
            emit(workload="recvmsg-60", subject=family, offered=round(sent / seconds), sent=sent, lost=lost)


def latency(rounds):
    print("begin latency all", flush=True)
    if emulated() and os.environ.get("RPACKET_LATENCY") != "1":
        return
    found = {family: [] for family in FAMILIES}
    for family in turns(rounds):
        # Slowly enough for the program to sleep in between.
        sent, received, _, percentiles = flow(family, 2000, "latency")
        lib.require(received > sent / 2, f"{received} of {sent} packets arrived")
        found[family].append(percentiles)
    for family, rows in found.items():
        for name, values in zip(("p50", "p99", "p99.9"), zip(*rows)):
            emit(workload="hook-to-user", subject=family, metric=f"latency_{name}", rounds=values)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("loss", "latency"):
        print(__doc__)
        return 2
    lib.load("af_rpacket")
    try:
        lib.sh("""
            sysctl -qw net.ipv6.conf.default.disable_ipv6=1
            ip link add va type veth peer name vb
            ip link set va up; ip link set vb up
            until [ "$(cat /sys/class/net/va/operstate)" = up ]; do sleep 0.1; done""")
        {"loss": loss, "latency": latency}[sys.argv[1]](int(sys.argv[2]))
    finally:
        lib.sh("ip link del va", check=False)
        lib.unload("af_rpacket")
    return 0


if __name__ == "__main__":
    sys.exit(main())
