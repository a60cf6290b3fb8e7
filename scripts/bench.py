#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the measurements in VMs and makes one report of them (scripts/bench says how). Runs itself in the
build root."""
import csv
import json
import os
import subprocess
import sys

TREE = "/rpacket"
OUT = f"{TREE}/build/bench"
DRIVERS = {"rtl8139_rs": "classic", "8139cp": "cplus", "8139too": "classic"}
FAMILIES = {"25": "af_rpacket", "17": "af_packet"}
OURS = ("rtl8139_rs", "af_rpacket")
MARGIN = 0.02

# What is subtracted from the whole path: that without the subject.
WITHOUT = {"hook": "nobody", "recvmsg": "syscall", "recvmmsg": None, "sendmsg": None}


def say(text):
    print(f"rpacket: bench: {text}", file=sys.stderr, flush=True)


def vm(command, *options):
    """The lines that a command in a VM prints; the VM's own messages go to standard error."""
    done = subprocess.run(
        ["python3", f"{TREE}/scripts/vm.py", "--modules", "none", "--timeout", "1200", *options, "--",
         command], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout)
        sys.exit(f"rpacket: error: a measurement failed with status {done.returncode}: {command}")
    return done.stdout.splitlines()


def registers(counts, by_register):
    """Accesses and interrupts of the drivers, all in one boot for each number of CPUs."""
    for cpus in (1, 2):
        say(f"registers and interrupts, {cpus} CPU{'s' if cpus > 1 else ''} (2 minutes) ...")
        commands = "; ".join(
            f"echo subject {driver}; timeout 300 selftests/bench/registers.py {driver} || exit"
            for driver in DRIVERS)
        subject = None
        for line in vm(commands, "--trace", "--cpus", str(cpus), "--nics", "rtl8139,e1000"):
            if line.startswith("subject "):
                subject = line.split()[1]
            elif line.startswith("row "):
                row = json.loads(line[4:])
                frames = row["frames"]
                value = row["value"] / frames if frames else row["value"]
                plain = row["metric"] in ("register_reads", "register_writes", "interrupts", "stalled")
                (counts if plain else by_register).append({
                    "workload": row["workload"], "subject": subject, "mode": DRIVERS[subject],
                    "cpus": cpus, "metric": row["metric"],
                    "unit": "" if row["metric"] == "stalled" else "per frame",
                    "value": round(value, 4)})


def instructions(counts):
    """Instructions of the guest for a packet in either family, in one boot."""
    say("instructions of the packet sockets (1 minute) ...")
    least = {}
    for line in vm("selftests/bench/packet_path.sh", "--icount", "--nics", ""):
        words = line.split()
        if words and words[0] == "path":
            _, family, size, workload, low, _ = words
            key = (workload, size, FAMILIES[family])
            least[key] = min(float(low), least.get(key, float("inf")))
        elif words and words[0] == "object":
            subject = "af_rpacket" if words[1] == "RPACKET" else "af_packet"
            counts.append({"workload": "socket", "subject": subject, "mode": "", "cpus": 1,
                           "metric": "object_size", "unit": "bytes", "value": int(words[2])})
    for (workload, size, subject), value in least.items():
        if workload not in WITHOUT:
            continue
        row = {"workload": f"{workload}-{size}", "subject": subject, "mode": "", "cpus": 1,
               "unit": "per packet"}
        counts.append({**row, "metric": "guest_instructions", "value": value})
        without = WITHOUT[workload]
        if without:
            own = value - least[without, size, subject]
            counts.append({**row, "metric": "own_instructions", "value": round(own, 1)})


def write(name, rows):
    with open(f"{OUT}/{name}", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, lineterminator="\n", fieldnames=(
            "workload", "subject", "mode", "cpus", "metric", "unit", "value"))
        table.writeheader()
        table.writerows(rows)


# ---- The report ---------------------------------------------------------------------------------


def number(value):
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def tables(counts):
    """The report as Markdown."""
    found = {(r["workload"], r["subject"], r["cpus"], r["metric"]): r["value"] for r in counts}
    workloads = list(dict.fromkeys(
        r["workload"] for r in counts if r["metric"] in ("register_reads", "stalled")))
    for cpus in (1, 2):
        yield f"\n### Accesses to registers and interrupts for a frame, {cpus} CPU{'s' * (cpus > 1)}\n\n"
        yield "| workload | " + " | ".join(DRIVERS) + " |\n|---" * 1 + "|---" * len(DRIVERS) + "|\n"
        for workload in workloads:
            cells = []
            for driver in DRIVERS:
                if (workload, driver, cpus, "stalled") in found:
                    cells.append("stalled")
                    continue
                reads, writes, interrupts = (
                    found.get((workload, driver, cpus, metric))
                    for metric in ("register_reads", "register_writes", "interrupts"))
                cells.append("" if reads is None else
                             f"{number(reads + writes)} ({number(reads)} + {number(writes)}), "
                             f"{number(interrupts)}")
            yield f"| {workload} | " + " | ".join(cells) + " |\n"
    yield "\n### Instructions for a packet, 1 CPU\n\n"
    yield "| workload | af_rpacket | af_packet | own: af_rpacket | own: af_packet |\n|---|---|---|---|---|\n"
    for workload in dict.fromkeys(r["workload"] for r in counts if r["metric"] == "guest_instructions"):
        cells = [number(found.get((workload, subject, 1, metric)))
                 for metric in ("guest_instructions", "own_instructions")
                 for subject in ("af_rpacket", "af_packet")]
        yield f"| {workload} | " + " | ".join(cells) + " |\n"
    sizes = [found.get(("socket", subject, 1, "object_size")) for subject in ("af_rpacket", "af_packet")]
    yield f"\nA socket object has {sizes[0]} bytes, that of AF_PACKET {sizes[1]}.\n"


def compare(counts):
    """Prints what of ours has grown beyond the margin since the baseline; returns the exit status."""
    path = f"{OUT}/baseline.csv"
    if not os.path.exists(path):
        return 0
    key = ("workload", "subject", "cpus", "metric")
    with open(path, encoding="utf-8") as file:
        before = {tuple(row[k] for k in key): float(row["value"]) for row in csv.DictReader(file)}
    worse = 0
    for row in counts:
        old = before.get(tuple(str(row[k]) for k in key))
        if row["subject"] not in OURS or old is None:
            continue
        if row["value"] > old * (1 + MARGIN) + 0.005:
            worse += 1
            say(f"{row['workload']} {row['metric']}, {row['cpus']} CPUs: {old} before, {row['value']} now")
    # A workload in which ours has stalled has no counts.
    now = {tuple(str(row[k]) for k in key) for row in counts}
    for workload, subject, cpus, metric in before:
        if subject in OURS and (workload, subject, cpus, metric) not in now:
            worse += 1
            say(f"{workload} {metric}, {cpus} CPUs: counted before, missing now")
    say(f"{worse} counts are worse than the baseline's" if worse else "nothing is worse than the baseline")
    return 1 if worse else 0


def main():
    counts, by_register = [], []
    registers(counts, by_register)
    instructions(counts)
    write("counts.csv", counts)
    write("registers.csv", by_register)
    with open("/var/lib/rpacket/release", encoding="ascii") as file:
        release = file.read().strip()
    text = "".join(tables(counts))
    with open(f"{OUT}/report.md", "w", encoding="utf-8") as file:
        file.write(f"Linux {release}, QEMU with TCG, by `make bench`.\n{text}")
    print(text)
    say(f"build/bench/counts.csv, registers.csv, report.md (Linux {release})")
    return compare(counts)


if __name__ == "__main__":
    sys.exit(main())
