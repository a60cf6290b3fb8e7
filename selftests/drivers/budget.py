#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock
# trace: yes
# timeout: 400
"""Each access to a register costs an exit to the hypervisor: a frame may not cost more of them, nor of
interrupts, than selftests/bench/budgets.csv allows, in either mode. QEMU counts them; `make bench` shows
all. Both modes are in one run: they share a boot, and what a frame costs shall be known of both in each."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "bench")]
# pylint: disable=wrong-import-position
import budgets
import registers
import subjects
from nic import lib


def stays_within(counter, workload, limits):
    name, _, size = workload.rpartition("-")
    (frames, totals), = counter.count(name, int(size))
    lib.require(frames >= registers.LONE, f"{frames} frames")
    lib.require(totals["register_reads"] + totals["register_writes"], "accesses are counted")
    budgets.hold(workload, {metric: totals[metric] / frames for metric in limits}, limits)


def main():
    with registers.generators():
        for subject in subjects.OURS:
            mode = subjects.mode_of(subject)
            rows = budgets.of("register_reads", "register_writes", "interrupts", mode=mode)
            with registers.Counter(subject) as counter:
                for workload, limits in rows.items():
                    lib.case(stays_within, counter, workload, limits, name=f"{mode} {workload.replace('-', ' ')}")


lib.main(main)
