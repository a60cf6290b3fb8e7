# SPDX-License-Identifier: GPL-2.0
"""The card under test, its peer, and the wire between them.

The VM has one or more RTL8139 cards and an Intel e1000 on one hub. The RTL8139 (the "dut") stays in
the initial network namespace, the e1000 (the "peer") lives in the namespace "peer", so that all
traffic between the two has to cross both cards. Which driver is bound to the dut is the parameter
SUBJECT of every test: rtl8139_rs, or 8139cp, the C driver, on the very same card; or 8139too, to which the
card is shown with another revision.
"""

import contextlib
import ctypes
import fcntl
import glob
import json
import os
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
# SLOW is for those that have the rest from here.
from lib import DUT4, DUT6, PEER4, PEER6, SLOW, load, loaded, unload  # noqa: F401

OURS = "rtl8139_rs"
# A test of more than the driver names its subject otherwise: the C driver goes with AF_PACKET.
SUBJECT = os.environ.get("SUBJECT") or OURS
SUBJECT = {"rpsniff": OURS, "af_rpacket": OURS, "af_packet": "8139cp"}.get(SUBJECT, SUBJECT)
# The way of a frame that our driver is to take; ours because a C driver has one.
MODE = os.environ.get("MODE") or "cplus"
CLASSIC_RINGS = "classic-rings"
MODULES = (OURS, "8139cp", "8139too", "e1000", "pci_revision")
OLD_REVISION = 0x10
# What of `ethtool -S` an RTL8139C+ counts by itself.
TALLY = ("tx_ok", "rx_ok", "tx_err", "rx_err", "rx_fifo", "frame_align", "tx_ok_1col", "tx_ok_mcol", "rx_ok_phys",
         "rx_ok_bcast", "rx_ok_mcast", "tx_abort", "tx_underrun")
DUT_IDS, PEER_IDS = [("0x10ec", "0x8139")], [("0x8086", "0x100e")]


def times(quick):
    """How often a loop goes round: so many times, fewer where all is slow, and a hundred with RPACKET_FULL."""
    return 100 if os.environ.get("RPACKET_FULL") else max(quick // SLOW, 1)


def run(*words, check=True):
    """Run a command, return its standard output, raise with its standard error when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def ip(*words, netns=None, check=True):
    """Run ip(8), in a namespace if one is named."""
    return run("ip", *(["-n", netns] if netns else []), *words, check=check)


def read(path):
    """A sysfs or proc file's text without the line end."""
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def write(path, text):
    """Write one value into a sysfs or proc file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(str(text))


def wait_for(what, condition, seconds=10.0):
    """Poll until the condition gives something true, and return that."""
    return lib.wait_for(condition, seconds, what)


def qmp(command, **arguments):
    """A command for QEMU, through the port that scripts/guest/qmp uses too, without a process."""
    with open("/run/qmp.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # In a VM that sleeps it is a terminal, which would end with this process, were it this one's.
        with open("/dev/virtio-ports/rpacket.qmp", "r+b", buffering=0,
                  opener=lambda path, flags: os.open(path, flags | os.O_NOCTTY)) as port:
            port.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                line += port.read(1)
    answer = json.loads(line)
    assert "error" not in answer, f"qmp {command}: {answer['error'].get('desc')}"
    return answer["return"]


def inside(netns):
    """Run a block in a named network namespace; None is where the caller is."""
    return lib.namespace(netns) if netns else contextlib.nullcontext()


# Cards -------------------------------------------------------------------------------------------


class Card:
    """A PCI network card, whichever driver it has at the moment."""

    def __init__(self, address):
        self.address = address
        self.sys = f"/sys/bus/pci/devices/{address}"
        # That of the test, if it does not say another.
        self.mode = MODE

    def attribute(self, name):
        """One of the device's sysfs attributes."""
        return read(f"{self.sys}/{name}")

    @property
    def driver(self):
        """The name of the driver that is bound, or None."""
        path = f"{self.sys}/driver"
        return os.path.basename(os.readlink(path)) if os.path.islink(path) else None

    @property
    def name(self):
        """The interface's name, or None while there is none in this namespace."""
        names = glob.glob(f"{self.sys}/net/*")
        return os.path.basename(names[0]) if names else None

    @property
    def irq(self):
        """The number of the card's interrupt line."""
        return int(self.attribute("irq"))

    def override(self, driver):
        """Only this driver may bind from now on; None lets any driver whose ids match."""
        write(f"{self.sys}/driver_override", f"{driver or ''}\n")

    def unbind(self):
        """Take the card away from its driver, if it has one."""
        driver = self.driver
        if driver:
            write(f"/sys/bus/pci/drivers/{driver}/unbind", self.address)

    def bind(self, driver):
        """Hand the card over to a driver, and return the name of the interface, which is down. Ours takes the
        way of a frame that the card is to have."""
        if self.driver != driver:
            self.unbind()
            self.override(driver)
            if not loaded(driver):
                load(driver)
        if self.driver != driver:
            write(f"/sys/bus/pci/drivers/{driver}/bind", self.address)
        name = wait_for(f"an interface of {driver} on {self.address}", lambda: self.name)
        if driver == OURS and self.mode == "classic":
            run("ethtool", "--set-priv-flags", name, CLASSIC_RINGS, "on")
        return name

    def handlers(self):
        """What /proc/interrupts says about the line: (count, [names of the handlers])."""
        for line in read("/proc/interrupts").splitlines():
            words = line.split()
            if words and words[0] == f"{self.irq}:":
                counts = [int(word) for word in words[1:] if word.isdigit()][:os.cpu_count()]
                names = " ".join(words[1 + len(counts):]).split("fasteoi")[-1]
                return sum(counts), [name.strip() for name in names.split(",") if name.strip()]
        return 0, []

    @property
    def interrupts(self):
        """How often the line has interrupted so far."""
        return self.handlers()[0]

    # Registers behind the driver's back, through BAR 0 (I/O), which drivers do not use (ours where it must).

    def peek(self, offset, width):
        """Read a register of 1, 2 or 4 bytes."""
        self.enable_io()
        with open(f"{self.sys}/resource0", "rb", buffering=0) as bar:
            bar.seek(offset)
            return int.from_bytes(bar.read(width), "little")

    def poke(self, offset, width, value):
        """Write a register of 1, 2 or 4 bytes."""
        self.enable_io()
        with open(f"{self.sys}/resource0", "r+b", buffering=0) as bar:
            bar.seek(offset)
            bar.write(value.to_bytes(width, "little"))

    def enable_io(self):
        """Let the card answer on BAR 0: a driver that uses only memory need not do that."""
        with open(f"{self.sys}/config", "r+b", buffering=0) as config:
            config.seek(4)
            command = int.from_bytes(config.read(2), "little")
            config.seek(4)
            config.write((command | 1).to_bytes(2, "little"))


def show_old_revision(card):
    """For 8139too, which leaves a card of the revision that it has to 8139cp."""
    run("insmod", f"{lib.MODULES}-tests/pci_revision.ko", f"device={card.address}", f"revision={OLD_REVISION}")


def cards(ids):
    """The PCI cards with these ids, in the order of their addresses."""
    found = []
    for path in sorted(glob.glob("/sys/bus/pci/devices/*")):
        if (read(f"{path}/vendor"), read(f"{path}/device")) in ids:
            found.append(Card(os.path.basename(path)))
    return found


# Interfaces --------------------------------------------------------------------------------------

COLUMNS = ("rx_bytes rx_packets rx_errors rx_dropped rx_fifo rx_frame rx_compressed multicast "
            "tx_bytes tx_packets tx_errors tx_dropped tx_fifo collisions tx_carrier tx_compressed")


class Port:
    """A network interface in a namespace."""

    def __init__(self, name, netns=None):
        self.name, self.netns = name, netns

    def ip(self, *words, check=True):
        """ip(8) in this interface's namespace."""
        return ip(*words, netns=self.netns, check=check)

    def set(self, *words, check=True):
        """ip link set."""
        return self.ip("link", "set", "dev", self.name, *words, check=check)

    def link(self):
        """What `ip -s -s -d link` knows, as a dictionary."""
        text = self.ip("-s", "-s", "-d", "-j", "link", "show", "dev", self.name)
        return next(entry for entry in json.loads(text) if entry)

    def stats64(self):
        """The 64-bit counters, flattened: rx_packets, tx_bytes and so on."""
        stats = self.link()["stats64"]
        return {f"{way}_{key}": value for way in stats for key, value in stats[way].items()}

    def counters(self):
        """The counters of /proc/net/dev, which cost no process."""
        with inside(self.netns), open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name.strip() == self.name:
                    return dict(zip(COLUMNS.split(), map(int, rest.split())))
        raise RuntimeError(f"{self.name} is not in /proc/net/dev")

    def ethtool_stats(self):
        """The counters of `ethtool -S`, in the driver's order."""
        text = self.ethtool("-S", self.name)
        pairs = (line.split(":") for line in text.splitlines()[1:] if ":" in line)
        return {key.strip(): int(value) for key, value in pairs}

    def ethtool(self, *words, check=True):
        """ethtool(8) in this interface's namespace."""
        prefix = ["ip", "netns", "exec", self.netns] if self.netns else []
        return run(*prefix, "ethtool", *words, check=check)

    @property
    def mac(self):
        """The address as six bytes."""
        return bytes.fromhex(self.link()["address"].replace(":", ""))

    def carrier(self):
        """Whether an interface of the initial namespace has a link; False while it is down."""
        try:
            return read(f"/sys/class/net/{self.name}/carrier") == "1"
        except OSError:
            return False

    def ioctl(self, request, data=bytes(24)):
        """An ioctl on struct ifreq; returns the 24 bytes after the name."""
        with inside(self.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            packed = struct.pack("16s24s", self.name.encode(), data)
            return fcntl.ioctl(sock, request, packed)[16:]


def format_mac(address):
    """Six bytes as text."""
    return ":".join(f"{byte:02x}" for byte in address)


class Wire:
    """The dut and the peer with their addresses, as a context manager that gives the cards back."""

    def __init__(self, subject=SUBJECT, up=True):
        self.card, self.peer_card = cards(DUT_IDS)[0], cards(PEER_IDS)[0]
        self.subject, self.start_up, self.peer = subject, up, None
        self.before = {module for module in MODULES if loaded(module)}

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def set_up(self):
        """Bind both cards, move the peer away, and give both ends their addresses."""
        for spare in cards(DUT_IDS)[1:]:
            spare.unbind()
            spare.override("none")
        if self.subject == "8139too":
            show_old_revision(self.card)
        self.card.bind(self.subject)
        load("e1000")
        name = wait_for("the peer's interface", lambda: self.peer_card.name)
        ip("netns", "add", "peer")
        ip("link", "set", "dev", name, "netns", "peer")
        self.peer = Port(name, "peer")
        self.configure(self.peer, PEER4, PEER6)
        if self.start_up:
            self.up()

    @property
    def dut(self):
        """The interface of the card under test; its name can change when the driver does."""
        return Port(self.card.name)

    @staticmethod
    def configure(port, address4, address6):
        """Up, with one IPv4 and one IPv6 address that is usable at once."""
        port.set("up")
        port.ip("address", "replace", f"{address4}/24", "dev", port.name)
        port.ip("address", "replace", f"{address6}/64", "dev", port.name, "nodad")

    def up(self):
        """Bring the dut up, and wait until both ends have a link and answer."""
        self.configure(self.dut, DUT4, DUT6)
        self.wait_link()

    def wait_link(self, seconds=10):
        """Wait until the two ends can talk."""
        wait_for("carrier of the dut", self.dut.carrier, seconds)
        wait_for("an answer from the peer", self.answers, seconds)

    def answers(self, address=PEER4, wait="0.5"):
        """Whether one ping is answered."""
        return subprocess.run(["ping", "-n", "-q", "-c1", "-W", wait, address],
                              capture_output=True, check=False).returncode == 0

    def close(self):
        """Leave no namespace, no address, no driver; in whatever state the test ended."""
        if self.peer:
            ip("netns", "delete", "peer", check=False)
            wait_for("the peer's interface to come back", lambda: self.peer_card.name)
        for card in cards(DUT_IDS):
            card.unbind()
            card.override(None)
        for module in MODULES:
            if module not in self.before:
                unload(module)


class SilentWire(Wire):
    """No address at either end, so that no frame is on the wire but those of the test."""

    def set_up(self):
        super().set_up()
        for port in (self.dut, self.peer):
            self.quieten(port)

    @staticmethod
    def quieten(port):
        """No address, and no wish to have one."""
        with inside(port.netns):
            write(f"/proc/sys/net/ipv6/conf/{port.name}/disable_ipv6", 1)
        port.ip("address", "flush", "dev", port.name)


def die_with_parent():
    """Let the kernel end this process when the test that forked it ends."""
    ctypes.CDLL(None).prctl(1, 9)
