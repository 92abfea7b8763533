"""Ways to make probabilities of logits, all fitted on patients outside the training set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from lungflag.calibration import Calibration

Floats = NDArray[np.float64]
Probabilities = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to calibrate.

    Attributes
    ----------
    name : str
        What it is called in the literature.
    fit : Callable
        Takes logits (n,) and whether each is positive (n,); returns the function from logits to
        probabilities.
    strict : bool
        Whether a higher logit always gives a higher probability: no ties, so AUROC stays.
    """

    name: str
    fit: Callable[[Floats, NDArray[np.bool_]], Probabilities]
    strict: bool


def fit_calibration(logits: NDArray[np.floating], positive: NDArray[np.bool_]) -> Calibration:
    """Return Platt scaling for `logits` (n,) whose reference standard is `positive` (n,).

    The slope is lightly regularised, so that classes which separate perfectly stay finite.
    """
    model = LogisticRegression(C=10.0).fit(logits[:, None], positive)
    slope = max(float(model.coef_[0, 0]), 1e-3)  # a useless network must not turn the ranking round
    return Calibration(slope=slope, intercept=float(model.intercept_[0]))


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-logit)), without overflow."""
    value: Floats = 0.5 * (1 + np.tanh(logits / 2))
    return value


def _uncalibrated(logits: Floats, positive: NDArray[np.bool_]) -> Probabilities:
    del logits, positive
    return sigmoid


def _platt(logits: Floats, positive: NDArray[np.bool_]) -> Probabilities:
    fitted = fit_calibration(logits, positive)
    return lambda x: sigmoid(fitted.slope * x + fitted.intercept)


def _temperature(logits: Floats, positive: NDArray[np.bool_]) -> Probabilities:
    """Platt scaling without an intercept (Guo et al., ICML 2017)."""
    model = LogisticRegression(C=10.0, fit_intercept=False).fit(logits[:, None], positive)
    slope = max(float(model.coef_[0, 0]), 1e-3)
    return lambda x: sigmoid(slope * x)


def _isotonic(logits: Floats, positive: NDArray[np.bool_]) -> Probabilities:
    """Fit the best non-decreasing function (Zadrozny and Elkan, KDD 2002)."""
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(logits, positive)
    return lambda x: np.asarray(model.predict(x), dtype=np.float64)


def _beta(logits: Floats, positive: NDArray[np.bool_]) -> Probabilities:
    """Fit logit = a log(p) - b log(1 - p) + c with a, b >= 0 (Kull et al., AISTATS 2017)."""
    features = _log_odds_parts(logits)
    used = [0, 1]
    model = LogisticRegression(C=10.0).fit(features, positive)
    if (model.coef_[0] <= 0).any():  # as its authors do: drop the part that would turn it round
        used = [int(np.argmax(model.coef_[0]))]
        model = LogisticRegression(C=10.0).fit(features[:, used], positive)
    slopes = np.maximum(model.coef_[0], 1e-3)
    return lambda x: sigmoid(_log_odds_parts(x)[:, used] @ slopes + model.intercept_[0])


def _log_odds_parts(logits: Floats) -> Floats:
    """Return log(p) and -log(1 - p), which sum to the logit; shape (n, 2)."""
    return np.stack([-np.logaddexp(0, -logits), np.logaddexp(0, logits)], axis=1)


METHODS = (
    Method("uncalibrated", _uncalibrated, strict=True),
    Method("temperature", _temperature, strict=True),
    Method("Platt", _platt, strict=True),
    Method("beta", _beta, strict=True),
    Method("isotonic", _isotonic, strict=False),
)
