# SPDX-License-Identifier: GPL-2.0
"""What happens to the card: to its cable, its slot, its driver, and what only its driver answers."""
import errno
import os
import struct
import time

import lib
from frames import BROADCAST
from nic import OURS, format_mac
from storms import kernel
from storms.device import OnDevice
from storms.engine import Actor, Wrong, action

CARD_MAC = bytes.fromhex("525400000001")


class OnCard(OnDevice):
    """An actor that acts on the card or its interface."""

    def __init__(self, whereabouts, card, driver=OURS, name=None):
        super().__init__(whereabouts, name)
        self.card, self.driver = card, driver


class Cable(OnCard):
    """The cable is pulled and plugged."""

    every = (20, 100)

    @action("EREMOTEIO", least=2)
    def pull(self):
        kernel.qemu("set_link", name="nic0", up=False)

    @action("EREMOTEIO", least=2, weight=3)
    def plug(self):
        kernel.qemu("set_link", name="nic0", up=True)


class Refused(OnCard):
    """What the card cannot do is refused, whatever else goes on."""

    every = (10, 80)

    @action("ENODEV", least=1)
    def length(self):
        try:
            kernel.set_mtu(*self.find(), self.random.choice((0, 67, 9000, 65536)))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        else:
            raise Wrong("the length was taken")

    @action("ENODEV", least=1)
    def address_of_a_group(self):
        try:
            kernel.set_mac(*self.find(), BROADCAST)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
        else:
            raise Wrong("the address was taken")


class Ethtool(OnCard):
    """What ethtool and mii-tool ask and set."""

    every = (2, 15)

    def ask(self, command, room=0, *words):
        place, name = self.find()
        return kernel.ethtool(place, name, struct.pack(f"={1 + len(words)}I", command, *words) + bytes(room))

    @action("ENODEV", least=3)
    def driver_info(self):
        said = self.ask(kernel.GDRVINFO, 192)
        if said[4:36].rstrip(b"\0") != self.driver.encode():
            raise Wrong(f"the driver is {said[4:36]!r}")

    @action("ENODEV", least=3)
    def registers(self):
        version, length = struct.unpack_from("=II", self.ask(kernel.GREGS, 8 + 256, 0, 256), 4)
        if (version, length) != (1, 256):
            raise Wrong(f"registers: version {version}, {length} bytes")

    @action("ENODEV", least=3)
    def statistics(self):
        count = struct.unpack_from("=I", self.ask(kernel.GDRVINFO, 192), 180)[0]
        said = struct.unpack_from("=I", self.ask(kernel.GSTATS, 4 + 8 * count, count), 4)[0]
        if not 0 < count == said:
            raise Wrong(f"{said} statistics, {count} announced")

    @action("ENODEV", least=3)
    def link(self):
        self.ask(kernel.GLINK, 4)

    def settings(self):
        """struct ethtool_link_settings, whose maps have as many words as the kernel says."""
        words = struct.unpack_from("=b", self.ask(kernel.GLINKSETTINGS, 44), 15)[0]
        if words >= 0:
            raise Wrong(f"the kernel takes maps of 0 words; it says {words}")
        head = bytearray(44 + 12 * -words)
        struct.pack_into("=b", head, 11, -words)
        place, name = self.find()
        said = kernel.ethtool(place, name, struct.pack("=I", kernel.GLINKSETTINGS) + bytes(head))
        return place, name, said

    @action("ENODEV", least=3)
    def link_settings(self):
        self.settings()

    @action("ENODEV EINVAL", least=1)
    def set_link_settings(self):
        """Negotiated, or 10 or 100 Mbit/s by force."""
        place, name, said = self.settings()
        said = bytearray(said)
        automatic = self.random.random() < 0.6
        struct.pack_into("=IIBBBB", said, 0, kernel.SLINKSETTINGS, self.random.choice((10, 100)),
                         self.random.randrange(2), said[9], said[10], automatic)
        kernel.ethtool(place, name, bytes(said))

    @action("ENODEV EINVAL", least=1)
    def negotiate_again(self):
        """EINVAL: while a mode is forced."""
        self.ask(kernel.NWAY_RST)

    @action("ENODEV EINVAL", least=1)
    def transceiver(self):
        """EINVAL: while the interface is down."""
        place, name = self.find()
        phy = kernel.ifreq(place, kernel.SIOCGMIIPHY, name)[:2]
        kernel.ifreq(place, kernel.SIOCGMIIREG, name, phy + struct.pack("=H", self.random.randrange(32)))


class Binder(OnCard):
    """The card is taken from its driver and given back; now and then it is meant for another one."""

    every = (150, 500)

    def bind_file(self, what):
        return f"/sys/bus/pci/drivers/{self.driver}/{what}"

    # ENOENT: no such driver now. ENODEV: not this card, or there is none. EBUSY: has it already.
    @action("ENOENT ENODEV EBUSY", least=2, weight=2)
    def unbind_and_bind(self):
        kernel.write(self.bind_file("unbind"), self.card.address)
        time.sleep(self.random.uniform(0, 0.1))
        kernel.write(self.bind_file("bind"), self.card.address)

    @action("ENOENT ENODEV EBUSY", least=0)
    def bind(self):
        kernel.write(self.bind_file("bind"), self.card.address)

    @action("ENOENT ENODEV", least=1)
    def meant_for_another(self):
        """Overridden, it is not ours; then it is again, and the bus is asked to look."""
        kernel.write(f"{self.card.sys}/driver_override", "none\n")
        try:
            time.sleep(self.random.uniform(0, 0.2))
        finally:
            kernel.write(f"{self.card.sys}/driver_override", "\n")
        kernel.write("/sys/bus/pci/drivers_probe", self.card.address)


class Loader(Actor):
    """The driver's module goes and comes; nobody holds it, whatever the interface is used for."""

    every = (200, 600)

    def __init__(self, module):
        super().__init__(f"loader of {module}")
        self.module = module

    @action(least=2)
    def unload_and_load(self):
        kernel.unload_module(self.module)
        time.sleep(self.random.choice((0, 0.1)))
        kernel.load_module(self.module)


class Slot(OnCard):
    """The card is pulled out of its slot and put back; the bus is told to forget it, and to look."""

    every = (150, 500)

    def wait(self, present, seconds=20):
        end = time.monotonic() + seconds * lib.SLOW
        while os.path.exists(self.card.sys) != present:
            if time.monotonic() > end:
                raise Wrong(f"the card is {'not there' if present else 'still there'} after {seconds} s")
            time.sleep(0.05)

    def plug(self):
        """QEMU takes the name again when the guest has let go of the card."""
        end = time.monotonic() + 20 * lib.SLOW
        while True:
            try:
                return kernel.qemu("device_add", driver="rtl8139", id="nic0", netdev="net0", addr="0x10",
                                   mac=format_mac(CARD_MAC))
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    @action(least=1)
    def pull_and_plug(self):
        kernel.qemu("device_del", id="nic0")
        self.wait(False)
        self.plug()
        self.wait(True)

    @action("ENOENT", least=1)
    def forget_and_find(self):
        kernel.write(f"{self.card.sys}/remove", 1)
        self.wait(False)
        kernel.write("/sys/bus/pci/rescan", 1)
        self.wait(True)
