# SPDX-License-Identifier: GPL-2.0
"""The report as one page of HTML with pictures: no script, nothing to fetch."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
import html_page
import plots
import report
from counted import MORE_WORKLOADS, STALLED, STALLED_INSTRUCTIONS, WORKLOADS
from report import FAMILIES, MODULES, PATHS, TITLES
from subjects import DRIVERS, OURS, title_of

# The pictures stay on white; the text follows the reader's choice of light or dark.
BOTH = """<style>:root { color-scheme: light dark } body { color: CanvasText; background: Canvas }
svg { border-radius: 4px }</style>"""


def heading(text):
    return f"<h2>{text}</h2>"


def of_drivers(counts, metrics, cpus):
    """For each workload the sum of the metrics of each driver, or `stalled`."""
    no_end = STALLED_INSTRUCTIONS if "own_instructions" in metrics else STALLED
    for workload in (*WORKLOADS, *MORE_WORKLOADS):
        row = []
        for driver in DRIVERS:
            values = [counts.get(workload, driver, metric, cpus) for metric in metrics]
            stalled = counts.get(workload, driver, no_end, cpus)
            row.append("stalled" if stalled else None if None in values else sum(values))
        if any(value is not None for value in row):
            yield workload, row


def chart(title, x, series, rows):
    rows = list(rows)
    return plots.bars(title, x, series, rows) if rows else None


def pictures_of_counts(counts):
    for cpus in (1, 2):
        where = f"{cpus} CPU{'s' * (cpus > 1)}"
        yield chart(f"Accesses to registers for a frame, {where}", "reads and writes", TITLES,
                    of_drivers(counts, ("register_reads", "register_writes"), cpus))
        yield chart(f"Interrupts for a frame, {where}", "interrupts", TITLES,
                    of_drivers(counts, ("interrupts",), cpus))
    yield chart("Instructions of a driver for a frame, beyond the null driver", "instructions", TITLES,
                of_drivers(counts, ("own_instructions",), 1))
    whole = ((path, [counts.get(path, family, "guest_instructions") for family in (*FAMILIES, "null")])
             for path in PATHS)
    yield chart("Instructions of the packet sockets for a packet, whole path", "instructions",
                (*FAMILIES, "null family"), [row for row in whole if None not in row[1]])
    own = ((path, [counts.get(path, family, "above_null_instructions") for family in FAMILIES])
           for path in PATHS)
    yield chart("Instructions of the packet sockets above the null family", "instructions", FAMILIES,
                [row for row in own if None not in row[1]])


def picture_of_ratios(title, ratios, subject):
    against = tuple(dict.fromkeys(row["against"] for row in ratios if row["subject"] == subject))
    rows = {}
    for row in ratios:
        if row["subject"] == subject:
            label = row["workload"] if "latency" not in row["metric"] else row["metric"]
            value = (row["ratio"], row["low"], row["high"]) if row["ratio"] != "" else row["note"]
            rows.setdefault(label, [None] * len(against))[against.index(row["against"])] = value
    return rows and plots.ratios(title, "ours by the other's; right of 1 ours is better",
                                 tuple(f"against {title_of(other)}" for other in against), list(rows.items()))


def pictures_of_losses(losses):
    for workload in dict.fromkeys(row["workload"] for row in losses):
        series = {}
        for row in losses:
            if row["workload"] == workload:
                points = series.setdefault(row["subject"], [])
                if row["share"] != "":
                    points.append((row["offered"], 100 * row["share"]))
        yield plots.lines(f"Loss, {workload}", "packets offered in a second", "lost, percent",
                          [(title_of(subject), sorted(points)) for subject, points in series.items()],
                          dots=True, zero=True)


def picture_of_sizes(sizes):
    found = {(row["subject"], row["metric"]): row["value"] for row in sizes}
    kinds = ("code", "constants", "data")
    rows = [(subject, [found.get((subject, kind)) for kind in kinds])
            for subject in MODULES if (subject, "code") in found]
    yield chart("What the modules keep loaded", "bytes", kinds, rows)
    kinds = ("socket_object", "socket_slab", "socket_percpu")
    rows = [(family, [found.get((family, kind)) for kind in kinds])
            for family in FAMILIES if (family, "socket_slab") in found]
    yield chart("What a bound socket takes", "bytes",
                ("its object", "with its file", "of each CPU's memory"), rows)


def html(machine, counts, ratios, losses, sizes):
    """The page."""
    parts = [BOTH, f"<p>{machine}</p>"]
    shares = list(report.improvable(counts))
    if shares:
        parts += [heading("What of each path is ours to improve"),
                  html_page.table(report.IMPROVABLE, shares)]
    parts += [heading("Counted"), *filter(None, pictures_of_counts(counts))]
    if ratios:
        parts += [heading("Timed, as ratios within one boot"), *filter(None, (
            *(picture_of_ratios(f"Rates of {title_of(ours)}", ratios, ours) for ours in OURS),
            picture_of_ratios("Rates of the packet sockets", ratios, "af_rpacket")))]
    if losses:
        parts += [heading("Loss against offered rate"), *pictures_of_losses(losses)]
    if sizes:
        parts += [heading("Memory"), *filter(None, picture_of_sizes(sizes))]
    return html_page.page("What a packet costs", parts)
