"""One look for every figure: SVG that stands in the page and takes its colours from it."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

# Apart for every common colour vision, on paper and on a dark ground alike.
NORMAL, PNEUMONIA = "#4477aa", "#cc6677"
DETECTOR = "#0072b2"
POINTS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("^", "o", "s", "D", "v")

# Written by matplotlib, read by the page's style sheet, so that dark mode reaches the figures.
INK, QUIET, LINE, PAPER = "#22262b", "#5f6770", "#d9dde2", "#fffffe"
_THEMED = {INK: "var(--ink)", QUIET: "var(--soft)", LINE: "var(--line)", PAPER: "var(--paper)"}

WIDTH = 4.5  # inches: at this size the smallest text is still read on a telephone

_LOOK: Any = {  # matplotlib's types list every key, and differ between its versions
    "svg.fonttype": "none",  # text stays text: small, sharp, searchable, in the page's own font
    "svg.hashsalt": "lungflag",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "text.parse_math": False,
}


def draw(name: str, paint: Callable[[Axes], None], *, height: float = 3.6) -> Markup:
    """Return what `paint` puts on one pair of axes, as SVG to stand in a page.

    Parameters
    ----------
    name : str
        Unique within the page: it keeps the identifiers of two figures apart.
    paint : callable
        Draws on the axes it is given.
    height : float
        In inches; the width is always `WIDTH`.
    """
    with rc_context(_LOOK):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure.subplots())
        file = io.StringIO()
        with warnings.catch_warnings():
            # The page's font draws the text, whatever matplotlib's own may lack.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(file, format="svg", metadata={"Date": None})
    return Markup(_inline(file.getvalue(), name))  # noqa: S704  # matplotlib escapes all text


def _inline(svg: str, name: str) -> str:
    """Return the bare ``<svg>`` with identifiers and colours fit for a page of many."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    for colour, variable in _THEMED.items():
        svg = svg.replace(colour, variable)
    # The page decides the size; the figure keeps its proportions.
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
