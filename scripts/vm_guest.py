# SPDX-License-Identifier: GPL-2.0
"""A guest that runs, for scripts/vm.py: what its ports and its console tell, and QEMU's monitor.

The guest gives a sign of life by one port. By another it gives QMP commands, which go to QEMU if they are
among those that a guest may give.
"""
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time

import vm_sleeper
from vm_trace import Accesses, Instructions

# What ends a guest. A report that leaves the kernel running (a warning, lockdep, KASAN) is for the
# test that caused it to see in the kernel log.
FATAL = re.compile(
    r"Kernel panic - not syncing|Oops: |kernel BUG at |BUG: unable to handle|"
    r"general protection fault[,:] |double fault|Unable to mount root|Attempted to kill init"
)

# QEMU's own defects. (What the kernel prints begins with a time.) One that happens, also at boot, is
# `iotlb_to_section: Assertion ...`: what --one-thread is for.
QEMU_DEFECT = re.compile(r"^qemu-system-\w+: .*Assertion .* failed")

# QMP commands that the guest may give: those that change its own hardware or look at it.
GUEST_MAY = {
    "device_add", "device_del", "set_link", "query-rx-filter", "query-pci", "query-status",
    "qom-get", "qom-list", "inject-nmi", "query-cpus-fast",
}


class Qmp:
    """QEMU's monitor: one command at a time, events ignored."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.stream = None
        self.ready = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            connection, _ = self.listener.accept()
            self.stream = connection.makefile("rwb", buffering=0)
            self.stream.readline()  # the greeting
            self._talk({"execute": "qmp_capabilities"})
            self.ready.set()
        except (OSError, ValueError):
            pass

    def _talk(self, request):
        self.stream.write(json.dumps(request).encode() + b"\n")
        while True:
            line = self.stream.readline()
            if not line:
                raise OSError("QEMU has closed its monitor")
            answer = json.loads(line)
            if "return" in answer or "error" in answer:
                return answer

    def command(self, request):
        if not self.ready.wait(10):
            return {"error": {"desc": "no connection to QEMU's monitor"}}
        with self.lock:
            try:
                return self._talk(request)
            except (OSError, ValueError) as error:
                return {"error": {"desc": str(error)}}


class Guest:
    """What is known about a running guest, from its ports and its console."""

    def __init__(self, folder, echo_console, trace=False, sleeps=False):
        self.folder = folder
        self.trace = f"{folder}/trace.log" if trace else None
        self.echo_console = echo_console
        self.began = time.monotonic()
        self.started = None  # when the first sign of life came
        self.beat = None  # when the last one came
        self.console_at = self.began
        self.fatal_at = None
        self.defect = None  # of QEMU, in its words
        self.status = None  # of the command
        self.ended = None
        self.sockets = tempfile.mkdtemp(prefix="vm")
        self.qmp = Qmp(f"{self.sockets}/monitor")
        self.waker = vm_sleeper.Waker(self.qmp) if sleeps else None
        self.accesses = Accesses(self.qmp, self.trace)
        self.instructions = Instructions(self.qmp, folder, self.trace)
        self._serve("beat", self._on_beat)
        self._serve("qmp", self._on_qmp)

    def _serve(self, name, handler):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.sockets}/{name}")
        listener.listen(1)

        def run():
            try:
                connection, _ = listener.accept()
                stream = connection.makefile("rwb", buffering=0)
                for line in stream:
                    handler(stream, line)
            except OSError:
                pass

        threading.Thread(target=run, daemon=True).start()

    def _on_beat(self, _stream, line):
        now = time.monotonic()
        self.started = self.started or now
        self.beat = now
        if self.waker and line.startswith(b"{"):
            vm_sleeper.journal(line)
            return
        words = line.split()
        if len(words) == 2 and words[0] == b"end" and words[1].isdigit():
            self.status, self.ended = int(words[1]), now

    def _on_qmp(self, stream, line):
        try:
            request = json.loads(line)
            if request.get("execute") == "count-begin":
                answer = self.accesses.begin()
            elif request.get("execute") == "count-end":
                answer = self.accesses.end(request.get("arguments", {}).get("name"))
            elif request.get("execute") == "profile-begin":
                answer = self.instructions.begin()
            elif request.get("execute") == "profile-end":
                answer = self.instructions.end()
            elif request.get("execute") == "count-sleeps" and self.waker:
                answer = {"return": self.waker.sleeps}
            elif request.get("execute") not in GUEST_MAY:
                answer = {"error": {"desc": f"{request.get('execute')}: not for guests"}}
            else:
                answer = self.qmp.command(request)
        except ValueError as error:
            answer = {"error": {"desc": f"not JSON: {error}"}}
        stream.write(json.dumps(answer).encode() + b"\n")

    def read_console(self, pipe, log):
        for raw in iter(pipe.readline, b""):
            self.console_at = time.monotonic()
            log.write(raw)
            log.flush()
            if self.echo_console:
                sys.stderr.buffer.write(raw)
                sys.stderr.buffer.flush()
            line = raw.decode(errors="replace").rstrip()
            if self.fatal_at is None and FATAL.search(line):
                self.fatal_at = time.monotonic()
            if QEMU_DEFECT.match(line):
                self.defect = line

    @staticmethod
    def copy_output(pipe):
        out = sys.stdout.buffer
        while data := os.read(pipe.fileno(), 65536):
            out.write(data)
            out.flush()

    def close(self):
        shutil.rmtree(self.sockets, ignore_errors=True)
