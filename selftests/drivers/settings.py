#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# debug: chosen
# timeout: 300 2400
# leak-scan: yes
"""What the user can choose about the way of a frame: mode, lengths of the rings, MTU, features, and up to
which length a received frame is copied. Each is changed under traffic in both directions, three times; with
RPACKET_FULL a hundred times."""

import contextlib
import json
import subprocess
import zlib

import cases
from frames import Tap, frame
from nic import CLASSIC_RINGS, PEER4, run
from removable import TIMES, pings, under_traffic

# Most pieces of a frame, and two.
SHORTEST_TX = 20


def refused(wire, why, *words):
    """ethtool says no, and why."""
    done = subprocess.run(["ethtool", *words[:1], wire.dut.name, *words[1:]], capture_output=True, text=True,
                          check=False)
    assert done.returncode and why in done.stderr, f"ethtool {' '.join(words)}: {done}"


def features(wire):
    """{name: whether it is on}."""
    shown = json.loads(wire.dut.ethtool("--json", "-k", wire.dut.name))[0]
    return {name: value["active"] for name, value in shown.items() if isinstance(value, dict)}


def mode(wire, classic):
    """Choose the mode; the interface goes down for that."""
    wire.dut.set("down")
    wire.dut.ethtool("--set-priv-flags", wire.dut.name, CLASSIC_RINGS, "on" if classic else "off")
    wire.up()


def rings(wire):
    """(receive, transmit) in descriptors, as ethtool shows them."""
    shown = json.loads(wire.dut.ethtool("--json", "-g", wire.dut.name))[0]
    return shown.get("rx"), shown.get("tx")


def the_mode_changes_with_its_features(wire):
    """What one mode has and the other has not is on in the one alone, also after a change and back; and so
    are the limits of the MTU."""
    seen = []
    for classic in (True, False, True, False):
        mode(wire, classic)
        on = features(wire)
        assert on["tx-checksum-ip-generic"], on
        for name in ("tx-tcp-segmentation", "rx-vlan-offload", "tx-vlan-offload", "rx-checksumming"):
            assert on[name] != classic, (name, classic)
        seen.append(wire.dut.link()["max_mtu"])
        pings(wire)
    assert seen == [1770, 4096] * 2, seen


def the_mode_does_not_change_while_the_interface_is_up(wire):
    """It is told so, and nothing changes; nor if the MTU is above what the other mode can."""
    refused(wire, "busy", "--set-priv-flags", CLASSIC_RINGS, "on")
    assert f"{CLASSIC_RINGS}: off" in wire.dut.ethtool("--show-priv-flags", wire.dut.name)
    wire.dut.set("down")
    try:
        wire.dut.set("mtu", "2000")
        refused(wire, "too long", "--set-priv-flags", CLASSIC_RINGS, "on")
        assert features(wire)["tx-vlan-offload"]
    finally:
        wire.dut.set("mtu", "1500")
        wire.up()


def what_one_wishes_outlives_the_other_mode(wire):
    """A feature that was switched off stays off when the mode comes back."""
    name = wire.dut.name
    wire.dut.ethtool("-K", name, "tso", "off")
    try:
        mode(wire, True)
        mode(wire, False)
        on = features(wire)
        assert not on["tx-tcp-segmentation"] and on["tx-vlan-offload"], on
    finally:
        wire.dut.ethtool("-K", name, "tso", "on")


def rings_have_limits(wire):
    """Too short and too long are refused, and the length is as it was. The classic ring has none to choose."""
    assert rings(wire) == (64, 64), rings(wire)
    for words in (("rx", "15"), ("tx", str(SHORTEST_TX - 1)), ("rx", "65"), ("tx", "65"), ("rx", "0"),
                  ("rx-jumbo", "16")):
        refused(wire, "16 descriptors or more" if words == ("rx", "15") else "", "-G", *words)
    assert rings(wire) == (64, 64), rings(wire)
    mode(wire, True)
    try:
        refused(wire, "", "-G", "rx", "32")
        refused(wire, "", "--set-tunable", "rx-copybreak", "100")
    finally:
        mode(wire, False)


def features_show_in_what_is_received(wire):
    """Loopback: what is sent comes back. (QEMU's chip hears the wire all the same.) With rx-fcs the check sequence
    is there, the right one."""
    name = wire.dut.name
    for classic in (False, True, False):
        mode(wire, classic)
        data = frame(wire.dut.mac, wire.peer.mac, 300, 5)
        with Tap(wire.peer, 0) as source, Tap(wire.dut) as heard, Tap(wire.dut, 0) as out:
            wire.dut.ethtool("-K", name, "loopback", "on")
            try:
                out.send(data)
                got = heard.receive()
                assert got and got[0] == data, "what was sent did not come back"
            finally:
                wire.dut.ethtool("-K", name, "loopback", "off")
            wire.wait_link()
            wire.dut.ethtool("-K", name, "rx-fcs", "on")
            try:
                source.send(data)
                got = heard.receive()
                assert got and got[0] == data + zlib.crc32(data).to_bytes(4, "little"), "the check sequence is another"
            finally:
                wire.dut.ethtool("-K", name, "rx-fcs", "off")
    pings(wire)


def frames_are_copied_up_to_a_length(wire):
    """`--set-tunable rx-copybreak`: from none to all, and what arrives is the same."""
    name = wire.dut.name
    assert "rx-copybreak: 256" in wire.dut.ethtool("--get-tunable", name, "rx-copybreak")
    try:
        for length in ("0", "60", "1514", "4294967295"):
            wire.dut.ethtool("--set-tunable", name, "rx-copybreak", length)
            for size in ("18", "214", "1472"):
                run("ping", "-n", "-q", "-c", "5", "-i", "0.01", "-W", "2", "-s", size, "-p", "a5", PEER4)
    finally:
        wire.dut.ethtool("--set-tunable", name, "rx-copybreak", "256")


def rings_change_under_traffic(wire):
    """`ethtool -G`: shortest, longest and odd lengths."""
    lengths = ((16, SHORTEST_TX), (64, 64), (17, 33), (63, 21), (33, 63))

    def change(number):
        rx, tx = lengths[number % len(lengths)]
        wire.dut.ethtool("-G", wire.dut.name, "rx", str(rx), "tx", str(tx))
        assert rings(wire) == (rx, tx), rings(wire)

    try:
        return under_traffic(wire, change)
    finally:
        wire.dut.ethtool("-G", wire.dut.name, "rx", "64", "tx", "64", check=False)


def the_mtu_changes_under_traffic(wire):
    """Also where the buffers become too short, or longer than they need to be."""
    with contextlib.ExitStack() as stack:
        stack.callback(wire.dut.set, "mtu", "1500")
        return under_traffic(wire, lambda number: wire.dut.set("mtu", ("4096", "1500", "1280", "3600", "1400")[number % 5]))


def features_change_under_traffic(wire):
    """All that can be switched, one after the other, off and on."""
    name = wire.dut.name
    switches = ("rx", "tx", "sg", "tso", "rxvlan", "txvlan", "rx-all", "rx-fcs")
    default = {**dict.fromkeys(switches[:6], "on"), **dict.fromkeys(switches[6:], "off")}

    def change(number):
        one = switches[number % len(switches)]
        other = "off" if default[one] == "on" else "on"
        for state in (other, default[one]):
            wire.dut.ethtool("-K", name, one, state)

    def each(number):
        for step in range(len(switches) if TIMES < 100 else 1):
            change(number * (len(switches) if TIMES < 100 else 1) + step)

    before = features(wire)
    note = under_traffic(wire, each)
    # What depends on another is switched with it, and stays off.
    wire.dut.ethtool("-K", name, "tx", "on", "sg", "on", "tso", "on")
    assert features(wire) == before, (before, features(wire))
    return note


def the_mode_changes_under_traffic(wire):
    """The peer goes on to send while the interface is down."""
    try:
        return under_traffic(wire, lambda number: mode(wire, number % 2 == 0))
    finally:
        mode(wire, False)


if __name__ == "__main__":
    cases.main(the_mode_changes_with_its_features, the_mode_does_not_change_while_the_interface_is_up,
               what_one_wishes_outlives_the_other_mode, features_show_in_what_is_received, rings_have_limits,
               frames_are_copied_up_to_a_length, rings_change_under_traffic, the_mtu_changes_under_traffic,
               features_change_under_traffic, the_mode_changes_under_traffic)
