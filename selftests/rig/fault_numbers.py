#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# Which number a fault gets (fault_injection.Numbers): each place on a way is met, also when now and then
# the kernel fills a stock there, which puts off all that comes after. The ways are made up.
#
# kernels: stock
# timeout: 60
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib
from fault_injection import LIMIT, TRIES, Numbers
from lib import equal


class Frame(str):
    """A function in a stack."""

    offset = 0


def place(name):
    return [Frame("__kmalloc_noprof"), Frame(name), Frame("our_code")]


PLACES = ("open", "register", "request_irq", "napi_enable")
STOCKS = ("allocate_slab", "refill_objects")


def faults(way, tries=LIMIT):
    """Where a fault is made in each try, until one has passed without. `way` is asked for what the kernel
    allocates in a try, which it tells by its number."""
    numbers, met = Numbers(), []
    for attempt in range(tries):
        names = way(attempt)
        if numbers.number > len(names):
            return met
        met.append(names[numbers.number - 1])
        numbers.after(place(met[-1]))
    raise lib.Failure(f"no end after {tries} tries: {met[:20]}")


def each_place_is_met_once_if_nothing_comes_between():
    equal(list(PLACES), faults(lambda _: PLACES))


def a_stock_that_is_filled_once_hides_no_place():
    # At each try that there is, before each place, by one allocation or two.
    for attempt, before, many in itertools.product(range(len(PLACES)), range(len(PLACES)), (1, 2)):
        def way(number, attempt=attempt, before=before, many=many):
            stock = STOCKS[:many] if number == attempt else ()
            return (*PLACES[:before], *stock, *PLACES[before:])
        met = faults(way)
        if not set(PLACES) <= set(met):
            raise lib.Failure(f"filled by {many} before {PLACES[before]} at try {attempt}: only {met}")


def what_is_always_there_has_its_turn_and_an_end():
    # A stock that is filled each time, and one function that allocates in a loop.
    names = ("open", "allocate_slab", "register", "register", "register", "napi_enable")
    met = faults(lambda _: names)
    equal({name: TRIES if name == "allocate_slab" else 1 for name in set(names) - {"register"}},
          {name: met.count(name) for name in set(names) - {"register"}}, "how often")
    equal(1 + 2 * TRIES, met.count("register"), "the first, and the two that look the same")


def main():
    for function in (each_place_is_met_once_if_nothing_comes_between,
                     a_stock_that_is_filled_once_hides_no_place,
                     what_is_always_there_has_its_turn_and_an_end):
        lib.case(function)


lib.main(main)
