#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
# timeout: 240
"""VLAN: tagged frames are four bytes longer and still carry 1500 bytes of payload."""

import struct

import cases
from frames import SOL_PACKET, PACKET_AUXDATA, Tap, pattern
from nic import OURS, SLOW, SUBJECT, Port, Wire, ip, lib, wait_for
from ping import Pinger
from tcp import Stream

VID = 100
CPLUS_COMMAND, TAKES_TAGS_OFF = 0xE0, 0x40
DUT, PEER = "10.8.14.1", "10.8.14.9"
DUT_V6, PEER_V6 = "fd00:8140::1", "fd00:8140::9"


class VlanWire(Wire):
    """A VLAN device over each end, with addresses of its own."""

    def set_up(self):
        super().set_up()
        for port, four, six in ((self.dut, DUT, DUT_V6), (self.peer, PEER, PEER_V6)):
            port.ip("link", "add", "link", port.name, "name", "tagged", "type", "vlan",
                    "id", str(VID))
            self.configure(Port("tagged", port.netns), four, six)
        self.tagged = Port("tagged")
        wait_for("an answer", lambda: self.answers(PEER))

    def close(self):
        ip("link", "delete", "tagged", check=False)
        super().close()


def tag_of(message):
    """(data, tag control information or None) of what recvmsg() gave."""
    data, control, _, _ = message
    for level, kind, value in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & 0x10:  # TP_STATUS_VLAN_VALID
                return data, tci, tpid
    return data, None, None


def pings_of_every_length_at_the_end(wire):
    """Up to 1472 bytes of data, which make a frame of 1518 bytes, and the short ones."""
    before = wire.dut.counters()
    sizes = [*range(24), *range(1420, 1473)]
    for address, limit in ((PEER, 1472), (PEER_V6, 1452)):
        Pinger(None, address).all([size for size in sizes if size <= limit])
    after = wire.dut.counters()
    assert after["rx_packets"] - before["rx_packets"] >= 2 * 57
    assert after["rx_errors"] == before["rx_errors"] and after["tx_errors"] == before["tx_errors"]


def the_tag_is_on_the_wire_both_ways(wire):
    """As the other end sees it: 802.1Q, and the right identifier."""
    for port, netns in ((wire.peer, None), (wire.dut, "peer")):
        with Tap(port, 3) as tap:  # ETH_P_ALL sees the frame before the VLAN device takes it
            tap.socket.settimeout(3.0 * SLOW)
            Pinger(netns, PEER if netns is None else DUT).echo(200, 77)
            seen = []
            while (0x0800, VID) not in seen:
                data, tci, tpid = tag_of(tap.socket.recvmsg(4000, 200))
                if tci is None and data[12:14] == b"\x81\x00":
                    tci, tpid = struct.unpack(">H", data[14:16])[0], 0x8100
                    data = data[:12] + data[16:]
                if tci is not None:
                    assert tpid == 0x8100
                    seen.append((struct.unpack(">H", data[12:14])[0], tci & 0xFFF))


def bulk_through_the_tag(wire):
    """4 MiB each way (1 on a slow kernel), every byte compared."""
    before, size = wire.dut.counters(), (4 << 20) // SLOW
    Stream("peer", PEER).transfer(size)
    Stream(None, DUT).transfer(size)
    Stream("peer", PEER_V6).transfer(size // 4)
    after = wire.dut.counters()
    assert min(after[key] - before[key] for key in ("rx_bytes", "tx_bytes")) > size


@cases.c_differs("its checksum and segmentation are wrong for frames with the tag in-band")
def bulk_with_the_tag_in_band(wire):
    """The stack writes the tag into the frame: transmit offloads must not count on its place."""
    if "tx-vlan-offload: on" in wire.dut.ethtool("-k", wire.dut.name):
        wire.dut.ethtool("-K", wire.dut.name, "txvlan", "off")
    try:
        Stream("peer", PEER).transfer((1 << 20) // SLOW)
    finally:
        if SUBJECT != OURS:
            wire.dut.ethtool("-K", wire.dut.name, "txvlan", "on", check=False)


@cases.c_differs("it says that tags are taken off, and has the card do so only once receive checksums were switched")
def the_card_takes_tags_off_as_the_driver_says(wire):
    """`ethtool -K rxvlan`, against what the card was told: from the start, and after each change."""
    def said():
        return "rx-vlan-offload: on" in wire.dut.ethtool("-k", wire.dut.name)

    if not said():
        raise lib.Skip("it says that it does not")
    for state in (None, "off", "on"):
        if state:
            wire.dut.ethtool("-K", wire.dut.name, "rxvlan", state)
        lib.equal(said(), bool(wire.card.peek(CPLUS_COMMAND, 2) & TAKES_TAGS_OFF), f"after {state}")


def other_identifiers_are_seen_but_not_delivered(wire):
    """Tags that nobody has configured, priority tags, and two tags in a row."""
    head = wire.dut.mac + wire.peer.mac
    inner = struct.pack(">H", 0x88B5)
    for tags in ([VID + 1], [0], [0xFFF], [VID, 7]):
        tagged = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
        sent = head + tagged + inner + pattern(100, tags[0])
        with Tap(wire.peer, 0) as source, Tap(wire.dut, 3) as sink:
            sink.socket.settimeout(3.0 * SLOW)
            source.send(sent)
            while True:
                data, tci, tpid = tag_of(sink.socket.recvmsg(4000, 200))
                if tci is not None:
                    data = data[:12] + struct.pack(">HH", tpid, tci) + data[12:]
                if data[-100:] == sent[-100:]:
                    assert data == sent, f"tags {tags}: {data[:24].hex()}"
                    break


def tagged_frames_of_every_length_modulo_four(wire):
    """From the shortest to 1518 bytes, both ways, byte by byte."""
    mac, peer_mac = wire.dut.mac, wire.peer.mac
    for source_port, sink_port, to, by in ((wire.dut, wire.peer, peer_mac, mac),
                                           (wire.peer, wire.dut, mac, peer_mac)):
        with Tap(source_port, 0) as source, Tap(sink_port, 3) as sink:
            sink.socket.settimeout(3.0 * SLOW)
            for length in (*range(18, 22), *range(58, 70), *range(1496, 1501)):
                sent = to + by + struct.pack(">HHH", 0x8100, VID, 0x88B5) + pattern(length, length)
                source.send(sent)
                while True:
                    data, tci, tpid = tag_of(sink.socket.recvmsg(4000, 200))
                    if tci is not None:
                        data = data[:12] + struct.pack(">HH", tpid, tci) + data[12:]
                    if data[:len(sent)] == sent:
                        break


if __name__ == "__main__":
    cases.main(pings_of_every_length_at_the_end, the_tag_is_on_the_wire_both_ways,
               bulk_through_the_tag, bulk_with_the_tag_in_band, the_card_takes_tags_off_as_the_driver_says,
               other_identifiers_are_seen_but_not_delivered,
               tagged_frames_of_every_length_modulo_four, wire=VlanWire)
