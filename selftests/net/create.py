#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# leak-scan: yes
"""Socket creation, binding, names, and the calls a packet socket does not have."""

import ctypes
import os
import socket
import struct

import packet
import topology
from harness import by_subject, equal, main
from packet import OTHER, PROBE, bind, errno_of, getname, open_socket
from topology import Pair

CAP_NET_RAW, CLONE_NEWUSER = 13, 0x10000000


def drop_capability(number):
    """Takes a capability out of all sets of the calling process."""
    header = struct.pack("=Ii", 0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    packet.call("capget", header, data)
    for which in range(3):
        data[which + 3 * (number // 32)] &= ~(1 << number % 32)
    packet.call("capset", header, data)


def in_fork(function):
    """Runs a function in a process that may give its privileges away; returns what it returned."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = str(function())
        except BaseException as error:  # pylint: disable=broad-except
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 4096).decode()
    os.waitpid(pid, 0)
    os.close(reader)
    return answer


def create_error(kind, protocol=0):
    """The errno of socket() in the family under test."""
    return errno_of(lambda: open_socket(kind, protocol).close())


def test_types():
    """RAW and DGRAM exist; other types do not, and SOCK_PACKET is not there yet."""
    for protocol in (0, packet.ETH_P_ALL, PROBE):
        equal(create_error(packet.SOCK_RAW, protocol), "0", "raw")
        equal(create_error(packet.SOCK_DGRAM, protocol), "0", "dgram")
    expected = by_subject("0", "ESOCKTNOSUPPORT", "SOCK_PACKET is not offered")
    equal(create_error(packet.SOCK_PACKET), expected, "SOCK_PACKET")
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, 4, 6, 9):
        equal(create_error(kind), "ESOCKTNOSUPPORT", f"type {kind}")
    equal(create_error(11), "EINVAL", "type beyond the last")
    equal(create_error(packet.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC), "0", "flags")


def test_reports():
    """SO_DOMAIN, SO_TYPE and SO_PROTOCOL as AF_PACKET reports them: the family is 17."""
    for kind in (packet.SOCK_RAW, packet.SOCK_DGRAM):
        ours, theirs = open_socket(kind, PROBE), packet.reference(kind, PROBE)
        for option in (socket.SO_DOMAIN, socket.SO_TYPE, socket.SO_PROTOCOL, socket.SO_ACCEPTCONN):
            seen = packet.get_int(ours, option, socket.SOL_SOCKET)
            equal(seen, packet.get_int(theirs, option, socket.SOL_SOCKET), f"option {option}")
        domain = packet.get_int(ours, socket.SO_DOMAIN, socket.SOL_SOCKET)
        equal(domain, 17, "SO_DOMAIN")


def test_capability():
    """socket() needs CAP_NET_RAW, and says so before it looks at the type."""

    def without():
        drop_capability(CAP_NET_RAW)
        return create_error(packet.SOCK_RAW), create_error(socket.SOCK_STREAM)

    equal(in_fork(without), str(("EPERM", "EPERM")), "without CAP_NET_RAW")
    equal(create_error(packet.SOCK_RAW), "0", "with it")


def test_inherited_socket():
    """A socket goes on working in a process that has no CAP_NET_RAW any more."""
    sock = open_socket()
    lo = topology.index("lo")

    def use():
        drop_capability(CAP_NET_RAW)
        bind(sock, lo, PROBE)
        packet.send(sock, packet.ethernet(bytes(6), bytes(6), PROBE, b"mine"))
        return packet.receive(sock).data[14:]

    # The sender's own copy is skipped, so what arrives came back through the loopback device.
    equal(in_fork(use), str(b"mine"), "received")


def test_user_namespace():
    """Root of a user namespace has CAP_NET_RAW in its own network namespace, not in ours."""

    def try_both():
        os.unshare(CLONE_NEWUSER)
        outside = create_error(packet.SOCK_RAW)
        os.unshare(topology.CLONE_NEWNET)
        inside = create_error(packet.SOCK_RAW, packet.ETH_P_ALL)
        return outside, inside

    equal(in_fork(try_both), str(("EPERM", "0")), "outside, inside")


def test_bind_errors():
    """bind(): lengths, families and devices that do not exist."""
    sock = open_socket()
    lo = topology.index("lo")
    good = packet.address(lo, PROBE)
    for length in (0, 1, 2, 12, 19):
        seen = errno_of(packet.call, "bind", sock.fileno(), good, length)
        equal(seen, "EINVAL", f"length {length}")
    equal(errno_of(packet.call, "bind", sock.fileno(), good.ljust(128, b"\0"), 128), "0", "128")
    equal(
        errno_of(packet.call, "bind", sock.fileno(), good.ljust(129, b"\0"), 129), "EINVAL", "129"
    )
    equal(errno_of(packet.call, "bind", sock.fileno(), ctypes.c_void_p(8), 20), "EFAULT", "pointer")
    for family in (0, 1, 2, 26, 45, 0xFFFF):
        equal(errno_of(bind, sock, lo, PROBE, family=family), "EINVAL", f"sll_family {family}")
    for ifindex in (4711, -1, 0x7FFFFFFF, -0x80000000):
        equal(errno_of(bind, sock, ifindex, PROBE), "ENODEV", f"ifindex {ifindex}")
    equal(errno_of(bind, sock, lo, 0xFFFF), "0", "any protocol number is taken")


def test_bind_own_family():
    """The family's own number is accepted in sll_family beside 17, and 17 is reported."""
    sock = open_socket()
    equal(
        errno_of(bind, sock, topology.index("lo"), PROBE, family=packet.FAMILY), "0", "own number"
    )
    equal(packet.LinkAddress.parse(getname(sock)[0]).family, 17, "reported")


def test_getname():
    """getsockname() through the states of a socket: its length is 12 bytes and the address."""
    pair = Pair()
    sock = open_socket()
    raw, length = getname(sock)
    equal((length, raw), (12, packet.address()[:12]), "fresh")
    bind(sock, pair.a, PROBE)
    raw, length = getname(sock)
    equal(length, 18, "bound to Ethernet")
    expected = (17, PROBE, pair.a, 1, 0, 6, topology.MAC_A)
    equal(tuple(packet.LinkAddress.parse(raw)), expected, "bound")
    bind(sock, 0, OTHER)
    equal(getname(sock), (packet.address(0, OTHER)[:12], 12), "wildcard")
    bind(sock, topology.index("lo"), 0)
    seen = packet.LinkAddress.parse(getname(sock)[0])
    equal((seen.protocol, seen.hatype, seen.halen), (OTHER, 772, 6), "protocol 0 keeps the old one")
    short, length = getname(sock, 7)
    equal((len(short), length), (7, 18), "a short buffer is filled, the whole length told")
    failed = errno_of(
        packet.call,
        "getsockname",
        sock.fileno(),
        ctypes.c_void_p(8),
        ctypes.byref(ctypes.c_uint32(20)),
    )
    equal(failed, "EFAULT", "bad pointer")
    created = open_socket(protocol=PROBE)
    equal(getname(created)[0], packet.address(0, PROBE)[:12], "protocol from socket()")


def test_getname_after_removal():
    """A socket whose device went away reports index -1 and no address."""
    pair = Pair()
    sock = open_socket()
    bind(sock, pair.a, PROBE)
    topology.ip("link del va")
    raw, length = getname(sock)
    equal((length, raw), (12, packet.address(-1, PROBE)[:12]), "after unregister")


def test_calls_not_there():
    """connect, listen, accept, shutdown, getpeername, socketpair: EOPNOTSUPP."""
    sock = open_socket()
    fd, lo = sock.fileno(), packet.address(topology.index("lo"), PROBE)
    call = packet.call
    equal(errno_of(call, "connect", fd, lo, len(lo)), "EOPNOTSUPP", "connect")
    equal(errno_of(call, "listen", fd, 1), "EOPNOTSUPP", "listen")
    equal(errno_of(call, "accept", fd, None, None), "EOPNOTSUPP", "accept")
    equal(errno_of(call, "shutdown", fd, 2), "EOPNOTSUPP", "shutdown")
    raw, length = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    equal(errno_of(call, "getpeername", fd, raw, ctypes.byref(length)), "EOPNOTSUPP", "getpeername")
    ends = (ctypes.c_int * 2)()
    equal(errno_of(call, "socketpair", packet.FAMILY, 3, 0, ends), "EOPNOTSUPP", "socketpair")
    memory = libc_mmap(fd)
    expected = by_subject("EINVAL", "ENODEV", "no rings, so mmap answers ENODEV")
    equal(memory, expected, "mmap")
    equal(errno_of(call, "read", fd, raw, 0), "0", "read of nothing")


def libc_mmap(fd):
    """The errno of mmap() of a page of the socket."""
    mmap = packet.libc.mmap
    mmap.restype = ctypes.c_void_p
    mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    if mmap(None, 4096, 1, 1, fd, 0) != ctypes.c_void_p(-1).value:
        return "0"
    return packet.NAMES[ctypes.get_errno()]


def test_many_sockets():
    """A hundred bound sockets at once, listed, and gone after close."""
    pair = Pair()
    socks = [open_socket(protocol=PROBE) for _ in range(100)]
    for at, sock in enumerate(socks):
        bind(sock, (0, pair.a, pair.b)[at % 3], (PROBE, OTHER)[at % 2])
    equal(len(proc_rows()), 100, "rows")
    for sock in socks:
        sock.close()
    equal(len(proc_rows()), 0, "rows after close")


def proc_rows():
    """The rows of the subject's file in /proc/net, without the heading."""
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        return table.read().splitlines()[1:]


def test_proc():
    """A socket's row equals that of an AF_PACKET socket in the same state, but for sk and inode."""
    pair = Pair()

    def both(step):
        """The rows of two sockets after the same steps, one of each family."""
        rows = []
        for opener, name in ((open_socket, packet.PROC_NAME), (packet.reference, "packet")):
            sock = opener(*step[0])
            for ifindex, protocol in step[1:]:
                bind(sock, ifindex, protocol)
            with open(f"/proc/thread-self/net/{name}", encoding="ascii") as table:
                text = table.read()
            heading, row = text.splitlines()
            inode = str(os.fstat(sock.fileno()).st_ino)
            assert row.split()[-1] == inode, f"inode {inode} is not in {row!r}"
            # How wide the last field is depends on the number in it.
            rows.append((heading, row[16:].rstrip().removesuffix(inode).rstrip()))
            sock.close()
        equal(rows[0], rows[1], f"row after {step}")
        return rows[0][1]

    equal(both([(packet.SOCK_RAW, 0)]).split()[2:5], ["0000", "0", "0"], "fresh")
    equal(both([(packet.SOCK_DGRAM, PROBE)]).split()[2:5], ["88b5", "0", "1"], "protocol, running")
    row = both([(packet.SOCK_RAW, 0), (pair.a, packet.ETH_P_ALL)])
    equal(row.split()[2:5], ["0003", str(pair.a), "1"], "bound")
    topology.set_down("va")
    row = both([(packet.SOCK_RAW, 0), (pair.a, PROBE)])
    equal(row.split()[4], "0", "not running on a device that is down")


if __name__ == "__main__":
    main(globals())
