# SPDX-License-Identifier: GPL-2.0
"""Actors, and the storm that they make.

    class Shaker(Actor):
        every = (10, 50)

        @action("ENODEV ENETDOWN", least=3)
        def shake(self):
            kernel.ioctl(...)

Each actor is a process that does one of its actions after the other, drawn from random numbers that the
seed and its name decide. So a seed repeats what each one does, as far as the answers of the kernel are
the same again; who comes first is the scheduler's.

What others suffer from is not done every so many seconds, but after so many actions of everybody: so the
mixture is the same on a machine that is quick and on one that is slow, or busy.
"""
import contextlib
import errno
import os
import random
import select
import signal
import socket
import sys
import threading
import time
import traceback

import lib
from storms.ledger import Page

# Nothing that an actor does takes so long, in seconds on the stock kernel.
STUCK = 120
# A storm goes on beyond its time until everything was done often enough: so many times as long, and more.
PATIENCE = 20


def action(allowed="", least=1, weight=1):
    """Marks a method of an actor as one of its actions: which errors it may end with, how often it must
    have succeeded in a storm, and how often it is chosen in comparison with the others."""
    def mark(function):
        function.allowed = sorted({getattr(errno, name) for name in allowed.split()})
        function.least, function.weight = least, weight
        return function
    return mark


class Wrong(Exception):
    """What an action raises when something is so that must not be so."""


class Actor:
    """Does one kind of thing over and over. Attributes are set before the fork, begin() runs after it."""

    # Seconds between two actions: at least, at most.
    pause = (0.001, 0.02)
    # How many actions of all actors have to succeed between two of this one: at least, at most.
    every = (0, 0)
    # What may fail besides, for all actions alike (storms with injected faults set it).
    tolerated = frozenset()

    def __init__(self, name=None):
        self.name = name or type(self).__name__.lower()
        self.random = random.Random()
        found = [getattr(type(self), key) for key in dir(type(self))]
        self.actions = sorted((one for one in found if hasattr(one, "allowed")), key=lambda one: one.__name__)
        assert self.actions, f"{self.name} has nothing to do"
        self.page = Page(self.actions)
        # The pages of all actors of the storm.
        self.pages = [self.page]

    def begin(self):
        """Sets up what the actor needs, in its own process."""

    def end(self):
        """Puts back what is the actor's own, whatever state the storm is in."""

    def rests(self):
        """Whether it has to do nothing for now."""
        return False

    def roles(self):
        """The actors that are threads of this one's process."""
        return [self]

    def beats(self):
        """The pulse of the storm: how many actions have succeeded, everybody's."""
        return sum(page.total for page in self.pages)

    def loop(self, stop, complain):
        """The actor's life, until `stop` is readable."""
        weights = [one.weight for one in self.actions]
        due = self.beats() + self.random.uniform(*self.every) if self.every[1] else 0
        while not select.select([stop], [], [], self.random.uniform(*self.pause))[0]:
            if self.rests() or self.every[1] and self.beats() < due:
                continue
            due = self.beats() + self.random.uniform(*self.every)
            chosen = self.random.choices(self.actions, weights)[0]
            # A storm is to be short, so what was not done often enough is done rather.
            missing = [one for one in self.actions if self.page.successes(one) < one.least]
            if missing and self.random.random() < 0.5:
                chosen = self.random.choice(missing)
            self.page.begin(chosen)
            try:
                chosen(self)
                self.page.end(chosen)
            except OSError as error:
                if error.errno in chosen.allowed:
                    self.page.end(chosen, error.errno)
                elif error.errno in self.tolerated:
                    self.page.rest()
                else:
                    complain(self, chosen, f"{errno.errorcode.get(error.errno, error.errno)} is not expected "
                                           f"here ({error}); {where(error)}")
                    return
            except Exception as error:  # pylint: disable=broad-exception-caught
                complain(self, chosen, f"{type(error).__name__}: {error}; {where(error)}")
                return


class Crew(Actor):
    """Several actors in threads of one process: they share its descriptors, and `shared`."""

    def __init__(self, name, *members):
        self.name, self.members, self.shared = name, members, {}
        for member in members:
            member.name, member.crew = f"{name}.{member.name}", self

    def roles(self):
        return list(self.members)

    def begin(self):
        for member in self.members:
            member.begin()

    def end(self):
        for member in self.members:
            member.end()


def where(error):
    """The innermost lines of the traceback, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(frames[-4:]))


@contextlib.contextmanager
def no_module_on_demand():
    """A name of a device, a number of a family that is not there makes the kernel start modprobe, which
    costs more than all else in a storm. AF_PACKET, by which the peers send and receive, is there before."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    with open("/proc/sys/kernel/modprobe", encoding="ascii") as file:
        before = file.read()
    with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as file:
        file.write("\n")
    try:
        yield
    finally:
        with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as file:
            file.write(before)


def default_seed():
    """SEED of the environment, or another one each time."""
    return int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1 << 31))


class Storm:
    """Lets actors loose for some seconds. Whatever is wrong is a lib.Failure."""

    def __init__(self, actors, seconds, seed=None, faults=(), tick=lambda: None):
        # `tick` is called twice a second meanwhile.
        self.actors, self.seconds, self.tick = actors, seconds, tick
        # Whether it goes on until every action has succeeded often enough.
        self.complete = True
        self.seed = default_seed() if seed is None else seed
        self.stop_reader, self.stop_writer = os.pipe2(os.O_CLOEXEC)
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.pids = {}
        pages = [role.page for role in self.roles()]
        for actor in self.roles():
            actor.pages = pages
            actor.tolerated = actor.tolerated | {getattr(errno, name) for name in faults}

    def roles(self):
        return [role for actor in self.actors for role in actor.roles()]

    def run(self):
        """The storm; returns when it is over, and every process of it has ended."""
        print(f"# seed {self.seed} (SEED={self.seed} repeats it)", flush=True)
        # A test that takes too long is ended, and has to put modprobe back.
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
        with no_module_on_demand():
            try:
                for actor in self.actors:
                    self.start(actor)
                self.watch()
                os.close(self.stop_writer)
                self.wait_for_all()
            finally:
                for pid in self.pids:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                for role in self.roles():
                    role.page.close()
                signal.signal(signal.SIGTERM, before)
        os.close(self.stop_reader)
        self.complaints()
        os.close(self.reader)
        os.close(self.writer)

    # ---- The children ---------------------------------------------------------------------------

    def start(self, actor):
        pid = os.fork()
        if pid:
            self.pids[pid] = actor
            return
        status = 1
        try:
            lib.libc_call("prctl", 1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self.stop_writer)
            for role in actor.roles():
                role.random.seed(f"{self.seed} {role.name}")
            actor.begin()
            try:
                self.act(actor)
            finally:
                actor.end()
            status = 0
        except BaseException as error:  # pylint: disable=broad-exception-caught
            self.complain(actor, None, f"{type(error).__name__}: {error}; {where(error)}")
        finally:
            os._exit(status)

    def act(self, actor):
        threads = [threading.Thread(target=role.loop, args=(self.stop_reader, self.complain))
                   for role in actor.roles()[1:]]
        for thread in threads:
            thread.start()
        actor.roles()[0].loop(self.stop_reader, self.complain)
        for thread in threads:
            thread.join()

    def complain(self, actor, chosen, text):
        name = f"{actor.name}.{chosen.__name__}" if chosen else actor.name
        with contextlib.suppress(BlockingIOError):
            os.write(self.writer, f"{name}: {text}\n".encode()[:4000])

    # ---- The parent -----------------------------------------------------------------------------

    def complaints(self):
        """Raises what an actor has found wrong."""
        try:
            said = os.read(self.reader, 65536).decode(errors="replace")
        except BlockingIOError:
            return
        lib.diag(said)
        raise lib.Failure(f"seed {self.seed}: {said.splitlines()[0]}")

    def missing(self):
        """The actions that were not done often enough so far."""
        return [f"{role.name}.{one.__name__} ({role.page.successes(one)} of {one.least}, "
                f"{role.page.tries(one)} tries)"
                for role in self.roles() for one in role.actions if role.page.successes(one) < one.least]

    def check_stuck(self):
        for pid, actor in self.pids.items():
            for role in actor.roles():
                now = role.page.now()
                if now and now[1] > STUCK * lib.SLOW:
                    self.show_stack(pid)
                    raise lib.Failure(f"seed {self.seed}: {role.name}.{now[0]} has not come back for "
                                      f"{now[1]:.0f} s")

    @staticmethod
    def show_stack(pid):
        """Where in the kernel the threads of a process are."""
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/stack", "rb") as file:
                lib.diag(f"{pid}/{task}: " + " < ".join(line.decode().split()[-1] for line in file))

    def watch(self):
        """Until the time is over and everything has been done."""
        began = time.monotonic()
        while (lasted := time.monotonic() - began) < self.seconds or self.complete and self.missing():
            if lasted > self.seconds * PATIENCE + 120 * lib.SLOW:
                missing = ", ".join(self.missing())
                raise lib.Failure(f"seed {self.seed}: after {lasted:.0f} s not done: {missing}")
            select.select([self.reader], [], [], 0.5)
            self.complaints()
            self.check_stuck()
            self.tick()
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                actor = self.pids.pop(pid)
                # Its reason may have come only now.
                self.complaints()
                raise lib.Failure(f"seed {self.seed}: {actor.name} ended by itself, status {status:#x}")

    def wait_for_all(self):
        """Every actor comes to its end by itself."""
        end = time.monotonic() + STUCK * lib.SLOW
        while self.pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                actor = self.pids.pop(pid)
                if status:
                    self.complaints()
                    raise lib.Failure(f"seed {self.seed}: {actor.name} ended with status {status:#x}")
                continue
            if time.monotonic() > end:
                for left in self.pids:
                    self.show_stack(left)
                names = ", ".join(f"{actor.name} {[role.page.now() for role in actor.roles()]}"
                                  for actor in self.pids.values())
                raise lib.Failure(f"seed {self.seed}: these do not end: {names}")
            time.sleep(0.05)

    def total(self):
        """How many actions have succeeded."""
        return sum(role.page.total for role in self.roles())

    def report(self):
        """What everybody did."""
        for role in self.roles():
            lib.diag(f"{role.name}: " + "; ".join(role.page.line(one) for one in role.actions))
