#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# debug: chosen
# timeout: 300 2400
# leak-scan: yes
"""XDP: programs in the driver look at received frames before a packet is made, and send frames.

What upstream's xdp.py asks of single frames is asked there; here are the books, the limits, the company of
the stack, and programs that come and go under traffic: three times, with RPACKET_FULL a hundred times."""

import contextlib
import errno
import os
import socket
import subprocess
import time

import cases
from frames import ETH_P_ALL, ETH_P_TEST, ETH_P_TEST_2, Tap, flood, frame
from netconsole import logging, say
from nic import CLASSIC_RINGS, DUT4, SLOW, lib, wait_for
from removable import TIMES, pings, under_traffic
from tcp import Stream
from xdp_program import (ABORTED, ADJUST_HEAD, ADJUST_META, ADJUST_TAIL, DROP, PASS, TX, adjust, answer,
                         attached, only, redirect, reflect, replace)

LENGTHS = (60, 61, 255, 256, 257, 300, 1000, 1513, 1514)


class Frames:
    """Frames from the peer to the dut, what of them arrives there, and what comes back."""

    def __init__(self, wire, ethertype=ETH_P_TEST):
        self.wire, self.ethertype = wire, ethertype
        # What a program has done to the beginning of a frame need not leave an ethertype there.
        self.there, self.back = Tap(wire.dut, ETH_P_ALL), Tap(wire.peer, ethertype)
        test = ethertype.to_bytes(2, "big")
        self.is_ours = lambda data: data[12:14] == test

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.there.socket.close()
        self.back.socket.close()

    def make(self, length, seed):
        """To the dut, from the peer."""
        return frame(self.wire.dut.mac, self.wire.peer.mac, length, seed, self.ethertype)

    def send(self, lengths=LENGTHS):
        """One of each length; returns them."""
        frames = [self.make(length, seed) for seed, length in enumerate(lengths)]
        for data in frames:
            self.back.send(data)
        return frames

    def arrived(self, number, there=True, fits=None):
        """The next frames at the dut, or at the peer, of those that fit."""
        tap, found = self.there if there else self.back, []
        fits = fits or self.is_ours
        while len(found) < number:
            received = tap.receive(2.0 * SLOW)
            if received is None:
                break
            if fits(received[0]):
                found.append(received[0])
        return found


def grown(before, after):
    """{counter: by how much}, of those that have changed."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@contextlib.contextmanager
def counting(wire, **expected):
    """The counters of XDP in `ethtool -S` grow by so much, and no others do, but for frames that the program
    does not care for."""
    before = wire.dut.ethtool_stats()
    yield

    def now():
        counts = grown(before, wire.dut.ethtool_stats())
        return {name: count for name, count in counts.items() if "_xdp_" in name and name != "rx_xdp_pass"}

    with contextlib.suppress(AssertionError, lib.Failure):
        wait_for("the counters", lambda: now() == expected, 3 * SLOW)
    lib.equal(expected, now(), "counters")


def pass_lets_all_through(wire):
    """Short frames are copied, of long ones the buffer becomes the packet; nothing is changed."""
    with Frames(wire) as frames, attached(wire.dut, answer(PASS)):
        before = wire.dut.ethtool_stats()
        sent = frames.send()
        lib.equal(sent, frames.arrived(len(sent)))
        counts = grown(before, wire.dut.ethtool_stats())
        assert counts["rx_xdp_pass"] >= len(LENGTHS), counts


def drop_and_abort_leave_nothing(wire):
    """The stack does not see them, and they are no packets that were lost; but they were received."""
    for action, counter in ((DROP, "rx_xdp_drop"), (ABORTED, "rx_xdp_aborted")):
        with Frames(wire) as frames, attached(wire.dut, only(ETH_P_TEST, answer(action))):
            before = wire.dut.counters()
            with counting(wire, **{counter: len(LENGTHS)}):
                frames.send()
            lib.equal([], frames.arrived(1))
            after = grown(before, wire.dut.counters())
            assert after["rx_packets"] >= len(LENGTHS) and after["rx_bytes"] >= sum(LENGTHS), after
            assert "rx_dropped" not in after and "rx_errors" not in after, after


def transmit_sends_back(wire):
    """What comes back is what was sent, with the addresses exchanged; it counts as sent."""
    with Frames(wire) as frames, attached(wire.dut, reflect(ETH_P_TEST)):
        before = wire.dut.counters()
        with counting(wire, rx_xdp_tx=len(LENGTHS)):
            sent = frames.send()
            back = frames.arrived(len(sent), there=False)
        lib.equal([data[6:12] + data[:6] + data[12:] for data in sent], back)
        after = grown(before, wire.dut.counters())
        assert after["tx_packets"] >= len(LENGTHS) and after["tx_bytes"] >= sum(LENGTHS), after
        assert "tx_errors" not in after and "tx_dropped" not in after, after


def redirect_comes_back_by_another_door(wire):
    """The card is told to send by another device's program, as it were: it is the same card. What can take
    no frames is not sent to."""
    index = socket.if_nametoindex(wire.dut.name)
    with Frames(wire) as frames:
        with attached(wire.dut, reflect(ETH_P_TEST, redirect(index))):
            with counting(wire, rx_xdp_redirect=len(LENGTHS), tx_xdp_xmit=len(LENGTHS)):
                sent = frames.send()
                back = frames.arrived(len(sent), there=False)
            lib.equal([data[6:12] + data[:6] + data[12:] for data in sent], back)
        loopback = socket.if_nametoindex("lo")
        code = only(ETH_P_TEST, redirect(loopback))
        with attached(wire.dut, code), counting(wire, rx_xdp_redirect_errors=len(LENGTHS)):
            frames.send()


def a_program_moves_the_ends_of_a_frame(wire):
    """Shorter and longer, at both ends; what it leaves before the frame does no harm."""
    with Frames(wire) as frames:
        for function, delta in ((ADJUST_TAIL, -40), (ADJUST_TAIL, 300), (ADJUST_HEAD, 20), (ADJUST_HEAD, -32),
                                (ADJUST_META, -16)):
            with attached(wire.dut, only(ETH_P_TEST, adjust(function, delta, PASS))):
                for length in (200, 256, 600, 1514):
                    data, = frames.send([length])
                    lengths = (length, length + delta, length - delta)
                    if function == ADJUST_TAIL:
                        want = data[:delta] if delta < 0 else data + bytes(delta)
                    elif function == ADJUST_HEAD:
                        want = data[max(delta, 0):]
                    else:
                        want = data
                    got, = frames.arrived(1, fits=lambda data: len(data) in lengths)
                    room = -delta if function == ADJUST_HEAD and delta < 0 else 0
                    lib.equal(want, got[room:], f"{length} bytes, {delta}")
                    lib.equal(len(want) + room, len(got))


def a_short_frame_is_padded_when_it_is_sent(wire):
    """Of 20 bytes, and of none after the header; the rest is zeros, and nothing of the kernel's."""
    with Frames(wire) as frames:
        for delta in (-40, -46):
            with attached(wire.dut, reflect(ETH_P_TEST, adjust(ADJUST_TAIL, delta, TX))):
                data, = frames.send([60])
                got, = frames.arrived(1, there=False)
                lib.equal((data[6:12] + data[:6] + data[12:])[:delta] + bytes(-delta), got)


def the_stack_goes_on_beside_it(wire):
    """TCP both ways, each byte compared, while frames of another kind are sent back in a flood."""
    size = (2 << 20) // SLOW
    before = wire.dut.ethtool_stats()
    data = frame(wire.dut.mac, wire.peer.mac, 300, 1, ETH_P_TEST_2)
    with attached(wire.dut, reflect(ETH_P_TEST_2)):
        worker = flood(wire.peer, data, 0.002 * SLOW, 8)
        worker.wait_started()
        Stream("peer", lib.PEER4).transfer(size)
        Stream(None, DUT4).transfer(size)
        worker.stop()
    counts = grown(before, wire.dut.ethtool_stats())
    assert counts["rx_xdp_tx"] > 100 and counts["rx_xdp_pass"] > 100, counts
    return ", ".join(f"{name} {count}" for name, count in counts.items() if "_xdp_" in name)


def the_kernel_says_something_meanwhile(wire):
    """Messages leave by netpoll, with interrupts disabled, between the frames of a program."""
    data = frame(wire.dut.mac, wire.peer.mac, 300, 1, ETH_P_TEST_2)
    with attached(wire.dut, reflect(ETH_P_TEST_2)), logging(wire):
        worker = flood(wire.peer, data, 0.002 * SLOW, 8)
        worker.wait_started()
        for number in range(100 // SLOW):
            say("xdp", number)
        worker.stop()
    pings(wire)


def what_there_is_no_place_for_is_refused(wire):
    """A frame must be in one page, the classic ring has no program, and neither comes about by what is
    changed later."""
    def refuses(error):
        lib.raises(error, attached(wire.dut, answer(PASS)).__enter__)

    def ethtool(*words):
        return subprocess.run(["ethtool", *words], capture_output=True, text=True, check=False)

    name = wire.dut.name
    wire.dut.set("mtu", "3499")
    try:
        refuses(errno.EINVAL)
        wire.dut.set("mtu", "3498")
        with attached(wire.dut, answer(PASS)):
            done = subprocess.run(["ip", "link", "set", "dev", name, "mtu", "3499"], capture_output=True, check=False)
            assert done.returncode and wire.dut.link()["mtu"] == 3498
            wire.dut.set("down")
            done = ethtool("--set-priv-flags", name, CLASSIC_RINGS, "on")
            assert done.returncode and "busy" in done.stderr, done
        wire.dut.set("mtu", "1500")
        ethtool("--set-priv-flags", name, CLASSIC_RINGS, "on")
        refuses(errno.EOPNOTSUPP)
    finally:
        ethtool("--set-priv-flags", name, CLASSIC_RINGS, "off")
        wire.dut.set("mtu", "1500")
        wire.up()


def a_program_sees_tags(wire):
    """No VLAN tag is taken off as long as it is there, and then again. So it is with what else would have it see
    another frame than was sent."""
    def strips():
        return "rx-vlan-offload: on" in wire.dut.ethtool("-k", wire.dut.name)

    assert strips()
    with attached(wire.dut, answer(PASS)):
        assert not strips()
        shown = wire.dut.ethtool("-k", wire.dut.name)
        for name in ("rx-vlan-offload", "rx-fcs", "rx-all"):
            assert f"{name}: off [fixed]" in shown, name
    assert strips()


def programs_come_and_go_under_traffic(wire):
    """They are attached, replaced by one another without a gap, and taken away."""
    def change(number):
        with attached(wire.dut, answer((DROP, PASS, TX)[number % 3])) as link:
            for code in (reflect(ETH_P_TEST), answer(ABORTED), answer(PASS)):
                replace(link, code)

    return under_traffic(wire, change)


def what_else_changes_under_a_program(wire):
    """Rings, MTU, features, down and up, with a program that sends frames back."""
    name = wire.dut.name

    def change(number):
        wire.dut.ethtool("-G", name, "rx", str((16, 64)[number % 2]), "tx", str((20, 64)[number % 2]))
        wire.dut.set("mtu", ("1280", "1500", "3000")[number % 3])
        wire.dut.ethtool("-K", name, "rx", ("off", "on")[number % 2], "tso", ("on", "off")[number % 2])
        wire.dut.set("down")
        wire.dut.set("up")

    try:
        with attached(wire.dut, reflect(ETH_P_TEST)):
            return under_traffic(wire, change)
    finally:
        wire.dut.ethtool("-K", name, "rx", "on", "tso", "on")
        wire.dut.ethtool("-G", name, "rx", "64", "tx", "64", check=False)
        wire.dut.set("mtu", "1500")


def the_driver_goes_with_a_program_attached(wire):
    """Unbound with frames on their way; what held the program holds nothing then."""
    for number in range(TIMES):
        code = (reflect(ETH_P_TEST), redirect(socket.if_nametoindex(wire.dut.name)))[number % 2]
        with attached(wire.dut, code):
            worker = flood(wire.peer, frame(wire.dut.mac, wire.peer.mac, 600, 1), 0.002 * SLOW, 8)
            worker.wait_started()
            time.sleep(0.2 * SLOW)
            wire.card.unbind()
            worker.stop()
        wire.card.bind(wire.subject)
        pings(wire)
    return f"{TIMES} times"


if __name__ == "__main__":
    assert os.environ.get("MODE", "cplus") == "cplus"
    cases.main(pass_lets_all_through, drop_and_abort_leave_nothing, transmit_sends_back,
               redirect_comes_back_by_another_door, a_program_moves_the_ends_of_a_frame,
               a_short_frame_is_padded_when_it_is_sent, the_stack_goes_on_beside_it,
               the_kernel_says_something_meanwhile, what_there_is_no_place_for_is_refused, a_program_sees_tags,
               programs_come_and_go_under_traffic, what_else_changes_under_a_program,
               the_driver_goes_with_a_program_attached)
