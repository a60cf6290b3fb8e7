#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket
# kernels: debug
# debug: chosen
# timeout: 300
# leak-scan: yes
# log: FAULT_INJECTION|Call Trace:|page allocation failure
"""Each allocation and each access to user memory on the way through our code fails, one after the
other: the errno is the right one, nothing is left behind, and the next try works."""

import contextlib
import fcntl
import os
import socket
import struct

import packet
import topology
from harness import equal, expedited_grace_periods, main
import fault_injection as faults  # harness has set the path
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe

SIOCOUTQ = 0x5411
# A socket without memory is ENOBUFS or ENOMEM, a file without is ENFILE.
NO_SOCKET = ("ENOBUFS", "ENOMEM", "ENFILE")


def sockets():
    """How many sockets the family has here, by its file and by the protocol's account."""
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        rows = len(table.read().splitlines()) - 1
    with open("/proc/thread-self/net/protocols", encoding="ascii") as table:
        uses = [line.split()[2] for line in table if line.startswith("RPACKET ")]
    return rows, uses


def report(what, places, least=1):
    print("#", faults.summary(what, places, "af_rpacket"), flush=True)
    assert len(places) >= least, f"{what}: only {len(places)} faults"


def test_socket():
    """socket(), with and without a protocol."""
    before = sockets()
    for kind in (SOCK_RAW, SOCK_DGRAM):
        for protocol in (0, PROBE):
            made = []

            def create(kind=kind, protocol=protocol, made=made):
                made.append(packet.call("socket", packet.FAMILY, kind, socket.htons(protocol)))

            def close(made=made):
                while made:
                    os.close(made.pop())

            report(f"socket({kind}, {protocol:#x})", faults.each(create, NO_SOCKET, close))
    equal(sockets(), before, "sockets left")


def test_bind():
    """bind() has nothing that can fail once the address is in the kernel."""
    pair = Pair()
    with open_socket() as sock:
        report("bind", faults.each(lambda: bind(sock, pair.a, PROBE), (),
                                   lambda: bind(sock, 0, PROBE)), 0)


def test_options():
    """Memberships, filters, switches, statistics; and what they were afterwards."""
    pair = Pair()
    with open_socket() as sock:
        for kind in range(4):
            request = packet.membership(pair.a, kind, bytes.fromhex("030000000001"))

            def join(request=request):
                packet.set_option(sock, packet.ADD_MEMBERSHIP, request)

            def leave(request=request):
                with contextlib.suppress(OSError):
                    packet.set_option(sock, packet.DROP_MEMBERSHIP, request)

            report(f"membership {kind}", faults.each(join, ("ENOBUFS", "ENOMEM", "EFAULT"), leave))
            report(f"drop of membership {kind}",
                   faults.each(lambda: (join(), leave()), ("ENOBUFS", "ENOMEM", "EFAULT"), leave))
        equal(topology.flags("va") & topology.IFF_PROMISC, 0, "promiscuous")
        report("a switch", faults.each(lambda: packet.set_option(sock, packet.AUXDATA, 1),
                                       ("EFAULT",)))
        report("statistics", faults.each(lambda: packet.statistics(sock), ("EFAULT",)))


def test_send():
    """sendmsg(), of both types. What is lost on its way after the call is the device's."""
    pair = Pair()
    topology.wait_running("va")
    for kind in (SOCK_RAW, SOCK_DGRAM):
        with open_socket(kind) as sock:
            for data in (probe(MAC_B), probe(MAC_B, bytes(1400))):
                places = faults.each(
                    lambda sock=sock, data=data: packet.send(sock, data, address(pair.a, PROBE, MAC_B)),
                    ("ENOBUFS", "ENOMEM", "EFAULT"))
                report(f"send({kind}) of {len(data)} bytes", places)
            charged = struct.unpack("=i", fcntl.ioctl(sock.fileno(), SIOCOUTQ, bytes(4)))
            equal(charged, (0,), "bytes that are still charged")


def test_receive():
    """recvmsg(): a frame that could not be copied is lost, as in AF_PACKET, and the next one comes."""
    pair = Pair()
    topology.wait_running("vb")
    sender = packet.reference()
    with open_socket() as sock:
        packet.set_option(sock, packet.AUXDATA, 1)
        bind(sock, pair.a, PROBE)

        def refill():
            for _ in range(3):
                packet.send(sender, probe(), address(pair.b, PROBE))
            topology.wait_for_backlog()

        refill()
        places = faults.each(lambda: packet.receive(sock, flags=packet.MSG_DONTWAIT),
                             ("EFAULT", "ENOMEM"), refill)
        report("recvmsg", places)


def test_reading_proc():
    """/proc/net/rpacket."""
    with open_socket(), open_socket():
        path = f"/proc/thread-self/net/{packet.PROC_NAME}"

        def read():
            fd = os.open(path, os.O_RDONLY)
            try:
                os.read(fd, 65536)
            finally:
                os.close(fd)

        report("reading /proc", faults.each(read, ("ENOMEM", "EFAULT", "ENFILE")), 0)


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), faults.switched_on("af_rpacket"):
        yield


if __name__ == "__main__":
    main(globals(), around)
