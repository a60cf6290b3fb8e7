#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# debug: chosen
# timeout: 400
# leak-scan: yes
"""Everything at once: binding, closing, devices that come and go, traffic, filters, namespaces.

Each case lets several processes work against each other on the same sockets and devices for some
seconds. The kernel log and the module's unload afterwards are the judges; here it is asserted that
each worker did work, and that the sockets are of use afterwards.
"""

import contextlib
import os
import random
import select
import signal
import time

import bpf
import packet
import topology
from harness import lib, main, seconds
from packet import ETH_P_ALL, OTHER, PROBE, bind, open_socket
from topology import MAC_STRANGER, Pair
from twin import Injector, drain, probe

TIME = 6
QUIET = contextlib.suppress(OSError, AssertionError)


def loop(name, worker, end, writer):
    """The life of a worker's process. Does not return."""
    try:
        signal.alarm(10 * TIME * lib.SLOW)
        os.sched_setaffinity(0, range(os.cpu_count()))
        random.seed(name)
        rounds = 0
        # However slow it is, it has to get something done.
        while time.monotonic() < end or (rounds == 0 and time.monotonic() < end + 3 * TIME):
            with QUIET:
                worker()
                rounds += 1
        os.write(writer, str(rounds).encode())
    finally:
        os._exit(0)


def together(**workers):
    """Lets each function loop in a process of its own; returns how often each one ran."""
    pipes = {}
    pids = []
    end = time.monotonic() + TIME
    for name, worker in workers.items():
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            loop(name, worker, end, writer)
        os.close(writer)
        pipes[name] = reader
        pids.append(pid)
    counts = {}
    for name, reader in pipes.items():
        ready, _, _ = select.select([reader], [], [], 15 * TIME)
        said = os.read(reader, 32) if ready else b""
        assert said, f"the worker {name} did not end (rounds so far of the others: {counts})"
        counts[name] = int(said)
    for pid in pids:
        os.waitpid(pid, 0)
    idle = [name for name, rounds in counts.items() if rounds == 0]
    assert not idle, f"workers that never succeeded: {idle}"
    return counts


def sender(*ifindexes):
    """A worker that sends frames out of devices."""
    sock = packet.reference()

    def work():
        for ifindex in ifindexes:
            for _ in range(20):
                packet.send(sock, probe(), packet.address(ifindex, PROBE))

    return work


def binder(sock, choices, protocols=(PROBE, OTHER, ETH_P_ALL, 0)):
    """A worker that binds a socket to now this, now that."""

    def work():
        bind(sock, random.choice(choices), random.choice(protocols))

    return work


def reader(sock):
    """A worker that receives, looks at the statistics, and takes errors."""

    def work():
        with QUIET:
            packet.receive(sock, flags=packet.MSG_DONTWAIT)
        with QUIET:
            packet.receive(sock, 10, packet.MSG_DONTWAIT | packet.MSG_PEEK | packet.MSG_TRUNC)
        packet.statistics(sock)
        packet.get_int(sock, packet.socket.SO_ERROR, packet.socket.SOL_SOCKET)

    return work


def lister():
    """A worker that reads the table of sockets."""
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        assert table.read().startswith("sk"), "heading"


def flapper(name):
    """A worker that takes a device down and up."""

    def work():
        topology.set_down(name)
        topology.set_up(name)

    return work


def opener(choices):
    """A worker that opens, binds and closes sockets."""

    def work():
        sock = open_socket(random.choice((2, 3)), random.choice((0, PROBE, ETH_P_ALL)))
        with QUIET:
            bind(sock, random.choice(choices), random.choice((0, PROBE, ETH_P_ALL)))
        sock.close()

    return work


def assert_useful(sock, pair):
    """The socket can be bound, and receives."""
    topology.set_up("va")
    topology.set_up("vb")
    drain_all(sock)
    packet.set_option(sock, packet.AUXDATA, 1)
    bind(sock, pair.a, PROBE)
    packet.get_int(sock, packet.socket.SO_ERROR, packet.socket.SOL_SOCKET)
    Injector(pair.b, pair.a).send(probe(payload=b"still here"))
    assert any(b"still here" in frame.data for frame in drain(sock)), "the socket still receives"


def drain_all(sock):
    """Empties the queue, errors included."""
    for _ in range(3):
        with QUIET:
            drain(sock)


@seconds(120)
def test_bind_against_link():
    """bind, rebind, down, up, close and receive on shared sockets under traffic."""
    pair = Pair()
    sock, other = open_socket(protocol=ETH_P_ALL), open_socket(2, PROBE)
    together(
        bind_one=binder(sock, (0, pair.a, pair.b)),
        bind_same=binder(sock, (pair.a,)),
        bind_other=binder(other, (pair.a, 4711, pair.b)),
        flap=flapper("va"),
        traffic=sender(pair.a, pair.b),
        read=reader(sock),
        open_close=opener((0, pair.a)),
        list=lister,
    )
    assert_useful(sock, pair)
    assert_useful(other, pair)


@seconds(120)
def test_bind_against_unregister():
    """Devices are made and removed, with the same index, under sockets that bind, join and send."""
    pair = Pair()
    sock, other = open_socket(), open_socket(protocol=PROBE)

    def replace():
        with QUIET:
            topology.ip("link del va")
        topology.ip(
            f"link add va index {pair.a} type veth peer name vb index {pair.b}",
            "link set va up", "link set vb up",
        )  # fmt: skip

    def join():
        with QUIET:
            for kind, addr in ((packet.MR_PROMISC, b""), (packet.MR_UNICAST, MAC_STRANGER)):
                request = packet.membership(pair.a, kind, addr)
                packet.set_option(sock, packet.ADD_MEMBERSHIP, request)
        request = packet.membership(pair.a, packet.MR_PROMISC)
        packet.set_option(sock, packet.DROP_MEMBERSHIP, request)

    def send():
        with QUIET:
            packet.send(other, probe())
        # Succeeds at the latest when the devices are left in peace, whatever the sockets are bound to.
        packet.send(sock, probe(), packet.address(pair.a, PROBE))

    together(
        replace=replace,
        bind_one=binder(sock, (0, pair.a, pair.b)),
        bind_other=binder(other, (pair.a,)),
        traffic=sender(pair.b, pair.a),
        join=join,
        send=send,
        read=reader(other),
        open_close=opener((pair.a, pair.b)),
    )
    packet.set_option(sock, packet.DROP_MEMBERSHIP, packet.membership(pair.a, packet.MR_PROMISC))
    assert_useful(sock, Pair() if "va" not in names() else pair)


def names():
    """The devices of this namespace."""
    return {name for _, name in packet.socket.if_nameindex()}


@seconds(120)
def test_options_against_traffic():
    """Filters and options change under traffic, with readers beside."""
    pair = Pair()
    sock = open_socket(protocol=ETH_P_ALL)
    bind(sock, pair.a, ETH_P_ALL)

    def filters():
        bpf.attach(sock, [bpf.ret(random.choice((0, 1, 14, 40, 100, 0xFFFFFFFF)))])
        if random.random() < 0.3:
            bpf.detach(sock)

    def options():
        for option in (packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING):
            packet.set_option(sock, option, random.randrange(2))
        size = random.choice((0, 5000, 1 << 18))
        packet.set_option(sock, packet.socket.SO_RCVBUF, size, level=packet.socket.SOL_SOCKET)
        stamps = random.choice((0, 0x5A))
        packet.set_option(sock, packet.SO_TIMESTAMPING, stamps, level=packet.socket.SOL_SOCKET)
        packet.set_option(sock, packet.SO_RXQ_OVFL, 1, level=packet.socket.SOL_SOCKET)

    def errors():
        with QUIET:
            packet.send(sock, probe(), packet.address(pair.a, PROBE))
        packet.receive(sock, flags=packet.MSG_ERRQUEUE)

    together(
        filters=filters, options=options, read=reader(sock), read_too=reader(sock), errors=errors,
        traffic=sender(pair.b, pair.a), more=sender(pair.b),
    )  # fmt: skip
    bpf.attach(sock, [bpf.ret(0xFFFFFFFF)])
    packet.set_option(sock, packet.socket.SO_RCVBUF, 1 << 18, level=packet.socket.SOL_SOCKET)
    assert_useful(sock, pair)


@seconds(120)
def test_namespaces_against_sockets():
    """Namespaces with sockets in them end while traffic runs and devices move between them."""
    pair = Pair()
    wild = open_socket(protocol=ETH_P_ALL)

    def churn():
        here = topology.Namespace()
        with here:
            topology.enter_new()
            topology.ip("link add x0 type veth peer name x1", "link set x0 up", "link set x1 up")
            socks = [open_socket(protocol=ETH_P_ALL) for _ in range(3)]
            bind(socks[0], topology.index("x0"), ETH_P_ALL)
            packet.send(socks[1], probe(), packet.address(topology.index("x1"), PROBE))
            assert packet.receive(socks[0]).count, "traffic"
        for sock in socks[: random.randrange(3)]:
            sock.close()
        here.close()

    def move():
        far = topology.new_namespace()
        topology.ip("link add m0 type veth peer name m1", "link set m0 up", "link set m1 up")
        sock = open_socket()
        bind(sock, topology.index("m0"), ETH_P_ALL)
        topology.ip(f"link set m0 netns {far.path}")
        sock.close()
        far.close()

    together(
        churn=churn, churn_too=churn, move=move, traffic=sender(pair.a), list=lister,
        open_close=opener((0, pair.a)), read=reader(wild),
    )  # fmt: skip
    assert_useful(wild, pair)


if __name__ == "__main__":
    main(globals(), contextlib.nullcontext)
