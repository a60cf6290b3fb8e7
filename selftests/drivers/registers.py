#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: cplus classic
"""What scripts/registers says of a card is how the card is. (rig/registers.py: how it reads a dump.)"""

import json
import os
import subprocess

import cases
from filter import ALL, joined
from frames import Tap, multicast_bucket
from link import cable
from nic import MODE, SilentWire, lib, run, wait_for

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/registers")


def decoded(wire, *words):
    """The mode, and the registers by name."""
    found = json.loads(run(PROGRAM, "--json", *words, wire.dut.name))
    return found["mode"], found["registers"]


def fields(wire, name):
    """The fields of one register."""
    return decoded(wire)[1][name]["fields"]


def an_interface_that_is_up(wire):
    """Mode, address, both halves of the chip, what may interrupt, and where its memory is."""
    mode, registers = decoded(wire)
    lib.equal({"cplus": "C+", "classic": "classic"}[MODE], mode, "the mode")
    value = {name: register["value"] for name, register in registers.items()}
    mac = value["IDR0"].to_bytes(4, "little") + value["IDR4"].to_bytes(4, "little")
    lib.equal(wire.dut.mac, mac[:6], "the address")
    command, own = registers["CR"]["fields"], registers["RCR"]["fields"]
    lib.equal((True, True, False), tuple(command[name] for name in ("receive", "transmit", "reset")), "CR")
    lib.equal((True, True, False, False), tuple(own[name] for name in ("station", "broadcast", "all", "errors")), "RCR")
    lib.equal("Off", registers["TCR"]["fields"]["loopback"], "loopback")
    assert registers["IMR"]["fields"]["rx_ok"], "a received frame may not interrupt"
    for name in ("RDSAR[0]", "TNPDS[0]") if MODE == "cplus" else ("RBSTART", "TSA[0]", "TSA[3]"):
        assert value[name] and value[name] % 4 == 0, f"{name} is {value[name]:#x}"
    # What there is of each register agrees with what another way shows.
    for name, register in registers.items():
        width = {"CR": 1, "RCR": 4, "TCR": 4, "IMR": 2, "CPCR": 2, "IDR0": 4}.get(name)
        if width:
            lib.equal(wire.card.peek(register["offset"], width), register["value"], name)


def the_link(wire):
    """With the cable, and without."""
    for plugged in (False, True):
        cable("nic0", plugged)
        wait_for(f"carrier {plugged}", lambda plugged=plugged: wire.dut.carrier() == plugged)
        lib.equal(not plugged, fields(wire, "MSR")["no_link"], "no link")
        lib.equal(plugged, fields(wire, "BMSR")["link"], "link")
    lib.equal(False, fields(wire, "MSR")["speed_10"], "10 Mbit/s")


def the_filter(wire):
    """Promiscuous, and a group that was joined."""
    wire.dut.set("promisc", "on")
    wait_for("all to be let in", lambda: fields(wire, "RCR")["all"])
    wire.dut.set("promisc", "off")
    wait_for("not all to be let in", lambda: not fields(wire, "RCR")["all"])
    address = next(address for address in ALL if multicast_bucket(address) not in joined(wire))
    low, bit = divmod(multicast_bucket(address), 32)

    def is_let_in():
        return bool(decoded(wire)[1][f"MAR[{low}]"]["value"] >> bit & 1)

    assert not is_let_in(), "the group is let in that nobody has joined"
    with Tap(wire.dut) as tap:
        tap.member(address)
        wait_for("the group to be let in", is_let_in)
        assert fields(wire, "RCR")["multicast"]


def features(wire):
    """Loopback and damaged frames, and in the C+ mode what is done to received frames."""
    name = wire.dut.name
    switched = {"loopback": ("TCR", "loopback", "On", "Off"), "rx-all": ("RCR", "errors", True, False)}
    if MODE == "cplus":
        switched["rx"] = ("CPCR", "receive_checksum", True, False)
        switched["rxvlan"] = ("CPCR", "receive_vlan", True, False)
    for feature, (register, field, on, off) in switched.items():
        was = fields(wire, register)[field]
        for state, expected in (("on", on), ("off", off), ("on" if was == on else "off", was)):
            wire.dut.ethtool("-K", name, feature, state)
            wait_for(f"{feature} {state}", lambda register=register, field=field, expected=expected:
                     fields(wire, register)[field] == expected)


def an_interface_that_is_down(wire):
    """The chip is halted, and nothing says what its mode was. A dump can be sent by mail, too."""
    wire.dut.set("down")
    try:
        mode, registers = decoded(wire)
        lib.equal("halted", mode, "the mode")
        assert {"TSD[0]", "RDSAR[0]"} <= set(registers), "not the registers of both modes"
        command = registers["CR"]["fields"]
        lib.equal((False, False), (command["receive"], command["transmit"]), "CR")
        assert not registers["IMR"]["value"], "something may interrupt"
        dump = subprocess.run(["ethtool", "-d", wire.dut.name, "raw", "on"], check=True, capture_output=True).stdout
        text = subprocess.run([PROGRAM], input=dump, check=True, capture_output=True).stdout.decode()
        assert text.startswith("The chip is halted: "), text
        lib.equal(run(PROGRAM, wire.dut.name).strip(), text.strip(), "the text")
    finally:
        wire.dut.set("up")
    wait_for("carrier", wire.dut.carrier)


if __name__ == "__main__":
    cases.main(an_interface_that_is_up, the_link, the_filter, features, an_interface_that_is_down, wire=SilentWire)
