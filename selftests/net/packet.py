# SPDX-License-Identifier: GPL-2.0
"""The ABI of packet sockets, as bytes.

Python's socket module hides what these tests are about: it decodes addresses, fills in lengths,
and never passes a bad pointer. So this module makes the calls through the C library, with every
length and pointer open to the test, and returns what the kernel wrote. Failures are raised as
OSError, as the socket module does.

The family under test is a parameter: `SUBJECT` in the environment names af_rpacket (number
`RPACKET_FAMILY`, 25 by default) or af_packet (17). A socket of either reports family 17.
"""

import ctypes
import errno
import os
import socket
import struct
from typing import NamedTuple

SUBJECT = os.environ.get("SUBJECT", "af_rpacket")
OURS = SUBJECT == "af_rpacket"
REFERENCE_FAMILY = 17
PROC_NAME = "rpacket" if OURS else "packet"
FAMILY = int(os.environ.get("RPACKET_FAMILY", "25")) if OURS else REFERENCE_FAMILY

SOCK_RAW, SOCK_DGRAM, SOCK_PACKET = 3, 2, 10
ETH_P_802_3, ETH_P_ALL, ETH_P_802_2 = 0x0001, 0x0003, 0x0004
ETH_P_IP, ETH_P_ARP, ETH_P_8021Q, ETH_P_IPV6, ETH_P_8021AD = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8
# The two ethertypes that IEEE 802 sets aside for experiments: no kernel handler takes them.
PROBE, OTHER = 0x88B5, 0x88B6

HOST, BROADCAST, MULTICAST, OTHERHOST, OUTGOING = range(5)

SOL_PACKET = 263
ADD_MEMBERSHIP, DROP_MEMBERSHIP, RECV_OUTPUT, RX_RING, STATISTICS = 1, 2, 3, 5, 6
COPY_THRESH, AUXDATA, ORIGDEV, VERSION, HDRLEN, RESERVE, TX_RING, LOSS = 7, 8, 9, 10, 11, 12, 13, 14
VNET_HDR, TX_TIMESTAMP, TIMESTAMP, FANOUT, TX_HAS_OFF, QDISC_BYPASS = 15, 16, 17, 18, 19, 20
ROLLOVER_STATS, FANOUT_DATA, IGNORE_OUTGOING, VNET_HDR_SZ = 21, 22, 23, 24
MR_MULTICAST, MR_PROMISC, MR_ALLMULTI, MR_UNICAST = range(4)

STATUS_USER, STATUS_CSUMNOTREADY, STATUS_VLAN_VALID = 1, 8, 16
STATUS_VLAN_TPID_VALID, STATUS_CSUM_VALID = 64, 128

MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_CTRUNC = 0x2, 0x20, 0x40, 0x8
MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE, MSG_WAITFORONE = 0x100, 0x1, 0x2000, 0x10000

SO_RXQ_OVFL, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING = 40, 29, 35, 37
SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW = 63, 64
SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER, SO_ATTACH_BPF = 26, 27, 44, 50
SO_TXTIME, SO_ZEROCOPY, SO_NOFCS, SO_PEEK_OFF, SO_RCVBUFFORCE = 61, 60, 43, 42, 33
SO_MARK, SO_PRIORITY, SCM_TXTIME, SO_SNDBUFFORCE, SO_SELECT_ERR_QUEUE = 36, 12, 61, 32, 45

# Of two names for one number, the one that POSIX gives to sockets.
NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    """Makes a C library call; raises OSError if it returns -1."""
    result = getattr(libc, name)(*args)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def errno_of(function, *args, **kwargs):
    """The name of the error that a call ends with, or "0"."""
    try:
        function(*args, **kwargs)
    except OSError as error:
        return NAMES[error.errno]
    return "0"


class LinkAddress(NamedTuple):
    """struct sockaddr_ll, its protocol in host order."""

    family: int
    protocol: int
    ifindex: int
    hatype: int
    pkttype: int
    halen: int
    addr: bytes

    @classmethod
    def parse(cls, raw):
        family, protocol, ifindex, hatype, pkttype, halen = struct.unpack_from("=HHiHBB", raw)
        return cls(family, socket.ntohs(protocol), ifindex, hatype, pkttype, halen, raw[12:])


def address(ifindex=0, protocol=0, addr=b"", *, family=17, halen=None, pkttype=0, pad=8):
    """The bytes of a struct sockaddr_ll."""
    halen = len(addr) if halen is None else halen
    return struct.pack("=HHiHBB", family, socket.htons(protocol), ifindex, 0, pkttype, halen) + (
        addr.ljust(pad, b"\0")
    )


class Auxdata(NamedTuple):
    """struct tpacket_auxdata."""

    status: int
    len: int
    snaplen: int
    mac: int
    net: int
    vlan_tci: int
    vlan_tpid: int


class Msghdr(ctypes.Structure):
    """struct msghdr."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Received:
    """What one recvmsg() returned, nothing interpreted that a test does not ask for."""

    def __init__(self, count, data, name, control, flags):
        self.count, self.data, self.name, self.flags = count, data, name, flags
        self.cmsgs = list(parse_control(control))

    @property
    def address(self):
        return LinkAddress.parse(self.name)

    def cmsg(self, level, kind):
        """The data of the one control message of this type; None without one."""
        found = [data for at, what, data in self.cmsgs if (at, what) == (level, kind)]
        assert len(found) <= 1, f"{len(found)} control messages of type {kind}"
        return found[0] if found else None

    @property
    def auxdata(self):
        raw = self.cmsg(SOL_PACKET, AUXDATA)
        return None if raw is None else Auxdata(*struct.unpack("=IIIHHHH", raw))


def parse_control(raw):
    """Splits a control buffer into (level, type, data)."""
    at = 0
    while at + 16 <= len(raw):
        length, level, kind = struct.unpack_from("=Qii", raw, at)
        assert 16 <= length <= len(raw) - at, f"control message of length {length}"
        yield level, kind, raw[at + 16 : at + length]
        at += (length + 7) & ~7


def cmsg(level, kind, data):
    """The bytes of one control message."""
    raw = struct.pack("=Qii", 16 + len(data), level, kind) + data
    return raw + b"\0" * (-len(raw) % 8)


def open_socket(kind=SOCK_RAW, protocol=0, family=None):
    """A socket of the family under test (or another), as a socket object of family 17."""
    family = FAMILY if family is None else family
    fd = call("socket", family, kind, socket.htons(protocol))
    made = socket.socket(17, kind & 0xF, socket.htons(protocol), fileno=fd)
    # An endless wait in a test is a failure like any other; a test that waits on purpose says so.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 5, 0))
    return made


def reference(kind=SOCK_RAW, protocol=0):
    """A socket of the kernel's own AF_PACKET: the witness of what really happened."""
    return open_socket(kind, protocol, REFERENCE_FAMILY)


def bind(sock, ifindex=0, protocol=0, **more):
    """bind() with a well-formed address, or with the deviations that the keywords name."""
    raw = address(ifindex, protocol, **more)
    return call("bind", sock.fileno(), raw, len(raw))


def getname(sock, size=128):
    """getsockname(): the bytes written and the length reported."""
    raw, length = ctypes.create_string_buffer(size), ctypes.c_uint32(size)
    call("getsockname", sock.fileno(), raw, ctypes.byref(length))
    return raw.raw[: min(length.value, size)], length.value


def receive(sock, size=65536, flags=0, namelen=128, control=1024):
    """recvmsg() with buffers of these sizes."""
    data = ctypes.create_string_buffer(max(size, 1))
    name = ctypes.create_string_buffer(b"\xa5" * 128, 128)
    ctrl = ctypes.create_string_buffer(max(control, 1))
    iov = Iovec(ctypes.addressof(data), size)
    msg = Msghdr(
        ctypes.addressof(name) if namelen else None,
        namelen,
        ctypes.addressof(iov),
        1,
        ctypes.addressof(ctrl) if control else None,
        control,
        0,
    )
    count = call("recvmsg", sock.fileno(), ctypes.byref(msg), flags)
    return Received(
        count,
        data.raw[: min(count, size)],
        name.raw[: min(msg.namelen, namelen)],
        ctrl.raw[: msg.controllen] if control else b"",
        msg.flags,
    )


def send(sock, data, to=None, control=b"", flags=0, namelen=None):
    """sendmsg() with an address and control messages given as bytes."""
    payload = ctypes.create_string_buffer(data, max(len(data), 1))
    iov = Iovec(ctypes.addressof(payload), len(data))
    name = ctypes.create_string_buffer(to, max(len(to), 64)) if to is not None else None
    if namelen is None:
        namelen = len(to) if to is not None else 0
    ctrl = ctypes.create_string_buffer(control, len(control)) if control else None
    msg = Msghdr(
        ctypes.addressof(name) if name else None,
        namelen,
        ctypes.addressof(iov),
        1,
        ctypes.addressof(ctrl) if ctrl else None,
        len(control),
        0,
    )
    return call("sendmsg", sock.fileno(), ctypes.byref(msg), flags)


def set_option(sock, option, value, length=None, level=SOL_PACKET):
    """setsockopt(); the value is an int, bytes, or a ctypes pointer (any address, bad ones too)."""
    if isinstance(value, int):
        value = struct.pack("=I", value & 0xFFFFFFFF)
    length = len(value) if length is None else length
    return call("setsockopt", sock.fileno(), level, option, value, length)


def get_option(sock, option, size=4, level=SOL_PACKET, given=None, prefill=b""):
    """getsockopt(): the bytes of the reported length. `given` is the length told to the kernel."""
    raw = ctypes.create_string_buffer(prefill.ljust(64, b"\xa5"), max(size, 64))
    length = ctypes.c_int(size if given is None else given)
    call("getsockopt", sock.fileno(), level, option, raw, ctypes.byref(length))
    return raw.raw[: length.value]


def get_int(sock, option, level=SOL_PACKET):
    """getsockopt() of an int."""
    return struct.unpack("=i", get_option(sock, option, 4, level))[0]


def statistics(sock):
    """PACKET_STATISTICS: (packets, drops), cleared by reading."""
    return struct.unpack("=II", get_option(sock, STATISTICS, 8))


def membership(ifindex, kind, addr=b"", alen=None):
    """The bytes of a struct packet_mreq."""
    alen = len(addr) if alen is None else alen
    return struct.pack("=iHH", ifindex, kind, alen) + addr.ljust(8, b"\0")


def ethernet(dst, src, kind, payload=b""):
    """An Ethernet frame; `kind` is an ethertype or an 802.3 length."""
    return dst + src + struct.pack("!H", kind) + payload
