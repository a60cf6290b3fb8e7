# SPDX-License-Identifier: GPL-2.0
"""Bars as SVG, beside the line plots of svg.py, in the same dress.

    chart = bars.Bars("Instructions for a frame", x="instructions", series=("ours", "the C one"))
    chart.row("rx-lone-60", [4363, 5387])
    picture = chart.svg()

`Dots` has points with intervals in place of bars, for ratios: its values are (value, low, high), and a line
is at 1. A value that is None is missing; a text in its place is written there.
"""
import math

import svg

LABEL, RIGHT, TOP, THICK, GAP, FOOT = 150, 60, 34, 11, 9, 50


class Bars:
    """A row for each thing that was measured, with a bar for each series."""

    def __init__(self, title, x="", series=(), width=760):
        self.title, self.x, self.series, self.width, self.rows = title, x, series, width, []

    def row(self, label, values):
        """One value for each series."""
        self.rows.append((label, list(values)))

    def svg(self):
        """The picture, as text to put into a page or a file."""
        each = len(self.series) * THICK + GAP
        bottom = TOP + len(self.rows) * each
        height = bottom + FOOT
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height}" '
               f'width="{self.width}" height="{height}" font-family="sans-serif" font-size="11">',
               '<rect width="100%" height="100%" fill="#fff"/>',
               _text(10, 18, self.title, size=14, anchor="start")]
        across = self._scale()
        for tick in self._ticks():
            out.append(_line(f"M{across(tick)} {TOP}V{bottom}", "#222" if tick == self.BASE else "#e4e4e4"))
            out.append(_text(across(tick), bottom + 14, svg.number(tick)))
        for place, (label, values) in enumerate(self.rows):
            top = TOP + place * each
            out.append(_text(LABEL - 6, top + len(self.series) * THICK / 2 + 4, label, anchor="end"))
            for which, value in enumerate(values):
                if isinstance(value, str):
                    out.append(_text(across(self.BASE) + 4, top + which * THICK + 9, value, anchor="start"))
                elif value is not None:
                    out += self._mark(value, top + which * THICK, _colour(which), across)
        out.append(_text((LABEL + self.width - RIGHT) / 2, bottom + 28, self.x))
        for which, name in enumerate(self.series):
            left = LABEL + which * 150
            out.append(f'<rect x="{left}" y="{height - 14}" width="10" height="10" '
                       f'fill="{_colour(which)}"/>')
            out.append(_text(left + 15, height - 5, name, anchor="start"))
        return "\n".join([*out, "</svg>"]) + "\n"

    # Where a bar begins, which is drawn as a line.
    BASE = 0

    def _range(self):
        values = [v for _, row in self.rows for v in row if isinstance(v, (int, float))]
        return min(0, *values, 0), max(0, *values, 0) or 1

    def _ticks(self):
        return svg.ticks(*self._range(), 6)

    def _scale(self):
        low, high = self._range()
        wide = (self.width - LABEL - RIGHT) / (high - low)
        return lambda value: round(LABEL + (value - low) * wide, 1)

    @staticmethod
    def _mark(value, top, colour, across):
        left, right = sorted((across(0), across(value)))
        yield (f'<rect x="{left}" y="{top}" width="{max(round(right - left, 1), 0.5)}" '
               f'height="{THICK - 1}" fill="{colour}"/>')
        yield _text(right + 4, top + 9, svg.number(round(value, 2)), anchor="start")


class Dots(Bars):
    """Points with intervals on a logarithmic axis; at 1 both are alike."""

    BASE = 1

    def _range(self):
        values = [x for _, row in self.rows for v in row if isinstance(v, tuple) for x in v if x > 0]
        reach = max([abs(math.log(v)) for v in values] + [math.log(1.25)]) * 1.05
        return math.exp(-reach), math.exp(reach)

    def _ticks(self):
        low, high = self._range()
        return [tick for tick in (0.01, 0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 100) if low <= tick <= high]

    def _scale(self):
        low, high = map(math.log, self._range())
        wide = (self.width - LABEL - RIGHT) / (high - low)
        return lambda value: round(LABEL + (math.log(value) - low) * wide, 1)

    def _mark(self, value, top, colour, across):
        middle, low, high = value
        yield _line(f"M{across(low)} {top + 5}H{across(high)}", colour, 2)
        yield f'<circle cx="{across(middle)}" cy="{top + 5}" r="3.5" fill="{colour}"/>'
        yield _text(self.width - RIGHT + 4, top + 9, f"{middle:.2f}", anchor="start")


def _colour(which):
    return svg.COLOURS[which % len(svg.COLOURS)]


# The same strokes and letters as those of the plots.
_line, _text = svg._path, svg._text  # pylint: disable=protected-access
