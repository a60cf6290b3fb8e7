# SPDX-License-Identifier: GPL-2.0
"""The two ends of the path that the tests here follow: frames on the wire, and what saw them."""

import contextlib
import os
import re
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drivers"))
from frames import ETH_P_TEST, Tap
from nic import SLOW, SilentWire, Wire, inside, lib, load, loaded, unload

OURS = os.environ.get("SUBJECT", "rpsniff") == "rpsniff"
FAMILY_NAME = "rpacket" if OURS else "packet"
FAMILY = 25 if OURS else 17


@contextlib.contextmanager
def family():
    """Our family's module, loaded for the time of a test; nothing if AF_PACKET is the subject."""
    before = loaded("af_rpacket")
    if OURS and not before:
        load("af_rpacket")
    try:
        yield
    finally:
        if OURS and not before:
            unload("af_rpacket")


def family_tap(port, ethertype=ETH_P_TEST):
    """A socket of the family under test."""
    return Tap(port, ethertype, FAMILY)


class Capture:
    """rpsniff or tcpdump on an interface, from before the first frame until stop()."""

    def __init__(self, program, port, file, *words):
        self.program, self.file = program, file
        extra = ["--family", FAMILY_NAME, "--print"] if program == "rpsniff" else \
            ["--immediate-mode", "-s", "2048"]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)
        self.printed = open(f"{file}.txt", "w+", encoding="utf-8")  # pylint: disable=R1732
        with inside(port.netns):
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                [program, *extra, "-i", port.name, "-n", "-e", "-U", "-w", file, *words],
                stdout=self.printed, stderr=subprocess.PIPE, text=True)
        self.said = ""
        while "listening on" not in self.said:
            line = self.process.stderr.readline()
            if not line:
                raise lib.Failure(f"precondition: {program} starts; it ended with status "
                                  f"{self.process.wait()} and said: {self.said}")
            self.said += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.printed.close()
        for file in (self.file, self.printed.name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file)

    def is_alive(self):
        """Whether it still captures."""
        return self.process.poll() is None

    def finish(self):
        """Wait until it ends by itself; returns (exit status, what it said)."""
        self.said += self.process.communicate(timeout=20 * SLOW)[1]
        return self.process.returncode, self.said

    def stop(self, expected):
        """Ctrl-C once the file holds what is expected; returns (frames saved, lines printed)."""
        assert self.is_alive(), f"{self.program} has ended: {self.said}"
        # A busy machine may leave frames in the program's socket for a while.
        with contextlib.suppress(lib.Failure):
            lib.wait_for(lambda: len(read_capture(self.file)) >= expected, 10)
        self.process.send_signal(signal.SIGINT)
        status, said = self.finish()
        assert status == 0, f"{self.program} ended with {status}: {said}"
        self.printed.seek(0)
        lines = [line for line in self.printed if re.match(r"\d\d:\d\d:\d\d\.", line)]
        return read_capture(self.file), lines

    def number(self, what):
        """A number of its final statistics, such as that of `packets captured`."""
        return int(re.search(rf"(\d+) packets? {what}", self.said).group(1))


def read_capture(file):
    """The frames of a pcap or pcapng file, as tcpdump reads it."""
    # A file that is being written may end within a frame.
    data = subprocess.run(["tcpdump", "-r", file, "-w", "-"], check=False,
                          capture_output=True).stdout
    frames, at = [], 24
    while at + 16 <= len(data):
        captured, length = struct.unpack_from("=II", data, at + 8)
        assert captured == length, "a frame was saved in part"
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames


class Path(Wire):
    """The wire with our family's module loaded."""

    def __enter__(self):
        self.module = contextlib.ExitStack()
        self.module.enter_context(family())
        return super().__enter__()

    def close(self):
        super().close()
        self.module.close()


class SilentPath(Path, SilentWire):
    """The same without an address at either end."""
