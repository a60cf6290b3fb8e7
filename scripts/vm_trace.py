# SPDX-License-Identifier: GPL-2.0
"""Looks over a guest's shoulder: counts its accesses to registers, lists the instructions it executes.

Accesses are what QEMU's trace events tell.

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
                if not match:
                    return {"error": {"desc": f"not a line of an access: {line.rstrip()}"}}
                if match.group(5) == name:
                    kind, region, address, size = match.group(1, 2, 3, 4)
                    found[region][f"{kind} {int(address, 16) & 0xff:#04x}/{size}"] += 1
        os.truncate(self.path, 0)
        return {"return": found}


class Instructions:
    """The instructions that a guest executes, one after the other, by their addresses.

    The guest says when (scripts/guest/qmp: profile-begin, profile-end). What QEMU has logged in between is
    left to who asked for it: a line for each instruction, `Trace CPU: ... [.../ADDRESS/...]`."""

    def __init__(self, qmp, folder, usual):
        self.qmp, self.folder, self.usual, self.number = qmp, folder, usual, 0

    def _monitor(self, *lines):
        for line in lines:
            answer = self.qmp.command({"execute": "human-monitor-command",
                                       "arguments": {"command-line": line}})
            if "error" in answer or answer.get("return", "").strip():
                return {"error": {"desc": f"{line}: {answer}"}}
        return {"return": {}}

    def _path(self):
        return f"{self.folder}/instructions-{self.number}.log"

    def begin(self):
        """From now on instructions are logged, and executed one by one, which is slow."""
        if not self.usual:
            return {"error": {"desc": "nothing can be logged without scripts/vm --trace"}}
        self.number += 1
        return self._monitor(f"logfile {self._path()}", "one-insn-per-tb on", "log exec,nochain")

    def end(self):
        """Where the log is."""
        answer = self._monitor("log none", "one-insn-per-tb off", f"logfile {self.usual}")
        return answer if "error" in answer else {"return": {"log": self._path()}}
