"""Where a heatmap has its peak, as a rectangle in the source image's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE = 0.75
"""A place belongs to the peak where it has at least this share of its evidence.

With it, the rectangles of flagged films have a median of 8% of the film; half would be 43%.
"""


def peak_region(
    heatmap: NDArray[np.float32], rows: int, columns: int
) -> NDArray[np.float64] | None:
    """Return the corners of the rectangle around a heatmap's peak, or None where there is none.

    The places that hang together with the highest one and have `SHARE` of its evidence are taken
    together. A rectangle, and no outline, because a heatmap of 7 x 7 places knows no better.

    Parameters
    ----------
    heatmap : NDArray[np.float32]
        Shape (h, w), over the whole image, in logits.
    rows, columns : int
        Of the source image.

    Returns
    -------
    NDArray[np.float64] or None
        Shape (5, 2): column and row of each corner, the first one repeated, where (0, 0) is the
        upper left corner of the upper left pixel (PS3.3, C.18.6.1.2).
    """
    highest = float(heatmap.max())
    if highest <= 0:
        return None
    member = _around_peak(heatmap >= SHARE * highest, int(heatmap.argmax()))
    down, right = np.nonzero(member)
    height, width = heatmap.shape
    top, bottom = down.min() * rows / height, (down.max() + 1) * rows / height
    left, end = right.min() * columns / width, (right.max() + 1) * columns / width
    corners = ((left, top), (end, top), (end, bottom), (left, bottom), (left, top))
    return np.array(corners, dtype=np.float64)


def _around_peak(candidate: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    """Return which candidates hang together with the one at the flat index `start`."""
    height, width = candidate.shape
    member = np.zeros_like(candidate)
    waiting = [divmod(start, width)]
    while waiting:
        row, column = waiting.pop()
        inside = 0 <= row < height and 0 <= column < width
        if not inside or member[row, column] or not candidate[row, column]:
            continue
        member[row, column] = True
        waiting += [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return member
