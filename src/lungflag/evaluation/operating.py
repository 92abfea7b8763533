"""The same predictions judged at every operating point of a package, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from lungflag.evaluation.intervals import RESAMPLES, estimate
from lungflag.evaluation.predictions import judged_cases
from lungflag.prevalence import (
    PREVALENCES,
    Rate,
    negative_predictive_value,
    positive_predictive_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.calibration import OperatingPoint
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.predictions import Prediction

AT_A_POINT = (
    "sensitivity",
    "specificity",
    "accuracy",
    "precision",
    "negative_predictive_value",
)


@dataclass(frozen=True, slots=True)
class Predictive:
    """Predictive values where a share `prevalence` of the radiographs shows pneumonia.

    Attributes
    ----------
    prevalence : float
        Between 0 and 1.
    positive : Rate or None
        The share of pneumonia among flagged radiographs. None where it is not defined.
    negative : Rate or None
        The share of normal among radiographs that are not flagged. None likewise.
    """

    prevalence: float
    positive: Rate | None
    negative: Rate | None


@dataclass(frozen=True, slots=True)
class AtPoint:
    """How the detector does at one operating point.

    Attributes
    ----------
    name, rule : str
        Of the operating point.
    thresholds : Mapping[str, float]
        Age group to threshold; the empty one is for anyone else.
    metrics : Mapping[str, Estimate]
        The names of `AT_A_POINT`.
    predictive : tuple[Predictive, ...]
        At `lungflag.prevalence.PREVALENCES`.
    """

    name: str
    rule: str
    thresholds: Mapping[str, float]
    metrics: Mapping[str, Estimate]
    predictive: tuple[Predictive, ...]


def at_operating_points(
    predictions: Sequence[Prediction],
    points: Sequence[OperatingPoint],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[AtPoint, ...]:
    """Judge the same predictions at every one of `points`, whichever decided when they were made.

    Parameters
    ----------
    predictions : Sequence[Prediction]
        Rejected ones are left out.
    points : Sequence[OperatingPoint]
        Of the package. A prediction takes the threshold of its age group, or else of anyone.
    resamples, seed : int
        Of the bootstrap; see `lungflag.evaluation.intervals.estimate`.
    """
    judged = [one for one in predictions if one.judged]
    found = []
    for name, same in groupby(sorted(points, key=lambda point: _place(points, point)), _name):
        versions = list(same)
        thresholds = {point.age_group: point.threshold for point in versions}
        cases = judged_cases([_decided(one, thresholds) for one in judged])
        metrics = estimate(cases, resamples=resamples, seed=seed)
        found.append(
            AtPoint(
                name=name,
                rule=versions[0].rule,
                thresholds=thresholds,
                metrics={metric: metrics[metric] for metric in AT_A_POINT},
                predictive=predictive(metrics["sensitivity"], metrics["specificity"], PREVALENCES),
            )
        )
    return tuple(found)


def predictive(
    sensitivity: Estimate, specificity: Estimate, prevalences: Sequence[float]
) -> tuple[Predictive, ...]:
    """Return the predictive values at each of `prevalences`; see `lungflag.prevalence`."""
    rates = _rate(sensitivity), _rate(specificity)
    return tuple(Predictive(share, *_values(*rates, share)) for share in prevalences)


def _values(
    sensitivity: Rate | None, specificity: Rate | None, prevalence: float
) -> tuple[Rate | None, Rate | None]:
    if sensitivity is None or specificity is None:
        return None, None
    flags = sensitivity.value > 0 or specificity.value < 1
    clears = sensitivity.value < 1 or specificity.value > 0
    return (
        positive_predictive_value(sensitivity, specificity, prevalence) if flags else None,
        negative_predictive_value(sensitivity, specificity, prevalence) if clears else None,
    )


def _rate(found: Estimate) -> Rate | None:
    """Return the estimate as a rate, or None where it has no value or no interval."""
    if found.value is None or found.low is None or found.high is None:
        return None
    # The moved bootstrap percentiles of a rate near 0 or 1 need not hold the rate itself.
    low, high = max(min(found.low, found.value), 0.0), min(max(found.high, found.value), 1.0)
    return Rate(found.value, low, high)


def _decided(one: Prediction, thresholds: Mapping[str, float]) -> Prediction:
    threshold = thresholds.get(one.age_group, thresholds[""])
    return replace(one, flagged=one.probability is not None and one.probability >= threshold)


def _name(point: OperatingPoint) -> str:
    return point.name


def _place(points: Sequence[OperatingPoint], point: OperatingPoint) -> int:
    """Return where the point's name first stands, so that its versions come together."""
    return [one.name for one in points].index(point.name)
