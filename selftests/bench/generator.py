# SPDX-License-Identifier: GPL-2.0
"""pktgen, the kernel's generator of packets, which sends from a thread of its own as fast as a card goes."""

import contextlib
import os
import re
import signal
import threading
import time

from nic import format_mac, inside

# Seconds without a frame; a busy host can make it slow, but not that slow.
STALLED_AFTER = 20


class Stalled(Exception):
    """The driver does not go on."""


class Generator:
    """pktgen on a port, in its thread on one CPU; a context manager. The module must be loaded."""

    def __init__(self, port, size, cpu=0):
        self.port, self.size, self.thread = port, size, f"kpktgend_{cpu}"

    def __enter__(self):
        self._order(self.thread, f"add_device {self.port.name}")
        for text in (f"pkt_size {self.size}", "dst 10.8.13.9"):
            self._order(self.port.name, text)
        return self

    def __exit__(self, *_):
        self._order(self.thread, "rem_device_all")

    def _order(self, node, text):
        with inside(self.port.netns):
            with open(f"/proc/thread-self/net/pktgen/{node}", "w", encoding="ascii") as file:
                file.write(text)

    def _find(self, pattern):
        """What pktgen says of the port: never asks the driver, which may read a register."""
        with inside(self.port.netns):
            with open(f"/proc/thread-self/net/pktgen/{self.port.name}", encoding="ascii") as file:
                return re.search(pattern, file.read())

    def _watch(self, ended):
        """Interrupts the main thread when nothing is sent any more."""
        last, since = None, time.monotonic()
        while not ended.wait(1):
            found = self._find(r"pkts-sofar: (\d+)")
            now = found and found.group(1)
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STALLED_AFTER:
                os.kill(os.getpid(), signal.SIGALRM)
                return

    def send(self, to, count, rate=0):
        """Sends frames to an address, `rate` a second if that is not 0; returns how many, and in how many
        seconds. A driver whose queue stays stopped is Stalled."""
        self._order(self.port.name, f"dst_mac {format_mac(to)}")
        self._order(self.port.name, f"count {count}")
        self._order(self.port.name, f"ratep {rate}" if rate else "delay 0")
        with self._interruptible():
            self._order("pgctrl", "start")
            # That is over, too, when the thread has not begun within an eighth of a second.
            while not (found := self._find(r"Result: OK: (\d+)\(.*?\) usec, (\d+) \(")):
                time.sleep(0.01)
        return int(found.group(2)), int(found.group(1)) / 1e6

    @contextlib.contextmanager
    def _interruptible(self):
        def stall(*_):
            raise Stalled

        ended, before = threading.Event(), signal.signal(signal.SIGALRM, stall)
        watch = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()
            signal.signal(signal.SIGALRM, before)
