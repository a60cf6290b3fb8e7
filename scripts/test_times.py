# SPDX-License-Identifier: GPL-2.0
"""How the time of a test run was spent: a table for scripts, a summary for people."""
import csv
import os
import time

COLUMNS = ("kind", "kernel", "name", "seconds")
SLOWEST = 10


class Times:
    """The rows of build/results/times.csv. scripts/test begins it with what was built, and with the
    tests outside the build root, and adds what is built later."""

    def __init__(self, path):
        self.rows = []
        if os.path.exists(path):
            with open(path, newline="", encoding="utf-8") as file:
                self.rows = [(row["kind"], row["kernel"], row["name"], float(row["seconds"]))
                             for row in csv.DictReader(file)]
        self.began = time.monotonic() - sum(seconds for *_, seconds in self.rows)
        self.file = open(path, "a", newline="", encoding="utf-8")
        self.csv = csv.writer(self.file, lineterminator="\n")
        if not self.rows:
            self.csv.writerow(COLUMNS)

    def add(self, kind, kernel, name, seconds):
        """kind: build, host (cargo's tests), rig (tests outside the build root), boot (of a VM, with its
        end and the scan for leaks), test (in a VM), kunit."""
        self.rows.append((kind, kernel, name, seconds))
        self.csv.writerow((kind, kernel, name, f"{seconds:.1f}"))
        self.file.flush()

    def elapsed(self):
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def _named(self, kind):
        rows = sorted((row for row in self.rows if row[0] == kind), key=lambda row: -row[3])
        return sum(row[3] for row in rows), ", ".join(f"{row[2]} {row[3]:.0f}" for row in rows)

    def summary(self):
        """Lines of text."""
        parts = []
        for kind, title in (("build", "building"), ("rig", "the rig on the host"), ("host", "host tests")):
            seconds, names = self._named(kind)
            if names:
                parts.append((seconds, f"{title}: {names}"))
        for kernel in dict.fromkeys(row[1] for row in self.rows if row[0] in ("boot", "test", "kunit")):
            mine = [row for row in self.rows if row[1] == kernel]
            text = []
            for kind, title in (("test", "tests"), ("boot", "boots"), ("kunit", "KUnit")):
                spent = [row[3] for row in mine if row[0] == kind]
                if spent:
                    text.append(f"{title} {sum(spent):.0f}" if kind == "kunit"
                                else f"{len(spent)} {title if len(spent) > 1 else title[:-1]} {sum(spent):.0f}")
            parts.append((sum(row[3] for row in mine if row[0] in ("boot", "test", "kunit")),
                          f"{kernel}: {', '.join(text)}"))
        yield f"{self.elapsed():.0f} s in all; where they went (build/results/times.csv has each step):"
        for seconds, text in parts:
            yield f"{seconds:7.0f}  {text}"
        tests = sorted((row for row in self.rows if row[0] == "test"), key=lambda row: -row[3])
        if tests:
            yield "the slowest tests:"
        for _, kernel, name, seconds in tests[:SLOWEST]:
            yield f"{seconds:7.0f}  {name}, {kernel}"
