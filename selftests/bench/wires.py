# SPDX-License-Identifier: GPL-2.0
"""Four cards of the same model on one wire, one for each driver, and for ours one in each mode, and one peer:
what is timed is compared within one boot, round by round, with nothing bound or loaded in between.

For VMs with --nics of subjects.NICS, whose cards have an interrupt line each. Each interface is in a namespace
of its own, which has the name of its subject (subjects.py); the peer is in "peer".
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "drivers"))
# pylint: disable=wrong-import-position
from nic import DUT_IDS, PEER_IDS, Port, cards, ip, lib, load, show_old_revision, unload, wait_for, write
from subjects import DRIVERS, driver_of, mode_of

# The register with the position of the driver in the receive ring, less 16.
CAPR = 0x38


def let_go(card):
    """The frames that QEMU holds back for a card, which no driver has, are lost: they come when the ring's
    position is written, which 8139too does only after one has come, and without a receiver the card throws
    them away."""
    card.poke(CAPR, 2, 0xFFF0)


class Wires:
    """A context manager: `ports` are the drivers' interfaces by name, `peer` is the other end; `dead` are
    drivers that do not even come up again."""

    def __enter__(self):
        self.ports, self.namespaces, self.dead = {}, [], set()
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def set_up(self):
        self.cards = dict(zip(DRIVERS, cards(DUT_IDS)))
        lib.require(len(self.cards) == len(DRIVERS), "there is a card for each driver")
        load("e1000", "InterruptThrottleRate=0")
        peer = cards(PEER_IDS)[0]
        name = wait_for("the peer's interface", lambda: peer.name)
        self.peer = self.move(name, "peer")
        for driver, card in self.cards.items():
            if driver == "8139too":
                show_old_revision(card)
            self.attach(driver)
            self.peer.ip("address", "add", f"{self.peer_address(driver)}/24", "dev", self.peer.name)
        lines = [card.irq for card in (peer, *self.cards.values())]
        lib.require(len(set(lines)) == len(lines), f"each card has a line of its own: {lines}")
        for driver in self.cards:
            if not self.comes(driver):
                self.revive(driver)

    def attach(self, driver):
        """Binds a driver to its card, and gives the interface its place and address."""
        card = self.cards[driver]
        card.mode = mode_of(driver)
        port = self.move(card.bind(driver_of(driver)), driver)
        port.ip("address", "add", f"{self.address(driver)}/24", "dev", port.name)
        self.ports[driver] = port
        # The kernel deals the lines out to the CPUs in turns, each time one is bound; the generator's CPU is
        # the first, and who shares it holds the sender up.
        write(f"/proc/irq/{card.irq}/smp_affinity_list", os.cpu_count() - 1)

    def move(self, name, namespace):
        """The interface in a namespace of its own, up."""
        if namespace not in self.namespaces:
            ip("netns", "add", namespace)
            self.namespaces.append(namespace)
        ip("link", "set", "dev", name, "netns", namespace)
        port = Port(name, namespace)
        lib.sh(f"ip netns exec {namespace} sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1")
        port.set("up")
        return port

    @staticmethod
    def address(driver):
        return f"10.81.{DRIVERS.index(driver)}.1"

    @staticmethod
    def peer_address(driver):
        return f"10.81.{DRIVERS.index(driver)}.9"

    def answers(self, driver):
        """Whether one ping is answered over this driver's card."""
        return subprocess.run(
            ["ip", "netns", "exec", driver, "ping", "-n", "-q", "-c1", "-W", "0.5",
             self.peer_address(driver)], capture_output=True, check=False).returncode == 0

    def revive(self, driver):
        """Binds a driver that has stalled anew; the next workload shall not suffer for it."""
        self.cards[driver].unbind()
        let_go(self.cards[driver])
        self.attach(driver)
        self.dead.discard(driver)
        if not self.comes(driver):
            self.dead.add(driver)

    def comes(self, driver):
        """Whether frames get through, within ten seconds."""
        return any(self.answers(driver) for _ in range(20))

    def close(self):
        # First, wherever the interfaces are: a program that a driver let down may hold its namespace.
        for card in cards(DUT_IDS):
            card.unbind()
            card.override(None)
        for namespace in self.namespaces:
            ip("netns", "delete", namespace, check=False)
        for module in (*dict.fromkeys(map(driver_of, DRIVERS)), "e1000", "pci_revision"):
            if lib.loaded(module):
                unload(module)
