"""The energy distance between two clouds of embeddings, with a permutation test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.station.quality.stability import ALPHA, FEWEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERMUTATIONS = 999


@dataclass(frozen=True, slots=True)
class Energy:
    """How far two clouds lie apart.

    Attributes
    ----------
    energy : float or None
        0 where they are alike, 1 where they are far apart; None where too little is there.
    threshold : float or None
        What it stays below in all but `ALPHA` of the shuffles.
    p_value : float or None
        Share of shuffles that are at least as far apart.
    alarm : bool
        Whether `energy` is above `threshold`.
    n : int
        Current embeddings.
    """

    energy: float | None
    threshold: float | None
    p_value: float | None
    alarm: bool
    n: int


def energy_distance(
    reference: NDArray[np.floating],
    current: NDArray[np.floating],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Energy:
    """Compare clouds of shapes (m, k) and (n, k) by the normalised energy distance.

    ``(2 E|X-Y| - E|X-X'| - E|Y-Y'|) / (2 E|X-Y|)``; X' and Y' are other members than X and Y. All
    members are shuffled between the clouds to see what chance makes of it.

    References
    ----------
    G. J. Szekely and M. L. Rizzo, 'Energy statistics: a class of statistics based on distances',
    J. Stat. Plan. Inference 143, 2013.
    """
    m, n = len(reference), len(current)
    if min(m, n) < FEWEST:
        return Energy(None, None, None, alarm=False, n=n)
    pooled = np.concatenate([reference, current]).astype(np.float64)
    distances = _distances(pooled)
    belongs = np.zeros((m + n, permutations + 1), np.float32)
    belongs[m:, 0] = 1
    rng = np.random.default_rng(seed)
    for column in range(1, permutations + 1):
        belongs[rng.permutation(m + n)[:n], column] = 1
    found = _energies(distances, belongs, m, n)
    energy, shuffled = float(found[0]), found[1:]
    # The first column is a shuffle too: so the test keeps its level with few of them.
    p_value = float((1 + (shuffled >= energy).sum()) / (1 + permutations))
    threshold = float(np.quantile(shuffled, 1 - ALPHA, method="higher"))
    return Energy(max(energy, 0.0), threshold, p_value, alarm=p_value <= ALPHA, n=n)


def _distances(points: NDArray[np.float64]) -> NDArray[np.float32]:
    points = points - points.mean(axis=0)
    squares = (points**2).sum(axis=1)
    apart = squares[:, None] + squares[None, :] - 2 * (points @ points.T)
    np.fill_diagonal(apart, 0.0)
    distances: NDArray[np.float32] = np.sqrt(np.maximum(apart, 0.0)).astype(np.float32)
    return distances


def _energies(
    distances: NDArray[np.float32], belongs: NDArray[np.float32], m: int, n: int
) -> NDArray[np.float64]:
    """Return the distance for each column of `belongs`, which marks the current cloud with 1."""
    sums = distances @ belongs
    own = (belongs * sums).sum(axis=0, dtype=np.float64)
    across = sums.sum(axis=0, dtype=np.float64) - own
    others = float(distances.sum(dtype=np.float64)) - own - 2 * across
    between = across / (m * n)
    if not between.all():  # all members are one point
        return np.zeros(belongs.shape[1])
    within = own / (n * (n - 1)) + others / (m * (m - 1))
    energies: NDArray[np.float64] = 1 - within / (2 * between)
    return energies
