# SPDX-License-Identifier: GPL-2.0
"""What the comments at the head of a selftest ask for; lib.sh describes them."""
import dataclasses
import difflib
import os
import re

from upstream import catalogue

DEFAULT_SUBJECT = {"drivers": "rtl8139_rs", "net": "af_rpacket", "e2e": "rpsniff", "rig": "rig"}
KNOWN = {"subjects", "kernels", "timeout", "nics", "machine", "cpus", "leak-scan", "log", "trace", "icount",
         "qtest", "remaps", "sleeps", "ruins", "debug", "full", "modes", "memory", "append"}
# The ways of a frame that the driver has on QEMU's card; the first is its own choice.
MODES = ("cplus", "classic")
SWITCHES = ("leak-scan", "trace", "icount", "qtest", "remaps", "sleeps", "ruins", "full")

# How many times longer things may take on a kernel, on emulated CPUs.
SLOW = {"stock": 1, "rt": 2, "debug": 4}
FULL = bool(os.environ.get("RPACKET_FULL"))


@dataclasses.dataclass
class Head:
    subjects: list
    kernels: list
    timeout: int
    nics: str
    machine: str
    cpus: int
    leak_scan: bool
    log: str
    trace: bool
    icount: bool
    qtest: bool
    remaps: bool
    sleeps: bool
    ruins: bool
    chosen: bool
    full: bool
    modes: list
    memory: str = ""
    append: str = ""
    # What runs the test, if it is not its own file.
    command: list = None

    def shape(self):
        """Tests with the same shape share a boot."""
        return (self.machine, self.cpus, self.nics, self.trace, self.icount, self.qtest, self.remaps, self.sleeps,
                self.memory, self.append)

    def variants(self, kernel, everything):
        """The subjects of a run, each with the mode after a plus sign if the test runs in more than one, or
        in another than the driver's own choice.

        If not everything is to run, a test that has both modes runs in the first on the stock kernel, and in
        the other one elsewhere."""
        ours, *others = self.subjects
        modes = self.modes
        if len(modes) > 1 and not everything:
            modes = modes[:1] if kernel == "stock" else modes[1:]
        return [ours if mode == MODES[0] else f"{ours}+{mode}" for mode in modes] + others

    def is_counted(self, subject):
        """Whether results of the subject are part of the verdict: it is not there for comparison."""
        return subject.partition("+")[0] == self.subjects[0]

    def runs(self, kernel, chosen=False, full=FULL):
        """Whether a run on the kernel has this test: one of all tests, or of the chosen ones."""
        return kernel in self.kernels and (full or not self.full) and (self.chosen or not chosen)


def of_upstream(test):
    """What the head of one of the kernel's own selftests would ask for, if it had one."""
    return Head(subjects=list(test.subjects), kernels=list(test.kernels), timeout=test.seconds + 180,
                nics="rtl8139,e1000", machine="q35", cpus=test.cpus, leak_scan=False, log=test.log, trace=False,
                icount=False, qtest=False, remaps=False, sleeps=False, ruins=False, chosen=False,
                full=not test.short, modes=[MODES[0]],
                command=[catalogue.RUN, test.name])


def check(path, found):
    """A word that nobody understands would be a test that runs nowhere."""
    kernels = set(found.get("kernels", "").replace(",", " ").split())
    wrong = [f"kernels: {name}" for name in sorted(kernels - {*SLOW, "host"})]
    wrong += [f"modes: {name}" for name in found.get("modes", MODES[0]).split() if name not in MODES]
    for key in SWITCHES:
        if found.get(key, "yes") != "yes":
            wrong.append(f"{key}: {found[key]}, not yes")
    if found.get("debug", "chosen") != "chosen":
        wrong.append(f"debug: {found['debug']}, not chosen")
    for key in ("timeout", "cpus"):
        if not re.match(r"\d+( \d+)?( |$)", found.get(key, "1")):
            wrong.append(f"{key}: {found[key]}, no number")
    if wrong:
        raise ValueError(f"{path}: {'; '.join(wrong)}")


def read(path):
    test = catalogue.test_of(path)
    if test:
        return of_upstream(test)
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                break
            match = re.match(r"^# ([a-z-]+): (.+)$", line.rstrip())
            if match and match.group(1) in KNOWN:
                found[match.group(1)] = match.group(2).strip()
            elif match and difflib.get_close_matches(match.group(1), KNOWN, cutoff=0.75):
                raise ValueError(f"{path}: no test's head has {match.group(1)}: {', '.join(sorted(KNOWN))}")
    check(path, found)
    folder = path.split("/")[-2]
    return Head(
        subjects=found.get("subjects", DEFAULT_SUBJECT.get(folder, "rig")).split(),
        kernels=found.get("kernels", "stock debug rt").replace(",", " ").split(),
        timeout=int(found.get("timeout", "300").split()[-1 if FULL else 0]),
        nics=found.get("nics", "rtl8139,e1000"),
        machine=found.get("machine", "q35"),
        cpus=int(found.get("cpus", 2)),
        leak_scan=found.get("leak-scan") == "yes",
        log=found.get("log", ""),
        trace=found.get("trace") == "yes",
        icount=found.get("icount") == "yes",
        qtest=found.get("qtest") == "yes",
        remaps=found.get("remaps") == "yes",
        sleeps=found.get("sleeps") == "yes",
        ruins=found.get("ruins") == "yes",
        chosen=found.get("debug") == "chosen",
        full=found.get("full") == "yes",
        modes=found.get("modes", MODES[0]).split(),
        memory=found.get("memory", ""),
        append=found.get("append", ""),
    )
