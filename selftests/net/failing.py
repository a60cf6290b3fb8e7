# SPDX-License-Identifier: GPL-2.0
"""What the cases have in common in which something fails: calls.py, faults.py, softirq_faults.py."""

import contextlib
import fcntl
import os
import socket
import struct

import packet
import topology
from harness import equal
import fail_call  # harness has set the path
import lib
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe

MODULE = "af_rpacket"
FILE = f"{lib.MODULES}/{MODULE}.ko"
PROC = f"/proc/thread-self/net/{packet.PROC_NAME}"
CONTROL = fail_call.Control()
SIOCOUTQ, SIOCINQ = 0x5411, 0x541B
TX_SOFTWARE, SOFTWARE = 1 << 1, 1 << 4
# Which file makes an allocation fail (fault_sites.py), if it is not faults.py.
OWNERS = [
    ("receive_callback|rnet_helper_packet_take", "softirq_faults.py", "the family's hook"),
    ("__pskb_pull_tail", None, "four bytes more have room in the packet; calls.py has the call itself fail"),
    ("skb_tstamp_tx", None, "the layer has it for drivers, and is compiled into both modules"),
    ("proto_register", None, "it allocates nothing for sockets that come from kmalloc()"),
    ("device_event.*dev_set", None, "of a device that goes away nothing is announced any more"),
    ("put_cmsg", None, "it writes to user memory where no faults are made; calls.py has the call itself fail"),
]


def works_again():
    open_socket(SOCK_RAW, PROBE).close()


def load():
    fail_call.insmod(FILE)


@contextlib.contextmanager
def without_module():
    """The module is not loaded inside; it is loaded again afterwards, and works."""
    fail_call.rmmod(MODULE)
    try:
        yield
    finally:
        load()
    works_again()


@contextlib.contextmanager
def another_namespace():
    """Gives what makes a namespace and what leaves it; ends in one that works."""
    here = topology.Namespace()
    yield topology.enter_bare, lambda: os.setns(here.fd, topology.CLONE_NEWNET)
    topology.enter_new()
    works_again()


def memberships(sock, ifindex):
    """For each kind: the kind, what joins, and what leaves."""
    for kind in range(4):
        request = packet.membership(ifindex, kind, bytes.fromhex("030000000001"))
        yield (kind, lambda request=request: packet.set_option(sock, packet.ADD_MEMBERSHIP, request),
               lambda request=request: packet.set_option(sock, packet.DROP_MEMBERSHIP, request))


def sending(ifindex, sizes, control=b""):
    """For sockets of both types and payloads of these sizes: what is sent, in words and bytes, and what
    sends it. Nothing may be left that is charged to the socket."""
    for kind in (SOCK_RAW, SOCK_DGRAM):
        with open_socket(kind) as sock:
            for size in sizes:
                data = probe(MAC_B, bytes(size))
                yield f"send({kind}) of {len(data)} bytes", data, lambda sock=sock, data=data: packet.send(
                    sock, data, address(ifindex, PROBE, MAC_B), control)
            topology.wait_for_backlog()
            charged = struct.unpack("=i", fcntl.ioctl(sock.fileno(), SIOCOUTQ, bytes(4)))
            equal(charged, (0,), "bytes that are still charged")


@contextlib.contextmanager
def timed():
    """A socket whose frames come back with their times; and what reads such a time, drops all, and drops
    all and sends one frame."""
    pair = Pair()
    topology.wait_running("va")
    with open_socket() as sock:
        bind(sock, pair.a, PROBE)
        packet.set_option(sock, packet.SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE, level=socket.SOL_SOCKET)

        def stamp():
            packet.receive(sock, flags=packet.MSG_ERRQUEUE)

        def drain():
            with contextlib.suppress(BlockingIOError):
                while True:
                    stamp()

        def again():
            drain()
            packet.send(sock, probe(MAC_B))

        yield pair, sock, stamp, drain, again


def arrived(sock):
    """How many frames are waiting, which are taken."""
    topology.wait_for_backlog()
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            packet.receive(sock, flags=packet.MSG_DONTWAIT)
            count += 1
    return count
