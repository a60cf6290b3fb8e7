# SPDX-License-Identifier: GPL-2.0
"""The kernel log: what in it tells of a defect."""
import os
import re
import threading
import time

GUILTY = re.compile(
    r"WARNING:|BUG:|kernel BUG|Oops|KASAN|KFENCE|UBSAN|KMSAN|refcount_t|ref_tracker|"
    r"unregister_netdevice: waiting|INFO: (task|rcu|trying|suspicious)|rcu: INFO|"
    r"(soft|hard) lockup|detected stalls?|blocked for more than|DMA-API|ODEBUG|"
    r"scheduling while atomic|sleeping function|suspicious RCU|bad unlock balance|"
    r"possible (circular|recursive|irq|unsafe)|inconsistent lock state|lock held when returning|"
    r"held lock freed|nobody cared|NETDEV WATCHDOG|list_(add|del) corruption|"
    r"general protection|page allocation failure|Bad page|bad page state|unreferenced object|"
    r"memory leak|new suspected memory leaks|Call Trace:|cut here|still has locks|"
    r"Slab cache still has objects|kmem_cache_destroy|Objects remaining|rust_kernel: panicked|"
    r"panicked at|Unable to handle|segfault at [0-9a-f]+ ip |traps: \S+\[\d+\] "
)
# What the first process of the VM writes there: it misses programs that it does not need.
OF_INIT = re.compile(r"^\[ *[\d.]+\] virtme-ng-init: ")
# What the debug kernel says of its own instruments when it boots.
AT_BOOT = re.compile(r"DMA-API: (preallocated|debugging enabled)|kmemleak: Kernel memory leak detector")
# What the runner writes there when it begins with a test.
BEGIN = "rpacket: begin "


class KernelLog:
    """Everything that the kernel logs from now on; or from its boot on, what it still has of that."""

    def __init__(self, from_boot=False):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_SET if from_boot else os.SEEK_END)
        self.lines = []
        self.lock = threading.Lock()

    def collect(self):
        """Reads what there is; keeps the lines with their continuation lines."""
        with self.lock:
            while True:
                try:
                    record = os.read(self.fd, 8192).decode(errors="replace")
                except BlockingIOError:
                    return
                except BrokenPipeError:
                    self.lines.append("WARNING: the kernel logged faster than it could be read")
                    continue
                head, _, text = record.partition(";")
                stamp = int(head.split(",")[2]) / 1e6
                self.lines.append(f"[{stamp:12.6f}] {text.splitlines()[0] if text else ''}")

    def keep_reading(self):
        def run():
            while True:
                self.collect()
                time.sleep(0.2)
        threading.Thread(target=run, daemon=True).start()

    def take(self):
        self.collect()
        with self.lock:
            taken, self.lines = self.lines, []
        return taken


def guilty_lines(lines, allowed):
    """The lines from the first guilty one on, with a few before it; empty when there is none."""
    for i, line in enumerate(lines):
        if GUILTY.search(line) and not OF_INIT.search(line) and not (allowed and allowed.search(line)):
            return lines[max(0, i - 2):i + 60]
    return []
