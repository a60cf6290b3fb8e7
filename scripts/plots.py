# SPDX-License-Identifier: GPL-2.0
"""The pictures of the reports, drawn by pygal: each function returns the SVG to put into a page.

Text needs no escaping. Nothing in the pictures runs or is fetched.
"""
import math

import pygal
from html_page import number
from pygal.style import Style

# Told apart with colour-blind eyes too. The lines after these have them again, dashed and with hollow dots.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#666666")
AGAIN = range(len(COLOURS), 2 * len(COLOURS))
HOLLOW = "".join(f".color-{i} .dot, .legend .color-{i} {{ fill: #fff !important; stroke-dasharray: none }}"
                 f".legend .color-{i} {{ stroke-dasharray: 3,2 }}" for i in AGAIN)
LETTERS = 11
LOOK = {"font_family": "sans-serif", "title_font_size": 13, "label_font_size": LETTERS,
        "major_label_font_size": LETTERS, "legend_font_size": LETTERS, "no_data_font_size": LETTERS,
        "value_label_font_size": LETTERS, "colors": COLOURS * 2, "value_colors": ("#222",) * 14,
        "background": "#fff", "plot_background": "#fff", "foreground": "#222", "foreground_strong": "#222",
        "foreground_subtle": "#ddd", "guide_stroke_color": "#ddd", "major_guide_stroke_color": "#ddd",
        "guide_stroke_dasharray": "none", "major_guide_stroke_dasharray": "none",
        "opacity": "1", "stroke_opacity": "1"}
# How far from a bar, or from a point, pygal writes its label is by the size of values, which are not written
# themselves: with these a label stands beside it, at its height.
BESIDE_BAR, BESIDE_POINT = {"value_font_size": 12}, {"value_font_size": 3}
PAPER = {"width": 760, "explicit_size": True, "margin": 12, "margin_right": 24, "spacing": 6, "max_scale": 8,
         "legend_at_bottom": True, "legend_box_size": 10, "truncate_legend": -1, "truncate_label": -1,
         "x_value_formatter": number, "value_formatter": number, "js": [], "disable_xml_declaration": True}
# On the axis of ratios.
TICKS = (0.01, 0.1, 0.2, 0.5, 0.8, 1, 1.25, 2, 5, 10, 100)
# What only holds the end of an interval, or a text.
HIDDEN = {"node": {"r": 0}}


def _chart(kind, title, x, series, height, style, **more):
    """An empty chart; a legend of up to four series fits in a row, for more pygal makes room."""
    columns = len(series) if len(series) <= 4 else None
    return kind(**{**PAPER, "title": title, "x_title": x, "height": height,
                   "legend_at_bottom_columns": columns, "style": Style(**{**LOOK, **style}), **more})


def _drawn(chart):
    return chart.add_xml_filter(_bare).render() + "\n"


def _bare(root):
    """Without what only pygal's own script would read, which is most of the picture."""
    for element in list(root.iter()):
        for child in list(element):
            if not isinstance(child.tag, str) or child.tag in ("script", "desc"):
                element.remove(child)
            else:
                # Those of the legend are the same in each picture of a page.
                child.attrib.pop("id", None)
                # The label of a bar that goes left.
                if child.get("class") == "label" and child.text.startswith("-"):
                    child.set("text-anchor", "end")
    return root


def lines(title, x, y, series, *, dots=False, zero=False, height=280):
    """A line for each (name, points) of series, through these (x, y) in this order.

    With `dots` each point shows, and tells its values where the mouse is; with `zero` 0 is on the y axis."""
    chart = _chart(pygal.XY, title, x, series, height + 16 * math.isqrt(len(series)), {"stroke_width": "1.6"},
                   y_title=y, include_x_axis=zero, show_dots=dots,
                   css=["file://style.css", "file://graph.css", f"inline:{HOLLOW}"])
    for place, (name, points) in enumerate(series):
        chart.add(name, [{"value": point, "tooltip": f"{name}: {number(point[0])}, {number(point[1])}"}
                         for point in points], stroke_style={"dasharray": "6,3" if place in AGAIN else None})
    return _drawn(chart)


def bars(title, x, series, rows):
    """A row for each (label, values), with a bar for each series: a number, or a text in place of a bar, or
    None for nothing."""
    numbers = [value for _, values in rows for value in values if isinstance(value, (int, float))]
    low, high = min(numbers, default=0), max(numbers, default=0)
    # Room for the labels beside the longest bars.
    room = 0.12 * (max(high, 0) - min(low, 0))
    chart = _chart(pygal.HorizontalBar, title, x, series, 90 + len(rows) * (12 * len(series) + 6),
                   {"stroke_width": "0", **BESIDE_BAR}, print_labels=True, print_values_position="top",
                   range=(low - room if low < 0 else 0, max(high, 0) + room or 1))
    # pygal begins at the bottom.
    rows = rows[::-1]
    chart.x_labels = [label for label, _ in rows]
    for which, name in enumerate(series):
        chart.add(name, [_bar(values[which]) for _, values in rows])
    return _drawn(chart)


def _bar(value):
    if isinstance(value, str):
        return {"value": 0, "label": value}
    return None if value is None else {"value": value, "label": number(round(value, 2))}


def ratios(title, x, series, rows):
    """As bars(), but each value is (ratio, low, high), a point with its interval on a logarithmic axis, on
    which 1 is a line. pygal would take logarithms of the rows as well, so they are taken here."""
    found = [x for _, values in rows for value in values if isinstance(value, tuple) for x in value]
    reach = max([abs(_log(x)) for x in found] + [math.log(1.25)]) * 1.05
    each = len(series) + 1
    chart = _chart(pygal.XY, title, x, series, 90 + len(rows) * each * 12,
                   {"stroke_width": "2", **BESIDE_POINT}, print_labels=True, allow_interruptions=True,
                   dots_size=3.5, show_x_guides=True, show_y_guides=False, margin_right=130,
                   xrange=(-reach, reach), range=(1.3, len(rows) * each + 0.7))
    chart.x_labels = [{"value": math.log(tick), "label": number(tick)} for tick in TICKS
                      if abs(math.log(tick)) <= reach]
    chart.y_labels = [{"value": (len(rows) - place) * each - (len(series) - 1) / 2, "label": label}
                      for place, (label, _) in enumerate(rows)]
    for which, name in enumerate(series):
        points = []
        for place, (_, values) in enumerate(rows):
            points += _interval(values[which], (len(rows) - place) * each - which, reach)
        chart.add(name, points)
    return _drawn(chart)


def _log(ratio):
    """Its place; that of a thousandth for what is less, as nothing at all is, and of a thousand for more."""
    return math.log(min(max(ratio, 0.001), 1000))


def _interval(value, y, right):
    """An interval as points of a line, with a gap behind it, and what it says at the right."""
    if isinstance(value, str):
        yield {"value": (0, y), "label": value, **HIDDEN}
    elif value is not None:
        middle, low, high = value
        text = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        yield {"value": (_log(low), y), **HIDDEN}
        yield {"value": (_log(middle), y), "tooltip": text}
        yield {"value": (_log(high), y), **HIDDEN}
        yield None
        yield {"value": (right, y), "label": text, **HIDDEN}
    yield None
