#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 180
"""Every size of ping, IPv4 and IPv6, echoed by the other end and compared byte by byte."""

import os
import select
import socket
import struct
import subprocess
import time

import cases
from frames import pattern
from nic import DUT4, DUT6, PEER4, PEER6, SLOW, inside, lib


class Pinger:
    """Sends ICMP echo requests of any size, and compares the replies."""

    def __init__(self, netns, address):
        self.six = ":" in address
        family = socket.AF_INET6 if self.six else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self.six else socket.IPPROTO_ICMP
        with inside(netns):
            self.socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.connect((address, 0))
        self.request, self.reply = (128, 129) if self.six else (8, 0)
        self.identity = os.getpid() & 0xFFFF

    def echo(self, size, seed, seconds=2.0 * SLOW):
        """One request with `size` bytes of data; its reply must carry exactly the same."""
        data = pattern(size, seed)
        head = struct.pack(">BBHHH", self.request, 0, 0, self.identity, seed & 0xFFFF)
        if not self.six:
            head = head[:2] + struct.pack(">H", lib.checksum(head + data)) + head[4:]
        self.socket.send(head + data)
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.socket], [], [], left)[0], \
                f"no reply to {size} bytes of data"
            packet = self.socket.recv(70000)
            if not self.six:
                packet = packet[(packet[0] & 15) * 4:]
            kind, _, _, identity, sequence = struct.unpack(">BBHHH", packet[:8])
            if (kind, identity, sequence) == (self.reply, self.identity, seed & 0xFFFF):
                assert packet[8:] == data, f"the reply to {size} bytes of data differs"
                return

    def all(self, sizes):
        """Echo each size once; returns how many."""
        for number, size in enumerate(sizes):
            self.echo(size, number + 1)
        return len(sizes)


def echo_all(wire, netns, address, sizes, clean=True):
    """Echo all sizes, and see on the driver's counters that the frames were really on the wire.

    `clean` says that one frame at a time is on its way, so that no receive error may be counted."""
    before = wire.dut.counters()
    count = Pinger(netns, address).all(sizes)
    after = wire.dut.counters()
    for column in ("rx_packets", "tx_packets"):
        assert after[column] - before[column] >= count, f"{column} did not count {count} echoes"
    for column in ("tx_errors", *(("rx_errors", "rx_fifo", "rx_frame") if clean else ())):
        assert after[column] == before[column], f"{column} counted"
    return f"{count} sizes"


def ipv4_every_size_from_0_to_1472(wire):
    """1472 bytes of data fill a frame of 1514 bytes."""
    return echo_all(wire, None, PEER4, range(1473))


def ipv6_every_size_from_0_to_1452(wire):
    """1452 bytes of data fill a frame of 1514 bytes."""
    return echo_all(wire, None, PEER6, range(1453))


def ipv4_from_the_peer_at_the_edges(wire):
    """The dut answers: short frames that are padded, odd ones, and the largest."""
    return echo_all(wire, "peer", DUT4, [*range(24), *range(1460, 1473)])


def ipv6_from_the_peer_at_the_edges(wire):
    """The dut answers, IPv6."""
    return echo_all(wire, "peer", DUT6, [*range(24), *range(1440, 1453)])


def ipv4_in_fragments_up_to_65507(wire):
    """45 frames at once: more than any receive ring of 32 KiB and the four transmit slots hold."""
    return echo_all(wire, None, PEER4, [1473, 1480, 2951, 2953, 8000, 16383, 32768, 65507],
                    clean=False)


def ipv6_in_fragments_up_to_65487(wire):
    """The same with IPv6's fragment header."""
    return echo_all(wire, None, PEER6, [1453, 1460, 2897, 8000, 32768, 65487], clean=False)


def flood_loses_nothing(_):
    """`ping -f`: the next request leaves as soon as the last reply is here."""
    count = 2000 // SLOW
    done = subprocess.run(["ping", "-n", "-q", "-f", "-c", str(count), PEER4],
                          capture_output=True, text=True, check=False)
    assert f"{count} received" in done.stdout, done.stdout + done.stderr
    return f"{count} pings"


if __name__ == "__main__":
    cases.main(ipv4_every_size_from_0_to_1472, ipv6_every_size_from_0_to_1452,
                ipv4_from_the_peer_at_the_edges, ipv6_from_the_peer_at_the_edges,
                ipv4_in_fragments_up_to_65507, ipv6_in_fragments_up_to_65487,
               flood_loses_nothing)
