# SPDX-License-Identifier: GPL-2.0
"""What the core knows of an interface's queues and NAPI, asked by the kernel's own library for netlink."""

import functools
import glob
import sys


@functools.cache
def family():
    """The family netdev. (It is read from the kernel's description of it, which takes a second.)"""
    (tree,) = glob.glob("/usr/src/linux-source-*/")
    sys.path.append(f"{tree}tools/net/ynl")
    from pyynl.lib import YnlFamily  # pylint: disable=import-error,import-outside-toplevel
    # No schema: it is the kernel's to check its description.
    return YnlFamily(f"{tree}Documentation/netlink/specs/netdev.yaml", schema="")


def dump(operation, **wish):
    """All that there is, of what is wished for: a list of dictionaries."""
    return family().dump(operation, wish) or []


def do(operation, **wish):
    """One request, and its answer."""
    return family().do(operation, wish)


def napis(port):
    """The NAPI instances of an interface: none while it is down."""
    return dump("napi-get", ifindex=port.link()["ifindex"])


def napi(port):
    """The one of a card that has one."""
    found = napis(port)
    assert len(found) == 1, found
    return found[0]


def queues(port):
    """{(direction, number): queue}"""
    return {(queue["type"], queue["id"]): queue for queue in dump("queue-get", ifindex=port.link()["ifindex"])}
