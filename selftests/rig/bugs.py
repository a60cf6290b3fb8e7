#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# What Documentation/bugs-of-the-c-drivers.md says of tests: each that it names exists, and each case that the
# C driver is known to fail is in it.
#
# kernels: stock
# timeout: 60
import ast
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import lib

TREE = os.path.dirname(lib.HERE)
DRIVERS = os.path.join(lib.HERE, "drivers")


def document():
    with open(f"{TREE}/Documentation/bugs-of-the-c-drivers.md", encoding="utf-8") as file:
        return file.read()


def named():
    """{(file, case)} of the document; no case where it names all of a file."""
    return set(re.findall(r"`((?:drivers|host)/[\w/]+\.\w+)(?:: ([^`]+))?`", document()))


def cases(path):
    """{case: whether it has `c_differs`} of a file of cases, as far as it runs them."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    mains = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func) == "cases.main"]
    runs = {name.id for call in mains for name in ast.walk(call) if isinstance(name, ast.Name)}
    return {body.name.replace("_", " "): any("c_differs" in ast.unparse(mark) for mark in body.decorator_list)
            for body in tree.body if isinstance(body, ast.FunctionDef) and body.name in runs}


def exists(file, case):
    """Whether there is such a test; in Rust, whether it is one."""
    folder, _, rest = file.partition("/")
    path = f"{DRIVERS}/{rest}" if folder == "drivers" else f"{lib.HERE}/host/src/{rest}"
    if not os.path.exists(path) or not case:
        return os.path.exists(path)
    if folder == "drivers":
        return case in cases(path)
    with open(path, encoding="utf-8") as file:
        return re.search(rf"#\[test\]\n(?:#.*\n)*fn {case}\(", file.read()) is not None


def each_test_that_is_named_exists():
    lib.require(len(named()) > 40, f"tests are named: {len(named())}")
    gone = [f"{file}: {case}" for file, case in sorted(named()) if not exists(file, case)]
    lib.equal([], gone, "named, and not there")


def each_case_that_a_c_driver_fails_is_named():
    marked = {(f"drivers/{os.path.basename(path)}", case) for path in glob.glob(f"{DRIVERS}/*.py")
              for case, differs in cases(path).items() if differs}
    lib.require(len(marked) > 20, f"cases are marked: {len(marked)}")
    lib.equal([], sorted(marked - named()), "marked with c_differs, and not named")


def what_is_said_to_fail_is_marked():
    """All that stands between `fails` and the next word in bold, or in the last table."""
    text = document()
    pieces = re.findall(r"\*\*fails\*\*(.*?)(?:\*\*|\n)", text.partition("\n## ")[2])
    pieces.append(text.rpartition("\n## ")[2])
    failed = [match for piece in pieces for match in re.findall(r"`drivers/([\w.]+): ([^`]+)`", piece)]
    lib.require(len(failed) > 20, f"cases are said to fail: {len(failed)}")
    lib.equal([], [one for one in failed if not cases(f"{DRIVERS}/{one[0]}").get(one[1])], "not marked")


def main():
    for case in (each_test_that_is_named_exists, each_case_that_a_c_driver_fails_is_named,
                 what_is_said_to_fail_is_marked):
        lib.case(case)


if __name__ == "__main__":
    lib.main(main)
