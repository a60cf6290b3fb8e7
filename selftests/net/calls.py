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

import bpf
import failing
import packet
import topology
from failing import CONTROL, MODULE, arrived
from harness import equal, expedited_grace_periods, main
import fail_call  # harness has set the path
from call_sites import Pointer
from membership import counts
from packet import PROBE, SOCK_DGRAM, SOCK_RAW, address, bind, errno_of, open_socket
from topology import MAC_B, Pair
from twin import probe, vlan

CALLS = fail_call.Calls(CONTROL, MODULE)
SIOCGIFADDR = 0x8915
# What has a reason not to be reached by any case here.
UNREACHED = [
    (r"(.*::auxdata|rnet_helper_packet_header_copy)\+\w+, skb_copy_bits",
     "who receives a VLAN tag has it in the linear part of the packet"),
    (r".*::(release_callback|setsockopt|leave)\+\w+, __dev_get_by_index",
     "a membership that is given back: a device that is there cannot be missed"),
    (r".*>::(leave|leave_device|device_event)\+\w+, dev_set_(promiscuity|allmulti)",
     "what is given back cannot be refused"),
]
# What is called through pointers: in the helper of that name, or where it is inline.
RECEIVE = r".*::packet_type::receive_callback::<.*>"
SEND = r".*::Callbacks<.*PacketSocket.*>::sendmsg"
HERE = "test_through_pointers"
POINTERS = [
    Pointer(rf"{RECEIVE}|rnet_helper_packet_(filter|program_run)", 2,
            "prog->bpf_func, with statistics and without", "",
            "a filter answers with a length, of which 0 is a drop like any other (filter.py, bpf.py), and a"
            " program that chooses with any number"),
    Pointer(rf"{RECEIVE}|rnet_helper_packet_queue_begin", 1, "skb->destructor", "",
            "whose packet it was gives its memory back; no answer"),
    Pointer(rf"{RECEIVE}|rnet_helper_packet_queue_commit", 1, "sk->sk_data_ready", "", "wakes; no answer"),
    Pointer(rf"{RECEIVE}|rnet_helper_packet_link_address", 1, "dev->header_ops->parse", "",
            "the length of the sender's address, 0 where there is none to be found: a length like any other"),
    Pointer(rf"{SEND}|rnet_helper_packet_parse_headers", 1, "dev->header_ops->parse_protocol", "",
            "a protocol, 0 if the header tells none: as without a function"),
    Pointer(rf"{SEND}|rnet_helper_packet_validate_header", 1, "dev->header_ops->validate", "",
            "no device of Linux 7.3 has it: AX.25 had; without it a short header is EINVAL (send.py)"),
    Pointer(r".*::Outgoing>::build_header|rnet_helper_dev_hard_header", 1, "dev->header_ops->create", HERE,
            "EINVAL: there is no address that it could put into the header"),
    Pointer(r".*::Callbacks<.*PacketSocket.*>::ioctl|rnet_helper_inet_dgram_ioctl", 1, "inet_dgram_ops.ioctl",
            HERE, "what IPv4 answers is the answer"),
    Pointer(r".*PacketSocket as .*::Operations<.*>>::setsockopt", 3, "Takes::Bool, StrictBool, Membership", "",
            "functions of ours: they make a value out of another (af_rpacket/option.rs)"),
]


def check(what, operation, *arguments, **named):
    """Each call that the operation makes fails once; what they were is printed."""
    print(f"# {what}: {CALLS.each(operation, *arguments, **named)}", flush=True)


def references():
    with open("/proc/modules", encoding="ascii") as table:
        return [line.split()[2] for line in table if line.startswith(f"{MODULE} ")]


def test_load():
    """The module is loaded: it stays only when all its registrations are made."""
    def undo():
        with contextlib.suppress(OSError):
            fail_call.rmmod(MODULE)

    with failing.without_module():
        check("load", failing.load, undo, least=5)
        equal(references(), [], "the module")
        assert not os.path.exists(failing.PROC), "its file is there"


def test_namespace():
    """A namespace comes into being, or does not."""
    with failing.another_namespace() as (enter, leave):
        check("a namespace", enter, leave)


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
        for kind, join, leave in failing.memberships(sock, pair.a):
            check(f"membership {kind}", join, leave, {"dev_get_by_index_rcu": ("ENODEV",)}, 2)
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
        for what in (failing.SIOCINQ, failing.SIOCOUTQ):
            check(f"ioctl {what:#x}", lambda what=what: fcntl.ioctl(sock.fileno(), what, bytes(4)))

        def read():
            with open(failing.PROC, encoding="ascii") as table:
                table.read()
        check("/proc", read, least=0)


def test_send():
    """sendmsg(), of both types, with control messages."""
    pair = Pair()
    topology.wait_running("va")
    mark = packet.cmsg(socket.SOL_SOCKET, packet.SO_MARK, struct.pack("=I", 0))
    for what, _, send in failing.sending(pair.a, (46, 1400), mark):
        check(what, send, least=4)


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
                arrived(each)
                packet.statistics(each)

        for which in (sock, other):
            for data in (probe(), probe(MAC_B, bytes(1400))):
                check(f"receive, {len(data)} bytes",
                      lambda which=which, data=data: pass_on(which, data), undo)


def test_tag_in_the_frame():
    """A tag that a frame still has is told to SOCK_DGRAM; it is not, without the frame's device."""
    pair = Pair()
    topology.wait_running("va")
    frame = vlan(MAC_B, topology.MAC_A, packet.ETH_P_8021Q, 5, PROBE, bytes(46))
    with open_socket() as out, open_socket(SOCK_DGRAM) as heard:
        packet.set_option(heard, packet.AUXDATA, 1)
        bind(heard, pair.a, packet.ETH_P_ALL)

        def send():
            arrived(heard)
            packet.send(out, frame, address(pair.a, packet.ETH_P_8021Q))

        send()
        check("a tag in the frame", lambda: packet.receive(heard, flags=packet.MSG_DONTWAIT), send,
              {"dev_get_by_index_rcu": ("0",)})


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

        def send():
            packet.send(out, data, address(pair.a, 0, MAC_B))
            # Twice: it may be the call that looks into the queue that fails.
            equal(arrived(heard) + arrived(heard) + packet.statistics(heard)[1], 1, "arrived or tp_drops")

        check("a tagged frame of pages", send, expected={"skb_recv_datagram": ("0",)}, least=2)


def test_error_queue():
    """A frame that was sent comes back with its time."""
    with failing.timed() as (_, _, stamp, _, again):
        again()
        check("error queue", stamp, again)


def test_through_pointers():
    """What is called through a pointer, and can fail, does: no probe is needed for that."""
    pair = Pair()
    topology.wait_running("va")
    with open_socket(SOCK_DGRAM) as sock:
        bind(sock, pair.a, PROBE)
        equal(errno_of(packet.send, sock, bytes(46)), "EINVAL", "a header without an address")
        equal(packet.send(sock, bytes(46), address(pair.a, PROBE, MAC_B)), 46, "a header with one")
        for name, expected in ((b"nope", "ENODEV"), (b"va", "EADDRNOTAVAIL")):
            request = struct.pack("16s24x", name)
            equal(errno_of(fcntl.ioctl, sock, SIOCGIFADDR, request), expected, f"the address of {name}")


def test_each_call_was_reached():
    """All calls of the kernel in the family that can fail; or a reason why not."""
    CALLS.account(UNREACHED, POINTERS)


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), CONTROL, CALLS:
        yield


if __name__ == "__main__":
    main(globals(), around)
