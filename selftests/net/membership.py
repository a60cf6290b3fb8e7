#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 300
"""Memberships: PROMISC, ALLMULTI, MULTICAST and UNICAST, and that each one is given back."""

import json
import os
import re
import subprocess
import time

import packet
import topology
from harness import equal, lib, main, seconds
from packet import ADD_MEMBERSHIP, DROP_MEMBERSHIP, errno_of, membership, open_socket, set_option
from topology import MAC_A, MAC_MULTICAST, MAC_STRANGER, Pair
from twin import Injector, drain, probe

OTHER_GROUP = bytes.fromhex("03000000cafd")


def join(sock, ifindex, kind, addr=b"", alen=None):
    set_option(sock, ADD_MEMBERSHIP, membership(ifindex, kind, addr, alen))


def leave(sock, ifindex, kind, addr=b"", alen=None):
    set_option(sock, DROP_MEMBERSHIP, membership(ifindex, kind, addr, alen))


def counts(device):
    """The device's promiscuity and allmulti counts."""
    shown = subprocess.run(
        ["ip", "-d", "-j", "link", "show", "dev", device], capture_output=True, check=True
    ).stdout
    link = json.loads(shown)[0]
    return link["promiscuity"], link["allmulti"]


def groups(device):
    """The device's multicast list: {address: references}."""
    with open("/proc/thread-self/net/dev_mcast", encoding="ascii") as table:
        rows = (line.split() for line in table)
        return {bytes.fromhex(row[4]): int(row[2]) for row in rows if row[1] == device}


def unicast(device):
    """Whether the device has secondary unicast addresses, as the bridge tool lists them."""
    shown = subprocess.run(
        ["bridge", "fdb", "show", "dev", device], capture_output=True, check=True, text=True
    ).stdout
    return set(re.findall(r"^((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) self", shown, re.M))


def test_promisc():
    """PROMISC is a count in the device; each socket contributes one, dropped or closed."""
    pair = Pair()
    equal(counts("va"), (0, 0), "at first")
    one, two = open_socket(), open_socket()
    join(one, pair.a, packet.MR_PROMISC)
    equal(counts("va"), (1, 0), "one")
    assert topology.flags("va") & topology.IFF_PROMISC == 0, "IFF_PROMISC is the user's flag only"
    join(two, pair.a, packet.MR_PROMISC)
    equal(counts("va"), (2, 0), "two")
    leave(one, pair.a, packet.MR_PROMISC)
    equal(counts("va"), (1, 0), "one left")
    two.close()
    equal(counts("va"), (0, 0), "closed")
    leave(one, pair.a, packet.MR_PROMISC)
    equal(counts("va"), (0, 0), "a second drop changes nothing")


def test_count_per_socket():
    """The same membership twice is one with a count: it ends with the second drop."""
    pair = Pair()
    sock = open_socket()
    for kind, seen in ((packet.MR_PROMISC, (1, 0)), (packet.MR_ALLMULTI, (0, 1))):
        join(sock, pair.a, kind)
        join(sock, pair.a, kind)
        equal(counts("va"), seen, "two joins")
        leave(sock, pair.a, kind)
        equal(counts("va"), seen, "one drop")
        leave(sock, pair.a, kind)
        equal(counts("va"), (0, 0), "two drops")
    for _ in range(3):
        join(sock, pair.a, packet.MR_PROMISC)
    sock.close()
    equal(counts("va"), (0, 0), "close ends all")


def test_address_distinguishes():
    """Entries differ by their address bytes, even where the type does not use the address."""
    pair = Pair()
    sock = open_socket()
    join(sock, pair.a, packet.MR_PROMISC)
    join(sock, pair.a, packet.MR_PROMISC, MAC_A)
    equal(counts("va"), (2, 0), "two entries")
    leave(sock, pair.a, packet.MR_PROMISC, MAC_A)
    equal(counts("va"), (1, 0), "the one with this address")
    leave(sock, pair.a, packet.MR_PROMISC, MAC_STRANGER)
    equal(counts("va"), (1, 0), "no entry with that address")


def test_multicast():
    """MULTICAST puts an address on the device's list, once for each socket."""
    pair = Pair()
    before = groups("va")
    one, two = open_socket(), open_socket()
    join(one, pair.a, packet.MR_MULTICAST, MAC_MULTICAST)
    equal(groups("va"), {**before, MAC_MULTICAST: 1}, "one")
    join(two, pair.a, packet.MR_MULTICAST, MAC_MULTICAST)
    join(two, pair.a, packet.MR_MULTICAST, OTHER_GROUP)
    equal(groups("va"), {**before, MAC_MULTICAST: 2, OTHER_GROUP: 1}, "two")
    leave(one, pair.a, packet.MR_MULTICAST, MAC_MULTICAST)
    equal(groups("va"), {**before, MAC_MULTICAST: 1, OTHER_GROUP: 1}, "dropped")
    two.close()
    equal(groups("va"), before, "closed")


def test_unicast():
    """UNICAST adds a second address to the device."""
    pair = Pair()
    sock = open_socket()
    join(sock, pair.a, packet.MR_UNICAST, MAC_STRANGER)
    assert MAC_STRANGER.hex(":") in unicast("va"), f"addresses {unicast('va')}"
    leave(sock, pair.a, packet.MR_UNICAST, MAC_STRANGER)
    assert MAC_STRANGER.hex(":") not in unicast("va"), "dropped"
    join(sock, pair.a, packet.MR_UNICAST, MAC_STRANGER)
    sock.close()
    assert MAC_STRANGER.hex(":") not in unicast("va"), "closed"


def test_errors():
    """Wrong devices and address lengths; an unknown type is taken; DROP always succeeds."""
    pair = Pair()
    sock = open_socket()
    cases = [
        ((4711, packet.MR_PROMISC), "ENODEV"),
        ((0, packet.MR_PROMISC), "ENODEV"),
        ((-1, packet.MR_PROMISC), "ENODEV"),
        ((pair.a, packet.MR_PROMISC, bytes(7)), "EINVAL"),
        ((pair.a, packet.MR_MULTICAST, MAC_MULTICAST[:5]), "EINVAL"),
        ((pair.a, packet.MR_MULTICAST), "EINVAL"),
        ((pair.a, packet.MR_UNICAST, MAC_A[:1]), "EINVAL"),
        ((pair.a, packet.MR_UNICAST), "EINVAL"),
        ((pair.a, 4), "0"),
        ((pair.a, 0xFFFF, MAC_A), "0"),
    ]
    before = counts("va"), groups("va")
    for arguments, expected in cases:
        equal(errno_of(join, sock, *arguments), expected, f"join {arguments}")
        equal((counts("va"), groups("va")), before, f"after joining {arguments}")
    for arguments, _ in cases:
        equal(errno_of(leave, sock, *arguments), "0", f"leave {arguments}")
    equal((counts("va"), groups("va")), before, "after all")


def test_failed_join_leaves_nothing():
    """A join that failed is not on the list: its drop must not take another's reference."""
    pair = Pair()
    one, two = open_socket(), open_socket()
    join(one, pair.a, packet.MR_MULTICAST, MAC_MULTICAST)
    equal(errno_of(join, two, pair.a, packet.MR_MULTICAST, MAC_MULTICAST[:3]), "EINVAL", "short")
    leave(two, pair.a, packet.MR_MULTICAST, MAC_MULTICAST)
    two.close()
    equal(groups("va").get(MAC_MULTICAST), 1, "the other socket's membership")


def test_device_down():
    """A membership outlives its device going down and up."""
    pair = Pair()
    sock = open_socket()
    join(sock, pair.a, packet.MR_PROMISC)
    topology.set_down("va")
    equal(counts("va"), (1, 0), "down")
    topology.set_up("va")
    equal(counts("va"), (1, 0), "up again")
    sock.close()
    equal(counts("va"), (0, 0), "closed")


def test_device_removed():
    """With the device go the entries: a new device gets none, and drop and close stay harmless."""
    pair = Pair()
    sock = open_socket()
    for kind, addr in (
        (packet.MR_PROMISC, b""), (packet.MR_ALLMULTI, b""),
        (packet.MR_MULTICAST, MAC_MULTICAST), (packet.MR_UNICAST, MAC_STRANGER),
    ):  # fmt: skip
        join(sock, pair.a, kind, addr)
    topology.ip("link del va")
    topology.ip(f"link add va index {pair.a} type veth peer name vb")
    equal(counts("va"), (0, 0), "the new device of the same index")
    leave(sock, pair.a, packet.MR_PROMISC)
    equal(counts("va"), (0, 0), "after a drop")
    sock.close()
    equal(counts("va"), (0, 0), "after close")


def test_two_devices():
    """One socket with memberships on two devices loses those of the removed one only."""
    pair = Pair()
    topology.ip("link add vc type veth peer name vd")
    sock = open_socket()
    join(sock, pair.a, packet.MR_PROMISC)
    join(sock, topology.index("vc"), packet.MR_PROMISC)
    topology.ip("link del va")
    equal(counts("vc"), (1, 0), "the other device")
    sock.close()
    equal(counts("vc"), (0, 0), "closed")


@seconds(240)
def test_endless():
    """A program may join as long as it likes: the end is ENOBUFS, without a word in the log, or it
    is given all of them; and to close the socket takes no longer than to fill it."""
    loopback = topology.index("lo")
    sock = open_socket()
    unknown = 99  # a kind that devices are not told of
    began = time.monotonic()
    # 33000 took a list in one piece beyond what kmalloc() has; each of them looks at all before it.
    for number in range(33000 if os.environ.get("RPACKET_FULL") else 8000 // lib.SLOW):
        request = membership(loopback, unknown, number.to_bytes(6, "big"))
        answer = errno_of(set_option, sock, ADD_MEMBERSHIP, request)
        if answer != "0":
            equal(answer, "ENOBUFS", f"membership {number}")
            break
    filled = time.monotonic()
    sock.close()
    assert time.monotonic() - filled <= filled - began, "the socket closes more slowly than it fills"


def test_promisc_effect():
    """PROMISC on a macvlan makes it receive frames for other addresses."""
    pair = Pair()
    topology.ip(
        "link add mv link va address 02:00:00:00:00:aa type macvlan mode vepa", "link set mv up"
    )
    mv = topology.index("mv")
    sock = open_socket()
    packet.bind(sock, mv, packet.PROBE)
    injector = Injector(pair.b, pair.a)
    injector.send(probe(bytes.fromhex("03000000beef")))
    quiet = len(drain(sock))
    join(sock, mv, packet.MR_MULTICAST, bytes.fromhex("03000000beef"))
    injector.send(probe(bytes.fromhex("03000000beef")))
    # A macvlan hands multicast on from a work item.
    injector.settle()
    frame = packet.receive(sock)
    equal((quiet, frame.address.pkttype), (0, packet.MULTICAST), "without and with the group")


if __name__ == "__main__":
    main(globals())
