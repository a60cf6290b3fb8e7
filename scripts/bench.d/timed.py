# SPDX-License-Identifier: GPL-2.0
"""What is timed: rates and latencies, as ratios of what takes turns in one boot; and what is lost."""
import os

import guest
import subjects
from figures import ratio
from guest import say

FAMILIES = {"25": "af_rpacket", "17": "af_packet", "12": "null"}
# Ours against the C driver of the same mode; and what the mode makes of it.
AGAINST = {**{ours: (theirs,) for ours, theirs in subjects.ORIGINALS.items()}, "af_rpacket": ("af_packet",)}
AGAINST["rtl8139_rs"] += ("rtl8139_rs+classic",)
A_CARD_EACH = ("--nics", subjects.NICS)
ROUNDS = 9
# Of the families, whose rounds take milliseconds.
MANY_ROUNDS = 61

RATIO_COLUMNS = ("workload", "subject", "against", "metric", "ratio", "low", "high", "note")
LOSS_COLUMNS = ("workload", "subject", "offered", "unit", "sent", "lost", "share")


def compare(rows, metric, more_is_better=True):
    """The rows of ratios.csv: ours against what it is held against in the same workload."""
    found = {(row["workload"], row["subject"]): row for row in rows}
    for (workload, subject), row in found.items():
        for against in AGAINST.get(subject, ()):
            other = found.get((workload, against))
            if other is None:
                continue
            both = ((subject, row), (against, other))
            notes = [f"{one['stalled']} {name}" for name, one in both if one.get("stalled")]
            result = ("", "", "")
            if not notes:
                notes = [f"nothing in {one['rounds'].count(0)} rounds of {name}" for name, one in both
                         if 0 in one["rounds"]]
                result = ratio(row["rounds"], other["rounds"], more_is_better) or result
            yield {"workload": workload, "subject": subject, "against": against,
                   "metric": row.get("metric", metric), "note": ", ".join(notes),
                   **dict(zip(("ratio", "low", "high"), (value and round(value, 4) for value in result)))}


def driver_rates():
    say("rates of the drivers, in turns (6 minutes) ...")
    rows = guest.rows_of(guest.lines(f"selftests/bench/driver_rates.py rates {ROUNDS}", *A_CARD_EACH))
    frames = [row for row in rows if row["workload"].startswith("pktgen")]
    yield from compare([row for row in rows if row not in frames], "bytes_per_second")
    yield from compare(frames, "packets_per_second")


def family_rates():
    say("rates of the packet sockets, in turns (1 minute) ...")
    output = guest.lines("; ".join(
        f"taskset -c 1 selftests/bench/packet_path.sh {MANY_ROUNDS} {size} || exit"
        for size in (60, 1514)), "--nics", "")
    rows = []
    for line in output:
        words = line.split()
        if words and words[0] == "path" and words[2] not in ("syscall", "nobody", "hook"):
            rows.append({"workload": f"{words[2]}-{words[1]}", "subject": FAMILIES[words[3]],
                         "rounds": [1e9 / float(word) for word in words[4:]]})
    yield from compare(rows, "packets_per_second")


def latency():
    """Empty where the CPU is emulated."""
    anyway = os.environ.get("RPACKET_LATENCY", "")
    output = guest.lines(f"RPACKET_LATENCY={anyway} selftests/bench/family_flow.py latency {ROUNDS}",
                         "--nics", "")
    rows = guest.rows_of(output)
    for metric in dict.fromkeys(row["metric"] for row in rows):
        yield from compare([row for row in rows if row["metric"] == metric], metric, False)
    if not rows:
        say("no latencies: the CPU is emulated here")


def losses():
    say("loss of the drivers and the packet sockets (2 minutes) ...")
    for command, options in (("selftests/bench/driver_rates.py loss 3", A_CARD_EACH),
                             ("selftests/bench/family_flow.py loss 4", ("--nics", ""))):
        for row in guest.rows_of(guest.lines(command, *options)):
            yield {**row, "unit": "packets per second",
                   "share": round(row["lost"] / row["sent"], 5) if row["sent"] else ""}
