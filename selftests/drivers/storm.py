#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# timeout: 900
# machine: pc
# remaps: yes
"""A storm around the card: cable, slot, bus, driver, module, namespaces, and every setting, at once,
with traffic in both directions; then it works, and is unloaded, as if nothing had been."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import storms  # noqa: F401  # pylint: disable=unused-import
import lib
from storms import weather
from storms.sockets import Gate


def the_storm(wire):
    at = weather.card_whereabouts()
    actors = weather.around_the_card(wire, at)
    actors += weather.through_the_card(wire, at, socket.AF_PACKET, Gate())
    with weather.namespaces("room"):
        weather.blow(actors, weather.duration(20, 300))


def main():
    with weather.Harbour() as wire:
        lib.case(the_storm, wire)
        lib.case(wire.calm, name="the interface works afterwards")
        lib.case(wire.unload_now, name="the module can be unloaded at once")


lib.main(main)
