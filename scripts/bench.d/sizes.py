# SPDX-License-Identifier: GPL-2.0
"""What the modules take of memory: code and data, and a socket with what belongs to it."""
import glob
import os
import re
import subprocess

import guest
from guest import TREE, say

COLUMNS = ("subject", "metric", "unit", "value")
SOCKETS = 2000
SOURCE = "/usr/src/linux-source-7.3"
# What stays in memory besides is for tracing and unwinding; the rest is read once, when a module is loaded.
KEPT = re.compile(r"\.(text|rodata|data|bss)(\.|$)")
KINDS = {"text": "code", "rodata": "constants", "data": "data", "bss": "data"}


def sections(path):
    """(name, size) of each section of an object file."""
    output = subprocess.run(["readelf", "--sections", "--wide", path], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    for line in output.splitlines():
        match = re.match(r"\s*\[\s*\d+\] (\S+)\s+\S+\s+[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) ", line)
        if match:
            yield match.group(1), int(match.group(2), 16)


def kept(path):
    """Bytes of code, constants, and data that stay in memory while the module is loaded."""
    found = {"code": 0, "constants": 0, "data": 0}
    for name, size in sections(path):
        match = KEPT.match(name)
        if match:
            found[KINDS[match.group(1)]] += size
    return found


def release():
    with open("/var/lib/rpacket/release", encoding="ascii") as file:
        return file.read().strip()


def unpacked(module, out):
    """A module of the stock kernel, which it has compressed."""
    path, = glob.glob(f"/lib/modules/{release()}/kernel/**/{module}.ko.xz", recursive=True)
    with open(f"{out}/{module}.ko", "wb") as file:
        subprocess.run(["xz", "--decompress", "--stdout", path], check=True, stdout=file)
    return f"{out}/{module}.ko"


def af_packet(out):
    """AF_PACKET as an object, from the source of the kernel that it is built into; None if it does not
    compile by itself."""
    folder = f"{out}/af_packet"
    os.makedirs(folder, exist_ok=True)
    for name in ("af_packet.c", "internal.h"):
        with open(f"{SOURCE}/net/packet/{name}", "rb") as source, open(f"{folder}/{name}", "wb") as copy:
            copy.write(source.read())
    with open(f"{folder}/Kbuild", "w", encoding="ascii") as file:
        file.write("obj-m := af_packet.o\n")
    done = subprocess.run(["make", "-C", f"/usr/src/linux-headers-{release()}", f"M={folder}",
                           "--no-print-directory", "af_packet.o"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        say(f"AF_PACKET does not compile by itself:\n{done.stdout[-2000:]}")
        return None
    return f"{folder}/af_packet.o"


def modules():
    """Rows for code and data."""
    out = f"{TREE}/build/bench/modules"
    os.makedirs(out, exist_ok=True)
    files = {
        "rtl8139_rs": f"{TREE}/build/stock/rtl8139_rs.ko",
        "8139cp": unpacked("8139cp", out), "8139too": unpacked("8139too", out),
        "af_rpacket": f"{TREE}/build/stock/af_rpacket.ko", "af_packet": af_packet(out),
    }
    for subject, path in files.items():
        for metric, value in (kept(path) if path else {}).items():
            yield {"subject": subject, "metric": metric, "unit": "bytes", "value": value}


def sockets():
    """Rows for a socket: the family's own object, and all that one socket more takes."""
    say("memory of a socket (1 minute) ...")
    output = guest.lines(
        # Each close waits for an RCU grace period.
        "echo 1 >/sys/kernel/rcu_expedited; insmod $RPACKET_MODULES/af_rpacket.ko; "
        f"for i in 1 2 3; do for family in 25 17; do echo socket $family $(build/bench/socket_memory "
        f"$family {SOCKETS}); sleep 2; done; done; "
        "awk '$1 == \"PACKET\" || $1 == \"RPACKET\" {print \"object\", $1, $2}' /proc/net/protocols; "
        "rmmod af_rpacket", "--nics", "")
    slab, percpu = {}, {}
    for line in output:
        words = line.split()
        if words and words[0] == "object":
            yield {"subject": {"RPACKET": "af_rpacket", "PACKET": "af_packet"}[words[1]],
                   "metric": "socket_object", "unit": "bytes", "value": int(words[2])}
        elif words and words[0] == "socket":
            subject = {"25": "af_rpacket", "17": "af_packet"}[words[1]]
            slab.setdefault(subject, []).append(float(words[2]))
            percpu.setdefault(subject, []).append(float(words[3]))
    for metric, found in (("socket_slab", slab), ("socket_percpu", percpu)):
        for subject, values in found.items():
            # What else the machine allocates and frees meanwhile changes single rounds.
            yield {"subject": subject, "metric": metric, "unit": "bytes",
                   "value": round(sorted(values)[len(values) // 2])}


def rows():
    return [*modules(), *sockets()]
