#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rpsniff af_packet
# debug: chosen
# timeout: 400
# machine: pc
# remaps: yes
# leak-scan: yes
"""The card goes away beneath bound sockets of our family and a running sniffer, under traffic.

A packet handler that stays on a device which is being unregistered makes the kernel stop with a
BUG; a reference that is not given back makes it wait for ever."""

import os
import re
import select
import socket
import subprocess
import threading
import time

import path
from path import FAMILY, Capture
import cases
from frames import ETH_P_TEST, Tap, flood, frame
from nic import SLOW, Port, inside, lib, load, loaded, run, wait_for, write

ENETDOWN = 100


class Sockets:
    """Sockets of our family in each state that a device can be reached from."""

    def __init__(self, port):
        self.bound = [Tap(port, ethertype, FAMILY) for ethertype in (3, ETH_P_TEST, 0x0800)]
        self.unhooked = Tap(port, 0, FAMILY)
        self.member = Tap(port, ETH_P_TEST, FAMILY)
        self.member.member(b"\x03\0\0\0\0\7")
        # Bound to no device: every interface's frames, and no interest in what becomes of one.
        self.any = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, lib.libc_call(
            "socket", FAMILY, socket.SOCK_RAW, socket.htons(ETH_P_TEST)))
        self.all = [*(tap.socket for tap in self.bound), self.unhooked.socket, self.member.socket,
                    self.any]
        self.sent, self.errors = 0, []
        self.reader = threading.Thread(target=self.read)
        self.writer = threading.Thread(target=self.write, args=(port,))
        self.done = threading.Event()

    def __enter__(self):
        self.reader.start()
        self.writer.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.writer.join()
        self.reader.join()
        for sock in self.all:
            sock.close()

    def read(self):
        """A reader that blocks in recv() until the device is gone."""
        blocked = self.bound[1].socket
        try:
            while True:
                blocked.recv(2000)
        except OSError as error:
            self.errors.append(error.errno)

    def write(self, port):
        """A sender that does not care what becomes of the device."""
        tap = self.unhooked
        while not self.done.is_set():
            try:
                tap.socket.sendto(frame(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", 300, 1),
                                  (port.name, ETH_P_TEST))
                self.sent += 1
            except OSError:
                pass
            # This thread must leave time to the test itself.
            time.sleep(0.002 * SLOW)

    def were_told(self):
        """Each bound socket reports ENETDOWN once and polls as an error; the others do not."""
        self.reader.join(5 * SLOW)
        assert not self.reader.is_alive(), "the blocked reader was not woken"
        assert self.errors == [ENETDOWN], self.errors
        for tap in (self.bound[0], self.bound[2], self.member):
            poll = select.poll()
            poll.register(tap.socket, select.POLLIN)
            assert poll.poll(1000 * SLOW)[0][1] & select.POLLERR, "no POLLERR"
            error = tap.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert error == ENETDOWN, f"SO_ERROR is {error}"
        assert self.any.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert self.bound[0].socket.getsockname()[0] == "", "still bound to the device"

    def work_again(self, wire):
        """The very same sockets, bound to the new interface."""
        for tap in (self.bound[0], self.bound[1], self.member):
            tap.socket.bind((wire.card.name, ETH_P_TEST))
            # What was queued before; on a quick machine the traffic has no end.
            tap.drain(0.05, 1000)
            wait_for("frames on a socket bound anew",
                     lambda one=tap: one.receive(0.5))


def traffic(wire):
    """Frames to the dut, so many that time is left to what takes the card away."""
    return flood(wire.peer, frame(bytes.fromhex("525400000001"), wire.peer.mac, 400, 3), 0.01 * SLOW, 4)


def go_and_come_back(wire, remove, restore):
    """Take the card away beneath open sockets under traffic, check, and bring it back."""
    with traffic(wire) as sender:
        for _ in range(2 if SLOW == 1 else 1):
            with Sockets(Port(wire.card.name)) as sockets:
                for tap in sockets.bound[:2]:
                    wait_for("frames on the sockets", lambda one=tap: one.receive(0.5))
                wait_for("frames to be sent", lambda: sockets.sent > 20)
                remove()
                assert not wire.card.name and sender.is_alive()
                sockets.were_told()
                restore()
                wait_for("the interface", lambda: wire.card.name)
                wire.dut.set("up")
                sockets.work_again(wire)
    wire.up()


def the_driver_is_unloaded(wire):
    """rmmod: sockets hold neither the driver nor the interface."""
    def remove():
        run("rmmod", wire.subject)
        assert not loaded(wire.subject)
    go_and_come_back(wire, remove, lambda: load(wire.subject))


def the_card_is_unbound(wire):
    """sysfs: the driver stays."""
    go_and_come_back(wire, wire.card.unbind, lambda: wire.card.bind(wire.subject))


def the_card_is_removed_from_the_bus(wire):
    """PCI remove and rescan."""
    def restore():
        write("/sys/bus/pci/rescan", 1)
        wait_for("the card", lambda: os.path.exists(wire.card.sys))
        wire.card.bind(wire.subject)
    go_and_come_back(wire, lambda: write(f"{wire.card.sys}/remove", 1), restore)


def the_interface_goes_down_and_up(wire):
    """Not away: the sockets are told, stay bound, and receive again by themselves."""
    with traffic(wire), Tap(wire.dut, ETH_P_TEST, FAMILY) as tap:
        for _ in range(5):
            wait_for("frames", lambda: tap.receive(0.5))
            wire.dut.set("down")
            wait_for("ENETDOWN", lambda: tap.socket.getsockopt(
                socket.SOL_SOCKET, socket.SO_ERROR) == ENETDOWN)
            wire.dut.set("up")
    wire.up()


def the_sniffer_sees_the_card_go(wire):
    """rpsniff ends by itself, says why, and what it has captured is in the file."""
    with traffic(wire), Capture("rpsniff", wire.dut, "/tmp/removal.pcapng", "ether", "proto",
                                "0x88b5") as sniffer:
        wait_for("captured frames", lambda: os.path.getsize(sniffer.file) > 20000)
        wire.card.unbind()
        status, said = sniffer.finish()
        count = len(path.read_capture(sniffer.file))
        assert count > 20, f"{count} frames in the file"
        assert sniffer.number("captured") >= count, said
        assert status, "it ended as if all was well"
        assert re.search("down|gone|disappeared|removed", said, re.I), said
    wire.card.bind(wire.subject)
    wire.up()


def the_family_cannot_be_unloaded_while_in_use(wire):
    """A socket pins the module; closed, it lets it go, whatever the device has been through."""
    if not path.OURS:
        raise lib.Skip("AF_PACKET is no module here")
    with traffic(wire), Tap(wire.dut, 3, FAMILY) as tap:
        assert subprocess.run(["rmmod", "af_rpacket"], capture_output=True,
                              check=False).returncode, "unloaded beneath an open socket"
        assert tap.receive(), "the socket does not work any more"
        wire.card.unbind()
        assert subprocess.run(["rmmod", "af_rpacket"], capture_output=True,
                              check=False).returncode, "unloaded beneath an open socket"
        wire.card.bind(wire.subject)
    wait_for("rmmod", lambda: subprocess.run(["rmmod", "af_rpacket"], capture_output=True,
                                             check=False).returncode == 0, 5)
    load("af_rpacket")
    wire.up()


def the_sniffer_finds_the_family_by_its_number(wire):
    """The module with another number than 25: told that, rpsniff captures; not told, it says what to do."""
    if not path.OURS:
        raise lib.Skip("AF_PACKET has one number")
    subprocess.run(["rmmod", "af_rpacket"], check=True)
    try:
        load("af_rpacket", "family=31")
        with traffic(wire), inside(wire.dut.netns):
            refused, captured = (
                subprocess.run(["rpsniff", *words, "-n", "-c", "5", "-i", wire.dut.name, "ether proto 0x88b5"],
                               capture_output=True, text=True, check=False, timeout=20 * SLOW)
                for words in ([], ["--family", "rpacket:31"]))
        assert refused.returncode == 1 and "--family rpacket:NUMBER" in refused.stderr, refused.stderr
        assert captured.returncode == 0 and "5 packets captured" in captured.stderr, captured.stderr
    finally:
        subprocess.run(["rmmod", "af_rpacket"], check=False)
        load("af_rpacket")


if __name__ == "__main__":
    cases.main(the_driver_is_unloaded, the_card_is_unbound, the_card_is_removed_from_the_bus,
               the_interface_goes_down_and_up, the_sniffer_sees_the_card_go,
               the_family_cannot_be_unloaded_while_in_use, the_sniffer_finds_the_family_by_its_number,
               wire=path.Path)
