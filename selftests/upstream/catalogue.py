# SPDX-License-Identifier: GPL-2.0
"""Which of the kernel's own selftests are run, how, and on what.

The tests themselves lie in the kernel's source, below tools/testing/selftests; nothing of them is
here. A test is called by its place there, those of net/ by their name alone: `TESTS=upstream/psock`
picks psock_fanout, psock_tpacket and psock_snd.sh, `TESTS=upstream/drivers/net/hw` what its name says.
"""

import dataclasses
import os

PREFIX = "selftests/upstream/"
RUN = PREFIX + "run.py"
PACKET = ("af_rpacket", "af_packet")
DRIVERS = ("rtl8139_rs", "8139cp", "8139too")


@dataclasses.dataclass(frozen=True)
class Test:
    """One program of upstream's."""

    folder: str
    program: str
    arguments: str = ""
    title: str = ""
    subjects: tuple = PACKET
    # Seconds on the stock kernel. The longest seen there was half of it, without KVM and beside others.
    seconds: int = 120
    # In `make test`, with our module alone; the others only in `make test-full`.
    short: bool = False
    # The card is down and has no address, instead of being one of two hosts.
    bare_card: bool = False
    # Both cards are in the first namespace, up and without addresses: the arguments name them.
    together: bool = False
    # Of the machine.
    cpus: int = 2
    kernels: tuple = ("stock", "debug", "rt")
    # Prints titles and stops at the first that fails: it shall go on.
    titles: bool = False
    # What it provokes in the kernel log on purpose.
    log: str = ""
    # Upstream's configuration has it built in, and no program asks for it.
    module: str = ""

    @property
    def name(self):
        folder = "" if self.folder == "net" else self.folder + "/"
        return folder + (self.title or self.program)


def net(program, arguments="", **named):
    return Test("net", program, arguments, **named)


def drivers(program, seconds=120, **named):
    return Test("drivers/net", program, subjects=DRIVERS, seconds=seconds, **named)


def hardware(program, seconds=120, **named):
    return Test("drivers/net/hw", program, subjects=DRIVERS, seconds=seconds, **named)


def both_cards(program):
    return hardware(program, 400, arguments="eth0 eth1", together=True)


# txtimestamp.sh as a whole fails under TCG, before it comes to packet sockets, since what it measures
# must come within 8 ms. So only its cases with packet sockets are run, and with more time.
STAMPS = "-r -P -v 10000 -V 60000 -t 500000 -S 80000"
OVERSIZED = r"Oversized IP packet"

TESTS = (
    net("psock_fanout", short=True),
    net("psock_tpacket", short=True),
    net("txring_overwrite"),
    net("psock_snd.sh", short=True, titles=True, log=OVERSIZED),
    net("txtimestamp.sh", f"{STAMPS} -4 -L 127.0.0.1", title="txtimestamp-P-4", short=True),
    net("txtimestamp.sh", f"{STAMPS} -6 -L ::1", title="txtimestamp-P-6"),
    net("txtimestamp.sh", f"{STAMPS} -4 -L 127.0.0.1 -C", title="txtimestamp-P-4-C", short=True),
    net("txtimestamp.sh", f"{STAMPS} -6 -L ::1 -C", title="txtimestamp-P-6-C"),
    net("txtimestamp.sh", f"{STAMPS} -4 -L 127.0.0.1 -n", title="txtimestamp-P-4-n"),
    net("txtimestamp.sh", f"{STAMPS} -6 -L ::1 -n", title="txtimestamp-P-6-n"),
    net("msg_zerocopy.sh", "4 packet -t 1", title="msg_zerocopy-packet"),
    net("msg_zerocopy.sh", "4 packet_dgram -t 1", title="msg_zerocopy-packet_dgram"),
    Test("filesystems/xattr", "xattr_socket_types_test"),
    net("netdevice.sh", subjects=DRIVERS, short=True, bare_card=True),
    # Frames have to come within one poll, which on the debug kernel is by chance.
    drivers("gro.py", 900, module="pppoe", kernels=("stock", "rt")),
    drivers("hds.py"),
    drivers("macsec.py"),
    drivers("napi_id.py"),
    drivers("napi_threaded.py"),
    drivers("netpoll_basic.py", module="netconsole"),
    drivers("ping.py", 240),
    drivers("queues.py"),
    drivers("ring_reconfig.py", 240),
    drivers("shaper.py"),
    drivers("so_txtime.py", 600),
    drivers("stats.py"),
    drivers("xdp.py", 400),
    # It gives 100 frames a second, which is too short for the debug kernel on emulated CPUs.
    hardware("csum.py", 240, kernels=("stock", "rt")),
    both_cards("ethtool.sh"),
    both_cards("ethtool_extended_state.sh"),
    hardware("ethtool_rmon.sh"),
    hardware("ethtool_std_stats.sh"),
    # It wants to set an affinity that two CPUs do not have.
    hardware("irq.py", cpus=4),
    both_cards("loopback.sh"),
    hardware("nic_timestamp.py"),
    hardware("pp_alloc_fail.py"),
    hardware("tso.py"),
    hardware("uso.py"),
    hardware("xdp_metadata.py"),
)

# What is not run at all. The report says so.
NOT_RUN = {
    "drivers/net/gro.py on debug": "its frames have to come within one poll, which there is by chance",
    "drivers/net/hw/csum.py on debug": "its 100 frames have one second, too short for that kernel without KVM",
    "drivers/net/psp.py": "encryption by the card; built with YNL's C library",
    "drivers/net/hw/devmem.py, nk_devmem.py, userns_devmem.py": "device memory; built with YNL's C library",
    "drivers/net/hw/iou-zcrx.py": "zero-copy receive into io_uring, which needs header split; built with liburing",
    "drivers/net/hw/nk_netns.py, nk_qlease.py": "queues leased to a netkit device; one queue here",
    "drivers/net/hw/toeplitz.py": "receive hash of the card, which has none; built with YNL's C library",
    "drivers/net/hw/rss_*.py, ntuple.py, gro_hw.py": "more than one queue",
    "drivers/net/hw/devlink_*.py": "ports, switches or rates of devlink",
    "drivers/net/hw/hw_stats_l3.sh, hw_stats_l3_gre.sh": "hardware statistics of routes and tunnels",
    "drivers/net/hw/ipsec_vxlan.py": "IPsec by the card",
    "drivers/net/hw/ethtool_mm.sh": "frame preemption",
    "drivers/net/hw/xsk_reconfig.py": "a defect of virtio-net; zero-copy AF_XDP",
    "drivers/net/bonding/bond_stacked_header_parse.sh": "scapy and tcpdump; about bonding",
    "bpf/ (lwt_redirect, xdp_bonding, xdp_context_test_run, lsm_cgroup)": "test_progs needs the kernel's BTF",
}


def find(name):
    return next(test for test in TESTS if test.name == name)


def test_of(path):
    """The test that the runner calls by this path, else None."""
    name = path.removeprefix(PREFIX)
    return next((test for test in TESTS if test.name == name), None) if name != path else None


def chosen(wanted, compare):
    """(path, subject) of the tests that were chosen by name, for the runner: a few of them on our modules,
    or all of them in a full run, where the C originals are beside ours if they are to be compared."""
    full = bool(os.environ.get("RPACKET_FULL"))
    for test in TESTS:
        if wanted(f"upstream/{test.name}") and (full or test.short):
            for subject in test.subjects if full and compare else test.subjects[:1]:
                yield PREFIX + test.name, subject
