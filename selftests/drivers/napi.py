#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 300
"""What the core lets users do with a NAPI, done with the card's, under traffic: a thread of its own, one that
polls all the time, sockets that poll, interrupts that are put off; and what netlink says of all that, which
outlives the interface's going down and new rings.

(How many interrupts threads cost is in interrupts.py, whether the queues count right in stats.py.)"""

import contextlib
import fcntl
import glob
import os
import select
import socket
import struct
import time

import cases
import netlink
from frames import flood, frame
from nic import DUT4, OURS, SLOW, SUBJECT, inside, lib, read, wait_for, write

SO_BUSY_POLL, SO_INCOMING_NAPI_ID, SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET = 46, 56, 69, 70
EPOLL_PARAMS = 0x40088A01  # EPIOCSPARAMS, struct epoll_params
PORT = 5002
MS = 1_000_000  # nanoseconds
COUNT = 400 // SLOW
PAUSE = 0.003


# What is measured ----------------------------------------------------------------------------------


def busy_polled():
    """How many frames a busy poll has received, in this namespace."""
    lines = [line.split() for line in read("/proc/net/netstat").splitlines() if line.startswith("TcpExt:")]
    return int(dict(zip(*lines))["BusyPollRxPackets"])


def threads(name):
    """The processes that poll for the interface."""
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if read(path).startswith(f"napi/{name}-"):
                found.append(int(path.split("/")[2]))
    return found


def run_time(pid):
    """For how long it was on a CPU, in nanoseconds."""
    return int(read(f"/proc/{pid}/schedstat").split()[0])


class Datagrams:
    """The peer sends numbered datagrams to a socket at the dut."""

    def __init__(self, **options):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option, value in options.items():
            self.socket.setsockopt(socket.SOL_SOCKET, globals()[option], value)
        # Not settimeout(), by which it would be poll() that waits.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("=qq", 5 * SLOW, 0))
        self.socket.bind((DUT4, PORT))
        with inside("peer"):
            self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.connect((DUT4, PORT))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.out.close()

    def cross(self, count=COUNT, pause=PAUSE, receive=None):
        """So many are sent by another process, one after the other, and arrive in their order."""
        receive = receive or (lambda: self.socket.recv(64))
        child = os.fork()
        if not child:
            for number in range(count):
                time.sleep(pause)
                self.out.send(struct.pack("=I", number))
            os._exit(0)
        try:
            arrived = [struct.unpack("=I", receive())[0] for _ in range(count)]
        finally:
            os.waitpid(child, 0)
        lib.equal(list(range(count)), arrived, "what arrived")

    def napi_id(self):
        """The NAPI that the last one came from, as the socket knows it."""
        return self.socket.getsockopt(socket.SOL_SOCKET, SO_INCOMING_NAPI_ID)


def interrupts_for(wire, work):
    """Interrupts for each frame that the dut has received while `work` ran."""
    frames, interrupts = wire.dut.counters()["rx_packets"], wire.card.interrupts
    work()
    frames = wire.dut.counters()["rx_packets"] - frames
    lib.require(frames >= COUNT, f"{frames} frames")
    return (wire.card.interrupts - interrupts) / frames


@contextlib.contextmanager
def put_off(wire, polls, nanoseconds):
    """The interrupt is put off for so many empty polls, so long from one to the next; by the old files."""
    folder = f"/sys/class/net/{wire.dut.name}"
    settings = {"napi_defer_hard_irqs": polls, "gro_flush_timeout": nanoseconds}
    before = {name: read(f"{folder}/{name}") for name in settings}
    try:
        for name, value in settings.items():
            write(f"{folder}/{name}", value)
        yield
    finally:
        for name, value in before.items():
            write(f"{folder}/{name}", value)


def nothing_is_stuck(wire):
    """After a while without a frame, one alone comes and is answered, and another."""
    for _ in range(3):
        time.sleep(0.1)
        wait_for("an answer", wire.answers)


def flows(wire):
    """Frames cross both ways at once, and none of them is missing at the end."""
    before = wire.dut.counters()
    with flood(wire.peer, frame(wire.dut.mac, wire.peer.mac, 300, 1), PAUSE), \
            flood(wire.dut, frame(wire.peer.mac, wire.dut.mac, 300, 2), PAUSE):
        for way in ("rx_packets", "tx_packets"):
            wait_for(f"{way} to move", lambda way=way: wire.dut.counters()[way] > before[way] + 100 // SLOW)
    nothing_is_stuck(wire)


# Cases ---------------------------------------------------------------------------------------------


def netlink_knows_napi_line_and_queues(wire):
    """One NAPI, on the card's line, which serves one queue each way; while it is down, none."""
    napi, queues = netlink.napi(wire.dut), netlink.queues(wire.dut)
    if SUBJECT == OURS:
        lib.equal(wire.card.irq, napi.get("irq"), "the line")
        lib.equal({("rx", 0): napi["id"], ("tx", 0): napi["id"]},
                  {queue: about.get("napi-id") for queue, about in queues.items()}, "who serves the queues")
        # Pages that were lent to the stack may come back later, and their pool lives until then.
        pools = [pool for pool in netlink.dump("page-pool-get")
                 if pool.get("ifindex") == napi["ifindex"] and "detach-time" not in pool]
        expected = [napi["id"]] if wire.card.mode == "cplus" else []
        lib.equal(expected, [pool.get("napi-id") for pool in pools], "who serves the pools of pages")
    wire.dut.set("down")
    try:
        lib.equal({}, netlink.queues(wire.dut), "queues while it is down")
        if SUBJECT == OURS:
            lib.equal([], netlink.napis(wire.dut), "NAPIs while it is down")
    finally:
        wire.up()


def a_socket_knows_where_its_frames_come_from(wire):
    """SO_INCOMING_NAPI_ID, for programs that sort their sockets by it."""
    with Datagrams() as datagrams:
        datagrams.cross(5)
        lib.equal(netlink.napi(wire.dut)["id"], datagrams.napi_id(), "SO_INCOMING_NAPI_ID")


def a_thread_polls(wire):
    """Through sysfs: it appears, does all the work, lives on while the interface goes down and up; and goes."""
    switch, name = f"/sys/class/net/{wire.dut.name}/threaded", wire.dut.name
    lib.equal([], threads(name), "threads before")
    write(switch, 1)
    try:
        for _ in range(2):
            lib.equal("1", read(switch), "the switch")
            (pid,) = threads(name)
            about = netlink.napi(wire.dut)
            lib.equal((pid, "enabled"), (about.get("pid"), about.get("threaded")), "netlink")
            before = run_time(pid)
            flows(wire)
            assert run_time(pid) > before, "the thread has done nothing"
            wire.dut.set("down")
            wire.up()
    finally:
        write(switch, 0)
    wait_for("the thread to end", lambda: not threads(name))
    assert "pid" not in netlink.napi(wire.dut)
    flows(wire)


def a_thread_that_polls_all_the_time(wire):
    """Through netlink: the thread never sleeps, and the card has nothing to interrupt for."""
    napi = netlink.napi(wire.dut)["id"]
    try:
        netlink.do("napi-set", id=napi, threaded="busy-poll")
    except Exception as error:  # pylint: disable=broad-exception-caught
        raise lib.Skip(f"not offered: {error}") from error
    try:
        (pid,) = threads(wire.dut.name)
        before, began = run_time(pid), time.monotonic()
        with Datagrams() as datagrams:
            rate = interrupts_for(wire, datagrams.cross)
        share = (run_time(pid) - before) / (time.monotonic() - began) / 1e9
        flows(wire)
    finally:
        netlink.do("napi-set", id=napi, threaded="disabled")
    wait_for("the thread to end", lambda: not threads(wire.dut.name))
    flows(wire)
    assert share > 0.3, f"it was on a CPU for {share:.0%} of the time"
    return f"on a CPU for {share:.0%} of the time, {rate:.2f} interrupts a frame"


def a_socket_polls(wire):
    """SO_BUSY_POLL: who waits for a frame fetches it from the card, and the others with it."""
    # For 50 ms, far longer than a frame is away; the first one says whom to poll.
    with Datagrams(SO_BUSY_POLL=50000) as datagrams:
        datagrams.cross(1)
        before = busy_polled()
        datagrams.cross()
        polled = busy_polled() - before
    assert polled > COUNT / 2, f"{polled} of {COUNT} frames were received by a busy poll"
    nothing_is_stuck(wire)
    return f"{polled} of {COUNT}"


def a_socket_polls_while_interrupts_are_put_off(wire):
    """SO_PREFER_BUSY_POLL: as long as somebody polls, the card hardly interrupts; when nobody does, it does again."""
    def work():
        before = busy_polled()
        datagrams.cross()
        polled.append(busy_polled() - before)

    polled = []
    with put_off(wire, 50, 20 * MS), \
            Datagrams(SO_BUSY_POLL=50000, SO_PREFER_BUSY_POLL=1, SO_BUSY_POLL_BUDGET=16) as datagrams:
        datagrams.cross(1)
        rate = interrupts_for(wire, work)
        nothing_is_stuck(wire)
    nothing_is_stuck(wire)
    assert polled[0] > COUNT / 2, f"{polled[0]} of {COUNT} frames were received by a busy poll"
    if SUBJECT == OURS:
        assert rate < 0.3, f"{rate:.2f} interrupts a frame"
    return f"{polled[0]} of {COUNT}, {rate:.2f} interrupts a frame"


def an_epoll_polls(wire):
    """The same for who waits in epoll_wait(), by EPIOCSPARAMS."""
    with Datagrams() as datagrams, select.epoll() as epoll:
        # For 50 ms, 16 frames at once, preferred.
        try:
            fcntl.ioctl(epoll.fileno(), EPOLL_PARAMS, struct.pack("=IHBB", 50000, 16, 1, 0))
        except OSError as error:
            raise lib.Skip(f"not offered: {error}") from error
        epoll.register(datagrams.socket.fileno(), select.EPOLLIN)

        def receive():
            assert epoll.poll(5 * SLOW), "nothing arrives"
            return datagrams.socket.recv(64)

        datagrams.cross(1, receive=receive)
        before = busy_polled()
        datagrams.cross(receive=receive)
        polled = busy_polled() - before
    assert polled > COUNT / 2, f"{polled} of {COUNT} frames were received by a busy poll"
    nothing_is_stuck(wire)
    return f"{polled} of {COUNT}"


def interrupts_are_put_off(wire):
    """napi_defer_hard_irqs and gro_flush_timeout: the timer polls instead, and no frame waits for ever."""
    with Datagrams() as datagrams:
        usual = interrupts_for(wire, datagrams.cross)
        with put_off(wire, 20, 2 * MS * SLOW):
            fewer = interrupts_for(wire, datagrams.cross)
            nothing_is_stuck(wire)
            flows(wire)
        again = interrupts_for(wire, datagrams.cross)
    nothing_is_stuck(wire)
    assert usual > 0.5 and again > 0.5, f"{usual:.2f} and {again:.2f} interrupts a frame as usual"
    assert fewer < usual / 3, f"{fewer:.2f} interrupts a frame instead of {usual:.2f}"
    return f"{fewer:.2f} interrupts a frame instead of {usual:.2f}"


@cases.c_differs("its NAPI has a new number each time that it goes up")
def settings_outlive_all_changes(wire):
    """What a user has set for the NAPI by netlink, and its number, which programs know."""
    napi = netlink.napi(wire.dut)
    wish = {"defer-hard-irqs": 3, "gro-flush-timeout": 5 * MS, "irq-suspend-timeout": 7 * MS}
    kept = {"id": napi["id"], **wish}

    def found():
        about = netlink.napi(wire.dut)
        return {key: about.get(key) for key in kept}

    name = wire.dut.name
    changes = {"down and up": lambda: wire.dut.set("down")}
    if wire.card.mode == "cplus":
        changes["other rings"] = lambda: wire.dut.ethtool("-G", name, "rx", "32", "tx", "32")
        changes["the old rings"] = lambda: wire.dut.ethtool("-G", name, "rx", "64", "tx", "64")
    if SUBJECT == OURS:
        changes["another MTU"] = lambda: wire.dut.set("mtu", "1400")
        changes["the old MTU"] = lambda: wire.dut.set("mtu", "1500")
    netlink.do("napi-set", **kept)
    try:
        lib.equal(kept, found(), "what was set")
        for what, change in changes.items():
            change()
            wire.up()
            lib.equal(kept, found(), f"after {what}")
            flows(wire)
    finally:
        netlink.do("napi-set", id=netlink.napi(wire.dut)["id"], **{key: napi.get(key, 0) for key in wish})


if __name__ == "__main__":
    cases.main(netlink_knows_napi_line_and_queues, a_socket_knows_where_its_frames_come_from, a_thread_polls,
               a_thread_that_polls_all_the_time, a_socket_polls, a_socket_polls_while_interrupts_are_put_off,
               an_epoll_polls, interrupts_are_put_off, settings_outlive_all_changes)
