"""One index test's figure less another's on the same images, with interval and p-values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.compare.decisions import (
    difference_interval,
    discordance,
    mcnemar,
    patient_flip,
)
from lungflag.evaluation.delong import areas
from lungflag.evaluation.metrics import proportions

if TYPE_CHECKING:
    from lungflag.evaluation.delong import Areas
    from lungflag.evaluation.intervals import Estimate
    from lungflag.evaluation.metrics import Cases

_ROUNDING = 1e-18  # of a variance: a standard error of 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """The second test's figure less the first's.

    Attributes
    ----------
    value : float or None
        None where the metric is not defined on these images.
    low, high : float or None
        The 95% interval, which counts patients. None where there is none.
    p : float or None
        The headline p-value, which counts patients.
    p_adjusted : float or None
        The same after Holm's adjustment for all comparisons of this metric.
    p_unclustered : float or None
        What DeLong's test, or McNemar's exact test, gives if every image is taken for independent.
    first_only, second_only : int or None
        For decisions: images that only one of the two decides rightly.
    n, patients : int
        The images that the metric is about, and their patients.
    note : str
        Why something is missing; else empty.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    p_unclustered: float | None
    first_only: int | None
    second_only: int | None
    n: int
    patients: int
    note: str = ""


def area_difference(
    first: Cases, second: Cases, intervals: tuple[Estimate, Estimate]
) -> Difference:
    """Return the difference of two AUROCs.

    The p-value is DeLong's with patients as clusters (Obuchowski 1997). The interval combines the
    two areas' own intervals and their correlation, because the difference of two areas near 1 is
    skewed, and a symmetric interval would miss the truth too often.

    References
    ----------
    G. Y. Zou and A. Donner, 'Construction of confidence limits about effect measures: a general
    approach', Stat. Med. 27:1693-1702, 2008.
    """
    n, patients = len(first), len(np.unique(first.patient))
    one, two = intervals
    if one.value is None or two.value is None:
        return _undefined(n, patients, one.note)
    found = areas(first.positive, np.stack([first.probability, second.probability]), first.patient)
    value = float(found.value[1] - found.value[0])
    contrast = np.array([-1.0, 1.0])
    variance = found.variance(contrast)
    if variance < _ROUNDING:
        note = f"no test: {'both rank the images alike' if value == 0 else 'no patient differs'}"
        return Difference(value, None, None, None, None, None, None, None, n, patients, note)
    stats = require("scipy.stats", feature="comparison", extra="evidence")
    low, high = _combined(value, found, one, two)
    unclustered = float(contrast @ found.unclustered @ contrast)
    return Difference(
        value=value,
        low=low,
        high=high,
        p=float(2 * stats.t.sf(abs(value) / np.sqrt(variance), found.degrees(contrast))),
        p_adjusted=None,
        p_unclustered=float(2 * stats.norm.sf(abs(value) / np.sqrt(unclustered))),
        first_only=None,
        second_only=None,
        n=n,
        patients=patients,
        note="" if low is not None else "no interval: one of the areas has none",
    )


def decision_difference(metric: str, first: Cases, second: Cases) -> Difference:
    """Return the difference of two accuracies, sensitivities or specificities."""
    one, two = (proportions(cases)[metric] for cases in (first, second))
    patient = first.patient[one.among]
    if not len(patient):
        return _undefined(0, 0, "not defined: no image of that class")
    found = discordance(one.counted[one.among], two.counted[two.among], patient)
    low, high = difference_interval(found)
    return Difference(
        value=found.difference,
        low=low,
        high=high,
        p=patient_flip(found),
        p_adjusted=None,
        p_unclustered=mcnemar(found),
        first_only=found.first_only,
        second_only=found.second_only,
        n=len(patient),
        patients=len(found.lead),
    )


def _combined(
    value: float, found: Areas, one: Estimate, two: Estimate
) -> tuple[float | None, float | None]:
    """Return Zou and Donner's limits from the areas' own limits."""
    if None in (one.low, one.high, two.low, two.high):
        return None, None
    first, second = found.value
    spread = np.sqrt(np.diag(found.covariance))
    both = spread[0] * spread[1]
    correlation = float(np.clip(found.covariance[0, 1] / both, -1, 1)) if both > 0 else 0.0

    def reach(a: float, b: float) -> float:
        return float(np.sqrt(max(a**2 + b**2 - 2 * correlation * a * b, 0.0)))

    return (
        max(value - reach(second - two.low, one.high - first), -1.0),
        min(value + reach(two.high - second, first - one.low), 1.0),
    )


def _undefined(n: int, patients: int, note: str) -> Difference:
    return Difference(None, None, None, None, None, None, None, None, n, patients, note)
