#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# timeout: 180
"""How short and how long a frame may be: raw frames of every length, and the limits of the MTU."""

import subprocess

import cases
from frames import Tap, flood, frame
from nic import DUT4, PEER4, SLOW, wait_for
from ping import Pinger


def mtu_outside_the_limits_is_refused(wire):
    """The limits are shown by `ip -d link`, and hold."""
    link = wire.dut.link()
    low, high = link["min_mtu"], link["max_mtu"]
    assert low <= 68 and high >= 1500, f"{low} to {high}"
    for bad in (low - 1, high + 1):
        done = subprocess.run(["ip", "link", "set", "dev", wire.dut.name, "mtu", str(bad)],
                              capture_output=True, text=True, check=False)
        assert done.returncode and "mtu" in done.stderr, f"mtu {bad}: {done.stderr}"
    assert wire.dut.link()["mtu"] == 1500
    return f"{low} to {high}"


@cases.c_differs("its least one is 60, at which the stack takes IPv4 off the interface")
def at_the_least_mtu_the_interface_keeps_its_addresses(wire):
    """An MTU at which IPv4 does not work is none to offer."""
    wire.dut.set("mtu", str(wire.dut.link()["min_mtu"]))
    try:
        assert DUT4 in wire.dut.ip("address", "show", "dev", wire.dut.name), "the IPv4 address is gone"
    finally:
        wire.dut.set("mtu", "1500")
        wire.up()


def every_mtu_carries_frames_of_its_length_both_ways(wire):
    """The least, the usual ones and the greatest: a frame of MTU + 14 bytes in each direction."""
    link = wire.dut.link()
    limits = [link["min_mtu"], 576, 1280, 1499, 1500, min(link["max_mtu"], 1770)]
    wire.peer.set("mtu", "4000")
    wait_for("the peer after its own reset", wire.answers)
    try:
        with Tap(wire.dut) as here, Tap(wire.peer) as there:
            for mtu in sorted(set(limits)):
                wire.dut.set("mtu", str(mtu))
                wait_for("carrier", wire.dut.carrier)
                for source, sink in ((here, there), (there, here)):
                    to, by = (wire.peer, wire.dut) if source is here else (wire.dut, wire.peer)
                    data = frame(to.mac, by.mac, mtu + 14, mtu)
                    source.send(data)
                    got = sink.receive(2 * SLOW)
                    assert got, f"mtu {mtu}: {by.name} sent {len(data)} bytes in vain"
                    assert got[0].rstrip(b"\0") == data.rstrip(b"\0"), f"mtu {mtu}: other bytes"
    finally:
        wire.peer.set("mtu", "1500")
        wire.dut.set("mtu", "1500")
        wire.up()
    return f"{sorted(set(limits))}"


def changes_of_the_mtu_under_traffic(wire):
    """Nothing is lost for good when the MTU changes while frames come and go."""
    with flood(wire.peer, frame(wire.dut.mac, wire.peer.mac, 200, 1), 0.002, 8) as sender:
        before = wire.dut.counters()["rx_packets"]
        for mtu in (1400, 600, 1500) * 4:
            wire.dut.set("mtu", str(mtu))
        assert sender.is_alive()
        wait_for("frames to arrive", lambda: wire.dut.counters()["rx_packets"] > before + 50)
    wait_for("an answer", wire.answers)
    pinger = Pinger(None, PEER4)
    for seed, size in enumerate((0, 100, 1472)):
        pinger.echo(size, seed + 1)


@cases.c_differs("8139cp leaves padding to the card: this one puts frames of 14 bytes on the wire")
def raw_frames_of_every_length_from_14_to_1514(wire):
    """Both ways, byte by byte; what is shorter than 60 bytes arrives padded with zeros."""
    mac, peer_mac = wire.dut.mac, wire.peer.mac
    before = wire.dut.counters()
    with Tap(wire.dut) as here, Tap(wire.peer) as there:
        for source, sink, to, by in ((here, there, peer_mac, mac), (there, here, mac, peer_mac)):
            # A long frame first, so that a slot or a ring with old bytes in it would show them.
            for length in (1514, *range(14, 70), *range(70, 1515, 1 if SLOW == 1 else 17), 1514):
                data = frame(to, by, length, length)
                source.send(data)
                got = sink.receive(2 * SLOW)
                assert got, f"a frame of {length} bytes from {by.hex()} was lost"
                assert got[0][:length] == data, f"a frame of {length} bytes arrived changed"
                assert len(got[0]) == max(length, 60), f"{length} bytes became {len(got[0])}"
                assert not any(got[0][length:]), f"the padding of {length} bytes is not zero"
    after = wire.dut.counters()
    assert after["rx_errors"] == before["rx_errors"] and after["tx_errors"] == before["tx_errors"]


def a_frame_longer_than_the_mtu_does_not_leave(wire):
    """EMSGSIZE for a raw socket; and nothing was sent."""
    with Tap(wire.dut) as here, Tap(wire.peer) as there:
        try:
            here.socket.send(frame(wire.peer.mac, wire.dut.mac, 1519, 1))
            raise AssertionError("1519 bytes were accepted at MTU 1500")
        except OSError as error:
            assert error.errno == 90, error
        assert there.receive(0.2) is None


if __name__ == "__main__":
    cases.main(raw_frames_of_every_length_from_14_to_1514,
               a_frame_longer_than_the_mtu_does_not_leave, mtu_outside_the_limits_is_refused,
               at_the_least_mtu_the_interface_keeps_its_addresses, every_mtu_carries_frames_of_its_length_both_ways,
               changes_of_the_mtu_under_traffic)
