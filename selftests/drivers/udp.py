#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: classic cplus
# timeout: 180
"""UDP up to an ordinary program's recvmsg(): sizes, content, order, and the checks on the way."""

import socket
import struct
import threading

import cases
from frames import Tap, pattern
from nic import DUT4, DUT6, PEER4, PEER6, SLOW, inside, lib, wait_for

PORT = 7777
# Every size on the stock kernel; all remainders of a division by 4, 8 and 16 on a slow one.
STEP = 1 if SLOW == 1 else 17


def sockets(to, address):
    """A sender and a receiver on the two ends; `to` is the receiver's namespace."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(to):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        receiver.bind((address, PORT))
    with inside(None if to else "peer"):
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.connect((address, PORT))
    receiver.settimeout(3.0 * SLOW)
    return sender, receiver


def missed(wire):
    """The frames of a burst that the peer's card had no room for (65 KB are 46 frames): its loss."""
    return wire.peer.ethtool_stats()["rx_missed_errors"]


def exchange(wire, to, address, sizes):
    """Send a datagram of each size, and receive exactly that with recvmsg()."""
    sender, receiver = sockets(to, address)
    with sender, receiver:
        for number, size in enumerate(sizes):
            data = pattern(size, number)
            before = missed(wire) if to and size > 1500 else None
            sender.send(data)
            try:
                got, _, flags, source = receiver.recvmsg(70000)
            except TimeoutError:
                if before is None or missed(wire) == before:
                    raise
                lib.diag(f"the peer's card missed frames of a datagram of {size} bytes")
                sender.send(data)
                got, _, flags, source = receiver.recvmsg(70000)
            assert got == data, f"{size} bytes sent, {len(got)} other bytes received"
            assert not flags & socket.MSG_TRUNC
            assert source[:2] == sender.getsockname()[:2], f"source is {source}"
    return f"{len(sizes)} datagrams"


def to_the_dut_ipv4(wire):
    """Every size that fits a frame, then in fragments."""
    return exchange(wire, None, DUT4, [*range(0, 1473, STEP), 1472, 1473, 2953, 9000, 65507])


def to_the_dut_ipv6(wire):
    """The same with IPv6, whose checksum covers the addresses, too."""
    return exchange(wire, None, DUT6, [*range(0, 1453, STEP), 1452, 1453, 9000, 65487])


def to_the_peer_ipv4(wire):
    """From the dut: the checksum is filled in by the driver or by the card."""
    return exchange(wire, "peer", PEER4, [*range(0, 1473, STEP), 1472, 1473, 2953, 9000, 65507])


def to_the_peer_ipv6(wire):
    """From the dut, IPv6."""
    return exchange(wire, "peer", PEER6, [*range(0, 1453, STEP), 1452, 1453, 9000, 65487])


def a_short_buffer_gets_the_head_and_the_true_length(_):
    """MSG_TRUNC, as any UDP program knows it."""
    sender, receiver = sockets(None, DUT4)
    with sender, receiver:
        sender.send(pattern(1001, 5))
        got, _, flags, _ = receiver.recvmsg(100, 0, socket.MSG_TRUNC)
        assert flags & socket.MSG_TRUNC and got == pattern(1001, 5)[:100]


def total(data):
    """The sum of the Internet checksum, ones if that is right."""
    data += bytes(len(data) % 2)
    value = sum(struct.unpack(f">{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def checksums_on_the_wire_are_right(wire):
    """What the peer sees in the frames, before its own stack corrects or rejects anything."""
    seen = 0
    sender, receiver = sockets("peer", PEER4)
    with sender, receiver, Tap(wire.peer, 0x0800) as tap:
        for number, size in enumerate((0, 1, 17, 18, 19, 500, 1471, 1472)):
            sender.send(pattern(size, number))
            receiver.recvmsg(2000)
        for data, _ in tap.drain(0.3):
            header = data[14:34]
            if header[9] != 17 or data[36:38] != struct.pack(">H", PORT):
                continue
            seen += 1
            length = struct.unpack(">H", data[38:40])[0]
            pseudo = header[12:20] + struct.pack(">BBH", 0, 17, length)
            assert total(header) == 0xFFFF, "the IP checksum is wrong"
            assert total(pseudo + data[34:34 + length]) == 0xFFFF, "the UDP checksum is wrong"
            assert not any(data[34 + length:]), "the padding is not zero"
    assert seen == 8, f"{seen} of 8 datagrams were seen on the wire"


@cases.c_differs("it sends the zero")
def a_checksum_of_zero_is_sent_as_ones(wire):
    """Zero would say that there is none, which IPv6 rejects."""
    for address, ethertype, at in ((PEER4, 0x0800, 34), (PEER6, 0x86DD, 54)):
        sender, receiver = sockets("peer", address)
        with sender, receiver, Tap(wire.peer, ethertype) as tap:
            ends = [socket.inet_pton(sender.family, name[0])
                    for name in (sender.getsockname(), sender.getpeername())]
            # Ten bytes, of which the last two make the sum come to zero: the protocol's number and
            # twice the length are what both pseudo headers add up to beside the addresses.
            header = struct.pack(">HHH", sender.getsockname()[1], PORT, 10)
            data = struct.pack(">H", 0xFFFF - total(b"".join(ends) + header + struct.pack(">HH", 17, 10)))
            for _ in range(3):
                sender.send(data)
            sums = [frame[at + 6:at + 8] for frame, _ in tap.drain(0.3)
                    if frame[at + 2:at + 6] == struct.pack(">HH", PORT, 10)]
            assert sums == [b"\xff\xff"] * 3, f"{address}: sums on the wire: {sums}"
            assert [receiver.recvmsg(100)[0] for _ in range(3)] == [data] * 3, address


def broadcast_and_multicast_datagrams_arrive(wire):
    """The limited broadcast, the subnet's, and a group that the receiver joined."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("", PORT))
        receiver.settimeout(3.0 * SLOW)
        group = socket.inet_aton("239.1.2.3")
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            group + socket.inet_aton(DUT4))
        with inside("peer"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, wire.peer.name.encode())
            addresses = ("255.255.255.255", DUT4.rpartition(".")[0] + ".255", "239.1.2.3")
            for number, address in enumerate(addresses):
                sender.sendto(pattern(700, number), (address, PORT))
                assert receiver.recvmsg(2000)[0] == pattern(700, number), address


def a_thousand_in_a_row_arrive_in_order(wire):
    """A stream, faster than the receiver asks for it: none is lost, doubled or overtaken."""
    count = 1000 // SLOW
    sender, receiver = sockets(None, DUT4)
    with sender, receiver:
        receiver.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
        before = wire.dut.counters()["rx_packets"]

        def send():
            for number in range(count):
                sender.send(struct.pack(">I", number) + pattern(number % 1400, number))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            for number in range(count):
                got = receiver.recvmsg(2000)[0]
                assert got == struct.pack(">I", number) + pattern(number % 1400, number), \
                    f"datagram {number} is {struct.unpack('>I', got[:4])[0]}"
        finally:
            thread.join()
        wait_for("the counter", lambda: wire.dut.counters()["rx_packets"] - before >= count)


if __name__ == "__main__":
    cases.main(to_the_dut_ipv4, to_the_dut_ipv6, to_the_peer_ipv4, to_the_peer_ipv6,
               a_short_buffer_gets_the_head_and_the_true_length,
               checksums_on_the_wire_are_right, a_checksum_of_zero_is_sent_as_ones,
               broadcast_and_multicast_datagrams_arrive,
               a_thousand_in_a_row_arrive_in_order)
