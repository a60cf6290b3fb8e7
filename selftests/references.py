# SPDX-License-Identifier: GPL-2.0
"""What the debug kernel knows of things that a test has left: network namespaces that do not end,
mappings for DMA of devices that no driver has any more. Empty on a kernel that does not keep account.
"""
import os

TRACKERS = "/sys/kernel/debug/ref_tracker"
DMA = "/sys/kernel/debug/dma-api"


def begin():
    """Once in a boot, before the first test."""
    # Else the kernel reports the first misuse of the DMA interface alone.
    if os.path.exists(f"{DMA}/all_errors"):
        with open(f"{DMA}/all_errors", "w", encoding="ascii") as file:
            file.write("1")


def left():
    """{(kind, what)} of what exists now and would be of a test that has ended."""
    return {("namespace that does not end", name) for name in _namespaces()} | {
        ("DMA mapping", line) for line in _mappings()}


def _namespaces():
    """One name for each network namespace in memory that somebody refers to. The name of a device's
    account, netdev@..., is not looked for: the kernel itself waits for devices, and says so."""
    try:
        return [name for name in os.listdir(TRACKERS) if name.startswith(("net_refcnt@", "net_notrefcnt@"))]
    except OSError:
        return []


def holders(name):
    """Who refers to the namespace, with backtraces; empty for what is no namespace, or is gone."""
    try:
        with open(f"{TRACKERS}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _mappings():
    try:
        with open(f"{DMA}/dump", encoding="ascii", errors="replace") as file:
            # The first word is the driver's name, or the bus's when there is no driver.
            return [line.strip() for line in file if line.startswith("pci ")]
    except OSError:
        return []


def lockdep_works():
    """Whether another test would be told of a lock. Lockdep switches itself off with its first report,
    and with one of memory that was damaged."""
    try:
        with open("/proc/lockdep_stats", encoding="ascii") as file:
            return any(line.split() == ["debug_locks:", "1"] for line in file)
    except OSError:
        return True
