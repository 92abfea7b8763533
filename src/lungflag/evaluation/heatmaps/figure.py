"""A study of heatmaps in one picture, drawn without matplotlib's global state."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.heatmaps.randomisation import LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from lungflag.evaluation.heatmaps.study import HeatmapStudy
    from lungflag.evaluation.intervals import Estimate

_BLUE, _RED, _GREY, _INK = "#4477aa", "#cc6677", "#999999", "#333333"


def draw(study: HeatmapStudy, *, title: str) -> bytes:
    """Return a PNG of four panels: pointing game, lung fields, random weights, mirrored film.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    figures = require("matplotlib.figure", feature="the figure of heatmaps", extra="evidence")
    figure = figures.Figure(figsize=(10, 7), dpi=150, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold", parse_math=False)
    (pointing, lungs), (weights, flip) = figure.subplots(2, 2)
    _pointing(pointing, study)
    _lungs(lungs, study)
    _weights(weights, study)
    _flip(flip, study)
    for axes in (pointing, lungs, weights, flip):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _pointing(axes: Axes, study: HeatmapStudy) -> None:
    words = {"hit": "in a lesion", "near": f"within {study.tolerance:.0%} of the side"}
    bars = {
        f"{group},\n{words[name]}": found
        for group, estimates in study.pointing.items()
        for name, found in estimates.items()
    }
    _heading(axes, "Pointing game: share of films whose peak lies...")
    _intervals(axes, bars)


def _intervals(axes: Axes, bars: Mapping[str, Estimate]) -> None:
    """Draw shares with their intervals, one a line, and how many films each stands on."""
    known = {name: found for name, found in bars.items() if found.value is not None}
    if not known:
        _nothing(axes, next(iter(bars.values())).note)
        return
    for place, found in enumerate(known.values()):
        value = found.value or 0.0
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [place, place], color=_BLUE, linewidth=3, alpha=0.5)
        axes.plot(value, place, "o", color=_BLUE)
        label = f"{value:.2f} (n={found.n})"
        axes.text(value, place - 0.22, label, ha="center", fontsize=8, color=_INK)
    axes.set_yticks(range(len(known)), list(known), fontsize=8)
    axes.set(xlim=(0, 1.15), ylim=(len(known) - 0.5, -0.6))  # room for the words at 1


def _lungs(axes: Axes, study: HeatmapStudy) -> None:
    _heading(axes, "Positive activation within the lung fields")
    known = [one for one in study.readings if one.lungs is not None]
    if not known:
        _nothing(axes, study.lungs["all judged"]["inside"].note)
        return
    for flagged, colour, name in ((False, _GREY, "not flagged"), (True, _RED, "flagged")):
        points = [one.lungs for one in known if one.flagged is flagged and one.lungs]
        label = f"{name} (n={len(points)})"
        area, inside = ([p.area for p in points], [p.inside for p in points])
        axes.scatter(area, inside, s=12, color=colour, alpha=0.7, label=label, linewidths=0)
    axes.plot([0, 1], [0, 1], "--", color=_INK, linewidth=1, label="without aim: share = area")
    widest = max(one.lungs.area for one in known if one.lungs)
    axes.set(xlim=(0, min(1.0, 1.3 * widest)), ylim=(0, 1.25))  # room for the legend
    axes.set_xlabel("share of the film that is lung field", fontsize=8)
    axes.set_ylabel("share of the activation in it", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)


def _weights(axes: Axes, study: HeatmapStudy) -> None:
    _heading(axes, "Random weights, from the output down")
    found = study.randomisation
    if found is None:
        _nothing(axes, "not asked for")
        return
    at = [0, *(depth.layers for depth in found.depths)]
    similar = [depth.similarity for depth in found.depths]
    axes.plot(at, [1.0, *(one.value or 0.0 for one in similar)], "o-", color=_BLUE, markersize=4)
    bounds = [(one.low, one.high) for one in similar]
    low, high = (np.array([1.0, *side], dtype=float) for side in zip(*bounds, strict=True))
    axes.fill_between(at, low, high, color=_BLUE, alpha=0.2, linewidth=0)
    for value, line, words in (
        (LIMIT, ":", "limit for all layers"),
        (found.another_film.value, "--", "another film's map"),
    ):
        if value is not None:
            axes.axhline(value, color=_INK, linestyle=line, linewidth=1)
            axes.text(at[-1], value + 0.02, words, ha="right", fontsize=8, color=_INK)
    axes.set(xlim=(0, None), ylim=(0, 1.05))
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(f"layers with random weights (n={similar[0].n} films)", fontsize=8)
    axes.set_ylabel("|rank correlation| with the map", fontsize=8)


def _flip(axes: Axes, study: HeatmapStudy) -> None:
    _heading(axes, "Map of the mirrored film, mirrored back")
    edges = np.linspace(-1, 1, 41)
    shown = False
    for flagged, colour, name in ((False, _GREY, "not flagged"), (True, _RED, "flagged")):
        values = [
            one.flip.correlation
            for one in study.readings
            if one.flagged is flagged and one.flip and one.flip.correlation is not None
        ]
        if values:
            shown = True
            label = f"{name} (n={len(values)})"
            axes.hist(values, edges.tolist(), color=colour, alpha=0.6, label=label)
    if not shown:
        _nothing(axes, "no map that varies")
        return
    axes.set_xlabel("correlation with the film's own map", fontsize=8)
    axes.set_ylabel("films", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def _heading(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10, color=_INK)


def _nothing(axes: Axes, note: str) -> None:
    axes.text(0.5, 0.5, f"not measured: {note}", ha="center", va="center", fontsize=9, color=_INK)
    axes.set(xticks=[], yticks=[])
