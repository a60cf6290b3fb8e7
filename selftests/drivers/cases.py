# SPDX-License-Identifier: GPL-2.0
"""How the files here run their cases: on one wire, one after the other, each a KTAP result."""

import functools

from nic import OURS, SUBJECT, Wire, lib


def c_differs(reason):
    """Marks a case that the C driver is known to fail, and says what it does instead.

    When the C driver runs and fails such a case, the reason stands in the result. All of them are in
    Documentation/bugs-of-the-c-drivers.md."""
    def mark(case):
        @functools.wraps(case)
        def run(*arguments):
            try:
                return case(*arguments)
            except Exception as error:  # pylint: disable=broad-exception-caught
                if SUBJECT == OURS or isinstance(error, lib.Skip):
                    raise
                lib.diag(f"{type(error).__name__}: {error}")
                raise lib.Failure(f"{SUBJECT} differs: {reason}") from error
        return run
    return mark


def main(*functions, wire=Wire):
    """Run the cases, each with the wire as its argument; what a case returns is printed."""
    def body():
        with wire() as world:
            for case in functions:
                notes = []
                lib.case(lambda: notes.append(case(world)),  # pylint: disable=cell-var-from-loop
                         name=case.__name__.replace("_", " "))
                for note in filter(None, notes):
                    lib.diag(note)

    lib.main(body)
