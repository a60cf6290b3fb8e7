# SPDX-License-Identifier: GPL-2.0
"""Library of the VM selftests that are Python programs.

    #!/usr/bin/env python3
    # SPDX-License-Identifier: GPL-2.0
    # One paragraph that says what the file proves.
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
    import lib

    def ping_crosses_the_wire(host):
        lib.sh("ip netns exec peer ping -c 3 -i 0.2 $DUT4")

    def main():
        with lib.Topology():
            lib.case(ping_crosses_the_wire, None)
    lib.main(main)

What lines of the head the runner reads, and what a test may expect and must leave, is said in
lib.sh, whose functions `sh` runs. One case is one KTAP result, named after its function.
"""
import contextlib
import csv
import ctypes
import os
import struct
import subprocess
import sys
import time
import traceback

import heads

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = os.environ.get("KERNEL", "stock")
MODULES = os.environ.get("RPACKET_MODULES", "/rpacket/build/stock")
SLOW = heads.SLOW[KERNEL]

DUT4, DUT6, DUT_MAC = "10.8.13.1", "fd00:8139::1", "52:54:00:00:00:01"
PEER4, PEER6, PEER_MAC = "10.8.13.9", "fd00:8139::9", "52:54:00:00:00:02"


class Failure(Exception):
    """What a case raises to fail, with the reason as its text."""


class Skip(Exception):
    """What a case raises to be skipped, with the reason as its text."""


_count = _failed = _skipped = 0


def _result(word, name, note=""):
    global _count
    if _count == 0:
        print("KTAP version 1")
    _count += 1
    print(f"{word} {_count} {name}{note}", flush=True)


def ok(name):
    _result("ok", name)


def fail(name, reason):
    global _failed
    _failed += 1
    _result("not ok", name, " # " + " ".join(str(reason).split()))


def skip(name, reason):
    global _skipped
    _skipped += 1
    _result("ok", name, " # SKIP " + " ".join(str(reason).split()))


def xfail(name, why):
    """A failure that is known and expected: it does not fail the run, and it is not passed."""
    _result("not ok", name, " # XFAIL " + " ".join(str(why).split()))


def failed():
    """Whether a result until now was a failure."""
    return _failed > 0


def diag(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def check(name, condition, reason="is not so"):
    """One result of its own, inside or outside a case."""
    if condition:
        ok(name)
    else:
        fail(name, reason)
    return bool(condition)


def check_equal(name, expected, actual):
    return check(name, expected == actual, f"expected {expected!r}, got {actual!r}")


def case(function, *arguments, name=None, **named):
    """Runs the function as one result: it passes unless it raises."""
    name = name or function.__name__.replace("_", " ")
    try:
        function(*arguments, **named)
    except Skip as reason:
        skip(name, reason)
    except Failure as reason:
        fail(name, reason)
    except subprocess.CalledProcessError as error:
        diag(f"{error.stdout or ''}{error.stderr or ''}")
        fail(name, f"status {error.returncode}: {error.cmd}")
    except Exception as error:  # A defect of the test is a failure of the case.
        diag(traceback.format_exc())
        fail(name, f"{type(error).__name__}: {error}")
    else:
        ok(name)


def require(condition, what):
    """A precondition, in a case or outside: what it would show without it is worth nothing."""
    if not condition:
        raise Failure(f"precondition: {what}")


def equal(expected, actual, what=""):
    """For use in a case."""
    if expected != actual:
        raise Failure(f"{what}: expected {expected!r}, got {actual!r}".lstrip(": "))


def raises(errno_expected, function, *arguments, **named):
    """The call must fail with this errno; returns the exception."""
    try:
        result = function(*arguments, **named)
    except OSError as error:
        name = os.strerror(errno_expected)
        equal(errno_expected, error.errno, f"errno (expected {name})")
        return error
    raise Failure(f"succeeded with {result!r}, expected {os.strerror(errno_expected)}")


def main(function):
    """Runs the test's body and exits as its results say."""
    try:
        function()
    except Failure as reason:
        fail("the rest of the test", reason)
    except Skip as reason:
        skip("the rest of the test", reason)
    except subprocess.CalledProcessError as error:
        diag(f"{error.stdout or ''}{error.stderr or ''}")
        fail("the rest of the test", f"status {error.returncode}: {error.cmd}")
    except Exception as error:
        diag(traceback.format_exc())
        fail("the rest of the test", f"{type(error).__name__}: {error}")
    print(f"1..{_count}", flush=True)
    if _failed or not _count:
        sys.exit(1)
    sys.exit(4 if _skipped == _count else 0)


# ---- Doing things -------------------------------------------------------------------------------


def sh(script, check=True, timeout=60, **named):
    """Runs a shell script with the functions of lib.sh; returns what it printed, stripped."""
    # The traps and results of lib.sh belong to shell tests.
    preamble = f". {HERE}/lib.sh; trap - EXIT INT TERM; rm -f \"$OUTPUT\"; set -e\n"
    done = subprocess.run(["bash", "-c", preamble + script], check=False, text=True,
                          capture_output=True, timeout=timeout * SLOW, **named)
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, script, done.stdout, done.stderr)
    return done.stdout.strip()


def add_to_table(name, columns, rows):
    """Adds rows to the table build/results/`name`, which scripts/test begins anew with each run."""
    path = f"{HERE}/../build/results/{name}"
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(columns)
        writer.writerows(rows)


def wait_for(condition, seconds=5, what="the condition"):
    """Polls until condition() is true; returns its value; a Failure after `seconds` * SLOW."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds * SLOW} s")
        time.sleep(0.05)


@contextlib.contextmanager
def background(*command, **named):
    """A process that runs meanwhile; it must still run at the end, and is then ended."""
    with subprocess.Popen(command, **named) as process:
        try:
            time.sleep(0.2)
            require(process.poll() is None, f"{command[0]} keeps running")
            yield process
            require(process.poll() is None, f"{command[0]} runs to the end")
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def namespace(name):
    """This thread is in the named network namespace: sockets made here belong to it."""
    with open("/proc/thread-self/ns/net", "rb") as before, open(f"/run/netns/{name}", "rb") as ns:
        os.setns(ns.fileno(), os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(before.fileno(), os.CLONE_NEWNET)


@contextlib.contextmanager
def new_namespace(name):
    """A fresh network namespace with its loopback up."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def checksum(data):
    """The Internet checksum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def loaded(module):
    with open("/proc/modules", encoding="ascii") as file:
        return any(line.split()[0] == module for line in file)


def load(module, *parameters):
    sh(f"load {module} {' '.join(parameters)}")


def unload(module):
    sh(f"unload {module}")


@contextlib.contextmanager
def module(name, *parameters):
    """The module is loaded inside; it is taken out again unless it was there before."""
    before = loaded(name)
    if not before:
        load(name, *parameters)
    try:
        yield
    finally:
        if not before:
            unload(name)


class Topology:
    """The two hosts of lib.sh, as a context manager."""

    def __enter__(self):
        self.shell = subprocess.Popen(
            ["bash", "-c", f". {HERE}/lib.sh; topology_up; echo up; read -r _"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = ""
        for line in self.shell.stdout:
            if line == "up\n":
                return self
            said += line
        self.shell.wait()
        diag(said)
        raise Failure("precondition: the two hosts are up")

    def __exit__(self, *_):
        # The shell takes down, in its `defer` list, what it set up.
        self.shell.stdin.close()
        self.shell.wait()


_libc = ctypes.CDLL(None, use_errno=True)


def libc_call(function, *arguments):
    """A call of the C library that Python has no function for; raises OSError with its errno."""
    result = getattr(_libc, function)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), function)
    return result
