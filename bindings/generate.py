#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Generate raw bindings for what the `kernel` crate's own bindings lack.

`kernel::bindings` covers only what the `kernel` crate uses: `struct net_device` or `struct sock` are
opaque there, `struct packet_type` or `struct proto` do not exist. This script runs bindgen on our
header and blocks each type that `kernel::bindings` defines, so that a type has one definition and
pointers pass freely between the two sets.

Types that are opaque there but that we must look into are listed in the parameter file:

    #complete: net_device sock

They get a second, complete definition here, which shadows the opaque one.
"""

import argparse
import re
import shlex
import subprocess
import sys

# One command line argument may have at most 128 KiB on Linux.
MAX_ARGUMENT = 100_000

# Names that bindgen numbers anew in each run: those of another run mean something else.
NUMBERED = ("__Bindgen", "__Incomplete", "_bindgen_ty_")

HELPER_PREFIX = "rnet_helper_"


def defined_types(path):
    """Return the names of all types that the generated Rust file at `path` defines."""
    with open(path, encoding="utf-8") as file:
        names = re.findall(r"^ *pub (?:struct|union|type) (\w+)", file.read(), re.MULTILINE)
    return {name for name in names if not name.startswith(NUMBERED)}


def read_parameters(paths):
    """Return the bindgen options in the files at `paths`, and the types to complete."""
    options, complete = [], set()
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("#complete:"):
                    complete.update(line.split()[1:])
                elif not line.startswith("#"):
                    options += shlex.split(line)
    return options, complete


def block(names):
    """Return the options that keep bindgen from defining the types called `names`."""
    options, chunk = [], ""
    for name in sorted(names):
        if chunk and len(chunk) + len(name) > MAX_ARGUMENT:
            options += ["--blocklist-type", chunk]
            chunk = ""
        chunk += ("|" if chunk else "") + name
    return options + (["--blocklist-type", chunk] if chunk else [])


def name_helpers(text):
    """Let Rust call the C helper `rnet_helper_f` by the name of what it wraps, `f`."""
    return re.sub(
        rf"^( *)pub fn {HELPER_PREFIX}(\w+)",
        rf'\1#[link_name = "{HELPER_PREFIX}\2"]\n\1pub fn \2',
        text,
        flags=re.MULTILINE,
    )


def main():
    """Run bindgen as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bindgen", required=True, help="the bindgen program")
    parser.add_argument("--kernel", required=True, help="bindings_generated.rs of the kernel")
    parser.add_argument("--parameters", required=True, nargs="+", help="files of bindgen options")
    parser.add_argument("--output", required=True)
    parser.add_argument("header")
    parser.add_argument("cflags", nargs="*", help="compiler flags, after --")
    args = parser.parse_args()

    options, complete = read_parameters(args.parameters)
    command = [args.bindgen, args.header, *options, *block(defined_types(args.kernel) - complete)]
    # The options that the kernel's own rule gives to bindgen, but for the layout tests: it goes without
    # them, while here they check each type against C when the module is compiled.
    command += ["--rust-target", "1.85", "--use-core", "--with-derive-default"]
    command += ["--ctypes-prefix", "ffi", "--no-debug", ".*"]
    command += ["--enable-function-attribute-detection"]
    result = subprocess.run(
        [*command, "--", *args.cflags], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if result.returncode:
        sys.exit(f"{args.output}: bindgen failed")

    with open(args.output, "w", encoding="utf-8") as file:
        file.write(name_helpers(result.stdout))


if __name__ == "__main__":
    main()
