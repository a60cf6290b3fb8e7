#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 180
"""The card's own address: where it comes from, and what changing it does."""

import subprocess

import cases
from filter import Ends
from frames import HOST, OTHERHOST, Tap
from nic import format_mac, wait_for

NEW = bytes.fromhex("02005e10a1b2")


def registers(wire):
    """The address that the chip itself holds, byte by byte from IDR0 to IDR5."""
    return bytes(wire.card.peek(offset, 1) for offset in range(6))


def refresh(wire):
    """Make the peer forget which address the dut had."""
    wire.peer.ip("neighbour", "flush", "dev", wire.peer.name)


def speaks_and_listens_as(wire, mac, former):
    """Frames leave with the address, frames to it arrive, those to the former one do not."""
    assert wire.dut.mac == mac
    assert registers(wire) == mac, "the chip holds another address"
    refresh(wire)
    with Tap(wire.peer, 0x0800) as tap:
        wait_for("an answer", wire.answers)
        sources = {data[6:12] for data, _ in tap.drain(0.1)}
    assert sources == {mac}, f"frames came from {[format_mac(one) for one in sources]}"
    with Ends(wire) as ends:
        arrived = ends.settles([], former) if former != mac else {}
        assert not arrived
        wire.dut.set("promisc", "on")
        try:
            assert ends.settles([former], former)[former] == (HOST if former == mac else OTHERHOST)
        finally:
            wire.dut.set("promisc", "off")


def address_comes_from_the_eeprom(wire):
    """Words 7 to 9 of QEMU's EEPROM image hold what -device mac= said."""
    expected = bytes.fromhex("525400000001")
    assert wire.dut.mac == expected, format_mac(wire.dut.mac)
    assert format_mac(expected) in wire.dut.ethtool("-P", wire.dut.name), "permanent address"
    speaks_and_listens_as(wire, expected, expected)


def changed_while_down(wire):
    """The usual way: down, change, up."""
    old = wire.dut.mac
    wire.dut.set("down")
    wire.dut.set("address", format_mac(NEW))
    wire.up()
    speaks_and_listens_as(wire, NEW, old)
    wire.dut.set("down")
    wire.dut.set("address", format_mac(old))
    wire.up()
    speaks_and_listens_as(wire, old, NEW)


def changed_while_up(wire):
    """The chip's filter follows at once, and traffic goes on."""
    old = wire.dut.mac
    wire.dut.set("address", format_mac(NEW))
    speaks_and_listens_as(wire, NEW, old)
    wire.dut.set("address", format_mac(old))
    speaks_and_listens_as(wire, old, NEW)


def addresses_that_no_card_may_have_are_refused(wire):
    """A group address and zero; the old one stays in the chip and in use."""
    old = wire.dut.mac
    for bad in ("01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
        done = subprocess.run(["ip", "link", "set", "dev", wire.dut.name, "address", bad],
                              capture_output=True, text=True, check=False)
        assert done.returncode, f"{bad} was accepted"
        assert "Cannot assign requested address" in done.stderr, done.stderr
    speaks_and_listens_as(wire, old, old)


def binding_anew_reads_the_eeprom_again(wire):
    """A changed address does not outlive the driver."""
    old = wire.dut.mac
    wire.dut.set("address", format_mac(NEW))
    wire.card.unbind()
    wire.card.bind(wire.subject)
    assert wire.dut.mac == old, format_mac(wire.dut.mac)
    wire.up()
    speaks_and_listens_as(wire, old, NEW)


if __name__ == "__main__":
    cases.main(address_comes_from_the_eeprom, changed_while_down, changed_while_up,
               addresses_that_no_card_may_have_are_refused, binding_anew_reads_the_eeprom_again)
