"""The comparison as a forest plot: every package's figures, and the differences to the first."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from lungflag._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lungflag.evaluation.compare.comparison import Comparison
    from lungflag.evaluation.compare.difference import Difference
    from lungflag.evaluation.intervals import Estimate

FIGURE_SUFFIXES = (".png", ".svg")
PANELS = {"auroc": "AUROC", "sensitivity": "Sensitivity", "specificity": "Specificity"}

# Okabe and Ito's palette: told apart by everyone, and by the marks' shape as well.
_FIRST, _OTHER, _INK = "#000000", "#0072B2", "#333333"
_ROW = 0.62  # inches
_LONGEST = 26  # letters of a name


def draw_comparison(comparison: Comparison, suffix: str) -> bytes:
    """Return the forest plot as a file's content.

    Parameters
    ----------
    comparison : Comparison
        What is drawn.
    suffix : str
        One of `FIGURE_SUFFIXES`.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    require("matplotlib", feature="the forest plot", extra="evidence")
    from matplotlib.figure import Figure

    names = [_shortened(one.name) for one in comparison.contenders]
    rows = len(names)
    figure = Figure(figsize=(12, 1.9 + _ROW * (2 * rows - 1)), dpi=150, layout="constrained")
    panels = figure.subplots(2, len(PANELS), height_ratios=[rows, rows - 1], squeeze=False)
    for column, (metric, title) in enumerate(PANELS.items()):
        above, below = panels[0][column], panels[1][column]
        _forest(above, [one.metrics[metric] for one in comparison.contenders], signed=False)
        _forest(below, [one.differences[metric] for one in comparison.contenders[1:]], signed=True)
        above.set_title(title, loc="left", fontsize=12, weight="bold")
        below.set_title(f"{title}: difference", loc="left", fontsize=11)
        below.axvline(0, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        for axes, shown in ((above, names), (below, names[1:])):
            axes.set_yticks(range(len(shown)))
            axes.set_yticklabels(shown if column == 0 else [], fontsize=10, parse_math=False)
    figure.supxlabel(
        f"95% intervals count patients. Differences are to {names[0]}; "
        "p with patients as clusters, adjusted by Holm's method.",
        fontsize=9,
        color=_INK,
        parse_math=False,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix.lstrip("."), facecolor="white")
    return buffer.getvalue()


def _forest(axes: Axes, found: Sequence[Estimate | Difference], *, signed: bool) -> None:
    for place, one in enumerate(found):
        first = place == 0 and not signed
        color = _FIRST if first else _OTHER
        if one.value is None:
            axes.text(
                0.5, place, one.note, transform=axes.get_yaxis_transform(), fontsize=9, ha="center"
            )
            continue
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place, place], color=color, linewidth=2)
        axes.plot(one.value, place, marker="D" if first else "o", color=color, markersize=7)
        axes.annotate(
            _words(one, signed=signed), (0.99, place), (0, 7), color=_INK, fontsize=9, ha="right",
            xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )  # fmt: skip
    axes.set_ylim(len(found) - 0.5, -0.75)  # the first on top, with room for its words
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _words(one: Estimate | Difference, *, signed: bool) -> str:
    sign = "+" if signed else ""
    text = f"{one.value:{sign}.3f}"
    if one.low is not None and one.high is not None:
        text += f" ({one.low:{sign}.3f} to {one.high:{sign}.3f})"
    adjusted = getattr(one, "p_adjusted", None)
    return text if adjusted is None else f"{text}, {p_words(adjusted)}"


def p_words(p: float) -> str:
    """Return a p-value for a reader."""
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST :]}"
