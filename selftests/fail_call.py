# SPDX-License-Identifier: GPL-2.0
"""Makes the n-th call of a kernel function fail, in whatever context it comes, on the way through one
of our modules. The work is done by a module of the tests, selftests/modules/fail_call.c.

Of interest are the functions that a module calls, directly: which there are is what is in its code,
call_sites.py says how each of them fails, and `Calls` finds out which of them an operation reaches, and
how often. What is called through a pointer is written down in a list, which has to be complete.
fault_injection.py has the same work done to what allocations ask whether they are to fail.
"""
import contextlib
import ctypes
import errno
import os
import re

import call_sites
import fault_sites
import lib
import module_code

CONTROL = "/sys/kernel/debug/fail_call"


def name_of(error):
    return errno.errorcode.get(error, str(error))


def insmod(path, parameters=""):
    """One system call: `insmod` of the shell would hide its errno."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        lib.libc_call("syscall", ctypes.c_long(313), fd, parameters.encode(), 0)
    finally:
        os.close(fd)


def rmmod(name):
    lib.libc_call("syscall", ctypes.c_long(176), name.encode(), os.O_NONBLOCK)


class Control:
    """The module that makes calls fail."""

    def __enter__(self):
        insmod(f"{lib.MODULES}-tests/fail_call.ko")
        return self

    def __exit__(self, *_):
        rmmod("fail_call")

    def say(self, *words):
        fd = os.open(CONTROL, os.O_WRONLY)
        try:
            os.write(fd, " ".join(map(str, words)).encode())
        finally:
            os.close(fd)

    def read(self):
        """({function: (calls, whether one has failed)}, the functions that led to the failed one, from the
        inside out)"""
        with open(CONTROL, encoding="ascii") as file:
            lines = file.read().splitlines()
        counts = {}
        for line in lines:
            if not line.startswith(" "):
                function, calls, failed = line.split()
                counts[function] = int(calls), failed == "1"
        frames = [module_code.Frame.parse(line) for line in lines if line.startswith(" ")]
        return counts, [frame for frame in frames if frame]

    @contextlib.contextmanager
    def armed(self, functions):
        """`functions` are the words after `add`."""
        try:
            for words in functions:
                self.say("add", *words)
            yield
        finally:
            self.say("clear")


class Calls:
    """Each call of a function that a module imports."""

    def __init__(self, control, module):
        self.control, self.module = control, module
        self.sites = {}
        # What was made to fail; cases run in processes of their own.
        self.places = fault_sites.Sites(module)

    def __enter__(self):
        self.sites, unknown = call_sites.of(self.module)
        if unknown:
            raise lib.Failure("call_sites.py does not know how these fail: " + ", ".join(unknown))
        self.armed = self.control.armed(
            [(site.function, self.module, site.value, *site.flags) for site in self.sites.values()])
        self.armed.__enter__()
        return self

    def __exit__(self, *exception):
        self.armed.__exit__(*exception)

    def each(self, operation, undo=lambda: None, expected=None, least=1):
        """Does the operation with each call failing in turn. An `operation` fails by OSError.

        `expected` says for a function with which errors it may end, "0" if it may succeed, where that
        is not what call_sites.py says; that what is lost then is counted, the operation has to find. Returns
        a line for the report."""
        chosen = next(iter(self.sites))
        self.control.say("fail", chosen, 0)
        operation()
        counts, _ = self.control.read()
        undo()
        faults, without, names, wrong = 0, 0, [], []
        for function, (calls, _) in counts.items():
            site = self.sites[function]
            allowed = (expected or {}).get(function, (site.error,))
            if not calls:
                continue
            names.append(function + (f" x{calls}" if calls > 1 else ""))
            for number in range(1, calls + 1):
                self.control.say("fail", function, number)
                result = 0
                try:
                    operation()
                except OSError as error:
                    result = error.errno
                seen, place = self.control.read()
                self.control.say("fail", function, 0)
                undo()
                if not seen[function][1]:
                    continue  # Traffic: this time there were fewer.
                faults += 1
                self.places.note(place)
                name = name_of(result) if result else "0"
                without += not result
                if name not in allowed:
                    wrong.append(f"{name} instead of {' or '.join(allowed)} when call {number} of "
                                 f"{function} failed: " + " < ".join(place[:4]))
        if wrong:
            raise lib.Failure("; ".join(wrong))
        if faults < least:
            raise lib.Failure(f"only {faults} calls failed")
        return f"{faults} calls failed, {without} without an error: {', '.join(names) or 'none'}"

    def account(self, unreached, pointers=()):
        """Which calls were not made to fail: none but those that have a reason in `unreached`, a list of
        (regular expression of a call in words, reason). `pointers` are those through a pointer, which no probe
        at the function called can tell from others: call_sites.Pointer for each."""
        failed, missing, stale, table = self.places.reached(), [], [], []
        every = [call for call in self.places.calls.values() if call_sites.c_name(call.function) in self.sites]
        lost = set(self.sites) - {call_sites.c_name(call.function) for call in every}
        lib.require(not lost, f"where they are called is known of {lost}")
        calls = [call for call in every if not call.tests]
        for call in sorted(calls, key=str):
            reason = next((why for pattern, why in unreached if re.fullmatch(pattern, str(call))), None)
            if call in failed:
                table.append((call, "yes", ""))
                stale += [str(call)] if reason else []
                continue
            missing += [] if reason else [str(call)]
            reason = reason or "no reason is known"
            lib.diag(f"not reached: {call}: {reason}")
            table.append((call, "no", reason))
        by_pointer, unknown, gone = call_sites.by_pointer(self.module, pointers)
        for caller, pointer in by_pointer:
            lib.diag(f"through a pointer: {caller}: {pointer.what}: {pointer.test or 'by no test'}: {pointer.why}")
            table.append((f"{caller}, {pointer.what}", "yes" if pointer.test else "no", pointer.why))
        fault_sites.add_to_table(self.module, table)
        lib.diag(f"{len(failed.intersection(calls))} of {len(calls)} calls in {self.module} that can fail have failed")
        if stale:
            raise lib.Failure("reached, although a reason says why not: " + "; ".join(stale))
        if missing:
            raise lib.Failure("not reached: " + "; ".join(missing))
        if gone:
            raise lib.Failure("not called, although a reason says of what it is: " + "; ".join(gone))
        if unknown:
            raise lib.Failure("not accounted for: " + "; ".join(unknown))
