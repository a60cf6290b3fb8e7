#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# debug: chosen
# timeout: 400
# leak-scan: yes
"""af_rpacket.ko as a module: loading, its parameter, what pins it, and unloading at any time."""

import os
import subprocess
import sys
import tempfile

import harness
import lib
import packet
import topology
from harness import equal
from packet import ETH_P_ALL, PROBE, errno_of, open_socket
from topology import Pair
from twin import probe

FILE = f"{lib.MODULES}/af_rpacket.ko"
FINIT_MODULE, DELETE_MODULE = 313, 176
O_NONBLOCK = 0x800


def insert(parameters=""):
    """finit_module(): its errno is what insmod would report."""
    fd = os.open(FILE, os.O_RDONLY)
    try:
        packet.call("syscall", FINIT_MODULE, fd, parameters.encode(), 0)
    finally:
        os.close(fd)


def remove():
    """delete_module(), without waiting for users to go."""
    packet.call("syscall", DELETE_MODULE, b"af_rpacket", O_NONBLOCK)


def references():
    """The module's reference count; None when it is not loaded."""
    with open("/proc/modules", encoding="ascii") as table:
        for line in table:
            if line.startswith("af_rpacket "):
                return int(line.split()[2])
    return None


def log_since(mark):
    """What the kernel logged after the given line was written into its log."""
    lines = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    return lines.rpartition(mark)[2]


def write_mark(number=[0]):  # pylint: disable=dangerous-default-value
    """Writes a line into the kernel log that log_since() finds."""
    number[0] += 1
    mark = f"rpacket selftest mark {os.getpid()}.{number[0]}"
    with open("/dev/kmsg", "w", encoding="ascii") as log:
        log.write(mark + "\n")
    return mark


def create(family):
    """The errno of socket() in a family."""
    return errno_of(lambda: open_socket(family=family).close())


def test_load_and_unload():
    """Loaded, the family and its table are there, in every namespace; unloaded, they are gone."""
    other = topology.new_namespace()

    def tables():
        there = os.path.exists("/proc/thread-self/net/rpacket")
        with other:
            return there, os.path.exists("/proc/thread-self/net/rpacket")

    equal((create(25), tables()), ("EAFNOSUPPORT", (False, False)), "before")
    insert()
    equal((create(25), tables()), ("0", (True, True)), "loaded")
    with open("/proc/net/protocols", encoding="ascii") as table:
        assert "RPACKET" in table.read(), "RPACKET in /proc/net/protocols"
    late = topology.new_namespace()
    with late:
        assert os.path.exists("/proc/thread-self/net/rpacket"), "table of a younger namespace"
        equal(create(25), "0", "socket in a younger namespace")
    remove()
    equal((create(25), tables()), ("EAFNOSUPPORT", (False, False)), "after")
    with open("/proc/net/protocols", encoding="ascii") as table:
        assert "RPACKET" not in table.read(), "RPACKET gone from /proc/net/protocols"


def test_sockets_pin_the_module():
    """Each open socket is a user, by its operations and by its protocol; the last close ends it."""
    insert()
    socks = [open_socket(kind, ETH_P_ALL, 25) for kind in (3, 2, 3)]
    equal((references(), errno_of(remove)), (6, "EAGAIN"), "three sockets")
    socks.pop().close()
    equal((references(), errno_of(remove)), (4, "EAGAIN"), "two sockets")
    copy = os.dup(socks[0].fileno())
    for sock in socks:
        sock.close()
    equal((references(), errno_of(remove)), (2, "EAGAIN"), "a descriptor keeps the socket")
    os.close(copy)
    equal((references(), errno_of(remove)), (0, "0"), "all closed")


def test_failed_create_does_not_pin():
    """socket() calls that fail leave no reference."""
    insert()
    for kind in (1, 4, 5, 6, 9, 10):
        errno_of(open_socket, kind, 0, 25)
    equal((references(), errno_of(remove)), (0, "0"), "references, unload")


def test_bad_families():
    """A family number out of range, or taken, is refused with a line that says so."""
    cases = {
        "0": {"EINVAL"}, "46": {"EINVAL"}, "47": {"EINVAL"}, "-1": {"EINVAL"}, "-25": {"EINVAL"},
        "255": {"EINVAL"}, "2147483647": {"EINVAL"}, "-2147483648": {"EINVAL"},
        "17": {"EEXIST", "EBUSY"}, "1": {"EEXIST", "EBUSY"}, "2": {"EEXIST", "EBUSY"},
        "16": {"EEXIST", "EBUSY"}, "abc": {"EINVAL"}, "": {"EINVAL"},
        "99999999999": {"EINVAL", "ERANGE"},
    }  # fmt: skip
    for number, expected in cases.items():
        mark = write_mark()
        seen = errno_of(insert, f"family={number}")
        assert seen in expected, f"family={number}: expected {expected}, seen {seen}"
        equal(references(), None, f"family={number}: loaded")
        said = [line for line in log_since(mark).splitlines() if "af_rpacket" in line]
        assert any(
            "family" in line or "invalid" in line for line in said
        ), f"family={number}: {said}"
        equal((create(17), create(16)), ("0", create(16)), "AF_PACKET goes on working")
        assert not os.path.exists("/proc/net/rpacket"), "the table is gone"
    equal(errno_of(insert), "0", "the default works afterwards")
    remove()


def test_other_families():
    """Any free number serves; sockets of it report family 17 and carry frames."""
    for number in (3, 13, 18, 22, 45):
        mark = write_mark()
        seen = errno_of(insert, f"family={number}")
        equal(seen, "0", f"family={number}: {log_since(mark)}")
        equal((create(number), create(25)), ("0", "EAFNOSUPPORT"), f"family={number}")
        sock = open_socket(protocol=PROBE, family=number)
        packet.bind(sock, topology.index("lo"), PROBE, family=number)
        equal(packet.get_int(sock, 39, 1), 17, "SO_DOMAIN")
        frame = packet.ethernet(bytes(6), bytes(6), PROBE, bytes(46))
        packet.send(packet.reference(), frame, packet.address(topology.index("lo"), PROBE))
        equal(packet.receive(sock).data, frame, "frame")
        sock.close()
        remove()


def test_second_load():
    """A second load while loaded is refused and harms nothing."""
    insert()
    equal(errno_of(insert), "EEXIST", "second load")
    equal(create(25), "0", "the first one works")
    remove()


def test_modinfo():
    """modinfo: autoload alias, parameter with a description, license, author, description."""
    shown = subprocess.run(["modinfo", FILE], capture_output=True, text=True, check=True).stdout
    fields = {}
    for line in shown.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key, []).append(value.strip())
    assert "net-pf-25" in fields.get("alias", []), f"alias {fields.get('alias')}"
    equal(fields.get("license"), ["GPL"], "license")
    (parameter,) = fields["parm"]
    assert parameter.startswith("family:") and len(parameter) > 20, f"parm {parameter}"
    assert fields.get("author") and fields.get("description"), "author, description"


def test_autoload():
    """socket() of the unknown family makes the kernel ask for net-pf-25."""
    with open("/proc/sys/kernel/modprobe", encoding="ascii") as knob:
        before = knob.read()
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        script_name, log = f"{place}/modprobe", f"{place}/asked"
        with open(script_name, "w", encoding="ascii") as script:
            script.write(
                "#!/bin/sh\n"
                f'echo "$*" >>{log}\n'
                f'case "$*" in *net-pf-25) exec /usr/sbin/insmod {FILE} ;; esac\nexit 1\n'
            )
        os.chmod(script_name, 0o755)
        try:
            with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as knob:
                knob.write(script_name)
            seen = create(25)
        finally:
            with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as knob:
                knob.write(before)
        asked = open(log, encoding="ascii").read() if os.path.exists(log) else ""
        assert "net-pf-25" in asked, f"the kernel asked for: {asked!r}"
    equal(seen, "0", "socket() after autoload")
    remove()


@harness.seconds(90)
def test_unload_under_traffic():
    """Unload right after close, again and again, while frames flow: no frame finds a stale hook."""
    pair = Pair()
    stop_at = os.getpid()
    sender = os.fork()
    if sender == 0:
        out = packet.reference()
        while os.getppid() == stop_at:
            for ifindex in (pair.a, pair.b):
                packet.send(out, probe(), packet.address(ifindex, PROBE))
        os._exit(0)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0) | {1})} if os.cpu_count() > 1 else {0})
    try:
        for number in range(25):
            insert()
            socks = [open_socket(kind, ETH_P_ALL, 25) for kind in (3, 2)]
            packet.bind(socks[0], pair.a, ETH_P_ALL)
            for sock in socks:
                assert packet.receive(sock).count > 0, "traffic"
            for sock in socks:
                sock.close()
            lib.wait_for(lambda: errno_of(remove) == "0", 10, f"unload {number}")
    finally:
        os.kill(sender, 9)
        os.waitpid(sender, 0)


def test_unload_with_namespaces():
    """Unload removes the table from every namespace, and a namespace may go meanwhile."""
    insert()
    spaces = [topology.new_namespace() for _ in range(8)]
    for space in spaces[:4]:
        space.close()
    remove()
    for space in spaces[4:]:
        with space:
            assert not os.path.exists("/proc/thread-self/net/rpacket"), "table"
    insert()
    remove()


def body():
    """These cases load and unload by themselves."""
    lib.require(not lib.loaded("af_rpacket"), "af_rpacket is not loaded")
    with lib.module("af_packet"), harness.expedited_grace_periods():
        for name, function in list(globals().items()):
            if name.startswith("test_") and any(word in name for word in sys.argv[1:] or [""]):
                harness.run_all([(name.removeprefix("test_").replace("_", " "), function)])
                if references() is not None:
                    lib.wait_for(lambda: errno_of(remove) == "0", 10, "the module can be unloaded")


if __name__ == "__main__":
    lib.main(body)
