#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139too
# modes: classic
# timeout: 300
# log: NETDEV WATCHDOG|probe with driver rtl8139_rs failed
"""What 8139too does wrong, where QEMU's card can show it (Documentation/bugs-of-the-c-drivers.md). The other
files compare with 8139cp, whose the card is; 8139too gets to see it with another revision."""

import contextlib
import socket
import subprocess
import sys
import time

import cases
from frames import Tap, flood, frame
from link import RTL8129, cable
from nic import DUT4, SLOW, SUBJECT, lib, read, wait_for, write
from power import Bed, late_poll
from recovery import COMMAND, INTERRUPT_MASK, RECEIVER, times_out
from removable import pings
from udp import sockets

sys.path.insert(0, lib.HERE)
import fail_call  # pylint: disable=wrong-import-position

SO_INCOMING_NAPI_ID = 56
IDENTITY, DRIVER = "10ec 8139", f"/sys/bus/pci/drivers/{SUBJECT}"
MAPPING = "pci_iomap"


def stored(length):
    """Bytes of the ring that a frame takes: header and check sequence, at a multiple of four."""
    return (length + 11) & ~3


@cases.c_differs("it wants a bit of another register beside the interrupt, which QEMU's card does not set")
def the_cable_is_seen(wire):
    """Pulled and plugged."""
    try:
        for plugged in (False, True):
            cable("nic0", plugged)
            wait_for(f"carrier {plugged}", lambda: wire.dut.carrier() == plugged, 3)  # pylint: disable=W0640
    finally:
        cable("nic0", True)
    pings(wire)


@cases.c_differs("a change that it does not take for one it counts as two errors")
def the_cable_is_no_error(wire):
    """Neither pulled nor plugged."""
    columns = ("rx_errors", "rx_fifo")
    before = wire.dut.counters()
    for plugged in (False, True):
        cable("nic0", plugged)
        time.sleep(0.3)
    after = wire.dut.counters()
    lib.equal([0, 0], [after[name] - before[name] for name in columns], " and ".join(columns))
    pings(wire)


@cases.c_differs("it has no byte queue limits")
def the_bytes_in_the_card_are_limited(wire):
    """The limit adapts to what the card takes."""
    folder = f"/sys/class/net/{wire.dut.name}/queues/tx-0/byte_queue_limits"
    with flood(wire.dut, frame(wire.peer.mac, wire.dut.mac, 1514, 1), 0, 64):
        wait_for("a limit", lambda: int(read(f"{folder}/limit")) or int(read(f"{folder}/inflight")), 5)


@cases.c_differs("it has nothing stamped that it sends")
def what_is_sent_can_be_stamped(wire):
    """ethtool -T."""
    assert "software-transmit" in wire.dut.ethtool("-T", wire.dut.name)


@cases.c_differs("it gives frames to the stack without that")
def a_socket_knows_which_poll_its_packets_are_from(_):
    """For busy polling, and to have the program run on the CPU of the poll."""
    sender, receiver = sockets(None, DUT4)
    with sender, receiver:
        sender.send(b"from where?")
        receiver.recvmsg(100)
        assert receiver.getsockopt(socket.SOL_SOCKET, SO_INCOMING_NAPI_ID), "it is unknown"


@cases.c_differs("it empties the ring, and what was in there is counted nowhere")
def frames_behind_one_that_is_too_long_arrive_or_are_counted(wire):
    """All of them are in the ring before the driver looks."""
    def told():
        counted = wire.dut.ethtool_stats().get("rx_discarded_bytes", 0)
        return wire.dut.counters()["rx_errors"] + counted // stored(200)

    good = frame(wire.dut.mac, wire.peer.mac, 200, 1)
    wire.peer.set("mtu", "4000")
    try:
        wait_for("the peer after its own reset", wire.answers)
        with Tap(wire.peer, 0) as source, Tap(wire.dut) as sink:
            before, mask = told(), wire.card.peek(INTERRUPT_MASK, 2)
            wire.card.poke(INTERRUPT_MASK, 2, 0)
            for data in (frame(wire.dut.mac, wire.peer.mac, 3000, 1), *10 * [good]):
                source.send(data)
            time.sleep(0.2 * SLOW)
            wire.card.poke(INTERRUPT_MASK, 2, mask)
            lost = 10 - sum(data == good for data, _ in sink.drain(0.5 * SLOW))
        assert told() - before >= lost, f"{lost} frames are lost, {told() - before} were counted"
    finally:
        wire.peer.set("mtu", "1500")
    pings(wire)
    return f"{lost} frames are lost, and counted"


@cases.c_differs("it does not wait for the poll, which enables the interrupts again")
def a_poll_that_is_late_does_not_wake_the_card(wire):
    """What was due before it went to sleep has ended."""
    late_poll(wire)


@cases.c_differs("once it had a card whose link it looks after, it lets a minute pass first")
def a_transmitter_is_started_again_whatever_card_there_was_before(wire):
    """The card is an RTL8129's for a few seconds, by its id, and then itself again."""
    wire.card.unbind()
    write(f"{DRIVER}/new_id", f"{IDENTITY} ffffffff ffffffff 0 0 {RTL8129}")
    try:
        wire.card.bind(wire.subject)
        wire.dut.set("up")
        time.sleep(5)
        wire.card.unbind()
    finally:
        write(f"{DRIVER}/remove_id", IDENTITY)
    wire.card.bind(wire.subject)
    wire.up()
    return times_out(wire, lambda: wire.card.poke(COMMAND, 1, RECEIVER))


@cases.c_differs("it uses the I/O ports of all cards from then on, and shows no registers")
def a_card_that_cannot_be_mapped_is_no_concern_of_others(wire):
    """Its registers are mapped the next time, and shown."""
    wire.card.unbind()
    with fail_call.Control() as control, control.armed([(MAPPING, SUBJECT, 0)]):
        control.say("fail", MAPPING, 1)
        with contextlib.suppress(OSError):
            write(f"{DRIVER}/bind", wire.card.address)
        lib.require(control.read()[0][MAPPING][1], "the mapping has failed")
        wire.card.unbind()
    wire.card.bind(wire.subject)
    wire.up()
    done = subprocess.run(["ethtool", "-d", wire.dut.name, "raw", "on"], capture_output=True, check=False)
    lib.equal((0, 256), (done.returncode, len(done.stdout)), "status and bytes of the registers")


if __name__ == "__main__":
    cases.main(the_cable_is_seen, the_cable_is_no_error, the_bytes_in_the_card_are_limited,
               what_is_sent_can_be_stamped, a_socket_knows_which_poll_its_packets_are_from,
               a_poll_that_is_late_does_not_wake_the_card,
               frames_behind_one_that_is_too_long_arrive_or_are_counted,
               a_transmitter_is_started_again_whatever_card_there_was_before,
               a_card_that_cannot_be_mapped_is_no_concern_of_others, wire=Bed)
