#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# What a module calls through pointers is found in its code, whichever compiler made it, and a call that
# the list does not name is told, as is a line of the list that is of no call. The code is made up.
#
# kernels: stock
# timeout: 60
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import call_sites
import lib
import module_code
from call_sites import Pointer

CODE = """
0000000000000000 <one>:
       0:\tcall   5 <one+0x5>
\t\t\t1: R_X86_64_PLT32\tconsume_skb-0x4
       5:\tcs call b <one+0xb>
\t\t\t7: R_X86_64_PLT32\t__x86_indirect_thunk_r11-0x4
       b:\tjmp    10 <one+0x10>
\t\t\tc: R_X86_64_PLT32\t__x86_return_thunk-0x4
0000000000000010 <another>:
      10:\tcall   *0x48(%r12)
      15:\tcall   *%rbx
      17:\tjmp    *0x0(,%rax,8)
\t\t\t1a: R_X86_64_32S\t.rodata+0x10
      1e:\tjmp    *0x188(%rcx)
0000000000000030 <quiet>:
      30:\tcall   35 <quiet+0x5>
\t\t\t31: R_X86_64_PLT32\tconsume_skb-0x4
0000000000000040 <nobody_refers_to_it>:
      40:\tcall   *%rax
""".splitlines()
KNOWN = [Pointer("one", 1, "ops->first", "", "no answer"), Pointer("one|another", 3, "ops->second", "", "no answer")]


def made_up():
    module_code._disassembly = lambda _module: CODE  # pylint: disable=protected-access
    module_code.reached = lambda _module: {"one", "another", "quiet"}


def each_call_through_a_pointer_is_found():
    lib.equal({"one": 1, "another": 3}, dict(module_code.by_pointer("made_up")))


def a_list_that_knows_all():
    rows, unknown, gone = call_sites.by_pointer("made_up", KNOWN)
    lib.equal([("another", "ops->second"), ("one", "ops->first"), ("one", "ops->second")],
              [(caller, pointer.what) for caller, pointer in rows])
    lib.equal(([], []), (unknown, gone))


def what_the_list_does_not_know():
    _, unknown, _ = call_sites.by_pointer("made_up", KNOWN[:1])
    lib.equal(["another: 3 calls through pointers, of 0 it is known what they are"], unknown, "a function")
    _, unknown, _ = call_sites.by_pointer("made_up", [KNOWN[0], Pointer("another", 2, "ops->second", "", "")])
    lib.equal(["another: 3 calls through pointers, of 2 it is known what they are"], unknown, "a call more")


def what_is_there_no_more():
    _, _, gone = call_sites.by_pointer("made_up", [*KNOWN, Pointer("quiet", 1, "ops->third", "", "")])
    lib.equal(["ops->third in quiet"], gone)


def main():
    made_up()
    for function in (each_call_through_a_pointer_is_found, a_list_that_knows_all, what_the_list_does_not_know,
                     what_is_there_no_more):
        lib.case(function)


lib.main(main)
