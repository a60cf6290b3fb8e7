#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# debug: chosen
# leak-scan: yes
"""Network namespaces: isolation, and sockets that outlive theirs."""

import os
import time

import packet
import topology
from harness import equal, lib, main
from packet import ETH_P_ALL, PROBE, bind, errno_of, getname, open_socket
from topology import MAC_A, MAC_B, Pair
from twin import Injector, drain, probe


def proc_rows(namespace=None):
    """The rows of the subject's table in a namespace."""
    if namespace:
        with namespace:
            return proc_rows()
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        return table.read().splitlines()[1:]


def test_isolation():
    """A socket on all devices sees those of its own namespace only."""
    far = topology.new_namespace()
    pair = Pair(far)
    here = open_socket(protocol=ETH_P_ALL)
    with far:
        there = open_socket(protocol=ETH_P_ALL)
    packet.send(packet.reference(), probe(MAC_B, src=MAC_A), packet.address(pair.a, PROBE))
    seen = [(f.address.pkttype, f.address.ifindex) for f in drain(here)]
    equal(seen, [(packet.OUTGOING, pair.a)], "where it was sent")
    seen = [(f.address.pkttype, f.address.ifindex) for f in drain(there)]
    equal(seen, [(packet.HOST, pair.b)], "where it arrived")


def test_namespace_of_creation():
    """A socket stays in the namespace it was made in, whoever uses it from where."""
    far = topology.new_namespace()
    pair = Pair(far)
    sock = open_socket()
    with far:
        topology.ip(f"link add x9 index {pair.a + 50} type veth peer name x8")
        equal(errno_of(bind, sock, pair.a + 50, PROBE), "ENODEV", "a device of the other namespace")
        bind(sock, pair.a, PROBE)
        seen = packet.LinkAddress.parse(getname(sock)[0])
        equal((seen.ifindex, seen.addr), (pair.a, MAC_A), "name")
        to = packet.address(pair.a + 50, PROBE)
        equal(errno_of(packet.send, sock, probe(), to), "ENXIO", "send to the other namespace")
        request = packet.membership(pair.a + 50, packet.MR_PROMISC)
        seen = errno_of(packet.set_option, sock, packet.ADD_MEMBERSHIP, request)
        equal(seen, "ENODEV", "membership in the other namespace")
        injector = packet.reference()
        packet.send(injector, probe(), packet.address(pair.b, PROBE))
    equal(len(drain(sock)), 1, "frames arrive where it was made")


def test_proc_is_per_namespace():
    """Each namespace lists its own sockets, also through the file of another process."""
    far = topology.new_namespace()
    mine = [open_socket() for _ in range(3)]
    with far:
        theirs = [open_socket() for _ in range(2)]
    equal((len(proc_rows()), len(proc_rows(far))), (3, 2), "rows")
    inodes = {str(os.fstat(sock.fileno()).st_ino) for sock in theirs}
    equal({row.split()[-1] for row in proc_rows(far)}, inodes, "inodes")
    for sock in mine + theirs:
        sock.close()
    equal((len(proc_rows()), len(proc_rows(far))), (0, 0), "rows after close")


def test_socket_keeps_namespace():
    """A namespace lives as long as a socket of it: the socket works, then all of it goes."""
    far = topology.new_namespace()
    with far:
        sock = open_socket(protocol=PROBE)
        lo = topology.index("lo")
    far.close()
    bind(sock, lo, PROBE)
    frame = packet.ethernet(bytes(6), bytes(6), PROBE, b"k" * 46)
    packet.send(sock, frame)
    equal([f.data for f in drain(sock)], [frame], "traffic in a namespace that nobody is in")
    sock.close()


def test_namespace_removed():
    """A namespace goes with its devices; a socket at the other end sees its own vanish."""
    far = topology.new_namespace()
    pair = Pair(far)
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    with far:
        inside = open_socket(protocol=ETH_P_ALL)
        bind(inside, pair.b, ETH_P_ALL)
        packet.set_option(
            inside, packet.ADD_MEMBERSHIP, packet.membership(pair.b, packet.MR_PROMISC)
        )
    packet.send(packet.reference(), probe(), packet.address(pair.a, PROBE))
    inside.close()
    far.close()
    until = time.monotonic() + 20
    while packet.LinkAddress.parse(getname(sock)[0].ljust(20, b"\0")).ifindex != -1:
        assert time.monotonic() < until, "the namespace's devices are still there"
        time.sleep(0.05)
    seen = packet.get_int(sock, packet.socket.SO_ERROR, packet.socket.SOL_SOCKET)
    equal(packet.NAMES[seen], "ENETDOWN", "error of the socket at the other end")


def test_many_namespaces():
    """Namespaces come and go, each with a socket that is closed at the end or just dropped."""
    for number in range(12):
        far = topology.new_namespace()
        with far:
            sock = open_socket(protocol=ETH_P_ALL)
            packet.send(
                packet.reference(),
                packet.ethernet(bytes(6), bytes(6), PROBE, b"n" * 46),
                packet.address(topology.index("lo"), PROBE),
            )
        assert len(drain(sock)) >= 1, "frames"
        if number % 2:
            sock.close()
            far.close()
        else:
            far.close()
            sock.close()


def test_wildcard_across_move():
    """A wildcard socket gains a device that moves in and loses one that moves out."""
    far = topology.new_namespace()
    pair = Pair()
    topology.ip("link add vc type veth peer name vd", "link set vc up", "link set vd up")
    with far:
        there = open_socket(protocol=PROBE)
    here = open_socket(protocol=PROBE)
    injector = Injector(pair.b, pair.a)
    injector.send(probe(payload=b"1"))
    topology.ip(f"link set va netns {far.path}")
    with far:
        topology.set_up("va")
    # A work item follows the carrier; until then what is sent is dropped.
    lib.wait_for(lambda: topology.flags("vb") & topology.IFF_RUNNING, 10, "the link")
    packet.send(packet.reference(), probe(payload=b"2"), packet.address(pair.b, PROBE))
    equal([f.data[14:15] for f in drain(here)], [b"1"], "where va was")
    equal([f.data[14:15] for f in drain(there)], [b"2"], "where va is")


if __name__ == "__main__":
    main(globals())
