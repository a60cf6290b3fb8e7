#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock
# modes: cplus classic
# memory: 6G
# append: swiotlb=track_hiwater
# full: yes
# timeout: 400
"""Memory above 4 GiB: an RTL8139C+ has 64 bits for the addresses of frames, so that nothing is copied for
it. In the classic mode all is in memory that the driver has allocated, below."""

import cases
import lengths
from bounce import copies
from nic import lib
from tcp import Stream


def there_is_such_memory(_wire):
    """And the kernel takes it first."""
    with open("/proc/zoneinfo", encoding="ascii") as zones:
        normal = zones.read().partition("zone   Normal")[2]
    start = int(normal.partition("start_pfn:")[2].split()[0])
    assert start >= 1 << 20, f"the zone begins with page {start}"


def bulk_both_ways(_wire):
    """TCP, each byte compared."""
    Stream("peer", lib.PEER4).transfer(4 << 20)
    Stream(None, lib.DUT4).transfer(4 << 20)


def nothing_was_copied(_wire):
    """No piece of memory was bounced, at any time."""
    lib.equal((0, 0), copies())


if __name__ == "__main__":
    cases.main(there_is_such_memory, lengths.raw_frames_of_every_length_from_14_to_1514,
               lengths.every_mtu_carries_frames_of_its_length_both_ways, bulk_both_ways, nothing_was_copied)
