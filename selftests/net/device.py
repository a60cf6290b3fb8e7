#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# debug: chosen
# timeout: 300
# leak-scan: yes
"""What happens to a socket when its device goes down, comes up, vanishes, or moves away."""

import select
import socket
import threading
import time

import packet
import topology
from harness import equal, lib, main, need_module
from packet import ETH_P_ALL, OTHER, PROBE, bind, errno_of, get_int, getname, open_socket, receive
from topology import MAC_A, MAC_B, Pair
from twin import Injector, Twins, drain, probe, vlan

DONTWAIT = packet.MSG_DONTWAIT


def so_error(sock):
    """Takes the pending error of a socket."""
    return packet.NAMES.get(get_int(sock, socket.SO_ERROR, socket.SOL_SOCKET), "0")


def ifindex_of(sock):
    return packet.LinkAddress.parse(getname(sock)[0].ljust(20, b"\0")).ifindex


def running(sock):
    """The R column of the socket's row in /proc."""
    inode = str(packet.os.fstat(sock.fileno()).st_ino)
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        (row,) = [line.split() for line in table if line.split()[-1] == inode]
    return row[5] == "1"


def test_down_and_up():
    """Down: ENETDOWN once, then silence; up: frames again, without another bind."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    injector = Injector(pair.b, pair.a)
    injector.send(probe(payload=b"1"))
    assert running(sock), "running"
    topology.set_down("va")
    assert not running(sock), "not running while down"
    equal(errno_of(receive, sock, flags=DONTWAIT), "ENETDOWN", "the error, before what is queued")
    equal(receive(sock, flags=DONTWAIT).data[14:15], b"1", "what was queued is still there")
    equal(errno_of(receive, sock, flags=DONTWAIT), "EAGAIN", "the error came once")
    topology.set_up("va")
    assert running(sock), "running again"
    equal(so_error(sock), "0", "no error by coming up")
    injector = Injector(pair.b, pair.a)
    injector.send(probe(payload=b"2"))
    equal([f.data[14:15] for f in drain(sock)], [b"2"], "after up")


def test_down_for_wildcards():
    """A socket on all devices, or on another one, does not notice."""
    pair = Pair()
    socks = [open_socket(protocol=PROBE), open_socket()]
    bind(socks[1], pair.b, PROBE)
    topology.set_down("va")
    for sock in socks:
        equal(so_error(sock), "0", "error")
        assert running(sock), "running"
    equal(ifindex_of(socks[0]), 0, "index of the wildcard")


def test_bind_to_sleeping_device():
    """bind() to a device that is down succeeds, leaves ENETDOWN, and works when it comes up."""
    pair = Pair()
    topology.set_down("va")
    sock = open_socket()
    equal(errno_of(bind, sock, pair.a, PROBE), "0", "bind")
    assert not running(sock), "not running"
    equal(so_error(sock), "ENETDOWN", "pending error")
    topology.set_up("va")
    Injector(pair.b, pair.a).send(probe())
    equal(len(drain(sock)), 1, "after up")


def test_protocol_zero_is_never_hooked():
    """Without a protocol neither bind nor a device coming up hooks anything."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, 0)
    assert not running(sock), "after bind"
    topology.set_down("va")
    equal(so_error(sock), "0", "no error for a socket that was not running")
    topology.set_up("va")
    assert not running(sock), "after up"


def test_blocked_reader():
    """A reader that sleeps gets ENETDOWN when the device goes down."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    got = []
    reader = threading.Thread(target=lambda: got.append(errno_of(receive, sock)))
    reader.start()
    time.sleep(0.2)
    equal(got, [], "the reader sleeps")
    topology.set_down("va")
    reader.join(10)
    equal(got, ["ENETDOWN"], "what woke it")


def test_poll_error():
    """poll() reports POLLERR with ENETDOWN, until the error is taken."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    equal(poller.poll(0), [], "before")
    topology.set_down("va")
    ((_, events),) = poller.poll(2000)
    assert events & select.POLLERR, f"events {events:#x}"
    equal(so_error(sock), "ENETDOWN", "SO_ERROR")
    equal(poller.poll(0), [], "after")


def test_unregister():
    """The device under a bound socket vanishes: ENETDOWN, index -1, and it never comes back."""
    for protocol in (PROBE, ETH_P_ALL):
        pair = Pair()
        sock = open_socket()
        bind(sock, pair.a, protocol)
        Injector(pair.b, pair.a).send(probe())
        topology.ip("link del va")
        equal(so_error(sock), "ENETDOWN", "pending error")
        equal(ifindex_of(sock), -1, "index")
        assert len(drain(sock)) >= 1, "what was queued before stays readable"
        # A new device gets the old index, and is not the old device.
        topology.ip(
            f"link add va index {pair.a} type veth peer name vb", "link set va up", "link set vb up"
        )
        equal(topology.index("va"), pair.a, "the new device's index")
        assert not running(sock), "not hooked to the new device"
        bind(sock, pair.a, protocol)
        assert running(sock), "a new bind works"
        sock.close()
        topology.ip("link del va")


def test_unregister_while_down():
    """The device of a socket that is not running vanishes: no second error, no reference left."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    topology.set_down("va")
    equal(so_error(sock), "ENETDOWN", "down")
    topology.ip("link del va")
    equal(so_error(sock), "0", "no error by unregister")
    equal(ifindex_of(sock), -1, "index")
    equal(errno_of(bind, sock, pair.a, PROBE), "ENODEV", "the index is gone")


def test_unregister_wildcard():
    """Devices come and go under a socket on all of them."""
    sock = open_socket(protocol=ETH_P_ALL)
    for _ in range(3):
        pair = Pair()
        Injector(pair.b, pair.a).send(probe())
        topology.ip("link del va")
    assert running(sock), "running"
    equal(so_error(sock), "0", "error")
    assert len(drain(sock)) >= 6, "frames of all three"


def test_unregister_unhooked():
    """A socket bound with protocol 0 holds a reference, and gives it back."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, 0)
    began = time.monotonic()
    topology.ip("link del va")
    assert time.monotonic() - began < 5, "unregister waited for a reference"
    equal((ifindex_of(sock), so_error(sock)), (-1, "0"), "index, error")


def test_close_first():
    """After close the device can go at once: the last reference went with the socket."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, ETH_P_ALL)
    sock.close()
    began = time.monotonic()
    topology.ip("link del va")
    assert time.monotonic() - began < 5, "unregister waited for a reference"


def test_rename():
    """A renamed device is the same device."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    topology.ip("link set va down", "link set va name renamed", "link set renamed up")
    equal(so_error(sock), "ENETDOWN", "from going down")
    Injector(pair.b, pair.a).send(probe())
    equal([f.address.ifindex for f in drain(sock)], [pair.a], "frames")


def test_move_to_namespace():
    """A device that moves away is gone for the socket: ENETDOWN, index -1, no more frames."""
    pair = Pair()
    far = topology.new_namespace()
    bound, wild = open_socket(), open_socket(protocol=PROBE)
    bind(bound, pair.a, PROBE)
    packet.set_option(bound, packet.ADD_MEMBERSHIP, packet.membership(pair.a, packet.MR_PROMISC))
    topology.ip(f"link set va netns {far.path}")
    equal(so_error(bound), "ENETDOWN", "error")
    equal(ifindex_of(bound), -1, "index")
    with far:
        topology.set_up("va")
        there = open_socket()
        bind(there, topology.index("va"), PROBE)
    topology.wait_running("vb")
    packet.send(packet.reference(), probe(), packet.address(pair.b, PROBE))
    equal(len([f for f in drain(there)]), 1, "a socket of the other namespace")
    equal((drain(bound), drain(wild)), ([], []), "sockets that stayed")


def origdev(build, device, frame):
    """PACKET_ORIGDEV on a stacked device: the twins agree; returns the index told."""
    pair = Pair()
    topology.ip(*build)
    twins = Twins(packet.SOCK_RAW, PROBE, topology.index(device))
    injector = Injector(pair.b, pair.a)
    told = []
    for on in (0, 1):
        for sock in twins.both:
            packet.set_option(sock, packet.ORIGDEV, on)
        injector.send(frame)
        told += {f.address.ifindex for f in twins.compare(1)}
    twins.close()
    equal(told[0], topology.index(device), "without PACKET_ORIGDEV")
    names = {topology.index(name): name for name in ("va", device)}
    topology.ip("link del va", *([f"link del {device}"] if device in ("br0", "bond9") else []))
    return names[told[1]]


def test_origdev():
    """PACKET_ORIGDEV tells the device that received the frame, below a VLAN and a macvlan."""
    tagged = vlan(MAC_A, MAC_B, packet.ETH_P_8021Q, 5, PROBE, b"o" * 46)
    build = ["link add link va name va.5 type vlan id 5", "link set va.5 up"]
    equal(origdev(build, "va.5", tagged), "va", "VLAN")
    mac = bytes.fromhex("0200000000aa")
    build = [f"link add mv link va address {mac.hex(':')} type macvlan mode vepa", "link set mv up"]
    equal(origdev(build, "mv", probe(mac)), "va", "macvlan")
    build = ["link add br0 type bridge", "link set br0 up", "link set va master br0"]
    # A bridge hands frames up as its own.
    equal(origdev(build, "br0", probe(topology.MAC_BROADCAST)), "br0", "bridge")


def test_origdev_of_bond():
    """PACKET_ORIGDEV tells the member of a bond that received the frame."""
    need_module("bonding")
    build = [
        "link set va down", "link add bond9 type bond mode active-backup",
        "link set va master bond9", "link set bond9 up",
    ]  # fmt: skip
    # Left to itself, the module would make a device in the first namespace.
    with lib.module("bonding", "max_bonds=0"):
        equal(origdev(build, "bond9", probe(topology.MAC_BROADCAST)), "va", "bond")


def test_many_rebinds_under_events():
    """Bind, down, up, unbind, remove, any two in a row: no reference is lost."""
    steps = {
        "bind": lambda sock, pair: errno_of(bind, sock, pair.a, OTHER),
        "all": lambda sock, pair: errno_of(bind, sock, 0, PROBE),
        "down": lambda sock, pair: topology.set_down("va"),
        "up": lambda sock, pair: topology.set_up("va"),
    }
    for first in steps:
        for second in steps:
            pair = Pair()
            sock = open_socket()
            bind(sock, pair.a, PROBE)
            for step in (first, second):
                steps[step](sock, pair)
            topology.ip("link del va")
            at = ifindex_of(sock)
            assert at in (0, -1), f"{first}, {second}: index {at}"
            equal(running(sock), at == 0, f"{first}, {second}: running")
            sock.close()


if __name__ == "__main__":
    main(globals())
