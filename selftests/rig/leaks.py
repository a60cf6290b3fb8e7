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
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from inner import DEFECT, verdict

KMEMLEAK = "/sys/kernel/debug/kmemleak"


def scan_after(kind, status, *results):
    try:
        verdict(f"echo 1..1\n{DEFECT} kind={kind}\nrmmod defect\necho 'ok 1 all is well'\n", status,
                [("pass", "nothing left behind"), *results], "--leak-scan")
    finally:
        log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True).stdout
        if lost := re.findall(r"defect: lost (\w+)", log):
            addresses = ",".join(f"0x{address}" for address in lost)
            lib.sh(f"{DEFECT} kind=found lost={addresses}; rmmod defect")
        with open(KMEMLEAK, "w", encoding="ascii") as file:
            file.write("clear")


def main():
    lib.case(scan_after, "none", 0, ("pass", "kmemleak: nothing leaked"),
             name="a test that loses no memory is not accused")
    lib.case(scan_after, "leak", 1, ("fail", "kmemleak: nothing leaked"), ("fail", " bytes of insmod: "),
             name="lost memory is noticed, and who has allocated it")


lib.main(main)
