# SPDX-License-Identifier: GPL-2.0
"""Just enough of the two BPF instruction sets to write socket filters and other programs for the tests."""

import ctypes
import os
import socket
import struct

import packet

# Loads relative to this address give properties of the packet instead of its bytes.
AD_OFF = 0xFFFFF000
AD_PROTOCOL, AD_PKTTYPE, AD_IFINDEX, AD_HATYPE, AD_VLAN_TAG, AD_VLAN_PRESENT = 0, 4, 8, 28, 44, 48
# ... and relative to these, bytes before the data that the filter is given.
NET_OFF, LL_OFF = 0xFFF00000, 0xFFE00000


def op(code, k=0, yes=0, no=0):
    """One struct sock_filter."""
    return struct.pack("=HBBI", code, yes, no, k & 0xFFFFFFFF)


def ret(length):
    """Accepts so many bytes."""
    return op(0x06, length)


def ret_a():
    """Accepts as many bytes as the accumulator says."""
    return op(0x16)


def load_word(at):
    return op(0x20, at)


def load_half(at):
    return op(0x28, at)


def load_byte(at):
    return op(0x30, at)


def load_length():
    return op(0x80)


def equal(value, yes, no):
    """Jumps over `yes` or `no` instructions."""
    return op(0x15, value, yes, no)


def accept_if(load, value, length=0xFFFFFFFF):
    """The program: load; accept that many bytes if it is this value."""
    return [load, equal(value, 0, 1), ret(length), ret(0)]


def program(code):
    """A struct sock_fprog; the second value has to be kept while the first is used."""
    instructions = ctypes.create_string_buffer(b"".join(code))
    return struct.pack("=HxxxxxxQ", len(code), ctypes.addressof(instructions)), instructions


def attach(sock, code):
    """SO_ATTACH_FILTER."""
    head, keep = program(code)
    packet.set_option(sock, packet.SO_ATTACH_FILTER, head, level=socket.SOL_SOCKET)
    del keep


def detach(sock):
    """SO_DETACH_FILTER."""
    packet.set_option(sock, packet.SO_DETACH_FILTER, 0, level=socket.SOL_SOCKET)


def insn(code, dst=0, src=0, off=0, imm=0):
    """One struct bpf_insn."""
    return struct.pack("=BBhi", code, dst | src << 4, off, imm)


MOV_IMM, LOAD_WORD, EXIT, JUMP_EQUAL = 0xB7, 0x61, 0x95, 0x15
# Offsets in struct __sk_buff.
SKB_LEN, SKB_CB = 0, 48


SOCKET_FILTER, XDP = 1, 6
PROG_LOAD = 5


def call(command, attributes):
    """The bpf() system call; returns a descriptor, or 0."""
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    if os.uname().machine != "x86_64":
        raise NotImplementedError("the number of bpf() is known for x86-64 only")
    return packet.call("syscall", 321, command, buffer, 128)


def load(code, kind=SOCKET_FILTER):
    """Loads a program, a socket filter if nothing else is said; returns its descriptor."""
    instructions = ctypes.create_string_buffer(b"".join(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQIIQII",
        kind,
        len(code),
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
    )
    return call(PROG_LOAD, attributes)


def attach_program(sock, fd):
    """SO_ATTACH_BPF."""
    packet.set_option(sock, packet.SO_ATTACH_BPF, fd, level=socket.SOL_SOCKET)
