# SPDX-License-Identifier: GPL-2.0
"""What the actions of a storm came to, in shared memory: an actor that is killed has counted too."""
import errno
import mmap
import time

DOING, SINCE, TOTAL, CELLS = range(4)


class Page:
    """The part of one actor, who alone writes it: what it does now, since when, and its counts.

    For each action: tries, successes, then one count for each error that is allowed."""

    def __init__(self, actions):
        self.actions = list(actions)
        self.places = {}
        at = CELLS
        for action in self.actions:
            self.places[action.__name__] = at
            at += 2 + len(action.allowed)
        self.shared = mmap.mmap(-1, at * 8)
        self.cells = memoryview(self.shared).cast("Q")

    def close(self):
        """Nobody else writes it any more: what it says stays, and its memory, which the kernel counts as an open
        file, is given back."""
        with self.cells as shared:
            self.cells = list(shared)
        self.shared.close()

    def begin(self, action):
        """The actor goes to work on it."""
        self.cells[SINCE] = time.monotonic_ns()
        self.cells[DOING] = self.actions.index(action) + 1
        self.cells[self.places[action.__name__]] += 1

    def end(self, action, error=None):
        """It has ended, with this errno if with any."""
        at = self.places[action.__name__] + 1
        self.cells[at if error is None else at + 1 + action.allowed.index(error)] += 1
        self.cells[TOTAL] += error is None
        self.rest()

    def rest(self):
        """Nothing is done now; what has ended without a count of its own is among the tries alone."""
        self.cells[DOING] = 0

    @property
    def total(self):
        """How many actions have succeeded."""
        return self.cells[TOTAL]

    def now(self):
        """(the action that is being done, for how many seconds), or None."""
        doing = self.cells[DOING]
        if not doing:
            return None
        return self.actions[doing - 1].__name__, (time.monotonic_ns() - self.cells[SINCE]) / 1e9

    def tries(self, action):
        return self.cells[self.places[action.__name__]]

    def successes(self, action):
        return self.cells[self.places[action.__name__] + 1]

    def line(self, action):
        """`up 12/15 ENODEV 3`"""
        at = self.places[action.__name__]
        errors = [f"{errno.errorcode[number]} {self.cells[at + 2 + place]}"
                  for place, number in enumerate(action.allowed) if self.cells[at + 2 + place]]
        return f"{action.__name__} {self.cells[at + 1]}/{self.cells[at]}" + \
            (f" ({', '.join(errors)})" if errors else "")
