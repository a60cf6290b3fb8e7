#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs one of the kernel's own selftests, in the VM, and says in KTAP what came of it.

usage: run.py TEST        a name of catalogue.py; what it is run on is in SUBJECT

The runner (selftests/run) calls this, and judges it like any test of ours. Upstream's tests run from
the kernel's source, on which the programs that selftests/upstream/build made are laid. All that the
test says goes to build/results/upstream/. What fails although it need not, or passes although
expected.csv says that it does not, is a failure; what fails as expected has the directive XFAIL.
"""

import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
# pylint: disable=wrong-import-position
import catalogue
import lib
import results

SUBJECT = os.environ.get("SUBJECT", "")
OURS = SUBJECT in ("af_rpacket", "rtl8139_rs")
TREE = os.path.dirname(os.path.dirname(HERE))
BUILT = f"{TREE}/build/upstream"
LOGS = f"{TREE}/build/results/upstream"
PR_SET_CHILD_SUBREAPER = 36
FAMILY, OUR_FAMILY = 17, 25


@contextlib.contextmanager
def source():
    """The folder of upstream's selftests, with the built programs at their places in it."""
    (selftests,) = glob.glob("/usr/src/linux-source-*/tools/testing/selftests")
    lib.sh("modprobe -q overlay || grep -q overlay /proc/filesystems")
    # One that was killed could not take it away.
    lib.sh(f"while mountpoint -q {selftests}; do umount -l {selftests}; done")
    lib.sh(f"mount -t overlay upstream -o lowerdir={BUILT}:{selftests} {selftests}")
    try:
        yield selftests
    finally:
        # Lazily: what the test has left behind may still be in there.
        lib.sh(f"umount -l {selftests}")


@contextlib.contextmanager
def needed_module(name):
    """The module that the test takes for granted, and what an init system mounts for it."""
    with lib.module(name):
        if name == "netconsole":
            lib.sh("mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config")
        yield


@contextlib.contextmanager
def packet_family(test, environment):
    """The family under test answers for AF_PACKET: by its number where that is free, else redirected."""
    if SUBJECT == "af_packet":
        with lib.module("af_packet"):
            yield
        return
    if lib.loaded("af_packet"):
        lib.unload("af_packet")
    free = not os.path.exists("/proc/net/packet")
    with lib.module("af_rpacket", f"family={FAMILY if free else OUR_FAMILY}"):
        if free:
            yield
            lib.require(not lib.loaded("af_packet"), "af_packet was not loaded meanwhile")
            return
        log = f"/run/redirect.{os.getpid()}"
        programs = " ".join(os.listdir(f"{BUILT}/{test.folder}"))
        environment.update(LD_PRELOAD=f"{BUILT}/redirect.so", RPACKET_FAMILY=str(OUR_FAMILY),
                           REDIRECT_LOG=log, REDIRECT_PROGRAMS=programs)
        try:
            yield
            lib.require(os.path.exists(log), "the program opened a socket of our family")
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(log)


# The card under test is in the first namespace, where upstream's tests want it, and the other end of
# the wire in its own. 8139too has the card if that shows another revision (selftests/modules).
CARD = """
for module in e1000 "$SUBJECT"; do loaded "$module" || defer unload "$module"; done
defer unload pci_revision
defer release_card nic1
defer release_card nic0
if [ "$SUBJECT" = 8139too ]; then
	require insmod "$RPACKET_MODULES-tests/pci_revision.ko" device="$(pci_of nic0)" revision=16
fi
require bind_card nic0 "$SUBJECT"
name=$(netdev_of nic0)
[ "$name" = eth0 ] || require ip link set "$name" name eth0
"""
TOGETHER = """
require bind_card nic1 e1000
name=$(netdev_of nic1)
[ "$name" = eth1 ] || require ip link set "$name" name eth1
for name in eth0 eth1; do
	defer ip link set "$name" down
	require ip link set "$name" up
done
"""
PEER = """
require bind_card nic1 e1000
defer host_down peer eth1
require host_up nic1 peer eth1 "$PEER4" "$PEER6"
require ip addr add "$DUT4/24" dev eth0
require ip addr add "$DUT6/64" dev eth0 nodad
defer ip link set eth0 down
require ip link set eth0 up
own_carrier() { [ "$(cat /sys/class/net/eth0/carrier)" = 1 ]; }
require wait_for 20 own_carrier
require wait_for 20 carrier peer eth1
"""


@contextlib.contextmanager
def card(test, environment):
    """The driver under test has its card, and upstream's library knows of both ends."""
    environment.update(
        NETIF="eth0", LOCAL_V4=lib.DUT4, LOCAL_V6=lib.DUT6, REMOTE_V4=lib.PEER4,
        REMOTE_V6=lib.PEER6, REMOTE_TYPE="netns", REMOTE_ARGS="peer")  # fmt: skip
    peer = "" if test.bare_card else TOGETHER if test.together else PEER
    script = f". {HERE}/../lib.sh\n{CARD}{peer}\necho up\nread -r _\n"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, start_new_session=True) as shell:  # fmt: skip
        said = ""
        for line in shell.stdout:
            if line == "up\n":
                break
            said += line
        else:
            lib.diag(said)
            raise lib.Failure(f"precondition: {SUBJECT} has the card")
        try:
            yield
        finally:
            shell.stdin.close()
            shell.wait()


def children():
    """Processes whose parent this one is, or has become."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(pid))
    return found


class Leftovers:
    """What the test leaves is taken away: that it leaves nothing when it fails is upstream's affair."""

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.children = set(children())
        self.before = self.look()

    @staticmethod
    def look():
        with open("/proc/modules", encoding="ascii") as file:
            modules = [line.split()[0] for line in file]
        namespaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        return {"module": modules, "namespace": namespaces, "device": os.listdir("/sys/class/net")}

    def remove(self):
        while left := set(children()) - self.children:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        commands = {"namespace": "ip netns del {} || rm -f /run/netns/{}", "device": "ip link del {}",
                    "module": "modprobe -r {}"}  # fmt: skip
        for kind, command in commands.items():
            # Modules in the reverse order of loading, and again, for those that others used.
            for name in [*(n for n in self.look()[kind] if n not in self.before[kind])] * 2:
                subprocess.run(command.format(name, name), shell=True, check=False, capture_output=True)


def execute(test, folder, environment, log):
    """Runs it; returns what it said, and its status (None: its time was over)."""
    command = [f"./{test.program}", *test.arguments.split()]
    if not os.access(f"{folder}/{test.program}", os.X_OK):
        # Upstream's runner, too, goes by the first line then.
        with open(f"{folder}/{test.program}", encoding="utf-8") as file:
            command = [*file.readline().removeprefix("#!").split(), *command]
    leftovers, lines = Leftovers(), []
    with subprocess.Popen(command, cwd=folder, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:  # fmt: skip

        def pump():
            for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip("\n")
                lines.append(line)
                print(line, file=log, flush=True)

        # What the test leaves behind may hold the pipe.
        reader = threading.Thread(target=pump, daemon=True)
        reader.start()
        try:
            status = process.wait(test.seconds * lib.SLOW)
        except subprocess.TimeoutExpired:
            status = None
            # Upstream's Python library tidies up at the first of these.
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        leftovers.remove()
        reader.join(5)
        process.stdout = open(os.devnull, "rb")  # pylint: disable=consider-using-with
    return lines, status


def report(test, found, lines):
    """One KTAP result for each."""
    expectations, surprised = results.Expectations(), False
    for result in found:
        if OURS:
            word, text = expectations.verdict(test.name, result, SUBJECT, lib.KERNEL)
        else:
            word = {"pass": "ok", "xfail": "skip"}.get(result.result, result.result)
            text = ("XFAIL by upstream: " if result.result == "xfail" else "") + result.reason
        # The number sign would begin another directive.
        name, text = result.name.replace("#", ""), " ".join(text.replace("#", "").split())
        if word == "ok":
            lib.ok(name)
        elif word == "skip":
            lib.skip(name, text)
        elif word == "xfail":
            lib.xfail(name, text)
        else:
            lib.fail(name, text)
            surprised = True
    for pattern in expectations.unmet(test.name, [result.name for result in found], SUBJECT, lib.KERNEL) if OURS else ():
        lib.fail(f"has a case {pattern}", "expected.csv has it; did the test end early?")
        surprised = True
    if surprised:
        lib.diag("\n".join(lines[-40:]))


def note_machine():
    """What the report says of the machine of most tests; the catalogue says which ones have another."""
    if os.cpu_count() != catalogue.Test.cpus:
        return
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) // 1024
    with open(f"{LOGS}/machine.{lib.KERNEL}", "w", encoding="utf-8") as file:
        print(f"Linux {os.uname().release}, {os.cpu_count()} CPUs ({model}), {memory} MB", file=file)


def main():
    test = catalogue.find(sys.argv[1])
    # Nothing of our own: TESTS means something to upstream, too.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment.update(KSFT_MACHINE_SLOW="yes", NO_COLOR="1")
    if test.titles:
        environment["BASH_ENV"] = f"{HERE}/go_on.sh"
    os.makedirs(LOGS, exist_ok=True)
    note_machine()
    path = f"{LOGS}/{test.name.replace('/', '-')}.{SUBJECT}.{lib.KERNEL}.log"
    around = packet_family if SUBJECT in catalogue.PACKET else card
    module = needed_module(test.module) if test.module else contextlib.nullcontext()
    with open(path, "w", encoding="utf-8") as log, source() as selftests:
        with module, around(test, environment):
            lines, status = execute(test, f"{selftests}/{test.folder}", environment, log)
            report(test, results.read(test.name, lines, status, test.titles), lines)


if __name__ == "__main__":
    # By the runner, at the end of its patience: what was set up is taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lib.main(main)
