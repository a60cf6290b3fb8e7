# SPDX-License-Identifier: GPL-2.0
"""Where two answers differ. Times are left out, unless both sides have stamped the same buffer."""

import struct

import packet

# Control messages that hold time, with the size of a struct timespec's or timeval's two numbers.
STAMPS = {(1, 29): 16, (1, 35): 16, (1, 37): 16, (1, 63): 16, (1, 64): 16, (1, 65): 16}
REQUESTS_OF_TIME = {0x8906, 0x8907, 0x80108906, 0x80108907}


def without_time(call, answer, exact):
    """The answer, with each time replaced by whether there is one."""
    answer = dict(answer)
    if call[0] == "ioctl" and call[2] & 0xFFFFFFFF in REQUESTS_OF_TIME and answer.get("errno") == "0":
        answer["memory"] = b""
    if "cmsgs" in answer:
        # What this machine sends is two packets, one of each side, at two times.
        # Without an address it is not known which it is.
        own = answer["name"][10] not in range(packet.OUTGOING) or answer["flags"] & packet.MSG_ERRQUEUE
        if not exact or own:
            answer["cmsgs"] = [
                (level, kind, stamped(level, kind, data)) for level, kind, data in answer["cmsgs"]
            ]
    return answer


def stamped(level, kind, data):
    size = STAMPS.get((level, kind))
    if size is None:
        return data
    return tuple(any(data[at : at + size]) for at in range(0, len(data), size))


def of_states(states, before, began, now):
    """What differs in two states: {key: the two values}. `before` are the two states of the last look, which
    did not differ; `began` and `now` are seconds of the wall clock."""
    found = {}
    for key in sorted({*states[0], *states[1]}):
        pair = [state.get(key) for state in states]
        if pair[0] == pair[1]:
            continue
        if key.endswith("ring") and all(pair):
            at = unexplained(pair, [state.get(key) for state in before], began, now)
            if at is None:
                continue
            pair = [f"{len(memory)} bytes, at {at}: {memory[at : at + 64].hex(' ')}" for memory in pair]
        found[key] = pair
    return found


def unexplained(pair, before, began, now):
    """Where two memories differ in something else than time; None if they do not.

    A word may be seconds of now, or the fraction after them. What has not changed since the last look was
    judged then: a frame may cover a part of an old time."""
    if len(pair[0]) != len(pair[1]):
        return 0
    old = all(before) and all(map(len, before)) and [len(one) for one in before] == [len(one) for one in pair]

    def is_now(word):
        return began - 1 <= word <= now + 1

    words = [struct.unpack(f"={len(one) // 4}I", one[: len(one) & ~3]) for one in pair]
    for at, (one, other) in enumerate(zip(*words)):
        if one == other or is_now(one) and is_now(other):
            continue
        if at and all(is_now(side[at - 1]) for side in words) and max(one, other) < 1000000000:
            continue
        for byte in range(4 * at, 4 * at + 4):
            if pair[0][byte] != pair[1][byte]:
                if not old or any(new[byte] != last[byte] for new, last in zip(pair, before)):
                    return 4 * at
    return None


def shown(value, limit=600):
    """A value for a report: of memory only the part that was written."""
    if isinstance(value, bytes):
        value = value.rstrip(b"\xa5")
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]} ... ({len(text)} characters)"


def apart(theirs, ours):
    """Two values, or of memory what is around the first difference."""
    if isinstance(theirs, bytes) and isinstance(ours, bytes) and max(len(theirs), len(ours)) > 200:
        at = next(
            (at for at, pair in enumerate(zip(theirs, ours)) if pair[0] != pair[1]),
            min(len(theirs), len(ours)),
        )
        begin = max(at - 16, 0)
        return tuple(
            f"{len(whole)} bytes, at {begin}: {whole[begin:at + 32].hex(' ')}" for whole in (theirs, ours)
        )
    return shown(theirs), shown(ours)
