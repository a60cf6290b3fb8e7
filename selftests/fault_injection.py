# SPDX-License-Identifier: GPL-2.0
"""Makes the kernel fail where it can allocate or copy, one place after the other.

`/proc/thread-self/fail-nth` has the n-th call of the calling task that can fail do so: an allocation,
an access to user memory. So an operation is done again and again, with n from 1 up, until it has passed
without a fault: `Faults`. What a softirq does is not of a task: for that, and for a module that is just
being loaded, there is `Allocations`, which does the same by fail_call.py. Which places there are is not
written down anywhere: the stack of each fault names them.

Only calls on the way through one module count: its code must be in the stack. The ACPI interpreter is
left out, which does not survive such faults.

What has become of each fault is judged (`Verdicts`): the operation was refused with an errno that is
right for it, or what was lost is counted, or who failed goes on without, which TOLERATED must name.

Only a kernel with fault injection has that: the debug kernel.
"""
import collections
import contextlib
import errno
import os
import re
import subprocess

import lib

KNOBS = {
    # Also allocations that may wait. No stack in the log: fail_call.py knows it, in less time.
    "failslab": {"ignore-gfp-wait": "N", "verbose": "0"},
    # Not the pages of programs, which the kernel would try to get for ever.
    "fail_page_alloc": {"ignore-gfp-wait": "N", "min-order": "0", "verbose": "0"},
    "fail_usercopy": {"verbose": "0"},
}
DEBUGFS = "/sys/kernel/debug"
# Each allocation and each access asks it whether it is to fail.
DECIDES = "should_fail_ex"
# The tests' own faults of registers, whose files in debugfs are hundreds of allocations.
NOT_OURS = "rnet_helper_register_faults_create"
# What is between a place and the decision that it fails.
PLUMBING = re.compile(
    r"^(dump_stack|should_fail|_*kmalloc|_*kvmalloc|_*kmem_cache_alloc|kmemdup|_*alloc_pages|_*alloc_frozen|"
    r"alloc_pages|_*get_free_pages|_*should_fail|fail_dump|_*slab_|_*do_kmalloc|(__)?prepare_alloc|"
    r"allocate_slab|refill_objects|_*vmalloc|"
    r"_*copy_(from|to)|_copy|strncpy_from|krealloc|___?|rust_|\?)")
# Accesses to user memory; who decides that one fails may have been jumped to, and is not in the stack then.
COPY = re.compile(r"should_fail_usercopy|_*copy_(from|to)_(user|iter)|_*strncpy_from_user|simple_copy_to_iter")
# What the debug kernel allocates for itself, wherever it likes.
DEBUGGING = re.compile(
    r"(fill_pool|_*debug_object|debug_(rcu|timer|work)|_*kasan|stack_depot|kmemleak|_*create_object|"
    r"ref_tracker|dma_entry_alloc|debug_dma|add_dma_entry)")
# Who goes on without what it did not get, by a function between the place and our code, or by more of them
# (` < ` is between them, as in the report), and why that is right. What our own code calls directly is here
# only if nothing but the call itself is lost.
TOLERATED = (
    (r"kobject_uevent|uevent_|alloc_uevent_skb", "an event for udev is lost, nothing of the device is"),
    (r"netlink_trim", "a message of netlink goes out in the memory that it has, which is more than it needs"),
    (r"rtmsg_\w+|\w+_notify_devconf|inet6_\w+_notify|nlmsg_notify|netlink_broadcast",
     "a notification by netlink is lost, and its listeners are told so"),
    (r"sysfs_create_(file_ns|groups) < (driver_(create_file|add_groups) < )?bus_add_driver",
     "the driver core registers a driver also without its files in sysfs, and says so in the log"),
    (r"kasprintf < module_remove_driver", "the link from the module to its driver goes with the module's folder"),
    (r"acpi_pci_irq_(find_prt_entry|lookup)",
     "ACPI enables a device also without the interrupt line that it could not look up, and says so in the log: the"
     " device keeps the number that it had"),
    (r"register_(handler|irq)_proc", "an interrupt line works without its folder in /proc/irq"),
    (r"__ipv6_dev_mc_inc|igmp6_group_added|ip_mc_(inc|init)\w*",
     "IP goes without a group that it joins by itself"),
    (r"napi_get_frags", "NAPI has a packet in stock, or allocates it when it needs one"),
    (r"xas_create|xas_alloc|idr_get_free", "the tree has memory that was set aside, or is asked again"),
    (r"allocate_slab|refill_(objects|sheaf)|_*alloc_(full|empty)_sheaf", "the slab layer has other pages"),
    (r"__kvmalloc_node", "vmalloc() has the memory"),
    (r"alloc_skb_with_frags|skb_page_frag_refill|__page_frag_(cache_refill|alloc)", "smaller pages do"),
    (DEBUGGING.pattern, "what the debug kernel notes about it is incomplete"),
    (r"_*request_region|_*pci_request_region|_*ioremap\w*|pci_iomap\w*|_*get_vm_area\w*",
     "where the registers cannot be used in memory, I/O ports are, and the log says so"),
    (r"skb_tstamp_tx|__skb_tstamp_tx", "a frame leaves without its time, as everywhere in the kernel"),
)
# Where the kernel fills a stock, now and then.
STOCK = re.compile(r"allocate_slab|refill_|_*alloc_(full|empty)_sheaf|fill_pool|__page_frag_")
LIMIT, TRIES = 3000, 3


def available():
    return os.path.isdir(f"{DEBUGFS}/failslab") and os.path.exists("/proc/thread-self/fail-nth")


def _knob(kind, name):
    return f"{DEBUGFS}/{kind}/{name}"


def code_of(module):
    """Where the code of a module that is loaded begins and ends. (What the kernel calls its size is with its
    data, which is elsewhere: behind the code is that of another module.)"""
    with open(f"/sys/module/{module}/sections/.text", encoding="ascii") as file:
        start = int(file.read(), 16)
    done = subprocess.run(["objdump", "-h", "-j", ".text", f"{lib.MODULES}/{module}.ko"], check=True,
                          capture_output=True, text=True)
    return start, start + int(re.search(r"\s\.text\s+([0-9a-f]+)", done.stdout).group(1), 16)


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


# ---- What has become of a fault -----------------------------------------------------------------


def without_plumbing(functions):
    """Those that say where a fault was made."""
    return [name for name in functions if not PLUMBING.match(name)]


def is_copy(place):
    """Whether what failed is an access to user memory, which is EFAULT."""
    return any(COPY.match(frame) for frame in place[:4])


class Verdicts:
    """What has become of each fault of an operation on the way through a module."""

    def __init__(self, module, sites=None):
        self.module, self.sites = module, sites
        self.places, self.wrong = [], []
        self.refused = self.dropped = 0
        self.tolerated = collections.Counter()

    def outside(self, place):
        """The functions of the kernel up to the one that the module has called."""
        names = []
        for frame in place:
            if frame.module == self.module:
                break
            names.append(frame)
        return names

    def reason(self, place):
        """Why it is right that this fault has no consequence for the operation; None if it is not."""
        names = self.outside(place)
        for first in range(len(names)):
            way = " < ".join(names[first:])
            for pattern, why in TOLERATED:
                if re.match(pattern, way):
                    return why
        return None

    def is_right(self, name, place, allowed):
        """Whether this is the error for that fault. EFAULT is, if and only if an access to user memory has
        failed."""
        if name not in allowed or (name == "EFAULT") != is_copy(place):
            return False
        function = allowed[name] if isinstance(allowed, dict) else ""
        return not function or any(re.match(function, frame) for frame in self.outside(place))

    def add(self, place, result=0, allowed=(), dropped=False):
        """One more fault: the errno that the operation ended with, 0 without; the names of those that are
        right, or for each of them a pattern of the function that answers so; whether a counter has moved by
        what was lost."""
        assert any(frame.module == self.module for frame in place), f"not of {self.module}: {place}"
        self.places.append(place)
        if self.sites:
            self.sites.note(place)
        where = " < ".join(without_plumbing(place)[:6])
        if result:
            name = errno.errorcode.get(result, str(result))
            if not self.is_right(name, place, allowed):
                self.wrong.append(f"{name} when this failed: {where}")
            else:
                self.refused += 1
        elif dropped:
            self.dropped += 1
        else:
            why = self.reason(place)
            if why:
                self.tolerated[why] += 1
            else:
                self.wrong.append(f"nothing came of it when this failed: {where}")

    def object(self, place, what):
        """A fault that had a wrong consequence."""
        self.places.append(place)
        self.wrong.append(f"{what} when this failed: " + " < ".join(without_plumbing(place)[:6]))

    def judged(self, what, least=1):
        """One line for the report: how many faults, what became of them, and where the kernel was. Fails if
        one of them is wrong, or if there were too few."""
        names = set()
        for place in self.places:
            outside = without_plumbing(self.outside(place))
            names.add(" < ".join(outside[:1] + outside[-1:] if len(outside) > 1 else outside) or "own code")
        lib.diag(f"{what}: {len(self.places)} faults: {self.refused} refused, {self.dropped} counted as drops, "
                 f"{self.tolerated.total()} tolerated, {len(self.wrong)} wrong: "
                 f"{', '.join(sorted(names)) or 'nothing can fail'}")
        for why, count in self.tolerated.items():
            lib.diag(f"    {count} tolerated: {why}")
        for text in self.wrong:
            lib.diag(f"    wrong: {text}")
        if self.wrong:
            raise lib.Failure(f"{what}: {len(self.wrong)} faults: {self.wrong[0]}")
        if (distinct := len({tuple(place) for place in self.places})) < least:
            raise lib.Failure(f"{what}: only {distinct} places")


# ---- Making faults ------------------------------------------------------------------------------


class Numbers:
    """The number of the next fault to make, of those on one way through the code.

    Where the kernel fills a stock, now and then, what comes after has a higher number for once. So a number
    is tried again that has hit that filling, or a place that a number before it has: it may have one of its
    own."""

    def __init__(self):
        self.number = self.tries = 1
        self.seen = set()

    def after(self, place):
        """The fault with this number was made at `place`."""
        where = tuple((str(frame), frame.offset) for frame in place)
        shifted = where in self.seen or any(STOCK.match(frame) for frame in place)
        if shifted and self.tries < TRIES:
            self.tries += 1
        else:
            self.number, self.tries = self.number + 1, 1
            self.seen.add(where)


class Faults:
    """Each allocation and each access to user memory of this task on the way through a module."""

    def __init__(self, control, module, sites=None):
        self.control, self.module, self.sites = control, module, sites

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.stack.enter_context(switched_on(self.module))
            self.stack.enter_context(self.control.armed([(DECIDES, self.module, 0, "fail-nth")]))
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def each(self, what, operation, allowed, undo=lambda: None, done=None, drops=None, least=1):
        """Does the operation with each fault in turn. `operation` is one system call, in this thread.

        An OSError must be of `allowed` (see Verdicts). Without one, `done` must find that all is as after a
        success, or `drops`, a number of frames that are counted as lost, must have risen. `undo` puts things
        back after each try. When it has passed without a fault, it must have succeeded. What became of all
        is reported under `what`."""
        # Once without, so that Python has what it needs, and the kernel what it keeps.
        operation()
        if done and not done():
            raise lib.Failure(f"{what}: has no effect without a fault")
        undo()
        verdicts = Verdicts(self.module, self.sites)
        with open("/proc/thread-self/fail-nth", "r+b", buffering=0) as knob:
            numbers = Numbers()
            while numbers.number < LIMIT:
                fired, result, lost = self.one(knob, numbers.number, operation, drops)
                place = self.control.read()[1] if fired else []
                lib.require(place or not fired, "the way to the fault is known")
                whole = bool(result or lost or not done or done())
                undo()
                if not fired:
                    if result or lost or not whole:
                        raise lib.Failure(f"{what}, without a fault: "
                                          + (errno.errorcode[result] if result else "no effect"))
                    verdicts.judged(what, least)
                    return
                if whole:
                    verdicts.add(place, result, allowed, lost)
                else:
                    verdicts.object(place, "success without effect")
                numbers.after(place)
        raise lib.Failure(f"still faults after {LIMIT}")

    def one(self, knob, number, operation, drops):
        """One try: whether there was a fault, the errno, whether a frame was counted as lost."""
        before, result = drops() if drops else 0, 0
        self.control.say("fail", DECIDES, 0)
        arm = str(number).encode()
        os.pwrite(knob.fileno(), arm, 0)
        try:
            operation()
        except OSError as error:
            result = error.errno
        finally:
            left = os.pread(knob.fileno(), 16, 0)
            os.pwrite(knob.fileno(), b"0", 0)
        return not int(left), result, bool(drops and drops() > before)


class Allocations:
    """Each allocation on the way through a module, wherever it is made: `elsewhere` than in this task,
    in this `task`, or anywhere."""

    LIMIT = 500

    def __init__(self, control, module, where="", sites=None):
        self.control, self.module, self.where, self.sites = control, module, where, sites

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        with self.stack:
            self.stack.enter_context(knobs_set())
            self.stack.enter_context(self.control.armed([
                (DECIDES, self.module, 1, "through", f"except={NOT_OURS}", self.where)]))
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def each(self, what, operation, judge, least=1, prepare=lambda: None):
        """Does the operation with each fault in turn, until one has passed without. `prepare` is done before
        each, without a fault.

        `judge(place, result)` is told the functions that led to the fault, none without one, and what
        `operation` returned. It raises, or returns what to tell Verdicts.add: arguments by name."""
        verdicts = Verdicts(self.module, self.sites)
        numbers = Numbers()
        while numbers.number < self.LIMIT:
            prepare()
            self.control.say("fail", DECIDES, numbers.number)
            result = operation()
            counts, place = self.control.read()
            self.control.say("fail", DECIDES, 0)
            verdict = judge(place, result)
            if not counts[DECIDES][1]:
                verdicts.judged(what, least)
                return
            verdicts.add(place, **verdict)
            numbers.after(place)
        raise lib.Failure(f"still faults after {self.LIMIT}")
