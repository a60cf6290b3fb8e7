#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The debug kernel notices, and the runner hears it: one real defect of each kind is committed by a
# module, in a small test that says that all is well. The runner must say that it is not.
#
# kernels: debug
# timeout: 300
# ruins: yes
# log: .
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from inner import verdict

MODULE = f"{lib.MODULES}-tests/defect.ko"
CARD = "0000:00:10.0"

# kind, what the runner must have heard. Lockdep and KASAN report once in a boot, and lockdep not after a
# report of KASAN.
DEFECTS = [
    ("lock-order", "possible circular locking"),
    ("warning", "cut here"),
    ("use-after-free", "KASAN: slab-use-after-free"),
    ("refcount", "cut here"),
    ("dma", "cut here"),
    ("sleep-in-atomic", "while atomic"),
]


def commit(kind, heard):
    body = (f"echo 1..1\ninsmod {MODULE} kind={kind} device={CARD}\nrmmod defect\n"
            "echo 'ok 1 all is well'\n")
    verdict(body, (1, 3), [("fail", heard)])


def a_device_is_held():
    """A reference that does not come back: the kernel waits with the device, and says so."""
    body = (f"echo 1..1\nip link add forgotten type veth\n"
            f"insmod {MODULE} kind=device-ref device=forgotten\n"
            "(sleep 15; rmmod defect) &\n"
            "ip link del forgotten\nwait\necho 'ok 1 all is well'\n")
    verdict(body, (1, 3), [("fail", "waiting for forgotten")])


def main():
    lib.case(a_device_is_held, name="a device whose references do not come back is noticed")
    for kind, heard in DEFECTS:
        lib.case(commit, kind, heard, name=f"{kind} is noticed")


lib.main(main)
