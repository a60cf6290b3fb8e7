#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# debug: chosen
# timeout: 240 900
# leak-scan: yes
"""Up and down: what exists only while the interface is up, and loops of it under traffic."""

import glob
import time

import cases
from frames import Tap, flood, frame
from nic import lib, read, times, wait_for

INTERRUPT_MASK, INTERRUPT_STATUS = 0x3C, 0x3E


def the_line_belongs_to_the_card_only_while_up(wire):
    """The interrupt handler comes with up and goes with down, and bears the interface's name."""
    name = wire.dut.name
    for _ in range(3):
        assert wire.card.handlers()[1] == [name], f"up: {wire.card.handlers()}"
        wire.dut.set("down")
        assert not wire.card.handlers()[1], f"down: {wire.card.handlers()}"
        wire.up()


def a_card_that_is_down_neither_receives_nor_interrupts(wire):
    """Frames for it pass by: the receiver is off, and so is the interrupt."""
    wire.dut.set("down")
    try:
        before, interrupts = wire.dut.counters(), wire.card.interrupts
        with flood(wire.peer, frame(wire.dut.mac, wire.peer.mac, 200, 1), 0.001, 4) as sender:
            wait_for("frames to be sent", lambda: sender.count > 200)
        assert wire.dut.counters() == before, "a card that is down has counted"
        assert wire.card.interrupts == interrupts, "a card that is down has interrupted"
        # Bits 2 and 3 of the command register: transmitter and receiver.
        assert not wire.card.peek(0x37, 1) & 0x0C, "transmitter or receiver is on"
        assert wire.card.peek(INTERRUPT_MASK, 2) == 0, "an interrupt is enabled"
    finally:
        wire.up()


@cases.c_differs("it acknowledges what was not reported, and leaves what was")
def a_card_that_is_down_has_nothing_to_report(wire):
    """An event of the time before is acknowledged on the way down, also one that has not interrupted."""
    with Tap(wire.peer, 0) as source:
        wire.card.poke(INTERRUPT_MASK, 2, 0)
        source.send(frame(wire.dut.mac, wire.peer.mac, 200, 1))
        wait_for("a frame that is reported", lambda: wire.card.peek(INTERRUPT_STATUS, 2) & 1)
        wire.dut.set("down")
    try:
        lib.equal(0, wire.card.peek(INTERRUPT_STATUS, 2), "what a card that is down reports")
    finally:
        wire.up()


def counters_outlive_down_and_up(wire):
    """They belong to the interface, not to one time of its being up."""
    wait_for("an answer", wire.answers)
    before = wire.dut.counters()
    assert before["rx_packets"] and before["tx_packets"]
    wire.dut.set("down")
    assert wire.dut.counters()["rx_packets"] >= before["rx_packets"]
    wire.up()
    after = wire.dut.counters()
    for column in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"):
        assert after[column] > before[column], f"{column} began anew"


def twenty_times_under_traffic(wire):
    """Floods in both directions meanwhile; after each up frames come and go again."""
    rounds = times(20)
    to_dut = frame(wire.dut.mac, wire.peer.mac, 1000, 1)
    to_peer = frame(wire.peer.mac, wire.dut.mac, 1000, 2)
    with flood(wire.peer, to_dut, 0.0005, 8) as receiving, \
            flood(wire.dut, to_peer, 0.0005, 8) as sending, Tap(wire.peer) as there:
        started = (receiving.count, sending.count)
        for number in range(rounds):
            wire.dut.set("down")
            wire.dut.set("up")
            before = wire.dut.counters()
            wait_for(f"frames to come after time {number}",
                     lambda: wire.dut.counters()["rx_packets"] > before["rx_packets"] + 8)
            wait_for(f"frames to go after time {number}",
                     lambda: wire.dut.counters()["tx_packets"] > before["tx_packets"] + 8)
        assert receiving.is_alive() and sending.is_alive()
        assert receiving.count > started[0] + 100 and sending.count > started[1] + 100
        for data, _ in there.drain(0.1, 2000):
            assert data == to_peer, f"a frame arrived changed: {data[:32].hex()}"
    wire.up()
    return f"{rounds} times"


def up_twice_and_down_twice_are_harmless(wire):
    """What scripts do."""
    for state in ("up", "up", "down", "down"):
        wire.dut.set(state)
    wire.up()


def the_transmit_queue_survives_a_stop_in_the_middle(wire):
    """Down while the queue is full, up: the queue runs, and its byte limit counts from zero."""
    limits = f"/sys/class/net/{wire.dut.name}/queues/tx-0/byte_queue_limits"
    if not glob.glob(f"{limits}/inflight"):
        raise lib.Skip("no byte queue limits in this kernel")
    data = frame(wire.peer.mac, wire.dut.mac, 1514, 3)
    for _ in range(5):
        with flood(wire.dut, data, 0, 64):
            wire.dut.set("down")
        assert read(f"{limits}/inflight") == "0", "bytes in flight on a card that is down"
        wire.up()
    time.sleep(0.1)
    wait_for("nothing in flight", lambda: read(f"{limits}/inflight") == "0")


if __name__ == "__main__":
    cases.main(the_line_belongs_to_the_card_only_while_up,
               a_card_that_is_down_neither_receives_nor_interrupts,
               a_card_that_is_down_has_nothing_to_report, counters_outlive_down_and_up,
               twenty_times_under_traffic, up_twice_and_down_twice_are_harmless,
               the_transmit_queue_survives_a_stop_in_the_middle)
