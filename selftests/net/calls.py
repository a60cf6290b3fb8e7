#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket
# timeout: 400
# leak-scan: yes
"""Each call of the kernel that the family makes, and that can fail, fails: registrations, sockets,
devices, packets, copies. The errno is the right one or a counted drop, nothing is left behind, and the
next try works. Which calls these are, the module's list of imports says; the last case names those that
were not reached."""

import contextlib
import fcntl
import os
import socket
import struct
import tempfile

import bpf
import packet
import topology
from harness import equal, expedited_grace_periods, main
import fail_call  # harness has set the path
import lib
from membership import counts
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe

MODULE = "af_rpacket"
FILE = f"{lib.MODULES}/{MODULE}.ko"
SIOCOUTQ, SIOCINQ = 0x5411, 0x541B
TX_SOFTWARE, SOFTWARE = 1 << 1, 1 << 4
# Cases run in processes of their own: what they reached is noted here, a name a line.
REACHED = tempfile.NamedTemporaryFile(mode="a", prefix="reached")
CALLS = fail_call.Calls(fail_call.Control(), MODULE)
# What has a reason not to be reached by any case here.
UNREACHED = [
    ("skb_copy_bits", "who sends or receives a VLAN tag has it in the linear part of the packet"),
    ("__dev_get_by_index", "a membership that is given back: a device that is there cannot be missed"),
    ("_copy_from_iter", "a whole frame is copied by another function"),
    ("request_threaded_irq", "the layer has it for drivers, and is compiled into both modules"),
]


def check(what, operation, *arguments, **named):
    """Each call that the operation makes fails once; what they were is printed."""
    try:
        print(f"# {what}: {CALLS.each(operation, *arguments, **named)}", flush=True)
    finally:
        REACHED.write("".join(f"{name}\n" for name in CALLS.reached))
        REACHED.flush()


def references():
    with open("/proc/modules", encoding="ascii") as table:
        return [line.split()[2] for line in table if line.startswith(f"{MODULE} ")]


def test_load():
    """The module is loaded: it stays only when all its registrations are made."""
    fail_call.rmmod(MODULE)

    def undo():
        with contextlib.suppress(OSError):
            fail_call.rmmod(MODULE)

    try:
        check("load", lambda: fail_call.insmod(FILE), undo, least=5)
        equal(references(), [], "the module")
        assert not os.path.exists(f"/proc/thread-self/net/{packet.PROC_NAME}"), "its file is there"
    finally:
        fail_call.insmod(FILE)
    open_socket(SOCK_RAW, PROBE).close()


def test_namespace():
    """A namespace comes into being, or does not."""
    here = topology.Namespace()
    check("a namespace", topology.enter_bare, lambda: os.setns(here.fd, topology.CLONE_NEWNET))
    topology.enter_new()
    open_socket(SOCK_RAW, PROBE).close()


def test_socket():
    """socket(), with and without a protocol; its end."""
    before = references()
    for kind in (SOCK_RAW, SOCK_DGRAM):
        for protocol in (0, PROBE):
            # getsockname(), by Python: without the device, it says nothing of it.
            check(f"socket({kind}, {protocol:#x})",
                  lambda kind=kind, protocol=protocol: open_socket(kind, protocol).close(),
                  expected={"dev_get_by_index_rcu": ("0",)})
    equal(references(), before, "sockets")


def test_bind():
    """bind(), to a device and away from it."""
    pair = Pair()
    with open_socket() as sock:
        # At the end it is looked for again: one that has gone meanwhile is gone like any other.
        check("bind", lambda: bind(sock, pair.a, PROBE), lambda: bind(sock, 0, PROBE),
              {"dev_get_by_index_rcu": ("ENODEV", "0")})
        bind(sock, pair.a, PROBE)


def test_memberships():
    """All four kinds."""
    pair = Pair()
    with open_socket() as sock:
        for kind in range(4):
            request = packet.membership(pair.a, kind, bytes.fromhex("030000000001"))

            def join(request=request):
                packet.set_option(sock, packet.ADD_MEMBERSHIP, request)

            def leave(request=request):
                packet.set_option(sock, packet.DROP_MEMBERSHIP, request)

            check(f"membership {kind}", join, leave,
                  {"dev_get_by_index_rcu": ("ENODEV",)}, 2)
    equal(counts("va"), (0, 0), "the device's mode")


def test_options():
    """Switches, statistics."""
    with open_socket() as sock:
        check("a switch", lambda: packet.set_option(sock, packet.AUXDATA, 1))
        check("a switch, read", lambda: packet.get_int(sock, packet.AUXDATA))
        check("statistics", lambda: packet.statistics(sock))


def test_ioctls():
    """What is in the queues, and /proc."""
    with open_socket() as sock:
        for what in (SIOCINQ, SIOCOUTQ):
            check(f"ioctl {what:#x}", lambda what=what: fcntl.ioctl(sock.fileno(), what, bytes(4)))

        def read():
            with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
                table.read()
        check("/proc", read, least=0)


def test_send():
    """sendmsg(), of both types, with control messages."""
    pair = Pair()
    topology.wait_running("va")
    mark = packet.cmsg(socket.SOL_SOCKET, packet.SO_MARK, struct.pack("=I", 0))
    for kind in (SOCK_RAW, SOCK_DGRAM):
        with open_socket(kind) as sock:
            for data in (probe(MAC_B), probe(MAC_B, bytes(1400))):
                def send(sock=sock, data=data):
                    packet.send(sock, data, address(pair.a, PROBE, MAC_B), mark)

                check(f"send({kind}) of {len(data)} bytes", send, least=4)
            topology.wait_for_backlog()
            charged = struct.unpack("=i", fcntl.ioctl(sock.fileno(), SIOCOUTQ, bytes(4)))
            equal(charged, (0,), "bytes that are still charged")


def test_receive():
    """A frame arrives and is read: it is there, or it is counted as a drop, or reading it fails."""
    pair = Pair()
    topology.wait_running("vb")
    sender = packet.reference()
    with open_socket() as sock, open_socket(SOCK_DGRAM) as other:
        for each in (sock, other):
            packet.set_option(each, packet.AUXDATA, 1)
            bind(each, pair.a, PROBE)
            packet.statistics(each)

        def pass_on(which, data):
            packet.send(sender, data, address(pair.b, PROBE))
            topology.wait_for_backlog()
            # Also what could not be copied is gone.
            try:
                packet.receive(which, flags=packet.MSG_DONTWAIT)
            except BlockingIOError:
                _, drops = packet.statistics(which)
                if not drops:
                    raise

        def undo():
            for each in (sock, other):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet.receive(each, flags=packet.MSG_DONTWAIT)
                packet.statistics(each)

        for which in (sock, other):
            for data in (probe(), probe(MAC_B, bytes(1400))):
                check(f"receive, {len(data)} bytes",
                      lambda which=which, data=data: pass_on(which, data), undo)


def test_frames_of_pages():
    """A frame whose data is in pages: its VLAN tag is looked for when it is sent; it is cut by a filter
    when it arrives."""
    pair = Pair()
    topology.ip("link set va mtu 9000", "link set vb mtu 9000")
    topology.wait_running("va")
    data = packet.ethernet(MAC_B, topology.MAC_A, packet.ETH_P_8021Q,
                           struct.pack("!HH", 5, PROBE) + bytes(8000))
    with open_socket() as out, open_socket() as heard:
        bind(heard, pair.b, packet.ETH_P_ALL)
        bpf.attach(heard, [bpf.ret(100)])
        packet.statistics(heard)

        def drain():
            arrived = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet.receive(heard, flags=packet.MSG_DONTWAIT)
                    arrived += 1
            return arrived

        def send():
            packet.send(out, data, address(pair.a, 0, MAC_B))
            topology.wait_for_backlog()
            # Twice: it may be the call that looks into the queue that fails.
            equal(drain() + drain() + packet.statistics(heard)[1], 1, "arrived or tp_drops")

        check("a tagged frame of pages", send, expected={"skb_recv_datagram": ("0",)}, least=2)


def test_error_queue():
    """A frame that was sent comes back with its time."""
    pair = Pair()
    topology.wait_running("va")
    with open_socket() as sock:
        bind(sock, pair.a, PROBE)
        packet.set_option(sock, packet.SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE, level=socket.SOL_SOCKET)
        packet.send(sock, probe(MAC_B))

        def again():
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet.receive(sock, flags=packet.MSG_ERRQUEUE)
            packet.send(sock, probe(MAC_B))

        check("error queue", lambda: packet.receive(sock, flags=packet.MSG_ERRQUEUE), again)


def test_each_call_was_reached():
    """All that the family imports and that can fail; or a reason why not."""
    with open(REACHED.name, encoding="ascii") as names:
        CALLS.reached = set(names.read().split())
    CALLS.account(UNREACHED)


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), CALLS.control, CALLS:
        yield


if __name__ == "__main__":
    main(globals(), around)
