# SPDX-License-Identifier: GPL-2.0
"""Whether a series of samples grows: the criterion of `make soak`, which Documentation/soak.md explains.

The slope is that of Theil and Sen, the median of the slopes between all pairs of samples: a step, as when a
cache is filled once, or a stray sample moves it little. Its limits of confidence come from the
distribution of Kendall's statistic (Sen 1968): they need no assumption on how the samples scatter.
"""
import math
import statistics

# With fewer samples no order of them is improbable enough.
LEAST = 8
# 99.87 percent, on one side.
Z = 3.0


def slopes(points):
    """The slopes of all pairs, sorted."""
    return sorted((y2 - y1) / (x2 - x1)
                  for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:] if x2 != x1)


def slope(points, z=Z):
    """(low, median, high): the slope, and between which limits it is."""
    found = slopes(points)
    if not found:
        return -math.inf, 0.0, math.inf
    n = len(points)
    # Ties among the values make Kendall's statistic scatter less.
    ties = [sum(1 for _, y in points if y == value) for value in {y for _, y in points}]
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    width = z * math.sqrt(max(variance, 0))
    low, high = math.floor((len(found) - width) / 2) - 1, math.ceil((len(found) + width) / 2)
    low, high = (max(low, 0), min(high, len(found) - 1)) if width == 0 else (low, high)
    return (found[low] if low >= 0 else -math.inf, statistics.median(found),
            found[high] if high < len(found) else math.inf)


def judge(points, limit):
    """(verdict, slope, low, high) of (time, value) points.

    `grows`: surely more than nothing, and by more than the limit. `flat`: surely less than the limit.
    `short`: the samples cannot tell."""
    low, middle, high = slope(points)
    if len(points) < LEAST:
        return "short", middle, low, high
    if low > 0 and middle > limit:
        return "grows", middle, low, high
    return ("flat" if high <= limit else "short"), middle, low, high


def without_warm_up(points):
    """The first quarter, two samples at least, is left out: caches fill, lists get their length."""
    return points[max(2, len(points) // 4):]
