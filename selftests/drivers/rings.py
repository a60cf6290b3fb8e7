# SPDX-License-Identifier: GPL-2.0
"""The descriptors of the C+ mode in memory, behind the driver's back: beside behind.py, and like it by QEMU's
qtest socket.

    ring = rings.receive(stage)
    ring.change(ring.done()[3], set=rings.BAD | rings.CRC)

A descriptor is four words: a command that becomes a status, one with the VLAN tag, and an address."""

import struct

TX_RING, RX_RING = 0x20, 0xE4  # registers with their addresses
TX_POLL, NORMAL = 0xD9, 0x40  # a write of the bit has the card look at the transmit descriptors
OWN, END, FIRST, LAST = 1 << 31, 1 << 30, 1 << 29, 1 << 28
LEN, MOST = 16, 64
# In the status of a received frame.
FRAME_ERROR, FIFO, TOO_LONG, BAD, RUNT, CRC, RX_SIZE = 1 << 27, 1 << 22, 1 << 21, 1 << 20, 1 << 19, 1 << 18, 0x1FFF
# In that of a sent one.
UNDERRUN, ERRORS, LATE, NO_CARRIER, ABORTED, TX_SIZE = 1 << 25, 1 << 23, 1 << 22, 1 << 21, 1 << 20, 0xFFFF


class Ring:
    """A ring, as it is in memory at the moment."""

    def __init__(self, stage, register):
        self.memory = stage.memory
        self.base = stage.card.peek(register, 4) | stage.card.peek(register + 4, 4) << 32

    def statuses(self):
        """The first words, in the order of memory."""
        words = [word for word, _, _ in struct.iter_unpack("<IIQ", self.memory.read(self.base, LEN * MOST))]
        # A transmit ring shows its end when its last descriptor was used for the first time.
        end = next((at for at, word in enumerate(words) if word & END), MOST - 1)
        return words[:end + 1]

    def done(self):
        """The descriptors that the card is done with, in its order."""
        words = self.statuses()
        ours = [not word & OWN for word in words]
        # It begins behind one that is the card's.
        first = next((at for at in range(len(words)) if ours[at] and not ours[at - 1]), 0)
        return [at for at in (*range(first, len(words)), *range(first)) if ours[at]]

    def change(self, at, clear=0, set=0):  # pylint: disable=redefined-builtin
        """Changes bits of the first word."""
        self.write(at, self.statuses()[at] & ~clear | set)

    def write(self, at, status):
        """Writes the first word, but for the end of the ring, which is where it is."""
        end = self.statuses()[at] & END
        self.memory.write(self.base + LEN * at, struct.pack("<I", status & ~END | end))

    def write_extra(self, at, extra):
        """Writes the second word."""
        self.memory.write(self.base + LEN * at + 4, struct.pack("<I", extra))


def receive(stage):
    """The receive ring."""
    return Ring(stage, RX_RING)


def transmit(stage):
    """The transmit ring."""
    return Ring(stage, TX_RING)
