"""Intervals from leaving out one patient at a time, for figures close to 0 or 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_ROUNDING = 1e-12


def leave_outs(
    patient: NDArray[np.intp], groups: int, seed: int, at_once: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the images' weights, (b, n), that leave out each patient once.

    Parameters
    ----------
    patient : NDArray[np.intp]
        Shape (n,). The patient of each image.
    groups : int
        Where there are more patients than this, they are left out in so many random groups.
    seed : int
        Of the draw of the groups.
    at_once : int
        The most weights to hold in memory.
    """
    names, index = np.unique(patient, return_inverse=True)
    count = min(len(names), groups)
    group = np.random.default_rng(seed).permutation(len(names))[index] % count
    step = max(1, at_once // len(patient))
    for start in range(0, count, step):
        left_out = np.arange(start, min(start + step, count))
        yield (group != left_out[:, None]).astype(np.float64)


def logit_interval(
    value: float, without: NDArray[np.float64], confidence: float
) -> tuple[float, float] | None:
    """Return the jackknife's interval of a share, by Student's t on the logit scale.

    A figure near 1 has a skewed distribution, and an interval that may not pass 1: hence the
    logit. Nearly all of its variance comes from the few patients whose images are wrong: hence
    degrees of freedom by those patients rather than by all.

    Parameters
    ----------
    value : float
        The share, 0 to 1.
    without : NDArray[np.float64]
        Shape (b,). The share with each patient, or each group of patients, left out.
    confidence : float
        How often the interval is to hold the truth.

    Returns
    -------
    tuple[float, float] or None
        None where the patients do not differ, or one of them is needed to define the share.

    References
    ----------
    J. N. Arvesen, 'Jackknifing U-statistics', Ann. Math. Stat. 40:2076-2100, 1969.
    P. S. Kott, 'The delete-a-group jackknife', J. Official Statistics 17:521-526, 2001.
    """
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    special = require("scipy.special", feature="evaluation", extra="evidence")
    if np.isnan(without).any() or not 0 < value < 1:
        return None
    if np.ptp(without) < _ROUNDING:
        return None
    influence = without.mean() - without
    variance = (1 - 1 / len(without)) * (influence**2).sum()
    degrees = degrees_of_freedom(influence)
    reach = stats.t.ppf((1 + confidence) / 2, degrees) * np.sqrt(variance) / (value * (1 - value))
    low, high = special.expit(special.logit(value) + np.array([-reach, reach]))
    return float(low), float(high)


def degrees_of_freedom(influence: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of the variance ``(influence**2).sum()``, shape (patients,).

    They are Satterthwaite's: twice the squared variance over the variance's own variance, which
    comes from the fourth moments of the patients' influence.

    References
    ----------
    F. E. Satterthwaite, 'An approximate distribution of estimates of variance components',
    Biometrics Bulletin 2:110-114, 1946.
    """
    share = influence**2
    most = max(len(share) - 1.0, 1.0)
    spread = (share**2).sum() - share.sum() ** 2 / len(share)
    if not spread > 0:
        return most
    return float(np.clip(2 * share.sum() ** 2 / spread, 1.0, most))
