#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock
# icount: yes
# timeout: 300
"""The driver's own part of a frame's path, that is, what a null driver does not need, may not take more
instructions than selftests/bench/budgets.csv allows. `make bench` shows all, and the C drivers."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "bench")
sys.path[:0] = [os.path.join(HERE, ".."), BENCH]
# pylint: disable=wrong-import-position
import budgets
from nic import OURS, lib


def measured(subject, workloads):
    """{workload: instructions for a frame} on the whole path."""
    done = subprocess.run([f"{BENCH}/driver_path.py", subject, *workloads], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=200)
    rows = [json.loads(line[4:]) for line in done.stdout.splitlines() if line.startswith("row ")]
    return {row["workload"]: row["value"] for row in rows if row["metric"] == "guest_instructions"}


def stays_within(workload, whole, null, limits):
    lib.require(workload in whole and workload in null, "the path was measured")
    budgets.hold(workload, {"own_instructions": whole[workload] - null[workload]}, limits)


def main():
    rows = budgets.of("own_instructions")
    null, whole = measured("null", rows), measured(OURS, rows)
    for workload, limits in rows.items():
        lib.case(stays_within, workload, whole, null, limits, name=workload.replace("-", " "))


lib.main(main)
