#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judges the samples of a soak and writes build/soak/report.html (scripts/soak says how).

Exit status: 0 everything was done and is flat, 1 something grows or was wrong, 3 too short to tell.
"""
import csv
import html
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import flat
import html_page
import plots

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "/rpacket/build/soak"
KIB = 1024
# What may be gained in a minute, for certain: bytes, or objects. MemAvailable may be lost.
BYTES = {"MemAvailable": 512 * KIB, "Other": 256 * KIB, "Slab": 256 * KIB, "SUnreclaim": 128 * KIB,
         "VmallocUsed": 64 * KIB, "Percpu": 32 * KIB, "PageTables": 64 * KIB, "KernelStack": 64 * KIB}
OBJECTS = {"skbuff_head_cache": 12, "skbuff_small_head": 12, "skbuff_fclone_cache": 12,
           "skbuff_ext_cache": 12, "sock_inode_cache": 6, "filp": 6, "dentry": 60,
           "RPACKET": 2, "PACKET": 2, "net_namespace": 2,
           **{f"kmalloc-{size}": 60 for size in ("64", "128", "192", "256", "512", "1k", "2k", "4k", "8k")}}
REFERENCES = {"sockets_rpacket": 0.1, "refcnt_rtl8139_rs": 0.1, "refcnt_af_rpacket": 0.1, "namespaces": 0.1,
              "devices": 0.1, "device_references": 1, "descriptors": 6}
LIMITS = {**BYTES, **OBJECTS, **REFERENCES}
# Those of which there are thousands.
MANY = tuple(name for name in OBJECTS if name == "dentry" or "kmalloc" in name)
PLOTS = (
    ("Memory", "MiB", 1 << 20, ("MemAvailable", "Other")),
    ("Slab memory", "MiB", 1 << 20, ("Slab", "SUnreclaim")),
    ("Other memory of the kernel", "KiB", KIB, ("VmallocUsed", "Percpu", "PageTables", "KernelStack")),
    ("Packets, sockets, namespaces", "objects", 1, tuple(name for name in OBJECTS if name not in MANY)),
    ("Memory by size, and dentries", "objects", 1, MANY),
    ("References", "", 1, tuple(REFERENCES)),
)


def samples():
    """The rows, with numbers; the last one may be cut."""
    with open(f"{FOLDER}/samples.csv", encoding="ascii") as file:
        for row in csv.DictReader(file):
            if None not in row.values() and None not in row:
                yield {name: float(value) for name, value in row.items()}


def events():
    if os.path.exists(f"{FOLDER}/events.jsonl"):
        with open(f"{FOLDER}/events.jsonl", encoding="utf-8") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    pass  # The end of a run that was ended.


def judgements(quiet):
    """(name, verdict, slope, low, high, limit) of each series."""
    for name, limit in LIMITS.items():
        sign = -1 if name == "MemAvailable" else 1
        points = [(row["seconds"] / 60, sign * row[name]) for row in quiet]
        yield (name, *flat.judge(flat.without_warm_up(points), limit), limit)


def by_minutes(names, scale, rows):
    return [(name, [(row["seconds"] / 60, row[name] / scale) for row in rows]) for name in names]


def course(rows, quiet):
    """The storms as a thin course, the quiet moments as points."""
    storms = [row for row in rows if not row["quiet"]]
    for title, unit, scale, names in PLOTS:
        yield plots.lines(title, "minutes", unit, by_minutes(names, scale, quiet), dots=True)
        yield plots.lines(f"{title}, during the storms", "minutes", unit, by_minutes(names, scale, storms),
                          height=200)


def main():
    rows, happened = list(samples()), list(events())
    quiet = [row for row in rows if row["quiet"]]
    begin = next((event for event in happened if event["event"] == "begin"), {})
    rounds = [event for event in happened if event["event"] == "round"]
    blown = [event for event in happened if event["event"] == "storm"]
    minutes = rows[-1]["seconds"] / 60 if rows else 0
    wrong = [f"round {event['round']}: {event['reason']}" for event in rounds if event["reason"]]
    judged = list(judgements(quiet))
    grows = [name for name, verdict, *_ in judged if verdict == "grows"]
    short = [name for name, verdict, *_ in judged if verdict == "short"]
    ended = any(event["event"] == "end" for event in happened)

    totals = {key: sum(event[key] for event in blown) for key in ("actions", "sockets", "frames")}
    facts = [f"Linux {begin.get('release')} ({begin.get('kernel')}), {begin.get('cpus')} CPUs, seed "
             f"{begin.get('seed')}" + (", allocations failed on purpose" if begin.get("faults") else "")
             + (f", with the defect {begin['defect']}" if begin.get("defect") else ""),
             f"{minutes:.1f} minutes, {len(rounds)} storms: {totals['actions']} actions, of them "
             f"{totals['sockets']} sockets made and {totals['frames']} times frames received and compared"]
    if not ended:
        facts.append("The run was ended before its time.")
    for line in (*facts, *(f"wrong: {line}" for line in wrong),
                 *(f"grows: {name}, {middle:.6g} in a minute (more than {low:.6g}; limit {limit:g})"
                   for name, verdict, middle, low, high, limit in judged if verdict == "grows")):
        print(line)
    undone = rounds[-1].get("undone", []) if rounds else ["everything"]
    if undone:
        print(f"not done in so short a time: {', '.join(undone)}")
    if short:
        print(f"too short to tell with {len(quiet)} quiet samples: {', '.join(short)}")
    if not wrong and not grows and not short:
        print(f"flat: all {len(judged)} series, over {len(quiet)} quiet samples")
    elif not wrong and not grows:
        print("nothing was wrong and nothing grows, but the run was too short to be sure")

    head = ("series", "verdict", "in a minute", "surely more than", "surely less than", "limit")
    table = html_page.table(head, [
        (name, (verdict, "bad" if verdict == "grows" else ""), *map(round_off, (middle, low, high)), limit)
        for name, verdict, middle, low, high, limit in judged])
    parts = [f"<p>{html.escape(line)}.</p>" for line in facts]
    parts += [f'<p class="bad">{html.escape(line)}</p>' for line in wrong]
    parts += ["<h2>Verdicts</h2>", table, "<h2>Course</h2>", *course(rows, quiet)]
    with open(f"{FOLDER}/report.html", "w", encoding="utf-8") as file:
        file.write(html_page.page("Soak", parts))
    return 1 if wrong or grows else 3 if short or undone else 0


def round_off(value):
    """Three figures."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    sys.exit(main())
