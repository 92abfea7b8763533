"""The shift bench as one picture: a grid of AUROCs for each source, coloured by their drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungflag._extras import require
from lungflag.evaluation.shift.corruptions import CORRUPTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from lungflag.evaluation.shift.result import ShiftResult, ShiftRow

_FULL = 0.10  # the drop at which the colour is strongest
_COLOURS = ("#8fb3d6", "#ffffff", "#e58590")  # better, the same, worse
_INK, _FAINT = "#333333", "#777777"
_CELL = (0.62, 0.34)  # inches


def draw_shift(result: ShiftResult) -> Figure:
    """Return one grid a source: corruptions down, severities across, AUROC in each cell.

    A cell's colour is its AUROC's drop against the clean images, from blue (better) over white
    to red (a drop of 0.10 or more). A small number at its corner counts rejected images.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    figures = require("matplotlib.figure", feature="the shift bench's picture", extra="evidence")
    colors = require("matplotlib.colors", feature="the shift bench's picture", extra="evidence")
    asked = list(dict.fromkeys(row.corruption for row in result.rows if row.corruption != "clean"))
    names = [*(n for n in asked if CORRUPTIONS[n].graded)]
    names += [n for n in asked if not CORRUPTIONS[n].graded]
    severities = sorted({row.severity for row in result.rows if row.severity is not None}) or [1]
    width, height = max(len(severities) * _CELL[0], 1.9), max(len(names), 1) * _CELL[1]
    across = len(result.sources)
    figure: Figure = figures.Figure(
        figsize=(1.75 + across * (width + 0.25), height + 1.05), layout="constrained"
    )
    panels = figure.subplots(1, across, squeeze=False, sharey=True)[0]
    colours = colors.LinearSegmentedColormap.from_list("drop", _COLOURS)
    for axes, source in zip(panels, result.sources, strict=True):
        _panel(axes, result, source, names, severities, colours)
    panels[0].set_yticks([i + 0.5 for i in range(len(names))], names)
    figure.supxlabel(
        "severity\nColour: AUROC lost against the clean images, red up to 0.10 and more; blue "
        "where it is gained. Small number: images rejected.",
        fontsize=8,
        color=_FAINT,
    )
    return figure


def _panel(
    axes: Axes,
    result: ShiftResult,
    source: str,
    names: list[str],
    severities: list[int],
    colours: Colormap,
) -> None:
    for line, name in enumerate(names):
        if CORRUPTIONS[name].graded:
            for column, severity in enumerate(severities):
                row = result.row(name, severity, source)
                _cell(axes, (column, line), 1, row, colours)
        else:
            _cell(axes, (0, line), len(severities), result.row(name, None, source), colours)
    clean = result.row("clean", None, source)
    axes.set_title(
        f"{source or 'all images'}\nclean {_figure(clean.auroc.value)}, n = {clean.judged}",
        fontsize=9,
        color=_INK,
    )
    axes.set_xlim(0, len(severities))
    axes.set_ylim(max(len(names), 1), 0)
    axes.set_xticks([i + 0.5 for i in range(len(severities))], [str(s) for s in severities])
    axes.tick_params(length=0, labelsize=8, colors=_INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _cell(
    axes: Axes, corner: tuple[int, int], width: int, row: ShiftRow, colours: Colormap
) -> None:
    drop = row.drop.value
    left, top = corner
    face = "#eeeeee" if drop is None else colours(0.5 + max(-0.5, min(0.5, drop / _FULL / 2)))
    axes.fill(
        [left, left + width, left + width, left],
        [top, top, top + 1, top + 1],
        facecolor=face,
        edgecolor="#dddddd",
        linewidth=0.8,
    )
    middle = (left + width / 2, top + 0.5)
    text = _figure(row.auroc.value)
    axes.text(*middle, text, ha="center", va="center", fontsize=8, color=_INK)
    if rejected := sum(row.rejected.values()):
        place = (left + width - 0.06, top + 0.08)
        axes.text(*place, str(rejected), ha="right", va="top", fontsize=5.5, color=_FAINT)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"  # noqa: RUF001  # a dash for a missing figure
