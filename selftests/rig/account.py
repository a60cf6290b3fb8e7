#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The account of a run (scripts/test.py): it goes on from one program to the next, a test under which
# QEMU ended itself runs again and counts once, and one under which the kernel died fails and lets the
# rest run. The VMs are made up: what each would leave in the journal, and its exit status.
#
# kernels: stock
import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [f"{HERE}/..", f"{HERE}/../../scripts"]
import heads
import lib
import test
from test_account import Account
from upstream import catalogue

TESTS = [(f"selftests/drivers/{name}.py", "rtl8139_rs") for name in ("lengths", "link", "mac")]
CRASHED = 254


def began(number):
    file, subject = TESTS[number]
    return {"event": "begin", "file": file, "subject": subject}


def result(number, verdict):
    return {"event": "result", "test": f"{TESTS[number][0]}: a case", "subject": "rtl8139_rs",
            "kernel": "stock", "result": verdict, "reason": "", "counted": True}


def whole(number, verdict="pass"):
    """What a test that comes to its end leaves."""
    return [began(number), result(number, verdict), {"event": "end", "title": "a test", "seconds": 1}]


def in_table(folder, name="tests"):
    with open(f"{folder}/{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(*machines, leak_scan=False):
    """All tests on these VMs, (events, status) each; returns the counts, the failures, and which tests
    each VM was asked for."""
    machines, asked = list(machines), []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        def vm(_kernel, command, *_options, meanwhile):
            events, status = machines.pop(0)
            places = [(command.find(file), number) for number, (file, _) in enumerate(TESTS) if file in command]
            asked.append([number for _, number in sorted(places)])
            with open(f"{folder}/vm.jsonl", "w", encoding="utf-8") as journal:
                for event in events:
                    journal.write(f"{json.dumps(event)}\n")
                    journal.flush()
                    meanwhile()
            return status
        test.RESULTS, test.vm, test.vm_reason = folder, vm, lambda status: f"status {status}"
        account = Account(folder)
        test.vm_group(account, "stock", (heads.read(f"{HERE}/../{TESTS[0][0][10:]}").shape(), leak_scan), TESTS)
    lib.equal([], machines, "VMs that nobody asked for")
    return account.counts, account.failures, asked


def it_goes_on_in_the_next_program():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        first = Account(folder)
        first.add("host", "one", "rig", "none", "pass")
        first.add("vm", "two", "rig", "stock", "fail", "so it is")
        first.add("vm", "three", "8139cp", "stock", "fail", counted=False)
        first.top(True, "a file")
        lib.equal(0, first.interrupt(), "an account that is not closed is no failure")
        first.file.close()
        last = Account(folder, anew=False)
        last.add("vm", "four", "rig", "debug", "pass")
        last.again("five", "an assertion")
        last.top(True, "another file")
        lib.equal(1, last.finish(), "a failure of before is one of the run")
        last.file.close()
        rows = [(row["test"], row["counted"]) for row in in_table(folder)]
    lib.equal([("one", "yes"), ("two", "yes"), ("three", "comparison"), ("four", "yes")], rows, "the table")
    lines = said.getvalue().splitlines()
    lib.equal(1, lines.count("KTAP version 1"), "heading")
    for line in ("ok 2 another file", "1..2", "# failed: vm, stock: two (so it is)", "#   8139cp, stock: three",
                 "#   five: an assertion"):
        lib.require(line in lines, f"{line!r} is said: {lines}")
    lib.equal("2 passed, 1 failed, 0 skipped", lines[-1])


def an_account_of_nothing_is_no_success():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        lib.equal(1, Account(folder).finish())


def what_is_said_before_the_first_test_counts():
    for before in ("pass", "fail"):
        counts, _, _ = run(([result(0, before)] + whole(0) + whole(1) + whole(2), 1 if before == "fail" else 0))
        lib.equal({"pass": 3 + (before == "pass"), "fail": before == "fail", "skip": 0}, counts)


def a_kernel_that_was_not_made_is_a_failure():
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        account = Account(folder)
        account.add("host", "one", "rig", "none", "pass")
        test.unmade(account, "debug")
        lib.equal(1, account.finish())
    lib.equal("1 passed, 1 failed, 0 skipped", said.getvalue().splitlines()[-1])


def what_ends_with_a_run_is_told():
    """Of a VM that does not end: the results of each test that has, and the names of the others."""
    class Killed(BaseException):
        pass

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        def vm(_kernel, _command, *_options, meanwhile):
            text = "".join(f"{json.dumps(event)}\n" for event in whole(0) + [began(1), result(1, "pass")])
            # At any moment a line may be there in part.
            for start in range(0, len(text), 50):
                with open(f"{folder}/vm.jsonl", "a", encoding="utf-8") as journal:
                    journal.write(text[start:start + 50])
                meanwhile()
            raise Killed

        with mock.patch.multiple(test, RESULTS=folder, PATTERN=re.compile(""), vm=vm,
                                 vm_tests=lambda *_: TESTS), contextlib.suppress(Killed):
            lib.equal(0, test.write_plan([("host", "", ""), ("stock", "", "")], False))
            account = Account(folder)
            account.add("host", "one", "rig", "none", "pass")
            account.ended("none", "host/logic")
            test.vm_suite(account, "stock", False, False)
        lib.equal(["one", f"{TESTS[0][0]}: a case"], [row["test"] for row in in_table(folder)], "the table")
        left = [(row["kernel"], row["test"], row["subject"]) for row in in_table(folder, "not-run")]
        lib.equal([("none", "host/loom", ""), ("none", "host/rpsniff", ""),
                   *(("stock", file.removeprefix("selftests/"), subject) for file, subject in TESTS[1:])],
                  left, "what was not run")


def what_is_not_run_is_said():
    """Of a run that comes to its end, too, as when a kernel does not boot; and nothing else is."""
    no_boot = ([], 252)
    for machines, left in (([no_boot], 3), ([(whole(0) + [began(1)], CRASHED), no_boot], 1),
                           ([(whole(0) + whole(1) + whole(2), 0)], 0)):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
            def vm(*_, meanwhile):  # pylint: disable=unused-argument
                events, status = machines.pop(0)
                with open(f"{folder}/vm.jsonl", "w", encoding="utf-8") as journal:
                    journal.writelines(f"{json.dumps(event)}\n" for event in events)
                return status
            with mock.patch.multiple(test, RESULTS=folder, vm=vm, vm_tests=lambda *_: TESTS,
                                     vm_reason=lambda status: f"status {status}"):
                test.write_plan([("stock", "", "")], False)
                account = Account(folder)
                test.vm_suite(account, "stock", False, False)
                account.finish()
            lib.equal(left, len(in_table(folder, "not-run")))
        lib.equal(left > 0, f"# {left} tests were not run" in said.getvalue(), said.getvalue())


def a_run_of_nothing_is_refused():
    for pattern, status in (("host/logic", 0), ("no/such", 2), ("rig/host.sh", 0)):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as said, \
                mock.patch.multiple(test, RESULTS=folder, PATTERN=re.compile(pattern)):
            parts = [(part, "", "") for part in ("host", "rig", "stock")]
            lib.equal(status, test.write_plan(parts, False), pattern)
        lib.equal(status == 2, pattern in said.getvalue(), said.getvalue())


def what_can_be_picked_is_known_without_python():
    """scripts/test refuses a TESTS that picks nothing before there is a build root."""
    names = {*test.PACKAGES, "kunit", *(f"upstream/{one.name}" for one in catalogue.TESTS)}
    for folder in test.FOLDERS:
        names |= {f"{folder}/{name}" for name in os.listdir(f"{HERE}/../{folder}")
                  if name.endswith((".sh", ".py")) and os.access(f"{HERE}/../{folder}/{name}", os.X_OK)}
    done = subprocess.run([f"{HERE}/../../scripts/test", "--names"], check=True, text=True, stdout=subprocess.PIPE)
    lib.equal(sorted(names), sorted(done.stdout.split()))


def all_tests_in_one_vm():
    counts, failures, asked = run((whole(0) + whole(1) + whole(2, "fail"), 1))
    lib.equal({"pass": 2, "fail": 1, "skip": 0}, counts)
    lib.equal([[0, 1, 2]], asked)
    lib.equal(1, len(failures))


def a_vm_that_is_not_fit_for_more():
    counts, _, asked = run((whole(0), 3), (whole(1) + whole(2), 0))
    lib.equal({"pass": 3, "fail": 0, "skip": 0}, counts)
    lib.equal([[0, 1, 2], [1, 2]], asked)


def again_when_qemu_has_ended_itself():
    """What the test had said until then counts only in the VM in which it comes to its end."""
    counts, _, asked = run((whole(0) + [began(1), result(1, "pass")], test.QEMU_FAILED),
                           (whole(1) + whole(2), 0))
    lib.equal({"pass": 3, "fail": 0, "skip": 0}, counts)
    lib.equal([[0, 1, 2], [1, 2]], asked)


def whose_leaks_nobody_has_looked_for_runs_again():
    scan = [{"event": "scan"}]
    for verdict in ("pass", "fail"):
        counts, _, asked = run((whole(0) + [began(1)], test.QEMU_FAILED),
                               (whole(1) + whole(2) + whole(0, verdict) + scan, verdict == "fail"), leak_scan=True)
        lib.equal([[0, 1, 2], [1, 2, 0]], asked)
        lib.equal({"pass": 3, "fail": verdict == "fail", "skip": 0}, counts)
    _, failures, _ = run((whole(0) + whole(1) + whole(2), 0), leak_scan=True)
    lib.require("kmemleak looks for leaks" in failures[0], failures)


def but_not_for_ever():
    ended = ([began(0)], test.QEMU_FAILED)
    counts, failures, asked = run(*[ended] * (1 + test.AGAIN), (whole(1) + whole(2), 0))
    lib.equal({"pass": 2, "fail": 1, "skip": 0}, counts)
    lib.equal([[0, 1, 2]] * (1 + test.AGAIN) + [[1, 2]], asked)
    lib.require("status 249" in failures[0], failures)


def and_not_if_it_had_failed_already():
    counts, _, asked = run(([began(0), result(0, "fail")], test.QEMU_FAILED), (whole(1) + whole(2), 0))
    lib.equal({"pass": 2, "fail": 2, "skip": 0}, counts)
    lib.equal([[0, 1, 2], [1, 2]], asked)


def a_kernel_that_dies():
    counts, failures, asked = run((whole(0) + [began(1), result(1, "pass")], CRASHED), (whole(2), 0))
    lib.equal({"pass": 3, "fail": 1, "skip": 0}, counts)
    lib.equal([[0, 1, 2], [2]], asked)
    lib.require("the kernel survives it" in failures[0], failures)


def a_kernel_that_does_not_boot():
    counts, _, asked = run(([], 252))
    lib.equal({"pass": 0, "fail": 1, "skip": 0}, counts)
    lib.equal([[0, 1, 2]], asked)


def a_runner_that_dies():
    """Its status is then that of tests that failed, or of nothing at all."""
    for status in (0, 1, 3):
        counts, failures, asked = run(([], status))
        lib.equal({"pass": 0, "fail": 1, "skip": 0}, counts)
        lib.equal([[0, 1, 2]], asked)
        lib.require("0 of 3 came to their end" in failures[0], failures)
    counts, _, asked = run((whole(0), 1), (whole(1) + whole(2), 0))
    lib.equal({"pass": 3, "fail": 1, "skip": 0}, counts)
    lib.equal([[0, 1, 2], [1, 2]], asked)
    counts, _, asked = run((whole(0), 3), ([], 1))
    lib.equal({"pass": 1, "fail": 1, "skip": 0}, counts)


def a_kernel_that_complains_when_all_is_done():
    counts, failures, _ = run((whole(0) + whole(1) + whole(2), 250))
    lib.equal({"pass": 3, "fail": 1, "skip": 0}, counts)
    lib.require("the VM runs the tests" in failures[0], failures)


def a_kernel_without_a_test():
    """As the debug kernel would be if no head had chosen it. What TESTS picks may be none."""
    for pattern, failed in (("", 1), ("host/logic", 0)):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.dict(os.environ, {"TESTS": pattern}), \
                mock.patch.object(test, "vm_tests", lambda *_: ()):
            account = Account(folder)
            test.vm_suite(account, "debug", True, False)
            lib.equal({"pass": 0, "fail": failed, "skip": 0}, account.counts, f"TESTS={pattern}")


KUNIT = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: built_in
    1..1
    ok 1 not_ours
ok 1 built_in
rpacket: kunit rtl8139_rs
KTAP version 1
1..2
    KTAP version 1
    # Subtest: driver
    # module: rtl8139_rs
    1..3
    ok 1 opens
        KTAP version 1
        # Subtest: sends
        1..1
        ok 1 a length
    ok 2 sends
    ok 3 receives # SKIP no card
# driver: pass:2 fail:0 skip:1 total:3
ok 1 driver
    KTAP version 1
    # Subtest: ring
    1..1
    ok 1 wraps
ok 2 ring
rpacket: kunit af_rpacket
KTAP version 1
1..1
    KTAP version 1
    # Subtest: socket
    1..1
    ok 1 binds
ok 1 socket
"""


def kunit(text):
    """The account of KUnit whose log this is."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        def vm(*_):
            with open(f"{folder}/kunit.log", "w", encoding="utf-8") as log:
                log.writelines(f"[    1.000000] {line}\n" for line in text.splitlines())
            return 0
        with mock.patch.multiple(test, RESULTS=folder, vm=vm):
            account = Account(folder)
            test.kunit_suite(account, "debug")
    return account


def the_cases_of_kunit():
    lib.equal({"pass": 4, "fail": 0, "skip": 1}, kunit(KUNIT).counts)


def a_plan_of_kunit_that_is_not_kept():
    for lost, said in (("    ok 2 sends\n", "driver: 3 planned, 2 came"),
                       ("    1..3\n", "driver: 0 planned, 3 came"),
                       ("ok 2 ring\n", "suites: 2 planned, 1 came"),
                       ("KTAP version 1\n1..2\n", "suites: 0 planned, 2 came"),
                       (KUNIT[KUNIT.index("    ok 1 opens"):KUNIT.index("rpacket: kunit af")],
                        "no suite reported"),
                       (KUNIT[KUNIT.index("    # Subtest: ring"):KUNIT.index("rpacket: kunit af")],
                        "suites: 2 planned, 1 came"),
                       (KUNIT[KUNIT.index("rpacket: kunit af"):], "no suite reported")):
        lib.require(lost in KUNIT, lost)
        account = kunit(KUNIT.replace(lost, ""))
        lib.equal(1, account.counts["fail"], f"without {lost}")
        lib.require(said in account.failures[0], f"{said!r} is said: {account.failures}")


def main():
    for function in (it_goes_on_in_the_next_program, an_account_of_nothing_is_no_success,
                     what_is_said_before_the_first_test_counts, a_kernel_that_was_not_made_is_a_failure,
                     what_ends_with_a_run_is_told, what_is_not_run_is_said, a_run_of_nothing_is_refused,
                     what_can_be_picked_is_known_without_python, all_tests_in_one_vm,
                     a_vm_that_is_not_fit_for_more, again_when_qemu_has_ended_itself,
                     whose_leaks_nobody_has_looked_for_runs_again, but_not_for_ever,
                     and_not_if_it_had_failed_already, a_kernel_that_dies, a_kernel_that_does_not_boot,
                     a_runner_that_dies, a_kernel_that_complains_when_all_is_done,
                     a_kernel_without_a_test, the_cases_of_kunit, a_plan_of_kunit_that_is_not_kept):
        lib.case(function)


lib.main(main)
