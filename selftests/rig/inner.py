# SPDX-License-Identifier: GPL-2.0
"""A small bad test, and what the runner makes of it."""
import json
import os
import subprocess
import tempfile

import lib

RUN = os.path.join(lib.HERE, "run")


def verdict(body, status, expected, *options):
    """Runs the test; the runner must end with the status (or one of them), and give these results."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/rig/bad.sh"
        os.mkdir(f"{folder}/rig")
        head, _, rest = body.partition("\n") if body.startswith("#") else ("", "", body)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/bash\n{head}\n\n{rest}\n")
        os.chmod(path, 0o755)
        subject = ":8139cp" if "8139cp" in head else ""
        done = subprocess.run([RUN, *options, "--results", f"{folder}/results", path + subject], text=True,
                              check=False, capture_output=True, timeout=60 * lib.SLOW)
        with open(f"{folder}/results", encoding="utf-8") as file:
            results = [event for event in map(json.loads, file) if event["event"] == "result"]
    try:
        statuses = status if isinstance(status, tuple) else (status,)
        if done.returncode not in statuses:
            raise lib.Failure(f"exit status of the runner: {done.returncode}, not {status}")
        for result, part in expected:
            if not any(event["result"] == result and part in event["test"] + event["reason"]
                       for event in results):
                raise lib.Failure(f"no {result} with {part!r}")
    except lib.Failure:
        lib.diag(done.stdout + done.stderr)
        raise
    finally:
        subprocess.run(["ip", "link", "del", "forgotten"], check=False, capture_output=True)
