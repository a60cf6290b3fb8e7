#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# sleeps: yes
# nics: rtl8139,e1000,rtl8139
# timeout: 300 2400
"""All of the machine goes to sleep (ACPI S3), and is woken from outside; and the kernel's own tests of the
way there. What a card has in its registers is lost; a second one, without a driver, shows that.

power.py is about the card alone, and what else the bus can do to it."""

import contextlib
import os
import socket

import cases
from frames import ETH_P_TEST_2, Tap, frame, pattern
from nic import DUT4, DUT_IDS, PEER4, SLOW, SUBJECT, Wire, cards, inside, lib, qmp, read, wait_for, write
from removable import CARD_MAC, Traffic, pings

FULL = os.environ.get("RPACKET_FULL") == "1"
TIMES = int(os.environ.get("SLEEPS") or (100 if FULL else 3))
POWER = "/sys/power"
IDR, MAR, RCR, CONFIG = 0x00, 0x08, 0x44, 0x50
UNLOCKED, LOCKED = 0xC0, 0x00
MINE, GROUP = "52:54:00:81:39:01", bytes.fromhex("01005e81390a")
FAMILY = 25
# In the order in which they come on the way down; each goes back from there.
LEVELS = ("freezer", "devices", "platform", "processors", "core") if FULL else ("devices", "core")


def sleep(level="none"):
    """The machine sleeps, and is awake when this returns; or it goes a part of the way."""
    before = qmp("count-sleeps")
    write(f"{POWER}/pm_test", level)
    try:
        write(f"{POWER}/state", "mem")
    finally:
        write(f"{POWER}/pm_test", "none")
    lib.equal(before + (level == "none"), qmp("count-sleeps"), "how often QEMU has seen the machine asleep")


class Connection:
    """A TCP connection between the two ends."""

    def __init__(self):
        with inside("peer"):
            listener = socket.create_server((PEER4, 5001))
        with listener:
            self.near = socket.create_connection((PEER4, 5001), 10 * SLOW, (DUT4, 0))
            self.far = listener.accept()[0]
        self.far.settimeout(10 * SLOW)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.near.close()
        self.far.close()

    def works(self, seed, size=20000):
        """Carries bytes in both directions."""
        for sender, receiver in ((self.near, self.far), (self.far, self.near)):
            data, got = pattern(size, seed), b""
            sender.sendall(data)
            while len(got) < size:
                part = receiver.recv(size - len(got))
                assert part, "the connection has ended"
                got += part
            assert got == data, "other bytes have arrived"


@contextlib.contextmanager
def family_tap(port):
    """A packet socket of our own family."""
    with lib.module("af_rpacket"), Tap(port, ETH_P_TEST_2, FAMILY) as tap:
        yield tap


def a_card_without_a_driver_forgets(wire):
    """What the tests here are worth: the registers are lost, so whoever has them has restored them."""
    assert "[deep]" in read(f"{POWER}/mem_sleep"), read(f"{POWER}/mem_sleep")
    spare = next(card for card in cards(DUT_IDS) if card.address != wire.card.address)
    lib.require(spare.driver is None, "the second card has no driver")
    first = spare.peek(IDR, 4)
    spare.poke(CONFIG, 1, UNLOCKED)
    spare.poke(IDR, 4, first ^ 0x01010000)
    spare.poke(CONFIG, 1, LOCKED)
    lib.require(spare.peek(IDR, 4) != first, "the register keeps what is written")
    sleep()
    lib.equal(first, spare.peek(IDR, 4), "the address register of the card")


@cases.c_differs("its poll may still run when it sleeps, and then enables the interrupts again")
def sleeps_and_wakes_under_traffic(wire):
    """Over and over. Frames, interrupts and counters go on from where they were; so do a TCP connection,
    and a packet socket of our family."""
    with Connection() as connection, family_tap(wire.dut) as tap, Tap(wire.peer, ETH_P_TEST_2) as sender, \
            Traffic(wire) as traffic:
        for number in range(TIMES):
            traffic.flows()
            connection.works(number)
            before, interrupts = wire.dut.counters(), wire.card.interrupts
            sleep()
            assert "UP" in wire.dut.link()["flags"], "the interface has gone down"
            wire.wait_link()
            traffic.flows()
            after = wire.dut.counters()
            less = [f"{name}: {after[name]} after {value}" for name, value in before.items() if after[name] < value]
            assert not less, less
            wait_for("an interrupt", lambda: wire.card.interrupts > interrupts)  # pylint: disable=W0640
            connection.works(TIMES + number)
            sender.send(frame(CARD_MAC, wire.peer.mac, 600, number, ETH_P_TEST_2))
            got = tap.receive(5 * SLOW)
            assert got and got[0][14:] == frame(CARD_MAC, CARD_MAC, 600, number)[14:], f"after sleep {number}: {got}"
    pings(wire)
    return f"{TIMES} times"


def what_was_set_is_set_again(wire):
    """MTU, address, and which frames the receiver accepts: in the registers, and by frames that arrive."""
    def registers():
        return {offset: wire.card.peek(offset, 4) for offset in (IDR, IDR + 4, MAR, MAR + 4, RCR)}
    wire.dut.set("mtu", "1400", "address", MINE)
    try:
        with Tap(wire.dut, ETH_P_TEST_2) as tap, Tap(wire.peer, ETH_P_TEST_2) as sender:
            tap.member(GROUP)
            before = registers()
            sleep()
            assert registers() == before, f"{registers()} instead of {before}"
            lib.equal((1400, MINE), (wire.dut.link()["mtu"], wire.dut.link()["address"]))
            wire.wait_link()
            # The second is for nobody here, and in another bucket of the filter.
            for address in (bytes.fromhex(MINE.replace(":", "")), CARD_MAC, GROUP):
                sender.send(frame(address, wire.peer.mac, 100, 1, ETH_P_TEST_2))
            arrived = [data[:6].hex(":") for data, _ in tap.drain(0.5 * SLOW)]
            lib.equal([MINE, GROUP.hex(":")], arrived, "what has arrived")
    finally:
        wire.dut.set("mtu", "1500", "address", CARD_MAC.hex(":"))
    pings(wire)


def the_link_goes_while_it_sleeps(wire):
    """The driver finds the link as it is now: a cable that was pulled at the last moment, and one that was put in."""
    card = f"nic{int(wire.card.address[8:10], 16) - 0x10}"
    for up in (False, True):
        qmp("set_link", name=card, up=up)
        sleep()
        wait_for(f"carrier {up}", lambda: wire.dut.carrier() == up)  # pylint: disable=W0640
    pings(wire)


def down_and_asleep(wire):
    """It stays down, and comes up when somebody wants that."""
    wire.dut.set("down")
    sleep()
    assert "UP" not in wire.dut.link()["flags"], "the interface has come up by itself"
    pings(wire)


def the_driver_can_go_after_a_sleep(wire):
    """Nothing of what it had is lost on the way; and it finds a card that it can drive."""
    sleep()
    wire.card.unbind()
    wire.card.bind(SUBJECT)
    pings(wire)


@cases.c_differs("as above: its poll may enable the interrupts again")
def goes_a_part_of_the_way(wire):
    """The kernel turns back at each step, with cards that have forgotten nothing."""
    write("/sys/module/suspend/parameters/pm_test_delay", 1)
    with Traffic(wire) as traffic:
        for level in LEVELS:
            traffic.flows()
            sleep(level)
            wire.wait_link()
            traffic.flows()
    pings(wire)


if __name__ == "__main__":
    cases.main(a_card_without_a_driver_forgets, sleeps_and_wakes_under_traffic, what_was_set_is_set_again,
               the_link_goes_while_it_sleeps, down_and_asleep, the_driver_can_go_after_a_sleep,
               goes_a_part_of_the_way, wire=Wire)
