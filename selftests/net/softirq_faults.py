#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket
# kernels: debug
# debug: chosen
# timeout: 300
# leak-scan: yes
# log: ref_tracker: memory allocation failure
"""Each allocation fails once that the family makes where no system call of its own waits for it: in its
hook, for frames that arrive and that leave, and in its notifier. Each frame is there, or it is counted as
dropped, and the next one gets through."""

import contextlib

import bpf
import packet
import topology
from failing import CONTROL, MODULE, OWNERS
from harness import equal, expedited_grace_periods, main
import fault_injection  # harness has set the path
import fault_sites
from packet import ETH_P_ALL, PROBE, SOCK_DGRAM, address, bind, open_socket
from topology import MAC_B, Pair
from twin import probe



def passes(where, what, socks, send, least):
    """A frame for each of the sockets, once more for each fault on its way."""
    losses = []
    for sock in socks:
        packet.statistics(sock)

    def one():
        send()
        topology.wait_for_backlog()

    def judge(place, _):
        lost = 0
        for sock in socks:
            try:
                packet.receive(sock, flags=packet.MSG_DONTWAIT)
                arrived = 1
            except BlockingIOError:
                arrived = 0
            total, drops = packet.statistics(sock)
            equal((total, arrived + drops), (1, 1), f"{what}: tp_packets, and arrived or tp_drops")
            lost += drops
        assert lost <= len(place[:1]), f"{what}: {lost} lost at {place[:4]}"
        losses.append(lost)
        return {"dropped": bool(lost)}

    with fault_injection.Allocations(CONTROL, MODULE, where, SITES[0]) as allocations:
        allocations.each(what, one, judge, least)
    assert any(losses), f"{what}: no fault cost a frame"


def test_arriving():
    """Frames for two sockets: of one piece and of more, whole and cut by a filter."""
    pair = Pair()
    topology.ip("link set va mtu 9000", "link set vb mtu 9000")
    topology.wait_running("vb")
    sender = packet.reference()

    def send(length):
        packet.send(sender, probe(MAC_B, bytes(length)), address(pair.b, PROBE))

    with open_socket() as whole, open_socket(SOCK_DGRAM) as payload:
        for sock in (whole, payload):
            bind(sock, pair.a, PROBE)
        for length in (46, 8000):
            passes("elsewhere", f"{length} bytes arrive", (whole, payload),
                   lambda length=length: send(length), 1)
        bpf.attach(whole, [bpf.ret(100)])
        bpf.attach(payload, [bpf.ret(20)])
        passes("elsewhere", "a frame is cut", (whole, payload), lambda: send(8000), 1)


def test_leaving():
    """What others send, in the task that sends it."""
    pair = Pair()
    topology.wait_running("va")
    sender = packet.reference()
    with open_socket() as one, open_socket() as other:
        for sock in (one, other):
            bind(sock, pair.a, ETH_P_ALL)
        passes("task", "a frame leaves", (one, other),
               lambda: packet.send(sender, probe(MAC_B), address(pair.a, PROBE)), 1)


def test_devices():
    """A device comes, goes down and goes away under a socket that is bound to it and has joined."""
    def life():
        pair = Pair()
        with open_socket() as sock:
            bind(sock, pair.a, PROBE)
            packet.set_option(sock, packet.ADD_MEMBERSHIP,
                              packet.membership(pair.a, packet.MR_PROMISC))
            topology.ip("link set va down", "link set va up", "link set va name vc", "link del vc")
            return packet.errno_of(packet.receive, sock, flags=packet.MSG_DONTWAIT)

    def judge(_, error):
        equal(error, "ENETDOWN", "the reader")
        return {}

    with fault_injection.Allocations(CONTROL, MODULE, "elsewhere", SITES[0]) as allocations:
        allocations.each("devices", life, judge, 0)


def test_each_place_has_failed():
    """All calls from which an allocation can fail where no system call waits for it."""
    SITES[0].account("softirq_faults.py", OWNERS)


SITES = []


@contextlib.contextmanager
def around():
    with expedited_grace_periods(), CONTROL:
        SITES.append(fault_sites.Sites(MODULE))
        yield


if __name__ == "__main__":
    main(globals(), around)
