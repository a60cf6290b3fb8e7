#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# modes: cplus classic
# remaps: yes
# qtest: yes
# timeout: 300
# log: NETDEV WATCHDOG
"""The card loses its place on the bus while it is up: its memory space, its address, or that it is a bus master.

It gets that back, and nothing old is delivered."""

import time

import cases
from behind import COMMAND, RECEIVER, TRANSMITTER, Stage, Tap, Traffic
from frames import frame
from nic import lib, wait_for

MEMORY, MASTER = 2, 4  # bits of the command register in configuration space
BASE_ADDRESS = 0x14  # of the region in memory
# How long the driver may take to notice what no interrupt says: it looks every 8 seconds, to the second.
CARE = 10


def command_bits(card, clear=0):
    """Clears bits of the command register on the bus; returns what it was before."""
    with open(f"{card.sys}/config", "r+b", buffering=0) as config:
        config.seek(4)
        command = int.from_bytes(config.read(2), "little")
        if clear:
            config.seek(4)
            config.write((command & ~clear).to_bytes(2, "little"))
    return command


def address(card, move_by=0):
    """Where the card answers in memory; moves it."""
    with open(f"{card.sys}/config", "r+b", buffering=0) as config:
        config.seek(BASE_ADDRESS)
        base = int.from_bytes(config.read(4), "little")
        if move_by:
            config.seek(BASE_ADDRESS)
            config.write((base + move_by).to_bytes(4, "little"))
    return base


def resets(stage):
    """What the driver has counted of them."""
    return stage.dut.ethtool_stats()["resets"]


def under_load(stage):
    """Noticed by what goes wrong, or by the clock; a reset is counted, and frames come again."""
    for bit in (MEMORY, MASTER):
        before = resets(stage)
        with Traffic(stage) as traffic:
            time.sleep(0.2)
            command_bits(stage.card, bit)
            wait_for("the bit to be set again", lambda bit=bit: command_bits(stage.card) & bit, 2 * CARE)
            time.sleep(0.3)
        stage.works()
        assert resets(stage) > before, "no reset was counted"
        lib.diag(f"without {'memory' if bit == MEMORY else 'master'}: "
                 f"{traffic.moved('dut', 'rx_errors')} errors, "
                 f"{traffic.moved('ours', 'rx_discarded_bytes')} bytes given up")


def moved_under_load(stage):
    """Another program gives the card another address: it is put back, and nothing that was in the ring before
    comes twice."""
    base = address(stage.card)
    for move_by in (0x1000, 0x100):
        before = resets(stage)
        with Traffic(stage):
            time.sleep(0.2)
            address(stage.card, move_by)
            wait_for("the card to be put back", lambda: address(stage.card) == base, 2 * CARE)
            time.sleep(0.3)
        stage.works()
        assert resets(stage) > before, "no reset was counted"


def moved_while_it_is_taken_down(stage):
    """It does not go on to write to memory that is freed; and it works when it goes up again."""
    base = address(stage.card)
    for _ in range(3):
        with Traffic(stage):
            time.sleep(0.1)
            address(stage.card, 0x1000)
            stage.dut.set("down")
            lib.equal(address(stage.card), base, "address")
            on = stage.card.peek(COMMAND, 1) & (RECEIVER | TRANSMITTER)
            assert not on, f"receiver or transmitter is on: {on:#x}"
            address(stage.card, 0x1000)
            stage.dut.set("up")
            lib.equal(address(stage.card), base, "address")
            stage.wait_link()
        stage.works()


def with_the_line_held(stage):
    """A frame has come, its interrupt is not answered yet, and the card does not hear the answer: the line
    is released long before the kernel would give it up ("nobody cared", after 100000 interrupts)."""
    data = frame(stage.dut.mac, stage.peer.mac, 200, 1)
    for round_ in range(5):
        before, interrupts = resets(stage), stage.card.interrupts
        with stage.silent():
            for _ in range(round_ + 1):
                stage.source.send(data)
            command_bits(stage.card, MEMORY)
        # It may interrupt now, and does.
        wait_for("a reset", lambda before=before: resets(stage) > before, CARE)
        came = stage.card.interrupts - interrupts
        assert came < 1000, f"{came} interrupts"
        stage.works()
    return f"{came} interrupts in the last round"


def on_a_quiet_wire(stage):
    """What is read of such a card is nothing that it says, and the frames that are still in the ring were
    delivered before."""
    data = frame(stage.dut.mac, stage.peer.mac, 504, 7)
    with Tap(stage.dut) as sink:
        for _ in range(100):
            stage.source.send(data)
            lib.require(sink.receive(), "the wire works")
        before = resets(stage)
        command_bits(stage.card, MEMORY)
        wait_for("a reset", lambda: resets(stage) > before, CARE)
        old = sink.drain(0.5, 1000)
    assert not old, f"{len(old)} old frames were delivered"
    stage.works()


def while_it_is_taken_down(stage):
    """It hears that it is to stop, and works when it goes up again."""
    for bits in (MEMORY, MASTER, MEMORY | MASTER):
        command_bits(stage.card, bits)
        stage.dut.set("down")
        command_bits(stage.card, bits)
        stage.dut.set("up")
        stage.wait_link()
        stage.works()


if __name__ == "__main__":
    cases.main(under_load, moved_under_load, moved_while_it_is_taken_down, with_the_line_held, on_a_quiet_wire,
               while_it_is_taken_down, wire=Stage)
