# SPDX-License-Identifier: GPL-2.0
"""Frames: how they are made, sent, received and compared; and floods of them."""

import errno
import mmap
import os
import select
import signal
import socket
import struct
import time
import zlib

from nic import die_with_parent, inside, lib, wait_for

ETH_P_ALL = 3
ETH_P_TEST = 0x88B5  # IEEE 802: local experimental ethertype 1
ETH_P_TEST_2 = 0x88B6
BROADCAST = b"\xff" * 6
HOST, BROADCASTED, MULTICAST, OTHERHOST, OUTGOING = range(5)  # values of sll_pkttype
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, PACKET_AUXDATA = 263, 1, 2, 8
PACKET_MR_MULTICAST = 0
SO_RCVBUFFORCE = 33


def pattern(length, seed=0):
    """Bytes that differ at each offset and with each seed, so that a shift or a mix-up shows."""
    start = (seed * 7919) % 65521
    unit = struct.pack(">I", seed) + bytes((start + index * 31) % 251 for index in range(251))
    return (unit * (length // len(unit) + 1))[:length]


def frame(destination, source, length, seed=0, ethertype=ETH_P_TEST):
    """An Ethernet frame of `length` bytes (without FCS), at least a header, filled by pattern()."""
    head = destination + source + struct.pack(">H", ethertype)
    return head + pattern(max(length - len(head), 0), seed)


def multicast_bucket(address):
    """The bit of the chip's 64-bit hash filter that an address selects: the top 6 of its CRC."""
    crc = zlib.crc32(address) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2) >> 26


class Tap:
    """A packet socket on an interface: sends whole frames, and receives those of one ethertype."""

    def __init__(self, port, ethertype=ETH_P_TEST, family=socket.AF_PACKET, buffer=16 << 20):
        with inside(port.netns):
            # The socket module knows no family but its own; the addresses of both are alike.
            descriptor = lib.libc_call("socket", family, socket.SOCK_RAW, 0)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, descriptor)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((port.name, ethertype))
        with inside(port.netns):
            self.index = socket.if_nametoindex(port.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Send one frame; a full queue is waited for."""
        while True:
            try:
                return self.socket.send(data)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    raise
                time.sleep(0.001)

    def receive(self, seconds=2.0, outgoing=False):
        """The next frame as (bytes, pkttype), or None when none comes in time; those that leave
        are passed over unless they are asked for."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                data, address = self.socket.recvfrom(65536)
            except OSError as error:
                if error.errno != errno.ENETDOWN:  # said once after the interface went down
                    raise
                continue
            if outgoing or address[2] != OUTGOING:
                return data, address[2]

    def drain(self, quiet=0.2, limit=100000, outgoing=False):
        """All frames until none has come for `quiet` seconds."""
        frames = []
        while len(frames) < limit:
            got = self.receive(quiet, outgoing)
            if got is None:
                break
            frames.append(got)
        return frames

    def member(self, address, join=True):
        """Join or leave a multicast address on the interface."""
        request = struct.pack("IHH8s", self.index, PACKET_MR_MULTICAST, 6, address)
        option = PACKET_ADD_MEMBERSHIP if join else PACKET_DROP_MEMBERSHIP
        self.socket.setsockopt(SOL_PACKET, option, request)


class Worker:
    """A process that calls `step` over and over and counts how often; ended by stop()."""

    def __init__(self, step, name="worker"):
        self.shared, self.name = mmap.mmap(-1, 8), name
        self.pid = os.fork()
        if self.pid:
            return
        # The child never returns into the test, whatever happens.
        try:
            die_with_parent()
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            done = 0
            while True:
                done += step() or 0
                self.shared[:8] = struct.pack("Q", done)
        except BaseException as error:  # pylint: disable=broad-exception-caught
            os.write(2, f"# {name}: {error!r}\n".encode())
            os._exit(1)

    @property
    def count(self):
        """How much has been done so far."""
        return struct.unpack("Q", self.shared[:8])[0]

    def is_alive(self):
        """Whether the process still runs: the precondition of any test under traffic."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False

    def wait_started(self, least=10):
        """Wait until it has really done something."""
        wait_for(f"{self.name} at work", lambda: self.count >= least)
        return self

    def stop(self):
        """End the process, and return how much it did; it must have been alive until now."""
        alive = self.is_alive()
        if alive:
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
        assert alive, f"{self.name} ended before it was stopped"
        return self.count

    def __enter__(self):
        return self.wait_started()

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise


def flood(port, data, pause=0.0, burst=16):
    """A Worker that sends a frame from an interface as fast as it can, also while that is down."""
    state = {}

    def step():
        try:
            if "tap" not in state:
                state["tap"] = Tap(port, 0)
            for _ in range(burst):
                state["tap"].socket.send(data)
            time.sleep(pause)
            return burst
        except OSError:
            # The interface is down, full or gone: try again with a new socket.
            tap = state.pop("tap", None)
            if tap:
                tap.socket.close()
            time.sleep(0.005)
            return 0

    return Worker(step, f"flood from {port.name}")
