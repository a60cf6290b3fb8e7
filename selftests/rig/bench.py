#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The arithmetic behind `make bench`: what is compared with what, which figures a comparison with an
# earlier run accepts, and what becomes of a measurement that never ends. The figures are made up, so
# that the answers are known. bench_report.py has what is said of them.
#
# kernels: stock
# timeout: 60
import contextlib
import errno
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
import budgets
import counted
import driver_path
import driver_rates
import figures
import guest
import main as main_of_bench
import subjects
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
            {"workload": "tcp-receive", "subject": "rtl8139_rs+classic", "rounds": [1.0, 1.0]},
            {"workload": "tcp-receive", "subject": "8139cp", "rounds": [2.0, 2.0]},
            {"workload": "tcp-receive", "subject": "8139too", "stalled": "stalled"}]
    found = {(row["subject"], row["against"]): row for row in timed.compare(rows, "bytes_per_second")}
    equal({("rtl8139_rs", "8139cp"): 2, ("rtl8139_rs", "rtl8139_rs+classic"): 4,
           ("rtl8139_rs+classic", "8139too"): ""}, {pair: row["ratio"] for pair, row in found.items()},
          "each with the C driver of its mode, and one mode with the other")
    equal("stalled 8139too", found["rtl8139_rs+classic", "8139too"]["note"])


# ---- Modes --------------------------------------------------------------------------------------


def a_name_says_driver_and_mode():
    equal([("rtl8139_rs", "cplus"), ("rtl8139_rs", "classic"), ("8139cp", "cplus"), ("8139too", "classic"),
           ("null-pages", ""), ("af_rpacket", "")],
          [(subjects.driver_of(name), subjects.mode_of(name))
           for name in (*subjects.DRIVERS, "null-pages", "af_rpacket")])
    for name in (*subjects.DRIVERS, *subjects.NULLS, "af_packet"):
        equal(name, subjects.name_of(subjects.driver_of(name), subjects.mode_of(name)), "and back")
    equal("rtl8139_rs cplus", subjects.title_of("rtl8139_rs"))
    equal("af_rpacket", subjects.title_of("af_rpacket"))


def each_mode_has_a_row_of_its_own():
    counts = figures.Counts()
    for name, value in (("rtl8139_rs", 2), ("rtl8139_rs+classic", 3)):
        counts.add(value, workload="rx-lone-60", subject=name, metric="register_reads")
        equal(value, counts.get("rx-lone-60", name, "register_reads"), name)
    equal([("rtl8139_rs", "cplus", 2), ("rtl8139_rs", "classic", 3)],
          [(one["subject"], one["mode"], one["value"]) for one in counts.rows()])


def what_no_driver_of_a_mode_need_do_is_its_own():
    def null(name, workload):
        return subjects.null_of(name, workload)

    equal(["null-pages", "null", "null-pages", "null-without-gro"],
          [null(name, "rx-batch-1514") for name in subjects.DRIVERS], "a long frame")
    equal(["null", "null", "null", "null-without-gro"],
          [null(name, "rx-batch-60") for name in subjects.DRIVERS], "a short frame")
    equal({"null"}, {null(name, "tx-lone-1514") for name in subjects.DRIVERS}, "one that is sent")
    equal(("null", "null-without-gro", "null-pages"), subjects.nulls_for("rx-lone-1514"))
    equal(("null", "null-without-gro"), subjects.nulls_for("rx-lone-60"))
    equal(("null",), subjects.nulls_for("tx-lone-1514"))


def budgets_are_of_a_mode():
    accesses = "register_reads", "register_writes", "interrupts"
    limits = {mode: budgets.of(*accesses, mode=mode) for mode in ("cplus", "classic")}
    for mode, found in limits.items():
        lib.require("rx-lone-60" in found and budgets.of("own_instructions", mode=mode), f"there are some for {mode}")
    equal({}, budgets.of(*accesses), "without a mode")
    lib.require("hook-60" in budgets.of("above_af_packet"), "those of the family have none")
    # What the C+ mode is there for.
    most = {name: sum(found.get(metric, 0) for metric in accesses[:2]) for name, found in limits["cplus"].items()}
    for workload, accesses_of_frame in (("rx-lone-60", 3), ("rx-batch-60", 0.25), ("tx-lone-60", 1.05),
                                        ("tx-more-60", 0.13)):
        lib.require(most[workload] <= accesses_of_frame, f"{workload}: {most[workload]}")


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
    all_fine = dict.fromkeys(subjects.DRIVERS, fine)
    equal({**all_fine, "8139too": "stalled"}, turns(Wires(stalls=["8139too"])))
    both = ["8139too"], ["8139too"], ["8139too"]
    equal({**all_fine, "8139too": "dead"}, turns(Wires(*both)))
    equal(all_fine, turns(Wires(dead=["8139too"])), "dead no more")
    equal({**all_fine, "rtl8139_rs+classic": "stalled"}, turns(Wires(stalls=["rtl8139_rs+classic"])), "one mode")


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


def a_stall_of_ours_is_told():
    def told(ratios=(), losses=()):
        return list(main_of_bench.stalled(figures.Counts(), ratios, losses))

    def rate(note):
        return {"workload": "tcp-send", "subject": "rtl8139_rs", "note": note}

    equal(["rtl8139_rs has stalled in tcp-send"], told([rate("stalled rtl8139_rs, dead 8139too")]))
    equal([], told([rate("dead 8139too"), rate("")]))
    equal([], told([rate("stalled rtl8139_rs+classic")]), "which its own row tells")
    losses = [{"workload": "receive-60", "subject": subject, "share": share}
              for subject, share in (("rtl8139_rs", 0.1), ("rtl8139_rs+classic", 0.1), ("8139too", ""))]
    equal([], told(losses=losses))
    for place, name in enumerate(subjects.OURS):
        equal([f"{name} has stalled in receive-60"], told(losses=[{**losses[place], "share": ""}]))


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


def row(value, workload="rx-lone-60", subject="rtl8139_rs", metric="register_reads", cpus=1, mode="cplus"):
    return {"workload": workload, "subject": subject, "mode": mode, "cpus": cpus, "metric": metric, "value": value}


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


def each_mode_is_judged_by_itself():
    before = [row(2.0), row(3.0, mode="classic")]
    equal([], complaints(before, before))
    equal(["rtl8139_rs+classic, rx-lone-60 register_reads, 1 CPUs: 3.0 before, 4.0 now"],
          complaints(before, [row(2.0), row(4.0, mode="classic")]))
    equal(1, len(complaints(before, [row(2.0)])), "one is missing")
    # As long as there was one mode, all counts were of it.
    equal([], complaints([row(3.0, mode="classic")], [row(9.0), row(3.0, mode="classic")]), "a mode is new")


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
        for text in ("", "a,b\n1,2\n", "workload,subject,cpus,metric,value\nrx,rtl8139_rs,1,register_reads,8\n",
                     "workload,subject,mode,cpus,metric,value\nrx,8139cp,cplus,1,register_reads,8\n"):
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


def main():
    for function in (
            a_ratio_is_the_median_of_pairs, the_interval_is_that_of_the_binomial_distribution,
            less_time_is_a_ratio_above_one, rounds_in_which_nothing_came_count,
            rounds_in_which_nothing_came_are_named, a_stalled_driver_has_no_ratio,
            a_name_says_driver_and_mode, each_mode_has_a_row_of_its_own, what_no_driver_of_a_mode_need_do_is_its_own,
            budgets_are_of_a_mode, a_driver_that_stalls_is_told_from_one_that_is_dead,
            a_round_in_which_nothing_came_is_no_stall, two_runs_are_compared, own_shares_are_differences,
            a_driver_that_does_not_come_back_has_rows, a_stall_of_ours_is_told,
            a_null_driver_that_stalls_leaves_no_own_share,
            the_least_round_counts, growth_within_the_margin_is_accepted, only_ours_is_judged,
            each_mode_is_judged_by_itself, differences_may_grow_by_some_instructions,
            a_page_more_in_a_boot_is_no_growth, a_baseline_is_one, what_stalls_now_is_worse,
            a_part_that_did_not_run_is_not_missed, one_boot_is_enough_if_nothing_stalls,
            what_stalls_has_a_row_and_the_rest_goes_on, the_last_one_can_stall_too,
            a_broken_measurement_is_no_stall, a_part_that_fails_does_not_end_the_others,
            what_the_kernel_says_meanwhile_is_told, jobs_are_grouped_by_subject):
        lib.case(function)


lib.main(main)
