"""Ways to calibrate, compared out of fold on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.calibrating import METHODS
from lungflag.errors import ManifestError
from lungflag.evaluation.intervals import (
    RESAMPLES,
    Estimate,
    estimate,
    resampled,
    resamples_of,
)
from lungflag.evaluation.metrics import Cases
from lungflag.evaluation.reliability import Reliability, reliability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lungflag.evaluation.recalibration.scores import Scores

_CLIP = 1e-6  # a probability of exactly 0 that turns out wrong costs 13.8, not infinity


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """How one method does on patients that it was not fitted on.

    Attributes
    ----------
    name : str
        The method's.
    strict : bool
        Whether it keeps every difference of logits, and with it AUROC.
    probability : NDArray[np.float64]
        Shape (n,), out of fold.
    reliability : Reliability
        Calibration error, slope, intercept and bins.
    brier, log_loss, auroc : Estimate
        The mean squared difference of probability and label; the mean of minus the logarithm of
        the label's probability, which is taken to lie between 1e-6 and 1 - 1e-6; the area under
        the ROC curve of the probabilities.
    """

    name: str
    strict: bool
    probability: NDArray[np.float64]
    reliability: Reliability
    brier: Estimate
    log_loss: Estimate
    auroc: Estimate


def compare_methods(
    scores: Scores, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Compared, ...]:
    """Return every method of `lungflag.calibrating.METHODS`, cross-validated by patient.

    Parameters
    ----------
    scores : Scores
        Logits of patients that the network was not trained on.
    resamples, seed : int
        Of the bootstrap; the seed also draws the folds.

    Raises
    ------
    ManifestError
        If a label has images of one patient only.
    MissingExtraError
        If SciPy is not installed.
    """
    folds = scores.folds(seed)
    if not folds:
        raise ManifestError("a label has images of one patient only: nothing to cross-validate")
    found = []
    for method in METHODS:
        probability = np.full(len(scores), np.nan)
        for fit, held in folds:
            calibrate = method.fit(scores.logit[fit], scores.positive[fit])
            probability[held] = calibrate(scores.logit[held])
        cases = Cases(scores.positive, probability, probability >= 0.5, scores.patient)
        others = estimate(cases, resamples=resamples, seed=seed)
        found.append(
            Compared(
                name=method.name,
                strict=method.strict,
                probability=probability,
                reliability=reliability(cases, resamples=resamples, seed=seed),
                brier=others["brier"],
                log_loss=_log_loss(cases, resamples_of(scores.patient, resamples, seed)),
                auroc=others["auroc"],
            )
        )
    return tuple(found)


def _log_loss(cases: Cases, weightings: Iterable[NDArray[np.float64]]) -> Estimate:
    p = np.clip(cases.probability, _CLIP, 1 - _CLIP)
    loss = -np.where(cases.positive, np.log(p), np.log1p(-p))
    drawn = np.concatenate([weights @ loss / weights.sum(axis=1) for weights in weightings])
    patients = len(np.unique(cases.patient))
    return resampled(float(loss.mean()), drawn, cases.patient, units=patients)
