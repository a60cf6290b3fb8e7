#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket
# kernels: debug
# timeout: 300
# leak-scan: yes
# log: FAULT_INJECTION|Call Trace:|page allocation failure
"""Each allocation and each access to user memory on the way through our code fails, one after the
other: the errno is the right one, nothing is left behind, and the next try works."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import socket
import struct

import lib
import packet
import topology
from harness import equal, expedited_grace_periods, main
import fail_call  # harness has set the path
import fault_injection as faults
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe

SIOCOUTQ, SIOCINQ, SIOCGSTAMP, SIOCGIFINDEX = 0x5411, 0x541B, 0x8906, 0x8933
TX_SOFTWARE, SOFTWARE = 1 << 1, 1 << 4
FILE = f"{lib.MODULES}/af_rpacket.ko"
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


def refused(expected, function, *arguments):
    """A call that has its errno without a fault, too; with one it may also be without memory."""
    try:
        function(*arguments)
    except OSError as error:
        if error.errno != getattr(errno, expected):
            raise
    else:
        raise AssertionError(f"succeeded, expected {expected}")


def test_namespace():
    """A namespace comes into being with the family's part, or not at all."""
    here = topology.Namespace()
    report("a namespace", faults.each(topology.enter_bare, ("ENOMEM",),
                                      lambda: os.setns(here.fd, topology.CLONE_NEWNET)))
    topology.enter_new()
    open_socket(SOCK_RAW, PROBE).close()


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
        for option in (packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING):
            report(f"option {option}", faults.each(
                lambda option=option: packet.set_option(sock, option, 1), ("EFAULT",)))
            report(f"option {option}, read", faults.each(
                lambda option=option: packet.get_int(sock, option), ("EFAULT",)))
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


class Mmsghdr(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [("hdr", packet.Msghdr), ("len", ctypes.c_uint)]


def messages(count, data):
    """So many messages of these bytes, and what has to be kept while they are used."""
    heads = (Mmsghdr * count)()
    buffers = [ctypes.create_string_buffer(data, len(data)) for _ in heads]
    vectors = [packet.Iovec(ctypes.addressof(buffer), len(data)) for buffer in buffers]
    for head, vector in zip(heads, vectors):
        head.hdr.iov, head.hdr.iovlen = ctypes.addressof(vector), 1
    return heads, (buffers, vectors)


def test_many_messages():
    """sendmmsg() and recvmmsg(): what was done before the fault counts, and no message is half done."""
    pair = Pair()
    topology.wait_running("va")
    with open_socket() as out, open_socket() as heard:
        bind(out, pair.a, PROBE)
        bind(heard, pair.b, PROBE)
        heads, keep = messages(3, probe(MAC_B))

        def drain():
            topology.wait_for_backlog()
            count = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet.receive(heard, flags=packet.MSG_DONTWAIT)
                    count += 1
            return count

        def send():
            # The call may end after some of them, without an error.
            sent = packet.call("sendmmsg", out.fileno(), heads, 3, 0)
            done.append(sent)

        def undo():
            arrived = drain()
            if done:
                assert arrived >= done.pop(), "what was reported as sent did not arrive"

        done = []
        report("sendmmsg", faults.each(send, ("ENOBUFS", "ENOMEM", "EFAULT"), undo))
        packet.call("sendmmsg", out.fileno(), heads, 3, 0)
        topology.wait_for_backlog()

        def refill():
            drain()
            packet.call("sendmmsg", out.fileno(), heads, 3, 0)
            topology.wait_for_backlog()

        report("recvmmsg", faults.each(
            lambda: packet.call("recvmmsg", heard.fileno(), heads, 3, packet.MSG_DONTWAIT, None),
            ("ENOMEM", "EFAULT"), refill))
        del keep


def test_error_queue():
    """The time of a frame that was sent; what has no memory is sent without."""
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

        report("send with a time", faults.each(lambda: packet.send(sock, probe(MAC_B)),
                                               ("ENOBUFS", "ENOMEM", "EFAULT"), drain))
        again()
        report("error queue", faults.each(stamp, ("EFAULT", "ENOMEM"), again))


def test_small_calls():
    """poll(), the ioctls, and what such a socket refuses."""
    with open_socket() as sock:
        number = sock.fileno()
        buffer = ctypes.create_string_buffer(64)
        request = struct.pack("16s24x", b"lo")
        calls = {
            "poll": lambda: select.select([number], [], [], 0),
            "SIOCINQ": lambda: fcntl.ioctl(number, SIOCINQ, bytes(4)),
            "SIOCOUTQ": lambda: fcntl.ioctl(number, SIOCOUTQ, bytes(4)),
            "SIOCGIFINDEX": lambda: fcntl.ioctl(number, SIOCGIFINDEX, request),
            "SIOCGSTAMP": lambda: refused("ENOENT", fcntl.ioctl, number, SIOCGSTAMP, bytes(16)),
            "getsockname": lambda: packet.getname(sock),
            "mmap": lambda: refused("EINVAL", packet.call, "mmap", None, mmap.PAGESIZE, 3, 1, number, 0),
            "accept": lambda: refused("EOPNOTSUPP", packet.call, "accept", number, None, None),
            "listen": lambda: refused("EOPNOTSUPP", packet.call, "listen", number, 1),
            "connect": lambda: refused("EOPNOTSUPP", packet.call, "connect", number, buffer, 20),
        }
        for what, function in calls.items():
            report(what, faults.each(function, ("EFAULT", "ENOMEM")), 0)


def test_close():
    """close() of a socket with a device, a membership, and frames that wait: nothing of it can fail."""
    pair = Pair()
    topology.wait_running("vb")
    sender, ready = packet.reference(), []

    def make():
        sock = open_socket()
        packet.set_option(sock, packet.ADD_MEMBERSHIP, packet.membership(pair.a, packet.MR_PROMISC))
        bind(sock, pair.a, PROBE)
        packet.send(sender, probe(), address(pair.b, PROBE))
        topology.wait_for_backlog()
        ready.append(sock.detach())

    make()
    report("close", faults.each(lambda: os.close(ready.pop()), (), make), 0)
    os.close(ready.pop())
    equal(topology.flags("va") & topology.IFF_PROMISC, 0, "promiscuous")


def test_device_goes_down():
    """The family's notifier, when the device of a socket goes down and up."""
    pair = Pair()
    with open_socket() as sock:
        bind(sock, pair.a, PROBE)
        report("down", faults.each(lambda: topology.set_down("va"), ("EFAULT", "ENOMEM", "ENOBUFS"),
                                   lambda: topology.set_up("va")), 0)
        report("up", faults.each(lambda: topology.set_up("va"), ("EFAULT", "ENOMEM", "ENOBUFS"),
                                 lambda: topology.set_down("va")), 0)


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


def test_load():
    """The module is loaded: what is registered when something fails is given back.

    The last case: afterwards the code of the module is elsewhere."""
    def load():
        try:
            fail_call.insmod(FILE)
        except OSError as error:
            return error.errno
        fail_call.rmmod("af_rpacket")
        return 0

    def judge(place, result):
        assert result in ((0, errno.ENOMEM, errno.ENOBUFS) if place else (0,)), (
            f"{errno.errorcode[result]} when this failed: {' < '.join(place[:6])}")
        assert not os.path.exists(f"/proc/thread-self/net/{packet.PROC_NAME}"), "its file is there"

    fail_call.rmmod("af_rpacket")
    try:
        with fail_call.Control() as control, fail_call.Allocations(control, "af_rpacket", "task") as each:
            report("load", each.each(load, judge), 5)
    finally:
        fail_call.insmod(FILE)
    open_socket(SOCK_RAW, PROBE).close()


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), faults.switched_on("af_rpacket"):
        yield


if __name__ == "__main__":
    main(globals(), around)
