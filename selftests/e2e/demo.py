#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# The whole path at once, which `make demo` shows: frames go from a peer over the wire to the
# RTL8139, through rtl8139_rs and the stack into af_rpacket, and rpsniff prints and saves them;
# others go the opposite way. What rpsniff saved is compared, frame by frame, with what tcpdump
# saw at the other end of the wire. The second subject is the same with Debian's own driver and
# the kernel's AF_PACKET.
#
# subjects: rpsniff af_packet
# timeout: 400
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib

OURS = os.environ.get("SUBJECT", "rpsniff") == "rpsniff"
FAMILY = "rpacket" if OURS else "packet"
OUT = "build" if OURS else "/tmp"
# Of this demo, until all is well: what the last one left stays until then.
NEW = f"{OUT}/demo.new"
CAPTURE = f"{NEW}/demo.pcapng"
OTHER_END = f"{NEW}/demo-peer.pcap"
PRINTED = f"{NEW}/demo.txt"

SENTINEL = 0x88B5  # the EtherType for local experiments
VLAN, VLAN_DUT, VLAN_PEER = 42, "10.8.42.1", "10.8.42.9"
NAME = "rtl8139.example"
TCP_BYTES = 128 * 1024


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


DUT, PEER = mac(lib.DUT_MAC), mac(lib.PEER_MAC)


# ---- Traffic ------------------------------------------------------------------------------------


def sentinel(word):
    """One frame each way, by which both captures are cut to the same time."""
    for host, device, source, target in (("dut", "eth0", DUT, PEER), ("peer", "eth1", PEER, DUT)):
        with lib.namespace(host), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((device, 0))
            s.send(target + source + struct.pack("!H", SENTINEL) + word.encode().ljust(46, b"\0"))


def arp_and_ping():
    lib.sh("ip -n peer neigh flush all; ip -n dut neigh flush all; in_peer ping -c 3 -i 0.2 -W 5 $DUT4")


def ping6():
    lib.sh("in_dut ping -6 -c 3 -i 0.2 -W 5 $PEER6")


def ping_vlan():
    lib.sh(f"""
        ip -n dut link add link eth0 name vlan type vlan id {VLAN}
        ip -n peer link add link eth1 name vlan type vlan id {VLAN}
        ip -n dut addr add {VLAN_DUT}/24 dev vlan
        ip -n peer addr add {VLAN_PEER}/24 dev vlan
        ip -n dut link set vlan up
        ip -n peer link set vlan up
        in_peer ping -c 3 -i 0.2 -W 5 {VLAN_DUT}""")


def dns_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def dns():
    """A name server in dut answers one query of peer; both are ordinary UDP programs."""
    question = dns_name(NAME) + struct.pack("!HH", 1, 1)
    address = socket.inet_aton(lib.DUT4)
    with lib.namespace("dut"):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((lib.DUT4, 53))
    with lib.namespace("peer"):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(10 * lib.SLOW)
        client.settimeout(10 * lib.SLOW)
        client.sendto(struct.pack("!6H", 0x8139, 0x0100, 1, 0, 0, 0) + question, (lib.DUT4, 53))
        query, sender = server.recvfrom(512)
        lib.equal(question, query[12:], "the question that arrived")
        answer = (query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + question
                  + struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + address)
        server.sendto(answer, sender)
        lib.equal(answer, client.recv(512), "the answer that arrived")


def tcp():
    """Random bytes from peer to dut, and their digest back."""
    data = random.Random(8139).randbytes(TCP_BYTES)
    with lib.namespace("dut"):
        listener = socket.create_server((lib.DUT4, 8139))
        # A window that fits the card's receive ring: whatever is lost is then a defect.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)

    def serve():
        connection, _ = listener.accept()
        with connection:
            digest, size = hashlib.sha256(), 0
            while size < TCP_BYTES and (part := connection.recv(65536)):
                digest.update(part)
                size += len(part)
            connection.sendall(digest.digest())

    with listener:
        listener.settimeout(20 * lib.SLOW)
        thread = threading.Thread(target=serve)
        thread.start()
        with lib.namespace("peer"):
            client = socket.create_connection((lib.DUT4, 8139), timeout=20 * lib.SLOW)
        with client:
            client.sendall(data)
            answer = b""
            while part := client.recv(64):
                answer += part
        thread.join()
    lib.equal(hashlib.sha256(data).digest(), answer, "SHA-256 of what dut received")


# ---- Captures -----------------------------------------------------------------------------------


def read_pcap(path):
    """The frames of a capture file, read by tcpdump, whatever its format."""
    done = subprocess.run(["tcpdump", "-r", path, "-w", "-"], check=True, capture_output=True)
    data, frames, at = done.stdout, [], 24
    while at + 16 <= len(data):
        captured, length = struct.unpack_from("=II", data, at + 8)
        lib.require(captured == length, f"{path} holds whole frames")
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames


def between_sentinels(frames, source):
    """What one host sent between the two sentinel frames."""
    sent = [frame for frame in frames if frame[6:12] == source]
    marks = [i for i, frame in enumerate(sent) if frame[12:14] == struct.pack("!H", SENTINEL)]
    lib.require(len(marks) == 2, f"both sentinels of {source.hex(':')} captured, not {len(marks)}")
    return sent[marks[0] + 1:marks[1]]


def same(one, other):
    """Equal but for the padding to the shortest frame that Ethernet has (with a VLAN tag, if the
    card padded before it inserted one)."""
    if len(one) > len(other):
        one, other = other, one
    shortest = (60, 64) if other[12:14] == b"\x81\0" else (60,)
    return other[:len(one)] == one and (
        len(one) == len(other) or (len(other) in shortest and not any(other[len(one):])))


def brief(frame):
    return f"{len(frame)} bytes {frame[:64].hex()}"


def captures_agree(frames, others):
    for source, name in ((PEER, "received"), (DUT, "sent")):
        mine, theirs = between_sentinels(frames, source), between_sentinels(others, source)
        lib.require(len(theirs) > 20, "there was traffic")
        for i, (one, other) in enumerate(zip(mine, theirs)):
            if not same(one, other):
                raise lib.Failure(f"{name} frame {i} of {len(mine)}, {len(theirs)} at the other end: "
                                  f"{brief(one)} is not {brief(other)}")
        lib.equal(len(theirs), len(mine), f"number of frames {name}")


def kinds(frames):
    """How many frames of each kind that the demo wants to see were captured."""
    found = {}

    def count(kind):
        found[kind] = found.get(kind, 0) + 1

    for frame in frames:
        kind, = struct.unpack_from("!H", frame, 12)
        body = frame[14:]
        if kind == 0x8100:
            vlan, kind = struct.unpack_from("!HH", body)
            if vlan & 0xFFF == VLAN and kind == 0x0800:
                count("VLAN")
        elif kind == 0x0806:
            count("ARP request" if body[7] == 1 else "ARP reply")
        elif kind == 0x86DD and body[6] == 58:
            names = {128: "ICMPv6 echo request", 129: "ICMPv6 echo reply",
                     135: "neighbour solicitation", 136: "neighbour advertisement"}
            count(names.get(body[40], "other ICMPv6"))
        elif kind == 0x0800:
            header = (body[0] & 15) * 4
            total, = struct.unpack_from("!H", body, 2)
            rest = body[header:total]
            if body[9] == 1:
                count({8: "ICMP echo request", 0: "ICMP echo reply"}.get(rest[0], "other ICMP"))
            elif body[9] == 17 and dns_name(NAME) in rest:
                count("DNS answer" if rest[10] & 0x80 else "DNS query")
            elif body[9] == 6 and len(rest) > (rest[12] >> 4) * 4:
                count("TCP with data")
                found["TCP bytes"] = found.get("TCP bytes", 0) + len(rest) - (rest[12] >> 4) * 4
    return found


WANTED = {
    "ARP request": 1, "ARP reply": 1, "ICMP echo request": 3, "ICMP echo reply": 3,
    "ICMPv6 echo request": 3, "ICMPv6 echo reply": 3, "neighbour solicitation": 1,
    "neighbour advertisement": 1, "DNS query": 1, "DNS answer": 1, "VLAN": 6,
    "TCP with data": TCP_BYTES // 1500, "TCP bytes": TCP_BYTES + 32,
}


def all_kinds_captured(frames):
    found = kinds(frames)
    lib.diag("captured: " + ", ".join(f"{found.get(kind, 0)} {kind}" for kind in WANTED))
    for kind, least in WANTED.items():
        lib.require(found.get(kind, 0) >= least, f"at least {least} {kind}, not {found.get(kind, 0)}")


# What the sniffer must print, in tcpdump's words.
LINES = [
    rf"ARP.* [Rr]equest who-has {re.escape(lib.DUT4)} tell {re.escape(lib.PEER4)}",
    rf"{re.escape(lib.PEER4)} > {re.escape(lib.DUT4)}: ICMP echo request",
    rf"{re.escape(lib.DUT4)} > {re.escape(lib.PEER4)}: ICMP echo reply",
    r"ICMP6, echo request", rf"{re.escape(NAME)}", rf"{re.escape(lib.DUT4)}\.53\b", rf"vlan {VLAN}\b",
    r"Flags \[S\]",
]


def sniffer_printed(text):
    for pattern in LINES:
        lib.require(re.search(pattern, text), f"rpsniff prints {pattern!r}")


# ---- Counters -----------------------------------------------------------------------------------


def interrupts():
    with open(f"/sys/bus/pci/devices/{lib.sh('pci_of nic0')}/irq", encoding="ascii") as file:
        line = file.read().strip() + ":"
    with open("/proc/interrupts", encoding="ascii") as file:
        for words in map(str.split, file):
            if words and words[0] == line:
                return sum(int(word) for word in words[1:] if word.isdigit())
    raise lib.Failure("precondition: the card has an interrupt line")


def counters():
    base = "/sys/class/net/eth0/statistics"
    names = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes")
    values = lib.sh(f"in_dut cat {' '.join(f'{base}/{name}' for name in names)}").split()
    return dict(zip(names, map(int, values)), interrupts=interrupts())


def counters_moved(before, after, frames):
    moved = {name: after[name] - before[name] for name in before}
    lib.diag("the card and its driver: " + ", ".join(f"{v} {n}" for n, v in moved.items()))
    for name, source in (("rx", PEER), ("tx", DUT)):
        mine = [frame for frame in frames if frame[6:12] == source]
        lib.require(moved[f"{name}_packets"] >= len(mine), f"{name}_packets counted all frames")
        # A card that handles VLAN tags itself does not count them.
        size = sum(len(frame) - 4 * (frame[12:14] == b"\x81\0") for frame in mine)
        lib.require(moved[f"{name}_bytes"] >= size, f"{name}_bytes counted all {size} bytes")
    lib.require(moved["interrupts"] > 10, "the card interrupted")


# ---- The demo -----------------------------------------------------------------------------------


@contextlib.contextmanager
def captures():
    """rpsniff on the card in dut and tcpdump at its peer, both ready; ended by SIGINT."""
    with open(PRINTED, "wb") as out:
        sniffer = subprocess.Popen(
            ["ip", "netns", "exec", "dut", "rpsniff", "--family", FAMILY, "-i", "eth0", "-n", "-e",
             "-U", "--print", "-w", CAPTURE], stdout=out, stderr=subprocess.PIPE, text=True)
    # With the usual snapshot length its ring has room for seven frames only.
    tcpdump = subprocess.Popen(
        ["ip", "netns", "exec", "peer", "tcpdump", "-i", "eth1", "-n", "-U", "-s", "2048",
         "--immediate-mode", "-Z", "root", "-w", OTHER_END],
        stderr=subprocess.PIPE, text=True)
    result = {}
    try:
        for process in (sniffer, tcpdump):
            # Both say `listening on` when their sockets are bound.
            said = ""
            while "listening on" not in said:
                line = process.stderr.readline()
                if not line:
                    raise lib.Failure(f"precondition: {process.args[4]} starts; it ended with status "
                                      f"{process.wait()} and said: {said}")
                said += line
        yield result
        time.sleep(0.5 * lib.SLOW)
    finally:
        for name, process in (("rpsniff", sniffer), ("tcpdump", tcpdump)):
            process.send_signal(signal.SIGINT)
            try:
                result[name] = process.communicate(timeout=20 * lib.SLOW)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                result[name] = "had to be killed"
            result[f"{name} status"] = process.wait()


def load_both():
    if OURS:
        lib.require(lib.sh("driver_of nic0") == "rtl8139_rs", "the card is rtl8139_rs's")
        lib.require(lib.loaded("af_rpacket"), "af_rpacket is loaded")
    else:
        lib.require(lib.sh("driver_of nic0") == "8139cp", "the card is 8139cp's")


def socket_is_ours():
    if OURS:
        with lib.namespace("dut"), open("/proc/thread-self/net/rpacket", encoding="ascii") as file:
            lib.require(len(file.readlines()) > 1, "a socket of our family is open")


def show(text):
    """What rpsniff printed, without the bulk of TCP and the sentinels."""
    lib.diag("what rpsniff printed:")
    lines = [line for line in text.splitlines() if re.match(r"\d", line) and "0x88b5" not in line]
    tcp_lines = [line for line in lines if re.search(r"\.8139[ :]", line)]
    for line in lines:
        if line not in tcp_lines[4:-2]:
            lib.diag("  " + line)
        elif line == tcp_lines[4]:
            lib.diag(f"  ... {len(tcp_lines) - 6} more lines of TCP")


def take_the_place():
    for path in (OTHER_END, PRINTED, CAPTURE):
        os.replace(path, f"{OUT}/{os.path.basename(path)}")
    os.rmdir(NEW)


def main():
    os.environ["SUBJECT"] = "rtl8139_rs" if OURS else "8139cp"
    family = lib.module("af_rpacket") if OURS else contextlib.nullcontext()
    shutil.rmtree(NEW, ignore_errors=True)
    os.mkdir(NEW)
    with family, lib.Topology():
        # Frames as they are on the wire: no packet of several, no checksum left to a card.
        for host, device in (("dut", "eth0"), ("peer", "eth1")):
            for feature in ("gro", "gso", "tso", "tx", "rx"):
                lib.sh(f"ip netns exec {host} ethtool -K {device} {feature} off", check=False)
        lib.case(load_both, name="the modules drive the card and the family")
        before = counters()
        with captures() as result:
            lib.case(socket_is_ours, name="the sniffer's socket is of our family" if OURS
                     else "the sniffer runs")
            # QEMU's e1000 hears nothing for a second after its receiver was set up anew, as it was
            # for promiscuous mode, and what came meanwhile is handed over out of order.
            lib.sh("wait_for 20 in_dut ping -c 1 -W 1 $PEER4; sleep 1; in_dut ping -c 1 -W 5 $PEER4")
            sentinel("begin")
            lib.case(arp_and_ping, name="ARP and ICMP: peer pings dut")
            lib.case(dns, name="DNS over UDP: query and answer")
            lib.case(tcp, name=f"TCP: {TCP_BYTES} bytes to dut, their digest back")
            lib.case(ping6, name="IPv6: dut pings peer")
            lib.case(ping_vlan, name=f"VLAN {VLAN}: peer pings dut")
            sentinel("end")
        after = counters()
        with open(PRINTED, encoding="utf-8") as file:
            text = file.read()
        show(text)
        lib.diag("\n".join(result["rpsniff"].splitlines()))
        lib.check_equal("both captures end cleanly", (0, 0),
                        (result["rpsniff status"], result["tcpdump status"]))
        lib.case(sniffer_printed, text, name="the sniffer printed all of it")
        frames, others = read_pcap(CAPTURE), read_pcap(OTHER_END)
        lib.case(all_kinds_captured, frames, name="each kind of packet is in demo.pcapng")
        lib.case(captures_agree, frames, others,
                 name="demo.pcapng holds what tcpdump saw at the other end, frame by frame")
        lib.case(counters_moved, before, after, frames,
                 name="the card's interrupts and the driver's counters moved")
    if not lib.failed():
        lib.case(take_the_place, name="the captures take the place of the last demo's")


lib.main(main)
