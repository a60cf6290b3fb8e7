#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: af_rpacket
# timeout: 900
# machine: pc
# remaps: yes
"""Both storms in one: programs with sockets of our family on the interface of our driver, while the card,
the driver, both modules and the namespaces go and come, under traffic."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import storms  # noqa: F401  # pylint: disable=unused-import
import lib
from storms import weather
from storms.sockets import Gate


def the_storm(wire):
    at, gate, family = weather.card_whereabouts(), Gate(), weather.FAMILIES["af_rpacket"]
    actors = weather.around_the_card(wire, at)
    actors += weather.through_the_card(wire, at, family, gate)
    actors += weather.programs(at, family, gate, True)
    with weather.namespaces("room"):
        weather.blow(actors, weather.duration(25, 420))


def main():
    with weather.Harbour() as wire:
        with weather.family_module():
            lib.case(the_storm, wire)
        lib.ok("the family can be unloaded at once")
        lib.case(wire.calm, name="the interface works afterwards")
        lib.case(wire.unload_now, name="the driver can be unloaded at once")


lib.main(main)
