#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# timeout: 300
# log: NETDEV WATCHDOG
"""The card misbehaves, and traffic comes back by itself.

What goes wrong is done to the card's registers through its I/O BAR, which the driver does not use:
the transmitter or the receiver is switched off, the chip is reset, its ring pointers are moved.
"""

import contextlib
import os
import socket
import sys
import tempfile
import time

import cases
from frames import Tap, flood, frame, pattern
from nic import DUT4, MODE, OURS, PEER4, SLOW, SUBJECT, lib, wait_for
from tcp import Stream
from udp import sockets

sys.path.insert(0, lib.HERE)
import fail_call  # pylint: disable=wrong-import-position

COMMAND, RESET, RECEIVER, TRANSMITTER, BUFFER_EMPTY = 0x37, 0x10, 0x08, 0x04, 0x01
CAPR, CBR, RX_CONFIG, INTERRUPT_MASK = 0x38, 0x3A, 0x44, 0x3C
MAPPING, SO_NO_CHECK = "dma_map_page_attrs", 11
WATCHDOG = 20  # seconds; both drivers ask for about 6, and the kernel looks once in that time


def works_again(wire):
    """Pings and bulk, each way, and the registers are as they should be."""
    wait_for("an answer", wire.answers, 20)
    for to, address in ((None, DUT4), ("peer", PEER4)):
        Stream(to, address).transfer((1 << 20) // SLOW)
    assert wire.card.peek(COMMAND, 1) & (RECEIVER | TRANSMITTER) == RECEIVER | TRANSMITTER


def resets(wire):
    """What our driver has counted of them."""
    return wire.dut.ethtool_stats().get("resets", 0)


def times_out(wire, damage):
    """Damage the card, send until the watchdog barks, and see that all is well afterwards."""
    data = frame(wire.peer.mac, wire.dut.mac, 200, 1)
    before, counted = wire.dut.counters(), resets(wire)
    with Tap(wire.peer) as there, flood(wire.dut, data, 0.05, 1) as sender:
        wait_for("frames to arrive", there.receive)
        damage()
        started = time.monotonic()
        there.drain(0.3, 1000)
        assert there.receive(1.0) is None, "the card still sends: nothing was damaged"
        # The watchdog needs a queue that the driver has stopped: the flood goes on meanwhile.
        wait_for("frames to arrive again", lambda: there.receive(0.2), WATCHDOG)
        seconds = time.monotonic() - started
        assert sender.is_alive()
    works_again(wire)
    if SUBJECT == OURS:
        # By the watchdog, or by the driver, which looks after a receiver that stands still.
        assert resets(wire) > counted, "the reset was not counted"
        assert wire.dut.counters()["tx_errors"] > before["tx_errors"], "no transmit error counted"
    return f"sends again after {seconds:.1f} s"


def a_transmitter_that_stops_is_reset_by_the_watchdog(wire):
    """TE off: the chip ignores what it is told to send, and never says so."""
    def damage():
        wire.card.poke(COMMAND, 1, RECEIVER)
    return times_out(wire, damage)


def a_chip_that_forgets_everything_is_set_up_again(wire):
    """A software reset behind the driver's back: no rings, no mask, no filter."""
    def damage():
        wire.card.poke(COMMAND, 1, RESET)
    return times_out(wire, damage)


def the_watchdog_against_down_and_unbind(wire):
    """Down, and then away, while a reset is due or under way."""
    data = frame(wire.peer.mac, wire.dut.mac, 200, 1)
    for away in (False, True):
        with flood(wire.dut, data, 0.01, 4):
            wire.card.poke(COMMAND, 1, 0)
            time.sleep(6 if away else 0.2)
            wire.dut.set("down")
            if away:
                wire.card.unbind()
        if away:
            wire.card.bind(wire.subject)
        wire.up()
        works_again(wire)


def a_receive_ring_that_restarts_behind_the_driver_s_back(wire):
    """RxConfig written by somebody else: the chip model restarts its ring at zero.

    What the driver then finds where it looks is not a header but old bytes. It may lose frames; it
    may not deliver garbage, stall or crash."""
    data = frame(wire.dut.mac, wire.peer.mac, 777, 5)
    damaged = 0
    with Tap(wire.dut) as sink, flood(wire.peer, data, 0.002, 4):
        for _ in range(20 // SLOW):
            wire.card.poke(RX_CONFIG, 4, wire.card.peek(RX_CONFIG, 4))
            time.sleep(0.05)
            wait_for("a whole frame", lambda: (sink.receive(0.2) or (b"",))[0] == data)
        damaged = sum(1 for got, _ in sink.drain(0.1, 5000) if got != data)
    works_again(wire)
    return f"{damaged} damaged frames were delivered"


def a_read_pointer_that_is_moved(wire):
    """CAPR anywhere, also beyond the ring and unaligned, under traffic and on a quiet wire.

    The chip may take its ring for full then, and it says nothing any more."""
    data = frame(wire.dut.mac, wire.peer.mac, 333, 6)
    with Tap(wire.dut) as sink, flood(wire.peer, data, 0.002, 4):
        for value in (0, 4, 0x1001, 0x7FF0, 0x8000, 0xFFF0, 0xFFFF, 0x1234):
            wire.card.poke(CAPR, 2, value)
            time.sleep(0.05)
            wait_for("a whole frame", lambda: (sink.receive(0.2) or (b"",))[0] == data, 20)
    works_again(wire)
    # Now all but full: a few bytes behind where the chip writes.
    position = wire.card.peek(CBR, 2)
    wire.card.poke(CAPR, 2, position & 0xFFFF)
    works_again(wire)


def an_interrupt_out_of_the_blue(wire):
    """The software timer of the chip, every millisecond: acknowledged, and no storm."""
    mask, timer = wire.card.peek(INTERRUPT_MASK, 2), wire.card.peek(0x54, 4)
    interrupts = wire.card.interrupts
    try:
        wire.card.poke(0x54, 4, 33000)  # TimerInt: after about a millisecond
        wire.card.poke(INTERRUPT_MASK, 2, mask | 0x4000)
        wire.card.poke(0x48, 4, 0)  # TCTR: any write starts it anew
        time.sleep(0.2)
    finally:
        wire.card.poke(0x54, 4, timer)
        wire.card.poke(INTERRUPT_MASK, 2, mask)
        wire.card.poke(0x48, 4, 0)
    count = wire.card.interrupts - interrupts
    assert count, "the timer did not interrupt"
    assert count < 2000, f"{count} interrupts"
    works_again(wire)
    return f"{count} interrupts"


@cases.c_differs("the pieces before it stay the card's, which gets out of step with the driver, and sends nothing")
def a_mapping_that_fails_in_the_middle_of_a_frame(wire):
    """The frame is dropped and counted, the card gets nothing of it, and those after it leave at once."""
    if SUBJECT == OURS and MODE == "classic":
        raise lib.Skip("it maps nothing")
    sender, receiver = sockets("peer", PEER4)
    with sender, receiver, tempfile.TemporaryFile() as file, fail_call.Control() as control, \
            control.armed([(MAPPING, SUBJECT, -1)]):
        file.write(pattern(8192))
        file.flush()
        sender.send(b"who are you?")
        receiver.recvmsg(100)
        # For a checksum all of the packet would be copied to one piece.
        sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)

        def dropped():
            before = wire.dut.counters()["tx_dropped"]
            # The headers, and a piece of each page.
            control.say("fail", MAPPING, 3)
            os.sendfile(sender.fileno(), file.fileno(), 3500, 1000)
            failed = control.read()[0][MAPPING][1]
            control.say("fail", MAPPING, 0)
            return failed and wire.dut.counters()["tx_dropped"] == before + 1

        # What is received meanwhile is mapped, too.
        wait_for("a frame whose third mapping fails", dropped)
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                receiver.recvmsg(2000)

        def arrives(data):
            with contextlib.suppress(BlockingIOError):
                return receiver.recvmsg(2000)[0] == data

        for number in range(1, 6):
            sender.send(pattern(100, number))
            wait_for(f"datagram {number} after it", lambda: arrives(pattern(100, number)), 3 * SLOW)  # pylint: disable=W0640
    works_again(wire)


if __name__ == "__main__":
    cases.main(a_transmitter_that_stops_is_reset_by_the_watchdog,
               a_chip_that_forgets_everything_is_set_up_again,
               the_watchdog_against_down_and_unbind,
               a_receive_ring_that_restarts_behind_the_driver_s_back,
               a_read_pointer_that_is_moved, an_interrupt_out_of_the_blue,
               a_mapping_that_fails_in_the_middle_of_a_frame)
