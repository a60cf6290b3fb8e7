# SPDX-License-Identifier: GPL-2.0
"""From what a test of upstream's says to results, and from results to a verdict.

Upstream's tests speak TAP, or words at the head of a line, or only by their exit status. A result is
one of pass, fail, skip and xfail. The last one is upstream's word for what is excused: a feature that
the device does not have, or a machine that is too slow (KSFT_MACHINE_SLOW). It is not passed.
"""

import csv
import dataclasses
import fnmatch
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 4


@dataclasses.dataclass
class Result:
    name: str
    result: str
    reason: str = ""


# TODO is a directive of TAP: a failure that is not counted.
TAP = re.compile(r"^(ok|not ok)\b ?(\d*) ?(?:- )?(.*?)(?: ?# (SKIP|XFAIL|TODO)\b:? ?(.*))?$")
WORDS = re.compile(r"^(PASS|FAIL|SKIP|XFAIL): +(.*)$")
VERDICT = re.compile(r"^TEST: (.*?)\s+\[ *(OK|FAIL|SKIP|XFAIL) *\]$")
PLAN = re.compile(r"^1\.\.(\d+)")
OF_WORD = {"PASS": "pass", "OK": "pass", "FAIL": "fail", "SKIP": "skip", "XFAIL": "xfail"}


def of_line(line):
    """The result that a line is, else None."""
    if match := TAP.match(line):
        word, number, name, directive, why = match.groups()
        if directive in ("SKIP", "XFAIL"):
            return Result(name or why or number, OF_WORD[directive], why or "")
        return Result(name or number, "pass" if word == "ok" else "fail", why or "")
    if match := WORDS.match(line):
        return Result(match.group(2), OF_WORD[match.group(1)])
    if match := VERDICT.match(line):
        name, word = match.groups()
        # Called a pass, and none.
        return (Result(name.removeprefix("SKIP: "), "skip") if name.startswith("SKIP: ")
                else Result(name, OF_WORD[word]))
    return None


def reason_of(said):
    """Of what was said before a failure, the line that tells most."""
    lines = [re.sub(r"^#\s*(Exception\|)?\s*", "", line).strip() for line in said]
    lines = [line for line in lines if line]
    checks = [line for line in lines if line.startswith("Check failed")]
    return (checks or lines[-1:] or [""])[0]


def by_titles(lines):
    """What go_on.sh makes of a script: a title for each case, and which ones failed; and whether it came
    to the last one, by which it says so."""
    found, said, ended = [], [], False
    for line in lines:
        if line.startswith("title: "):
            said, ended = [], line.startswith("title: OK.")
            if not ended:
                found.append(Result(line.removeprefix("title: "), "pass"))
        elif line.startswith("failed: ") and found:
            found[-1].result = "fail"
            found[-1].reason = reason_of(said) or line.removeprefix("failed: ")
        else:
            said.append(line)
    return found, ended


def read(name, lines, status, titles=False):
    """The results of a test that said this and ended so (None: it was ended)."""
    ended = True
    if titles:
        (found, ended), planned = by_titles(lines), None
    else:
        found, planned, said = [], None, []
        for line in lines:
            if match := PLAN.match(line):
                planned = int(match.group(1))
            if result := of_line(line):
                if result.result == "fail":
                    result.reason = result.reason or reason_of(said)
                found.append(result)
                said = []
            else:
                said.append(line)
    last = reason_of(lines)
    if status is None:
        return [*found, Result("ends in time", "fail", last)]
    if planned and planned > len(found):
        return [*found, Result("runs to its end", "fail", f"{len(found)} of {planned}: {last}")]
    if not ended and not died(status):
        return [*found, Result("runs to its end", "fail", f"status {status}: {last}")]
    kinds = {result.result for result in found}
    if died(status) or found and status not in (0, SKIPPED) and "fail" not in kinds:
        return [*found, Result("exit status", "fail", f"{status}: {last}")]
    if not found:
        word = "skip" if planned == 0 else {0: "pass", SKIPPED: "skip"}.get(status, "fail")
        return [Result("all of it", word, "" if word == "pass" else last)]
    if status == SKIPPED and not kinds & {"skip", "fail"}:
        return [*found, Result("the rest of it", "skip", last)]
    return found


def died(status):
    """Whether that is no status of a test's own: a signal, or a shell's for one, or for no such program."""
    return status < 0 or status >= 126


# What is said here of a test as a whole. A line that expects its cases to fail does not excuse that it
# hangs, crashes, or has none: only one that says so does.
OF_THE_WHOLE = ("ends in time", "runs to its end", "exit status", "all of it")


class Expectations:
    """expected.csv: what our modules do not pass, and which work will change that. The first line that
    fits counts; what no line fits is expected to pass. The columns may hold patterns."""

    COLUMNS = ["test", "subject", "kernel", "expected", "says", "why"]

    def __init__(self, path=f"{HERE}/expected.csv"):
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.reader(line for line in file if not line.startswith("#"))
            if next(rows) != self.COLUMNS:
                raise ValueError(f"{path}: its columns are not {self.COLUMNS}")
            self.rows = [tuple(row) for row in rows if row]
        for row in self.rows:
            if len(row) != len(self.COLUMNS) or row[3] not in ("fail", "skip", "xfail") or not row[5]:
                raise ValueError(f"{path}: {row}")
            re.compile(row[4])

    def row_of(self, test, case, subject, kernel):
        asked = (f"{test}: {case}", subject, kernel)
        for row in self.rows:
            if case in OF_THE_WHOLE and not row[0].endswith(f": {case}"):
                continue
            if all(map(fnmatch.fnmatchcase, asked, row)):
                return row
        return None

    def of(self, test, case, subject, kernel):
        """(expected, what is said then, why)"""
        row = self.row_of(test, case, subject, kernel)
        return row[3:] if row else ("pass", "", "")

    def unmet(self, test, cases, subject, kernel):
        """The lines about this test for which no case has come: it ended early, or they are out of date."""
        about = {row for row in self.rows if row[0].startswith(f"{test}: ")
                 and all(map(fnmatch.fnmatchcase, (subject, kernel), row[1:3]))}
        met = {self.row_of(test, case, subject, kernel) for case in cases}
        return sorted(row[0].removeprefix(f"{test}: ") for row in about - met)

    def verdict(self, test, result, subject, kernel):
        """(word, text): ok, skip, xfail (as expected, not passed), or fail, with what there is to say."""
        expected, says, why = self.of(test, result.name, subject, kernel)
        if result.result == expected and not re.search(says, result.reason):
            return "fail", f"expected.csv ({why}) has another reason, {says!r}: {result.reason}"
        if result.result != expected:
            text = f"{expected} expected" + (f" ({why})" if why else "")
            text += f", {result.result} seen" + (f": {result.reason}" if result.reason else "")
            if result.result == "pass":
                text += ": expected.csv is out of date"
            return "fail", text
        if expected == "pass":
            return "ok", ""
        text = why + (f"; {result.reason}" if result.reason else "")
        if expected == "fail":
            return "xfail", text
        return "skip", ("XFAIL by upstream: " if expected == "xfail" else "") + text
