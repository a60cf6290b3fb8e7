#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: af_rpacket af_packet
# timeout: 900
"""A storm of programs with packet sockets, on devices that come, go, move and change, in processes and
threads that are interrupted and killed, while the family's module goes and comes."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import storms  # noqa: F401  # pylint: disable=unused-import
import lib
from storms import device, links, weather
from storms.sockets import Gate

SUBJECT = os.environ.get("SUBJECT", "af_rpacket")


def the_storm():
    at = device.Whereabouts(("/run/netns/arena", device.ROOM), links.NAMES, links.MACS)
    family, gate = weather.FAMILIES[SUBJECT], Gate()
    actors = weather.among_links(at, family, gate)
    actors += weather.programs(at, family, gate, SUBJECT == "af_rpacket")
    with weather.namespaces("arena", "room"):
        weather.blow(actors, weather.duration(15, 240))


def main():
    lib.load("veth")
    with weather.family_module(SUBJECT):
        lib.case(the_storm)
    if SUBJECT == "af_rpacket":
        lib.ok("the module can be unloaded at once")


lib.main(main)
