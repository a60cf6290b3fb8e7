#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 300 1500
# log: NETDEV WATCHDOG
"""The machine goes to sleep, and wakes up with a card that has forgotten all; it goes off; and the bus finds
an error of the card, and resets it.

The bus does to the card what it does then (bus_power.ko); with all of the machine, sleep.py does. In
between the card is reset, and loses its place on the bus."""

import contextlib
import fcntl
import os
import struct
import time

import cases
from frames import Tap, frame
from interrupts import line_on, poll_on
from nic import MODE, OURS, PEER4, SLOW, SUBJECT, Wire, lib, unload, wait_for, write
from overflow import starved
from removable import Traffic, gone, pings
from udp import sockets

TIMES = 100 if os.environ.get("RPACKET_FULL") == "1" else 3
RCR, MAR, COMMAND, IMR = 0x44, 0x08, 0x37, 0x3C
ALL = 1  # of RCR: all unicast
RESET, RECEIVER, TRANSMITTER = 0x10, 0x08, 0x04
BARS = range(0x10, 0x18, 4)
ENODEV, SIOCOUTQ = "No such device", 0x5411


class Bed(Wire):
    """The wire, and who puts the card to sleep."""

    def set_up(self):
        super().set_up()
        lib.sh(f"insmod {lib.MODULES}-tests/bus_power.ko device={self.card.address}")

    def close(self):
        unload("bus_power")
        super().close()

    @staticmethod
    def bus(step):
        write("/sys/module/bus_power/parameters/to", step)

    def forget(self):
        """As without power: reset, and not to be found on the bus."""
        self.card.poke(COMMAND, 1, RESET)
        with open(f"{self.card.sys}/config", "r+b", buffering=0) as config:
            for offset, size in ((4, 2), *((bar, 4) for bar in BARS)):
                config.seek(offset)
                config.write(bytes(size))

    @contextlib.contextmanager
    def asleep(self):
        self.bus("suspend")
        try:
            yield
        finally:
            self.forget()
            self.bus("resume")

    def is_silent(self):
        """It neither sends, nor writes to memory, nor interrupts."""
        card = self.card
        on = card.peek(COMMAND, 1) & (RECEIVER | TRANSMITTER)
        assert not on, f"receiver or transmitter is on: {on:#x}"
        assert card.peek(IMR, 2) == 0, "an interrupt is enabled"
        before, interrupts = self.dut.counters(), card.interrupts
        time.sleep(0.2 * SLOW)
        assert self.dut.counters() == before and card.interrupts == interrupts, "something came or went"


@cases.c_differs("its poll may still run when it sleeps, and then enables the interrupts again")
def sleeps_and_wakes_under_traffic(wire):
    """Over and over: for its user the interface is up all the time, and works again at once."""
    times = TIMES
    with Traffic(wire) as traffic:
        for _ in range(times):
            traffic.flows()
            with wire.asleep():
                wire.is_silent()
                assert "UP" in wire.dut.link()["flags"], "the interface has gone down"
            wire.wait_link()
            traffic.flows()
    pings(wire)
    return f"{times} times"


def late_poll(wire):
    """The poll is due when the card goes to sleep, and its thread gets no time until the card sleeps, unless
    the driver waits for it."""
    with line_on(wire, 0), poll_on(wire, 1), Tap(wire.peer, 0) as source:
        wire.wait_link()
        with starved(1):
            interrupts = wire.card.interrupts
            source.send(frame(wire.dut.mac, wire.peer.mac, 300, 1))
            time.sleep(0.05)
            interrupts = wire.card.interrupts - interrupts
            wire.bus("suspend")
        try:
            time.sleep(0.2 * SLOW)
            wire.is_silent()
            lib.require(interrupts, "the card has interrupted")
        finally:
            wire.forget()
            wire.bus("resume")
        wire.wait_link()
    pings(wire)


@cases.c_differs("it does not wait for the poll, which enables the interrupts again")
def a_poll_that_is_late_does_not_wake_the_card(wire):
    """What was due before it went to sleep has ended."""
    late_poll(wire)


@cases.c_differs("it forgets where in its ring that is, and does not free it")
def what_was_not_sent_is_freed(wire):
    """A packet that the card has when it goes to sleep: it leaves or does not, and its sender is told either way."""
    sender, receiver = sockets("peer", PEER4)

    def waiting():
        return struct.unpack("i", fcntl.ioctl(sender, SIOCOUTQ, bytes(4)))[0]

    with sender, receiver:
        sender.send(b"who are you?")
        receiver.recvmsg(100)
        wait_for("nothing to wait", lambda: not waiting())
        wire.card.poke(COMMAND, 1, RECEIVER)
        sender.send(bytes(1000))
        # In the classic mode ours has copied it.
        lib.equal((SUBJECT, MODE) != (OURS, "classic"), bool(waiting()), "whether it waits")
        with wire.asleep():
            pass
        wire.wait_link()
        wait_for("the packet to be freed", lambda: not waiting(), 3)
    pings(wire)


def what_is_set_meanwhile_is_set(wire):
    """The stack does not tell a driver of a filter that changes while its card sleeps."""
    with wire.asleep():
        wire.dut.set("promisc", "on")
    try:
        wait_for("the filter", lambda: wire.card.peek(RCR, 4) & ALL)
    finally:
        wire.dut.set("promisc", "off")
    wait_for("the filter to go", lambda: not wire.card.peek(RCR, 4) & ALL)


def what_was_set_is_set_again(wire):
    """The receiver accepts what it accepted."""
    wire.dut.set("mtu", "1400", "allmulticast", "on")
    before = [wire.card.peek(offset, 4) for offset in (RCR, MAR, MAR + 4)]
    try:
        with wire.asleep():
            pass
        wire.wait_link()
        after = [wire.card.peek(offset, 4) for offset in (RCR, MAR, MAR + 4)]
        assert after == before, f"{after} instead of {before}"
        assert wire.dut.link()["mtu"] == 1400
    finally:
        wire.dut.set("mtu", "1500", "allmulticast", "off")
    pings(wire)


# Configuration 3 and 5, with the bits of what wakes.
WAKE = ((0x59, 0x30), (0xD8, 0x70))


@cases.c_differs("it is armed while it is up already")
def what_is_to_wake_it_is_looked_for_asleep(wire):
    """Only then, up or down, and not any more when the machine is awake."""
    def armed():
        return [wire.card.peek(register, 1) & bits for register, bits in WAKE]

    def sleep(expected):
        lib.equal([0, 0], armed(), "what is armed before")
        wire.bus("suspend")
        wire.is_silent()
        lib.equal(expected, armed(), "what is armed asleep")
        wire.bus("resume")
        lib.equal([0, 0], armed(), "what is armed awake")

    name = wire.dut.name
    sleep([0, 0])
    try:
        for letters, expected in (("g", [0x20, 0]), ("pm", [0x10, 0x20]), ("ub", [0, 0x50])):
            wire.dut.ethtool("-s", name, "wol", letters)
            sleep(expected)
        wire.wait_link()
        wire.dut.set("down")
        sleep([0, 0x50])
    finally:
        wire.dut.ethtool("-s", name, "wol", "d")
    sleep([0, 0])
    pings(wire)


def down_and_asleep(wire):
    """Nothing can be brought up that is not there; awake, it can."""
    wire.dut.set("down")
    with wire.asleep():
        if SUBJECT == OURS:
            try:
                wire.dut.set("up")
                raise lib.Failure("a card that sleeps was brought up")
            except RuntimeError as error:
                assert ENODEV in str(error), error
    assert not wire.dut.carrier()
    pings(wire)


def bound_anew_after(step, wire):
    """The card is silent, its driver can go, and both work when they are together again."""
    with Traffic(wire) as traffic:
        traffic.flows()
        wire.bus(step)
        wire.is_silent()
        wire.card.unbind()
        gone(wire.card)
        wire.card.bind(wire.subject)
        traffic.flows()
    pings(wire)


@cases.c_differs("as above: its poll may enable the interrupts again")
def taken_away_asleep(wire):
    """The driver can go while the card sleeps."""
    bound_anew_after("suspend", wire)


@cases.c_differs("it has no shutdown(), and the card goes on to write to memory")
def the_machine_goes_off(wire):
    """Whatever comes next has the memory for itself."""
    bound_anew_after("shutdown", wire)


def recovers(wire):
    """Takes the card through the recovery of an error on the bus."""
    wire.bus("frozen")
    wire.is_silent()
    wire.forget()
    wire.bus("reset")
    wire.bus("recovered")


def an_error_on_the_bus(wire):
    """Frames come and go again after the reset that the driver asks for; up or down."""
    if SUBJECT != OURS:
        raise lib.Skip("it has no error handlers")
    with Traffic(wire) as traffic:
        for _ in range(TIMES):
            traffic.flows()
            recovers(wire)
            wire.wait_link()
            traffic.flows()
    wire.dut.set("down")
    recovers(wire)
    pings(wire)


def an_error_for_good(wire):
    """The driver lets go of the card, and can be unbound."""
    if SUBJECT != OURS:
        raise lib.Skip("it has no error handlers")
    bound_anew_after("dead", wire)


if __name__ == "__main__":
    cases.main(sleeps_and_wakes_under_traffic, a_poll_that_is_late_does_not_wake_the_card,
               what_was_not_sent_is_freed, what_is_set_meanwhile_is_set, what_was_set_is_set_again,
               what_is_to_wake_it_is_looked_for_asleep, down_and_asleep, taken_away_asleep, the_machine_goes_off, an_error_on_the_bus, an_error_for_good,
               wire=Bed)
