#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# modes: cplus classic
# kernels: debug
# qtest: yes
# timeout: 300
# log: NETDEV WATCHDOG
"""The card is pulled out while somebody uses it: each read is all ones, no write arrives. At any moment of
each operation the driver ends, says what is the matter, and can be taken off the card and put on again.

QEMU takes out no card but in good order, so the registers lie. With RPACKET_FULL each access of each
operation is the first that fails, else some of them."""

import collections
import contextlib
import errno
import os
import socket
import threading
import time

import cases
from behind import Stage
from frames import Tap, flood, frame
from lies import Lie, gone, line_enabled, lying
from nic import DUT4, PEER4, lib, run, wait_for, write
from tcp import Stream

FULL = bool(os.environ.get("RPACKET_FULL"))
STEPS = None if FULL else 7  # how many of the accesses of an operation are the first that fails

# What an operation answers when the card is gone from its first access on, and what when it goes later: "0" is
# done. EIO: nothing answers, or the chip does not start (rtl8139_rs/hw.rs). ENODEV: the driver has given the card
# up, which by its clock it does at any time, and the core asks it nothing more. Nothing that ends is refused.
ANSWERS = {
    "bind": ({"EIO"}, {"0", "EIO"}),
    "up": ({"EIO"}, {"0", "EIO"}),
    "down": ({"0"}, {"0"}),
    "unbind": ({"0"}, {"0"}),
    "ask": ({"0", "ENODEV"}, {"0", "ENODEV"}),
}
# And when the driver has given up a card whose interface is up.
GIVEN_UP = (
    # It is up already, so the driver is not asked.
    ("0", "ip link set dev {} up"), ("ENODEV", "ethtool {}"), ("0", "ip -s link show dev {}"),
    ("0", "ip link set dev {} down"), ("ENODEV", "ip link set dev {} up"),
)


def answer(operation):
    """The name of the errno with which an operation ends; of a program's, by its message."""
    try:
        operation()
    except OSError as error:
        return errno.errorcode[error.errno]
    except RuntimeError as error:
        named = [number for number in errno.errorcode if os.strerror(number) in str(error)]
        assert named, f"no errno is in {error}"
        return errno.errorcode[max(named, key=lambda number: len(os.strerror(number)))]
    return "0"


def under_traffic(stage):
    """Both ends send, the card vanishes: detached before the driver has looked twice, and no storm."""
    stage.rebind()
    receive = flood(stage.peer, frame(stage.dut.mac, stage.peer.mac, 200, 1), 0.002, 4)
    send = flood(stage.dut, frame(stage.peer.mac, stage.dut.mac, 200, 2), 0.002, 4)
    try:
        with receive, send, gone(stage.card, silent=False) as lies:
            # The last interrupt of the card, in which the driver reads all ones.
            wait_for("the driver to look", lambda: lies[0].told, 10)
            line_enabled(stage.card, False)
            wait_for("the driver to give up", lambda: not stage.present(), 20)
            assert not stage.dut.carrier(), "there is a carrier"
            interrupts = stage.card.interrupts
            time.sleep(1)
            assert stage.card.interrupts - interrupts < 100, "it interrupts"
    finally:
        stage.rebind()
    stage.works()


def with_streams_in_flight(stage):
    """TCP both ways: the card has segments of programs, and in the C+ mode the stack has pages of the card's ring.
    Nothing stays lent, and the streams end when their sockets do."""
    stage.rebind()
    for port, address in ((stage.dut, DUT4), (stage.peer, PEER4)):
        port.ip("address", "replace", f"{address}/24", "dev", port.name)
    stage.wait_link()
    streams = Stream(None, DUT4), Stream("peer", PEER4)
    arrived = [0]

    def send(sock):
        with contextlib.suppress(OSError):
            while True:
                sock.sendall(bytes(1 << 16))

    def receive(sock):
        with contextlib.suppress(OSError):
            while data := sock.recv(1 << 16):
                arrived[0] += len(data)

    workers = [threading.Thread(target=send, args=(stream.sender,)) for stream in streams]
    workers += [threading.Thread(target=receive, args=(stream.receiver,)) for stream in streams]
    for worker in workers:
        worker.start()
    try:
        wait_for("the streams to flow", lambda: arrived[0] > 1 << 18, 30)
        with gone(stage.card, silent=False) as lies:
            wait_for("the driver to look", lambda: lies[0].told, 10)
            line_enabled(stage.card, False)
            wait_for("the driver to give up", lambda: not stage.present(), 20)
            for stream in streams:
                for end in (stream.sender, stream.receiver):
                    end.shutdown(socket.SHUT_RDWR)
            stage.card.unbind()
    finally:
        for stream in streams:
            for end in (stream.sender, stream.receiver):
                end.close()
        for worker in workers:
            worker.join(60)
        stage.rebind()
        stage.quieten(stage.peer)
    stage.works()
    return f"{arrived[0]} bytes had arrived"


def on_a_quiet_wire(stage):
    """Nobody sends and nothing interrupts: the clock finds out."""
    with gone(stage.card):
        wait_for("the driver to give up", lambda: not stage.present(), 12)
        name = stage.dut.name
        found = [(answer(lambda text=text: run(*text.format(name).split())), text) for _, text in GIVEN_UP]
        lib.equal(list(GIVEN_UP), found, "what a user is answered")
    stage.rebind()
    stage.works()


def accesses(operation):
    """How many accesses to registers the operation makes, by a rule that changes nothing."""
    with lying(Lie(), Lie(write=True)) as lies:
        operation()
    return max(lie.count for lie in lies)


def sweep(stage, what, operation, undo):
    """The card is gone from each of the operation's accesses on, which answers as it is documented; then undone,
    and done again with the card there."""
    total = accesses(operation)
    # What asks may find in memory what it wants.
    lib.require(total or what == "ask", "the operation uses the card")
    undo()
    steps = sorted({total * i // STEPS for i in range(STEPS)} if STEPS else range(total))
    answers, wrong = collections.Counter(), []
    for step in steps:
        with gone(stage.card, step):
            began = time.monotonic()
            found = answer(operation)
            answers[found] += 1
            if found not in ANSWERS[what][step > 0]:
                wrong.append(f"{found} after access {step}")
            assert time.monotonic() - began < 60, f"it took long after access {step}"
        undo()
        operation()
        undo()
    assert not wrong, f"{what} answers: {', '.join(wrong)}"
    return f"{what}: {total} reads or writes; answers when gone: {dict(answers)}"


def there_again(stage, *words):
    """The card has its driver again, which may have given it up, and the interface is set so."""
    if not stage.present():
        stage.rebind()
    stage.dut.set(*words)


def while_it_is_bound(stage):
    """Probe: refused, or bound with a card that is found gone later."""
    path = f"/sys/bus/pci/drivers/{stage.subject}/bind"
    stage.card.unbind()
    result = sweep(stage, "bind", lambda: write(path, stage.card.address), stage.card.unbind)
    stage.rebind()
    stage.works()
    return result


def while_it_goes_up(stage):
    """ndo_open: refused, or up without a card."""
    stage.dut.set("down")
    result = sweep(stage, "up", lambda: stage.dut.set("up"), lambda: there_again(stage, "down"))
    stage.dut.set("up")
    stage.wait_link()
    stage.works()
    return result


def while_it_goes_down(stage):
    """ndo_stop, with frames in the slots and in the ring."""
    def down():
        with Tap(stage.dut, 0) as out:
            for number in range(3):
                out.send(frame(stage.peer.mac, stage.dut.mac, 60, number))
                stage.source.send(frame(stage.dut.mac, stage.peer.mac, 60, number))
        stage.dut.set("down")
    result = sweep(stage, "down", down, lambda: there_again(stage, "up"))
    stage.wait_link()
    stage.works()
    return result


def while_it_is_asked(stage):
    """ethtool and ip, which read registers of a card that is up."""
    name, notes = stage.dut.name, []
    for words in (("-S",), ("-d",), (), ("-r",), ("-i",)):
        def ask(words=words):
            stage.dut.ethtool(*words, name)
            stage.dut.stats64()
        result = sweep(stage, "ask", ask, lambda: there_again(stage, "up"))
        notes.append(f"ethtool {' '.join(words)}: {result}")
    stage.works()
    return "; ".join(notes)


def while_it_is_unbound(stage):
    """Remove, and the module's end."""
    path = f"/sys/bus/pci/drivers/{stage.subject}"

    def unbind():
        with open(f"{path}/unbind", "w", encoding="ascii") as file:
            file.write(stage.card.address)

    def bind():
        stage.card.bind(stage.subject)
        stage.dut.set("up")
    result = sweep(stage, "unbind", unbind, bind)
    stage.rebind()
    stage.works()
    return result


if __name__ == "__main__":
    cases.main(under_traffic, with_streams_in_flight, on_a_quiet_wire, while_it_is_bound, while_it_goes_up, while_it_goes_down,
               while_it_is_asked, while_it_is_unbound, wire=Stage)
