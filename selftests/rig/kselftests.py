#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The kernel's own selftests are read and judged rightly: no way of theirs to say that something did
# not pass counts as passed, a surprise in either direction fails, and what is not about our family
# is noticed.
#
# kernels: stock
import fnmatch
import os
import re
import subprocess
import sys
import tempfile
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from upstream import catalogue
from upstream.results import Expectations, Result, read

UPSTREAM = f"{lib.HERE}/upstream"

# what it is, what the test says, its exit status, what it comes to
FORMS = [
    ("TAP", ["1..2", "ok 1 ping.v4", "not ok 2 ping.v6"], 1, ["pass", "fail"]),
    ("TAP without numbers", ["ok one", "not ok two"], 1, ["pass", "fail"]),
    ("TAP, skipped", ["1..1", "ok 1 ping.xdp # SKIP no native XDP"], 0, ["skip"]),
    ("TAP, skipped without a name", ["ok 1 # SKIP"], 0, ["skip"]),
    ("TAP, excused", ["1..1", "ok 1 gro.large # XFAIL slow"], 0, ["xfail"]),
    ("TAP, excused, as a failure", ["1..1", "not ok 1 gro.large # XFAIL slow"], 0, ["xfail"]),
    ("TAP, no case that applies", ["TAP version 13", "1..0", "# Totals: pass:0"], 0, ["skip"]),
    ("TAP, a test that stops early", ["1..3", "ok 1 a", "Traceback"], 0, ["pass", "fail"]),
    ("TAP, a status that no result explains", ["ok 1 a"], 1, ["pass", "fail"]),
    ("words", ["PASS: eth0: up", "FAIL: eth0: dump", "SKIP: eth0: address", "XFAIL: eth0: stats"], 0,
     ["pass", "fail", "skip", "xfail"]),
    ("verdicts", ["TEST: loopback        [ OK ]", "TEST: autoneg  [FAIL]", "TEST: speed [SKIP]"], 1,
     ["pass", "fail", "skip"]),
    ("a verdict that skips, as a pass", ["TEST: SKIP: dev eth0 has none    [ OK ]"], 4, ["skip"]),
    ("verdicts, and a status that skips", ["TEST: autoneg  [ OK ]"], 4, ["pass", "skip"]),
    ("verdicts, and a crash", ["TEST: autoneg  [ OK ]", "TEST: speed [FAIL]"], -11, ["pass", "fail", "fail"]),
    ("a crash alone", ["setsockopt"], -6, ["fail"]),
    ("no such program", ["not found"], 127, ["fail"]),
    ("a status alone: passed", ["fine"], 0, ["pass"]),
    ("a status alone: failed", ["setsockopt: Protocol not available"], 1, ["fail"]),
    ("a status alone: skipped", ["no mausezahn"], 4, ["skip"]),
    ("a test that does not end", ["1..2", "ok 1 a"], None, ["pass", "fail"]),
    ("silence that does not end", [], None, ["fail"]),
]  # fmt: skip

EXPECTED = """test,subject,kernel,expected,says,why
# The first line that fits counts.
psock: ring,af_rpacket,*,fail,,rings
psock: *,af_rpacket,debug,skip,no (card|wire),a card
psock: all of it,af_rpacket,rt,fail,,fanout
gro.py: large*,*,*,xfail,,slow
"""

# case of psock (or of gro.py), kernel, what it came to (and said), the verdict
VERDICTS = [
    ("psock", "ring", "stock", "fail", "xfail"),
    ("psock", "ring", "stock", "pass", "fail"),
    ("psock", "ring", "stock", "skip", "fail"),
    ("psock", "raw", "stock", "pass", "ok"),
    ("psock", "raw", "stock", "fail", "fail"),
    ("psock", "raw", "stock", "skip", "fail"),
    ("psock", "raw", "stock", "xfail", "fail"),
    ("psock", "raw", "debug", "skip no wire here", "skip"),
    ("psock", "raw", "debug", "skip no memory", "fail"),
    ("psock", "raw", "debug", "skip", "fail"),
    ("psock", "raw", "debug", "pass", "fail"),
    ("psock", "all of it", "rt", "fail", "xfail"),
    ("psock", "exit status", "rt", "fail", "fail"),
    ("psock", "all of it", "debug", "skip", "fail"),
    ("gro.py", "large_max", "stock", "xfail", "skip"),
    ("gro.py", "large_max", "stock", "fail", "fail"),
]


def form(lines, status, expected):
    lib.equal(expected, [result.result for result in read("test", lines, status)], "results")


def titles_go_on():
    """A script that would end at its first failing case."""
    script = ("set -e\necho one\nfalse\necho two\ntrue\necho three\n(! true)\n"
              "echo 'four (expected to fail)'\n(! false)\necho 'OK. All tests passed'\n")  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        said = subprocess.run(["bash", file.name], env={**os.environ, "BASH_ENV": f"{UPSTREAM}/go_on.sh"},
                              check=True, text=True, capture_output=True).stdout  # fmt: skip
    seen = [(result.name, result.result) for result in read("test", said.splitlines(), 0, titles=True)]
    lib.equal([("one", "fail"), ("two", "pass"), ("three", "fail"), ("four (expected to fail)", "pass")],
              seen)  # fmt: skip


def a_script_that_stops_early_is_no_pass():
    """Whatever has failed before, as expected or not."""
    for lines, status in ((["title: one", "title: two", "failed: 3", "status 1"], 1), (["title: one"], 0)):
        found = read("test", lines, status, titles=True)
        lib.equal(("runs to its end", "fail"), (found[-1].name, found[-1].result))


def a_line_that_no_case_fits_is_named(expectations):
    def unmet(*cases, kernel="stock"):
        return expectations.unmet("psock", cases, "af_rpacket", kernel)

    lib.equal([], unmet("raw", "ring"))
    lib.equal(["ring"], unmet("raw"))
    lib.equal(["*"], unmet("ring", kernel="debug"), "the first line that fits counts")
    lib.equal(["ring"], unmet("all of it", kernel="rt"))
    lib.equal([], expectations.unmet("psock", [], "8139cp", "stock"), "another subject")


def verdict(expectations, test, case, kernel, result, expected):
    result, _, reason = result.partition(" ")
    word, _ = expectations.verdict(test, Result(case, result, reason), "af_rpacket", kernel)
    lib.equal(expected, word, "verdict")


def a_bad_list_is_refused():
    for bad in ("psock: ring,af_rpacket,*,pass,,nothing", "psock: ring,af_rpacket,*,fail,,", "psock,fail",
                "psock: ring,af_rpacket,*,fail,(,rings"):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("test,subject,kernel,expected,says,why\n" + bad + "\n")
            file.flush()
            try:
                Expectations(file.name)
            except (ValueError, re.error):
                continue
        raise lib.Failure(f"taken: {bad}")


def the_list_is_about_tests_that_are_run():
    for pattern, subject, *_ in Expectations().rows:
        name = pattern.partition(": ")[0]
        lib.require(any(fnmatch.fnmatchcase(test.name, name) and test.subjects[0] == subject
                        for test in catalogue.TESTS), f"{name} is run on {subject}")  # fmt: skip


def picked(full, name, compare=True):
    with mock.patch.dict(os.environ, RPACKET_FULL=full):
        return [(path.removeprefix(catalogue.PREFIX), subject)
                for path, subject in catalogue.chosen(lambda path: name in path, compare)]  # fmt: skip


def a_few_are_in_every_run():
    names = {name for name, _ in picked("", "upstream/psock")}
    lib.equal({"psock_fanout", "psock_tpacket", "psock_snd.sh"}, names)
    short, full = picked("", ""), picked("1", "")
    ours = {"af_rpacket", "rtl8139_rs"}
    lib.require({subject for _, subject in short} == ours, "only ours in the short run")
    lib.require({subject for _, subject in picked("1", "", False)} == ours, "nor where nothing is compared")
    lib.require(set(short) < set(full) and {name for name, _ in full} == {t.name for t in catalogue.TESTS},
                "everything in the full run")  # fmt: skip


SOCKET = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)"


def redirected(folder, programs):
    """The lines that the preloaded library has noted."""
    log = f"{folder}/log"
    subprocess.run(
        ["python3", "-c", SOCKET], check=True,
        env={**os.environ, "LD_PRELOAD": f"{folder}/redirect.so", "RPACKET_FAMILY": "25",
             "REDIRECT_LOG": log, "REDIRECT_PROGRAMS": programs})  # fmt: skip
    if not os.path.exists(log):
        return ""
    with open(log, encoding="ascii") as file:
        return file.read()


def only_the_named_programs_are_redirected():
    with tempfile.TemporaryDirectory() as folder, lib.module("af_rpacket"):
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", f"{folder}/redirect.so", f"{UPSTREAM}/redirect.c"],
                       check=True)  # fmt: skip
        for others in ("psock_snd", "python", "python33 tcpdump"):
            lib.equal("", redirected(folder, others), f"redirected, when {others} was named")
        lib.equal("python3: type", redirected(folder, "tcpdump python3")[:13], "redirected")


def main():
    for name, *rest in FORMS:
        lib.case(form, *rest, name=f"form: {name}")
    lib.case(titles_go_on, name="a script that would stop goes on")
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write(EXPECTED)
        file.flush()
        expectations = Expectations(file.name)
    for test, case, kernel, result, expected in VERDICTS:
        lib.case(verdict, expectations, test, case, kernel, result, expected,
                 name=f"verdict: {test} {case}, {kernel}: {result}")  # fmt: skip
    lib.case(a_script_that_stops_early_is_no_pass)
    lib.case(a_line_that_no_case_fits_is_named, expectations)
    lib.case(a_bad_list_is_refused)
    lib.case(the_list_is_about_tests_that_are_run)
    lib.case(a_few_are_in_every_run)
    lib.case(only_the_named_programs_are_redirected)


lib.main(main)
