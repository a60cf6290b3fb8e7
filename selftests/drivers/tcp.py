#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 300
"""TCP in bulk, each way and both ways at once, with the checksum of every byte compared."""

import contextlib
import hashlib
import os
import socket
import threading
import time

import cases
from frames import pattern
from nic import DUT4, DUT6, PEER4, PEER6, SLOW, inside

MIB = 1 << 20
# The debug kernel moves about 3 Mbit/s under TCG.
BULK = 64 * MIB if SLOW == 1 else 3 * MIB
PORT = 5001


class Stream:
    """A connection from one end to the other."""

    def __init__(self, to, address, port=PORT):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with inside(to):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(1)
        with listener, inside(None if to == "peer" else "peer"):
            self.sender = socket.socket(family, socket.SOCK_STREAM)
            self.sender.settimeout(30 * SLOW)
            self.sender.connect((address, port))
            self.receiver = listener.accept()[0]
        self.receiver.settimeout(30 * SLOW)
        self.error = None

    def send(self, size, digest):
        """Send `size` random bytes and close that direction."""
        try:
            block = os.urandom(256 << 10)
            left = size
            while left:
                # Each block differs from the last one, so a block in a wrong place is found.
                block = block[4099:] + block[:4099]
                part = memoryview(block)[:min(left, len(block))]
                digest.update(part)
                self.sender.sendall(part)
                left -= len(part)
            self.sender.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error

    def receive(self, digest):
        """Receive until the other end closes; returns how much."""
        buffer, total = bytearray(256 << 10), 0
        while True:
            length = self.receiver.recv_into(buffer)
            if not length:
                return total
            digest.update(memoryview(buffer)[:length])
            total += length

    def transfer(self, size):
        """Move `size` bytes and compare what was sent with what arrived."""
        sent, received = hashlib.sha1(), hashlib.sha1()
        thread = threading.Thread(target=self.send, args=(size, sent))
        thread.start()
        try:
            total = self.receive(received)
        finally:
            thread.join()
            self.sender.close()
            self.receiver.close()
        assert not self.error, f"the sender failed: {self.error}"
        assert total == size, f"{size} bytes sent, {total} received"
        assert sent.digest() == received.digest(), "the bytes that arrived are not those sent"


def bulk(wire, to, address, size, column):
    """A transfer, with proof that it went through the card."""
    before, started = wire.dut.counters(), time.monotonic()
    interrupts = wire.card.interrupts
    Stream(to, address).transfer(size)
    seconds = time.monotonic() - started
    after = wire.dut.counters()
    assert after[column] - before[column] >= size, f"{column} did not count the data"
    assert wire.card.interrupts > interrupts, "the card did not interrupt"
    lost = {key: after[key] - before[key] for key in ("rx_errors", "rx_dropped", "tx_errors")}
    return f"{size // MIB} MiB, {size * 8 / seconds / 1e6:.0f} Mbit/s, {lost}"


def upload_in_bulk(wire):
    """64 MiB from the dut to the peer (3 MiB on the debug kernel)."""
    return bulk(wire, "peer", PEER4, BULK, "tx_bytes")


def download_in_bulk(wire):
    """64 MiB from the peer to the dut (3 MiB on the debug kernel)."""
    return bulk(wire, None, DUT4, BULK, "rx_bytes")


def upload_ipv6(wire):
    """No card of this family computes IPv6 checksums: the driver has to."""
    return bulk(wire, "peer", PEER6, BULK // 8, "tx_bytes")


def download_ipv6(wire):
    """IPv6 towards the dut."""
    return bulk(wire, None, DUT6, BULK // 8, "rx_bytes")


def both_ways_at_once(wire):
    """Two streams against each other: receive and transmit share poll and the line."""
    size, failures = BULK // 4, []

    def one(to, address, port):
        try:
            Stream(to, address, port).transfer(size)
        except (AssertionError, OSError) as error:
            failures.append(f"to {address}: {error!r}")

    before = wire.dut.counters()
    threads = [threading.Thread(target=one, args=way)
                for way in (("peer", PEER4, PORT), (None, DUT4, PORT + 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    after = wire.dut.counters()
    assert after["tx_bytes"] - before["tx_bytes"] > size < after["rx_bytes"] - before["rx_bytes"]


def small_writes_of_every_length(_):
    """TCP_NODELAY: each write of 1 to 1500 bytes is a frame of its own length."""
    for to, address in (("peer", PEER4), (None, DUT4)):
        stream = Stream(to, address)
        stream.sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with stream.sender, stream.receiver:
            for length in range(1, 1501, SLOW):
                data = pattern(length, length)
                stream.sender.sendall(data)
                got = b""
                while len(got) < length:
                    part = stream.receiver.recv(4096)
                    assert part, "closed early"
                    got += part
                assert got == data, f"a write of {length} bytes to {address} arrived changed"


def without_offloads(wire):
    """Scatter, checksum and segmentation by the stack instead, as far as the driver allows it."""
    features = ("tx", "sg", "tso", "gso", "gro")
    with contextlib.ExitStack() as restore:
        for feature in features:
            if f"{feature}: on [fixed]" in wire.dut.ethtool("-k", wire.dut.name):
                continue
            wire.dut.ethtool("-K", wire.dut.name, feature, "off", check=False)
            restore.callback(wire.dut.ethtool, "-K", wire.dut.name, feature, "on", check=False)
        bulk(wire, "peer", PEER4, BULK // 16, "tx_bytes")
        bulk(wire, None, DUT4, BULK // 16, "rx_bytes")


if __name__ == "__main__":
    cases.main(upload_in_bulk, download_in_bulk, upload_ipv6, download_ipv6, both_ways_at_once,
               small_writes_of_every_length, without_offloads)
