# SPDX-License-Identifier: GPL-2.0
"""Where an allocation of a module can fail: which places there are, and which of them a test has not made
fail.

The places are calls of the kernel in the module's code, which module_code.py finds. Of these, a place is
each call of a function that allocates for its caller (DIRECT), and each call of any other function from
which a fault has come in this run. So who allocates is found by the run, except for the little list of
those that do nothing else. One call can be reached on several ways, each of which has a fault of its own.
"""
import os
import re
import sys
import tempfile

import fault_injection
import lib
import module_code

# These allocate whenever they succeed: they are places before any fault has come from them.
DIRECT = re.compile(
    r"krealloc_\w+|rust_helper_krealloc_\w+|dma_alloc_attrs|alloc_etherdev_mqs|sk_alloc|sock_alloc_send_pskb|"
    r"napi_alloc_skb|skb_clone|___pskb_trim|__pskb_pull_tail|proc_create_net_single|request_threaded_irq|"
    r"register_(pernet_subsys|netdev)|proto_register|__pci_register_driver|pci_request_region|"
    r"skb_tstamp_tx|_copy_(from|to)_(user|iter)|put_cmsg|dev_[mu]c_add")

# Of all that is made to fail, calls and allocations: what was reached, and why the rest was not.
TABLE, COLUMNS = "fault-sites.csv", ("module", "tests", "kernel", "place", "failed", "why not")


def add_to_table(module, rows):
    """Adds what the running test has found: (place, failed, why not)."""
    tests = "/".join(os.path.abspath(sys.argv[0]).split("/")[-2:])
    lib.add_to_table(TABLE, COLUMNS, [(module, tests, lib.KERNEL, *row) for row in rows])


class Sites:
    """The places of a module. Cases that run in processes of their own note them in the same file."""

    def __init__(self, module):
        self.module = module
        own = module_code.own(module)
        calls = {(call.caller, call.offset): call for call in module_code.calls(module, inner=True)}
        self.calls = {at: call for at, call in calls.items() if call.function not in own}
        # What is called of the module itself, which may go on to the kernel by a jump.
        self.inner = {at: call.function for at, call in calls.items() if call.function in own}
        self.noted = tempfile.NamedTemporaryFile(mode="a", prefix="sites", encoding="ascii")

    def note(self, place):
        """Returns which calls a fault, whose stack this is, has come through."""
        at = next((i for i, frame in enumerate(place) if frame.module == self.module), None)
        if at is None:
            return []
        if place[at].name not in module_code.reached(self.module):
            raise lib.Failure(f"{place[at].name} has been called, and nothing is known to refer to it")
        call = self.calls.get((place[at].name, place[at].offset))
        inside = place[at - 1].name if at else ""
        found = [call] if call else self.jumps(place[at], inside)
        if not found:
            lib.diag(f"no call that is known: {' < '.join(place[:at])} < {place[at]}+{place[at].offset:#x}")
        if not any(fault_injection.DEBUGGING.match(frame) for frame in place[:at]):
            for call in found:
                self.noted.write(f"{call.caller} {call.offset}\n")
            self.noted.flush()
        return found

    def jumps(self, frame, inside):
        """The jumps to the kernel on the way from there to the function `inside`: who has jumped is not in
        the stack."""
        jumps = [call for call in self.calls.values() if call.last]
        named = [call for call in jumps if call.function == inside]
        if named:
            return named
        # The function of the kernel may have jumped as well: what was called in our code still says which.
        target = self.inner.get((frame.name, frame.offset))
        ways = [call for call in jumps if call.caller == target]
        return ways if len(ways) == 1 else []

    def reached(self):
        """The calls that a fault has come through."""
        with open(self.noted.name, encoding="ascii") as noted:
            places = {(caller, int(offset)) for caller, offset in map(str.split, set(noted))}
        return {self.calls[place] for place in places if place in self.calls}

    def account(self, file, owners):
        """Says which places no fault has come from, and why; fails if there is one that `file` should have
        made fail.

        `owners` is a list of (pattern of the caller and the function, file, reason): the first that fits
        says which file makes it fail, None for none, and why. What is not in it is faults.py's."""
        reached = self.reached()
        lib.require(reached, "a fault has come from somewhere")
        odd = [str(call) for call in reached if call.frees]
        assert not odd, f"to free memory does not fail: {', '.join(odd)}"
        functions = {call.function for call in reached}
        places = reached | {
            call for call in self.calls.values() if not call.frees and not call.tests
            and (call.function in functions or DIRECT.fullmatch(call.function))}
        lib.diag(f"{len(reached)} of {len(places)} places in {self.module} where an allocation can fail "
                 "have failed")
        missing, table = [], [(call, "yes", "") for call in sorted(reached, key=str)]
        for call in sorted(places - reached, key=str):
            _, owner, why = next((row for row in owners if re.search(row[0], str(call))),
                                 (None, "faults.py", "what a system call does"))
            if owner == file:
                missing.append(str(call))
            reason = "no reason is known" if owner == file else f"{owner or 'by no test'}: {why}"
            lib.diag(f"not reached: {call}: {reason}")
            table.append((call, "no", reason))
        add_to_table(self.module, table)
        for pattern, owner, _ in owners:
            stale = [str(call) for call in reached if re.search(pattern, str(call))]
            if stale and owner is None:
                lib.diag(f"has failed, although a reason says why not: {', '.join(stale)}")
        if missing:
            raise lib.Failure("not reached: " + "; ".join(missing))
