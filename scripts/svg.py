# SPDX-License-Identifier: GPL-2.0
"""Line plots as SVG, and a page of them as HTML: one file, no script, nothing to fetch.

    plot = svg.Plot("Loss", x="frames per second", y="percent")
    plot.line("rtl8139_rs", [(1000, 0), (2000, 0.1)])
    plot.line("8139cp", [(1000, 0), (2000, 0.4)])
    plot.mark(1500, "what the wire carries")
    page = svg.page("Measurements", ["<p>...</p>", plot.svg()])

Points that do not exist are left out, and `None` as the y of a point makes a gap. `Plot(zero=True)` has 0
on the y axis; `logx=True` is for sizes and rates. Text is escaped here.
"""
import html
import math

# Told apart with colour-blind eyes too, and on paper by the dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#666666")
DASHES = ("", "6 3", "2 2", "8 3 2 3")
LEFT, RIGHT, TOP, BOTTOM, ROW = 70, 16, 30, 44, 15

STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { border: 1px solid #ccc; padding: 0.2em 0.6em; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #b00020; font-weight: bold; }
svg { max-width: 100%; height: auto; display: block; margin: 1em 0; }
"""


def ticks(low, high, about=5):
    """Round numbers from low to high, in steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / about))
    step *= next((factor for factor in (1, 2, 5, 10) if span / (step * factor) <= about), 10)
    first = math.ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(int(math.floor(high / step + 1e-9)) - first + 1)]


def number(value):
    """A number for an axis: as short as it can be said, thousands as k, M, G. Nothing for an infinite one."""
    if not math.isfinite(value):
        return ""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.6g}{suffix}"
    return f"{value:.6g}"


class Plot:
    """Lines over one pair of axes."""

    def __init__(self, title, x="", y="", width=760, height=260, zero=False, logx=False):
        self.title, self.x, self.y = title, x, y
        self.width, self.height, self.zero, self.logx = width, height, zero, logx
        self.lines, self.bands, self.marks = [], [], []

    def line(self, name, points, dots=False):
        """A line through (x, y) points, in this order; `dots` shows each point as well."""
        self.lines.append((name, [p for p in points if p[0] is not None], dots))

    def band(self, name, points):
        """The spread of the line of that name: (x, low, high) points."""
        self.bands.append((name, points))

    def mark(self, x, text=""):
        """A vertical line at x."""
        self.marks.append((x, text))

    def _ranges(self):
        xs = [p[0] for _, points, _ in self.lines for p in points] + [x for x, _ in self.marks]
        ys = [p[1] for _, points, _ in self.lines for p in points if p[1] is not None]
        ys += [y for _, points in self.bands for p in points for y in p[1:]]
        if not xs or not ys:
            return None
        low, high = min(ys), max(ys)
        if self.zero:
            low, high = min(low, 0), max(high, 0)
        if low == high:
            low, high = (low - abs(low) * 0.1 - 0.5, high + abs(high) * 0.1 + 0.5)
        room = (high - low) * 0.05
        return min(xs), max(xs), low if self.zero and low == 0 else low - room, high + room

    def _scales(self, ranges, bottom):
        x0, x1, y0, y1 = ranges
        turn = math.log10 if self.logx else float
        x0, x1 = turn(x0), turn(x1)
        wide = (self.width - LEFT - RIGHT) / ((x1 - x0) or 1)
        tall = (bottom - TOP) / (y1 - y0)
        return (lambda x: round(LEFT + (turn(x) - x0) * wide, 1),
                lambda y: round(bottom - (y - y0) * tall, 1))

    def _x_ticks(self, x0, x1):
        if not self.logx:
            return ticks(x0, x1, 8)
        found = [factor * 10.0 ** power
                 for power in range(math.floor(math.log10(x0)), math.ceil(math.log10(x1)) + 1)
                 for factor in (1, 2, 5)]
        return [x for x in found if x0 <= x <= x1]

    def svg(self):
        """The picture, as text to put into a page or a file."""
        rows = math.ceil(len(self.lines) / 3)
        total, bottom = self.height + rows * ROW, self.height - BOTTOM
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {total}" '
               f'width="{self.width}" height="{total}" font-family="sans-serif" font-size="11">',
               '<rect width="100%" height="100%" fill="#fff"/>',
               _text(LEFT, 18, self.title, size=14, anchor="start")]
        ranges = self._ranges()
        if ranges is None:
            return "\n".join([*out, _text(self.width / 2, self.height / 2, "no data"), "</svg>"]) + "\n"
        across, up = self._scales(ranges, bottom)
        for y in ticks(*ranges[2:]):
            out.append(_path(f"M{LEFT} {up(y)}H{self.width - RIGHT}", "#e4e4e4"))
            out.append(_text(LEFT - 5, up(y) + 4, number(y), anchor="end"))
        for x in self._x_ticks(*ranges[:2]):
            out.append(_path(f"M{across(x)} {bottom}v4", "#222"))
            out.append(_text(across(x), bottom + 16, number(x)))
        out.append(_path(f"M{LEFT} {TOP}V{bottom}H{self.width - RIGHT}", "#222"))
        out.append(_text((LEFT + self.width - RIGHT) / 2, bottom + 32, self.x))
        middle = (TOP + bottom) / 2
        out.append(_text(14, middle, self.y, more=f' transform="rotate(-90 14 {middle})"'))
        for x, text in self.marks:
            out.append(_path(f"M{across(x)} {TOP}V{bottom}", "#999", dash="3 3"))
            out.append(_text(across(x) + 3, TOP + 9, text, anchor="start"))
        names = [name for name, _, _ in self.lines]
        for name, points in self.bands:
            edge = [(x, low) for x, low, _ in points] + [(x, high) for x, _, high in reversed(points)]
            path = "M" + "L".join(f"{across(x)} {up(y)}" for x, y in edge) + "Z"
            colour = COLOURS[names.index(name) % len(COLOURS)] if name in names else COLOURS[-1]
            out.append(f'<path d="{path}" fill="{colour}" fill-opacity="0.15" stroke="none"/>')
        for place, (name, points, dots) in enumerate(self.lines):
            out += self._line(place, name, points, dots, across, up)
        return "\n".join([*out, "</svg>"]) + "\n"

    def _line(self, place, name, points, dots, across, up):
        """One line, its dots, and its entry below the axes."""
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
        path, pen = "", "M"
        for x, y in points:
            if y is None:
                pen = "M"
                continue
            path += f"{pen}{across(x)} {up(y)}"
            pen = "L"
        if path:
            yield _path(path, colour, 1.6, dash)
        for x, y in points if dots else ():
            if y is not None:
                yield (f'<circle cx="{across(x)}" cy="{up(y)}" r="3" fill="{colour}"><title>'
                       f"{html.escape(name)}: {number(x)}, {number(y)}</title></circle>")
        left = LEFT + place % 3 * (self.width - LEFT - RIGHT) / 3
        top = self.height + place // 3 * ROW
        yield _path(f"M{round(left, 1)} {top - 4}h22", colour, 2.4, dash)
        yield _text(left + 27, top, name, anchor="start")


def _path(path, colour, width=1, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def _text(x, y, text, anchor="middle", size=None, more=""):
    size = f' font-size="{size}"' if size else ""
    return (f'<text x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}"{size}{more}>'
            f"{html.escape(str(text))}</text>") if text != "" else ""


def table(head, rows):
    """A table; cells are escaped, numbers stand right. A cell that is (text, class) has that class."""
    def cell(value):
        value, kind = value if isinstance(value, tuple) else (value, "")
        kind = " ".join(filter(None, (kind, "number" if isinstance(value, (int, float)) else "")))
        text = number(value) if isinstance(value, float) else value
        return f"<td{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{html.escape(str(text))}</td>"

    lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(str(word))}</th>" for word in head) + "</tr>"]
    lines += ["<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def page(title, parts):
    """A page of HTML of these parts, which are HTML."""
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
            f"</title><style>{STYLE}</style></head>\n<body>\n<h1>{html.escape(title)}</h1>\n"
            + "\n".join(parts) + "\n</body></html>\n")
