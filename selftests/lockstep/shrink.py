# SPDX-License-Identifier: GPL-2.0
"""Fewer and simpler calls that come to the same difference.

Each try is a run of its own. First calls are left out, by halves, quarters and so on (Zeller's delta
debugging); then what is left is made simpler, one argument at a time.
"""

import time

import lib
from lockstep import answers
from lockstep.run import OF_THE_WORLD, execute

# Of so many calls, all pairs are tried.
FEW = 12
# Calls that only look.
LOOKS = ("get", "name", "ioctl", "call", "pair")


class Shrinker:
    """What is known about a difference while it is made smaller."""

    def __init__(self, setup, what, seconds):
        self.setup, self.what = setup, what
        self.end = time.monotonic() + seconds * lib.SLOW
        self.tries = 0

    @property
    def has_time(self):
        return time.monotonic() < self.end

    def fails(self, calls):
        """The Difference that these calls come to, if it is the one that is looked for."""
        self.tries += 1
        found = execute(calls, self.setup).difference
        return found if found and found.what == self.what else None

    def without(self, calls):
        """Leaves calls out."""
        size = (len(calls) + 1) // 2
        while self.has_time:
            at, smaller = 0, False
            while at < len(calls) and self.has_time:
                fewer = calls[:at] + calls[at + size :]
                found = fewer and self.fails(fewer)
                if found:
                    calls, smaller = fewer[: found.index + 1], True
                else:
                    at += size
            if size == 1 and not smaller:
                break
            size = max(size // 2, 1)
        return calls

    def coarsely(self, calls):
        """Leaves out whole kinds of calls: those on other sockets, those that only look, devices."""
        slot = None if calls[-1][0] in OF_THE_WORLD else calls[-1][1]
        for keeps in (
            lambda call: call[0] in OF_THE_WORLD or slot in (None, call[1]),
            lambda call: call[0] not in LOOKS,
            lambda call: call[0] != "link",
            lambda call: call[0] not in ("send", "write"),
        ):
            fewer = [call for call in calls[:-1] if keeps(call)] + calls[-1:]
            found = self.fails(fewer) if len(fewer) < len(calls) else None
            if found:
                calls = fewer[: found.index + 1]
        return calls

    def without_pairs(self, calls):
        """Leaves out two calls at a time, like one that queues a frame and one that takes it."""
        at = 0
        while len(calls) <= FEW and at < len(calls) - 1:
            for other in range(at + 1, len(calls) - 1):
                fewer = calls[:at] + calls[at + 1 : other] + calls[other + 1 :]
                found = self.fails(fewer) if self.has_time else None
                if found:
                    calls, at = fewer[: found.index + 1], -1
                    break
            at += 1
        return calls

    def simpler(self, calls):
        """Makes arguments simpler."""
        for at in reversed(range(len(calls))):
            for place in range(1, len(calls[at])):
                for value in simpler_values(calls[at][place]):
                    if not self.has_time:
                        return calls
                    other = calls[at][:place] + (value,) + calls[at][place + 1 :]
                    changed = calls[:at] + [other] + calls[at + 1 :]
                    if self.fails(changed):
                        calls = changed
                        break
        return calls


def simpler_values(value):
    """Values to try instead of this one, the simplest first."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, int):
        return [number for number in (0, 1, 4, 20) if abs(number) < abs(value)]
    if isinstance(value, bytes):
        tries = [b"", bytes(len(value))]
        tries += [value[:at] + b"\0" + value[at + 1 :] for at in range(len(value)) if value[at]][:24]
        return [one for one in tries if one != value]
    if isinstance(value, tuple) and value:
        tries = [()] if not isinstance(value[0], int) or len(value) != 3 else []
        return tries + [
            value[:at] + (one,) + value[at + 1 :]
            for at in range(len(value))
            for one in simpler_values(value[at])
        ]
    return []


def shrink(calls, difference, setup, seconds):
    """The calls, made smaller, and the difference that they come to; twice None if it does not come again."""
    shrinker = Shrinker(setup, difference.what, seconds)
    calls = calls[: difference.index + 1]
    if not any(shrinker.fails(calls) for _ in range(3)):
        return None, None
    best = shrinker.simpler(shrinker.without(shrinker.coarsely(calls)))
    best = shrinker.without_pairs(shrinker.without(best))
    # What is reported has been seen again.
    for one in (best, calls):
        for _ in range(3):
            found = execute(one, setup).difference
            if found:
                return one, found
    return None, None


def report(calls, difference, setup, seed):
    """Lines that say it all, and that --replay reads."""
    where = "each side in its own world" if setup.apart else "both sides in one world"
    theirs, ours = setup.families
    lines = [f"difference: {theirs} against {ours}, {where}, seed {seed}:"]
    lines += [repr(call) for call in [("world", "apart" if setup.apart else "together"), *calls]]
    for key, one, other in zip(difference.keys, difference.theirs, difference.ours):
        one, other = answers.apart(one, other)
        lines += [f"{key}:", f"  theirs {one}", f"  ours   {other}"]
    return lines
