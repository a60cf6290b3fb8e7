#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# subjects: rtl8139_rs
# kernels: stock debug
# modes: cplus classic
# append: swiotlb=force,track_hiwater
# full: yes
# timeout: 600
"""Memory that the card cannot reach: all that is lent to it is copied to and from where it can (as on a
machine with more memory than its IOMMU-less bus reaches, or with encrypted memory). A copy that is made at
the wrong time, or not at all, is a frame with other bytes."""

import cases
import lengths
import xdp
from nic import MODE, read


def copies():
    """How many pieces of memory are copied at this moment, and were at most."""
    folder = "/sys/kernel/debug/swiotlb"
    return int(read(f"{folder}/io_tlb_used")), int(read(f"{folder}/io_tlb_used_hiwater"))


def that_was_so(wire):
    """Nothing of it is left when the interface is down. The classic mode lends no memory."""
    used, _ = copies()
    wire.dut.set("down")
    after, most = copies()
    if MODE == "cplus":
        assert used >= 64, f"only {used} pieces of memory are bounced"
        assert after < used, (used, after)
    return f"{used} while the interface was up, {after} when it was down; {most} at most"


if __name__ == "__main__":
    CASES = [lengths.raw_frames_of_every_length_from_14_to_1514, lengths.every_mtu_carries_frames_of_its_length_both_ways]
    if MODE == "cplus":
        CASES += [xdp.pass_lets_all_through, xdp.drop_and_abort_leave_nothing, xdp.transmit_sends_back,
                  xdp.redirect_comes_back_by_another_door, xdp.a_program_moves_the_ends_of_a_frame,
                  xdp.a_short_frame_is_padded_when_it_is_sent, xdp.the_stack_goes_on_beside_it]
    cases.main(*CASES, that_was_so)
