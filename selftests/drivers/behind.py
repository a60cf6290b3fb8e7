# SPDX-License-Identifier: GPL-2.0
"""The card behind the driver's back, and the books that must balance whatever is done to it.

The card's registers are reached through its I/O BAR (nic.Card), which no driver uses here, and its ring in
memory through QEMU's qtest socket, so a test of this kind has the head line `# qtest: yes`.

    held = stage.collect(8, lambda headers: stage.forge(headers[3], length=0))
    assert held.whole() == 3         # those before it arrived
    stage.balanced(held)             # and the others were counted
    stage.works()

A frame in the ring has four bytes before it (status, length with check sequence), four of check
sequence behind it, and the next header is at a multiple of four.
"""

import contextlib
import dataclasses
import itertools
import struct
import time

from frames import Tap, flood, frame
from nic import SLOW, TALLY, SilentWire, lib, wait_for
import qtest

ETH_P_ALL = 3
RING = 32768
RBSTART, COMMAND, CAPR, CBR, IMR, ISR = 0x30, 0x37, 0x38, 0x3A, 0x3C, 0x3E
TX_CONFIG, RX_CONFIG = 0x40, 0x44
RECEIVER, TRANSMITTER = 0x08, 0x04
# Bits of the status in a header.
ROK, FAE, CRC, LONG, RUNT, ISE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


def stored(length):
    """How much of the ring a frame of this length takes (without its check sequence)."""
    return (length + 4 + 4 + 3) & ~3


@dataclasses.dataclass
class Header:
    """What stands in front of a frame in the ring."""
    offset: int
    status: int
    length: int


class Held:
    """Frames that were sent while the driver did not look, and what has become of them."""

    def __init__(self, before):
        self.before, self.sent, self.arrived, self.counted = before, [], [], {}

    def whole(self):
        """How many of the first frames arrived as they were sent, in their order."""
        count = 0
        for got, sent in zip(self.arrived, self.sent):
            if got != sent:
                break
            count += 1
        return count

    def moved(self):
        """The driver's counters that have moved."""
        return {key: value for key, value in self.counted.items() if value}

    def balance(self):
        """Bytes of the ring of which nothing is known: those that the card has stored, less those that
        were delivered and those that were counted as given up."""
        return (sum(stored(len(data)) for data in self.sent)
                - sum(stored(len(data)) for data in self.arrived)
                - self.counted["rx_discarded_bytes"])


class Stage(SilentWire):
    """The wire, the card's inside, and a tap at each end."""

    taps = ()

    def __enter__(self):
        super().__enter__()
        try:
            assert qtest.available(), "this VM has no qtest socket"
            self.memory = qtest.Qtest()
            self.taps = self.source, self.sink = Tap(self.peer, 0), Tap(self.dut, ETH_P_ALL)
            # What the driver has set, read while nothing makes it change that.
            self.mask = self.card.peek(IMR, 2)
            assert self.mask & 1, f"the card may not interrupt: {self.mask:#x}"
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        for tap in self.taps:
            tap.socket.close()
        super().close()

    def answers(self, address=None, wait=None):
        """Whether a frame that the peer sends is received."""
        data = frame(self.dut.mac, self.peer.mac, 99, 99)
        with Tap(self.peer, 0) as out, Tap(self.dut) as heard:
            for _ in range(5):
                out.send(data)
                if any(got == data for got, _ in heard.drain(0.05 * SLOW, 10)):
                    return True
        return False

    def works(self, seconds=20):
        """Frames of several lengths get through each way; the rest of the state is as it should be."""
        wait_for("a frame to be received again", self.answers, seconds)
        for to, of in ((self.dut, self.peer), (self.peer, self.dut)):
            with Tap(of, 0) as out, Tap(to) as heard:
                heard.drain(0.05)
                for length in (60, 61, 333, 1514):
                    data = frame(to.mac, of.mac, length, length)
                    def arrives(out=out, heard=heard, data=data):
                        out.send(data)
                        return any(got == data for got, _ in heard.drain(0.05 * SLOW, 50))
                    wait_for(f"{length} bytes to {to.name}", arrives, seconds)
        running = self.card.peek(COMMAND, 1) & (RECEIVER | TRANSMITTER)
        assert running == RECEIVER | TRANSMITTER, f"the command register is {running:#x}"

    def registers(self):
        """What the card says of itself, for a report."""
        card = self.card
        return ", ".join(f"{name} {card.peek(at, size):#x}" for name, at, size in (
            ("CR", COMMAND, 1), ("ISR", ISR, 2), ("IMR", IMR, 2), ("CAPR", CAPR, 2), ("CBR", CBR, 2),
            ("RCR", RX_CONFIG, 4), ("TCR", TX_CONFIG, 4), ("RBSTART", RBSTART, 4)))

    def counters(self):
        """What the driver counts, and not the chip by itself."""
        return {name: count for name, count in self.dut.ethtool_stats().items() if name not in TALLY}

    def present(self):
        """Whether the stack still has the card, which a driver can take away from it."""
        try:
            self.dut.ethtool_stats()
        except RuntimeError:
            return False
        return True

    def rebind(self):
        """The driver anew, on a card that it has given up."""
        self.sink.socket.close()
        self.card.unbind()
        self.card.bind(self.subject)
        self.quieten(self.dut)
        self.dut.set("up")
        self.sink = Tap(self.dut, ETH_P_ALL)
        self.taps = self.source, self.sink
        self.wait_link()

    # The ring.

    @property
    def position(self):
        """Where the card writes next."""
        return self.card.peek(CBR, 2) % RING

    def headers(self, start, end):
        """The chain of headers from one offset to another."""
        base, at, found = self.card.peek(RBSTART, 4), start, []
        behind = 2048 if end < start else 0
        # In two pieces if the chain goes round the end of the ring, behind which a frame may run on.
        pieces = [(start, RING + behind), (0, end)] if end < start else [(start, end)]
        memory = {begin: self.memory.read(base + begin, stop - begin) for begin, stop in pieces}
        while at != end:
            begin = start if start <= at else 0
            status, length = struct.unpack_from("<HH", memory[begin], at - begin)
            found.append(Header(at, status, length))
            assert 8 <= length < 2048, f"no header at {at:#x}: {found[-1]}"
            at = (at + stored(length - 4)) % RING
        return found

    def forge(self, header, status=None, length=None):
        """Changes a header in the ring, or a half of it."""
        status = header.status if status is None else status
        length = header.length if length is None else length
        ring = self.card.peek(RBSTART, 4)
        self.memory.write(ring + header.offset, struct.pack("<HH", status, length))

    def received(self):
        """How many frames the driver has received, right now."""
        return self.dut.counters()["rx_packets"]

    @contextlib.contextmanager
    def silent(self):
        """The card does not interrupt: the driver looks at it only by its clock, every 8 seconds."""
        def quiet():
            self.card.poke(IMR, 2, 0)
            before = self.received()
            time.sleep(0.02 * SLOW)
            return self.card.peek(IMR, 2) == 0 and self.received() == before
        try:
            wait_for("the driver to be quiet", quiet)
            yield
        finally:
            self.card.poke(IMR, 2, self.mask)

    def send(self, held, count, lengths):
        """Sends frames that differ from all others of this Held."""
        mac, peer_mac = self.dut.mac, self.peer.mac
        for length in itertools.islice(itertools.cycle(lengths), count):
            held.sent.append(frame(mac, peer_mac, length, len(held.sent) + 1))
            self.source.send(held.sent[-1])

    def collect(self, count, change, lengths=(300,), disturbs=False):
        """`count` frames are in the ring, `change(headers)` does something to them, and then the driver
        looks. Returns a Held. Done again when the driver's clock came in between; `disturbs` says that
        the driver may look during the change."""
        for _ in range(5):
            self.sink.drain(0.02 * SLOW)
            held = Held(self.counters())
            with self.silent():
                start, seen = self.position, self.received()
                self.send(held, count, lengths)
                end = (start + sum(stored(len(data)) for data in held.sent)) % RING
                wait_for("the frames to be in the ring",
                         lambda end=end: self.position == end or self.received() != seen)
                undisturbed = self.received() == seen
                if undisturbed:
                    change(self.headers(start, end))
                    undisturbed = disturbs or self.received() == seen
            self.look(held)
            if undisturbed:
                return held
        raise lib.Failure("precondition: the driver never leaves the ring alone")

    def look(self, held):
        """Adds what has arrived since."""
        held.arrived += [data for data, _ in self.sink.drain(0.04 * SLOW)]
        after = self.counters()
        held.counted = {key: after[key] - held.before[key] for key in after}

    def balanced(self, held, lengths=(300,)):
        """All that was sent has arrived or was counted, at the latest when more frames have come: a frame
        that claims to be longer than it is, up to 1800 bytes, waits for them."""
        for _ in range(20 + 1800 // stored(min(lengths))):
            if not held.balance():
                return
            self.send(held, 1, lengths)
            self.look(held)
        raise lib.Failure(f"{held.balance()} bytes of the ring are neither delivered nor counted: "
                          f"{[len(data) for data in held.arrived]}, {held.moved()}")


class Traffic:
    """Floods both ways at a pace that the wire keeps up with, and the books of them."""

    def __init__(self, stage, length=200, books=True):
        self.stage, self.length, self.keeps_books, self.workers = stage, length, books, []

    def books(self):
        """What was sent and received at both ends."""
        if not self.keeps_books:
            return {}
        peer, ours = self.stage.peer.ethtool_stats(), self.stage.dut.ethtool_stats()
        return {"peer": peer, "ours": ours, "dut": self.stage.dut.stats64()}

    def given_up(self):
        """How many frames the card had received and the driver has given up, by the bytes that it counts: those of
        the ring, or with descriptors those of the frames with their check sequence."""
        whole = stored(self.length) if self.stage.card.mode == "classic" else self.length + 4
        frames, rest = divmod(self.moved("ours", "rx_discarded_bytes"), whole)
        assert not rest, f"{rest} bytes are not whole frames"
        return frames

    def settle(self):
        """Until nothing moves any more."""
        def still():
            before = self.stage.dut.counters(), self.stage.peer.counters()
            time.sleep(0.15 * SLOW)
            return before == (self.stage.dut.counters(), self.stage.peer.counters())
        wait_for("the wire to be quiet", still)

    def __enter__(self):
        self.settle()
        self.before = self.books()
        dut, peer = self.stage.dut, self.stage.peer
        self.workers = [flood(peer, frame(dut.mac, peer.mac, self.length, 1), 0.002, 4),
                        flood(dut, frame(peer.mac, dut.mac, self.length, 2), 0.002, 4)]
        for worker in self.workers:
            worker.wait_started()
        return self

    def __exit__(self, kind, *_):
        for worker in self.workers:
            with contextlib.suppress(AssertionError) if kind else contextlib.nullcontext():
                worker.stop()
        if kind is None:
            self.settle()
            self.after = self.books()

    def moved(self, book, key):
        """By how much one of the counters has moved."""
        return self.after[book][key] - self.before[book][key]
