# SPDX-License-Identifier: GPL-2.0
"""The account of a test run: a table for scripts, and what stands at the end of the output."""
import csv
import json
import os

from test_times import Times


class NotRun:
    """The tests of a run that have not come to their end: not-run.csv, which names fewer and fewer."""

    def __init__(self, folder):
        self.path = f"{folder}/not-run.csv"
        self.tests = []
        if os.path.exists(self.path):
            with open(self.path, newline="", encoding="utf-8") as file:
                self.tests = [tuple(row) for row in csv.reader(file)][1:]

    def keep(self, tests):
        """These are left."""
        self.tests = list(tests)
        # In one step, since the run may be ended at this moment.
        with open(f"{self.path}.new", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("kernel", "test", "subject"))
            writer.writerows(self.tests)
        os.replace(file.name, self.path)

    def ended(self, test):
        if test in self.tests:
            self.keep(other for other in self.tests if other != test)


class Account:
    """All results: rows for tests.csv, counts for the last line, numbers for KTAP.

    A run may be made of several programs, one after the other, each of which goes on with the account
    that the one before has left."""

    def __init__(self, folder, anew=True):
        os.makedirs(folder, exist_ok=True)
        self.kept = f"{folder}/account.json"
        self.counts = {"pass": 0, "fail": 0, "skip": 0}
        # Lines for the end: failures, where the C originals differ, what failed as expected, which tests
        # ran again.
        self.failures, self.differences, self.expected, self.repeated = [], [], [], []
        self.number = 0
        if not anew:
            self.resume()
        self.file = open(f"{folder}/tests.csv", "w" if anew else "a", newline="", encoding="utf-8")
        self.csv = csv.writer(self.file, lineterminator="\n")
        if anew:
            self.csv.writerow(("suite", "test", "subject", "kernel", "result", "reason", "counted"))
            print("KTAP version 1", flush=True)
        self.times = Times(f"{folder}/times.csv")
        self.not_run = NotRun(folder)

    def resume(self):
        """What the program before has left. It is of use only once."""
        with open(self.kept, encoding="utf-8") as file:
            kept = json.load(file)
        os.unlink(self.kept)
        self.counts, self.number = kept["counts"], kept["number"]
        self.failures, self.differences, self.expected, self.repeated = kept["lines"]

    def interrupt(self):
        """Leaves the account to the next program."""
        with open(self.kept, "w", encoding="utf-8") as file:
            json.dump({"counts": self.counts, "number": self.number,
                       "lines": (self.failures, self.differences, self.expected, self.repeated)}, file)
        return 0

    def add(self, suite, test, subject, kernel, result, reason="", counted=True, expected=False):
        self.csv.writerow((suite, test, subject, kernel, result, reason,
                           "yes" if counted else "expected" if expected else "comparison"))
        self.file.flush()
        if counted:
            self.counts[result] += 1
            if result == "fail":
                self.failures.append(f"{suite}, {kernel}: {test}" + (f" ({reason})" if reason else ""))
        elif expected:
            self.expected.append(test.split(": ")[0])
        elif result == "fail":
            self.differences.append(f"{subject}, {kernel}: {test}")

    def add_vm(self, test, *rest):
        """A result from the VM. The kernel's own selftests are a suite of their own there."""
        self.add("upstream" if test.startswith("upstream/") else "vm", test, *rest)

    def add_all(self, events):
        """Results that selftests/run has written."""
        for event in events:
            self.add_vm(event["test"], event["subject"], event["kernel"], event["result"],
                        event["reason"], event["counted"], event.get("expected", False))

    def ended(self, kernel, test, subject=""):
        """A test has come to its end, or to one that is in the account."""
        self.not_run.ended((kernel, test.removeprefix("selftests/"), subject))

    def again(self, file, reason):
        """A test under which QEMU ended itself, and which therefore runs once more."""
        self.repeated.append(f"{file}: {reason}")
        print(f"# {reason}; {file} runs again", flush=True)

    def top(self, good, title, note=""):
        """One top-level KTAP result."""
        self.number += 1
        print(f"{'ok' if good else 'not ok'} {self.number} {title}{' # ' + note if note else ''}",
              flush=True)

    def finish(self):
        """The end of the output; returns the exit status."""
        print(f"1..{self.number}")
        for line in self.times.summary():
            print(f"# {line}")
        if self.differences:
            print("# where the C originals, which are not counted, differ:")
            for line in self.differences:
                print(f"#   {line}")
        if self.expected:
            print(f"# {len(self.expected)} results failed as expected (not passed, not counted), in: "
                  + ", ".join(dict.fromkeys(self.expected)))
        if self.repeated:
            print("# QEMU ended itself under these, which ran again:")
            for line in self.repeated:
                print(f"#   {line}")
        if self.not_run.tests:
            print(f"# {len(self.not_run.tests)} tests were not run: build/results/not-run.csv names them")
        for line in self.failures:
            print(f"# failed: {line}")
        print("{pass} passed, {fail} failed, {skip} skipped".format(**self.counts), flush=True)
        return 1 if self.counts["fail"] or not self.counts["pass"] else 0
