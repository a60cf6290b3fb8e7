# SPDX-License-Identifier: GPL-2.0
"""Devices that are made, moved, looked at and deleted by netlink: a process for each would take too long."""

import os
import socket
import struct

NEWLINK, DELLINK, GETLINK = 16, 17, 18
REQUEST, ACK, DUMP, CREATE, EXCL = 0x1, 0x4, 0x300, 0x400, 0x200
ERROR, DONE = 2, 3
IFNAME, MTU, LINK, LINKINFO, NET_NS_FD, ADDRESS, PROMISCUITY, ALLMULTI = 3, 4, 5, 18, 28, 1, 30, 61
INFO_KIND, INFO_DATA, VETH_PEER, VLAN_ID = 1, 2, 1, 1


def attribute(kind, data):
    if isinstance(data, str):
        data = data.encode() + b"\0"
    elif isinstance(data, int):
        data = struct.pack("=I", data)
    raw = struct.pack("=HH", 4 + len(data), kind) + data
    return raw + b"\0" * (-len(raw) % 4)


def attributes(raw):
    """{type: data}"""
    found = {}
    while len(raw) >= 4:
        length, kind = struct.unpack_from("=HH", raw)
        if length < 4:
            break
        found[kind & 0x3FFF] = raw[4:length]
        raw = raw[(length + 3) & ~3 :]
    return found


def link(index=0, flags=0, change=0):
    """struct ifinfomsg."""
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


class Netlink:
    """A socket of NETLINK_ROUTE in the namespace in which it is made."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.sock.bind((0, 0))
        self.sock.settimeout(60)
        self.number = 0

    def request(self, kind, flags, body):
        """Makes a request; yields what it answers; raises OSError with the kernel's errno."""
        self.number += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, self.number, 0) + body)
        while True:
            raw = self.sock.recv(1 << 18)
            while raw:
                length, what, _, number, _ = struct.unpack_from("=IHHII", raw)
                body, raw = raw[16:length], raw[(length + 3) & ~3 :]
                if number != self.number:
                    continue
                if what == DONE:
                    return
                if what == ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield body

    def do(self, kind, flags, body):
        for _ in self.request(kind, flags | ACK, body):
            pass

    def make_veth(self, name, index, address, peer, peer_index, peer_address, namespace):
        """A pair of devices, of which the peer is in another namespace (a descriptor)."""
        other = link(peer_index) + attribute(IFNAME, peer) + attribute(ADDRESS, peer_address)
        other += attribute(NET_NS_FD, namespace)
        info = attribute(INFO_KIND, "veth") + attribute(INFO_DATA, attribute(VETH_PEER, other))
        self.do(
            NEWLINK,
            CREATE | EXCL,
            link(index) + attribute(IFNAME, name) + attribute(ADDRESS, address) + attribute(LINKINFO, info),
        )

    def make_vlan(self, name, index, below, tag):
        info = attribute(INFO_KIND, "vlan")
        info += attribute(INFO_DATA, attribute(VLAN_ID, struct.pack("=H", tag)))
        self.do(
            NEWLINK,
            CREATE | EXCL,
            link(index) + attribute(IFNAME, name) + attribute(LINK, below) + attribute(LINKINFO, info),
        )

    def set(self, index, *more, flags=0, change=0):
        self.do(NEWLINK, 0, link(index, flags, change) + b"".join(attribute(*one) for one in more))

    def up(self, index, up=True):
        self.set(index, flags=int(up), change=1)

    def delete(self, index):
        self.do(DELLINK, 0, link(index))

    def links(self):
        """What there is: {index: (name, flags, mtu, promiscuity, allmulti)}"""
        found = {}
        for body in self.request(GETLINK, DUMP, link()):
            index, flags = struct.unpack_from("=4xiI", body)
            given = attributes(body[16:])
            numbers = (struct.unpack("=I", given[kind])[0] for kind in (MTU, PROMISCUITY, ALLMULTI))
            found[index] = (given[IFNAME].rstrip(b"\0").decode(), flags, *numbers)
        return found

    def close(self):
        self.sock.close()
