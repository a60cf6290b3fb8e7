# SPDX-License-Identifier: GPL-2.0
"""What the kernel holds at a moment: memory, objects in slabs, references, descriptors.

`sample(quiet=True)` is for a moment at which nothing of a storm is left: caches are emptied first, so that
the number of objects is that of those in use, and no page is counted that could be had back.
"""
import glob
import os
import re
import time

# Bytes, of /proc/meminfo. `Other` is what no counter of the kernel explains: pages that somebody has. The free
# pages that each CPU keeps for itself, some megabytes more or less, are no such pages, and are available.
MEMORY = ("MemAvailable", "Slab", "SUnreclaim", "Percpu", "VmallocUsed", "PageTables", "KernelStack")
EXPLAINED = ("MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "KernelStack", "PageTables",
             "Percpu", "SecPageTables")
# Objects: those of packets, sockets, devices, namespaces and files.
SLABS = ("skbuff_head_cache", "skbuff_small_head", "skbuff_fclone_cache", "skbuff_ext_cache",
         "sock_inode_cache", "filp", "dentry", "RPACKET", "PACKET", "net_namespace", "kmalloc-64",
         "kmalloc-128", "kmalloc-192", "kmalloc-256", "kmalloc-512", "kmalloc-1k", "kmalloc-2k",
         "kmalloc-4k", "kmalloc-8k")
REFERENCES = ("sockets_rpacket", "refcnt_rtl8139_rs", "refcnt_af_rpacket", "namespaces", "devices",
              "device_references", "descriptors")
COLUMNS = ("seconds", "round", "quiet", *MEMORY, "Other", *SLABS, *REFERENCES)


def meminfo():
    """/proc/meminfo, in bytes."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in file}


def kept_by_cpus():
    """Free pages that /proc/meminfo does not know of, in bytes."""
    pages = re.findall(r"^\s+count:\s+(\d+)$", read("/proc/zoneinfo"), re.MULTILINE)
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


def slabs():
    """Objects in use in each cache."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        rows = [line.split() for line in file if not line.startswith(("#", "slabinfo"))]
    found = dict.fromkeys(SLABS, 0)
    for name, used, *_ in rows:
        # Copies of a kmalloc cache for accounting, or at random, count with it.
        name = re.sub(r"^kmalloc-(?:cg|rnd-\d+)-", "kmalloc-", name)
        if name in found:
            found[name] += int(used)
    return found


def read(path, default=""):
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return default


def references():
    """What is referred to, and by how many."""
    protocols = {line.split()[0]: line.split()[2] for line in read("/proc/net/protocols").splitlines()}
    tracked = sum(int(number) for path in glob.glob("/sys/kernel/debug/ref_tracker/netdev@*")
                  for number in re.findall(r"has (\d+)/", read(path)))
    return {
        "sockets_rpacket": int(protocols.get("RPACKET", 0)),
        **{f"refcnt_{name}": int(read(f"/sys/module/{name}/refcnt", "0"))
           for name in ("rtl8139_rs", "af_rpacket")},
        "namespaces": len(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else 0,
        "devices": len(os.listdir("/sys/class/net")),
        "device_references": tracked,
        "descriptors": int(read("/proc/sys/fs/file-nr", "0").split()[0]),
    }


def settle():
    """Lets what is on its way to be freed be freed, and gives back what is kept for later."""
    for _ in range(3):
        time.sleep(0.5)
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3")
        for path in glob.glob("/sys/kernel/slab/*/shrink"):
            try:
                with open(path, "w", encoding="ascii") as file:
                    file.write("1")
            except OSError:
                pass  # The cache has gone.


def sample(quiet=False):
    """A row, without its time."""
    if quiet:
        settle()
    info = meminfo()
    kept = kept_by_cpus()
    info["MemAvailable"] += kept
    other = info["MemTotal"] - sum(info.get(name, 0) for name in EXPLAINED) - kept
    return {**{name: info.get(name, 0) for name in MEMORY}, "Other": other, **slabs(), **references()}
