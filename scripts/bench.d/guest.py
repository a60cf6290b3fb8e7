# SPDX-License-Identifier: GPL-2.0
"""Measurements in a VM. What is counted of drivers (`measure`) costs its own row and no other when it never
ends, or takes the VM with it; anything else that fails (`Broken`) costs its part of the report.

A program in the VM says `begin SUBJECT WORKLOAD` before each measurement and then `row {...}` with what
it found; other lines do not matter here."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "selftests"))
# pylint: disable=wrong-import-position
from kernel_log import guilty_lines

TREE = "/rpacket"
# What a C original may make the kernel say: it has a row `stalled` then.
THEIRS = re.compile(r"NETDEV WATCHDOG: \S+ \((8139cp|8139too)\)")
# What scripts/vm.py and timeout(1) say of something that does not end, or ends the guest.
TIMEOUT, KILLED, HUNG, CRASHED = 124, 137, 253, 254


class Broken(Exception):
    """A measurement has failed."""


def say(text):
    print(f"rpacket: bench: {text}", file=sys.stderr, flush=True)


def vm(command, *options):
    """(exit status, lines of output) of a command in a VM, whose own messages go to standard error."""
    done = subprocess.run(
        ["python3", f"{TREE}/scripts/vm.py", "--modules", "none", "--timeout", "3000", *options, "--",
         command], stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    with open(f"{TREE}/build/vm/last/console.log", encoding="utf-8", errors="replace") as console:
        if done.returncode == 0 and (said := complaint(console.read().splitlines())):
            sys.stderr.write("\n".join(said) + "\n")
            raise Broken(f"the kernel has complained during: {command}")
    return done.returncode, done.stdout.splitlines()


def complaint(console):
    """What the kernel has to complain of, on the console of a VM."""
    return guilty_lines(console, THEIRS)


def lines(command, *options):
    """The output of a command that must succeed."""
    status, output = vm(command, *options)
    if status:
        sys.stderr.write("\n".join(output[-40:]) + "\n")
        raise Broken(f"status {status} of: {command}")
    return output


def rows_of(output):
    return [json.loads(line[4:]) for line in output if line.startswith("row ")]


def measure(jobs, command, *options, run=vm):
    """The rows of all jobs, (subject, workload) each, in one boot if none of them stalls.

    command(jobs) is what the VM shall execute for those that are left. When it does not end, or the
    guest dies, the job that was begun last gets a row `stalled`, and a new VM goes on with the next."""
    found, left = [], list(jobs)
    while left:
        text = command(left)
        status, output = run(text, *options)
        rows = rows_of(output)
        for row in rows:
            if "reason" in row:
                say(f"{row['subject']} has stalled in {row['workload']}: {row['reason']}")
        found += rows
        if status == 0:
            break
        begun = [tuple(line.split()[1:3]) for line in output if line.startswith("begin ")]
        if status not in (TIMEOUT, KILLED, HUNG, CRASHED) or not begun or begun[-1] not in left:
            sys.stderr.write("\n".join(output[-40:]) + "\n")
            raise Broken(f"status {status} of: {text}")
        subject, workload = begun[-1]
        say(f"{subject} has stalled in {workload} (status {status}); going on without it")
        found.append({"subject": subject, "workload": workload, "metric": "stalled", "value": 1})
        left = left[left.index(begun[-1]) + 1:]
    return found


def by_subject(jobs, program, seconds=1000):
    """The command for jobs of a program that takes a subject and its workloads as arguments."""
    groups = {}
    for subject, workload in jobs:
        groups.setdefault(subject, []).append(workload)
    return "; ".join(
        f"timeout -k 5 {seconds} {program} {subject} {' '.join(workloads)} || exit"
        for subject, workloads in groups.items())
