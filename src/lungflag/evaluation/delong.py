"""Areas under correlated ROC curves with their covariance, images of one patient kept together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.jackknife import degrees_of_freedom

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas under the ROC curves of k index tests on the same images.

    Attributes
    ----------
    value : NDArray[np.float64]
        Shape (k,). Ties count half.
    covariance : NDArray[np.float64]
        Shape (k, k), with patients as clusters (Obuchowski 1997).
    unclustered : NDArray[np.float64]
        Shape (k, k), as if every image came from another patient (DeLong 1988).
    influence : NDArray[np.float64]
        Shape (k, patients). What each patient adds to the areas' deviation from their mean.
    """

    value: NDArray[np.float64]
    covariance: NDArray[np.float64]
    unclustered: NDArray[np.float64]
    influence: NDArray[np.float64]

    def variance(self, contrast: NDArray[np.float64]) -> float:
        """Return the variance of ``contrast @ value``, with patients as clusters."""
        return float(contrast @ self.covariance @ contrast)

    def degrees(self, contrast: NDArray[np.float64]) -> float:
        """Return the degrees of freedom of `variance`."""
        return degrees_of_freedom(contrast @ self.influence)


def areas(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], patient: NDArray[np.intp]
) -> Areas:
    """Return the areas of `scores` with their covariance.

    Parameters
    ----------
    positive : NDArray[np.bool_]
        Shape (n,), with both classes.
    scores : NDArray[np.float64]
        Shape (k, n), higher for pneumonia.
    patient : NDArray[np.intp]
        Shape (n,). Images of both classes may share a patient.

    References
    ----------
    E. R. DeLong et al., 'Comparing the areas under two or more correlated receiver operating
    characteristic curves', Biometrics 44:837-845, 1988.
    X. Sun and W. Xu, 'Fast implementation of DeLong's algorithm', IEEE Signal Processing Letters
    21:1389-1393, 2014: the same from midranks.
    N. A. Obuchowski, 'Nonparametric analysis of clustered ROC curve data', Biometrics 53:567-578,
    1997.
    """
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    m, n = int(positive.sum()), int((~positive).sum())
    midrank = stats.rankdata(scores, axis=1)
    above = (midrank[:, positive] - stats.rankdata(scores[:, positive], axis=1)) / n
    below = 1 - (midrank[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)) / m
    value = above.mean(axis=1)

    # Each image's share of the deviation, by its class; a patient's share is their sum.
    share = np.zeros((2, *scores.shape))
    share[0][:, positive] = (above - value[:, None]) / m
    share[1][:, ~positive] = (below - value[:, None]) / n
    by_patient, patients = _by_patient(share, patient)
    ill, well = by_patient
    few, many = _inflation(_distinct(patient[positive])), _inflation(_distinct(patient[~positive]))
    mixed = ill @ well.T
    return Areas(
        value=value,
        covariance=few * ill @ ill.T
        + many * well @ well.T
        + _inflation(patients) * (mixed + mixed.T),
        unclustered=_inflation(m) * share[0] @ share[0].T + _inflation(n) * share[1] @ share[1].T,
        influence=ill + well,
    )


def _by_patient(
    share: NDArray[np.float64], patient: NDArray[np.intp]
) -> tuple[NDArray[np.float64], int]:
    """Return the sums over each patient's images, (..., patients), and how many patients."""
    names, index = np.unique(patient, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    return np.add.reduceat(share[..., order], starts, axis=-1), len(names)


def _inflation(units: int) -> float:
    """Return n / (n - 1), the price of the mean having been estimated."""
    return units / (units - 1) if units > 1 else 1.0


def _distinct(patient: NDArray[np.intp]) -> int:
    return len(np.unique(patient))
