#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# subjects: af_rpacket af_packet
# timeout: 240
"""Ordinary programs, of which only the call of socket() is redirected, notice no difference.

upstream/redirect.c is preloaded into them. Programs that need a ring (tcpdump) are not among them yet.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import harness
import lib
import packet
import topology
from harness import equal, main
from packet import PROBE
from topology import MAC_A, MAC_B, Pair
from twin import drain, probe

HERE = os.path.dirname(os.path.abspath(__file__))
PLACE = tempfile.TemporaryDirectory(dir="/tmp", prefix="redirect-")
SHIM, LOG = f"{PLACE.name}/redirect.so", f"{PLACE.name}/log"


def build_shim():
    """Compiles the library that is preloaded."""
    command = [
        "gcc",
        "-Wall",
        "-Werror",
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        SHIM,
        f"{HERE}/../upstream/redirect.c",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)


def start(*command):
    """Starts a program with its packet sockets redirected."""
    if not shutil.which(command[0]):
        raise lib.Skip(f"{command[0]} is not installed")
    environment = {
        **os.environ, "LD_PRELOAD": SHIM, "RPACKET_FAMILY": str(packet.FAMILY), "REDIRECT_LOG": LOG,
    }  # fmt: skip
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process, status=0, given=b"", timeout=80):
    """Waits for a program; asserts its status, and that it did have a socket of the family."""
    out, err = (said.decode() for said in process.communicate(given, timeout=timeout))
    equal(process.returncode, status, f"exit status ({out} {err})")
    with open(LOG, encoding="ascii") as log:
        assert "type" in log.read(), "the program opened no packet socket"
    return out


def rows():
    """The sockets of the family in this namespace."""
    with open(f"/proc/thread-self/net/{packet.PROC_NAME}", encoding="ascii") as table:
        return table.read().splitlines()[1:]


def wait_for_socket(before):
    """Waits until there is a socket that is hooked and was not there before."""
    inodes = {row.split()[-1] for row in before}

    def there():
        return any(row.split()[5] == "1" for row in rows() if row.split()[-1] not in inodes)

    lib.wait_for(there, 20, "the program's socket")


def neighbours():
    """va with an address here, vb with another one in a namespace that answers ARP."""
    far = topology.new_namespace()
    pair = Pair(far)
    topology.ip("addr add 10.9.0.1/24 dev va")
    with far:
        topology.ip("addr add 10.9.0.2/24 dev vb")
    return pair, far


@harness.seconds(90)
def test_arping():
    """arping finds a neighbour, and does not find one that is not there."""
    neighbours()
    out = finish(start("arping", "-c", "3", "-w", "10", "-I", "va", "10.9.0.2"))
    assert MAC_B.hex(":") in out.lower() and "Received 3 response" in out, out
    finish(start("arping", "-c", "1", "-w", "1", "-I", "va", "10.9.0.77"), status=1)


@harness.seconds(90)
def test_arping_duplicate_detection():
    """arping -D, which sends from no address, finds the owner of an address."""
    neighbours()
    out = finish(start("arping", "-D", "-c", "1", "-w", "5", "-I", "va", "10.9.0.2"), status=1)
    assert MAC_B.hex(":") in out.lower(), out


SNIFFER = """
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
sock.bind(("va", 0x88b5))
assert sock.family == socket.AF_PACKET, sock.family
assert sock.getsockname()[:2] == ("va", 0x88b5), sock.getsockname()
sock.settimeout(20)
data, address = sock.recvfrom(2000)
print(data.hex(), address[0], hex(address[1]), address[2], address[3], address[4].hex())
sock.sendto(data[6:12] + data[:6] + data[12:], address)
clone = socket.socket(fileno=sock.detach())
assert clone.family == socket.AF_PACKET and clone.type == socket.SOCK_RAW, clone
"""


@harness.seconds(90)
def test_python():
    """A sniffer and responder in plain Python: interface names, addresses, the family detected."""
    pair = Pair()
    far = packet.reference()
    packet.bind(far, pair.b, PROBE)
    before = rows()
    process = start(sys.executable, "-c", SNIFFER)
    wait_for_socket(before)
    packet.send(far, probe(payload=b"hello"))
    expected = [probe(payload=b"hello").hex(), "va", "0x88b5", "0", "1", MAC_B.hex()]
    equal(finish(process).split(), expected, "what the sniffer printed")
    answer = probe(MAC_B, b"hello", src=MAC_A)
    equal([frame.data for frame in drain(far)], [answer], "its answer")


@harness.seconds(90)
def test_socat():
    """socat on an interface, sending and receiving whole frames."""
    pair = Pair()
    far = packet.reference()
    packet.bind(far, pair.b, PROBE)
    frame = probe(MAC_B, b"by socat", src=MAC_A)
    finish(start("socat", "-u", "-", "INTERFACE:va"), given=frame)
    equal([seen.data for seen in drain(far)], [frame], "frames sent by socat")
    before = rows()
    process = start("socat", "-u", "-T", "20", "INTERFACE:va", f"CREATE:{PLACE.name}/frames")
    wait_for_socket(before)
    time.sleep(0.1)
    packet.send(far, probe(payload=b"to socat"))
    captured = f"{PLACE.name}/frames"
    lib.wait_for(
        lambda: os.path.exists(captured) and os.path.getsize(captured) >= 60, 10, "the frame"
    )
    process.kill()
    process.wait()
    with open(captured, "rb") as file:
        assert b"to socat" in file.read(), "the frame that socat captured"


@contextlib.contextmanager
def shim():
    """The library, for as long as the cases run."""
    with PLACE, harness.expedited_grace_periods():
        build_shim()
        yield


if __name__ == "__main__":
    main(globals(), shim)
