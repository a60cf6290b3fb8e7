#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs test suites and makes one account of them (scripts/test says how). Runs itself in the build root.

usage: test.py [--compare] [--first] [--last] host|rig|KERNEL[:chosen|:unmade]...
       test.py --plan [--compare] PART...       writes down which tests a run of these parts has; exit status 2
                                                if TESTS picks none

host is cargo's tests, rig what came of those outside of the build root, KERNEL:unmade a failure since that
kernel could not be made. --first begins the account anew, --last ends it; --compare runs the C originals
beside ours.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import time
import traceback

TREE = "/rpacket"
RESULTS = f"{TREE}/build/results"
FOLDERS = ("rig", "drivers", "net", "e2e")
# The folder of the package, and what cargo is told beyond that.
PACKAGES = {
    "host/logic": ("selftests/host",),
    "host/loom": ("selftests/host", "--features", "loom"),
    "host/rpsniff": ("rpsniff",),
}
# What runs outside the build root.
RIG = "rig/host.sh"
MODULES = ("rtl8139_rs", "af_rpacket")
# How often a test runs again under which QEMU has ended itself.
AGAIN = 2

sys.path.insert(0, f"{TREE}/selftests")
import heads  # noqa: E402
from test_account import Account, NotRun  # noqa: E402
from test_journal import Journal  # noqa: E402
from upstream import catalogue  # noqa: E402
from kernel_log import GUILTY, guilty_lines  # noqa: E402

# What this program ends with when it has come to no verdict.
BROKEN = 3
# What selftests/run ends with: all passed, something failed, the VM is not fit for the other tests.
NOT_FIT = 3
RUNNER_STATUS = 0, 1, NOT_FIT
QEMU_FAILED = 249
VM_STATUS = {
    QEMU_FAILED: "QEMU ended itself",
    250: "the kernel complained after the tests' end",
    251: "the VM could not be started", 252: "the VM did not boot", 253: "the guest hung",
    254: "the kernel crashed", 124: "the VM ran out of time", 143: "the VM was ended",
}


def pattern():
    try:
        return re.compile(os.environ.get("TESTS") or "")
    except re.error as error:
        print(f"rpacket: error: TESTS is no regular expression: {error}", file=sys.stderr)
        sys.exit(2)


PATTERN = pattern()


def wanted(name):
    return PATTERN.search(name) is not None


# ---- Host ---------------------------------------------------------------------------------------


def subject_of(package, test):
    if package == "host/rpsniff":
        return "rpsniff"
    # By the names in selftests/host/src.
    return "af_rpacket" if re.search(r"packet|binding|claim", test) else "rtl8139_rs"


def host_suite(account, title, folder, *options):
    """cargo test of one package, one row for each test."""
    if not os.path.exists(f"{TREE}/{folder}/Cargo.toml"):
        account.add("host", title, subject_of(title, ""), "none", "fail", f"no {folder}/Cargo.toml")
        account.top(False, title, f"no {folder}/Cargo.toml")
        account.ended("none", title)
        return
    print(f"    KTAP version 1\n    # Subtest: {title}\n    # compiling ...", flush=True)
    began = time.monotonic()
    process = subprocess.Popen(
        ["cargo", "test", "--locked", "--no-fail-fast", "--manifest-path",
         f"{TREE}/{folder}/Cargo.toml", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, "CARGO_TERM_COLOR": "never"})
    number, failed, program = 0, 0, ""
    for line in process.stdout:
        line = line.rstrip("\n")
        running = re.match(r"\s+(?:Running (?:unittests )?|Doc-tests )(\S+)", line)
        if running:
            program = os.path.splitext(os.path.basename(running.group(1)))[0]
        # The verdict follows its test's name on the same line, also when the test has printed.
        match = re.match(r"test (.+?) (?:- should panic )?\.\.\. .*?(ok|FAILED|ignored)(?:, (.*))?$", line)
        if not match:
            # What cargo says of its own progress is noise; what is wrong is not said like this.
            if line.strip() and not re.match(
                    r"running \d+ tests?|test result: ok|\s+(Compiling|Download|Updating|Locking|Running|Doc-tests)", line):
                print(f"    # {line}", flush=True)
            continue
        name, verdict, why = match.group(1), match.group(2), match.group(3) or ""
        number += 1
        result = {"ok": "pass", "FAILED": "fail", "ignored": "skip"}[verdict]
        failed += result == "fail"
        test = f"{title.removeprefix('host/')}/{program}: {name}"
        account.add("host", test, subject_of(title, name), "none", result, why)
        print(f"    {'not ok' if result == 'fail' else 'ok'} {number} {program}: {name}"
              f"{' # SKIP ' + why if result == 'skip' else ''}", flush=True)
    status = process.wait()
    if status and not failed:
        account.add("host", f"{title}: builds and runs", subject_of(title, ""), "none", "fail",
                    f"cargo test: status {status}")
    elif not number:
        account.add("host", f"{title}: has tests", subject_of(title, ""), "none", "fail", "none ran")
    print(f"    1..{number}", flush=True)
    account.top(status == 0 and number > 0, title)
    account.times.add("host", "none", title, time.monotonic() - began)
    account.ended("none", title)


def rig_suite(account):
    """What scripts/test ran outside the build root: selftests/rig/host.sh, one row for each result."""
    title, planned, number, failed, lines = RIG, 0, 0, 0, []
    if not wanted(title):
        return
    if os.path.exists(f"{RESULTS}/rig-host.ktap"):
        with open(f"{RESULTS}/rig-host.ktap", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    print(f"    KTAP version 1\n    # Subtest: {title}", flush=True)
    for line in lines:
        if line != "KTAP version 1":
            print(f"    {line}", flush=True)
        plan = re.match(r"1\.\.(\d+)$", line)
        planned = int(plan.group(1)) if plan else planned
        match = re.match(r"(ok|not ok) \d+ (.*?)(?: # (.*))?$", line)
        if match:
            number += 1
            failed += match.group(1) == "not ok"
            account.add("host", f"{title}: {match.group(2)}", "rig", "none",
                        "pass" if match.group(1) == "ok" else "fail", match.group(3) or "")
    if not number or number != planned:
        failed += 1
        account.add("host", f"{title}: runs to its end", "rig", "none", "fail",
                    f"{planned} planned, {number} came")
    account.top(not failed, title)
    account.ended("none", title)


def host_suites(account):
    """What cargo tests."""
    for title, package in PACKAGES.items():
        if wanted(title):
            host_suite(account, title, *package)


# ---- VM -----------------------------------------------------------------------------------------


def vm(kernel, command, *options, meanwhile=lambda: None):
    """Runs a command in a VM, its output going through, and looks at what it does meanwhile; returns its
    status."""
    with subprocess.Popen(
            ["python3", f"{TREE}/scripts/vm.py", "--kernel", kernel, "--modules", "none", *options, "--",
             command]) as process:
        try:
            while True:
                try:
                    return process.wait(1)
                except subprocess.TimeoutExpired:
                    meanwhile()
        except KeyboardInterrupt:
            meanwhile()
            raise


def vm_reason(status):
    """What became of the last VM, with what its console says of that."""
    try:
        with open(f"{TREE}/build/vm/last/reason", encoding="utf-8") as file:
            return file.read() or VM_STATUS.get(status, f"status {status}")
    except OSError:
        return VM_STATUS.get(status, f"status {status}")


def vm_tests(kernel, chosen, compare):
    """(file, subject) of the VM's tests for this run, in the order of FOLDERS and names; of those that
    a head line has chosen, if only they are to run. With the C originals, if they are to be compared."""
    # A run that may have them has all the driver's modes, too.
    everything = compare
    # They are no part of the verdict, and not to be debugged.
    compare = compare and kernel == "stock"
    for folder in FOLDERS:
        path = f"{TREE}/selftests/{folder}"
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            file = f"selftests/{folder}/{name}"
            if not name.endswith((".sh", ".py")) or not os.access(file, os.X_OK):
                continue
            try:
                head = heads.read(file)
            except ValueError as error:
                sys.exit(f"rpacket: error: {error}")
            if head.runs(kernel, chosen) and wanted(f"{folder}/{name}"):
                for subject in head.variants(kernel, everything):
                    if compare or head.is_counted(subject):
                        yield file, subject
    for file, subject in catalogue.chosen(wanted, compare):
        if heads.read(file).runs(kernel, chosen):
            yield file, subject


def no_tests(account, kernel, reason):
    """A failure of the VM, or of what runs the tests in it."""
    account.add("vm", "the VM runs the tests", "rig", kernel, "fail", reason)
    account.top(False, "the VM runs the tests", reason)


def ruinous_last(tests):
    """After one that ruins the kernel the rest would need another boot."""
    return sorted(tests, key=lambda test: heads.read(test[0]).ruins)


def vm_group(account, kernel, group, tests):
    """All tests of one group: in one boot, or in more when the kernel dies under one."""
    (machine, cpus, nics, trace, icount, qtest, remaps, sleeps, memory, append), leak_scan = group
    options = ["--machine", machine, "--cpus", str(cpus), "--nics", nics]
    if trace:
        options.append("--trace")
    if icount:
        options.append("--icount")
    if qtest:
        options.append("--qtest")
    if remaps:
        options.append("--one-thread")
    if sleeps:
        options.append("--sleeps")
    if memory:
        options += ["--memory", memory]
    if append:
        options += ["--append", append]
    if leak_scan:
        options += ["--append", "kmemleak=on"]
    tests, again, counted = list(tests), collections.Counter(), set()
    while tests:
        path = f"{RESULTS}/vm.jsonl"
        if os.path.exists(path):
            os.unlink(path)
        journal = Journal(path, account, kernel, counted)
        limit = sum((heads.read(file).timeout + 60) * heads.SLOW[kernel] for file, _ in tests) + 300
        command = (f"selftests/run --results build/results/vm.jsonl --first {account.number + 1} "
                   + ("--leak-scan " if leak_scan else "")
                   + " ".join(f"{file}:{subject}" for file, subject in tests))
        began = time.monotonic()
        status = vm(kernel, command, "--timeout", str(limit), *options, meanwhile=journal.read)
        journal.read(whole=True)
        open_test, done = journal.open_test, journal.done
        account.times.add("boot", kernel, f"{machine}, {cpus} CPUs, {nics or 'no cards'}"
                          + (", counted" if trace or icount else "") + (", kmemleak" if leak_scan else ""),
                          time.monotonic() - began - journal.spent)
        if status == QEMU_FAILED and open_test and journal.unspoilt() and again[open_test] < AGAIN:
            # Nothing of ours: the test has not come to its end, and does so in another VM.
            again[open_test] += 1
            account.again(open_test[0], vm_reason(status))
            # Nobody has looked for the leaks of those before it.
            tests = ruinous_last(tests[done:] + (tests[:done] if leak_scan else []))
            continue
        account.add_all(journal.rows)
        if open_test:
            # The test under which the VM died.
            file, subject = open_test
            title = file.removeprefix("selftests/")
            account.add_vm(f"{title}: the kernel survives it", subject.partition("+")[0], kernel, "fail",
                           vm_reason(status), heads.read(file).is_counted(subject))
            account.top(False, title, vm_reason(status))
            account.ended(kernel, file, subject)
            done += 1
        elif status in VM_STATUS or status not in RUNNER_STATUS:
            no_tests(account, kernel, vm_reason(status))
        elif not done or done < len(tests) and status != NOT_FIT:
            no_tests(account, kernel, f"{done} of {len(tests)} came to their end; status {status}")
        elif leak_scan and not journal.scanned:
            account.add("vm", "kmemleak looks for leaks", "rig", kernel, "fail", "the runner did not")
            account.top(False, "kmemleak looks for leaks", "the runner did not")
        if not done:
            return
        tests = tests[done:]


def built(account, kernel, what, program):
    """What tests need beyond the modules; those that need it fail without."""
    if subprocess.run([program], check=False, stdout=sys.stderr).returncode:
        account.add("vm", what, "rig", kernel, "fail", f"{os.path.relpath(program, TREE)} failed")
        account.top(False, what)


def unmade(account, kernel):
    """A kernel, or our modules for it, could not be made."""
    account.add("vm", "the kernel and our modules for it are made", "rig", kernel, "fail", "why, is said above")
    account.top(False, f"{kernel}: the kernel and our modules for it are made")


def vm_suite(account, kernel, chosen, compare):
    groups = {}
    for file, subject in vm_tests(kernel, chosen, compare):
        head = heads.read(file)
        leak_scan = kernel == "debug" and (head.leak_scan or bool(os.environ.get("RPACKET_FULL")))
        groups.setdefault((head.shape(), leak_scan), []).append((file, subject))
    if any(catalogue.test_of(file) for tests in groups.values() for file, _ in tests):
        built(account, kernel, "upstream's tests are built", f"{TREE}/selftests/upstream/build")
    if any(heads.read(file).icount for tests in groups.values() for file, _ in tests):
        built(account, kernel, "the benchmarks' programs are built", f"{TREE}/selftests/bench/build")
    if not groups and not os.environ.get("TESTS"):
        no_tests(account, kernel, "no test's head has chosen this kernel")
    number = total = sum(len(tests) for tests in groups.values())
    for index, (group, tests) in enumerate(groups.items(), 1):
        print(f"# {kernel}: {total - number} of {total} tests done; boot {index} of {len(groups)}, or more,"
              f" is for {len(tests)}; {account.times.elapsed():.0f} s until now", flush=True)
        vm_group(account, kernel, group, ruinous_last(tests))
        number -= len(tests)
    if kernel == "debug" and groups and not os.environ.get("TESTS") and not any(scan for _, scan in groups):
        account.add("vm", "kmemleak looks for leaks", "rig", kernel, "fail", "no test asks for it")


# ---- KUnit --------------------------------------------------------------------------------------


def kunit_gaps(lines):
    """{module: in words, what its suites have announced and not reported, or reported and not announced}; `lines`
    are those of the kernel log. There is a plan of the suites of a module, and one of the cases of a suite."""
    plans, came, module, suite = {}, collections.Counter(), None, None
    for line in lines:
        if marker := re.match(r"rpacket: kunit (\w+)", line):
            module, suite = marker[1], None
            plans[module, ""] = 0
        elif not module:
            continue
        elif match := re.match(r" {4}# Subtest: (\S+)", line):
            suite = match[1]
            plans[module, suite] = 0
        elif match := re.match(r"( {4})?1\.\.(\d+)$", line):
            plans[module, suite if match[1] else ""] = int(match[2])
        elif match := re.match(r"( {4})?(?:not )?ok \d+ ", line):
            came[module, suite if match[1] else ""] += 1
    gaps = collections.defaultdict(list)
    for module, suite in {**plans, **came}:
        planned, number = plans.get((module, suite), 0), came[module, suite]
        if planned != number or not number:
            gaps[module].append(f"{suite or 'suites'}: {planned} planned, {number} came")
    return gaps


def kunit_suite(account, kernel):
    """The suites that our modules carry: they run when the modules are loaded, and report in the
    kernel log as KTAP."""
    log = f"{RESULTS}/kunit.log"
    if os.path.exists(log):
        os.unlink(log)
    script = "".join(
        f"echo 'rpacket: kunit {module}' >/dev/kmsg; insmod $RPACKET_MODULES/{module}.ko; sleep 1; "
        for module in MODULES) + "dmesg >build/results/kunit.log"
    print(f"# {kernel}: KUnit; {account.times.elapsed():.0f} s until now", flush=True)
    began = time.monotonic()
    status = vm(kernel, script, "--timeout", "900", "--append", "kunit.enable=1",
                "--append", "kunit.autorun=1")
    account.times.add("kunit", kernel, "kunit", time.monotonic() - began)
    lines = []
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = [re.sub(r"^\[ *\d+\.\d+\](\[.*?\])? ", "", line.rstrip("\n")) for line in file]
    subject, suite, results = None, "", {module: 0 for module in MODULES}
    failed, reason = 0, ""
    for line in lines:
        marker = re.match(r"rpacket: kunit (\w+)", line)
        if marker:
            subject = marker.group(1)
            continue
        if not subject:
            continue
        subtest = re.match(r" {4}# Subtest: (\S+)", line)
        if subtest:
            suite = subtest.group(1)
        match = re.match(r" {4}(ok|not ok) \d+ (\S+)(?: # SKIP ?(.*))?", line)
        if match and suite:
            result = "fail" if match.group(1) == "not ok" else "skip" if match.group(3) is not None else "pass"
            failed += result == "fail"
            results[subject] += 1
            account.add("kunit", f"{suite}: {match.group(2)}", subject, kernel, result,
                        match.group(3) or (reason if result == "fail" else ""))
            reason = ""
            print(f"    {match.group(1)} {sum(results.values())} {suite}: {match.group(2)}", flush=True)
        elif re.match(r" {4,}# ", line) and "Subtest" not in line and ".speed:" not in line:
            reason = reason or line.strip(" #")
            print(f"    {line.strip()}", flush=True)
    gaps = kunit_gaps(lines)
    for module in MODULES:
        missing = "; ".join(gaps[module]) if results[module] else VM_STATUS.get(status, "no suite reported")
        if missing:
            failed += 1
            account.add("kunit", f"{module}: its suites report", module, kernel, "fail", missing)
            print(f"    # KUnit suites of {module}: {missing}", flush=True)
    if status:
        failed += 1
        account.add("kunit", "the VM runs them", MODULES[0], kernel, "fail",
                    vm_reason(status))
    # A report of a sanitizer is a failure even when every case says ok.
    guilty = guilty_lines(lines[next((i for i, l in enumerate(lines) if "rpacket: kunit" in l), 0):], None)
    if guilty:
        failed += 1
        reason = next(line for line in guilty if GUILTY.search(line))
        account.add("kunit", "kernel log clean", MODULES[0], kernel, "fail", reason)
        for line in guilty:
            print(f"    # {line}", flush=True)
    account.top(not failed, "kunit")
    account.ended(kernel, "kunit")


def plan(parts, compare):
    """(kernel, test, subject) of each test of a run of these parts, as the account knows them."""
    for part, _, how in parts:
        if part == "host":
            yield from (("none", title, "") for title in PACKAGES if wanted(title))
        elif part == "rig":
            yield from (("none", title, "") for title in (RIG,) if wanted(title))
        else:
            if part == "debug" and wanted("kunit"):
                yield part, "kunit", ""
            for file, subject in vm_tests(part, how == "chosen", compare):
                yield part, file.removeprefix("selftests/"), subject


def write_plan(parts, compare):
    tests = list(plan(parts, compare))
    if not tests:
        print(f"rpacket: error: no test of this run has {PATTERN.pattern!r} in its name; they are like"
              " drivers/ping.py, host/logic. Some need KERNEL=debug or make test-full", file=sys.stderr)
        return 2
    NotRun(RESULTS).keep(tests)
    return 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    for option in ("--plan", "--compare", "--first", "--last"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("parts", nargs="*")
    args = parser.parse_args()
    parts = [part.partition(":") for part in args.parts]
    if {name for name, *_ in parts} - {"host", "rig", *heads.SLOW} or {what for *_, what in parts} - {"", "chosen", "unmade"}:
        parser.error("no such part")
    os.chdir(TREE)
    if args.plan:
        return write_plan(parts, args.compare)
    account = Account(RESULTS, args.first)
    for part, _, how in parts:
        if part == "host":
            host_suites(account)
        elif part == "rig":
            rig_suite(account)
        elif how == "unmade":
            unmade(account, part)
        else:
            if part == "debug" and wanted("kunit"):
                kunit_suite(account, part)
            vm_suite(account, part, how == "chosen", args.compare)
    if not args.last:
        return account.interrupt()
    return account.finish()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:  # pylint: disable=broad-exception-caught
        # Not to be taken for tests that failed.
        traceback.print_exc()
        sys.exit(BROKEN)
