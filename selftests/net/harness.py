# SPDX-License-Identifier: GPL-2.0
"""Runs the functions named test_* of a module as KTAP results.

Each case runs in a process and a network namespace of its own, pinned to one CPU unless it asks for
more, under a time limit: a case that hangs, dies or leaves something behind fails alone.

The subject is a parameter: `SUBJECT` in the environment names af_rpacket, which is loaded for the
run, or the kernel's own af_packet, whose answers are the truth about the ABI. What passes on both
is equal on both; where we differ on purpose, the case says so with `by_subject`.
"""

import contextlib
import itertools
import os
import select
import signal
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
import lib
import packet
import topology
from grace_periods import expedited_grace_periods
from lib import Skip

DIFFERENCES = []


def equal(seen, expected, what=""):
    """The assertion of these tests. Of long lists it shows where they part."""
    if isinstance(seen, list) and isinstance(expected, list) and len(seen) + len(expected) > 8:
        pairs = itertools.zip_longest(expected, seen, fillvalue="nothing")
        for at, (right, wrong) in enumerate(pairs):
            assert wrong == right, (
                f"{what}: {len(expected)} expected, {len(seen)} seen; "
                f"number {at}: expected {right!r}, seen {wrong!r}"
            )
    assert seen == expected, f"{what}: expected {expected!r}, seen {seen!r}"


def settles(look, expected, what, limit=5):
    """Asserts what `look()` comes to answer, for what the kernel does by a work item of its own."""
    deadline = time.monotonic() + limit
    while (seen := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.01)
    equal(seen, expected, what)


def by_subject(theirs, ours, why):
    """The expected value where af_rpacket differs from AF_PACKET on purpose."""
    if packet.OURS and why not in DIFFERENCES:
        DIFFERENCES.append(why)
    return ours if packet.OURS else theirs


def seconds(number):
    """Says that a case needs more than the usual time."""

    def mark(function):
        function.seconds = number
        return function

    return mark


def in_child(function, pipe):
    """The life of a case's process."""
    os.setpgid(0, 0)
    report = []
    try:
        topology.enter_new()
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        function()
        verdict = "pass"
    except Skip as reason:
        verdict, report = "skip", [str(reason)]
    except BaseException as error:  # pylint: disable=broad-except
        verdict = "fail"
        report = [" ".join(f"{type(error).__name__}: {error}".split())]
        for frame in traceback.extract_tb(error.__traceback__)[1:]:
            report.append(f"{os.path.basename(frame.filename)}:{frame.lineno}: {frame.line}")
    report = [verdict, *(report or [""]), *(f"difference: {why}" for why in DIFFERENCES)]
    os.write(pipe, "\n".join(report).encode()[:60000])


def run(function):
    """Runs one case in a child; returns its verdict, the reason, and what else it has to say."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            in_child(function, writer)
        finally:
            os._exit(0)
    os.close(writer)
    watch = os.pidfd_open(pid)
    allowed = getattr(function, "seconds", 60) * lib.SLOW
    ended, _, _ = select.select([watch], [], [], allowed)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(watch)
    os.set_blocking(reader, False)
    try:
        said = os.read(reader, 65536).decode(errors="replace")
    except BlockingIOError:
        said = ""
    os.close(reader)
    if not ended:
        return "fail", f"no end within {allowed} s", []
    if not said:
        return "fail", f"the process of this case died (status {status:#x})", []
    verdict, reason, *rest = said.split("\n")
    return verdict, reason, rest


def need_module(name):
    """Skips the case on a kernel that was built without this module."""
    found = subprocess.run(["modprobe", "-n", "-q", name], check=False)
    if found.returncode:
        raise Skip(f"this kernel has no {name}")


@contextlib.contextmanager
def subject_loaded():
    """Both families are there for the run, and their modules can be unloaded after it."""
    with lib.module("af_packet"):
        with lib.module("af_rpacket") if packet.OURS else contextlib.nullcontext():
            yield


def run_all(cases):
    """Runs the cases; one result each."""
    for name, function in cases:
        verdict, reason, rest = run(function)
        for line in rest:
            lib.diag(line)
        if verdict == "pass":
            lib.ok(name)
        elif verdict == "skip":
            lib.skip(name, reason)
        else:
            lib.fail(name, reason)


def main(module, around=expedited_grace_periods):
    """Runs the cases of a module whose name contains one of the arguments (all without any)."""
    cases = [
        (name.removeprefix("test_").replace("_", " "), function)
        for name, function in module.items()
        if name.startswith("test_")
        and (len(sys.argv) == 1 or any(word in name for word in sys.argv[1:]))
    ]

    def body():
        with subject_loaded(), around():
            run_all(cases)

    lib.main(body)
