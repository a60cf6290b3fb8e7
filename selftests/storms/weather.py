# SPDX-License-Identifier: GPL-2.0
"""Which actors make which storm, and how everything is put back and looked at afterwards."""
import contextlib
import os
import socket
import time

import fault_injection
import lib
from nic import OURS, Wire, format_mac, load, loaded, qmp, read, run, wait_for, write
from ping import PEER4, Pinger
from storms import card, device, links, sockets, traffic
from storms.engine import Crew, Storm

NAMES = ("eth0", "storm0", "storm1")
FULL = os.environ.get("RPACKET_FULL") == "1"
# Both families, by what the tests call them.
FAMILIES = {"af_rpacket": int(os.environ.get("RPACKET_FAMILY", "25")), "af_packet": socket.AF_PACKET}


def duration(short, full):
    """The seconds of a storm: minutes under `make test-full`."""
    return (full if FULL else short) * (1 if lib.KERNEL == "stock" else 1.5)


# ---- The actors ---------------------------------------------------------------------------------


def card_whereabouts():
    return device.Whereabouts((device.HERE, device.ROOM), NAMES, (card.CARD_MAC,))


def around_the_card(wire, at, hotplug=True):
    """Everything that can happen to the card and its interface."""
    one = wire.card
    return [
        card.Cable(at, one), device.UpDown(at), device.Settings(at), device.Filters(at),
        card.Refused(at, one), card.Ethtool(at, one), device.Mover(at), device.Ender(at),
        card.Binder(at, one), card.Loader(OURS), *([card.Slot(at, one)] if hotplug else []),
    ]


def through_the_card(wire, at, family, gate):
    """Frames in both directions, and compared."""
    return [
        traffic.FromPeer(wire.peer), traffic.AtPeer(wire.peer), traffic.Internet(at),
        traffic.FromCard(at, wire.peer, family, gate),
        *(traffic.AtCard(wire.peer, netns, family, gate) for netns in at.paths),
    ]


def programs(at, family, gate, unloads):
    """Processes, threads, signals; and the module of the family, if it is one."""
    return [
        sockets.Sockets(at, family, gate), sockets.Interrupted(at, family, gate),
        sockets.Killed(at, family, gate),
        Crew("crew", *(sockets.Sockets(at, family, gate, name) for name in ("a", "b", "c"))),
        *([sockets.FamilyLoader(gate)] if unloads else []),
    ]


def among_links(at, family, gate):
    """The same for devices of software."""
    return [
        links.Links(at), device.UpDown(at), device.Settings(at), device.Filters(at), device.Mover(at),
        links.Sender(at, gate), *(links.Receiver(path, family, gate) for path in at.paths),
    ]


# ---- Before and after ---------------------------------------------------------------------------


@contextlib.contextmanager
def namespaces(*names):
    """Named namespaces; what comes back from them when they end does so by itself."""
    for name in names:
        run("ip", "netns", "add", name)
    try:
        yield
    finally:
        for name in names:
            run("ip", "netns", "del", name)


@contextlib.contextmanager
def family_module(name="af_rpacket"):
    """The module of the family under test, if it is one; it can be unloaded afterwards at once."""
    ours = name == "af_rpacket"
    if ours:
        load(name)
    try:
        yield
    finally:
        if ours and loaded(name):
            unload_at_once(name)


def unload_at_once(name):
    """No reference is left when the last descriptor has been closed and the grace periods are over."""
    wait_for(f"{name} without users", lambda: read(f"/sys/module/{name}/refcnt") == "0")
    run("rmmod", name)
    with open("/proc/net/protocols", encoding="ascii") as file:
        assert "RPACKET" not in file.read(), "the protocol is still there"


class Harbour(Wire):
    """The wire of a storm: it ends with the card as it was, whatever the storm has left."""

    def put_back(self):
        """The card is in its slot and anyone's, and its cable is plugged; also after a storm that failed."""
        if not os.path.exists(self.card.sys):
            with contextlib.suppress(AssertionError):  # QEMU has it still, and the bus is to look.
                qmp("device_add", driver="rtl8139", id="nic0", netdev="net0", addr="0x10",
                    mac=format_mac(card.CARD_MAC))
            write("/sys/bus/pci/rescan", 1)
            wait_for("the card", lambda: os.path.exists(self.card.sys), 20)
        qmp("set_link", name="nic0", up=True)
        self.card.override(None)

    def close(self):
        self.put_back()
        super().close()

    def calm(self):
        """The interface works as the storm has left it, once what was set is set back."""
        self.put_back()
        if not loaded(self.subject):
            load(self.subject)
        if not self.card.driver:
            self.card.bind(self.subject)
        wait_for("the interface to be back in the initial namespace", lambda: self.card.name, 20)
        run("ethtool", "-s", self.dut.name, "autoneg", "on")
        self.dut.set("down")
        self.dut.set("mtu", "1500", "address", format_mac(card.CARD_MAC), "promisc", "off", "allmulticast", "off")
        if self.dut.name != NAMES[0]:
            self.dut.set("name", NAMES[0])
        self.up()
        pinger = Pinger(None, PEER4)
        for seed, size in enumerate((0, 18, 700, 1472)):
            pinger.echo(size, seed + 1)

    def unload_now(self):
        """rmmod needs no second try, and nothing of the interface is left."""
        run("rmmod", self.subject)
        assert not self.card.handlers()[1], "the interrupt is still requested"
        with open("/proc/iomem", encoding="ascii") as file:
            assert self.subject not in file.read(), "the registers are still claimed"
        load(self.subject)
        wait_for("the interface", lambda: self.card.name)
        self.up()


@contextlib.contextmanager
def faults(wanted, probability=2):
    """Of the allocations of tasks on the way through af_rpacket, so many percent fail."""
    if not wanted:
        yield
        return
    with contextlib.ExitStack() as stack:
        stack.enter_context(fault_injection.switched_on("af_rpacket"))
        folder = f"{fault_injection.DEBUGFS}/failslab"
        for name, value in (("verbose", 0), ("times", -1), ("interval", 1), ("probability", probability)):
            write(f"{folder}/{name}", value)
        stack.callback(write, f"{folder}/probability", 0)
        yield


def blow(actors, seconds):
    """A storm, and what everybody did."""
    storm = Storm(actors, seconds)
    began = time.monotonic()
    try:
        storm.run()
    finally:
        storm.report()
    lib.diag(f"{time.monotonic() - began:.0f} s")
