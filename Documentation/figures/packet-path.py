#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Draw the way of a packet through this tree: packet-path.svg, the picture in the README.

usage: packet-path.py           write packet-path.svg beside this script
       packet-path.py --check   fail if it differs, or if a file named in it does not exist
"""

import pathlib
import sys
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
OUTPUT = HERE / "packet-path.svg"

# Kinds of box: fill and edge.
KINDS = {
    "world": ("#f5f5f5", "#757575", "outside the kernel"),
    "driver": ("#e3f2e6", "#2e7d32", "rtl8139_rs.ko"),
    "core": ("#eceff4", "#5c6b7a", "the kernel's own C code"),
    "family": ("#e2ecfb", "#1f5fb4", "af_rpacket.ko"),
}

# One lane a direction, in the order in which a packet moves: (kind, what happens, file, function).
LANES = [
    (
        "Receive",
        [
            ("world", "wire, RTL8139", None, "DMA into a buffer, INTx"),
            ("driver", "interrupt", "rtl8139_rs/nic.rs", "interrupt()"),
            ("driver", "NAPI poll", "rtl8139_rs/cplus_rx.rs", "receive()"),
            ("core", "napi_gro_receive()", None, "GRO, ptype lists"),
            ("family", "hook, filter, queue", "af_rpacket/hook.rs", "receive()"),
            ("family", "system call", "af_rpacket/recv.rs", "recvmsg()"),
            ("world", "rpsniff", "rpsniff/src/run.rs", "prints, pcapng"),
        ],
    ),
    (
        "Send",
        [
            ("world", "a program", None, "sendmsg()"),
            ("family", "system call", "af_rpacket/send.rs", "sendmsg()"),
            ("core", "dev_queue_xmit()", None, "queueing discipline"),
            ("driver", "transmit ring", "rtl8139_rs/cplus_tx.rs", "send()"),
            ("world", "RTL8139, wire", None, "doorbell, DMA"),
        ],
    ),
]

BOX_WIDTH, BOX_HEIGHT, GAP, MARGIN = 158, 76, 22, 16
LANE_HEIGHT, TITLE_HEIGHT = 92, 26


def text(x, y, words, size=12, extra=""):
    """Return one line of text, centred on `x`."""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="middle" {extra}>'
        f"{escape(words)}</text>"
    )


def box(x, y, step):
    """Return one step: what happens, and where in the tree."""
    kind, what, file, function = step
    fill, edge, _ = KINDS[kind]
    middle = x + BOX_WIDTH // 2
    lines = [
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>',
        text(middle, y + 22, what, 13, 'font-weight="bold"'),
    ]
    if file:
        lines.append(text(middle, y + 43, file, 11, 'font-family="monospace"'))
    lines.append(text(middle, y + (62 if file else 48), function, 10.5, 'fill="#333"'))
    return lines


def arrow(x, y):
    """Return the arrow from one box to the next."""
    return [
        f'<line x1="{x + 2}" y1="{y}" x2="{x + GAP - 5}" y2="{y}" stroke="#444" '
        'stroke-width="1.5" marker-end="url(#head)"/>'
    ]


def draw():
    """Return the whole picture."""
    longest = max(len(steps) for _, steps in LANES)
    width = 2 * MARGIN + longest * BOX_WIDTH + (longest - 1) * GAP
    height = 2 * MARGIN + len(LANES) * (LANE_HEIGHT + TITLE_HEIGHT) - 12
    out = [
        "<!-- SPDX-License-Identifier: GPL-2.0 -->",
        "<!-- Made by packet-path.py. -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    y = MARGIN
    for title, steps in LANES:
        out.append(
            f'<text x="{MARGIN}" y="{y + 17}" font-size="15" font-weight="bold">'
            f"{escape(title)}</text>"
        )
        y += TITLE_HEIGHT
        x = MARGIN
        for number, step in enumerate(steps):
            if number:
                out += arrow(x - GAP, y + BOX_HEIGHT // 2)
            out += box(x, y, step)
            x += BOX_WIDTH + GAP
        y += LANE_HEIGHT
    # The legend stands where the shorter lane leaves room.
    x = width - MARGIN - 2 * BOX_WIDTH
    y -= LANE_HEIGHT + 2
    for fill, edge, name in KINDS.values():
        out.append(
            f'<rect x="{x}" y="{y}" width="14" height="14" rx="3" fill="{fill}" '
            f'stroke="{edge}" stroke-width="1.5"/>'
        )
        out.append(f'<text x="{x + 22}" y="{y + 11}" font-size="12">{escape(name)}</text>')
        y += 21
    out.append("</svg>")
    return "\n".join(out) + "\n"


def main():
    """Write or check the picture."""
    missing = [
        file for _, steps in LANES for _, _, file, _ in steps if file and not (TREE / file).exists()
    ]
    if missing:
        sys.exit(f"packet-path.py: the picture names files that do not exist: {' '.join(missing)}")
    picture = draw()
    if sys.argv[1:] == ["--check"]:
        if not OUTPUT.exists() or OUTPUT.read_text(encoding="utf-8") != picture:
            sys.exit("packet-path.py: packet-path.svg is out of date: run the script")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        OUTPUT.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
