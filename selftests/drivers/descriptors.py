#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# modes: cplus
# qtest: yes
# timeout: 300
"""The card writes nonsense into its receive descriptors. (ring_headers.py is the same of the classic ring, and
card_lies.py has the transmit descriptors.)

Frames have come and the driver has not looked yet; then one descriptor is changed in memory. That frame is
lost and counted once, or arrives as the descriptor says; all others arrive. With RPACKET_FULL for three
minutes, all values at random."""

import os
import random
import time

import cases
import rings
from behind import Held, Stage
from frames import frame
from nic import SLOW, lib, wait_for

COUNT, CHANGED = 8, 3
# How long the driver may take to notice what no interrupt says: it looks every 8 seconds, to the second.
CARE = 10
# One that is copied, and one whose page the stack gets.
LENGTHS = (100, 600)


def collect(stage, change, left=0):
    """So many frames are in the ring, `change(ring, descriptors)` does something to it, and then the driver looks,
    and leaves so many of them. Done again when the driver's clock came in between."""
    for _ in range(5):
        stage.sink.drain(0.02 * SLOW)
        held = Held(stage.counters())
        with stage.silent():
            ring, seen = rings.receive(stage), stage.received()
            lib.equal([], ring.done(), "descriptors that are the driver's before")
            stage.send(held, COUNT, LENGTHS)
            wait_for("the frames to be in the ring",
                     lambda ring=ring, seen=seen: len(ring.done()) == COUNT or stage.received() != seen)
            if stage.received() == seen:
                change(ring, ring.done())
                if stage.received() == seen:
                    break
    else:
        raise lib.Failure("precondition: the driver never leaves the ring alone")
    wait_for("the driver to look", lambda: len(ring.done()) == left)
    stage.look(held)
    return held


def lost(stage, expected, **change):
    """One frame has another status: it is lost, counted as expected, and the others arrive."""
    held = collect(stage, lambda ring, done: ring.change(done[CHANGED], **change))
    others = held.sent[:CHANGED] + held.sent[CHANGED + 1:]
    lib.equal(len(others), len(held.arrived), f"{change}: frames that arrived")
    assert held.arrived == others, f"{change}: others than were sent"
    lib.equal({"rx_errors": 1, **dict.fromkeys(expected, 1)}, held.moved(), f"{change}")


def damaged_frames(stage):
    """Each kind of damage is one error, and in the column that it has."""
    bad = rings.BAD
    for bits, expected in ((bad, ()), (bad | rings.CRC, ("rx_crc_errors",)),
                           (bad | rings.FRAME_ERROR, ("rx_frame_errors",)), (bad | rings.RUNT, ("rx_length_errors",)),
                           (bad | rings.TOO_LONG, ("rx_length_errors",)), (rings.FIFO, ()),
                           (bad | rings.CRC | rings.FRAME_ERROR, ("rx_crc_errors", "rx_frame_errors"))):
        lost(stage, expected, set=bits)
    stage.works()


def pieces_of_frames(stage):
    """A frame that begins or ends in another descriptor, which none does: each has room for a whole one."""
    for bits in (rings.FIRST, rings.LAST, rings.FIRST | rings.LAST):
        lost(stage, ("rx_length_errors",), clear=bits)
    stage.works()


def lengths_that_no_frame_has(stage):
    """Less than an Ethernet header, more than the buffer."""
    for length in (0, 3, 4, 17, 4095, rings.RX_SIZE):
        lost(stage, ("rx_length_errors",), clear=rings.RX_SIZE, set=length)
    stage.works()


def a_descriptor_that_stays_the_cards(stage):
    """As if it were not done: what is behind it would be seen when the card has come round, and so on for ever.
    The driver finds out when it looks after the card, which it resets, and counts what is given up."""
    before = stage.dut.ethtool_stats()
    held = collect(stage, lambda ring, done: ring.change(done[CHANGED], set=rings.OWN), COUNT - CHANGED - 1)
    assert len(held.arrived) == CHANGED and held.whole() == CHANGED, f"{len(held.arrived)} frames arrived"
    wait_for("a reset", lambda: stage.dut.ethtool_stats()["resets"] > before["resets"], CARE)
    stage.works()
    after = stage.dut.ethtool_stats()
    given_up = sum(len(data) + 4 for data in held.sent[CHANGED + 1:])
    lib.equal({"resets": 1, "rx_resyncs": 1, "rx_errors": 1, "rx_discarded_bytes": given_up},
              {key: after[key] - before[key] for key in ("resets", "rx_resyncs", "rx_errors", "rx_discarded_bytes")},
              "what was counted")


def tags_that_no_frame_has(stage):
    """The second word says anything: the frame arrives all the same, with a tag or without."""
    for extra in (0, 1 << 16, 0x1FFFF, 0xFFFEFFFF, 0xFFFFFFFE):
        held = collect(stage, lambda ring, done, extra=extra: ring.write_extra(done[CHANGED], extra))
        others = [data for data in held.arrived if data in held.sent]
        assert len(others) >= COUNT - 1 and len(held.arrived) == COUNT, f"{extra:#x}: {len(held.arrived)} arrived"
        lib.equal({}, held.moved(), f"{extra:#x}")
    stage.works()


def all_of_it_at_random(stage):
    """Any first word, but for who owns it."""
    seed = int(os.environ.get("SEED") or time.time())
    lib.diag(f"SEED={seed}")
    rng, count = random.Random(seed), 0
    end = time.monotonic() + (180 if os.environ.get("RPACKET_FULL") else 8)
    while time.monotonic() < end:
        status = rng.getrandbits(32) & ~rings.OWN
        if rng.random() < 0.7:
            status |= rings.FIRST | rings.LAST
        held = collect(stage, lambda ring, done, status=status: ring.write(done[CHANGED], status))
        whole = [data for data in held.arrived if data in held.sent]
        assert len(whole) >= COUNT - 1, f"{status:#x}: {len(whole)} of the others arrived"
        errors = held.counted["rx_errors"]
        assert len(held.arrived) + errors == COUNT, f"{status:#x}: {len(held.arrived)} arrived, {errors} counted"
        count += 1
    stage.works()
    return f"{count} words"


def its_own_length_for_all(stage):
    """A frame that says that it is longer than it is, within its buffer: what is behind it is old, and nobody
    else's; the next frames come whole."""
    lengths = (600, 1000, 1514)
    for length in lengths:
        held = collect(stage, lambda ring, done, length=length:
                       ring.change(done[CHANGED], clear=rings.RX_SIZE, set=length + 4))
        lib.equal(COUNT, len(held.arrived), f"{length}: frames that arrived")
        lib.equal(length, len(held.arrived[CHANGED]), "its length")
        lib.equal({}, held.moved(), f"{length}")
        data = frame(stage.dut.mac, stage.peer.mac, LENGTHS[CHANGED % 2], CHANGED + 1)
        assert held.arrived[CHANGED][:len(data)] == data or length < len(data), "it begins otherwise"
    stage.works()


if __name__ == "__main__":
    cases.main(damaged_frames, pieces_of_frames, lengths_that_no_frame_has, its_own_length_for_all,
               a_descriptor_that_stays_the_cards, tags_that_no_frame_has, all_of_it_at_random, wire=Stage)
