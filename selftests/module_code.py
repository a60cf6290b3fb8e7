# SPDX-License-Identifier: GPL-2.0
"""Which calls of the kernel are in the code of a module, and which of them a stack goes through."""
import collections
import dataclasses
import functools
import re
import subprocess

import lib

# By what is in their names: functions that only the KUnit tests of the layer call, and the layer for them. So far,
# nobody else has shared memory.
TESTS = re.compile(r"\d\d\w+_kunit|1[24]driver_(kunit|probe|example)|14socket_example|13shared_memory"
                   r"|rnet_helper_(get_compound|memory)")


# The sections whose references to a function mean that it may be called.
DATA = re.compile(r"\.(data|rodata|init|exit)|__param|\.gnu\.linkonce|\.kunit")


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


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a function of the kernel, by its name, and where it returns to."""

    caller: str
    offset: int
    function: str
    # A jump: the function returns to whoever has called the caller.
    last: bool = False
    # A reallocation to nothing, which is how Rust frees.
    frees: bool = False
    # The caller is named after a test; but it may be ours as well: of functions with the same code, the
    # compiler makes one.
    tests: bool = False

    def __str__(self):
        return f"{readable(self.caller)}+{self.offset:#x}, {self.function}"


@functools.cache
def readable(name):
    """The path of a Rust function, without its crate's hash."""
    done = subprocess.run(["c++filt", name], check=False, capture_output=True, text=True)
    return re.sub(r"\[[0-9a-f]{8,}\]", "", done.stdout.strip() or name)


def _frees(function, before):
    """Whether a reallocation has no flags, the fourth argument: those of an allocation are never 0."""
    if not re.search(r"kv?realloc", function):
        return False
    for instruction in reversed(before):
        if re.search(r"%[er]?cx$", instruction):
            return re.match(r"xor +%ecx,%ecx$", instruction) is not None
    return False


@functools.cache
def _objdump(module, *options):
    done = subprocess.run(["objdump", *options, f"{lib.MODULES}/{module}.ko"], check=True,
                          capture_output=True, text=True)
    return done.stdout.splitlines()


def _disassembly(module):
    return _objdump(module, "-dr", "--no-show-raw-insn")


@functools.cache
def reached(module):
    """The functions of a module that something refers to: data, or a function of which the same holds. Of the
    others, the code is in their callers: what is left is a copy that nothing calls."""
    begins, uses, section, caller = {}, {}, "", ""
    for line in _disassembly(module):
        if match := re.match(r"Disassembly of section (\S+):$", line):
            section = match[1]
        elif match := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            caller = match[2]
            begins[section, int(match[1], 16)] = caller
        elif match := re.search(r"<([^>+]+)>$", line):
            uses.setdefault(caller, set()).add(match[1])
        elif target := _target(line):
            uses.setdefault(caller, set()).add(target)
    roots = {"init_module", "cleanup_module"}
    for line in _objdump(module, "-r"):
        if match := re.match(r"RELOCATION RECORDS FOR \[(.*)\]", line):
            section = match[1]
        # Tables about the code, for unwinding and patching, refer to all of it.
        elif DATA.match(section) and (target := _target(line)):
            roots.add(target)
    found, left = set(), list(roots)
    while left:
        target = left.pop()
        # A function without a symbol of its own in the table is a place in a section.
        name = begins.get(target, target)
        if name not in found:
            found.add(name)
            left += uses.get(name, ())
    return found


def _target(line):
    """What a relocation refers to: a symbol, or (section, place)."""
    match = re.search(r"R_X86_64_(\w+)\s+(\S+?)([-+]0x[0-9a-f]+)?\s*$", line)
    if not match:
        return None
    kind, name, distance = match.groups()
    # From the end of the instruction, which is four bytes further.
    place = int(distance or "0", 16) + (4 if kind in ("PC32", "PLT32") else 0)
    return (name, place) if name.startswith(".") else name


def calls(module, inner=False):
    """The calls of functions of the kernel that are in a module's file; with `inner` also those of the
    module's own functions that another object of it has."""
    imported, found, alive = set(imports(module)), [], reached(module)
    if inner:
        imported |= own(module)
    caller, begin, instructions = "", 0, []
    for line in _disassembly(module):
        if match := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            caller, begin, instructions = match[2], int(match[1], 16), []
        elif match := re.match(r"\s+([0-9a-f]+): R_X86_64_(?:PLT32|PC32)\s+(\S+)-0x4$", line):
            # A reference to data has another distance to the end of the instruction, or is not of these.
            kind = instructions[-1].split()[0] if instructions else ""
            if match[2] in imported and re.match(r"call|j", kind) and caller in alive:
                found.append(Call(caller, int(match[1], 16) + 4 - begin, match[2], kind != "call",
                                  _frees(match[2], instructions[:-1]), bool(TESTS.search(caller))))
        elif match := re.match(r"\s+[0-9a-f]+:\t(.+?)\s*(?:[#<].*)?$", line):
            instructions.append(match[1])
    return found


# A call through a pointer: by itself, or by a thunk on a kernel that keeps the processor from guessing. A jump
# into the table of a `switch` has an index.
POINTER = re.compile(r"\s+[0-9a-f]+:(?:\s+(?:cs |notrack )*(?:call|jmp) +\*(?!\w+\(,)|"
                     r" R_X86_64_(?:PLT32|PC32)\s+__x86_indirect_)")


def by_pointer(module):
    """{caller: how many calls through a pointer are in it}; callers are functions of a module that are not
    named after a test."""
    found, alive, caller = collections.Counter(), reached(module), ""
    for line in _disassembly(module):
        if match := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            caller = match[1]
        elif POINTER.match(line) and caller in alive and not TESTS.search(caller):
            found[caller] += 1
    return found


def _symbols(module, option):
    done = subprocess.run(["nm", option, "--format=just-symbols", f"{lib.MODULES}/{module}.ko"], check=True,
                          capture_output=True, text=True)
    return set(done.stdout.split())


def imports(module):
    """The symbols that a module takes from the kernel."""
    return sorted(_symbols(module, "--undefined-only"))


def own(module):
    """The symbols that a module has itself."""
    return _symbols(module, "--defined-only")
