# SPDX-License-Identifier: GPL-2.0
"""What the kernel says of a stack, and a module of what it takes from the kernel."""
import re
import subprocess

import lib

class Frame(str):
    """A function in a stack, as `name` or `name [module]`, and where in it the call returns to."""

    name, module, offset = "", "", 0

    @classmethod
    def parse(cls, text):
        """What the kernel prints of an address: `name+0x12/0x34 [module]`; None if it is no function."""
        match = re.match(r" *([^\s+]+)\+0x([0-9a-f]+)/0x[0-9a-f]+(?: \[(\w+)\])?", text)
        if not match:
            return None
        name, offset, module = match.groups()
        frame = cls(f"{name} [{module}]" if module else name)
        frame.name, frame.module, frame.offset = name, module or "", int(offset, 16)
        return frame


def imports(module):
    """The symbols that a module takes from the kernel."""
    done = subprocess.run(["nm", "--undefined-only", "--format=just-symbols",
                           f"{lib.MODULES}/{module}.ko"], check=True, capture_output=True, text=True)
    return sorted(set(done.stdout.split()))
