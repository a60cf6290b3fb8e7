#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A lock that is left held is noticed, like the defects of defects.py. Lockdep is off after its first
# report, so this is another boot: that of the tests that plug cards in and out.
#
# kernels: debug
# debug: chosen
# machine: pc
# remaps: yes
# leak-scan: yes
# ruins: yes
# log: .
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from inner import DEFECT, verdict


def main():
    lib.case(verdict, f"echo 1..1\n{DEFECT} kind=lock-left\necho 'ok 1 all is well'\nrmmod defect\n", 3,
             [("fail", "lock held when returning")], name="a lock that is left is noticed")


lib.main(main)
