#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# Memory that a test loses is noticed by the scan after it, and a test that loses none is not accused.
#
# The first test of its boot, since the inner runner clears what kmemleak has found: nothing of
# another test may be among it.
#
# kernels: debug
# debug: chosen
# leak-scan: yes
# log: new suspected memory leaks
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from inner import DEFECT, verdict

KMEMLEAK = "/sys/kernel/debug/kmemleak"


def scan_after(kind, status, result):
    try:
        verdict(f"echo 1..1\n{DEFECT} kind={kind}\nrmmod defect\necho 'ok 1 all is well'\n", status,
                [("pass", "nothing left behind"), (result, "kmemleak: nothing leaked")], "--leak-scan")
    finally:
        with open(KMEMLEAK, "w", encoding="ascii") as file:
            file.write("clear")


def main():
    lib.case(scan_after, "none", 0, "pass", name="a test that loses no memory is not accused")
    lib.case(scan_after, "leak", 1, "fail", name="lost memory is noticed")


lib.main(main)
