#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# timeout: 240
"""The counters of `ip -s link` are exactly the traffic made; the byte queue limit; and a full ring."""

import contextlib
import os
import time

import cases
import netlink
from filter import ALL
from frames import BROADCAST, SOL_PACKET, Tap, flood, frame
from nic import MODE, OURS, SLOW, TALLY, SilentWire, lib, read, wait_for

# What IEEE 802.3 calls a frame without its FCS counts as bytes, says struct rtnl_link_stats64.
SIZES = [60, 61, 62, 63, 64, 100, 511, 1000, 1513, 1514]

COMMAND, RECEIVER = 0x37, 0x08
PACKET_QDISC_BYPASS = 20


def quiet(wire):
    """The counters once nothing is on its way any more."""
    last, now = None, wire.dut.stats64()
    for _ in range(20):
        time.sleep(0.2)
        last, now = now, wire.dut.stats64()
        if now == last:
            return now
    raise lib.Failure("the wire does not become quiet")


def gained(wire, before, least):
    """The difference to a former state, once `least` packets were counted and all is quiet."""
    columns = ("rx_packets", "tx_packets")
    goal = sum(before[key] for key in columns) + least
    wait_for("the packets to be counted", lambda: sum(
        value for key, value in wire.dut.counters().items() if key in columns) >= goal)
    after = wire.dut.stats64()
    return {key: after[key] - before[key] for key in after if after[key] != before[key]}


@cases.c_differs("its rx_bytes leave the 14 bytes of the Ethernet header out")
def received_packets_and_bytes_are_exact(wire):
    """Length without the checksum; nothing is counted twice or on the other side."""
    # Frames that no socket takes would be counted as dropped, by the stack.
    with Tap(wire.peer, 0) as source, Tap(wire.dut) as sink:
        before = quiet(wire)
        mac, peer_mac = wire.dut.mac, wire.peer.mac
        frames = [frame(mac, peer_mac, size, size) for size in SIZES * 20]
        for data in frames:
            source.send(data)
            assert sink.receive()
        delta = gained(wire, before, len(frames))
    assert delta == {"rx_packets": len(frames), "rx_bytes": sum(map(len, frames))}, delta


def sent_packets_and_bytes_are_exact(wire):
    """Length as the stack handed it over."""
    with Tap(wire.dut, 0) as source:
        before = quiet(wire)
        mac, peer_mac = wire.dut.mac, wire.peer.mac
        frames = [frame(peer_mac, mac, size, size) for size in SIZES * 20]
        for data in frames:
            source.send(data)
        delta = gained(wire, before, len(frames))
    assert delta == {"tx_packets": len(frames), "tx_bytes": sum(map(len, frames))}, delta


@cases.c_differs("it never counts multicast: the column stays 0")
def multicast_is_counted_and_broadcast_is_not(wire):
    """The `mcast` column."""
    with Tap(wire.peer, 0) as source, Tap(wire.dut) as sink:
        sink.member(ALL[40])
        time.sleep(0.2)
        before, peer_mac = quiet(wire), wire.peer.mac
        for _ in range(30):
            source.send(frame(ALL[40], peer_mac, 80, 1))
            source.send(frame(BROADCAST, peer_mac, 80, 1))
            assert sink.receive() and sink.receive()
        delta = gained(wire, before, 60)
    assert delta == {"rx_packets": 60, "rx_bytes": 4800, "rx_multicast": 30}, delta


def all_views_agree(wire):
    """/proc/net/dev, sysfs and netlink show the same numbers."""
    link = quiet(wire)
    assert link["rx_packets"] and link["tx_packets"]
    proc = wire.dut.counters()
    for key in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_errors", "tx_errors"):
        sysfs = int(read(f"/sys/class/net/{wire.dut.name}/statistics/{key}"))
        assert link[key] == proc[key] == sysfs, f"{key}: {link[key]}, {proc[key]}, {sysfs}"
    names = f"/sys/class/net/{wire.dut.name}/statistics"
    assert all(read(f"{names}/{name}").isdigit() for name in os.listdir(names))


def queue_stats(scope, ifindex):
    """What `netdev_stat_ops` says, a dictionary each."""
    return netlink.dump("qstats-get", ifindex=ifindex, **({"scope": "queue"} if scope == "queue" else {}))


@cases.c_differs("it does not count by queues")
def the_queues_have_counted_what_the_interface_has(wire):
    """There is one in each direction; they count on when the interface was down."""
    for state in ("up", "down", "up"):
        wire.dut.set(state)
        link, ifindex = quiet(wire), wire.dut.link()["ifindex"]
        expected = {f"{way}-{what}": link[f"{way}_{what}"]
                    for way in ("rx", "tx") for what in ("packets", "bytes")}
        assert all(expected.values()), "nothing was counted"
        (total,) = queue_stats("device", ifindex)
        assert {key: total.get(key) for key in expected} == expected, f"{state}: {total} instead of {expected}"
        assert total["rx-alloc-fail"] == 0, total
        queues = queue_stats("queue", ifindex)
        # Of an interface that is down no queue is shown.
        assert len(queues) == (2 if state == "up" else 0), queues
        for queue in queues:
            assert queue["queue-id"] == 0
            for key in filter(lambda key, way=queue["queue-type"]: key.startswith(way), expected):
                assert queue[key] == expected[key], f"{queue}: {expected}"


def readers_beside_traffic_never_see_a_counter_go_back(wire):
    """Read as fast as possible while both directions are flooded."""
    to_dut = frame(wire.dut.mac, wire.peer.mac, 800, 1)
    to_peer = frame(wire.peer.mac, wire.dut.mac, 800, 2)
    with flood(wire.peer, to_dut, 0.001, 8), flood(wire.dut, to_peer, 0.001, 8):
        last, readings = wire.dut.counters(), 0
        end = time.monotonic() + 2
        while time.monotonic() < end:
            now = wire.dut.counters()
            wrong = [key for key in now if now[key] < last[key]]
            assert not wrong, f"{wrong} went back"
            last, readings = now, readings + 1
    assert readings > 10, readings
    return f"{readings} readings"


# What the chip counts by itself ------------------------------------------------------------------

def tally(wire):
    """The counters of the chip, as `ethtool -S` names them."""
    all_of_them = wire.dut.ethtool_stats()
    return {name: all_of_them[name] for name in TALLY}


def tallied(wire, before):
    """How far they have moved, the zeros left out."""
    return {name: value - before[name] for name, value in tally(wire).items() if value != before[name]}


@cases.c_differs("they begin at zero when the interface goes up")
def the_chip_counts_the_same_frames(wire):
    """By kind, also over a restart; in the classic mode it cannot be asked, and its counters stand still."""
    with Tap(wire.peer, 0) as source, Tap(wire.dut) as sink, Tap(wire.dut, 0) as out:
        sink.member(ALL[40])
        time.sleep(0.2)
        quiet(wire)
        before, mac, peer_mac = tally(wire), wire.dut.mac, wire.peer.mac
        for address, count in ((mac, 40), (BROADCAST, 30), (ALL[40], 20)):
            for number in range(count):
                source.send(frame(address, peer_mac, 100 + number, number))
                assert sink.receive()
        for number in range(25):
            out.send(frame(peer_mac, mac, 200, number))
        quiet(wire)
    expected = {"rx_ok": 90, "rx_ok_phys": 40, "rx_ok_bcast": 30, "rx_ok_mcast": 20, "tx_ok": 25}
    if MODE == "classic":
        expected = {}
    lib.equal(expected, tallied(wire, before), "what the chip has counted")
    for state in ("down", "up"):
        wire.dut.set(state)
        lib.equal(expected, tallied(wire, before), f"what it has counted, once {state}")
    wait_for("carrier", wire.dut.carrier)


def the_chip_is_asked_a_hundred_times_under_traffic(wire):
    """No counter goes back, and in the end both have counted the same."""
    to_dut = frame(wire.dut.mac, wire.peer.mac, 300, 1)
    to_peer = frame(wire.peer.mac, wire.dut.mac, 300, 2)
    def books():
        names = ("tx_packets", "rx_packets", "rx_missed_errors")
        return [int(read(f"/sys/class/net/{wire.dut.name}/statistics/{name}")) for name in names]

    quiet(wire)
    last = first = tally(wire)
    before, moved = books(), 0
    with flood(wire.peer, to_dut, 0.001, 8), flood(wire.dut, to_peer, 0.001, 8):
        for _ in range(100):
            now = tally(wire)
            wrong = [name for name in TALLY if now[name] < last[name]]
            assert not wrong, f"{wrong} went back"
            moved += now != last
            last = now
    if MODE == "classic":
        assert not moved, "a chip in the classic mode was asked"
        return None
    quiet(wire)
    assert moved > 50, f"only {moved} readings differ from those before"
    counted = tallied(wire, first)
    ours = [after - first for after, first in zip(books(), before)]
    lib.equal(ours, [counted.get(name, 0) for name in ("tx_ok", "rx_ok", "rx_fifo")], "frames sent, received, missed")
    return f"{counted}"


# Byte queue limit --------------------------------------------------------------------------------


def the_byte_queue_limit_works_and_returns_to_zero(wire):
    """The limit adapts under load, and nothing stays in flight after it."""
    folder = f"/sys/class/net/{wire.dut.name}/queues/tx-0/byte_queue_limits"
    if not os.path.isdir(folder):
        raise lib.Skip("no byte queue limits in this kernel")
    data = frame(wire.peer.mac, wire.dut.mac, 1514, 1)
    highest, limits = 0, set()
    with flood(wire.dut, data, 0, 64) as sender:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            highest = max(highest, int(read(f"{folder}/inflight")))
            limits.add(int(read(f"{folder}/limit")))
        assert sender.is_alive() and sender.count > 1000 // SLOW
    wait_for("nothing in flight", lambda: read(f"{folder}/inflight") == "0", 2)
    # A driver without byte queue limits leaves both at zero for ever.
    if wire.subject == OURS and MODE == "cplus":
        # QEMU has sent a frame before the doorbell returns, so that nothing is ever in flight.
        assert not highest and not max(limits), (highest, limits)
        highest = in_flight_in_a_chip_that_does_not_send(wire, folder)
    assert highest or max(limits), "neither limit nor bytes in flight were ever more than zero"
    for size in (60, 1514):
        with Tap(wire.dut, 0) as source:
            source.send(frame(wire.peer.mac, wire.dut.mac, size, 1))
        wait_for(f"a lone frame of {size} bytes to be completed",
                 lambda: read(f"{folder}/inflight") == "0", 2)
    return f"at most {highest} bytes in flight, limit up to {max(limits)}"


@contextlib.contextmanager
def a_chip_that_does_not_send(wire):
    """Its transmitter is switched off; the driver notices that within eight seconds, and resets it."""
    # It looks every eight seconds, from when the interface goes up; after six the watchdog would bark.
    wire.dut.set("down")
    wire.dut.set("up")
    wait_for("carrier", wire.dut.carrier)
    time.sleep(3)
    resets = wire.dut.ethtool_stats()["resets"]
    wire.card.poke(COMMAND, 1, RECEIVER)
    yield
    assert wire.dut.ethtool_stats()["resets"] == resets, "it was reset too early to see anything"
    wait_for("a reset", lambda: wire.dut.ethtool_stats()["resets"] > resets, 12)


def in_flight_in_a_chip_that_does_not_send(wire, folder):
    with a_chip_that_does_not_send(wire):
        with Tap(wire.dut, 0) as source:
            source.send(frame(wire.peer.mac, wire.dut.mac, 1000, 1))
        highest = int(read(f"{folder}/inflight"))
        assert highest == 1000, f"{highest} bytes in flight, of a frame of 1000"
    return highest


# A full ring -------------------------------------------------------------------------------------


@cases.c_differs("it does not count by queues")
def a_full_ring_stops_the_queue_and_the_reset_wakes_it(wire):
    """Both are counted, once each. (The stack's own limit would stop the queue before its ring is full, so what
    is sent here passes by it.)"""
    def counted():
        (total,) = queue_stats("device", wire.dut.link()["ifindex"])
        return total["tx-stop"], total["tx-wake"]

    stops, wakes = counted()
    lib.equal(stops, wakes, "a queue that runs")
    data = frame(wire.peer.mac, wire.dut.mac, 60, 1)
    with a_chip_that_does_not_send(wire), Tap(wire.dut, 0) as source:
        lib.equal((stops, wakes), counted(), "nothing was stopped by going down and up")
        source.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        room = 0
        # In the longest ring there are 64 places.
        with contextlib.suppress(OSError):
            while room < 65:
                source.socket.send(data)
                room += 1
        assert 4 <= room < 65, f"{room} frames went into the ring"
        lib.equal((stops + 1, wakes), counted(), "the ring is full")
    lib.equal((stops + 1, wakes + 1), counted(), "after the reset")
    with Tap(wire.dut, 0) as source, Tap(wire.peer) as sink:
        source.send(data)
        assert sink.receive(), "the queue stands"
    return f"{room} frames"


if __name__ == "__main__":
    cases.main(received_packets_and_bytes_are_exact, sent_packets_and_bytes_are_exact,
               multicast_is_counted_and_broadcast_is_not, all_views_agree,
               the_queues_have_counted_what_the_interface_has,
               readers_beside_traffic_never_see_a_counter_go_back,
               the_chip_counts_the_same_frames, the_chip_is_asked_a_hundred_times_under_traffic,
               the_byte_queue_limit_works_and_returns_to_zero,
               a_full_ring_stops_the_queue_and_the_reset_wakes_it, wire=SilentWire)
