"""The population stability index: whether a number still has the distribution that it had."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 10
FEWEST = 50
"""Patients that must be there before drift is spoken of."""
MODERATE, LARGE = 0.1, 0.25
"""The usual bounds (Siddiqi 2006): below the first stable, from the second on shifted."""
ALPHA = 0.005
"""How often an alarm may come by chance where nothing has changed."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bin and what falls into it; the outer ends are None, for they are open.

    Attributes
    ----------
    low, high : float or None
        Values from `low` on and below `high`.
    reference, current : float
        Shares of the values.
    """

    low: float | None
    high: float | None
    reference: float
    current: float


@dataclass(frozen=True, slots=True)
class Stability:
    """How far a number has moved.

    Attributes
    ----------
    psi : float or None
        None where too little is there.
    chance : float or None
        What `psi` stays below by chance in all but `ALPHA` of the cases where nothing changed.
    level : str
        ``stable``, ``moderate``, ``large``, or ``unknown``.
    alarm : bool
        The index is `LARGE`, and more than `chance` explains.
    n : int
        Current values.
    bins : tuple[Bin, ...]
        Tenths of the reference.
    """

    psi: float | None
    chance: float | None
    level: str
    alarm: bool
    n: int
    bins: tuple[Bin, ...]


def stability(reference: NDArray[np.floating], current: NDArray[np.floating]) -> Stability:
    """Compare `current` values with those of the `reference` over the reference's tenths.

    Half a value is added to each bin, so that an empty one does not make the index infinite. The
    index of two samples of one population is about chi-squared with one degree less than there
    are bins, times ``1/n + 1/m``: with few values it passes the usual bounds by chance, which is
    why an alarm asks for both.

    Parameters
    ----------
    reference, current : NDArray
        Shapes (m,) and (n,), finite.

    References
    ----------
    N. Siddiqi, 'Credit Risk Scorecards', Wiley 2006 (the bounds 0.1 and 0.25). B. Yurdakul and
    J. Naranjo, 'Statistical properties of the population stability index', J. Risk Model
    Validation 14, 2020 (its distribution).
    """
    n, m = len(current), len(reference)
    # Values of the reference themselves, so that no bin of it is empty.
    edges = np.unique(np.quantile(reference, np.arange(1, BINS) / BINS, method="higher"))
    edges = edges[edges > reference.min()]
    if not len(edges) or not n:
        return Stability(None, None, "unknown", alarm=False, n=n, bins=())
    was, is_ = _counts(reference, edges), _counts(current, edges)
    ends = [None, *edges.tolist(), None]
    bins = tuple(
        Bin(low, high, a / m, b / n)
        for low, high, a, b in zip(ends, ends[1:], was.tolist(), is_.tolist(), strict=False)
    )
    if min(n, m) < FEWEST:
        return Stability(None, None, "unknown", alarm=False, n=n, bins=bins)
    before, after = _smoothed(was), _smoothed(is_)
    psi = float(((after - before) * np.log(after / before)).sum())
    chance = _chi_squared(len(edges)) * (1 / n + 1 / m)
    level = "stable" if psi < MODERATE else "moderate" if psi < LARGE else "large"
    return Stability(psi, chance, level, alarm=psi >= max(LARGE, chance), n=n, bins=bins)


def _counts(values: NDArray[np.floating], edges: NDArray[np.floating]) -> NDArray[np.intp]:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _smoothed(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    smoothed: NDArray[np.float64] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return smoothed


def _chi_squared(degrees: int) -> float:
    """Return the quantile ``1 - ALPHA``, after Wilson and Hilferty (1931), to about 1%."""
    z, part = NormalDist().inv_cdf(1 - ALPHA), 2 / (9 * degrees)
    return float(degrees * (1 - part + z * sqrt(part)) ** 3)
