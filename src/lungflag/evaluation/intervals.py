"""95% intervals that know that images of one patient are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.metrics import CELLS, METRICS, measure, proportions, why_undefined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lungflag.evaluation.metrics import Cases

CONFIDENCE = 0.95
RESAMPLES = 2000

_WEIGHTS_AT_ONCE = 2_000_000  # 16 MB: bounds the memory of a bootstrap over many images


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value and its 95% interval.

    Attributes
    ----------
    value : float or None
        None where the metric is not defined on these images.
    low, high : float or None
        The interval's ends. None where there is no interval.
    n : int
        The images that the metric is about: for sensitivity the positive ones.
    patients : int
        The patients of those images.
    method : str
        ``wilson``, ``patient bootstrap``, ``wilson by patient`` or ``none``.
    note : str
        Why there is no value or no interval; else empty.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    patients: int
    method: str
    note: str = ""


def estimate(cases: Cases, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Estimate]:
    """Return every metric and confusion matrix cell (as a share of the images) with an interval.

    One rule chooses the interval:

    1. A proportion whose images all come from different patients has Wilson's score interval.
    2. All else has the bias-corrected percentiles of a bootstrap that draws patients, with all
       their images. They are moved outwards as Student's t is wider than the normal, for as many
       patients as the metric rests on (those of the smaller class for F1, balanced accuracy and
       the areas): plain percentiles are too narrow where these are few.
    3. Where all resamples agree on 0 or 1 the bootstrap says nothing. A proportion then has
       Wilson's interval with each patient counted once, which can only be too wide. AUROC has the
       same over as many pairs of a positive and a normal as can be made without using a patient
       twice. Other metrics have no interval.

    Parameters
    ----------
    cases : Cases
        The judged images; none gives estimates without values.
    resamples : int
        The number of bootstrap resamples.
    seed : int
        Seeds the resampling, so that the same cases give the same intervals.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.

    References
    ----------
    E. B. Wilson, 'Probable inference, the law of succession, and statistical inference',
    J. Am. Stat. Assoc. 22, 1927. C. A. Field and A. H. Welsh, 'Bootstrapping clustered data',
    J. R. Stat. Soc. B 69, 2007. B. Efron and R. J. Tibshirani, 'An introduction to the
    bootstrap', 1993, chapter 14 (bias correction). T. C. Hesterberg, 'What teachers should know
    about the bootstrap', Am. Stat. 69, 2015 (expanded percentiles).
    """
    if not len(cases):
        return {
            name: Estimate(None, None, None, 0, 0, "none", why_undefined(name, cases))
            for name in (*METRICS, *CELLS)
        }
    values = measure(cases, np.ones((1, len(cases))))
    drawn = _bootstrap(cases, resamples, seed)
    return {
        name: _estimate(name, cases, float(values[name][0]), drawn[name])
        for name in (*METRICS, *CELLS)
    }


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95% score interval of `successes` out of `n` independent trials."""
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    interval = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _estimate(name: str, cases: Cases, value: float, drawn: NDArray[np.float64]) -> Estimate:
    share = proportions(cases).get(name)
    patient = cases.patient if share is None else cases.patient[share.among]
    n, patients = len(patient), _distinct(patient)
    if note := why_undefined(name, cases):
        return Estimate(None, None, None, n, patients, "none", note)
    if share is not None and n == patients:
        low, high = wilson(int(share.counted.sum()), n)
        return Estimate(value, low, high, n, patients, "wilson")
    drawn = drawn[~np.isnan(drawn)]
    if drawn.size and np.ptp(drawn) > 0:
        units = _units(name, cases) if share is None else patients
        low, high = _percentiles(drawn, value, units)
        return Estimate(value, low, high, n, patients, "patient bootstrap")
    trials = patients if share is not None else _pairs(cases) if name == "auroc" else 0
    if value in (0.0, 1.0) and trials:
        low, high = wilson(round(value * trials), trials)
        return Estimate(value, low, high, n, patients, "wilson by patient")
    return Estimate(value, None, None, n, patients, "none", "no interval: all resamples agree")


def _percentiles(drawn: NDArray[np.float64], value: float, units: int) -> tuple[float, float]:
    """Return the bootstrap's interval around `value`, over `units` independent units."""
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    bias = stats.norm.ppf(np.clip(below, 1 / drawn.size, 1 - 1 / drawn.size))
    degrees = max(units - 1, 1)
    reach = np.sqrt((degrees + 1) / degrees) * stats.t.ppf((1 + CONFIDENCE) / 2, degrees)
    low, high = np.quantile(drawn, stats.norm.cdf([2 * bias - reach, 2 * bias + reach]))
    return float(low), float(high)


def _units(name: str, cases: Cases) -> int:
    """Return the patients that a metric which is no proportion rests on."""
    if name == "brier":
        return _distinct(cases.patient)
    classes = (cases.patient[cases.positive], cases.patient[~cases.positive])
    return min(_distinct(patient) for patient in classes if len(patient))


def _pairs(cases: Cases) -> int:
    """Return how many pairs of a positive and a normal image no two of which share a patient."""
    return min(_units("auroc", cases), _distinct(cases.patient) // 2)


def _distinct(patient: NDArray[np.intp]) -> int:
    return len(np.unique(patient))


def _bootstrap(cases: Cases, resamples: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return every metric over resamples of the patients; shape (resamples,) each."""
    parts = [measure(cases, weights) for weights in _resampled(cases.patient, resamples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _resampled(
    patient: NDArray[np.intp], resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Draw as many patients as there are, with replacement; yield the images' weights, (b, n)."""
    rng = np.random.default_rng(seed)
    names, index = np.unique(patient, return_inverse=True)
    m = len(names)
    step = max(1, _WEIGHTS_AT_ONCE // len(patient))
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        chosen = rng.integers(m, size=(b, m)) + m * np.arange(b)[:, None]
        times = np.bincount(chosen.ravel(), minlength=b * m).reshape(b, m)
        yield times[:, index].astype(np.float64)
