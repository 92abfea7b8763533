"""Where on a film a heatmap speaks: its peak, and the share of it that lies in the lungs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

TOLERANCE = 0.05
"""Distance from a mask that still counts as near, as a share of the film's longer side."""


@dataclass(frozen=True, slots=True)
class LungShare:
    """How much of a heatmap lies within the lung fields.

    Attributes
    ----------
    inside : float
        Share of the positive activation that lies there.
    area : float
        Share of the film that they cover: what a map without any aim would reach.
    peak : bool
        Whether the map's peak lies there.
    """

    inside: float
    area: float
    peak: bool


def spread(heatmap: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return `heatmap` (h, w) over a whole film of `shape`, interpolated bilinearly."""
    rows, columns = shape
    picture = Image.fromarray(np.ascontiguousarray(heatmap, dtype=np.float32))
    large = picture.resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(large, dtype=np.float32)


def peak(heatmap: NDArray[Any], shape: tuple[int, int]) -> tuple[int, int]:
    """Return row and column of the largest value of `heatmap` over a film of `shape`.

    Interpolation never exceeds what it goes between: the peak is the middle of the largest place.
    """
    place = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    row, column = ((at + 0.5) / n for at, n in zip(place, heatmap.shape, strict=True))
    return int(row * shape[0]), int(column * shape[1])


def side_by_side(
    one: NDArray[Any], other: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the values of two maps where either speaks; None where one of them is level there.

    A network that looks at a part of the film, such as the box around the lungs, says exactly 0
    elsewhere. Two maps would agree by those places alone.
    """
    spoken = (one != 0) | (other != 0)
    values = one[spoken], other[spoken]
    varied = all(part.size and np.isfinite(part).all() and np.ptp(part) > 0 for part in values)
    return values if varied else None


def points_at(
    at: tuple[int, int], mask: NDArray[np.bool_], *, tolerance: float = TOLERANCE
) -> tuple[bool, bool]:
    """Play the pointing game for one film.

    Parameters
    ----------
    at : tuple[int, int]
        Row and column of the map's peak, see `peak`.
    mask : NDArray[np.bool_]
        Shape (rows, columns): the lesions. Not empty.
    tolerance : float
        Share of the film's longer side.

    Returns
    -------
    hit, near : bool
        Whether the peak lies within the mask, and whether within `tolerance` of it.

    References
    ----------
    J. Zhang et al., 'Top-down neural attention by excitation backprop', Int. J. Comput. Vis.
    126, 2018 (first at ECCV 2016). Their tolerance is 15 pixels.
    """
    inside = np.argwhere(mask)
    distance = float(np.hypot(*(inside - np.array(at)).T).min())
    return bool(mask[at]), distance <= tolerance * max(mask.shape)


def lung_share(heatmap: NDArray[Any], lungs: NDArray[np.bool_]) -> LungShare | None:
    """Return how much of a map lies in the lung fields; None where nothing in it is positive.

    Parameters
    ----------
    heatmap : NDArray
        Shape (h, w), over the whole film; positive values speak for pneumonia.
    lungs : NDArray[np.bool_]
        Shape (rows, columns): the lung fields.
    """
    activation = np.maximum(spread(heatmap, lungs.shape), 0).astype(np.float64)
    total = activation.sum()
    if total == 0:
        return None
    at = peak(heatmap, lungs.shape)
    return LungShare(float(activation[lungs].sum() / total), float(lungs.mean()), bool(lungs[at]))
