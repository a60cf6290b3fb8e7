# SPDX-License-Identifier: GPL-2.0
"""Storms: everything that can happen to the card and to sockets, at once and in any order.

    engine.py    what an actor is, and how many of them are let loose and judged
    ledger.py    what each action came to, in memory that outlives the actor's process
    kernel.py    system calls that Python has no function for
    card.py      what happens to the card, its interface, its driver
    sockets.py   what programs do with packet sockets
    links.py     devices of software that come and go, where there is no card
    traffic.py   frames in both directions
    memory.py    what the kernel holds afterwards
    weather.py   which actors make which storm, and what must be in order after it

An actor never knows what the others are doing. So what it asserts is what holds whatever they do: each
action succeeds or ends with one of the errors that are listed for it; each succeeds so often; every
frame that arrives is one that was sent, to the last byte.
"""
import os
import sys

_SELFTESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
for _folder in ("net", "drivers", ""):
    # In front: some files in the two folders share their names.
    sys.path.insert(0, os.path.join(_SELFTESTS, _folder))
