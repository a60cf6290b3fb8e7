# SPDX-License-Identifier: GPL-2.0
"""The differences from AF_PACKET that are meant. Each says why, and is as narrow as it can be.

Whoever adds one documents it in rpacket(7), too.
"""

import socket
import struct
from typing import Callable, NamedTuple

import packet
from lockstep.world import DA, VA

TP_LEN = slice(4, 8)
# The column R of a line in /proc, after RefCnt, Type, Proto and Iface.
RUNNING = 4


class Met(NamedTuple):
    """Two answers that differ, and what is known about them."""

    call: tuple
    # The keys in which answers and states differ.
    keys: list
    theirs: dict
    ours: dict
    # What getsockname() said of the socket before the call.
    name: bytes
    number: int


class Known(NamedTuple):
    """A difference that is meant, in what a call comes to."""

    why: str
    applies: Callable
    # Whether the sockets are not in the same state afterwards, so that both are closed.
    parts: bool
    # Calls that come to it: an entry that nothing comes to any more has no place here.
    example: list


def looked_at_before(met):
    """tp_len of a packet that MSG_PEEK has seen: theirs is the head of its sockaddr_ll."""
    if met.call[0] != "recv" or met.keys != ["cmsgs"] or not met.theirs["peeked"]:
        return False
    theirs, ours = met.theirs["cmsgs"], met.ours["cmsgs"]
    if [one[:2] for one in theirs] != [one[:2] for one in ours]:
        return False
    for one, other in zip(theirs, ours):
        if one == other:
            continue
        if (
            one[:2] != (packet.SOL_PACKET, packet.AUXDATA)
            or one[2][:4] + one[2][8:] != other[2][:4] + other[2][8:]
        ):
            return False
        # As far as there was room for it, and for the address that it is compared with.
        if met.call[4] >= 4 and not met.theirs["name"][:4].startswith(one[2][TP_LEN]):
            return False
    return True


def own_family(met):
    """bind() to an address whose family is the number of ours, which theirs does not know."""
    return (
        met.call[0] == "bind"
        and met.call[2] is not None
        and met.call[2][:2] == struct.pack("=H", met.number)
        and met.theirs.get("errno") == "EINVAL"
    )


def bound_after_loss(met):
    """bind() to all devices after the bound one was unregistered: with theirs it changes nothing."""
    if met.call[0] != "bind" or met.call[2] is None or met.theirs.get("errno") != "0" or "errno" in met.keys:
        return False
    before, wanted = (struct.unpack_from("=i", raw, 4)[0] for raw in (met.name, met.call[2]))
    return before == -1 and wanted == 0


def hook_is_kept(key, theirs, ours):
    """RefCnt in /proc of a socket that does not run: ours keeps its hook's reference until it is closed."""
    if not key.endswith("/proc") or not theirs or not ours:
        return False
    return theirs[1:] == ours[1:] and theirs[RUNNING] == "0" and int(ours[0]) == int(theirs[0]) + 1


def raw_socket(protocol):
    return ("socket", 0, packet.SOCK_RAW, socket.htons(protocol), "here")


def bound(ifindex, protocol, family=packet.REFERENCE_FAMILY):
    return ("bind", 0, packet.address(ifindex, protocol, family=family), 20)


def received(flags):
    return ("recv", 0, (2048,), flags, 128, 512, "")


KNOWN = (
    Known(
        "tp_len is right after MSG_PEEK, too",
        looked_at_before,
        False,
        [
            raw_socket(packet.PROBE),
            ("set", 0, packet.SOL_PACKET, packet.AUXDATA, b"\1\0\0\0", 4),
            ("arrive", VA, (0, "88b5", 60), 1),
            received(packet.MSG_PEEK),
            received(0),
        ],
    ),
    Known(
        "sll_family may be the number of the family",
        own_family,
        True,
        [raw_socket(0), bound(VA, packet.PROBE, packet.FAMILY)],
    ),
    Known(
        "bind() to all devices takes effect after the bound device was unregistered",
        bound_after_loss,
        True,
        [
            raw_socket(packet.ETH_P_ALL),
            bound(DA, packet.ETH_P_ALL),
            ("link", "delete", DA, 0),
            bound(0, packet.ETH_P_ALL),
        ],
    ),
)


class Lasting(NamedTuple):
    """A difference that is meant, in what can be seen of a socket as long as it is in some state."""

    why: str
    # Called with the key and the two values.
    applies: Callable
    example: list


LASTING = (
    Lasting(
        "RefCnt of a socket that was taken off its device is one more",
        hook_is_kept,
        [raw_socket(packet.ETH_P_ALL), bound(DA, packet.ETH_P_ALL), ("link", "down", DA, 0)],
    ),
)


def find(met):
    """The entry for what was met; None if it is not meant."""
    return next((one for one in KNOWN if one.applies(met)), None)


def find_lasting(key, theirs, ours):
    """The entry for what differs between two states."""
    return next((one for one in LASTING if one.applies(key, theirs, ours)), None)
