#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock
# icount: yes
# timeout: 400
"""The driver's own part of a frame's path, that is, what a null driver does not need, may not take more
instructions than selftests/bench/budgets.csv allows, in either mode. `make bench` shows all, and the C
drivers."""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "bench")
sys.path[:0] = [os.path.join(HERE, ".."), BENCH]
# pylint: disable=wrong-import-position
import budgets
import subjects
from nic import lib


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
    rows = {subject: budgets.of("own_instructions", mode=subjects.mode_of(subject)) for subject in subjects.OURS}
    nulls = {}
    for subject, workloads in rows.items():
        for workload in workloads:
            nulls.setdefault(subjects.null_of(subject, workload), {})[workload] = True
    nulls = {null: measured(null, workloads) for null, workloads in nulls.items()}
    for subject, workloads in rows.items():
        whole = measured(subject, workloads)
        for workload, limits in workloads.items():
            lib.case(stays_within, workload, whole, nulls[subjects.null_of(subject, workload)], limits,
                     name=f"{subjects.mode_of(subject)} {workload.replace('-', ' ')}")


lib.main(main)
