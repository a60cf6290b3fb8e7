# SPDX-License-Identifier: GPL-2.0
"""System calls by which actors change interfaces, modules and namespaces.

No program is started for them: a process costs a hundred times what the call costs, and hides the errno.
An interface is reached through a socket in its namespace, so nobody has to go there.
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct

import lib

SIOCGIFNAME, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8910, 0x8913, 0x8914, 0x8916
SIOCSIFNETMASK, SIOCSIFMTU, SIOCSIFNAME, SIOCSIFHWADDR = 0x891C, 0x8922, 0x8923, 0x8924
SIOCGIFHWADDR, SIOCADDMULTI, SIOCDELMULTI, SIOCGIFINDEX = 0x8927, 0x8931, 0x8932, 0x8933
SIOCETHTOOL, SIOCGMIIPHY, SIOCGMIIREG = 0x8946, 0x8947, 0x8948
IFF_UP, IFF_PROMISC, IFF_ALLMULTI, IFF_MULTICAST = 0x1, 0x100, 0x200, 0x1000
RTM_NEWLINK, RTM_DELLINK, NLM_F_EXCL, NLM_F_CREATE, IFLA_NET_NS_FD = 16, 17, 0x200, 0x400, 28

# linux/ethtool.h
GDRVINFO, GREGS, NWAY_RST, GLINK, GSTRINGS, GSTATS, GLINKSETTINGS, SLINKSETTINGS = (
    0x03, 0x04, 0x09, 0x0A, 0x1B, 0x1D, 0x4C, 0x4D)


def control(netns=None):
    """A socket by which the interfaces of a namespace (a path or a descriptor) are reached."""
    if netns is None:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inside(netns):
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@contextlib.contextmanager
def inside(netns):
    """This thread is in the namespace of a descriptor or a path."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = netns if isinstance(netns, int) else os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.setns(there, os.CLONE_NEWNET)
        yield
    finally:
        os.setns(here, os.CLONE_NEWNET)
        os.close(here)
        if there is not netns:
            os.close(there)


def new_namespace():
    """A namespace that lasts until its descriptor is closed (and whatever was opened in it)."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.unshare(os.CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.setns(here, os.CLONE_NEWNET)
    finally:
        os.close(here)


def ifreq(sock, number, name, data=b""):
    """An ioctl on struct ifreq; returns the 24 bytes after the name."""
    return fcntl.ioctl(sock, number, struct.pack("16s24s", name.encode(), data))[16:]


def index(sock, name):
    return struct.unpack_from("i", ifreq(sock, SIOCGIFINDEX, name))[0]


def change_flags(sock, name, on=0, off=0):
    """Sets and clears flags of an interface; others may change them between the two calls."""
    flags = struct.unpack_from("=H", ifreq(sock, SIOCGIFFLAGS, name))[0]
    ifreq(sock, SIOCSIFFLAGS, name, struct.pack("=H", (flags | on) & ~off))


def set_mtu(sock, name, mtu):
    ifreq(sock, SIOCSIFMTU, name, struct.pack("i", mtu))


def rename(sock, name, new):
    ifreq(sock, SIOCSIFNAME, name, new.encode())


def set_mac(sock, name, mac):
    ifreq(sock, SIOCSIFHWADDR, name, struct.pack("=H6s", 1, mac))


def multicast(sock, name, mac, join):
    ifreq(sock, SIOCADDMULTI if join else SIOCDELMULTI, name, struct.pack("=H6s", 0, mac))


def set_address(sock, name, address, mask="255.255.255.0"):
    for number, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, mask)):
        ifreq(sock, number, name, struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(value)))


def ethtool(sock, name, data):
    """SIOCETHTOOL; returns the data as the kernel left it."""
    buffer = ctypes.create_string_buffer(data, len(data))
    fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sQ16x", name.encode(), ctypes.addressof(buffer)))
    return buffer.raw


def request(sock, kind, flags, ifindex, attributes=b""):
    """A request of rtnetlink about a link, in the namespace of sock; raises what the answer says."""
    body = struct.pack("=BxHiII", 0, 0, ifindex, 0, 0) + attributes
    # 5: a request that is to be acknowledged.
    sock.send(struct.pack("=IHHII", 16 + len(body), kind, 5 | flags, 1, 0) + body)
    number = -struct.unpack_from("=i", sock.recv(8192), 16)[0]
    if number:
        raise OSError(number, os.strerror(number), "rtnetlink")


def move(sock, ifindex, netns):
    """Moves a device to the namespace of a descriptor."""
    request(sock, RTM_NEWLINK, 0, ifindex, struct.pack("=HHI", 8, IFLA_NET_NS_FD, netns))


def new_link(sock, attributes):
    request(sock, RTM_NEWLINK, NLM_F_EXCL | NLM_F_CREATE, 0, attributes)


def delete_link(sock, ifindex):
    request(sock, RTM_DELLINK, 0, ifindex)


def netlink(netns=None):
    """A socket for these requests."""
    with inside(netns) if netns is not None else contextlib.nullcontext():
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


def load_module(name, *parameters):
    """finit_module() of one of our modules."""
    fd = os.open(f"{lib.MODULES}/{name}.ko", os.O_RDONLY | os.O_CLOEXEC)
    try:
        lib.libc_call("syscall", 313, fd, " ".join(parameters).encode(), 0)
    finally:
        os.close(fd)


def unload_module(name):
    """delete_module(), which does not wait: EAGAIN while somebody has it."""
    lib.libc_call("syscall", 176, name.encode(), os.O_NONBLOCK)


def write(path, text):
    """One write() into a file of sysfs: its error is what the kernel says."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(text).encode())
    finally:
        os.close(fd)


def qemu(command, **arguments):
    """A command for QEMU; what it refuses is EREMOTEIO here."""
    from nic import qmp  # pylint: disable=import-outside-toplevel
    try:
        return qmp(command, **arguments)
    except AssertionError as error:
        raise OSError(errno.EREMOTEIO, str(error)) from error
