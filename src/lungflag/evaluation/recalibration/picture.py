"""The reliability picture: what was promised against what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.evaluation.reliability import Reliability

# Apart for every common colour vision, and by their markers.
_STYLES = (
    ("#cc6677", "o"),
    ("#4477aa", "s"),
    ("#228833", "^"),
    ("#aa3377", "D"),
    ("#555555", "v"),
)


def draw_reliability(
    curves: Mapping[str, tuple[Reliability, NDArray[np.float64]]], path: Path, *, title: str
) -> None:
    """Draw the observed share of pneumonia over the mean probability of each bin, into a PNG.

    Bars are 95% intervals; the histogram below counts the images.

    Parameters
    ----------
    curves : Mapping
        Name to reliability and the probabilities (n,) behind it; at most five.
    path : Path
        The picture; its folder is made.
    title : str
        Above it.

    Raises
    ------
    LungflagError
        If the file cannot be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    require("matplotlib", feature="the reliability picture", extra="evidence")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6.8), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    above.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="ideal")
    edges = np.linspace(0, 1, 21)
    width = 0.05 / (len(curves) + 1)
    for i, ((name, (found, probability)), (colour, marker)) in enumerate(
        zip(curves.items(), _STYLES, strict=False)
    ):
        seen = [
            (one.predicted, one.observed.value, one.observed.low, one.observed.high)
            for one in found.bins
            if one.predicted is not None and one.observed.value is not None
        ]
        x, y, low, high = np.array(
            [[a, b, b if c is None else c, b if d is None else d] for a, b, c, d in seen]
        ).T
        error = found.calibration_error.value or 0.0
        above.errorbar(
            x,
            y,
            yerr=[np.maximum(y - low, 0), np.maximum(high - y, 0)],
            color=colour,
            marker=marker,
            markersize=5,
            linewidth=1.2,
            capsize=2,
            clip_on=False,
            label=f"{name} (calibration error {error:.3f})",
        )
        counts, _ = np.histogram(probability, edges)
        below.bar(edges[:-1] + width * (i + 1), counts, width, color=colour)
    above.set(ylabel="observed share of pneumonia", xlim=(0, 1), ylim=(0, 1), title=title)
    figure.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=9)
    below.set(xlabel="probability", ylabel="images", yscale="symlog")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, format="png")
    except OSError as error:
        raise LungflagError(f"{path}: cannot be written ({error.strerror})") from error
