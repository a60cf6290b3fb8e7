#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
"""What ethtool(8) and mii-tool(8) can ask of the card and set on it."""

import re
import struct
import subprocess

import cases
from nic import OURS, PEER4, lib, wait_for

SIOCGMIIPHY, SIOCGMIIREG, SIOCSMIIREG = 0x8947, 0x8948, 0x8949
BMCR, BMSR, PHYSID1, ADVERTISE, LPA = 0, 1, 2, 4, 5
BMSR_LINK = 0x0004


def refused(*words):
    """ethtool must refuse this; returns what it says."""
    done = subprocess.run(["ethtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode, f"ethtool {' '.join(words)} succeeded"
    return done.stderr


def driver_information(wire):
    """-i: the driver, and the address on the bus by which a user finds the card."""
    text = wire.dut.ethtool("-i", wire.dut.name)
    fields = dict(re.findall(r"^([\w-]+): *(.*)$", text, re.M))
    assert fields["driver"] == wire.subject, fields
    assert fields["bus-info"] == wire.card.address, fields
    assert fields["supports-statistics"] == "yes", fields


def counters_have_distinct_names_and_move(wire):
    """-S: what the driver counts beyond the standard statistics."""
    before = wire.dut.ethtool_stats()
    text = wire.dut.ethtool("-S", wire.dut.name)
    names = [line.split(":")[0].strip() for line in text.splitlines()[1:]]
    assert names and len(set(names)) == len(names), names
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names), names
    subprocess.run(["ping", "-n", "-q", "-f", "-c", "100", PEER4], check=True,
                   capture_output=True)
    after = wire.dut.ethtool_stats()
    assert list(after) == list(before), "the names have changed"
    assert all(after[name] >= before[name] for name in names), "a counter went back"
    return " ".join(names)


@cases.c_differs("its driver counters are those of the tally dump and rx_frags: no timeouts")
def losses_have_counters_of_their_own(wire):
    """Reset and recovery are visible, not only guessed from rx_errors."""
    names = " ".join(wire.dut.ethtool_stats())
    for wanted in ("timeout", "overflow", "reset"):
        assert wanted in names, f"no counter for {wanted} in: {names}"


def link_state_and_modes(wire):
    """Speed, duplex and negotiation of a card at 100 Mbit/s."""
    text = wire.dut.ethtool(wire.dut.name)
    for expected in ("Speed: 100Mb/s", "Duplex: Full", "Auto-negotiation: on",
                     "Link detected: yes", "10baseT/Half 10baseT/Full",
                     "100baseT/Half 100baseT/Full"):
        assert expected in text, f"{expected} is not in:\n{text}"
    assert "Link partner advertised" in text, text


def advertised_modes_can_be_set(wire):
    """The register changes, traffic goes on, and all modes can be advertised again."""
    name = wire.dut.name
    try:
        wire.dut.ethtool("-s", name, "advertise", "0x008")  # 100baseT/Full
        text = wire.dut.ethtool(name)
        modes = re.search(r"Advertised link modes:(.*?)Advertised pause", text, re.S).group(1)
        assert modes.split() == ["100baseT/Full"], modes
        assert read_mii(wire, ADVERTISE) & 0x01E0 == 0x0100
    finally:
        wire.dut.ethtool("-s", name, "advertise", "0x00f")
    assert read_mii(wire, ADVERTISE) & 0x01E0 == 0x01E0
    wait_for("an answer", wire.answers)


def modes_that_the_card_lacks_are_refused(wire):
    """1000 Mbit/s, and nothing at all."""
    name = wire.dut.name
    before = wire.dut.ethtool(name)
    refused("-s", name, "speed", "1000", "duplex", "full", "autoneg", "off")
    refused("-s", name, "port", "fibre")
    refused("-s", name, "phyad", "7")
    assert wire.dut.ethtool(name) == before
    wait_for("an answer", wire.answers)


def negotiation_can_be_restarted(wire):
    """-r: the link is there afterwards, and traffic goes on."""
    wire.dut.ethtool("-r", wire.dut.name)
    wait_for("carrier", wire.dut.carrier)
    wait_for("an answer", wire.answers)


def registers_can_be_dumped(wire):
    """-d: 256 bytes that begin with the address, and reading them disturbs nothing."""
    try:
        text = wire.dut.ethtool("-d", wire.dut.name, "raw", "off", "hex", "on")
    except RuntimeError as error:
        raise lib.Skip(f"not offered: {error}") from error
    octets = bytes.fromhex("".join(re.findall(r"^0x[0-9a-f]+:\s+((?:[0-9a-f]{2} ?)+)", text, re.M))
                           .replace(" ", ""))
    assert len(octets) == 256, len(octets)
    assert octets[:6] == wire.dut.mac
    wait_for("an answer", wire.answers)


def every_query_works_while_down(wire):
    """Nothing that only looks may need the interface up, or fail in another way than by errno."""
    wire.dut.set("down")
    try:
        for option in ("-i", "-S", "-k", "-T", "-P"):
            wire.dut.ethtool(option, wire.dut.name)
        text = wire.dut.ethtool(wire.dut.name)
        assert "Link detected: no" in text, text
        for option in ("-a", "-c", "-g", "-l", "-d", "-e", "-m", "--show-eee", "-x"):
            wire.dut.ethtool(option, wire.dut.name, check=False)
        wire.dut.ethtool("-r", wire.dut.name, check=False)
    finally:
        wire.up()


def time_stamping_capabilities(wire):
    """-T: software stamps on receive; on transmit, too, when the driver calls for them."""
    text = wire.dut.ethtool("-T", wire.dut.name)
    assert "software-receive" in text, text
    if wire.subject == OURS:
        assert "software-transmit" in text, text


# MII registers by ioctl --------------------------------------------------------------------------


def read_mii(wire, register, phy=None):
    """SIOCGMIIREG, as mii-tool does it."""
    if phy is None:
        phy = struct.unpack_from("H", wire.dut.ioctl(SIOCGMIIPHY))[0]
    return struct.unpack_from("HHHH", wire.dut.ioctl(
        SIOCGMIIREG, struct.pack("HHHH16x", phy, register, 0, 0)))[3]


def mii_registers_can_be_read(wire):
    """Status with and without the link, and both ends' abilities."""
    assert read_mii(wire, BMSR) & BMSR_LINK
    assert read_mii(wire, ADVERTISE) & 0x01E0 == 0x01E0
    assert read_mii(wire, LPA) & 0x01E0
    assert not read_mii(wire, BMCR) & 0x8000, "the PHY is in reset"
    read_mii(wire, PHYSID1)  # The chip has none: whatever it says, there is no error.


def mii_registers_can_be_written_by_root_only(wire):
    """SIOCSMIIREG wants CAP_NET_ADMIN, and changes the register."""
    phy = struct.unpack_from("H", wire.dut.ioctl(SIOCGMIIPHY))[0]
    old = read_mii(wire, ADVERTISE)
    wire.dut.ioctl(SIOCSMIIREG, struct.pack("HHHH16x", phy, ADVERTISE, 0x0101, 0))
    try:
        assert read_mii(wire, ADVERTISE) == 0x0101
    finally:
        wire.dut.ioctl(SIOCSMIIREG, struct.pack("HHHH16x", phy, ADVERTISE, old, 0))
    assert read_mii(wire, ADVERTISE) == old
    program = ("import fcntl,os,socket,struct,sys\n"
               "os.setgid(65534); os.setuid(65534)\n"
               "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               f"request = struct.pack('16sHHHH16x', b'{wire.dut.name}', {phy}, 4, 0, 0)\n"
               f"try: fcntl.ioctl(s, {SIOCSMIIREG}, request)\n"
               "except PermissionError: sys.exit(7)\n")
    done = subprocess.run(["python3", "-c", program], check=False)
    assert done.returncode == 7, "a user without CAP_NET_ADMIN has written a register"
    assert read_mii(wire, ADVERTISE) == old


def odd_mii_addresses_are_harmless(wire):
    """Any PHY and register number from user space."""
    for phy in (0, 1, 31, 32, 0xFFFF):
        for register in (*range(9), 31, 32, 255, 0xFFFF):
            try:
                read_mii(wire, register, phy)
            except OSError:
                pass
    wait_for("an answer", wire.answers)


if __name__ == "__main__":
    cases.main(driver_information, counters_have_distinct_names_and_move,
               losses_have_counters_of_their_own, link_state_and_modes,
               advertised_modes_can_be_set, modes_that_the_card_lacks_are_refused,
               negotiation_can_be_restarted, registers_can_be_dumped,
               every_query_works_while_down, time_stamping_capabilities,
               mii_registers_can_be_read, mii_registers_can_be_written_by_root_only,
               odd_mii_addresses_are_harmless)
