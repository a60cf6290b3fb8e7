#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: af_rpacket
# kernels: stock
# icount: yes
# timeout: 300
"""A packet's path through the family may take only so many instructions more than through AF_PACKET as
selftests/bench/budgets.csv allows, in the same boot. `make bench` shows all of it."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "bench")
sys.path[:0] = [os.path.join(HERE, ".."), BENCH]
# pylint: disable=wrong-import-position
import budgets
import lib

OURS, THEIRS = "25", "17"
ROUNDS, SIZE = 15, 60
# The path is subtracted of which this one is the continuation.
BEFORE = {"queue": "hook"}


def measured():
    """{(path, family): instructions}, of the round that took least: the others have a tick in them."""
    done = subprocess.run([f"{BENCH}/packet_path.sh", str(ROUNDS), str(SIZE)], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=200)
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] == "path":
            found[words[2], words[3]] = min(map(float, words[4:]))
    return found


def stays_within(workload, found, limits):
    path = workload.rpartition("-")[0]
    before = BEFORE.get(path)
    ours, theirs = (found[path, family] - (found[before, family] if before else 0) for family in (OURS, THEIRS))
    budgets.hold(workload, {"above_af_packet": ours - theirs}, limits)


def main():
    found = measured()
    for workload, limits in budgets.of("above_af_packet").items():
        lib.case(stays_within, workload, found, limits, name=workload.replace("-", " "))


lib.main(main)
