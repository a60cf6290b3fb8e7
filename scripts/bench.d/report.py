# SPDX-License-Identifier: GPL-2.0
"""The report as Markdown: what Documentation/bench-report.md is."""
import subjects
from counted import MORE_WORKLOADS, STALLED, STALLED_INSTRUCTIONS, WORKLOADS
from figures import FEW, unsteady
from subjects import DRIVERS, NULLS, title_of

PATHS = tuple(f"{name}-{size}" for name in ("hook", "queue", "recvmsg", "recvmmsg", "sendmsg")
              for size in (60, 1514))
FAMILIES = ("af_rpacket", "af_packet")
TITLES = tuple(map(title_of, DRIVERS))
# What code and data there is: a driver has both of its modes in one module.
MODULES = (*dict.fromkeys(map(subjects.driver_of, DRIVERS)), *FAMILIES)
IMPROVABLE = ("path", "of", "whole", "above null", "share", "difference")


def number(value, places=2):
    """A number as short as it can be said; nothing for nothing."""
    if value is None or value == "":
        return ""
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if places else f"{value:.0f}"


def percent(part, whole):
    return "" if part is None or not whole else f"{100 * part / whole:.0f} %"


def table(head, rows):
    yield "| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|\n"
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |\n"


def accesses(counts, cpus):
    """Accesses and interrupts for a frame."""
    for workload in (*WORKLOADS, *MORE_WORKLOADS):
        row = [workload]
        for driver in DRIVERS:
            if counts.get(workload, driver, STALLED, cpus):
                row.append("stalled")
                continue
            reads, writes, interrupts = (
                counts.get(workload, driver, metric, cpus)
                for metric in ("register_reads", "register_writes", "interrupts"))
            row.append("" if reads is None else
                       f"{number(reads + writes)} ({number(reads)} + {number(writes)}), "
                       f"{number(interrupts)}")
        yield row


def drivers(counts):
    """Instructions for a frame: the whole path, and what is beyond the null driver."""
    for workload in WORKLOADS:
        row = [workload, *(number(counts.get(workload, null, "guest_instructions"), 0) for null in NULLS)]
        for driver in DRIVERS:
            if counts.get(workload, driver, STALLED_INSTRUCTIONS):
                row.append("stalled")
                continue
            whole, own = (counts.get(workload, driver, metric)
                          for metric in ("guest_instructions", "own_instructions"))
            row.append("" if whole is None else f"{number(whole, 0)}, own {number(own, 0)}")
        yield row


def families(counts):
    for path in PATHS:
        row = [path, number(counts.get(path, "null", "guest_instructions"), 0)]
        for family in FAMILIES:
            row += [number(counts.get(path, family, metric), 0) for metric in
                    ("guest_instructions", "own_instructions", "above_null_instructions")]
        yield row


def improvable(counts):
    """What of each path is ours: (path, which of ours, whole, what is above the null one, share, against the C
    original)."""
    paths = [(workload, *pair, "own_instructions") for workload in WORKLOADS
             for pair in subjects.ORIGINALS.items()]
    paths += [(path, *FAMILIES, "above_null_instructions") for path in PATHS]
    for path, ours, theirs, metric in paths:
        whole, above = counts.get(path, ours, "guest_instructions"), counts.get(path, ours, metric)
        if whole is None or above is None:
            continue
        other = counts.get(path, theirs, "guest_instructions")
        yield [path, title_of(ours), number(whole, 0), number(above, 0), percent(above, whole),
               f"{number(whole - other, 0)} against {theirs}" if other else ""]


def sized(sizes):
    found = {(row["subject"], row["metric"]): row["value"] for row in sizes}
    for subject in MODULES:
        yield [subject, *[found.get((subject, metric), "") for metric in
                          ("code", "constants", "data", "socket_object", "socket_slab", "socket_percpu")]]


def ratio_cell(row):
    if row["ratio"] == "":
        return row["note"]
    return f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def lost(losses):
    """Rows by workload and rate, a column for each subject."""
    by_workload = {}
    for row in losses:
        by_workload.setdefault(row["workload"], {}).setdefault(row["subject"], []).append(row)
    for workload, by_subject in by_workload.items():
        for place in range(max(map(len, by_subject.values()))):
            cells = []
            for subject, rows in by_subject.items():
                if place < len(rows) and rows[place]["share"] == "":
                    cells.append(f"{title_of(subject)} dead")
                elif place < len(rows):
                    cells.append(f"{title_of(subject)} {100 * rows[place]['share']:.1f} % "
                                 f"of {rows[place]['offered']}")
            yield [workload, *cells, *[""] * (len(DRIVERS) - len(cells))]


def markdown(machine, counts, ratios, losses, sizes):
    """All of it; parts that were not measured are left out."""
    yield f"{machine}\n"
    shares = list(improvable(counts))
    if shares:
        yield "\n## What of each path is ours to improve\n\n"
        yield ("Instructions for a frame or packet: the whole path, what of it is above a driver or family that "
               "does nothing itself (the null ones, which take the same way through the kernel as ours), and the "
               "difference to the C original of the same mode (below zero: ours takes less).\n\n")
        yield from table(IMPROVABLE, shares)
    for cpus in (1, 2):
        if any(counts.get("rx-lone-60", ours, "register_reads", cpus) is not None for ours in subjects.OURS):
            yield f"\n## Accesses to registers and interrupts for a frame, {cpus} CPU{'s' * (cpus > 1)}\n\n"
            yield ("Accesses (reads + writes), interrupts; of `ping` for a request and its answer, of `tcp` for a "
                   "frame in the direction of the data.\n\n")
            yield from table(("workload", *TITLES), accesses(counts, cpus))
    if counts.get("rx-lone-60", "null", "guest_instructions") is not None:
        yield "\n## Instructions of the drivers for a frame\n\n"
        yield ("The whole path, and what of it is the driver's own: what the null driver does not need. 8139too does "
               "not use GRO, and is held against one that does not either. In C+ mode a long frame that comes in need "
               "not be copied: there both drivers are held against a null driver that gives pages to the stack.\n\n")
        yield from table(("workload", "null driver", "without GRO", "pages", *TITLES), drivers(counts))
    if counts.get("queue-60", "null", "guest_instructions") is not None:
        yield "\n## Instructions of the packet sockets for a packet\n\n"
        yield from table(("path", "null family", "af_rpacket", "own", "above null", "af_packet", "own",
                          "above null"), families(counts))
    if ratios:
        yield "\n## Rates and latencies: ours by the C original's\n\n"
        yield "The median of the rounds and its 95 percent interval; above 1 the first one is better.\n\n"
        yield from table(("workload", "subject", "against", "ratio", "metric", ""), (
            (row["workload"], title_of(row["subject"]), title_of(row["against"]), ratio_cell(row), row["metric"],
             row["note"] if row["ratio"] != "" else "") for row in ratios))
    if losses:
        yield "\n## Loss against offered rate\n\n"
        yield "What was lost of how many packets a second.\n\n"
        yield from table(("workload", *[""] * len(DRIVERS)), lost(losses))
    if sizes:
        yield "\n## Memory\n\n"
        yield "In bytes: what the module keeps loaded, and what a bound socket takes.\n\n"
        yield from table(("", "code", "constants", "data", "socket object", "socket and its file",
                          "of each CPU's memory"), sized(sizes))
    yield from steadiness(counts)


def functions(found):
    """Where the paths of the families differ."""
    from functions import differences  # pylint: disable=import-outside-toplevel
    if not found:
        return
    yield "\n## Where the paths of the packet sockets differ\n\n"
    yield ("Instructions for a packet in each function, of all that were executed; functions in which the two "
           "differ by less than 3 are left out. C helpers are inlined into the functions of af_rpacket.\n\n")
    for workload in dict.fromkeys(row["workload"] for row in found):
        rows, ours, theirs = differences(found, workload, *FAMILIES)
        yield f"\n### {workload}\n\n"
        yield from table(("function", *FAMILIES), (
            ("all of the system call", number(ours, 1), number(theirs, 1)),
            *((f"`{name}`", number(a, 1), number(b, 1)) for name, a, b in rows)))


def steadiness(counts):
    from counted import is_total  # pylint: disable=import-outside-toplevel
    repeats = list(counts.repeats(is_total))
    if not repeats:
        return
    differing = [row for row in repeats if unsteady(row)]
    # Of which path the whole is not steady.
    wholes = {(row["workload"], title(row)) for row in differing if row["metric"] == "guest_instructions"}
    yield "\n## How repeatable the counts are\n\n"
    yield (f"{len(repeats)} figures were counted twice; {len(repeats) - len(differing)} of them differ by "
           f"less than 1 percent, or by no more than {FEW} accesses or interrupts in the whole run.")
    if not differing:
        yield "\n"
        return
    yield " The others:\n\n"
    yield from table(("workload", "subject", "CPUs", "metric", "least", "most", "why"), (
        (row["workload"], title(row), row["cpus"], row["metric"], number(row["least"], 3),
         number(row["most"], 3), why(row, wholes)) for row in differing))


def title(row):
    """Of a row of counts.csv, which has a driver and its mode."""
    return f"{row['subject']} {row['mode']}".strip()


def why(row, wholes):
    """Why a count differs between two runs, where that is known."""
    if row["workload"].startswith("tcp"):
        return "a stream: how many frames the host lets come at once differs"
    if row["cpus"] == 2 and not row["workload"].startswith(("rx-lone", "tx-lone", "ping")):
        return "two CPUs: whether the poll ends before the next frame comes is up to the host"
    if row["metric"] in ("own_instructions", "above_null_instructions"):
        if (row["workload"], title(row)) in wholes:
            return "the whole path differs, see there"
        return "a small difference of large figures, each of which is steady"
    if row["workload"].startswith("rx") and row["metric"] == "guest_instructions":
        return "buffers: a new page falls into one round and not into another"
    if (row["workload"].startswith("rx"), title(row), row["metric"]) == (
            True, title_of("rtl8139_rs+classic"), "register_writes"):
        return "the position in the ring is told at each quarter of it, wherever the run began"
    return "not known"
