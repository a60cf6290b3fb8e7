#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# A leak of ten packets in a second, while real storms blow: the soak says that the packets grow. It lasts
# as long as the criterion needs samples, so only the long run has it.
#
# full: yes
# kernels: stock
# machine: pc
# remaps: yes
# timeout: 1800
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import lib


def it_is_noticed():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([os.path.join(HERE, "..", "soak"), "--minutes", "7", "--round", "5", "--defect",
                               "slow-leak", folder], check=False, text=True, capture_output=True)
        lib.diag(done.stdout[-3000:] + done.stderr)
        lib.equal(0, done.returncode, "status of the storms, in which nothing was wrong")
        judged = subprocess.run([sys.executable, os.path.join(HERE, "../../scripts/soak_report.py"), folder],
                                check=False, text=True, capture_output=True)
        lib.diag(judged.stdout + judged.stderr)
        lib.equal(1, judged.returncode, "status of the judgement")
        if "grows: skbuff_head_cache" not in judged.stdout:
            raise lib.Failure("the packets do not grow")


lib.main(lambda: lib.case(it_is_noticed, name="a slow leak is noticed"))
