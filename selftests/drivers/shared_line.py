#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 240
# nics: rtl8139,e1000,rtl8139+addr=0x14
"""Two cards on one interrupt line: each handler takes what is its card's and nothing else.

Slots whose numbers differ by four share the line of pin A on this machine."""

import contextlib
import time

import cases
from frames import flood, frame
from nic import (DUT_IDS, OURS, PEER4, SLOW, SUBJECT, Port, Wire, cards, ip, lib, load, loaded,
                 wait_for)
from ping import Pinger

SECOND, SECOND6 = "10.8.13.2", "fd00:8139::2"


class TwoWires(Wire):
    """The first card is set up as ever; the second one lives in a namespace of its own."""

    def set_up(self):
        super().set_up()
        lib.require(len(cards(DUT_IDS)) == 2, "the machine has two cards")
        self.second = cards(DUT_IDS)[1]
        self.add_second(self.subject)
        # The number of the line is known once the device has been enabled.
        lib.require(self.second.irq == self.card.irq,
                    f"the cards share a line: {self.card.irq}, {self.second.irq}")

    def add_second(self, driver):
        """Give the second card to a driver, and its interface an address in its namespace."""
        name = self.second.bind(driver)
        ip("netns", "add", "second")
        ip("link", "set", "dev", name, "netns", "second")
        self.other = Port(name, "second")
        self.configure(self.other, SECOND, SECOND6)
        wait_for("an answer on the second card", lambda: self.second_answers(0))

    def remove_second(self):
        """Unbind the second card; its interface ends in its namespace."""
        self.second.unbind()
        ip("netns", "delete", "second")

    def second_answers(self, size, seed=1):
        """Whether the peer echoes over the second card."""
        try:
            Pinger("second", PEER4).echo(size, seed, 0.5)
            return True
        except (AssertionError, OSError):
            return False

    def close(self):
        if hasattr(self, "other"):
            with contextlib.suppress(OSError):
                self.second.unbind()
            ip("netns", "delete", "second", check=False)
        super().close()


def both_work(wire):
    """Echoes over one card and over the other, in turn."""
    first, second = Pinger(None, PEER4), Pinger("second", PEER4)
    for seed, size in enumerate((0, 18, 500, 1472) * 5):
        first.echo(size, 1000 + seed)
        second.echo(size, 2000 + seed)


def both_cards_are_on_the_line(wire):
    """The precondition of everything else here."""
    line, names = wire.card.handlers()
    assert len(names) == 2 and wire.dut.name in names, names
    assert line, "the line has never interrupted"
    both_work(wire)
    assert wire.card.interrupts > line


@contextlib.contextmanager
def both_flooded(wire):
    """Traffic to both cards at once."""
    peer_mac = wire.peer.mac
    with flood(wire.peer, frame(wire.dut.mac, peer_mac, 400, 1), 0.001, 8), \
            flood(wire.peer, frame(wire.other.mac, peer_mac, 400, 2), 0.001, 8):
        yield


def both_under_load_at_once(wire):
    """Each receives its own frames; the line is neither silent nor storming."""
    ports = (wire.dut, wire.other)
    with both_flooded(wire):
        before, line = [port.counters() for port in ports], wire.card.interrupts
        time.sleep(1.5)
        after, line = [port.counters() for port in ports], wire.card.interrupts - line
    got = [new["rx_packets"] - old["rx_packets"] for new, old in zip(after, before)]
    assert min(got) > 50, f"{got} frames were received"
    assert 0 < line <= 2 * sum(got), f"{line} interrupts for {got} frames"
    both_work(wire)
    return f"{line} interrupts for {got[0]} + {got[1]} frames"


def one_goes_down_while_the_other_works(wire):
    """Its handler leaves the line; the other one does not notice."""
    with both_flooded(wire):
        for _ in range(4 // SLOW):
            wire.other.set("down")
            assert wire.card.handlers()[1] == [wire.dut.name]
            before = wire.dut.counters()["rx_packets"]
            wait_for("frames on the first card",
                     lambda: wire.dut.counters()["rx_packets"] > before + 20)
            wire.configure(wire.other, SECOND, SECOND6)
            before = wire.other.counters()["rx_packets"]
            wait_for("frames on the second card",
                     lambda: wire.other.counters()["rx_packets"] > before + 20)
    both_work(wire)


def one_is_unbound_while_the_other_works(wire):
    """Removal under traffic with the line still in use."""
    with both_flooded(wire):
        for _ in range(4 // SLOW):
            wire.remove_second()
            before = wire.dut.counters()["rx_packets"]
            wait_for("frames on the first card",
                     lambda: wire.dut.counters()["rx_packets"] > before + 20)
            wire.add_second(wire.subject)
    both_work(wire)


def beside_the_c_driver_on_the_same_line(wire):
    """Its handler and ours call no interrupt their own that is the other's."""
    if SUBJECT != OURS:
        raise lib.Skip("the subject is the C driver already")
    if not loaded("8139cp"):
        load("8139cp")
    wire.remove_second()
    wire.add_second("8139cp")
    try:
        both_under_load_at_once(wire)
    finally:
        wire.remove_second()
        wire.add_second(wire.subject)
    both_work(wire)


if __name__ == "__main__":
    cases.main(both_cards_are_on_the_line, both_under_load_at_once,
               one_goes_down_while_the_other_works, one_is_unbound_while_the_other_works,
               beside_the_c_driver_on_the_same_line, wire=TwoWires)
