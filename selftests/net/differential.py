#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# timeout: 900 9000
"""AF_PACKET and the family answer alike, in every bit that a program can see, to random calls from a seed.

Runs of calls are drawn, made on both in lockstep, and compared: results, errno, memory, counters, lines of
/proc, devices. A difference that lockstep/known.py does not list is shrunk to a few calls and printed. The
tester itself is tested before: AF_PACKET does not differ from itself, and a planted difference is found.

usage: differential.py [WORD...]             the cases whose names contain a word
       differential.py --replay FILE [--self]    the calls that a report has printed; --self: AF_PACKET only

In `make test` the runs are always the same ones, so that who breaks something sees it in the change that did.
SEED=n begins with the run of this number, and goes on for a minute; with RPACKET_FULL the runs are of chance, for two
hours, on stock.
"""

import ast
import collections
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
import packet
from harness import equal, lib, main, seconds, subject_loaded
from lockstep import draw
from lockstep.drawing import BUILT, EVERYTHING
from lockstep.known import KNOWN, LASTING
from lockstep.run import Setup, execute
from lockstep.shrink import report, shrink

FULL = bool(os.environ.get("RPACKET_FULL")) and lib.KERNEL == "stock"
CHOSEN = os.environ.get("SEED")
FIXED = not FULL and not CHOSEN
SEED = int(CHOSEN) if CHOSEN else int.from_bytes(os.urandom(3)) if FULL else 8139
# How long each piece of the comparison lasts, and how many there are; and how long is shrunk.
PIECE, PIECES = (300, 24) if FULL else (50, 1)
SHRINKING = 120
ITSELF = (packet.REFERENCE_FAMILY, packet.REFERENCE_FAMILY)
FAMILIES = (packet.REFERENCE_FAMILY, packet.FAMILY)
# So many runs of a hundred may differ once and never again: the scheduler's doing.
UNREPEATABLE = 2


def stamping():
    """A socket that has the kernel stamp all it receives, which begins by a work item."""
    sock = packet.reference()
    packet.set_option(sock, packet.SO_TIMESTAMP, 1, level=1)
    time.sleep(0.5)
    return sock


def compare(families, built, first, duration, plant="", length=250, number=0):
    """Runs from the seed `first` on, for so many seconds, or so many if a number is given; raises with a report at
    the first difference.

    Returns what the calls came to."""
    keep = stamping()
    seen, known, runs, odd = collections.Counter(), collections.Counter(), 0, 0
    end = time.monotonic() + duration
    while runs < number or not number and (not runs or time.monotonic() < end):
        seed = first + runs
        runs += 1
        apart, calls = draw.run(seed, built, length)
        setup = Setup(families, apart, plant)
        result = execute(calls, setup)
        if result.broken:
            lib.diag("\n".join(map(repr, calls)))
            raise AssertionError(f"seed {seed}: {result.broken}")
        seen.update(result.seen)
        known.update(result.known)
        if result.difference:
            few, difference = shrink(calls, result.difference, setup, SHRINKING)
            if few is None:
                odd += 1
                lib.diag(
                    f"seed {seed}: {result.difference.keys} of {result.difference.call} did not come again"
                )
                continue
            lines = report(few, difference, setup, seed)
            lib.diag("\n".join(lines))
            raise Found(f"seed {seed}: {difference.keys} of {difference.call}", few, difference, setup)
    keep.close()
    lib.diag(f"seeds {first} to {first + runs - 1}: {sum(seen.values())} calls; known: {dict(known)}")
    assert odd * 100 <= UNREPEATABLE * max(runs, 100), f"{odd} of {runs} runs differ, and do not again"
    return seen


class Found(AssertionError):
    """A difference that is not known."""

    def __init__(self, text, calls, difference, setup):
        super().__init__(text)
        self.calls, self.difference, self.setup = calls, difference, setup


def check_reached(seen, least):
    """The calls reached the family: each of these came to each of these ends."""
    for kind, codes in least.items():
        for code in codes.split():
            assert seen[kind, code], f"no {kind} ended with {code}: {dict(seen)}"


@seconds(240)
def test_af_packet_agrees_with_itself():
    """Also in what the family does not have yet: rings, groups, virtio headers."""
    seen = compare(ITSELF, EVERYTHING, SEED, 10, number=6 if FIXED else 0)
    check_reached(
        seen,
        {
            "map": "0 EINVAL",
            "slot": "0",
            "recv": "0 EAGAIN",
            "send": "0 EINVAL EMSGSIZE",
            "set": "0 EINVAL EBUSY",
        },
    )


@seconds(400)
def test_planted_difference_is_found():
    """A wrong bit of PACKET_AUXDATA in frames of some length: found, and shrunk to the calls that matter."""
    try:
        compare(ITSELF, BUILT, SEED, 100, "auxdata", 120)
    except Found as found:
        kinds = [call[0] for call in found.calls]
        needed = {"socket", "set", "recv"}
        assert needed <= set(kinds) and len(kinds) <= 12, f"shrunk to {found.calls}"
        lines = "\n".join(map(repr, found.calls))
        again = [ast.literal_eval(line) for line in lines.splitlines()]
        equal(again, found.calls, "the calls, printed and read")
        result = execute(again, found.setup)
        equal(result.difference and result.difference.what, found.difference.what, "printed, read and run")
        equal(execute(again, found.setup._replace(plant="")).difference, None, "without the defect")
    else:
        raise AssertionError("not found")


def test_known_differences_are_there():
    """Each difference that is meant is met, alone, by the calls of its entry, wherever the two sides are."""
    for one in (*KNOWN, *LASTING):
        for apart in (True, False):
            result = execute(one.example, Setup(FAMILIES, apart))
            equal((result.broken, result.difference), ("", None), one.why)
            assert one.why in result.known, f"{one.why}: not met"


def piece(number):
    """One part of the comparison of the two families."""

    @seconds(2 * PIECE + 3 * SHRINKING)
    def agree():
        seen = compare(FAMILIES, BUILT, SEED + number * 10000, PIECE, number=14 if FIXED else 0)
        check_reached(seen, {
            "socket": "0 ESOCKTNOSUPPORT", "bind": "0 EINVAL ENODEV", "set": "0 EINVAL ENOPROTOOPT EFAULT",
            "get": "0 ENOPROTOOPT", "recv": "0 EAGAIN", "send": "0 EINVAL EMSGSIZE ENXIO",
            "filter": "0 EINVAL",
            "arrive": "0", "link": "0", "ioctl": "0", "name": "0",
        })  # fmt: skip

    return agree


def replay(path, itself):
    """Makes the calls that a report has printed."""
    with open(path, encoding="utf-8") as text:
        calls = [
            ast.literal_eval(line)
            for line in (row.strip().removeprefix("#").strip() for row in text)
            if line.startswith("(")
        ]
    apart = True
    if calls and calls[0][0] == "world":
        apart = calls.pop(0)[1] == "apart"
    setup = Setup(ITSELF if itself else FAMILIES, apart, os.environ.get("PLANT", ""))
    keep = stamping()
    result = execute(calls, setup)
    keep.close()
    if result.broken:
        sys.exit(result.broken)
    if not result.difference:
        print(f"no difference in {len(calls)} calls; known: {result.known}")
        return
    print("\n".join(report(calls, result.difference, setup, "of a file")))
    sys.exit(1)


for part in range(PIECES):
    globals()[f"test_families_agree_{part + 1}_of_{PIECES}"] = piece(part)

if __name__ == "__main__":
    # Without a device of its own, which would be left behind. A kernel may have no such module.
    lib.sh("modprobe -q dummy numdummies=0 || :")
    if "--replay" in sys.argv:
        at = sys.argv.index("--replay")
        if "--self" in sys.argv:
            replay(sys.argv[at + 1], True)
        else:
            with subject_loaded():
                replay(sys.argv[at + 1], False)
    else:
        lib.diag(f"seed {SEED} (SEED={SEED} repeats its runs)")
        main(globals())
