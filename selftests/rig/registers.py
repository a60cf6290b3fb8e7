#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# scripts/registers, with dumps that are made up: each register that the driver defines is found where it is, fields
# are cut out as they are written, and the chip's mode decides what is shown, if anything says which it is.
#
# kernels: stock
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import re
import struct
import subprocess
import sys
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, f"{HERE}/..")
import lib

PROGRAM = f"{HERE}/../../scripts/registers"
SOURCE = f"{HERE}/../../rtl8139_rs/regs.rs"
# TCR of an RTL8139C+, which has both modes, and of an RTL8139D and an RTL8129, which have one.
PLUS, OLD, OLDEST = 0x7480_0000, 0x7440_0000, 0
RUNS = 0x0C


def program():
    """The program as a module."""
    loader = importlib.machinery.SourceFileLoader("registers", PROGRAM)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("registers", loader))
    sys.dont_write_bytecode = True
    sys.modules["registers"] = module
    loader.exec_module(module)
    return module


REGISTERS = program()


def dump(**values):
    """256 bytes, with registers by name and bytes by position: at_16=bytes."""
    data = bytearray(256)
    for name, value in values.items():
        (register,) = (register for register in REGISTERS.definitions() if register.name == name)
        data[register.offset:register.offset + register.width] = value.to_bytes(register.width, "little")
    return bytes(data)


def status(data, *words):
    """(exit status, output, errors), without a process each time."""
    out, errors = io.StringIO(), io.StringIO()
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(data))), \
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = REGISTERS.main(list(words))
    return code, out.getvalue(), errors.getvalue()


def ran(data, *words):
    """What the program writes."""
    code, out, errors = status(data, *words)
    assert code == 0, errors
    return out


def shown(data, *words):
    return json.loads(ran(data, "--json", *words))


def all_definitions_are_understood():
    """As many registers and fields as the source has, in some form that this test does not know."""
    with open(SOURCE, encoding="utf-8") as file:
        text = file.read()
    text = text[text.index("register! {"):text.index("\n}\n")]
    found = REGISTERS.definitions()
    lib.equal(len(re.findall(r"pub\(crate\)", text)), len(found), "registers")
    fields = sum(len(register.fields) for register in found if not REGISTERS.BITS.search(register.doc))
    whole = sum(1 for register in found if REGISTERS.BITS.search(register.doc))
    lib.equal(len(re.findall(r"\d+:\d+ \w+", text)), fields + whole, "fields")
    assert all(register.doc for register in found), "a register of which nothing is said"
    assert all(register.offset + register.width * register.count <= 256 for register in found)
    for register in found:
        for field in register.fields:
            assert 8 * register.width > field.high >= field.low >= 0, f"{register.name}.{field.name}"


def fields_are_cut_out():
    values = shown(dump(CR=0x0C, RCR=0xF78E, TCR=PLUS | 0x0306_0680, CPCR=0x2B, MSR=0xD4, CR9346=0xC0,
                        ISR=0x8005, BMSR=0x0024, DTCCR=0x1234_5648))
    lib.equal("C+", values["mode"], "the mode")
    fields = {name: register["fields"] for name, register in values["registers"].items()}
    lib.equal({"reset": False, "receive": True, "transmit": True, "ring_empty": False}, fields["CR"], "CR")
    lib.equal((7, 2, 7, True, False), tuple(fields["RCR"][name] for name in (
        "threshold", "ring_len", "burst", "nowrap", "all")), "RCR")
    lib.equal((3, "On", 6, 8), tuple(fields["TCR"][name] for name in ("gap", "loopback", "burst", "retries")), "TCR")
    lib.equal("Unlocked", fields["CR9346"]["mode"], "9346CR")
    lib.equal((False, True), (fields["MSR"]["speed_10"], fields["MSR"]["no_link"]), "MSR")
    lib.equal(["rx_ok", "tx_ok", "system_error"], [name for name, value in fields["ISR"].items() if value], "ISR")
    lib.equal(["link", "autoneg_done"], [name for name, value in fields["BMSR"].items() if value], "BMSR")
    lib.equal((0x1234_5648 >> 6, True), (fields["DTCCR"]["address"], fields["DTCCR"]["dump"]), "DTCCR")
    lib.equal("Off", shown(dump(TCR=0x0302_0680))["registers"]["TCR"]["fields"]["loopback"], "a value without a name")


def the_mode_decides_what_is_shown():
    """What a chip has that is halted does not say it, unless it has one mode alone; then all is shown."""
    for tcr, command, cplus, mode in (
            (PLUS, RUNS, 0, "classic"), (PLUS, 0x04, 0x38, "classic"), (PLUS, 0x08, 0, "classic"),
            (PLUS, RUNS, 3, "C+"), (PLUS, RUNS, 0x3B, "C+"), (PLUS, 0, 3, "C+"),
            (PLUS, 0, 0, "halted"), (PLUS | 0x0300_0600, 0x01, 0x38, "halted"),
            (PLUS, RUNS, 1, "mixed"), (PLUS, 0, 2, "mixed"),
            # What another chip has in the place of CPCR means nothing.
            (OLD, RUNS, 0, "classic"), (OLD, 0, 0, "classic"), (OLD, RUNS, 0xFFFF, "classic"),
            (OLDEST, 0, 0, "classic")):
        data = dump(TCR=tcr, CR=command, CPCR=cplus)
        values = shown(data)
        lib.equal(mode, values["mode"], f"the mode of {tcr:#x} {command:#x} {cplus:#x}")
        names = values["registers"]
        for name in ("TSD[0]", "TSA[3]", "RBSTART", "CAPR", "CBR", "TSAD"):
            lib.equal(mode != "C+", name in names, name)
        for name in ("DTCCR", "TNPDS[1]", "RDSAR[0]", "TPPOLL", "ETTHR"):
            lib.equal(mode != "classic", name in names, name)
        assert "MDIO" not in names
        everything = shown(data, "--all")["registers"]
        assert {"TSD[0]", "DTCCR", "MDIO"} <= set(everything)


def what_ethtool_writes_is_understood():
    """raw on, and hex on; anything else is refused."""
    data = bytes(range(256))
    lines = ["Offset\t\tValues", "------\t\t------"] + [
        f"0x{at:04x}:\t\t" + " ".join(f"{byte:02x}" for byte in data[at:at + 16]) + " " for at in range(0, 256, 16)]
    lib.equal(ran(data), ran("\n".join(lines).encode() + b"\n"), "from text")
    for wrong in (b"", data[:255], data + b"x", b"0x0000: 12 34\n"):
        code, out, errors = status(wrong)
        lib.equal((1, ""), (code, out), "status and output")
        assert "256 bytes" in errors, errors
    for words in (("--such",), ("eth0", "eth1")):
        lib.equal(2, status(b"", *words)[0], "status")
    assert "usage" in ran(b"", "--help")
    # As a program of its own.
    done = subprocess.run([PROGRAM], input=data, capture_output=True, check=False)
    lib.equal((0, ran(data), ""), (done.returncode, done.stdout.decode(), done.stderr.decode()), "status and output")


def people_can_read_it():
    assert ran(dump(TCR=PLUS)).startswith("The chip is halted: "), "of a chip that is halted"
    text = ran(dump(TCR=PLUS, CR=RUNS, CPCR=0x03, IMR=0x0001, TNPDS=0xABCD_0000))
    assert text.startswith("The chip works in the C+ mode.\n"), text
    for line in (r"0x37 CR +0x0c  Command\.", r" +3 receive +yes +The receiver runs\.",
                 r"0x20 TNPDS\[0\] 0xabcd0000 .*", r" +0 rx_ok +yes +A frame was received\."):
        assert re.search(f"^{line}$", text, re.M), f"{line} is not in:\n{text}"
    # Bits that are named elsewhere are shown if they are set; and no line has a link in it.
    assert "system_error" not in text and "super::" not in text and "`" not in text, text
    lib.equal(struct.calcsize("<I") * 2 + 2, len(re.search(r"^0x44 RCR +(\S+)", text, re.M).group(1)), "digits")


if __name__ == "__main__":
    def body():
        for case in (all_definitions_are_understood, fields_are_cut_out, the_mode_decides_what_is_shown,
                     what_ethtool_writes_is_understood, people_can_read_it):
            lib.case(case, name=case.__name__.replace("_", " "))
    lib.main(body)
