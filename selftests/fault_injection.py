# SPDX-License-Identifier: GPL-2.0
"""Makes the kernel fail where it can, one place after the other.

`/proc/thread-self/fail-nth` has the n-th call of the calling task that can fail do so: an allocation,
an access to user memory. So an operation is done again and again, with n from 1 up, until it has passed
without a fault. Which places there are is not written down anywhere: the kernel log names them.

Only calls on the way through one module count: its code must be in the stack. The ACPI interpreter is
left out, which does not survive such faults.

Only a kernel with fault injection has that: the debug kernel. What a softirq does is not of a task: for
that there is fail_call.py.
"""
import contextlib
import errno
import os
import re

import lib

KNOBS = {
    # Also allocations that may wait, and report each by its stack.
    "failslab": {"ignore-gfp-wait": "N", "verbose": "2"},
    # Not the pages of programs, which the kernel would try to get for ever.
    "fail_page_alloc": {"ignore-gfp-wait": "N", "min-order": "0", "verbose": "2"},
    "fail_usercopy": {"verbose": "2"},
}
DEBUGFS = "/sys/kernel/debug"
# What is between a place and the decision that it fails.
PLUMBING = re.compile(
    r"^(dump_stack|should_fail|_*kmalloc|_*kvmalloc|_*kmem_cache_alloc|kmemdup|_*alloc_pages|_*alloc_frozen|"
    r"alloc_pages|_*get_free_pages|_*should_fail|fail_dump|_*slab_|_*do_kmalloc|(__)?prepare_alloc|"
    r"allocate_slab|refill_objects|_*vmalloc|"
    r"_*copy_(from|to)|_copy|strncpy_from|krealloc|___?|rust_|\?)")
LIMIT = 3000


def available():
    return os.path.isdir(f"{DEBUGFS}/failslab") and os.path.exists("/proc/thread-self/fail-nth")


def _knob(kind, name):
    return f"{DEBUGFS}/{kind}/{name}"


def code_of(module):
    """Where the code of a module that is loaded begins and ends."""
    with open(f"/sys/module/{module}/sections/.text", encoding="ascii") as file:
        start = int(file.read(), 16)
    with open(f"/sys/module/{module}/coresize", encoding="ascii") as file:
        return start, start + int(file.read())


def code_of_acpi():
    """Where the code of the ACPI interpreter is, which lies together in the kernel."""
    addresses = []
    with open("/proc/kallsyms", encoding="ascii") as file:
        for line in file:
            address, kind, name = line.split()[:3]
            if kind in "tT" and re.match(r"acpi_(ds|ps|ex|ns|ut|rs)_", name):
                addresses.append(int(address, 16))
    return min(addresses), max(addresses) + 1


@contextlib.contextmanager
def knobs_set(more=()):
    """Faults can be made; what was set is set again afterwards."""
    if not available():
        if os.environ.get("KERNEL") == "debug":
            raise lib.Failure("the debug kernel should inject faults, and does not")
        raise lib.Skip("this kernel injects no faults")
    before = {}
    for kind, knobs in KNOBS.items():
        for name, value in (knobs | dict(more)).items():
            path = _knob(kind, name)
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    before[path] = file.read().strip()
                with open(path, "w", encoding="ascii") as file:
                    file.write(value)
    try:
        yield
    finally:
        for path, value in reversed(before.items()):
            with open(path, "w", encoding="ascii") as file:
                file.write(value)


def switched_on(module):
    """Faults can be made on the way through a module."""
    ranges = {}
    if available():
        for name, (start, end) in (("require", code_of(module)), ("reject", code_of_acpi())):
            ranges |= {f"{name}-start": f"{start:#x}", f"{name}-end": f"{end:#x}"}
    return knobs_set(ranges)


def without_plumbing(functions):
    """Those that say where a fault was made."""
    return [name for name in functions if not PLUMBING.match(name)]


class Log:
    """The kernel's reports of the faults that it made."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self.skip()

    def skip(self):
        os.lseek(self.fd, 0, os.SEEK_END)

    def place(self):
        """The functions that led to the last fault, from the inside out, without the plumbing."""
        functions = []
        while True:
            try:
                text = os.read(self.fd, 8192).decode(errors="replace").partition(";")[2]
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue
            if "forcing a failure" in text:
                functions = []
            match = re.match(r" *(\? )?([\w.]+)\+0x\S+(?: \[(\w+)\])?", text.splitlines()[0] if text else "")
            if match and not match.group(1):
                functions.append(match.group(2) + (f" [{match.group(3)}]" if match.group(3) else ""))
        return without_plumbing(functions)

    def close(self):
        os.close(self.fd)


def each(operation, expected, undo=lambda: None):
    """Does the operation with each fault in turn. `operation` is one system call, in this thread.

    An OSError must be of `expected` (names of errors); `undo` puts things back after each try. When it
    has passed without a fault, it must have succeeded. Returns the places, each a list of functions."""
    allowed = {getattr(errno, name) for name in expected}
    # Once without, so that Python has what it needs, and the kernel what it keeps.
    operation()
    undo()
    places, log = [], Log()
    with open("/proc/thread-self/fail-nth", "r+b", buffering=0) as knob:
        for number in range(1, LIMIT):
            log.skip()
            result = 0
            arm = str(number).encode()
            os.pwrite(knob.fileno(), arm, 0)
            try:
                operation()
            except OSError as error:
                result = error.errno
            finally:
                left = os.pread(knob.fileno(), 16, 0)
                os.pwrite(knob.fileno(), b"0", 0)
            undo()
            if int(left):
                log.close()
                if result:
                    raise lib.Failure(f"without a fault: {errno.errorcode[result]}")
                return places
            place = log.place()
            places.append(place)
            if result and result not in allowed:
                raise lib.Failure(f"{errno.errorcode.get(result, result)} when this failed: "
                                  + " < ".join(place[:6]))
    raise lib.Failure(f"still faults after {LIMIT}")


def summary(what, places, module):
    """One line for the report: how many places, and which of them are on the way through our module."""
    def outside(place):
        """The functions of the kernel up to the one that our code has called."""
        names = []
        for name in place:
            if f"[{module}]" in name:
                break
            names.append(name)
        return " < ".join(names[:1] + names[-1:] if len(names) > 1 else names) or "own code"

    names = sorted({outside(place) for place in places})
    return f"{what}: {len(places)} faults: {', '.join(names) or 'nothing can fail'}"
