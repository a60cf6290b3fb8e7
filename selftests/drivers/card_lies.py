#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# modes: cplus classic
# kernels: debug
# qtest: yes
# timeout: 360
# log: NETDEV WATCHDOG
"""What no emulated card does: it aborts transmissions, reports errors of the bus, answers all ones for a
moment, never ends a reset, loses what is written to it. All under traffic in both directions.
(descriptors.py has what it does to its receive descriptors.)

Afterwards the interface works, and each frame has arrived or was counted, in the column that its
fate has. With RPACKET_FULL for four minutes, all of it at random."""

import os
import random
import time

import cases
import rings
from behind import CAPR, CBR, COMMAND, IMR, ISR, TX_CONFIG, Stage, Traffic
from frames import Tap, frame
from lies import Lie, lying
from misbehaves import received_or_counted, sent_or_counted
from nic import CLASSIC_RINGS, MODE, lib, wait_for
from xdp_program import GENERIC, PASS, answer, attached

TSD0, TSAD, MPC, MSR, BMSR, PARTNER = 0x10, 0x60, 0x4C, 0x58, 0x64, 0x68
SYSTEM_ERROR, FIFO_OVERFLOW, LINK_CHANGE, RING_OVERFLOW, RX_ERROR = 0x8000, 0x40, 0x20, 0x10, 0x02
WATCHDOG = 30
FULL = bool(os.environ.get("RPACKET_FULL"))


def send(stage, count):
    """Frames of the card's end, one after the other; returns those that arrived."""
    with Tap(stage.dut, 0) as out, Tap(stage.peer) as heard:
        for number in range(count):
            out.send(frame(stage.peer.mac, stage.dut.mac, 200, number))
        return heard.drain(0.3)


def moved(stage, action):
    """How far the counters have moved: (of ethtool -S, of ip -s link), the zeros left out."""
    before = stage.counters(), stage.dut.stats64()
    action()
    after = stage.counters(), stage.dut.stats64()
    return tuple({key: new[key] - old[key] for key in new if new[key] != old[key]}
                 for old, new in zip(before, after))


def given_up(stage):
    """A frame that the card gave up is one error, in as many columns as it has reasons."""
    aborted, late, carrier = 1 << 30, 1 << 29, 1 << 31
    for bits, expected in (
            (aborted, {"tx_aborted": 4}),
            (aborted | late, {"tx_aborted": 4, "tx_window_errors": 4}),
            (aborted | carrier, {"tx_aborted": 4, "tx_carrier_errors": 4}),
            (aborted | late | carrier, {"tx_aborted": 4, "tx_window_errors": 4, "tx_carrier_errors": 4})):
        resumed = Lie(TX_CONFIG, write=True)
        # The four slots are looked at together, when the fourth is taken.
        with lying(Lie(TSAD, clear=0xF000, set=0x00F0, times=1), resumed,
                   *(Lie(TSD0 + 4 * slot, set=bits) for slot in range(4))):
            own, link = moved(stage, lambda: send(stage, 4))
        for key, value in expected.items():
            assert own.get(key) == value, f"{bits:#x}: {own}"
        assert own.get("tx_errors") == link.get("tx_errors") == 4, f"{bits:#x}: {own}, {link}"
        assert link.get("tx_packets") == 4 and resumed.count == 4, f"resumed {resumed.count} times"
    stage.works()


def underruns(stage):
    """Memory was too slow: the frames were sent, and the next ones wait for more in the FIFO."""
    before = stage.card.peek(TSD0, 4) >> 16 & 0x3F
    with lying(Lie(TSAD, clear=0xF000, set=0x0F00, times=1)):
        own, link = moved(stage, lambda: send(stage, 4))
    assert own.get("tx_underruns") == link.get("tx_fifo_errors") == 4, f"{own}, {link}"
    assert "tx_errors" not in link, link
    send(stage, 4)
    after = stage.card.peek(TSD0, 4) >> 16 & 0x3F
    assert after == before + 4 * 2, f"the threshold was {before} and is {after}"
    stage.works()


def sent_with(stage, bits, length):
    """A frame in a descriptor of which the card says `bits` when it is done; returns what was counted. Its length is
    that of no other frame before. (One: the byte queue limit may let no other pass before that is done.)"""
    def send_it():
        with Tap(stage.dut, 0) as out, Tap(stage.peer) as heard:
            # The card hears of it behind the driver's back, which finds it done when all is said.
            with stage.silent(), lying(Lie(rings.TX_POLL, write=True, lost=True), Lie(IMR, write=True, lost=True)):
                out.send(frame(stage.peer.mac, stage.dut.mac, length, length))
                stage.card.poke(rings.TX_POLL, 1, rings.NORMAL)
                assert heard.receive(), "it has not arrived"
                ring = rings.transmit(stage)
                found = [at for at, status in enumerate(ring.statuses())
                         if status & rings.TX_SIZE == length and not status & rings.OWN]
                lib.require(len(found) == 1, f"{len(found)} descriptors have the frame")
                ring.change(found[0], clear=0x03F00000, set=bits)
            stage.card.poke(IMR, 2, stage.mask | 0x0004)
            # An event has the driver look; then its queue runs again.
            stage.source.send(frame(stage.dut.mac, stage.peer.mac, 99, 1))
            out.send(frame(stage.peer.mac, stage.dut.mac, 99, 1))
            assert heard.receive(), "the frame behind it has not arrived"
    return moved(stage, send_it)


def given_up_in_descriptors(stage):
    """A frame that the card gave up is one error, in as many columns as it has reasons; so is one for which memory
    was too slow."""
    errors, length = rings.ERRORS, 700
    for bits, expected in (
            (errors | rings.ABORTED, ("tx_aborted",)), (errors | rings.LATE, ("tx_window_errors",)),
            (errors | rings.NO_CARRIER, ("tx_carrier_errors",)),
            (errors | rings.ABORTED | rings.LATE | rings.NO_CARRIER,
             ("tx_aborted", "tx_window_errors", "tx_carrier_errors")),
            (rings.UNDERRUN, ("tx_underruns",)),
            # Without an error they say nothing.
            (rings.LATE | rings.NO_CARRIER, ())):
        own, link = sent_with(stage, bits, length)
        length += 1
        lib.equal(dict.fromkeys(("tx_errors", *expected), 1) if expected else {},
                  {key: value for key, value in own.items() if key.startswith("tx_")}, f"{bits:#x}")
        lib.equal((2, 1 if expected else None), (link.get("tx_packets"), link.get("tx_errors")), f"{bits:#x}")
    stage.works()


def a_descriptor_that_is_never_done(stage):
    """The card hears of none: the ring fills, the watchdog counts what was in it, and resets."""
    with Traffic(stage) as traffic:
        with lying(Lie(rings.TX_POLL, write=True, lost=True)):
            resets = stage.dut.ethtool_stats()["resets"]
            wait_for("a reset", lambda: stage.dut.ethtool_stats()["resets"] > resets, WATCHDOG)
        stage.works()
    assert traffic.moved("ours", "tx_timeouts") >= 1, "the watchdog did not count"
    assert traffic.moved("ours", "tx_lost") >= 1, "the frames in the ring were not counted"


def a_doorbell_that_gets_lost(stage):
    """Now and then the card does not hear of a frame: the next one brings it along; or, where the byte queue limit
    lets no other one pass, the watchdog resets, and it is counted."""
    with Traffic(stage) as traffic:
        lies = [Lie(rings.TX_POLL, write=True, lost=True, times=1, space=20 * number) for number in range(3)]
        with lying(*lies):
            wait_for("all of them", lambda: all(lie.told for lie in lies), 3 * WATCHDOG)
        stage.works(WATCHDOG)
    sent_or_counted(traffic)
    return f"{traffic.moved('ours', 'resets')} resets, {traffic.moved('ours', 'tx_lost')} frames lost"


def collisions(stage):
    """In half duplex, which the partner's abilities decide, each slot tells how often."""
    with lying(Lie(PARTNER, clear=0x0140), *(Lie(TSD0 + 4 * n, set=3 << 24) for n in range(4))):
        stage.dut.ethtool("-r", stage.dut.name)
        stage.dut.set("down")
        stage.dut.set("up")
        stage.wait_link()
        own, _ = moved(stage, lambda: send(stage, 4))
    assert own.get("collisions", 0) >= 12, own
    stage.dut.set("down")
    stage.dut.set("up")
    stage.wait_link()
    own, _ = moved(stage, lambda: send(stage, 4))
    assert "collisions" not in own, own
    stage.works()


def a_frame_that_is_never_done(stage):
    """No slot is ever free: the watchdog counts what was in them, and resets."""
    with Traffic(stage) as traffic:
        with lying(Lie(TSAD, clear=0xFFFF)):
            resets = stage.dut.ethtool_stats()["resets"]
            wait_for("a reset", lambda: stage.dut.ethtool_stats()["resets"] > resets, WATCHDOG)
        stage.works()
    assert traffic.moved("ours", "tx_timeouts") >= 1, "the watchdog did not count"
    assert traffic.moved("ours", "tx_lost") >= 4, "the frames in the slots were not counted"


def a_kick_that_gets_lost(stage):
    """One write to a slot does not arrive: its frame is counted, and those behind it go on."""
    with Traffic(stage) as traffic:
        lies = [Lie(TSD0 + 4 * slot, write=True, lost=True, times=1, space=3) for slot in (0, 2)]
        with lying(*lies):
            wait_for("both", lambda: all(lie.told for lie in lies), WATCHDOG)
        stage.works(WATCHDOG)
    assert traffic.moved("ours", "resets") >= 1
    assert 1 <= traffic.moved("ours", "tx_lost") <= 8, "not counted"


def a_position_that_gets_lost(stage):
    """Writes to CAPR do not arrive: the ring fills, and is emptied again."""
    with Traffic(stage):
        with lying(Lie(CAPR, write=True, lost=True)) as lies:
            wait_for("a position that is lost", lambda: lies[0].told, 10)
            time.sleep(3)
        stage.works()


def errors_of_the_bus(stage):
    """SERR once: a reset, and a count. SERR all the time: no storm, no flood of messages."""
    with Traffic(stage) as traffic:
        with lying(Lie(ISR, set=SYSTEM_ERROR, times=1)) as lies:
            wait_for("the report", lambda: lies[0].told, 5)
            time.sleep(0.5)
        stage.works()
    assert traffic.moved("ours", "bus_errors") == traffic.moved("ours", "resets") == 1
    received_or_counted(traffic, 1)
    sent_or_counted(traffic)
    interrupts = stage.card.interrupts
    with Traffic(stage) as traffic:
        with open("/dev/kmsg", "rb", buffering=0) as log:
            os.set_blocking(log.fileno(), False)
            log.seek(0, os.SEEK_END)
            with lying(Lie(ISR, set=SYSTEM_ERROR)):
                time.sleep(4)
            messages = 0
            try:
                while True:
                    messages += b"error on the bus" in log.read(8192)
            except (BlockingIOError, TypeError):
                pass
        stage.works(WATCHDOG)
    resets = traffic.moved("ours", "resets")
    assert resets <= 2, f"{resets} resets in 4 seconds"
    assert messages <= 2, f"{messages} messages"
    errors = traffic.moved("ours", "bus_errors")
    assert errors > 10, "they are not counted"
    interrupts = stage.card.interrupts - interrupts
    frames = sum(traffic.moved("dut", f"{way}_packets") for way in ("rx", "tx"))
    assert 0 < interrupts <= 1.5 * frames, f"{interrupts} interrupts for {frames} frames"
    return f"{resets} resets, {messages} messages, {errors} errors, {interrupts} interrupts for {frames} frames"


def overflows_and_errors_in_isr(stage):
    """What the receiver says beside RxOK is counted, each in its place, and costs no frame."""
    with Traffic(stage) as traffic:
        for bit, times in ((FIFO_OVERFLOW, 5), (RX_ERROR, 6), (RING_OVERFLOW, 7)):
            with lying(Lie(ISR, set=bit, times=times)) as lies:
                wait_for("all reports", lambda lie=lies[0], times=times: lie.told == times, 5)
    assert traffic.moved("ours", "rx_fifo_overflows") == traffic.moved("dut", "rx_fifo_errors") == 5
    # A card with descriptors has no room for what comes too fast, and says the same of that.
    overflows, real = traffic.moved("ours", "rx_ring_overflows"), traffic.moved("dut", "rx_missed_errors")
    assert overflows == traffic.moved("dut", "rx_over_errors") and 7 <= overflows <= 7 + real, overflows
    received_or_counted(traffic, 0)
    sent_or_counted(traffic)
    stage.works()


def events_that_nobody_knows(stage):
    """Bits that the driver has not enabled, for a second: no storm, no frame lost."""
    interrupts = stage.card.interrupts
    with Traffic(stage) as traffic:
        with lying(Lie(ISR, set=0x7F80)) as lies:
            time.sleep(1)
    interrupts = stage.card.interrupts - interrupts
    received_or_counted(traffic, 0)
    sent_or_counted(traffic)
    frames = sum(traffic.moved("dut", f"{way}_packets") for way in ("rx", "tx"))
    assert lies[0].count > 0, "the driver was told nothing"
    # One for a frame, and each looks twice: a storm would be of thousands a second.
    assert 0 < interrupts <= 1.5 * frames, f"{interrupts} interrupts for {frames} frames"
    assert lies[0].count <= 2 * frames + 10, f"{lies[0].count} looks for {frames} frames"
    stage.works()
    return f"{interrupts} interrupts, {lies[0].count} looks at ISR for {frames} frames"


def a_link_that_is_not_there(stage):
    """The medium's state lies, and an event says that it has changed: down, and up again."""
    with lying(Lie(MSR, set=4), Lie(ISR, set=LINK_CHANGE, times=1)):
        send(stage, 1)
        stage.source.send(frame(stage.dut.mac, stage.peer.mac, 60, 1))
        wait_for("no carrier", lambda: not stage.dut.carrier(), 12)
    wait_for("a carrier", stage.dut.carrier, 12)
    stage.works()


def one_word_of_all_ones(stage):
    """A single read of each register fails: at worst a reset, never the end of the interface."""
    for offset in (ISR, COMMAND, MSR, MPC, BMSR) + ((CBR, TSAD) if MODE == "classic" else ()):
        for space in (0, 7) if FULL else (0,):
            lie = Lie(offset, lost=True, times=1, space=space)
            with Traffic(stage) as traffic:
                with lying(lie):
                    end = time.monotonic() + 12
                    while not lie.told and time.monotonic() < end:
                        stage.dut.stats64()
                        if offset in (BMSR, MSR):
                            stage.dut.ethtool(stage.dut.name)
                        time.sleep(0.05)
                    assert lie.told, f"{offset:#x} was not read"
                time.sleep(0.3)
                wait_for(f"a carrier after {offset:#x}", stage.dut.carrier, 12)
            resets = traffic.moved("ours", "resets")
            assert resets <= 1, f"{offset:#x}: {resets} resets"
            received_or_counted(traffic, resets)
    stage.works()


def a_position_at_random(stage):
    """CBR says anything: what is then read from the ring may be garbage, and is left again."""
    rng = random.Random(0x3A)
    with Traffic(stage) as traffic:
        for _ in range(20):
            with lying(Lie(CBR, clear=0xFFFF, set=rng.getrandbits(rng.choice((15, 16))), times=1)) as lies:
                wait_for("a look at the ring", lambda told=lies[0]: told.told, 10)
    stage.works()
    return f"{traffic.moved('ours', 'rx_resyncs')} times the position was lost"


def a_reset_that_does_not_end(stage):
    """`ip link set up` fails with EIO, and works at the next try; a recovery is tried again."""
    stage.dut.set("down")
    with lying(Lie(COMMAND, set=0x10)):
        try:
            stage.dut.set("up")
        except RuntimeError as error:
            assert "Input/output error" in str(error), error
        else:
            raise lib.Failure("it went up")
    stage.dut.set("up")
    stage.wait_link()
    with lying(Lie(COMMAND, set=0x10)):
        stage.card.poke(COMMAND, 1, 0)
        resets = stage.dut.ethtool_stats()["resets"]
        wait_for("a try", lambda: stage.dut.ethtool_stats()["resets"] > resets, 12)
    stage.works(WATCHDOG)


def a_reset_that_does_not_end_without_a_link(stage):
    """Nobody asks for another one: no watchdog fires there. The layer has it tried again by itself."""
    with lying(Lie(COMMAND, set=0x10), Lie(MSR, set=4), Lie(ISR, set=LINK_CHANGE, times=1)):
        send(stage, 1)
        stage.source.send(frame(stage.dut.mac, stage.peer.mac, 60, 1))
        wait_for("no carrier", lambda: not stage.dut.carrier(), 12)
        before = stage.dut.ethtool_stats()
        stage.card.poke(COMMAND, 1, 0)
        wait_for("two tries", lambda: stage.dut.ethtool_stats()["resets"] >= before["resets"] + 2, WATCHDOG)
        assert not stage.dut.carrier(), "there is a carrier"
    wait_for("a carrier", stage.dut.carrier, WATCHDOG)
    stage.works()
    lib.equal(before["tx_timeouts"], stage.dut.ethtool_stats()["tx_timeouts"], "timeouts")


def all_of_it_at_random(stage):
    """Any register, any value, any number of times, under traffic."""
    seed = int(os.environ.get("SEED") or time.time())
    lib.diag(f"SEED={seed}")
    rng, told, gone = random.Random(seed), 0, 0
    end = time.monotonic() + (240 if FULL else 15)
    registers, written = (ISR, ISR, COMMAND, MSR, MPC), (ISR, IMR, COMMAND)
    # Not the addresses of ring, slots and descriptors: that card would write where it must not.
    if MODE == "classic":
        registers += (CBR, TSAD, TSD0, TSD0 + 8)
        written += (CAPR, TSD0, TSD0 + 4, TSD0 + 8, TSD0 + 12)
    else:
        written += (rings.TX_POLL, rings.TX_POLL)
    while time.monotonic() < end:
        lies = []
        for _ in range(rng.randrange(1, 4)):
            if rng.random() < 0.7:
                lie = Lie(rng.choice(registers), clear=rng.getrandbits(32), set=rng.getrandbits(32))
            else:
                lie = Lie(rng.choice(written), write=True, lost=True)
            lie.lost = lie.lost or rng.random() < 0.2
            lie.probability = rng.choice((1, 10, 50, 100))
            lie.times = rng.choice((1, 2, 10, 100))
            lies.append(lie)
        with Traffic(stage, books=False):
            with lying(*lies):
                time.sleep(rng.random())
        told += sum(lie.count for lie in lies)
        if not stage.present():
            gone += 1
            stage.rebind()
        stage.works(WATCHDOG)
    return f"{told} lies, {gone} times the card was taken for gone"


def a_chip_without_descriptors_leaves_programs_to_the_kernel(stage):
    """To attach a program in the usual way works as with any driver that cannot run it itself."""
    version, rtl8139d = 0x7CC00000, 0x74400000
    with lying(Lie(TX_CONFIG, clear=version, set=rtl8139d)):
        stage.rebind()
        assert f"{CLASSIC_RINGS}: on" in stage.dut.ethtool("--show-priv-flags", stage.dut.name)
        with attached(stage.dut, answer(PASS), flags=0):
            stage.works()
            lib.equal(stage.dut.link()["xdp"]["mode"], GENERIC, "the mode of the program")
    stage.rebind()
    stage.works()


OF_A_MODE = {
    "classic": (given_up, underruns, collisions, a_frame_that_is_never_done, a_kick_that_gets_lost,
                a_position_that_gets_lost, a_position_at_random),
    "cplus": (given_up_in_descriptors, a_descriptor_that_is_never_done, a_doorbell_that_gets_lost,
              a_chip_without_descriptors_leaves_programs_to_the_kernel),
}

if __name__ == "__main__":
    cases.main(*OF_A_MODE[MODE], errors_of_the_bus, overflows_and_errors_in_isr,
               events_that_nobody_knows, a_link_that_is_not_there, one_word_of_all_ones, a_reset_that_does_not_end,
               a_reset_that_does_not_end_without_a_link, all_of_it_at_random, wire=Stage)
