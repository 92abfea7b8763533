"""The curves behind the figures: ROC, precision-recall, net benefit, and the scores themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.intervals import CONFIDENCE, resamples_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lungflag.evaluation.metrics import Cases

SCORE_BINS = 20
BAND_RESAMPLES = 1000  # a band is looked at, not quoted

_GRID = np.linspace(0, 1, 101)
_THRESHOLDS = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve and its pointwise 95% band. All are arrays of one axis.

    Attributes
    ----------
    x, y : NDArray[np.float64]
        The curve through its corners.
    grid, low, high : NDArray[np.float64]
        Where the band was measured, and its edges there: plain percentiles over resamples of the
        patients, for each point of the grid alone.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    grid: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """What can be seen over all thresholds.

    Attributes
    ----------
    roc : Curve
        x: 1 - specificity, y: sensitivity.
    precision_recall : Curve
        x: sensitivity (recall), y: positive predictive value (precision). Steps to the left.
    net_benefit : Curve
        x: threshold on the probability, y: net benefit of acting on what reaches it.
    flag_all : NDArray[np.float64]
        The net benefit of acting on every radiograph, at `net_benefit.x`. Acting on none is 0.
    scores : Mapping[str, NDArray[np.intp]]
        Label to the number of images in each of `SCORE_BINS` bins of the probability, 0 to 1.
    """

    roc: Curve
    precision_recall: Curve
    net_benefit: Curve
    flag_all: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.intp]]


def trace(cases: Cases, *, resamples: int = BAND_RESAMPLES, seed: int = 0) -> Curves | None:
    """Return the curves of the judged images, or None where a class is missing.

    Parameters
    ----------
    cases : Cases
        The judged images.
    resamples, seed : int
        Of the bootstrap; see `lungflag.evaluation.intervals.estimate`.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    A. J. Vickers and E. B. Elkin, 'Decision curve analysis: a novel method for evaluating
    prediction models', Med. Decis. Making 26, 2006 (net benefit).
    """
    if cases.positive.all() or not cases.positive.any():
        return None
    metrics = require("sklearn.metrics", feature="the report's curves", extra="evidence")
    # The sample itself is one of the drawings, so that there is always one with both classes.
    weightings = chain([np.ones((1, len(cases)))], resamples_of(cases.patient, resamples, seed))
    drawn = [_over_thresholds(cases, weights) for weights in weightings]
    bands = [_band(np.concatenate([block[i] for block in drawn])) for i in range(3)]
    fpr, tpr, _ = metrics.roc_curve(cases.positive, cases.probability)
    precision, recall, _ = metrics.precision_recall_curve(
        cases.positive, cases.probability, drop_intermediate=True
    )
    benefit, flag_all = net_benefit(cases, np.ones((1, len(cases))), _THRESHOLDS)
    return Curves(
        roc=Curve(fpr, tpr, _GRID, *bands[0]),
        precision_recall=Curve(recall, precision, _GRID[1:], *bands[1]),
        net_benefit=Curve(_THRESHOLDS, benefit[0], _THRESHOLDS, *bands[2]),
        flag_all=flag_all[0],
        scores={
            label: np.histogram(cases.probability[chosen], SCORE_BINS, (0, 1))[0]
            for label, chosen in (("normal", ~cases.positive), ("pneumonia", cases.positive))
        },
    )


def net_benefit(
    cases: Cases, weights: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the net benefit of the detector, and that of flagging everything.

    It is the share of true positives, less the share of false positives weighted by the odds of
    the threshold: at a threshold of 0.1, nine false alarms outweigh one pneumonia found.

    Parameters
    ----------
    cases : Cases
        At least one image.
    weights : NDArray[np.float64]
        Shape (b, n): how often each image counts, in each of b weightings.
    thresholds : NDArray[np.float64]
        Shape (t,), above 0 and below 1.

    Returns
    -------
    detector, everything : NDArray[np.float64]
        Shape (b, t) each, in true positives per image.
    """
    odds = thresholds / (1 - thresholds)
    reaches = cases.probability[:, None] >= thresholds
    worth = np.where(cases.positive[:, None], 1.0, -odds)
    total = weights.sum(axis=1, keepdims=True)
    return weights @ (reaches * worth) / total, weights @ worth / total


def _over_thresholds(
    cases: Cases, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sensitivity and precision on the grid, and net benefit: a row a weighting.

    Weightings without one of the classes have no row.
    """
    both = [(weights[:, side].sum(axis=1) > 0) for side in (cases.positive, ~cases.positive)]
    weights = weights[both[0] & both[1]]
    order = np.argsort(-cases.probability, kind="stable")
    ranked, positive = cases.probability[order], cases.positive[order]
    last = np.flatnonzero(np.concatenate([ranked[1:] != ranked[:-1], [True]]))
    hits = np.cumsum(weights[:, order] * positive, axis=1)[:, last]
    false = np.cumsum(weights[:, order] * ~positive, axis=1)[:, last]
    sensitivity = np.empty((len(weights), len(_GRID)))
    precision = np.empty((len(weights), len(_GRID) - 1))
    for row in range(len(weights)):
        found, wrong = hits[row] / hits[row, -1], false[row] / false[row, -1]
        sensitivity[row] = np.interp(
            _GRID, np.concatenate([[0], wrong]), np.concatenate([[0], found])
        )
        # The first threshold that finds this share or more; rounding must not miss the last.
        place = np.searchsorted(found, _GRID[1:] - 1e-12)
        precision[row] = hits[row, place] / (hits[row, place] + false[row, place])
    return sensitivity, precision, net_benefit(cases, weights, _THRESHOLDS)[0]


def _band(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    tail = (1 - CONFIDENCE) / 2
    band: NDArray[np.float64] = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return band
