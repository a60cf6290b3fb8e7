#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs 8139cp
# modes: cplus classic
"""What ethtool(8) and mii-tool(8) can ask of the card and set on it."""

import contextlib
import json
import re
import struct
import subprocess
import time

import cases
from nic import MODE, PEER4, SLOW, lib, qmp, run, wait_for

SIOCGMIIPHY, SIOCGMIIREG, SIOCSMIIREG = 0x8947, 0x8948, 0x8949
BMCR, BMSR, PHYSID1, ADVERTISE, LPA = 0, 1, 2, 4, 5
BMSR_LINK = 0x0004
CONFIG3, CONFIG5 = 0x59, 0xD8
EEPROM_MAGIC = "0x8139"


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
        for option in ("-i", "-S", "-k", "-T", "-P", "-e"):
            wire.dut.ethtool(option, wire.dut.name)
        text = wire.dut.ethtool(wire.dut.name)
        assert "Link detected: no" in text, text
        for option in ("-a", "-c", "-g", "-l", "-d", "-m", "--show-eee", "-x"):
            wire.dut.ethtool(option, wire.dut.name, check=False)
        wire.dut.ethtool("-r", wire.dut.name, check=False)
    finally:
        wire.up()


@cases.c_differs("it has nothing stamped that it sends")
def time_stamping_capabilities(wire):
    """-T: software stamps, on receive and, when the driver calls for them, on transmit."""
    text = wire.dut.ethtool("-T", wire.dut.name)
    for what in ("software-receive", "software-transmit"):
        assert what in text, text


@cases.c_differs("it has no channels")
def there_is_one_channel(wire):
    """-l, -L: what there is can be set, as others set what they want to have; no other number."""
    name = wire.dut.name

    def counts():
        return re.findall(r"^Combined:\s+(\S+)", wire.dut.ethtool("-l", name), re.M)

    lib.equal(["1", "1"], counts(), "the greatest number of channels, and the number")
    # ethtool says so by 0 or by 1 that nothing was to change, but changes nothing.
    assert "not supported" not in subprocess.run(
        ["ethtool", "-L", name, "combined", "1"], capture_output=True, text=True, check=False).stderr
    for words in (("combined", "2"), ("combined", "0"), ("rx", "1"), ("combined", "1", "tx", "1"), ("other", "1")):
        refused("-L", name, *words)
    lib.equal(["1", "1"], counts(), "channels afterwards")


def messages_about(wire):
    """How often the log speaks of the link."""
    return len(re.findall(rf"{wire.dut.name}: link (?:up|down)", run("dmesg")))


def messages_can_be_switched_off(wire):
    """-s msglvl: no message about the link, until they are wanted again."""
    name, card = wire.dut.name, link_id(wire)

    def level(*words):
        wire.dut.ethtool("-s", name, "msglvl", *words)
        return int(re.search(r"message level: 0x([0-9a-f]+)", wire.dut.ethtool(name)).group(1), 16)

    def change():
        before = messages_about(wire)
        qmp("set_link", name=card, up=False)
        wait_for("no carrier", lambda: not wire.dut.carrier())
        qmp("set_link", name=card, up=True)
        wire.wait_link()
        return messages_about(wire) - before

    lib.equal(0, level("link", "off") & 4, "messages about the link")
    try:
        lib.equal(0, change(), "messages about the link that are not wanted")
    finally:
        lib.equal(4, level("link", "on") & 4, "messages about the link")
    lib.equal(2, change(), "messages about the link that are wanted")


def link_id(wire):
    """What QEMU calls the card."""
    for bus in qmp("query-pci"):
        for device in bus["devices"]:
            address = f"0000:{bus['bus']:02x}:{device['slot']:02x}.{device['function']}"
            if address == wire.card.address:
                return device["qdev_id"]
    raise RuntimeError(f"QEMU does not know {wire.card.address}")


def wakes_by(wire):
    """(what can wake the machine, what is to), as the letters of ethtool."""
    text = wire.dut.ethtool(wire.dut.name)
    return tuple(re.search(rf"^\s*{what}: (\w+)", text, re.M).group(1) for what in ("Supports Wake-on", "Wake-on"))


@cases.c_differs("each open forgets it, and the chip is armed while it is up")
def what_is_to_wake_the_machine_is_kept(wire):
    """-s wol: kept while the interface goes down and up; the chip looks for it when the machine sleeps (power.py)."""
    name = wire.dut.name
    lib.equal(("pumbg", "d"), wakes_by(wire), "ways to wake")
    try:
        for letters in ("pb", "pumbg"):
            wire.dut.ethtool("-s", name, "wol", letters)
            wire.dut.set("down")
            lib.equal(set(letters), set(wakes_by(wire)[1]), "while down")
            wire.up()
            lib.equal(set(letters), set(wakes_by(wire)[1]), "after down and up")
        armed = [wire.card.peek(register, 1) & 0x70 for register in (CONFIG3, CONFIG5)]
        lib.equal([0, 0], armed, "what is armed while the interface is up")
        # A password, ARP frames.
        for letter in ("s", "a"):
            refused("-s", name, "wol", letter)
        lib.equal(set("pumbg"), set(wakes_by(wire)[1]), "after what was refused")
    finally:
        wire.dut.ethtool("-s", name, "wol", "d")
    lib.equal("d", wakes_by(wire)[1], "what is to wake the machine")
    wait_for("an answer", wire.answers)


def read_eeprom(wire, *words):
    """-e: the bytes."""
    done = subprocess.run(["ethtool", "-e", wire.dut.name, "raw", "on", *words], capture_output=True, check=True)
    return done.stdout


def eeprom_can_be_read(wire):
    """-e: signature, ids and address, in whole and in part, while frames come and go."""
    with flood(wire):
        memory = read_eeprom(wire)
        lib.equal(128, len(memory), "bytes of a 93C46")
        lib.equal((0x8129, 0x10EC, 0x8139), struct.unpack_from("<HHH", memory), "signature and ids")
        lib.equal(wire.dut.mac, memory[14:20], "the address")
        for offset, length in ((0, 1), (14, 6), (126, 2), (64, 64)):
            part = read_eeprom(wire, "offset", str(offset), "length", str(length))
            lib.equal(memory[offset:offset + length], part, f"bytes from {offset} on")
    refused("-e", wire.dut.name, "offset", "129", "length", "1")


@contextlib.contextmanager
def flood(wire):
    """Pings in the background; each of them is answered, but for one that is under way at the end."""
    pings = subprocess.Popen(["ping", "-n", "-q", "-i", "0.01", "-c", "1000", "-w", "60", PEER4],
                             stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        pings.send_signal(2)
        text = pings.communicate()[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    assert sent >= 3 and received >= sent - 1, text


@cases.c_differs("it says that it has written, and writes nothing; the interface may be up")
def eeprom_that_cannot_be_written_says_so(wire):
    """-E: not while up, nor without the magic number; what did not get there is an error, and soon."""
    name, before = wire.dut.name, read_eeprom(wire)

    def write_byte(magic, offset=100):
        return refused("-E", name, "magic", magic, "offset", str(offset), "value", str(before[100] ^ 0x5A))

    assert "busy" in write_byte(EEPROM_MAGIC)
    wire.dut.set("down")
    try:
        assert "Invalid" in write_byte("0x8138")
        start = time.monotonic()
        assert "Input/output error" in write_byte(EEPROM_MAGIC), "QEMU does not emulate that it is written"
        assert time.monotonic() - start < 2 * SLOW, "it has taken long to find out"
        write_byte(EEPROM_MAGIC, 128)
        lib.equal(before, read_eeprom(wire), "EEPROM")
        # What it reads next comes from the memory itself.
        wire.card.unbind()
        wire.card.bind(wire.subject)
        lib.equal(before, read_eeprom(wire), "EEPROM, read anew")
    finally:
        wire.up()
    wait_for("an answer", wire.answers)


def groups(wire, *words):
    """The standard counters: {group: {counter: value}}."""
    text = wire.dut.ethtool("--json", "-S", wire.dut.name, *words)
    found, = json.loads(text)
    return {group: values for group, values in found.items() if isinstance(values, dict)}


@cases.c_differs("it has no standard counters")
def standard_counters_count_each_frame(wire):
    """-S --groups eth-mac: what IEEE 802.3 defines, as far as the card knows; all else is not shown."""
    before = groups(wire, "--groups", "eth-mac")["eth-mac"]
    run("ping", "-n", "-q", "-f", "-c", "200", "-s", "472", PEER4)
    after = groups(wire, "--groups", "eth-mac")["eth-mac"]
    for way in ("Transmitted", "Received"):
        frames, octets = (after[f"{what}{way}OK"] - before[f"{what}{way}OK"] for what in ("Frames", "Octets"))
        assert 200 <= frames < 260, f"{frames} frames {way}"
        # Ethernet, IP and ICMP headers, and the check sequence.
        least = 200 * (472 + 8 + 20 + 14 + 4)
        assert least <= octets < least + 60 * 518, f"{octets} octets {way}"
    for name in ("FrameCheckSequenceErrors", "LateCollisions", "FramesAbortedDueToXSColls", "CarrierSenseErrors",
                 "FramesLostDueToIntMACRcvError"):
        lib.equal(before[name], after[name], name)
    # What the chip counts by itself, in the C+ mode.
    for name in ("SingleCollisionFrames", "MultipleCollisionFrames", "AlignmentErrors"):
        assert after.get(name, 0) == 0, f"{name}: {after[name]}"
        lib.equal(MODE == "cplus", name in after, f"{name} is shown")
    # The card does not tell this one.
    assert "BroadcastFramesXmittedOK" not in after
    assert not any(groups(wire, "--groups", group).get(group) for group in ("eth-phy", "rmon", "eth-ctrl"))
    groups(wire, "--all-groups")


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
               every_query_works_while_down, time_stamping_capabilities, there_is_one_channel,
               messages_can_be_switched_off, what_is_to_wake_the_machine_is_kept, eeprom_can_be_read,
               eeprom_that_cannot_be_written_says_so, standard_counters_count_each_frame,
               mii_registers_can_be_read, mii_registers_can_be_written_by_root_only,
               odd_mii_addresses_are_harmless)
