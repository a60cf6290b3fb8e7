#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock
# trace: yes
# timeout: 200
"""Each access to a register costs an exit to the hypervisor: a frame may not cost more of them, nor of
interrupts, than selftests/bench/budgets.csv allows. QEMU counts them; `make bench` shows all."""

import csv
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
# pylint: disable=wrong-import-position
import registers
from nic import OURS, lib

BUDGETS = os.path.join(lib.HERE, "bench", "budgets.csv")


def budgets():
    """{workload: {metric: the most that a frame may cost}}."""
    found = {}
    with open(BUDGETS, encoding="ascii") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["workload"], {})[row["metric"]] = float(row["limit"])
    return found


def stays_within(counter, workload, limits):
    name, _, size = workload.rpartition("-")
    (frames, totals), = counter.count(name, int(size))
    lib.require(frames >= registers.LONE, f"{frames} frames")
    costs = {metric: totals[metric] / frames for metric in limits}
    lib.diag(f"{workload}: " + ", ".join(f"{cost:.3f} {metric}" for metric, cost in costs.items()))
    for metric, limit in limits.items():
        if costs[metric] > limit:
            raise lib.Failure(f"{costs[metric]:.3f} {metric} for a frame, {limit} are allowed")


def main():
    with registers.generators(), registers.Counter(OURS) as counter:
        for workload, limits in budgets().items():
            lib.case(stays_within, counter, workload, limits, name=workload.replace("-", " "))


lib.main(main)
