# SPDX-License-Identifier: GPL-2.0
"""XDP programs of a few instructions, and attaching them to a card."""

import contextlib
import os
import socket
import struct
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "net"))
import bpf

ABORTED, DROP, PASS, TX = range(4)
LINK_CREATE, LINK_UPDATE = 28, 29
ATTACH_XDP, NATIVE = 37, 1 << 2
GENERIC = 2  # what a link says of a program that the kernel runs itself
MOV, JUMP_GREATER, JUMP_UNEQUAL, CALL = 0xBF, 0x2D, 0x55, 0x85
LOAD_HALF, STORE_WORD, STORE_HALF = 0x69, 0x63, 0x6B
REDIRECT, ADJUST_HEAD, ADJUST_META, ADJUST_TAIL = 23, 44, 54, 65


def answer(action):
    """The whole program: all frames the same."""
    return [bpf.insn(bpf.MOV_IMM, 0, imm=action), bpf.insn(bpf.EXIT)]


def adjust(function, delta, action):
    """Moves an end of the frame, or makes room before it."""
    return [bpf.insn(bpf.MOV_IMM, 2, imm=delta), bpf.insn(CALL, imm=function), *answer(action)]


def redirect(index):
    """To the interface with this number, by the answer of the function."""
    return [bpf.insn(bpf.MOV_IMM, 1, imm=index), bpf.insn(bpf.MOV_IMM, 2, imm=0),
            bpf.insn(CALL, imm=REDIRECT), bpf.insn(bpf.EXIT)]


def reflect(ethertype, last=None):
    """Exchanges the addresses of the frames of one ethertype, and sends them back, or does what `last` says
    to them; the rest passes."""
    swap = [(bpf.LOAD_WORD, 2, 0), (LOAD_HALF, 3, 4), (bpf.LOAD_WORD, 4, 6), (LOAD_HALF, 5, 10)]
    store = [(STORE_WORD, 2, 6), (STORE_HALF, 3, 10), (STORE_WORD, 4, 0), (STORE_HALF, 5, 4)]
    body = [bpf.insn(code, register, 6, at) for code, register, at in swap]
    body += [bpf.insn(code, 6, register, at) for code, register, at in store]
    return only(ethertype, body + (last or answer(TX)))


def only(ethertype, body):
    """Does this to the frames of one ethertype; the rest passes. Register 6 is where the frame begins."""
    return [
        bpf.insn(MOV, 9, 1),
        bpf.insn(bpf.LOAD_WORD, 6, 1, 0), bpf.insn(bpf.LOAD_WORD, 7, 1, 4),
        bpf.insn(MOV, 8, 6), bpf.insn(0x07, 8, imm=14),
        # Behind the end: it passes.
        bpf.insn(JUMP_GREATER, 8, 7, len(body) + 3),
        bpf.insn(LOAD_HALF, 2, 6, 12),
        bpf.insn(JUMP_UNEQUAL, 2, 0, len(body) + 1, socket.htons(ethertype)),
        bpf.insn(MOV, 1, 9), *body, *answer(PASS)]


@contextlib.contextmanager
def loaded(code):
    """The descriptor of a program."""
    program = bpf.load(code, bpf.XDP)
    try:
        yield program
    finally:
        os.close(program)


def attach(port, code, flags=NATIVE):
    """The program is the card's own (native) until the link is closed that is returned; without flags, the
    card's or the kernel's."""
    with loaded(code) as program:
        index = socket.if_nametoindex(port.name)
        return bpf.call(LINK_CREATE, struct.pack("=IIII", program, index, ATTACH_XDP, flags))


@contextlib.contextmanager
def attached(port, code, flags=NATIVE):
    """The same as long as the block runs; yields the link."""
    link = attach(port, code, flags)
    try:
        yield link
    finally:
        os.close(link)


def replace(link, code):
    """Another program takes the place of the one that is attached."""
    with loaded(code) as program:
        bpf.call(LINK_UPDATE, struct.pack("=III", link, program, 0))
