# SPDX-License-Identifier: GPL-2.0
"""Registers that lie, on the debug kernel: what our driver reads from the card, or writes to it, is
changed or lost on the way. `bindings/helpers/registers.c` says how the rules work.

    with lying(Lie(ISR, set=0xFFFF, times=1)):
        ...                             # one read of ISR answers all ones

While a rule is on, it counts how often it was applied (Lie.told).
"""

import contextlib
import dataclasses
import os

from nic import OURS, lib, read, write

FOLDER = f"/sys/kernel/debug/{OURS}"
RULES = 8
ANY = 0xFFFFFFFF
FOR_EVER = -1
_MANY = 1 << 30


@dataclasses.dataclass
class Lie:
    """One rule; the fields are the files of its folder."""
    offset: int = ANY
    write: bool = False
    clear: int = 0
    set: int = 0
    lost: bool = False
    times: int = FOR_EVER
    space: int = 0  # accesses that are left alone first
    probability: int = 100

    def tell(self, folder):
        """Switches the rule on."""
        self.folder, self.limit = folder, _MANY if self.times == FOR_EVER else self.times
        write(f"{folder}/probability", 0)
        for name in ("offset", "clear", "set"):
            write(f"{folder}/{name}", f"{getattr(self, name):#x}")
        for name in ("write", "lost"):
            write(f"{folder}/{name}", "Y" if getattr(self, name) else "N")
        write(f"{folder}/space", self.space)
        write(f"{folder}/times", self.limit)
        write(f"{folder}/probability", self.probability)

    @property
    def told(self):
        """How often an access was changed so far."""
        return self.limit - int(read(f"{self.folder}/times"))

    def end(self):
        """Switches the rule off."""
        self.count = self.told
        write(f"{self.folder}/probability", 0)


def available():
    """Whether our driver is loaded, and this kernel lets its registers lie."""
    return os.path.isdir(f"{FOLDER}/fail_register0")


@contextlib.contextmanager
def lying(*lies):
    """The rules hold inside the block."""
    if not available():
        if os.environ.get("KERNEL") == "debug":
            raise lib.Failure("the debug kernel should inject faults, and does not")
        raise lib.Skip("this kernel injects no faults")
    assert len(lies) <= RULES
    try:
        for number, lie in enumerate(lies):
            lie.tell(f"{FOLDER}/fail_register{number}")
        yield lies
    finally:
        for number, lie in enumerate(lies):
            if os.path.isdir(f"{FOLDER}/fail_register{number}"):
                lie.end()


def line_enabled(card, enabled):
    """The bit of the command register on the bus that has the card use its interrupt line."""
    with open(f"{card.sys}/config", "r+b", buffering=0) as config:
        config.seek(4)
        command = int.from_bytes(config.read(2), "little")
        config.seek(4)
        config.write((command & ~0x400 if enabled else command | 0x400).to_bytes(2, "little"))


@contextlib.contextmanager
def gone(card, after=0, silent=True):
    """The card is not there any more, from the access with the number `after` on: reads are all ones, and
    writes go nowhere. Nor does it interrupt (`silent`), which QEMU's card, that is still there, would."""
    try:
        if silent:
            line_enabled(card, False)
        with lying(Lie(lost=True, space=after), Lie(write=True, lost=True, space=after)) as lies:
            yield lies
    finally:
        line_enabled(card, True)
