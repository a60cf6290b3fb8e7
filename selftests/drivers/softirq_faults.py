#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: debug
# timeout: 400
# leak-scan: yes
# log: NETDEV WATCHDOG: timed out|ref_tracker: memory allocation failure
"""Each allocation fails once that is made on the way through the driver where no system call waits for
it: in its poll, in its transmit function, in its timers and its work. Each frame is there, or it is
counted as dropped, and the next one gets through."""

import errno
import os
import re
import socket
import struct
import subprocess
import sys

import cases
import failing
from failing import OWNERS, FailingWire, ready, works_again
from frames import Tap, flood, frame
from link import cable
from nic import OURS, lib, read, wait_for
from recovery import COMMAND, RECEIVER, WATCHDOG, resets

sys.path.insert(0, lib.HERE)
# pylint: disable=wrong-import-position
import fault_injection
import fault_sites

SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_TIMESTAMPING, TX_SOFTWARE, SOFTWARE, MSG_ERRQUEUE = 37, 1 << 1, 1 << 4, 0x2000


def lost_by(tap):
    """How many frames the socket could not take, since the last call."""
    return struct.unpack("=II", tap.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


def receiving(wire):
    """The poll finds no memory for a frame: `rx_dropped`. What others do with it is theirs to count."""
    ready(wire)
    works_again(wire)
    # Short packets have memory of their own; of long ones there is a stock, 32 at once.
    for length, count in ((60, 1), (1514, 40)):
        data, losses = frame(wire.dut.mac, wire.peer.mac, length, 5), []
        with Tap(wire.peer, 0) as out, Tap(wire.dut) as heard:
            heard.drain()

            def one():
                before = wire.dut.counters()["rx_dropped"]
                out.send(data)

                def fate():
                    found = (heard.receive(0.02) is not None,
                             wire.dut.counters()["rx_dropped"] - before, lost_by(heard))
                    return found if any(found) else None
                return wait_for("the frame or its drop", fate)

            def receive():
                return [sum(column) for column in zip(*(one() for _ in range(count)))]

            def judge(place, fates):
                # What others do with the frame is theirs to count.
                lib.equal(count, sum(fates), "arrived, rx_dropped or tp_drops")
                own = any(re.search("napi_(alloc|build)_skb|page_pool_alloc", name) for name in place)
                lib.require(own or not fates[1], "the driver drops for no other reason")
                losses.append(fates[1])
                return {"dropped": any(fates[1:])}

            wire.allocations.each(f"receive {length} bytes", receive, judge)
        lib.require(any(losses), "a fault costs a frame")
    works_again(wire)


def sending(wire):
    """A frame whose time is wanted leaves, with or without its time."""
    ready(wire)
    works_again(wire)
    data = frame(wire.peer.mac, wire.dut.mac, 600, 6)
    with Tap(wire.dut, 0) as out, Tap(wire.peer) as heard:
        out.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE)

        def send():
            out.send(data)
            assert heard.receive(5), "the frame did not arrive"
            try:
                out.socket.recvmsg(2048, 1024, MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            return True

        def judge(place, stamped):
            lib.require(place or stamped, "the time of a frame without a fault")
            times.append(stamped)
            return {}

        times = []
        wire.allocations.each("send with a time", send, judge)
        lib.require(not all(times), "a fault costs a time")


def sending_what_others_keep(wire):
    """No memory for a packet of one's own: `tx_dropped`."""
    ready(wire)
    works_again(wire)
    with failing.packets_of_others(wire, 2) as send:
        def judge(place, result):
            lib.equal(2, sum(result), "arrived, or tx_dropped")
            lib.require(place or not result[1], "nothing is lost without a fault")
            losses.append(result[1])
            return {"dropped": bool(result[1])}

        losses = []
        wire.allocations.each("send a packet that others have", send, judge)
        lib.require(any(losses), "a fault costs a frame")


def link_changes(wire):
    """The cable is pulled and plugged: the carrier follows, whatever fails."""
    ready(wire)
    works_again(wire)

    def change():
        for plugged in (False, True):
            cable("nic0", plugged)
            wait_for("the carrier to follow", lambda up=plugged: wire.dut.carrier() == up)

    wire.allocations.each("link", change, lambda *_: {}, 0)
    works_again(wire)


def changed_by_others(wire):
    """What `ip` and `ethtool` ask by netlink: done, or refused, and then as before."""
    ready(wire)
    works_again(wire)
    name = wire.dut.name

    def mtu():
        return read(f"/sys/class/net/{name}/mtu")

    def all_frames():
        return re.search(r"^rx-all: (\w+)", wire.dut.ethtool("-k", name), re.M).group(1)

    for tool, look, values in (
            (["ip", "link", "set", "dev", name, "mtu"], mtu, ("1400", "1500")),
            (["ethtool", "-K", name, "rx-all"], all_frames, ("on", "off"))):
        for new, old in (values, values[::-1]):
            def back(tool=tool, old=old):
                subprocess.run([*tool, old], capture_output=True, check=True)

            def change(tool=tool, look=look, new=new, old=old):
                done = subprocess.run([*tool, new], capture_output=True, check=False, text=True)
                lib.equal(old if done.returncode else new, look(), f"{' '.join(tool)} {new}")
                return done

            wire.allocations.each(" ".join([*tool, new]), change, judge_of_tool, 0, back)
            back()
    wire.allocations.each("negotiate", lambda: subprocess.run(
        ["ethtool", "-r", name], capture_output=True, check=False, text=True), judge_of_tool, 0)
    works_again(wire)


def judge_of_tool(place, done):
    """With which error a tool was refused what it asked."""
    assert place or not done.returncode, f"status {done.returncode} without a fault: {done.stderr}"
    said = [number for number in (errno.ENOMEM, errno.ENOBUFS) if os.strerror(number) in done.stderr]
    assert said or not done.returncode, f"{done.stderr}, when this failed: {place[:4]}"
    return {"result": (said or [0])[0], "allowed": ("ENOMEM", "ENOBUFS")}


def recovering(wire):
    """The watchdog has the work reset a chip that does not send: it sends again, whatever fails."""
    if not os.environ.get("RPACKET_FULL"):
        raise lib.Skip("takes the watchdog's time: make test-full")
    ready(wire)
    works_again(wire)
    data = frame(wire.peer.mac, wire.dut.mac, 200, 1)

    def recover():
        before = resets(wire)
        with Tap(wire.peer) as heard, flood(wire.dut, data, 0.05, 1):
            wait_for("frames to arrive", heard.receive)
            wire.card.poke(COMMAND, 1, RECEIVER)
            wait_for("a reset", lambda: resets(wire) > before, WATCHDOG)
            wait_for("frames to arrive again", lambda: heard.receive(0.2), WATCHDOG)

    wire.allocations.each("recovery", recover, lambda *_: {}, 0)
    works_again(wire)


def each_place_has_failed(wire):
    """All calls from which an allocation can fail where no system call waits for it."""
    wire.sites.account("softirq_faults.py", OWNERS)


class FaultyWire(FailingWire):
    """The wire on a kernel whose allocations fail."""

    def arm(self, stack):
        self.sites = fault_sites.Sites(OURS)
        self.allocations = stack.enter_context(
            fault_injection.Allocations(self.control, OURS, sites=self.sites))


if __name__ == "__main__":
    cases.main(receiving, sending, sending_what_others_keep, link_changes, changed_by_others,
               recovering, *map(failing.in_classic_mode, (receiving, sending, changed_by_others)),
               each_place_has_failed, wire=FaultyWire)
