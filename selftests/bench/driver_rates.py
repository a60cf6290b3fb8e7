#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How fast the drivers are, one beside the other, and what they lose; ours in both of its modes.

usage: driver_rates.py rates ROUNDS | loss ROUNDS     in a VM, see wires.py

Prints one line of JSON for each workload and driver. `rates`: the rate in each round, bytes or frames in
a second; the drivers take turns within a round, so that rounds can be compared in pairs.

  tcp-receive, tcp-send, udp-receive, udp-send    seen from the card, to or from a program
  pktgen-receive, pktgen-send                     frames of 60 bytes from a thread of the kernel

`loss`: how many frames of 60 bytes the peer sent at several rates, and how many of them did not get into
the driver. A driver that stalls has a line that says so, and takes no further part in the workload.
"""

import json
import subprocess
import sys

from subjects import DRIVERS
from wires import Wires
from generator import Generator, Stalled
from nic import lib

STREAM_MS, FLOOD, SIZE, SECOND = 300, 1500, 60, 1
# Of what the peer sends at most.
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def emit(**fields):
    print("row " + json.dumps(fields), flush=True)


# ---- Workloads ----------------------------------------------------------------------------------


def stream(wires, driver, kind, way):
    """Bytes in a second from program to program."""
    ends = ("peer", driver, wires.address(driver))
    if way == "send":
        ends = (driver, "peer", wires.peer_address(driver))
    size = 65536 if kind == "tcp" else 1472
    done = subprocess.run(["build/bench/stream", kind, *ends, str(size), str(STREAM_MS)], check=True,
                          text=True, stdout=subprocess.PIPE)
    got, seconds = done.stdout.split()
    if int(got) == 0:
        raise Stalled
    return int(got) / float(seconds)


def flood_in(wires, driver, pktgen):
    """Frames in a second that the driver received."""
    port = wires.ports[driver]
    before = port.counters()["rx_packets"]
    _, seconds = pktgen.send(wires.macs[driver], FLOOD)
    came = port.counters()["rx_packets"] - before
    if came == 0:
        raise Stalled
    return came / seconds


def flood_out(wires, driver):
    """Frames in a second that the driver sent; to an address that nobody has."""
    with Generator(wires.ports[driver], SIZE, SECOND) as pktgen:
        sent, seconds = pktgen.send(bytes((2, 0, 0, 0, 0, 0x77)), FLOOD)
    if sent == 0:
        raise Stalled
    return sent / seconds


# ---- Rounds -------------------------------------------------------------------------------------


def take_turns(wires, name, rounds, work):
    """The rates of each driver, which take turns, every second round in the opposite order."""
    for driver in tuple(wires.dead):
        wires.revive(driver)
    found, dead = {driver: None if driver in wires.dead else [] for driver in DRIVERS}, set(wires.dead)
    for number in range(rounds):
        order = DRIVERS if number % 2 == 0 else DRIVERS[::-1]
        for driver in order:
            if found[driver] is None:
                continue
            try:
                found[driver].append(work(driver))
            except Stalled:
                # On a busy host nothing may have come in the time of a round; then a ping still does.
                if wires.comes(driver):
                    found[driver].append(0.0)
                    continue
                found[driver] = None
                wires.revive(driver)
    for driver, values in found.items():
        if values is None:
            # Dead: it stalled in an earlier workload, and bound anew it did not come up.
            emit(workload=name, subject=driver, stalled="dead" if driver in dead else "stalled")
        else:
            emit(workload=name, subject=driver, rounds=[round(value, 1) for value in values])


def rates(wires, rounds):
    for kind in ("tcp", "udp"):
        for way in ("receive", "send"):
            name = f"{kind}-{way}"
            print(f"begin rates {name}", flush=True)
            # What a connection makes of its round is a matter of luck, and this is what most people want to know.
            take_turns(wires, name, rounds * 3 if kind == "tcp" else rounds,
                       lambda driver: stream(wires, driver, kind, way))  # pylint: disable=W0640
    print("begin rates pktgen-receive", flush=True)
    with Generator(wires.peer, SIZE, SECOND) as pktgen:
        take_turns(wires, "pktgen-receive", rounds, lambda driver: flood_in(wires, driver, pktgen))
    print("begin rates pktgen-send", flush=True)
    take_turns(wires, "pktgen-send", rounds, lambda driver: flood_out(wires, driver))


def loss(wires, rounds):
    """All drivers at each rate; what was sent and lost in all rounds."""
    with Generator(wires.peer, SIZE, SECOND) as pktgen:
        most = max(count / seconds for count, seconds in
                   (pktgen.send(wires.macs[DRIVERS[0]], FLOOD) for _ in range(3)))
        for share in SHARES:
            total = {driver: [0, 0, 0.0] for driver in DRIVERS}
            print(f"begin loss {share}", flush=True)
            for number in range(rounds):
                order = DRIVERS if number % 2 == 0 else DRIVERS[::-1]
                for driver in order:
                    if driver in wires.dead:
                        continue
                    port = wires.ports[driver]
                    before = port.counters()["rx_packets"]
                    sent, seconds = pktgen.send(wires.macs[driver], max(300, int(FLOOD * share)),
                                                0 if share == 1 else int(most * share))
                    # What is on its way may still come in.
                    subprocess.run(["sleep", "0.05"], check=True)
                    came = port.counters()["rx_packets"] - before
                    total[driver] = [a + b for a, b in
                                     zip(total[driver], (sent, max(sent - came, 0), seconds))]
                    if came == 0 and not wires.comes(driver):
                        wires.revive(driver)
            for driver, (sent, lost, seconds) in total.items():
                # Nothing is offered to one that is dead.
                emit(workload="receive-60", subject=driver, offered=round(sent / seconds) if sent else 0,
                     sent=sent, lost=lost)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("rates", "loss"):
        print(__doc__)
        return 2
    with Wires() as wires, lib.module("pktgen"):
        wires.macs = {driver: port.mac for driver, port in wires.ports.items()}
        {"rates": rates, "loss": loss}[sys.argv[1]](wires, int(sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
