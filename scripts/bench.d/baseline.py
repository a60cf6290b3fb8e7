# SPDX-License-Identifier: GPL-2.0
"""Today's counts beside those of an earlier run. Only what is counted: times do not compare."""
import csv

import subjects

OURS = (*subjects.OURS, "af_rpacket")
MARGIN, SLACK = 0.02, 0.005
# Differences of large figures, which repeat to some instructions, however large the difference is.
OWN_SLACK = 25
DERIVED = ("own_instructions", "above_null_instructions")
# Of a long frame that is received: a boot more or less has a page for buffers in the round.
PAGE_SLACK = 110


def key_of(row):
    return row["workload"], subjects.name_of(row["subject"], row["mode"]), str(row["cpus"]), row["metric"]


def read(path):
    """The counts of a file; a ValueError if it is none, or has none of ours."""
    try:
        with open(path, encoding="utf-8") as file:
            found = {key_of(row): float(row["value"]) for row in csv.DictReader(file)}
    except (KeyError, TypeError) as error:
        raise ValueError("it has not the columns of a counts.csv") from error
    if not any(subject in OURS for _, subject, *_ in found):
        raise ValueError("it has no counts of ours")
    return found


def part_of(metric):
    """Which part of the measurements a metric belongs to: what was not run cannot be missed."""
    return "instructions" if metric.endswith("_instructions") else "registers"


def slack_of(workload, metric):
    """How much a count may grow besides the margin."""
    if part_of(metric) != "instructions":
        return SLACK
    if workload in ("rx-lone-1514", "rx-batch-1514"):
        return PAGE_SLACK
    return OWN_SLACK if metric in DERIVED else SLACK


def worse(before, rows):
    """What of ours has grown beyond the margin, or is missing though its part ran, as lines of text."""
    now = {key_of(row): float(row["value"]) for row in rows}
    parts = {part_of(metric) for _, _, _, metric in now if not metric.startswith("stalled")}
    for key, value in now.items():
        workload, subject, cpus, metric = key
        if subject not in OURS:
            continue
        if metric.startswith("stalled"):
            if key not in before:
                yield f"{subject} has stalled in {workload}, {cpus} CPUs"
        # How many frames of a stream come at once is up to the host.
        elif not workload.startswith("tcp") and key in before and (
                value > before[key] * (1 + MARGIN) + slack_of(workload, metric)):
            yield f"{subject}, {workload} {metric}, {cpus} CPUs: {before[key]} before, {value} now"
    for key in before:
        workload, subject, cpus, metric = key
        if subject in OURS and not metric.startswith("stalled") and key not in now and part_of(metric) in parts:
            yield f"{subject}, {workload} {metric}, {cpus} CPUs: counted before, missing now"
