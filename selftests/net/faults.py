#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket
# kernels: debug
# timeout: 300
# leak-scan: yes
# log: Call Trace:|page allocation failure|ref_tracker: memory allocation failure
"""Each allocation and each access to user memory on the way through our code fails, one after the
other: the errno is the right one, or what is lost is counted, nothing is left behind, and the next try
works. Which places these are, the family's code says; the last case names those that have not failed."""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import socket
import struct

import failing
import packet
import topology
from failing import CONTROL, MODULE, OWNERS, arrived
from harness import equal, expedited_grace_periods, main
import fail_call  # harness has set the path
import fault_injection
import fault_sites
from membership import counts, groups, unicast
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe

SIOCGSTAMP, SIOCGIFINDEX = 0x8906, 0x8933
# The memberships for which the device has a list.
LISTS = (packet.MR_MULTICAST, packet.MR_UNICAST)


def sockets():
    """How many sockets the family has here, by its file and by the protocol's account."""
    with open(failing.PROC, encoding="ascii") as table:
        rows = len(table.read().splitlines()) - 1
    with open("/proc/thread-self/net/protocols", encoding="ascii") as table:
        uses = [line.split()[2] for line in table if line.startswith("RPACKET ")]
    return rows, uses


def each(*arguments, **named):
    """See fault_injection.Faults."""
    FAULTS[0].each(*arguments, **named)


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
    with failing.another_namespace() as (enter, leave):
        each("a namespace", enter, ("ENOMEM",), leave, lambda: sockets() == (0, ["0"]))


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

            each(f"socket({kind}, {protocol:#x})", create, ("ENOBUFS",), close,
                 lambda: sockets()[0] == before[0] + 1)
            equal(sockets(), before, "sockets left")


def test_bind():
    """bind() has nothing that can fail once the address is in the kernel."""
    pair = Pair()
    with open_socket() as sock:
        each("bind", lambda: bind(sock, pair.a, PROBE), (), lambda: bind(sock, 0, PROBE),
             lambda: packet.LinkAddress.parse(packet.getname(sock)[0]).ifindex == pair.a, least=0)


def receives(kind):
    """What the device is to receive, as far as this kind of membership changes it."""
    if kind == packet.MR_MULTICAST:
        return groups("va").keys()
    return unicast("va") if kind == packet.MR_UNICAST else counts("va")


def test_memberships():
    """All four kinds, joined and left: the device does what the socket was told."""
    pair = Pair()
    with open_socket() as sock:
        for kind, join, leave in failing.memberships(sock, pair.a):
            def left(leave=leave):
                with contextlib.suppress(OSError):
                    leave()

            plain = receives(kind)

            def joined(kind=kind, plain=plain):
                return receives(kind) != plain

            def joined_anew(left=left, join=join):
                left()
                join()

            # ENOBUFS is of the socket, ENOMEM of the device's list.
            errors = ("ENOBUFS", "EFAULT") + (("ENOMEM",) if kind in LISTS else ())
            each(f"membership {kind}", join, errors, left, joined, least=2)
            join()
            each(f"drop of membership {kind}", leave, ("EFAULT",), joined_anew,
                 lambda joined=joined: not joined())
            leave()
            equal(receives(kind), plain, "what the device receives")


def test_options():
    """Switches, statistics."""
    with open_socket() as sock:
        for option in (packet.AUXDATA, packet.ORIGDEV, packet.IGNORE_OUTGOING):
            each(f"option {option}", lambda option=option: packet.set_option(sock, option, 1), ("EFAULT",),
                 lambda option=option: packet.set_option(sock, option, 0),
                 lambda option=option: packet.get_int(sock, option) == 1)
            each(f"option {option}, read", lambda option=option: packet.get_int(sock, option), ("EFAULT",))
        each("statistics", lambda: packet.statistics(sock), ("EFAULT",))


def test_send():
    """sendmsg(), of both types: each frame that was sent has arrived."""
    pair = Pair()
    topology.wait_running("va")
    heard = packet.reference()
    bind(heard, pair.b, PROBE)
    topology.ip("link set va mtu 65000", "link set vb mtu 65000")
    topology.wait_running("va")
    for what, _, send in failing.sending(pair.a, (46, 1400, 1 << 14)):
        each(what, send, ("ENOBUFS", "EFAULT"), lambda: arrived(heard), lambda: arrived(heard) == 1)


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
        done, left_out = [0], [0]

        def many(call, sock, *more):
            # The call may end after some of them, without an error.
            done[0] = 0
            done[0] = packet.call(call, sock.fileno(), heads, 3, *more)
            left_out[0] += 3 - done[0]

        def undo():
            equal(arrived(heard), done[0], "what was reported as sent, and arrived")

        def refill():
            with contextlib.suppress(OSError):
                # What the call had no answer left for.
                heard.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            arrived(heard)
            many("sendmmsg", out, 0)
            topology.wait_for_backlog()
            equal(done[0], 3, "messages to receive")

        each("sendmmsg", lambda: many("sendmmsg", out, 0), ("ENOBUFS", "EFAULT"), undo,
             drops=lambda: left_out[0])
        refill()
        each("recvmmsg", lambda: many("recvmmsg", heard, packet.MSG_DONTWAIT, None), ("EFAULT",), refill,
             drops=lambda: left_out[0])
        del keep


def test_error_queue():
    """The time of a frame that was sent; what has no memory is sent without."""
    with failing.timed() as (pair, sock, stamp, drain, again):
        heard = packet.reference()
        bind(heard, pair.b, PROBE)
        each("send with a time", lambda: packet.send(sock, probe(MAC_B)), ("ENOBUFS", "EFAULT"),
             lambda: (drain(), arrived(heard)), lambda: arrived(heard) == 1)
        again()
        each("error queue", stamp, ("EFAULT",), again)


def test_small_calls():
    """poll(), the ioctls, and what such a socket refuses."""
    with open_socket() as sock:
        number = sock.fileno()
        buffer = ctypes.create_string_buffer(64)
        request = struct.pack("16s24x", b"lo")
        calls = {
            "poll": lambda: select.select([number], [], [], 0),
            "SIOCINQ": lambda: fcntl.ioctl(number, failing.SIOCINQ, bytes(4)),
            "SIOCOUTQ": lambda: fcntl.ioctl(number, failing.SIOCOUTQ, bytes(4)),
            "SIOCGIFINDEX": lambda: fcntl.ioctl(number, SIOCGIFINDEX, request),
            "SIOCGSTAMP": lambda: refused("ENOENT", fcntl.ioctl, number, SIOCGSTAMP, bytes(16)),
            "getsockname": lambda: packet.getname(sock),
            "mmap": lambda: refused("ENODEV", packet.call, "mmap", None, mmap.PAGESIZE, 3, 1, number, 0),
            "accept": lambda: refused("EOPNOTSUPP", packet.call, "accept", number, None, None),
            "listen": lambda: refused("EOPNOTSUPP", packet.call, "listen", number, 1),
            "connect": lambda: refused("EOPNOTSUPP", packet.call, "connect", number, buffer, 20),
        }
        for what, function in calls.items():
            each(what, function, ("EFAULT", "ENOMEM"), least=0)


def test_close():
    """close() of a socket with a device, a membership, and frames that wait: nothing of it can fail."""
    pair = Pair()
    topology.wait_running("vb")
    sender, ready = packet.reference(), []
    before = sockets()

    def make():
        sock = open_socket()
        packet.set_option(sock, packet.ADD_MEMBERSHIP, packet.membership(pair.a, packet.MR_PROMISC))
        bind(sock, pair.a, PROBE)
        packet.send(sender, probe(), address(pair.b, PROBE))
        topology.wait_for_backlog()
        ready.append(sock.detach())

    def closed():
        return counts("va") == (0, 0) and sockets() == before

    make()
    each("close", lambda: os.close(ready.pop()), (), make, closed, least=0)
    os.close(ready.pop())
    assert closed(), "a socket, or what it has told the device, is left"


def test_device_goes_down():
    """The family's notifier, when the device of a socket goes down and up."""
    pair = Pair()

    def is_up():
        return bool(topology.flags("va") & topology.IFF_UP)

    with open_socket() as sock:
        bind(sock, pair.a, PROBE)
        each("down", lambda: topology.set_down("va"), (), lambda: topology.set_up("va"),
             lambda: not is_up(), least=0)
        topology.set_down("va")
        each("up", lambda: topology.set_up("va"), (), lambda: topology.set_down("va"), is_up, least=0)


def test_receive():
    """recvmsg(): a frame that could not be copied is lost, as in AF_PACKET, and the next one comes."""
    pair = Pair()
    topology.wait_running("vb")
    sender = packet.reference()
    with open_socket() as sock:
        packet.set_option(sock, packet.AUXDATA, 1)
        bind(sock, pair.a, PROBE)

        def refill():
            arrived(sock)
            for _ in range(2):
                packet.send(sender, probe(), address(pair.b, PROBE))
            topology.wait_for_backlog()

        refill()
        each("recvmsg", lambda: packet.receive(sock, flags=packet.MSG_DONTWAIT), ("EFAULT",), refill,
             lambda: arrived(sock) == 1)


def test_reading_proc():
    """/proc/net/rpacket."""
    with open_socket(), open_socket():
        def read():
            fd = os.open(failing.PROC, os.O_RDONLY)
            try:
                os.read(fd, 65536)
            finally:
                os.close(fd)

        each("reading /proc", read, ("ENOMEM", "EFAULT", "ENFILE"), least=0)


def test_load():
    """The module is loaded: what is registered when something fails is given back.

    The last but one: afterwards the code of the module is elsewhere."""
    def load():
        try:
            failing.load()
        except OSError as error:
            return error.errno
        fail_call.rmmod(MODULE)
        return 0

    def judge(place, result):
        assert place or not result, f"{errno.errorcode[result]} without a fault"
        assert not os.path.exists(failing.PROC), "its file is there"
        return {"result": result, "allowed": ("ENOMEM", "ENOBUFS")}

    FAULTS[0].__exit__()
    with failing.without_module(), \
            fault_injection.Allocations(CONTROL, MODULE, "task", SITES[0]) as allocations:
        allocations.each("load", load, judge, 2)


def test_each_place_has_failed():
    """All calls of the family from which an allocation can fail in a system call; or a reason why not."""
    SITES[0].account("faults.py", OWNERS)


FAULTS, SITES = [], []


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), CONTROL:
        SITES.append(fault_sites.Sites(MODULE))
        with fault_injection.Faults(CONTROL, MODULE, SITES[0]) as faults:
            FAULTS.append(faults)
            yield


if __name__ == "__main__":
    main(globals(), around)
