#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs a command in a VM (scripts/vm says how). Runs itself in the build root; it is scripts/vm that a
person calls.

virtme-run boots the kernel on the root's own file system. This program watches over it: the
guest's sign of life, the console (both in vm_guest.py), the time limits; and makes one exit status of all
that can happen.
"""
import argparse
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import vm_sleeper
from vm_guest import FATAL, Guest

sys.path.insert(0, "/rpacket/selftests")
from kernel_log import GUILTY, guilty_lines  # noqa: E402

TREE = "/rpacket"
CACHE = "/cache"
STATE = f"{TREE}/build/vm"
VIRTME_RUN = "/opt/virtme-ng/bin/virtme-run"
ATTEMPTS = 3
KEEP = 12

REFUSED = 2
QEMU_FAILED, COMPLAINED, NOT_STARTED, NO_BOOT, HUNG, PANIC, TIMEOUT = 249, 250, 251, 252, 253, 254, 124

# Where the story of what ends a guest begins in the log.
STORY = re.compile(r"BUG:|WARNING:|Oops|kernel BUG at|Kernel panic|general protection fault|INFO: ")

# What scripts/guest/start writes into the kernel log.
END_OF_COMMAND = "rpacket: end of the command"


def say(text):
    print(f"rpacket: {text}", file=sys.stderr, flush=True)


def evidence(status, console, complaint):
    """In a few words, for a table of results: what the kernel said, or where its CPUs were."""
    if status == HUNG:
        # From the NMI on.
        places = re.findall(r"RIP: \d+:(\S+?)\+", "\n".join(console[-300:]))
        return ["CPUs in " + ", ".join(places) if places else "no CPU answered an NMI"]
    if status == COMPLAINED:
        return [line for line in complaint if GUILTY.search(line)][:1]
    return [line for line in console if FATAL.search(line)][:1] if status == PANIC else []


def way_down(lines):
    """What the kernel complains of after the command's end, which no test sees."""
    end = next((i for i, line in enumerate(lines) if line.rstrip().endswith(END_OF_COMMAND)), len(lines))
    return guilty_lines(lines[end:], None)


def guilty_part(lines):
    """The lines of the console from the first that tells of the trouble, at most 100."""
    first = next((i for i, line in enumerate(lines) if FATAL.search(line)), None)
    if first is None:
        return lines[-25:]
    while first > 0 and STORY.search(lines[first - 1]):
        first -= 1
    return lines[max(0, first - 3):first + 97]


def cards(options):
    """QEMU's options for the network cards."""
    result = []
    for number, card in enumerate(c for c in options.nics.split(",") if c):
        model, *properties = card.split("+")
        slot = f"addr={0x10 + number:#x}"
        if "bridge" in properties:
            properties[properties.index("bridge")] = f"bus=bridge{number}"
            result += ["-device", f"pci-bridge,id=bridge{number},chassis_nr={number + 1},{slot}"]
        result += [
            "-netdev", f"hubport,id=net{number},hubid=0",
            "-device", ",".join([
                model, f"id=nic{number}", f"netdev=net{number}", slot,
                f"mac=52:54:00:00:00:{number + 1:02x}", *properties,
            ]),
        ]
    return result


def probe(options):
    """Whether QEMU takes the cards, of a machine that does not run; if not, it says why."""
    done = subprocess.run(
        ["qemu-system-x86_64", "-machine", options.machine, "-accel", "tcg", "-nodefaults", "-display", "none",
         "-S", "-monitor", "stdio", *cards(options)],
        check=False, input="quit\n", text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode:
        say(f"error: QEMU does not take the cards of NICS={options.nics}: {done.stderr.strip()}")
    return REFUSED if done.returncode else 0


def qemu_options(options, guest, kvm):
    result = [
        "-machine", options.machine,
        "-qmp", f"unix:{guest.sockets}/monitor",
    ]
    if not options.sleeps:
        result += ["-device", "virtio-serial-pci,id=rpacket,max_ports=4"]
    for port in ("beat", "qmp"):
        result += [
            "-chardev", f"socket,id=rp-{port},path={guest.sockets}/{port}",
            "-device", vm_sleeper.port(port) if options.sleeps else
            f"virtserialport,bus=rpacket.0,chardev=rp-{port},name=rpacket.{port}",
        ]
    result += cards(options)
    if options.qtest:
        # QEMU is at both ends of this socket: what the guest writes to the port are commands of the
        # qtest protocol. Without a log, which would go to the console.
        result += [
            "-chardev", f"socket,id=rp-qtest,path={guest.sockets}/qtest,server=on,wait=off",
            "-device", "virtserialport,bus=rpacket.0,chardev=rp-qtest,name=rpacket.qtest",
            "-qtest", f"unix:{guest.sockets}/qtest", "-qtest-log", "none",
        ]
    if options.icount:
        result += ["-icount", "shift=0,sleep=off"]
    elif options.one_thread and not kvm:
        # When a region of memory comes or goes, an emulated CPU of another thread may look a region up in
        # the table of before: QEMU ends itself, or the access goes elsewhere and the guest hangs.
        result += ["-accel", "tcg,thread=single"]
    if guest.trace:
        result += ["-D", guest.trace]
    return result


def kernel_image(kernel):
    base = "" if kernel == "stock" else f"/kernels/{kernel}"
    release_file = "/var/lib/rpacket/release" if kernel == "stock" else f"{base}/release"
    with open(release_file, encoding="ascii") as file:
        return f"{base}/lib/modules/{file.read().strip()}/vmlinuz"


def kernel_arguments(options):
    # no5lvl: five-level page tables, which QEMU's largest CPU has, make KASAN kernels report
    # wild accesses at boot. An unknown NMI is what this program sends to a guest that hangs.
    # loglevel: virtme-run would silence the console, which is watched here.
    arguments = ["no5lvl", "loglevel=7", "oops=panic", "unknown_nmi_panic", "panic_print=0x40",
                 "net.ifnames=0", *options.append]
    if options.kernel == "debug" and not any(a.startswith("kmemleak=") for a in arguments):
        arguments.append("kmemleak=off")
    return arguments


def vm_command(options, guest, kvm):
    """The command line that starts the VM; what is its standard output is the guest's, and its standard
    error the console."""
    if options.sleeps:
        return vm_sleeper.command(options, guest, kvm, kernel_image(options.kernel), kernel_arguments(options),
                                  qemu_options(options, guest, kvm))
    return virtme_command(options, guest, kvm)


def virtme_command(options, guest, kvm):
    command = [
        VIRTME_RUN, "--kimg", kernel_image(options.kernel), "--mods", "auto",
        "--show-boot-console", "--memory", options.memory, "--cpus", str(options.cpus),
        "--rwdir", f"{TREE}/build", "--name", "rpacket",
    ]
    if not kvm:
        # The daemon of virtio-fs writes to the guest's memory behind QEMU's back. An emulated CPU then
        # goes on executing what it has translated of the code that was there before: programs crash at
        # random, the more so the less memory is free. With 9p QEMU itself writes, and knows.
        command += ["--disable-kvm", "--force-9p"]
    for argument in kernel_arguments(options):
        command += ["--kopt", argument]
    command += ["--script-sh", f"exec {TREE}/scripts/guest/start {shlex.quote(guest.folder)}"]
    return command + ["--qemu-opts", *qemu_options(options, guest, kvm)]


def end_process(process):
    """Ends virtme-run and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def stuck(guest, reason):
    """What to return for a guest that is. Every CPU answers an NMI with a backtrace before the panic."""
    guest.qmp.command({"execute": "inject-nmi"})
    time.sleep(8)
    return HUNG, reason


def watch(process, guest, options):
    """Waits for the guest's end; returns (status, what happened)."""
    while True:
        try:
            process.wait(0.2)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        now = time.monotonic()
        # First, since a kernel may also crash after the command's end, on its way down.
        if guest.fatal_at is not None and (ended or now - guest.fatal_at > 15):
            return PANIC, "the guest's kernel crashed"
        if guest.status is not None and ended:
            return guest.status, None
        if guest.status is not None and now - guest.ended > options.silence / 2:
            # After a failure there may be a reason for that.
            return (guest.status, None) if guest.status else stuck(guest, "the guest does not go off")
        if ended:
            if guest.started is None:
                return NO_BOOT, f"the VM ended (status {process.returncode}) before it had booted"
            return PANIC, "the VM ended before the command did"
        if guest.status is not None or guest.fatal_at is not None:
            continue
        if guest.started is None:
            if now - guest.began > options.boot_timeout:
                return NO_BOOT, f"no boot within {options.boot_timeout} s"
            if now - guest.console_at > options.boot_silence:
                return NO_BOOT, f"boot stopped: nothing on the console for {options.boot_silence} s"
            continue
        if now - guest.beat > options.silence:
            return stuck(guest, f"the guest hung: no sign of life for {options.silence} s")
        if options.timeout and now - guest.started > options.timeout:
            return TIMEOUT, f"the command took longer than {options.timeout} s"


def boot(options, folder, kvm):
    """One boot; returns (status, what happened, the Guest)."""
    guest = Guest(folder, options.verbose, options.trace, options.sleeps)
    log_path = f"{folder}/console.log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            vm_command(options, guest, kvm), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "PATH": f"/opt/virtme-ng/bin:{os.environ['PATH']}"},
        )
        threads = [
            threading.Thread(target=guest.read_console, args=(process.stderr, log), daemon=True),
            threading.Thread(target=guest.copy_output, args=(process.stdout,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            status, reason = watch(process, guest, options)
        finally:
            end_process(process)
            for thread in threads:
                thread.join(5)
            guest.close()
    if guest.defect and guest.fatal_at is None and status not in (0, guest.status):
        status, reason = QEMU_FAILED, f"QEMU ended itself: {guest.defect}"
    return status, reason, guest


def count_boot(options, outcome, seconds):
    """One line for each boot, so that the share of boots that fail is known."""
    with open(f"{CACHE}/boots.csv", "a", encoding="ascii") as file:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        file.write(f"{stamp},{options.kernel},{outcome},{seconds:.0f}\n")


def kvm_works(options):
    """Whether guests run with KVM here: tried once each boot of the host, never assumed."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        record = f"{CACHE}/kvm-{file.read().strip()}"
    with open(f"{CACHE}/lock/kvm", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(record):
            probe = argparse.Namespace(**{
                **vars(options), "kernel": "stock", "nics": "", "append": [], "timeout": 10,
                "boot_timeout": 20, "boot_silence": 20, "silence": 20, "verbose": False,
                "icount": False, "trace": False, "qtest": False, "machine": "q35",
                "sleeps": False,
            })
            folder = new_folder("true\n", "stock", "")
            status, *_ = boot(probe, folder, True)
            works = status == 0
            say("KVM works here" if works else "no KVM here: emulating the CPU")
            for old in os.listdir(CACHE):
                if old.startswith("kvm-"):
                    os.unlink(f"{CACHE}/{old}")
            with open(record, "w", encoding="ascii") as file:
                file.write("yes" if works else "no")
        with open(record, encoding="ascii") as file:
            return file.read() == "yes"


def new_folder(command, kernel, modules, interactive=False):
    """The folder in build/vm of one run; the oldest ones are deleted."""
    os.makedirs(STATE, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=STATE)
    os.chmod(folder, 0o755)
    with open(f"{folder}/command", "w", encoding="utf-8") as file:
        file.write(command)
    environment = {
        "KERNEL": kernel, "MODULES": modules, "RPACKET_MODULES": f"{TREE}/build/{kernel}",
        "INTERACTIVE": "1" if interactive else "", "RPACKET_VM": "1",
    }
    for name in ("V", "CI", "TESTS", "SEED", "SLEEPS", "RPACKET_FULL"):
        if name in os.environ:
            environment[name] = os.environ[name]
    with open(f"{folder}/environment", "w", encoding="utf-8") as file:
        for name, value in environment.items():
            file.write(f"{name}={shlex.quote(value)}\n")
    for old in sorted(folders_of_runs())[:-KEEP]:
        shutil.rmtree(old[1], ignore_errors=True)
    # In one step, since another VM of this tree may be starting.
    os.symlink(os.path.basename(folder), f"{folder}/last")
    os.replace(f"{folder}/last", f"{STATE}/last")
    return folder


def folders_of_runs():
    """When each folder in build/vm was changed, and its path; another VM may be deleting some."""
    for entry in os.scandir(STATE):
        try:
            if entry.is_dir(follow_symlinks=False):
                yield entry.stat().st_mtime, entry.path
        except FileNotFoundError:
            pass


def interactive_shell(options, folder, kvm):
    guest = Guest(folder, False)
    command = virtme_command(options, guest, kvm)
    at = command.index("--script-sh")
    command[at:at + 2] = ["--pwd"]
    shell = f"{folder}/shell"
    with open(shell, "w", encoding="ascii") as file:
        file.write(f"#!/bin/bash\nexec {TREE}/scripts/guest/start {folder}\n")
    os.chmod(shell, 0o755)
    command[at:at] = ["--shell", shell]
    command.remove("--show-boot-console")
    say("a shell in the VM; it ends with the shell (or ctrl-a x)")
    status = subprocess.call(
        command, env={**os.environ, "PATH": f"/opt/virtme-ng/bin:{os.environ['PATH']}"})
    guest.close()
    return status


def parse():
    parser = argparse.ArgumentParser(prog="scripts/vm.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("--kernel", default="stock", choices=("stock", "debug", "rt"))
    parser.add_argument("--modules", default=os.environ.get("MODULES") or "rtl8139_rs af_rpacket")
    parser.add_argument("--nics", default=os.environ.get("NICS") or "rtl8139,e1000")
    parser.add_argument("--machine", default="q35", choices=("q35", "pc"))
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--append", action="append", default=[])
    parser.add_argument("--timeout", type=int, default=1800)
    parser.add_argument("--icount", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--qtest", action="store_true")
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--sleeps", action="store_true")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    options.modules = options.modules.replace(",", " ")
    if options.modules == "none":
        options.modules = ""
    if options.icount:
        options.cpus = 1
    if options.sleeps:
        # The firmware of the other one does not give it its power management back.
        options.machine = "pc"
    debug = options.kernel == "debug"
    options.boot_timeout = 420 if debug else 150
    options.boot_silence = 120 if debug else 45
    options.silence = 150 if debug else 60
    options.verbose = os.environ.get("V") == "1"
    return options


def main():
    options = parse()
    # A closed pipe or the end of the sandbox ends this program; the sandbox ends the guest.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    if options.probe:
        return probe(options)
    kvm = not options.icount and kvm_works(options)
    if not options.command:
        if options.sleeps:
            say("error: a VM that sleeps has no shell; give it a command")
            return NOT_STARTED
        folder = new_folder("", options.kernel, options.modules, interactive=True)
        return interactive_shell(options, folder, kvm)
    folder = new_folder(" ".join(options.command) + "\n", options.kernel, options.modules)
    for attempt in range(1, ATTEMPTS + 1):
        status, reason, guest = boot(options, folder, kvm)
        booted = guest.started is not None
        count_boot(options, "ok" if booted else "failed",
                   (guest.started or time.monotonic()) - guest.began)
        if booted or attempt == ATTEMPTS:
            break
        say(f"{reason}; trying again ({attempt} of {ATTEMPTS} attempts failed)")
        shutil.copy(f"{folder}/console.log", f"{folder}/console.{attempt}.log")
    with open(f"{folder}/console.log", encoding="utf-8", errors="replace") as file:
        console = file.read().splitlines()
    # A test that failed may have left the kernel in a state in which it has reason to.
    complaint = way_down(console) if status == 0 else []
    if complaint:
        status, reason = COMPLAINED, "the kernel complained after the command's end"
    if reason:
        reason = "; ".join((reason, *evidence(status, console, complaint)))
    with open(f"{folder}/reason", "w", encoding="utf-8") as file:
        file.write(reason or "")
    if reason:
        sys.stdout.flush()
        say(f"{reason}; the console, kept in build/vm/{os.path.basename(folder)}/console.log, says:")
        for line in complaint or guilty_part(console):
            print(f"    {line.rstrip()}", file=sys.stderr)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # pylint: disable=broad-exception-caught
        # Not to be taken for a status of the command's.
        traceback.print_exc()
        sys.exit(NOT_STARTED)
