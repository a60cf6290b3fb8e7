# SPDX-License-Identifier: GPL-2.0
"""In which functions the instructions of a packet's path are: each is logged by QEMU, a few packets long.

It says what no count says: where a path differs from that of the C original, function by function."""
import bisect
import collections
import json
import os
import re
import subprocess

import guest
from counted import FAMILIES
from guest import TREE, say

COLUMNS = ("workload", "subject", "function", "instructions")
PACKETS, SIZE = 10, 60
# The system call that is the workload, in which the log has more than that; and the name for it here.
CALLS = {"sendmsg": "__x64_sys_sendto", "queue": "__x64_sys_sendto", "recvmsg": "__x64_sys_recvmsg"}
ADDRESS = re.compile(rb"/([0-9a-f]{16})/")
# Functions in which two subjects differ by fewer instructions than this are not worth a line.
NOTABLE = 3


class Symbols:
    """Which function an address of the kernel is in."""

    def __init__(self, path):
        functions = []
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                address, kind, name, *_ = line.split()
                if kind in "tTwW":
                    functions.append((int(address, 16), name))
        functions.sort()
        self.addresses = [address for address, _ in functions]
        self.names = [name for _, name in functions]

    def find(self, address):
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else "?"


def calls(addresses):
    """The addresses in the kernel, cut where the program goes on."""
    call = []
    for address in addresses:
        if address >> 63:
            call.append(address)
        elif call:
            yield call
            call = []


def count(addresses, symbols, entry):
    """Instructions of each function in the system calls that come by `entry`, and how many calls."""
    functions, times = collections.Counter(), 0
    for call in calls(addresses):
        names = [symbols.find(address) for address in call]
        if entry in names:
            functions.update(names)
            times += 1
    return functions, times


def readable(names):
    """Rust's names without mangling, crate, and hash."""
    names = list(names)
    plain = subprocess.run(["c++filt"], input="\n".join(names), text=True, check=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return {name: re.sub(r"(af_rpacket|kernel|core)\[[0-9a-f]+\]::", "", text) for name, text in zip(names, plain)}


def rows():
    """[{workload, subject, function, instructions}], for a packet, of the families."""
    say("the functions of the packet sockets' paths (1 minute) ...")
    output = guest.lines(f"selftests/bench/packet_path.sh profile {SIZE}", "--icount", "--trace", "--nics", "")
    symbols = Symbols(f"{TREE}/build/bench/kallsyms")
    found = []
    for line in output:
        words = line.split(maxsplit=4)
        if len(words) < 5 or words[0] != "path":
            continue
        log = json.loads(words[4])["return"]["log"]
        if words[2] in CALLS:
            with open(log, "rb") as file:
                addresses = [int(match.group(1), 16) for match in map(ADDRESS.search, file) if match]
            functions, times = count(addresses, symbols, CALLS[words[2]])
            if times != PACKETS:
                raise guest.Broken(f"{times} calls in {log}, not {PACKETS}")
            names = readable(functions)
            found += [{"workload": f"{words[2]}-{SIZE}", "subject": FAMILIES[words[3]],
                       "function": names[name], "instructions": number / PACKETS}
                      for name, number in functions.most_common()]
        os.unlink(log)
    return found


def differences(found, workload, ours, theirs):
    """[(function, ours, theirs)], the largest first, and the sums of both."""
    tables = []
    for subject in (ours, theirs):
        table = collections.Counter()
        for row in found:
            if (row["workload"], row["subject"]) == (workload, subject):
                table[row["function"]] += row["instructions"]
        tables.append(table)
    names = sorted(set(tables[0]) | set(tables[1]),
                   key=lambda name: (-abs(tables[0][name] - tables[1][name]), name))
    return ([(name, tables[0][name], tables[1][name]) for name in names
             if abs(tables[0][name] - tables[1][name]) >= NOTABLE],
            tables[0].total(), tables[1].total())
