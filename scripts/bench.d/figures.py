# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of the report: what repeated counts say, own shares, and ratios with their spread."""
import collections
import math
import statistics

import subjects

# Two runs of what is counted should not differ by more.
REPEATABLE = 0.01
# Counts of accesses are by frame: so many in the whole run are chance.
FEW = 5


class Counts:
    """What was counted for a frame or a packet, the value of each run. Subjects are given by their names,
    and have a column for the driver and one for the mode."""

    COLUMNS = ("workload", "subject", "mode", "cpus", "metric", "unit", "value")

    def __init__(self):
        self.values = collections.OrderedDict()
        # Of how many frames, where the count is a total divided by them.
        self.frames = {}

    def add(self, value, *, workload, subject, metric, cpus=1, unit="per packet", frames=0):
        key = (workload, subjects.driver_of(subject), subjects.mode_of(subject), cpus, metric, unit)
        self.values.setdefault(key, []).append(value)
        self.frames[key] = frames

    def kept(self):
        """As something that json can keep."""
        return [[list(key), values, self.frames[key]] for key, values in self.values.items()]

    def take(self, kept):
        """What kept() gave."""
        for key, values, frames in kept:
            self.values[tuple(key)], self.frames[tuple(key)] = values, frames

    def get(self, workload, subject, metric, cpus=1):
        """The mean of the runs; None if it was not counted."""
        for (at_workload, driver, mode, at_cpus, at_metric, _), values in self.values.items():
            if (at_workload, subjects.name_of(driver, mode), at_metric, at_cpus) == (workload, subject, metric, cpus):
                return statistics.fmean(values)
        return None

    def rows(self, wanted=lambda metric: True):
        """As dictionaries with the columns of counts.csv."""
        for key, values in self.values.items():
            row = dict(zip(self.COLUMNS, key))
            if wanted(row["metric"]):
                yield {**row, "value": round(statistics.fmean(values), 4)}

    def repeats(self, wanted=lambda metric: True):
        """What was counted more than once: its row, the least and the most, and by which part of the
        least they differ."""
        for key, values in self.values.items():
            row = dict(zip(self.COLUMNS, key))
            if len(values) < 2 or not wanted(row["metric"]):
                continue
            low, high = min(values), max(values)
            differ = (high - low) / abs(low) if low else 0.0 if high == 0 else math.inf
            chance = FEW / self.frames[key] if self.frames[key] else 0
            yield {**{k: row[k] for k in self.COLUMNS[:-1]}, "least": round(low, 4),
                   "most": round(high, 4), "differ": round(differ, 5), "chance": chance}


def unsteady(row):
    """Whether a row of repeats() says more than chance."""
    return row["differ"] > REPEATABLE and row["most"] - row["least"] > row["chance"]


def rank(count):
    """How many of `count` sorted values lie outside the 95 percent interval of the median at either end.

    By the binomial distribution: each value is below the true median with probability one half. Fewer
    than six values have no such interval, and all of them lie inside."""
    total, outside = 0.0, 0
    for k in range(count // 2):
        total += math.comb(count, k) / 2 ** count
        if total > 0.025:
            break
        outside = k + 1
    return max(outside - 1, 0)


def quotient(part, whole):
    return part / whole if whole else math.inf


def ratio(ours, theirs, more_is_better=True):
    """(median, low, high) of ours by theirs, round by round: above 1 ours is better.

    `low` and `high` are the ends of the 95 percent interval of the median. A round in which one of the two
    had nothing counts, as 0 or as infinite; None if both had nothing in all of them."""
    pairs = [quotient(a, b) if more_is_better else quotient(b, a) for a, b in zip(ours, theirs) if a or b]
    if not pairs:
        return None
    pairs.sort()
    cut = rank(len(pairs))
    return statistics.median(pairs), pairs[cut], pairs[len(pairs) - 1 - cut]
