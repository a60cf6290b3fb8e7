#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: classic
# qtest: yes
# timeout: 300
"""The card stores nonsense: headers in the receive ring that no frame has.

Frames lie in the ring and the driver has not looked yet; then one header is changed in memory. What was
before it is delivered, what comes later too, and in between each byte of the ring is delivered or
counted as given up. With RPACKET_FULL for three minutes, all values at random."""

import os
import random
import time

import cases
from behind import CRC, FAE, IMR, ISE, LONG, RING, ROK, RUNT, Stage
from frames import frame
from nic import lib, wait_for

COUNT, BAD = 8, 3
LOST = {"rx_resyncs": 1, "rx_errors": 1}


def forged(stage, lengths=(300,), **change):
    """One header among the frames is changed; those before it must arrive, and the books balance."""
    held = stage.collect(COUNT, lambda headers: stage.forge(headers[BAD], **change), lengths)
    assert held.whole() >= BAD, f"{change}: only {held.whole()} frames before it arrived"
    stage.balanced(held, lengths)
    return held


def lost(stage, expected, **change):
    """The same, where the driver has to give up its position, and says so."""
    held = forged(stage, **change)
    assert held.whole() == len(held.arrived) == BAD, f"{change}: {len(held.arrived)} frames arrived"
    for key, value in (LOST | expected).items():
        assert held.counted[key] == value, f"{change}: {key} {held.counted[key]}: {held.moved()}"
    return held


def lengths_that_no_frame_has(stage):
    """Nothing, less than an Ethernet header, more than the card takes."""
    for length in (0, 4, 8, 17, 1797, 2048, 4096, 0x7FFF, 0x8000, 0xFFEF, 0xFFF1, 0xFFFF):
        lost(stage, {}, length=length)
    stage.works()


def a_frame_that_stays_in_the_fifo(stage):
    """The length of a transfer under way, and the transfer never ends."""
    held = lost(stage, {}, length=0xFFF0)
    assert held.counted["rx_dma_waits"], "nobody waited"
    held = lost(stage, {}, status=0, length=0xFFF0)
    stage.works()


def a_transfer_that_ends_late(stage):
    """The length of a transfer under way, and then that of the frame: nothing is lost."""
    def change(headers):
        stage.forge(headers[BAD], length=0xFFF0)
        # The driver looks, and waits for at most 10 ms: mended in time, or it was lost before.
        stage.card.poke(IMR, 2, stage.mask)
        stage.forge(headers[BAD])
    held = stage.collect(COUNT, lambda headers: None)
    assert held.whole() == COUNT, held.moved()
    outcomes = set()
    for _ in range(6):
        held = stage.collect(COUNT, change, disturbs=True)
        stage.balanced(held)
        outcomes.add(held.counted["rx_resyncs"])
        assert held.whole() == COUNT if not held.counted["rx_resyncs"] else held.whole() == BAD
    stage.works()
    return f"given up: {sorted(outcomes)}"


def damage_that_the_card_has_seen(stage):
    """The status of a frame that the card was told not to store: each class is counted as such."""
    for status, counters in ((0, {}), (CRC, {"rx_crc_errors": 1}), (FAE, {"rx_frame_errors": 1}),
                             (ISE, {"rx_frame_errors": 1}), (LONG, {"rx_length_errors": 1}),
                             (RUNT, {"rx_length_errors": 1}),
                             (CRC | FAE | RUNT, {"rx_crc_errors": 1, "rx_frame_errors": 1,
                                                 "rx_length_errors": 1}),
                             (0xFFFE, {"rx_crc_errors": 1, "rx_frame_errors": 1,
                                       "rx_length_errors": 1})):
        before = stage.dut.stats64()
        lost(stage, counters, status=status)
        after = stage.dut.stats64()
        assert after["rx_errors"] - before["rx_errors"] == 1, "ip -s link does not show the error"
    stage.works()


def damaged_frames_that_are_wanted(stage):
    """`ethtool -K rx-all on`: a damaged frame is delivered and counted, and costs no other one."""
    stage.dut.ethtool("-K", stage.dut.name, "rx-all", "on")
    try:
        for status, counter in ((CRC, "rx_crc_errors"), (RUNT, "rx_length_errors")):
            held = forged(stage, status=status)
            assert held.whole() == COUNT, f"{status:#x}: {held.whole()} frames arrived"
            assert held.counted[counter] == held.counted["rx_errors"] == 1, held.moved()
            assert not held.counted["rx_resyncs"], held.moved()
        lost(stage, {"rx_frame_errors": 1}, status=FAE)
        # A runt without a whole Ethernet header is nothing that the stack could take.
        held = stage.collect(COUNT, lambda headers: stage.forge(headers[-1], RUNT, 12))
        assert held.whole() == len(held.arrived) == COUNT - 1, held.moved()
        # What lies behind a header that was made so short is no header, and costs the position, too.
        assert held.counted["rx_errors"] == 1 + held.counted["rx_resyncs"], held.moved()
        assert held.counted["rx_length_errors"] == 1, held.moved()
        assert not held.counted["rx_dropped"], held.moved()
    finally:
        stage.dut.ethtool("-K", stage.dut.name, "rx-all", "off")
    stage.works()


def lengths_that_are_not_the_frame_s(stage):
    """A length that a frame could have, and this one has not: the next header is looked for in a wrong
    place. What is then delivered may be garbage; the ring is left again, and nothing is uncounted."""
    garbage = 0
    for length in (18, 64, 65, 300, 305, 309, 616, 1518, 1796):
        held = forged(stage, length=length)
        garbage += len([data for data in held.arrived if data not in held.sent])
        stage.works()
    return f"{garbage} frames that nobody sent were delivered"


def at_the_end_of_the_ring(stage):
    """The same where a frame runs on behind the end of the ring, whose memory ends soon after."""
    found, long = [], (1514,)
    for change in ({"length": 1796}, {"length": 0}, {"status": CRC}, {"length": 0xFFF0}):
        to_the_end(stage)
        index = []

        def forge_last(headers, change=change, index=index):
            # The last one that begins before the end.
            last = max(range(len(headers)), key=lambda i: headers[i].offset)
            # With its header it takes 1522 bytes, rounded up to a multiple of four.
            lib.require(headers[last].offset + 1524 >= RING, "a frame reaches the end of the ring")
            index[:] = last, headers[last].offset
            stage.forge(headers[last], **change)
        held = stage.collect(5, forge_last, long)
        stage.balanced(held, long)
        assert held.whole() >= index[0], f"{change}: {held.whole()}, {held.moved()}"
        found.append(index[1])
    stage.works()
    return f"headers at {[hex(offset) for offset in found]}"


def to_the_end(stage):
    """Frames until the next few reach the end of the ring."""
    data = frame(stage.dut.mac, stage.peer.mac, 1000, 1)
    while not RING - 4 * 1522 < stage.position < RING - 1522:
        before = stage.position
        stage.source.send(data)
        wait_for("a frame in the ring", lambda before=before: stage.position != before)


def all_values_at_random(stage):
    """Status and length at random, alone and together, of one frame or several."""
    seed = int(os.environ.get("SEED") or time.time())
    lib.diag(f"SEED={seed}")
    rng, rounds = random.Random(seed), 0
    end = time.monotonic() + (180 if os.environ.get("RPACKET_FULL") else 8)
    while time.monotonic() < end:
        lengths = tuple(rng.choice((60, 61, 64, 300, 777, 1514)) for _ in range(3))
        story = []

        def change(headers, story=story):
            story.clear()
            for header in rng.sample(headers, rng.choice((1, 1, 2, 5))):
                values = {}
                if rng.random() < 0.6:
                    values["status"] = rng.choice((rng.getrandbits(16), rng.getrandbits(6), ROK))
                if rng.random() < 0.7:
                    values["length"] = rng.choice((rng.getrandbits(16), rng.randrange(0, 2000),
                                                   rng.randrange(18, 1797), 0xFFF0, 0, 0xFFFF))
                story.append((header.offset, values))
                stage.forge(header, **values)
        held = stage.collect(rng.randrange(5, 12), change, lengths)
        try:
            stage.balanced(held, lengths)
        except lib.Failure as failure:
            raise lib.Failure(f"{story}: {failure}") from failure
        rounds += 1
    stage.works()
    return f"{rounds} rounds"


if __name__ == "__main__":
    cases.main(lengths_that_no_frame_has, a_frame_that_stays_in_the_fifo, a_transfer_that_ends_late,
               damage_that_the_card_has_seen, damaged_frames_that_are_wanted,
               lengths_that_are_not_the_frame_s, at_the_end_of_the_ring, all_values_at_random,
               wire=Stage)
