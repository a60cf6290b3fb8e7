# SPDX-License-Identifier: GPL-2.0
"""A VM that can go to sleep (ACPI S3), for scripts/vm.py: its image, its QEMU, and who wakes it.

The root of the other VMs is a file system of the host's, whose transport does not survive a sleep. So
all of this one is in an initramfs: what the build root has of programs, the tree's selftests, and the
modules. What is written to build/ stays in the guest, but for what is appended to the journal of results.
"""
import glob
import os
import subprocess
import threading
import time

TREE = "/rpacket"
JOURNAL = f"{TREE}/build/results/vm.jsonl"
# The serial lines of the guest, after the console's, and their interrupts (scripts/guest/ports has the same
# table): QEMU's ports of virtio, which the other VMs have, no longer work after a sleep. The guest asks for
# messages of the host's that wait, before it has buffers for the answers (virtcons_restore()).
LINES = {"output": (1, 3), "beat": (2, 5), "qmp": (3, 7)}

PROGRAMS = ("bash", "busybox", "date", "ethtool", "ip", "kmod", "mountpoint", "ping", "python3")
KMOD = ("insmod", "lsmod", "modprobe", "rmmod")
PYTHON = "/usr/lib/python3.13"
# Two thirds of Python, which no test imports.
NOT_IMPORTED = {"__pycache__", "_pyrepl", "asyncio", "email", "ensurepip", "html", "http", "idlelib", "pydoc_data",
                "test", "unittest", "venv", "wsgiref", "xml", "xmlrpc", "turtle.py"}
EXTENSIONS = ("_ctypes", "_contextvars", "_multiprocessing", "_posixshmem", "_queue", "mmap", "resource", "termios")
# What tests load that is the kernel's own.
MODULES = ("8139cp", "8139too", "af_packet", "e1000")
FOLDERS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "var/tmp", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin",
           "usr/local/bin", "rpacket/build/results")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}


class Archive:
    """An archive that the kernel unpacks as its first root (cpio, newc)."""

    def __init__(self, file):
        self.file, self.number, self.known = file, 0, {""}

    def _entry(self, path, mode, data):
        path = path.strip("/")
        if path in self.known:
            return
        self.known.add(path)
        self.folder(os.path.dirname(path))
        self.number += 1
        name = path.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        for part in (head, data):
            self.file.write(part + bytes(-len(part) % 4))

    def folder(self, path):
        self._entry(path, 0o40755, b"")

    def link(self, path, target):
        self._entry(path, 0o120777, target.encode())

    def text(self, path, content):
        self._entry(path, 0o100644, content)

    def copy(self, source, path=None):
        """A file, under its own name; or what a link names, under the link's."""
        with open(source, "rb") as file:
            mode = 0o100755 if os.access(source, os.X_OK) else 0o100644
            self._entry(self.real(path or source), mode, file.read())

    @staticmethod
    def real(path):
        """Where a path is when /bin and its like are links."""
        first, _, rest = path.strip("/").partition("/")
        return f"{LINKS.get(first, first)}/{rest}"

    def close(self):
        self._entry("TRAILER!!!", 0, b"")


def libraries(files):
    """What the loader will ask for, of programs and libraries."""
    # Its status tells of those that need none.
    said = subprocess.run(["ldd", *files], check=False, capture_output=True, text=True).stdout
    return sorted({word for line in said.splitlines() for word in line.split()
                   if word.startswith("/") and not word.endswith(":")})


def add_programs(archive):
    programs = [f"/usr/{folder}/{name}" for name in PROGRAMS for folder in ("bin", "sbin")
                if os.path.exists(f"/usr/{folder}/{name}")]
    extensions = [path for name in EXTENSIONS for path in glob.glob(f"{PYTHON}/lib-dynload/{name}.*.so")]
    # Programs open these by themselves: kmod, for compressed modules, and a thread that ends.
    opened = [f"/usr/lib/x86_64-linux-gnu/{name}" for name in ("liblzma.so.5", "libgcc_s.so.1")]
    for path in [*programs, *extensions, *opened, *libraries([*programs, *extensions, *opened])]:
        archive.copy(path)
    for name in KMOD:
        archive.link(f"usr/sbin/{name}", "/usr/bin/kmod")
    archive.link("usr/bin/sh", "bash")
    for path in glob.glob("/usr/lib/locale/C.utf8/**", recursive=True):
        if os.path.isfile(path):
            archive.copy(path)


def add_python(archive):
    """Its library; compiled where the root has that, since a guest without KVM is slow at it."""
    for folder, folders, files in os.walk(PYTHON):
        folders[:] = [name for name in folders if name not in NOT_IMPORTED and name != "lib-dynload"]
        for name in files:
            compiled = f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-313.pyc"
            if name in NOT_IMPORTED or not name.endswith(".py"):
                continue
            if os.path.exists(compiled):
                # In the source's place nobody asks whether that is older.
                archive.copy(compiled, f"{folder}/{name}c")
            else:
                archive.copy(f"{folder}/{name}")


def add_modules(archive, image, kernel):
    """Those of the kernel with what finds them; ours, and those of the tests."""
    source = os.path.dirname(image)
    place = f"usr/lib/modules/{os.path.basename(source)}"
    for path in glob.glob(f"{source}/modules.*"):
        archive.copy(path, f"{place}/{os.path.basename(path)}")
    with open(f"{source}/modules.dep", encoding="ascii") as file:
        for line in file:
            module, _, needs = line.partition(":")
            if os.path.basename(module).split(".")[0] in MODULES:
                for path in (module, *needs.split()):
                    archive.copy(f"{source}/{path}", f"{place}/{path}")
    for path in glob.glob(f"{TREE}/build/{kernel}*/*.ko"):
        if path.split("/")[-2] in (kernel, f"{kernel}-tests"):
            archive.copy(path)


def make_image(path, kernel_image, kernel, folder):
    """The initramfs for a command that is in the folder."""
    with open(path, "wb") as file:
        archive = Archive(file)
        for name in FOLDERS:
            archive.folder(name)
        for name, target in LINKS.items():
            archive.link(name, target)
        archive.copy(f"{TREE}/scripts/guest/init", "init")
        archive.text("etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n")
        archive.link(JOURNAL, "/dev/virtio-ports/rpacket.beat")
        for name in ("command", "environment"):
            archive.copy(f"{folder}/{name}")
        for root in (f"{TREE}/scripts/guest", f"{TREE}/selftests"):
            for where, folders, files in os.walk(root):
                folders[:] = [name for name in folders if name not in ("__pycache__", "host", "target")]
                for name in files:
                    archive.copy(f"{where}/{name}")
        add_programs(archive)
        add_python(archive)
        add_modules(archive, kernel_image, kernel)
        archive.close()


def port(name):
    """The device of QEMU's for one of the lines."""
    index, interrupt = LINES[name]
    return f"isa-serial,index={index},irq={interrupt},chardev=rp-{name}"


def journal(line):
    """Keeps what the guest says of its results."""
    with open(JOURNAL, "ab") as file:
        file.write(line)


def command(options, guest, kvm, image, kernel_arguments, qemu_options):
    """The command line of QEMU."""
    initramfs = f"{guest.sockets}/initramfs"
    make_image(initramfs, image, options.kernel, guest.folder)
    os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-accel", "kvm" if kvm else "tcg", "-cpu", "host" if kvm else "max",
        "-smp", str(options.cpus), "-m", options.memory,
        "-global", "PIIX4_PM.disable_s3=0",
        "-kernel", image, "-initrd", initramfs,
        "-append", " ".join(["console=ttyS0", *kernel_arguments, f"rpacket_state={guest.folder}"]),
        "-chardev", "file,id=console,path=/dev/stderr", "-serial", "chardev:console",
        "-chardev", "file,id=rp-output,path=/dev/stdout", "-device", port("output"),
        *qemu_options,
    ]


class Waker:
    """Wakes the VM whenever it sleeps, as a key of its keyboard would."""

    def __init__(self, qmp):
        self.qmp, self.sleeps = qmp, 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            time.sleep(0.2)
            answer = self.qmp.command({"execute": "query-status"})
            if "error" in answer and self.qmp.ready.is_set():
                return  # QEMU has ended.
            if answer.get("return", {}).get("status") == "suspended":
                # First: the guest may ask as soon as it is awake.
                self.sleeps += 1
                self.qmp.command({"execute": "system_wakeup"})
