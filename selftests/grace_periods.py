# SPDX-License-Identifier: GPL-2.0
"""How long the kernel takes until nobody reads any more what was taken away (RCU)."""
import contextlib

# The second knob outweighs the first, and PREEMPT_RT sets it at boot.
EXPEDITED = {"/sys/kernel/rcu_expedited": "1", "/sys/kernel/rcu_normal": "0"}


@contextlib.contextmanager
def expedited_grace_periods():
    """Every close and unbind waits for an RCU grace period, which takes longest on an idle VM."""
    before = {}
    for path in EXPEDITED:
        with open(path, encoding="ascii") as knob:
            before[path] = knob.read()
    try:
        turn(EXPEDITED)
        yield
    finally:
        turn(before)


def turn(knobs):
    """Writes these values to these files."""
    for path, value in knobs.items():
        with open(path, "w", encoding="ascii") as knob:
            knob.write(value)
