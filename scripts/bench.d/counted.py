# SPDX-License-Identifier: GPL-2.0
"""What is counted: accesses to registers, interrupts, and instructions of the guest; each of it twice."""
import guest
from guest import say
from subjects import DRIVERS, NULLS, null_of, nulls_for

FAMILIES = {"25": "af_rpacket", "17": "af_packet", "12": "null"}
WORKLOADS = tuple(f"{name}-{size}" for name in ("rx-lone", "rx-batch", "tx-lone", "tx-burst")
                  for size in (60, 1514))
# Of accesses and interrupts alone: to send with `xmit_more`, and what goes in both directions at once.
MORE_WORKLOADS = ("tx-more-60", "tx-more-1514", "ping-60", "ping-1514", "tcp-receive-1514", "tcp-send-1514")
# What a count of each part is called that a driver did not come to the end of.
STALLED = "stalled"
STALLED_INSTRUCTIONS = "stalled_instructions"
TOTALS = ("register_reads", "register_writes", "interrupts", STALLED, STALLED_INSTRUCTIONS)
RUNS, ROUNDS = 2, 15
INSTRUCTIONS = ("guest_instructions", "own_instructions", "above_null_instructions")

# The path without the subject, which is subtracted from that with it. One call of recvmmsg() takes 32
# packets. Nothing is sent without a family: there it is the null family's path.
WITHOUT = {"hook": ("nobody", 1), "queue": ("hook", 1), "recvmsg": ("syscall", 1),
           "recvmmsg": ("syscall", 32)}


def is_total(metric):
    """Not one of a single register."""
    return metric in TOTALS or metric in INSTRUCTIONS


def registers(counts):
    """Accesses and interrupts of the drivers, ours in both modes, all in one boot for each number of CPUs."""
    for cpus in (1, 2):
        say(f"registers and interrupts, {cpus} CPU{'s' * (cpus > 1)} (3 minutes) ...")
        rows = guest.measure(
            [(driver, workload) for driver in DRIVERS for workload in (*WORKLOADS, *MORE_WORKLOADS)],
            lambda jobs: guest.by_subject(jobs, "selftests/bench/registers.py"),
            "--trace", "--cpus", str(cpus), "--nics", "rtl8139,e1000")
        for row in rows:
            frames = row.get("frames")
            counts.add(row["value"] / frames if frames else row["value"], workload=row["workload"],
                       subject=row["subject"], cpus=cpus, metric=row["metric"], frames=frames or 0,
                       unit="" if row["metric"] == STALLED else "per frame")


def driver_paths(counts):
    """Instructions of a driver's path, and what of them is its own: what a null driver does not need."""
    for run in range(RUNS):
        say(f"instructions of the drivers, run {run + 1} of {RUNS} (2 minutes) ...")
        rows = guest.measure(
            [(driver, workload) for driver in (*NULLS, *DRIVERS) for workload in WORKLOADS
             if driver not in NULLS or driver in nulls_for(workload)],
            lambda jobs: guest.by_subject(jobs, "selftests/bench/driver_path.py"),
            "--icount", "--nics", "rtl8139,e1000")
        add_driver_paths(counts, rows)


def add_driver_paths(counts, rows):
    whole = {(row["subject"], row["workload"]): row["value"] for row in rows
             if row["metric"] == "guest_instructions"}
    for row in rows:
        where = {"workload": row["workload"], "subject": row["subject"], "unit": "per frame"}
        counts.add(row["value"], metric=STALLED_INSTRUCTIONS if row["metric"] == STALLED else row["metric"], **where)
        # Without that of the null driver, which may have stalled, nobody knows.
        null = null_of(row["subject"], row["workload"]), row["workload"]
        if row["metric"] == "guest_instructions" and row["subject"] in DRIVERS and null in whole:
            counts.add(round(row["value"] - whole[null], 1), metric="own_instructions", **where)


def family_paths(counts):
    """Instructions of the families' paths."""
    for run in range(RUNS):
        say(f"instructions of the packet sockets, run {run + 1} of {RUNS} (1 minute) ...")
        output = guest.lines("; ".join(f"selftests/bench/packet_path.sh {ROUNDS} {size} || exit"
                                       for size in (60, 1514)), "--icount", "--nics", "")
        add_family_paths(counts, least(output))


def least(output):
    """{(workload, size, subject): instructions of the round that took least}: the others have a tick of the
    clock in them, or the first use of something."""
    found = {}
    for line in output:
        words = line.split()
        if words and words[0] == "path":
            found[words[2], words[1], FAMILIES[words[3]]] = min(map(float, words[4:]))
    return found


def add_family_paths(counts, found):
    for (workload, size, subject), value in found.items():
        where = {"workload": f"{workload}-{size}", "subject": subject}
        counts.add(value, metric="guest_instructions", **where)
        if workload in ("syscall", "nobody") or subject == "null":
            continue
        above = value - found[workload, size, "null"]
        if workload in WITHOUT:
            without, packets = WITHOUT[workload]
            own = value - found[without, size, subject] / packets
        else:
            own = above
        counts.add(round(own, 1), metric="own_instructions", **where)
        if workload in ("hook", "queue"):
            # Both are parts of one path, which the null family has likewise.
            without = WITHOUT[workload][0]
            above = own - (found[workload, size, "null"] - found[without, size, "null"])
        counts.add(round(above, 1), metric="above_null_instructions", **where)
