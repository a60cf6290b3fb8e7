#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 180
"""The receive filter: which frames the card lets in, mode by mode and bit by bit."""

import struct
import time

import cases
from frames import (BROADCAST, BROADCASTED, HOST, MULTICAST, OTHERHOST, Tap, flood, frame,
                    multicast_bucket)
from nic import SLOW

SIOCSIFFLAGS, IFF_UP, IFF_PROMISC, IFF_MULTICAST = 0x8914, 0x1, 0x100, 0x1000
STRANGER = bytes.fromhex("02fefefefe99")


class Ends:
    """A tap on each end: what is sent here, what arrives there."""

    def __init__(self, wire):
        self.wire, self.dut = wire, wire.dut
        self.source, self.sink = Tap(wire.peer, 0), Tap(wire.dut)
        self.mac, self.peer_mac = wire.dut.mac, wire.peer.mac
        self.seed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.source.socket.close()
        self.sink.socket.close()  # leaves the groups that it joined

    def passes(self, *addresses):
        """Send a frame to each address and one to the dut; return {address: pkttype} of arrivals.

        The last frame, which no filter stops, tells that all those before it have been judged."""
        self.seed += 1
        length = 64 + self.seed % 1000
        for address in addresses:
            self.source.send(frame(address, self.peer_mac, length, self.seed))
        self.source.send(frame(self.mac, self.peer_mac, 60, self.seed))
        arrived = {}
        while True:
            got = self.sink.receive()
            assert got, "the frame to the card's own address did not arrive"
            data, kind = got
            if data == frame(self.mac, self.peer_mac, 60, self.seed):
                assert kind == HOST
                return arrived
            if data == frame(data[:6], self.peer_mac, length, self.seed):
                arrived[data[:6]] = kind


    def settles(self, expected, *addresses):
        """Send until exactly the expected addresses get in: the kernel programs the filter of a
        modern driver from a work item, a moment after the call that changed it."""
        deadline = time.monotonic() + 3 * SLOW
        while True:
            arrived = self.passes(*addresses)
            if set(arrived) == set(expected):
                return arrived
            missing, extra = set(expected) - set(arrived), set(arrived) - set(expected)
            assert time.monotonic() < deadline, \
                f"shut out: {sorted(one.hex() for one in missing)}, " \
                f"let in: {sorted(one.hex() for one in extra)}"
            time.sleep(0.02)


def group(bucket, number=0):
    """A multicast address in a bucket of the hash filter; others for other numbers."""
    candidate = number << 16
    while True:
        address = b"\x03\x00" + candidate.to_bytes(4, "big")
        if multicast_bucket(address) == bucket:
            return address
        candidate += 1


def joined(wire):
    """The buckets of the multicast addresses that the kernel itself has joined on the dut."""
    rows = wire.dut.ip("maddress", "show", "dev", wire.dut.name).splitlines()
    words = [row.split() for row in rows]
    return {multicast_bucket(bytes.fromhex(row[1].replace(":", "")))
            for row in words if row and row[0] == "link"}


ALL = [group(bucket) for bucket in range(64)]


def own_broadcast_and_nothing_else(wire):
    """A frame to another station stays outside."""
    with Ends(wire) as ends:
        arrived = ends.passes(BROADCAST, STRANGER, ends.peer_mac[:5] + b"\x77")
        assert arrived == {BROADCAST: BROADCASTED}, arrived


def promiscuous_mode_lets_everything_in(wire):
    """And closes again after it."""
    with Ends(wire) as ends:
        ends.settles([], STRANGER)
        ends.dut.set("promisc", "on")
        try:
            seen = ends.settles([STRANGER, *ALL, BROADCAST], STRANGER, *ALL, BROADCAST)
            assert seen[STRANGER] == OTHERHOST and seen[ALL[7]] == MULTICAST, seen
        finally:
            ends.dut.set("promisc", "off")
        ends.settles([], STRANGER)


def allmulti_lets_every_group_in_but_no_stranger(wire):
    """And closes again after it."""
    with Ends(wire) as ends:
        known = [ALL[bucket] for bucket in joined(wire)]
        ends.settles(known, *ALL)
        ends.dut.set("allmulticast", "on")
        try:
            seen = ends.settles(ALL, STRANGER, *ALL)
            assert set(seen.values()) == {MULTICAST}
        finally:
            ends.dut.set("allmulticast", "off")
        ends.settles(known, STRANGER, *ALL)


def each_bucket_of_the_hash_is_its_own(wire):
    """Twelve sets of 16 buckets, by the base-4 digits of their numbers: joined lets exactly the
    set in.

    Each bucket is told apart from any other by at least one of the sets, so a filter that has two
    of them mixed up, one that sticks, or one that is missing cannot pass."""
    with Ends(wire) as ends:
        known = joined(wire)
        assert 0 < len(known) < 16, known
        for shift in (0, 2, 4):
            for digit in range(4):
                chosen = {bucket for bucket in range(64) if bucket >> shift & 3 == digit}
                for bucket in chosen:
                    ends.sink.member(ALL[bucket])
                ends.settles([ALL[bucket] for bucket in known | chosen], *ALL)
                for bucket in chosen:
                    ends.sink.member(ALL[bucket], join=False)
        ends.settles([ALL[bucket] for bucket in known], *ALL)


def another_group_of_the_same_bucket_passes_the_hash(wire):
    """A hash is not exact: it is the stack's part to sort the rest out."""
    with Ends(wire) as ends:
        bucket = min(set(range(64)) - joined(wire))
        ends.sink.member(group(bucket, 1))
        ends.settles([group(bucket, 2)], group(bucket, 2), STRANGER)


def more_groups_than_a_list_can_hold(wire):
    """200 groups: all of them arrive, and the filter is exact again when they are left."""
    groups = [group(number % 64, number) for number in range(200)]
    with Ends(wire) as ends:
        known = [ALL[bucket] for bucket in joined(wire)]
        for address in groups:
            ends.sink.member(address)
        ends.settles(groups, STRANGER, *groups)
        for address in groups:
            ends.sink.member(address, join=False)
        ends.settles(known, STRANGER, *ALL)


def the_filter_outlives_down_and_up(wire):
    """What was joined before, or while the interface was down, is let in after it."""
    with Ends(wire) as ends:
        shut = sorted(set(range(64)) - joined(wire))
        ends.sink.member(ALL[shut[0]])
        ends.dut.set("down")
        ends.sink.member(ALL[shut[1]])
        wire.up()
        ends.settles([ALL[shut[0]], ALL[shut[1]]], *[ALL[bucket] for bucket in shut])
        ends.dut.set("down")
        ends.dut.set("promisc", "on")
        try:
            wire.up()
            ends.settles([STRANGER], STRANGER)
        finally:
            ends.dut.set("promisc", "off")


def changes_of_the_filter_under_traffic(wire):
    """A write to the filter must not lose the place in the receive ring.

    The chip model restarts its ring at each write to RxConfig: a driver that goes on reading where
    it was takes old bytes for headers, or delivers old frames a second time."""
    flags = struct.Struct("H22x")
    with Ends(wire) as ends:
        data = frame(ends.mac, ends.peer_mac, 500, 1, 0x88B7)
        before = wire.dut.counters()
        with Tap(wire.dut, 0x88B7) as sink:
            with flood(wire.peer, data, 0.002, 8) as sender:
                for _ in range(60):
                    ends.dut.ioctl(SIOCSIFFLAGS, flags.pack(IFF_UP | IFF_MULTICAST | IFF_PROMISC))
                    ends.dut.ioctl(SIOCSIFFLAGS, flags.pack(IFF_UP | IFF_MULTICAST))
                time.sleep(0.2)
            frames = sink.drain()
        damaged = [got for got, _ in frames if got != data]
        assert not damaged, f"{len(damaged)} damaged frames, the first: {damaged[0][:40].hex()}"
        # The sender counts in steps of 8, and may have been stopped within one.
        assert sender.count // 2 < len(frames) <= sender.count + 8, \
            f"{len(frames)} of {sender.count} frames arrived"
        ends.settles([], STRANGER)
        after = wire.dut.counters()
        assert after["rx_errors"] == before["rx_errors"], "receive errors were counted"
        return f"{len(frames)} of {sender.count} frames"


if __name__ == "__main__":
    cases.main(own_broadcast_and_nothing_else, promiscuous_mode_lets_everything_in,
               allmulti_lets_every_group_in_but_no_stranger,
               each_bucket_of_the_hash_is_its_own,
               another_group_of_the_same_bucket_passes_the_hash,
               more_groups_than_a_list_can_hold, the_filter_outlives_down_and_up,
               changes_of_the_filter_under_traffic)
