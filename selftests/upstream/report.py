#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes, as Markdown, what the kernel's own selftests say of our modules and of the C originals.

usage: selftests/upstream/report.py [TESTS.CSV...]     default: build/results/tests.csv

For Documentation/upstream-tests.md, after `make test-full TESTS=upstream/`. Of the same test in more than
one file the last one counts.
"""

import collections
import csv
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
# pylint: disable=wrong-import-position
import catalogue
import results

EXCUSED = "XFAIL by upstream: "
ORIGINALS = catalogue.PACKET[1:] + catalogue.DRIVERS[1:]
OF_RUNNER = "kernel log clean, nothing left behind"

HEAD = """<!-- SPDX-License-Identifier: GPL-2.0 -->
<!-- Written by selftests/upstream/report.py; edit that. -->
# The kernel's own tests

What upstream's selftests for packet sockets and network drivers say of our modules, and, in the same
machine, of the C originals. They run from the source of the kernel as Debian's package has it; nothing
in them was changed.

Command: `make test-full TESTS=upstream/`, then `selftests/upstream/report.py >Documentation/upstream-tests.md`;
or in parts, whose tables are given to the second one.

Machine:

{machines}

How to read it:

* **af_rpacket** takes the place of AF_PACKET: by its number, 17, where af_packet is a module that need not
  be loaded (debug); by a preloaded library where it is built in (stock), which turns each packet socket of
  the program under test, and of nothing else, into one of family 25.
* **rtl8139_rs** has QEMU's RTL8139; an e1000 in its own network namespace is the other end (in the same one,
  for a test that is told two interfaces). **8139too** has the same card, shown to it with another revision.
* A test in shell that stops at its first failing case goes on here, to show the others. What such a test
  expects to fail passes by any error, also by that of an option that is not there.
* `KSFT_MACHINE_SLOW=yes` is set. What upstream then excuses, or excuses because the device lacks a
  feature, it calls XFAIL. That, and what is skipped, is not passed.
* A dash: not run. The C originals run on stock alone.
* A complaint of the kernel, and a program that did not use our family, are failures more.
"""


def read(paths):
    """{(test, case): {(subject, kernel): (result, reason)}}, in the order of the catalogue."""
    found = collections.defaultdict(dict)
    for path in paths:
        anew = set()
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["suite"] != "upstream" or (row["kernel"] != "stock" and row["subject"] in ORIGINALS):
                    continue
                test, _, case = row["test"].removeprefix("upstream/").partition(": ")
                where = row["subject"], row["kernel"]
                if (test, *where) not in anew:
                    anew.add((test, *where))
                    for (name, _), outcomes in found.items():
                        if name == test:
                            outcomes.pop(where, None)
                result, reason = row["result"], row["reason"]
                if reason.startswith(EXCUSED):
                    result, reason = "xfail", reason.removeprefix(EXCUSED)
                found[test, case][where] = (result, reason)
    order = {test.name: number for number, test in enumerate(catalogue.TESTS)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0][0], len(order))))


def cell(outcomes):
    """12 pass, 1 fail"""
    counts = collections.Counter(outcomes)
    return ", ".join(f"{counts[word]} {word}" for word in ("pass", "fail", "xfail", "skip") if counts[word])


def table(found, subjects, kernels):
    """One row for each test and kernel, one column for each subject."""
    yield f"| test | kernel | {' | '.join(subjects)} |"
    yield f"|---|---|{'---|' * len(subjects)}"
    for test in catalogue.TESTS:
        if test.subjects != subjects:
            continue
        for kernel in kernels:
            cells = []
            for subject in subjects:
                cells.append(cell(
                    outcomes[subject, kernel][0] for (name, case), outcomes in found.items()
                    if name == test.name and case != OF_RUNNER and (subject, kernel) in outcomes))  # fmt: skip
            if any(cells):
                yield f"| {test.name} | {kernel} | {' | '.join(text or '-' for text in cells)} |"


def escape(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def lacking(found, subjects, kernels):
    """What ours does not pass, and why; cases of one test with the same outcome in one line."""
    expectations = results.Expectations()
    groups = collections.defaultdict(list)
    for (test, case), outcomes in found.items():
        if case == OF_RUNNER:
            continue
        for kernel in kernels:
            result, reason = outcomes.get((subjects[0], kernel), ("pass", ""))
            if result == "pass":
                continue
            *_, why = expectations.of(test, case, subjects[0], kernel)
            theirs = "; ".join(f"{other}: {outcomes[other, kernel][0]}" for other in subjects[1:]
                               if (other, kernel) in outcomes)  # fmt: skip
            # The reason of an expected failure begins with that line's words.
            groups[test, kernel, result, why or reason, theirs].append(case)
    merged = collections.defaultdict(list)
    for (test, kernel, *rest), cases in groups.items():
        merged[test, tuple(cases), *rest].append(kernel)
    yield "| test | case | kernel | ours | originals | why |"
    yield "|---|---|---|---|---|---|"
    for (test, cases, result, why, theirs), where in merged.items():
        names = ", ".join(cases) if len(cases) <= 4 else f"{cases[0]} and {len(cases) - 1} more"
        yield (f"| {test} | {escape(names)} | {', '.join(where)} | {result} | {theirs or '-'} "
               f"| {escape(why)} |")


def page(paths):
    found = read(paths)
    seen = {kernel for outcomes in found.values() for _, kernel in outcomes}
    kernels = [kernel for kernel in ("stock", "debug", "rt") if kernel in seen]
    machines = []
    for kernel in kernels:
        with open(f"{TREE}/build/results/upstream/machine.{kernel}", encoding="utf-8") as file:
            machines.append(f"* {kernel}: {file.read().strip()}")
    for test in catalogue.TESTS:
        if test.cpus != catalogue.Test.cpus:
            machines.append(f"* {test.name}: {test.cpus} CPUs")
    yield HEAD.format(machines="\n".join(machines))
    for title, subjects in (("Packet sockets", catalogue.PACKET), ("Drivers", catalogue.DRIVERS)):
        yield f"## {title}\n"
        yield from table(found, subjects, kernels)
        yield f"\nWhat {subjects[0]} does not pass:\n"
        yield from lacking(found, subjects, kernels)
        yield ""
    yield "## Not run\n\n| test | why |\n|---|---|"
    names = {name for name, _ in found}
    for test in catalogue.TESTS:
        if test.name not in names:
            yield f"| {test.name} | not in the results that this page is made of |"
    for name, why in catalogue.NOT_RUN.items():
        yield f"| {name} | {why} |"


def main():
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        return
    try:
        print("\n".join(page(sys.argv[1:] or [f"{TREE}/build/results/tests.csv"])))
    except FileNotFoundError as error:
        sys.exit(f"rpacket: error: no {error.filename}: run make test-full TESTS=upstream/ first")


if __name__ == "__main__":
    main()
