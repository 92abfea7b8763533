"""Global intensity statistics: what can be told of a radiograph without looking at its lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
STATISTICS = (
    "mean",
    "spread",
    *(f"percentile {share}" for share in PERCENTILES),
    "border",
    "border less centre",
    "sharpness",
)

_BORDER = 0.05  # of the side


def statistics(square: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the values of `STATISTICS` for a preprocessed square of shape (size, size).

    They are measured on what the network sees: file size, resolution and aspect ratio are gone.
    Grey values count from 0 to 1. Border is the mean of the outer 5% of the side, centre the mean
    of the central half in both directions, sharpness the mean absolute difference of neighbours.
    """
    grey = square.astype(np.float64) / 255
    size = len(grey)
    edge, quarter = max(1, round(_BORDER * size)), size // 4
    inner = grey[edge:-edge, edge:-edge]
    border = (grey.sum() - inner.sum()) / (grey.size - inner.size)
    centre = grey[quarter : size - quarter, quarter : size - quarter].mean()
    steps = (np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1))
    return np.array(
        [
            grey.mean(),
            grey.std(),
            *np.percentile(grey, PERCENTILES),
            border,
            border - centre,
            sum(steps) / 2,
        ]
    )
