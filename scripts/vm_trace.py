# SPDX-License-Identifier: GPL-2.0
"""Counts what a guest does to its devices: each access to a register, as QEMU's trace events tell it.

The guest says when to count (scripts/guest/qmp: count-begin, count-end); in between QEMU writes a line
for each access into a file, which is read at the end. Counting costs time, but no access more.
"""
import collections
import os
import re

EVENTS = ("memory_region_ops_read", "memory_region_ops_write")
LINE = re.compile(
    r"memory_region_ops_(read|write) cpu -?\d+ mr (\S+) addr (0x[0-9a-f]+) value \S+ size (\d+) "
    r"name '(.*)'")


class Accesses:
    """The accesses that a guest makes to the devices whose regions have a certain name."""

    def __init__(self, qmp, path):
        self.qmp, self.path, self.at = qmp, path, 0

    def _switch(self, on):
        for event in EVENTS:
            answer = self.qmp.command({"execute": "trace-event-set-state",
                                       "arguments": {"name": event, "enable": on}})
            if "error" in answer:
                return answer
        return {"return": {}}

    def begin(self):
        """From now on accesses are counted."""
        if not self.path:
            return {"error": {"desc": "nothing can be counted without scripts/vm --trace"}}
        self.at = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        return self._switch(True)

    def end(self, name):
        """Those to the regions called `name` since the beginning: {region: {"read 0x3e/2": count}}."""
        answer = self._switch(False)
        if "error" in answer:
            return answer
        found = collections.defaultdict(collections.Counter)
        with open(self.path, encoding="ascii", errors="replace") as file:
            file.seek(self.at)
            for line in file:
                match = LINE.search(line)
                if match and match.group(5) == name:
                    kind, region, address, size = match.group(1, 2, 3, 4)
                    found[region][f"{kind} {int(address, 16) & 0xff:#04x}/{size}"] += 1
        os.truncate(self.path, 0)
        return {"return": found}
