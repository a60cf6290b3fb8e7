# SPDX-License-Identifier: GPL-2.0
"""What a packet may cost at most: the rows of budgets.csv, and how tests are held to them."""
import csv
import os

import lib

FILE = os.path.join(lib.HERE, "bench", "budgets.csv")


def of(*metrics, mode=""):
    """{workload: {metric: limit}} of those metrics, for the driver in a mode."""
    found = {}
    with open(FILE, encoding="ascii") as file:
        for row in csv.DictReader(file):
            if row["metric"] in metrics and row["mode"] == mode:
                found.setdefault(row["workload"], {})[row["metric"]] = float(row["limit"])
    return found


def hold(workload, costs, limits):
    """A Failure if one of the costs is above its limit; in a case."""
    lib.diag(f"{workload}: " + ", ".join(f"{cost:.3f} {metric}" for metric, cost in costs.items()))
    for metric, limit in limits.items():
        if costs[metric] > limit:
            raise lib.Failure(f"{costs[metric]:.3f} {metric} for a packet, {limit:g} are allowed")
