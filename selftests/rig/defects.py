#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The debug kernel notices, and the runner hears it: one real defect of each kind is committed by a
# module, in a small test that says that all is well. The runner must say that it is not; and it must
# not accuse a test that gives everything back. A lock that is left is in locks.py, which needs a boot
# of its own.
#
# kernels: debug
# debug: chosen
# timeout: 300
# ruins: yes
# log: .
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from inner import DEFECT, among, run

CARD = "0000:00:10.0"
UNBIND = f"echo {CARD} >/sys/bus/pci/drivers/8139cp/unbind"


def test_of(*commands):
    """A test that does this, and says that all is well."""
    return "\n".join(("echo 1..1", *commands, "echo 'ok 1 all is well'", ""))


def defect(kind):
    return test_of(f"{DEFECT} kind={kind} device={CARD}", "rmmod defect")


# What is proven, the test, and what the runner must have said of it. Lockdep and KASAN report once in a
# boot, and lockdep not after a report of KASAN.
CASES = [
    # What the next ones do, without the defect.
    ("a test that gives everything back is not accused",
     test_of("ip netns add room", "ip link add inner type veth peer name outer netns room",
             "ip -n room link set outer up", "ip link del inner", "ip netns del room",
             "modprobe 8139cp", "card=$(ls /sys/bus/pci/drivers/8139cp/0*/net)",
             'ip link set "$card" up', UNBIND, "rmmod 8139cp", f"{DEFECT} kind=none", "rmmod defect"),
     [("pass", "kernel log clean, nothing left behind")]),
    # It ends with its last reference; the kernel does not wait for that.
    ("a namespace whose references do not come back is noticed",
     test_of("ip netns add room", f"{DEFECT} kind=namespace-ref namespace=9 9</run/netns/room",
             "ip netns del room"),
     [("fail", "namespace that does not end")]),
    # The kernel waits with the device, and says so.
    ("a device whose references do not come back is noticed",
     test_of("ip link add forgotten type veth", f"{DEFECT} kind=device-ref device=forgotten",
             "(sleep 15; rmmod defect) &", "ip link del forgotten", "wait"),
     [("fail", "waiting for forgotten")]),
    # Seen by the kernel when the driver lets go of the device, and by the runner afterwards, which then
    # takes the module out, and with it the mapping.
    ("a mapping that a driver leaves is noticed",
     test_of("modprobe 8139cp", f"{DEFECT} kind=dma-left device={CARD}", UNBIND, "rmmod 8139cp"),
     [("fail", "DMA-API: "), ("fail", "DMA mapping pci")]),
    ("a wrong order of locks is noticed", defect("lock-order"), [("fail", "possible circular locking")]),
    ("a warning is noticed", defect("warning"), [("fail", "WARNING: ")]),
    ("a use after free is noticed", defect("use-after-free"), [("fail", "KASAN: slab-use-after-free")]),
    ("a counter of references below zero is noticed", defect("refcount"), [("fail", "refcount_t: ")]),
    ("an unmapping of what was not mapped is noticed", defect("dma"), [("fail", "DMA-API: ")]),
    ("sleeping with a spinlock is noticed", defect("sleep-in-atomic"), [("fail", "while atomic")]),
]


def main():
    output, _, results = run({str(number): body for number, (_, body, _) in enumerate(CASES)}, "--keep-going")

    def heard(number, expected):
        try:
            among(results[str(number)], expected)
        except lib.Failure:
            lib.diag(output)
            raise

    for number, (name, _, expected) in enumerate(CASES):
        lib.case(heard, number, expected, name=name)


lib.main(main)
