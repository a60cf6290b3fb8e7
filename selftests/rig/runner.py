#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The runner sees what it is for: a test that fails, says nothing, plans more than it does, ends
# with the wrong status, hangs, leaves something behind, or makes the kernel complain, does not
# pass. Each case is a small bad test that the runner runs; a good one shows that it can pass.
#
# What the bad tests write into the kernel log is the inner runner's to see, so the outer one is
# told to expect it.
#
# kernels: stock
# timeout: 900
# log: net/core/dev.c:1 here|circular locking dependency detected|waiting for eth0 to become free|NETDEV WATCHDOG: timed out|sysrq: |task:|Call Trace:
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import heads
import lib
from kernel_log import AT_BOOT, guilty_lines
from inner import among, run, verdict

GOOD = "echo 1..1\necho 'ok 1 it works'\n"

# name, body, exit status of the runner, results (result, part of the name or reason)
CASES = [
    ("a good test passes", GOOD, 0, [("pass", "it works"), ("pass", "kernel log clean")]),
    ("a skipped test is skipped", "echo '1..0 # SKIP not here'\nexit 4", 0, [("skip", "not here")]),
    ("a skipped case is skipped", GOOD.replace("works", "works # SKIP no card"), 0,
     [("skip", "no card")]),
    ("a failed case fails", "echo 1..1\necho not ok 1 it works\nexit 1", 1, [("fail", "it works")]),
    ("an expected failure is recorded as one and does not fail the run",
     "echo 1..1\necho 'not ok 1 it works # XFAIL not built yet'", 0, [("fail", "not built yet")]),
    ("what upstream excuses is not passed", "echo 1..1\necho 'ok 1 it works # XFAIL slow'", 0,
     [("fail", "it works")]),
    ("a test without results fails", "exit 0", 1, [("fail", "results")]),
    ("a test that ends before it says how many results there are fails",
     "echo ok 1 it works", 1, [("fail", "none came")]),
    ("a test that ends early with the status of a skipped one fails", "echo ok 1 it works\nexit 4", 1,
     [("fail", "none came")]),
    ("a result that is not planned fails", "echo 1..0\necho ok 1 it works", 1, [("fail", "0 planned, 1 came")]),
    ("a missing case fails", "echo 1..2\necho ok 1 one", 1, [("fail", "2 planned, 1 came")]),
    ("a bad exit status fails", GOOD + "exit 7", 1, [("fail", "7, yet no result")]),
    ("a failed case with status 0 fails", "echo 1..1\necho not ok 1 it works", 1,
     [("fail", "although results failed")]),
    ("a test that hangs is ended", "# timeout: 2\necho ok 1 begun\nsleep 1000", 1,
     [("fail", "not within 2 s")]),
    ("a process that stays is seen", GOOD + "setsid sleep 1000 >/dev/null 2>&1 &", 1,
     [("fail", "process sleep")]),
    ("a namespace that stays is seen", GOOD + "ip netns add forgotten", 1,
     [("fail", "namespace forgotten")]),
    ("a device that stays is seen", GOOD + "ip link add forgotten type veth", 3,
     [("fail", "device forgotten")]),
    ("a module that stays is seen", GOOD + "modprobe 8139too", 1, [("fail", "module 8139too")]),
    ("a warning of the kernel is seen",
     GOOD + "echo 'WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 here' >/dev/kmsg", 1,
     [("fail", "net/core/dev.c:1")]),
    ("a lockdep report is seen",
     GOOD + "echo 'WARNING: possible circular locking dependency detected' >/dev/kmsg", 3,
     [("fail", "circular locking")]),
    ("a device whose references do not come back is seen",
     GOOD + "echo 'unregister_netdevice: waiting for eth0 to become free' >/dev/kmsg", 1,
     [("fail", "waiting for eth0")]),
    ("an announced line of the log is no failure",
     "# log: NETDEV WATCHDOG\n" + GOOD + "echo 'eth0: NETDEV WATCHDOG: timed out' >/dev/kmsg", 0,
     [("pass", "kernel log clean")]),
    ("the failure of a C original is recorded and does not fail the run",
     "# subjects: rtl8139_rs 8139cp\necho 1..1\necho not ok 1 it works\nexit 1", 0,
     [("fail", "it works")]),
]


# Lines of a head, and where the test runs: kernel, only the chosen ones, `make test-full`.
RUNS = [
    ("", {("stock", False), ("debug", False), ("rt", False)}),
    ("# kernels: rt", {("rt", False)}),
    ("# debug: chosen", {("stock", False), ("debug", False), ("rt", False), ("debug", True)}),
    ("# full: yes", set()),
]


def the_head_says_where():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/rig")
        for line, expected in RUNS:
            with open(f"{folder}/rig/test.py", "w", encoding="utf-8") as file:
                file.write(f"#!/usr/bin/env python3\n{line}\n")
            head = heads.read(file.name)
            found = {(kernel, chosen) for kernel in heads.SLOW for chosen in (False, True)
                     if head.runs(kernel, chosen, full=False) and (kernel == "debug" or not chosen)}
            lib.equal(expected, found, line)
            lib.require(head.runs(head.kernels[0], full=True), f"{line}: all tests are in the full run")


def a_head_that_nobody_understands_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/rig")
        for line in ("# kernels: stok", "# debug: choosen", "# tiemout: 9", "# timeout: long", "# ruins: y"):
            with open(f"{folder}/rig/test.py", "w", encoding="utf-8") as file:
                file.write(f"#!/usr/bin/env python3\n{line}\n")
            try:
                heads.read(file.name)
            except ValueError:
                continue
            raise lib.Failure(f"{line} is taken")


def what_a_boot_says_is_told_from_a_complaint():
    """Of the log before the first test: what instruments and init say of themselves is none."""
    usual = ["[    1.783208] DMA-API: preallocated 65536 debug entries",
             "[    2.042346] kmemleak: Kernel memory leak detector initialized (mem pool available: 39034)",
             "[    5.026680] virtme-ng-init: WARNING: failed to run: systemd-tmpfiles"]
    lib.equal([], guilty_lines(usual, AT_BOOT))
    for line in ("[    3.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1", "[    3.0] DMA-API: device driver frees"):
        lib.equal(line, guilty_lines([*usual, line], AT_BOOT)[-1])


def a_knob_that_stays_turned_is_seen_and_turned_back():
    path = "/proc/sys/kernel/modprobe"

    def value():
        with open(path, encoding="ascii") as knob:
            return knob.read()
    before = value()
    lib.require(before.strip(), "modules are loaded on demand")
    verdict(GOOD + f"echo >{path}", 1, [("fail", f"knob {path}: {before.strip()!r} became ''")])
    lib.equal(before, value(), "turned back")


def a_complaint_that_comes_late_is_seen_before_a_test_that_ruins_the_machine():
    """Such a test is excused for all that the kernel says, and the machine is not asked afterwards."""
    late = subprocess.Popen(["bash", "-c", "until grep -qs '\"event\": \"end\"' /tmp/*/results; do sleep 0.1; done; "
                             "sleep 1; echo 'WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 here' >/dev/kmsg"])
    try:
        output, status, results = run({"first": GOOD, "second": "# ruins: yes\n# log: .\n" + GOOD})
    finally:
        late.kill()
        late.wait()
    try:
        lib.equal(3, status, "exit status of the runner")
        among([*results["first"], *results["second"]], [("fail", "net/core/dev.c:1")])
    except lib.Failure:
        lib.diag(output)
        raise


def main():
    lib.case(a_complaint_that_comes_late_is_seen_before_a_test_that_ruins_the_machine)
    lib.case(a_knob_that_stays_turned_is_seen_and_turned_back)
    lib.case(what_a_boot_says_is_told_from_a_complaint)
    lib.case(a_head_that_nobody_understands_is_refused)
    lib.case(the_head_says_where, name="the head of a test says where it runs")
    for name, *rest in CASES:
        lib.case(verdict, *rest, name=name)


lib.main(main)
