# SPDX-License-Identifier: GPL-2.0
"""System calls with every length and pointer open, and what they left in the memory that they were given.

Each returns a dict of plain values: `errno` (a name, or "0") and whatever else a program would see.
Memory is filled with a pattern before, and compared as a whole: also what should not have been written.
"""

import ctypes
import struct

import packet

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
libc.ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)

FILL = b"\xa5"
# Memory that no program has.
BAD = 8


def memory(size, content=b"", fill=FILL):
    """Memory of this size that begins with these bytes."""
    return ctypes.create_string_buffer(content.ljust(size, fill)[:size], max(size, 1))


def given(size, content):
    """Memory to be read by the kernel: zero after the content, whatever length it is told."""
    return memory(size, content, b"\0")


def at(buffer):
    return ctypes.addressof(buffer)


def call(name, *arguments):
    """(result, errno's name) of a function of the C library."""
    ctypes.set_errno(0)
    result = getattr(libc, name)(*arguments)
    code = ctypes.get_errno() if result == -1 else 0
    return result, packet.NAMES.get(code, str(code)) if code else "0"


def simple(name, *arguments):
    """A call of which only the result is of interest."""
    result, code = call(name, *arguments)
    return {"errno": code, "result": result}


def bind(fd, raw, length):
    """bind(); `raw` is an address' bytes, or None for a bad pointer."""
    place = given(128, raw) if raw is not None else None
    return simple(
        "bind", fd, ctypes.c_void_p(at(place) if place else BAD), ctypes.c_uint32(length & 0xFFFFFFFF)
    )


def connect(fd, raw):
    return simple("connect", fd, given(128, raw), len(raw))


def name(function, fd, length, bad=""):
    """getsockname() or getpeername(), with room for this many bytes; `bad` names a pointer: name, length."""
    place, told = memory(128), ctypes.c_int(length)
    _, code = call(
        function,
        fd,
        ctypes.c_void_p(BAD if bad == "name" else at(place)),
        ctypes.c_void_p(BAD) if bad == "length" else ctypes.byref(told),
    )
    return {"errno": code, "length": told.value, "memory": place.raw}


def set_option(fd, level, option, value, length):
    """setsockopt(); `value` is bytes, or None for a bad pointer."""
    place = given(max(len(value), 4096), value) if value is not None else None
    return simple("setsockopt", fd, level, option, ctypes.c_void_p(at(place) if place else BAD), length)


def get_option(fd, level, option, length, value=b""):
    """getsockopt() into memory that begins with `value`, or through a bad pointer (None)."""
    place, told = memory(96, value or b""), ctypes.c_int(length)
    _, code = call(
        "getsockopt",
        fd,
        level,
        option,
        ctypes.c_void_p(at(place) if value is not None else BAD),
        ctypes.byref(told),
    )
    return {"errno": code, "length": told.value, "memory": place.raw}


def set_filter(fd, option, instructions, length=None):
    """SO_ATTACH_FILTER, or an option that takes the same; the number of instructions may be a lie."""
    code = memory(max(len(instructions), 8), instructions)
    head = struct.pack("=HxxxxxxQ", len(instructions) // 8 if length is None else length, at(code))
    level = packet.SOL_PACKET if option == packet.FANOUT_DATA else 1
    return simple("setsockopt", fd, level, option, head, len(head))


def ioctl(fd, request, argument):
    place = memory(64, argument)
    result, code = call("ioctl", fd, request, at(place))
    return {"errno": code, "result": result, "memory": place.raw}


def vectors(parts):
    """Memory in parts, and the struct iovec of them; a bad part has no memory."""
    table = (packet.Iovec * max(len(parts), 1))()
    for entry, (place, size) in zip(table, parts):
        entry.base, entry.len = at(place) if place else BAD, size
    return table


def receive(fd, sizes, flags, namelen=128, control=512, bad=""):
    """recvmsg() into parts of these sizes; `bad` names which pointer is none: data, name, control."""
    parts = [(memory(size), size) for size in sizes]
    places = [place for place, _ in parts]
    if bad == "data" and parts:
        parts[-1] = (None, parts[-1][1])
    table = vectors(parts)
    whose, more = memory(128), memory(max(control, 1))
    message = packet.Msghdr(
        BAD if bad == "name" else at(whose) if namelen else None,
        namelen,
        at(table),
        len(parts),
        BAD if bad == "control" else at(more) if control else None,
        control,
        0,
    )
    result, code = call("recvmsg", fd, ctypes.byref(message), ctypes.c_int(flags | packet.MSG_DONTWAIT))
    answer = {
        "errno": code,
        "result": result,
        "data": b"".join(place.raw[:size] for place, size in zip(places, sizes)),
        "name": whose.raw,
        "namelen": message.namelen,
        "flags": message.flags,
        "controllen": message.controllen,
    }
    # The message as a program reads it, for comparing one control message at a time. A call that fails may
    # have written some, without saying how many.
    end = message.controllen if code == "0" else control
    answer["cmsgs"], end = messages(more.raw[:end])
    answer["control"] = more.raw[end:control]
    return answer


def messages(raw):
    """The control messages at the beginning of memory, as (level, type, data), and where they end."""
    found, at = [], 0
    while at + 16 <= len(raw):
        length, level, kind = struct.unpack_from("=Qii", raw, at)
        if not 16 <= length <= len(raw) - at:
            break
        found.append((level, kind, raw[at + 16 : at + length]))
        at += length + 7 & ~7
    return found, at


def send(fd, parts, to, namelen, control, flags, bad=""):
    """sendmsg() of these parts, to an address given as bytes (None: without one)."""
    places = [(memory(len(part), part), len(part)) for part in parts]
    if bad == "data" and places:
        places[-1] = (None, places[-1][1])
    table = vectors(places)
    whose = given(128, to) if to is not None else None
    more = memory(len(control), control) if control else None
    message = packet.Msghdr(
        BAD if bad == "name" else at(whose) if whose else None,
        namelen & 0xFFFFFFFF,
        at(table),
        len(places),
        BAD if bad == "control" else at(more) if more else None,
        len(control),
        0,
    )
    return simple("sendmsg", fd, ctypes.byref(message), ctypes.c_int(flags | packet.MSG_DONTWAIT))


def read(fd, size):
    place = memory(size)
    result, code = call("read", fd, place, size)
    return {"errno": code, "result": result, "data": place.raw[:size]}


def write(fd, data):
    return simple("write", fd, memory(len(data), data), len(data))
