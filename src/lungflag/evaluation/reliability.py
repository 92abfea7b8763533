"""Whether a probability means what it says: calibration in the large, slope, and in bins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from lungflag.evaluation.intervals import (
    RESAMPLES,
    Estimate,
    proportion,
    resampled,
    resamples_of,
    smaller_class,
)
from lungflag.evaluation.metrics import Proportion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.evaluation.metrics import Cases

BINS = 10

_STEPS = 100  # of Newton's method, which takes about 6 unless the classes hardly overlap
_CLOSE = 1e-7  # the last step; it converges quadratically, so the result is closer by far
_CLIP = 1e-12  # logit 27.6: a probability of exactly 0 or 1 has no finite logit
_DRAWS = 200  # label draws behind `chance_error`


@dataclass(frozen=True, slots=True)
class Bin:
    """The images whose probability lies from `low` to below `high` (the last bin takes in 1).

    Attributes
    ----------
    low, high : float
        The bin's edges.
    predicted : float or None
        The mean probability; None where the bin is empty.
    observed : Estimate
        The share of pneumonia among the images.
    """

    low: float
    high: float
    predicted: float | None
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well probabilities agree with the shares of pneumonia that are seen under them.

    Attributes
    ----------
    calibration_error : Estimate
        Expected calibration error: the mean over the images of the distance between their bin's
        mean probability and its share of pneumonia. 0 is best.
    chance_error : float or None
        What a perfectly calibrated detector with these probabilities would show on average, by
        chance alone. Calibration error is never 0 on a finite sample.
    slope : Estimate
        Of the logistic regression of the label on the probability's logit. 1 is best; below 1 the
        probabilities are too extreme, above 1 too moderate.
    intercept : Estimate
        Calibration in the large: of the logistic regression with the logit as an offset. 0 is
        best; below 0 the probabilities are too high on the whole, above 0 too low.
    bins : tuple[Bin, ...]
        `BINS` of equal width, from 0 to 1.
    """

    calibration_error: Estimate
    chance_error: float | None
    slope: Estimate
    intercept: Estimate
    bins: tuple[Bin, ...]


def reliability(cases: Cases, *, resamples: int = RESAMPLES, seed: int = 0) -> Reliability:
    """Return how well calibrated the probabilities are, with 95% intervals that count patients.

    Parameters
    ----------
    cases : Cases
        The judged images; none gives estimates without values.
    resamples, seed : int
        Of the bootstrap; see `lungflag.evaluation.intervals.estimate`.

    Raises
    ------
    MissingExtraError
        If SciPy is not installed.

    References
    ----------
    B. Van Calster et al., 'Calibration: the Achilles heel of predictive analytics', BMC Med. 17,
    2019 (slope and intercept). M. P. Naeini, G. Cooper and M. Hauskrecht, 'Obtaining well
    calibrated probabilities using Bayesian binning', AAAI 2015 (expected calibration error).
    J. Bröcker and L. A. Smith, 'Increasing the reliability of reliability diagrams', Weather
    Forecast. 22, 2007 (what chance alone would show).
    """
    if not len(cases):
        nothing = Estimate(None, None, None, 0, 0, "none", "not defined: no image was judged")
        empty = tuple(Bin(low, high, None, nothing) for low, high in _edges())
        return Reliability(nothing, None, nothing, nothing, empty)
    measured = [
        _measure(cases, weights)
        for weights in chain(
            [np.ones((1, len(cases)))], resamples_of(cases.patient, resamples, seed)
        )
    ]
    gaps, slopes, intercepts = (np.concatenate([block[i] for block in measured]) for i in range(3))
    return Reliability(
        calibration_error=_error(gaps, cases),
        chance_error=_chance_error(cases, seed),
        slope=_of_both_classes(cases, slopes, "one threshold parts the classes"),
        intercept=_of_both_classes(cases, intercepts, "the fit does not end"),
        bins=_bins(cases),
    )


def calibration_error(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error for each of b weightings, from (b, n) weights."""
    error: NDArray[np.float64] = np.abs(_gaps(cases, weights)).sum(axis=1)
    return error


def _gaps(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each bin's part of the calibration error with its sign, (b, BINS), from (b, n)."""
    gaps = (cases.probability - cases.positive)[:, None] * _membership(cases)
    share: NDArray[np.float64] = weights @ gaps / weights.sum(axis=1)[:, None]
    return share


def _error(gaps: NDArray[np.float64], cases: Cases) -> Estimate:
    """Return the calibration error from its bins' gaps: the cases' own, then the resamples'.

    Chance adds to every bin's distance, so that the error of a sample is too large, and that of a
    resample larger still: quantiles of the resamples' errors lie above the truth. By the triangle
    inequality the error is off by no more than the bins' gaps are, summed over the bins; what
    97.5% of the resamples keep to bounds it from below. Chance does not make it too small, so that
    above it two standard deviations are enough.
    """
    value, n, patients = float(np.abs(gaps[0]).sum()), len(cases), len(np.unique(cases.patient))
    drawn = np.abs(gaps[1:]).sum(axis=1)
    if patients == 1 or not np.ptp(drawn) > 0:
        note = "no interval: all resamples agree"
        return Estimate(value, None, None, n, patients, "none", note)
    off = float(np.quantile(np.abs(gaps[1:] - gaps[0]).sum(axis=1), 0.975))
    high = min(value + 1.96 * float(drawn.std()), 1.0)
    return Estimate(value, max(value - off, 0.0), high, n, patients, "patient bootstrap")


def calibration_slope(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the calibration slope for each of b weightings, from (b, n) weights.

    NaN where a class is missing, or one threshold parts the classes: no finite slope fits then.
    """
    x, y = _logit(cases), cases.positive.astype(np.float64)
    there = weights > 0
    first = np.where(there & cases.positive, x, np.inf).min(axis=1)
    last = np.where(there & ~cases.positive, x, -np.inf).max(axis=1)
    overlap = first < last  # where a class is missing: inf < ..., or ... < -inf, is false
    found = np.full(len(weights), np.nan)
    if overlap.any():
        found[overlap] = _newton_line(x, y, weights[overlap])
    return found


def calibration_intercept(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return calibration in the large for each of b weightings, from (b, n) weights.

    NaN where a class is missing.
    """
    x, y = _logit(cases), cases.positive.astype(np.float64)
    both = (weights[:, cases.positive].sum(axis=1) > 0) & (
        weights[:, ~cases.positive].sum(axis=1) > 0
    )
    found = np.full(len(weights), np.nan)
    if both.any():
        found[both] = _newton_shift(x, y, weights[both])
    return found


def _newton_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the slopes of the logistic regressions of `y` on `x`, NaN where one does not end."""
    intercept, slope = np.zeros(len(weights)), np.zeros(len(weights))
    size = np.full(len(weights), np.inf)
    powers = np.stack([np.ones_like(x), x, x**2], axis=1)
    for _ in range(_STEPS):
        p = _sigmoid(intercept[:, None] + slope[:, None] * x)
        g0, g1 = ((weights * (y - p)) @ powers[:, :2]).T
        h0, h1, h2 = ((weights * p * (1 - p)) @ powers).T
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.stack([h2 * g0 - h1 * g1, h0 * g1 - h1 * g0]) / (h0 * h2 - h1**2)
            reach = np.abs(np.stack([step[0] + step[1] * end for end in (x.min(), x.max())]))
            intercept, slope = np.stack([intercept, slope]) + step * _damping(reach.max(axis=0))
        size = np.abs(step).max(axis=0)
        if not (size > _CLOSE).any():
            break
    return np.where(size <= _CLOSE, slope, np.nan)


def _newton_shift(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shifts of `x` at which the mean probability is the share of `y`."""
    shift, size = np.zeros(len(weights)), np.full(len(weights), np.inf)
    for _ in range(_STEPS):
        p = _sigmoid(x + shift[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (weights * (y - p)).sum(axis=1) / (weights * p * (1 - p)).sum(axis=1)
            shift = shift + step * _damping(np.abs(step))
        size = np.abs(step)
        if not (size > _CLOSE).any():
            break
    return np.where(size <= _CLOSE, shift, np.nan)


def _damping(reach: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much of a Newton step to take: all of it near the end, never beyond the optimum.

    `reach` is the largest change of any image's logit that the full step would bring. The factor
    makes every step an improvement, as the third derivative of the logistic loss is never larger
    than its second (T. Sun and Q. Tran-Dinh, 'Generalized self-concordant functions', Math.
    Program. 178, 2019).
    """
    reach = np.maximum(reach, 1e-12)
    factor: NDArray[np.float64] = np.log1p(reach) / reach
    return factor


def _of_both_classes(cases: Cases, values: NDArray[np.float64], otherwise: str) -> Estimate:
    """Return an estimate from its value and its resamples, which stand behind it in `values`."""
    if np.isnan(values[0]):
        n, patients = len(cases), len(np.unique(cases.patient))
        lacking = {True: "no normal images", False: "no pneumonia images"}
        alone = cases.positive.all() or not cases.positive.any()
        why = lacking[bool(cases.positive.all())] if alone else otherwise
        return Estimate(None, None, None, n, patients, "none", f"not defined: {why}")
    return resampled(float(values[0]), values[1:], cases.patient, units=smaller_class(cases))


def _measure(
    cases: Cases, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the bins' gaps, shape (b, BINS), slope and intercept, shape (b,)."""
    return (
        _gaps(cases, weights),
        calibration_slope(cases, weights),
        calibration_intercept(cases, weights),
    )


def _bins(cases: Cases) -> tuple[Bin, ...]:
    bins = []
    for (low, high), member in zip(_edges(), _membership(cases).T > 0, strict=True):
        if not member.any():
            note = "not defined: no image has such a probability"
            bins.append(Bin(low, high, None, Estimate(None, None, None, 0, 0, "none", note)))
            continue
        observed = proportion(Proportion(cases.positive & member, member), cases.patient)
        bins.append(Bin(low, high, float(cases.probability[member].mean()), observed))
    return tuple(bins)


def _chance_error(cases: Cases, seed: int) -> float:
    """Return the mean calibration error where labels are drawn by the very probabilities."""
    drawn = np.random.default_rng(seed).random((_DRAWS, len(cases))) < cases.probability
    membership = _membership(cases)
    gaps = (cases.probability - drawn) @ membership
    return float(np.abs(gaps).sum(axis=1).mean() / len(cases))


def _membership(cases: Cases) -> NDArray[np.float64]:
    """Return which bin each image is in; shape (n, BINS), one 1 a row."""
    index = np.minimum((cases.probability * BINS).astype(int), BINS - 1)
    rows: NDArray[np.float64] = np.eye(BINS)[index]
    return rows


def _edges() -> list[tuple[float, float]]:
    return [(i / BINS, (i + 1) / BINS) for i in range(BINS)]


def _logit(cases: Cases) -> NDArray[np.float64]:
    p = np.clip(cases.probability, _CLIP, 1 - _CLIP)
    logit: NDArray[np.float64] = np.log(p) - np.log1p(-p)
    return logit


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    value: NDArray[np.float64] = 0.5 * (1 + np.tanh(z / 2))
    return value
