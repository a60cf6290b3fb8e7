#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# debug: chosen
# timeout: 180
# leak-scan: yes
"""The module: what it claims to drive, what it says, what it takes, and what it leaves."""

import os
import struct
import time

import cases
from nic import (DUT_IDS, OURS, SLOW, SUBJECT, cards, format_mac, lib, load, loaded, read, run,
                 wait_for)

CARD_MAC = bytes.fromhex("525400000001")


class Bus:
    """The card, free of any driver, and no module under test loaded; so left behind, too."""

    def __init__(self):
        self.card = cards(DUT_IDS)[0]

    def __enter__(self):
        for card in cards(DUT_IDS):
            card.unbind()
            card.override(SUBJECT if card.address == self.card.address else "none")
        self.unload()
        return self

    def __exit__(self, *_):
        self.unload()
        for card in cards(DUT_IDS):
            card.override(None)

    def load(self):
        """Load the module anew, and return the name of the interface that its probe made."""
        self.unload()
        load(SUBJECT)
        return wait_for("the interface", lambda: self.card.name)

    @staticmethod
    def unload():
        """Without waiting: nobody may hold a reference any more."""
        for module in (SUBJECT, OURS, "8139cp", "8139too"):
            if loaded(module):
                run("rmmod", module)


def module_path():
    """What modinfo and insmod take."""
    file = f"{lib.MODULES}/{SUBJECT}.ko"
    return file if os.path.exists(file) else SUBJECT


def kernel_log():
    """All lines so far."""
    return run("dmesg").splitlines()


def aliases(module):
    """The PCI aliases of a module."""
    return {line for line in run("modinfo", "-F", "alias", module).splitlines()
            if line.startswith("pci:")}


def every_card_of_the_c_drivers_is_claimed(_):
    """Each PCI alias of 8139too and of 8139cp, and none beyond those.

    8139too claims the 8129 where CONFIG_8139TOO_8129 is set, as it is in Debian's kernel."""
    if SUBJECT != OURS:
        raise lib.Skip("the C drivers divide the cards between them")
    ours, theirs = aliases(module_path()), aliases("8139too") | aliases("8139cp")
    assert len(theirs) > 20, f"only {len(theirs)} aliases of the C drivers"
    assert not theirs - ours, f"missing: {sorted(theirs - ours)}"
    more = ours - theirs - {"pci:v000010ECd00008129sv*sd*bc*sc*i*"}
    assert not more, f"not theirs: {sorted(more)}"
    return f"{len(ours)} aliases"


def the_module_says_what_it_is(_):
    """Licence, author and description; and it needs no other module but the kernel's own."""
    for field in ("license", "author", "description"):
        assert run("modinfo", "-F", field, module_path()).strip(), f"no {field}"
    assert "GPL" in run("modinfo", "-F", "license", module_path())
    if SUBJECT == OURS:
        depends = run("modinfo", "-F", "depends", module_path()).strip()
        assert not depends, f"a bare insmod fails without {depends}"


def loading_finds_the_card(bus):
    """The probe names card, address and line in the log; the interface is there, and quiet."""
    before = len(kernel_log())
    name = bus.load()
    assert bus.card.driver == SUBJECT
    assert read(f"/sys/class/net/{name}/address") == format_mac(CARD_MAC)
    assert bus.card.attribute("driver_override") == SUBJECT
    said = "\n".join(line for line in kernel_log()[before:] if "8139" in line)
    assert format_mac(CARD_MAC) in said, f"the log does not name the address: {said}"
    assert bus.card.address in said, f"the log does not name the card: {said}"
    flags = int(read(f"/sys/class/net/{name}/flags"), 16)
    assert not flags & 1, "the interface is up"
    assert not bus.card.handlers()[1], "the line is taken by an interface that is down"
    return said.splitlines()[-1]


def unloading_leaves_nothing(bus):
    """No module, interface, region, handler, or complaint in the log."""
    name = bus.load()
    run("ip", "link", "set", "dev", name, "up")
    before = len(kernel_log())
    run("rmmod", SUBJECT)
    assert not loaded(SUBJECT)
    assert bus.card.driver is None and bus.card.name is None
    assert not os.path.exists(f"/sys/class/net/{name}")
    assert not bus.card.handlers()[1]
    with open("/proc/iomem", encoding="ascii") as regions:
        assert SUBJECT not in regions.read(), "a region is still claimed"
    assert not os.path.exists(f"/sys/bus/pci/drivers/{SUBJECT}")
    # Off the bus: neither transmitter nor receiver on, no interrupt enabled, no bus master.
    assert not bus.card.peek(0x37, 1) & 0x0C and bus.card.peek(0x3C, 2) == 0
    complaints = [line for line in kernel_log()[before:] if "8139" in line and "rror" in line]
    assert not complaints, complaints


def an_unbound_card_may_not_write_to_memory(bus):
    """Bus mastering is off: a chip that nobody drives reaches no memory."""
    bus.load()
    run("rmmod", SUBJECT)
    with open(f"{bus.card.sys}/config", "rb") as config:
        command = struct.unpack_from("<H", config.read(64), 4)[0]
    assert not command & 4, f"the command register is {command:#06x}"


def again_and_again(bus):
    """Loaded, up, unloaded; the same address each time."""
    for _ in range(10 // SLOW):
        name = bus.load()
        assert read(f"/sys/class/net/{name}/address") == format_mac(CARD_MAC)
        run("ip", "link", "set", "dev", name, "up")
        wait_for("carrier", lambda path=f"/sys/class/net/{name}/carrier": read(path) == "1")
        run("rmmod", SUBJECT)


def a_card_that_is_another_s_is_left_alone(bus):
    """With driver_override for somebody else, loading binds nothing."""
    bus.unload()
    bus.card.override("none")
    try:
        load(SUBJECT)
        time.sleep(0.3)
        assert bus.card.driver is None and bus.card.name is None
    finally:
        bus.card.override(SUBJECT)
        run("rmmod", SUBJECT)


if __name__ == "__main__":
    cases.main(every_card_of_the_c_drivers_is_claimed, the_module_says_what_it_is,
               loading_finds_the_card, unloading_leaves_nothing,
               an_unbound_card_may_not_write_to_memory, again_and_again,
               a_card_that_is_another_s_is_left_alone, wire=Bus)
