"""95% intervals that know that images of one patient are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lungflag._extras import require
from lungflag.evaluation.jackknife import leave_outs, logit_interval
from lungflag.evaluation.metrics import CELLS, METRICS, measure, proportions, why_undefined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lungflag.evaluation.metrics import Cases, Proportion

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
        ``wilson``, ``patient bootstrap``, ``patient jackknife``, ``wilson by patient`` or
        ``none``.
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
    2. Any other proportion has the same for fewer images: as many as would be as informative if
       they were independent, and with Student's t for the number of patients.
    3. The areas, F1, balanced accuracy and the Brier score have the interval of a jackknife over
       patients on the logit scale; see `lungflag.evaluation.jackknife`. A bootstrap of a figure
       near 1 misses the truth too often: resamples repeat the few images that are wrong and know
       of no others.
    4. An AUROC of 0 or 1 has Wilson's interval over as many pairs of a positive and a normal image
       as can be made without using a patient twice. Other figures of 0 or 1 have no interval.

    Parameters
    ----------
    cases : Cases
        The judged images; none gives estimates without values.
    resamples : int
        The most groups of patients that the jackknife leaves out.
    seed : int
        Of the draw of the groups, where there are more patients than that.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.

    References
    ----------
    E. B. Wilson, 'Probable inference, the law of succession, and statistical inference',
    J. Am. Stat. Assoc. 22, 1927. N. Dean and M. Pagano, 'Evaluating confidence interval methods
    for binomial proportions in clustered surveys', J. Surv. Stat. Methodol. 3:484-503, 2015.
    """
    if not len(cases):
        return {
            name: Estimate(None, None, None, 0, 0, "none", why_undefined(name, cases))
            for name in (*METRICS, *CELLS)
        }
    shares, values = proportions(cases), measure(cases, np.ones((1, len(cases))))
    parts = [
        measure(cases, weights)
        for weights in leave_outs(cases.patient, resamples, seed, _WEIGHTS_AT_ONCE)
    ]
    without = {name: np.concatenate([part[name] for part in parts]) for name in values}
    return {
        name: _undefined(cases, shares.get(name), note)
        if (note := why_undefined(name, cases))
        else proportion(shares[name], cases.patient)
        if name in shares
        else _jackknifed(name, cases, float(values[name][0]), without[name])
        for name in (*METRICS, *CELLS)
    }


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95% score interval of `successes` out of `n` independent trials."""
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    interval = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def proportion(share: Proportion, patient: NDArray[np.intp]) -> Estimate:
    """Return a proportion's estimate by the rules of `estimate`.

    Parameters
    ----------
    share : Proportion
        At least one image under its line.
    patient : NDArray[np.intp]
        Shape (n,). The patient of each image.
    """
    counted = share.counted[share.among].astype(np.float64)
    _, index, images = np.unique(patient[share.among], return_inverse=True, return_counts=True)
    n, patients, value = len(counted), len(images), float(counted.mean())
    if n == patients:
        return Estimate(value, *wilson(int(counted.sum()), n), n, patients, "wilson")
    off = np.bincount(index, weights=counted - value)
    # Images that are all alike show nothing of how alike a patient's are: taken as copies.
    alike = float((images**2).sum()) / n
    spread = value * (1 - value) * n
    known = spread > 0 and patients > 1
    inflated = float(off @ off) * patients / (patients - 1) / spread if known else alike
    low, high = _wilson(value, n / max(inflated, 1.0), patients - 1)
    return Estimate(value, low, high, n, patients, "wilson by patient")


def _wilson(value: float, n: float, degrees: int) -> tuple[float, float]:
    """Return Wilson's interval for `n` images that need not be a whole number."""
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    square = stats.t.ppf((1 + CONFIDENCE) / 2, max(degrees, 1)) ** 2
    centre = (value + square / (2 * n)) / (1 + square / n)
    reach = np.sqrt(square * (value * (1 - value) / n + square / (4 * n**2))) / (1 + square / n)
    return max(float(centre - reach), 0.0), min(float(centre + reach), 1.0)


def resampled(
    value: float, drawn: NDArray[np.float64], patient: NDArray[np.intp], *, units: int
) -> Estimate:
    """Return the estimate of a metric from its values over resamples of the patients.

    Parameters
    ----------
    value : float
        The metric itself.
    drawn : NDArray[np.float64]
        Shape (b,). Its values over the resamples, NaN where it is not defined.
    patient : NDArray[np.intp]
        The patients of the images that it is about.
    units : int
        The patients that it rests on.
    """
    n, patients = len(patient), _distinct(patient)
    drawn = drawn[~np.isnan(drawn)]
    if drawn.size and np.ptp(drawn) > 0:
        low, high = _percentiles(drawn, value, units)
        return Estimate(value, low, high, n, patients, "patient bootstrap")
    return Estimate(value, None, None, n, patients, "none", "no interval: all resamples agree")


def smaller_class(cases: Cases) -> int:
    """Return the patients of the class that has fewer, of those that are there."""
    classes = (cases.patient[cases.positive], cases.patient[~cases.positive])
    return min(_distinct(patient) for patient in classes if len(patient))


def _undefined(cases: Cases, share: Proportion | None, note: str) -> Estimate:
    patient = cases.patient if share is None else cases.patient[share.among]
    return Estimate(None, None, None, len(patient), _distinct(patient), "none", note)


def _jackknifed(name: str, cases: Cases, value: float, without: NDArray[np.float64]) -> Estimate:
    """Return the estimate of a metric that is no proportion."""
    n, patients = len(cases), _distinct(cases.patient)
    if ends := logit_interval(value, without, CONFIDENCE):
        return Estimate(value, *ends, n, patients, "patient jackknife")
    if name == "auroc" and value in (0.0, 1.0) and (pairs := _pairs(cases)):
        ends = wilson(round(value * pairs), pairs)
        return Estimate(value, *ends, n, patients, "wilson by patient")
    note = "no interval: it rests on one patient, or none makes a difference"
    return Estimate(value, None, None, n, patients, "none", note)


def _percentiles(drawn: NDArray[np.float64], value: float, units: int) -> tuple[float, float]:
    """Return the bootstrap's interval around `value`, over `units` independent units."""
    stats = require("scipy.stats", feature="evaluation", extra="evidence")
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    bias = stats.norm.ppf(np.clip(below, 1 / drawn.size, 1 - 1 / drawn.size))
    degrees = max(units - 1, 1)
    reach = np.sqrt((degrees + 1) / degrees) * stats.t.ppf((1 + CONFIDENCE) / 2, degrees)
    low, high = np.quantile(drawn, stats.norm.cdf([2 * bias - reach, 2 * bias + reach]))
    return float(low), float(high)


def _pairs(cases: Cases) -> int:
    """Return how many pairs of a positive and a normal image no two of which share a patient."""
    return min(smaller_class(cases), _distinct(cases.patient) // 2)


def _distinct(patient: NDArray[np.intp]) -> int:
    return len(np.unique(patient))


def resamples_of(
    patient: NDArray[np.intp], resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Draw as many patients as there are, with replacement; yield the images' weights, (b, n).

    All of them together have `resamples` rows; each is small enough for the memory.
    """
    rng = np.random.default_rng(seed)
    names, index = np.unique(patient, return_inverse=True)
    m = len(names)
    step = max(1, _WEIGHTS_AT_ONCE // len(patient))
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        chosen = rng.integers(m, size=(b, m)) + m * np.arange(b)[:, None]
        times = np.bincount(chosen.ravel(), minlength=b * m).reshape(b, m)
        yield times[:, index].astype(np.float64)
