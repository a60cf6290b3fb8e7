#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The judgement of the soak: what grows is said to grow, also slowly and in noise; what does not, is not;
# what cannot be told is not called flat. The report of a run that was ended in the middle. And real samples,
# while sockets are made and packets sent: without a leak none is seen, with one of ten packets a second it is.
#
# kernels: stock
# timeout: 900
import csv
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "scripts")]
import flat
import lib
import storms  # noqa: F401  # pylint: disable=unused-import
from storms import memory

REPORT = os.path.join(HERE, "..", "..", "scripts", "soak_report.py")
noise = random.Random(8139)


def series(count, slope, spread=0.0, step=0.0):
    """`count` samples, two a minute; a step in the middle."""
    return [(i / 2, 1000 + slope * i / 2 + noise.gauss(0, spread) + (step if i >= count / 2 else 0))
            for i in range(count)]


def verdict(expected, points, limit):
    lib.equal(expected, flat.judge(points, limit)[0], f"slope {flat.slope(points)}")


def no_false_alarm():
    """Of 500 series of noise that is as large as the limit, not one grows."""
    found = [flat.judge(series(16, 0, 6), 6)[0] for _ in range(500)]
    lib.equal(0, found.count("grows"), "series that grow")


def report(slope, rows=14, reason="", cut=False):
    """(status, what was printed) of the report on a made-up run in which the packets grow."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/samples.csv", "w", newline="", encoding="ascii") as file:
            table = csv.DictWriter(file, memory.COLUMNS, lineterminator="\n")
            table.writeheader()
            for i in range(rows):
                table.writerow({**dict.fromkeys(memory.COLUMNS, 7), "seconds": 30 * i, "round": i, "quiet": 1,
                                "skbuff_head_cache": 100 + int(slope * i / 2)})
            if cut:
                file.write("420.5,14,1,77")
        with open(f"{folder}/events.jsonl", "w", encoding="utf-8") as file:
            file.write(json.dumps({"event": "begin", "kernel": "stock"}) + "\n")
            file.write(json.dumps({"event": "round", "round": 3, "reason": reason}) + "\n")
            file.write('{"event": "ro' if cut else '{"event": "end"}\n')
        done = subprocess.run([sys.executable, REPORT, folder], check=False, text=True, capture_output=True)
        with open(f"{folder}/report.html", encoding="utf-8") as file:
            page = file.read()
            lib.require("</svg>" in page and "<script" not in page, "the page has plots, without a script")
        lib.diag(done.stderr)
        return done.returncode, done.stdout


def reports():
    lib.equal(0, report(0)[0], "status when flat")
    status, said = report(600)
    lib.equal((1, True), (status, "grows: skbuff_head_cache" in said), "ten packets a second")
    lib.equal(3, report(0, 6)[0], "status of a short run")
    status, said = report(0, reason="WARNING: something")
    lib.equal((1, True), (status, "wrong: round 3: WARNING" in said), "something in the log")
    status, said = report(0, cut=True)
    lib.equal((0, True), (status, "ended before its time" in said), "a run that was ended")


def use_a_socket():
    """A frame out of lo, and what comes back of it."""
    fd = lib.libc_call("socket", 25, socket.SOCK_RAW, socket.htons(3))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fd) as sock:
        sock.bind(("lo", 3))
        sock.send(bytes(60))
        sock.recv(100)


def samples(leak):
    """(status, what was printed) for real samples of a machine on which a little happens."""
    with tempfile.TemporaryDirectory() as folder, lib.module("af_rpacket"):
        if leak:
            lib.sh(f"insmod {lib.MODULES}-tests/defect.ko kind=slow-leak")
        try:
            with open(f"{folder}/samples.csv", "w", newline="", encoding="ascii") as file:
                table = csv.DictWriter(file, memory.COLUMNS, lineterminator="\n")
                table.writeheader()
                began = time.monotonic()
                for number in range(11):
                    for _ in range(20):
                        use_a_socket()
                    row = memory.sample(quiet=True)
                    table.writerow({"seconds": time.monotonic() - began, "round": number, "quiet": 1, **row})
        finally:
            if leak:
                lib.sh("rmmod defect")
        done = subprocess.run([sys.executable, REPORT, folder], check=False, text=True, capture_output=True)
        lib.diag(done.stdout + done.stderr)
        return done.returncode, done.stdout


def without_a_leak():
    status, said = samples(False)
    if status == 1:
        raise lib.Failure(f"something grows: {said}")
    for name in ("skbuff_head_cache", "sock_inode_cache", "RPACKET"):
        if re.search(rf"too short.*\b{name}\b", said):
            raise lib.Failure(f"cannot tell of {name}")


def with_a_leak():
    """Of one of the two objects of a packet it is surely seen in so few samples: of the other, each CPU keeps up
    to 64 for the next packets."""
    status, said = samples(True)
    lib.equal((1, True), (status, re.search("grows: skbuff_(head_cache|small_head)", said) is not None), said)


def main():
    lib.case(verdict, "flat", series(12, 0), 6, name="what is constant is flat")
    lib.case(verdict, "grows", series(12, 20), 6, name="what grows by more than the limit grows")
    lib.case(verdict, "flat", series(12, 3), 6, name="what grows by less than the limit is flat")
    lib.case(verdict, "grows", series(16, 20, 15), 6, name="what grows in noise grows")
    lib.case(verdict, "short", series(6, 20), 6, name="too few samples tell nothing")
    lib.case(verdict, "short", series(12, 0, 100), 6, name="too much noise tells nothing")
    lib.case(verdict, "short", series(12, 0, 0, 50), 6, name="one step is not growth")
    lib.case(no_false_alarm)
    lib.case(reports, name="the report says it, and its exit status")
    lib.case(without_a_leak, name="real samples do not grow")
    lib.case(with_a_leak, name="real samples grow with a leak")


lib.main(main)
