# SPDX-License-Identifier: GPL-2.0
"""The VM's memory and registers from outside: QEMU's qtest protocol beside the running guest.

What is written here is not seen by the kernel as its own: memory changes under a driver's eyes, as if
a device had written it. Only in a VM that was started with `scripts/vm --qtest`, which is what the
head line `# qtest: yes` of a test asks for. Addresses are physical ones, as devices see them.

    memory = qtest.Qtest()
    header = memory.read(ring, 4)
    memory.write(ring, b"\\0\\0\\0\\0")
"""
import fcntl
import os

PORT = "/dev/virtio-ports/rpacket.qtest"
LOCK = "/run/qtest.lock"
LIMIT = 2048  # bytes in one command, so that its line stays short


class Error(Exception):
    """QEMU has refused a command."""


def available():
    """Whether this VM has the port."""
    return os.path.exists(PORT)


class Qtest:
    """One command at a time; others wait."""

    def command(self, line):
        """Gives QEMU a line; returns the words of its answer after OK."""
        with open(LOCK, "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with open(PORT, "r+b", buffering=0) as port:
                port.write(line.encode("ascii") + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    part = port.read(4096)
                    if not part:
                        raise Error(f"{line.split()[0]}: the port was closed")
                    answer += part
        words = answer.decode("ascii").split()
        if words[:1] != ["OK"]:
            raise Error(f"{line[:60]}: {answer.decode('ascii').strip()}")
        return words[1:]

    def read(self, address, length):
        """Bytes of the guest's memory."""
        data = b""
        while len(data) < length:
            size = min(LIMIT, length - len(data))
            data += bytes.fromhex(self.command(f"read {address + len(data):#x} {size:#x}")[0][2:])
        return data

    def write(self, address, data):
        """Changes the guest's memory."""
        for at in range(0, len(data), LIMIT):
            part = data[at:at + LIMIT]
            self.command(f"write {address + at:#x} {len(part):#x} 0x{part.hex()}")

    def peek(self, address, width):
        """A register in memory space, of 1, 2 or 4 bytes."""
        return int(self.command(f"read{'bwl'[width // 2]} {address:#x}")[0], 16)

    def poke(self, address, width, value):
        """Writes such a register."""
        self.command(f"write{'bwl'[width // 2]} {address:#x} {value:#x}")
