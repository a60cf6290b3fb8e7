#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: classic
# qtest: yes
# timeout: 420
# log: NETDEV WATCHDOG
"""The card forgets, under traffic in both directions: a mask, an event, its receiver or transmitter. It
works again without help, and each frame has arrived or was counted. (place.py is about the bus.)

Our driver looks after the card every 8 seconds; what nothing else tells it is mended then. With
RPACKET_FULL for four minutes, all of it at random and at once."""

import os
import random
import time

import cases
from behind import (COMMAND, CAPR, IMR, ISR, RECEIVER, RX_CONFIG, TRANSMITTER, Stage, Tap,
                    Traffic)
from frames import frame
from nic import lib, wait_for

# How long the driver may take to notice what no interrupt says; it looks to the full second.
CARE = 10
# Frames that may be on the wire while a receiver is off for a moment: that of one burst, from each end.
BURST = 4


def received_or_counted(traffic, restarts, missed_alone=0):
    """What the peer has sent is in the driver's books, but for what the wire carried while the receiver was
    off: at most a burst for each restart. (A card with descriptors has no room for what comes too fast; it counts
    that.)"""
    sent = traffic.moved("peer", "tx_packets")
    got = traffic.moved("dut", "rx_packets")
    counted = got + traffic.given_up() + traffic.moved("dut", "rx_dropped")
    if traffic.stage.card.mode != "classic":
        counted += traffic.moved("dut", "rx_missed_errors")
    lib.diag(f"{sent} frames to the card: {got} received, {counted - got} counted as lost, "
             f"{sent - counted} not seen")
    assert sent > 100, "there was no traffic"
    assert 0 <= sent - counted <= restarts * BURST + missed_alone, "the books do not balance"


def sent_or_counted(traffic, unnoticed=0, least=100):
    """What our driver has sent is at the peer, or in one of the counters of the two.

    QEMU's e1000 does not clear its count of missed frames when it is read, so the peer counts what it has
    missed again every two seconds: it says whether frames were missed there, and how many at most."""
    sent, errors = traffic.moved("dut", "tx_packets"), traffic.moved("dut", "tx_errors")
    got, missed = traffic.moved("peer", "rx_packets"), traffic.moved("peer", "rx_missed_errors")
    lib.diag(f"{sent} frames from the card: {got} received, {missed} missed by the peer's card, "
             f"{errors} counted as not sent")
    assert sent > least, "there was no traffic"
    # A reset cannot know what became of the frames that the card had; it counts them as lost.
    assert -unnoticed <= sent - got - errors <= missed, "the books do not balance"


def traffic_alone(stage):
    """Nothing is done: all books balance, to the frame."""
    with Traffic(stage) as traffic:
        time.sleep(1)
    received_or_counted(traffic, 0)
    sent_or_counted(traffic)


def headers_under_traffic(stage):
    """Frames pile up in the ring while both ends send, one gets a header of nonsense."""
    for change in ({"length": 0}, {"status": 0}, {"length": 0xFFF0}, {"length": 1797}):
        forged = 0
        with Traffic(stage) as traffic:
            for _ in range(3):
                forged += damage(stage, change)
                wait_for("frames after it", lambda seen=stage.received(): stage.received() > seen + 20)
        lost = traffic.moved("ours", "rx_resyncs")
        assert 1 <= lost <= forged, f"{change}: {lost} times the position was lost, of {forged}"
        assert traffic.moved("dut", "rx_errors") == lost, f"{change}: not counted as errors"
        received_or_counted(traffic, lost)
        sent_or_counted(traffic)
    stage.works()


def damage(stage, change):
    """Changes one of the frames that have come since the driver was made quiet. Returns how many were
    changed, which is more than one if the driver looked by its clock in between: then it may have met the
    first, or not."""
    for count in range(1, 11):
        with stage.silent():
            start, seen = stage.position, stage.received()
            wait_for("frames in the ring", lambda start=start: stage.position != start)
            try:
                headers = stage.headers(start, stage.position)
            except AssertionError:
                # Where the driver's clock has had it look, the card writes over what was there.
                if stage.received() == seen:
                    raise
                continue
            stage.forge(headers[len(headers) // 2], **change)
            if stage.received() == seen:
                return count
    raise lib.Failure("precondition: the driver leaves the ring alone")


def events_that_are_acknowledged_by_somebody_else(stage):
    """ISR cleared over and over: an interrupt is lost, a frame is not."""
    with Traffic(stage) as traffic:
        for _ in range(200):
            stage.card.poke(ISR, 2, 0xFFFF)
        # An event that is not lost, for the last frame whose event was.
        wait_for("further frames", lambda seen=stage.received(): stage.received() > seen + 20)
    received_or_counted(traffic, 0)
    # A lost event of the transmitter stops it until the watchdog looks.
    sent_or_counted(traffic, least=20)
    # And the last event, on a quiet wire: found by the clock.
    with Tap(stage.dut) as sink:
        for _ in range(5):
            data = frame(stage.dut.mac, stage.peer.mac, 400, 77)
            with stage.silent():
                stage.source.send(data)
                time.sleep(0.05)
                stage.card.poke(ISR, 2, 0xFFFF)
            if sink.receive(0.05) is None:
                assert sink.receive(CARE), "the frame was never found"
                break
        else:
            raise lib.Failure("precondition: an event is lost")
    stage.works()


def a_mask_that_is_lost(stage):
    """IMR is zero, and then all ones: set again by the clock, and until then no frame is lost."""
    for value in (0, 0xFFFF):
        with Traffic(stage) as traffic:
            stage.card.poke(IMR, 2, value)
            wait_for("the mask", lambda: stage.card.peek(IMR, 2) in (stage.mask, 0x8020), CARE)
            time.sleep(0.3)
        assert stage.card.peek(IMR, 2) == stage.mask
        received_or_counted(traffic, 0)
        sent_or_counted(traffic)
        stage.works(2)


def a_half_that_stops(stage):
    """RE or TE off on a wire with next to no traffic, where no watchdog barks."""
    for left in (TRANSMITTER, RECEIVER):
        resets = stage.dut.ethtool_stats()["resets"]
        before = stage.dut.stats64()
        data = frame(stage.peer.mac, stage.dut.mac, 100, 5)
        with Tap(stage.dut, 0) as out:
            # The driver's clock must not have it look in between.
            stage.card.poke(COMMAND, 1, left)
            out.send(data)
        wait_for("a reset", lambda: stage.dut.ethtool_stats()["resets"] > resets, CARE)
        stage.works()
        after = stage.dut.stats64()
        # The one frame was sent by a transmitter that was on, and counted by one that was off.
        lost = after["tx_errors"] - before["tx_errors"]
        assert lost == (left == RECEIVER), f"{lost} frames counted as not sent"


def under_load(stage, damage_done, mended, restarts=1):
    """The same under traffic both ways; returns the books."""
    with Traffic(stage) as traffic:
        time.sleep(0.2)
        damage_done()
        wait_for("the card to be mended", mended, 2 * CARE)
        time.sleep(0.3)
    stage.works()
    return traffic


def a_transmitter_that_stops_under_load(stage):
    """TE off: the queue fills, and what was in the card is counted."""
    def on():
        return stage.card.peek(COMMAND, 1) & TRANSMITTER
    for _ in range(5):
        traffic = under_load(stage, lambda: stage.card.poke(COMMAND, 1, RECEIVER), on)
        sent_or_counted(traffic)
        lost = traffic.moved("dut", "tx_errors")
        assert lost <= 4, f"{lost} frames were lost from four slots"
        # The driver's clock may come before the slots are full.
        if lost == 4:
            break
    else:
        raise lib.Failure("precondition: four slots are full")


def nonsense_in_the_slots(stage):
    """TSD written by somebody else: frames are sent again, or out of turn, and all goes on."""
    rng = random.Random(8139)
    with Traffic(stage) as traffic:
        for _ in range(100):
            stage.card.poke(0x10 + 4 * rng.randrange(4), 4, rng.choice((60, 1792, rng.getrandbits(13))))
        wait_for("frames to leave", lambda seen=stage.dut.counters()["tx_packets"]:
                 stage.dut.counters()["tx_packets"] > seen + 50, 2 * CARE)
    received_or_counted(traffic, traffic.moved("ours", "resets"))
    stage.works()


def all_of_it_at_random(stage):
    """Each register that matters, with values at random, one after the other under traffic."""
    seed = int(os.environ.get("SEED") or time.time())
    lib.diag(f"SEED={seed}")
    rng, count = random.Random(seed), 0
    end = time.monotonic() + (240 if os.environ.get("RPACKET_FULL") else 6)
    choices = {
        "IMR": lambda: stage.card.poke(IMR, 2, rng.getrandbits(16)),
        "ISR": lambda: stage.card.poke(ISR, 2, rng.getrandbits(16)),
        "CAPR": lambda: stage.card.poke(CAPR, 2, rng.getrandbits(16)),
        "CR": lambda: stage.card.poke(COMMAND, 1, rng.choice((0, RECEIVER, TRANSMITTER, 0x10, 0x1C))),
        "TSD": lambda: stage.card.poke(0x10 + 4 * rng.randrange(4), 4, rng.getrandbits(13)),
        "RCR": lambda: stage.card.poke(RX_CONFIG, 4, stage.card.peek(RX_CONFIG, 4)),
        "header": lambda: damage(stage, {"status": rng.getrandbits(16), "length": rng.getrandbits(16)}),
    }
    while time.monotonic() < end:
        story = []
        with Traffic(stage):
            for _ in range(rng.randrange(1, 8)):
                story.append(rng.choice(list(choices)))
                try:
                    choices[story[-1]]()
                except (lib.Failure, AssertionError):
                    pass  # Without a receiver, or its position, there are no frames to damage.
                time.sleep(rng.random() * 0.1)
        count += len(story)
        try:
            stage.works(3 * CARE)
        except lib.Failure as failure:
            lib.diag(stage.registers())
            raise lib.Failure(f"after {', '.join(story)}: {failure}") from failure
    return f"{count} times"


if __name__ == "__main__":
    cases.main(traffic_alone, headers_under_traffic, events_that_are_acknowledged_by_somebody_else,
               a_mask_that_is_lost, a_half_that_stops, a_transmitter_that_stops_under_load,
               nonsense_in_the_slots, all_of_it_at_random, wire=Stage)
