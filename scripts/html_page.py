# SPDX-License-Identifier: GPL-2.0
"""A page of HTML in one file: no script, nothing to fetch. Its pictures are those of plots.py.

    page = html_page.page("Measurements", ["<p>...</p>", html_page.table(("driver", "frames"), rows)])
"""
import html
import math

STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { border: 1px solid #ccc; padding: 0.2em 0.6em; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: #b00020; font-weight: bold; }
svg { max-width: 100%; height: auto; display: block; margin: 1em 0;
  /* pygal forbids to mark its text. */ -webkit-user-select: text !important; }
"""


def number(value):
    """A number as short as it can be said, thousands as k, M, G. Nothing for an infinite one."""
    if not math.isfinite(value):
        return ""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if suffix == 'k' else limit):.6g}{suffix}"
    return f"{value:.6g}"


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
