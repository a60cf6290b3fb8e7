#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# What `make bench` says of the figures: the report, and the page with its pictures. The figures are made
# up, so that the words are known.
#
# kernels: stock
# timeout: 60
import html.parser
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from lib import equal

sys.path[:0] = [os.path.join(lib.HERE, "bench"), os.path.join(os.path.dirname(lib.HERE), "scripts", "bench.d")]
# pylint: disable=wrong-import-position
import counted
import figures
import main as main_of_bench
import page
import report


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
    for path in ("queue-60", "sendmsg-60"):
        for family, whole, above in (("af_rpacket", 3000, 500), ("af_packet", 2800, 300), ("null", 2500, None)):
            counts.add(whole, workload=path, subject=family, metric="guest_instructions")
            if above:
                counts.add(above, workload=path, subject=family, metric="above_null_instructions")
    for driver, whole, own in (("null", 1000, None), ("rtl8139_rs", 1500, 500), ("8139cp", 1900, 900),
                               ("rtl8139_rs+classic", 1300, 300)):
        counts.add(whole, workload="rx-lone-60", subject=driver, metric="guest_instructions")
        if own:
            counts.add(own, workload="rx-lone-60", subject=driver, metric="own_instructions")
    for metric, value in (("register_reads", 2), ("register_writes", 1), ("interrupts", 1)):
        counts.add(value, workload="rx-lone-60", subject="rtl8139_rs", metric=metric)
        counts.add(value * 4, workload="rx-lone-60", subject="8139cp", metric=metric)
        counts.add(value * 2, workload="rx-lone-60", subject="rtl8139_rs+classic", metric=metric)
    counts.add(1, workload="rx-lone-60", subject="8139too", metric="stalled")
    ratios = [{"workload": "tcp-send", "subject": "rtl8139_rs", "against": "8139cp",
               "metric": "bytes_per_second", "ratio": 1.25, "low": 1.1, "high": 1.4, "note": ""},
              {"workload": "tcp-send", "subject": "rtl8139_rs+classic", "against": "8139too",
               "metric": "bytes_per_second", "ratio": "", "low": "", "high": "", "note": "stalled 8139too"},
              {"workload": "tcp-send", "subject": "af_rpacket", "against": "af_packet", "metric": "p50",
               "ratio": math.inf, "low": 0.0, "high": math.inf, "note": "nothing in 3 rounds of af_packet"}]
    losses = [{"workload": "receive-60", "subject": subject, "offered": offered, "sent": 1000,
               "lost": lost, "share": lost / 1000}
              for subject, lost in (("rtl8139_rs", 10), ("rtl8139_rs+classic", 0), ("8139cp", 200)) for offered in (1000, 2000)]
    losses += [{"workload": "receive-60", "subject": "8139too", "offered": 0, "sent": 0, "lost": 0,
                "share": ""}] * 2
    sizes = [{"subject": "rtl8139_rs", "metric": "code", "unit": "bytes", "value": 4711}]
    return "A machine.", counts, ratios, losses, sizes


def a_stall_of_one_part_is_none_of_the_other():
    counts = figures.Counts()
    counts.add(1, workload="rx-lone-60", subject="8139too", metric="stalled")
    counted.add_driver_paths(counts, [
        {"workload": "rx-lone-60", "subject": subject, "metric": "guest_instructions", "value": value}
        for subject, value in (("null", 1100), ("null-without-gro", 1000), ("8139too", 1300))])
    equal(["rx-lone-60", "1100", "1000", "", "", "", "", "1300, own 300"], next(report.drivers(counts)))
    equal("stalled", next(report.accesses(counts, 1))[-1])
    counts = figures.Counts()
    counted.add_driver_paths(counts, [{"workload": "rx-lone-60", "subject": "rtl8139_rs+classic",
                                       "metric": "stalled", "value": 1}])
    equal(["", "stalled"], next(report.drivers(counts))[4:6])
    equal(["", ""], next(report.accesses(counts, 1))[1:3])
    equal(["rtl8139_rs+classic has stalled in rx-lone-60, 1 CPUs"], list(main_of_bench.stalled(counts, [], [])))


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
    def why(metric, wholes=(), workload="rx-lone-60", cpus=1, mode="cplus"):
        return report.why({"workload": workload, "subject": "rtl8139_rs", "mode": mode, "metric": metric,
                           "cpus": cpus}, wholes)

    lib.require("each of which is steady" in why("own_instructions"), "steady")
    equal("the whole path differs, see there", why("own_instructions", {("rx-lone-60", "rtl8139_rs cplus")}))
    lib.require("steady" in why("own_instructions", {("rx-lone-60", "rtl8139_rs classic")}), "another mode's path")
    equal("not known", why("register_writes"), "C+ has no position in a ring")
    lib.require("quarter" in why("register_writes", mode="classic"), "the position in the ring")
    lib.require("two CPUs" in why("interrupts", workload="rx-batch-60", cpus=2), "two CPUs")
    equal("not known", why("interrupts", cpus=2))
    lib.require("a stream" in why("interrupts", workload="tcp-send-1514"), "a stream")
    equal("not known", why("interrupts", workload="ping-60", cpus=2))


def the_report_says_what_was_found():
    text = "".join(report.markdown(*made_up()))
    for line in ("| workload | rtl8139_rs cplus | rtl8139_rs classic | 8139cp cplus | 8139too classic |",
                 "| rx-lone-60 | 3 (2 + 1), 1 | 6 (4 + 2), 2 | 12 (8 + 4), 4 | stalled |",
                 "| rx-lone-60 | rtl8139_rs cplus | 1500 | 500 | 33 % | -400 against 8139cp |",
                 "| rx-lone-60 | rtl8139_rs classic | 1300 | 300 | 23 % |  |",
                 "| sendmsg-60 | af_rpacket | 3000 | 500 | 17 % | 200 against af_packet |",
                 "| tcp-send | rtl8139_rs cplus | 8139cp cplus | 1.25 (1.10 to 1.40) | bytes_per_second |  |",
                 "| tcp-send | rtl8139_rs classic | 8139too classic | stalled 8139too | bytes_per_second |  |",
                 "inf (0.00 to inf) | p50 | nothing in 3 rounds of af_packet |",
                 "| receive-60 | rtl8139_rs cplus 1.0 % of 1000 | rtl8139_rs classic 0.0 % of 1000 | "
                 "8139cp cplus 20.0 % of 1000 | 8139too classic dead |"):
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
            a_stall_of_one_part_is_none_of_the_other,
            the_report_says_where_each_part_comes_from, a_reason_is_given_only_where_it_holds,
            the_report_says_what_was_found, the_page_stands_alone, nothing_measured_is_no_report_of_zeroes):
        lib.case(function)


lib.main(main)
