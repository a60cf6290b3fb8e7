#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# timeout: 400
# leak-scan: yes
# log: probe with driver rtl8139_rs failed
"""Each call of the kernel that the driver makes, and that can fail, fails: registrations, resources,
mappings, the interrupt line, packets. The error is the right one or a counted drop, nothing is left
behind, and the next try works. Which calls these are, the driver's list of imports says; the last case
names those that were not reached."""

import contextlib
import ctypes
import os
import socket
import struct
import sys

import cases
import failing
from failing import OTHER_MAC, OTHER_MTU, USUAL_MTU, FailingWire, Requests, ready, works_again
from frames import ETH_P_TEST, Tap, frame
from nic import OURS, lib, wait_for
from ports import spoilt
from xdp_program import PASS, answer, attach, attached, redirect, reflect

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fail_call
from call_sites import Pointer

ETHTOOL_GSET, ETHTOOL_SSET = 1, 2
SOL_PACKET, PACKET_VNET_HDR, ETH_P_IP = 263, 15, 0x0800
# struct virtio_net_hdr: nothing; a sum (VIRTIO_NET_HDR_F_NEEDS_CSUM) of what is behind byte 60, as if of UDP.
PLAIN, ODD_SUM = bytes(10), struct.pack("=BBHHHH", 1, 0, 0, 0, 60, 6)
# In a system call, where in the poll a frame would be lost.
NO_BUFFERS = {"page_pool_alloc_pages": ("ENOMEM",)}
# What has a reason not to be reached by any case here.
UNREACHED = [
    (r"(.*::napi::poll::<.*>|rnet_helper_netif_tx_trylock_queue)\+\w+, (_raw|rt)_spin_trylock",
     "only netpoll's poll tries a lock, and no case here sends by netpoll"),
    (r".*features_check\+\w+, __pskb_pull_tail",
     "only for a frame whose tags are not in its first piece, and no program makes one"),
]
POINTERS = [
    Pointer(r".*tx_ring::collect::<.*>|.*cplus_tx::Tx>::reap|.*TxQueue>::may_drop_frames|rnet_helper_irqs_disabled", 1,
            "pv_ops.irq.save_fl", "",
            "reads a flag of the CPU; not a call any more when the kernel runs"),
]


def loading(wire):
    """The module is loaded: without its driver it does not stay."""
    def undo():
        with contextlib.suppress(OSError):
            fail_call.rmmod(OURS)

    with failing.without_module(wire):
        lib.diag("load: " + wire.calls.each(failing.load, undo))
        assert not lib.loaded(OURS), "the module is still there"


def probing(wire):
    """The card is bound: whatever fails, it is free afterwards, and can be bound."""
    with failing.without_driver(wire) as bind:
        resources = read_iomem(wire)
        lib.diag("probe: " + wire.calls.each(bind, lambda: freed(wire, resources), least=8))


def probing_by_ports(wire):
    """The same where the registers cannot be used in memory: what fails of memory is of no concern then."""
    with failing.without_driver(wire) as bind, spoilt(wire, "held"):
        resources = read_iomem(wire)
        by_ports = {"pci_request_region": ("0", "EBUSY"), "pci_iomap": ("EBUSY",)}
        lib.diag("probe: " + wire.calls.each(bind, lambda: freed(wire, resources), by_ports, least=8))


def read_iomem(wire):
    """Who has the card's regions."""
    lines = []
    for table in ("iomem", "ioports"):
        with open(f"/proc/{table}", encoding="ascii") as file:
            lines += [line.strip() for line in file if OURS in line or wire.card.address in line]
    return lines


def freed(wire, resources):
    """Nobody has the card, its regions or its line."""
    wire.card.unbind()
    lib.equal(resources, read_iomem(wire), "regions")
    assert not wire.card.name, "an interface is left"


def opening(wire):
    """The interface goes up: whatever fails, it is down, and no line is requested."""
    with failing.down(wire) as (requests, undo), failing.short_rings(wire):
        lib.diag("open: " + wire.calls.each(requests.up, undo, NO_BUFFERS, least=3))


def receiving(wire):
    """A frame that finds no packet is dropped and counted, and the next one comes."""
    ready(wire)
    works_again(wire)
    with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
        # One that is copied, and one that is not.
        for size in (100, 600):
            data = frame(wire.dut.mac, wire.peer.mac, size, 5)

            def receive(data=data):
                accounted(lambda: out.send(data), heard, lambda: wire.dut.counters()["rx_dropped"])
            lib.diag(f"receive {size}: " + wire.calls.each(receive))


def receiving_what_a_program_lets_through(wire):
    """The same after a program has seen the frame."""
    with attached(wire.dut, answer(PASS)):
        receiving(wire)


def accounted(send, heard, drops, count=3):
    """So many frames, one after the other: each arrives, or is counted as dropped."""
    for number in range(count):
        before = drops()
        send()
        wait_for(f"frame {number} or its drop",
                 lambda before=before: heard.receive(0.05) or drops() > before)


def sending(wire):
    """A frame of a program arrives, or is counted as dropped: a long one, one that is padded, and one whose
    checksum is not where the card looks for it."""
    ready(wire)
    works_again(wire)
    with Tap(wire.dut, 0) as out, Tap(wire.peer, ETH_P_IP) as heard:
        out.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        for size, header in ((600, PLAIN), (40, PLAIN), (600, ODD_SUM)):
            data = header + frame(wire.peer.mac, wire.dut.mac, size, 6, ETH_P_IP)

            def send(data=data):
                accounted(lambda: out.send(data), heard, lambda: wire.dut.counters()["tx_dropped"])
            lib.diag(f"send {size}: " + wire.calls.each(send, least=0))


def sending_what_others_keep(wire):
    """A packet that its sender keeps (pktgen) is cloned, or dropped and counted."""
    ready(wire)
    works_again(wire)
    with failing.packets_of_others(wire, 3) as send:
        lib.diag("pktgen: " + wire.calls.each(
            lambda: lib.equal(3, sum(send()), "frames that arrived or were counted")))
    works_again(wire)


def settings(wire):
    """MTU, address, link settings."""
    ready(wire)
    requests, mac = Requests(wire.dut.name), wire.dut.mac
    link = ctypes.create_string_buffer(44)
    requests.ethtool(ETHTOOL_GSET, link)
    with failing.short_rings(wire):
        lib.diag("the MTU: " + wire.calls.each(lambda: requests.set_mtu(OTHER_MTU), lambda: restored(wire, requests),
                                               NO_BUFFERS, least=0))
    for what, do, undo, least in (
            ("the address", lambda: requests.set_mac(OTHER_MAC), lambda: requests.set_mac(mac), 1),
            ("asking for the link", lambda: requests.ethtool(ETHTOOL_GSET, link), lambda: None, 0),
            ("setting the link", lambda: requests.ethtool(ETHTOOL_SSET, link), lambda: None, 0)):
        lib.diag(f"{what}: " + wire.calls.each(do, undo, least=least))
    assert wire.dut.mac == mac
    works_again(wire)


def restored(wire, requests):
    """The interface works, with the MTU that it has, and has the usual one again."""
    works_again(wire)
    requests.set_mtu(USUAL_MTU)


def attaching(wire):
    """A program is attached, or it is not."""
    ready(wire)
    links = []

    def detach():
        while links:
            os.close(links.pop())

    with failing.short_rings(wire):
        lib.diag("attach: " + wire.calls.each(lambda: links.append(attach(wire.dut, answer(PASS))), detach,
                                              NO_BUFFERS, least=3))
    works_again(wire)


def sending_by_programs(wire):
    """A frame that a program sends back arrives, or is counted."""
    ready(wire)
    works_again(wire)

    def lost():
        counts = wire.dut.ethtool_stats()
        return sum(counts[name] for name in ("rx_dropped", "rx_xdp_tx_errors", "rx_xdp_redirect_errors",
                                             "tx_xdp_xmit_errors"))

    again = redirect(socket.if_nametoindex(wire.dut.name))
    for what, code in (("send back", reflect(ETH_P_TEST)), ("redirect", reflect(ETH_P_TEST, again))):
        with attached(wire.dut, code), Tap(wire.peer) as tap:
            data = frame(wire.dut.mac, wire.peer.mac, 300, 5)
            lib.diag(f"{what}: " + wire.calls.each(
                # pylint: disable=cell-var-from-loop
                lambda: accounted(lambda: tap.send(data), tap, lost)))
    works_again(wire)


def each_call_was_reached(wire):
    """All that the driver imports and that can fail; or a reason why not."""
    wire.calls.account(UNREACHED, POINTERS)


class Wire(FailingWire):
    """The wire on a kernel whose functions fail."""

    def arm(self, stack):
        self.calls = stack.enter_context(fail_call.Calls(self.control, OURS))


if __name__ == "__main__":
    cases.main(loading, probing, probing_by_ports, opening, receiving, sending, sending_what_others_keep, settings,
               attaching, receiving_what_a_program_lets_through, sending_by_programs,
               *map(failing.in_classic_mode, (opening, receiving, sending, settings)),
               each_call_was_reached, wire=Wire)
