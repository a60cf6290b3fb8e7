#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rpsniff af_packet
# timeout: 180
"""The same frames, counted at each step of the path: what the peer sent is what the card's
interrupt announced, the driver counted, AF_PACKET and our family received, and rpsniff printed and
saved; and the same on the way out, where tcpdump at the other end is the witness."""

import socket

import path
from path import FAMILY, Capture, family_tap
import cases
from frames import BROADCAST, BROADCASTED, HOST, MULTICAST, OUTGOING, Tap, frame, pattern
from nic import DUT4, PEER4, SLOW, inside, wait_for

GROUP = bytes.fromhex("01005e010203")
COUNT = 300 // SLOW
FILTER = ("ether", "proto", "0x88b5")


def received_is_the_same_at_every_step(wire):
    """Frames of many lengths, to the host, to all and to a group."""
    mac, peer_mac = wire.dut.mac, wire.peer.mac
    frames = [frame((mac, BROADCAST, GROUP)[number % 3], peer_mac, 60 + number * 37 % 1455, number)
              for number in range(COUNT)]
    with Tap(wire.peer, 0) as source, Tap(wire.dut) as theirs, family_tap(wire.dut) as ours, \
            Capture("rpsniff", wire.dut, "/tmp/counts.pcapng", "-p", *FILTER) as sniffer, \
            Capture("tcpdump", wire.peer, "/tmp/counts.pcap", *FILTER) as witness:
        theirs.member(GROUP)
        interrupts, before = wire.card.interrupts, wire.dut.counters()
        seen = []
        for data in frames:
            source.send(data)
            got = theirs.receive()
            assert got, "a frame did not arrive"
            seen.append(got)
        also = [ours.receive() for _ in frames]
        assert ours.receive(0.2) is None, "our family saw more frames than there were"
        after, line = wire.dut.counters(), wire.card.interrupts - interrupts
        saved, printed = sniffer.stop(COUNT)
        sent, _ = witness.stop(COUNT)
    kinds = [(HOST, BROADCASTED, MULTICAST)[number % 3] for number in range(COUNT)]
    assert sent == frames, f"tcpdump at the peer saw {len(sent)} of {COUNT} frames, or other ones"
    assert seen == list(zip(frames, kinds)), "AF_PACKET saw other frames"
    assert also == seen, "our family saw other frames than AF_PACKET"
    assert saved == frames, f"rpsniff saved {len(saved)} of {COUNT} frames, or other ones"
    assert len(printed) == COUNT, f"rpsniff printed {len(printed)} of {COUNT} frames"
    assert sniffer.number("captured") == COUNT and not sniffer.number("dropped by kernel")
    delta = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert delta["rx_packets"] == COUNT, f"the driver counted {delta}"
    if path.OURS:
        assert delta["rx_bytes"] == sum(map(len, frames)), f"the driver counted {delta}"
        assert delta["multicast"] == COUNT // 3, f"the driver counted {delta}"
    assert COUNT // 20 < line <= 2 * COUNT, f"{line} interrupts for {COUNT} frames"
    return f"{COUNT} frames, {line} interrupts"


def sent_is_the_same_at_every_step(wire):
    """Sent through our family; AF_PACKET and rpsniff on the way, tcpdump at the other end."""
    mac, peer_mac = wire.dut.mac, wire.peer.mac
    frames = [frame((peer_mac, BROADCAST)[number % 2], mac, 60 + number * 41 % 1455, number)
              for number in range(COUNT)]
    with family_tap(wire.dut, 0) as source, Tap(wire.peer) as sink, \
            Tap(wire.dut, 3) as theirs, family_tap(wire.dut, 3) as ours, \
            Capture("rpsniff", wire.dut, "/tmp/counts.pcapng", "-p", *FILTER) as sniffer, \
            Capture("tcpdump", wire.peer, "/tmp/counts.pcap", *FILTER) as witness:
        before = wire.dut.counters()
        for data in frames:
            source.send(data)
            assert (sink.receive() or (b"",))[0] == data, "a frame did not arrive, or another one"
        wait_for("the frames to be counted", lambda: wire.dut.counters()["tx_packets"] -
                 before["tx_packets"] >= COUNT)
        after = wire.dut.counters()
        seen, also = theirs.drain(0.3, outgoing=True), ours.drain(0.3, outgoing=True)
        saved, printed = sniffer.stop(COUNT)
        arrived, _ = witness.stop(COUNT)
    assert arrived == frames, f"{len(arrived)} of {COUNT} frames arrived, or other ones"
    assert seen == [(data, OUTGOING) for data in frames], "AF_PACKET saw other frames leave"
    assert also == seen, "our family saw other frames leave than AF_PACKET"
    assert saved == frames, f"rpsniff saved {len(saved)} of {COUNT} frames, or other ones"
    assert len(printed) == COUNT, f"rpsniff printed {len(printed)} of {COUNT} frames"
    delta = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert delta == {"tx_packets": COUNT, "tx_bytes": sum(map(len, frames))}, delta
    return f"{COUNT} frames"


def every_handler_sees_the_one_frame(wire):
    """A datagram: the program that it is for gets it, and so does each socket that listens."""
    for port, address in ((wire.dut, DUT4), (wire.peer, PEER4)):
        port.ip("address", "replace", f"{address}/24", "dev", port.name)
    wait_for("an answer", wire.answers)
    listeners = {}
    with inside("peer"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind((DUT4, 8139))
        program.settimeout(3 * SLOW)
        for name, number in (("ours", FAMILY), ("theirs", socket.AF_PACKET)):
            for ethertype in (0x0800, 3):
                for copy in (1, 2):
                    listeners[f"{name} {ethertype:#x} {copy}"] = Tap(wire.dut, ethertype, number)
        strangers = [Tap(wire.dut, 0x0806, FAMILY), Tap(wire.dut, 0, FAMILY)]
        payload = pattern(1000, 81)
        sender.sendto(payload, (DUT4, 8139))
        assert program.recv(2000) == payload, "the program got something else"
        copies = {}
        for name, tap in listeners.items():
            got = [data for data, kind in tap.drain(0.2) if payload in data and kind == HOST]
            assert len(got) == 1, f"{name}: {len(got)} copies"
            copies[name] = got[0]
        assert len(set(copies.values())) == 1, "the copies differ"
        for tap in strangers:
            assert not [data for data, _ in tap.drain(0.1) if payload in data], "not its protocol"
        for tap in (*listeners.values(), *strangers):
            tap.socket.close()
    return f"{len(listeners)} sockets and the program"


if __name__ == "__main__":
    cases.main(received_is_the_same_at_every_step, sent_is_the_same_at_every_step,
               every_handler_sees_the_one_frame, wire=path.SilentPath)
