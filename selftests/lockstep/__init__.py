# SPDX-License-Identifier: GPL-2.0
"""Two families in lockstep: each call is made on a socket of both, and all that they answer is compared.

    draw.py      how a run of calls is drawn from a seed, of those in draw_options.py, draw_traffic.py and
                 draw_rings.py; drawing.py has what they share
    frames.py    frames, addresses and control messages that they are drawn from
    calls.py     system calls with every length and pointer open; what they left in memory
    netlink.py   devices that are made, moved and deleted, without a process for each
    world.py     namespaces and devices, the same for both sides
    side.py      the sockets of one family, and what a call on them came to
    ring.py      mapped rings of a socket: slots that are handed back, filled and spoiled
    answers.py   where two answers differ, time left out
    known.py     differences that are meant, each with its reason
    run.py       a run, in a process and namespaces of its own; the first difference ends it
    shrink.py    fewer and simpler calls that come to the same difference

A call is a tuple of literals, so that a run is text, and any part of a run is one. Nothing in it depends
on what happened before it: a call on a slot without a socket does nothing.
"""

import os
import sys

_SELFTESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
for _folder in ("net", ""):
    sys.path.insert(0, os.path.join(_SELFTESTS, _folder))
