#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The arithmetic behind `make bench`: what is compared with what, which figures a comparison with an
# earlier run accepts, and what becomes of a measurement that never ends. The figures are made up, so
# that the answers are known.
#
# kernels: stock
# timeout: 60
import contextlib
import errno
import html.parser
import io
import json
import math
import os
import sys
import tempfile
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from lib import equal

sys.path[:0] = [os.path.join(lib.HERE, "bench"), os.path.join(os.path.dirname(lib.HERE), "scripts", "bench.d")]
# pylint: disable=wrong-import-position
import baseline
import counted
import driver_path
import driver_rates
import figures
import guest
import main as main_of_bench
import page
import report
import timed


def near(expected, actual, what=""):
    if abs(expected - actual) > 1e-6:
        raise lib.Failure(f"{what}: expected {expected}, got {actual}")


# ---- Ratios -------------------------------------------------------------------------------------


def a_ratio_is_the_median_of_pairs():
    # Every second round is three times as fast for both: by pairs that does not show.
    theirs = [10, 30] * 8
    ours = [value * 1.5 for value in theirs]
    for value in figures.ratio(ours, theirs):
        near(1.5, value)


def the_interval_is_that_of_the_binomial_distribution():
    # What tables of the confidence interval of a median say, counted from 0.
    for count, place in ((5, 0), (6, 0), (10, 1), (15, 3), (20, 5), (50, 17)):
        equal(place, figures.rank(count), f"of {count} values")
    ours = [value * 7 % 16 for value in range(1, 16)]
    equal((8, 4, 12), figures.ratio(ours, [1] * 15), "median and interval of 1 to 15")


def less_time_is_a_ratio_above_one():
    near(2, figures.ratio([5] * 6, [10] * 6, more_is_better=False)[0])


def rounds_in_which_nothing_came_count():
    equal((0, 0, 2), figures.ratio([0, 4, 0], [2, 2, 2]))
    equal((math.inf, 1, math.inf), figures.ratio([2, 2, 2], [0, 2, 0]))
    equal((2, 2, 2), figures.ratio([4, 0, 4], [2, 0, 2]), "both had nothing")
    equal(None, figures.ratio([0, 0], [0, 0]))


def rounds_in_which_nothing_came_are_named():
    def compared(ours, theirs):
        rows = [{"workload": "w", "subject": "rtl8139_rs", "rounds": ours},
                {"workload": "w", "subject": "8139cp", "rounds": theirs}]
        (found,) = timed.compare(rows, "bytes_per_second")
        equal("bytes_per_second", found["metric"])
        return found["ratio"], found["note"]

    equal((2, ""), compared([4.0] * 4, [2.0] * 4))
    equal((math.inf, "nothing in 3 rounds of 8139cp"), compared([4.0] * 4, [0.0, 2.0, 0.0, 0.0]))
    equal((0, "nothing in 4 rounds of rtl8139_rs"), compared([0.0] * 4, [2.0] * 4))
    equal(("", "nothing in 1 rounds of rtl8139_rs, nothing in 1 rounds of 8139cp"), compared([0.0], [0.0]))


def a_stalled_driver_has_no_ratio():
    rows = [{"workload": "tcp-receive", "subject": "rtl8139_rs", "rounds": [4.0, 4.0]},
            {"workload": "tcp-receive", "subject": "8139cp", "rounds": [2.0, 2.0]},
            {"workload": "tcp-receive", "subject": "8139too", "stalled": "stalled"}]
    found = {row["against"]: row for row in timed.compare(rows, "bytes_per_second")}
    near(2, found["8139cp"]["ratio"])
    equal(("stalled 8139too", ""), (found["8139too"]["note"], found["8139too"]["ratio"]))


# ---- Drivers that stall -------------------------------------------------------------------------


class Wires:
    """Wires of which some drivers do not work, and are bound anew: with success or not."""

    def __init__(self, stalls=(), dead=(), hopeless=()):
        self.stalls, self.dead, self.hopeless = set(stalls), set(dead), set(hopeless)

    def work(self, driver):
        if driver in self.stalls:
            raise driver_rates.Stalled
        return 5.0

    def comes(self, driver):
        return driver not in self.stalls

    def revive(self, driver):
        self.dead.discard(driver)
        if driver in self.hopeless:
            self.dead.add(driver)


def turns(wires):
    """What each driver's row of three rounds says."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        driver_rates.take_turns(wires, "w", 3, wires.work)
    rows = guest.rows_of(text.getvalue().splitlines())
    return {row["subject"]: row.get("stalled") or row["rounds"] for row in rows}


def a_driver_that_stalls_is_told_from_one_that_is_dead():
    fine = [5.0] * 3
    equal({"rtl8139_rs": fine, "8139cp": fine, "8139too": "stalled"}, turns(Wires(stalls=["8139too"])))
    both = ["8139too"], ["8139too"], ["8139too"]
    equal({"rtl8139_rs": fine, "8139cp": fine, "8139too": "dead"}, turns(Wires(*both)))
    equal(dict.fromkeys(driver_rates.DRIVERS, fine), turns(Wires(dead=["8139too"])), "dead no more")


def a_round_in_which_nothing_came_is_no_stall():
    wires = Wires(stalls=["8139cp"])
    wires.comes = lambda _: True
    equal([0.0] * 3, turns(wires)["8139cp"])


# ---- Counts -------------------------------------------------------------------------------------


def two_runs_are_compared():
    counts = figures.Counts()
    for metric, frames, values in (("register_reads", 200, (100, 100.5)), ("register_writes", 200, (100, 102)),
                                   ("interrupts", 200, (0.001, 0.015)), ("often", 2000, (0.0615, 0.080)),
                                   ("own_instructions", 0, (-1000, -995))):
        for value in values:
            counts.add(value, workload="w", subject="s", metric=metric, frames=frames)
    again = figures.Counts()
    again.take(json.loads(json.dumps(counts.kept())))
    equal(list(counts.repeats()), list(again.repeats()), "what was kept")
    rows = {row["metric"]: row for row in counts.repeats()}
    near(0.005, rows["register_reads"]["differ"])
    near(0.02, rows["register_writes"]["differ"])
    equal(["register_writes", "often"], [name for name, row in rows.items() if figures.unsteady(row)],
          "what differs by more than one percent, and not by a handful of accesses")
    near(0.005, rows["own_instructions"]["differ"], "below zero")
    near(101, counts.get("w", "s", "register_writes"), "the mean of the runs")


def paths(**more):
    """Instructions of made-up paths: those of the three families in this order."""
    found = {}
    for name, values in {"nobody": (1000, 1000, 1000), "syscall": (320, 320, 320),
                         "hook": (1200, 1150, 1100), "queue": (1400, 1300, 1200),
                         "recvmsg": (2000, 1900, 1500), "recvmmsg": (1500, 1400, 1300),
                         "sendmsg": (3000, 2800, 2500), **more}.items():
        for family, value in zip(("af_rpacket", "af_packet", "null"), values):
            found[name, "60", family] = float(value)
    return found


def own_shares_are_differences():
    counts = figures.Counts()
    counted.add_family_paths(counts, paths())
    for path, own, above in (("hook", 200, 100), ("queue", 200, 100), ("recvmsg", 1680, 500),
                             ("recvmmsg", 1490, 200), ("sendmsg", 500, 500)):
        near(own, counts.get(f"{path}-60", "af_rpacket", "own_instructions"), f"own of {path}")
        near(above, counts.get(f"{path}-60", "af_rpacket", "above_null_instructions"), f"above of {path}")


def a_driver_that_does_not_come_back_has_rows():
    before = driver_path.real, driver_path.load_test, driver_path.unload, sys.argv
    binds = iter((True, False))

    @contextlib.contextmanager
    def real(_):
        if not next(binds):
            raise OSError(errno.ENODEV, "nobody has bound it")
        yield types.SimpleNamespace(receive=lambda *_: 4000.0, transmit=fails)

    def fails(*_):
        raise lib.Failure("191 of 192 frames were sent")

    text = io.StringIO()
    try:
        driver_path.real, driver_path.load_test, driver_path.unload = real, len, len
        sys.argv = ["driver_path.py", "8139too", "rx-lone-60", "tx-lone-60", "rx-batch-60", "tx-burst-60"]
        with contextlib.redirect_stdout(text):
            equal(0, driver_path.main())
    finally:
        driver_path.real, driver_path.load_test, driver_path.unload, sys.argv = before
    rows = guest.rows_of(text.getvalue().splitlines())
    equal([("rx-lone-60", 4000.0, None), ("tx-lone-60", 1, "191 of 192 frames were sent"),
           *((workload, 1, "[Errno 19] nobody has bound it") for workload in ("rx-batch-60", "tx-burst-60"))],
          [(row["workload"], row["value"], row.get("reason")) for row in rows])


def a_stall_of_one_part_is_none_of_the_other():
    counts = figures.Counts()
    counts.add(1, workload="rx-lone-60", subject="8139too", metric="stalled")
    counted.add_driver_paths(counts, [
        {"workload": "rx-lone-60", "subject": subject, "metric": "guest_instructions", "value": value}
        for subject, value in (("null", 1100), ("null-without-gro", 1000), ("8139too", 1300))])
    equal(["rx-lone-60", "1100", "1000", "", "", "1300, own 300"], next(report.drivers(counts)))
    equal("stalled", next(report.accesses(counts, 1))[-1])
    counts = figures.Counts()
    counted.add_driver_paths(counts, [{"workload": "rx-lone-60", "subject": "rtl8139_rs", "metric": "stalled",
                                       "value": 1}])
    equal("stalled", next(report.drivers(counts))[3])
    equal("", next(report.accesses(counts, 1))[1])
    equal(["rtl8139_rs has stalled in rx-lone-60, 1 CPUs"], list(main_of_bench.stalled(counts, [], [])))


def a_stall_of_ours_is_told():
    def told(ratios=(), losses=()):
        return list(main_of_bench.stalled(figures.Counts(), ratios, losses))

    def rate(note):
        return {"workload": "tcp-send", "subject": "rtl8139_rs", "note": note}

    equal(["rtl8139_rs has stalled in tcp-send"], told([rate("stalled rtl8139_rs, dead 8139too")]))
    equal([], told([rate("dead 8139too"), rate("")]))
    losses = [{"workload": "receive-60", "subject": subject, "share": share}
              for subject, share in (("rtl8139_rs", 0.1), ("8139too", ""))]
    equal([], told(losses=losses))
    equal(["rtl8139_rs has stalled in receive-60"], told(losses=[{**losses[0], "share": ""}]))


def a_null_driver_that_stalls_leaves_no_own_share():
    counts = figures.Counts()
    counted.add_driver_paths(counts, [
        {"workload": workload, "subject": subject, "metric": metric, "value": value}
        for workload, subject, metric, value in (
            ("rx-lone-60", "null", "guest_instructions", 1000), ("tx-lone-60", "null", "stalled", 1),
            ("rx-lone-60", "rtl8139_rs", "guest_instructions", 4000),
            ("tx-lone-60", "rtl8139_rs", "guest_instructions", 4000))])
    equal(3000, counts.get("rx-lone-60", "rtl8139_rs", "own_instructions"))
    equal(None, counts.get("tx-lone-60", "rtl8139_rs", "own_instructions"))


def the_least_round_counts():
    output = ["noise", "path 60 hook 25 12.5 11.0 99", "path 60 hook 17 7 8"]
    equal({("hook", "60", "af_rpacket"): 11.0, ("hook", "60", "af_packet"): 7.0}, counted.least(output))


# ---- An earlier run -----------------------------------------------------------------------------


def row(value, workload="rx-lone-60", subject="rtl8139_rs", metric="register_reads", cpus=1):
    return {"workload": workload, "subject": subject, "cpus": cpus, "metric": metric, "value": value}


def complaints(before, now):
    return list(baseline.worse({baseline.key_of(one): float(one["value"]) for one in before}, now))


def growth_within_the_margin_is_accepted():
    equal([], complaints([row(2.0)], [row(2.04)]))
    equal([], complaints([row(2.0)], [row(1.0)]), "less")
    equal(1, len(complaints([row(2.0)], [row(2.06)])), "three percent more")
    equal([], complaints([row(0)], [row(0.004)]), "one access in the whole run")
    equal(1, len(complaints([row(0)], [row(0.01)])), "more than that")
    equal([], complaints([row(2.0, "tcp-send-1514")], [row(3.0, "tcp-send-1514")]), "a stream")


def only_ours_is_judged():
    equal([], complaints([row(2.0, subject="8139cp")], [row(4.0, subject="8139cp")]))
    equal(1, len(complaints([row(2.0, subject="af_rpacket")], [row(4.0, subject="af_rpacket")])))


def differences_may_grow_by_some_instructions():
    before = [row(300, metric="own_instructions")]
    equal([], complaints(before, [row(330, metric="own_instructions")]))
    equal(1, len(complaints(before, [row(340, metric="own_instructions")])), "more than that")


def a_page_more_in_a_boot_is_no_growth():
    for metric in ("guest_instructions", "own_instructions"):
        before = [row(640, "rx-lone-1514", metric=metric)]
        equal([], complaints(before, [row(745, "rx-lone-1514", metric=metric)]), metric)
        equal(1, len(complaints(before, [row(780, "rx-lone-1514", metric=metric)])), metric)
    before = [row(2, "rx-lone-1514")]
    equal(1, len(complaints(before, [row(3, "rx-lone-1514")])), "an access is none of that")


def a_baseline_is_one():
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        for text in ("", "a,b\n1,2\n", "workload,subject,cpus,metric,value\nrx,8139cp,1,register_reads,8\n"):
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            try:
                raise lib.Failure(f"{text!r} is taken: {baseline.read(file.name)}")
            except ValueError:
                pass


def what_stalls_now_is_worse():
    before = [row(2.0), row(1.0, metric="interrupts"), row(3.0, workload="tx-lone-60")]
    now = [row(1, metric="stalled"), row(3.0, workload="tx-lone-60")]
    found = complaints(before, now)
    equal(3, len(found), f"{found}")
    if not any("has stalled in rx-lone-60" in line for line in found):
        raise lib.Failure(f"{found}")


def a_part_that_did_not_run_is_not_missed():
    before = [row(2.0), row(5000, metric="guest_instructions")]
    equal([], complaints(before, [row(2.0)]))
    equal(1, len(complaints([*before, row(1.0, metric="interrupts")], [row(2.0)])), "its own part did run")


# ---- What fails ---------------------------------------------------------------------------------


def a_part_that_fails_does_not_end_the_others():
    def run(part):
        if part == "loss":
            raise guest.Broken("no frames")
        if part == "profile":
            raise KeyError("return")
        return [part]

    kept, marked = {}, []
    with contextlib.redirect_stderr(io.StringIO()):
        failed = main_of_bench.measure(["rates", "loss", "profile", "sizes"], run, kept.__setitem__, marked.append)
    equal((["loss", "profile"], {"rates": ["rates"], "sizes": ["sizes"]}), (failed, kept))
    equal(failed, marked)


def what_the_kernel_says_meanwhile_is_told():
    console = ["[    1.0] eth0: up", "[    2.0] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 f+0x1/0x2"]
    equal(console, guest.complaint(console))
    equal([], guest.complaint(console[:1]))
    equal([], guest.complaint(["[    3.0] NETDEV WATCHDOG: eth1 (8139too): transmit queue 0 timed out"]),
          "a C original that stalls, which has a row")
    equal(1, len(guest.complaint(["[    3.0] NETDEV WATCHDOG: eth1 (rtl8139_rs): transmit queue 0 timed out"])))


# ---- What does not end --------------------------------------------------------------------------


class Vms:
    """VMs that answer as they are told, and remember what they were asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, command, *options):
        self.asked.append(command)
        return self.answers.pop(0)


JOBS = [("8139too", "rx"), ("8139too", "tx"), ("8139cp", "rx")]


def found_by(*answers):
    vms = Vms(*answers)
    rows = guest.measure(JOBS, lambda jobs: " ".join("/".join(job) for job in jobs), run=vms)
    return rows, vms.asked


def one_boot_is_enough_if_nothing_stalls():
    rows, asked = found_by((0, ["begin 8139too rx", 'row {"a": 1}', "noise", 'row {"a": 2}']))
    equal([{"a": 1}, {"a": 2}], rows)
    equal(1, len(asked), "boots")


def what_stalls_has_a_row_and_the_rest_goes_on():
    # timeout(1) has ended it, has killed it; scripts/vm.py: the guest hung, crashed.
    for status in (124, 137, 253, 254):
        rows, asked = found_by((status, ["begin 8139too rx", 'row {"a": 1}', "begin 8139too tx"]),
                               (0, ["begin 8139cp rx", 'row {"a": 3}']))
        equal(["8139too/rx 8139too/tx 8139cp/rx", "8139cp/rx"], asked, f"status {status}")
        equal([{"a": 1}, {"subject": "8139too", "workload": "tx", "metric": "stalled", "value": 1},
               {"a": 3}], rows, f"status {status}")


def the_last_one_can_stall_too():
    rows, asked = found_by((guest.HUNG, ["begin 8139cp rx"]))
    equal((1, "stalled"), (len(asked), rows[-1]["metric"]))


def a_broken_measurement_is_no_stall():
    for answer in ((1, ["begin 8139too rx", "noise"]), (guest.TIMEOUT, [])):
        try:
            found_by(answer)
        except guest.Broken:
            continue
        raise lib.Failure(f"{answer} was taken for a stall")


def jobs_are_grouped_by_subject():
    text = guest.by_subject(JOBS, "program", 7)
    equal("timeout -k 5 7 program 8139too rx tx || exit; timeout -k 5 7 program 8139cp rx || exit", text)


# ---- The report ---------------------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """Whether a page is well-formed, and what elements, attributes and words are in it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}

    def handle_endtag(self, tag):
        equal(tag, self.open.pop() if self.open else None, "what is closed")

    def handle_data(self, data):
        self.words.append(data)


def made_up():
    counts = figures.Counts()
    counted.add_family_paths(counts, paths())
    for driver, whole, own in (("null", 1000, None), ("rtl8139_rs", 1500, 500), ("8139cp", 1900, 900)):
        counts.add(whole, workload="rx-lone-60", subject=driver, metric="guest_instructions")
        if own:
            counts.add(own, workload="rx-lone-60", subject=driver, metric="own_instructions")
    for metric, value in (("register_reads", 2), ("register_writes", 1), ("interrupts", 1)):
        counts.add(value, workload="rx-lone-60", subject="rtl8139_rs", metric=metric)
        counts.add(value * 4, workload="rx-lone-60", subject="8139cp", metric=metric)
    counts.add(1, workload="rx-lone-60", subject="8139too", metric="stalled")
    ratios = [{"workload": "tcp-send", "subject": "rtl8139_rs", "against": "8139cp",
               "metric": "bytes_per_second", "ratio": 1.25, "low": 1.1, "high": 1.4, "note": ""},
              {"workload": "tcp-send", "subject": "rtl8139_rs", "against": "8139too",
               "metric": "bytes_per_second", "ratio": "", "low": "", "high": "", "note": "stalled 8139too"},
              {"workload": "tcp-send", "subject": "af_rpacket", "against": "af_packet", "metric": "p50",
               "ratio": math.inf, "low": 0.0, "high": math.inf, "note": "nothing in 3 rounds of af_packet"}]
    losses = [{"workload": "receive-60", "subject": subject, "offered": offered, "sent": 1000,
               "lost": lost, "share": lost / 1000}
              for subject, lost in (("rtl8139_rs", 10), ("8139cp", 200)) for offered in (1000, 2000)]
    losses += [{"workload": "receive-60", "subject": "8139too", "offered": 0, "sent": 0, "lost": 0,
                "share": ""}] * 2
    sizes = [{"subject": "rtl8139_rs", "metric": "code", "unit": "bytes", "value": 4711}]
    return "A machine.", counts, ratios, losses, sizes


def the_report_says_where_each_part_comes_from():
    here, there = ({"data": [1], "machine": f"Linux {name}", "modules": "0a1b", "day": "2026-01-02"}
                   for name in ("7.3", "7.4"))
    one = main_of_bench.sources({"rates": here, "loss": here, "sizes": {"data": []}})
    equal("Linux 7.3, on 2026-01-02, with the modules 0a1b. Guests", one[:55])
    two = main_of_bench.sources({"rates": here, "loss": there})
    for line in ("Of the parts rates: Linux 7.3, on 2026-01-02, with the modules 0a1b.", "Of the parts loss: Linux 7.4"):
        lib.require(line in two, two)
    three = main_of_bench.sources({"rates": here, "loss": {**here, "modules": "2c3d"}})
    lib.require("Of the parts loss: Linux 7.3, on 2026-01-02, with the modules 2c3d" in three, three)
    four = main_of_bench.sources({"rates": {**here, "failed": "2026-01-03"}})
    lib.require("The part rates has failed on 2026-01-03; what is here" in four, four)
    five = main_of_bench.sources({"rates": here, "loss": {"data": [], "failed": "2026-01-03"}})
    lib.require("The part loss has failed on 2026-01-03. Guests" in five, five)
    equal("The part loss has failed", main_of_bench.sources({"loss": {"data": [], "failed": "2026-01-03"}})[:24])


def a_reason_is_given_only_where_it_holds():
    def why(metric, wholes=(), workload="rx-lone-60", cpus=1):
        return report.why({"workload": workload, "subject": "rtl8139_rs", "metric": metric, "cpus": cpus}, wholes)

    lib.require("each of which is steady" in why("own_instructions"), "steady")
    equal("the whole path differs, see there", why("own_instructions", {("rx-lone-60", "rtl8139_rs")}))
    lib.require("two CPUs" in why("interrupts", workload="rx-batch-60", cpus=2), "two CPUs")
    equal("not known", why("interrupts", cpus=2))
    lib.require("a stream" in why("interrupts", workload="tcp-send-1514"), "a stream")
    equal("not known", why("interrupts", workload="ping-60", cpus=2))


def the_report_says_what_was_found():
    text = "".join(report.markdown(*made_up()))
    for line in ("| rx-lone-60 | 3 (2 + 1), 1 | 12 (8 + 4), 4 | stalled |",
                 "| rx-lone-60 | 1500 | 500 | 33 % | -400 against 8139cp |  |",
                 "| sendmsg-60 | 3000 | 500 | 17 % | 200 against af_packet |  |",
                 "| tcp-send | rtl8139_rs | 8139cp | 1.25 (1.10 to 1.40) | bytes_per_second |  |",
                 "| tcp-send | rtl8139_rs | 8139too | stalled 8139too | bytes_per_second |  |",
                 "inf (0.00 to inf) | p50 | nothing in 3 rounds of af_packet |",
                 "| receive-60 | rtl8139_rs 1.0 % of 1000 | 8139cp 20.0 % of 1000 | 8139too dead |"):
        if line not in text:
            lib.diag(text)
            raise lib.Failure(f"the report has no {line!r}")


def the_page_stands_alone():
    text = page.html(*made_up())
    reader = Reader(text)
    equal([], reader.open, "elements left open")
    equal(set(), reader.seen & {"script", "link", "img", "iframe", "src", "href", "xlink:href"},
          "what would be fetched or run")
    equal([], [word for word in ("@import", "url(", "<?xml") if word in text], "what would be fetched")
    for word in ("stalled", "stalled 8139too", "8139cp", "instructions", "1.25 (1.10 to 1.40)", "rx-lone-60"):
        if not any(word in words for words in reader.words):
            raise lib.Failure(f"the page has no {word!r}")


def nothing_measured_is_no_report_of_zeroes():
    text = "".join(report.markdown("A machine.", figures.Counts(), [], [], []))
    equal("A machine.\n", text)
    Reader(page.html("A machine.", figures.Counts(), [], [], []))


def main():
    for function in (
            a_ratio_is_the_median_of_pairs, the_interval_is_that_of_the_binomial_distribution,
            less_time_is_a_ratio_above_one, rounds_in_which_nothing_came_count,
            rounds_in_which_nothing_came_are_named, a_stalled_driver_has_no_ratio,
            a_driver_that_stalls_is_told_from_one_that_is_dead, a_round_in_which_nothing_came_is_no_stall, two_runs_are_compared, own_shares_are_differences,
            a_driver_that_does_not_come_back_has_rows, a_stall_of_one_part_is_none_of_the_other,
            a_stall_of_ours_is_told,
            a_null_driver_that_stalls_leaves_no_own_share,
            the_least_round_counts, growth_within_the_margin_is_accepted, only_ours_is_judged,
            differences_may_grow_by_some_instructions, a_page_more_in_a_boot_is_no_growth,
            a_baseline_is_one, what_stalls_now_is_worse,
            a_part_that_did_not_run_is_not_missed, one_boot_is_enough_if_nothing_stalls,
            what_stalls_has_a_row_and_the_rest_goes_on, the_last_one_can_stall_too,
            a_broken_measurement_is_no_stall, a_part_that_fails_does_not_end_the_others,
            what_the_kernel_says_meanwhile_is_told, jobs_are_grouped_by_subject,
            the_report_says_where_each_part_comes_from, a_reason_is_given_only_where_it_holds,
            the_report_says_what_was_found, the_page_stands_alone,
            nothing_measured_is_no_report_of_zeroes):
        lib.case(function)


lib.main(main)
