#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
"""poll, select and epoll, and the ioctls of a packet socket."""

import ctypes
import fcntl
import os
import select
import signal
import struct
import termios
import threading
import time

import packet
import topology
from harness import equal, main, need_module
from packet import PROBE, bind, errno_of, open_socket
from topology import MAC_A, MAC_B, Pair
from twin import Injector, drain, probe

SIOCINQ, SIOCOUTQ = termios.FIONREAD, termios.TIOCOUTQ
SIOCGSTAMP, SIOCGSTAMPNS = 0x8906, 0x8907
SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFMTU, SIOCGIFHWADDR = 0x8910, 0x8933, 0x8921, 0x8927
SIOCGIFADDR, SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8915, 0x8916, 0x8913, 0x8914
IN, OUT = select.POLLIN | select.POLLRDNORM, select.POLLOUT | select.POLLWRNORM | select.POLLWRBAND


def setting():
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    return pair, sock, Injector(pair.b, pair.a)


def test_poll():
    """Writable from the start; readable exactly while a frame is queued."""
    _, sock, injector = setting()
    poller = select.poll()
    poller.register(sock, 0xFFFF & ~select.POLLNVAL)
    theirs, idler = select.poll(), packet.reference()
    theirs.register(idler, 0xFFFF & ~select.POLLNVAL)
    idle = poller.poll(0)[0][1]
    equal(idle, theirs.poll(0)[0][1], "events of an idle socket, as AF_PACKET's")
    equal(idle & (IN | select.POLLOUT), select.POLLOUT, "idle")
    injector.send(probe(), probe())
    equal(poller.poll(0)[0][1], idle | IN, "two queued")
    packet.receive(sock)
    equal(poller.poll(0)[0][1], idle | IN, "one queued")
    packet.receive(sock, flags=packet.MSG_PEEK)
    equal(poller.poll(0)[0][1], idle | IN, "peeked")
    packet.receive(sock)
    equal(poller.poll(0)[0][1], idle, "none queued")


def test_wake_up():
    """A frame ends poll(), select() and epoll_wait() of sleeping threads."""
    _, sock, injector = setting()
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    woken = []
    waits = {
        "poll": lambda: poller.poll(10000),
        "select": lambda: select.select([sock], [], [], 10)[0],
        "epoll": lambda: epoll.poll(10),
    }
    threads = [
        threading.Thread(target=lambda n=name, w=wait: woken.append((n, bool(w()))))
        for name, wait in waits.items()
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    equal(woken, [], "all sleep")
    injector.send(probe())
    for thread in threads:
        thread.join(11)
    equal(sorted(woken), [("epoll", True), ("poll", True), ("select", True)], "woken by the frame")


def test_edge_triggered():
    """An edge-triggered epoll reports each arrival, and a rejected frame is none."""
    _, sock, injector = setting()
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN | select.EPOLLET)
    equal(epoll.poll(0), [], "idle")
    injector.send(probe())
    equal(len(epoll.poll(0)), 1, "one arrival")
    equal(epoll.poll(0), [], "no second edge")
    injector.send(probe())
    equal(len(epoll.poll(0)), 1, "another arrival, the first still queued")
    injector.settle()
    equal(epoll.poll(0), [], "a frame of another protocol")


def test_signal():
    """SIGIO is sent to the owner of a socket with O_ASYNC."""
    _, sock, injector = setting()
    signals = []
    signal.signal(signal.SIGIO, lambda number, frame: signals.append(number))
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC)
    injector.send(probe())
    assert signals, "no SIGIO"


def test_queue_sizes():
    """SIOCINQ is the length of the next frame, SIOCOUTQ what has not left yet."""
    need_module("sch_tbf")
    pair, sock, injector = setting()

    def ask(request):
        return struct.unpack("=i", fcntl.ioctl(sock, request, bytes(4)))[0]

    equal((ask(SIOCINQ), ask(SIOCOUTQ)), (0, 0), "idle")
    injector.send(probe(payload=bytes(100)), probe())
    equal(ask(SIOCINQ), 114, "the first frame")
    packet.receive(sock)
    equal(ask(SIOCINQ), 60, "the second frame")
    topology.ip("link set va txqueuelen 100")
    assert os.system("tc qdisc add dev va root tbf rate 8bit burst 2000 limit 1000000") == 0
    for _ in range(4):
        packet.send(sock, probe(MAC_B, bytes(1400), src=MAC_A))
    assert ask(SIOCOUTQ) > 2800, f"SIOCOUTQ {ask(SIOCOUTQ)} with frames held back"
    topology.ip("link set va down")
    until = time.monotonic() + 10
    while ask(SIOCOUTQ) and time.monotonic() < until:
        time.sleep(0.05)
    equal(ask(SIOCOUTQ), 0, "after the queue was emptied")


def test_timestamp_ioctls():
    """SIOCGSTAMP and SIOCGSTAMPNS: ENOENT before, the time of the last frame read after."""
    _, sock, injector = setting()

    def stamp(request, unit):
        seconds, fraction = struct.unpack("=qq", fcntl.ioctl(sock, request, bytes(16)))
        return seconds + fraction / unit

    # The first call says that stamps are wanted.
    equal(errno_of(stamp, SIOCGSTAMP, 1e6), "ENOENT", "no frame yet")
    before = time.time()
    injector.send(probe())
    packet.receive(sock)
    after = time.time()
    for request, unit in ((SIOCGSTAMP, 1e6), (SIOCGSTAMPNS, 1e9)):
        assert before - 0.01 <= stamp(request, unit) <= after + 0.01, f"request {request:#x}"


def test_device_ioctls():
    """The ioctls of network devices work on a packet socket, as programs use it for."""
    pair, sock, _ = setting()
    topology.ip("addr add 10.9.0.1/24 dev va")
    request = struct.pack("16s24x", b"va")
    answer = fcntl.ioctl(sock, SIOCGIFINDEX, request)
    equal(struct.unpack_from("=i", answer, 16)[0], pair.a, "SIOCGIFINDEX")
    answer = fcntl.ioctl(sock, SIOCGIFNAME, struct.pack("=16xi20x", pair.a))
    equal(answer[:3], b"va\0", "SIOCGIFNAME")
    equal(struct.unpack_from("=i", fcntl.ioctl(sock, SIOCGIFMTU, request), 16)[0], 1500, "MTU")
    equal(fcntl.ioctl(sock, SIOCGIFHWADDR, request)[18:24], MAC_A, "SIOCGIFHWADDR")
    equal(fcntl.ioctl(sock, SIOCGIFADDR, request)[20:24], bytes((10, 9, 0, 1)), "SIOCGIFADDR")
    address = struct.pack("=16sHH4s16x", b"va", 2, 0, bytes((10, 9, 0, 7)))
    fcntl.ioctl(sock, SIOCSIFADDR, address)
    equal(fcntl.ioctl(sock, SIOCGIFADDR, request)[20:24], bytes((10, 9, 0, 7)), "SIOCSIFADDR")
    flags = struct.unpack_from("=H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)[0]
    fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("=16sH22x", b"va", flags & ~1))
    equal(topology.flags("va") & 1, 0, "SIOCSIFFLAGS")
    equal(
        errno_of(fcntl.ioctl, sock, SIOCGIFINDEX, struct.pack("16s24x", b"nope")), "ENODEV", "name"
    )


def test_same_answers():
    """Every request number around those of sockets and devices is answered as AF_PACKET does."""
    Pair()
    requests = [*range(0x8900, 0x89A0), 0x89B0, 0x89E0, 0, 1, 0x5401, 0x541B, 0x5411, 0xFFFFFFFF]
    # Those whose second run finds what the first one changed.
    changing = {0x8923, 0x8931, 0x8932}
    socks = open_socket(), packet.reference()
    for request in requests:
        if request in changing:
            continue
        answers = []
        for sock in socks:
            buffer = bytearray(struct.pack("=16s240x", b"va"))
            answers.append((errno_of(fcntl.ioctl, sock, request, buffer), bytes(buffer)))
        equal(answers[0], answers[1], f"request {request:#x}")


def test_bad_pointers():
    """EFAULT for each ioctl that writes through its argument; ENOTTY for the unknown."""
    _, sock, injector = setting()
    injector.send(probe())
    ioctl = packet.libc.ioctl
    ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
    for request in (SIOCINQ, SIOCOUTQ, SIOCGIFADDR, SIOCGIFINDEX):
        for pointer in (8, None, 0xFFFF800000000000):
            seen = errno_of(packet.call, "ioctl", sock.fileno(), request, pointer)
            equal(seen, "EFAULT", f"request {request:#x}, pointer {pointer}")
    equal(errno_of(packet.call, "ioctl", sock.fileno(), 0x4BCD, 8), "ENOTTY", "unknown request")
    equal(len(drain(sock)), 1, "the frame is still there")


if __name__ == "__main__":
    main(globals())
