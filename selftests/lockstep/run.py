# SPDX-License-Identifier: GPL-2.0
"""One run of calls on both sides, in a process and in namespaces of its own."""

import contextlib
import os
import pickle
import select
import signal
import time
import traceback
from typing import NamedTuple

import lib
import packet
import topology
from lockstep import answers, known
from lockstep.side import Side
from lockstep.world import World

# What happens to the world, not to a socket.
OF_THE_WORLD = ("link", "arrive", "leave")
SENDS = ("send", "write", "slot", "call")
# Calls that may have changed what a device receives.
OF_DEVICES = ("close", "link", "socket")


class Setup(NamedTuple):
    """What is compared, and where."""

    families: tuple
    # Each side has a world of its own.
    apart: bool
    plant: str = ""

    @property
    def itself(self):
        return self.families[0] == self.families[1]


class Difference(NamedTuple):
    """The first difference of a run."""

    index: int
    call: tuple
    keys: list
    theirs: list
    ours: list

    @property
    def what(self):
        """What makes two differences the same one: the kind of call, and what differs."""
        kinds = sorted({key.split(": ")[-1] for key in self.keys})
        return self.call[0], tuple(kinds)


class Result(NamedTuple):
    """What became of a run."""

    difference: Difference
    # How often each call of each kind ended in each way, and which known differences were met.
    seen: dict
    known: dict
    broken: str = ""


class Lockstep:
    """The two sides, while a run lasts."""

    def __init__(self, setup):
        self.setup = setup
        first = World(setup.apart)
        self.worlds = [first, World(True)] if setup.apart else [first]
        theirs, ours = setup.families
        self.sides = (Side(theirs, first), Side(ours, self.worlds[-1], setup.plant))
        self.began = int(time.time())
        self.seen, self.known = {}, {}
        self.states = [side.state() for side in self.sides]

    def make(self, call):
        """Makes one call on both sides; returns the two answers."""
        if call[0] in OF_THE_WORLD:
            act = {"link": World.change, "arrive": World.arrive, "leave": World.leave}[call[0]]
            pair = [act(world, *call[1:]) for world in self.worlds]
            return pair * (3 - len(pair))
        pair = []
        for side in self.sides:
            pair.append(side.do(call))
            if call[0] in SENDS:
                topology.wait_for_backlog()
        return [answers.without_time(call, answer, not self.setup.apart) for answer in pair]

    def look(self, call):
        """What can be seen after the call: two states."""
        states = [side.state() for side in self.sides]
        if self.setup.apart and self.concerns_devices(call):
            for state, world in zip(states, self.worlds):
                state |= {"devices": world.links(), "groups": world.groups()}
        return states

    def step(self, index, call):
        """Makes one call and compares; returns a Difference that is not meant, or None."""
        pair = self.make(call)
        code = pair[0].get("errno", "nothing")
        self.seen[call[0], code] = self.seen.get((call[0], code), 0) + 1
        before, self.states = self.states, self.look(call)
        keys = [key for key in sorted({*pair[0], *pair[1]}) if pair[0].get(key) != pair[1].get(key)]
        found = self.of_states(before)
        if not keys and not found:
            return None
        shown = [
            [one.get(key) for key in keys] + [two[number] for two in found.values()]
            for number, one in enumerate(pair)
        ]
        keys += found
        # What happens to the world is nobody's call, and no difference of a family from itself is meant.
        if call[0] not in OF_THE_WORLD and not self.setup.itself:
            name = before[0].get(f"slot {call[1]}: name", b"")
            meant = known.find(known.Met(call, keys, *pair, name, self.setup.families[1]))
            if meant:
                self.known[meant.why] = self.known.get(meant.why, 0) + 1
                if meant.parts:
                    self.heal(call[1])
                return None
        return Difference(index, call, keys, *shown)

    def of_states(self, before):
        """What differs in the two states, but for what is meant: {key: the two values}."""
        found = answers.of_states(self.states, before, self.began, int(time.time()))
        for key in list(found):
            meant = None if self.setup.itself else known.find_lasting(key, *found[key])
            if meant:
                del found[key]
                self.known[meant.why] = self.known.get(meant.why, 0) + 1
        return found

    def heal(self, number):
        """Closes a pair of sockets that are not in the same state any more."""
        for side in self.sides:
            side.heal(number)
        self.states = [side.state() for side in self.sides]

    @staticmethod
    def concerns_devices(call):
        return (
            call[0] in OF_DEVICES or call[0] == "set" and call[2] == packet.SOL_PACKET and call[3] in (1, 2)
        )

    def run(self, calls):
        for index, call in enumerate(calls):
            difference = self.step(index, call)
            if difference:
                return difference
        return None


def in_child(calls, setup, writer):
    """The life of a run's process."""
    os.setpgid(0, 0)
    lib.libc_call("prctl", 1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    for number in (signal.SIGIO, signal.SIGURG, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        lockstep = Lockstep(setup)
        difference = lockstep.run(calls)
        result = Result(difference, lockstep.seen, lockstep.known)
    except BaseException:  # pylint: disable=broad-exception-caught
        result = Result(None, {}, {}, traceback.format_exc())
    with os.fdopen(writer, "wb") as pipe:
        pickle.dump(result, pipe)


def execute(calls, setup, seconds=120):
    """Runs the calls in a fresh process; returns a Result."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            in_child(calls, setup, writer)
        finally:
            os._exit(0)
    os.close(writer)
    said, end = b"", time.monotonic() + seconds * lib.SLOW
    while select.select([reader], [], [], max(end - time.monotonic(), 0))[0]:
        some = os.read(reader, 1 << 20)
        if not some:
            break
        said += some
    os.close(reader)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not said:
        return Result(None, {}, {}, f"a run did not end within its time, or died (status {status:#x})")
    return pickle.loads(said)
