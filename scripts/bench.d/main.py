#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the measurements in VMs and makes one report of them (scripts/bench says how). Runs itself in the
build root."""
import csv
import hashlib
import json
import os
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
# The subjects are those of the programs in the VM.
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "selftests", "bench")]
# pylint: disable=wrong-import-position
import baseline
import counted
import functions
import guest
import page
import report
import sizes
import subjects
import timed
from counted import is_total
from figures import Counts
from guest import TREE, say

OUT = f"{TREE}/build/bench"
PARTS = ("registers", "instructions", "profile", "rates", "loss", "sizes")


def write(name, columns, rows):
    with open(f"{OUT}/{name}", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, lineterminator="\n", fieldnames=columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


# Each part is kept, with where its figures come from, so that the report shows the last run of all parts,
# whichever ran now.

def keep(part, data):
    store(part, {"data": data, "machine": machine(), "modules": modules(),
                 "day": time.strftime("%Y-%m-%d", time.gmtime())})


def keep_failure(part):
    """What there is of an earlier run stays, and is told for that."""
    store(part, {**record(part), "failed": time.strftime("%Y-%m-%d", time.gmtime())})


def store(part, what):
    os.makedirs(f"{OUT}/parts", exist_ok=True)
    path = f"{OUT}/parts/{part}.json"
    with open(f"{path}.partial", "w", encoding="utf-8") as file:
        json.dump(what, file)
    os.replace(f"{path}.partial", path)


def record(part):
    path = f"{OUT}/parts/{part}.json"
    if not os.path.exists(path):
        return {"data": []}
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    # One of an older version of this program is none.
    return found if "modules" in found or not found["data"] else {"data": []}


def kept(part):
    return record(part)["data"]


def sources(records):
    """What the figures come from: in one sentence, if all parts are of the same modules and machine and day."""
    places, failed = {}, ""
    for part, one in records.items():
        if one["data"]:
            places.setdefault(f"{one['machine']}, on {one['day']}, with the modules {one['modules']}", []).append(part)
        if "failed" in one:
            failed += f" The part {part} has failed on {one['failed']}" + (
                "; what is here of it is of a run before." if one["data"] else ".")
    text = " ".join(places) if len(places) == 1 else "\n\n".join(
        f"Of the parts {', '.join(parts)}: {place}." for place, parts in places.items()).removesuffix(".")
    text = f"{text}.{failed}" if text else failed.strip()
    return (f"{text} Guests of 1 GiB, machine q35; the card is QEMU's rtl8139, its peer an e1000 on the same hub. "
            f"Accesses with 1 and 2 CPUs in the guest, instructions with 1 and `-icount shift=0`, the rest with 2.")


def run(part):
    """One part, as something that json can keep."""
    if part in ("registers", "instructions"):
        counts = Counts()
        if part == "registers":
            counted.registers(counts)
        else:
            counted.driver_paths(counts)
            counted.family_paths(counts)
        return counts.kept()
    if part == "rates":
        return [*timed.driver_rates(), *timed.family_rates(), *timed.latency()]
    if part == "profile":
        return functions.rows()
    return list(timed.losses()) if part == "loss" else sizes.rows()


def measure(parts, work=run, good=keep, bad=keep_failure):
    """Runs the parts and keeps what they find; returns those that failed, by whatever it was."""
    failed = []
    for part in parts:
        try:
            good(part, work(part))
        except Exception as error:  # pylint: disable=broad-exception-caught
            if not isinstance(error, guest.Broken):
                traceback.print_exc()
            say(f"error: {part}: {error}")
            bad(part)
            failed.append(part)
    return failed


def modules():
    """Which build of our modules is measured: the beginning of the SHA-256 of both."""
    found = hashlib.sha256()
    for name in ("rtl8139_rs", "af_rpacket"):
        with open(f"{TREE}/build/stock/{name}.ko", "rb") as file:
            found.update(file.read())
    return found.hexdigest()[:12]


def stalled(counts, ratios, losses):
    """What of ours did not come to its end, as lines of text."""
    for row in counts.rows(lambda metric: metric.startswith("stalled")):
        name = subjects.name_of(row["subject"], row["mode"])
        if name in baseline.OURS:
            yield f"{name} has stalled in {row['workload']}, {row['cpus']} CPUs"
    for row in ratios:
        if {f"{word} {row['subject']}" for word in ("stalled", "dead")}.intersection(row["note"].split(", ")):
            yield f"{row['subject']} has stalled in {row['workload']}"
    for row in losses:
        if row["subject"] in baseline.OURS and row["share"] == "":
            yield f"{row['subject']} has stalled in {row['workload']}"


def machine():
    """On what the figures are measured now."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()[3]
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "CPU")
    return (f"Linux {sizes.release()}, QEMU {version} {'with KVM' if kvm() else 'without KVM (TCG)'}, on "
            f"{os.cpu_count()} cores of {model}, by `make bench`")


def kvm():
    """Whether the VMs that were not counted by instruction used it, as scripts/vm.py found out."""
    for name in os.listdir("/cache"):
        if name.startswith("kvm-"):
            with open(f"/cache/{name}", encoding="ascii") as file:
                return file.read().strip() == "yes"
    return False


def counts_of(parts):
    counts = Counts()
    for part in ("registers", "instructions"):
        if part in parts:
            counts.take(kept(part))
    return counts


def show():
    """Writes all files from the parts that there are; returns the counts."""
    counts = counts_of(("registers", "instructions"))
    ratios, losses, memory = kept("rates"), kept("loss"), kept("sizes")
    write("counts.csv", Counts.COLUMNS, counts.rows(is_total))
    write("registers.csv", Counts.COLUMNS, counts.rows(lambda metric: not is_total(metric)))
    write("repeats.csv", (*Counts.COLUMNS[:-1], "least", "most", "differ"), counts.repeats(is_total))
    write("ratios.csv", timed.RATIO_COLUMNS, ratios)
    write("loss.csv", timed.LOSS_COLUMNS, losses)
    write("sizes.csv", sizes.COLUMNS, memory)
    write("profile.csv", functions.COLUMNS, kept("profile"))
    everything = (sources({part: record(part) for part in PARTS}), counts, ratios, losses, memory)
    with open(f"{OUT}/report.md", "w", encoding="utf-8") as file:
        file.write("<!-- SPDX-License-Identifier: GPL-2.0 -->\n<!-- Made by `make bench`. -->\n"
                   "# What a packet costs: the figures\n\n")
        file.writelines(report.markdown(*everything))
        file.writelines(report.functions(kept("profile")))
    with open(f"{OUT}/report.html", "w", encoding="utf-8") as file:
        file.write(page.html(*everything))
    return counts


def main():
    parts = sys.argv[1:] or list(PARTS)
    if "counts" in parts:
        parts = ["registers", "instructions", *(part for part in parts if part != "counts")]
    for part in parts:
        if part not in (*PARTS, "report"):
            sys.exit(f"rpacket: error: there is no part {part}: {', '.join(PARTS)}, counts, report")
    earlier = f"{OUT}/baseline.csv"
    try:
        before = baseline.read(earlier) if os.path.exists(earlier) else None
    except ValueError as error:
        sys.exit(f"rpacket: error: BASELINE: {error}")
    if parts == ["report"] and not any(kept(part) for part in PARTS):
        sys.exit("rpacket: error: nothing was measured yet: run make bench")
    failed = measure([part for part in parts if part != "report"])
    counts = show()
    with open(f"{OUT}/report.md", encoding="utf-8") as file:
        print(file.read())
    say("build/bench/report.html, report.md, and counts, registers, repeats, ratios, loss, sizes.csv")
    for part in failed:
        say(f"failed: {part}; what the report has of it, if anything, is of an earlier run")
    # What of an earlier run is shown as well has been told then.
    ended = list(dict.fromkeys(stalled(counts_of(parts), *(kept(part) if part in parts else []
                                                           for part in ("rates", "loss")))))
    for line in ended:
        say(line)
    if before is None:
        return 1 if failed or ended else 0
    complaints = list(baseline.worse(before, counts.rows(is_total)))
    for line in complaints:
        say(line)
    say(f"{len(complaints)} counts are worse than the baseline's" if complaints else
        "nothing is worse than the baseline")
    return 1 if complaints or failed or ended else 0


if __name__ == "__main__":
    sys.exit(main())
