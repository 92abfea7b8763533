"""A site's recalibration: what the package does there before, and after, out of fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag.calibrating import (
    Need,
    fit_calibration,
    images_for_calibration,
    images_for_rate,
    set_operating_points,
)
from lungflag.calibrating.fit import sigmoid
from lungflag.evaluation.intervals import RESAMPLES, estimate
from lungflag.evaluation.metrics import Cases
from lungflag.evaluation.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lungflag.calibration import Calibration, OperatingPoint
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.recalibration.scores import Scores
    from lungflag.evaluation.reliability import Reliability
    from lungflag.package import ModelPackage

RATE, MARGIN = 0.98, 0.03  # of sensitivity at triage and specificity at rule-in
HALF_WIDTH = 0.2  # of calibration slope and intercept


@dataclass(frozen=True, slots=True)
class PointFigures:
    """How an operating point does on the site's images.

    Attributes
    ----------
    threshold : float
        On the probability.
    sensitivity, specificity : Estimate
        There.
    """

    threshold: float
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """How a calibration with its operating points does on the site's images.

    Attributes
    ----------
    probability : NDArray[np.float64]
        Shape (n,).
    reliability : Reliability
        Calibration error, slope, intercept and bins.
    brier, auroc : Estimate
        The mean squared difference of probability and label, and the area under the ROC curve,
        which no calibration changes but by the small differences between folds.
    points : Mapping[str, PointFigures]
        By the operating point's name.
    """

    probability: NDArray[np.float64]
    reliability: Reliability
    brier: Estimate
    auroc: Estimate
    points: Mapping[str, PointFigures]


@dataclass(frozen=True, slots=True, eq=False)
class Recalibration:
    """What `recalibrate` found.

    Attributes
    ----------
    calibration : Calibration
        Fitted on all of the site's images.
    operating_points : tuple[OperatingPoint, ...]
        Set by rule on all of them.
    before : State
        The package as it came.
    after : State
        Out of fold: each image with the calibration and the thresholds of other patients. On the
        very images of the fit where `folds` is 0. Its thresholds are those of `operating_points`.
    folds : int
        Of the cross-validation by patient; 0 where there are too few patients for any.
    needs : tuple[Need, ...]
        How many patients each statement needs.
    warnings : tuple[str, ...]
        What the site has to know before it uses the result.
    """

    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    before: State
    after: State
    folds: int
    needs: tuple[Need, ...]
    warnings: tuple[str, ...]


def recalibrate(
    package: ModelPackage,
    scores: Scores,
    *,
    learned: int = 0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Recalibration:
    """Fit calibration and operating points on a site's images, and measure what that brings.

    Parameters
    ----------
    package : ModelPackage
        As it came.
    scores : Scores
        Its logits on the site's images.
    learned : int
        How many of the images the network may have learned from.
    resamples, seed : int
        Of the bootstrap; the seed also draws the folds.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.
    """
    calibration = fit_calibration(scores.logit, scores.positive)
    probability = _apply(calibration, scores.logit)
    points = set_operating_points(probability, scores.positive)
    held, flagged, folds = _out_of_fold(scores, seed)
    if not folds:
        held = probability
        flagged = {point.name: probability >= point.threshold for point in points}
    anyone = [point for point in package.operating_points if not point.age_group]
    old = _apply(package.calibration, scores.logit)
    before = _state(
        scores,
        old,
        {point.name: (point.threshold, old >= point.threshold) for point in anyone},
        resamples,
        seed,
    )
    after = _state(
        scores,
        held,
        {point.name: (point.threshold, flagged[point.name]) for point in points},
        resamples,
        seed,
    )
    needs = _needs(scores, calibration)
    return Recalibration(
        calibration,
        points,
        before,
        after,
        folds,
        needs,
        tuple(_warnings(package, before.auroc, needs, folds, learned)),
    )


def _out_of_fold(
    scores: Scores, seed: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.bool_]], int]:
    """Return probabilities (n,) and decisions (n,) of fits on other patients, and the folds."""
    probability = np.full(len(scores), np.nan)
    flagged: dict[str, NDArray[np.bool_]] = {}
    folds = 0
    for fit, held in scores.folds(seed):
        calibration = fit_calibration(scores.logit[fit], scores.positive[fit])
        probability[held] = _apply(calibration, scores.logit[held])
        known = _apply(calibration, scores.logit[fit])
        for point in set_operating_points(known, scores.positive[fit]):
            decided = flagged.setdefault(point.name, np.zeros(len(scores), dtype=bool))
            decided[held] = probability[held] >= point.threshold
        folds += 1
    return probability, flagged, folds


def _state(
    scores: Scores,
    probability: NDArray[np.float64],
    points: Mapping[str, tuple[float, NDArray[np.bool_]]],
    resamples: int,
    seed: int,
) -> State:
    found = {
        name: estimate(
            Cases(scores.positive, probability, flagged, scores.patient),
            resamples=resamples,
            seed=seed,
        )
        for name, (_, flagged) in points.items()
    }
    anyway = next(iter(found.values()))  # the same at every threshold
    cases = Cases(scores.positive, probability, probability >= 0.5, scores.patient)
    return State(
        probability=probability,
        reliability=reliability(cases, resamples=resamples, seed=seed),
        brier=anyway["brier"],
        auroc=anyway["auroc"],
        points={
            name: PointFigures(points[name][0], figures["sensitivity"], figures["specificity"])
            for name, figures in found.items()
        },
    )


def _needs(scores: Scores, calibration: Calibration) -> tuple[Need, ...]:
    slope, intercept = images_for_calibration(
        calibration.slope * scores.logit + calibration.intercept, HALF_WIDTH
    )
    rate = images_for_rate(RATE, MARGIN)
    close = f"to within {HALF_WIDTH:g} either way"
    sure = f"{RATE:g} with a lower 95% limit of {RATE - MARGIN:.2f}"
    return (
        Need(f"sensitivity {sure}", "patients with pneumonia", scores.patients(True), rate),
        Need(f"specificity {sure}", "patients without", scores.patients(False), rate),
        Need(f"calibration slope {close}", "patients", scores.patients(), slope),
        Need(f"calibration intercept {close}", "patients", scores.patients(), intercept),
    )


def _warnings(
    package: ModelPackage, auroc: Estimate, needs: Sequence[Need], folds: int, learned: int
) -> list[str]:
    found = [
        f"too small a sample: {need.purpose} needs {need.wanted}, and there are {need.have:,}"
        for need in needs
        if not need.met
    ]
    if not folds:
        found.append(
            "a label has images of one patient only, so nothing could be cross-validated: the "
            "figures after recalibration are those of the very images that it was fitted on"
        )
    if auroc.low is None or auroc.low <= 0.5:
        value = "not known" if auroc.value is None else f"{auroc.value:.2f}"
        found.append(
            f"the detector may rank no better than chance here (AUROC {value}): recalibration "
            "makes its probabilities honest, and cannot make it useful"
        )
    if learned:
        found.append(
            f"{learned:,} images are of the split 'train': probabilities and thresholds fitted on "
            "images that a model may have learned from are too sure of themselves"
        )
    if any(point.age_group for point in package.operating_points):
        found.append(
            "the package's thresholds for age groups are gone: one threshold for everyone was set "
            "on these images; recalibrate children and adults apart where you see both"
        )
    return found


def _apply(calibration: Calibration, logit: NDArray[np.float64]) -> NDArray[np.float64]:
    return sigmoid(calibration.slope * logit + calibration.intercept)
