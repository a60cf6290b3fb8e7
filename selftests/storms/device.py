# SPDX-License-Identifier: GPL-2.0
"""What happens to any network device: to one of a card, or to one of software.

It may be in one of several namespaces, under one of several names, or not exist. Every actor looks for
it anew before each action; what it finds can be gone when the call is made (ENODEV).
"""
import errno
import os
import time

from storms import kernel
from storms.engine import Actor, action

ROOM = "/run/netns/room"
HERE = "/proc/1/ns/net"


class Whereabouts:
    """The namespaces and the names of the devices that a storm is about."""

    def __init__(self, paths, names, macs):
        self.paths, self.names, self.macs = paths, names, macs


class OnDevice(Actor):
    """An actor that acts on one of the devices."""

    def __init__(self, whereabouts, name=None):
        super().__init__(name)
        self.whereabouts, self.places = whereabouts, ()

    def begin(self):
        self.places = [kernel.control(path) for path in self.whereabouts.paths]

    def find(self):
        """(a socket in the namespace of a device, its name); ENODEV when there is none."""
        for place in self.random.sample(self.places, len(self.places)):
            for name in self.random.sample(self.whereabouts.names, len(self.whereabouts.names)):
                try:
                    kernel.index(place, name)
                    return place, name
                except OSError as error:
                    if error.errno != errno.ENODEV:
                        raise
        raise OSError(errno.ENODEV, "no device")

    def where(self, place):
        """The path of the namespace that a socket of find() is in."""
        return self.whereabouts.paths[self.places.index(place)]


class UpDown(OnDevice):
    """A device goes up and down."""

    every = (4, 25)

    @action("ENODEV", least=5, weight=4)
    def up(self):
        kernel.change_flags(*self.find(), on=kernel.IFF_UP)

    @action("ENODEV", least=5)
    def down(self):
        kernel.change_flags(*self.find(), off=kernel.IFF_UP)


class Settings(OnDevice):
    """Length, address and name of a device."""

    every = (5, 40)

    @action("ENODEV", least=3)
    def length(self):
        kernel.set_mtu(*self.find(), self.random.choice((68, 576, 1280, 1499, 1500, 1500)))

    @action("ENODEV", least=3)
    def address(self):
        mac = self.random.choice((*self.whereabouts.macs, b"\x02" + self.random.randbytes(5)))
        kernel.set_mac(*self.find(), mac)

    @action("ENODEV EEXIST", least=3)
    def another_name(self):
        kernel.rename(*self.find(), self.random.choice(self.whereabouts.names))


class Filters(OnDevice):
    """What a device is to receive."""

    every = (2, 20)

    def group(self):
        return bytes((1, 0, 0x5E, 0, 0, self.random.randrange(4)))

    @action("ENODEV", least=5)
    def join(self):
        kernel.multicast(*self.find(), self.group(), True)

    @action("ENODEV ENOENT", least=1)
    def leave(self):
        kernel.multicast(*self.find(), self.group(), False)

    @action("ENODEV", least=3)
    def promiscuous(self):
        bit = self.random.choice((kernel.IFF_PROMISC, kernel.IFF_ALLMULTI))
        kernel.change_flags(*self.find(), on=bit)

    @action("ENODEV", least=3)
    def choosy(self):
        kernel.change_flags(*self.find(), off=kernel.IFF_PROMISC | kernel.IFF_ALLMULTI)


class Mover(OnDevice):
    """A device moves from one of the namespaces to another."""

    every = (40, 200)

    def begin(self):
        super().begin()
        self.paths = [os.open(path, os.O_RDONLY) for path in self.whereabouts.paths]
        self.senders = [kernel.netlink(path) for path in self.paths]

    @action("ENODEV EEXIST", least=2)
    def move(self):
        place, name = self.find()
        here = self.places.index(place)
        kernel.move(self.senders[here], kernel.index(place, name), self.paths[here - 1])


class Ender(Mover):
    """Namespaces that end with a device in them, up and in use: a card comes back by itself."""

    every = (40, 200)

    @action("ENODEV EEXIST", least=2)
    def end_of_namespace(self):
        room = kernel.new_namespace()
        try:
            with kernel.control(room) as there:
                place, name = self.find()
                kernel.move(self.senders[self.places.index(place)], kernel.index(place, name), room)
                kernel.change_flags(there, name, on=kernel.IFF_UP)
                kernel.set_address(there, name, "10.8.13.77")
                time.sleep(self.random.uniform(0, 0.1))
        finally:
            os.close(room)
