#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A driver that hangs in a measurement is a row `stalled` of it, and the next workload goes on: the
# receiver of the card is switched off behind the back of Debian's own driver.
#
# subjects: 8139cp
# kernels: stock
# trace: yes
# timeout: 300
import contextlib
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import registers
from nic import lib

COMMAND, TRANSMITTER = 0x37, 0x04
registers.LONE, registers.RUNS = 50, 1


def rows_of(counter, workload):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        registers.report(counter, workload)
    return [json.loads(line[4:]) for line in said.getvalue().splitlines() if line.startswith("row ")]


def what_stalls_has_a_row(counter):
    *where, work = registers.WORKLOADS["rx-lone"]

    def stop_and_work(wire, size):
        wire.card.poke(COMMAND, 1, TRANSMITTER)
        work(wire, size)

    registers.WORKLOADS["rx-lone"] = (*where, stop_and_work)
    try:
        rows = rows_of(counter, "rx-lone-60")
    finally:
        registers.WORKLOADS["rx-lone"] = (*where, work)
    lib.equal([("stalled", 1)], [(row["metric"], row["value"]) for row in rows])


def the_next_workload_is_counted(counter):
    rows = rows_of(counter, "rx-lone-60")
    totals = [row for row in rows if row["metric"] == "register_reads"]
    lib.equal([registers.LONE] * registers.RUNS, [row["frames"] for row in totals], "frames of each run")


def main():
    with registers.generators(), registers.Counter("8139cp") as counter:
        lib.case(what_stalls_has_a_row, counter)
        lib.case(the_next_workload_is_counted, counter)


lib.main(main)
