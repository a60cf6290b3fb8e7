# SPDX-License-Identifier: GPL-2.0
"""Small bad tests, and what the runner makes of them."""
import itertools
import json
import os
import subprocess
import tempfile

import lib

RUN = os.path.join(lib.HERE, "run")
# Loads the module that commits a defect.
DEFECT = f"insmod {lib.MODULES}-tests/defect.ko"


def run(tests, *options):
    """One run of the runner over these tests, name: body, in their order; what it printed, its exit
    status, and {name: the events of its results}, those of a scan for leaks with the last test's."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        os.mkdir(f"{folder}/rig")
        for name, body in tests.items():
            path = f"{folder}/rig/{name}.sh"
            head = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), body.split("\n")))
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/bash\n{head}\n\n{body}\n")
            os.chmod(path, 0o755)
            paths[path + (":8139cp" if "8139cp" in head else "")] = name
        done = subprocess.run([RUN, *options, "--results", f"{folder}/results", *paths], text=True,
                              check=False, capture_output=True,
                              timeout=(60 + 30 * len(tests)) * lib.SLOW)
        results, name = {name: [] for name in tests}, None
        with open(f"{folder}/results", encoding="utf-8") as file:
            for event in map(json.loads, file):
                if event["event"] == "begin":
                    name = os.path.basename(event["file"]).removesuffix(".sh")
                elif event["event"] == "result":
                    results[name].append(event)
    return done.stdout + done.stderr, done.returncode, results


def among(results, expected):
    """Each expected (result, part of the name or reason) must be there."""
    for result, part in expected:
        if not any(event["result"] == result and part in event["test"] + event["reason"]
                   for event in results):
            raise lib.Failure(f"no {result} with {part!r}")


def verdict(body, status, expected, *options):
    """Runs one test; the runner must end with the status, and give these results."""
    output, returned, results = run({"bad": body}, *options)
    try:
        lib.equal(status, returned, "exit status of the runner")
        among(results["bad"], expected)
    except lib.Failure:
        lib.diag(output)
        raise
    finally:
        subprocess.run(["ip", "link", "del", "forgotten"], check=False, capture_output=True)
